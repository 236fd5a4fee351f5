"""The audit trail: one typed event for each operation, whatever came of it.

An event holds no code and no whole number. Names are those of Auth0's log.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import attrs


@attrs.frozen(kw_only=True)
class Event:
    """What happened (OWASP ASVS 5.0, 16.3.1 and 16.3.3: every attempt is logged, success or not).

    Args:
        name: as Auth0 logs it, ``"gd_send_sms"``, ``"gd_auth_failed"``, ...
        outcome: ``"ok"``, ``"refused"`` (by a rule) or ``"failed"`` (carrier, store, configuration, bug).
        at: when the operation began.
        user_id: whose operation it was.
        phone: the number, masked, where it is known.
        scope: which limit refused, if one did.
        error: the ``code`` of the error, if there was one.
        challenge_id: which challenge, where there is one.
        purpose: what the code is for.
        message_id: the carrier's id of the message that went out, if it gave one.
        channel: how a message went out, if one did or may have.
        segments: what that cost, of an SMS: each segment is paid for.
        encoding: why: ``"GSM-7"``, or ``"UCS-2"``, of which less than half fits into a segment.
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


Listener: TypeAlias = Callable[[Event], object]
