"""The names that the kit exports, and the error if its packages are missing."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from smsmfa import testing


def test_all_is_sorted_literal():
    """``__all__`` is a sorted literal without repetition, and every name in it exists."""
    tree = ast.parse(Path(testing.__file__).read_text(encoding="utf-8"))
    [written] = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]

    assert sorted(set(written)) == written
    assert written == testing.__all__
    assert all(hasattr(testing, name) for name in written)


def test_documented_names():
    """Every name of the kit in the API reference can be imported from the module that the reference gives."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
    sections = re.split(r"\.\. currentmodule:: (\S+)", page.read_text(encoding="utf-8"))[1:]
    documented = [
        (module, name)
        for module, text in zip(sections[::2], sections[1::2], strict=True)
        if module.startswith("smsmfa.testing")
        for name in re.findall(r"\.\. auto(?:class|function):: (\w+)", text)
    ]

    assert len(documented) > 40
    assert [] == [(module, name) for module, name in documented if not hasattr(importlib.import_module(module), name)]


@pytest.mark.parametrize("missing", ["hypothesis", "pytest"])
def test_missing_package(missing):
    """Without pytest or Hypothesis, importing the kit says how to install them."""
    program = f"""
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

class Without(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        return None if name == {missing!r} else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not PathFinder] + [Without()]
try:
    import smsmfa.testing
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    expected = 'smsmfa.testing needs pytest and Hypothesis; run: pip install "smsmfa[testing]"'
    assert expected == done.stdout.strip()


def test_refused_while_loading(monkeypatch):
    """The kit looks for both packages before it loads any of its modules."""
    monkeypatch.setattr(testing, "find_spec", testing.find_spec)  # put back at the end
    monkeypatch.setattr(importlib.util, "find_spec", {"pytest": True}.get)

    with pytest.raises(ModuleNotFoundError, match="needs pytest and Hypothesis"):
        importlib.reload(testing)
