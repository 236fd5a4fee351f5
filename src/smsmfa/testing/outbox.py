"""Senders that send nothing: one records every message, the other follows a script."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from itertools import count
from typing import TypeAlias

import pytest

from ..typing import Message, Receipt

#: The outcome of one message: a receipt to return, an exception to raise, or a function that gets the message and does
#: either. An asynchronous sender awaits the function's result if it is awaitable.
Outcome: TypeAlias = Receipt | BaseException | type[BaseException] | Callable[[Message], Receipt | Awaitable[Receipt]]


class _Outbox:
    """The messages that a sender of the kit was given."""

    def __init__(self) -> None:
        #: Every message, in order, including those whose outcome was an error.
        self.messages: list[Message] = []
        self._numbers = count(1)

    @property
    def last(self) -> Message:
        """The last message.

        Raises:
            LookupError: if no message was sent.
        """
        if not self.messages:
            raise LookupError("no message was sent")
        return self.messages[-1]

    @property
    def last_code(self) -> str:
        """The code in the last message.

        Raises:
            LookupError: if no message was sent.
        """
        return self.last.code.reveal()

    def _keep(self, message: Message) -> Receipt:
        self.messages.append(message)
        return Receipt(message_id=f"test-{next(self._numbers)}", sender=type(self).__name__)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.messages)} messages>"


class RecordingSender(_Outbox):
    """A :class:`~smsmfa.typing.Sender` that accepts every message and keeps it: the outbox of a test."""

    def send(self, message: Message) -> Receipt:
        """Keep ``message`` and return a receipt."""
        return self._keep(message)


class AsyncRecordingSender(_Outbox):
    """:class:`RecordingSender` for asyncio."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`RecordingSender.send`."""
        return self._keep(message)


class _Scripted(_Outbox):
    def __init__(self, *outcomes: Outcome, then: Outcome | None = None) -> None:
        super().__init__()
        self._outcomes = iter(outcomes)
        self._then = then

    def _play(self, message: Message) -> Receipt | Awaitable[Receipt]:
        self._keep(message)
        outcome = next(self._outcomes, self._then)
        if outcome is None:
            pytest.fail(
                f"{type(self).__name__}: no outcome is left for this message; list another, or set then= for later ones"
            )
        if isinstance(outcome, Receipt):
            return outcome
        if isinstance(outcome, BaseException | type):
            raise outcome
        return outcome(message)


class ScriptedSender(_Scripted):
    """A :class:`~smsmfa.typing.Sender` that gives each message the outcome listed for it.

    ::

        ScriptedSender(DeliveryUncertain("slow"), Receipt())       # a third message fails the test
        ScriptedSender(then=SenderMisconfigured("no credit"))      # every message

    Args:
        outcomes: one for each message, in order. A receipt is returned. An exception, or an exception class, is raised.
            A function is called with the message; the sender returns what it returns and raises what it raises.
        then: the outcome of every later message. ``None``: a later message fails the test. This failure is not an
            ``Exception``, so the library does not mistake it for an uncertain delivery.
    """

    def send(self, message: Message) -> Receipt:
        """Keep ``message``, then return or raise its outcome."""
        return self._play(message)  # type: ignore[return-value]  # only the asynchronous twin gets awaitables


class AsyncScriptedSender(_Scripted):
    """:class:`ScriptedSender` for asyncio. A function may be asynchronous, so a test can hold a message back."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`ScriptedSender.send`."""
        played = self._play(message)
        return await played if isawaitable(played) else played
