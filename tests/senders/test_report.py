"""A delivery report says whether a message arrived, and becomes an event of the audit trail."""

from datetime import UTC, datetime

import attrs
import pytest

from smsmfa.events import Event
from smsmfa.exceptions import SmsMfaError
from smsmfa.senders.errors import CarrierError
from smsmfa.senders.report import CallbackRejected, DeliveryReport, fields_of, masked

REPORT = DeliveryReport(
    carrier="acme",
    message_id="m1",
    status="delivered",
    error_code=None,
    challenge_id="c1",
    phone="••••71",
    channel="sms",
    at=datetime(2026, 1, 2, tzinfo=UTC),
)
#: The statuses of two carriers in the order in which they come.
ORDERS = [
    ("accepted", "queued", "sending", "sent", "delivered", "read"),
    ("scheduled", "queued", "sending", "sent", "partially_delivered"),
    ("initiated", "ringing", "in-progress", "completed"),
    ("accepted", "buffered", "expired"),
]
BAD = ["undelivered", "failed", "canceled", "busy", "no-answer", "expired", "rejected"]


def reported(status, code=None, error=None):
    """Return a report of this status."""
    return attrs.evolve(REPORT, status=status, error_code=code, error=error)


@pytest.mark.parametrize("order", ORDERS)
def test_rank(order):
    """Each status has a higher rank than the one before, and supersedes it. An unknown status supersedes nothing."""
    reports = [reported(status) for status in ("teleported", *order)]

    assert list(range(len(reports))) == [
        sum(one.supersedes(other) for other in reports if other is not one) for one in reports
    ]
    assert (True, False) == (reports[0].supersedes(None), reports[0].supersedes(reports[0]))
    assert 0 == reports[0].rank


@pytest.mark.parametrize("status", BAD)
def test_failed(status):
    """A message that will not arrive has failed, and supersedes what was reported before."""
    assert (True, 5) == (reported(status).failed, reported(status).rank)
    assert not REPORT.failed


def test_event():
    """The event has all that the report has, and no user."""
    assert REPORT.event == Event(
        name="delivery_report",
        outcome="ok",
        at=REPORT.at,
        user_id="",
        phone="••••71",
        challenge_id="c1",
        message_id="m1",
        channel="sms",
        carrier="acme",
    )


@pytest.mark.parametrize(
    "error, expected, scope",
    [
        (None, "delivery_rejected", None),
        (CarrierError("recipient", False, False, "?"), "recipient_rejected", None),
        (CarrierError("transient", True, True, "?"), "delivery_rejected", None),
        (CarrierError("rate", True, False, "?"), "rate_limited", "carrier"),
    ],
)
def test_failure(error, expected, scope):
    """The event of a failure has the error that the sender would have raised, and the carrier's code."""
    event = reported("failed", 7, error).event

    assert ("failed", expected, scope, "7") == (event.outcome, event.error, event.scope, event.carrier_code)


def test_warning_is_no_failure():
    """A code in a report of a message that arrived is no failure."""
    event = reported("delivered", 7, CarrierError("config", False, True, "?")).event

    assert ("ok", None, None) == (event.outcome, event.error, event.carrier_code)


@pytest.mark.parametrize(
    "number, shown", [("+14155552671", "••••71"), ("4155552", "••••52"), ("123456", None), ("", None)]
)
def test_masked(number, shown):
    """T12: two digits of a number are shown."""
    assert shown == masked(number)


def test_rejected():
    """A request that is not trusted is an error with a code for APIs."""
    assert ("callback_rejected", 403, True) == (
        CallbackRejected.code,
        CallbackRejected.http_status,
        issubclass(CallbackRejected, SmsMfaError),
    )


class MultiDict(dict):
    """A mapping with several values, as frameworks have it."""

    def getlist(self, name):
        """Return all values."""
        return self[name]


@pytest.mark.parametrize(
    "form, expected",
    [
        (b"a=1&a=2&b=&c=%C3%B6", {"a": ["1", "2"], "b": [""], "c": ["ö"]}),
        ("a=1", {"a": ["1"]}),
        ({"a": "1", "b": ["1", 2], "c": 7}, {"a": ["1"], "b": ["1", "2"], "c": ["7"]}),
        (MultiDict(a=["1", "2"]), {"a": ["1", "2"]}),
        (b"", {}),
    ],
)
def test_fields(form, expected):
    """Every field is read with all its values, from a body, a mapping or a framework's multi-dict."""
    assert expected == fields_of(form)
