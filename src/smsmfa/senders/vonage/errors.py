"""The error codes of Vonage's SMS API, in its answers and in its delivery receipts, as two tables.

The codes of answers are from https://developer.vonage.com/en/api-errors/sms. The codes of receipts are from
https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import CarrierError


def _rows(
    kind: str, meanings: Mapping[int, str], *, retry: bool = False, sent: bool = False, outage: bool = False
) -> dict[int, CarrierError]:
    return {code: CarrierError(kind, retry, sent, meaning, outage=outage) for code, meaning in meanings.items()}


_RATE = {1: "too many messages for this account", 10: "too many connections of this account"}
_ACCOUNT = {
    4: "wrong API key or secret, or the key is disabled",
    8: "the account is suspended",
    9: "the account has no credit",
    11: "the account may not use the SMS API",
    14: "the account demands a signature",
    32: "the account allows either a signature or the API secret",
}
_CONFIG = {
    2: "the request lacks a parameter",
    12: "the message is too long",
    15: "this destination does not accept the from_number",
    22: "the network code is not valid",
    23: "the status_callback is not valid",
    29: "the account is in demo mode, and sends to its own test numbers only",
}
_REFUSED = {
    3: "a parameter is not valid, which may be the number",
    6: "Vonage cannot send to this number",
}

#: The known codes in answers to a request, and their meanings.
ERRORS: Mapping[int, CarrierError] = MappingProxyType(
    _rows("rate", _RATE, retry=True, outage=True)
    | _rows("config", _ACCOUNT, outage=True)
    | _rows("config", _CONFIG)
    | _rows("refused", _REFUSED)
    | _rows("transient", {5: "Vonage had an internal error"}, retry=True, sent=True, outage=True)
    | _rows("blocked", {7: "the number is on Vonage's block list"})
    | _rows("recipient", {33: "the number is no longer in use"})
)

_RECIPIENT = {
    3: "the number is no longer in use",
    4: "the recipient has barred messages",
    5: "the number is being ported",
    12: "the number cannot be reached",
    15: "the recipient has no credit to receive messages",
}
_BLOCKED = {13: "the recipient's age forbids the message", 14: "the carrier blocked the number"}
_PASSING = {
    2: "the phone cannot be reached now",
    7: "the phone is busy",
    8: "the network had an error",
    99: "the route had an error",
}
_SETTINGS = {
    10: "the carrier did not accept the message's parameters",
    39: "this destination does not accept the from_number",
    50: "the entity ID is wrong or missing",
    51: "the header, which is the from_number, is wrong or missing",
    52: "the content ID is wrong or missing",
    53: "the recipient's consent is not registered",
    54: "the message breaks a rule of the country",
}
_OTHERS = {1: "the carrier does not say why", 6: "the carrier filtered the message", 11: "there is no route"}

#: The known codes in delivery receipts, and their meanings.
RECEIPT_ERRORS: Mapping[int, CarrierError] = MappingProxyType(
    _rows("recipient", _RECIPIENT)
    | _rows("opt-out", {9: "the recipient has opted out"})
    | _rows("blocked", _BLOCKED)
    | _rows("transient", _PASSING, retry=True)
    | _rows("config", _SETTINGS)
    | _rows("refused", _OTHERS)
)


def judge(status: int) -> CarrierError:
    """Return the meaning of an HTTP status, if the answer has no code of Vonage's.

    A 4xx answer means that the request was not carried out. After all others the message may have been sent.
    """
    meaning = f"HTTP {status}"
    if not 400 <= status < 500 or status == 408:
        return CarrierError("transient", True, True, meaning, outage=status not in range(300, 400))
    if status == 407:  # only a proxy answers so
        return CarrierError(
            "config", False, False, f"{meaning}; check the proxy, and its user and password", outage=True
        )
    if status in {401, 403, 404}:
        return CarrierError(
            "config", False, False, f"{meaning}; check the API key and the secret", outage=status == 401
        )
    if status == 429:
        return CarrierError("rate", True, False, meaning, outage=True)
    return CarrierError("refused", False, False, meaning)


def meaning_of(code: int) -> CarrierError:
    """Return the row of a code in an answer. Vonage says that any code but 0 is a failure."""
    unknown = CarrierError("refused", False, False, "this version does not know the code")
    return ERRORS.get(code, unknown)
