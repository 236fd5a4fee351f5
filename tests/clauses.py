"""The tables of ``docs/reference/clauses.md``: which tests check which clause. ``python tests/clauses.py`` writes them.

A test checks the clauses that its docstring names: ``R3, T5: A used code is refused.`` ``clauses.toml`` says what each
clause asks, who asks it, and what does not hold.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

Clauses: TypeAlias = Mapping[str, Mapping[str, str]]
#: The clauses that each test names.
Named: TypeAlias = Mapping[str, Sequence[str]]

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reference" / "clauses.md"
BEGIN, END = "<!-- made by tests/clauses.py from here -->\n", "<!-- to here -->\n"
#: How many tests a row names.
SHOWN = 1


def clauses() -> Clauses:
    """Return the description of each clause."""
    return tomllib.loads((TESTS / "clauses.toml").read_text(encoding="utf-8"))


@cache
def named(folder: Path = TESTS) -> Named:
    """Return the clauses that each test in a folder names."""
    return {
        f"{path.relative_to(folder).with_suffix('').as_posix()}::{name}".replace("test_", ""): _ids(docstring)
        for path in sorted(folder.rglob("test_*.py"))
        for name, docstring in _docstrings(ast.parse(path.read_text(encoding="utf-8")))
    }


def _ids(text: str) -> list[str]:
    return re.findall(r"\b[RT][0-9]+\b", text)


def _docstrings(parent: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and docstring of each test function, and of each test class that inherits all its tests."""
    for node in parent.body:
        if isinstance(node, ast.ClassDef):
            inner = list(_docstrings(node, f"{prefix}{node.name}."))
            yield from inner
            is_test = node.name.startswith("Test") and not inner
        else:
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
        if is_test:
            yield prefix + node.name, ast.get_docstring(node, clean=False) or ""


def holding(clause: str, tests: Named) -> list[str]:
    """Return the tests that name a clause: attacks first, then by the number of clauses they name, then by length."""

    def order(test: str) -> tuple[bool, int, int]:
        return not test.startswith("attacks/"), len(tests[test]), len(test)

    return sorted((test for test, ids in tests.items() if clause in ids), key=order)


def problems(known: Clauses, tests: Named) -> list[str]:
    """Say where the tests and the descriptions of the clauses disagree."""
    unknown = [(test, clause) for test, ids in tests.items() for clause in ids if clause not in known]
    found = [f"{test} names {clause}, which does not exist" for test, clause in unknown]
    for clause, about in known.items():
        held = bool(holding(clause, tests))
        if held and "not_held" in about:
            found.append(f"{clause} has not_held in clauses.toml, but a test names it")
        if not held and "not_held" not in about:
            found.append(f"no test names {clause}, and it has no not_held in clauses.toml")
    return found


def tables(known: Clauses, tests: Named) -> str:
    """Return a table of the requirements and one of the threats."""
    heads = {"R": "| | Requirement | Source | Tests |", "T": "| | Attack | Seen in | Tests |"}
    return "\n".join(
        f"{head}\n|---|---|---|---|\n" + "".join(_row(clause, known, tests) for clause in known if clause[0] == kind)
        for kind, head in heads.items()
    )


def _row(clause: str, known: Clauses, tests: Named) -> str:
    about, held = known[clause], holding(clause, tests)
    cell = ", ".join(f"`{test}`" for test in held[:SHOWN])
    if len(held) > SHOWN:
        cell += f" +{len(held) - SHOWN}"
    if missing := about.get("lacks") or about.get("not_held"):
        cell += f"{'. ' if held else ''}**Not tested:** {missing}"
    return f"| {clause} | {about['what']} | {about['source']} | {cell} |\n"


def written(page: str) -> str:
    """Return a page with new tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(clauses(), named())}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
