"""Delivery reports: what a carrier says about a message after it accepted it.

A report says whether a message arrived. It has no effect on logins.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qs

import attrs

from ..events import Event
from ..exceptions import DeliveryError, RateLimited, SmsMfaError
from .errors import CarrierError, raised

#: The form of a request: its body, a mapping from names to one or several values, or a framework's multi-dict.
Form: TypeAlias = bytes | str | Mapping[str, Any]

#: The order of statuses. An unknown status has rank 0.
_RANKS = {
    **dict.fromkeys(("accepted", "scheduled"), 1),
    **dict.fromkeys(("queued", "initiated"), 2),
    **dict.fromkeys(("sending", "ringing", "buffered"), 3),
    **dict.fromkeys(("sent", "in-progress"), 4),
    **dict.fromkeys(
        ("delivered", "undelivered", "failed", "canceled", "partially_delivered", "expired", "rejected"), 5
    ),
    **dict.fromkeys(("completed", "busy", "no-answer"), 5),
    "read": 6,
}
_BAD = frozenset({"undelivered", "failed", "canceled", "busy", "no-answer", "expired", "rejected"})
#: The meaning of a failure without a code, or with one that no table knows.
_UNKNOWN = CarrierError("refused", False, False, "the carrier does not say why")


class CallbackRejected(SmsMfaError):
    """The request is not a report signed by the carrier. Do not trust anything in it."""

    code = "callback_rejected"
    http_status = 403


@attrs.frozen(kw_only=True)
class DeliveryReport:
    """The status of one message or call at one moment.

    Reports may come more than once and in any order. Of two reports about the same message, the one with the higher
    ``rank`` is later. ``"sent"`` may be the last status, and how reliable ``"delivered"`` is depends on the carrier.

    Args:
        carrier: the name of the carrier, as in receipts: ``"twilio"``.
        message_id: the carrier's id of the message, as in the receipt.
        status: the carrier's status: ``"sent"``, ``"delivered"``, ``"undelivered"`` and so on; for a call
            ``"completed"`` and so on.
        error_code: the carrier's error code, if there is one.
        error: the meaning of ``error_code``: its kind, and whether to send again. ``None`` if there is none, or
            unknown.
        challenge_id: the challenge that the message belongs to.
        phone: the recipient's number, masked.
        channel: ``"sms"``, ``"voice"`` or ``"whatsapp"``.
        at: when the report arrived.
    """

    carrier: str = "twilio"
    message_id: str
    status: str
    error_code: int | str | None
    error: CarrierError | None = None
    challenge_id: str | None
    phone: str | None
    channel: str
    at: datetime

    @property
    def rank(self) -> int:
        """The progress of the message, from 0 (an unknown status) to 6 (read)."""
        return _RANKS.get(self.status, 0)

    @property
    def failed(self) -> bool:
        """Whether the message did not arrive and will not arrive."""
        return self.status in _BAD

    def supersedes(self, other: "DeliveryReport | None") -> bool:
        """Return whether this report is newer than ``other``, a report about the same message or ``None``."""
        return other is None or self.rank > other.rank

    @property
    def event(self) -> Event:
        """The report as an event for the audit trail, named ``"delivery_report"``. It has no user id."""
        error = self._failure() if self.failed else None
        return Event(
            name="delivery_report",
            outcome="failed" if error else "ok",
            at=self.at,
            user_id="",
            phone=self.phone,
            scope=error.scope if isinstance(error, RateLimited) else None,
            error=error.code if error else None,
            challenge_id=self.challenge_id,
            message_id=self.message_id,
            channel=self.channel,
            carrier=self.carrier,
            carrier_code=error.carrier_code if error else None,
        )

    def _failure(self) -> DeliveryError | RateLimited:
        """Return the error that the sender would have raised if the carrier had known it at once."""
        return raised(attrs.evolve(self.error or _UNKNOWN, sent=False), "", self.carrier, self.error_code)


def masked(number: str) -> str | None:
    """Return the last two digits of a number, or ``None`` if it is too short to be one."""
    return f"••••{number[-2:]}" if len(number) > 6 else None


def fields_of(form: Form) -> dict[str, list[str]]:
    """Return every field of a form with all its values, including empty ones."""
    if isinstance(form, bytes | str):
        text = form.decode("utf-8", "replace") if isinstance(form, bytes) else form
        return parse_qs(text, keep_blank_values=True)
    several = getattr(form, "getall", None) or getattr(form, "getlist", None)
    return {name: _values(form[name] if several is None else several(name)) for name in form}


def _values(value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [str(value)]
    return [str(one) for one in value]
