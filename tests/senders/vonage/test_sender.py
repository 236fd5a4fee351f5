"""The Vonage senders post each message once, in bounded time; raise the right error; and show nothing."""

import json
import pickle
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import attrs
import pytest
from senders.calls import AMPLE, SHORT, Patient, done, failure, patient, send, unhurried
from support import shown
from vonage_http_client import Auth, HttpClient, HttpClientOptions
from vonage_sms import Sms, SmsMessage

from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.senders.vonage import AsyncVonageSender, VonageSender
from smsmfa.testing import Answer, AsyncSenderConformance, Carrier, SenderConformance
from smsmfa.testing.carrier import drop, half, hang, reset
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import VOICE, WHATSAPP, Receipt

KEY, SECRET = "abcd1234", "fedcba9876543210"
NOW = 1_700_000_000
MESSAGE = attrs.evolve(SenderConformance.message, expires_at=datetime.fromtimestamp(NOW + 300, UTC))
NUMBER = MESSAGE.to.e164
HIDDEN = (SECRET, MESSAGE.code.reveal(), "kumquat", NUMBER[2:])
ARGUMENTS = {"api_key": KEY, "api_secret": SECRET, "from_number": "+14155550106", "clock": lambda: NOW * 10**9}

both = pytest.mark.parametrize("kind", [VonageSender, AsyncVonageSender])


def said(*segments):
    """Return an answer with these segments. Like Vonage's, it is 200 in any case, and repeats the number."""
    messages = [{"to": NUMBER[1:], "status": "0", "message-id": "m1"} | segment for segment in segments]
    return Answer(200, json.dumps({"message-count": str(len(messages)), "messages": messages}))


def refused_with(status):
    """Return a refusal. Its text repeats the number."""
    return said({"status": status, "error-text": f"{NUMBER}: {MESSAGE.text}"})


accepted = said({})


def sender_to(url, kind=VonageSender, **changes):
    """Return a sender to a server on this machine."""
    sender = kind(**ARGUMENTS | {"timeout": AMPLE} | changes, base_url=url)
    unhurried(sender._poster._session())
    return sender


# The kit's suite.


class Promises(Patient):
    accepted = accepted
    rejected = refused_with("6")
    misconfigured = refused_with("4")
    secrets = (SECRET,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return patient(sender_to(url, AsyncVonageSender, timeout=timeout))


@pytest.mark.usefixtures("encrypted")
class TestConformanceOverTls(TestConformance):
    pass


@pytest.mark.usefixtures("encrypted")
class TestAsyncConformanceOverTls(TestAsyncConformance):
    pass


# The request.


def form(request):
    """Return the form of a request."""
    return {name: value for name, [value] in parse_qs(request.body, strict_parsing=True).items()}


class TestRequest:
    @both
    def test_form(self, kind, serve):
        """The form has the credentials, both numbers without a plus, the text, its encoding and its time to live."""
        carrier = serve(accepted)

        assert Receipt("m1", "vonage") == send(sender_to(carrier.url, kind), MESSAGE)

        [request] = carrier.requests
        assert "POST /sms/json HTTP/1.1" == request.line
        assert "application/x-www-form-urlencoded" == request.headers["Content-Type"]
        assert {
            "api_key": KEY,
            "api_secret": SECRET,
            "from": "14155550106",
            "to": NUMBER[1:],
            "text": MESSAGE.text,
            "type": "text",
            "ttl": "300000",
            "client-ref": MESSAGE.challenge_id,
        } == form(request)

    @pytest.mark.parametrize("text", [MESSAGE.text, "314159 — códigö", "314159 是您的验证码"])
    @pytest.mark.parametrize("callback", [None, "https://acme.example/vonage?a=b"])
    @pytest.mark.parametrize("sender", ["+14155550106", "12345", "Acme 24"])
    def test_like_the_sdk(self, text, callback, sender, pem, monkeypatch):
        """Vonage's own SDK knows all our fields, accepts their values, and posts the same form to the same path."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        with Carrier(accepted, certificate=pem) as carrier:
            ours = sender_to(carrier.url, from_number=sender, status_callback=callback)
            send(ours, attrs.evolve(MESSAGE, text=text))
            mine = form(carrier.requests[0])
            given = {name.replace("-", "_"): mine[name] for name in mine.keys() - {"api_key", "api_secret"}}
            given["from_"] = given.pop("from")
            assert given.keys() <= SmsMessage.model_fields.keys()
            sdk = HttpClient(Auth(KEY, SECRET), HttpClientOptions(rest_host=carrier.url.removeprefix("https://")))
            with closing(sdk._session):
                Sms(sdk).send(SmsMessage(**given))

        assert carrier.requests[0].line == carrier.requests[1].line
        assert mine == {"api_key": KEY, "api_secret": SECRET} | form(carrier.requests[1])

    @pytest.mark.parametrize(
        "left, ttl", [(-5, 20_000), (0, 20_000), (20, 20_000), (21, 21_000), (900, 900_000), (10**6, 604_800_000)]
    )
    def test_time_to_live(self, left, ttl, serve):
        """Vonage is told when the code expires, within its limits."""
        carrier = serve(accepted)

        send(sender_to(carrier.url), attrs.evolve(MESSAGE, expires_at=datetime.fromtimestamp(NOW + left, UTC)))

        assert str(ttl) == form(carrier.requests[0])["ttl"]

    def test_default_clock(self, serve):
        """The default clock is the system's: the code of this message has expired long ago."""
        carrier = serve(accepted)

        send(sender_to(carrier.url, clock=None), MESSAGE)

        assert "20000" == form(carrier.requests[0])["ttl"]

    @pytest.mark.parametrize("channel", [VOICE, WHATSAPP])
    def test_other_channels(self, channel, serve):
        """A channel other than SMS is refused, and nothing is sent."""
        carrier = serve(accepted)

        assert SenderMisconfigured is type(failure(sender_to(carrier.url), attrs.evolve(MESSAGE, channel=channel)))
        assert [] == carrier.requests


# The outcome.

FAILURES = {
    "hang": (hang, DeliveryUncertain, "Vonage gave no usable answer (ReadTimeout)"),
    "drop": (drop, DeliveryUncertain, "Vonage gave no usable answer (ConnectionError)"),
    "reset": (reset, DeliveryUncertain, "Vonage gave no usable answer"),
    "half": (half(accepted), DeliveryUncertain, "Vonage gave no usable answer"),
    "garbage": (Answer(200, "<html>"), DeliveryUncertain, "Vonage gave no usable answer (HTTP 200 without"),
    "throttled": (refused_with("1"), RateLimited, "the limit on 'carrier' is used up"),
    "barred": (refused_with("7"), RecipientRejected, "Vonage 7: "),
    "credentials": (refused_with("4"), SenderMisconfigured, "Vonage 4: "),
    "part": (said({}, {"status": "9"}), DeliveryUncertain, "Vonage accepted only 1 of 2 segments"),
    "400": (Answer(400, "{}"), DeliveryRejected, "Vonage: HTTP 400"),
    "503": (Answer(503, NUMBER), DeliveryUncertain, "Vonage: HTTP 503"),
}


@both
@pytest.mark.parametrize("name", FAILURES)
def test_failure(name, kind, serve):
    """R33, T12, T24: each failure has its error, makes one request, and shows no message."""
    behaviour, expected, words = FAILURES[name]
    carrier = serve(behaviour)

    error = failure(sender_to(carrier.url, kind, timeout=SHORT if behaviour is hang else AMPLE), MESSAGE)

    assert (expected, True) == (type(error), str(error).startswith(words))
    assert (1, "vonage") == (len(carrier.received()), error.carrier)
    assert [] == [secret for secret in HIDDEN if secret in shown(error)]


@both
def test_refused_connection(kind, refused):
    """T12: if Vonage refuses the connection nothing was sent."""
    assert "Vonage cannot be reached" == str(failure(sender_to(refused, kind), MESSAGE))


# Configuration, and what it hides.


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"api_key": ""}, "api_key must be letters and digits"),
        ({"api_key": None}, "api_key must be"),
        ({"api_secret": "short"}, "api_secret must be text of 8 or more ASCII"),
        ({"api_secret": SECRET + "\n"}, "api_secret must be"),
        ({"from_number": "14155550106"}, "from_number must be + and 7 to 15 digits"),
        ({"from_number": "a name that is too long"}, "from_number must be"),
        ({"from_number": None}, "from_number must be"),
        ({"status_callback": "http://acme.example"}, "status_callback: https://"),
        ({"status_callback": "https://acme.example/" + "a" * 80}, "status_callback must have at most 100 characters"),
        ({"base_url": f"http://acme.example/{SECRET}"}, "base_url: https://"),
        ({"timeout": 10}, "timeout: "),
        ({"clock": 7}, "clock: "),
    ],
)
def test_refused(changes, words):
    """T12: a wrong argument is refused, and the error says how to fix it and does not show the secret."""
    with pytest.raises(ConfigurationError) as caught:
        VonageSender(**ARGUMENTS | changes)

    assert str(caught.value).startswith(words)
    assert SECRET not in shown(caught.value)


