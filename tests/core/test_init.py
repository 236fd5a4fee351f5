"""The modules of the engine are loaded when they are first used."""

import subprocess
import sys
from importlib import import_module

import pytest

from smsmfa import core


def test_first_use():
    """In a fresh process a module is loaded by its first use, and not before."""
    program = """
import sys
from smsmfa import Verifier, core
print("smsmfa.core.decisions" in sys.modules)
core.decisions.verify
print("smsmfa.core.decisions" in sys.modules, core.decisions is sys.modules["smsmfa.core.decisions"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "False\nTrue True\n" == done.stdout


@pytest.mark.parametrize("name", core.__all__)
def test_names(name):
    """Each name is the module of that name."""
    assert import_module(f"smsmfa.core.{name}") is core.__getattr__(name)


def test_unknown():
    """Another name is an AttributeError."""
    with pytest.raises(AttributeError, match=r"module 'smsmfa\.core' has no attribute 'nothing'"):
        _ = core.nothing
