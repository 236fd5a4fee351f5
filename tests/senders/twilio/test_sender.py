"""The Twilio senders send each message once, in bounded time; raise the right error; and show nothing."""

import asyncio
import base64
import gc
import json
import logging
import pickle
import subprocess
import sys
import traceback
import types
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import parse_qs

import attrs
import pytest
from senders.calls import AMPLE, SHORT, Patient, done, failure, gated, patient, raises, send, unhurried
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
from smsmfa.senders.failover import FailoverSender
from smsmfa.senders.twilio import AsyncTwilioSender, TwilioSender
from smsmfa.testing import Answer, AsyncSenderConformance, SenderConformance
from smsmfa.testing.carrier import drop, half, hang, kept
from smsmfa.typing import VOICE, WHATSAPP, Message, Receipt

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
BASIC = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
SERVICE = "MG" + "0123456789abcdef" * 2
NUMBER = "+14155552671"
TEXT = "314159 is your code for Acme & Söhne.\n@acme.example #314159"
SID = "SM" + "0" * 32
NOW = 1_700_000_000
#: The fields of every SMS by default.
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
    "timeout": AMPLE,
}
both = pytest.mark.parametrize("kind", [TwilioSender, AsyncTwilioSender])


# Answers of Twilio.


def reply(status, body, *headers, **more):
    """Return an answer of this status and body."""
    return Answer(status, body if isinstance(body, str) else json.dumps(body), headers, **more)


accepted = reply(201, {"sid": SID, "to": NUMBER, "body": TEXT})


def form(request):
    """Return the form of a request."""
    return {name: value for name, [value] in parse_qs(request.body, strict_parsing=True).items()}


def refusal(code, status=400):
    """Return Twilio's answer with an error code. Its message repeats the number."""
    return reply(status, {"code": code, "message": f"The 'To' number {NUMBER} is not valid: {TEXT}", "status": status})


def problem(code, status):
    """Return an error in the format of RFC 9457."""
    body = {"type": "about:blank", "title": NUMBER, "status": status, "code": code, "detail": TEXT}
    return reply(status, body, content_type="application/problem+json")


SECRETS = (TOKEN, BASIC, BASIC[-20:], "'314159'", "314159 is", "314159+is", "#314159", "Söhne", NUMBER[1:], NUMBER[2:])


def secrets_in(text):
    """Return the secrets that ``text`` shows."""
    return [secret for secret in SECRETS if secret in text]


