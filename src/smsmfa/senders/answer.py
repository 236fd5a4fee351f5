"""What a carrier's HTTP answer says, in its body and its headers."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS = re.compile(r"[0-9]+", re.ASCII)
#: The longest pause that is passed on, whatever ``Retry-After`` says.
LONGEST_PAUSE: Final = timedelta(hours=1)


def json_object(body: str | bytes) -> dict[str, object] | None:
    """Return the JSON object in a body, or ``None`` if there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def retry_after(headers: Mapping[str, str], now: int) -> timedelta | None:
    """Return the pause that ``Retry-After`` asks for (RFC 9110, 10.2.3), or ``None`` if it cannot be read.

    It is at most an hour, so that one answer cannot stop a carrier, or a user, for longer.

    Args:
        headers: the headers of the answer.
        now: nanoseconds since the epoch.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        longest = LONGEST_PAUSE // timedelta(seconds=1)
        seconds = int(text) if len(text) < 10 else longest
        return timedelta(seconds=min(seconds, longest))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    pause = until.replace(tzinfo=until.tzinfo or UTC) - datetime.fromtimestamp(now // 10**9, UTC)
    return min(max(pause, timedelta(0)), LONGEST_PAUSE)
