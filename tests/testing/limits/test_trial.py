"""A trial drives a limiter and the exact limiter together."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsmfa import Limit
from smsmfa.testing import ExactLimiter, FakeClock
from smsmfa.testing.limits import GiveBack, Hit, Move
from smsmfa.testing.limits.trial import START, Diverged, Trial, allowed, fresh_key, hold

HOUR = timedelta(hours=1)
LIMIT = Limit(5, HOUR)


class Bools:
    """Answers with the given bools, and has nothing else."""

    def __init__(self, answers):
        self.answers = answers

    def take(self, key, n):
        return self.answers.pop(0)


def a_trial(*answers, limit=LIMIT, max_cost=None, data=None):
    """Return a trial of the exact limiter, or of a limiter that gives these answers."""
    clock = FakeClock(START)
    return Trial(limit, max_cost, Bools(list(answers)) if answers else ExactLimiter(limit, clock), clock, data)


def test_follows_both():
    """The steps of a trace are done to both limiters, on the same clock."""
    trial = a_trial()
    trial.follow([Hit(5), Move(HOUR), GiveBack(2), Hit(1)])

    assert 2 == trial.holds() == trial.limiter.peek(trial.key).remaining
    trial.reset()
    assert 5 == trial.holds() == trial.limiter.peek(trial.key).remaining


@pytest.mark.parametrize("answers, n", [([False], 1), ([True, True], 5)])
def test_diverges(answers, n):
    """A limiter that answers differently from the exact limiter ends the trial."""
    trial = a_trial(*answers)
    with pytest.raises(Diverged):
        trial.follow([Hit(n), Hit(n)])


def test_expects():
    """A hit that should be granted and is refused fails the trial; one that is granted by mistake only ends it."""
    with pytest.raises(AssertionError, match=r"Hit\(n=2\) was refused, although 5 are available"):
        a_trial(False).expect(Hit(2))
    trial = a_trial(True, True)
    trial.expect(Hit(5))
    with pytest.raises(Diverged):
        trial.expect(Hit(1))


def test_does():
    """A step done to the limiter alone returns what was granted and how much time passed."""
    trial = a_trial()

    assert [(5, 0), (0, 0), (-1, 0), (0, 3_600_000_000), (0, 0)] == [
        trial.do(step) for step in (Hit(5), Hit(1), GiveBack(1), Move(HOUR), Move(-HOUR))
    ]
    assert (0, 0) == a_trial(True).do(GiveBack(1))


def test_moves_to_the_epoch():
    """The clock goes back no further than the epoch, and keeps its nanoseconds."""
    trial = a_trial()
    trial.move(-timedelta(days=100 * 365))

    assert 789 == trial.clock.now


def test_spends():
    """Spending takes hits as large as the limiter allows, until one is refused."""
    assert a_trial(True, True, True, max_cost=2).spend(5)
    assert a_trial(True).spend(0)
    trial = a_trial(True, False, True, max_cost=2)
    assert not trial.spend(5)
    assert [True] == trial.limiter.answers


def test_grabs():
    """Grabbing stops at the first refusal, or after five hits."""
    assert 4 == a_trial(True, True, False, True).grab(2)
    assert 5 == a_trial(*[True] * 9).grab(1)
    assert 0 == a_trial().grab(1, Bools([False]))


def test_holds_exactly():
    """A limiter must grant exactly what is left."""
    a_trial().holds_exactly("nothing happened")
    with pytest.raises(AssertionError, match="it rained; then 5 should be available, but fewer were granted"):
        a_trial(False).holds_exactly("it rained")
    with pytest.raises(AssertionError, match="it rained; then 5 should be available, but more were granted"):
        a_trial(True, True).holds_exactly("it rained")


def test_leaves_out():
    """A law about a method or an attribute that the limiter does not have is skipped."""
    trial = a_trial(True)
    with pytest.raises(pytest.skip.Exception, match="the limiter has no method peek"):
        trial.need("peek")
    with pytest.raises(pytest.skip.Exception, match="the answer of take has no attribute remaining"):
        trial.said(trial.take(1)[0], "remaining")
    trial = a_trial()
    trial.need("peek")
    assert 4 == trial.said(trial.take(1)[0], "remaining")


@settings(deadline=None)
@given(st.data())
def test_drains(data):
    """After a drain, the hit is refused and the rest is available."""
    trial = a_trial(data=data)
    trial.follow(trial.trace())
    n, left = trial.drain()

    assert left < n
    assert not trial.limiter.peek(trial.key, n).allowed
    assert left == trial.limiter.peek(trial.key).remaining


@settings(deadline=None)
@given(st.data())
def test_cannot_drain(data):
    """A limiter that refuses what is available cannot be drained, and ends the trial."""
    with pytest.raises(Diverged):
        a_trial(False, limit=Limit(1, None), data=data).drain()


def test_allowed():
    """An answer is a bool, or has the attribute ``allowed``."""
    assert [True, False] == [allowed(True), allowed(False)]
    assert allowed(a_trial().take(1)[0])


def test_fresh_keys():
    """No two trials share a key."""
    assert 3 == len({fresh_key(), fresh_key(), a_trial().key})


def test_hold():
    """A condition that is false fails with the message."""
    hold(True, "never said")
    with pytest.raises(AssertionError, match=r"^this is wrong$"):
        hold(False, "this is wrong")