def leaks(error):
    """Return the secrets in an error's text, its frames' locals and the errors behind it."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [f"{frame.filename} {frame.name} {frame.locals}" for frame in frames if frame.filename != __file__]
    behind = [f"not alone: {other!r}" for other in (error.__cause__, error.__context__) if other is not None]
    return behind + secrets_in("\n".join([str(error), repr(error), repr(vars(error)), *ours]))


def texts_behind(thing):
    """Return every text that can be reached from ``thing``, except through modules, code and loggers."""
    skipped = (types.ModuleType, type, types.FunctionType, types.CodeType, types.FrameType, logging.Logger)
    seen, waiting, texts = set(), [thing], []
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, skipped):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            texts.append(one if isinstance(one, str) else one.decode("latin-1"))
        waiting += gc.get_referents(one)
    return texts


def sender_to(url, kind=TwilioSender, **changes):
    """Return a sender whose SDK client sends to ``url``."""
    sender = kind(**ARGUMENTS | changes)
    sender._api._client().api.base_url = url
    return sender


# The kit's suite.


class Promises(Patient):
    accepted = accepted
    rejected = reply(400, {"code": 21211, "message": f"{SenderConformance.message.to.e164} is not a valid number"})
    misconfigured = reply(401, {"code": 20003, "message": "Authenticate"})
    secrets = TOKEN, BASIC, BASIC[-20:]


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return patient(sender_to(url, AsyncTwilioSender, timeout=timeout))


class TestConformanceAtAddress(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        sender = TwilioSender(**ARGUMENTS | {"timeout": timeout}, base_url=url)
        unhurried(sender._api._client().http_client._session)
        return sender


class TestAsyncConformanceAtAddress(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        sender = AsyncTwilioSender(**ARGUMENTS | {"timeout": timeout}, base_url=url)
        unhurried(sender._api._client().http_client._session)
        return patient(sender)


@pytest.mark.usefixtures("encrypted")
class TestConformanceOverTls(TestConformanceAtAddress):
    pass


@pytest.mark.usefixtures("encrypted")
class TestAsyncConformanceOverTls(TestAsyncConformanceAtAddress):
    pass


class TestCallConformance(Promises, SenderConformance):
    message = attrs.evolve(SenderConformance.message, channel=VOICE)

    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestWhatsAppConformance(Promises, SenderConformance):
    message = attrs.evolve(SenderConformance.message, channel=WHATSAPP)

    def make_sender(self, url, timeout):
        content = "HX" + "0123456789abcdef" * 2
        return sender_to(url, timeout=timeout, whatsapp_number="+14155550108", whatsapp_content_sid=content)


# The request.


class TestRequest:
    @both
    def test_from_number(self, kind, serve):
        """The form has the recipient, the text, the sender, the validity period and the default options."""
        carrier = serve(accepted)

        assert RECEIPT == send(sender_to(carrier.url, kind), MESSAGE)

        [request] = carrier.requests
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1" == request.line
        assert f"Basic {BASIC}" == request.headers["Authorization"]
        assert USUAL | {"From": "+14155550106", "Body": TEXT} == form(request)

    def test_messaging_service(self, serve):
        """The SID of a messaging service replaces the number."""
        carrier = serve(accepted)

        assert RECEIPT == sender_to(carrier.url, from_number=None, messaging_service_sid=SERVICE).send(MESSAGE)

        [request] = carrier.requests
        assert USUAL | {"MessagingServiceSid": SERVICE, "Body": TEXT} == form(request)

    @both
    def test_key(self, kind, serve):
        """T12: a key sends for its account, to another address if there is one, and is shown as little as the token."""
        carrier, key = serve(accepted), "SK" + "0123456789abcdef" * 2
        given = {"account_sid": ACCOUNT, "api_key": key, "api_secret": TOKEN, "from_number": "+14155550106"}
        sender = kind(**given, base_url=carrier.url, timeout=AMPLE)

        assert RECEIPT == send(sender, MESSAGE)
        [request] = carrier.requests
        assert "Basic " + base64.b64encode(f"{key}:{TOKEN}".encode()).decode() == request.headers["Authorization"]
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1" == request.line
        assert [] == secrets_in(repr(sender) + repr(vars(sender)))

    def test_own_client(self):
        """The application's own client makes the request, at the host of region and edge."""
        made = []

        class OwnClient:
            def request(self, method, uri, **given):
                made.append(uri)
                return type("Response", (), {"status_code": 201, "text": accepted.body, "headers": {}})

        sender = TwilioSender(**ARGUMENTS, region="ie1", edge="dublin", http_client=OwnClient())

        assert RECEIPT == send(sender, MESSAGE)
        assert [f"https://api.dublin.ie1.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"] == made

    def test_options(self, serve):
        """The sender's options are posted."""
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

        assert RECEIPT == sender_to(carrier.url, **options).send(MESSAGE)
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
        """A message on the channel voice becomes a call, and the receipt has the call's SID."""
        carrier = serve(reply(201, {"sid": "CA00"}))

        receipt = send(sender_to(carrier.url, kind), attrs.evolve(MESSAGE, channel=VOICE))

        [request] = carrier.requests
        assert Receipt("CA00", "twilio") == receipt
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Calls.json HTTP/1.1" == request.line
        assert {"To", "From", "Twiml"} == form(request).keys()

    def test_whatsapp(self, serve):
        """A message on the channel whatsapp goes there, from the number that is set up for it."""
        carrier = serve(accepted)
        sender = sender_to(carrier.url, whatsapp_number="+14155550108")

        assert RECEIPT == send(sender, attrs.evolve(MESSAGE, channel=WHATSAPP))
        assert "whatsapp:+14155550108" == form(carrier.requests[0])["From"]

    def test_channel_that_is_not_set_up(self, serve):
        """A channel that is not set up is refused, and nothing is sent."""
        carrier = serve(accepted)
        sender = sender_to(carrier.url, from_number="Acme")

        for channel in (VOICE, WHATSAPP, "pigeon"):
            with pytest.raises(SenderMisconfigured) as caught:
                send(sender, attrs.evolve(MESSAGE, channel=channel))
            assert [] == leaks(caught.value)
        assert [] == carrier.requests

    def test_default_clock(self, serve):
        """R33: the default clock is the system's: the code of this message has expired, so a second is left."""
        carrier = serve(accepted)
        sender = TwilioSender(account_sid=ACCOUNT, auth_token=TOKEN, from_number="Acme")
        sender._api._client().api.base_url = carrier.url

        send(sender, MESSAGE)

        assert "1" == form(carrier.requests[0])["ValidityPeriod"]

    def test_environment_is_not_read(self, serve, monkeypatch):
        """Environment variables for other programs that use the SDK have no effect."""
        for name in ("ACCOUNT_SID", "AUTH_TOKEN", "EDGE", "REGION"):
            monkeypatch.setenv(f"TWILIO_{name}", "sydney")
        carrier = serve(accepted)

        assert RECEIPT == send(sender_to(carrier.url), MESSAGE)
        assert f"Basic {BASIC}" == carrier.requests[0].headers["Authorization"]

    def test_proxy(self, serve, monkeypatch):
        """A proxy from the environment is used."""
        carrier = serve(accepted)
        monkeypatch.setenv("http_proxy", carrier.url)

        assert RECEIPT == send(sender_to("http://twilio.invalid"), MESSAGE)
        assert carrier.requests[0].line.startswith("POST http://twilio.invalid/")


