"""The tables say what each of Vonage's codes means for the message."""

import pytest

from smsmfa.senders.errors import raised
from smsmfa.senders.vonage.errors import ERRORS, RECEIPT_ERRORS, judge, meaning_of

#: The codes of https://developer.vonage.com/en/api-errors/sms, and what each becomes.
PUBLISHED = {
    1: "rate_limited", 2: "sender_misconfigured", 3: "delivery_rejected", 4: "sender_misconfigured",
    5: "delivery_uncertain", 6: "delivery_rejected", 7: "recipient_rejected", 8: "sender_misconfigured",
    9: "sender_misconfigured", 10: "rate_limited", 11: "sender_misconfigured", 12: "sender_misconfigured",
    14: "sender_misconfigured", 15: "sender_misconfigured", 22: "sender_misconfigured", 23: "sender_misconfigured",
    29: "sender_misconfigured", 32: "sender_misconfigured", 33: "recipient_rejected",
}  # fmt: skip
#: Codes that say nothing about the recipient.
OUTAGES = {1, 4, 5, 8, 9, 10, 11, 14, 32}


def test_codes():
    """Every published code has its error, and is an outage only if it has nothing to do with the recipient."""
    assert PUBLISHED == {code: raised(row, "Vonage", "vonage").code for code, row in ERRORS.items()}
    assert OUTAGES == {code for code, row in ERRORS.items() if row.outage}
    assert {5} == {code for code, row in ERRORS.items() if row.sent}


def test_receipts():
    """The codes of receipts have their own table. None of them says that the message may still arrive."""
    assert {*range(1, 16), 39, *range(50, 55), 99} == RECEIPT_ERRORS.keys()
    assert "opt-out" == RECEIPT_ERRORS[9].kind
    assert {2, 7, 8, 99} == {code for code, row in RECEIPT_ERRORS.items() if row.retry}
    assert not any(row.sent or row.outage for row in RECEIPT_ERRORS.values())


def test_meaning():
    """A code that is not in the table is a refusal, and says so."""
    assert ERRORS[4] is meaning_of(4)
    assert ("refused", "this version does not know the code") == (meaning_of(77).kind, meaning_of(77).meaning)


@pytest.mark.parametrize(
    "status, expected, outage",
    [
        (302, "delivery_uncertain", False),
        (400, "delivery_rejected", False),
        (401, "sender_misconfigured", True),
        (403, "sender_misconfigured", False),
        (404, "sender_misconfigured", False),
        (407, "sender_misconfigured", True),
        (408, "delivery_uncertain", True),
        (429, "rate_limited", True),
        (500, "delivery_uncertain", True),
        (503, "delivery_uncertain", True),
    ],
)
def test_status(status, expected, outage):
    """T24: without a code the HTTP status decides."""
    error = raised(judge(status), "Vonage", "vonage")

    assert (expected, outage) == (error.code, error.outage)
