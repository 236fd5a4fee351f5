"""The base of senders: errors are raised where no frame shows the message, and calls may run in threads."""

import copy
import pickle
import threading
from datetime import UTC, datetime, timedelta

import pytest
from support import shown

from smsmfa.exceptions import DeliveryRejected, SmsMfaError
from smsmfa.senders.base import AsyncRunner, BaseSender, Runner, seconds_left, unreachable, untrusted
from smsmfa.testing import SenderConformance
from smsmfa.typing import Receipt

MESSAGE = SenderConformance.message
RECEIPT = Receipt("m1")


class Sender(BaseSender):
    """Returns an outcome."""

    _carrier = "Somebody"

    def __init__(self, outcome):
        self.outcome = outcome

    def _outcome(self, message):
        text = message.text  # noqa: F841  # a frame that holds the message
        return self.outcome


@pytest.mark.parametrize(
    "left, expected",
    [
        (timedelta(seconds=300), 300),
        (timedelta(seconds=299, microseconds=1), 300),
        (timedelta(microseconds=1), 1),
        (timedelta(0), 1),
        (timedelta(days=-1), 1),
        (timedelta(seconds=36_000), 36_000),
        (timedelta(days=1), 36_000),
    ],
)
def test_seconds_left(left, expected):
    """R33: the seconds left of a code are rounded up, and within what the carrier accepts."""
    assert expected == seconds_left(datetime.fromtimestamp(0, UTC) + left, 0, 1, 36_000)


def test_receipt():
    """A receipt is returned."""
    assert RECEIPT == Sender(RECEIPT)._deliver(MESSAGE)


def test_error():
    """T12: an error is raised, and no frame of its traceback shows the message."""
    with pytest.raises(DeliveryRejected) as caught:
        Sender(DeliveryRejected("no such number"))._deliver(MESSAGE)

    assert "kumquat" not in shown(caught.value)
    assert "somebody" == caught.value.carrier


def test_other_error():
    """An error that is not about a delivery is raised as it is."""
    error = SmsMfaError("?")

    with pytest.raises(SmsMfaError) as caught:
        Sender(error)._deliver(MESSAGE)
    assert (error, False) == (caught.value, hasattr(error, "carrier"))


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pickle(duplicate):
    """T12: a sender can be neither pickled nor copied."""
    with pytest.raises(TypeError, match=r"^a Sender holds a secret and cannot be pickled or copied; make another one$"):
        duplicate(Sender(RECEIPT))


def test_runner():
    """The runner for threads runs a call in the calling thread."""
    assert threading.get_ident() == Runner()._run(threading.get_ident)


async def test_async_runner():
    """The runner for asyncio runs a call in a thread that bears the carrier's name."""
    runner = AsyncRunner()
    runner._carrier, runner._seconds = "carrier", 60.0

    thread = await runner._run(threading.current_thread)

    assert thread.name.startswith("smsmfa-carrier")


def test_errors():
    """Errors name the carrier and say what to check."""
    assert ("SNS cannot be reached", True) == (str(unreachable("SNS")), unreachable("SNS").outage)
    expected = "the certificate of SNS is not trusted here: check CA certificates, proxy and clock"
    assert (expected, True) == (str(untrusted("SNS")), untrusted("SNS").outage)