# The outcome.

FAILURES = {
    "hang": (hang, DeliveryUncertain, "Twilio gave no usable answer (ReadTimeout)"),
    "drop": (drop, DeliveryUncertain, "Twilio gave no usable answer (ConnectionError)"),
    "half a body": (half(accepted), DeliveryUncertain, "Twilio gave no usable answer"),
    "garbage with 201": (reply(201, "<html>" + TEXT), DeliveryUncertain, "Twilio gave no usable answer (HTTP 201"),
    "empty 201": (reply(201, ""), DeliveryUncertain, "Twilio gave no usable answer (HTTP 201 without a JSON object)"),
    "201 without SID": (reply(201, {"body": TEXT}), DeliveryUncertain, "Twilio answered without a message SID"),
    "201 with empty SID": (reply(201, {"sid": ""}), DeliveryUncertain, "Twilio answered without a message SID"),
    "201 with a number": (reply(201, {"sid": 7}), DeliveryUncertain, "Twilio answered without a message SID"),
    "201 with a list": (reply(201, [TEXT]), DeliveryUncertain, "Twilio gave no usable answer (HTTP 201"),
    "400": (reply(400, {"message": TEXT}), DeliveryRejected, "Twilio: HTTP 400"),
    "401": (reply(401, ""), SenderMisconfigured, "Twilio: HTTP 401; check the account SID and the credentials"),
    "429": (reply(429, {"code": 20429, "message": TEXT}), RateLimited, "the limit on 'carrier' is used up"),
    "429 with a pause": (
        reply(429, "slow down", "Retry-After: 7"),
        RateLimited,
        "the limit on 'carrier' is used up; try again in 7 s",
    ),
    "opt-out": (refusal(21610), RecipientOptedOut, "Twilio 21610: the recipient has opted out"),
    "test credentials": (refusal(20008, 403), SenderMisconfigured, "Twilio 20008: these are test credentials"),
    "500": (
        reply(500, {"code": 20500, "message": TEXT}),
        DeliveryUncertain,
        "Twilio 20500: Twilio had an internal error",
    ),
    "503": (reply(503, "<html>"), DeliveryUncertain, "Twilio: HTTP 503"),
    "unknown code with 400": (refusal(29_999), DeliveryRejected, "Twilio 29999: HTTP 400"),
    "unknown code with 403": (refusal(29_999, 403), SenderMisconfigured, "Twilio 29999: HTTP 403"),
    "unknown code with 500": (refusal(29_999, 500), DeliveryUncertain, "Twilio 29999: HTTP 500"),
    "problem with a known code": (problem(21211, 400), RecipientRejected, "Twilio 21211: this is not a valid number"),
    "problem with an unknown code": (problem(29_999, 500), DeliveryUncertain, "Twilio 29999: HTTP 500"),
}


