"""The arguments of a Twilio sender: what is accepted, and the form fields that they become."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...core.opaque import Opaque
from ...exceptions import ConfigurationError
from ...texts.languages import is_tag

_SERVICE = re.compile(r"MG[0-9a-f]{32}", re.IGNORECASE)
_CONTENT = re.compile(r"HX[0-9a-f]{32}", re.IGNORECASE)
API_KEY = re.compile(r"SK[0-9a-f]{32}", re.IGNORECASE)
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
SHORT_CODE = re.compile(r"[0-9]{3,6}")
#: A sender name. Which of them a country accepts is for Twilio to judge.
_ALPHANUMERIC = re.compile(r"(?=[0-9 +_&-]*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_TEST_FROM = re.compile(r"\+1500555000[0-9]")
_INTENT = re.compile(r"[a-z]{1,32}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


def require(condition: bool, advice: str) -> None:
    """Refuse an argument and say how to fix it."""
    if not condition:
        raise ConfigurationError(advice)


def fits(pattern: re.Pattern[str], value: object) -> bool:
    """Return whether a value, hidden or not, is text that matches the pattern."""
    text = value.reveal() if isinstance(value, Opaque) else value
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def checked_sender(number: object, service: object) -> tuple[dict[str, str], str]:
    """Return the form field of the sender, and how a ``repr`` shows it."""
    require((number is None) != (service is None), "give from_number or messaging_service_sid, and not both")
    if number is None:
        require(fits(_SERVICE, service), "messaging_service_sid must be MG and 32 hexadecimal digits")
        return {"MessagingServiceSid": str(service)}, f"messaging_service_sid='MG…{str(service)[-4:]}'"
    forms = "+ and 7 to 15 digits, a short code of 3 to 6 digits, or a name"
    forms = f"{forms} of 1 to 11 letters, digits, spaces and + - _ & with a letter"
    require(any(fits(form, number) for form in (NUMBER, SHORT_CODE, _ALPHANUMERIC)), f"from_number must be {forms}")
    require(
        not fits(_TEST_FROM, number), "from_number is one of Twilio's test numbers, which send nothing; use your own"
    )
    return {"From": str(number)}, f"from_number='••••{str(number)[-2:]}'"


def checked_voice(number: str | None, sender: dict[str, str]) -> str | None:
    """Return the number that calls come from, or ``None`` if calls are not set up."""
    if number is None:
        number = sender.get("From")
        return number if fits(NUMBER, number) else None
    require(fits(NUMBER, number), "voice_number must be + and 7 to 15 digits")
    return number


def checked_whatsapp(number: object, content_sid: object, sender: dict[str, str]) -> dict[str, str]:
    """Return the form field of the sender on WhatsApp, or an empty form if WhatsApp is not set up."""
    sids = content_sid if isinstance(content_sid, Mapping) else {"en": content_sid}
    right = bool(sids) and all(is_tag(tag) and fits(_CONTENT, sid) for tag, sid in sids.items())
    forms = "whatsapp_content_sid must be HX and 32 hexadecimal digits, or a mapping of language tags to such"
    require(content_sid is None or right, forms)
    if number is not None:
        require(fits(NUMBER, number), "whatsapp_number must be + and 7 to 15 digits")
        return {"From": f"whatsapp:{number}"}
    if content_sid is None:
        return {}
    require("From" not in sender, "whatsapp_content_sid needs a whatsapp_number or a messaging_service_sid")
    return sender


def checked_callback(url: object) -> str | None:
    """Return the URL, if Twilio can call it over TLS."""
    if url is None:
        return None
    advice = "status_callback must be an https URL that Twilio can reach, without an underscore in its host"
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        raise ConfigurationError(advice) from None
    host = parts.hostname or "_"
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    require(encrypted and "_" not in host and not parts.fragment, advice)
    return str(url)


def checked_options(content_retention: object, address_retention: object, provide_feedback: object) -> dict[str, str]:
    """Return the form fields of every message, except calls."""
    require(content_retention in (None, "retain", "discard"), 'content_retention must be "retain", "discard" or None')
    require(
        address_retention in (None, "retain", "obfuscate"), 'address_retention must be "retain", "obfuscate" or None'
    )
    require(type(provide_feedback) is bool, "provide_feedback must be True or False")
    retention = {"ContentRetention": content_retention, "AddressRetention": address_retention}
    return _given(retention | {"ProvideFeedback": "true" if provide_feedback else None})


def checked_sms_options(risk_check: object, message_intent: object, smart_encoded: object) -> dict[str, str]:
    """Return the form fields of an SMS."""
    require(risk_check in (None, "enable", "disable"), 'risk_check must be "enable", "disable" or None')
    intent = message_intent is None or fits(_INTENT, message_intent)
    require(intent, "message_intent must be a word in lower case such as otp, or None")
    require(type(smart_encoded) is bool, "smart_encoded must be True or False")
    encoded = "true" if smart_encoded else None
    return _given({"RiskCheck": risk_check, "MessageIntent": message_intent, "SmartEncoded": encoded})


def _given(form: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in form.items() if value is not None}
