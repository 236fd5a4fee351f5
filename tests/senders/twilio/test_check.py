"""The check of an account: problems are reported, and nothing that could not be checked is "ok"."""

import json
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from senders.calls import AMPLE, SHORT, raises

from smsmfa.senders.twilio import TwilioSender
from smsmfa.testing import Answer
from smsmfa.testing.carrier import drop, half, hang
from smsmfa.values import Finding

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
SERVICE = "MG" + "0123456789abcdef" * 2
CONTENT = "HX" + "0123456789abcdef" * 2
NUMBER, OTHER, CANADIAN, TOLL_FREE = "+14155550106", "+14155550107", "+14165550108", "+18005550109"


def reply(http, **fields):
    """Return an answer with these fields."""
    return Answer(http, json.dumps(fields))


def numbered(number, **changes):
    """Return a number of the account."""
    return {"sid": f"PN{number}", "phone_number": number, "capabilities": {"sms": True, "voice": True}} | changes


class Twilio:
    """An account in good order. Tests change its answers."""

    def __init__(self):
        own = [numbered(number) for number in (NUMBER, OTHER, CANADIAN, TOLL_FREE)]
        self.answers = {
            "Balance": reply(200, balance="12.30", currency="USD"),
            "Services": reply(200, services=[{"sid": SERVICE, "us_app_to_person_registered": True}]),
            "OutgoingCallerIds": reply(200, outgoing_caller_ids=[]),
            "DestinationAlphaSenders": reply(200, alpha_senders=[]),
            "Verifications": reply(200, verifications=[{"status": "TWILIO_APPROVED"}]),
            "Senders": reply(200, senders=[{"sender_id": f"whatsapp:{NUMBER}", "status": "ONLINE"}]),
            "ApprovalRequests": reply(200, whatsapp={"status": "approved"}),
            "GeoPermissions": reply(
                200, permissions=[{"country_code": code, "type": "country", "enabled": True} for code in ("US", "CA")]
            ),
            "US": reply(200, low_risk_numbers_enabled=True),
            "CA": reply(200, low_risk_numbers_enabled=True),
            "account": reply(200, status="active", type="Full", auth_token=TOKEN, friendly_name="Söhne"),
            "IncomingPhoneNumbers": reply(200, incoming_phone_numbers=own),
            "ShortCodes": reply(200, short_codes=[{"short_code": "12345"}]),
            SERVICE: reply(200, sid=SERVICE, us_app_to_person_registered=True),
            "PhoneNumbers": reply(200, phone_numbers=[{"phone_number": NUMBER, "sid": f"PN{NUMBER}"}]),
            "AlphaSenders": reply(200, alpha_senders=[]),
            "service ShortCodes": reply(200, short_codes=[]),
        }
        self.asked = []

    def __call__(self, exchange):
        method, target, _ = exchange.server.requests[-1].line.split()
        parts = urlsplit(target)
        name = parts.path.removesuffix(".json").rpartition("/")[2]
        name = "account" if name == ACCOUNT else name
        name = "service ShortCodes" if name == "ShortCodes" and "/Services/" in parts.path else name
        if name != "Balance":
            self.asked.append((method, name, parse_qs(parts.query)))
        self.answers[name](exchange)


@pytest.fixture
def account():
    """An account in good order."""
    return Twilio()


@pytest.fixture
def look(serve, account):
    """Check the account with either kind of sender."""

    def whole(regions=(), **changes):
        carrier = serve(account)
        given = {"account_sid": ACCOUNT, "auth_token": TOKEN, "timeout": AMPLE}
        sender = TwilioSender(**given | ({"from_number": NUMBER} | changes))
        for domain in ("api", "messaging", "accounts", "content", "voice"):
            getattr(sender._api._client(), domain).base_url = carrier.url
        return sender.check(regions=regions)

    def usual(**changes):
        """Leave out the balance, which is always checked last."""
        findings = whole(**changes)
        return tuple(finding for finding in findings if finding.subject != "balance")

    usual.whole = whole
    return usual


