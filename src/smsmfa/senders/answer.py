"""What a carrier's HTTP answer says, in its body and its headers."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: A pause in seconds, of at most about thirty years.
_SECONDS = re.compile(r"[0-9]{1,9}")


def json_object(body: str | bytes) -> dict[str, object] | None:
    """Return the JSON object in a body, or ``None`` if there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def retry_after(headers: Mapping[str, str], now: int) -> timedelta | None:
    """Return the pause that ``Retry-After`` asks for (RFC 9110, 10.2.3), or ``None`` if it cannot be read.

    Args:
        headers: the headers of the answer.
        now: nanoseconds since the epoch.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    pause = until.replace(tzinfo=until.tzinfo or UTC) - datetime.fromtimestamp(now // 10**9, UTC)
    return max(pause, timedelta(0))
