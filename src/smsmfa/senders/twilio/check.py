"""Check with read requests whether a Twilio account can send messages.

Twilio's answer about an account contains its auth token, so only the fields named here are read.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...exceptions import DeliveryError
from ...typing import SMS, VOICE
from ...values import Finding
from .api import Answer, Api
from .arguments import NUMBER, SHORT_CODE, fits
from .forms import Origin
from .reach import AGAIN, CONSOLE, balance, listed, permissions, registered, whatsapp

_LIVE = f"copy the live credentials from Account Info on {CONSOLE}, not the test credentials"
#: Codes of a suspended or closed account.
_CLOSED = frozenset({20005, 20403, 90010})
#: The senders of a messaging service: the path under the service, and the name of the list in the answer.
_POOL = {
    "PhoneNumbers": "phone_numbers", "ShortCodes": "short_codes", "AlphaSenders": "alpha_senders",
    "DestinationAlphaSenders": "alpha_senders",
}  # fmt: skip


def examine(api: Api, origin: Origin, regions: Collection[str] = ()) -> Iterator[Finding]:
    """Yield a finding for each thing that is checked: first the account, and the rest unless it is wrong.

    Args:
        api: the account.
        origin: the senders.
        regions: the countries that messages are sent to, as far as they are known.
    """
    answer = api.get("")
    account = _account(answer, by_key=api.credentials.are_of_a_key)
    yield account
    readable = account.level in {"ok", "warning"} or (isinstance(answer, Answer) and answer.status in {401, 403})
    readable = readable and account.level != "error"
    if service := origin.sender.get("MessagingServiceSid"):
        yield from _service(api, service) if readable else [_unread("messaging_service_sid")]
    else:
        yield _sender(api, origin.sender["From"]) if readable else _unread("from_number")
    if origin.voice_number not in (None, origin.sender.get("From")):
        yield _number(api, "voice_number", origin.voice_number, VOICE) if readable else _unread("voice_number")
    if readable:
        yield from whatsapp(api, origin)
        yield from balance(api)
        yield from permissions(api, origin, regions)


def _unread(subject: str) -> Finding:
    return Finding(subject, "not checked", "the account could not be read", "see the finding about the account")


def _account(answer: Answer | DeliveryError, *, by_key: bool = False) -> Finding:
    if isinstance(answer, DeliveryError):
        return Finding("account", "not checked", str(answer), f"check the network; {AGAIN}")
    if answer.code == 20008:
        return Finding("account", "error", "these are test credentials, which send nothing", _LIVE)
    if answer.code in _CLOSED:
        return _state("suspended or closed", None)
    # A standard API key may not read the account, and Twilio's answer is the one for wrong credentials.
    if answer.status == 403 or (answer.status == 401 and (by_key or answer.code not in {None, 20003})):
        advice = "look at the account on " + CONSOLE + ", or run the check with the account SID and the auth token"
        return Finding("account", "not checked", "these credentials may not read the account", advice)
    if answer.status in {401, 404}:
        secret = "API key" if by_key else "auth token"
        detail = f"Twilio does not know this account SID with this {secret}, or the account is closed or suspended"
        return Finding(
            "account", "error", detail, f"{_LIVE}; if they are right, look there for the state of the account"
        )
    if not answer.ok:
        return Finding("account", "not checked", f"Twilio answers HTTP {answer.status}", AGAIN)
    return _state(answer.text("status"), answer.text("type"))


def _state(status: str | None, kind: str | None) -> Finding:
    if status in {"suspended", "closed", "suspended or closed"}:
        advice = f"look on {CONSOLE} for the reason: missing funds, a review, or somebody closed it"
        return Finding("account", "error", f"the account is {status}, so nothing is sent", advice)
    if status != "active" or kind not in {"Full", "Trial"}:
        return Finding("account", "not checked", "Twilio's answer does not say whether the account is active", AGAIN)
    if kind == "Trial":
        advice = f"upgrade it on {CONSOLE} before you go live"
        return Finding("account", "warning", "this is a trial account: it sends to verified numbers only", advice)
    return Finding("account", "ok", "the account is active, and not a trial")


def _sender(api: Api, sender: str) -> Finding:
    if fits(NUMBER, sender):
        return _number(api, "from_number", sender, SMS)
    if fits(SHORT_CODE, sender):
        answer = api.get("/SMS/ShortCodes", ShortCode=sender)
        return _owned("from_number", listed(answer, "short_codes"), "short_code", sender, None)
    advice = "make sure that every country you send to accepts sender names; the United States and Canada do not"
    return Finding("from_number", "not checked", "Twilio cannot be asked about a sender name", advice)


def _number(api: Api, subject: str, number: str | None, capability: str) -> Finding:
    known = listed(api.get("/IncomingPhoneNumbers", PhoneNumber=str(number)), "incoming_phone_numbers")
    finding = _owned(subject, known, "phone_number", str(number), capability)
    if capability == VOICE and known is not None and not _has(known, number):
        return _verified(api, str(number), finding)
    return registered(api, finding, str(number), known or []) if capability == SMS else finding


def _has(known: list[Mapping[str, Any]], number: str | None) -> bool:
    return any(one.get("phone_number") == number for one in known)


def _verified(api: Api, number: str, finding: Finding) -> Finding:
    """Look for a number that may call without belonging to the account: a verified caller ID."""
    verified = listed(api.get("/OutgoingCallerIds", PhoneNumber=number), "outgoing_caller_ids")
    shown = f"••••{number[-2:]}"
    if verified is None:
        return Finding(finding.subject, "not checked", f"Twilio did not say whether {shown} may call", AGAIN)
    if _has(verified, number):
        return Finding(finding.subject, "ok", f"{shown} is a verified caller ID, which may call")
    return finding


def _owned(
    subject: str, known: list[Mapping[str, Any]] | None, field: str, number: str, capability: str | None
) -> Finding:
    """Look for the number among the account's numbers, and for the capability in it."""
    shown = f"••••{number[-2:]}"
    if known is None:
        return Finding(subject, "not checked", f"Twilio did not say whether {shown} belongs to the account", AGAIN)
    own = [one for one in known if one.get(field) == number]
    if not own:
        advice = f"use a number listed under Phone Numbers on {CONSOLE}, or the credentials of the number's account"
        return Finding(subject, "error", f"{shown} does not belong to the account", advice)
    if capability is None:
        return Finding(subject, "ok", f"{shown} belongs to the account")
    able = own[0].get("capabilities")
    can = able.get(capability) if isinstance(able, Mapping) else None
    if can is None:
        return Finding(subject, "not checked", f"Twilio did not say what {shown} can do", AGAIN)
    means = {SMS: "send SMS", VOICE: "make calls"}[capability]
    if can is not True:
        return Finding(subject, "error", f"{shown} cannot {means}", f"buy a number that can on {CONSOLE}")
    return Finding(subject, "ok", f"{shown} belongs to the account and can {means}")


def _service(api: Api, sid: str) -> Iterator[Finding]:
    subject, shown = "messaging_service_sid", f"MG…{sid[-4:]}"
    answer = api.get(f"v1/Services/{sid}", domain="messaging")
    if isinstance(answer, Answer) and answer.status == 404:
        advice = f"use a SID listed under Messaging > Services on {CONSOLE}"
        yield Finding(subject, "error", f"the account has no messaging service {shown}", advice)
        return
    if isinstance(answer, DeliveryError) or not answer.ok or answer.fields is None:
        yield Finding(subject, "not checked", f"Twilio did not say whether {shown} exists", AGAIN)
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
        senders = listed(api.get(f"v1/Services/{sid}/{path}", domain="messaging", PageSize="1"), name)
        if senders:
            return Finding(subject, "ok", f"{shown} has a sender")
        known.append(senders)
    if None in known:
        return Finding(subject, "not checked", f"Twilio did not say whether {shown} has a sender", AGAIN)
    advice = f"add a number to its sender pool on {CONSOLE}"
    return Finding(subject, "error", f"{shown} has no sender, so nothing is sent", advice)
