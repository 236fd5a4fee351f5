"""Calls of senders of both kinds, and what the tests of several senders share."""

import asyncio
import threading
from datetime import timedelta

import pytest

from smsmfa.exceptions import SmsMfaError

#: Ends a test that hangs.
HANGS = 60.0
#: A timeout that is meant to run out. Nothing but the failure depends on it.
SHORT = timedelta(milliseconds=50)
AMPLE = timedelta(seconds=60)


class Patient:
    """For suites of the kit: a busy machine is not a sender that hangs."""

    time_limit = HANGS


def patient(sender):
    """Let an async sender wait for a free thread, however short its timeout for the carrier is."""
    sender._threads._timeout = HANGS
    return sender


def unhurried(session):
    """Let a session take its time to connect, which includes TLS, however short its timeout for the answer is."""
    session._timeouts = HANGS, session._timeouts[1]


def done(outcome):
    """Return the outcome of a call of either kind of sender."""
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


def send(sender, message):
    """Send with either kind of sender."""
    return done(sender.send(message))


def failure(sender, message):
    """Return the error of a message that fails."""
    with pytest.raises(SmsMfaError) as caught:
        send(sender, message)
    return caught.value


def gated(loop, answer):
    """Return ``answer`` behind a gate, an event of ``loop`` that is set when a call arrives, and the gate's event."""
    arrived, leave = asyncio.Event(), threading.Event()

    def call(*arguments):
        loop.call_soon_threadsafe(arrived.set)
        assert leave.wait(HANGS)
        return answer(*arguments)

    return call, arrived, leave


def raises(error):
    """Return a function that raises ``error``."""

    def fails(*arguments, **options):
        raise error

    return fails
