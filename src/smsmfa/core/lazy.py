"""Modules that are loaded when they are first used, so that ``import smsmfa`` costs little more than attrs."""

from importlib import import_module
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    """Stands for a module, and becomes like it when something is asked for."""

    def __getattr__(self, name: str) -> Any:
        module = import_module(self.__name__)
        self.__dict__.update(vars(module))
        # The interpreter is faster with modules that have no __getattr__.
        self.__class__ = ModuleType  # type: ignore[assignment]
        return getattr(module, name)


def lazy(name: str) -> Any:
    """Return a stand-in for a module of this package; type checkers get the module itself under ``TYPE_CHECKING``."""
    return _Lazy(f"{__package__}.{name}")
