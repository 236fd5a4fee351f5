"""The tables of the page on security are what the tests say."""

import ast
import re

import pytest
from clauses import PAGE, SHOWN, TESTS, clauses, holding, named, problems, tables, written

ASKED = {"what": "A wish.", "source": "Somebody"}
TESTS_OF_ALL_KINDS = '''
"""R1: no test."""

class TestMany:
    """R2: no test."""

    async def test_one(self):
        """R3, T4: it holds."""

class TestInherited(Machine.TestCase):
    """T5: it holds."""

def helper():
    """R6: no test."""

def test_nothing():
    """It holds."""
'''


def test_page():
    """The page is up to date: if this fails, run ``python tests/clauses.py``."""
    page = PAGE.read_text(encoding="utf-8")

    assert written(page).splitlines() == page.splitlines()


def test_agreement():
    """Every clause is held by a test or listed as not held, and no test names anything else."""
    assert [] == problems(clauses(), named())


def test_every_clause():
    """There are 33 requirements and 26 threats, in order."""
    assert [f"R{n}" for n in range(1, 34)] + [f"T{n}" for n in range(1, 27)] == list(clauses())


def test_names_are_in_tests():
    """Nothing but a test names a clause: elsewhere nobody would count it."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("test_*.py")]
    docstrings = [ast.get_docstring(node) or "" for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]
    naming = [docstring for docstring in docstrings if re.search(r"\b[RT][0-9]", docstring)]

    assert len([test for test, ids in named().items() if ids]) == len(naming)


def test_named(tmp_path):
    """Test functions are read, methods and coroutines too, and classes that inherit their tests."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_it.py").write_text(TESTS_OF_ALL_KINDS)
    (tmp_path / "support.py").write_text(TESTS_OF_ALL_KINDS)

    expected = {"inner/it::TestMany.one": ["R3", "T4"], "inner/it::TestInherited": ["T5"], "inner/it::nothing": []}
    assert expected == named(tmp_path)


@pytest.mark.parametrize(
    "about, ids, expected",
    [
        (ASKED, ["R1"], []),
        (ASKED | {"lacks": "half"}, ["R1"], []),
        (ASKED | {"not_held": "why"}, [], []),
        (ASKED, ["R1", "R2"], ["a::b names R2, which is none"]),
        (ASKED | {"not_held": "why"}, ["R1"], ["R1 is listed as not held, but a test names it"]),
        (ASKED, [], ["R1 is named by no test, and not listed as not held"]),
        (ASKED | {"lacks": "half"}, [], ["R1 is named by no test, and not listed as not held"]),
    ],
)
def test_problems(about, ids, expected):
    """A name that is none, a test of what is not held, and a clause that nobody accounts for are told."""
    assert expected == problems({"R1": about}, {"a::b": ids})


def test_holding():
    """The tests that hold a clause come in order: attacks, then by how much else they hold, then by length."""
    tests = {"a": ["R1", "T2"], "b": ["T2"], "long": ["R1"], "c": ["R1"], "attacks/all::d": ["R1", "T2"]}

    assert ["attacks/all::d", "c", "long", "a"] == holding("R1", tests)


@pytest.mark.parametrize(
    "about, count, expected",
    [
        ({}, SHOWN, "`t0`, `t1`, `t2`"),
        ({}, SHOWN + 2, "`t0`, `t1`, `t2` and 2 more"),
        ({"lacks": "half of it."}, 1, "`t0`. **Not held:** half of it."),
        ({"not_held": "it is to come."}, 0, "**Not held:** it is to come."),
    ],
)
def test_tables(about, count, expected):
    """A row says what is asked, by whom, which tests hold it and what is not held."""
    made = tables({"R1": ASKED | about}, {f"t{n}": ["R1"] for n in range(count)})

    assert f"| R1 | A wish. | Somebody | {expected} |" in made.splitlines()


def test_written():
    """What stands around the tables stays."""
    page = written("before\n<!-- made by tests/clauses.py from here -->\nstale rows\n<!-- to here -->\nafter\n")

    assert ("before", "after") == (page.splitlines()[0], page.splitlines()[-1])
    assert "stale rows" not in page
    assert page == written(page)
