"""The table of Twilio's error codes: kind, whether to send again, and whether the message may have been sent."""

from datetime import timedelta

import attrs
import pytest

from smsmfa.exceptions import (
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.senders.errors import CarrierError
from smsmfa.senders.twilio.errors import ERRORS, error_of, judge

# The design's table, written out again: the error that a sender raises for each code.
REJECTED = {30019, 63005, 63021, 63035, 63036, 63049, 21612, 30036, 60600, 60601, 60606, 60616, 63013}
RECIPIENT = {
    13223,
    13224,
    21265,
    21266,
    21268,
    30615,
    13225,
    21202,
    21211,
    21214,
    21216,
    21217,
    21614,
    21635,
    30005,
    30006,
    30038,
    30450,
    30453,
    30485,
    30610,
}
RECIPIENT |= {30640, 60205, 60238, 60410, 63003, 63024, 63032}
OPTED_OUT = {21610, 30630, 63014, 63033}
LIMITED = {10004, 14107, 20429, 21611, 30001, 30022, 30023, 30027, 30454, 60202, 60203, 60207, 60212}
LIMITED |= {63017, 63018, 63038}
MISCONFIGURED = {10001, 13227, 20003, 20005, 20008, 20404, 21201, 21203, 21210, 21212, 21213, 21215, 21219, 21408}
MISCONFIGURED |= {21602, 21603, 21604, 21606, 21607, 21608, 21609, 21617, 21618, 21619, 21624, 21654, 21655, 21656}
MISCONFIGURED |= {21659, 21660, 21661, 21701, 21702, 21703, 21704, 21705, 21712, 21910, 30002, 30032, 30033, 30034}
MISCONFIGURED |= {30035, 30037, 30040, 30041, 30042, 60200, 60605, 63001, 63002, 63007, 63008, 63015, 63016, 63027}
MISCONFIGURED |= {21663, 21267, 21657, 30024, 30043, 30620, 21900, 21901, 21711, 21616, 10002, 10005, 30012, 30013}
MISCONFIGURED |= {30029, 30030, 573002, 573005, 575001, 63051, 63112, 20006, 20010, 20403, 90010}
MISCONFIGURED |= {63028, 63040, 63041, 63042, 572002, 572005}
CHECK = "check the account SID and the credentials"
UNCERTAIN = {
    30020,
    30021,
    20500,
    20503,
    20504,
    30003,
    30004,
    30007,
    30008,
    30017,
    30018,
    30410,
    30500,
    63009,
    63010,
    63012,
}
EXPECTED = {
    **dict.fromkeys(REJECTED, DeliveryRejected),
    **dict.fromkeys(RECIPIENT, RecipientRejected),
    **dict.fromkeys(OPTED_OUT, RecipientOptedOut),
    **dict.fromkeys(LIMITED, RateLimited),
    **dict.fromkeys(MISCONFIGURED, SenderMisconfigured),
    **dict.fromkeys(UNCERTAIN, DeliveryUncertain),
}


def words(error):
    """Return the text of an error and its notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def test_every_code():
    """The table has exactly the codes that are tested here, and cannot be changed."""
    assert EXPECTED.keys() == ERRORS.keys()
    assert not hasattr(ERRORS, "__setitem__")


def test_code():
    """T24: each known code has its error with any status of 4xx, and its meaning is in our own words."""
    for code, expected in EXPECTED.items():
        error = error_of(judge(400, code), f"Twilio {code}")

        assert (code, expected) == (code, type(error))
        assert f"Twilio {code}: {ERRORS[code].meaning}" in words(error)
        assert "HTTP" not in words(error)


@pytest.mark.parametrize("status", [302, 307, 408, 500, 502, 503, 504, 599])
def test_status_wins(status):
    """T24: after 3xx, 408 and 5xx the message may have been sent, whatever the code says."""
    for code in EXPECTED:
        error = error_of(judge(status, code), f"Twilio {code}")

        assert (code, DeliveryUncertain, status >= 400) == (code, type(error), error.outage)
        assert f"HTTP {status}" in str(error) or EXPECTED[code] is DeliveryUncertain


def test_row():
    """Only an uncertain error may have been sent, and only limits and transient errors are worth another try."""
    uncertain = {code for code, kind in EXPECTED.items() if kind is DeliveryUncertain}

    assert uncertain == {code for code, row in ERRORS.items() if row.sent}
    assert {code for code, row in ERRORS.items() if row.kind in {"rate", "transient"}} | {60616} == {
        code for code, row in ERRORS.items() if row.retry
    }


@pytest.mark.parametrize(
    "status, kind, retry, sent, expected, shown",
    [
        (302, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 302"),
        (400, "refused", False, False, DeliveryRejected, "Twilio: HTTP 400"),
        (401, "config", False, False, SenderMisconfigured, f"Twilio: HTTP 401; {CHECK}"),
        (403, "config", False, False, SenderMisconfigured, f"Twilio: HTTP 403; {CHECK}"),
        (404, "config", False, False, SenderMisconfigured, f"Twilio: HTTP 404; {CHECK}"),
        (
            407,
            "config",
            False,
            False,
            SenderMisconfigured,
            "Twilio: HTTP 407; check the proxy, and its user and password",
        ),
        (408, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 408"),
        (429, "rate", True, False, RateLimited, "Twilio: HTTP 429"),
        (499, "refused", False, False, DeliveryRejected, "Twilio: HTTP 499"),
        (500, "transient", True, True, DeliveryUncertain, "Twilio: HTTP 500"),
    ],
)
def test_status(status, kind, retry, sent, expected, shown):
    """T24: without a known code the HTTP status decides: a 4xx was never carried out."""
    row = judge(status, None)
    error = error_of(row, "Twilio")
    unknown = judge(status, 29_999)
    assert (row, True) == (attrs.evolve(unknown, meaning=row.meaning), unknown.meaning.startswith(row.meaning))
    assert (unknown.meaning == row.meaning) == (row.sent or status == 407)

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
    """The longer of the answer's pause and the code's pause is passed on."""
    error = error_of(ERRORS[code], "Twilio", asked)

    assert ("carrier", expected) == (error.scope, error.retry_after)


def test_pause_of_others():
    """Only a limit has a pause."""
    assert DeliveryUncertain is type(error_of(judge(503, None), "Twilio", timedelta(seconds=7)))


@pytest.mark.parametrize(
    "code", [21612, 21408, 21606, 21703, 21608, 21265, 21268, 21215, 63013, 21211, 21610, 14107, 30022, 30450, 29_999]
)
def test_refusal_of_a_number(code):
    """A refusal that may be due to the recipient is no outage."""
    assert not error_of(judge(400, code), "Twilio").outage


@pytest.mark.parametrize(
    "status, code, outage",
    [
        (401, 20003, True),
        (401, None, True),
        (403, 20005, True),
        (400, 30002, True),
        (404, 20404, True),
        (429, 20429, True),
        (429, None, True),
        (500, None, True),
        (503, 20503, True),
        (408, None, True),
        (302, None, False),
        (403, None, False),
        (404, None, False),
        (400, 30003, False),
        (429, 14107, False),
    ],
)
def test_outage(status, code, outage):
    """Wrong credentials, a closed account, too many requests and no answer have nothing to do with the recipient."""
    assert outage == error_of(judge(status, code), "Twilio").outage


@pytest.mark.parametrize(
    "code, words",
    [
        (21712, "another messaging service"),
        (21703, "no sender of the messaging service can send to this destination"),
        (30454, "trial"),
        (30042, "generic"),
        (21608, "without an approved profile"),
        (21216, "Primary Customer Profile"),
        (13225, "Primary Customer Profile"),
        (21654, "names no template"),
        (63033, "opted out"),
        (20403, "suspended or closed"),
    ],
)
def test_meaning(code, words):
    """Codes that are often misread have the meaning of Twilio's page."""
    assert words in ERRORS[code].meaning


def test_frozen():
    """A row cannot be changed."""
    with pytest.raises(AttributeError):
        ERRORS[21610].retry = True
    assert CarrierError("opt-out", False, False, "the recipient has opted out") == ERRORS[21610]
