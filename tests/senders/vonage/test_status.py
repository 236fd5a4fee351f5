"""A report is trusted if Vonage signed it."""

import json
import pickle
import time
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shown
from vonage_http_client import Auth

from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.report import CallbackRejected, DeliveryReport
from smsmfa.senders.vonage import status as vonage_status
from smsmfa.senders.vonage.errors import RECEIPT_ERRORS
from smsmfa.senders.vonage.status import VonageCallback

SECRET = "a signature secret of the tests"
CHALLENGE = "0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000
DAY = 86_400
FIELDS = {
    "msisdn": "14155552671",
    "to": "14155550106",
    "network-code": "310090",
    "messageId": "0A0000001234567B",
    "price": "0.03330000",
    "status": "delivered",
    "scts": "2311142213",
    "err-code": "0",
    "api-key": "abcd1234",
    "client-ref": CHALLENGE,
    "message-timestamp": "2023-11-14 22:13:20",
    "timestamp": str(NOW),
    "nonce": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
}
callback = VonageCallback(SECRET, clock=lambda: NOW * 10**9)


def signed(fields, secret=SECRET, method="sha256"):
    """Return the fields with the signature that Vonage's SDK makes, in upper case as Vonage sends it."""
    auth = Auth(api_key="abcd1234", signature_secret=secret, signature_method=method)
    return fields | {"sig": auth.sign_params(dict(fields)).upper()}


def read(reader=callback, **changes):
    """Read a report with a valid signature."""
    return reader.read(signed(FIELDS | changes))


def refusal(form, reader=callback):
    """Return why a request is rejected."""
    with pytest.raises(CallbackRejected) as caught:
        reader.read(form)
    assert [] == [secret for secret in (SECRET, "4155552671") if secret in shown(caught.value)]
    return str(caught.value)


# The report.


def test_report():
    """A report has the message, its status, its challenge, the masked number and the time."""
    report = read(**{"err-code": "9", "status": "FAILED"})

    assert report == DeliveryReport(
        carrier="vonage",
        message_id="0A0000001234567B",
        status="failed",
        error_code=9,
        error=RECEIPT_ERRORS[9],
        challenge_id=CHALLENGE,
        phone="••••71",
        channel="sms",
        at=datetime.fromtimestamp(NOW, UTC),
    )
    assert ("vonage", "recipient_opted_out", "9") == (
        report.event.carrier, report.event.error, report.event.carrier_code
    )  # fmt: skip
    assert "4155552671" not in repr(report)


@pytest.mark.parametrize(
    "form",
    [
        signed(FIELDS),
        urlencode(signed(FIELDS)),
        urlencode(signed(FIELDS)).encode(),
        json.dumps(signed(FIELDS)),
        json.dumps(signed(FIELDS)).encode(),
        {name: [value] for name, value in signed(FIELDS).items()},
    ],
)
def test_forms(form):
    """Vonage sends a form, a query or JSON, as the account is set up; frameworks give mappings of lists."""
    assert ("delivered", CHALLENGE, None, None) == (
        callback.read(form).status,
        callback.read(form).challenge_id,
        callback.read(form).error_code,
        callback.read(form).error,
    )


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"err-code": "77"}, (77, None, CHALLENGE)),
        ({"err-code": ""}, (None, None, CHALLENGE)),
        ({"err-code": "9" * 5000}, (None, None, CHALLENGE)),
        ({"err-code": "x"}, (None, None, CHALLENGE)),
        ({"client-ref": "<script>"}, (None, None, None)),
        ({"client-ref": ""}, (None, None, None)),
    ],
)
def test_odd_values(changes, expected):
    """A code that is no number or is unknown has no meaning, and a reference of another kind is no challenge."""
    report = read(**changes)

    assert expected == (report.error_code, report.error, report.challenge_id)


@pytest.mark.parametrize("missing", ["messageId", "status"])
def test_no_report(missing):
    """A signed request about something else is rejected."""
    fields = {name: value for name, value in FIELDS.items() if name != missing}

    assert "the request is signed, but contains no report of a message" == refusal(signed(fields))


# The signature.


