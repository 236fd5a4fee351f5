"""What the codes of Twilio's answers and reports mean: one table, and how it is read.

The codes are those of https://www.twilio.com/docs/api/errors. Twilio gives no word that they stay as they are, so a
code that is missing is judged by its HTTP status. Codes from 30000 usually come after the answer, in a report.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import attrs

from ...exceptions import (
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)


@attrs.frozen
class TwilioError:
    """One row of the table.

    Args:
        kind: ``"config"`` (the operator has to act), ``"recipient"`` (the number), ``"opt-out"`` (the recipient
            answered STOP), ``"rate"`` (too many), ``"blocked"`` (whom or what a list or a filter forbids), ``"fraud"``
            (never to be evaded by another sender), ``"transient"``, ``"lookup"`` (no message was asked for) or
            ``"refused"`` (for another reason, or an unknown one).
        retry: whether it makes sense to send again, later, without anybody having acted.
        sent: whether the message may have gone out all the same.
        meaning: in a few words.
        pause: how long to wait at least before sending again, where Twilio says so.
    """

    kind: str
    retry: bool
    sent: bool
    meaning: str
    pause: timedelta | None = None


def _rows(kind: str, meanings: Mapping[int, str], *, retry: bool = False, sent: bool = False) -> dict[int, TwilioError]:
    return {code: TwilioError(kind, retry, sent, meaning) for code, meaning in meanings.items()}


_CONFIG = {
    10001: "the account is not active",
    13227: "the account's geographic permissions exclude calls to this country",
    20003: "wrong account SID or auth token, or the account is suspended",
    20005: "the account is not active",
    20008: "these are test credentials, which send nothing; use the live ones",
    20404: "no such account",
    21201: "no recipient",
    21203: "the account cannot call other countries",
    21210: "the number that calls is not verified",
    21212: "the from_number is not valid",
    21213: "no number to call from",
    21215: "the account's geographic permissions exclude calls to this country",
    21219: "a trial account calls verified numbers only",
    21408: "the account's geographic permissions exclude this country",
    21602: "no message body",
    21603: "no from_number",
    21604: "no recipient",
    21606: "the from_number cannot send SMS for this account",
    21607: "a trial account has to send from its trial number",
    21608: "a trial account sends to verified numbers only",
    21609: "the status callback is not valid",
    21617: "the message is too long",
    21618: "the content of the message is not accepted",
    21619: "no message body",
    21624: "the validity period is not valid",
    21654: "no content template is named",
    21655: "the content template's SID is not valid",
    21656: "the content template's variables are not valid",
    21659: "the from_number is not one of the account's numbers",
    21660: "the from_number belongs to another account",
    21661: "the from_number cannot send SMS",
    21701: "the messaging service does not exist",
    21702: "the messaging service is not available",
    21703: "the messaging service has no sender",
    21704: "the messaging service has no sender",
    21705: "the messaging service SID is not valid",
    21712: "the messaging service has no sender",
    21910: "sender and recipient are of different channels",
    30002: "the account is suspended",
    30032: "the toll-free number is not verified",
    30033: "the 10DLC campaign is suspended",
    30034: "the from_number is not registered for 10DLC",
    30035: "the from_number is still being configured",
    30037: "outbound messages are disabled",
    30040: "the sender ID is not registered",
    30041: "the sender ID is not registered",
    30042: "the sender ID is not registered",
    60200: "a parameter of Verify is not valid",
    60605: "the account's geographic permissions of Verify exclude this country",
    63001: "the channel does not accept the account",
    63002: "the channel does not know the sender",
    63007: "the channel does not know the sender",
    63008: "the channel is not configured",
    63015: "the sandbox sends to numbers that joined it only",
    63016: "outside the 24 hours after a reply WhatsApp takes a content template only",
    63027: "the content template does not exist in this language",
    63028: "the content template has other variables",
    63040: "the content template was rejected",
    63041: "the content template is paused",
    63042: "the content template is disabled",
    572002: "a trial account has to send from its trial number",
    572005: "a trial account sends to verified numbers only",
}

_RECIPIENT = {
    21202: "a premium number",
    21211: "no such number",
    21214: "the number cannot be reached",
    21217: "no such number",
    21614: "not a mobile number",
    21635: "a landline cannot receive SMS",
    30005: "no such number in use",
    30006: "a landline, or a carrier that cannot be reached",
    30038: "codes to numbers of Twilio's are filtered",
    60205: "a landline cannot receive SMS",
    63003: "the number is not on this channel",
    63024: "the number is not on this channel",
    63032: "the channel does not deliver to this recipient now",
}

_OPT_OUT = {
    21610: "the recipient has opted out",
    63014: "the recipient has blocked the sender",
}

_RATE = {
    10004: "too many calls at the same time",
    14107: "too many messages between these two numbers",
    20429: "too many requests at the same time",
    21611: "the queue of the from_number is full",
    30001: "the queue is full",
    30022: "too many messages for this 10DLC sender",
    30023: "the daily limit of this 10DLC sender is reached",
    30027: "the daily limit at the carrier is reached",
    30454: "the account's limit is reached",
    60202: "too many checks",
    60203: "too many messages",
    60207: "too many requests",
    60212: "too many requests at the same time",
    63017: "too many messages on this channel",
    63018: "too many messages on this channel",
    63038: "the account's daily limit is reached",
}

_BLOCKED = {
    13225: "the number is on Twilio's block list",
    21216: "the number is on Twilio's block list",
    30610: "quiet hours of the recipient",
    30640: "the recipient is known to litigate",
    60238: "blocked by Verify",
    63033: "the recipient may not receive messages",
}

#: Nobody can say that no message arrived which a carrier says that it blocked, or filtered for its content.
_BLOCKED_PERHAPS = {30004: "the message was blocked"}
_REFUSED_PERHAPS = {30007: "the message was filtered"}

_FRAUD = {
    30450: "blocked as SMS pumping",
    30453: "blocked as fraud",
    30485: "blocked as fraud",
    60410: "blocked as fraud",
}

_REFUSED = {
    21612: "the number cannot be reached from this sender",
    63013: "the channel's policy forbids the message",
}

_TRANSIENT = {30036: "the validity period ended first"}

_TRANSIENT_PERHAPS = {
    20500: "internal error at Twilio",
    20503: "Twilio is unavailable",
    20504: "timeout at Twilio",
    30003: "the phone cannot be reached",
    30008: "unknown error of the carrier",
    30017: "the carrier is congested",
    30410: "timeout at the carrier",
    30500: "internal error at Twilio",
    63009: "internal error of the channel",
    63010: "internal error at Twilio",
    63012: "internal error of the channel",
}

_LOOKUP = {
    60600: "nothing is known of the number",
    60601: "nothing is known of Canadian numbers",
    60606: "this look-up is not enabled",
}

#: All that is known, by code.
ERRORS: Mapping[int, TwilioError] = MappingProxyType(
    _rows("config", _CONFIG)
    | _rows("config", {30018: "the sender ID is not registered"}, sent=True)
    | _rows("recipient", _RECIPIENT)
    | _rows("opt-out", _OPT_OUT)
    | _rows("rate", _RATE, retry=True)
    | {14107: TwilioError("rate", True, False, _RATE[14107], timedelta(seconds=30))}
    | _rows("blocked", _BLOCKED)
    | _rows("blocked", _BLOCKED_PERHAPS, sent=True)
    | _rows("fraud", _FRAUD)
    | _rows("refused", _REFUSED)
    | _rows("refused", _REFUSED_PERHAPS, sent=True)
    | _rows("transient", _TRANSIENT, retry=True)
    | _rows("transient", _TRANSIENT_PERHAPS, retry=True, sent=True)
    | _rows("lookup", _LOOKUP)
    | _rows("lookup", {60616: "too many look-ups"}, retry=True)
)


def judge(status: int, code: int | None) -> TwilioError:
    """Return the row of a code, or one by HTTP status: a 4xx was never carried out (the pages of 20429 and 20500)."""
    if code is not None and code in ERRORS:
        return ERRORS[code]
    if status in {401, 403, 404}:
        return TwilioError("config", False, False, f"HTTP {status}; check the account SID and the auth token")
    if status == 429:
        return TwilioError("rate", True, False, "HTTP 429")
    if 400 <= status < 500 and status != 408:
        return TwilioError("refused", False, False, f"HTTP {status}")
    return TwilioError("transient", True, True, f"HTTP {status}")


def error_of(row: TwilioError, name: str, pause: timedelta | None = None) -> SmsMfaError:
    """Return what a sender raises for a row, with ``name`` before its words.

    Args:
        row: of :data:`ERRORS`, or what :func:`judge` made of a status.
        name: who says so, ``"Twilio 21610"``.
        pause: what the answer asked for; the row's own counts if it is longer.
    """
    words = f"{name}: {row.meaning}"
    if row.sent:
        return DeliveryUncertain(words)
    if row.kind == "rate":
        waits = [wait for wait in (pause, row.pause) if wait is not None]
        limited = RateLimited("carrier", max(waits, default=None))
        limited.add_note(words)
        return limited
    return _KINDS.get(row.kind, DeliveryRejected)(words)


#: Where the message certainly did not go out, and another carrier may not be asked, or the operator has to act.
_KINDS = {
    "config": SenderMisconfigured,
    "recipient": RecipientRejected,
    "opt-out": RecipientOptedOut,
    "blocked": RecipientRejected,
    "fraud": RecipientRejected,
}
