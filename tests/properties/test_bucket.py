"""The bucket, held to a model in exact fractions."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Awaited, Clock

from smsmfa import AsyncMemoryStore, AsyncRateLimiter, Decision, Limit, MemoryStore, RateLimiter

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
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
    """Draw a movement of the clock in microseconds, mostly on the scale of the limit, often to the edge of a refill."""
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


class Model:
    """A bucket as a level of water: so much at some instant, and so much more each microsecond, up to the brim.

    When the clock goes back the level sinks as it had risen; below the ground it counts as none, and a
    refused hit puts it onto the ground. ``None`` is a bucket that was never used, or was filled to the brim.
    """

    def __init__(self, limit):
        self.capacity = limit.capacity
        self.rate = Fraction(0) if limit.refill is None else Fraction(1, limit.refill // MICROSECOND)
        self.mark = None

    def depth(self, now):
        """Return the level, below the ground too."""
        if self.mark is None:
            return Fraction(self.capacity)
        level, at = self.mark
        return min(Fraction(self.capacity), level + (now - at) * self.rate)

    def wait(self, amount):
        """Return how long it takes for so much to come back; ``None``: it never does."""
        if not self.rate:
            return None
        microseconds = amount / self.rate
        assert microseconds.denominator == 1
        return int(microseconds) * MICROSECOND

    def peek(self, now, n):
        level = max(self.depth(now), 0)
        wait = ZERO if level >= n else self.wait(n - level)
        return Decision(level >= n, int(level), wait, self.wait(self.capacity - level))

    def take(self, now, n):
        level = max(self.depth(now), 0)
        if level >= n:
            self.mark = (level - n, now)
            return Decision(True, int(level - n), ZERO, self.wait(self.capacity - level + n))
        refusal = self.peek(now, n)
        if self.depth(now) < 0:
            self.mark = (Fraction(0), now)
        return refusal

    def give_back(self, now, n):
        level = max(self.depth(now), 0) + n
        self.mark = None if level >= self.capacity else (level, now)


class Keeper:
    """A store that forgets nothing, whatever time it was given: expired values may still be returned."""

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
    """Return a limiter over a store that forgets nothing, or its twin over one that forgets what it may."""
    if kind is RateLimiter:
        return RateLimiter(Keeper(), limit, clock=clock)
    return Awaited(AsyncRateLimiter(AsyncMemoryStore(), limit, clock=clock))


@pytest.mark.parametrize("kind", [RateLimiter, AsyncRateLimiter])
@given(st.data(), any_limits, starts)
def test_agrees_with_model(kind, data, limit, start):
    """T17: whatever is taken, given back and done to the clock, each decision is the model's, to the microsecond."""
    clock, model = Clock(start), Model(limit)
    limiter = a_limiter(kind, limit, clock)

    for step, amount in data.draw(traces(limit)):
        if step == "move":
            clock.now += amount * 1000
            continue
        now = max(clock.now // 1000, 0)
        assert getattr(model, step)(now, amount) == getattr(limiter, step)("k", amount)


@given(st.data(), limits, starts)
def test_never_more_than_capacity_and_elapsed(data, limit, start):
    """R28: while the clock goes forward, no window grants more than the capacity and what came back in it."""
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
    """``retry_after`` and ``full_after`` are exact: a microsecond earlier the hit is refused, the bucket not full."""
    clock = Clock(start)
    limiter = RateLimiter(MemoryStore(), limit, clock=clock)
    for step, amount in data.draw(traces(limit)):
        if step == "move":
            clock.now = max(clock.now + amount * 1000, 0)
        else:
            getattr(limiter, step)("k", amount)
    n = data.draw(st.integers(1, limit.capacity))
    limiter.take("k", limit.capacity)  # granted or refused, it leaves a bucket no more than drained
    said = limiter.take("k", n)
    begin = clock.now

    if not said.allowed:
        assert ZERO < said.retry_after <= n * limit.refill
        clock.now = begin + (said.retry_after - MICROSECOND) // MICROSECOND * 1000
        assert limiter.peek("k", n) == limiter.take("k", n)
        assert MICROSECOND == limiter.take("k", n).retry_after
        clock.now += 1000
        assert limiter.peek("k", n).allowed
    if said.full_after:
        clock.now = begin + (said.full_after - MICROSECOND) // MICROSECOND * 1000
        assert MICROSECOND == limiter.peek("k").full_after
        assert limiter.peek("k").remaining == limit.capacity - 1
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
    """A clock that jumps."""

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
        """T17: one hour back and forth again is as if nothing had happened."""
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
        limiter.take("k", 4)
        before = limiter.peek("k")
        clock.move(hours=-1)
        assert 5 == limiter.peek("k").remaining
        clock.move(hours=1)

        assert before == limiter.peek("k")

    def test_ten_years_ahead(self):
        """T17: ten years ahead there is the capacity and no more."""
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
        limiter.take("k", 10)
        clock.now += TEN_YEARS // MICROSECOND * 1000

        assert [True] * 10 + [False] * 5 == [limiter.take("k").allowed for _ in range(15)]

    @given(st.timedeltas(ZERO, TEN_YEARS))
    def test_ten_years_back(self, back):
        """T17: however far the clock jumps back, a drained bucket recovers one an hour, and locks nobody out."""
        clock = Clock()
        limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
        limiter.take("k", 10)
        clock.now -= back // MICROSECOND * 1000
        assert HOUR == limiter.take("k").retry_after

        for _ in range(15):
            clock.move(hours=1)
            assert [True, False] == [limiter.take("k").allowed for _ in range(2)]
