"""Check with read requests whether a Twilio account can send messages.

Twilio's answer about an account contains its auth token, so only the fields named here are read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ...exceptions import DeliveryError
from ...typing import SMS, VOICE
from ...values import Finding
from .api import Answer, Api
from .arguments import NUMBER, SHORT_CODE, fits
from .forms import Origin

_CONSOLE = "https://console.twilio.com"
_AGAIN = "run the check again"
_LIVE = f"copy the live credentials from Account Info on {_CONSOLE}, not the test credentials"
#: The senders of a messaging service: the path under the service, and the name of the list in the answer.
_POOL = {"PhoneNumbers": "phone_numbers", "ShortCodes": "short_codes", "AlphaSenders": "alpha_senders"}


def examine(api: Api, origin: Origin) -> Iterator[Finding]:
    """Yield a finding for each thing that is checked: first the account, and the rest only if it can be read."""
    account = _account(api.get(""))
    yield account
    readable = account.level in {"ok", "warning"}
    if service := origin.sender.get("MessagingServiceSid"):
        yield from _service(api, service) if readable else [_unread("messaging_service_sid")]
    else:
        yield _sender(api, origin.sender["From"]) if readable else _unread("from_number")
    if origin.voice_number not in (None, origin.sender.get("From")):
        yield _number(api, "voice_number", origin.voice_number, VOICE) if readable else _unread("voice_number")


def _unread(subject: str) -> Finding:
    return Finding(subject, "not checked", "the account could not be read", "see the finding about the account")


def _account(answer: Answer | DeliveryError) -> Finding:
    if isinstance(answer, DeliveryError):
        return Finding("account", "not checked", str(answer), f"check the network; {_AGAIN}")
    if answer.code == 20008 or answer.status == 403:
        return Finding("account", "error", "these are test credentials, or they may not read the account", _LIVE)
    if answer.status in {401, 404}:
        detail = "Twilio does not know this account SID with this auth token, or the account is closed or suspended"
        return Finding(
            "account", "error", detail, f"{_LIVE}; if they are right, look there for the state of the account"
        )
    if not answer.ok:
        return Finding("account", "not checked", f"Twilio answers HTTP {answer.status}", _AGAIN)
    return _state(answer.text("status"), answer.text("type"))


def _state(status: str | None, kind: str | None) -> Finding:
    if status in {"suspended", "closed"}:
        advice = f"look on {_CONSOLE} for the reason: missing funds, a review, or somebody closed it"
        return Finding("account", "error", f"the account is {status}, so nothing is sent", advice)
    if status != "active" or kind not in {"Full", "Trial"}:
        return Finding("account", "not checked", "Twilio's answer does not say whether the account is active", _AGAIN)
    if kind == "Trial":
        advice = f"upgrade it on {_CONSOLE} before you go live"
        return Finding("account", "warning", "this is a trial account: it sends to verified numbers only", advice)
    return Finding("account", "ok", "the account is active, and not a trial")


def _sender(api: Api, sender: str) -> Finding:
    if fits(NUMBER, sender):
        return _number(api, "from_number", sender, SMS)
    if fits(SHORT_CODE, sender):
        answer = api.get("/SMS/ShortCodes", ShortCode=sender)
        return _owned("from_number", _listed(answer, "short_codes"), "short_code", sender, None)
    advice = "make sure that every country you send to accepts sender names; the United States and Canada do not"
    return Finding("from_number", "not checked", "Twilio cannot be asked about a sender name", advice)


def _number(api: Api, subject: str, number: str | None, capability: str) -> Finding:
    answer = api.get("/IncomingPhoneNumbers", PhoneNumber=str(number))
    return _owned(subject, _listed(answer, "incoming_phone_numbers"), "phone_number", str(number), capability)


def _owned(
    subject: str, listed: list[Mapping[str, Any]] | None, field: str, number: str, capability: str | None
) -> Finding:
    """Look for the number among the account's numbers, and for the capability in it."""
    shown = f"••••{number[-2:]}"
    if listed is None:
        return Finding(subject, "not checked", f"Twilio did not say whether {shown} belongs to the account", _AGAIN)
    own = [one for one in listed if one.get(field) == number]
    if not own:
        advice = f"use a number listed under Phone Numbers on {_CONSOLE}, or the credentials of the number's account"
        return Finding(subject, "error", f"{shown} does not belong to the account", advice)
    if capability is None:
        return Finding(subject, "ok", f"{shown} belongs to the account")
    able = own[0].get("capabilities")
    can = able.get(capability) if isinstance(able, Mapping) else None
    if can is None:
        return Finding(subject, "not checked", f"Twilio did not say what {shown} can do", _AGAIN)
    means = {SMS: "send SMS", VOICE: "make calls"}[capability]
    if can is not True:
        return Finding(subject, "error", f"{shown} cannot {means}", f"buy a number that can on {_CONSOLE}")
    return Finding(subject, "ok", f"{shown} belongs to the account and can {means}")


def _service(api: Api, sid: str) -> Iterator[Finding]:
    subject, shown = "messaging_service_sid", f"MG…{sid[-4:]}"
    answer = api.get(f"v1/Services/{sid}", domain="messaging")
    if isinstance(answer, Answer) and answer.status == 404:
        advice = f"use a SID listed under Messaging > Services on {_CONSOLE}"
        yield Finding(subject, "error", f"the account has no messaging service {shown}", advice)
        return
    if isinstance(answer, DeliveryError) or not answer.ok or answer.fields is None:
        yield Finding(subject, "not checked", f"Twilio did not say whether {shown} exists", _AGAIN)
        return
    yield _pool(api, sid, shown)
    if answer.fields.get("us_app_to_person_registered") is False:
        advice = (
            "to send to the United States from 10-digit numbers, register a brand and a campaign; otherwise ignore this"
        )
        yield Finding("A2P 10DLC", "warning", f"{shown} is not registered for 10DLC", advice)


def _pool(api: Api, sid: str, shown: str) -> Finding:
    subject, known = "messaging_service_sid", []
    for path, name in _POOL.items():
        senders = _listed(api.get(f"v1/Services/{sid}/{path}", domain="messaging", PageSize="1"), name)
        if senders:
            return Finding(subject, "ok", f"{shown} has a sender")
        known.append(senders)
    if None in known:
        return Finding(subject, "not checked", f"Twilio did not say whether {shown} has a sender", _AGAIN)
    advice = f"add a number to its sender pool on {_CONSOLE}"
    return Finding(subject, "error", f"{shown} has no sender, so nothing is sent", advice)


def _listed(answer: Answer | DeliveryError, name: str) -> list[Mapping[str, Any]] | None:
    """Return the list of that name in an answer, or ``None`` if it cannot be read."""
    fields = answer.fields if isinstance(answer, Answer) and answer.ok else None
    listed = (fields or {}).get(name)
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else None
