"""Bodies and headers of answers are read, and what cannot be read is nothing."""

from datetime import timedelta

import pytest

from smsmfa.senders.answer import json_object, retry_after
from smsmfa.testing import FakeClock

NOW = FakeClock().now


@pytest.mark.parametrize(
    "body, fields",
    [
        ('{"a": 1}', {"a": 1}),
        (b'{"a": 1}', {"a": 1}),
        ("[1]", None),
        (b"", None),
        ("<html>", None),
        (b"\xff", None),
        pytest.param("[" * 100_000, None, id="deep"),
    ],
)
def test_json_object(body, fields):
    """Anything but a JSON object counts as none."""
    assert fields == json_object(body)


@pytest.mark.parametrize(
    "header, pause",
    [
        ("0", timedelta(0)),
        (" 120 ", timedelta(minutes=2)),
        ("3600", timedelta(hours=1)),
        ("3601", timedelta(hours=1)),
        ("999999999", timedelta(hours=1)),
        ("1" * 10, timedelta(hours=1)),
        ("1" * 5000, timedelta(hours=1)),
        ("Tue, 14 Nov 2023 23:13:21 GMT", timedelta(hours=1)),
        ("Tue, 14 Nov 9999 22:13:00 GMT", timedelta(hours=1)),
        ("-1", None),
        ("1.5", None),
        ("١", None),
        ("", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", timedelta(minutes=1)),
        ("Tue, 14 Nov 2023 22:14:20 -0000", timedelta(minutes=1)),
        ("Wed, 15 Nov 2023 00:14:20 +0200", timedelta(minutes=1)),
        ("Tue, 14 Nov 2023 22:13:00 GMT", timedelta(0)),
        ("Tue, 14 Nov 99999 22:13:00 GMT", None),
    ],
)
def test_retry_after(header, pause):
    """A pause is a number of seconds or an instant, and is unknown if it cannot be read."""
    assert pause == retry_after({"Retry-After": header}, NOW)


def test_no_retry_after():
    """Without the header the pause is unknown."""
    assert None is retry_after({}, NOW)
