"""The laws of a rate limiter. Each is a check that any limiter can be tested with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import strategies as st

from ...limiter import Limit
from ..collisions import collisions
from .harness import HITTERS, AsyncHarness, Harness, law, plain_law, slow_law
from .strategies import MICROSECOND, TEN_YEARS, ZERO, Hit, Step, microseconds, moves
from .trial import Diverged, Trial, allowed, fresh_key, hold

#: How many races there are, each for a new key.
_ROUNDS = 30
#: How often each caller takes and gives back in a race.
_TIMES = 30
#: How many other keys are hit after one whose bucket is empty.
_OTHERS = 10_000
_LONG = "x" * 255
#: Ends of keys that a limiter may confuse: a case, a space, a prefix, a place beyond the width of a column, a letter
#: that Unicode normalises (NFC, NFKC), folds or sorts like another one, a zero byte.
_ENDS = (
    *("", " ", "a", "A", "aa", "a:", "a/", "a:b", "\0a", "\0b", "a\N{ZERO WIDTH SPACE}", "\N{NO-BREAK SPACE}"),
    *(_LONG[:size] + end for size in (16, 32, 64, 100, 128, 191, 200, 255) for end in "ab"),
    *("\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{LATIN CAPITAL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
    *("e", "fi", "\N{LATIN SMALL LIGATURE FI}", "\N{FULLWIDTH LATIN SMALL LETTER A}", "2", "\N{SUPERSCRIPT TWO}"),
    *("ss", "\N{LATIN SMALL LETTER SHARP S}", "i", "\N{LATIN SMALL LETTER DOTLESS I}", "k", "\N{KELVIN SIGN}"),
    *("\N{GREEK SMALL LETTER SIGMA}", "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK CAPITAL LETTER SIGMA}"),
    *("\N{CYRILLIC SMALL LETTER A}", "\N{CYRILLIC CAPITAL LETTER A}", "?", "\N{GRINNING FACE}", "\N{WINKING FACE}"),
)


class LimitLaws(Harness):
    """What a correct rate limiter does, as tests. Subclass it and say how to make a limiter.

    ::

        class TestMyLimiter(LimitLaws):
            def make_limiter(self, limit, clock):
                return MyLimiter(limit.capacity, limit.refill, clock)

    A limiter has ``take(key, n)``. It returns a bool, or an object like :class:`~smsmfa.Decision` that has ``allowed``
    and may have ``remaining``, ``retry_after`` and ``full_after``. A limiter may also have ``give_back(key, n)``,
    ``peek(key, n)`` and ``reset(key)``. Laws about anything it does not have are skipped. Every example uses new keys,
    so all limiters may share one database. Nothing sleeps: the clock is a :class:`FakeClock`. Without pytest, call the
    laws as plain methods.
    """

    # --- what it grants

    @law
    def test_never_too_many(self, trial: Trial) -> None:
        """In every window of time, a limiter grants no more than the capacity and what refilled in the window."""
        _watch_windows(trial, trial.trace())

    @law
    def test_never_too_few(self, trial: Trial) -> None:
        """A limiter grants what is available, from the moment it is available."""
        for step in trial.trace():
            trial.expect(step)
            wait = trial.exact.peek(trial.key, step.n).retry_after if isinstance(step, Hit) else None
            if wait:
                trial.move(wait)
                trial.expect(step)

    @law
    def test_larger_grants_no_fewer(self, trial: Trial) -> None:
        """For hits of equal cost, a larger capacity never grants fewer than a smaller one."""
        less = st.integers(0, 1) | st.integers(0, trial.capacity - 1)
        by = trial.draw(less, "smaller by") if trial.capacity > 1 else 0
        limits = tuple(Limit(one.capacity - by, one.refill) for one in trial.limits)
        n = trial.draw(st.integers(1, min(trial.max_cost, trial.capacity - by)), "cost")
        pauses = trial.draw(st.lists(moves(limits, back=False), min_size=10, max_size=20), "pauses")
        with self.open(limits if isinstance(trial.limit, tuple) else limits[0], trial.clock) as smaller:
            more = 0
            for pause in pauses:
                more += trial.grab(n) - trial.grab(n, smaller)
                hold(more >= 0, f"a limiter under {trial.limit} granted fewer hits than one under {limits}")
                trial.move(pause.by)

    @law
    def test_refusal_charges_nothing(self, trial: Trial) -> None:
        """A refused hit takes nothing and delays nothing."""
        trial.follow(trial.trace())
        n, left = trial.drain()
        times = trial.draw(st.integers(1, 20), "refusals")
        for _ in range(times):
            trial.take(n)
        wait = trial.exact.peek(trial.key, n).retry_after
        if left:
            hold(trial.ask(left), f"{times} hits of {n} were refused, and after that a hit of the {left} left was too")
        elif wait is not None:
            trial.move(wait)
            hold(trial.ask(n), f"{times} hits of {n} were refused, and {wait} later a hit of {n} still was")

    # --- what a decision says

    @law
    def test_retry_after_is_exact(self, trial: Trial) -> None:
        """``retry_after`` is the exact wait: a microsecond earlier the hit is refused. ``None`` means forever."""
        for said, _ in trial.play(trial.trace()):
            wait = trial.said(said, "retry_after")
            hold(not allowed(said) or wait == ZERO, f"a hit was granted with a retry_after of {wait!r}, not 0")
        n, _ = trial.drain()
        wait = trial.said(trial.take(n)[0], "retry_after")
        if wait is None:
            trial.move(TEN_YEARS)
            hold(not trial.ask(n), "retry_after was None, which means forever, but the hit was granted ten years later")
            return
        hold(wait > ZERO, f"a hit was refused with a retry_after of {wait}")
        trial.move(wait - MICROSECOND)
        hold(not trial.ask(n), f"retry_after was {wait}, but the hit was granted a microsecond earlier")
        trial.move(MICROSECOND)
        hold(trial.ask(n), f"retry_after was {wait}, but the hit was refused after that time")

    @law
    def test_remaining_is_exact(self, trial: Trial) -> None:
        """``remaining`` is how much more could be taken now."""
        _compare(trial, "remaining")

    @law
    def test_full_after_is_exact(self, trial: Trial) -> None:
        """``full_after`` is the time until the bucket is full, or ``None`` if nothing refills."""
        _compare(trial, "full_after")

    # --- what else it does

    @law
    def test_give_back_is_exact(self, trial: Trial) -> None:
        """What is given back is available again, up to the capacity."""
        trial.need("give_back")
        trial.follow(trial.trace())
        trial.give_back(n := trial.cost())
        trial.holds_exactly(f"{n} were given back")

    @law
    def test_peek_takes_nothing(self, trial: Trial) -> None:
        """``peek`` says whether ``take`` would grant the hit, and takes nothing."""
        trial.need("peek")
        trial.follow(trial.trace())
        n = trial.cost()
        peeked, left = allowed(trial.limiter.peek(trial.key, n)), trial.holds()
        hold(peeked is (n <= left), f"peek({n}) said {peeked}, although {left} are available")
        trial.holds_exactly("peek was called")

    @law
    def test_reset_fills(self, trial: Trial) -> None:
        """``reset`` fills the bucket."""
        trial.need("reset")
        trial.follow(trial.trace())
        trial.reset()
        trial.holds_exactly("the bucket was reset")

    @law
    def test_impossible_hit_raises(self, trial: Trial) -> None:
        """A hit of zero, of less, or of more than the capacity raises ValueError and changes nothing."""
        if self.max_cost is not None:
            pytest.skip("max_cost is set, so the limiter may not see such hits")
        trial.follow(trial.trace())
        for n in (0, -1, trial.capacity + 1):
            try:
                trial.limiter.take(trial.key, n)
            except ValueError:
                continue
            raise AssertionError(f"a hit of {n} did not raise ValueError; the capacity is {trial.capacity}")
        trial.holds_exactly("an impossible hit was refused")

    # --- the clock, other keys, other callers

    @law
    def test_clock_back_gives_nothing(self, trial: Trial) -> None:
        """Only time that passes refills a bucket. Setting the clock back grants nothing."""
        _watch_windows(trial, trial.trace(back=True))

    @law
    def test_clock_back_locks_nobody_out(self, trial: Trial) -> None:
        """However the clock jumped, a refused hit is granted once its cost has refilled, and a minute more has passed.

        The minute is for hosts whose clocks differ: a bucket may count as empty that long after another host's clock.
        """
        for step in trial.trace(back=True):
            trial.do(step)
        n = trial.cost()
        trial.ask(trial.max_cost)
        trial.move(trial.draw(moves(trial.limit), "jump").by)
        refills = [one.refill for one in trial.limits if one.refill is not None]
        if len(refills) == len(trial.limits) and not trial.ask(n):
            wait = n * max(refills) + timedelta(minutes=1)
            trial.move(wait)
            hold(trial.ask(n), f"a hit of {n} was refused, although {wait} had passed since the last refusal")

    @plain_law
    def test_keys_are_apart(self, trial: Trial) -> None:
        """Each key has its own bucket, even if two keys differ only by case, a space, a suffix or a kind of letter."""
        first = trial.key
        for end in _ENDS:
            trial.key = first + end
            hold(trial.spend(trial.capacity), f"key {trial.key!r}, never used before, was charged for another key")

    @slow_law
    def test_hashes_are_long(self, trial: Trial) -> None:
        """Two keys have two buckets, even if both have the same hash of 32 bits."""
        for one, other in collisions():
            trial.key = one
            hold(trial.spend(trial.capacity), f"key {one!r}, never used before, was charged for another key")
            trial.key = other
            hold(trial.spend(trial.capacity), f"key {other!r}, never used before, was charged for {one!r}")

    @slow_law
    def test_many_keys_are_remembered(self, trial: Trial) -> None:
        """A limiter remembers an empty bucket, no matter how many other keys are hit."""
        hold(trial.spend(trial.capacity), "a new bucket is not full")
        for number in range(_OTHERS):
            trial.limiter.take(f"{trial.key}-{number}", 1)
        hold(not trial.ask(1), f"after hits on {_OTHERS:,} other keys, an empty bucket granted a hit")

    @plain_law
    def test_racing_hits_grant_the_capacity(self, trial: Trial) -> None:
        """Concurrent hits are granted exactly the capacity, wherever they interrupt each other, on two limiters too."""
        n = min(-(-trial.capacity // 100), trial.max_cost)
        there = trial.capacity // n
        times = min(there // HITTERS + 2, 50)
        with self._instances(trial) as limiters:
            for _ in range(_ROUNDS):
                granted = self.race(limiters, fresh_key(), n, times)
                expected = min(there, HITTERS * times)
                hold(
                    granted == expected,
                    f"{HITTERS} x {times} concurrent hits of {n}: {granted} granted, not {expected}",
                )

    @plain_law
    def test_racing_give_backs_are_kept(self, trial: Trial) -> None:
        """If all callers give back what they took at the same time, nothing is lost and nothing is gained."""
        trial.need("give_back")
        n = min(-(-trial.capacity // 100), trial.max_cost)
        left = max(trial.capacity // n - 1, 1) * n
        with self._instances(trial) as limiters:
            for _ in range(_ROUNDS):
                trial.key = fresh_key()
                hold(trial.spend(trial.capacity - left), "a new bucket is not full")
                self.race(limiters, trial.key, n, _TIMES, back=True)
                hold(trial.spend(left), f"{left} were available; after takes that were all given back, fewer were")
                hold(not trial.ask(1), f"{left} were available; after takes that were all given back, more were")

    @law
    def test_reopened_keeps_the_bucket(self, trial: Trial) -> None:
        """A limiter that is made later, after a restart or on another host, continues with the same buckets."""
        if not self.shared:
            pytest.skip("shared is False, so limiters do not share their buckets")
        first = trial.limiter
        trial.follow(trial.trace())
        with self.open(trial.limit, trial.clock) as second:
            for step in trial.trace():
                trial.limiter = trial.draw(st.sampled_from([first, second]), "limiter")
                there = trial.holds()
                try:
                    trial.follow([step])
                except Diverged:
                    raise AssertionError(
                        f"two limiters share a bucket with {there} available, and one of them decided {step} wrongly"
                    ) from None

    @contextmanager
    def _instances(self, trial: Trial) -> Iterator[list[Any]]:
        """Yield the limiters that share a bucket: two if the suite is shared."""
        if not self.shared:
            yield [trial.limiter]
            return
        with self.open(trial.limit, trial.clock) as second:
            yield [trial.limiter, second]


class AsyncLimitLaws(AsyncHarness, LimitLaws):
    """:class:`LimitLaws` for a limiter with coroutines. Each law runs in its own event loop."""


def _watch_windows(trial: Trial, steps: list[Step]) -> None:
    """Do the steps, and compare what each window of time was granted with the most that the limits allow."""
    done = [trial.do(step) for step in steps]
    for one in trial.limits:
        for start in range(len(done)):
            granted, most = 0, Fraction(one.capacity)
            for n, passed in done[start:]:
                granted += n
                most += Fraction(passed, microseconds(one) or 1) if one.refill else 0
                hold(granted <= most, f"{granted} granted in a window of time in which {one} allows {int(most)}")


def _compare(trial: Trial, what: str) -> None:
    """Compare one attribute of each decision with the exact limiter's."""
    for said, expected in trial.play(trial.trace()):
        actual, right = trial.said(said, what), getattr(expected, what)
        hold(actual == right, f"{what} should be {right!r}, but the decision says {actual!r}")
