"""The error that has an operation tried again."""

from smsmfa import StoreContention
from smsmfa.stores.retries import Undone


def test_undone():
    """It carries the error to raise when there is no time left."""
    error = StoreContention("busy")

    assert error is Undone(error).error
    assert "busy" == str(Undone(error))
