"""The audit trail: turns an operation that has ended into an event."""

import logging
from types import TracebackType

from ..events import Event, Listener
from ..exceptions import DeliveryError, DeliveryUncertain, RateLimited, SmsMfaError
from ..texts.segments import segments
from ..typing import SMS
from ..values import instant
from .operation import Operation

#: The names of Auth0's log for each operation: done, done without a message, refused, rate limited.
_NAMES = {
    "start": ("gd_send_sms", "gd_start_enroll", "gd_start_enroll_failed", "gd_otp_rate_limit_exceed"),
    "resend enrollment": ("gd_send_sms", "gd_start_enroll", "gd_start_enroll_failed", "gd_otp_rate_limit_exceed"),
    "confirm": ("gd_enrollment_complete", "", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "challenge": ("gd_send_sms", "gd_start_auth", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "resend": ("gd_send_sms", "gd_start_auth", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "verify": ("gd_auth_succeed", "", "gd_auth_failed", "gd_otp_rate_limit_exceed"),
    "recover": ("gd_recovery_succeed", "", "gd_recovery_failed", "gd_recovery_rate_limit_exceed"),
    "remove": ("gd_unenroll", "", "gd_unenroll", ""),
    "prefer": ("gd_update_device_account", "", "gd_update_device_account", ""),
    "adopt": ("gd_enrollment_complete", "", "gd_start_enroll_failed", ""),
    "reset": ("gd_user_delete", "", "gd_user_delete", ""),
    "new recovery codes": ("gd_update_device_account", "", "gd_update_device_account", ""),
    "unlock": ("gd_update_device_account", "", "gd_update_device_account", ""),
}


class Audit:
    """A ``with`` block around an operation. It tells the listener, if there is one, how the operation ended."""

    __slots__ = ("_listener", "operation")

    def __init__(self, operation: Operation, listener: Listener | None) -> None:
        self.operation: Operation = operation
        self._listener = listener

    def __enter__(self) -> Operation:
        return self.operation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._listener is None:
            return
        event = event_of(self.operation, error)
        try:
            self._listener(event)
        except Exception as failure:  # a listener can break nothing
            logging.getLogger("smsmfa").error("on_event raised %s; the event is lost", type(failure).__name__)


def event_of(operation: Operation, error: BaseException | None) -> Event:
    """Return the event of an operation that ended, with ``error`` if it raised."""
    message = operation.message if error is None else None
    carrier, carrier_code = carrier_of(error) if error else (operation.carrier, operation.carrier_code)
    if operation.uncertain and error is None:
        error = DeliveryUncertain()
    size = segments(message.text) if message and message.channel == SMS else None
    return Event(
        name=_name(operation, error),
        outcome=_outcome(error),
        at=instant(operation.now),
        user_id=operation.user_id,
        phone=operation.phone.phone.masked if operation.phone else None,
        scope=error.scope if isinstance(error, RateLimited) else None,
        error=error.code if isinstance(error, SmsMfaError) else type(error).__name__ if error else None,
        challenge_id=operation.challenge_id,
        purpose=operation.purpose,
        message_id=operation.message_id,
        channel=message.channel if message else None,
        segments=size.count if size else None,
        encoding=size.encoding if size else None,
        carrier=carrier,
        carrier_code=carrier_code,
        repeated=operation.repeated,
    )


def _name(operation: Operation, error: BaseException | None) -> str:
    done, unsent, refused, limited = _NAMES[operation.name]
    if error is None:
        return done if operation.sent else unsent
    if _is_carriers(error):
        return "gd_send_sms_failure"
    return limited if isinstance(error, RateLimited) else refused


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    refused = isinstance(error, SmsMfaError) and error.http_status < 500 and not _is_carriers(error)
    return "refused" if refused else "failed"


def _is_carriers(error: BaseException) -> bool:
    """Tell whether the carrier failed, and not the user or one of our limits."""
    return isinstance(error, DeliveryError) or (isinstance(error, RateLimited) and error.scope == "carrier")


def carrier_of(error: BaseException) -> tuple[str | None, str | None]:
    """Return the carrier that an error is from and the carrier's own code, as far as the sender said so."""
    return (error.carrier, error.carrier_code) if isinstance(error, DeliveryError | RateLimited) else (None, None)


def report_uncertain(sender: object, error: Exception) -> None:
    """Log that a message may have gone out. What the sender said is left out: it may hold the number or the code."""
    report = logging.getLogger("smsmfa").warning
    if isinstance(error, DeliveryUncertain):
        code = f" (code {error.carrier_code})" if error.carrier_code else ""
        report("%s does not know whether a message went out%s", type(sender).__name__, code)
    else:
        report("%s raised %s; a message may have gone out", type(sender).__name__, type(error).__name__)
