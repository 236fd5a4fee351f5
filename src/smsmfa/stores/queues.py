"""Queues for contended keys: updates of one process that share one take turns, instead of failing each other's tries.

They only save tries. What a try may store is decided by the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any

from ..exceptions import StoreContention
from .writes import DEADLINE

_NONE: frozenset[bytes] = frozenset()


class _Queue:
    """The queue for one key.

    Args:
        lock: whoever holds it has the turn.
    """

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.users = 0


class Queues:
    """The queues of a process, or of an event loop. A key has one as long as updates use it.

    Args:
        lock: makes a lock.
        place: the process or the event loop; ``None``: not known yet.
    """

    def __init__(self, lock: Callable[[], Any], place: object = None) -> None:
        self._place = place
        self._lock = lock
        self._guard = Lock()
        self._queues: dict[bytes, _Queue] = {}

    def at(self, place: object) -> Queues:
        """Return the queues of a place: these, or new ones if it is another place, as after a fork."""
        return self if place == self._place else Queues(self._lock, place)

    def contended(self, names: Iterable[bytes]) -> frozenset[bytes]:
        """Return those of the keys that have a queue."""
        return frozenset(name for name in names if name in self._queues) if self._queues else _NONE

    def join(self, names: Iterable[bytes]) -> dict[bytes, _Queue]:
        """Return the queues of these keys, in the order in which everybody must wait for them."""
        with self._guard:
            found = {name: self._queues.setdefault(name, _Queue(self._lock())) for name in sorted(names)}
            for queue in found.values():
                queue.users += 1
            return found

    def leave(self, joined: dict[bytes, _Queue]) -> None:
        """Give up the places in these queues."""
        with self._guard:
            for name, queue in joined.items():
                queue.users -= 1
                if not queue.users:
                    del self._queues[name]


class Turn:
    """The turn of an update: it waits for its place at the head of the queue of each of its contended keys.

    Args:
        queues: the queues.
        names: the contended keys; often none.
        until: when it gives up, by ``monotonic()``.
    """

    def __init__(self, queues: Queues, names: Collection[bytes], until: float) -> None:
        self._queues = queues
        self._joined = queues.join(names) if names else {}
        self._until = until
        self._held: list[Any] = []

    def __enter__(self) -> None:
        """Wait.

        Raises:
            StoreContention: it took too long.
        """
        try:
            for queue in self._joined.values():
                if not queue.lock.acquire(timeout=max(0, self._until - monotonic())):
                    raise contended()
                self._held.append(queue.lock)
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    async def __aenter__(self) -> None:
        """Like :meth:`__enter__`."""
        try:
            for queue in self._joined.values():
                try:
                    async with asyncio.timeout(max(0, self._until - monotonic())):
                        await queue.lock.acquire()
                except TimeoutError:
                    raise contended() from None
                self._held.append(queue.lock)
        except BaseException:
            self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        for lock in self._held:
            lock.release()
        if self._joined:
            self._queues.leave(self._joined)


def contended() -> StoreContention:
    """Return the error of an update that others kept from its keys."""
    return StoreContention(f"others kept changing the same keys for {DEADLINE:.0f} s; nothing was stored")
