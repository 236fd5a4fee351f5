"""The Twilio senders send once, in bounded time, say for certain what they know, and show nothing they should not."""

import asyncio
import base64
import copy
import gc
import json
import logging
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import traceback
import types
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import attrs
import pytest
import twilio.rest
from support import a_config
from twilio.base.exceptions import TwilioException

from smsmfa import Enroller, MemoryStore, Verifier
from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.phone import PhoneNumber
from smsmfa.senders import threads
from smsmfa.senders.twilio import AsyncTwilioSender, TwilioSender
from smsmfa.testing import Answer, AsyncSenderConformance, Carrier, SenderConformance
from smsmfa.testing.carrier import drip, drop, half, hang, kept, reset, stall
from smsmfa.typing import Message, Receipt

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
BASIC = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
SERVICE = "MG" + "0123456789abcdef" * 2
NUMBER = "+14155552671"
TEXT = "314159 is your code for Acme & Söhne.\n@acme.example #314159"
SID = "SM" + "0" * 32
NOW = 1_700_000_000
#: What is said of every SMS, unless the sender is told otherwise.
USUAL = {"To": NUMBER, "ValidityPeriod": "300", "RiskCheck": "enable", "MessageIntent": "otp", "SmartEncoded": "true"}
MESSAGE = Message(
    to=PhoneNumber(NUMBER, "US", "mobile"),
    text=TEXT,
    code="314159",
    kind="verification",
    challenge_id="c1",
    expires_at=datetime.fromtimestamp(NOW + 300, UTC),
)
RECEIPT = Receipt(message_id=SID, sender="twilio")
ARGUMENTS = {
    "account_sid": ACCOUNT,
    "auth_token": TOKEN,
    "from_number": "+14155550106",
    "clock": lambda: NOW * 10**9,
}
SHORT = timedelta(milliseconds=200)

both = pytest.mark.parametrize("kind", [TwilioSender, AsyncTwilioSender])


# What Twilio answers.


def reply(status, body, *headers, **more):
    """Return an answer of this status and body."""
    return Answer(status, body if isinstance(body, str) else json.dumps(body), headers, **more)


accepted = reply(201, {"sid": SID, "to": NUMBER, "body": TEXT})


def drips_head(exchange):
    """Send the head a byte at a time, each well within the timeout, and all of them long after it."""
    for byte in b"HTTP/1.1 201 Created\r\nX-Drip: " + b"x" * 200:
        exchange.wfile.write(bytes([byte]))
        exchange.server.closing.wait(0.01)
    exchange.wfile.write(b'\r\nContent-Length: 14\r\n\r\n{"sid": "SM00"}')


def form(request):
    """Return what a request posts."""
    return {name: value for name, [value] in parse_qs(request.body, strict_parsing=True).items()}


def refusal(code, status=400):
    """Return what Twilio says with an error code; its message repeats the number."""
    return reply(status, {"code": code, "message": f"The 'To' number {NUMBER} is not valid: {TEXT}", "status": status})


def problem(code, status):
    """Return an error as RFC 9457 has it."""
    body = {"type": "about:blank", "title": NUMBER, "status": status, "code": code, "detail": TEXT}
    return reply(status, body, content_type="application/problem+json")


SECRETS = (TOKEN, BASIC, BASIC[-20:], "'314159'", "314159 is", "314159+is", "#314159", "Söhne", NUMBER[1:], NUMBER[2:])


def secrets_in(text):
    """Return what ``text`` should not show."""
    return [secret for secret in SECRETS if secret in text]


def leaks(error):
    """Return what an error shows that it should not, in its words, its frames' locals and the errors behind it."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [f"{frame.filename} {frame.name} {frame.locals}" for frame in frames if frame.filename != __file__]
    behind = [f"not alone: {other!r}" for other in (error.__cause__, error.__context__) if other is not None]
    return behind + secrets_in("\n".join([str(error), repr(error), repr(vars(error)), *ours]))


def texts_behind(thing):
    """Return every text and bytes that can be reached from ``thing``, but through modules, code and loggers."""
    passed_by = (types.ModuleType, type, types.FunctionType, types.CodeType, types.FrameType, logging.Logger)
    seen, waiting, texts = set(), [thing], []
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, passed_by):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            texts.append(one if isinstance(one, str) else one.decode("latin-1"))
        waiting += gc.get_referents(one)
    return texts


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Let no proxy of the environment come between."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve():
    """Start carriers, and stop them in the end."""
    with ExitStack() as carriers:
        yield lambda behaviour: carriers.enter_context(Carrier(behaviour))


def sender_to(url, kind=TwilioSender, **changes):
    """Return a sender whose SDK client sends to ``url``: ``_api`` is private, and there for this."""
    sender = kind(**ARGUMENTS | changes)
    sender._api.client().api.base_url = url
    return sender


def send(sender, message=MESSAGE):
    """Send with either kind of sender."""
    outcome = sender.send(message)
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


def failure(sender):
    """Return the error of a message that does not go through."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        send(sender)
    return caught.value


