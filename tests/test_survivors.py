"""The list of mutants that no test kills, and its comparison with the survivors."""

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


def test_list():
    """The code that a listed mutant changes still exists, and its reason has one line."""
    for equivalent, why in listed().items():
        module, function = re.fullmatch(r"((?:core\.)?\w+)\.(.+)", equivalent.function).groups()
        source = inspect.getsource(attrgetter(function)(import_module(f"smsmfa.{module}")))

        assert equivalent.was in " ".join(source.split()), equivalent
        assert equivalent.was != equivalent.becomes, equivalent
        assert 1 == len(why.splitlines()), equivalent


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
    """A mutant is identified by its function and its changed lines, not by its number."""
    assert Mutant(function, "return max( 1, 2)", "return max( 2, 2)") == mutant(name, DIFF)


def test_other_names():
    """An unexpected name of a mutant raises."""
    with pytest.raises(ValueError, match="unexpected name of a mutant: limiter"):
        mutant("limiter.take:1", DIFF)


def test_alive():
    """Only survivors are returned, not mutants that a test killed or that never ended."""
    verdicts = {1: "survived", 2: "timeout", 3: "killed"}
    results = "".join(f"    smsmfa.a.x_b__mutmut_{number}: {verdict}\n" for number, verdict in verdicts.items())
    answers = {("results",): results, ("show", "smsmfa.a.x_b__mutmut_1"): DIFF}

    assert {Mutant("a.b", "return max( 1, 2)", "return max( 2, 2)")} == alive(lambda *call: answers[call])


@pytest.mark.parametrize("verdict", ["no tests", "suspicious", "not checked", "segfault"])
def test_no_verdict(verdict):
    """A mutant that neither was killed nor survived raises, because the tests say nothing about it."""
    with pytest.raises(ValueError, match=verdict):
        alive(lambda *_: f"    smsmfa.a.x_b__mutmut_1: {verdict}\n")


@pytest.mark.parametrize(
    "survivors, equivalent, expected",
    [
        ([], [], []),
        ([ONE], [ONE], []),
        ([ONE], [], [f"survives, but is not in survivors.toml: {ONE}"]),
        ([], [ONE], [f"is in survivors.toml, but does not survive: {ONE}"]),
        (
            *([ONE], [OTHER]),
            [f"survives, but is not in survivors.toml: {ONE}", f"is in survivors.toml, but does not survive: {OTHER}"],
        ),
    ],
    ids=["neither", "both", "not listed", "stale", "not listed and stale"],
)
def test_problems(survivors, equivalent, expected):
    """A survivor that is not listed is reported, and so is an entry that no longer survives."""
    assert expected == problems(survivors, equivalent)


def test_status(capsys, monkeypatch):
    """The status is 0 if the list and the survivors agree, and otherwise 1 with the differences printed."""
    assert 1 == main(lambda *_: "")
    assert f"is in survivors.toml, but does not survive: {min(listed())}" in capsys.readouterr().out

    monkeypatch.setattr("survivors.listed", dict)
    assert 0 == main(lambda *_: "")
    assert "" == capsys.readouterr().out.strip()
