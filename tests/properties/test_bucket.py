"""The token bucket, compared with the exact limiter of the kit."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import Awaited, Clock

from smsmfa import AsyncMemoryStore, AsyncRateLimiter, Limit, MemoryStore, RateLimiter
from smsmfa.testing import ExactLimiter

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
HOUR, SKEW = timedelta(hours=1), timedelta(minutes=1)
TEN_YEARS = timedelta(days=3652)

refills = st.one_of(
    st.integers(1, 20),
    st.integers(1, 10**14),
    st.sampled_from([1_000_000, 360_000_000, 3_600_000_000, 36_000_000_000]),
)
capacities = st.integers(1, 4) | st.integers(1, 20)
limits = st.builds(Limit, capacities, refills.map(lambda us: us * MICROSECOND))
any_limits = limits | st.builds(Limit, capacities, st.none())
starts = st.sampled_from([0, 1, 1_700_000_000_000_000_000, 1_700_000_000_000_000_999, 10**18])


@st.composite
def moves(draw, limit, least=-20):
    """Draw a movement of the clock in microseconds, often exactly to a refill."""
    unit = 1_000_000 if limit.refill is None else limit.refill // MICROSECOND
    far = draw(st.sampled_from([0, 0, 0, 1000, 10 * 365 * 86_400_000_000]))
    by = draw(st.integers(least, 20)) * unit + draw(st.sampled_from([0, -1, 1]) | st.integers(0, unit))
    return max(by, 0) + far if least == 0 else by + draw(st.sampled_from([-far, far]))


def traces(limit):
    """Return lists of hits, refunds and movements of the clock."""
    amounts = st.integers(1, limit.capacity)
    hits, looks = st.tuples(st.just("take"), amounts), st.tuples(st.just("peek"), amounts)
    refunds, movements = st.tuples(st.just("give_back"), amounts), st.tuples(st.just("move"), moves(limit))
    steps = hits | looks | refunds | movements
    return st.integers(1, 50).flatmap(lambda length: st.lists(steps, min_size=length, max_size=length))


class Keeper:
    """A store that forgets nothing: stores may return expired values."""

    def __init__(self):
        self.values = {}

    def read(self, key):
        return self.values.get(key)

    def update(self, keys, change):
        writes, outcome = change({key: self.values[key] for key in keys if key in self.values})
        self.values |= {key: entry.value for key, entry in writes.items() if entry}
        for key in [key for key, entry in writes.items() if entry is None]:
            del self.values[key]
        return outcome


def a_limiter(kind, limit, clock):
    """Return a limiter over a store that forgets nothing, or its async twin over a store that forgets."""
    if kind is RateLimiter:
        return RateLimiter(Keeper(), limit, clock=clock)
    return Awaited(AsyncRateLimiter(AsyncMemoryStore(), limit, clock=clock))


@pytest.mark.parametrize("kind", [RateLimiter, AsyncRateLimiter])
@given(st.data(), any_limits, starts)
def test_agrees_with_exact_limiter(kind, data, limit, start):
    """T17: every decision equals the exact limiter's, to the microsecond, under any clock."""
    clock = Clock(start)
    limiter, exact = a_limiter(kind, limit, clock), ExactLimiter(limit, lambda: max(clock(), 0))

    for step, amount in data.draw(traces(limit)):
        if step == "move":
            clock.now += amount * 1000
            continue
        assert getattr(exact, step)("k", amount) == getattr(limiter, step)("k", amount)


