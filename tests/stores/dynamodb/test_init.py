"""The package of the DynamoDB store without its driver."""

import sys
from importlib import import_module

import pytest


def test_no_driver(monkeypatch):
    """If boto3 is missing, the import error says what to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    for name in [name for name in sys.modules if name.startswith("smsmfa.stores.dynamodb")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleNotFoundError) as missing:
        import_module("smsmfa.stores.dynamodb")

    assert 'smsmfa.stores.dynamodb needs boto3: pip install "smsmfa[dynamodb]"' == str(missing.value)
