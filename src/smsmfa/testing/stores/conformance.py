"""The suite that a store has to pass, and its twin for asyncio."""

from collections.abc import Awaitable
from typing import Any

from ...typing import AsyncStore, Store
from .changes import ChangeChecks
from .factor import FactorChecks
from .faults import FaultChecks
from .handles import ForkChecks, HandleChecks
from .loop import Blocking
from .model import ModelChecks
from .races import RaceChecks
from .tasks import TaskChecks
from .values import ValueChecks

__all__ = ["AsyncStoreConformance", "StoreConformance"]


class _Checks(ValueChecks, ChangeChecks, ModelChecks, RaceChecks, HandleChecks, FaultChecks, FactorChecks):
    """What a store of either kind has to pass."""


class StoreConformance(_Checks, ForkChecks):
    """Every promise of the store protocol as a check. Subclass it in a test module, and say how a store is made.

    ::

        class TestMyStore(StoreConformance):
            shared = True

            def make_store(self):
                return MyStore("dbname=test")

    A check is a method whose docstring is the promise. It runs in a thread that can be left behind, so a store that
    hangs is a failure. It needs no clean database, waits for no time to pass, and closes the stores that it made.

    What a store need not be able to do is an attribute that is off, or one of the hooks :meth:`enclosing_transaction`
    and :meth:`disturb`. Checks that need what is off are left out; the run says at its end how many.

    Attributes:
        shared: each call of ``make_store`` opens the same data, so that there can be two stores of it.
        processes: in other processes too. They find the suite by its module and name, and get the attributes that were
            set on ``self``, pickled.
        fork: a store that was made and used before a fork can be used on both sides of it. (None for asyncio.)
        server: host and port of the server that the store talks to, over TCP and in clear; needs ``make_store_at``.
        rounds: how often a race is run.
        examples: how many sequences of calls Hypothesis makes up; the same ones in each run.
        patience: seconds that an update is held in the middle for another. A store that locks takes them all.
        time_limit: seconds within which contenders have to be done. A whole check may take twice that.
    """

    def make_store(self) -> Store:
        """Return a store. It need not be empty: the checks use keys that nobody used before."""
        raise NotImplementedError

    def make_store_at(self, host: str, port: int) -> Store:
        """Return a store that reaches :attr:`server` at another address, between which and the server a wire is cut."""
        raise NotImplementedError

    def close_store(self, store: Store) -> None:
        """Let go of a store. By default its ``close()`` is called, if it has one."""
        getattr(store, "close", _nothing)()

    def open_store(self) -> Store:
        """Open a store for a check."""
        return self.make_store()

    def open_store_at(self, host: str, port: int) -> Store:
        """Open a store for a check that cuts its wire."""
        return self.make_store_at(host, port)

    def shut_store(self, store: Store) -> None:
        """Close a store of a check."""
        self.close_store(store)


class AsyncStoreConformance(_Checks, TaskChecks):
    """:class:`StoreConformance` for asyncio.

    Each store has an event loop of its own, in a thread, in which it is made and closed. Its methods
    may be plain or coroutines.
    """

    def make_store(self) -> Awaitable[AsyncStore] | AsyncStore:
        """Like :meth:`StoreConformance.make_store`; called inside the loop, ``async`` or not."""
        raise NotImplementedError

    def make_store_at(self, host: str, port: int) -> Awaitable[AsyncStore] | AsyncStore:
        """Like :meth:`StoreConformance.make_store_at`; called inside the loop, ``async`` or not."""
        raise NotImplementedError

    def close_store(self, store: Any) -> Awaitable[object] | None:
        """Let go of a store. By default its ``aclose()`` or ``close()`` is called, and awaited if it can be."""
        closed: Awaitable[object] | None = getattr(store, "aclose", getattr(store, "close", _nothing))()
        return closed

    def open_store(self) -> Store:
        """Open a store for a check."""
        return Blocking(self.make_store)

    def open_store_at(self, host: str, port: int) -> Store:
        """Open a store for a check that cuts its wire."""
        return Blocking(lambda: self.make_store_at(host, port))

    def shut_store(self, store: Store) -> None:
        """Close a store of a check, and its loop."""
        assert isinstance(store, Blocking)  # for the type checker
        store.loop.run(self._closed(store.store))
        store.loop.close()

    async def _closed(self, store: AsyncStore) -> None:
        closing = self.close_store(store)
        if closing is not None:
            await closing


def _nothing() -> None:
    """Close what has nothing to close."""