# What every sender promises.


class Promises:
    accepted = accepted
    rejected = reply(400, {"code": 21211, "message": f"{SenderConformance.message.to.e164} is not a valid number"})
    misconfigured = reply(401, {"code": 20003, "message": "Authenticate"})
    secrets = TOKEN, BASIC, BASIC[-20:]


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, AsyncTwilioSender, timeout=timeout)


class TestCallConformance(Promises, SenderConformance):
    message = attrs.evolve(SenderConformance.message, channel="voice")

    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestWhatsAppConformance(Promises, SenderConformance):
    message = attrs.evolve(SenderConformance.message, channel="whatsapp")

    def make_sender(self, url, timeout):
        content = "HX" + "0123456789abcdef" * 2
        return sender_to(url, timeout=timeout, whatsapp_number="+14155550108", whatsapp_content_sid=content)


# What is sent.


class TestRequest:
    @both
    def test_from_number(self, kind, serve):
        """The form has the recipient, the text, the number it comes from and the rest of the code's life; no more."""
        carrier = serve(accepted)

        assert RECEIPT == send(sender_to(carrier.url, kind))

        [request] = carrier.requests
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1" == request.line
        assert f"Basic {BASIC}" == request.headers["Authorization"]
        assert USUAL | {"From": "+14155550106", "Body": TEXT} == form(request)

    @both
    def test_messaging_service(self, kind, serve):
        """With a messaging service its SID takes the number's place."""
        carrier = serve(accepted)

        assert RECEIPT == send(sender_to(carrier.url, kind, from_number=None, messaging_service_sid=SERVICE))

        [request] = carrier.requests
        assert USUAL | {"MessagingServiceSid": SERVICE, "Body": TEXT} == form(request)

    @both
    def test_options(self, kind, serve):
        """Twilio's options are those of the sender."""
        carrier = serve(accepted)
        options = {
            "risk_check": "disable",
            "message_intent": None,
            "smart_encoded": False,
            "content_retention": "discard",
            "address_retention": "obfuscate",
            "provide_feedback": True,
            "status_callback": "https://acme.example/twilio",
        }

        assert RECEIPT == send(sender_to(carrier.url, kind, **options))
        assert {
            "To": NUMBER,
            "From": "+14155550106",
            "Body": TEXT,
            "ValidityPeriod": "300",
            "RiskCheck": "disable",
            "ContentRetention": "discard",
            "AddressRetention": "obfuscate",
            "ProvideFeedback": "true",
            "StatusCallback": "https://acme.example/twilio?challenge=c1",
        } == form(carrier.requests[0])

    @both
    def test_call(self, kind, serve):
        """A message for the channel voice becomes a call, whose SID is on the receipt."""
        carrier = serve(reply(201, {"sid": "CA00"}))

        receipt = send(sender_to(carrier.url, kind), attrs.evolve(MESSAGE, channel="voice"))

        [request] = carrier.requests
        assert Receipt("CA00", "twilio") == receipt
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Calls.json HTTP/1.1" == request.line
        assert {"To", "From", "Twiml"} == form(request).keys()

    @both
    def test_whatsapp(self, kind, serve):
        """A message for the channel whatsapp goes there, from the number that is set up for it."""
        carrier = serve(accepted)
        sender = sender_to(carrier.url, kind, whatsapp_number="+14155550108")

        assert RECEIPT == send(sender, attrs.evolve(MESSAGE, channel="whatsapp"))
        assert "whatsapp:+14155550108" == form(carrier.requests[0])["From"]

    @both
    def test_channel_that_is_not_set_up(self, kind, serve):
        """A channel that the sender has nothing for is refused before anything is sent."""
        carrier = serve(accepted)
        sender = sender_to(carrier.url, kind, from_number="Acme")

        for channel in ("voice", "whatsapp", "pigeon"):
            with pytest.raises(SenderMisconfigured) as caught:
                send(sender, attrs.evolve(MESSAGE, channel=channel))
            assert [] == leaks(caught.value)
        assert [] == carrier.requests

    @pytest.mark.parametrize(
        "left, expected",
        [
            (timedelta(seconds=300), "300"),
            (timedelta(seconds=299, microseconds=1), "300"),
            (timedelta(microseconds=1), "1"),
            (timedelta(0), "1"),
            (timedelta(days=-1), "1"),
            (timedelta(seconds=36_000), "36000"),
            (timedelta(days=1), "36000"),
        ],
    )
    def test_validity_period(self, left, expected, serve):
        """R33: Twilio is told what remains of the code's life, in seconds rounded up, between 1 and 36,000."""
        carrier = serve(accepted)
        message = Message(
            to=MESSAGE.to,
            text=TEXT,
            code="314159",
            kind="verification",
            challenge_id="c1",
            expires_at=datetime.fromtimestamp(NOW, UTC) + left,
        )

        send(sender_to(carrier.url), message)

        assert expected == form(carrier.requests[0])["ValidityPeriod"]

    def test_default_clock(self, serve):
        """The clock is the system's unless another one is given, and in nanoseconds."""
        carrier = serve(accepted)
        sender = TwilioSender(account_sid=ACCOUNT, auth_token=TOKEN, from_number="Acme")
        sender._api.client().api.base_url = carrier.url

        send(sender)

        assert "1" == form(carrier.requests[0])["ValidityPeriod"]

    def test_environment_is_not_read(self, serve, monkeypatch):
        """Variables meant for other programs that use the SDK change nothing."""
        for name in ("ACCOUNT_SID", "AUTH_TOKEN", "EDGE", "REGION"):
            monkeypatch.setenv(f"TWILIO_{name}", "sydney")
        carrier = serve(accepted)

        assert RECEIPT == send(sender_to(carrier.url))
        assert f"Basic {BASIC}" == carrier.requests[0].headers["Authorization"]

    def test_connection_is_reused(self, serve):
        """One connection serves one message after the other."""
        carrier = serve(kept(accepted))
        sender = sender_to(carrier.url)

        assert [RECEIPT, RECEIPT] == [send(sender), send(sender)]
        assert 1 == carrier.connections

    def test_cookies_are_not_kept(self, serve):
        """What one answer sets does not go out with the next message."""
        carrier = serve(reply(201, {"sid": SID}, "Set-Cookie: session=1; Path=/"))
        sender = sender_to(carrier.url)

        send(sender)
        send(sender)

        assert [None, None] == [request.headers["Cookie"] for request in carrier.requests]

    def test_proxy(self, serve, monkeypatch):
        """A proxy of the environment is used, for every message."""
        carrier = serve(accepted)
        monkeypatch.setenv("http_proxy", carrier.url)
        sender = sender_to("http://twilio.invalid")

        assert [RECEIPT, RECEIPT] == [send(sender), send(sender)]
        assert carrier.requests[1].line.startswith("POST http://twilio.invalid/")

    def test_proxy_is_set_up_once(self):
        """The connections to a proxy are of the same classes for every message."""
        adapter = TwilioSender(**ARGUMENTS)._api.client().http_client._session.get_adapter("https://twilio.invalid")
        first, second = (adapter.proxy_manager_for("http://127.0.0.1:9").pool_classes_by_scheme for _ in range(2))

        assert first is second

    def test_longest_answer(self, serve):
        """An answer of 64 KiB is read."""
        body = json.dumps({"sid": SID})

        assert RECEIPT == send(sender_to(serve(reply(201, body + " " * (64 * 1024 - len(body)))).url))


