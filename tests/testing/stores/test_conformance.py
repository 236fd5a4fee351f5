"""Correct stores pass the suite, in a file or on a server, synchronous or not."""

from contextlib import contextmanager

import pytest
from testing.stores.good import AsyncRemoteStore, RemoteStore, Server, SqliteStore

from smsmfa import AsyncMemoryStore, MemoryStore
from smsmfa.testing import AsyncStoreConformance, StoreConformance


@pytest.fixture(scope="module", autouse=True)
def server():
    """A server for the suites that need one."""
    with Server() as server:
        TestRemoteStore.server = TestAsyncRemoteStore.server = server.server_address
        yield
        server.shutdown()


class TestSqliteStore(StoreConformance):
    """A store in a file, with other activity beside it. Other processes are left to ``test_handles.py``."""

    shared = fork = True
    rounds = 4
    examples = 10
    patience = 0.02
    time_limit = 60.0

    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "store.db"

    def make_store(self):
        return SqliteStore(self.path)

    @contextmanager
    def enclosing_transaction(self):
        yield  # the store has its own connections, so it cannot be in a transaction of the application

    def disturb(self):
        self.opened().read("nothing")


class TestRemoteStore(StoreConformance):
    """A store on a server."""

    shared = True
    rounds = 4
    examples = 10
    patience = 0.02
    time_limit = 60.0

    def make_store(self):
        return RemoteStore(*self.server)

    def make_store_at(self, host, port):
        return RemoteStore(host, port)


class TestAsyncRemoteStore(AsyncStoreConformance):
    """A store on a server, for asyncio."""

    shared = True
    rounds = 4
    examples = 10
    patience = 0.02
    time_limit = 60.0

    async def make_store(self):
        return AsyncRemoteStore(*self.server)

    def make_store_at(self, host, port):
        return AsyncRemoteStore(host, port)


@pytest.mark.parametrize("kind", [StoreConformance, AsyncStoreConformance])
def test_hooks_are_to_be_filled_in(kind):
    """A suite that does not say how to make a store raises NotImplementedError."""
    with pytest.raises(NotImplementedError):
        kind().make_store()
    with pytest.raises(NotImplementedError):
        kind().make_store_at("host", 1)


class Closes(AsyncMemoryStore):
    """A store that counts how often it is closed."""

    closed = 0

    async def aclose(self):
        Closes.closed += 1


class Quick(AsyncStoreConformance):
    def make_store(self):
        return Closes()


class Plain(StoreConformance):
    def make_store(self):
        return MemoryStore()


def test_stores_are_closed():
    """A store with a close method is closed when its check ends; a store without one is left alone."""
    Quick().test_absent()
    Plain().test_absent()

    assert 1 == Closes.closed
