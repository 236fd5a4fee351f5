"""Threads that make calls for tasks: order, cancellation, deadlines, errors, forks."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event, current_thread

import pytest

from smsmfa import StoreContention
from smsmfa.stores import worker as module
from smsmfa.stores.worker import Worker
from smsmfa.testing.stores.processes import forked

LONG = timedelta(minutes=1)


@pytest.fixture
def worker():
    worker = Worker(LONG)
    yield worker
    worker.end()


class Held:
    """A call that ends when it is released."""

    def __init__(self):
        self.begun, self.release = Event(), Event()

    def __call__(self):
        self.begun.set()
        assert self.release.wait(60)
        return "done"

    async def started(self, worker):
        """Start the call, and return its task once it has begun."""
        task = asyncio.create_task(worker.call(self))
        await asyncio.to_thread(self.begun.wait, 60)
        return task


async def test_threads():
    """With more than one thread, a call does not wait for the call before it."""
    worker, held = Worker(LONG, 2), Held()
    first = await held.started(worker)
    assert "other" == await worker.call(lambda: "other")
    held.release.set()
    assert "done" == await first
    worker.end()


async def test_order(worker):
    """Calls are made one by one, in the order of the requests, in one other thread."""
    made = []

    def call(number):
        made.append(number)
        return current_thread()

    threads = await asyncio.gather(*[worker.call(call, number) for number in range(50)])
    assert list(range(50)) == made
    assert 1 == len(set(threads))
    assert current_thread() not in threads


async def test_loop_goes_on(worker):
    """The event loop runs while a call is made."""
    held = Held()
    task = await held.started(worker)
    assert not task.done()
    held.release.set()
    assert "done" == await task


@pytest.mark.parametrize("error", [TimeoutError("t"), asyncio.CancelledError("c"), KeyboardInterrupt(), KeyError("k")])
async def test_errors(worker, error):
    """An exception of the call is raised unchanged, whatever its class."""

    def fail():
        raise error

    with pytest.raises(type(error)) as raised:
        await worker.call(fail)
    assert error is raised.value


async def test_cancelled_before_its_turn(worker):
    """A call whose task is cancelled before its turn is not made, and later calls are."""
    held, made = Held(), []
    first = await held.started(worker)
    second, third = [asyncio.create_task(worker.call(made.append, number)) for number in (2, 3)]
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    held.release.set()
    await asyncio.gather(first, third)
    assert [3] == made
    assert second.cancelled()


async def test_cancelled_when_begun(worker):
    """A task that is cancelled during its call ends at once; the call continues, and later calls wait for it."""
    held, made = Held(), []
    task = await held.started(worker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    after = asyncio.create_task(worker.call(made.append, 1))
    await asyncio.sleep(0)
    assert [] == made
    held.release.set()
    await after
    assert [1] == made


async def test_late():
    """A call that waited longer than the timeout is not made."""
    worker, held, made = Worker(timedelta(microseconds=1)), Held(), []
    tasks = [asyncio.create_task(worker.call(call)) for call in (held, partial(made.append, 1))]
    held.release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert StoreContention is type(results[1])
    assert [] == made
    worker.end()


async def test_end():
    """A worker that was ended finishes its calls, and starts a new thread for later calls."""
    worker, held = Worker(LONG), Held()
    task = await held.started(worker)
    worker.end()
    worker.end()
    held.release.set()
    assert "done" == await task
    assert "smsmfa_0" == (await worker.call(current_thread)).name
    worker.end()


async def test_ended_by_another_thread(monkeypatch):
    """If another thread ends the threads just before a call, new threads make the call."""
    worker, asked = Worker(LONG), []

    class Ended(ThreadPoolExecutor):
        def submit(self, *call):
            asked.append(self)
            if len(asked) == 1:
                worker.end()
            return super().submit(*call)

    monkeypatch.setattr(module, "ThreadPoolExecutor", Ended)
    assert "done" == await worker.call(lambda: "done")
    assert 2 == len({*asked})
    worker.end()


async def test_refused(worker):
    """If the threads refuse a call although nobody ended them, their error is raised."""
    await worker.call(dict)
    worker._pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        await worker.call(dict)


def test_fork():
    """A worker that had a thread before a fork starts another in the child."""
    worker = Worker(LONG)

    def call():
        return asyncio.run(worker.call(os.getpid))

    call()
    child, parent = forked(call, call, 60)
    assert os.getpid() == parent
    assert child != parent
    worker.end()
