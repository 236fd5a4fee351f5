"""Hypothesis strategies for limits and for what happens to a limiter."""

from datetime import timedelta
from operator import neg

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ...limiter import Limit

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
_SECOND = 10**6
_TEN_YEARS = 3652 * 86_400 * _SECOND
#: Capacity x refill is at most 10^11 seconds.
_LONGEST = 10**17


@attrs.frozen
class Hit:
    """Somebody wants ``n``."""

    n: int


@attrs.frozen
class GiveBack:
    """``n`` were taken for nothing, or so somebody says."""

    n: int


@attrs.frozen
class Move:
    """The clock moves by so much: a pause, or a jump, backward where it is negative."""

    by: timedelta


Step = Hit | GiveBack | Move


def all_of(limit: Limit | tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return the limits that must all allow a hit: several, or the one."""
    return limit if isinstance(limit, tuple) else (limit,)


def microseconds(limit: Limit) -> int | None:
    """Return the refill in microseconds; ``None`` where nothing comes back."""
    return None if limit.refill is None else limit.refill // MICROSECOND


@st.composite
def limits(draw: DrawFn, *, max_capacity: int = _LONGEST) -> Limit:
    """Draw a :class:`~smsmfa.Limit`: small ones, huge ones, refills of odd microseconds, and ``refill=None``.

    Args:
        draw: what Hypothesis passes; leave it out.
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
    """Draw a movement of the clock: to the edge of a refill, somewhere on its scale, or ten years."""
    scales = [(microseconds(one) or _SECOND, one.capacity) for one in all_of(limit)]
    edges = {k * unit + d for unit, most in scales for k in {0, 1, 2, 3, most - 1, most} for d in (-1, 0, 1)}
    near = st.sampled_from(sorted(us for us in edges | {_TEN_YEARS} if 0 <= us <= _LONGEST))
    full = min(max(unit * most for unit, most in scales), _LONGEST)
    within = st.integers(0, max(scales)[0]) | st.integers(0, full)
    by = near | within
    return st.builds(Move, (by | by.map(neg) if back else by).map(MICROSECOND.__mul__))


def traces(
    limit: Limit | tuple[Limit, ...], *, max_cost: int | None = None, back: bool = True
) -> SearchStrategy[list[Step]]:
    """Draw what happens to one key: hits of any cost, alone and in bursts, give-backs, pauses and jumps of the clock.

    Args:
        limit: the limit it happens under; several that must all allow.
        max_cost: the most that a hit takes; the whole capacity if left out.
        back: whether the clock may also jump backward.
    """
    capacity = min(one.capacity for one in all_of(limit))
    most = capacity if max_cost is None else min(capacity, max_cost)
    amounts = st.integers(1, most) | st.sampled_from(sorted({1, min(2, most), most}))
    hit, burst = amounts.map(lambda n: [Hit(n)]), amounts.map(lambda n: [Hit(n)] * min(capacity // n + 1, 20))
    turns = st.one_of(hit, burst, amounts.map(lambda n: [GiveBack(n)]))
    steps = st.tuples(turns, moves(limit, back=back)).map(lambda turn: [*turn[0], turn[1]])
    lists = st.integers(1, 12).flatmap(lambda length: st.lists(steps, min_size=length, max_size=length))
    return lists.map(lambda turns: [step for turn in turns for step in turn])
