"""The sender and the status callback work with an emulator of Twilio that we did not write."""

import re
from queue import Queue
from urllib.parse import urlsplit

import attrs
import pytest
from senders.calls import AMPLE, HANGS, done
from senders.twilio.emulator_server import ACCOUNT, NO_SERVICE, NUMBER, SERVICE, TOKEN, UNOWNED, emulator
from support import a_config, rejected, wrong

from smsmfa import (
    AsyncEnroller,
    AsyncMemoryStore,
    AsyncTwilioSender,
    AsyncVerifier,
    CodeRejected,
    Enroller,
    MemoryStore,
    SenderMisconfigured,
    TwilioSender,
    Verifier,
)
from smsmfa.senders.twilio import CallbackRejected, StatusCallback
from smsmfa.testing import Answer, Carrier, SenderConformance
from smsmfa.typing import VOICE

MESSAGE = SenderConformance.message
TO = MESSAGE.to.e164

#: The token of another account.
WRONG = "0" * 32

both = pytest.mark.parametrize("kind", [TwilioSender, AsyncTwilioSender])


@pytest.fixture(scope="module")
def twilio():
    """Run the emulator."""
    with emulator() as running:
        yield running


@pytest.fixture
def inbox():
    """Run a server of the application; return its URL and the queue of requests."""
    posted = Queue()

    def take(exchange):
        posted.put(exchange.server.requests[-1])
        Answer(204)(exchange)

    with Carrier(take) as carrier:
        yield carrier.url, posted


def sender_to(twilio, kind=TwilioSender, **changes):
    """Return a sender that sends to the emulator."""
    given = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": NUMBER, "timeout": AMPLE}
    sender = kind(**given | changes)
    client = sender._api._client()
    client.api.base_url, client.messaging.base_url = twilio.url, f"{twilio.url}/messaging"
    return sender


def pool(sid=SERVICE):
    """Return the arguments of a sender with a messaging service."""
    return {"from_number": None, "messaging_service_sid": sid}


@both
def test_from_number(kind, twilio):
    """The emulator accepts a message from a number, and has it as it was sent."""
    receipt = done(sender_to(twilio, kind).send(MESSAGE))

    accepted = twilio.message(receipt.message_id)
    assert (TO, NUMBER, MESSAGE.text) == (accepted["to"], accepted["from"], accepted["body"])


@both
def test_messaging_service(kind, twilio):
    """The emulator accepts a message from a messaging service, and the service chooses the number."""
    receipt = done(sender_to(twilio, kind, **pool()).send(MESSAGE))

    accepted = twilio.message(receipt.message_id)
    assert (SERVICE, NUMBER) == (accepted["messaging_service_sid"], accepted["from"])


def test_call(twilio):
    """The emulator accepts a call."""
    receipt = sender_to(twilio).send(attrs.evolve(MESSAGE, channel=VOICE))

    accepted = twilio.call(receipt.message_id)
    assert (TO, NUMBER) == (accepted["to"], accepted["from"])


@both
@pytest.mark.parametrize(
    "changes, words",
    [
        ({"auth_token": WRONG}, "Twilio 20003: wrong account SID, auth token or API key"),
        ({"account_sid": "AC" + "f" * 32}, "Twilio 20003: wrong account SID, auth token or API key"),
        ({"from_number": UNOWNED}, "Twilio 21606: the from_number cannot send SMS"),
        (pool(NO_SERVICE), "Twilio 20404: the account or the messaging service"),
    ],
)
def test_misconfigured(kind, changes, words, twilio):
    """A mistake of the operator is SenderMisconfigured, and nothing is sent."""
    before = len(twilio.messages())

    with pytest.raises(SenderMisconfigured) as caught:
        done(sender_to(twilio, kind, **changes).send(MESSAGE))

    assert str(caught.value).startswith(words)
    assert before == len(twilio.messages())


#: The emulator has no balance. Its services are not registered for 10DLC.
UNKNOWN = ("balance", "not checked")


