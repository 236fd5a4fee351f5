"""The laws of a rate limit, each a check that any limiter can be held to."""

from fractions import Fraction

import pytest
from hypothesis import strategies as st

from ...limiter import Limit
from .harness import HITTERS, AsyncHarness, Harness, law, plain_law
from .strategies import MICROSECOND, ZERO, Hit, Step, microseconds, moves
from .trial import TEN_YEARS, Diverged, Trial, allowed, fresh_key, hold

#: How many fresh keys are raced for.
_ROUNDS = 10


class LimitLaws(Harness):
    """What a right limiter does, as tests of yours: subclass it, and say how to make one.

    ::

        class TestMyLimiter(LimitLaws):
            def make_limiter(self, limit, clock):
                return MyLimiter(limit.capacity, limit.refill, clock)

    A limiter has ``take(key, n)``, which returns a bool, or an object like :class:`~smsmfa.Decision` with
    ``allowed`` and, as far as it says so, ``remaining``, ``retry_after`` and ``full_after``. If it also has
    ``give_back(key, n)``, ``peek(key, n)`` or ``reset(key)``, they are tried; laws about what it does not have
    are skipped. Every example has keys of its own, so all may share one database. Nothing sleeps: the clock is
    a :class:`FakeClock`. Outside pytest the laws are plain methods to call.
    """

    # What is granted

    @law
    def test_never_too_many(self, trial: Trial) -> None:
        """No window of time is granted more than the capacity and what came back in it."""
        _watch_windows(trial, trial.trace())

    @law
    def test_never_too_few(self, trial: Trial) -> None:
        """What is there is granted, the moment it is there."""
        for step in trial.trace():
            trial.expect(step)
            wait = trial.exact.peek(trial.key, step.n).retry_after if isinstance(step, Hit) else None
            if wait:
                trial.move(wait)
                trial.expect(step)

    @law
    def test_larger_grants_no_fewer(self, trial: Trial) -> None:
        """Of hits that cost the same a larger capacity has never granted fewer than a smaller one."""
        less = st.integers(0, 1) | st.integers(0, trial.capacity - 1)
        by = trial.draw(less, "smaller by") if trial.capacity > 1 else 0
        limits = tuple(Limit(one.capacity - by, one.refill) for one in trial.limits)
        n = trial.draw(st.integers(1, min(trial.max_cost, trial.capacity - by)), "cost")
        pauses = trial.draw(st.lists(moves(limits, back=False), min_size=10, max_size=20), "pauses")
        with self.open(limits if isinstance(trial.limit, tuple) else limits[0], trial.clock) as smaller:
            more = 0
            for pause in pauses:
                more += trial.grab(n) - trial.grab(n, smaller)
                hold(more >= 0, f"{trial.limit} has granted fewer than {limits}")
                trial.move(pause.by)

    @law
    def test_refusal_charges_nothing(self, trial: Trial) -> None:
        """A refused hit takes nothing and postpones nothing."""
        trial.follow(trial.trace())
        n, left = trial.drain()
        times = trial.draw(st.integers(1, 20), "refusals")
        for _ in range(times):
            trial.take(n)
        wait = trial.exact.peek(trial.key, n).retry_after
        if left:
            hold(trial.ask(left), f"{times} hits of {n} were refused, and the {left} that were left are gone")
        elif wait is not None:
            trial.move(wait)
            hold(trial.ask(n), f"{times} hits of {n} were refused, and {wait} later it still is")

    # What a decision says

    @law
    def test_retry_after_is_exact(self, trial: Trial) -> None:
        """``retry_after`` is how long to wait: a microsecond earlier the hit is refused; ``None``: for ever."""
        for said, _ in trial.play(trial.trace()):
            wait = trial.said(said, "retry_after")
            hold(not allowed(said) or wait == ZERO, f"it granted a hit, and said to wait for {wait}")
        n, _ = trial.drain()
        wait = trial.said(trial.take(n)[0], "retry_after")
        if wait is None:
            trial.move(TEN_YEARS)
            hold(not trial.ask(n), "no wait helps, it said, but ten years did")
            return
        hold(wait > ZERO, f"it refused, and said to wait for {wait}")
        trial.move(wait - MICROSECOND)
        hold(not trial.ask(n), f"it said to wait for {wait}, but a microsecond less was enough")
        trial.move(MICROSECOND)
        hold(trial.ask(n), f"it said to wait for {wait}, but that was not enough")

    @law
    def test_remaining_is_exact(self, trial: Trial) -> None:
        """``remaining`` is how many more could be taken now."""
        _compare(trial, "remaining")

    @law
    def test_full_after_is_exact(self, trial: Trial) -> None:
        """``full_after`` is how long until the bucket is full; ``None`` where nothing refills."""
        _compare(trial, "full_after")

    # What else a limiter does

    @law
    def test_give_back_is_exact(self, trial: Trial) -> None:
        """What is given back is there again, and never more than the capacity."""
        trial.need("give_back")
        trial.follow(trial.trace())
        trial.give_back(n := trial.cost())
        trial.holds_exactly(f"{n} were given back")

    @law
    def test_peek_takes_nothing(self, trial: Trial) -> None:
        """``peek`` says whether ``take`` would, and takes nothing."""
        trial.need("peek")
        trial.follow(trial.trace())
        n = trial.cost()
        peeked, left = allowed(trial.limiter.peek(trial.key, n)), trial.holds()
        hold(peeked is (n <= left), f"peek said {peeked} to {n}, and {left} are there")
        trial.holds_exactly("peek was asked")

    @law
    def test_reset_fills(self, trial: Trial) -> None:
        """``reset`` fills the bucket."""
        trial.need("reset")
        trial.follow(trial.trace())
        trial.reset()
        trial.holds_exactly("it was reset")

    @law
    def test_impossible_hit_raises(self, trial: Trial) -> None:
        """A hit of none, of less or of more than the capacity is a ValueError, and changes nothing."""
        if self.max_cost is not None:
            pytest.skip("hits are small: max_cost is set")
        trial.follow(trial.trace())
        for n in (0, -1, trial.capacity + 1):
            try:
                trial.limiter.take(trial.key, n)
            except ValueError:
                continue
            raise AssertionError(f"a hit of {n} is no ValueError")
        trial.holds_exactly("an impossible hit was tried")

    # The clock, other keys, others at the same time

    @law
    def test_clock_back_gives_nothing(self, trial: Trial) -> None:
        """Only time that passes refills: when the clock goes back nothing comes of it."""
        _watch_windows(trial, trial.trace(back=True))

    @law
    def test_clock_back_locks_nobody_out(self, trial: Trial) -> None:
        """However the clock has jumped, a refused hit is allowed once what it costs has had the time to come back."""
        for step in trial.trace(back=True):
            trial.do(step)
        n = trial.cost()
        trial.ask(trial.max_cost)
        trial.move(trial.draw(moves(trial.limit), "jump").by)
        refills = [one.refill for one in trial.limits if one.refill is not None]
        if len(refills) == len(trial.limits) and not trial.ask(n):
            trial.move(n * max(refills))
            hold(trial.ask(n), f"{n} are refused, though {n * max(refills)} have passed")

    @plain_law
    def test_keys_are_apart(self, trial: Trial) -> None:
        """Keys have buckets of their own, also if they differ by case, a blank or what follows only."""
        first = trial.key
        for end in ("", " ", "a", "A", "aa", "a:", "a/", "a:b"):
            trial.key = first + end
            hold(trial.spend(trial.capacity), f"key {trial.key!r} has paid for another")

    @plain_law
    def test_many_keys_are_remembered(self, trial: Trial) -> None:
        """However many other keys are hit, the limiter does not forget a drained one."""
        hold(trial.spend(trial.capacity), "a fresh bucket is not full")
        for number in range(2000):
            trial.limiter.take(f"{trial.key}-{number}", 1)
        hold(not trial.ask(1), "2000 other keys were hit, and a drained bucket is not drained any more")

    @plain_law
    def test_racing_hits_grant_the_capacity(self, trial: Trial) -> None:
        """Hits at the same time are granted exactly the capacity, at whatever moment they interrupt each other."""
        n = min(-(-trial.capacity // 100), trial.max_cost)
        there = trial.capacity // n
        times = min(there // HITTERS + 2, 50)
        for _ in range(_ROUNDS):
            granted = self.race(trial.limiter, fresh_key(), n, times)
            expected = min(there, HITTERS * times)
            hold(granted == expected, f"{HITTERS} x {times} hits of {n} at once: granted {granted}, not {expected}")

    @law
    def test_reopened_keeps_the_bucket(self, trial: Trial) -> None:
        """A limiter that is made later, after a restart or on another host, goes on with the same buckets."""
        if not self.shared:
            pytest.skip("limiters do not share their buckets: shared is False")
        first = trial.limiter
        trial.follow(trial.trace())
        with self.open(trial.limit, trial.clock) as second:
            for step in trial.trace():
                trial.limiter = trial.draw(st.sampled_from([first, second]), "limiter")
                there = trial.holds()
                try:
                    trial.follow([step])
                except Diverged:
                    raise AssertionError(f"{step}, at one of two limiters that share {there}, went wrong") from None


class AsyncLimitLaws(AsyncHarness, LimitLaws):
    """:class:`LimitLaws` for a limiter of coroutines; each law runs in an event loop of its own."""


def _watch_windows(trial: Trial, steps: list[Step]) -> None:
    """Do the steps, and compare what every window of time was granted with what it may be, at the most."""
    done = [trial.do(step) for step in steps]
    for one in trial.limits:
        for start in range(len(done)):
            granted, most = 0, Fraction(one.capacity)
            for n, passed in done[start:]:
                granted += n
                most += Fraction(passed, microseconds(one) or 1) if one.refill else 0
                hold(granted <= most, f"granted {granted} in a window of time in which {one} allows {int(most)}")


def _compare(trial: Trial, what: str) -> None:
    """Compare what each decision says with what the exact limiter does."""
    for said, expected in trial.play(trial.trace()):
        actual, right = trial.said(said, what), getattr(expected, what)
        hold(actual == right, f"{what} is {right!r}, and it said {actual!r}")
