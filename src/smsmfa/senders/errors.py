"""What a carrier's error code means, and the error that it becomes. Each carrier has its own table of codes."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import attrs

from ..exceptions import (
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)


@attrs.frozen
class CarrierError:
    """One row of a carrier's table.

    Args:
        kind: ``"config"`` (an operator must act), ``"recipient"`` (the number is wrong), ``"opt-out"`` (the recipient
            answered STOP), ``"rate"`` (too many requests), ``"blocked"`` (a list or a filter forbids the recipient or
            the message), ``"fraud"`` (never try another sender), ``"transient"``, ``"lookup"`` (the request was not for
            a message) or ``"refused"`` (another reason, or an unknown one).
        retry: whether sending again later may work although nobody has acted.
        sent: whether the message may have been sent despite the error.
        meaning: the meaning in a few words.
        pause: the shortest wait before sending again, if the carrier documents one.
        outage: whether the reason has nothing to do with the recipient, as in :class:`~smsmfa.DeliveryError`.
    """

    kind: str
    retry: bool
    sent: bool
    meaning: str
    pause: timedelta | None = None
    outage: bool = False


#: The errors of messages that were certainly not sent. All other kinds are ``DeliveryRejected``.
_KINDS: Final[Mapping[str, type[DeliveryRejected]]] = MappingProxyType({
    "config": SenderMisconfigured,
    "recipient": RecipientRejected,
    "opt-out": RecipientOptedOut,
    "blocked": RecipientRejected,
    "fraud": RecipientRejected,
})  # fmt: skip


def raised(
    row: CarrierError, words: str, carrier: str, code: int | str | None = None, pause: timedelta | None = None
) -> DeliveryError | RateLimited:
    """Return the error that a sender raises for a row.

    Args:
        row: the row.
        words: what the error's text begins with, for example ``"Twilio 21610"``.
        carrier: the name of the carrier, for example ``"twilio"``.
        code: the carrier's error code, if there is one.
        pause: the pause that the answer asked for. The row's pause is used if it is longer.
    """
    text = f"{words}: {row.meaning}"
    told = {"carrier": carrier, "carrier_code": None if code is None else str(code)}
    if row.sent:
        return DeliveryUncertain(text, outage=row.outage, **told)
    if row.kind == "rate":
        waits = [wait for wait in (pause, row.pause) if wait is not None]
        limited = RateLimited("carrier", max(waits, default=None), outage=row.outage, **told)
        limited.add_note(text)
        return limited
    return _KINDS.get(row.kind, DeliveryRejected)(text, outage=row.outage, **told)