def pool(**changes):
    """Return the arguments of a sender with a messaging service."""
    return {"from_number": None, "messaging_service_sid": SERVICE} | changes


def said(findings):
    """Return the subjects and levels."""
    return [(finding.subject, finding.level) for finding in findings]


def test_fine(look, account):
    """An account in good order is ok. It is only read, and the findings show no secret."""
    findings = look()

    assert (
        Finding("account", "ok", "the account is active, and not a trial"),
        Finding("from_number", "ok", "••••06 belongs to the account and can send SMS"),
    ) == findings
    assert [
        ("GET", "account", {}),
        ("GET", "IncomingPhoneNumbers", {"PhoneNumber": [NUMBER]}),
        ("GET", "Services", {"PageSize": ["50"]}),
        ("GET", "PhoneNumbers", {"PageSize": ["100"]}),
    ] == account.asked
    assert not [secret for secret in (TOKEN, NUMBER[1:], ACCOUNT) if secret in repr(findings)]


@pytest.mark.parametrize(
    "answer, level, words",
    [
        (reply(401, code=20003, status=401), "error", "Twilio does not know this account SID with this auth token"),
        (reply(404, code=20404, status=404), "error", "Twilio does not know this account SID with this auth token"),
        (reply(403, code=20008, status=403), "error", "these are test credentials"),
        (reply(403, code=20403, status=403), "error", "the account is suspended or closed, so nothing is sent"),
        (reply(401, code=20005, status=401), "error", "the account is suspended or closed, so nothing is sent"),
        (reply(200, status="suspended", type="Full"), "error", "the account is suspended, so nothing is sent"),
        (reply(200, status="closed", type="Full"), "error", "the account is closed, so nothing is sent"),
        (
            reply(200, status="active", type="Trial"),
            "warning",
            "this is a trial account: it sends to verified numbers only",
        ),
        (reply(200, status="active", type="Lite"), "not checked", "Twilio's answer does not say whether"),
        (reply(200, status="active"), "not checked", "Twilio's answer does not say whether"),
        (reply(200, status="frozen", type="Full"), "not checked", "Twilio's answer does not say whether"),
        (reply(200), "not checked", "Twilio's answer does not say whether"),
        (Answer(200, "<html>"), "not checked", "Twilio's answer does not say whether"),
        (reply(429), "not checked", "Twilio answers HTTP 429"),
        (reply(503), "not checked", "Twilio answers HTTP 503"),
        (Answer(302), "not checked", "Twilio answers HTTP 302"),
        (drop, "not checked", "Twilio gave no usable answer (ConnectionError)"),
        (half(reply(200, status="active", type="Full")), "not checked", "Twilio gave no usable answer"),
    ],
)
def test_account(answer, level, words, look, account):
    """A problem of the account is an error, an account that could not be read is not checked, and each has advice."""
    account.answers["account"] = answer

    first, second = look()

    assert ("account", level) == (first.subject, first.level)
    assert first.detail.startswith(words)
    assert first.advice
    assert ("ok" if level == "warning" else "not checked") == second.level


@pytest.mark.parametrize("answer", [reply(403), reply(403, code=70051), reply(401, code=70051, status=401)])
def test_account_that_may_not_be_read(answer, look, account):
    """If the credentials may not read the account it is not checked, and the rest is."""
    account.answers["account"] = answer

    first, second = look()

    assert ("account", "not checked", "these credentials may not read the account") == attrs.astuple(first)[:3]
    assert "ok" == second.level


KEY = {"auth_token": None, "api_key": "SK" + "0" * 32, "api_secret": "the-secret-of-a-key"}


