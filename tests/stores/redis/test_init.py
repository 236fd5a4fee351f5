"""The package of the Redis store without its driver."""

import sys
from importlib import import_module

import pytest


def test_no_driver(monkeypatch):
    """If redis-py is missing, the import error says what to install."""
    monkeypatch.setitem(sys.modules, "redis", None)
    for name in [name for name in sys.modules if name.startswith("smsmfa.stores.redis")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleNotFoundError) as missing:
        import_module("smsmfa.stores.redis")

    assert 'smsmfa.stores.redis needs redis-py: pip install "smsmfa[redis]"' == str(missing.value)
