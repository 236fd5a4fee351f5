"""The suite for senders, and its twin for asyncio."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from threading import Event

from ...typing import AsyncSender, Message, Receipt, Sender
from ..carrier import Answer, Exchange
from ..threads import all_of, at_once
from .checks import AMPLE, Delivery, SenderChecks, direct


class SenderConformance(SenderChecks):
    """Checks every promise of the sender protocol, against an HTTP server on loopback that plays the carrier.

    Subclass it in a test module. Say how to make a sender, and what your carrier answers::

        class TestGatewaySender(SenderConformance):
            accepted = Answer(201, '{"id": "m1"}')
            rejected = Answer(400, '{"error": "no such number"}')
            misconfigured = Answer(401, '{"error": "no such token"}')
            secrets = ("a token",)

            def make_sender(self, url, timeout):
                return GatewaySender(url, "a token", timeout=timeout)

    Attributes:
        accepted: the carrier's answer when it accepts a message.
        rejected: its answer when it refuses a message for good. If your carrier quotes the number or the text, quote
            ``SenderConformance.message``. ``None`` if the sender cannot tell such a refusal.
        misconfigured: its answer when it refuses every message until an operator acts. ``None`` if the sender cannot
            tell.
        secrets: the credentials that ``make_sender`` uses, in every form in which they are sent.
        bounds_whole_answer: whether the timeout limits the whole answer. ``False`` if it restarts with every byte, so
            that a carrier can occupy a thread as long as it likes.
        timeout: the timeout that ``make_sender`` gets when the carrier is slow on purpose; 100 ms by default.
        time_limit: seconds after which a sender counts as hanging; 10 by default.
        message: the message that most checks send.
        certificate: a PEM file with a certificate for 127.0.0.1 and its key. The carrier then speaks HTTPS, and
            ``make_sender`` must make a sender that trusts it. ``None``, the default, means HTTP.
    """

    def make_sender(self, url: str, timeout: timedelta) -> Sender:
        """Return a sender that sends to ``url`` and waits at most ``timeout``.

        Args:
            url: ``http://127.0.0.1:<port>``, or ``https://`` if there is a ``certificate``.
            timeout: how long the carrier may take to answer.
        """
        raise NotImplementedError

    def close_sender(self, sender: Sender) -> None:
        """Close a sender. By default, call its ``close()`` if it has one."""
        close = getattr(sender, "close", None)
        if close is not None:
            close()

    def deliver(self, url: str, timeout: timedelta, messages: Sequence[Message]) -> Delivery:
        """Send the messages one after the other."""
        sender = self.make_sender(url, timeout)
        try:
            outcomes = [_outcome(partial(sender.send, message)) for message in messages]
            return Delivery(outcomes, f"{sender!r} {sender}")
        finally:
            self.close_sender(sender)

    def deliver_together(self, url: str, messages: Sequence[Message]) -> Delivery:
        """Send all messages at once, each in its own thread."""
        sender = self.make_sender(url, AMPLE)
        try:
            return Delivery(at_once([partial(sender.send, message) for message in messages], self.time_limit))
        finally:
            self.close_sender(sender)


class AsyncSenderConformance(SenderChecks):
    """:class:`SenderConformance` for asyncio, with the same attributes. Its checks are still plain methods."""

    def make_sender(self, url: str, timeout: timedelta) -> AsyncSender:
        """Like :meth:`SenderConformance.make_sender`, but called in a running event loop, a new one for each check."""
        raise NotImplementedError

    async def close_sender(self, sender: AsyncSender) -> None:
        """Close a sender. By default, call its ``close()`` if it has one, and await the result if it is awaitable."""
        close = getattr(sender, "close", None)
        closing = close and close()
        if isawaitable(closing):
            await closing

    def deliver(self, url: str, timeout: timedelta, messages: Sequence[Message]) -> Delivery:
        """Send the messages one after the other."""
        return asyncio.run(self._send(partial(self.make_sender, url, timeout), *([message] for message in messages)))

    def deliver_together(self, url: str, messages: Sequence[Message]) -> Delivery:
        """Send all messages at once, each in its own task."""
        return asyncio.run(self._send(partial(self.make_sender, url, AMPLE), messages))

    def test_loop_is_free(self) -> None:
        """While the carrier is slow, the event loop runs other tasks."""
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
        """Send a message to a carrier that accepts it only if the loop runs something else meanwhile."""
        loop, ran = asyncio.get_running_loop(), Event()

        def answer(exchange: Exchange) -> None:
            loop.call_soon_threadsafe(ran.set)
            (self.accepted if ran.wait(self.time_limit / 2) else Answer(503))(exchange)

        with self.carrier(answer) as carrier:
            return await self._send(partial(self.make_sender, carrier.url, AMPLE), [self.message])


def _outcome(call: Callable[[], Receipt]) -> Receipt | Exception:
    try:
        return call()
    except Exception as error:
        return error
