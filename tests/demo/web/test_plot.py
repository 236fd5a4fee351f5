"""The plot of the last day."""

import xml.etree.ElementTree as ET

import pytest

from smsmfa.demo.web.archive import Logged
from smsmfa.demo.web.plot import counts, draw, highest, kind_of

NOW = 1_000_000.0


def an_event(name="gd_send_sms", outcome="ok", channel=None, *, repeated=False):
    return {"name": name, "outcome": outcome, "channel": channel, "repeated": repeated}


@pytest.mark.parametrize(
    "event, kind",
    [
        (an_event(channel="sms"), "sent"),
        (an_event("gd_send_voice", channel="voice"), "sent"),
        (an_event(), ""),
        (an_event(outcome="refused"), "refused"),
        (an_event("gd_auth_failed", "refused"), "refused"),
        (an_event(outcome="failed"), ""),
        (an_event("gd_auth_succeed"), "converted"),
        (an_event("gd_enrollment_complete"), "converted"),
        (an_event("gd_recovery_succeed"), "converted"),
        (an_event("gd_auth_succeed", repeated=True), ""),
        (an_event("gd_unenroll"), ""),
    ],
)
def test_kind(event, kind):
    """A message that went out is sent, an accepted code is a conversion, and a repeated answer counts once."""
    assert kind == kind_of(event)


def test_counts():
    """Each hour has its own counts, the latest last; what is older than a day, or not yet, is left out."""
    ago = [0, 3599, 3600, 86_399, 86_400, -1]
    hours = counts([Logged(NOW - seconds, an_event(channel="sms")) for seconds in ago], NOW)

    assert 24 == len(hours)
    assert [1, *[0] * 21, 1, 2] == [hour["sent"] for hour in hours]


def test_draw():
    """The plot is XML with a bar for each hour and kind, whose heights follow the counts, and says its totals."""
    hours = counts([Logged(NOW, an_event(channel="sms"))] * 4 + [Logged(NOW, an_event("gd_auth_succeed"))] * 2, NOW)
    drawn = ET.fromstring(draw(hours))
    heights = {bar.get("class"): float(bar.get("height")) for bar in drawn.iter("rect") if float(bar.get("height"))}

    assert 72 == len(list(drawn.iter("rect")))
    assert heights["plot-sent"] == 2 * heights["plot-converted"]
    assert "The last 24 hours: messages sent: 4, refused: 0, codes accepted: 2" == drawn.get("aria-label")


def test_titles():
    """Each bar says what it stands for."""
    drawn = draw(counts([], NOW))

    for text in ("Refused, this hour: 0", "Refused, an hour ago: 0", "Refused, 23 hours ago: 0"):
        assert text in drawn


def test_highest():
    """The highest bar is named beside the plot."""
    assert [0, 2] == [
        highest(counts(events, NOW)) for events in ([], [Logged(NOW, an_event(channel="sms"))] * 2)
    ]  # fmt: skip
