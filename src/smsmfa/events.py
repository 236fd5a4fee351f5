"""The events of the audit trail: one for each call, whether it succeeded or not.

An event holds no code and no whole number. The names come from Auth0's log.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import attrs


@attrs.frozen(kw_only=True)
class Event:
    """What happened in one call (OWASP ASVS 5.0, 16.3.1 and 16.3.3: log every attempt, successful or not).

    Args:
        name: the name in Auth0's log: ``"gd_send_sms"``, ``"gd_auth_failed"``, ...
        outcome: ``"ok"``, ``"refused"`` (by a rule) or ``"failed"`` (carrier, store, configuration, bug).
        at: when the call began.
        user_id: the user.
        phone: the masked number, if it is known.
        scope: which limit refused, if one did.
        error: the ``code`` of the error, if there was one.
        challenge_id: the challenge, if there is one.
        purpose: what the code is for.
        message_id: the carrier's id of the message, if it gave one.
        channel: the channel of the message, if one was sent or may have been.
        segments: the number of segments of an SMS. Each is paid for.
        carrier: the name of the carrier that took the message or failed.
        carrier_code: the carrier's own error code, if there is one: ``"21612"``.
        repeated: whether the call repeats one that was answered before, and got the same answer.
        encoding: ``"GSM-7"``, or ``"UCS-2"``, of which less than half fits into a segment.
    """

    name: str
    outcome: str
    at: datetime
    user_id: str
    phone: str | None = None
    scope: str | None = None
    error: str | None = None
    challenge_id: str | None = None
    purpose: str | None = None
    message_id: str | None = None
    channel: str | None = None
    segments: int | None = None
    encoding: str | None = None
    carrier: str | None = None
    carrier_code: str | None = None
    repeated: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return the event for JSON, with its time in ISO 8601."""
        return {**attrs.asdict(self), "at": self.at.isoformat()}


Listener: TypeAlias = Callable[[Event], object]
