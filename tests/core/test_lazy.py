"""Modules are loaded when they are first used."""

import sys

import pytest

from smsmfa.core import typed
from smsmfa.core.lazy import lazy


def test_loaded_when_used(monkeypatch):
    """The stand-in loads its module at the first use, and gives what is in it."""
    monkeypatch.delitem(sys.modules, "smsmfa.core.typed")
    stand_in = lazy("typed")

    assert "smsmfa.core.typed" not in sys.modules
    assert "123" == stand_in.compact("1-2 3")
    assert "smsmfa.core.typed" in sys.modules


def test_kept(monkeypatch):
    """What was asked for once is looked up once."""
    stand_in = lazy("typed")

    assert typed.compact is stand_in.compact
    monkeypatch.setattr(typed, "compact", None)
    assert stand_in.compact is not None


def test_missing():
    """What the module has not the stand-in has not."""
    with pytest.raises(AttributeError):
        _ = lazy("typed").nothing