# What comes of it.

FAILURES = {
    "hang": (hang, DeliveryUncertain, "Twilio gave no usable answer (ReadTimeout)"),
    "hang in the body": (stall(accepted), DeliveryUncertain, "Twilio gave no usable answer"),
    "dripping head": (drips_head, DeliveryUncertain, "Twilio gave no usable answer (ReadTimeout)"),
    "dripping body": (drip(accepted), DeliveryUncertain, "Twilio gave no usable answer (ConnectionError)"),
    "drop": (drop, DeliveryUncertain, "Twilio gave no usable answer (ConnectionError)"),
    "reset": (reset, DeliveryUncertain, "Twilio gave no usable answer (ConnectionError)"),
    "half a body": (half(accepted), DeliveryUncertain, "Twilio gave no usable answer"),
    "too long": (
        reply(201, json.dumps({"sid": SID}) + " " * 64 * 1024),
        DeliveryUncertain,
        "Twilio gave no usable answer (AnswerTooLongError)",
    ),
    "garbage with 201": (reply(201, "<html>" + TEXT), DeliveryUncertain, "Twilio gave no usable answer (HTTP 201"),
    "empty 201": (reply(201, ""), DeliveryUncertain, "Twilio gave no usable answer (HTTP 201 without a JSON object)"),
    "201 without SID": (reply(201, {"body": TEXT}), DeliveryUncertain, "Twilio answered without a message SID"),
    "201 with empty SID": (reply(201, {"sid": ""}), DeliveryUncertain, "Twilio answered without a message SID"),
    "201 with a number": (reply(201, {"sid": 7}), DeliveryUncertain, "Twilio answered without a message SID"),
    "201 with a list": (reply(201, [TEXT]), DeliveryUncertain, "Twilio gave no usable answer (HTTP 201"),
    "no status line": (lambda exchange: exchange.wfile.write(b"OK\r\n\r\n"), DeliveryUncertain, "Twilio gave no"),
    "302": (reply(302, "", "Location: /elsewhere"), DeliveryUncertain, "Twilio: HTTP 302"),
    "307": (reply(307, "", "Location: /elsewhere"), DeliveryUncertain, "Twilio: HTTP 307"),
    "400": (reply(400, {"message": TEXT}), DeliveryRejected, "Twilio: HTTP 400"),
    "401": (reply(401, ""), SenderMisconfigured, "Twilio: HTTP 401; check the account SID and the auth token"),
    "403": (reply(403, "<html>"), SenderMisconfigured, "Twilio: HTTP 403; check"),
    "404": (reply(404, {"code": 404}), SenderMisconfigured, "Twilio: HTTP 404; check"),
    "408": (reply(408, ""), DeliveryUncertain, "Twilio: HTTP 408"),
    "429": (reply(429, {"code": 20429, "message": TEXT}), RateLimited, "the limit on 'carrier' is used up"),
    "429 without a code": (reply(429, "slow down"), RateLimited, "the limit on 'carrier' is used up"),
    "429 with a pause": (
        reply(429, "slow down", "Retry-After: 7"),
        RateLimited,
        "the limit on 'carrier' is used up; try again in 7 s",
    ),
    "429 with a date": (
        reply(429, "slow down", "Retry-After: Tue, 14 Nov 2023 22:13:50 GMT"),
        RateLimited,
        "the limit on 'carrier' is used up; try again in 30 s",
    ),
    "opt-out": (refusal(21610), RecipientOptedOut, "Twilio 21610: the recipient has opted out"),
    "test credentials": (refusal(20008, 403), SenderMisconfigured, "Twilio 20008: these are test credentials"),
    "500": (reply(500, {"code": 20500, "message": TEXT}), DeliveryUncertain, "Twilio 20500: internal error"),
    "503": (reply(503, "<html>"), DeliveryUncertain, "Twilio: HTTP 503"),
    "unknown code with 400": (refusal(29_999), DeliveryRejected, "Twilio 29999: HTTP 400"),
    "unknown code with 403": (refusal(29_999, 403), SenderMisconfigured, "Twilio 29999: HTTP 403"),
    "unknown code with 500": (refusal(29_999, 500), DeliveryUncertain, "Twilio 29999: HTTP 500"),
    "no code with 400": (refusal(None), DeliveryRejected, "Twilio: HTTP 400"),
    "text as code": (refusal(TEXT), DeliveryRejected, "Twilio: HTTP 400"),
    "list as code": (refusal([21211]), DeliveryRejected, "Twilio: HTTP 400"),
    "problem with a known code": (problem(21211, 400), RecipientRejected, "Twilio 21211: no such number"),
    "problem with an unknown code": (problem(29_999, 404), SenderMisconfigured, "Twilio 29999: HTTP 404"),
    "problem at Twilio": (problem(29_999, 500), DeliveryUncertain, "Twilio 29999: HTTP 500"),
}

