"""Reads the answer to a message: HTTP 200 even if it was refused, with one object for each segment."""

from collections.abc import Mapping
from typing import Any

import attrs

from ...exceptions import DeliveryUncertain, SmsMfaError
from ...typing import Receipt
from ..building import HttpAnswer
from ..errors import raised
from .errors import judge, meaning_of

_NAME = "vonage"


@attrs.frozen
class Segment:
    """What Vonage says about one segment.

    Args:
        code: 0 if it was accepted, otherwise an error code.
        message_id: its id, if it was accepted.
    """

    code: int
    message_id: str | None


def outcome_of(answer: HttpAnswer, now: int) -> Receipt | SmsMfaError:
    """Return the receipt of a message whose every segment was accepted, or the error.

    Args:
        answer: the answer.
        now: nanoseconds since the epoch.
    """
    found = segments_of(answer.fields)
    errors = [(meaning_of(one.code), one.code) for one in found or [] if one.code != 0]
    refused = 400 <= answer.status < 500 and answer.status != 408
    if not (200 <= answer.status < 300 or (refused and errors)):
        return raised(judge(answer.status), "Vonage", _NAME, pause=answer.pause(lambda: now))
    if not found:
        words = f"Vonage gave no usable answer (HTTP {answer.status} without the state of every segment)"
        return DeliveryUncertain(words)
    if not errors:
        return _accepted(found[0])
    # Of several errors, take one after which the message may have been sent.
    row, code = max(errors, key=lambda error: error[0].sent)
    if len(errors) < len(found):
        words = f"Vonage accepted only {len(found) - len(errors)} of {len(found)} segments"
        return raised(attrs.evolve(row, sent=True), f"{words}; {code}", _NAME, code)
    return raised(row, f"Vonage {code}", _NAME, code, answer.pause(lambda: now))


def _accepted(first: Segment) -> Receipt | DeliveryUncertain:
    if first.message_id is None:
        return DeliveryUncertain("Vonage answered without a message id")
    return Receipt(message_id=first.message_id, sender=_NAME)


def segments_of(fields: Mapping[str, Any] | None) -> list[Segment] | None:
    """Return the segments of an answer, or ``None`` if there are none, or fewer than it says, or one is unreadable."""
    messages = (fields or {}).get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    if str((fields or {}).get("message-count", len(messages))) != str(len(messages)):
        return None
    found = [_segment(one) for one in messages]
    return None if None in found else [one for one in found if one is not None]


def _segment(given: object) -> Segment | None:
    code = str(given.get("status", "")) if isinstance(given, dict) else ""
    if not isinstance(given, dict) or not (code.isascii() and code.isdigit() and len(code) < 6):
        return None
    message_id = given.get("message-id")
    return Segment(int(code), message_id if isinstance(message_id, str) and message_id else None)
