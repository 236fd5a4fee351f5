"""The laws reject every limiter that has a mistake, with any seed of Hypothesis, and quote themselves."""

from functools import partial
from inspect import getdoc

import hypothesis
import pytest
from hypothesis import strategies as st
from testing.limits.broken import BROKEN, Bucket, Keyed, PartialComposite

from smsmfa.testing import LimitLaws
from smsmfa.testing.limits import harness, limits


class TestRight(LimitLaws):
    """The limiter that the broken ones are made from satisfies every law."""

    examples = 10

    def make_limiter(self, limit, clock):
        return Bucket(limit, clock)


class TestRightKeyed(LimitLaws):
    """So does the one that maps keys."""

    examples = 2

    def make_limiter(self, limit, clock):
        return Keyed(limit, clock)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 5))])
@pytest.mark.parametrize("kind", BROKEN)
def test_rejected(kind, seed, monkeypatch):
    """The law that a limiter breaks rejects it with every seed."""

    class Laws(LimitLaws):
        shared = kind.shared
        limits = st.tuples(*[limits(max_capacity=10)] * 2) if kind is PartialComposite else None

        def make_limiter(self, limit, clock):
            return kind(limit, clock)

    monkeypatch.setattr(hypothesis.core, "global_force_seed", seed)
    once = partial(hypothesis.settings, phases=[hypothesis.Phase.generate], database=None, derandomize=False)
    monkeypatch.setattr(harness, "settings", once)
    check = getattr(Laws(), f"test_{kind.law}")

    with pytest.raises(AssertionError) as caught:
        check()
    assert f"Broken law: {getdoc(check)}" in caught.value.__notes__


def test_every_law_is_broken():
    """There is a broken limiter for each law."""
    assert {name for name in vars(LimitLaws) if name.startswith("test_")} == {f"test_{kind.law}" for kind in BROKEN}


def test_ten_at_least():
    """There are more than ten broken limiters, and each describes its mistake in one sentence."""
    assert len({kind.__doc__ for kind in BROKEN}) == len(BROKEN) > 10
