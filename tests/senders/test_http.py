"""The HTTP senders post once, signed, in bounded time, say for certain what they know, and show nothing."""

import asyncio
import copy
import json
import logging
import pickle
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from standardwebhooks import Webhook
from support import shown

from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from smsmfa.senders.http import AsyncHttpSender, HttpSender, _receipt
from smsmfa.senders.webhook import read_webhook
from smsmfa.testing import Answer, AsyncSenderConformance, Carrier, FakeClock, SenderConformance
from smsmfa.testing.carrier import drip, drop, half, hang, kept, reset, stall
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import Receipt

SECRET = "a secret that the gateway has too"
MESSAGE = attrs.evolve(SenderConformance.message, locale="pt-BR", expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
NUMBER = MESSAGE.to.e164
HIDDEN = (SECRET, MESSAGE.code.reveal(), "kumquat", NUMBER[2:])
RECEIPT = Receipt("m1", "http")
SHORT = timedelta(milliseconds=500)
QUOTE = f"{NUMBER}: {MESSAGE.text}"

both = pytest.mark.parametrize("kind", [HttpSender, AsyncHttpSender])
accepted = Answer(202, '{"message_id": "m1"}')


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Let no proxy of the environment come between."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve():
    """Start gateways, and stop them in the end."""
    with ExitStack() as carriers:
        yield lambda behaviour: carriers.enter_context(Carrier(behaviour))


def send(sender, message=MESSAGE):
    """Send with either kind of sender."""
    outcome = sender.send(message)
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


def failure(sender):
    """Return the error of a message that does not go through."""
    with pytest.raises(SmsMfaError) as caught:
        send(sender)
    return caught.value


def leaks(text):
    """Return what ``text`` should not show."""
    return [secret for secret in HIDDEN if secret in text]


def raw(answer):
    """Return a behaviour that answers these bytes and closes the connection."""

    def behaviour(exchange):
        exchange.wfile.write(answer)

    return behaviour


# What every sender promises.


class Promises:
    accepted = accepted
    rejected = Answer(400, json.dumps({"error": f"{SenderConformance.message.to.e164} is not a mobile number"}))
    misconfigured = Answer(401, '{"error": "the signature is not the sender\'s"}')
    secrets = (SECRET,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return HttpSender(f"{url}/sms", SECRET, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return AsyncHttpSender(f"{url}/sms", SECRET, timeout=timeout)


# What is sent.


class TestRequest:
    @both
    def test_fields(self, kind, serve):
        """The gateway gets the fields of Auth0's event, and what it needs to drop a late message."""
        gateway = serve(accepted)

        assert RECEIPT == send(kind(f"{gateway.url}/sms?region=eu", SECRET))

        [request] = gateway.requests
        assert "POST /sms?region=eu HTTP/1.1" == request.line
        assert "application/json" == request.headers["Content-Type"]
        assert {
            "recipient": NUMBER,
            "text": MESSAGE.text,
            "code": MESSAGE.code.reveal(),
            "message_type": "sms",
            "locale": "pt-BR",
            "action": "second-factor-authentication",
            "challenge_id": MESSAGE.challenge_id,
            "expires_at": "2026-01-02T03:04:05+00:00",
        } == json.loads(request.body)

    @pytest.mark.parametrize(
        "kind, action",
        [("enrollment", "enrollment"), ("verification", "second-factor-authentication"), ("notice", "notice")],
    )
    def test_action(self, kind, action, serve):
        """The action says what the message is for, in Auth0's words where it has one."""
        gateway = serve(accepted)

        send(HttpSender(gateway.url, SECRET), attrs.evolve(MESSAGE, kind=kind, channel="voice", locale=None))

        fields = json.loads(gateway.requests[0].body)
        assert (action, "voice", None) == (fields["action"], fields["message_type"], fields["locale"])

    def test_signature(self, serve):
        """The gateway can tell who sent it and when, with our function and with that of the specification."""
        gateway = serve(accepted)
        clock = FakeClock()

        send(HttpSender(gateway.url, SECRET, clock=clock))
        send(HttpSender(gateway.url, SECRET))

        fake, real = gateway.requests
        fields = json.loads(fake.body)
        assert fields == read_webhook(fake.body.encode(), fake.headers, SECRET, clock=clock)
        assert fields == Webhook(SECRET.encode()).verify(real.body, dict(real.headers))

    def test_netrc(self, serve, tmp_path, monkeypatch):
        """No password is taken from ~/.netrc."""
        (tmp_path / "netrc").write_text("default login me password mine\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        gateway = serve(accepted)

        send(HttpSender(gateway.url, SECRET))

        assert None is gateway.requests[0].headers["Authorization"]

    def test_connection_is_reused(self, serve):
        """One connection serves one message after the other, and takes no cookies along."""
        gateway = serve(kept(Answer(202, '{"message_id": "m1"}', ["Set-Cookie: session=1; Path=/"])))
        sender = HttpSender(gateway.url, SECRET)

        assert [RECEIPT, RECEIPT] == [send(sender), send(sender)]
        assert 1 == gateway.connections
        assert [None, None] == [request.headers["Cookie"] for request in gateway.requests]


# What comes of it.


class TestAccepted:
    @both
    @pytest.mark.parametrize(
        "answer, message_id",
        [
            (Answer(200, '{"message_id": "m1", "price": 1}'), "m1"),
            (Answer(201, '{"message_id": null}'), None),
            (Answer(202, '{"message_id": ""}'), None),
            (Answer(202, "{}"), None),
            (Answer(204), None),
            (Answer(200), None),
            (raw(b"HTTP/1.1 200 OK\r\n\r\n"), None),
        ],
    )
    def test_receipt(self, answer, message_id, kind, serve):
        """An answer of 2xx is a receipt; an id is welcome, and so is an empty answer."""
        assert Receipt(message_id, "http") == send(kind(serve(answer).url, SECRET))

    def test_empty_but_announced(self):
        """An empty answer that was to be a longer one is half an answer, where an HTTP client lets it pass."""
        assert DeliveryUncertain is type(_receipt(b"", {"Content-Length": "1"}))

    def test_longest_answer(self, serve):
        """An answer of 64 KiB is read."""
        body = '{"message_id": "m1"}'

        assert RECEIPT == send(HttpSender(serve(Answer(200, body + " " * (64 * 1024 - len(body)))).url, SECRET))


UNUSABLE = "the gateway gave no usable answer"
FAILURES = {
    "hang": (hang, DeliveryUncertain, UNUSABLE + " (ReadTimeout)"),
    "hang in the body": (stall(accepted), DeliveryUncertain, UNUSABLE),
    "dripping body": (drip(accepted), DeliveryUncertain, UNUSABLE),
    "drop": (drop, DeliveryUncertain, UNUSABLE + " (ConnectionError)"),
    "reset": (reset, DeliveryUncertain, UNUSABLE + " (ConnectionError)"),
    "half a body": (half(accepted), DeliveryUncertain, UNUSABLE),
    "no body": (half(Answer(200, "{")), DeliveryUncertain, UNUSABLE),
    "too long": (Answer(200, "{}" + " " * 64 * 1024), DeliveryUncertain, UNUSABLE + " (AnswerTooLongError)"),
    "garbage": (Answer(200, "<html>" + QUOTE), DeliveryUncertain, UNUSABLE),
    "deep garbage": (Answer(200, "[" * 60_000), DeliveryUncertain, UNUSABLE),
    "a list": (Answer(200, "[]"), DeliveryUncertain, UNUSABLE),
    "an id of another kind": (Answer(200, '{"message_id": 7}'), DeliveryUncertain, UNUSABLE),
    "bytes": (raw(b"HTTP/1.1 200 OK\r\n\r\n\xff"), DeliveryUncertain, UNUSABLE),
    "302": (Answer(302, headers=["Location: /elsewhere"]), DeliveryUncertain, "the gateway: HTTP 302"),
    "307": (Answer(307, headers=["Location: /elsewhere"]), DeliveryUncertain, "the gateway: HTTP 307"),
    "400": (Answer(400, QUOTE), DeliveryRejected, "the gateway: HTTP 400"),
    "400 and a reason": (Answer(400, json.dumps({"error": QUOTE})), DeliveryRejected, "the gateway: HTTP 400"),
    "400 and a number": (Answer(400, '{"error": 7}'), DeliveryRejected, "the gateway: HTTP 400"),
    "401": (Answer(401), SenderMisconfigured, "the gateway: HTTP 401; check the url and the secret"),
    "403": (Answer(403, '{"error": "recipient_rejected"}'), SenderMisconfigured, "the gateway: HTTP 403; check"),
    "404": (Answer(404), SenderMisconfigured, "the gateway: HTTP 404; check"),
    "405": (Answer(405), SenderMisconfigured, "the gateway: HTTP 405; check"),
    "408": (Answer(408), DeliveryUncertain, "the gateway: HTTP 408"),
    "422": (Answer(422), DeliveryRejected, "the gateway: HTTP 422"),
    "bad number": (Answer(422, '{"error": "recipient_rejected"}'), RecipientRejected, "the gateway: HTTP 422"),
    "opt-out": (Answer(400, '{"error": "recipient_opted_out"}'), RecipientOptedOut, "the gateway: HTTP 400"),
    "500": (Answer(500, QUOTE), DeliveryUncertain, "the gateway: HTTP 500"),
    "503": (Answer(503, headers=["Retry-After: 7"]), DeliveryUncertain, "the gateway: HTTP 503"),
}
SLOW = {"hang", "hang in the body", "dripping body"}


@pytest.fixture
def refused():
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


class TestOutcome:
    @both
    @pytest.mark.parametrize("name", FAILURES)
    def test_failure(self, name, kind, serve):
        """R33, T12, T24: each way to fail has its class and its words, takes one request, and shows no message."""
        answer, expected, words = FAILURES[name]
        gateway = serve(answer)

        with logged() as log:
            error = failure(kind(gateway.url, SECRET, timeout=SHORT if name in SLOW else timedelta(seconds=10)))

        assert expected is type(error)
        assert str(error).startswith(words)
        assert (1, 1) == (len(gateway.requests), gateway.connections)
        assert [] == leaks(shown(error) + "\n".join(log))
        assert (None, None) == (error.__cause__, error.__context__)

    @both
    @pytest.mark.parametrize(
        "header, pause",
        [
            (["Retry-After: 7"], timedelta(seconds=7)),
            (["Retry-After: Tue, 14 Nov 2023 22:14:20 GMT"], timedelta(minutes=1)),
            (["Retry-After: soon"], None),
            ([], None),
        ],
    )
    def test_rate_limited(self, header, pause, kind, serve):
        """429 asks for a pause, of the length that Retry-After says."""
        error = failure(kind(serve(Answer(429, QUOTE, header)).url, SECRET, clock=FakeClock()))

        assert RateLimited is type(error)
        assert ("carrier", pause) == (error.scope, error.retry_after)
        assert [] == leaks(shown(error))

    @both
    def test_refused_connection(self, kind, refused):
        """T12: where nothing listens nothing was sent."""
        error = failure(kind(refused, SECRET))

        assert DeliveryRejected is type(error)
        assert "the gateway cannot be reached" == str(error)
        assert [] == leaks(shown(error))

    @pytest.mark.parametrize(
        "problem, expected, words",
        [
            (ssl.SSLCertVerificationError(1, "self-signed"), SenderMisconfigured, "the gateway's certificate is not"),
            (ssl.SSLError(1, "bad record"), DeliveryUncertain, UNUSABLE + " (SSLError)"),
        ],
    )
    def test_tls(self, problem, expected, words, serve, monkeypatch):
        """T12: nothing is sent to a gateway whose certificate is not trusted; other errors of TLS may come later."""

        def fails(*arguments, **options):
            raise problem

        gateway = serve(accepted)
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", fails)

        error = failure(HttpSender(gateway.url.replace("http:", "https:"), SECRET))

        assert expected is type(error)
        assert str(error).startswith(words)
        assert [] == gateway.requests


# What it takes to make one.


class TestConfiguration:
    @both
    @pytest.mark.parametrize(
        "url",
        [
            "https://sms.example.com",
            "https://sms.example.com:8443/v1/messages?region=eu",
            "https://[2001:db8::1]/sms",
            "http://localhost:8000/sms",
            "http://LOCALHOST/sms",
            "http://127.0.0.1/sms",
            "http://127.8.9.10/sms",
            "http://[::1]:8000/sms",
        ],
    )
    def test_url(self, url, kind):
        """Codes go out encrypted, or stay on this machine."""
        kind(url, SECRET)

    @both
    @pytest.mark.parametrize(
        "url",
        [
            "http://sms.example.com/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://1270.0.0.1/",
            "ftp://localhost/",
            "//localhost/",
            "sms.example.com",
            "https://",
            "https:///sms",
            "https://:443/sms",
            "https://me:mine@sms.example.com/",
            "https://me@sms.example.com/",
            "https://sms.example.com/#here",
            "https://sms.example.com:0/",
            "https://sms.example.com:70000/",
            "https://[::1/",
            "https://sms.example.com/a b",
            "https://sms.example.com/\n",
            "https://sms.exämple.com/",
            "",
            b"https://sms.example.com",
            None,
        ],
    )
    def test_wrong_url(self, url, kind):
        """What is no address to send codes to is refused."""
        with pytest.raises(ConfigurationError, match=r"^url: https:// and a host, no user, password or fragment"):
            kind(url, SECRET)

    @pytest.mark.parametrize(
        "secret, options, words",
        [
            ("short", {}, "secret: give at least 24 bytes, as text or bytes"),
            (None, {}, "secret: give"),
            (SECRET, {"timeout": timedelta(0)}, "timeout: a timedelta above zero and of at most one hour"),
            (SECRET, {"timeout": 10}, "timeout: a timedelta"),
            (SECRET, {"clock": None}, "clock: a function like time.time_ns"),
        ],
    )
    def test_wrong(self, secret, options, words):
        """A mistake is found when the sender is made."""
        with pytest.raises(ConfigurationError) as caught:
            HttpSender("https://sms.example.com", secret, **options)
        assert str(caught.value).startswith(words)

    @pytest.mark.parametrize("url, secret", [(SECRET, "https://localhost"), ("https://localhost", SECRET[:23])])
    def test_errors_show_nothing(self, url, secret):
        """T12: no mistake shows the secret, not even if it is in the wrong place."""
        with pytest.raises(ConfigurationError) as caught:
            HttpSender(url, secret)
        assert SECRET[:23] not in shown(caught.value)

    @both
    def test_secret_is_not_shown(self, kind):
        """T12: the repr shows where it sends to, and the sender crosses no process."""
        sender = kind("https://sms.example.com:8443/v1?key=value", SECRET)

        assert f"{kind.__name__}('https://sms.example.com:8443')" == repr(sender)
        for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds a secret and cannot be pickled or copied"):
                duplicate(sender)

    def test_nothing_heavy_at_first(self):
        """Making a sender imports no HTTP client and no asyncio; the first message does."""
        program = (
            "import sys; from smsmfa.senders.http import AsyncHttpSender as S;"
            f"S('https://sms.example.com', {SECRET!r});"
            "print(sorted({'requests', 'urllib3', 'asyncio', 'twilio'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

        assert "[]\n" == done.stdout

    def test_log_level(self, serve):
        """T12: nothing of a message is logged at any level when it goes out."""
        with logged() as log:
            send(HttpSender(serve(accepted).url, SECRET))

        assert [] == leaks("\n".join(log))
        assert logging.DEBUG < logging.getLogger().level
