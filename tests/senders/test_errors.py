"""A row of a carrier's table becomes the error that says whether the message may have been sent."""

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
from smsmfa.senders.errors import CarrierError, raised


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("config", SenderMisconfigured),
        ("recipient", RecipientRejected),
        ("opt-out", RecipientOptedOut),
        ("blocked", RecipientRejected),
        ("fraud", RecipientRejected),
        ("rate", RateLimited),
        ("transient", DeliveryRejected),
        ("lookup", DeliveryRejected),
        ("refused", DeliveryRejected),
    ],
)
@pytest.mark.parametrize("outage", [False, True])
def test_kinds(kind, expected, outage):
    """T24: each kind has its error, unless the message may have been sent. The error names carrier and code."""
    error = raised(CarrierError(kind, False, False, "no", outage=outage), "Acme 7", "acme", 7)
    perhaps = raised(CarrierError(kind, False, True, "no", outage=outage), "Acme 7", "acme", 7)

    assert (expected, DeliveryUncertain) == (type(error), type(perhaps))
    assert [("acme", "7", outage)] * 2 == [(one.carrier, one.carrier_code, one.outage) for one in (error, perhaps)]
    assert "Acme 7: no" == str(perhaps)
    assert "Acme 7: no" in [str(error), *getattr(error, "__notes__", [])]


@pytest.mark.parametrize(
    "own, asked, expected", [(None, None, None), (30, None, 30), (None, 7, 7), (30, 7, 30), (30, 45, 45)]
)
def test_pause(own, asked, expected):
    """The longer of the row's pause and the answer's pause is passed on."""
    seconds = [None if one is None else timedelta(seconds=one) for one in (own, asked, expected)]
    error = raised(CarrierError("rate", True, False, "slow down", seconds[0]), "Acme", "acme", pause=seconds[1])

    assert ("carrier", seconds[2], None) == (error.scope, error.retry_after, error.carrier_code)
