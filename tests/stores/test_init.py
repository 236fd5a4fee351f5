"""Every store can be imported from the package, and is loaded at its first use."""

import subprocess
import sys

import pytest

from smsmfa import stores


@pytest.mark.parametrize("name", stores.__all__)
def test_names(name):
    """Each name is the class of that name."""
    assert name == getattr(stores, name).__name__
    assert name in dir(stores)


def test_other_names():
    """Any other name is an AttributeError."""
    with pytest.raises(AttributeError, match=r"'smsmfa\.stores' has no attribute 'NoStore'"):
        stores.NoStore  # noqa: B018


def test_lazy():
    """Importing the package loads no driver."""
    drivers = {"redis", "psycopg", "sqlalchemy", "django", "sqlite3", "cryptography", "boto3"}
    code = f"import sys, smsmfa.stores; print({drivers} & set(sys.modules))"
    assert "set()\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