class TestOutcome:
    @pytest.mark.parametrize("name", FAILURES)
    def test_failure(self, name, serve, caplog):
        """R33, T12, T24: each failure has its error, makes one request, and shows no message."""
        answer, expected, words = FAILURES[name]
        carrier = serve(answer)
        caplog.set_level(logging.DEBUG)

        error = failure(sender_to(carrier.url, timeout=SHORT if answer is hang else AMPLE), MESSAGE)

        assert expected is type(error)
        assert str(error).startswith(words)
        assert 1 == len(carrier.received())
        assert 1 == carrier.connections
        assert [] == leaks(error)
        assert [] == secrets_in(caplog.text)

    @both
    def test_refused_connection(self, kind, refused):
        """T12: if Twilio refuses the connection nothing was sent."""
        error = failure(sender_to(refused, kind), MESSAGE)

        assert DeliveryRejected is type(error)
        assert "Twilio cannot be reached" == str(error)
        assert [] == leaks(error)

    @both
    @pytest.mark.parametrize("problem", [RuntimeError(TEXT), OSError(TOKEN), TwilioException()], ids=["0", "1", "2"])
    def test_unknown_error(self, problem, kind, monkeypatch):
        """T12, T24: after an unforeseen error the message may have been sent."""
        sender = sender_to("http://127.0.0.1:9", kind)
        monkeypatch.setattr(sender._api._client().api, "request", raises(problem))
        error = failure(sender, MESSAGE)

        assert DeliveryUncertain is type(error)
        assert str(error).startswith("Twilio gave no usable answer")
        assert [] == leaks(error)


def test_opt_out(serve):
    """R32: after STOP a challenge is refused and not charged, a recovery code still works, and START ends it."""
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


@pytest.mark.parametrize("code", [21612, 21408, 21606, 21703, 21608, 21265, 21268, 21215, 63013, 29_999])
@pytest.mark.parametrize("carriers", [1, 2])
def test_one_user_stops_nobody(code, carriers, serve):
    """However often one user asks for codes to numbers that Twilio refuses, others get theirs."""
    carrier = serve(
        lambda exchange: (refusal(code) if "4165550" in exchange.server.requests[-1].body else accepted)(exchange)
    )
    sender = FailoverSender([sender_to(carrier.url) for _ in range(carriers)])
    enroller = Enroller(attrs.evolve(a_config(), regions={"US", "CA"}), MemoryStore(), sender)
    for number in range(100, 110):
        with pytest.raises(DeliveryRejected):
            enroller.start("mallory", f"+14165550{number}")

    assert all(enroller.start(f"user {number}", f"+14155552{number}").sent for number in range(100, 110))


