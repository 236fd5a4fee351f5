"""One example of a limit law: a limiter, the exact limiter beside it, and a clock that only the law moves."""

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
from .strategies import GiveBack, Hit, Step, as_tuple, traces

#: The first reading of the clock, between two microseconds: a limiter that counts microseconds must round.
START = 1_700_000_000_123_456_789
_PREFIX = f"law-{uuid4().hex}"
_numbers = count()


class Diverged(Exception):
    """The limiter granted or refused a hit that the exact limiter did not. Another law reports that."""


def fresh_key() -> str:
    """Return a key that nobody has used before."""
    return f"{_PREFIX}-{next(_numbers)}"


def hold(truth: bool, otherwise: str) -> None:
    """Fail with the message ``otherwise`` unless ``truth`` is true."""
    if not truth:
        raise AssertionError(otherwise)


def allowed(said: Any) -> bool:
    """Return whether a hit was granted. A limiter answers with a decision or a bool."""
    return said if isinstance(said, bool) else bool(said.allowed)


class Trial:
    """A limiter and the exact limiter, under the same limit and on the same key.

    Args:
        limit: the limit, or a tuple of limits that must all allow a hit.
        max_cost: the most that one hit may take; ``None`` means the capacity.
        limiter: the limiter to test.
        clock: the clock of both limiters.
        data: Hypothesis's data object, if the trial draws anything.
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
        self.limits: tuple[Limit, ...] = as_tuple(limit)
        self.capacity: int = min(one.capacity for one in self.limits)
        self.max_cost: int = min(max_cost or self.capacity, self.capacity)
        self.limiter = limiter
        self.exact: ExactLimiter = ExactLimiter(limit, clock)
        self.key: str = fresh_key()
        self.clock = clock
        self._data = data

    def draw(self, strategy: SearchStrategy[Any], label: str) -> Any:
        """Draw a value; a failing example shows it under its label."""
        return self._data.draw(strategy, label)

    def cost(self) -> int:
        """Draw the cost of a hit."""
        return int(self.draw(st.integers(1, self.max_cost), "cost"))

    def trace(self, *, back: bool = False) -> list[Step]:
        """Draw what happens to the key."""
        steps: list[Step] = self.draw(traces(self.limit, max_cost=self.max_cost, back=back), "trace")
        return steps

    def move(self, by: timedelta) -> int:
        """Move the clock, but not before the epoch; return the distance in microseconds."""
        before = self.clock.now
        self.clock.move(by)
        if self.clock.now < 0:
            self.clock.now = START % 1000
        return (self.clock.now - before) // 1000

    def need(self, method: str) -> None:
        """Skip the law if the limiter does not have this method."""
        if not hasattr(self.limiter, method):
            pytest.skip(f"the limiter has no method {method}")

    def said(self, said: Any, what: str) -> Any:
        """Return an attribute of a decision, or skip the law if the decision does not have it."""
        if not hasattr(said, what):
            pytest.skip(f"the answer of take has no attribute {what}")
        return getattr(said, what)

    def ask(self, n: int) -> bool:
        """Hit only the limiter, and return whether it granted."""
        return allowed(self.limiter.take(self.key, n))

    def grab(self, n: int, limiter: Any = None) -> int:
        """Hit only the limiter until it refuses, at most five times; return how much it granted."""
        limiter, times = limiter or self.limiter, 0
        while times < 5 and allowed(limiter.take(self.key, n)):
            times += 1
        return times * n

    def take(self, n: int) -> tuple[Any, Decision]:
        """Hit both limiters, and return both answers.

        Raises:
            Diverged: if only one of them granted the hit.
        """
        said, expected = self.limiter.take(self.key, n), self.exact.take(self.key, n)
        if allowed(said) is not expected.allowed:
            raise Diverged
        return said, expected

    def give_back(self, n: int) -> bool:
        """Give back to both limiters, if the limiter can; return whether it can."""
        can = hasattr(self.limiter, "give_back")
        if can:
            self.limiter.give_back(self.key, n)
            self.exact.give_back(self.key, n)
        return can

    def play(self, steps: Sequence[Step]) -> Iterator[tuple[Any, Decision]]:
        """Do the steps to both limiters, and yield both answers to each hit."""
        for step in steps:
            match step:
                case Hit(n):
                    yield self.take(n)
                case GiveBack(n):
                    self.give_back(n)
                case _:
                    self.move(step.by)

    def follow(self, steps: Sequence[Step]) -> None:
        """Do the steps to both limiters."""
        for _ in self.play(steps):
            pass

    def do(self, step: Step) -> tuple[int, int]:
        """Do a step to the limiter alone; return how much it granted and how many microseconds passed."""
        match step:
            case Hit(n):
                return n * self.ask(n), 0
            case GiveBack(n):
                return -n * self.give_back(n), 0
            case _:
                return 0, max(self.move(step.by), 0)

    def expect(self, step: Step) -> None:
        """Do a step to both limiters, and fail if the limiter refuses a hit that the exact limiter grants."""
        there = self.holds()
        try:
            self.follow([step])
        except Diverged:
            if isinstance(step, Hit) and there >= step.n:
                raise AssertionError(f"{step} was refused, although {there} are available") from None
            raise

    def spend(self, n: int) -> bool:
        """Take ``n`` from the limiter alone, in hits as large as it allows; return whether it granted all of them."""
        while n > 0 and self.ask(min(n, self.max_cost)):
            n -= self.max_cost
        return n <= 0

    def holds(self) -> int:
        """Return how much is left, according to the exact limiter."""
        return self.exact.peek(self.key).remaining

    def holds_exactly(self, when: str) -> None:
        """Fail unless the limiter grants exactly what is left."""
        left = self.holds()
        hold(self.spend(left), f"{when}; then {left} should be available, but fewer were granted")
        hold(not self.ask(1), f"{when}; then {left} should be available, but more were granted")

    def drain(self) -> tuple[int, int]:
        """Take from both limiters until some hit must be refused; return its cost, and how much is left.

        Raises:
            Diverged: if the limiter refused a hit that it should have granted.
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
        """Reset both limiters."""
        self.limiter.reset(self.key)
        self.exact.reset(self.key)
