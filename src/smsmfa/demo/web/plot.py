"""Draws the activity of the last day: what was sent, refused and confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .archive import Logged

_HOUR = 3600
_BARS = 24
_WIDTH, _HEIGHT = 720, 160
#: The events that count for each row: what is drawn, and its class in the style sheet.
_SENDS = ("gd_send_sms", "gd_send_voice", "gd_start_auth", "gd_start_enroll")
_CONVERSIONS = ("gd_auth_succeed", "gd_enrollment_complete", "gd_recovery_succeed")
SERIES = (("sent", "Messages sent"), ("refused", "Refused"), ("converted", "Codes accepted"))


def kind_of(event: dict[str, object]) -> str:
    """Return ``"sent"``, ``"refused"``, ``"converted"`` or ``""`` for an event."""
    if event["outcome"] == "refused":
        return "refused"
    if event["outcome"] != "ok" or event["repeated"]:
        return ""
    if event["name"] in _CONVERSIONS:
        return "converted"
    return "sent" if event["channel"] else ""


def counts(events: Iterable[Logged], now: float) -> list[dict[str, int]]:
    """Return how many events of each kind there were in each of the last 24 hours, the latest last."""
    hours = [dict.fromkeys((name for name, _ in SERIES), 0) for _ in range(_BARS)]
    for logged in events:
        ago = int((now - logged.at) // _HOUR)
        kind = kind_of(logged.event)
        if kind and 0 <= ago < _BARS:
            hours[_BARS - 1 - ago][kind] += 1
    return hours


def highest(hours: list[dict[str, int]]) -> int:
    """Return the height of the highest bar."""
    return max(count for hour in hours for count in hour.values())


def draw(hours: list[dict[str, int]]) -> str:
    """Return the plot as SVG. Its colours are in the style sheet."""
    most = highest(hours) or 1
    step = _WIDTH / len(hours)
    bars = []
    for number, hour in enumerate(hours):
        for place, (name, label) in enumerate(SERIES):
            height = _HEIGHT * hour[name] / most
            left = number * step + 2 + place * (step - 4) / len(SERIES)
            title = escape(f"{label}, {_when(len(hours) - 1 - number)}: {hour[name]}")
            bars.append(
                f'<rect class="plot-{name}" x="{left:.1f}" y="{_HEIGHT - height:.1f}" '
                f'width="{(step - 4) / len(SERIES):.1f}" height="{height:.1f}"><title>{title}</title></rect>'
            )
    axis = f'<line class="plot-axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
    total = ", ".join(f"{label.lower()}: {sum(hour[name] for hour in hours)}" for name, label in SERIES)
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="The last 24 hours: {total}">'
        f"{axis}{''.join(bars)}</svg>"
    )


def _when(ago: int) -> str:
    return "this hour" if ago == 0 else "an hour ago" if ago == 1 else f"{ago} hours ago"