@pytest.mark.parametrize(
    "answer, code",
    [
        (refusal(21612), "21612"),
        (refusal(21610), "21610"),
        (refusal(29_999), "29999"),
        (refusal(20429, 429), "20429"),
        (refusal(20003, 401), "20003"),
        (refusal(20500, 500), "20500"),
        (reply(429, ""), None),
        (reply(503, "<html>"), None),
        (drop, None),
    ],
)
@pytest.mark.parametrize(
    "wrap", [lambda sender: sender, lambda sender: FailoverSender([sender])], ids=["plain", "failover"]
)
def test_carriers_code(answer, code, wrap, serve):
    """Twilio's code is in the error and in the event, through a failover sender too, and not in an API's answer."""
    events, sender = [], wrap(sender_to(serve(answer).url))
    enroller = Enroller(a_config(), MemoryStore(), sender, on_event=events.append)

    error = failure(sender, MESSAGE)
    with suppress(DeliveryError, RateLimited):
        enroller.start("alice", NUMBER)

    assert ("twilio", code) == (error.carrier, error.carrier_code)
    assert ("twilio", code) == (events[-1].carrier, events[-1].carrier_code)
    assert not {"carrier", "carrier_code"} & error.problem().keys()
    assert error.http_status < 500 or "Twilio" not in json.dumps(error.problem())


@both
def test_unknown_codes(kind, serve):
    """A sender counts the codes that it does not know, and its error says so."""
    sender = sender_to(serve(refusal(29_999), refusal(29_999), refusal(21610)).url, kind)

    errors = [failure(sender, MESSAGE) for _ in range(3)]

    assert "Twilio 29999: HTTP 400; this version does not know the code" == str(errors[0])
    assert {29_999: 2} == sender.unknown_codes


def test_carrier_of_a_message(serve):
    """The event of a message that was sent names the carrier, and so does a call that never waits for Twilio."""
    events = []
    Enroller(a_config(), MemoryStore(), sender_to(serve(accepted).url), on_event=events.append).start("alice", NUMBER)

    assert ("ok", "twilio", None) == (events[0].outcome, events[0].carrier, events[0].carrier_code)


# Feedback.


class TestFeedback:
    @both
    def test_confirm(self, kind, serve):
        """Twilio is told that the code of a message came back."""
        carrier = serve(reply(201, {"outcome": "confirmed"}))

        assert None is done(sender_to(carrier.url, kind).confirm(SID))

        [request] = carrier.requests
        assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Feedback.json HTTP/1.1" == request.line
        assert {"Outcome": "confirmed"} == form(request)

    @pytest.mark.parametrize(
        "answer, words",
        [
            (refusal(20404, 404), "no feedback was given: Twilio answers HTTP 404"),
            (drop, "no feedback was given: Twilio gave no usable answer (ConnectionError)"),
        ],
        ids=["404", "drop"],
    )
    def test_failure(self, answer, words, serve):
        """T12: feedback that Twilio does not accept is a plain DeliveryError, which says nothing about the message."""
        with pytest.raises(DeliveryError) as caught:
            sender_to(serve(answer).url).confirm(SID)

        assert (DeliveryError, words) == (caught.type, str(caught.value))
        assert [] == leaks(caught.value)

    @pytest.mark.parametrize("message_id", ["", "CA" + "0" * 32, SID + "/..", SID[:-1], None])
    def test_no_message(self, message_id):
        """A value that is not the id of a message is refused."""
        with pytest.raises(ValueError, match="message_id must be SM or MM and 32 hexadecimal digits"):
            TwilioSender(**ARGUMENTS).confirm(message_id)


async def test_cancelled(serve):
    """A message that is being sent is sent to the end, once, although its call is cancelled."""
    answer, arrived, leave = gated(asyncio.get_running_loop(), accepted)
    carrier = serve(answer)
    sender, outcomes = sender_to(carrier.url, AsyncTwilioSender), []
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


# Configuration.


