"""Delivery reports of AWS, from SNS and from EventBridge."""

import json
from importlib import util

import botocore.session
import pytest
from senders.aws.sns import ARN, NOW, SITE, pem, signed
from support import shown

from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.aws import reports as module
from smsmfa.senders.aws.reports import AwsReports, report_of
from smsmfa.senders.report import CallbackRejected, DeliveryReport

CHALLENGE = "0123456789abcdef0123456789abcdef"
#: An event in the form of AWS's guide.
EVENT = {
    "eventType": "TEXT_DELIVERED",
    "eventVersion": "1.0",
    "eventTimestamp": 1686975103470,
    "isFinal": True,
    "originationPhoneNumber": "+12065550152",
    "destinationPhoneNumber": "+14255550156",
    "messageId": "862a8790-60c0-4430-9b2b-658bdexample",
    "messageStatus": "DELIVERED",
    "context": {"challenge": CHALLENGE},
}
REPORT = DeliveryReport(
    carrier="aws",
    message_id="862a8790-60c0-4430-9b2b-658bdexample",
    status="delivered",
    error_code=None,
    challenge_id=CHALLENGE,
    phone="••••56",
    channel="sms",
    at=NOW,
)


def clock():
    """Return the time of the tests."""
    return int(NOW.timestamp()) * 10**9


def reports(fetch=lambda url: pem()):
    """Return the reader of the tests' topic."""
    return AwsReports(ARN, fetch=fetch, clock=clock)


def body(message, **changes):
    """Return the body of a request of SNS's."""
    return json.dumps(signed(Message=json.dumps(message), **changes)).encode()


def test_notification():
    """A signed notification becomes the report."""
    assert REPORT == reports().read(body(EVENT))
    assert REPORT == reports().read(body(EVENT).decode())


def test_eventbridge():
    """The same event in the envelope of EventBridge, through SNS or straight from AWS, is the same report."""
    envelope = {"source": "aws.sms-voice", "detail-type": "Text Message Delivery Status Updated", "detail": EVENT}

    assert REPORT == reports().read(body(envelope)) == report_of(envelope, clock=clock) == report_of(EVENT, clock=clock)


def test_subscription():
    """The subscription is confirmed, and the end of one is no report."""
    urls = []

    def fetch(url):
        urls.append(url)
        return pem()

    about = {"Token": "t", "SubscribeURL": f"{SITE}/?Action=ConfirmSubscription&Token=t"}

    assert reports(fetch).read(body({}, Type="SubscriptionConfirmation", **about)) is None
    assert [about["SubscribeURL"]] == urls[1:]
    assert reports(fetch).read(body({}, Type="UnsubscribeConfirmation", **about)) is None
    assert 3 == len(urls)


def test_confirmation_elsewhere():
    """T21: no other site is asked to confirm a subscription."""
    with pytest.raises(CallbackRejected, match="the URL that confirms the subscription is not AWS's"):
        reports().read(body({}, Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://evil.example/?"))


@pytest.mark.parametrize(
    "request_body, words",
    [
        (json.dumps(signed() | {"Message": json.dumps(EVENT)}), "the signature is wrong"),
        (json.dumps(EVENT), "it is not from this topic"),
        (b"\xff", "it is not from this topic"),
        ("[]", "it is not from this topic"),
    ],
)
def test_forged(request_body, words):
    """T12, T21: what SNS did not sign is refused, and the error shows nothing of it."""
    with pytest.raises(CallbackRejected) as caught:
        reports().read(request_body)

    assert (words, 403) == (str(caught.value), caught.value.http_status)
    assert "4255550156" not in shown(caught.value)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail": "x"},
        EVENT | {"eventType": "MEDIA_DELIVERED"},
        EVENT | {"messageId": ""},
        EVENT | {"messageId": 7},
    ],
)
def test_no_report(event):
    """An event that is no report of an SMS or a call is refused, signed or not."""
    for read in (lambda: reports().read(body(event)), lambda: report_of(event)):
        with pytest.raises(CallbackRejected, match="contains no report of an SMS or a call") as caught:
            read()
        assert "4255550156" not in shown(caught.value)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"context": None}, (None, "••••56")),
        ({"context": {"challenge": "no id"}}, (None, "••••56")),
        ({"context": {"challenge": 7}}, (None, "••••56")),
        ({"destinationPhoneNumber": "123"}, (CHALLENGE, None)),
        ({"destinationPhoneNumber": None}, (CHALLENGE, None)),
    ],
)
def test_parts(changes, expected):
    """A challenge or a number that is missing or odd is left out."""
    report = report_of(EVENT | changes)

    assert expected == (report.challenge_id, report.phone)


@pytest.mark.parametrize(
    "kind, status, error, channel",
    [
        ("TEXT_QUEUED", "queued", None, "sms"),
        ("TEXT_SUCCESSFUL", "sent", None, "sms"),
        ("TEXT_UNKNOWN", "unknown", None, "sms"),
        ("TEXT_INVALID", "undelivered", "recipient_rejected", "sms"),
        ("TEXT_CARRIER_BLOCKED", "undelivered", "recipient_rejected", "sms"),
        ("TEXT_PROTECT_BLOCKED", "undelivered", "recipient_rejected", "sms"),
        ("TEXT_TTL_EXPIRED", "expired", "delivery_rejected", "sms"),
        ("VOICE_COMPLETED", "completed", None, "voice"),
        ("VOICE_NO_ANSWER", "no-answer", "delivery_rejected", "voice"),
        ("VOICE_FAILED", "failed", "delivery_rejected", "voice"),
    ],
)
def test_status(kind, status, error, channel):
    """A report has a status like those of other carriers, and its event has the error that a sender would raise."""
    report = report_of(EVENT | {"eventType": kind})

    assert (status, channel, error is not None) == (report.status, report.channel, report.failed)
    code = kind if error else None
    assert (code, code, error, "aws") == (
        report.error_code, report.event.carrier_code, report.event.error, report.event.carrier,
    )  # fmt: skip


def test_every_type():
    """Every type of event that the service's model lists for SMS and calls is known, and every failure has a reason."""
    listed = botocore.session.get_session().get_service_model("pinpoint-sms-voice-v2").shape_for("EventType").enum
    wanted = {kind for kind in listed if kind.startswith(("TEXT_", "VOICE_")) and not kind.endswith("_ALL")}

    found = {kind: report_of(EVENT | {"eventType": kind}) for kind in sorted(wanted)}
    assert all(report.failed == (report.error is not None) for report in found.values())
    assert {"TEXT_UNKNOWN"} == {kind for kind, report in found.items() if report.rank == 0}


def test_order():
    """A report of a delivery is newer than one of the same message on its way."""
    assert REPORT.supersedes(report_of(EVENT | {"eventType": "TEXT_SUCCESSFUL"}))


def test_without_cryptography(monkeypatch):
    """Without cryptography the error says how to install it."""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "cryptography" else util.find_spec(name))

    with pytest.raises(ConfigurationError, match=r'AwsReports needs cryptography: pip install "smsmfa\[encryption\]"'):
        AwsReports(ARN)


def test_repr():
    """The repr shows nothing."""
    assert "<AwsReports>" == repr(AwsReports(ARN))
