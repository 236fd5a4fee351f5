"""The rules that every store shares: how long an operation may wait, and which writes are valid."""

from collections.abc import Container

from ..typing import Entry

#: How long a store waits, or tries again, before it gives up an operation.
DEADLINE = 5.0  # seconds

_LONGEST_LIFETIME = 10**11  # seconds


def check_write(key: str, entry: Entry | None, keys: Container[str]) -> None:
    """Check one write of a change.

    Raises:
        ValueError: the key is not among ``keys``, or the entry is invalid.
    """
    if key not in keys:
        raise ValueError("the change wrote outside its keys")
    if entry is None:
        return
    if type(entry) is not Entry or type(entry.value) is not bytes:
        raise ValueError("the change wrote a value that is not an Entry of exactly bytes")
    keep_for = entry.keep_for
    if keep_for is not None and (type(keep_for) is not int or not 0 <= keep_for <= _LONGEST_LIFETIME):
        raise ValueError("keep_for: None, or a whole number of seconds from 0 to 10^11")
