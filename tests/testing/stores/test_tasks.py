"""Each check of tasks rejects an asynchronous store with exactly that mistake."""

import asyncio

import pytest
from testing.stores.good import AsyncRemoteStore, RemoteStore, Server, TaskStore, failed, names

from smsmfa.testing.stores.loop import Blocking
from smsmfa.testing.stores.tasks import TaskChecks


class NeverLocks(TaskStore):
    async def update(self, keys, change):
        return await self.run(keys, change)


class WritesOneByOne(TaskStore):
    async def write(self, writes):
        for key, entry in writes.items():
            await asyncio.sleep(0)
            self.store.put(key, entry)


class ReadsWithoutALock(WritesOneByOne):
    async def read(self, key):
        return self.store.read(key)


class KeepsItsLock(TaskStore):
    async def update(self, keys, change):
        await self.lock.acquire()
        outcome = await self.run(keys, change)
        self.lock.release()
        return outcome


class Blocks:
    """A blocking driver behind coroutines."""

    def __init__(self, host, port):
        self.plain = RemoteStore(host, port)
        self.close = self.plain.close

    async def read(self, key):
        return self.plain.read(key)

    async def update(self, keys, change):
        return self.plain.update(keys, change)


CAUGHT = {
    "test_tasks_on_a_hot_key": NeverLocks,
    "test_first_writes_of_tasks": NeverLocks,
    "test_tasks_see_nothing_torn": ReadsWithoutALock,
    "test_cancelled": WritesOneByOne,
    "test_cancelled_while_waiting": KeepsItsLock,
    "test_loop_goes_on": Blocks,
}


class Tasks(TaskChecks):
    """The suite over a store in memory, and over one on a server."""

    rounds = 4
    server = "127.0.0.1", 0

    def __init__(self, store, address=(), time_limit=60.0):
        self.store, self.time_limit = store, time_limit
        type(self).server = address or Tasks.server

    def open_store(self):
        return Blocking(self.store)

    def open_store_at(self, host, port):
        return Blocking(lambda: self.store(host, port))

    def shut_store(self, store):
        getattr(store.store, "close", bool)()
        store.loop.close()


@pytest.fixture(scope="module")
def address():
    """The address of a server."""
    with Server() as server:
        yield server.server_address
        server.shutdown()


def run(check, store, address, time_limit=1.0):
    """Run a check; return its name if it failed."""
    return failed(lambda: Tasks(store, address, time_limit), [check])


@pytest.mark.parametrize("check", CAUGHT)
def test_a_right_store_passes(check, address):
    """A correct store passes, and every check has a store here that fails it."""
    assert names(Tasks) == CAUGHT.keys()
    assert set() == run(check, AsyncRemoteStore if check == "test_loop_goes_on" else TaskStore, address, 60.0)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store, address):
    """A store with this mistake fails the check."""
    assert {check} == run(check, store, address)


def test_lock_that_is_kept(address):
    """A store that keeps its lock when a task is cancelled is rejected, and does not stop the run."""
    assert {"test_cancelled"} == run("test_cancelled", KeepsItsLock, address)
