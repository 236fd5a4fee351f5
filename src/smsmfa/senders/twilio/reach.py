"""Check whom a Twilio account can reach: registration, WhatsApp, the balance, and the countries that it may send to."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phonenumbers import NumberParseException, parse, region_code_for_number

from ...exceptions import DeliveryError
from ...phone import ALL_REGIONS, GLOBAL
from ...values import Finding
from .api import Answer, Api
from .forms import Origin

CONSOLE = "https://console.twilio.com"
AGAIN = "run the check again"
#: The area codes of toll-free numbers in the North American Numbering Plan.
_TOLL_FREE = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")
#: The most messaging services whose numbers are looked at, and the most countries whose permission to call is.
_SERVICES, _COUNTRIES = 10, 20
_REGISTER = "unregistered messages to the United States are dropped: register the number on " + CONSOLE


def listed(answer: Answer | DeliveryError, name: str) -> list[Mapping[str, Any]] | None:
    """Return the list of that name in an answer, or ``None`` if it cannot be read."""
    fields = _fields(answer)
    found = (fields or {}).get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else None


def _fields(answer: Answer | DeliveryError) -> Mapping[str, Any] | None:
    return answer.fields if isinstance(answer, Answer) and answer.ok else None


def registered(api: Api, finding: Finding, number: str, own: list[Mapping[str, Any]]) -> Finding:
    """Return the finding about a number of the account, or a worse one if the United States would drop its messages."""
    if finding.level != "ok" or not _is_american(number):
        return finding
    sid = str(own[0].get("sid"))
    toll_free = number.startswith(_TOLL_FREE)
    found = _is_verified(api, sid) if toll_free else _has_campaign(api, sid)
    if found:
        return finding
    if found is None:
        return Finding(
            finding.subject, "not checked", f"Twilio did not say whether ••••{number[-2:]} is registered", AGAIN
        )
    lacks = "is not verified as a toll-free number" if toll_free else "is not registered for 10DLC"
    return Finding(finding.subject, "warning", f"{finding.detail}, but {lacks}", _REGISTER)


def _is_american(number: str) -> bool:
    try:
        region = region_code_for_number(parse(number))
    except NumberParseException:
        return False
    return number.startswith(_TOLL_FREE) or region in {"US", "PR", "VI", "GU", "AS", "MP"}


def _is_verified(api: Api, sid: str) -> bool | None:
    answer = api.get("v1/Tollfree/Verifications", domain="messaging", TollfreePhoneNumberSid=sid)
    found = listed(answer, "verifications")
    return None if found is None else any(one.get("status") == "TWILIO_APPROVED" for one in found)


def _has_campaign(api: Api, sid: str) -> bool | None:
    """Return whether a messaging service that is registered for 10DLC has the number."""
    services = listed(api.get("v1/Services", domain="messaging", PageSize="50"), "services")
    if services is None:
        return None
    able = [one for one in services if one.get("us_app_to_person_registered") is True]
    unread = len(able) > _SERVICES
    for service in able[:_SERVICES]:
        answer = api.get(f"v1/Services/{service.get('sid')}/PhoneNumbers", domain="messaging", PageSize="100")
        numbers = listed(answer, "phone_numbers")
        if numbers is not None and any(one.get("sid") == sid for one in numbers):
            return True
        unread = unread or numbers is None
    return None if unread else False


def whatsapp(api: Api, origin: Origin) -> Iterator[Finding]:
    """Yield findings about the sender and the template on WhatsApp, if there are any."""
    if (sender := origin.whatsapp.get("From")) is not None:
        answer = api.get("v2/Channels/Senders", domain="messaging", Channel="whatsapp", PageSize="100")
        yield _whatsapp_sender(listed(answer, "senders"), sender)
    sids = origin.content_sid or {}
    for sid in dict.fromkeys([sids] if isinstance(sids, str) else sids.values()):
        yield _template(api.get(f"v1/Content/{sid}/ApprovalRequests", domain="content"), f"HX…{sid[-4:]}")


def _whatsapp_sender(known: list[Mapping[str, Any]] | None, sender: str) -> Finding:
    subject, shown = "whatsapp_number", f"••••{sender[-2:]}"
    if known is None:
        return Finding(subject, "not checked", f"Twilio did not say whether {shown} is a sender on WhatsApp", AGAIN)
    states = [str(one.get("status")) for one in known if one.get("sender_id") == sender]
    advice = f"look under Messaging > Senders > WhatsApp senders on {CONSOLE}"
    if not states:
        return Finding(subject, "error", f"{shown} is not a sender on WhatsApp", advice)
    if not states[0].startswith("ONLINE"):
        return Finding(subject, "error", f"{shown} cannot send on WhatsApp: it is {states[0]}", advice)
    return Finding(subject, "ok", f"{shown} can send on WhatsApp")


def _template(answer: Answer | DeliveryError, shown: str) -> Finding:
    subject = "whatsapp_content_sid"
    advice = f"look under Messaging > Content Template Builder on {CONSOLE}"
    if isinstance(answer, Answer) and answer.status == 404:
        return Finding(subject, "error", f"the account has no template {shown}", advice)
    told = (_fields(answer) or {}).get("whatsapp")
    status = told.get("status") if isinstance(told, Mapping) else None
    if not isinstance(status, str):
        return Finding(subject, "not checked", f"Twilio did not say whether WhatsApp has approved {shown}", AGAIN)
    if status != "approved":
        return Finding(subject, "error", f"WhatsApp has not approved the template {shown}: it is {status}", advice)
    return Finding(subject, "ok", f"WhatsApp has approved the template {shown}")


def balance(api: Api) -> Iterator[Finding]:
    """Yield a finding if the account has no money, or does not say how much."""
    fields = _fields(api.get("/Balance")) or {}
    try:
        amount = float(str(fields.get("balance")))
    except ValueError:
        yield Finding("balance", "not checked", "Twilio did not say how much money the account has", AGAIN)
        return
    if amount <= 0:
        advice = f"add money on {CONSOLE}, or turn on automatic recharge; ignore this if you pay by invoice"
        yield Finding("balance", "warning", "the account has no money", advice)
    else:
        yield Finding("balance", "ok", "the account has money")


def permissions(api: Api, origin: Origin, regions: Collection[str]) -> Iterator[Finding]:
    """Yield a finding about the countries that the account may send to, and one about those it may call."""
    wanted = sorted(set(regions) - {GLOBAL})
    if not wanted or not ALL_REGIONS.isdisjoint(wanted):
        return
    known = listed(api.get("v1/Messaging/GeoPermissions", domain="accounts"), "permissions")
    allowed = {one.get("country_code"): one.get("enabled") is True for one in known or []}
    told = {region: allowed.get(region) for region in wanted}
    yield _countries("SMS permissions", "send SMS to", told, "Messaging > Settings > Geo permissions")
    if origin.voice_number is not None:
        calls = {region: _may_call(api, region) for region in wanted[:_COUNTRIES]}
        more = dict.fromkeys(wanted[_COUNTRIES:])
        yield _countries("voice permissions", "call", calls | more, "Voice > Settings > Geo permissions")


def _may_call(api: Api, region: str) -> bool | None:
    answer = api.get(f"v1/DialingPermissions/Countries/{region}", domain="voice")
    enabled = (_fields(answer) or {}).get("low_risk_numbers_enabled")
    return enabled if isinstance(enabled, bool) else None


def _countries(subject: str, act: str, told: Mapping[str, bool | None], page: str) -> Finding:
    refused = [region for region, allowed in told.items() if allowed is False]
    unknown = [region for region, allowed in told.items() if allowed is None]
    if refused:
        detail = f"the account may not {act} {', '.join(refused)}, which your regions have"
        return Finding(subject, "error", detail, f"allow them under {page} on {CONSOLE}")
    if unknown:
        detail = f"Twilio did not say whether the account may {act} {', '.join(unknown)}"
        return Finding(subject, "not checked", detail, f"look under {page} on {CONSOLE}")
    return Finding(subject, "ok", f"the account may {act} every country of your regions")
