"""The sender suites accept correct senders, and drive asynchronous ones from plain methods."""

import asyncio

import pytest
from testing.senders.broken import AsyncBlocksTheLoop, AsyncGoodSender, GoodSender, async_suite, suite

from smsmfa.testing import Answer, AsyncSenderConformance, SenderConformance


class TestAsyncGoodSender(async_suite(AsyncGoodSender)):
    """A correct asynchronous sender passes every check."""


def test_blocked_loop():
    """A sender that blocks the event loop is rejected."""
    checks = async_suite(AsyncBlocksTheLoop)()
    checks.time_limit = 4.0  # the carrier waits half of it

    with pytest.raises(AssertionError, match="the loop stood still while a message was sent: DeliveryUncertain"):
        checks.test_loop_is_free()


def test_nothing_to_close():
    """A sender need not have a close method."""
    suite(GoodSender)().test_accepted()
    suite(GoodSender)().test_many_at_once()


def closing(sender, closed, *, asynchronous):
    class Closing(sender):
        if asynchronous:

            async def close(self):
                await asyncio.sleep(0)
                closed.append(self)
        else:

            def close(self):
                closed.append(self)

    return Closing


@pytest.mark.parametrize(
    "sender, base, asynchronous",
    [
        (GoodSender, SenderConformance, False),
        (AsyncGoodSender, AsyncSenderConformance, False),
        (AsyncGoodSender, AsyncSenderConformance, True),
    ],
)
@pytest.mark.parametrize("check", ["test_accepted", "test_many_at_once", "test_broken_connection"])
def test_closes(sender, base, asynchronous, check):
    """A sender with a close method is closed after each delivery; an asynchronous one within its loop."""
    closed = []
    checks = suite(closing(sender, closed, asynchronous=asynchronous), base)()

    getattr(checks, check)()
    assert closed


@pytest.mark.parametrize("base", [SenderConformance, AsyncSenderConformance])
def test_no_sender(base):
    """A suite that does not say how to make a sender fails."""

    class Unfinished(base):
        accepted = Answer(201)

    with pytest.raises(AssertionError, match="NotImplementedError"):
        Unfinished().test_accepted()


def test_programming_error():
    """An error of make_sender is not an outcome of a message, and fails the check."""

    def fails(url, timeout):
        raise ZeroDivisionError

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        suite(fails)().test_rejected()
