"""The audit trail: one typed event for each operation, whatever came of it.

An event holds no code and no whole number. Names are those of Auth0's log.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import attrs

from .exceptions import DeliveryError, DeliveryUncertain, RateLimited, SmsMfaError
from .values import instant

if TYPE_CHECKING:
    from .core.operation import Operation


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

#: What each operation is logged as: done, done without a message, refused, limited.
_NAMES = {
    "start": ("gd_send_sms", "gd_start_enroll", "gd_start_enroll_failed", "gd_otp_rate_limit_exceed"),
    "resend enrollment": ("gd_send_sms", "gd_start_enroll", "gd_start_enroll_failed", "gd_otp_rate_limit_exceed"),
    "confirm": ("gd_enrollment_complete", "", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "challenge": ("gd_send_sms", "gd_start_auth", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "resend": ("gd_send_sms", "gd_start_auth", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "verify": ("gd_auth_succeed", "", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "recover": ("gd_recovery_succeed", "", "gd_recovery_failed", "gd_recovery_rate_limit_exceed"),
    "remove": ("gd_unenroll", "", "gd_unenroll", ""),
    "reset": ("gd_user_delete", "", "gd_user_delete", ""),
    "new recovery codes": ("gd_update_device_account", "", "gd_update_device_account", ""),
    "unlock": ("gd_update_device_account", "", "gd_update_device_account", ""),
}


def emit(listener: Listener, operation: "Operation", error: BaseException | None) -> None:
    """Tell a listener how an operation ended; it changes nothing about that."""
    event = _event(operation, DeliveryUncertain() if operation.uncertain and error is None else error)
    try:
        listener(event)
    except Exception as failure:  # a listener can break nothing
        _complain(failure)


def _event(operation: "Operation", error: BaseException | None) -> Event:
    channel, size = operation.cost if error is None or operation.uncertain else (None, None)
    return Event(
        name=_name(_NAMES[operation.name], error, operation.sent),
        outcome=_outcome(error),
        at=instant(operation.now),
        user_id=operation.user_id,
        phone=operation.phone.phone.masked if operation.phone else None,
        scope=error.scope if isinstance(error, RateLimited) else None,
        error=error.code if isinstance(error, SmsMfaError) else type(error).__name__ if error else None,
        challenge_id=operation.challenge_id,
        purpose=operation.purpose,
        message_id=operation.message_id,
        channel=channel,
        segments=size.count if size else None,
        encoding=size.encoding if size else None,
    )


def _name(names: tuple[str, str, str, str], error: BaseException | None, sent: bool) -> str:
    done, unsent, refused, limited = names
    if error is None:
        return done if sent else unsent
    if _is_carriers(error):
        return "gd_send_sms_failure"
    return limited if isinstance(error, RateLimited) else refused


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    refused = isinstance(error, SmsMfaError) and error.http_status < 500 and not _is_carriers(error)
    return "refused" if refused else "failed"


def _is_carriers(error: BaseException) -> bool:
    return isinstance(error, DeliveryError) or (isinstance(error, RateLimited) and error.scope == "carrier")


def _complain(failure: Exception) -> None:
    import logging  # costs as much to import as the rest of the package, for what should never happen

    logging.getLogger("smsmfa").error("on_event raised %s; the event is lost", type(failure).__name__)
