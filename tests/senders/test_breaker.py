"""A breaker lets no call through after failures for several numbers, and then one call at a time."""

import gc
import threading
from datetime import timedelta
from itertools import count

import pytest
from senders.calls import HANGS

from smsmfa.senders.breaker import Breaker
from smsmfa.testing import FakeClock
from smsmfa.testing.threads import all_of, at_once, switching

PAUSE = timedelta(seconds=30)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def breaker(clock):
    return Breaker(3, PAUSE, clock)


NUMBERS = count(4155550100)


def call(breaker, works, number=None):
    """Make a call with this outcome; return whether it opened the breaker, or ``None`` if it was not let through.

    Without a number it is for one that no other call is for.
    """
    ticket = enter(breaker, number)
    return None if ticket is None else breaker.leave(ticket, works)


def enter(breaker, number=None):
    """Return the ticket of a call for a number, by default one that no other call is for."""
    return breaker.enter(number or f"+1{next(NUMBERS)}")


def left(breaker, number="+14155552671"):
    """Return how long a number must wait, by default one without failures."""
    return breaker.left(number)


def opened(breaker):
    """Open a breaker."""
    assert [False, False, True] == [call(breaker, False) for _ in range(3)]


def test_opens(breaker):
    """Failures for the given number of numbers open it. The last one says so, and then nothing goes through."""
    opened(breaker)

    assert None is call(breaker, True)


def test_in_a_row(breaker):
    """A success restarts the count."""
    outcomes = [False, False, True, False, False, True, False, False]

    assert [False] * 8 == [call(breaker, works) for works in outcomes]


def test_says_nothing(breaker):
    """An outcome that shows neither failure nor success changes nothing."""
    outcomes = [False, None, False, None]

    assert [False] * 4 == [call(breaker, works) for works in outcomes]
    assert call(breaker, False)


def test_left(breaker, clock):
    """An open breaker says how long it stays open."""
    assert None is left(breaker)

    opened(breaker)
    assert PAUSE == left(breaker)
    clock.move(seconds=29.5)
    assert timedelta(milliseconds=500) == left(breaker)
    assert None is enter(breaker)
    clock.move(seconds=1)
    assert timedelta(0) == left(breaker)


def test_left_is_enough(breaker, clock):
    """A call that waits for the time that is left goes through, to the nanosecond."""
    opened(breaker)
    clock.now += 1

    clock.move(left(breaker))

    assert None is not enter(breaker)


def test_probe_works(breaker, clock):
    """A probe that works closes it, and the count restarts."""
    opened(breaker)
    clock.move(PAUSE)

    assert [False, False, False, True] == [call(breaker, works) for works in (True, False, False, False)]


def test_probe_fails(breaker, clock):
    """Probes that fail for two numbers open it again, and the pause begins then."""
    opened(breaker)
    clock.move(2 * PAUSE)

    assert [False, True] == [call(breaker, False) for _ in range(2)]
    assert PAUSE == left(breaker)
    assert None is call(breaker, True)


def test_probe_of_one_number(breaker, clock):
    """A number whose probe fails lets other numbers probe, and waits for a pause itself."""
    opened(breaker)
    clock.move(PAUSE)

    assert [False, None] == [call(breaker, False, "+1") for _ in range(2)]
    assert (PAUSE, timedelta(0)) == (left(breaker, "+1"), left(breaker))
    clock.move(PAUSE)
    assert [False, None] == [call(breaker, False, "+1") for _ in range(2)]

    assert [False, False] == [call(breaker, True), call(breaker, True, "+1")]


def test_probe_of_one(clock):
    """If one number is enough to open it, one is enough to keep it open."""
    breaker = Breaker(1, PAUSE, clock)
    call(breaker, False)
    clock.move(PAUSE)

    assert call(breaker, False)


def test_one_number(breaker):
    """The failures of one number count once until a success."""
    assert [False] * 9 == [call(breaker, False, "+1") for _ in range(9)]
    assert [False, True] == [call(breaker, False) for _ in range(2)]


def test_success_of_one_number(breaker):
    """After a success numbers count again."""
    assert [False] * 5 == [call(breaker, works, number) for number in ("+1", "+2") for works in (False, False)] + [
        call(breaker, True)
    ]
    assert [False, False, True] == [call(breaker, False, number) for number in ("+1", "+2", "+3")]


def test_numbers_are_not_kept(breaker):
    """T12: it remembers hashes under a random key, which differ between breakers, and no numbers."""
    other = Breaker(3, PAUSE, FakeClock())
    number = "+14155552671"
    for each in (breaker, other):
        call(each, False, number)

    assert breaker._failed.isdisjoint(other._failed)
    assert number not in repr(enter(breaker, number)) + repr(vars(breaker))
    assert not [one for one in gc.get_referents(breaker._failed) if not isinstance(one, bytes)]


def test_probe_says_nothing(breaker, clock):
    """After a probe that shows neither, the next call is the probe."""
    opened(breaker)
    clock.move(PAUSE)

    assert [False, False, True] == [call(breaker, works) for works in (None, False, False)]


def test_one_probe(breaker, clock):
    """One probe goes through at a time, even a slow one."""
    opened(breaker)
    clock.move(PAUSE)
    ticket = enter(breaker)
    clock.move(10 * PAUSE)

    assert (None, None) == (enter(breaker), left(breaker))
    breaker.leave(ticket, True)
    assert None is not enter(breaker)


@pytest.mark.parametrize("works", [True, False, None])
def test_late_outcome(works, breaker, clock):
    """A call from before it opened neither closes it, nor prolongs the pause, nor ends the probe."""
    early = [enter(breaker) for _ in range(4)]
    opened(breaker)
    clock.move(seconds=10)
    assert not breaker.leave(early.pop(), works)
    assert timedelta(seconds=20) == left(breaker)

    clock.move(seconds=20)
    probe = enter(breaker)
    assert not breaker.leave(early.pop(), works)
    assert None is enter(breaker)

    breaker.leave(probe, True)
    assert [False] * 2 == [breaker.leave(ticket, works) for ticket in early]
    assert [False, False, True] == [call(breaker, False) for _ in range(3)]


def test_threads(clock):
    """If many threads call when the pause is over, one gets through."""
    for _ in range(5):
        breaker = Breaker(1, PAUSE, clock)
        call(breaker, False)
        clock.move(PAUSE)
        with switching(1e-6):
            tickets = all_of(at_once([lambda breaker=breaker: enter(breaker)] * 8, HANGS))

        assert 7 == tickets.count(None)


def test_nobody_between(clock):
    """The breaker is locked from reading its state to writing it."""
    locked = []

    def watched():
        locked.append(breaker._lock.locked())
        return clock()

    breaker = Breaker(1, PAUSE, watched)
    call(breaker, False)
    left(breaker)
    clock.move(PAUSE)
    call(breaker, False)

    assert [True] * 5 == locked


def test_count_of_threads(clock):
    """Failures of many numbers in many threads are counted one by one."""
    breaker = Breaker(8 * 200 + 1, PAUSE, clock)
    start = threading.Barrier(8)

    def fail():
        start.wait(HANGS)
        return [call(breaker, False) for _ in range(200)]

    with switching(1e-6):
        assert [[False] * 200] * 8 == all_of(at_once([fail] * 8, HANGS))

    assert call(breaker, False)
