"""The error codes in Twilio's answers and reports: a table of their meanings, and the errors that they become.

The codes are from https://www.twilio.com/docs/api/errors. Twilio does not promise that they stay the same, so a code
that is not in the table is judged by its HTTP status. Codes from 30000 usually come later, in a delivery report.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from ...exceptions import DeliveryError, RateLimited
from ..errors import CarrierError, raised


def _rows(
    kind: str, meanings: Mapping[int, str], *, retry: bool = False, sent: bool = False
) -> dict[int, CarrierError]:
    return {
        code: CarrierError(kind, retry, sent, meaning, outage=code in _OUTAGES) for code, meaning in meanings.items()
    }


#: Codes that say nothing about the recipient: wrong credentials, a closed account, a full queue, an internal error.
_OUTAGES = frozenset({
    10001, 10004, 10005, 20003, 20005, 20006, 20008, 20010, 20403, 20404, 20429, 20500, 20503, 20504, 21611, 30001,
    30002, 30037, 60212, 63038, 63051, 63112, 90010,
})  # fmt: skip


_CONFIG = {
    10001: "the account is not active",
    10002: "a trial account cannot use this",
    10005: "calls are disabled for the account",
    13227: "the account's geographic permissions do not allow calls to this country",
    20003: "wrong account SID, auth token or API key, or the account is suspended",
    20005: "the account is not active",
    20006: "the credentials may not do this",
    20008: "these are test credentials, which send nothing; use the live credentials",
    20010: "this is disabled for the account",
    20403: "the account is suspended or closed",
    20404: "the account or the messaging service was not found",
    21201: "the request names no recipient",
    21203: "the account cannot call other countries",
    21210: "the number that calls is not verified",
    21212: "the from_number is not valid",
    21213: "the request names no number to call from",
    21215: "the account's geographic permissions do not allow calls to this country",
    21219: "a trial account can call verified numbers only",
    21267: "a trial account cannot send from a sender name",
    21408: "the account's geographic permissions do not allow SMS to this country",
    21602: "the message has no text",
    21603: "the request names no from_number",
    21604: "the request names no recipient",
    21606: "the from_number cannot send SMS for this account",
    21607: "a trial account must send from its trial number",
    21608: "a trial account, or one without an approved profile, can send to verified numbers only",
    21609: "the status callback is not valid",
    21616: "the from_number stands for several numbers of the account",
    21617: "the message is too long",
    21618: "the content of the message is not accepted",
    21619: "the message has no text",
    21624: "the validity period is not valid",
    21654: "the request has variables of a content template, but names no template",
    21655: "the content template's SID is not valid",
    21656: "the content template's variables are not valid",
    21657: "this destination does not accept the sender ID",
    21659: "the from_number does not belong to the account",
    21660: "the from_number belongs to another account",
    21661: "the from_number cannot send SMS",
    21663: "the from_number cannot be used for this message",
    21701: "the messaging service does not exist",
    21702: "the messaging service is not available",
    21703: "no sender of the messaging service can send to this destination",
    21704: "the messaging service has no sender",
    21705: "the messaging service SID is not valid",
    21711: "the sender does not belong to the messaging service",
    21712: "the number belongs to another messaging service",
    21900: "the DLT entity ID is not valid",
    21901: "the DLT template ID is not valid",
    21910: "sender and recipient are on different channels",
    30002: "the account is suspended",
    30012: "the validity period is too short",
    30013: "the validity period is too long",
    30024: "the from_number is not set up at the recipient's carrier",
    30029: "content_retention is not valid, or the account may not choose",
    30030: "address_retention is not valid, or the account may not choose",
    30032: "the toll-free number is not verified",
    30033: "the 10DLC campaign is suspended",
    30034: "the from_number is not registered for 10DLC",
    30035: "the from_number is still being configured",
    30037: "outbound messages are disabled",
    30040: "the sender ID is not registered",
    30041: "the sender ID is not registered",
    30042: "the sender ID is generic or has forbidden characters",
    30043: "the from_number is domestic, and cannot send from abroad",
    30620: "the sender is not registered for this kind of message",
    60200: "a parameter of Verify is not valid",
    60605: "the geographic permissions of Verify do not allow this country",
    63001: "the channel does not accept the account",
    63002: "the channel does not know the sender",
    63007: "the channel does not know the sender",
    63008: "the channel is not configured",
    63015: "the sandbox sends only to numbers that joined it",
    63016: "24 hours after the recipient's last message WhatsApp accepts only content templates",
    63027: "the content template does not exist in this language",
    63028: "the number of variables does not match the content template",
    63040: "the content template was rejected",
    63041: "the content template is paused",
    63042: "the content template is disabled",
    63051: "WhatsApp has locked the business account",
    63112: "Meta has disabled the business account",
    90010: "the account is not active",
    572002: "a trial account must send from its trial number",
    572005: "a trial account can send to verified numbers only",
    573002: "a trial account may not do this",
    573005: "a trial account may not do this",
    575001: "a trial account may not do this",
}

_RECIPIENT = {
    13223: "this is not a valid number",
    13224: "the number cannot be called, or is not valid",
    21202: "this is a premium number",
    21211: "this is not a valid number",
    21214: "the number cannot be reached",
    21217: "this is not a valid number",
    21265: "this is a short code, which cannot receive messages",
    21266: "recipient and from_number are the same",
    21268: "this is a premium number",
    21614: "this is not a mobile number",
    21635: "this is a landline, which cannot receive SMS",
    30005: "the number is unknown or no longer in use",
    30006: "the number is a landline, or its carrier cannot be reached",
    30038: "Twilio filters codes to its own numbers",
    60205: "this is a landline, which cannot receive SMS",
    63003: "the number is not on this channel",
    63024: "the number is not on this channel",
    63032: "the channel does not deliver to this recipient now",
}

_OPT_OUT = {
    21610: "the recipient has opted out",
    30630: "the recipient has unsubscribed",
    63014: "the recipient has blocked the sender",
    63033: "the recipient has opted out on this channel",
}

_RATE = {
    10004: "too many calls at the same time",
    14107: "too many messages between these two numbers",
    20429: "too many requests at the same time",
    21611: "the queue of the from_number is full",
    30001: "the queue is full",
    30022: "too many messages from this 10DLC sender",
    30023: "this 10DLC sender has reached its daily limit",
    30027: "the daily limit of the carrier is reached",
    30454: "the trial account has reached its limit of messages",
    60202: "too many attempts to check a code",
    60203: "too many attempts to send a code",
    60207: "too many requests",
    60212: "too many requests at the same time",
    63017: "too many messages on this channel",
    63018: "too many messages on this channel",
    63038: "the account has reached its daily limit",
}

_BLOCKED = {
    13225: "the number is on Twilio's block list, or calls to +1 need a Primary Customer Profile",
    21216: "the number is on Twilio's block list, or calls to +1 need a Primary Customer Profile",
    30610: "the message was blocked in the recipient's quiet hours",
    30615: "the message was blocked: rules at the recipient's place forbid it at this hour",
    30640: "the recipient is a known litigator",
    60238: "Verify blocked the message",
}

#: A carrier says that it blocked or filtered the message. Nobody can be sure that it did not arrive.
_BLOCKED_PERHAPS = {30004: "the carrier blocked the message"}
_REFUSED_PERHAPS = {30007: "the carrier filtered the message"}

_FRAUD = {
    30450: "the message was blocked as SMS pumping",
    30453: "the message was blocked as fraud",
    30485: "the message was blocked as fraud",
    60410: "the message was blocked as fraud",
}

_REFUSED = {
    21612: "the number cannot be reached from this sender",
    30019: "the message is larger than the carrier allows",
    63005: "the channel did not accept the content",
    63013: "the policy of the channel forbids the message",
    63021: "the channel did not accept the content",
    63035: "the RCS sender may not send to this recipient",
    63036: "RCS does not reach the recipient now",
    63049: "Meta chose not to deliver the message",
}

_TRANSIENT = {30036: "the validity period ended before the message was sent"}

_TRANSIENT_PERHAPS = {
    20500: "Twilio had an internal error",
    20503: "Twilio is unavailable",
    20504: "Twilio timed out",
    30003: "the phone cannot be reached",
    30008: "the carrier reported an unknown error",
    30017: "the carrier is congested",
    30020: "Twilio had an internal error",
    30021: "Twilio had an internal error",
    30410: "the carrier timed out",
    30500: "Twilio had an internal error",
    63009: "the channel had an internal error",
    63010: "Twilio had an internal error",
    63012: "the channel had an internal error",
}

_LOOKUP = {
    60600: "nothing is known about the number",
    60601: "nothing is known about Canadian numbers",
    60606: "this look-up is not enabled",
}

#: The known codes and their meanings.
ERRORS: Mapping[int, CarrierError] = MappingProxyType(
    _rows("config", _CONFIG)
    | _rows("config", {30018: "the sender ID is not registered"}, sent=True)
    | _rows("recipient", _RECIPIENT)
    | _rows("opt-out", _OPT_OUT)
    | _rows("rate", _RATE, retry=True)
    | {14107: CarrierError("rate", True, False, _RATE[14107], timedelta(seconds=30))}
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


def judge(status: int, code: int | None) -> CarrierError:
    """Return the row of a known code, or else a row for the HTTP status.

    Twilio never carried out a request that it answers with 4xx (its pages on 20429 and 20500). After 3xx, 408 and 5xx
    the message may have been sent, whatever the code says.
    """
    known = ERRORS.get(code) if code is not None else None
    if not 400 <= status < 500 or status == 408:
        meaning = known.meaning if known and known.kind == "transient" and known.sent else f"HTTP {status}"
        return CarrierError("transient", True, True, meaning, outage=status not in range(300, 400))
    if known is not None:
        return known
    unknown = "" if code is None else "; this version does not know the code"
    if status == 407:  # only a proxy answers so
        return CarrierError("config", False, False, "HTTP 407; check the proxy, and its user and password", outage=True)
    if status in {401, 403, 404}:
        return CarrierError(
            "config",
            False,
            False,
            f"HTTP {status}; check the account SID and the credentials{unknown}",
            outage=status == 401,
        )
    if status == 429:
        return CarrierError("rate", True, False, f"HTTP 429{unknown}", outage=True)
    return CarrierError("refused", False, False, f"HTTP {status}{unknown}")


def error_of(
    row: CarrierError, name: str, pause: timedelta | None = None, code: int | None = None
) -> DeliveryError | RateLimited:
    """Return the error that a sender raises for a row.

    Args:
        row: a row of :data:`ERRORS`, or the result of :func:`judge`.
        name: what the error's text begins with, for example ``"Twilio 21610"``.
        pause: the pause that the answer asked for. The row's pause is used if it is longer.
        code: Twilio's error code, if there is one.
    """
    return raised(row, name, "twilio", code, pause)
