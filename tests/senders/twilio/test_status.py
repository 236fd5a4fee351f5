"""A report is trusted if Twilio signed it. It says whether a message arrived, and may be repeated."""

import base64
import hmac
import inspect
import io
import itertools
import logging
import pickle
import runpy
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path
from urllib.parse import ParseResult, urlencode, urlparse

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shown
from twilio.request_validator import RequestValidator, add_port, remove_port

from smsmfa.events import Event
from smsmfa.exceptions import ConfigurationError, SmsMfaError
from smsmfa.senders import twilio
from smsmfa.senders.report import CallbackRejected, DeliveryReport
from smsmfa.senders.twilio import status as twilio_status
from smsmfa.senders.twilio.errors import ERRORS
from smsmfa.senders.twilio.status import StatusCallback

TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
CHALLENGE = "0123456789abcdef0123456789abcdef"
SID = "SM" + "0" * 32
NOW = 1_700_000_000
URL = f"https://acme.example/twilio?challenge={CHALLENGE}"
FORM = {
    "AccountSid": "AC" + "0" * 32,
    "MessageSid": SID,
    "SmsSid": SID,
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
    "To": "+14155552671",
    "From": "+14155550106",
    "ApiVersion": "2010-04-01",
    "RawDlrDoneDate": "",
}
#: Whether the installed SDK knows signatures other than those of the auth token.
SHA256 = "algorithm" in inspect.signature(RequestValidator.validate).parameters

callback = StatusCallback(TOKEN, clock=lambda: NOW * 10**9)


def signed(form=FORM, url=URL, secret=TOKEN):
    """Return the signature that Twilio's SDK makes."""
    return RequestValidator(secret).compute_signature(url, form)


def read(form=FORM, url=URL, **changes):
    """Read a form with Twilio's signature."""
    return callback.read(url, form | changes, signed(form | changes, url))


def refusal(*arguments, reader=callback):
    """Return why a request is rejected."""
    with pytest.raises(CallbackRejected) as caught:
        reader.read(*arguments)
    return str(caught.value)


# The signature.


def test_published_vector():
    """T21: the example signature that Twilio publishes is right, and wrong as soon as anything differs."""
    reader = StatusCallback("12345")
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    signature = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="

    assert refusal(url, form, signature, reader=reader).startswith("the request is signed, but contains no report")
    for other in (
        (url, form, signature[:-2] + "="),
        (url, form | {"Digits": "1235"}, signature),
        (url, form | {"More": ""}, signature),
        (url.replace("https", "http"), form, signature),
        (url + "&baz=3", form, signature),
    ):
        assert refusal(*other, reader=reader).startswith("the signature is missing or wrong")


@pytest.mark.parametrize("signature", [None, "", "é", "\ud800", 7, b"", signed().lower(), signed(secret=TOKEN[1:])])
def test_wrong_signature(signature):
    """T21: a missing or wrong signature raises."""
    assert refusal(URL, FORM, signature).startswith("the signature is missing or wrong")


def test_error():
    """The error has an HTTP status, and an ``except SmsMfaError`` catches it."""
    assert ("callback_rejected", 403) == (CallbackRejected.code, CallbackRejected.http_status)
    assert issubclass(CallbackRejected, SmsMfaError)


def test_constant_time(monkeypatch):
    """T21: every secret and spelling is compared in constant time, even after one has matched."""
    compared = []
    monkeypatch.setattr(twilio_status.hmac, "compare_digest", lambda a, b: compared.append(a) or compare_digest(a, b))
    reader = StatusCallback(TOKEN, "another token", "a third one")

    reader.read(URL, FORM, signed())
    refusal(URL, FORM, "wrong", reader=reader)

    assert 12 == len(compared)


@pytest.mark.parametrize("secret", [TOKEN, "the next token"])
def test_rotation(secret):
    """While the token changes, reports under either token are accepted."""
    reader = StatusCallback("the next token", TOKEN)

    assert SID == reader.read(URL, FORM, signed(secret=secret)).message_id


names = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8)
values = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
forms = st.dictionaries(names, st.one_of(values, st.lists(values, min_size=1, max_size=3)), max_size=6)
hosts = st.from_regex(r"\A[a-z][a-z0-9-]{0,8}(\.[a-z]{2,5}){0,2}\Z")
ports = st.one_of(
    st.just(""), st.integers(0, 65535).map(lambda port: f":{port}"), st.sampled_from([":80", ":443", ":"])
)
paths = st.text("/abcXYZ019._~%;=&+ é-", max_size=12).map(lambda path: f"/{path}")
queries = st.one_of(st.just(""), st.text("abc=&%+1;/?é", max_size=12).map(lambda query: f"?{query}"))
users = st.sampled_from(["", "user@", "user:pass@"])
urls = st.builds(
    "{}://{}{}{}{}{}".format, st.sampled_from(["https", "http", "HTTPS"]), users, hosts, ports, paths, queries
)


