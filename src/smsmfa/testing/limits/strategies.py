"""Hypothesis strategies for limits and for what happens to a limiter."""

from datetime import timedelta
from operator import neg

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ...limiter import Limit

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
TEN_YEARS = timedelta(days=3652)
_SECOND = 10**6
#: The library's limit on capacity x refill, 10^11 seconds, in microseconds.
_LONGEST = 10**17


@attrs.frozen
class Hit:
    """A caller asks for ``n``."""

    n: int


@attrs.frozen
class GiveBack:
    """A caller returns ``n``, whether or not it took them."""

    n: int


@attrs.frozen
class Move:
    """The clock moves: forward as time passes, or backward if the value is negative."""

    by: timedelta


Step = Hit | GiveBack | Move


def as_tuple(limit: Limit | tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return the limits that must all allow a hit, as a tuple even if there is only one."""
    return limit if isinstance(limit, tuple) else (limit,)


def microseconds(limit: Limit) -> int | None:
    """Return the refill in microseconds, or ``None`` if nothing refills."""
    return None if limit.refill is None else limit.refill // MICROSECOND


@st.composite
def limits(draw: DrawFn, *, max_capacity: int = _LONGEST) -> Limit:
    """Draw a :class:`~smsmfa.Limit`: small and huge ones, refills of odd microseconds, and ``refill=None``.

    Args:
        draw: Hypothesis passes it; leave it out.
        max_capacity: the largest capacity to draw.
    """
    small = st.integers(1, 4) | st.integers(1, 5) | st.integers(2, 20) | st.integers(1, 20)
    capacity = min(draw(small | st.sampled_from([1000, 2**31, _LONGEST])), max_capacity)
    longest = _LONGEST // capacity
    round_ones = [us for us in (_SECOND, 1, 1000, 360 * _SECOND, 3600 * _SECOND, 36_000 * _SECOND) if us <= longest]
    odd_ones = st.integers(1, min(20, longest)) | st.integers(1, min(10**11, longest)) | st.integers(1, longest)
    refill = draw(st.sampled_from(round_ones) | odd_ones | st.none())
    return Limit(capacity, None if refill is None else refill * MICROSECOND)


def moves(limit: Limit | tuple[Limit, ...], *, back: bool = True) -> SearchStrategy[Move]:
    """Draw a movement of the clock: to the edge of a refill, within the time a bucket takes to fill, or ten years.

    Args:
        limit: the limit, or a tuple of limits.
        back: whether the clock may also move backward.
    """
    scales = [(microseconds(one) or _SECOND, one.capacity) for one in as_tuple(limit)]
    edges = {k * unit + d for unit, most in scales for k in {0, 1, 2, 3, most - 1, most} for d in (-1, 0, 1)}
    near = st.sampled_from(sorted(us for us in edges | {TEN_YEARS // MICROSECOND} if 0 <= us <= _LONGEST))
    full = min(max(unit * most for unit, most in scales), _LONGEST)
    within = st.integers(0, max(scales)[0]) | st.integers(0, full)
    by = near | within
    return st.builds(Move, (by | by.map(neg) if back else by).map(MICROSECOND.__mul__))


def traces(
    limit: Limit | tuple[Limit, ...], *, max_cost: int | None = None, back: bool = True
) -> SearchStrategy[list[Step]]:
    """Draw what happens to one key: hits of any cost, single and in bursts, give-backs, pauses and clock jumps.

    Args:
        limit: the limit, or a tuple of limits that must all allow a hit.
        max_cost: the most that one hit takes; the whole capacity by default.
        back: whether the clock may also move backward.
    """
    capacity = min(one.capacity for one in as_tuple(limit))
    most = capacity if max_cost is None else min(capacity, max_cost)
    amounts = st.integers(1, most) | st.sampled_from(sorted({1, min(2, most), most}))
    hit, burst = amounts.map(lambda n: [Hit(n)]), amounts.map(lambda n: [Hit(n)] * min(capacity // n + 1, 20))
    turns = st.one_of(hit, burst, amounts.map(lambda n: [GiveBack(n)]))
    steps = st.tuples(turns, moves(limit, back=back)).map(lambda turn: [*turn[0], turn[1]])
    lists = st.integers(1, 12).flatmap(lambda length: st.lists(steps, min_size=length, max_size=length))
    return lists.map(lambda turns: [step for turn in turns for step in turn])
