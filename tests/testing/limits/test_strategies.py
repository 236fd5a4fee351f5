"""The strategies for limits and traces draw valid examples, and all the kinds that matter."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from smsmfa import Limit
from smsmfa.testing.limits import GiveBack, Hit, Move, limits, traces
from smsmfa.testing.limits.strategies import moves

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
LIMIT = Limit(10, HOUR)
PAIR = (Limit(3, HOUR), Limit(5, None))
QUIET = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
#: Hypothesis finds an example and does not shrink it.
FIRST = settings(max_examples=5000, phases=[Phase.generate], database=None)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda limit: limit.refill is None,
        lambda limit: limit.capacity == 1,
        lambda limit: limit.capacity > 10**9,
        lambda limit: limit.refill and limit.refill // MICROSECOND % 1000,
        lambda limit: limit.refill and limit.refill > timedelta(days=365),
        lambda limit: limit.refill == MICROSECOND,
    ],
    ids=["no refill", "one", "huge", "odd microseconds", "years", "at once"],
)
def test_limits(wanted):
    """Limits are small and huge, and refill at once, at odd microseconds, in years, or never."""
    assert wanted(find(limits(), wanted, settings=FIRST))


@QUIET
@given(limits(max_capacity=7))
def test_max_capacity(limit):
    """No limit is larger than ``max_capacity``."""
    assert limit.capacity <= 7


@pytest.mark.parametrize(
    "wanted",
    [
        [Hit(10), Hit(10)],
        [Hit(3)],
        [GiveBack(1)],
        [Move(HOUR)],
        [Move(HOUR - MICROSECOND)],
        [Move(-HOUR)],
        [Move(timedelta(days=3652))],
        [Move(-timedelta(days=3652))],
        [Move(ZERO)],
    ],
)
def test_traces(wanted):
    """Traces contain hits of any cost, draining bursts, give-backs, pauses to the edge of a refill, and jumps."""
    n = len(wanted)
    find(traces(LIMIT), lambda trace: any(wanted == trace[at : at + n] for at in range(len(trace))), settings=FIRST)


@QUIET
@given(traces(LIMIT, max_cost=2, back=False))
def test_traces_within(trace):
    """No hit costs more than ``max_cost``, and the clock only moves forward if ``back`` is false."""
    assert all(1 <= step.n <= 2 if isinstance(step, Hit | GiveBack) else step.by >= ZERO for step in trace)
    assert len({type(step) for step in trace}) > 1


@QUIET
@given(st.data())
def test_traces_of_any_limit(data):
    """For any limit, no hit costs more than the capacity, and every movement of the clock is possible."""
    limit = data.draw(limits())
    for step in data.draw(traces(limit)):
        match step:
            case Move(by):
                assert abs(by) <= timedelta(seconds=10**11)
            case Hit(n) | GiveBack(n):
                assert 1 <= n <= limit.capacity


@QUIET
@given(traces(PAIR))
def test_traces_of_several(trace):
    """With several limits, no hit costs more than the smallest capacity."""
    assert all(step.n <= 3 for step in trace if isinstance(step, Hit | GiveBack))


@QUIET
@given(moves(LIMIT, back=False))
def test_moves(move):
    """A pause moves the clock forward."""
    assert move.by >= ZERO