@both
@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, [("account", "ok"), ("from_number", "warning"), UNKNOWN]),
        ({"auth_token": WRONG}, [("account", "error"), ("from_number", "not checked")]),
        ({"from_number": UNOWNED}, [("account", "ok"), ("from_number", "error"), UNKNOWN]),
        (pool(), [("account", "ok"), ("messaging_service_sid", "ok"), UNKNOWN]),
        (pool(NO_SERVICE), [("account", "ok"), ("messaging_service_sid", "error"), UNKNOWN]),
    ],
)
def test_check(kind, changes, expected, twilio):
    """The check of the account finds the same mistakes beforehand."""
    findings = done(sender_to(twilio, kind, **changes).check())

    assert expected == [(finding.subject, finding.level) for finding in findings]


def read(callback, url, request):
    """Read a report as an application does."""
    target = request.line.split()[1]
    return callback.read(url + target, request.body, request.headers["X-Twilio-Signature"])


def test_reports(twilio, inbox):
    """T21: reports signed by the emulator are accepted under the right token and under no other."""
    url, posted = inbox
    receipt = sender_to(twilio, status_callback=f"{url}/twilio?tenant=7").send(MESSAGE)
    requests = [posted.get(timeout=HANGS)]
    for status in ("sent", "delivered"):
        twilio.report(receipt.message_id, status)
        requests.append(posted.get(timeout=HANGS))

    reports = [read(StatusCallback(TOKEN), url, request) for request in requests]

    assert ["queued", "sent", "delivered"] == [report.status for report in reports]
    assert {(receipt.message_id, MESSAGE.challenge_id, MESSAGE.to.masked)} == {
        (report.message_id, report.challenge_id, report.phone) for report in reports
    }
    for request in requests:
        with pytest.raises(CallbackRejected):
            read(StatusCallback(WRONG), url, request)
        with pytest.raises(CallbackRejected):
            read(StatusCallback(TOKEN), url, attrs.evolve(request, body=request.body + "&More="))


def code_of(twilio):
    """Return the code on the phone."""
    return re.search(r"\b[0-9]{6}\b", twilio.messages()[0]["body"])[0]


def test_login(twilio, inbox):
    """A user enrols and logs in with the codes that arrive, and the reports belong to the challenges."""
    url, posted = inbox
    events = []
    factor = a_config(), MemoryStore(), sender_to(twilio, status_callback=url)
    enroller, verifier = Enroller(*factor, on_event=events.append), Verifier(*factor, on_event=events.append)

    pending = enroller.start("alice", TO)
    assert enroller.confirm("alice", pending.id, code_of(twilio)).recovery_codes
    challenge = verifier.challenge("alice")
    code = code_of(twilio)
    assert 4 == rejected(verifier.verify, "alice", challenge.id, wrong(code), error=CodeRejected).attempts_left
    assert "sms" == verifier.verify("alice", challenge.id, code).method

    reports = [read(StatusCallback(TOKEN), url, posted.get(timeout=HANGS)).event for _ in range(2)]
    sent = [(event.challenge_id, event.message_id, event.phone) for event in events if event.name == "gd_send_sms"]
    assert [pending.id, challenge.id] == [challenge_id for challenge_id, *_ in sent]
    assert sorted(sent) == sorted((event.challenge_id, event.message_id, event.phone) for event in reports)


async def test_login_on_a_loop(twilio):
    """A user enrols and logs in on an event loop, and has the code repeated by a call."""
    factor = a_config(resend_gap=a_config().resend_gap * 0), AsyncMemoryStore(), sender_to(twilio, AsyncTwilioSender)
    enroller, verifier = AsyncEnroller(*factor), AsyncVerifier(*factor)

    pending = await enroller.start("alice", TO)
    await enroller.confirm("alice", pending.id, code_of(twilio))
    challenge = await verifier.challenge("alice")
    again = await verifier.resend("alice", challenge.id, channel=VOICE)

    assert VOICE == again.channel
    assert VOICE == (await verifier.verify("alice", challenge.id, code_of(twilio))).method


def test_where_reports_go(twilio, inbox):
    """Twilio calls the given URL with the challenge in its query."""
    url, posted = inbox
    sender_to(twilio, status_callback=f"{url}/twilio?tenant=7").send(MESSAGE)

    target = urlsplit(posted.get(timeout=HANGS).line.split()[1])

    assert ("/twilio", f"tenant=7&challenge={MESSAGE.challenge_id}") == (target.path, target.query)