class TestConfiguration:
    @pytest.mark.parametrize(
        "changes, words",
        [
            ({"account_sid": TOKEN, "auth_token": ACCOUNT}, "account_sid must be AC and 32 hexadecimal digits"),
            ({"auth_token": TOKEN + "ö"}, "auth_token must be text of 16 or more ASCII characters"),
            ({"auth_token": None, "api_key": TOKEN, "api_secret": TOKEN}, "api_key must be SK and 32 hexadecimal"),
            ({"api_key": "SK" + "0" * 32, "api_secret": TOKEN}, "give auth_token, or api_key and api_secret"),
            ({"region": "IE1"}, "region must be lower-case letters and digits"),
            ({"base_url": f"http://acme.example/{TOKEN}"}, "base_url: https:// and a host"),
            ({"http_client": 7}, "http_client must be like twilio.http.HttpClient"),
            ({"messaging_service_sid": SERVICE}, "give from_number or messaging_service_sid, and not both"),
            ({"timeout": 10}, "timeout: "),
            ({"clock": 7}, "clock: a function like time.time_ns"),
            ({"risk_check": True}, 'risk_check must be "enable", "disable" or None'),
            ({"content_retention": "never"}, 'content_retention must be "retain", "discard" or None'),
            ({"status_callback": "http://acme.example/"}, "status_callback must be an https URL"),
            ({"voice_number": "Acme"}, "voice_number must be + and 7 to 15 digits"),
            ({"whatsapp_number": "Acme"}, "whatsapp_number must be + and 7 to 15 digits"),
        ],
    )
    def test_refused(self, changes, words):
        """T12: a wrong argument is refused, and the error says how to fix it and does not show the token."""
        with pytest.raises(ConfigurationError) as caught:
            TwilioSender(**ARGUMENTS | changes)

        assert str(caught.value).startswith(words)
        assert [] == leaks(caught.value)

    def test_default_timeout(self):
        """R33: by default Twilio has ten seconds."""
        sender = TwilioSender(account_sid=ACCOUNT, auth_token=TOKEN, from_number="Acme")

        assert (10.0, 10.0) == sender._api._client().http_client._session._timeouts

    def test_import_is_light(self):
        """Importing the module and making a sender load no SDK, no HTTP client and no event loop."""
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
        """T12: a sender is made from variables and arguments, and a traceback shows neither."""
        environment = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
        with pytest.raises(ConfigurationError) as caught:
            kind.from_env(environment)

        assert f"{kind.__name__}(from_number='••••me')" == repr(kind.from_env(environment, from_number="Acme"))
        assert [] == leaks(caught.value)


class TestCheck:
    @both
    def test_check(self, kind, serve):
        """The account is checked; test_check.py has the findings."""
        sender = sender_to(serve(reply(401, {"code": 20003})).url, kind)
        found = done(sender.check())

        assert [("account", "error"), ("from_number", "not checked")] == [(one.subject, one.level) for one in found]
        assert [] == secrets_in(repr(found))


# What it hides.


class TestSecrets:
    @both
    def test_repr(self, kind):
        """T12: the repr shows a part of the number that messages come from, and nothing else."""
        assert f"{kind.__name__}(from_number='••••06')" == repr(kind(**ARGUMENTS))

    @both
    def test_attributes(self, kind, serve):
        """T12: the attributes of a sender do not show the token, even after a message."""
        sender = sender_to(serve(accepted).url, kind)
        send(sender, MESSAGE)

        assert [] == secrets_in(repr(vars(sender)))

    @both
    def test_no_copy(self, kind):
        """T12: a sender cannot be pickled."""
        with pytest.raises(TypeError, match=f"^a {kind.__name__} holds a secret and cannot be pickled"):
            pickle.dumps(kind(**ARGUMENTS))

    @pytest.mark.parametrize("answer", [kept(accepted), refusal(21211), drop], ids=["kept", "refusal", "drop"])
    def test_http_client_remembers_nothing(self, answer, serve):
        """T12: after a message, sent or not, the HTTP client holds no text, number or token."""
        sender = sender_to(serve(answer).url)
        with suppress(DeliveryError):
            send(sender, MESSAGE)

        texts = texts_behind(sender._api._client().http_client)

        assert any("http://" in text for text in texts)
        assert [] == secrets_in("\n".join(texts))

    def test_interrupt(self):
        """An interrupt is not an error: it passes through."""
        sender = sender_to("http://127.0.0.1:9")
        sender._api._client().api.request = raises(KeyboardInterrupt())

        with pytest.raises(KeyboardInterrupt):
            sender.send(MESSAGE)
