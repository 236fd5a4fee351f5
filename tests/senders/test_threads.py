"""A value is made once for all threads, and messages are sent in a limited number of threads."""

import asyncio
import gc
import threading

import pytest
from senders.calls import HANGS, gated

from smsmfa.exceptions import DeliveryRejected
from smsmfa.senders import threads as module
from smsmfa.senders.threads import Once, SendingThreads
from smsmfa.typing import Receipt

RECEIPT = Receipt("m1")


def deliver(message):
    return RECEIPT


@pytest.fixture
def pool():
    return SendingThreads("carrier", HANGS)


@pytest.fixture
def busy(pool, monkeypatch):
    """Let the only thread be busy until the returned event is set."""
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    leave = threading.Event()
    pool._pool.submit(leave.wait, HANGS)
    yield leave
    leave.set()


class TestOnce:
    def test_once(self):
        """The value is made once, and every call returns it."""
        made = []
        once = Once(lambda: made.append(1) or made)

        assert made is once() is once()
        assert [1] == made

    def test_locked(self):
        """While the value is made, other threads wait."""
        once = Once(lambda: once._lock.locked())

        assert once()

    def test_error(self):
        """If the value cannot be made, the next call tries again."""
        values = iter([0, 1])
        once = Once(lambda: 1 // next(values))
        with pytest.raises(ZeroDivisionError):
            once()

        assert 1 == once()


class TestSendingThreads:
    async def test_loop_is_free(self, pool):
        """While the carrier answers the loop runs other tasks."""
        call, began, leave = gated(asyncio.get_running_loop(), deliver)

        sending = asyncio.create_task(pool.run(call, "message"))
        await began.wait()

        assert not sending.done()
        assert any(thread.name.startswith("smsmfa-carrier") for thread in threading.enumerate())
        leave.set()
        assert RECEIPT == await sending

    async def test_slower_than_timeout(self, pool, monkeypatch):
        """The timeout is for a free thread: a call that has begun takes as long as it takes."""
        call, began, leave = gated(asyncio.get_running_loop(), deliver)

        async def times_out(futures, **options):
            await began.wait()
            leave.set()

        monkeypatch.setattr(asyncio, "wait", times_out)

        assert RECEIPT == await pool.run(call, "message")

    async def test_error(self, pool):
        """The error of the call is raised."""

        def fails(message):
            raise DeliveryRejected(message)

        with pytest.raises(DeliveryRejected, match="no such number"):
            await pool.run(fails, "no such number")

    async def test_many_at_once(self, pool):
        """Sixteen messages are sent at the same time."""
        together = threading.Barrier(16)

        def call(message):
            together.wait(HANGS)
            return RECEIPT

        assert [RECEIPT] * 16 == await asyncio.gather(*(pool.run(call, "message") for _ in range(16)))

    async def test_no_free_thread(self, pool, busy, monkeypatch):
        """R33: a message that no thread takes within the timeout is rejected. It was not sent and will not be."""
        waited, sent = [], []

        async def times_out(futures, **options):
            waited.append(options)

        monkeypatch.setattr(asyncio, "wait", times_out)
        with pytest.raises(DeliveryRejected, match="carrier: too many messages are waiting to be sent"):
            await pool.run(sent.append, "message")
        busy.set()
        pool._pool.shutdown()

        assert ([{"timeout": HANGS}], []) == (waited, sent)

    async def test_cancelled_in_queue(self, pool, busy):
        """A message whose task is cancelled before a thread takes it is not sent."""
        sent = []

        sending = asyncio.create_task(pool.run(sent.append, "message"))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        busy.set()
        pool._pool.shutdown()

        assert [] == sent

    async def test_cancelled(self, pool):
        """A message that is being sent is sent to the end although its task is cancelled, and nobody complains."""
        loop = asyncio.get_running_loop()
        complaints, outcomes = [], []
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        call, began, leave = gated(loop, deliver)

        sending = asyncio.create_task(pool.run(lambda message: outcomes.append(call(message)), "message"))
        await began.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        leave.set()
        pool._pool.shutdown()

        assert [RECEIPT] == outcomes
        del sending
        gc.collect()
        await asyncio.sleep(0)
        assert [] == complaints