@given(
    st.dictionaries(st.text(min_size=1), st.text()).filter(lambda fields: not {"sig", "timestamp"} & fields.keys()),
    st.sampled_from(["sha256", "sha512"]),
)
def test_same_as_the_sdk(fields, method):
    """T21: whatever the fields are, the SDK's signature is right."""
    reader = VonageCallback(SECRET, method=method, clock=lambda: NOW * 10**9)
    fields = {name: value.encode("utf-8", "replace").decode() for name, value in (FIELDS | fields).items()}

    assert reader._signed(signed(fields, method=method))


@pytest.mark.parametrize("name", FIELDS)
def test_altered(name):
    """T21: a request with any field altered, left out or added is rejected."""
    good = signed(FIELDS)
    for form in (
        good | {name: good[name] + "1"},
        {key: value for key, value in good.items() if key != name},
        good | {f"{name}2": ""},
    ):
        assert refusal(form).startswith("the signature is missing or wrong")


@pytest.mark.parametrize("form", [FIELDS, FIELDS | {"sig": ""}, FIELDS | {"sig": "ö"}, {}, b"", b"[1]", b"7", "\xff"])
def test_no_signature(form):
    """T21: a request without a signature is rejected, whatever it contains."""
    assert refusal(form).startswith("the signature is missing or wrong")


@pytest.mark.parametrize(
    "secret, method", [("another", "sha256"), (SECRET, "sha512"), (SECRET, "md5"), (SECRET, "sha1")]
)
def test_wrong_secret_or_method(secret, method):
    """T21: a signature with another secret, or by another method, is rejected."""
    assert refusal(signed(FIELDS, secret, method)).startswith("the signature is missing or wrong")


def test_secrets_while_they_change(monkeypatch):
    """Several secrets are accepted. Every one is compared, so the time does not tell which."""
    compared = []
    monkeypatch.setattr(vonage_status.hmac, "compare_digest", lambda a, b: compared.append(a) or compare_digest(a, b))
    reader = VonageCallback("new secret", SECRET, "old secret", clock=lambda: NOW * 10**9)

    assert "delivered" == read(reader).status
    assert 3 == len(compared)


@pytest.mark.parametrize(
    "timestamp, accepted",
    [
        (NOW, True),
        (NOW - DAY, True),
        (NOW - DAY - 1, False),
        (NOW + DAY, True),
        (NOW + DAY + 1, False),
        ("soon", False),
        ("9" * 12, False),
        ("-1", False),
    ],
)
def test_age(timestamp, accepted):
    """A request that is a day old may be a repetition by Vonage. An older one is rejected."""
    form = signed(FIELDS | {"timestamp": str(timestamp)})

    if accepted:
        assert "delivered" == callback.read(form).status
    else:
        assert "the request is too old, or a clock is wrong" == refusal(form)


def test_tolerance():
    """The accepted age can be set."""
    reader = VonageCallback(SECRET, tolerance=timedelta(seconds=30), clock=lambda: NOW * 10**9)

    assert "delivered" == read(reader, timestamp=str(NOW - 30)).status
    assert refusal(signed(FIELDS | {"timestamp": str(NOW - 31)}), reader)


def test_default_clock(monkeypatch):
    """The default clock is the system's."""
    monkeypatch.setattr(time, "time_ns", lambda: NOW * 10**9)

    assert "delivered" == read(VonageCallback(SECRET)).status


# What it hides.


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, ""), (None,), (SECRET.encode(),)])
def test_no_secret(secrets):
    """T12: a secret is required, and the error does not show one."""
    with pytest.raises(ConfigurationError, match=r"^secrets: give the signature secret") as caught:
        VonageCallback(*secrets)

    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("options, words", [({"method": "md5"}, "method: "), ({"clock": 7}, "clock: ")])
def test_wrong_options(options, words):
    """A method that can be forged, and a clock that is none, are refused."""
    with pytest.raises(ConfigurationError, match=words):
        VonageCallback(SECRET, **options)


def test_repr():
    """T12: the reader shows no secret, and cannot be pickled."""
    assert ("<VonageCallback>", False) == (repr(callback), SECRET in repr(vars(callback)))
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(callback)
