"""A store in this process's memory: for tests, for trying things out, for one process that may forget."""

import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TypeAlias, TypeVar

from ..typing import Change, Entry

T = TypeVar("T")

#: Many small dictionaries instead of one: growing a small one takes microseconds, a large one a pause.
_SHARDS = 1024
_FEWEST = 16
_LONGEST = 10**11
#: A value that is kept for ever, or one with the instant (seconds, of this process) it is kept to.
_Cell: TypeAlias = bytes | tuple[bytes, float]


class MemoryStore:
    """Keeps records in memory, safe across threads; an entry is forgotten some time after it expires.

    A shard is swept of what has expired whenever it has doubled since its last sweep. So memory stays
    within twice what is alive, no sweep takes long, no thread runs in the background, and nothing that
    is alive is ever dropped, whatever keys an attacker invents.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._shards: list[dict[str, _Cell]] = [{} for _ in range(_SHARDS)]
        self._rooms = [_FEWEST] * _SHARDS

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``."""
        with self._lock:
            return _alive(self._shards[hash(key) % _SHARDS].get(key))

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys`` and store what it says, under one lock.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
        """
        shards = self._shards
        with self._lock:
            values = {}
            for key in keys:
                cell = shards[hash(key) % _SHARDS].get(key)
                if cell is not None and (value := _alive(cell)) is not None:
                    values[key] = value
            writes, outcome = change(values)
            if writes:
                self._write(keys, writes)
            return outcome

    def _write(self, keys: Sequence[str], writes: Mapping[str, Entry | None]) -> None:
        """Check every write, then do all of them."""
        cells = [(key, _cell(key, entry, keys)) for key, entry in writes.items()]
        for key, cell in cells:
            index = hash(key) % _SHARDS
            shard = self._shards[index]
            if cell is None:
                shard.pop(key, None)
                continue
            shard[key] = cell
            if len(shard) > self._rooms[index]:
                alive = {key: cell for key, cell in shard.items() if _alive(cell) is not None}
                self._shards[index], self._rooms[index] = alive, max(_FEWEST, 2 * len(alive))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {sum(map(len, self._shards))} entries>"


class AsyncMemoryStore:
    """:class:`MemoryStore` for asyncio; it never waits, so it never blocks the loop.

    Args:
        store: whose records it works on, to share them with threads; its own if left out.
    """

    def __init__(self, store: MemoryStore | None = None) -> None:
        self._store = MemoryStore() if store is None else store

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`MemoryStore.read`."""
        return self._store.read(key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`MemoryStore.update`."""
        return self._store.update(keys, change)

    def __repr__(self) -> str:
        return f"<Async{repr(self._store)[1:]}"


def _alive(cell: _Cell | None) -> bytes | None:
    """Return the value of a cell, unless it has expired."""
    if isinstance(cell, tuple):
        value, until = cell
        return value if time.monotonic() <= until else None
    return cell


def _cell(key: str, entry: Entry | None, keys: Sequence[str]) -> _Cell | None:
    """Return what to store for a write, after checking it."""
    if key not in keys:
        raise ValueError("the change wrote outside its keys")
    if entry is None:
        return None
    if type(entry) is not Entry or type(entry.value) is not bytes:
        raise ValueError("the change wrote what is no Entry of bytes")
    keep_for = entry.keep_for
    if keep_for is None:
        return entry.value
    if type(keep_for) is not int or not 0 <= keep_for <= _LONGEST:
        raise ValueError("keep_for: None, or from 0 to 10^11 seconds")
    return entry.value, time.monotonic() + keep_for
