"""What a store saw last under some keys: guesses that save a round trip, and that the server has to confirm."""

from collections.abc import Iterable, Sequence

#: Keys in a generation, and the longest value that is remembered (bytes).
_MOST = 8192
_LONGEST = 4096
_UNKNOWN = b"unknown"


class Hints:
    """The last values of a bounded number of keys, absence included.

    Two generations, of which the older is forgotten when the younger is full. There is no lock: a race of
    threads loses a hint at worst, and a process that is forked inherits nothing that is locked.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}

    def learn(self, names: Iterable[bytes], values: Iterable[bytes | None]) -> None:
        """Remember what there is, ``None`` being nothing; what is long is forgotten instead."""
        for name, value in zip(names, values, strict=True):
            if value is not None and len(value) > _LONGEST:
                self._young.pop(name, None)
                self._old.pop(name, None)
            else:
                self._young[name] = value
        if len(self._young) > _MOST:
            self._old, self._young = self._young, {}

    def recall(self, names: Sequence[bytes]) -> list[bytes | None] | None:
        """Return what was last seen under all of some keys, or ``None`` where one is not remembered."""
        values = []
        for name in names:
            value = self._young.get(name, _UNKNOWN)
            if value is _UNKNOWN:
                value = self._old.get(name, _UNKNOWN)
            if value is _UNKNOWN:
                return None
            values.append(value)
        return values