@pytest.mark.parametrize("answer", [reply(401), reply(401, code=20003, status=401), reply(403)])
def test_key_that_may_not_read_the_account(answer, look, account):
    """An account that a key may not read is not checked, and the rest is."""
    account.answers["account"] = answer

    first, second = look(**KEY)

    assert ("account", "not checked", "these credentials may not read the account") == attrs.astuple(first)[:3]
    assert "ok" == second.level


def test_key_of_another_account(look, account):
    """A key that does not know the account is an error, which names the key."""
    account.answers["account"] = reply(404, code=20404, status=404)

    first, _ = look(**KEY)

    assert ("error", True) == (first.level, "with this API key" in first.detail)


def test_parent(look, account):
    """With the parent's credentials a subaccount is read, except for what Twilio shows to its own credentials only."""
    parent = {"auth_token": None, "api_key": "AC" + "f" * 32, "api_secret": TOKEN}

    assert [("account", "ok"), ("messaging_service_sid", "not checked")] == said(look(**pool(), **parent))
    assert "ok" == look.whole(**parent)[-1].level


def test_silence(look, account):
    """If Twilio does not answer in time the account is not checked."""
    account.answers["account"] = hang

    assert [("account", "not checked"), ("from_number", "not checked")] == said(look(timeout=SHORT))


def test_nobody_there(look, account, monkeypatch):
    """Without a network nothing is checked, and nothing is ok."""
    monkeypatch.setattr("urllib3.util.connection.create_connection", raises(TimeoutError()))

    findings = look(voice_number=OTHER)

    assert [(name, "not checked") for name in ("account", "from_number", "voice_number")] == said(findings)
    assert "Twilio cannot be reached" == findings[0].detail
    assert [] == account.asked


@pytest.mark.parametrize(
    "answer, level, words",
    [
        (reply(200, incoming_phone_numbers=[]), "error", "••••06 does not belong to the account"),
        (
            reply(200, incoming_phone_numbers=[{"phone_number": NUMBER + "0"}]),
            "error",
            "••••06 does not belong to the account",
        ),
        (
            reply(200, incoming_phone_numbers=[{"phone_number": NUMBER, "capabilities": {"sms": False}}]),
            "error",
            "••••06 cannot send SMS",
        ),
        (
            reply(200, incoming_phone_numbers=[{"phone_number": NUMBER, "capabilities": {"voice": True}}]),
            "not checked",
            "Twilio did not say what ••••06 can do",
        ),
        (
            reply(200, incoming_phone_numbers=[{"phone_number": NUMBER}]),
            "not checked",
            "Twilio did not say what ••••06 can do",
        ),
        (reply(200, incoming_phone_numbers="none"), "not checked", "Twilio did not say whether ••••06"),
        (reply(200, incoming_phone_numbers=["none"]), "error", "••••06 does not belong to the account"),
        (reply(200), "not checked", "Twilio did not say whether ••••06 belongs"),
        (reply(500, incoming_phone_numbers=[]), "not checked", "Twilio did not say whether ••••06 belongs"),
        (drop, "not checked", "Twilio did not say whether ••••06 belongs"),
    ],
)
def test_number(answer, level, words, look, account):
    """A number that does not belong to the account, or cannot send SMS, is an error."""
    account.answers["IncomingPhoneNumbers"] = answer

    _, finding = look()

    assert ("from_number", level) == (finding.subject, finding.level)
    assert finding.detail.startswith(words)
    assert finding.advice


def test_short_code(look, account):
    """A short code is looked for among the account's short codes."""
    assert Finding("from_number", "ok", "••••45 belongs to the account") == look(from_number="12345")[1]
    assert ("from_number", "error") == said(look(from_number="54321"))[1]


def test_name(look):
    """A sender name cannot be checked, and the advice says so."""
    _, finding = look(from_number="Acme")

    assert ("not checked", True) == (finding.level, "United States" in finding.advice)


