"""One example of a limit law: a limiter, the exact one beside it, and a clock that nobody else moves."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ...limiter import Decision, Limit
from ..clock import FakeClock
from .exact import ExactLimiter
from .strategies import GiveBack, Hit, Step, all_of, traces

#: Between two microseconds: whoever counts in them has to round.
START = 1_700_000_000_123_456_789
TEN_YEARS = timedelta(days=3652)
_PREFIX = f"law-{uuid4().hex}"
_numbers = count()


class Diverged(Exception):
    """The limiter granted or refused where the exact one did not: the matter of another law."""


def fresh_key() -> str:
    """Return a key that nobody used before."""
    return f"{_PREFIX}-{next(_numbers)}"


def hold(truth: bool, otherwise: str) -> None:
    """Fail, and say what is wrong, unless it is true."""
    if not truth:
        raise AssertionError(otherwise)


def allowed(said: Any) -> bool:
    """Whether a hit was granted, by a limiter that answers with a decision or with a bool."""
    return said if isinstance(said, bool) else bool(said.allowed)


class Trial:
    """A limiter and the exact one, under one limit and on one key.

    Args:
        limit: the limit, or those that must all allow.
        max_cost: the most that a hit may take; ``None``: the capacity.
        limiter: the limiter on trial.
        clock: what it goes by.
        data: where the trial draws from; nowhere if left out.
    """

    def __init__(
        self,
        limit: Limit | tuple[Limit, ...],
        max_cost: int | None,
        limiter: Any,
        clock: FakeClock,
        data: Any = None,
    ) -> None:
        self.limit = limit
        self.limits: tuple[Limit, ...] = all_of(limit)
        self.capacity: int = min(one.capacity for one in self.limits)
        self.max_cost: int = min(max_cost or self.capacity, self.capacity)
        self.limiter = limiter
        self.exact: ExactLimiter = ExactLimiter(limit, clock)
        self.key: str = fresh_key()
        self.clock = clock
        self._data = data

    def draw(self, strategy: SearchStrategy[Any], label: str) -> Any:
        """Draw something; a failing example names it."""
        return self._data.draw(strategy, label)

    def cost(self) -> int:
        """Draw what a hit takes."""
        return int(self.draw(st.integers(1, self.max_cost), "cost"))

    def trace(self, *, back: bool = False) -> list[Step]:
        """Draw what happens to the key."""
        steps: list[Step] = self.draw(traces(self.limit, max_cost=self.max_cost, back=back), "trace")
        return steps

    def move(self, by: timedelta) -> int:
        """Move the clock, but not before the epoch; return by how many microseconds."""
        before = self.clock.now
        self.clock.move(by)
        if self.clock.now < 0:
            self.clock.now = START % 1000
        return (self.clock.now - before) // 1000

    def need(self, method: str) -> None:
        """Leave the law out if the limiter has no such method."""
        if not hasattr(self.limiter, method):
            pytest.skip(f"the limiter has no {method}")

    def said(self, said: Any, what: str) -> Any:
        """Return what a decision says; leave the law out if it does not."""
        if not hasattr(said, what):
            pytest.skip(f"take says no {what}")
        return getattr(said, what)

    def ask(self, n: int) -> bool:
        """Hit the limiter alone."""
        return allowed(self.limiter.take(self.key, n))

    def grab(self, n: int, limiter: Any = None) -> int:
        """Hit the limiter alone, again and again until it refuses, or five times; return how many it granted."""
        limiter, times = limiter or self.limiter, 0
        while times < 5 and allowed(limiter.take(self.key, n)):
            times += 1
        return times * n

    def take(self, n: int) -> tuple[Any, Decision]:
        """Hit both, and return what they say.

        Raises:
            Diverged: one granted it, the other did not.
        """
        said, expected = self.limiter.take(self.key, n), self.exact.take(self.key, n)
        if allowed(said) is not expected.allowed:
            raise Diverged
        return said, expected

    def give_back(self, n: int) -> bool:
        """Give back to both, if the limiter takes anything back."""
        can = hasattr(self.limiter, "give_back")
        if can:
            self.limiter.give_back(self.key, n)
            self.exact.give_back(self.key, n)
        return can

    def play(self, steps: Sequence[Step]) -> Iterator[tuple[Any, Decision]]:
        """Do the steps to both, and yield what both say to each hit."""
        for step in steps:
            match step:
                case Hit(n):
                    yield self.take(n)
                case GiveBack(n):
                    self.give_back(n)
                case _:
                    self.move(step.by)

    def follow(self, steps: Sequence[Step]) -> None:
        """Do the steps to both."""
        for _ in self.play(steps):
            pass

    def do(self, step: Step) -> tuple[int, int]:
        """Do a step to the limiter alone; return how many it granted, and how many microseconds passed."""
        match step:
            case Hit(n):
                return n * self.ask(n), 0
            case GiveBack(n):
                return -n * self.give_back(n), 0
            case _:
                return 0, max(self.move(step.by), 0)

    def expect(self, step: Step) -> None:
        """Do a step to both; a hit that the exact limiter allows has to be granted."""
        there = self.holds()
        try:
            self.follow([step])
        except Diverged:
            if isinstance(step, Hit) and there >= step.n:
                raise AssertionError(f"{step} was refused, though {there} are there") from None
            raise

    def spend(self, n: int) -> bool:
        """Hit the limiter alone for ``n`` in all, in hits as large as it takes; return whether none was refused."""
        while n > 0 and self.ask(min(n, self.max_cost)):
            n -= self.max_cost
        return n <= 0

    def holds(self) -> int:
        """Return how many are left by right."""
        return self.exact.peek(self.key).remaining

    def holds_exactly(self, when: str) -> None:
        """Fail unless the limiter grants what is left by right, and no more."""
        left = self.holds()
        hold(self.spend(left), f"{when}, and the {left} that should be there are not")
        hold(not self.ask(1), f"{when}, and more than the {left} that should be there are")

    def drain(self) -> tuple[int, int]:
        """Take from both until a hit must be refused; return that hit's cost, and how many are left for a smaller one.

        Raises:
            Diverged: the limiter refused what was there.
        """
        n = self.cost()
        left = self.draw(st.integers(0, n - 1), "left")
        surplus = self.holds() - left
        if surplus > 0:
            if not self.spend(surplus):
                raise Diverged
            self.exact.take(self.key, surplus)
        return n, self.holds()

    def reset(self) -> None:
        """Reset both."""
        self.limiter.reset(self.key)
        self.exact.reset(self.key)
