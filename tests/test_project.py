"""What holds of the project as a whole: its files, its metadata and what importing it costs."""

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
    """Return what a fresh interpreter prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def imported(module: Path) -> set[str]:
    """Return the top-level names of the packages that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | named}


def literal_all() -> list[str]:
    """Return ``__all__`` as it is written, not as it is computed."""
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
    """The README has the command that starts the demo, and the one that runs the tests, each as a line of its own."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert command in [line.strip().removeprefix("$ ") for line in lines]


@pytest.mark.parametrize(
    "requirement",
    [
        *PYPROJECT["project"]["dependencies"],
        *(entry for extra in PYPROJECT["project"].get("optional-dependencies", {}).values() for entry in extra),
        *(entry for group in PYPROJECT["dependency-groups"].values() for entry in group if isinstance(entry, str)),
    ],
)
def test_dependency_has_lower_bound(requirement):
    """Every requirement has a lower bound and no upper one."""
    name, bound, number = requirement.partition(">=")

    assert re.fullmatch(r"[A-Za-z0-9-]+(\[[a-z]+(,[a-z]+)*\])?", name)
    assert bound
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)+", number)


def test_tests_install_what_the_kit_needs():
    """The extra of the kit and the tests ask for the same releases."""
    extra = PYPROJECT["project"]["optional-dependencies"]["testing"]

    assert extra
    assert set(extra) <= {entry for entry in PYPROJECT["dependency-groups"]["tests"] if isinstance(entry, str)}


def test_licence():
    """The licence is MIT, held by the authors, in the file and in the metadata."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert text.startswith("MIT License\n")
    assert re.search(r"^Copyright \(c\) [0-9-]+ the smsmfa authors$", text, re.MULTILINE)
    assert "MIT" == PYPROJECT["project"]["license"]


def test_readme_is_in_metadata():
    """The package index shows the README."""
    assert "README.md" == PYPROJECT["project"].get("readme")


def test_changelog_has_section():
    """The changelog has a section for what is to come or for the version at hand."""
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] in {"Unreleased", PYPROJECT["project"]["version"]}


def test_version():
    """The version that is printed is the one in the metadata, which is the one in pyproject.toml."""
    expected = PYPROJECT["project"]["version"]

    assert expected == version("smsmfa")
    assert expected == smsmfa.__version__
    assert expected in run("-m", "smsmfa", "--version").split()


def test_unknown_attribute():
    """The lazy names of the package hide no mistake: an unknown one is an AttributeError."""
    with pytest.raises(AttributeError, match="no_such_name"):
        smsmfa.no_such_name  # noqa: B018


def test_package_is_typed():
    """The installed package says that it is typed."""
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_module_draws_no_weak_randomness(module):
    """T13: no module imports random, whose numbers can be predicted."""
    assert "random" not in imported(module)


@pytest.mark.parametrize(
    "statement",
    [
        "import smsmfa",
        "from smsmfa import Enroller, FactorConfig, MemoryStore, Verifier",
        "from smsmfa import AsyncEnroller, AsyncMemoryStore, AsyncVerifier, ConsoleSender, profiles",
    ],
)
def test_import_is_light(statement):
    """Importing the package and its core loads no carrier, database, HTTP client, event loop or number metadata."""
    loaded = json.loads(run("-c", f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"))

    assert "smsmfa" in loaded
    assert HEAVY.isdisjoint(name.partition(".")[0] for name in loaded)


def test_all_is_sorted_literal():
    """``__all__`` is a literal, sorted and without repetition, and it is what the package has."""
    written = literal_all()

    assert written == sorted(set(written))
    assert written == list(smsmfa.__all__)


@pytest.mark.parametrize("name", smsmfa.__all__)
def test_public_name_imports(name):
    """Every public name can be imported, and ``dir`` lists it."""
    assert getattr(smsmfa, name) is not None
    assert name in dir(smsmfa)
