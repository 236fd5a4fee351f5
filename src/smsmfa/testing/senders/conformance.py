"""The suite that a sender has to pass, and its twin for asyncio."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from threading import Event

from ...typing import AsyncSender, Message, Receipt, Sender
from ..carrier import Answer, Carrier, Exchange
from ..threads import all_of, at_once
from .checks import AMPLE, Delivery, SenderChecks, direct


class SenderConformance(SenderChecks):
    """Every promise of the sender protocol as a check, against an HTTP server on loopback that plays the carrier.

    Subclass it in a test module, and say how a sender is made and what your carrier answers::

        class TestGatewaySender(SenderConformance):
            accepted = Answer(201, '{"id": "m1"}')
            rejected = Answer(400, '{"error": "no such number"}')
            misconfigured = Answer(401, '{"error": "no such token"}')
            secrets = ("a token",)

            def make_sender(self, url, timeout):
                return GatewaySender(url, "a token", timeout=timeout)

    Attributes:
        accepted: how the carrier says that it took a message.
        rejected: how it refuses one for good; let it quote ``SenderConformance.message``, if yours does.
            ``None``: a sender that cannot tell.
        misconfigured: how it refuses one until the operator does something. ``None``: a sender that cannot tell.
        secrets: the credentials that ``make_sender`` uses, in each form in which they are sent.
        bounds_whole_answer: whether the timeout is one for the whole answer. ``False``: it begins anew with every byte,
            so that a carrier can hold a thread for as long as it likes.
        timeout: what ``make_sender`` gets where a carrier is slow on purpose.
        time_limit: seconds after which a sender counts as hanging.
        message: what most checks send.
    """

    def make_sender(self, url: str, timeout: timedelta) -> Sender:
        """Return a sender that sends to ``url``, ``http://127.0.0.1:<port>``, and waits no longer than ``timeout``."""
        raise NotImplementedError

    def close_sender(self, sender: Sender) -> None:
        """Let go of a sender. By default its ``close()`` is called, if it has one."""
        close = getattr(sender, "close", None)
        if close is not None:
            close()

    def deliver(self, url: str, timeout: timedelta, messages: Sequence[Message]) -> Delivery:
        """Send one message after the other."""
        sender = self.make_sender(url, timeout)
        try:
            outcomes = [_outcome(partial(sender.send, message)) for message in messages]
            return Delivery(outcomes, f"{sender!r} {sender}")
        finally:
            self.close_sender(sender)

    def deliver_together(self, url: str, messages: Sequence[Message]) -> Delivery:
        """Send all messages at once, each in a thread of its own."""
        sender = self.make_sender(url, AMPLE)
        try:
            return Delivery(at_once([partial(sender.send, message) for message in messages], self.time_limit))
        finally:
            self.close_sender(sender)


class AsyncSenderConformance(SenderChecks):
    """:class:`SenderConformance` for asyncio, with the same attributes. The checks are plain methods all the same."""

    def make_sender(self, url: str, timeout: timedelta) -> AsyncSender:
        """Like :meth:`SenderConformance.make_sender`; it is called inside a running loop, a new one for each check."""
        raise NotImplementedError

    async def close_sender(self, sender: AsyncSender) -> None:
        """Let go of a sender. By default its ``close()`` is called, and awaited if it can be, if it has one."""
        close = getattr(sender, "close", None)
        closing = close and close()
        if isawaitable(closing):
            await closing

    def deliver(self, url: str, timeout: timedelta, messages: Sequence[Message]) -> Delivery:
        """Send one message after the other."""
        return asyncio.run(self._send(partial(self.make_sender, url, timeout), *([message] for message in messages)))

    def deliver_together(self, url: str, messages: Sequence[Message]) -> Delivery:
        """Send all messages at once, each in a task of its own."""
        return asyncio.run(self._send(partial(self.make_sender, url, AMPLE), messages))

    def test_loop_is_free(self) -> None:
        """While the carrier takes its time the loop runs other things."""
        with direct():
            [delivery] = all_of(at_once([lambda: asyncio.run(self._send_beside_others())], self.time_limit))
        [outcome] = delivery.outcomes

        assert isinstance(outcome, Receipt), f"the loop stood still while a message was sent: {outcome!r}"

    async def _send(self, make: Callable[[], AsyncSender], *batches: Sequence[Message]) -> Delivery:
        sender = make()
        outcomes: list[object] = []
        try:
            for batch in batches:
                outcomes += await asyncio.gather(*map(sender.send, batch), return_exceptions=True)
            return Delivery(outcomes, f"{sender!r} {sender}")
        finally:
            await self.close_sender(sender)

    async def _send_beside_others(self) -> Delivery:
        """Send a message to a carrier that takes it once the loop has run something else meanwhile."""
        loop, ran = asyncio.get_running_loop(), Event()

        def answer(exchange: Exchange) -> None:
            loop.call_soon_threadsafe(ran.set)
            (self.accepted if ran.wait(self.time_limit / 2) else Answer(503))(exchange)

        with Carrier(answer) as carrier:
            return await self._send(partial(self.make_sender, carrier.url, AMPLE), [self.message])


def _outcome(call: Callable[[], Receipt]) -> Receipt | Exception:
    try:
        return call()
    except Exception as error:
        return error