class Multi:
    """A form of Flask or Django."""

    def __init__(self, form):
        self._form = form

    def __iter__(self):
        return iter(self._form)

    def getlist(self, name):
        value = self._form[name]
        return value if isinstance(value, list) else [value]


class Other(Multi):
    """A form of aiohttp."""

    getall = Multi.getlist


def believed(url, form, signature, settings=None):
    """Return whether a request counts as signed."""
    try:
        callback.read(url, form, signature, settings)
    except CallbackRejected as error:
        return "is signed" in str(error)
    return True


HOW = st.sampled_from(["sign", "port", "drop port", "other", "change", "text"])


def compare(url, form, how, sha256, text):
    """Compare our verdict with that of the SDK's validator."""
    sdk = RequestValidator(TOKEN)
    algorithm = ("HMAC_SHA256" if sha256 else "HMAC_SHA1",) if SHA256 else ()
    spelled = {"port": add_port, "drop port": remove_port}.get(how, ParseResult.geturl)(urlparse(url))
    signature = sdk.compute_signature(spelled, Multi(form), *algorithm)
    if how == "other":
        signature = RequestValidator(TOKEN + "x").compute_signature(url, Multi(form), *algorithm)
    given_form = form | {"More": text} if how == "change" else form
    signature = text if how == "text" else signature
    header = f"key=k1,algorithm={algorithm[0]}" if algorithm else None

    expected = sdk.validate(url, Multi(given_form), signature, *algorithm)

    assert [expected] * 3 == [believed(url, kind(given_form), signature, header) for kind in (dict, Multi, Other)]
    assert expected or how not in {"port", "drop port"}


@given(urls, forms, HOW, st.booleans(), values)
def test_as_the_sdk(url, form, how, sha256, text):
    """T21: the verdict on any input is that of the SDK's validator."""
    compare(url, form, how, sha256, text)


@pytest.mark.thorough
@settings(max_examples=1000)
@given(urls, forms, HOW, st.booleans(), values)
def test_as_the_sdk_on_many(url, form, how, sha256, text):
    """T21: the verdict on many more inputs is that of the SDK's validator."""
    compare(url, form, how, sha256, text)


@pytest.mark.parametrize(
    "settings, expected",
    [
        (None, "HMAC_SHA1"),
        ("", "HMAC_SHA1"),
        ("key=k1", "HMAC_SHA1"),
        ("algorithm=", "HMAC_SHA1"),
        ("key=k1,algorithm=HMAC_SHA256", "HMAC_SHA256"),
        ("key=k1, algorithm = hmac_sha256 ", "HMAC_SHA256"),
        ("algorithm=HMAC_MD5", None),
        ("algorithm=none", None),
    ],
)
@pytest.mark.skipif(not SHA256, reason="this release of the SDK knows one algorithm")
def test_algorithm(settings, expected):
    """T21: the header names the hash, and an unknown hash signs nothing."""
    sdk = RequestValidator(TOKEN)

    assert [expected] * (expected is not None) == [
        name
        for name in ("HMAC_SHA1", "HMAC_SHA256")
        if believed(URL, FORM, sdk.compute_signature(URL, FORM, name), settings)
    ]


@pytest.mark.parametrize("url", ["https://acme.example:port/twilio", "https://[acme/twilio", "", "twilio?challenge=1"])
def test_strange_url(url):
    """Text that is not a URL is compared unchanged."""
    assert SID == callback.read(url, FORM, signed(url=url)).message_id


# The report.


def test_report():
    """A report has the message, its status, its challenge, the masked number and the time."""
    report = read(ErrorCode="30003", MessageStatus="undelivered")

    assert report == DeliveryReport(
        message_id=SID,
        status="undelivered",
        error_code=30003,
        error=ERRORS[30003],
        challenge_id=CHALLENGE,
        phone="••••71",
        channel="sms",
        at=datetime.fromtimestamp(NOW, UTC),
    )
    assert ("transient", True) == (report.error.kind, report.error.retry)
    assert "4155552671" not in repr(report)


