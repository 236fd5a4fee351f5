"""The exact limiter, compared with numbers computed by hand and with our own limiter."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsmfa import Decision, Limit, MemoryStore, RateLimiter
from smsmfa.testing import ExactLimiter, FakeClock
from smsmfa.testing.limits import Hit, Move, exact, limits, traces

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock():
    return FakeClock()


def test_shares_no_arithmetic():
    """The exact limiter imports only the values of the library's limiter."""
    assert {"Decision", "Limit"} == {
        name for name, value in vars(exact).items() if getattr(value, "__module__", "") == "smsmfa.limiter"
    }


def test_take(clock):
    """A bucket refills bit by bit, and a refusal says when the hit will be granted."""
    limiter = ExactLimiter(Limit(3, HOUR), clock)

    assert Decision(True, 1, ZERO, 2 * HOUR) == limiter.take("k", 2)
    clock.move(minutes=40)
    assert Decision(False, 1, 20 * MINUTE, 80 * MINUTE) == limiter.take("k", 2) == limiter.peek("k", 2)
    clock.move(minutes=20)
    assert Decision(True, 0, ZERO, 3 * HOUR) == limiter.take("k", 2)
    assert Decision(True, 3, ZERO, ZERO) == limiter.peek("other")


def test_give_back(clock):
    """A hit that is given back is available again, up to the capacity, and a reset refills the bucket."""
    limiter = ExactLimiter(Limit(3, HOUR), clock)
    limiter.take("k", 3)
    limiter.give_back("k", 2)
    assert 2 == limiter.peek("k").remaining
    limiter.give_back("k", 3)
    assert Decision(True, 3, ZERO, ZERO) == limiter.peek("k")

    limiter.take("k", 3)
    limiter.reset("k")
    limiter.reset("never used")
    assert Decision(True, 3, ZERO, ZERO) == limiter.peek("k")


def test_no_refill(clock):
    """If nothing refills, no wait helps."""
    limiter = ExactLimiter(Limit(2, None), clock)

    assert Decision(True, 0, ZERO, None) == limiter.take("k", 2)
    clock.move(days=36500)
    assert Decision(False, 0, None, None) == limiter.take("k")


def test_several(clock):
    """Several limits decide together: all are charged or none, the least remains, and the longest wait counts."""
    limiter = ExactLimiter((Limit(2, MINUTE), Limit(3, HOUR)), clock)

    assert Decision(True, 0, ZERO, 2 * HOUR) == limiter.take("k", 2)
    assert Decision(False, 0, MINUTE, 2 * HOUR) == limiter.take("k")
    clock.move(minutes=1)
    assert Decision(True, 0, ZERO, 3 * HOUR - MINUTE) == limiter.take("k")
    clock.move(minutes=1)
    assert Decision(False, 0, 58 * MINUTE, 178 * MINUTE) == limiter.take("k")
    clock.move(minutes=1)
    assert Decision(False, 0, 57 * MINUTE, 177 * MINUTE) == limiter.take("k", 1)


@pytest.mark.parametrize("n", [0, -1, 3])
def test_impossible(clock, n):
    """A cost that could never be granted raises ValueError."""
    limiter = ExactLimiter((Limit(2, HOUR), Limit(9, HOUR)), clock)

    for ask in (limiter.take, limiter.peek):
        with pytest.raises(ValueError, match=f"n: expected 1 to 2, the capacity, got {n}"):
            ask("k", n)


def test_clock_back(clock):
    """If the clock goes back, the level falls as it rose; after a refusal it rises from there."""
    limiter = ExactLimiter(Limit(2, HOUR), clock)
    limiter.take("k")
    clock.move(hours=-1)
    assert 0 == limiter.peek("k").remaining
    clock.move(hours=1)
    assert 1 == limiter.peek("k").remaining

    clock.move(days=-3650)
    assert HOUR == limiter.take("k").retry_after
    clock.move(hours=1)
    assert limiter.take("k").allowed


@settings(deadline=None)
@given(st.data(), limits())
def test_agrees_with_ours(data, limit):
    """Its decisions equal the decisions of :class:`~smsmfa.RateLimiter`, to the microsecond."""
    clock = FakeClock(1_700_000_000_123_456_789)
    ours, theirs = RateLimiter(MemoryStore(), limit, clock=clock), ExactLimiter(limit, clock)

    for step in data.draw(traces(limit)):
        match step:
            case Move(by):
                clock.now = max(clock.now + by // MICROSECOND * 1000, 0)
            case Hit(n):
                assert theirs.peek("k", n) == ours.peek("k", n)
                assert theirs.take("k", n) == ours.take("k", n)
            case _:
                theirs.give_back("k", step.n)
                ours.give_back("k", step.n)
