"""Senders that send nothing: one keeps every message, one does what a list says."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from itertools import count
from typing import TypeAlias

import pytest

from ..typing import Message, Receipt

#: What comes of one message: a receipt that is returned, an error that is raised, or a function of the message that
#: returns the one or raises the other. An asynchronous sender awaits what the function returns, if it can.
Outcome: TypeAlias = Receipt | BaseException | type[BaseException] | Callable[[Message], Receipt | Awaitable[Receipt]]


class _Outbox:
    """What a sender of the kit shows of the messages that it was given."""

    def __init__(self) -> None:
        #: Every message, in order, whatever came of it.
        self.messages: list[Message] = []
        self._numbers = count(1)

    @property
    def last(self) -> Message:
        """The last message.

        Raises:
            LookupError: there was none.
        """
        if not self.messages:
            raise LookupError("no message was sent")
        return self.messages[-1]

    @property
    def last_code(self) -> str:
        """The code of the last message.

        Raises:
            LookupError: there was none.
        """
        return self.last.code.reveal()

    def _keep(self, message: Message) -> Receipt:
        self.messages.append(message)
        return Receipt(message_id=f"test-{next(self._numbers)}", sender=type(self).__name__)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.messages)} messages>"


class RecordingSender(_Outbox):
    """A :class:`~smsmfa.typing.Sender` that keeps every message and takes them all: the outbox of a test."""

    def send(self, message: Message) -> Receipt:
        """Keep ``message``."""
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
            pytest.fail(f"{type(self).__name__}: a message more than it has outcomes for; say what follows with then=")
        if isinstance(outcome, Receipt):
            return outcome
        if isinstance(outcome, BaseException | type):
            raise outcome
        return outcome(message)


class ScriptedSender(_Scripted):
    """A :class:`~smsmfa.typing.Sender` of which each message has the outcome that a list says.

    ::

        ScriptedSender(DeliveryUncertain("slow"), Receipt())       # a third message fails the test
        ScriptedSender(then=SenderMisconfigured("no credit"))      # every message

    Args:
        outcomes: one for each message, in order: a receipt is returned, an error (or a class of errors) raised, a
            function called with the message and its outcome passed on.
        then: the outcome of every later message. ``None``: a later message fails the test, with an error that no
            ``except Exception`` takes for an uncertain delivery.
    """

    def send(self, message: Message) -> Receipt:
        """Keep ``message`` and do what its outcome says."""
        return self._play(message)  # type: ignore[return-value]  # awaitables are for the twin


class AsyncScriptedSender(_Scripted):
    """:class:`ScriptedSender` for asyncio. A function may be asynchronous: so a test can hold a message."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`ScriptedSender.send`."""
        played = self._play(message)
        return await played if isawaitable(played) else played
