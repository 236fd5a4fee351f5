"""What every store refuses to write."""

from collections.abc import Container

from ..typing import Entry

#: Default time a store may spend on one call (seconds).
DEADLINE = 5.0  # seconds

_LONGEST = 10**11


def check_write(key: str, entry: Entry | None, keys: Container[str]) -> None:
    """Check one write of a change.

    Raises:
        ValueError: the key is none of the update's, or the entry is no entry.
    """
    if key not in keys:
        raise ValueError("the change wrote outside its keys")
    if entry is None:
        return
    if type(entry) is not Entry or type(entry.value) is not bytes:
        raise ValueError("the change wrote what is no Entry of bytes")
    keep_for = entry.keep_for
    if keep_for is not None and (type(keep_for) is not int or not 0 <= keep_for <= _LONGEST):
        raise ValueError("keep_for: None, or from 0 to 10^11 seconds")
