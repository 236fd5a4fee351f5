"""Senders as an application puts them together. Only type checkers read this file; nothing runs it."""

from datetime import timedelta

from smsmfa import AsyncConsoleSender, ConsoleSender, TwilioSender
from smsmfa.senders.failover import AsyncFailoverSender, FailoverSender
from smsmfa.testing import FakeClock
from smsmfa.typing import AsyncSender, Sender


def failover(twilio: TwilioSender, own: Sender) -> Sender:
    """Try one carrier after the other."""
    FailoverSender([twilio])
    FailoverSender((twilio, own), failures=3, pause=timedelta(minutes=1), clock=FakeClock())
    FailoverSender([AsyncConsoleSender()])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    return FailoverSender({"US": twilio, "IN": [own, twilio], "*": FailoverSender([twilio, own])})


def failover_of_tasks(own: AsyncSender) -> AsyncSender:
    """Do it in tasks."""
    AsyncFailoverSender([ConsoleSender()])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    return AsyncFailoverSender({"US": own, "*": [AsyncConsoleSender(), own]})
