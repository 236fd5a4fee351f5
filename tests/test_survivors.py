"""The list of the mutants that no test kills, and how the survivors are held to it."""

import inspect
import re
from importlib import import_module
from operator import attrgetter

import pytest
from survivors import Mutant, alive, listed, main, mutant, problems

DIFF = """# smsmfa.limiter.xǁLimitǁ_key__mutmut_2: survived
--- src/smsmfa/limiter.py
+++ src/smsmfa/limiter.py
@@ -1,4 +1,4 @@
 def _key(self):
-    return max(
-        1, 2)
+    return max(
+        2, 2)
"""
ONE, OTHER = Mutant("limiter.take", "a", "b"), Mutant("limiter.take", "a", "c")


@pytest.mark.parametrize("equivalent", listed(), ids=lambda one: one.function)
def test_list(equivalent):
    """What a listed mutant changes is still there, and it has a reason, of one line."""
    module, function = re.fullmatch(r"((?:core\.)?\w+)\.(.+)", equivalent.function).groups()
    source = inspect.getsource(attrgetter(function)(import_module(f"smsmfa.{module}")))

    assert equivalent.was in " ".join(source.split())
    assert equivalent.was != equivalent.becomes
    assert 1 == len(listed()[equivalent].splitlines())


@pytest.mark.parametrize(
    "name, function",
    [
        ("smsmfa.limiter.x_take__mutmut_1", "limiter.take"),
        ("smsmfa.limiter.x__entry__mutmut_12", "limiter._entry"),
        ("smsmfa.limiter.xǁLimitǁ_key__mutmut_2", "limiter.Limit._key"),
        ("smsmfa.stores.memory.xǁMemoryStoreǁ__init____mutmut_3", "stores.memory.MemoryStore.__init__"),
    ],
)
def test_mutant(name, function):
    """A mutant is told by its function and by the lines that it changes, and by no number."""
    assert Mutant(function, "return max( 1, 2)", "return max( 2, 2)") == mutant(name, DIFF)


def test_other_names():
    """Should mutmut name its mutants otherwise, no verdict is given."""
    with pytest.raises(ValueError, match="in another way: limiter"):
        mutant("limiter.take:1", DIFF)


def test_alive():
    """Survivors are looked up, and what a failed test or an endless one killed is left out."""
    verdicts = {1: "survived", 2: "timeout", 3: "killed"}
    results = "".join(f"    smsmfa.a.x_b__mutmut_{number}: {verdict}\n" for number, verdict in verdicts.items())
    answers = {("results",): results, ("show", "smsmfa.a.x_b__mutmut_1"): DIFF}

    assert {Mutant("a.b", "return max( 1, 2)", "return max( 2, 2)")} == alive(lambda *call: answers[call])


@pytest.mark.parametrize("verdict", ["no tests", "suspicious", "not checked", "segfault"])
def test_no_verdict(verdict):
    """A mutant that was neither killed nor survived fails the run: nobody knows what the tests think of it."""
    with pytest.raises(ValueError, match=verdict):
        alive(lambda *_: f"    smsmfa.a.x_b__mutmut_1: {verdict}\n")


@pytest.mark.parametrize(
    "survivors, equivalent, expected",
    [
        ([], [], []),
        ([ONE], [ONE], []),
        ([ONE], [], [f"survives and is not listed: {ONE}"]),
        ([], [ONE], [f"is listed and does not survive: {ONE}"]),
        ([ONE], [OTHER], [f"survives and is not listed: {ONE}", f"is listed and does not survive: {OTHER}"]),
    ],
)
def test_problems(survivors, equivalent, expected):
    """A survivor that is not on the list is told, and so is an entry that does not survive any more."""
    assert expected == problems(survivors, equivalent)


def test_status(capsys, monkeypatch):
    """The status is 0 when all agree and 1 when not, and then it is said why."""
    assert 1 == main(lambda *_: "")
    assert f"is listed and does not survive: {min(listed())}" in capsys.readouterr().out

    monkeypatch.setattr("survivors.listed", dict)
    assert 0 == main(lambda *_: "")
    assert "" == capsys.readouterr().out.strip()
