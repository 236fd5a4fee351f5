"""The errors of AWS End User Messaging, as a table.

Sources: the service's model in botocore (pinpoint-sms-voice-v2, 2022-03-31: the enumerations of ``Reason``), and its
API reference. AWS answers 4xx to a request that it refuses, and then has sent nothing.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ...exceptions import DeliveryError, DeliveryUncertain, RateLimited
from ..boto import CHECK, CREDENTIALS, OPERATORS, PAUSES, code_of, failure_of, status_of
from ..errors import CarrierError, raised

_REASON = re.compile(r"[A-Z_]{1,64}")
_OPERATIONS = frozenset({"SendTextMessage", "SendVoiceMessage"})


def _row(kind: str, meaning: str, *, outage: bool = False) -> CarrierError:
    return CarrierError(kind, retry=False, sent=False, meaning=meaning, outage=outage)


_SPENT = _row("config", "this month's spending limit is reached", outage=True)

#: The meaning of each ``Reason``. Those that sending does not give are left out.
REASONS: Final[Mapping[str, CarrierError]] = MappingProxyType({
    "DESTINATION_PHONE_NUMBER_OPTED_OUT": _row("opt-out", "the recipient has opted out"),
    "DESTINATION_PHONE_NUMBER_NOT_VERIFIED": _row(
        "config", "the account is in the sandbox, which sends to verified numbers only"
    ),
    # Another carrier must not go around a rule that the operator made, so these are no matter of configuration.
    "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION": _row(
        "blocked", "a protect configuration of yours blocks this country"
    ),
    "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE": _row(
        "blocked", "a protect configuration of yours blocks this number"
    ),
    "KEYWORD_MISMATCH": _row("config", "the origination has another keyword"),
    "MESSAGE_TYPE_MISMATCH": _row("config", "the origination is not for transactional messages"),
    "NUMBER_CAPABILITIES_MISMATCH": _row("config", "the origination cannot send on this channel"),
    "NO_ORIGINATION_IDENTITIES_FOUND": _row("config", "the account, or its pool, has no origination for this country"),
    "PROTECT_CONFIGURATION_NOT_ASSOCIATED_WITH_CONFIGURATION_SET": _row(
        "config", "the protect configuration does not belong to the configuration set"
    ),
    "REGISTRATION_NOT_COMPLETE": _row("config", "the origination is not registered yet"),
    "RESOURCE_NOT_ACTIVE": _row("config", "the origination is not active"),
    "CHANNEL_NOT_ENABLED": _row("config", "the channel is not enabled"),
    "COUNTRY_CODE_MISMATCH": _row("config", "the origination is of another country"),
    "COUNTRY_NOT_ENABLED": _row("config", "the account may not send to this country"),
    "DESTINATION_COUNTRY_BLOCKED": _row("config", "AWS does not send to this country"),
    "INTERNATIONAL_SENDING_NOT_SUPPORTED": _row("config", "the origination does not send to other countries"),
    "INVALID_ARN": _row("config", "an ARN is wrong"),
    "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY": _row("config", "the origination cannot send to this country"),
    "RESOURCE_NOT_ACCESSIBLE": _row("config", "the account may not use the origination"),
    "SENDER_ID_NOT_REGISTERED": _row("config", "the sender id is not registered for this country"),
    "SENDER_ID_NOT_SUPPORTED": _row("config", "this country has no sender ids"),
    "SENDER_ID_REQUIRES_REGISTRATION": _row("config", "the sender id must be registered for this country"),
    "UNSPECIFIED_PARAMETER_NOT_SUPPORTED": _row("config", "this country needs an origination of its own"),
    "VOICE_CAPABILITY_NOT_AVAILABLE": _row("config", "the origination cannot call"),
    "ACCOUNT_DISABLED": _row("config", "the account is disabled", outage=True),
    "INSUFFICIENT_ACCOUNT_REPUTATION": _row("config", "AWS has paused the account's sending", outage=True),
    "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT": _SPENT,
    "MONTHLY_SPEND_LIMIT_REACHED_FOR_VOICE": _SPENT,
    "DAILY_DESTINATION_CALL_LIMIT": _row("refused", "this number was called too often today"),
})  # fmt: skip


def failure(error: Exception) -> DeliveryError | RateLimited:
    """Return the error to raise for an error of boto3."""
    if getattr(error, "operation_name", "") not in _OPERATIONS:
        return failure_of(error, "AWS")
    status, code = status_of(error), reason_of(error) or code_of(error) or None
    words = f"AWS: HTTP {status}" + (f", {code}" if code else "")
    if not 400 <= status < 500 or status == 408:
        return DeliveryUncertain(words, outage=status not in range(300, 400), carrier="aws", carrier_code=code)
    return raised(_row_of(error), words, "aws", code)


def reason_of(error: Any) -> str:
    """Return the ``Reason`` in an answer, or an empty text if there is none."""
    reason = error.response.get("Reason")
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""


def _row_of(error: Any) -> CarrierError:
    status, code = status_of(error), code_of(error)
    if status == 429 or code in PAUSES:
        return CarrierError("rate", retry=True, sent=False, meaning="too many requests", outage=True)
    if row := REASONS.get(reason_of(error)):
        return row
    if any(field.get("Name") == "DestinationPhoneNumber" for field in error.response.get("Fields") or ()):
        return _row("recipient", "AWS cannot send to this number")
    if status in {401, 403, 404} or code in OPERATORS:
        return _row("config", CHECK, outage=status == 401 or code in CREDENTIALS)
    return _row("refused", "AWS refuses the message")
