"""CONTRIBUTING.md agrees with the package."""

import ast
import re
from pathlib import Path

import pytest

import smsmfa

PACKAGE = Path(smsmfa.__file__).parent
PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: Files that need no line of their own: the line of their folder describes them.
UNLISTED = {"__init__.py", "py.typed"}
#: The questions whose answers may name more than three files.
WIDE = ("a channel", "limits: a new scope")


def tree():
    """Return what the tree says of each path of the package."""
    block = PAGE.partition("```text\nsrc/smsmfa/\n")[2].partition("```")[0]
    listed, folders = [], []
    for line in block.splitlines():
        indent, name, text = re.fullmatch(r"((?:  )+)(\S+) +(\S.*)", line).groups()
        del folders[len(indent) // 2 - 1 :]
        listed.append(("/".join([*folders, name.rstrip("/")]), text))
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
    return listed


def answers():
    """Return the questions of the table "Where to change what", each with the places that it names."""
    table = PAGE.partition("## Where to change what")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {question: re.findall(r"`([\w/.]+\.(?:py|toml)(?:::[\w.]+)?)`", answer) for question, answer in rows[1:]}


def names(node, prefix=""):
    """Return the names of functions, classes, their methods, and constants."""
    found = set()
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(prefix + child.name)
        if isinstance(child, ast.ClassDef):
            found |= names(child, f"{prefix}{child.name}.")
        if isinstance(child, ast.Assign | ast.AnnAssign):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            found |= {prefix + ast.unparse(target) for target in targets}
    return found


def test_tree():
    """The tree has one line for each folder and file of the package, and one for all templates of the pages."""
    wanted = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.name not in UNLISTED
        and not {"__pycache__", "templates"} & {*path.relative_to(PACKAGE).parts[:-1]}
        and path.name != "__pycache__"
    }

    assert sorted(wanted) == sorted(path for path, _ in tree())


def test_ten_questions():
    """The table answers ten questions, each with at most three files, except for a channel and a scope."""
    assert 10 == len(answers())
    assert [] == [
        question
        for question, places in answers().items()
        if question not in WIDE and not 1 <= len({place.partition("::")[0] for place in places}) <= 3
    ]


@pytest.mark.parametrize("question", answers())
def test_places(question):
    """Every function that an answer names exists, and every file exists unless the answer says that it is new."""
    for place in answers()[question]:
        file, _, name = place.partition("::")
        path = PACKAGE / file
        if name:
            assert name in names(ast.parse(path.read_text(encoding="utf-8"))), place
        else:
            assert path.exists() or f"a new `{place}`" in PAGE, place
