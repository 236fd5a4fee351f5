"""The harness of the laws: limits, limiters, races, and what a failure says."""

import asyncio
import sys

import pytest
from hypothesis import strategies as st

from smsmfa import AsyncMemoryStore, AsyncRateLimiter, Limit, MemoryStore, RateLimiter
from smsmfa.testing import report
from smsmfa.testing.limits.harness import HITTERS, AsyncHarness, Harness, law, plain_law, slow_law
from smsmfa.testing.limits.trial import Diverged


class Suite(Harness):
    """Some laws, and a record of every limiter that was made and closed."""

    examples = 7

    def __init__(self):
        self.opened, self.closed, self.tried = [], [], []

    def make_limiter(self, limit, clock):
        self.opened.append(RateLimiter(MemoryStore(), limit, clock=clock))
        return self.opened[-1]

    def close_limiter(self, limiter):
        self.closed.append(limiter)

    @law
    def test_drawn(self, trial):
        """It holds."""
        self.tried.append(trial.cost())

    @plain_law
    def test_plain(self, trial):
        """It holds for a few limits."""
        self.tried.append(trial.limit)

    @slow_law
    def test_slow(self, trial):
        """It holds for one limit."""
        self.tried.append(trial.limit)

    @law
    def test_diverges(self, trial):
        """It diverges."""
        raise Diverged

    @law
    def test_false(self, trial):
        """It is false."""
        raise AssertionError(f"{trial.capacity}")


class AsyncSuite(AsyncHarness):
    """The same for coroutines, and a record of the event loops."""

    examples = 7

    def __init__(self):
        self.loops = []

    async def make_limiter(self, limit, clock):
        self.loops.append(asyncio.get_running_loop())
        return AsyncRateLimiter(AsyncMemoryStore(), limit, clock=clock)

    async def close_limiter(self, limiter):
        self.loops.append(asyncio.get_running_loop())

    @law
    def test_drawn(self, trial):
        """It holds."""
        assert trial.ask(1)
        assert not hasattr(trial.limiter, "no_such_method")
        trial.need("peek")


def test_named():
    """A test has the name and the docstring of its law, and no arguments that pytest takes for fixtures."""
    assert ("test_drawn", "Suite.test_drawn", "It holds.") == (
        Suite.test_drawn.__name__,
        Suite.test_drawn.__qualname__,
        Suite.test_drawn.__doc__,
    )


def test_examples():
    """A law tries ``examples`` examples, a plain law at most five, a slow one only one; each limiter is closed."""
    suite = Suite()
    suite.test_drawn()
    assert 7 == len(suite.tried)
    suite.test_plain()
    assert 12 == len(suite.tried)
    suite.test_slow()

    assert 13 == len(suite.tried) == len(suite.opened)
    assert suite.opened == suite.closed


def test_diverged():
    """An example in which the limiter diverges passes."""
    Suite().test_diverges()


def test_failure_quotes_the_law():
    """A failing example is shrunk and quotes the law; limiters of failing examples are closed too."""
    suite = Suite()
    with pytest.raises(AssertionError, match=r"^\d+\n") as caught:
        suite.test_false()

    assert "Broken law: It is false." == caught.value.__notes__[-1]
    assert suite.opened == suite.closed


def limits_of(**flags):
    """Return the limits that a suite with these flags tries."""
    suite = type("Own", (Suite,), {"examples": 60, **flags})()
    drawn = []
    suite.make_limiter = lambda limit, clock: drawn.append(limit)
    suite.test_diverges()
    return drawn


def test_limits():
    """Any limit is tried; small ones if hits are small; only those of the given strategy if there is one."""
    assert any(limit.capacity > 1000 for limit in limits_of())
    assert max(limit.capacity for limit in limits_of(max_cost=2)) in range(5, 41)
    assert {Limit(5, None)} == set(limits_of(limits=st.just(Limit(5, None)), max_cost=1))


def test_coroutines():
    """Coroutines run in one event loop, which is closed at the end."""
    suite = AsyncSuite()
    suite.test_drawn()

    assert 14 == len(suite.loops)
    [loop] = set(suite.loops)
    assert loop.is_closed()


class Count:
    """Grants everything."""

    def __init__(self):
        self.hits = []

    def take(self, key, n):
        self.hits.append((key, n, sys.getswitchinterval()))
        return True

    def give_back(self, key, n):
        self.hits.pop()


def test_race():
    """Threads race: each hits as often as asked, and they take turns as often as possible."""
    before, count = sys.getswitchinterval(), Count()

    assert 3 * HITTERS == Suite().race([count], "k", 2, 3)
    assert {("k", 2)} == {hit[:2] for hit in count.hits}
    assert max(hit[2] for hit in count.hits) < 1e-5
    assert before == sys.getswitchinterval()


def test_race_of_refused():
    """Hits that are refused do not count, and nothing is given back for them."""
    suite = Suite()
    limiter = suite.make_limiter(Limit(5, None), lambda: 0)

    assert 5 == suite.race([limiter], "k", 1, 2)


def test_race_of_several():
    """The racers share out the limiters, and give back what they took if they are told to."""
    counts = [Count(), Count()]

    assert 3 * HITTERS == Suite().race(counts, "k", 1, 3)
    assert [3 * HITTERS / 2] * 2 == [len(count.hits) for count in counts]
    Suite().race(counts, "k", 1, 3, back=True)
    assert [3 * HITTERS / 2] * 2 == [len(count.hits) for count in counts]


def test_race_of_tasks():
    """Tasks race like threads, and give back like threads."""
    suite = AsyncSuite()
    with suite.running(), suite.open(Limit(5, None), lambda: 0) as limiter:
        assert 5 == suite.race([limiter], "k", 1, 2)
        suite.race([limiter], "given back", 2, 2, back=True)
        assert 5 == limiter.peek("given back").remaining


def test_failed_hit():
    """A hit that raises in a race fails the law, and the failure names the error."""
    with pytest.raises(AssertionError, match="8 of 8 calls failed: AttributeError") as caught:
        Suite().race([None], "k", 1, 1)

    assert isinstance(caught.value.__cause__, AttributeError)


def test_no_limiter():
    """A suite that does not say how to make a limiter raises NotImplementedError."""
    with pytest.raises(NotImplementedError):
        Harness().make_limiter(Limit(1, None), lambda: 0)
    with pytest.raises(NotImplementedError):
        asyncio.run(AsyncHarness().make_limiter(Limit(1, None), lambda: 0))
    assert Harness().close_limiter(None) is None
    assert asyncio.run(AsyncHarness().close_limiter(None)) is None


class TestCounted(Harness):
    def test_counted(self, request):
        """The laws are counted in the report at the end of the run."""
        assert Harness in request.config.pluginmanager.get_plugin(report.PLUGIN).bases