def test_voice_number(look, account):
    """A separate number for calls must belong to the account and be able to call."""
    own = [numbered(number, capabilities={"sms": True, "voice": False}) for number in (NUMBER, OTHER)]
    assert (
        Finding("voice_number", "ok", "••••07 belongs to the account and can make calls") == look(voice_number=OTHER)[2]
    )
    account.answers["IncomingPhoneNumbers"] = reply(200, incoming_phone_numbers=own)

    assert ("voice_number", "error") == said(look(voice_number=OTHER))[2]
    assert 2 == len(look(voice_number=NUMBER))


def test_service(look, account):
    """A messaging service with a sender is ok, and nothing else is asked."""
    findings = look(**pool())

    assert Finding("messaging_service_sid", "ok", "MG…cdef has a sender") == findings[1]
    assert ["account", SERVICE, "PhoneNumbers"] == [name for _, name, _ in account.asked]


@pytest.mark.parametrize(
    "full", ["PhoneNumbers", "AlphaSenders", "service ShortCodes", "DestinationAlphaSenders", None]
)
def test_pool(full, look, account):
    """Any kind of sender is enough, and a service without a sender is an error."""
    lists = {"PhoneNumbers": "phone_numbers", "AlphaSenders": "alpha_senders", "service ShortCodes": "short_codes"}
    lists["DestinationAlphaSenders"] = "alpha_senders"
    for name, field in lists.items():
        account.answers[name] = reply(200, **{field: [{"sid": "PN"}] if name == full else []})

    assert ("messaging_service_sid", "error" if full is None else "ok") == said(look(**pool()))[1]


@pytest.mark.parametrize("name", ["PhoneNumbers", "AlphaSenders", "service ShortCodes", "DestinationAlphaSenders"])
def test_pool_that_cannot_be_read(name, look, account):
    """A service is not called empty if a part of it could not be read."""
    account.answers["PhoneNumbers"] = reply(200, phone_numbers=[])
    account.answers[name] = reply(503)

    assert ("messaging_service_sid", "not checked") == said(look(**pool()))[1]


@pytest.mark.parametrize(
    "answer, level",
    [
        (reply(404, code=20404, status=404), "error"),
        (reply(401), "not checked"),
        (reply(503), "not checked"),
        (Answer(200, "<html>"), "not checked"),
        (drop, "not checked"),
    ],
)
def test_missing_service(answer, level, look, account):
    """A messaging service that does not exist is an error; one that cannot be read is not checked."""
    account.answers[SERVICE] = answer

    findings = look(**pool())

    assert [("account", "ok"), ("messaging_service_sid", level)] == said(findings)
    assert findings[1].advice


def test_registration(look, account):
    """A service that is not registered for 10DLC is a warning. An answer that does not say is ignored."""
    account.answers[SERVICE] = reply(200, us_app_to_person_registered=False)
    assert [("account", "ok"), ("messaging_service_sid", "ok"), ("A2P 10DLC", "warning")] == said(look(**pool()))
    account.answers[SERVICE] = reply(200)

    assert 2 == len(look(**pool()))


def test_unreadable_account(look, account):
    """If the account cannot be read nothing else is asked."""
    account.answers["account"] = reply(401)

    findings = look(**pool(voice_number=OTHER))

    assert ["error", "not checked", "not checked"] == [finding.level for finding in findings]
    assert 1 == len(account.asked)


def test_caller_id(look, account):
    """A verified caller ID may call, although it does not belong to the account."""
    account.answers["IncomingPhoneNumbers"] = reply(200, incoming_phone_numbers=[numbered(NUMBER)])
    assert ("voice_number", "error") == said(look(voice_number=OTHER))[2]
    account.answers["OutgoingCallerIds"] = reply(200, outgoing_caller_ids=[{"phone_number": OTHER}])
    assert (
        Finding("voice_number", "ok", "••••07 is a verified caller ID, which may call") == look(voice_number=OTHER)[2]
    )
    account.answers["OutgoingCallerIds"] = drop

    assert ("voice_number", "not checked") == said(look(voice_number=OTHER))[2]
