"""The HTTP senders post each message once, signed, in bounded time; raise the right error; and show nothing."""

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from senders.calls import AMPLE, SHORT, Patient, failure, patient, send, unhurried
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
)
from smsmfa.senders.http import AsyncHttpSender, HttpSender, _receipt
from smsmfa.senders.webhook import read_webhook
from smsmfa.testing import Answer, AsyncSenderConformance, FakeClock, SenderConformance
from smsmfa.testing.carrier import drop, half, hang, reset
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import Receipt

SECRET = "a secret that the gateway has too"
MESSAGE = attrs.evolve(SenderConformance.message, locale="pt-BR", expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
NUMBER = MESSAGE.to.e164
HIDDEN = (SECRET, MESSAGE.code.reveal(), "kumquat", NUMBER[2:])
RECEIPT = Receipt("m1", "http")
QUOTE = f"{NUMBER}: {MESSAGE.text}"

both = pytest.mark.parametrize("kind", [HttpSender, AsyncHttpSender])
accepted = Answer(202, '{"message_id": "m1"}')


def leaks(text):
    """Return the secrets that ``text`` shows."""
    return [secret for secret in HIDDEN if secret in text]


def raw(answer):
    """Return a behaviour that answers these bytes and closes the connection."""

    def behaviour(exchange):
        exchange.wfile.write(answer)

    return behaviour


# The kit's suite.


class Promises(Patient):
    accepted = accepted
    rejected = Answer(400, json.dumps({"error": f"{SenderConformance.message.to.e164} is not a mobile number"}))
    misconfigured = Answer(401, '{"error": "the signature is not the sender\'s"}')
    secrets = (SECRET,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        sender = HttpSender(f"{url}/sms", SECRET, timeout=timeout)
        unhurried(sender._poster._session())
        return sender


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        sender = AsyncHttpSender(f"{url}/sms", SECRET, timeout=timeout)
        unhurried(sender._poster._session())
        return patient(sender)


@pytest.mark.usefixtures("encrypted")
class TestConformanceOverTls(TestConformance):
    pass


@pytest.mark.usefixtures("encrypted")
class TestAsyncConformanceOverTls(TestAsyncConformance):
    pass


# The request.


class TestRequest:
    @both
    def test_fields(self, kind, serve):
        """The gateway gets the fields of Auth0's event, and the fields it needs to drop a late message."""
        gateway = serve(accepted)

        assert RECEIPT == send(kind(f"{gateway.url}/sms?region=eu", SECRET), MESSAGE)

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
        """The action says why the message is sent, in Auth0's words if it has one."""
        gateway = serve(accepted)

        send(HttpSender(gateway.url, SECRET), attrs.evolve(MESSAGE, kind=kind, channel="voice", locale=None))

        fields = json.loads(gateway.requests[0].body)
        assert (action, "voice", None) == (fields["action"], fields["message_type"], fields["locale"])

    def test_signature(self, serve):
        """The gateway can verify a message, with our function and with the specification's package."""
        gateway = serve(accepted)
        clock = FakeClock()

        send(HttpSender(gateway.url, SECRET, clock=clock), MESSAGE)
        send(HttpSender(gateway.url, SECRET), MESSAGE)

        fake, real = gateway.requests
        fields = json.loads(fake.body)
        assert fields == read_webhook(fake.body.encode(), fake.headers, SECRET, clock=clock)
        assert fields == Webhook(SECRET.encode()).verify(real.body, dict(real.headers))

    def test_netrc(self, serve, tmp_path, monkeypatch):
        """No password is read from ~/.netrc."""
        (tmp_path / "netrc").write_text("default login me password mine\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        gateway = serve(accepted)

        send(HttpSender(gateway.url, SECRET), MESSAGE)

        assert None is gateway.requests[0].headers["Authorization"]


# The outcome.


class TestAccepted:
    @pytest.mark.parametrize(
        "answer, message_id",
        [
            pytest.param(Answer(200, '{"message_id": "m1", "price": 1}'), "m1", id="id"),
            pytest.param(Answer(201, '{"message_id": null}'), None, id="null"),
            pytest.param(Answer(202, '{"message_id": ""}'), None, id="empty id"),
            pytest.param(Answer(202, "{}"), None, id="no id"),
            pytest.param(Answer(204), None, id="204"),
            pytest.param(raw(b"HTTP/1.1 200 OK\r\n\r\n"), None, id="no length"),
        ],
    )
    def test_receipt(self, answer, message_id, serve):
        """A 2xx answer is a receipt, with or without an id or a body."""
        assert Receipt(message_id, "http") == send(HttpSender(serve(answer).url, SECRET), MESSAGE)

    def test_empty_but_announced(self):
        """An empty body that should be longer is half an answer, even if an HTTP client accepts it."""
        assert DeliveryUncertain is type(_receipt(b"", {"Content-Length": "1"}))


UNUSABLE = "the gateway gave no usable answer"
FAILURES = {
    "hang": (hang, DeliveryUncertain, UNUSABLE + " (ReadTimeout)"),
    "drop": (drop, DeliveryUncertain, UNUSABLE + " (ConnectionError)"),
    "reset": (reset, DeliveryUncertain, UNUSABLE + " (ConnectionError)"),
    "half a body": (half(accepted), DeliveryUncertain, UNUSABLE),
    "no body": (half(Answer(200, "{")), DeliveryUncertain, UNUSABLE),
    "too long": (Answer(200, "{}" + " " * 64 * 1024), DeliveryUncertain, UNUSABLE + " (AnswerTooLongError)"),
    "garbage": (Answer(200, "<html>" + QUOTE), DeliveryUncertain, UNUSABLE),
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
    "407": (Answer(407), SenderMisconfigured, "the proxy answers HTTP 407; check its user and password"),
    "408": (Answer(408), DeliveryUncertain, "the gateway: HTTP 408"),
    "422": (Answer(422), DeliveryRejected, "the gateway: HTTP 422"),
    "bad number": (Answer(422, '{"error": "recipient_rejected"}'), RecipientRejected, "the gateway: HTTP 422"),
    "opt-out": (Answer(400, '{"error": "recipient_opted_out"}'), RecipientOptedOut, "the gateway: HTTP 400"),
    "500": (Answer(500, QUOTE), DeliveryUncertain, "the gateway: HTTP 500"),
    "503": (Answer(503, headers=["Retry-After: 7"]), DeliveryUncertain, "the gateway: HTTP 503"),
}


class TestOutcome:
    @pytest.mark.parametrize("name", FAILURES)
    def test_failure(self, name, serve):
        """R33, T12, T24: each failure has its error, makes one request, and shows no message."""
        answer, expected, words = FAILURES[name]
        gateway = serve(answer)

        with logged() as log:
            sender = HttpSender(gateway.url, SECRET, timeout=SHORT if answer is hang else AMPLE)
            error = failure(sender, MESSAGE)

        assert expected is type(error)
        assert str(error).startswith(words)
        assert (1, 1) == (len(gateway.received()), gateway.connections)
        assert [] == leaks(shown(error) + "\n".join(log))
        assert (None, None) == (error.__cause__, error.__context__)

    @pytest.mark.parametrize(
        "status, outage",
        [(302, False), (400, False), (401, True), (403, False), (404, False), (408, True), (429, True), (500, True)],
    )
    def test_outage(self, status, outage, serve):
        """Only answers that have nothing to do with the recipient count against the gateway."""
        assert outage == failure(HttpSender(serve(Answer(status)).url, SECRET), MESSAGE).outage

    @pytest.mark.parametrize(
        "header, pause",
        [
            (["Retry-After: Tue, 14 Nov 2023 22:14:20 GMT"], timedelta(minutes=1)),
            ([], None),
        ],
    )
    def test_rate_limited(self, header, pause, serve):
        """429 asks for the pause in Retry-After."""
        error = failure(HttpSender(serve(Answer(429, QUOTE, header)).url, SECRET, clock=FakeClock()), MESSAGE)

        assert RateLimited is type(error)
        assert ("carrier", pause) == (error.scope, error.retry_after)
        assert [] == leaks(shown(error))

    @pytest.mark.parametrize(
        "said, code",
        [
            ("no_credit", "no_credit"),
            ("recipient_rejected", "recipient_rejected"),
            ("21612", "21612"),
            ("314159", None),
            (NUMBER, None),
            ("too many words", None),
            (7, None),
        ],
    )
    @pytest.mark.parametrize("status", [400, 401, 429, 500])
    def test_code(self, status, said, code, serve):
        """T12: the gateway's error code is kept, unless it could be a number, a one-time code or a text."""
        error = failure(HttpSender(serve(Answer(status, json.dumps({"error": said}))).url, SECRET), MESSAGE)

        assert ("http", code) == (error.carrier, error.carrier_code)

    @both
    def test_refused_connection(self, kind, refused):
        """T12: if the gateway refuses the connection nothing was sent."""
        error = failure(kind(refused, SECRET), MESSAGE)

        assert DeliveryRejected is type(error)
        assert "the gateway cannot be reached" == str(error)
        assert [] == leaks(shown(error))


# Configuration.


class TestConfiguration:
    @pytest.mark.parametrize(
        "url",
        [
            "https://sms.example.com",
            "https://sms.example.com:8443/v1/messages?region=eu",
            "https://[2001:db8::1]/sms",
            "http://localhost:8000/sms",
            "http://LOCALHOST/sms",
            "http://127.8.9.10/sms",
            "http://[::1]:8000/sms",
        ],
    )
    def test_url(self, url):
        """Codes are sent encrypted, or stay on this machine."""
        HttpSender(url, SECRET)

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
    def test_wrong_url(self, url):
        """A URL that codes must not be sent to is refused."""
        with pytest.raises(ConfigurationError, match=r"^url: https:// and a host, no user, password or fragment"):
            HttpSender(url, SECRET)

    @pytest.mark.parametrize(
        "secret, options, words",
        [
            ("short", {}, "secret: give at least 24 bytes, as text or bytes"),
            (None, {}, "secret: give"),
            (SECRET, {"timeout": timedelta(0)}, "timeout: "),
            (SECRET, {"clock": 7}, "clock: "),
        ],
    )
    def test_wrong(self, secret, options, words):
        """A wrong argument is found when the sender is made."""
        with pytest.raises(ConfigurationError) as caught:
            HttpSender("https://sms.example.com", secret, **options)
        assert str(caught.value).startswith(words)

    @pytest.mark.parametrize("url, secret", [(SECRET, "https://localhost"), ("https://localhost", SECRET[:23])])
    def test_errors_show_nothing(self, url, secret):
        """T12: no error shows the secret, even if it is in the wrong place."""
        with pytest.raises(ConfigurationError) as caught:
            HttpSender(url, secret)
        assert SECRET[:23] not in shown(caught.value)

    @both
    def test_repr(self, kind):
        """T12: the repr shows the host, and nothing else."""
        sender = kind("https://sms.example.com:8443/v1?key=value", SECRET)

        assert f"{kind.__name__}('https://sms.example.com:8443')" == repr(sender)

    def test_nothing_heavy_at_first(self):
        """Making a sender imports no HTTP client and no asyncio."""
        program = (
            "import sys; from smsmfa.senders.http import AsyncHttpSender as S;"
            f"S('https://sms.example.com', {SECRET!r});"
            "print(sorted({'requests', 'urllib3', 'asyncio', 'twilio'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert "[]\n" == done.stdout

    def test_log_level(self, serve):
        """T12: a message that is sent leaves no trace in the log, at any level."""
        with logged() as log:
            send(HttpSender(serve(accepted).url, SECRET), MESSAGE)

        assert [] == leaks("\n".join(log))
        assert logging.DEBUG < logging.getLogger().level


@pytest.mark.parametrize(
    "url, direct",
    [
        ("http://localhost:8080/sms", True),
        ("http://127.0.0.1/sms", True),
        ("https://127.1.2.3/sms", True),
        ("http://[::1]:8080/sms", True),
        ("https://gateway.example/sms", False),
        ("https://localhost.example/sms", False),
    ],
)
def test_no_proxy_for_loopback(url, direct):
    """T37: codes for a gateway on this machine go to it directly, with any proxy in the environment."""
    assert direct is HttpSender(url, SECRET)._poster._session()._direct
