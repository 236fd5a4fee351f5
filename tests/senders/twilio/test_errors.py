"""Twilio's error codes are data: each says what it is, whether to send again, and whether the message may be out."""

from datetime import timedelta

import pytest

from smsmfa.exceptions import (
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.senders.twilio.errors import ERRORS, TwilioError, error_of, judge

# The table of the design, written out once more: code by code what a sender has to raise.
REJECTED = {21612, 30036, 60600, 60601, 60606, 60616, 63013}
RECIPIENT = {13225, 21202, 21211, 21214, 21216, 21217, 21614, 21635, 30005, 30006, 30038, 30450, 30453, 30485, 30610}
RECIPIENT |= {30640, 60205, 60238, 60410, 63003, 63024, 63032, 63033}
OPTED_OUT = {21610, 63014}
LIMITED = {10004, 14107, 20429, 21611, 30001, 30022, 30023, 30027, 30454, 60202, 60203, 60207, 60212}
LIMITED |= {63017, 63018, 63038}
MISCONFIGURED = {10001, 13227, 20003, 20005, 20008, 20404, 21201, 21203, 21210, 21212, 21213, 21215, 21219, 21408}
MISCONFIGURED |= {21602, 21603, 21604, 21606, 21607, 21608, 21609, 21617, 21618, 21619, 21624, 21654, 21655, 21656}
MISCONFIGURED |= {21659, 21660, 21661, 21701, 21702, 21703, 21704, 21705, 21712, 21910, 30002, 30032, 30033, 30034}
MISCONFIGURED |= {30035, 30037, 30040, 30041, 30042, 60200, 60605, 63001, 63002, 63007, 63008, 63015, 63016, 63027}
MISCONFIGURED |= {63028, 63040, 63041, 63042, 572002, 572005}
UNCERTAIN = {20500, 20503, 20504, 30003, 30004, 30007, 30008, 30017, 30018, 30410, 30500, 63009, 63010, 63012}
EXPECTED = {
    **dict.fromkeys(REJECTED, DeliveryRejected),
    **dict.fromkeys(RECIPIENT, RecipientRejected),
    **dict.fromkeys(OPTED_OUT, RecipientOptedOut),
    **dict.fromkeys(LIMITED, RateLimited),
    **dict.fromkeys(MISCONFIGURED, SenderMisconfigured),
    **dict.fromkeys(UNCERTAIN, DeliveryUncertain),
}


def words(error):
    """Return what an error says, in its notes too."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def test_every_code():
    """The table has the codes that are tested here and no other, and cannot be changed."""
    assert EXPECTED.keys() == ERRORS.keys()
    assert not hasattr(ERRORS, "__setitem__")


@pytest.mark.parametrize("code", sorted(EXPECTED))
@pytest.mark.parametrize("status", [400, 500])
def test_code(code, status):
    """T24: each known code of Twilio's has its class whatever the status, and its meaning in our own words."""
    error = error_of(judge(status, code), f"Twilio {code}")

    assert EXPECTED[code] is type(error)
    assert f"Twilio {code}: {ERRORS[code].meaning}" in words(error)
    assert "HTTP" not in words(error)


@pytest.mark.parametrize("code", sorted(EXPECTED))
def test_row(code):
    """What may be out is of doubtful fate, and what only the operator or the recipient can end is not tried again."""
    row = ERRORS[code]

    assert row.sent == (EXPECTED[code] is DeliveryUncertain)
    assert row.retry == (row.kind in {"rate", "transient"} or code == 60616)


@pytest.mark.parametrize(
    "status, kind, retry, sent, expected, shown",
    [
        (302, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 302"),
        (400, "refused", False, False, DeliveryRejected, "Twilio: HTTP 400"),
        (
            401,
            "config",
            False,
            False,
            SenderMisconfigured,
            "Twilio: HTTP 401; check the account SID and the auth token",
        ),
        (
            403,
            "config",
            False,
            False,
            SenderMisconfigured,
            "Twilio: HTTP 403; check the account SID and the auth token",
        ),
        (
            404,
            "config",
            False,
            False,
            SenderMisconfigured,
            "Twilio: HTTP 404; check the account SID and the auth token",
        ),
        (408, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 408"),
        (422, "refused", False, False, DeliveryRejected, "Twilio: HTTP 422"),
        (429, "rate", True, False, RateLimited, "Twilio: HTTP 429"),
        (499, "refused", False, False, DeliveryRejected, "Twilio: HTTP 499"),
        (500, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 500"),
        (503, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 503"),
    ],
)
@pytest.mark.parametrize("code", [None, 29_999])
def test_status(status, kind, retry, sent, expected, shown, code):
    """T24: without a code, or with one that nobody knows, the status decides: a 4xx was never carried out."""
    row = judge(status, code)
    error = error_of(row, "Twilio")

    assert (kind, retry, sent) == (row.kind, row.retry, row.sent)
    assert expected is type(error)
    assert shown in words(error)


@pytest.mark.parametrize(
    "code, asked, expected",
    [
        (20429, None, None),
        (20429, timedelta(seconds=7), timedelta(seconds=7)),
        (14107, None, timedelta(seconds=30)),
        (14107, timedelta(seconds=7), timedelta(seconds=30)),
        (14107, timedelta(seconds=45), timedelta(seconds=45)),
    ],
)
def test_pause(code, asked, expected):
    """The longer of the pause that the answer asks for and the one that the code stands for is passed on."""
    error = error_of(ERRORS[code], "Twilio", asked)

    assert ("carrier", expected) == (error.scope, error.retry_after)


def test_pause_of_others():
    """Only a limit passes a pause on."""
    assert DeliveryUncertain is type(error_of(judge(503, None), "Twilio", timedelta(seconds=7)))


def test_frozen():
    """A row cannot be changed."""
    with pytest.raises(AttributeError):
        ERRORS[21610].retry = True
    assert TwilioError("opt-out", False, False, "the recipient has opted out") == ERRORS[21610]
