"""The suite for stores, and its twin for asyncio."""

from collections.abc import Awaitable
from typing import Any

from ...typing import AsyncStore, Store
from .changes import ChangeChecks
from .factor import FactorChecks
from .faults import FaultChecks
from .handles import ForkChecks, HandleChecks
from .histories import HistoryChecks
from .interruptions import InterruptionChecks
from .lifetimes import LifetimeChecks
from .loop import Blocking
from .model import ModelChecks
from .races import RaceChecks
from .tasks import TaskChecks
from .values import ValueChecks

__all__ = ["AsyncStoreConformance", "StoreConformance"]


class _Checks(
    ValueChecks,
    LifetimeChecks,
    ChangeChecks,
    ModelChecks,
    InterruptionChecks,
    RaceChecks,
    HistoryChecks,
    HandleChecks,
    FaultChecks,
    FactorChecks,
):
    """The checks that both kinds of store must pass."""


class StoreConformance(_Checks, ForkChecks):
    """Checks every promise of the store protocol. Subclass it in a test module, and say how to make a store.

    ::

        class TestMyStore(StoreConformance):
            shared = True

            def make_store(self):
                return MyStore("dbname=test")

    Each check is a method, and its docstring is the promise. A check runs in a daemon thread, so a store that hangs is
    a failure and not the end of the run. The checks need no empty database, and close the stores they open.

    The attributes below and the hooks :meth:`enclosing_transaction`, ``failing``, ``crash`` and :meth:`disturb` say
    what else a store can do. Checks that need one you did not set are skipped, and pytest's summary says so. The hook
    ``pass_time`` spares a store with a clock of its own the two seconds that one check waits.

    Attributes:
        shared: every call of ``make_store`` opens the same data.
        processes: so does a call in another process. Other processes import the suite by its module and name. They get
            the attributes that were set on ``self``, pickled.
        fork: a store that was made and used before a fork works in both processes. Not for asyncio.
        server: the host and port of the store's server, if the store talks to it over TCP without encryption. It needs
            ``make_store_at``.
        rounds: how many times each race runs; 20 by default.
        examples: how many sequences of calls Hypothesis generates, the same ones in each run; 25 by default.
        duration: how many seconds each check of histories goes on; 1 by default. It does a few histories at least.
        patience: how many seconds an update waits for another caller to interrupt it; 0.2 by default. If the store
            locks, every such wait takes all of it.
        time_limit: how many seconds racing callers may take; 30 by default. A whole check may take twice as long.
    """

    def make_store(self) -> Store:
        """Return a store. It need not be empty: the checks use new keys."""
        raise NotImplementedError

    def make_store_at(self, host: str, port: int) -> Store:
        """Return a store that reaches :attr:`server` at another address. A proxy there cuts the connection."""
        raise NotImplementedError

    def close_store(self, store: Store) -> None:
        """Close a store. By default, call its ``close()`` if it has one."""
        getattr(store, "close", _nothing)()

    def open_store(self) -> Store:
        """Open a store for a check."""
        return self.make_store()

    def open_store_at(self, host: str, port: int) -> Store:
        """Open a store for a check that cuts its connection."""
        return self.make_store_at(host, port)

    def shut_store(self, store: Store) -> None:
        """Close a store that a check opened."""
        self.close_store(store)


class AsyncStoreConformance(_Checks, TaskChecks):
    """:class:`StoreConformance` for asyncio.

    Each store has its own event loop, in a thread. It is made, used and closed there. The hooks may be plain functions
    or coroutines.
    """

    def make_store(self) -> Awaitable[AsyncStore] | AsyncStore:
        """Like :meth:`StoreConformance.make_store`, called inside the event loop; it may be ``async``."""
        raise NotImplementedError

    def make_store_at(self, host: str, port: int) -> Awaitable[AsyncStore] | AsyncStore:
        """Like :meth:`StoreConformance.make_store_at`, called inside the event loop; it may be ``async``."""
        raise NotImplementedError

    def close_store(self, store: Any) -> Awaitable[object] | None:
        """Close a store. By default, call its ``aclose()`` or ``close()`` and await the result if it is awaitable."""
        closed: Awaitable[object] | None = getattr(store, "aclose", getattr(store, "close", _nothing))()
        return closed

    def open_store(self) -> Store:
        """Open a store for a check."""
        return Blocking(self.make_store)

    def open_store_at(self, host: str, port: int) -> Store:
        """Open a store for a check that cuts its connection."""
        return Blocking(lambda: self.make_store_at(host, port))

    def shut_store(self, store: Store) -> None:
        """Close a store that a check opened, and its event loop."""
        assert isinstance(store, Blocking)  # tells the type checker
        store.loop.run(self._closed(store.store))
        store.loop.close()

    async def _closed(self, store: AsyncStore) -> None:
        closing = self.close_store(store)
        if closing is not None:
            await closing


def _nothing() -> None:
    """Close a store that has no method for it."""
