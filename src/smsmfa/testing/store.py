"""The suite that a store has to pass, and its twin for asyncio."""

from ..typing import Store
from .store_changes import ChangeChecks
from .store_races import RaceChecks
from .store_values import ValueChecks

__all__ = ["StoreConformance"]


class StoreConformance(ValueChecks, ChangeChecks, RaceChecks):
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
        """Return a store that reaches :attr:`server` through another address, where a wire can be cut."""
        raise NotImplementedError

    def close_store(self, store: Store) -> None:
        """Let go of a store. By default its ``close()`` is called, if it has one."""
        close = getattr(store, "close", None)
        if close is not None:
            close()

    def open_store(self) -> Store:
        """Open a store for a check."""
        return self.make_store()

    def open_store_at(self, host: str, port: int) -> Store:
        """Open a store for a check that cuts its wire."""
        return self.make_store_at(host, port)

    def shut_store(self, store: Store) -> None:
        """Close a store of a check."""
        self.close_store(store)
