"""A store in this process's memory: for tests, for trying things out, for one process that may forget."""

import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

from ..exceptions import StoreError
from ..typing import Change, Entry
from .forks import Turns
from .writes import check_write

T = TypeVar("T")

#: Many small dictionaries instead of one: growing a small one takes microseconds, a large one a pause.
_SHARDS = 1024
_FEWEST = 16
#: The least time between two sweeps in turn, so that all shards take a minute (seconds).
_PACE = 60 / _SHARDS


class MemoryStore:
    """Keeps records in memory, safe across threads; an entry is forgotten some time after it expires.

    A shard is swept of what has expired whenever it has doubled since its last sweep, and a write sweeps
    the next shard in turn, 1024 of them in a minute at most. So memory follows what is alive, no sweep
    takes long, no thread runs in the background, and nothing that is alive is ever dropped, whatever keys
    an attacker invents. The dictionaries hold text, bytes and numbers only, so that the garbage collector
    has nothing to visit.
    """

    def __init__(self) -> None:
        self._turns = Turns()
        self._lock = self._turns.lock
        self._updating = False
        self._shards: list[dict[str, bytes]] = [{} for _ in range(_SHARDS)]
        #: The instant (seconds of this process) to which an entry is kept, where it is not for ever.
        self._untils: list[dict[str, float]] = [{} for _ in range(_SHARDS)]
        self._rooms = [_FEWEST] * _SHARDS
        #: Which shard is swept in turn, and when.
        self._turn, self._due = 0, 0.0

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``."""
        with self._lock:
            return self._get(key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys`` and store what it says, under one lock.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreError: it is called by the ``change`` of another update.
        """
        with self._lock:
            if self._updating:
                raise StoreError("a change may not update its own store")
            self._updating = True
            try:
                return self._update(keys, change)
            finally:
                self._updating = False

    def _update(self, keys: Sequence[str], change: Change[T]) -> T:
        values = {}
        for key in keys:
            value = self._get(key)
            if value is not None:
                values[key] = value
        writes, outcome = change(values)
        if writes:
            self._write(keys, writes)
        return outcome

    def _get(self, key: str) -> bytes | None:
        index = hash(key) % _SHARDS
        value = self._shards[index].get(key)
        if value is None:
            return None
        until = self._untils[index].get(key)
        return value if until is None or time.monotonic() <= until else None

    def _write(self, keys: Sequence[str], writes: Mapping[str, Entry | None]) -> None:
        for key, entry in writes.items():
            check_write(key, entry, keys)
        now = time.monotonic()
        for key, entry in writes.items():
            index = hash(key) % _SHARDS
            shard, untils = self._shards[index], self._untils[index]
            if entry is None:
                shard.pop(key, None)
                untils.pop(key, None)
                continue
            shard[key] = entry.value
            if entry.keep_for is not None:
                untils[key] = now + entry.keep_for
            elif untils:
                untils.pop(key, None)
            if len(shard) > self._rooms[index]:
                self._sweep(index, now)
        if now >= self._due:
            self._sweep(self._turn, now)
            self._turn, self._due = (self._turn + 1) % _SHARDS, now + _PACE

    def _sweep(self, index: int, now: float) -> None:
        """Forget what has expired. The dictionaries are made anew, because a dictionary never shrinks."""
        shard, untils = self._shards[index], self._untils[index]
        self._untils[index] = {key: until for key, until in untils.items() if now <= until}
        alive = {key: value for key, value in shard.items() if now <= untils.get(key, now)}
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