SLOW = {"hang", "hang in the body", "dripping head", "dripping body"}


@pytest.fixture
def refused():
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


class TestOutcome:
    @both
    @pytest.mark.parametrize("name", FAILURES)
    def test_failure(self, name, kind, serve, caplog):
        """R33, T12, T24: each way to fail has its class and its words, takes one request, and shows no message."""
        answer, expected, words = FAILURES[name]
        carrier = serve(answer)
        caplog.set_level(logging.DEBUG)

        error = failure(sender_to(carrier.url, kind, timeout=SHORT if name in SLOW else timedelta(seconds=10)))

        assert expected is type(error)
        assert str(error).startswith(words)
        assert 1 == len(carrier.requests)
        assert 1 == carrier.connections
        assert [] == leaks(error)
        assert [] == secrets_in(caplog.text)

    @both
    def test_refused_connection(self, kind, refused):
        """T12: where nothing listens nothing was sent."""
        error = failure(sender_to(refused, kind))

        assert DeliveryRejected is type(error)
        assert "Twilio cannot be reached" == str(error)
        assert [] == leaks(error)

    @both
    def test_unresolvable_host(self, kind, monkeypatch):
        """T12: where the name has no address nothing was sent."""

        def fails(*arguments, **options):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        sender = sender_to("http://twilio.invalid", kind)
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", fails)
            error = failure(sender)

        assert DeliveryRejected is type(error)
        assert "Twilio cannot be reached" == str(error)
        assert [] == leaks(error)

    @both
    def test_connect_timeout(self, kind, monkeypatch):
        """T12: where no connection is accepted in time nothing was sent."""

        def fails(*arguments, **options):
            raise TimeoutError("timed out")

        monkeypatch.setattr("urllib3.util.connection.create_connection", fails)
        error = failure(sender_to("http://127.0.0.1:9", kind))

        assert DeliveryRejected is type(error)
        assert "Twilio cannot be reached" == str(error)
        assert [] == leaks(error)

    def test_refusing_proxy(self, refused, monkeypatch):
        """Where the proxy cannot be reached nothing was sent."""
        monkeypatch.setenv("http_proxy", refused)

        error = failure(sender_to("http://twilio.invalid"))

        assert DeliveryRejected is type(error)
        assert "Twilio cannot be reached" == str(error)

    @pytest.mark.parametrize("name", sorted(SLOW))
    def test_slow_proxy(self, name, serve, monkeypatch):
        """R33: an answer through a proxy has no more time than one without."""
        carrier = serve(FAILURES[name][0])
        monkeypatch.setenv("http_proxy", carrier.url)

        assert DeliveryUncertain is type(failure(sender_to("http://twilio.invalid", timeout=SHORT)))
        assert 1 == len(carrier.requests)

    @pytest.mark.parametrize(
        "problem, expected, words",
        [
            (
                ssl.SSLCertVerificationError(1, "self-signed certificate"),
                SenderMisconfigured,
                "Twilio's certificate is not trusted here: check CA certificates, proxy and clock",
            ),
            (ssl.SSLError(1, "bad record"), DeliveryUncertain, "Twilio gave no usable answer (SSLError)"),
        ],
    )
    def test_tls(self, problem, expected, words, serve, monkeypatch):
        """T12: nothing is sent to a server whose certificate is not trusted; other errors of TLS may come later."""

        def fails(*arguments, **options):
            raise problem

        carrier = serve(accepted)
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", fails)

        error = failure(sender_to(carrier.url.replace("http:", "https:")))

        assert expected is type(error)
        assert words == str(error)
        assert [] == leaks(error)
        assert [] == carrier.requests

    def test_late_answer(self, serve, monkeypatch):
        """R33: once the time is up nothing more is read, not even for a moment."""
        from smsmfa.senders import bounded

        times = iter([0.0, 9.9, 10.0])
        monkeypatch.setattr(bounded, "monotonic", lambda: next(times))

        error = failure(sender_to(serve(stall(accepted)).url, timeout=timedelta(seconds=10)))

        assert "Twilio gave no usable answer (ConnectionError)" == str(error)

    @both
    @pytest.mark.parametrize("problem", [RuntimeError(TEXT), ValueError(), OSError(TOKEN), TwilioException()])
    def test_unknown_error(self, problem, kind, monkeypatch):
        """T12, T24: an error that nobody foresaw leaves open whether the message went out."""

        def fails(*arguments, **form):
            raise problem

        sender = sender_to("http://127.0.0.1:9", kind)
        monkeypatch.setattr(sender._api.client().api, "request", fails)
        error = failure(sender)

        assert DeliveryUncertain is type(error)
        assert str(error).startswith("Twilio gave no usable answer")
        assert [] == leaks(error)


