"""An asynchronous store can be used from threads like a plain one."""

import asyncio

import pytest

from smsmfa import AsyncMemoryStore
from smsmfa.testing.stores.loop import Blocking, Loop
from smsmfa.typing import Entry


class NotesItsLoop(AsyncMemoryStore):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.get_running_loop()

    async def read(self, key):
        assert self.loop is asyncio.get_running_loop()
        return await super().read(key)

    @classmethod
    async def make(cls):
        return cls()


@pytest.mark.parametrize("make", [NotesItsLoop, NotesItsLoop.make])
def test_blocking(make):
    """The store is made inside the loop that it then runs in, by a function or a coroutine."""
    store = Blocking(make)

    assert "outcome" == store.update(["k"], lambda _: ({"k": Entry(b"1")}, "outcome"))
    assert b"1" == store.read("k")
    store.loop.close()


@pytest.mark.parametrize("error", [TimeoutError("no"), KeyboardInterrupt(), StopIteration(1), asyncio.CancelledError()])
def test_errors_pass_unchanged(error):
    """Every error is passed on unchanged, even those that asyncio would replace or take for its own."""
    loop = Loop()

    class Fails:
        def __await__(self):
            yield from ()
            raise error

    async def fail():
        await Fails()

    if isinstance(error, StopIteration):
        with pytest.raises(RuntimeError):
            loop.run(fail())
    else:
        with pytest.raises(type(error)) as caught:
            loop.run(fail())
        assert error is caught.value
    loop.close()


def test_close_ends_tasks():
    """Tasks that are left are cancelled before the loop is closed."""
    loop, ended = Loop(), []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def start():
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        return task

    task = loop.run(start())
    loop.close()

    assert [True] == ended
    assert task.cancelled()