@given(st.data(), limits, starts)
def test_never_more_than_capacity_and_elapsed(data, limit, start):
    """R28: while the clock goes forward, no window grants more than the capacity and its refill."""
    clock = Clock(start)
    limiter = RateLimiter(MemoryStore(), limit, clock=clock)
    amounts = st.integers(1, limit.capacity)
    hits = []
    for n, by in data.draw(st.lists(st.tuples(amounts, moves(limit, least=0)), min_size=1, max_size=40)):
        clock.now += by * 1000
        hits.append((clock.now // 1000, n if limiter.take("k", n).allowed else 0))

    for first, (begin, _) in enumerate(hits):
        granted = 0
        for at, n in hits[first:]:
            granted += n
            assert granted <= limit.capacity + Fraction(at - begin, limit.refill // MICROSECOND)


@given(st.data(), limits, starts)
def test_retry_after_is_exact(data, limit, start):
    """``retry_after`` and ``full_after`` are exact to the microsecond."""
    clock = Clock(start)
    limiter = RateLimiter(MemoryStore(), limit, clock=clock)
    for step, amount in data.draw(traces(limit)):
        if step == "move":
            clock.now = max(clock.now + amount * 1000, 0)
        else:
            getattr(limiter, step)("k", amount)
    n = data.draw(st.integers(1, limit.capacity))
    limiter.take("k", limit.capacity)  # afterwards the bucket is at most drained, or what clocks may differ
    said = limiter.take("k", n)
    begin = clock.now

    if not said.allowed:
        assert ZERO < said.retry_after <= n * limit.refill + SKEW
        clock.now = begin + (said.retry_after - MICROSECOND) // MICROSECOND * 1000
        assert limiter.peek("k", n) == limiter.take("k", n)
        assert MICROSECOND == limiter.take("k", n).retry_after
        clock.now += 1000
        assert limiter.peek("k", n).allowed
    if said.full_after:
        clock.now = begin + (said.full_after - MICROSECOND) // MICROSECOND * 1000
        assert MICROSECOND == limiter.peek("k").full_after
        assert limit.capacity - 1 == limiter.peek("k").remaining
        clock.now += 1000
        assert (limit.capacity, ZERO) == (limiter.peek("k").remaining, limiter.peek("k").full_after)


@pytest.mark.parametrize("kind", [RateLimiter, AsyncRateLimiter])
def test_a_hit_every_40_minutes(kind):
    """A hit every 40 minutes, a hundred times, against "10, and one back each hour" admits 76."""
    clock = Clock()
    limiter = a_limiter(kind, Limit(10, HOUR), clock)
    granted = 0
    for _ in range(100):
        granted += limiter.take("k").allowed
        clock.move(minutes=40)

    assert 76 == granted


class TestClock:
    """The bucket under a clock that jumps."""

    @given(st.integers(1, 20), st.integers(0, 20), st.timedeltas(MICROSECOND, TEN_YEARS))
    def test_back_gives_nothing(self, capacity, taken, back):
        """T17: a clock that jumps back refills nothing."""
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(capacity, HOUR), clock=clock)
        for _ in range(taken):
            limiter.take("k")
        clock.now -= back // MICROSECOND * 1000

        assert limiter.peek("k").remaining <= max(capacity - taken, 0)
        if taken >= capacity:
            assert not limiter.take("k").allowed

    def test_an_hour_back(self):
        """T17: a clock that jumps an hour back and forth again changes nothing."""
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
        limiter.take("k", 4)
        before = limiter.peek("k")
        clock.move(hours=-1)
        assert 5 == limiter.peek("k").remaining
        clock.move(hours=1)

        assert before == limiter.peek("k")

    def test_ten_years_ahead(self):
        """T17: a clock that jumps ten years ahead gives the capacity and no more."""
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
        limiter.take("k", 10)
        clock.now += TEN_YEARS // MICROSECOND * 1000

        assert [True] * 10 + [False] * 5 == [limiter.take("k").allowed for _ in range(15)]

    @given(st.timedeltas(ZERO, TEN_YEARS) | st.timedeltas(ZERO, 2 * SKEW))
    @example(SKEW)
    @example(SKEW + MICROSECOND)
    def test_ten_years_back(self, back):
        """T17: a drained bucket refills one an hour however far the clock jumps back.

        A jump of up to a minute is waited for as well, since another host's clock may be that far ahead.
        """
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
        limiter.take("k", 10)
        clock.now -= back // MICROSECOND * 1000
        excess = back if back <= SKEW else ZERO
        assert HOUR + excess == limiter.take("k").retry_after

        clock.now += excess // MICROSECOND * 1000
        for _ in range(15):
            clock.move(hours=1)
            assert [True, False] == [limiter.take("k").allowed for _ in range(2)]
