"""Updates of one process that share a contended key take turns."""

import asyncio
from threading import Lock
from time import monotonic

import pytest

from smsmfa import StoreContention
from smsmfa.stores.queues import Queues, Turn, contended
from smsmfa.testing.threads import all_of, at_once

LIMIT = 60


class Room:
    """Counts who is inside at the same time."""

    def __init__(self):
        self.inside = self.most = self.visits = 0

    def enter(self):
        self.inside += 1
        self.visits += 1
        self.most = max(self.most, self.inside)

    def leave(self):
        self.inside -= 1


def soon():
    return monotonic() + LIMIT


@pytest.fixture
def queues():
    """The queues of threads."""
    return Queues(Lock, "process")


@pytest.fixture
def task_queues():
    """The queues of tasks."""
    return Queues(asyncio.Lock)


def test_no_contention(queues):
    """An update without contended keys waits for nobody, and leaves no queue."""
    with Turn(queues, [], soon()), Turn(queues, [], soon()):
        assert frozenset() == queues.contended([b"a"])


def test_contended(queues):
    """A key is contended as long as an update has or awaits its turn."""
    with Turn(queues, [b"a"], soon()), Turn(queues, [b"b"], soon()):
        assert {b"a", b"b"} == queues.contended([b"a", b"b", b"c"])
    assert frozenset() == queues.contended([b"a", b"b", b"c"])


def test_threads(queues):
    """Threads take turns, and threads with overlapping keys in opposite orders all get theirs."""
    room, names = Room(), [b"a", b"b", b"c"]

    def work(number):
        mine = names[number % 3 :] + names[: number % 3]
        for _ in range(50):
            with Turn(queues, mine[:2] if number % 2 else mine[1::-1], soon()), Turn(queues, [b"z"], soon()):
                room.enter()
                room.leave()

    all_of(at_once([lambda number=number: work(number) for number in range(6)], LIMIT))
    assert (1, 300) == (room.most, room.visits)
    assert frozenset() == queues.contended([*names, b"z"])


async def test_tasks(task_queues):
    """Tasks take turns in the order in which they came."""
    room, order = Room(), []

    async def work(number):
        async with Turn(task_queues, [b"b", b"a"], soon()):
            room.enter()
            order.append(number)
            await asyncio.sleep(0)
            room.leave()

    await asyncio.gather(*map(work, range(20)))
    assert (1, [*range(20)]) == (room.most, order)
    assert frozenset() == task_queues.contended([b"a", b"b"])


def test_too_long(queues):
    """A thread whose time is up raises StoreContention, and leaves the queues."""
    with Turn(queues, [b"b"], soon()):
        with pytest.raises(StoreContention, match="others kept changing"), Turn(queues, [b"a", b"b"], monotonic()):
            pass
        assert {b"b"} == queues.contended([b"a", b"b"])
    with Turn(queues, [b"a", b"b"], soon()):
        pass


async def test_too_long_for_a_task(task_queues):
    """A task whose time is up raises StoreContention, and leaves the queues."""
    async with Turn(task_queues, [b"b"], soon()):
        with pytest.raises(StoreContention):
            async with Turn(task_queues, [b"a", b"b"], monotonic()):
                pass
        assert {b"b"} == task_queues.contended([b"a", b"b"])
    async with Turn(task_queues, [b"a", b"b"], soon()):
        pass


async def test_cancelled(task_queues):
    """A task that is cancelled while it waits leaves the queues."""

    async def work():
        async with Turn(task_queues, [b"a", b"b"], soon()):
            pass

    async with Turn(task_queues, [b"b"], soon()):
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {b"b"} == task_queues.contended([b"a", b"b"])


def test_error(queues):
    """An error in an update passes the turn on."""
    with pytest.raises(KeyError), Turn(queues, [b"a"], soon()):
        raise KeyError("no")
    assert frozenset() == queues.contended([b"a"])


def test_place(queues):
    """Another process or event loop has queues of its own, so nobody waits for a thread that is not there."""
    other = queues.at("a fork")

    assert queues is queues.at("process")
    assert other is not queues
    with Turn(queues, [b"a"], soon()), Turn(other, [b"a"], soon()):
        pass


def test_message():
    """The error says that nothing was stored."""
    assert "others kept changing the same keys for 5 s; nothing was stored" == str(contended())
