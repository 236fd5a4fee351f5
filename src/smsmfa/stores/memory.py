"""A store in the memory of one process: for tests, for experiments, and for data that may be lost."""

import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

from ..exceptions import StoreError
from ..typing import Change, Entry
from .forks import Turns
from .writes import check_write

T = TypeVar("T")

#: Many small dictionaries instead of one: growing a small one takes microseconds, growing a large one is a pause.
_SHARDS = 1024
#: A shard with fewer entries than this is not swept when it grows.
_FEWEST = 16
#: The shortest time between two sweeps in turn, so that one round of all shards takes a minute (seconds).
_PACE = 60 / _SHARDS


class MemoryStore:
    """Keeps records in memory. Threads may share it. Expired entries are removed some time after they expire.

    A sweep removes the expired entries of one shard. A shard is swept whenever its size has doubled since the last
    sweep. In addition, writes sweep the shards in turn, at most all 1024 of them in a minute. So memory use follows
    the number of live entries, no sweep takes long, and no thread runs in the background. A live entry is never
    dropped, whatever keys an attacker invents. The dictionaries hold only text, bytes and numbers, so that the garbage
    collector has nothing to visit.
    """

    def __init__(self) -> None:
        self._turns = Turns()
        self._lock = self._turns.lock
        self._updating = False
        self._shards: list[dict[str, bytes]] = [{} for _ in range(_SHARDS)]
        #: When each entry that is not kept forever expires (seconds on the monotonic clock).
        self._untils: list[dict[str, float]] = [{} for _ in range(_SHARDS)]
        #: The size at which each shard is swept.
        self._rooms = [_FEWEST] * _SHARDS
        #: Which shard is swept next in turn, and when.
        self._turn, self._due = 0, 0.0

    def read(self, key: str) -> bytes | None:
        """Return the value of ``key``, or ``None`` if there is none."""
        with self._lock:
            return self._get(key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store its writes, and return its outcome, under one lock.

        Raises:
            ValueError: ``change`` wrote a key outside ``keys``, or an invalid entry. Nothing is stored.
            StoreError: the ``change`` of another update called this method.
        """
        with self._lock:
            if self._updating:
                raise StoreError("a change must not update its own store; update it after the change has returned")
            self._updating = True
            try:
                return self._update(keys, change)
            finally:
                self._updating = False

    def _update(self, keys: Sequence[str], change: Change[T]) -> T:
        writes, outcome = change(self._current(keys))  # not bound to a name, which a traceback with locals would show
        if writes:
            self._write(keys, writes)
        return outcome

    def _current(self, keys: Sequence[str]) -> dict[str, bytes]:
        values = {}
        for key in keys:
            value = self._get(key)
            if value is not None:
                values[key] = value
        return values

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
        """Remove the expired entries of a shard. The dictionaries are rebuilt because a dictionary never shrinks."""
        shard, untils = self._shards[index], self._untils[index]
        self._untils[index] = {key: until for key, until in untils.items() if now <= until}
        alive = {key: value for key, value in shard.items() if now <= untils.get(key, now)}
        self._shards[index], self._rooms[index] = alive, max(_FEWEST, 2 * len(alive))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {sum(map(len, self._shards))} entries>"


class AsyncMemoryStore:
    """:class:`MemoryStore` for asyncio. It never waits, so it never blocks the event loop.

    Args:
        store: a store whose records to share, for example with threads. By default it has its own records.
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
