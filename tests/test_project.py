"""The project as a whole: its files, its metadata and the cost of importing it."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import smsmfa

ROOT = Path(__file__).parents[1]
PACKAGE = Path(smsmfa.__file__).parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {
    *("apprise", "asyncio", "babel", "boto3", "cryptography", "django", "liquid", "phonenumbers", "psycopg", "redis"),
    *("requests", "sqlalchemy", "tomllib", "twilio"),
}


def run(*arguments: str) -> str:
    """Return the output of a new interpreter."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def imported(module: Path) -> set[str]:
    """Return the top-level names of the packages that a module imports, at any place in it."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | named}


def literal_all() -> list[str]:
    """Return ``__all__`` as it is written in the source."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                return list(ast.literal_eval(value))
    raise AssertionError("smsmfa/__init__.py assigns no literal to __all__")


@pytest.mark.parametrize(
    "command",
    [
        "python -m pip install . && python -m smsmfa demo",
        "python -m pip install nox && python -m nox",
    ],
)
def test_readme_has_command(command):
    """The README has the commands that start the demo and run the tests, each on its own line."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert command in [line.strip().removeprefix("$ ") for line in lines]


def test_dependencies_have_lower_bounds():
    """Every requirement has a lower bound and no upper bound."""
    groups = [*PYPROJECT["project"]["optional-dependencies"].values(), *PYPROJECT["dependency-groups"].values()]
    requirements = [*PYPROJECT["project"]["dependencies"], *(entry for group in groups for entry in group)]
    bounded = re.compile(r"[A-Za-z0-9-]+(\[[a-z]+(,[a-z]+)*\])?>=[0-9]+(\.[0-9]+)+")

    assert [] == [entry for entry in requirements if isinstance(entry, str) and not bounded.fullmatch(entry)]


def test_python_versions():
    """The classifiers list exactly the versions from ``requires-python`` on that the tests have run on.

    ``.ci/run`` runs this on every CPython that it finds. If it fails on a new one, run all tests there, then list it.
    """
    classifiers = re.findall(r"Python :: 3\.([0-9]+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    lowest = int(PYPROJECT["project"]["requires-python"].removeprefix(">=3."))

    assert list(range(lowest, lowest + len(classifiers))) == list(map(int, classifiers))
    assert str(sys.version_info.minor) in classifiers


def test_tests_install_what_the_kit_needs():
    """The kit's extra and the tests require the same releases."""
    extra = PYPROJECT["project"]["optional-dependencies"]["testing"]

    assert extra
    assert set(extra) <= {entry for entry in PYPROJECT["dependency-groups"]["tests"] if isinstance(entry, str)}


def test_licence():
    """The licence is MIT and held by the authors, in the file and in the metadata."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert text.startswith("MIT License\n")
    assert re.search(r"^Copyright \(c\) [0-9-]+ the smsmfa authors$", text, re.MULTILINE)
    assert "MIT" == PYPROJECT["project"]["license"]


def test_readme_is_in_metadata():
    """The package index shows the README."""
    assert "README.md" == PYPROJECT["project"].get("readme")


def test_changelog_has_section():
    """The changelog begins with a section for unreleased changes or for the current version."""
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] in {"Unreleased", PYPROJECT["project"]["version"]}


def test_version():
    """The version is the same on the command line, in the metadata and in pyproject.toml."""
    expected = PYPROJECT["project"]["version"]

    assert expected == version("smsmfa")
    assert expected == smsmfa.__version__
    assert expected in run("-m", "smsmfa", "--version").split()


def test_unknown_attribute():
    """An unknown name of the package is an AttributeError, although names load lazily."""
    with pytest.raises(AttributeError, match="no_such_name"):
        smsmfa.no_such_name  # noqa: B018


def test_package_is_typed():
    """The installed package is marked as typed."""
    assert (PACKAGE / "py.typed").is_file()


def test_no_weak_randomness():
    """T13: no module imports random, whose numbers can be predicted, but to choose the tests of a store."""
    found = [module.relative_to(PACKAGE).as_posix() for module in MODULES if "random" in imported(module)]
    assert ["testing/stores/appends.py", "testing/stores/histories.py"] == found


@pytest.mark.parametrize(
    "statement",
    [
        "import smsmfa",
        "from smsmfa import Enroller, FactorConfig, MemoryStore, Verifier",
        "from smsmfa import AsyncEnroller, AsyncMemoryStore, AsyncVerifier, ConsoleSender, profiles",
    ],
)
def test_import_is_light(statement):
    """Importing the package and its core loads no carrier, database, HTTP client, event loop or phone metadata."""
    loaded = json.loads(run("-c", f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"))

    assert "smsmfa" in loaded
    assert HEAVY.isdisjoint(name.partition(".")[0] for name in loaded)


def test_all_is_sorted_literal():
    """``__all__`` is a sorted literal without duplicates, and the same at run time."""
    written = literal_all()

    assert written == sorted(set(written))
    assert written == list(smsmfa.__all__)


def test_public_names_import():
    """Every public name can be imported, and ``dir`` lists it."""
    assert [] == [name for name in smsmfa.__all__ if getattr(smsmfa, name, None) is None or name not in dir(smsmfa)]