def test_opt_out(serve):
    """R32: who answered STOP is told apart until START, pays nothing for it, and still gets in with a recovery code."""
    answers = iter([accepted, refusal(21610), refusal(21610), accepted])
    carrier = serve(lambda exchange: next(answers)(exchange))
    sender, codes = sender_to(carrier.url), []
    send_on = sender.send
    sender.send = lambda message: codes.append(message.code.reveal()) or send_on(message)
    factor = a_config(), MemoryStore(), sender
    enroller, verifier = Enroller(*factor), Verifier(*factor)
    pending = enroller.start("alice", NUMBER)
    enrolment = enroller.confirm("alice", pending.id, codes[-1])

    for _ in range(2):
        with pytest.raises(RecipientOptedOut):
            verifier.challenge("alice")
    assert 9 == verifier.status("alice").sends_left
    assert "recovery" == verifier.recover("alice", enrolment.recovery_codes[0]).method
    assert verifier.challenge("alice").sent  # START


# Feedback.


def confirm(sender, message_id=SID):
    """Give feedback with either kind of sender."""
    outcome = sender.confirm(message_id)
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


class TestFeedback:
    @both
    def test_confirm(self, kind, serve):
        """Twilio is told that the code of a message came back."""
        carrier = serve(reply(201, {"outcome": "confirmed"}))

        assert None is confirm(sender_to(carrier.url, kind))

        [request] = carrier.requests
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Feedback.json HTTP/1.1" == request.line
        assert {"Outcome": "confirmed"} == form(request)

    @both
    @pytest.mark.parametrize(
        "answer, words",
        [
            (refusal(20404, 404), "no feedback was given: Twilio answers HTTP 404"),
            (reply(500, ""), "no feedback was given: Twilio answers HTTP 500"),
            (drop, "no feedback was given: Twilio gave no usable answer (ConnectionError)"),
        ],
    )
    def test_failure(self, kind, answer, words, serve):
        """T12: feedback that Twilio does not take is an error of its own, which says nothing of a message's fate."""
        with pytest.raises(DeliveryError) as caught:
            confirm(sender_to(serve(answer).url, kind))

        assert (DeliveryError, words) == (caught.type, str(caught.value))
        assert [] == leaks(caught.value)

    @both
    @pytest.mark.parametrize("message_id", ["", "CA" + "0" * 32, SID + "/..", SID[:-1], None, 7])
    def test_no_message(self, kind, message_id, serve):
        """What is no message's id asks nothing of Twilio."""
        carrier = serve(accepted)

        with pytest.raises(ValueError, match="message_id must be SM or MM and 32 hexadecimal digits"):
            confirm(sender_to(carrier.url, kind), message_id)
        assert [] == carrier.requests