@pytest.mark.parametrize("encode", [str, str.encode])
def test_body(encode):
    """A body is read with its empty fields."""
    body = encode(urlencode(FORM))

    assert read() == callback.read(URL, body, signed())


def test_bytes_that_are_no_text():
    """A body that is not text is rejected."""
    assert refusal(URL, b"\xff=\xfe", signed()).startswith("the signature")


def test_value_that_is_no_text():
    """A field whose value is a number is read as text."""
    assert 30008 == callback.read(URL, FORM | {"ErrorCode": 30008}, signed(FORM | {"ErrorCode": "30008"})).error_code


def test_call():
    """A report of a call has the call's SID and status."""
    form = {"CallSid": "CA00", "CallStatus": "no-answer", "To": "+14155552671"}
    report = read(form)

    assert ("CA00", "no-answer", 5, True) == (report.message_id, report.status, report.rank, report.failed)


@pytest.mark.parametrize("missing", [("MessageSid", "SmsSid"), ("MessageStatus", "SmsStatus")])
def test_no_report(missing):
    """A signed request without a report is rejected."""
    form = {name: value for name, value in FORM.items() if name not in missing}

    assert refusal(URL, form, signed(form)).startswith("the request is signed, but contains no report")


@pytest.mark.parametrize("code, expected", [("", None), ("30008", 30008), ("x", None), ("³", None), ("9" * 10, None)])
def test_error_code(code, expected):
    """An error code is a number, and an unknown one has no meaning."""
    assert expected == read(ErrorCode=code).error_code
    assert None is read(ErrorCode="29999").error


@pytest.mark.parametrize(
    "query, expected",
    [
        (f"?challenge={CHALLENGE}", CHALLENGE),
        (f"?tenant=7&challenge={CHALLENGE}", CHALLENGE),
        (f"?challenge={CHALLENGE}#top", CHALLENGE),
        ("", None),
        ("?challenge=", None),
        (f"?challenge={CHALLENGE}0", None),
        ("?challenge=" + "%C2%B2" * 32, None),
        ("?challenge=" + "-" * 32, None),
        (f"?challenge={CHALLENGE}&challenge={CHALLENGE}", None),
    ],
)
def test_challenge(query, expected):
    """The challenge is read from the URL, if it has the form of an id."""
    assert expected == read(url=f"https://acme.example/twilio{query}").challenge_id


@pytest.mark.parametrize(
    "to, expected", [("+14155552671", "••••71"), ("whatsapp:+14155552671", "••••71"), ("", None), ("12345", None)]
)
def test_phone(to, expected):
    """T12: only the end of the number is kept."""
    assert expected == read(To=to).phone


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, "sms"),
        ({"To": "whatsapp:+14155552671"}, "whatsapp"),
        ({"MessageSid": "CA00"}, "voice"),
    ],
)
def test_channel(changes, expected):
    """A report says on which channel its message was sent."""
    assert (expected, expected) == (read(**changes).channel, read(**changes).event.channel)


# Repeats and order.

ORDER = ["accepted", "queued", "sending", "sent", "delivered", "read"]


@pytest.mark.parametrize("order", [*itertools.permutations(ORDER[1:5])])
def test_order(order):
    """T21: the final status is the same, in whatever order and however often reports arrive."""
    latest = None
    for status in (*order, *order):
        report = read(MessageStatus=status)
        latest = report if report.supersedes(latest) else latest

    assert "delivered" == latest.status


def test_ranks():
    """Each status of a message has a higher rank than the one before; an unknown status has rank 0."""
    ranks = [read(MessageStatus=status).rank for status in ORDER]

    assert sorted(set(ranks)) == ranks
    assert 0 == read(MessageStatus="teleported").rank
    assert not read(MessageStatus="teleported").supersedes(read(MessageStatus="accepted"))
    assert not read().supersedes(read())
    assert read().supersedes(None)
    ringing = [read({"CallSid": "CA", "CallStatus": status}).rank for status in ("initiated", "ringing", "in-progress")]
    assert [2, 3, 4] == ringing


@pytest.mark.parametrize(
    "status, failed",
    [
        *((status, False) for status in (*ORDER, "completed", "partially_delivered", "teleported")),
        *((status, True) for status in ("undelivered", "failed", "canceled", "busy", "no-answer")),
    ],
)
def test_failed(status, failed):
    """The statuses of a message that does not arrive count as failed."""
    assert failed == read(MessageStatus=status).failed


# The event.


