"""The check finds numbers that are not registered, WhatsApp that does not work, missing money and closed countries."""

import pytest
from senders.twilio.test_check import CANADIAN, CONTENT, NUMBER, SERVICE, TOLL_FREE, account, look, numbered, reply  # noqa: F401

from smsmfa.senders.twilio.reach import _is_american
from smsmfa.testing.carrier import drop


def one(findings, subject):
    """Return level and detail of the finding about a subject."""
    [finding] = [each for each in findings if each.subject == subject]
    assert finding.advice or finding.level == "ok"
    return finding.level, finding.detail


@pytest.mark.parametrize(
    "changes, level",
    [
        ({}, "ok"),
        ({"Services": reply(200, services=[])}, "warning"),
        ({"Services": reply(200, services=[{"sid": SERVICE, "us_app_to_person_registered": False}])}, "warning"),
        ({"PhoneNumbers": reply(200, phone_numbers=[{"sid": "PN of another"}])}, "warning"),
        ({"Services": drop}, "not checked"),
        ({"PhoneNumbers": reply(503)}, "not checked"),
        (
            {
                "Services": reply(200, services=[{"sid": "MG", "us_app_to_person_registered": True}] * 11),
                "PhoneNumbers": reply(200, phone_numbers=[]),
            },
            "not checked",
        ),
    ],
)
def test_10dlc(changes, level, look, account):  # noqa: F811
    """A lone number of the United States is ok only if it is registered for 10DLC."""
    account.answers |= changes

    found, detail = one(look(), "from_number")

    assert (level, level == "warning") == (found, "is not registered for 10DLC" in detail)


@pytest.mark.parametrize(
    "answer, level",
    [
        (reply(200, verifications=[{"status": "TWILIO_APPROVED"}]), "ok"),
        (reply(200, verifications=[{"status": "PENDING_REVIEW"}]), "warning"),
        (reply(200, verifications=[]), "warning"),
        (reply(503), "not checked"),
    ],
)
def test_toll_free(answer, level, look, account):  # noqa: F811
    """A toll-free number is ok only if it is verified."""
    account.answers["Verifications"] = answer

    found, detail = one(look(from_number=TOLL_FREE), "from_number")

    assert (level, level == "warning") == (found, "is not verified as a toll-free number" in detail)


def test_canada(look, account):  # noqa: F811
    """A number of another country needs no registration."""
    account.answers["Services"] = drop

    assert "ok" == one(look(from_number=CANADIAN), "from_number")[0]


@pytest.mark.parametrize(
    "number, expected",
    [(NUMBER, True), (TOLL_FREE, True), (CANADIAN, False), ("+4915123456789", False), ("+999", False)],
)
def test_american(number, expected):
    """Numbers of the United States and toll-free numbers are told from all others."""
    assert expected == _is_american(number)


@pytest.mark.parametrize(
    "answer, level, words",
    [
        (reply(200, senders=[{"sender_id": f"whatsapp:{NUMBER}", "status": "ONLINE"}]), "ok", "can send"),
        (reply(200, senders=[{"sender_id": f"whatsapp:{NUMBER}", "status": "OFFLINE"}]), "error", "it is OFFLINE"),
        (reply(200, senders=[]), "error", "is not a sender on WhatsApp"),
        (reply(401), "not checked", "did not say"),
    ],
)
def test_whatsapp(answer, level, words, look, account):  # noqa: F811
    """A number that cannot send on WhatsApp is an error."""
    account.answers["Senders"] = answer

    found, detail = one(look(whatsapp_number=NUMBER), "whatsapp_number")

    assert (level, True) == (found, words in detail)


@pytest.mark.parametrize(
    "answer, level, words",
    [
        (reply(200, whatsapp={"status": "approved"}), "ok", "has approved"),
        (reply(200, whatsapp={"status": "paused"}), "error", "it is paused"),
        (reply(404), "error", "has no template"),
        (reply(200, whatsapp=None), "not checked", "did not say"),
        (drop, "not checked", "did not say"),
    ],
)
def test_template(answer, level, words, look, account):  # noqa: F811
    """A template that WhatsApp has not approved is an error."""
    account.answers["ApprovalRequests"] = answer
    given = {"whatsapp_content_sid": CONTENT, "messaging_service_sid": SERVICE, "from_number": None}

    found, detail = one(look(**given), "whatsapp_content_sid")

    assert (level, True) == (found, words in detail)


def test_templates(look, account):  # noqa: F811
    """With a template for each language, each template is looked at once."""
    contents = {"en": CONTENT, "de": CONTENT[:-1] + "0", "fr": CONTENT}
    given = {"whatsapp_content_sid": contents, "messaging_service_sid": SERVICE, "from_number": None}

    assert 2 == sum(finding.subject == "whatsapp_content_sid" for finding in look(**given))


@pytest.mark.parametrize(
    "answer, level",
    [
        (reply(200, balance="12.30"), "ok"),
        (reply(200, balance="0"), "warning"),
        (reply(200, balance="-3.5"), "warning"),
        (reply(200), "not checked"),
        (reply(401), "not checked"),
    ],
)
def test_balance(answer, level, look, account):  # noqa: F811
    """An account without money is a warning."""
    account.answers["Balance"] = answer

    assert level == one(look.whole(), "balance")[0]


@pytest.mark.parametrize(
    "changes, sms, calls",
    [
        ({}, "ok", "ok"),
        ({"GeoPermissions": reply(200, permissions=[{"country_code": "CA", "enabled": False}])}, "error", "ok"),
        ({"GeoPermissions": reply(200, permissions=[])}, "not checked", "ok"),
        ({"GeoPermissions": drop}, "not checked", "ok"),
        ({"CA": reply(200, low_risk_numbers_enabled=False)}, "ok", "error"),
        ({"CA": reply(503)}, "ok", "not checked"),
    ],
)
def test_permissions(changes, sms, calls, look, account):  # noqa: F811
    """A country that the account may not send to, or call, is an error if it is one of the regions."""
    account.answers |= changes

    findings = look(regions={"US", "CA", "001"})

    assert (sms, calls) == (one(findings, "SMS permissions")[0], one(findings, "voice permissions")[0])
    assert "CA" in one(findings, "SMS permissions")[1] or sms == "ok"


def test_no_calls(look):  # noqa: F811
    """Without a number for calls only SMS is checked, and without regions nothing is."""
    given = {"from_number": None, "messaging_service_sid": SERVICE}

    assert "SMS permissions" == look(regions={"US"}, **given)[-1].subject
    assert not [finding for finding in (*look(), *look(regions={"*"})) if "permissions" in finding.subject]


def test_many_countries(look, account):  # noqa: F811
    """No more than twenty countries are asked about for calls."""
    account.answers |= {f"A{letter}": reply(200, low_risk_numbers_enabled=True) for letter in "ABCDEFGHIJKLMNOPQRSTUVW"}

    level, detail = one(look(regions={f"A{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVW"}), "voice permissions")

    assert ("not checked", True) == (level, detail.endswith("call AU, AV, AW"))
