"""How a law is tested: the hooks and flags of a suite, and the decorators that turn a law into a test."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from inspect import cleandoc
from itertools import cycle
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

#: How many threads or tasks race.
HITTERS = 8
#: Seconds that a race of threads may take.
_TIME_LIMIT = 60
Check = Callable[[Any, Trial], None]


def law(check: Check) -> Callable[["Harness"], None]:
    """Turn a law into a test that tries many examples and shrinks a failing one."""

    def test(self: "Harness") -> None:
        phases = [phase for phase in settings().phases if phase is not Phase.explain]  # explaining takes minutes

        @settings(
            max_examples=self.examples, deadline=None, phases=phases, suppress_health_check=[HealthCheck.too_slow]
        )
        @given(st.data())
        def example(data: DataObject) -> None:
            with self.trial(data.draw(self._limits(), "limit"), data) as trial:
                check(self, trial)

        example.__name__ = f"{type(self).__qualname__}.{check.__name__}"  # Hypothesis stores failures under this name
        example()

    return _named(check, test)


def plain_law(check: Check) -> Callable[["Harness"], None]:
    """Turn a law into a test that tries a few limits and shrinks nothing: for laws that are slow or depend on luck."""
    return _plain(check, 5)


def slow_law(check: Check) -> Callable[["Harness"], None]:
    """Turn a law into a test that tries one limit."""
    return _plain(check, 1)


def _plain(check: Check, most: int) -> Callable[["Harness"], None]:
    def test(self: "Harness") -> None:
        drawn: list[Any] = []

        @settings(max_examples=min(self.examples, most), deadline=None, database=None)
        @given(self._limits())
        def collect(limit: Any) -> None:
            drawn.append(limit)

        collect()
        for limit in drawn:
            with self.trial(limit) as trial:
                check(self, trial)

    return _named(check, test)


def _named(check: Check, test: Callable[["Harness"], None]) -> Callable[["Harness"], None]:
    """Name the test after its law, and quote the law in a failure."""

    def run(self: "Harness") -> None:
        try:
            with self.running():
                test(self)
        except Exception as error:
            error.add_note(f"Broken law: {cleandoc(check.__doc__ or '')}")
            raise

    run.__name__, run.__qualname__, run.__doc__ = check.__name__, check.__qualname__, check.__doc__
    return run


class Harness:
    """The hooks and flags that a subclass sets; see :class:`~smsmfa.testing.LimitLaws`."""

    #: A strategy for the limits to try. ``None``: :func:`limits`, with capacities up to 20 x ``max_cost`` if it is set.
    limits: ClassVar[SearchStrategy[Any] | None] = None
    #: The most that one hit may take; ``None`` means the capacity. Use 1 for a limiter whose hits all cost the same.
    max_cost: ClassVar[int | None] = None
    #: Whether limiters made under the same limit share their buckets, like processes that use one database.
    shared: ClassVar[bool] = False
    #: How many examples each law tries.
    examples: ClassVar[int] = 100

    def make_limiter(self, limit: Any, clock: Clock) -> Any:
        """Return a limiter.

        Args:
            limit: a :class:`~smsmfa.Limit`. If :attr:`limits` draws tuples: a tuple of limits that must all allow.
            clock: the limiter's clock, a function like :func:`time.time_ns`.
        """
        raise NotImplementedError

    def close_limiter(self, limiter: Any) -> Any:
        """Close a limiter. Does nothing by default."""

    @pytest.fixture(autouse=True)
    def _counted(self, request: pytest.FixtureRequest) -> None:
        report.install(request.config, Harness)

    def _limits(self) -> SearchStrategy[Any]:
        if self.limits is not None:
            return self.limits
        return limits() if self.max_cost is None else limits(max_capacity=20 * self.max_cost)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Set up and tear down what a law needs while it runs."""
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
        """Try one example. If the limiter diverges before the law can judge it, the example passes."""
        clock = FakeClock(START)
        with self.open(limit, clock) as limiter, suppress(Diverged):
            yield Trial(limit, self.max_cost, limiter, clock, data)

    def race(self, limiters: Sequence[Any], key: str, n: int, times: int, *, back: bool = False) -> int:
        """Hit one key from several threads at once, ``times`` times each; return how many hits were granted.

        The threads share out the limiters. With ``back`` they give back what each hit took.
        """

        def hit(limiter: Any) -> int:
            granted = 0
            for _ in range(times):
                if allowed(limiter.take(key, n)):
                    granted += 1
                    if back:
                        limiter.give_back(key, n)
            return granted

        calls = [partial(hit, limiter) for limiter, _ in zip(cycle(limiters), range(HITTERS), strict=False)]
        with switching(min(INTERVALS)):
            return sum(all_of(at_once(calls, _TIME_LIMIT)))


class AsyncHarness(Harness):
    """The hooks for a limiter with coroutines."""

    async def make_limiter(self, limit: Any, clock: Clock) -> Any:
        """Like :meth:`~smsmfa.testing.LimitLaws.make_limiter`."""
        raise NotImplementedError

    async def close_limiter(self, limiter: Any) -> None:
        """Like :meth:`~smsmfa.testing.LimitLaws.close_limiter`."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep one event loop for the law."""
        with asyncio.Runner() as self._runner:
            yield

    @contextmanager
    def open(self, limit: Any, clock: Clock) -> Iterator[Any]:
        """Make a limiter that can be called without ``await``, and close it at the end."""
        limiter = self._runner.run(self.make_limiter(limit, clock))
        try:
            yield _Awaited(limiter, self._runner)
        finally:
            self._runner.run(self.close_limiter(limiter))

    def race(self, limiters: Sequence[Any], key: str, n: int, times: int, *, back: bool = False) -> int:
        """Hit one key from several tasks at once."""

        async def hit(limiter: Any) -> int:
            granted = 0
            for _ in range(times):
                if allowed(await limiter.take(key, n)):
                    granted += 1
                    if back:
                        await limiter.give_back(key, n)
            return granted

        async def race() -> int:
            tasks = zip(cycle(limiters), range(HITTERS), strict=False)
            return sum(await asyncio.gather(*(hit(each.limiter) for each, _ in tasks)))

        return self._runner.run(race())


class _Awaited:
    """A limiter with coroutines, called without ``await``."""

    def __init__(self, limiter: Any, runner: asyncio.Runner) -> None:
        self.limiter = limiter
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.limiter, name)
        return lambda *arguments: self._runner.run(method(*arguments))
