"""Correct limiters satisfy every law, and laws that do not apply are skipped."""

from datetime import timedelta
from functools import partial
from threading import Lock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from testing.limits.broken import Bucket, MonotonicPerProcess, OffByOne, TakesAnything, longest

from smsmfa import AsyncMemoryStore, AsyncRateLimiter, Decision, Limit, MemoryStore, RateLimiter
from smsmfa.testing import AsyncLimitLaws, ExactLimiter, FakeClock, LimitLaws
from smsmfa.testing.limits import harness, limits

HOUR = timedelta(hours=1)


class TestRateLimiter(LimitLaws):
    """Our limiter, with one store for all limiters."""

    shared = True
    examples = 40
    store = MemoryStore()

    def make_limiter(self, limit, clock):
        return RateLimiter(self.store, limit, clock=clock)


class TestAsyncRateLimiter(AsyncLimitLaws):
    """Its twin for asyncio."""

    shared = True
    examples = 15
    store = AsyncMemoryStore()

    async def make_limiter(self, limit, clock):
        return AsyncRateLimiter(self.store, limit, clock=clock)


class TestExactLimiter(LimitLaws):
    """The limiter that others are compared with."""

    examples = 8

    def make_limiter(self, limit, clock):
        return ExactLimiter(limit, clock)


class Together:
    """Several limiters that must all allow a hit; all of them are charged or none."""

    def __init__(self, limiters):
        self.limiters = limiters
        self.lock = Lock()

    def take(self, key, n=1):
        with self.lock:
            said = [limiter.peek(key, n) for limiter in self.limiters]
            allowed = all(one.allowed for one in said)
            said = [
                limiter.take(key, n) if allowed or not one.allowed else one
                for limiter, one in zip(self.limiters, said, strict=True)
            ]
        return Decision(
            allowed=allowed,
            remaining=min(one.remaining for one in said),
            retry_after=longest(one.retry_after for one in said),
            full_after=longest(one.full_after for one in said),
        )


class TestTogether(LimitLaws):
    """Two limits that must both allow a hit."""

    limits = st.tuples(limits(), limits())
    examples = 8

    def make_limiter(self, limit, clock):
        store = MemoryStore()
        return Together([RateLimiter(store, one, scope=str(at), clock=clock) for at, one in enumerate(limit)])


class YesOrNo:
    """Answers with a bool, and every hit costs one."""

    def __init__(self, limiter):
        self.limiter = limiter

    def take(self, key, n):
        assert n == 1
        return self.limiter.take(key).allowed


class TestYesOrNo(LimitLaws):
    """A limiter without costs that answers with a bool."""

    max_cost = 1
    examples = 8

    def make_limiter(self, limit, clock):
        return YesOrNo(RateLimiter(MemoryStore(), limit, clock=clock))


class TestPolicy(LimitLaws):
    """One fixed limit."""

    limits = st.just(Limit(10, HOUR))
    examples = 8

    def make_limiter(self, limit, clock):
        assert Limit(10, HOUR) == limit or limit.capacity < 10
        return RateLimiter(MemoryStore(), limit, clock=clock)


@pytest.fixture
def unshrunk(monkeypatch):
    """Make Hypothesis report the first failure that it finds."""
    monkeypatch.setattr(harness, "settings", partial(settings, phases=[Phase.generate], database=None))


def broken(kind, **flags):
    """Return the laws for a limiter of this kind."""
    return type("Laws", (LimitLaws,), {"make_limiter": lambda self, limit, clock: kind(limit, clock), **flags})()


@pytest.mark.parametrize(
    "law, reason",
    [
        ("reopened_keeps_the_bucket", "shared is False"),
        ("impossible_hit_raises", "max_cost is set"),
        ("give_back_is_exact", "no method give_back"),
        ("peek_takes_nothing", "no method peek"),
        ("reset_fills", "no method reset"),
        ("retry_after_is_exact", "no attribute retry_after"),
        ("remaining_is_exact", "no attribute remaining"),
        ("full_after_is_exact", "no attribute full_after"),
    ],
)
def test_left_out(law, reason):
    """A law about something that the limiter does not have is skipped, with the reason."""
    with pytest.raises(pytest.skip.Exception, match=reason):
        getattr(TestYesOrNo(), f"test_{law}")()


def test_says_what_is_wrong():
    """A failure says what went wrong and under which limit, and quotes the law."""
    with pytest.raises(AssertionError, match=r"\d+ granted in a window of time in which Limit") as caught:
        broken(OffByOne).test_never_too_many()

    notes = "\n".join(caught.value.__notes__)
    assert "(limit): Limit(capacity=" in notes
    assert "(trace): [Hit(n=" in notes
    assert "Broken law: In every window of time, a limiter grants no more than" in notes


@pytest.mark.usefixtures("unshrunk")
def test_reopened_goes_wrong():
    """A limiter that loses its buckets in a restart is rejected."""
    with pytest.raises(AssertionError, match="two limiters share a bucket with"):
        broken(MonotonicPerProcess, shared=True).test_reopened_keeps_the_bucket()


@pytest.mark.usefixtures("unshrunk")
def test_no_value_error():
    """A limiter that accepts a hit of zero is rejected."""
    with pytest.raises(AssertionError, match="a hit of 0 did not raise ValueError"):
        broken(TakesAnything).test_impossible_hit_raises()


class NeverComesBack(Bucket):
    """Says that no wait helps."""

    def wait(self, amount):
        return None if amount else super().wait(amount)


class AtOnce(Bucket):
    """Says that no wait is needed."""

    def wait(self, amount):
        return timedelta(0)


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize(
    "kind, said", [(NeverComesBack, "granted ten years later"), (AtOnce, "with a retry_after of 0:00:00")]
)
def test_wrong_wait(kind, said):
    """A limiter that wrongly says never, or at once, is rejected."""
    with pytest.raises(AssertionError, match=said):
        broken(kind, limits=st.just(Limit(2, HOUR))).test_retry_after_is_exact()


def test_every_40_minutes():
    """Of 100 hits, one every 40 minutes, "10, and one back each hour" grants 76, like our limiter."""
    clock = FakeClock()
    exact = ExactLimiter(Limit(10, HOUR), clock)
    ours = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
    granted = 0
    for _ in range(100):
        said = exact.take("k")
        assert said == ours.take("k")
        granted += said.allowed
        clock.move(minutes=40)

    assert 76 == granted
