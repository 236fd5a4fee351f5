"""What a law is tried with: the hooks and flags of a suite, and tests of one law each."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from inspect import cleandoc
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from ...typing import Clock
from .. import report
from ..clock import FakeClock
from ..threads import INTERVALS, all_of, at_once, switching
from .strategies import limits
from .trial import START, Diverged, Trial, allowed

#: How many hit at once.
HITTERS = 8
#: How long that may take, all in all (seconds).
_TIME_LIMIT = 60
Check = Callable[[Any, Trial], None]


def law(check: Check) -> Callable[["Harness"], None]:
    """Make a test of a check: it is tried on many examples, and what fails is shrunk."""

    def test(self: "Harness") -> None:
        phases = [phase for phase in settings().phases if phase is not Phase.explain]  # it takes minutes

        @settings(
            max_examples=self.examples, deadline=None, phases=phases, suppress_health_check=[HealthCheck.too_slow]
        )
        @given(st.data())
        def example(data: DataObject) -> None:
            with self.trial(data.draw(self._limits(), "limit"), data) as trial:
                check(self, trial)

        example.__name__ = f"{type(self).__qualname__}.{check.__name__}"  # hypothesis remembers failures by it
        example()

    return _named(check, test)


def plain_law(check: Check) -> Callable[["Harness"], None]:
    """Make a test of a check that is slow, or may pass by luck: a few limits are tried, and nothing is shrunk."""

    def test(self: "Harness") -> None:
        drawn: list[Any] = []

        @settings(max_examples=min(self.examples, 5), deadline=None, database=None)
        @given(self._limits())
        def collect(limit: Any) -> None:
            drawn.append(limit)

        collect()
        for limit in drawn:
            with self.trial(limit) as trial:
                check(self, trial)

    return _named(check, test)


def _named(check: Check, test: Callable[["Harness"], None]) -> Callable[["Harness"], None]:
    """Name the test after its check, and let a failure quote the law."""

    def run(self: "Harness") -> None:
        try:
            with self.running():
                test(self)
        except Exception as error:
            error.add_note(f"The law: {cleandoc(check.__doc__ or '')}")
            raise

    run.__name__, run.__qualname__, run.__doc__ = check.__name__, check.__qualname__, check.__doc__
    return run


class Harness:
    """The hooks and flags that a subclass fills in; see :class:`~smsmfa.testing.LimitLaws`."""

    #: The limits to try; ``None``: any that :func:`limits` draws, but small ones where hits are.
    limits: ClassVar[SearchStrategy[Any] | None] = None
    #: The most that one hit may take; ``None``: the capacity. 1: the limiter knows no costs.
    max_cost: ClassVar[int | None] = None
    #: Whether limiters made under the same limit share their buckets, as processes on one database do.
    shared: ClassVar[bool] = False
    #: On how many examples a law is tried.
    examples: ClassVar[int] = 100

    def make_limiter(self, limit: Any, clock: Clock) -> Any:
        """Return a limiter.

        Args:
            limit: a :class:`~smsmfa.Limit`; or a tuple of them, all of which must allow, if :attr:`limits` draws such.
            clock: the time it goes by; a function like :func:`time.time_ns`.
        """
        raise NotImplementedError

    def close_limiter(self, limiter: Any) -> Any:
        """Let go of a limiter, where that takes anything."""

    @pytest.fixture(autouse=True)
    def _counted(self, request: pytest.FixtureRequest) -> None:
        report.install(request.config, Harness)

    def _limits(self) -> SearchStrategy[Any]:
        if self.limits is not None:
            return self.limits
        return limits() if self.max_cost is None else limits(max_capacity=20 * self.max_cost)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Surround a law with what it needs."""
        yield

    @contextmanager
    def open(self, limit: Any, clock: Clock) -> Iterator[Any]:
        """Make a limiter, and close it at the end."""
        limiter = self.make_limiter(limit, clock)
        try:
            yield limiter
        finally:
            self.close_limiter(limiter)

    @contextmanager
    def trial(self, limit: Any, data: Any = None) -> Iterator[Trial]:
        """Try one example; where the limiter goes astray before the law has its say, another law will say so."""
        clock = FakeClock(START)
        with self.open(limit, clock) as limiter, suppress(Diverged):
            yield Trial(limit, self.max_cost, limiter, clock, data)

    def race(self, limiter: Any, key: str, n: int, times: int) -> int:
        """Let several hit one key, so many times each, all at once; return how many were granted."""

        def hit() -> int:
            return sum([allowed(limiter.take(key, n)) for _ in range(times)])

        with switching(min(INTERVALS)):
            return sum(all_of(at_once([hit] * HITTERS, _TIME_LIMIT)))


class AsyncHarness(Harness):
    """The hooks for a limiter of coroutines."""

    async def make_limiter(self, limit: Any, clock: Clock) -> Any:
        """Like :meth:`~smsmfa.testing.LimitLaws.make_limiter`."""
        raise NotImplementedError

    async def close_limiter(self, limiter: Any) -> None:
        """Like :meth:`~smsmfa.testing.LimitLaws.close_limiter`."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep an event loop for the law."""
        with asyncio.Runner() as self._runner:
            yield

    @contextmanager
    def open(self, limit: Any, clock: Clock) -> Iterator[Any]:
        """Make a limiter that is called as if it had no coroutines, and close it at the end."""
        limiter = self._runner.run(self.make_limiter(limit, clock))
        try:
            yield _Awaited(limiter, self._runner)
        finally:
            self._runner.run(self.close_limiter(limiter))

    def race(self, limiter: Any, key: str, n: int, times: int) -> int:
        """Let tasks hit one key at once."""

        async def hit() -> int:
            return sum([allowed(await limiter.limiter.take(key, n)) for _ in range(times)])

        async def race() -> int:
            return sum(await asyncio.gather(*(hit() for _ in range(HITTERS))))

        return self._runner.run(race())


class _Awaited:
    """A limiter of coroutines, called as if it had none."""

    def __init__(self, limiter: Any, runner: asyncio.Runner) -> None:
        self.limiter = limiter
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.limiter, name)
        return lambda *arguments: self._runner.run(method(*arguments))
