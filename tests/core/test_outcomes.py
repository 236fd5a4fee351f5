"""The outcomes of decisions."""

import pytest

from smsmfa.core.outcomes import Accepted, Done, Outcome


@pytest.mark.parametrize("outcome", [Outcome(), Done(), Accepted(1, "sms")], ids=lambda one: type(one).__name__)
def test_repr(outcome):
    """T12: the repr of an outcome shows only its class."""
    assert f"<{type(outcome).__name__}>" == repr(outcome)
