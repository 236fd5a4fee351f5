"""Settings from environment variables: their names, and how they are read."""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from .core.opaque import Opaque
from .exceptions import ConfigurationError
from .phone import ALL_REGIONS


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ConfigurationError(f"{name} must be a whole number")
    return int(text)


def _seconds(name: str, text: str) -> timedelta:
    return timedelta(seconds=_whole(name, text))


def _flag(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ConfigurationError(f"{name} must be true or false")
    return text.lower() in {"true", "1"}


def _codes(name: str, text: str) -> frozenset[str]:
    return ALL_REGIONS if text == "*" else frozenset(code.strip() for code in text.split(","))


def _tags(name: str, text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(","))


def _text(name: str, text: str) -> str:
    return text


#: The variable of each argument of ``FactorConfig``, and how it is read: times in seconds, sets with commas.
FACTOR: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "app_name": ("SMSMFA_APP_NAME", _text),
    "regions": ("SMSMFA_REGIONS", _codes),
    "digits": ("SMSMFA_DIGITS", _whole),
    "lifetime": ("SMSMFA_LIFETIME", _seconds),
    "resend_gap": ("SMSMFA_RESEND_GAP", _seconds),
    "attempts": ("SMSMFA_ATTEMPTS", _whole),
    "recovery_codes": ("SMSMFA_RECOVERY_CODES", _whole),
    "enabled": ("SMSMFA_ENABLED", _flag),
    "number_types": ("SMSMFA_NUMBER_TYPES", _codes),
    "max_phones": ("SMSMFA_MAX_PHONES", _whole),
    "max_users_per_number": ("SMSMFA_MAX_USERS_PER_NUMBER", _whole),
    "origin": ("SMSMFA_ORIGIN", _text),
    "languages": ("SMSMFA_LANGUAGES", _tags),
    "android_hash": ("SMSMFA_ANDROID_HASH", _text),
    "namespace": ("SMSMFA_NAMESPACE", _text),
}
_FACTOR_NEEDS = ("app_name", "regions")
#: The secret, and the previous one during a rotation.
SECRETS = "SMSMFA_SECRET", "SMSMFA_PREVIOUS_SECRET"

#: The variable of each argument of ``TwilioSender``, and how it is read.
TWILIO: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "account_sid": ("TWILIO_ACCOUNT_SID", _text),
    "auth_token": ("TWILIO_AUTH_TOKEN", _text),
    "api_key": ("TWILIO_API_KEY", _text),
    "api_secret": ("TWILIO_API_SECRET", _text),
    "from_number": ("TWILIO_FROM_NUMBER", _text),
    "messaging_service_sid": ("TWILIO_MESSAGING_SERVICE_SID", _text),
    "voice_number": ("TWILIO_VOICE_NUMBER", _text),
    "whatsapp_number": ("TWILIO_WHATSAPP_NUMBER", _text),
    "whatsapp_content_sid": ("TWILIO_WHATSAPP_CONTENT_SID", _text),
    "status_callback": ("TWILIO_STATUS_CALLBACK", _text),
    "provide_feedback": ("TWILIO_PROVIDE_FEEDBACK", _flag),
    "region": ("TWILIO_REGION", _text),
    "edge": ("TWILIO_EDGE", _text),
    "timeout": ("TWILIO_TIMEOUT", _seconds),
}
_TWILIO_NEEDS = ("account_sid",)
#: The variable of each argument of ``VonageSender``, and how it is read.
VONAGE: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "api_key": ("VONAGE_API_KEY", _text),
    "api_secret": ("VONAGE_API_SECRET", _text),
    "from_number": ("VONAGE_FROM_NUMBER", _text),
    "status_callback": ("VONAGE_STATUS_CALLBACK", _text),
    "timeout": ("VONAGE_TIMEOUT", _seconds),
}
_VONAGE_NEEDS = ("api_key", "api_secret", "from_number")
_KEY = "api_key", "api_secret"


def opened(environment: Mapping[str, str] | None) -> Opaque[Mapping[str, str]]:
    """Return an environment, by default that of the process, hidden from tracebacks with locals."""
    return Opaque(os.environ if environment is None else environment)


def factor_arguments(environment: Opaque[Mapping[str, str]], given: Opaque[dict[str, Any]]) -> Opaque[dict[str, Any]]:
    """Return the arguments of a ``FactorConfig``. A ``given`` argument takes precedence over its variable.

    Raises:
        ConfigurationError: a variable is missing or cannot be read.
    """
    read = _read(environment, given, FACTOR, _FACTOR_NEEDS)
    if "secret" not in given.reveal():
        secrets = Opaque([secret for name in SECRETS if (secret := environment.reveal().get(name))])
        if not secrets.reveal():
            raise ConfigurationError(f"{SECRETS[0]} is not set; {_MAKE_ONE}")
        read.reveal()["secret"] = secrets
    return read


def twilio_arguments(environment: Opaque[Mapping[str, str]], given: Opaque[dict[str, Any]]) -> Opaque[dict[str, Any]]:
    """Return the arguments of a ``TwilioSender``. A ``given`` argument takes precedence over its variable.

    An API key takes precedence over the auth token, which an application with a key keeps for the status callback.

    Raises:
        ConfigurationError: a variable is missing or cannot be read.
    """
    read = _read(environment, given, TWILIO, _TWILIO_NEEDS)
    named, own = read.reveal().keys(), given.reveal().keys()
    if "auth_token" in own:
        unused = [name for name in _KEY if name not in own]
    elif not named.isdisjoint(_KEY):
        unused = ["auth_token"]
    elif "auth_token" not in named:
        raise ConfigurationError("TWILIO_AUTH_TOKEN is not set, and neither are TWILIO_API_KEY and TWILIO_API_SECRET")
    else:
        unused = []
    for name in unused:
        read.reveal().pop(name, None)
    return read


def vonage_arguments(environment: Opaque[Mapping[str, str]], given: Opaque[dict[str, Any]]) -> Opaque[dict[str, Any]]:
    """Return the arguments of a ``VonageSender``. A ``given`` argument takes precedence over its variable.

    Raises:
        ConfigurationError: a variable is missing or cannot be read.
    """
    return _read(environment, given, VONAGE, _VONAGE_NEEDS)


_MAKE_ONE = "make one with python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def _read(
    environment: Opaque[Mapping[str, str]],
    given: Opaque[dict[str, Any]],
    variables: Mapping[str, tuple[str, Callable[[str, str], Any]]],
    needed: tuple[str, ...],
) -> Opaque[dict[str, Any]]:
    arguments = Opaque(dict(given.reveal()))
    for argument, (name, read) in variables.items():
        if argument in given.reveal():
            continue
        if environment.reveal().get(name, "").strip():
            arguments.reveal()[argument] = read(name, environment.reveal()[name].strip())
        elif argument in needed:
            raise ConfigurationError(f"{name} is not set")
    return arguments
