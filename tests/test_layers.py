"""Imports inside the package go one way, without a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import smsmfa

PACKAGE = Path(smsmfa.__file__).parent
#: What the engine and what stands on it must not import, not even for type checkers.
FORBIDDEN = ("smsmfa.stores", "smsmfa.senders", "smsmfa.testing", "smsmfa.demo", "smsmfa.doctor", "smsmfa.web")
#: The layers of the engine, each of which may import only those that come after it.
LAYERS = (
    "core.shell", "core.results", "core.audit", "core.decisions", "core.rules", "core.transaction", "core.book",
    "core.outcomes", "core.operation", "config", "texts.messages", "limiter", "core.proofs", "codes", "core.records",
    "values", "typing", "phone", "exceptions",
)  # fmt: skip


def name_of(path):
    """Return the dotted name of a module."""
    return ".".join(["smsmfa", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(module):
    """Return the modules of the package that a module imports anywhere in it, also for type checkers."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                found.add(whole if whole in MODULES else ".".join(base))
    return found - {module}


#: Packages that load their modules when they are first used.
LAZY = {"smsmfa", "smsmfa.core", "smsmfa.stores", "smsmfa.senders"}


def test_no_circle():
    """No module imports itself through others. Packages that load lazily import nothing."""
    graph = {module: set() if module in LAZY else imports(module) - LAZY for module in MODULES}

    assert set(MODULES) == set(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("position", range(len(LAYERS)), ids=LAYERS)
def test_one_way(position):
    """A layer of the engine imports no layer above it."""
    above = {f"smsmfa.{layer}" for layer in LAYERS[:position]}

    assert set() == imports(f"smsmfa.{LAYERS[position]}") & above


def test_engine_stands_alone():
    """The engine and the classes on top of it import no store, sender, kit, demo or doctor."""
    tops = {"enroller", "verifier", "limiter", "config", "codes", "events", "values", "typing", "exceptions", "phone"}
    engine = [
        module for module in MODULES if module.startswith(("smsmfa.core.", "smsmfa.texts."))
        or module.removeprefix("smsmfa.") in tops
    ]  # fmt: skip

    assert engine
    assert [] == [(module, one) for module in engine for one in imports(module) if one.startswith(FORBIDDEN)]