# Waiting without blocking.


def gated(loop):
    """Return an answer that tells ``loop`` when a request arrives and waits for leave, and the two events."""
    arrived, leave = asyncio.Event(), threading.Event()

    def answer(exchange):
        loop.call_soon_threadsafe(arrived.set)
        leave.wait(10)
        accepted(exchange)

    return answer, arrived, leave


class TestAsynchronous:
    async def test_loop_is_free(self, serve):
        """While Twilio takes its time the loop runs other things, and the message waits in a thread of the sender's."""
        answer, arrived, leave = gated(asyncio.get_running_loop())
        sender = sender_to(serve(answer).url, AsyncTwilioSender, timeout=timedelta(seconds=5))

        sending = asyncio.create_task(sender.send(MESSAGE))
        await arrived.wait()

        assert not sending.done()
        assert any(thread.name.startswith("smsmfa-Twilio") for thread in threading.enumerate())
        leave.set()
        assert RECEIPT == await sending

    async def test_many_at_once(self, serve):
        """Sixteen messages are on their way at the same time."""
        together = threading.Barrier(16)

        def answer(exchange):
            together.wait(10)
            accepted(exchange)

        carrier = serve(answer)
        sender = sender_to(carrier.url, AsyncTwilioSender)

        assert [RECEIPT] * 16 == await asyncio.gather(*(sender.send(MESSAGE) for _ in range(16)))

    async def test_cancelled(self, serve):
        """A message whose call is cancelled under way is sent to the end, once, and nobody is told of it later."""
        loop = asyncio.get_running_loop()
        complaints = []
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        answer, arrived, leave = gated(loop)
        carrier = serve(answer)
        sender = sender_to(carrier.url, AsyncTwilioSender)
        outcomes = []
        deliver = sender._deliver
        sender._deliver = lambda message: outcomes.append(deliver(message))

        sending = asyncio.create_task(sender.send(MESSAGE))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        leave.set()
        sender._threads._pool.shutdown()

        assert [RECEIPT] == outcomes
        assert 1 == len(carrier.requests)
        del sending
        gc.collect()
        await asyncio.sleep(0)
        assert [] == complaints

    async def test_no_free_thread(self, serve, monkeypatch):
        """R33: a message that no thread takes up within the timeout is rejected: it was not sent, and will not be."""
        monkeypatch.setattr(threads, "_MOST", 1)
        carrier = serve(accepted)
        sender = sender_to(carrier.url, AsyncTwilioSender, timeout=SHORT)
        busy = threading.Event()
        sender._threads._pool.submit(busy.wait, 10)

        with pytest.raises(DeliveryRejected, match="too many messages wait to be sent"):
            await sender.send(MESSAGE)
        busy.set()
        sender._threads._pool.shutdown()

        assert [] == carrier.requests

    async def test_cancelled_in_queue(self, serve, monkeypatch):
        """A message whose call is cancelled before a thread takes it up is not sent."""
        monkeypatch.setattr(threads, "_MOST", 1)
        carrier = serve(accepted)
        sender = sender_to(carrier.url, AsyncTwilioSender)
        busy = threading.Event()
        sender._threads._pool.submit(busy.wait, 10)

        sending = asyncio.create_task(sender.send(MESSAGE))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        busy.set()
        sender._threads._pool.shutdown()

        assert [] == carrier.requests


