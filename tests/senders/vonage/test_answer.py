"""An answer of HTTP 200 is believed only if it accepts every segment."""

import json

import pytest

from smsmfa.senders.building import HttpAnswer
from smsmfa.senders.vonage.answer import Segment, outcome_of, segments_of
from smsmfa.typing import Receipt

NOW = 1_700_000_000 * 10**9


def answer(*statuses, http=200, **changes):
    """Return an answer with these statuses of segments."""
    messages = [
        {"status": str(status), "message-id": f"m{number}"} if str(status) == "0" else {"status": str(status)}
        for number, status in enumerate(statuses, 1)
    ]
    body = {"message-count": str(len(messages)), "messages": messages} | changes
    return HttpAnswer(http, {"Retry-After": "7"}, json.dumps(body).encode())


@pytest.mark.parametrize("statuses", [("0",), ("0", "0", "0"), (0,)])
def test_accepted(statuses):
    """If every segment was accepted the receipt has the id of the first."""
    assert Receipt("m1", "vonage") == outcome_of(answer(*statuses), NOW)


@pytest.mark.parametrize(
    "statuses, http, expected, words",
    [
        (("4",), 200, "sender_misconfigured", "Vonage 4: wrong API key or secret"),
        (("4",), 401, "sender_misconfigured", "Vonage 4: wrong API key or secret"),
        (("33",), 200, "recipient_rejected", "Vonage 33: the number is no longer in use"),
        (("77",), 200, "delivery_rejected", "Vonage 77: this version does not know the code"),
        (("9", "9"), 200, "sender_misconfigured", "Vonage 9: the account has no credit"),
        (("9", "5", "9"), 200, "delivery_uncertain", "Vonage 5: Vonage had an internal error"),
        (("0", "9"), 200, "delivery_uncertain", "Vonage accepted only 1 of 2 segments; 9: the account has no credit"),
        (("9", "0", "0"), 200, "delivery_uncertain", "Vonage accepted only 2 of 3 segments; 9"),
        (("0", "1"), 400, "delivery_uncertain", "Vonage accepted only 1 of 2 segments; 1"),
        (("0",), 400, "delivery_rejected", "Vonage: HTTP 400"),
        (("4",), 500, "delivery_uncertain", "Vonage: HTTP 500"),
        (("0",), 503, "delivery_uncertain", "Vonage: HTTP 503"),
        (("4",), 408, "delivery_uncertain", "Vonage: HTTP 408"),
        (("0",), 302, "delivery_uncertain", "Vonage: HTTP 302"),
    ],
)
def test_refused(statuses, http, expected, words):
    """T24: a refusal is certain only if it is that of every segment, and 3xx, 408 and 5xx win over codes."""
    error = outcome_of(answer(*statuses, http=http), NOW)

    assert (expected, True) == (error.code, str(error).startswith(words))
    assert "vonage" == error.carrier
    assert error.carrier_code == (words.split(";")[-1].split(":")[0].split()[-1] if "HTTP" not in words else None)


@pytest.mark.parametrize("statuses, http", [(("1",), 200), (("10", "10"), 200), ((), 429)])
def test_pause(statuses, http):
    """A limit has the pause that the answer asks for."""
    error = outcome_of(answer(*statuses, http=http), NOW)

    assert ("carrier", 7) == (error.scope, error.retry_after.total_seconds())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": {"status": "0"}}',
        b'{"messages": ["0"]}',
        b'{"messages": [{"message-id": "m1"}]}',
        b'{"messages": [{"status": "ok", "message-id": "m1"}]}',
        b'{"messages": [{"status": "\xd9\xa0", "message-id": "m1"}]}',
        b'{"messages": [{"status": "1000000"}]}',
        b'{"messages": [{"status": "0"}]}',
        b'{"messages": [{"status": "0", "message-id": ""}]}',
        b'{"messages": [{"status": "0", "message-id": 7}]}',
        b'{"messages": [{"status": "0", "message-id": "m1"}, {}]}',
        b'{"message-count": "2", "messages": [{"status": "0", "message-id": "m1"}]}',
        b'{"message-count": "2", "messages": [{"status": "4"}]}',
    ],
)
def test_unusable(body):
    """T24: an answer that does not say what became of every segment proves nothing."""
    error = outcome_of(HttpAnswer(200, {}, body), NOW)

    assert ("delivery_uncertain", True) == (error.code, str(error).startswith(("Vonage gave no", "Vonage answered")))


def test_segments():
    """Each segment has its code and its id."""
    given = {"message-count": 2, "messages": [{"status": "0", "message-id": "m1"}, {"status": 9, "message-id": None}]}

    assert [Segment(0, "m1"), Segment(9, None)] == segments_of(given)
    assert None is segments_of(None)
