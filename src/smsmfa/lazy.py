"""Modules that are loaded when they are first used, so that ``import smsmfa`` costs little more than attrs."""

from importlib import import_module
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    """Stands for a module, and keeps whatever was once asked for."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


def lazy(name: str) -> Any:
    """Return a stand-in for a module of this package; type checkers get the module itself under ``TYPE_CHECKING``."""
    return _Lazy(f"{__package__}.{name}")
