"""Messages are sent in threads of the sender's own, of which there are only so many."""

import asyncio
import gc
import threading
from datetime import timedelta

import pytest

from smsmfa.exceptions import DeliveryRejected
from smsmfa.senders import threads as module
from smsmfa.senders.threads import SendingThreads
from smsmfa.testing import SenderConformance
from smsmfa.typing import Receipt

MESSAGE = SenderConformance.message
RECEIPT = Receipt("m1")
SHORT = timedelta(milliseconds=50).total_seconds()


def gated(loop):
    """Return a call that tells ``loop`` when it begins and waits for leave, and the two events."""
    began, leave = asyncio.Event(), threading.Event()

    def deliver(message):
        loop.call_soon_threadsafe(began.set)
        leave.wait(10)
        return RECEIPT

    return deliver, began, leave


async def test_loop_is_free():
    """While a carrier takes its time the loop runs other things."""
    deliver, began, leave = gated(asyncio.get_running_loop())
    pool = SendingThreads("carrier", 10.0)

    sending = asyncio.create_task(pool.run(deliver, MESSAGE))
    await began.wait()

    assert not sending.done()
    assert any(thread.name.startswith("smsmfa-carrier") for thread in threading.enumerate())
    leave.set()
    assert RECEIPT == await sending


async def test_slower_than_timeout():
    """The timeout is for a free thread: what has begun takes its time."""
    deliver, began, leave = gated(asyncio.get_running_loop())
    sending = asyncio.create_task(SendingThreads("carrier", SHORT).run(deliver, MESSAGE))
    await began.wait()
    waited = asyncio.create_task(asyncio.wait([sending], timeout=2 * SHORT))
    await waited
    assert not sending.done()
    leave.set()

    assert RECEIPT == await sending


async def test_error():
    """What the call raises is raised."""

    def deliver(message):
        raise DeliveryRejected(message.channel)

    with pytest.raises(DeliveryRejected, match="sms"):
        await SendingThreads("carrier", 10.0).run(deliver, MESSAGE)


async def test_many_at_once():
    """Sixteen messages are on their way at the same time."""
    together = threading.Barrier(16)

    def deliver(message):
        together.wait(10)
        return RECEIPT

    pool = SendingThreads("carrier", 10.0)

    assert [RECEIPT] * 16 == await asyncio.gather(*(pool.run(deliver, MESSAGE) for _ in range(16)))


async def test_no_free_thread(monkeypatch):
    """R33: a message that no thread takes up within the timeout is rejected: it was not sent, and will not be."""
    monkeypatch.setattr(module, "_MOST", 1)
    pool, busy, sent = SendingThreads("carrier", SHORT), threading.Event(), []
    pool._pool.submit(busy.wait, 10)

    with pytest.raises(DeliveryRejected, match="carrier: too many messages wait to be sent"):
        await pool.run(sent.append, MESSAGE)
    busy.set()
    pool._pool.shutdown()

    assert [] == sent


async def test_cancelled_in_queue(monkeypatch):
    """A message whose task is cancelled before a thread takes it up is not sent."""
    monkeypatch.setattr(module, "_MOST", 1)
    pool, busy, sent = SendingThreads("carrier", 10.0), threading.Event(), []
    pool._pool.submit(busy.wait, 10)

    sending = asyncio.create_task(pool.run(sent.append, MESSAGE))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    busy.set()
    pool._pool.shutdown()

    assert [] == sent


async def test_cancelled():
    """A message whose task is cancelled under way is sent to the end, and nobody is told of it later."""
    loop = asyncio.get_running_loop()
    complaints, outcomes = [], []
    loop.set_exception_handler(lambda loop, context: complaints.append(context))
    deliver, began, leave = gated(loop)
    pool = SendingThreads("carrier", 10.0)

    sending = asyncio.create_task(pool.run(lambda message: outcomes.append(deliver(message)), MESSAGE))
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
