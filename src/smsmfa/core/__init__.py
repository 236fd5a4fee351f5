"""The engine: what one call does, and the rules that decide it. Applications do not import from here.

Its modules are loaded when they are first used, since they take longer to import than the rest of the package.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import audit, decisions, operation, proofs, records, request, results, rules, transaction

__all__ = ["audit", "decisions", "operation", "proofs", "records", "request", "results", "rules", "transaction"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("." + name, __name__)
