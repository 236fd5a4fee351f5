"""Delivery reports: the events of AWS End User Messaging about messages that it accepted.

A report says whether a message arrived. It has no effect on logins. Source of the events:
https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-format.html
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec

from ...codes import is_id
from ...core.arguments import checked_clock
from ...core.opaque import Opaque
from ...exceptions import ConfigurationError
from ...typing import SMS, VOICE, Clock
from ...values import instant
from ..answer import json_object
from ..errors import CarrierError
from ..report import CallbackRejected, DeliveryReport, masked
from .calls import CHALLENGE
from .signatures import Fetch, Topic, fetched

#: The status of each ``eventType`` that is no failure. After 72 hours without news AWS reports ``TEXT_UNKNOWN``.
_STATUSES = {
    "TEXT_QUEUED": "queued",
    "TEXT_PENDING": "sending",
    "TEXT_SENT": "sent",
    "TEXT_SUCCESSFUL": "sent",
    "TEXT_DELIVERED": "delivered",
    "TEXT_UNKNOWN": "unknown",
    "VOICE_INITIATED": "initiated",
    "VOICE_RINGING": "ringing",
    "VOICE_ANSWERED": "in-progress",
    "VOICE_COMPLETED": "completed",
}


def _row(kind: str, meaning: str) -> CarrierError:
    return CarrierError(kind, retry=kind == "transient", sent=False, meaning=meaning)


#: The status of each failure, and its meaning.
_FAILURES = {
    "TEXT_INVALID": ("undelivered", _row("recipient", "the number is not valid")),
    "TEXT_INVALID_MESSAGE": ("undelivered", _row("refused", "the message is not valid")),
    "TEXT_UNREACHABLE": ("undelivered", _row("transient", "the phone cannot be reached")),
    "TEXT_CARRIER_UNREACHABLE": ("undelivered", _row("transient", "the carrier cannot be reached")),
    "TEXT_BLOCKED": ("undelivered", _row("blocked", "the recipient blocks messages")),
    "TEXT_CARRIER_BLOCKED": ("undelivered", _row("blocked", "the carrier blocks the message")),
    "TEXT_SPAM": ("undelivered", _row("blocked", "the carrier takes the message for spam")),
    "TEXT_PROTECT_BLOCKED": ("undelivered", _row("blocked", "a protect configuration of yours blocks the message")),
    "TEXT_TTL_EXPIRED": ("expired", _row("transient", "the code expired first")),
    "VOICE_BUSY": ("busy", _row("transient", "the line is busy")),
    "VOICE_NO_ANSWER": ("no-answer", _row("transient", "nobody answers")),
    "VOICE_FAILED": ("failed", _row("refused", "the call failed")),
    "VOICE_TTL_EXPIRED": ("expired", _row("transient", "the code expired first")),
}
_NONE = "the message contains no report of an SMS or a call"


class AwsReports:
    """Reads the requests that Amazon SNS makes to your subscription of the ``https`` protocol.

    It stores nothing. It fetches AWS's certificate, about once a year, and confirms the subscription.

    Args:
        topic_arn: the ARN of the topic. Its attribute ``SignatureVersion`` must be 2 (SHA-256).
        fetch: returns the bytes at an ``https`` URL of AWS's; ``None``: our own, with requests.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: the ARN is malformed, or ``cryptography`` is not installed.
    """

    def __init__(self, topic_arn: str, *, fetch: Fetch | None = None, clock: Clock | None = None) -> None:
        if find_spec("cryptography") is None:
            raise ConfigurationError('AwsReports needs cryptography: pip install "smsmfa[encryption]"')
        self._topic = Topic(topic_arn, fetch or fetched)
        self._clock = checked_clock(clock)

    def read(self, body: bytes | str) -> DeliveryReport | None:
        """Verify that SNS made a request, and return its report; ``None``: it was about the subscription.

        Args:
            body: the body of the request.

        Raises:
            CallbackRejected: SNS did not sign the request for this topic, or it contains no report.
            SmsMfaError: AWS's certificate could not be fetched; answer 500, so that SNS tries again.
        """
        hidden = Opaque(body)
        del body  # a traceback with locals must not show the number
        outcome = self._outcome(hidden)
        if isinstance(outcome, CallbackRejected):
            raise outcome
        return outcome

    def _outcome(self, body: Opaque[bytes | str]) -> DeliveryReport | CallbackRejected | None:
        now = instant(self._clock() // 1000)
        message = Opaque(json_object(body.reveal()) or {})
        if problem := self._topic.problem(message.reveal(), now):
            return CallbackRejected(problem)
        kind = message.reveal()["Type"]
        if kind == "SubscriptionConfirmation" and not self._topic.confirm(message.reveal()):
            return CallbackRejected("the URL that confirms the subscription is not AWS's")
        if kind != "Notification":
            return None
        return _report(Opaque(json_object(str(message.reveal()["Message"])) or {}), now)

    def __repr__(self) -> str:
        return "<AwsReports>"


def report_of(event: Mapping[str, object], *, clock: Clock | None = None) -> DeliveryReport:
    """Return the report in an event that needs no signature: one that AWS gives to your Lambda function or SQS queue.

    Args:
        event: an event of EventBridge, or of an event destination.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        CallbackRejected: the event contains no report.
    """
    hidden = Opaque(event)
    del event  # a traceback with locals must not show the number
    outcome = _report(hidden, instant(checked_clock(clock)() // 1000))
    if isinstance(outcome, CallbackRejected):
        raise outcome
    return outcome


def _report(event: Opaque[Mapping[str, object]], at: datetime) -> DeliveryReport | CallbackRejected:
    """Read an event, in the envelope of EventBridge or without it."""
    inner = event.reveal().get("detail", event.reveal())
    fields = inner if isinstance(inner, Mapping) else {}
    kind, message_id = str(fields.get("eventType")), fields.get("messageId")
    status, error = _FAILURES.get(kind, (_STATUSES.get(kind), None))
    if status is None or not isinstance(message_id, str) or not message_id:
        return CallbackRejected(_NONE)
    context = fields.get("context")
    challenge = context.get(CHALLENGE) if isinstance(context, Mapping) else None
    return DeliveryReport(
        carrier="aws",
        message_id=message_id,
        status=status,
        error_code=kind if error else None,
        error=error,
        challenge_id=challenge if isinstance(challenge, str) and is_id(challenge) else None,
        phone=masked(str(fields.get("destinationPhoneNumber", ""))),
        channel=VOICE if kind.startswith("VOICE_") else SMS,
        at=at,
    )