# What it takes to make one.


class TestConfiguration:
    @both
    @pytest.mark.parametrize(
        "changes, words",
        [
            ({"account_sid": "AC123"}, "account_sid must be AC and 32 hexadecimal digits, as in Twilio's console"),
            ({"account_sid": "SK" + ACCOUNT[2:]}, "account_sid must"),
            ({"account_sid": ACCOUNT + "\n"}, "account_sid must"),
            ({"account_sid": None}, "account_sid must"),
            ({"account_sid": ACCOUNT.encode()}, "account_sid must"),
            ({"account_sid": TOKEN, "auth_token": ACCOUNT}, "account_sid must"),
            ({"auth_token": ""}, "auth_token must be text of 16 or more ASCII characters without white space"),
            ({"auth_token": TOKEN[:15]}, "auth_token must"),
            ({"auth_token": TOKEN + "\n"}, "auth_token must"),
            ({"auth_token": f" {TOKEN}"}, "auth_token must"),
            ({"auth_token": TOKEN + "ö"}, "auth_token must"),
            ({"auth_token": None}, "auth_token must"),
            ({"auth_token": TOKEN.encode()}, "auth_token must"),
            ({"from_number": None}, "give either from_number or messaging_service_sid"),
            ({"messaging_service_sid": SERVICE}, "give either from_number or messaging_service_sid"),
            (
                {"from_number": "4155550106"},
                "from_number must be + and 7 to 15 digits, a short code of 3 to 6 digits, or",
            ),
            ({"from_number": ""}, "from_number must"),
            ({"from_number": "+1 415 555 0106"}, "from_number must"),
            ({"from_number": "+14155550106\n"}, "from_number must"),
            ({"from_number": "+0123456789"}, "from_number must"),
            ({"from_number": "12"}, "from_number must"),
            ({"from_number": "1234567"}, "from_number must"),
            ({"from_number": "12 34"}, "from_number must"),
            ({"from_number": "Acme Payments"}, "from_number must"),
            ({"from_number": "Acmé"}, "from_number must"),
            ({"from_number": "+١٤١٥٥٥٥٠١٠٦"}, "from_number must"),
            ({"from_number": 14155550106}, "from_number must"),
            ({"from_number": SERVICE}, "from_number must"),
            ({"from_number": "+15005550006"}, "from_number is a test number of Twilio's, which sends nothing; use"),
            ({"from_number": None, "messaging_service_sid": "MG123"}, "messaging_service_sid must be MG and 32 hexa"),
            ({"from_number": None, "messaging_service_sid": ACCOUNT}, "messaging_service_sid must"),
            ({"from_number": None, "messaging_service_sid": 7}, "messaging_service_sid must"),
            ({"timeout": timedelta(0)}, "timeout: a timedelta above zero and of at most one hour"),
            ({"timeout": timedelta(seconds=-1)}, "timeout: a timedelta"),
            ({"timeout": timedelta.max}, "timeout: a timedelta"),
            ({"timeout": 10}, "timeout: a timedelta"),
            ({"timeout": None}, "timeout: a timedelta"),
            ({"clock": None}, "clock must be a function like time.time_ns"),
            ({"risk_check": True}, 'risk_check must be "enable", "disable" or None'),
            ({"content_retention": "never"}, 'content_retention must be "retain", "discard" or None'),
            ({"status_callback": "http://acme.example/"}, "status_callback must be an https URL"),
            ({"voice_number": "Acme"}, "voice_number must be + and 7 to 15 digits"),
            ({"whatsapp_number": "Acme"}, "whatsapp_number must be + and 7 to 15 digits"),
        ],
    )
    def test_refused(self, changes, words, kind):
        """T12: what cannot work is refused, with words that say how to mend it, and without showing the token."""
        with pytest.raises(ConfigurationError) as caught:
            kind(**ARGUMENTS | changes)

        assert str(caught.value).startswith(words)
        assert [] == leaks(caught.value)

    @pytest.mark.parametrize(
        "changes",
        [
            {"account_sid": ACCOUNT.upper()},
            {"auth_token": "!" * 16},
            {"from_number": "+1234567"},
            {"from_number": "+123456789012345"},
            {"from_number": "123"},
            {"from_number": "123456"},
            {"from_number": "A"},
            {"from_number": "0123456789A"},
            {"from_number": "My Company"},
            {"from_number": None, "messaging_service_sid": SERVICE.upper()},
            {"timeout": timedelta(hours=1)},
        ],
    )
    def test_accepted(self, changes):
        """Every form that Twilio has is accepted."""
        assert TwilioSender(**ARGUMENTS | changes)

    def test_default_timeout(self):
        """R33: Twilio has ten seconds unless told otherwise."""
        assert (10.0, 10.0) == TwilioSender(**ARGUMENTS)._api.client().http_client._timeouts

    def test_client_is_made_once(self, monkeypatch):
        """Threads that send their first message together share one client."""
        made, second = [], threading.Event()

        def client(*arguments, **options):
            made.append(arguments)
            if len(made) == 1:
                second.wait(0.2)
            else:
                second.set()
            return original(*arguments, **options)

        original = twilio.rest.Client
        monkeypatch.setattr(twilio.rest, "Client", client)
        sender = TwilioSender(**ARGUMENTS)
        threads = [threading.Thread(target=sender._api.client) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 == len(made)

    def test_import_is_light(self):
        """Neither the module nor a new sender loads the SDK, an HTTP client or an event loop."""
        program = (
            "import sys; from smsmfa.senders.twilio import AsyncTwilioSender, TwilioSender;"
            f"given = dict(account_sid={ACCOUNT!r}, auth_token={TOKEN!r}, from_number='Acme');"
            "TwilioSender(**given); AsyncTwilioSender(**given);"
            "print({'aiohttp', 'asyncio', 'concurrent', 'requests', 'twilio', 'urllib3'} & set(sys.modules))"
        )

        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert "set()" == done.stdout.strip()

    @both
    def test_from_env(self, kind):
        """T12: a sender is made of variables, and of what the call gives; a traceback shows neither."""
        environment = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
        with pytest.raises(ConfigurationError) as caught:
            kind.from_env(environment)

        assert f"{kind.__name__}(from_number='••••me')" == repr(kind.from_env(environment, from_number="Acme"))
        assert [] == leaks(caught.value)


class TestCheck:
    @both
    def test_check(self, kind, serve):
        """The account is asked whether messages can go out; the findings are those of its own module."""
        sender = sender_to(serve(reply(401, {"code": 20003})).url, kind)
        found = sender.check()
        found = asyncio.run(found) if asyncio.iscoroutine(found) else found

        assert [("account", "error"), ("from_number", "not checked")] == [(one.subject, one.level) for one in found]
        assert [] == secrets_in(repr(found))


# What it keeps to itself.


class TestSecrets:
    @pytest.mark.parametrize(
        "changes, expected",
        [
            ({}, "(from_number='••••06')"),
            ({"from_number": "Acme"}, "(from_number='••••me')"),
            ({"from_number": None, "messaging_service_sid": SERVICE}, "(messaging_service_sid='MG…cdef')"),
        ],
    )
    @both
    def test_repr(self, kind, changes, expected):
        """T12: a sender shows where its messages come from, in part, and nothing else."""
        assert kind.__name__ + expected == repr(kind(**ARGUMENTS | changes))

    @both
    def test_attributes(self, kind, serve):
        """T12: the attributes of a sender do not show the token, not even once it has sent."""
        sender = sender_to(serve(accepted).url, kind)
        send(sender)

        assert [] == secrets_in(repr(vars(sender)))

    @both
    @pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_no_copy(self, kind, duplicate):
        """T12: a sender can be neither pickled nor copied."""
        with pytest.raises(TypeError, match=f"^a {kind.__name__} holds a secret and cannot be pickled"):
            duplicate(kind(**ARGUMENTS))

    @pytest.mark.parametrize("answer", [kept(accepted), accepted, refusal(21211), hang, drop, half(accepted)])
    def test_http_client_remembers_nothing(self, answer, serve):
        """T12: after a message, sent or not, the HTTP client holds no text, number or token."""
        sender = sender_to(serve(answer).url, timeout=SHORT)
        with suppress(DeliveryError):
            send(sender)

        texts = texts_behind(sender._api.client().http_client)

        assert any("http://" in text for text in texts)
        assert [] == secrets_in("\n".join(texts))

    def test_interrupt(self):
        """Only errors are judged: an interrupt passes through."""

        def interrupted(*arguments, **form):
            raise KeyboardInterrupt

        sender = sender_to("http://127.0.0.1:9")
        sender._api.client().api.request = interrupted

        with pytest.raises(KeyboardInterrupt):
            sender.send(MESSAGE)
