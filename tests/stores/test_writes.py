"""The writes that every store refuses."""

import pytest

from smsmfa.stores.writes import check_write
from smsmfa.typing import Entry


class Text(bytes):
    """A subclass of ``bytes``."""


@pytest.mark.parametrize("entry", [None, Entry(b""), Entry(b"1", 0), Entry(b"1", 10**11)])
def test_accepted(entry):
    """A key of the update may be deleted, or get an entry that is kept forever or up to 10^11 seconds."""
    check_write("a", entry, ["a", "b"])


@pytest.mark.parametrize("entry", [None, Entry(b"1")])
def test_other_key(entry):
    """Other keys must not be written or deleted."""
    with pytest.raises(ValueError, match="outside its keys"):
        check_write("c", entry, ["a", "b"])


@pytest.mark.parametrize("entry", [b"1", "1", 1, Entry("1"), Entry(Text(b"1")), Entry(bytearray(b"1")), Entry(None)])
def test_no_entry(entry):
    """Anything but an Entry of exact bytes is refused."""
    with pytest.raises(ValueError, match="not an Entry of exactly bytes"):
        check_write("a", entry, ["a"])


@pytest.mark.parametrize("keep_for", [-1, 10**11 + 1, 1.0, "1", True])
def test_no_lifetime(keep_for):
    """A lifetime must be a whole number of seconds up to 10^11."""
    with pytest.raises(ValueError, match="keep_for"):
        check_write("a", Entry(b"1", keep_for), ["a"])
