"""A thread that works for tasks: order, cancellation, deadlines, errors, forks."""

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
    """A call that begins, and ends when it is let go."""

    def __init__(self):
        self.begun, self.let_go = Event(), Event()

    def __call__(self):
        self.begun.set()
        assert self.let_go.wait(60)
        return "done"

    async def started(self, worker):
        """Ask for the call, and return its task once it has begun."""
        task = asyncio.create_task(worker.call(self))
        await asyncio.to_thread(self.begun.wait, 60)
        return task


async def test_threads():
    """With more than one thread a call need not wait for the one before."""
    worker, held = Worker(LONG, 2), Held()
    first = await held.started(worker)
    assert "other" == await worker.call(lambda: "other")
    held.let_go.set()
    assert "done" == await first
    worker.end()


async def test_order(worker):
    """Calls are made one after the other, in the order in which they were asked for, in one other thread."""
    made = []

    def call(number):
        made.append(number)
        return current_thread()

    threads = await asyncio.gather(*[worker.call(call, number) for number in range(50)])
    assert list(range(50)) == made
    assert 1 == len(set(threads))
    assert current_thread() not in threads


async def test_loop_goes_on(worker):
    """The loop goes on while a call is made."""
    held = Held()
    task = await held.started(worker)
    assert not task.done()
    held.let_go.set()
    assert "done" == await task


@pytest.mark.parametrize("error", [TimeoutError("t"), asyncio.CancelledError("c"), KeyboardInterrupt(), KeyError("k")])
async def test_errors(worker, error):
    """An error of the call comes out itself, of whatever class."""

    def fail():
        raise error

    with pytest.raises(type(error)) as raised:
        await worker.call(fail)
    assert error is raised.value


async def test_cancelled_before_its_turn(worker):
    """A call whose task is cancelled before its turn is not made, and those after it are."""
    held, made = Held(), []
    first = await held.started(worker)
    second, third = [asyncio.create_task(worker.call(made.append, number)) for number in (2, 3)]
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    held.let_go.set()
    await asyncio.gather(first, third)
    assert [3] == made
    assert second.cancelled()


async def test_cancelled_when_begun(worker):
    """A task that is cancelled during its call ends at once; the call goes on, and later ones wait for it."""
    held, made = Held(), []
    task = await held.started(worker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    after = asyncio.create_task(worker.call(made.append, 1))
    await asyncio.sleep(0)
    assert [] == made
    held.let_go.set()
    await after
    assert [1] == made


async def test_late():
    """A call that those before it kept waiting for longer than the timeout is not made."""
    worker, held, made = Worker(timedelta(microseconds=1)), Held(), []
    tasks = [asyncio.create_task(worker.call(call)) for call in (held, partial(made.append, 1))]
    held.let_go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert StoreContention is type(results[1])
    assert [] == made
    worker.end()


async def test_end():
    """A worker that was ended makes what it was asked for, and begins a new thread for what it is asked later."""
    worker, held = Worker(LONG), Held()
    task = await held.started(worker)
    worker.end()
    worker.end()
    held.let_go.set()
    assert "done" == await task
    assert "smsmfa_0" == (await worker.call(current_thread)).name
    worker.end()


async def test_ended_by_another_thread(monkeypatch):
    """A call that finds the threads ended by another thread, just when it asks them, is made by new ones."""
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
    """A call that threads refuse which nobody ended, as when the interpreter ends, raises what they say."""
    await worker.call(dict)
    worker._pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        await worker.call(dict)


def test_fork():
    """A worker that had a thread before a fork has another in the child."""
    worker = Worker(LONG)

    def call():
        return asyncio.run(worker.call(os.getpid))

    call()
    child, parent = forked(call, call, 60)
    assert os.getpid() == parent
    assert child != parent
    worker.end()