@both
def test_from_env(kind):
    """T12: a sender is made from variables and arguments, and a traceback shows neither."""
    given = {"VONAGE_API_KEY": KEY, "VONAGE_API_SECRET": SECRET, "VONAGE_TIMEOUT": "5"}
    with pytest.raises(ConfigurationError, match="VONAGE_FROM_NUMBER is not set") as caught:
        kind.from_env(given)

    assert SECRET not in shown(caught.value)
    assert f"{kind.__name__}(from_number='••••me')" == repr(kind.from_env(given, from_number="Acme"))
    assert 5.0 == kind.from_env(given | {"VONAGE_FROM_NUMBER": "Acme"})._seconds


@both
def test_secrets(kind, serve):
    """T12: a sender shows two digits of its number; it cannot be pickled; and nothing is logged."""
    sender = sender_to(serve(accepted).url, kind)
    with logged() as log:
        send(sender, MESSAGE)

    assert ("••••06" in repr(sender), []) == (True, [secret for secret in HIDDEN if secret in repr(vars(sender))])
    assert [] == [line for line in log if any(secret in line for secret in HIDDEN)]
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(sender)


@both
def test_check(kind, serve):
    """The account is checked; test_check.py has the findings."""
    carrier = serve(Answer(401, "{}"))

    assert [("account", "error")] == [(one.subject, one.level) for one in done(sender_to(carrier.url, kind).check())]
    assert "GET /account/get-balance HTTP/1.1" == carrier.requests[0].line


def test_defaults():
    """By default the sender asks Vonage, for ten seconds."""
    sender = VonageSender(api_key=KEY, api_secret=SECRET, from_number="Acme")

    assert ("https://rest.nexmo.com", 10.0) == (sender._poster.host, sender._seconds)
    assert timedelta(seconds=10).total_seconds() == sender._poster._seconds


def test_import_is_light():
    """Making a sender loads no HTTP client and no event loop."""
    program = (
        "import sys; from smsmfa.senders.vonage import AsyncVonageSender, VonageSender;"
        f"given = dict(api_key={KEY!r}, api_secret={SECRET!r}, from_number='Acme');"
        "VonageSender(**given); AsyncVonageSender(**given);"
        "print({'asyncio', 'concurrent', 'requests', 'twilio', 'urllib3'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()" == ended.stdout.strip()
