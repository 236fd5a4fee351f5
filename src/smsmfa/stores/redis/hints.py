"""The values that a store saw last. Trying them first saves a round trip; the server must confirm them."""

from collections.abc import Iterable, Sequence

#: The number of keys in a generation.
_MOST = 8192
#: Longer values are not remembered (bytes).
_LONGEST = 4096
_UNKNOWN = b"unknown"


class Hints:
    """The last values of a bounded number of keys. That a key was absent is remembered too.

    There are two generations. When the younger is full, the older is forgotten. There is no lock: at worst a race of
    threads loses a hint, and a forked process inherits no locked lock.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}

    def learn(self, names: Iterable[bytes], values: Iterable[bytes | None]) -> None:
        """Remember values; ``None`` means that the key is absent. A value that is too long is forgotten instead."""
        for name, value in zip(names, values, strict=True):
            if value is not None and len(value) > _LONGEST:
                self._young.pop(name, None)
                self._old.pop(name, None)
            else:
                self._young[name] = value
        if len(self._young) > _MOST:
            self._old, self._young = self._young, {}

    def recall(self, names: Sequence[bytes]) -> list[bytes | None] | None:
        """Return the last values of these keys, or ``None`` if any of them is not remembered."""
        values = []
        for name in names:
            value = self._young.get(name, _UNKNOWN)
            if value is _UNKNOWN:
                value = self._old.get(name, _UNKNOWN)
            if value is _UNKNOWN:
                return None
            values.append(value)
        return values