def test_event():
    """A report becomes an event of its challenge, with the message's id and without a user."""
    assert read().event == Event(
        name="delivery_report",
        outcome="ok",
        at=datetime.fromtimestamp(NOW, UTC),
        user_id="",
        phone="••••71",
        challenge_id=CHALLENGE,
        message_id=SID,
        channel="sms",
        carrier="twilio",
    )


@pytest.mark.parametrize(
    "code, error, scope",
    [
        ("", "delivery_rejected", None),
        ("29999", "delivery_rejected", None),
        ("30003", "delivery_rejected", None),
        ("30004", "recipient_rejected", None),
        ("30007", "delivery_rejected", None),
        ("30034", "sender_misconfigured", None),
        ("30018", "sender_misconfigured", None),
        ("21610", "recipient_opted_out", None),
        ("30022", "rate_limited", "carrier"),
    ],
)
def test_event_of_a_failure(code, error, scope):
    """The event of a failure has the error that the sender would have raised if Twilio had known at once."""
    event = read(MessageStatus="undelivered", ErrorCode=code).event

    assert ("failed", error, scope) == (event.outcome, event.error, event.scope)
    assert ("twilio", code or None) == (event.carrier, event.carrier_code)


def test_warning_is_no_failure():
    """A code in a report of a message that arrived is not a failure."""
    assert ("ok", None) == (read(ErrorCode="30018").event.outcome, read(ErrorCode="30018").event.error)


# What it hides.


@pytest.mark.parametrize("secrets", [(), ("",), (TOKEN, ""), (None,), (TOKEN.encode(),), ("SK" + "0" * 32,)])
def test_no_secret(secrets):
    """T12: a secret is required, and the error does not show one."""
    with pytest.raises(ConfigurationError, match=r"^secrets: give the auth token") as caught:
        StatusCallback(*secrets)

    assert TOKEN not in str(caught.value)


def test_clock():
    """A clock that is not a function is refused."""
    with pytest.raises(ConfigurationError, match="clock"):
        StatusCallback(TOKEN, clock=7)


def test_secret_is_kept(caplog):
    """T12: neither repr, attributes, log nor pickle shows the token."""
    caplog.set_level(logging.DEBUG)
    refusal(URL, FORM, "wrong")

    assert "<StatusCallback>" == repr(callback)
    assert TOKEN not in f"{vars(callback)}{caplog.text}"
    with pytest.raises(TypeError, match=r"^a StatusCallback holds a secret"):
        pickle.dumps(callback)


@pytest.mark.parametrize("form", [FORM, {"To": FORM["To"], "Body": "314159 is your code"}])
def test_traceback(form):
    """T12: a rejected request shows neither number nor text, even in a traceback with locals."""
    with pytest.raises(CallbackRejected) as caught:
        callback.read(URL, form, signed(form) if "Body" in form else "wrong")

    assert [] == [secret for secret in (TOKEN, "4155552671", "314159") if secret in shown(caught.value)]


def test_frozen():
    """A report cannot be changed."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read().status = "delivered"


def test_home():
    """The public names can be imported from the sender's package."""
    assert (twilio.StatusCallback, twilio.DeliveryReport, twilio.CallbackRejected) == (
        StatusCallback,
        DeliveryReport,
        CallbackRejected,
    )


@pytest.mark.parametrize("query", [f"challenge={CHALLENGE}", "", None])
@pytest.mark.parametrize("shared", [False, True])
def test_sample(query, shared, monkeypatch):
    """T21: the sample page reads reports with and without a query, signed by the auth token or by a shared key."""
    sample = runpy.run_path(str(Path(__file__).parents[3] / "examples" / "twilio_status.py"))
    url = f"{sample['PAGE']}?{query}" if query else sample["PAGE"]
    body = urlencode(FORM, doseq=True).encode()
    texts = "".join(f"{name}{FORM[name]}" for name in sorted(FORM))
    mac = hmac.digest(TOKEN.encode(), (url + texts).encode(), "sha256" if shared else "sha1")
    environ = {
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_X_TWILIO_SIGNATURE": base64.b64encode(mac).decode(),
    }
    environ |= {} if query is None else {"QUERY_STRING": query}
    environ |= {"HTTP_X_TWILIO_WEBHOOKS_SIGNATURE_SETTINGS": "key=k,algorithm=HMAC_SHA256"} if shared else {}
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    answers = []

    sample["twilio_status"](environ, lambda status, headers: answers.append(status))

    assert ["204 No Content"] == answers
