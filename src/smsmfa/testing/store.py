"""The suite that a store has to pass, and its twin for asyncio."""

from collections.abc import Awaitable
from typing import Any

from ..typing import AsyncStore, Store
from .loop import Blocking
from .store_changes import ChangeChecks
from .store_factor import FactorChecks
from .store_faults import FaultChecks
from .store_handles import ForkChecks, HandleChecks
from .store_model import ModelChecks
from .store_races import RaceChecks
from .store_tasks import TaskChecks
from .store_values import ValueChecks

__all__ = ["AsyncStoreConformance", "StoreConformance"]


class _Checks(ValueChecks, ChangeChecks, ModelChecks, RaceChecks, HandleChecks, FaultChecks, FactorChecks):
    """What a store of either kind has to pass."""


class StoreConformance(_Checks, ForkChecks):
    """Every promise of the store protocol as a check. Subclass it in a test module, and say how a store is made.

    ::

        class TestMyStore(StoreConformance):
            def make_store(self):
                return MyStore("dbname=test")
    """

    def make_store(self) -> Store:
        """Return a store. It need not be empty: the checks use keys that nobody used before."""
        raise NotImplementedError

    def make_store_at(self, host: str, port: int) -> Store:
        """Return a store that reaches :attr:`server` at another address, where a wire can be cut."""
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
