"""The tables of requirements and threats, and the tests that hold them."""

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
    """The page is up to date. If this fails, run ``python tests/clauses.py``."""
    page = PAGE.read_text(encoding="utf-8")

    assert written(page).splitlines() == page.splitlines()


def test_agreement():
    """Every clause is named by a test or has ``not_held``, and no test names an unknown clause."""
    assert [] == problems(clauses(), named())


def test_every_clause():
    """The requirements and the threats are numbered without gaps, in order."""
    listed = list(clauses())
    count = sum(clause.startswith("R") for clause in listed)

    assert [f"R{n + 1}" for n in range(count)] + [f"T{n + 1}" for n in range(len(listed) - count)] == listed


def test_names_are_in_tests():
    """Only the docstrings of tests name clauses, because no others are counted."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("test_*.py")]
    docstrings = [
        ast.get_docstring(node, clean=False) or ""
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]
    naming = [docstring for docstring in docstrings if re.search(r"\b[RT][0-9]", docstring)]

    assert len([test for test, ids in named().items() if ids]) == len(naming)


def test_named(tmp_path):
    """The docstrings of test functions, methods, coroutines and classes that inherit their tests are read."""
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
        (ASKED, ["R1", "R2"], ["a::b names R2, which does not exist"]),
        (ASKED | {"not_held": "why"}, ["R1"], ["R1 has not_held in clauses.toml, but a test names it"]),
        (ASKED, [], ["no test names R1, and it has no not_held in clauses.toml"]),
        (ASKED | {"lacks": "half"}, [], ["no test names R1, and it has no not_held in clauses.toml"]),
    ],
)
def test_problems(about, ids, expected):
    """An unknown clause, a test of a clause with ``not_held``, and a clause without a test are reported."""
    assert expected == problems({"R1": about}, {"a::b": ids})


def test_holding():
    """The tests of a clause are in order: attacks first, then by the number of clauses they name, then by length."""
    tests = {"a": ["R1", "T2"], "b": ["T2"], "long": ["R1"], "c": ["R1"], "attacks/all::d": ["R1", "T2"]}

    assert ["attacks/all::d", "c", "long", "a"] == holding("R1", tests)


@pytest.mark.parametrize(
    "about, count, expected",
    [
        ({}, SHOWN, "`t0`"),
        ({}, SHOWN + 2, "`t0` +2"),
        ({"lacks": "half of it."}, 1, "`t0`. **Not tested:** half of it."),
        ({"not_held": "it is to come."}, 0, "**Not tested:** it is to come."),
    ],
)
def test_tables(about, count, expected):
    """A row says what is asked, by whom, which tests check it and what does not hold."""
    made = tables({"R1": ASKED | about}, {f"t{n}": ["R1"] for n in range(count)})

    assert f"| R1 | A wish. | Somebody | {expected} |" in made.splitlines()


def test_written():
    """Writing the tables keeps the text around them."""
    page = written("before\n<!-- made by tests/clauses.py from here -->\nstale rows\n<!-- to here -->\nafter\n")

    assert ("before", "after") == (page.splitlines()[0], page.splitlines()[-1])
    assert "stale rows" not in page
    assert page == written(page)
