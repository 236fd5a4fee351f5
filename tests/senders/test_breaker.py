"""A breaker lets no call through after several failures in a row, and then one at a time."""

import threading
from datetime import timedelta

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


def call(breaker, works):
    """Make a call with this outcome; return whether it opened the breaker, or ``None`` if it was not let through."""
    ticket = breaker.enter()
    return None if ticket is None else breaker.leave(ticket, works)


def opened(breaker):
    """Open a breaker."""
    assert [False, False, True] == [call(breaker, False) for _ in range(3)]


def test_opens(breaker):
    """The given number of failures in a row opens it. The last failure says so, and then nothing goes through."""
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
    """It says how long it stays open."""
    assert None is breaker.left()

    opened(breaker)
    assert PAUSE == breaker.left()
    clock.move(seconds=29.5)
    assert timedelta(milliseconds=500) == breaker.left()
    assert None is breaker.enter()
    clock.move(seconds=1)
    assert timedelta(0) == breaker.left()


def test_left_is_enough(breaker, clock):
    """A call that waits for the time that is left goes through, to the nanosecond."""
    opened(breaker)
    clock.now += 1

    clock.move(breaker.left())

    assert None is not breaker.enter()


def test_probe_works(breaker, clock):
    """A probe that works closes it, and the count restarts."""
    opened(breaker)
    clock.move(PAUSE)

    assert [False, False, False, True] == [call(breaker, works) for works in (True, False, False, False)]


def test_probe_fails(breaker, clock):
    """A probe that fails opens it again, and the pause begins then."""
    opened(breaker)
    clock.move(2 * PAUSE)

    assert call(breaker, False)
    assert PAUSE == breaker.left()
    assert None is call(breaker, True)


def test_probe_says_nothing(breaker, clock):
    """After a probe that shows neither, the next call is the probe."""
    opened(breaker)
    clock.move(PAUSE)

    assert [False, True] == [call(breaker, works) for works in (None, False)]


def test_one_probe(breaker, clock):
    """One probe goes through at a time, however long it takes."""
    opened(breaker)
    clock.move(PAUSE)
    ticket = breaker.enter()
    clock.move(10 * PAUSE)

    assert (None, None) == (breaker.enter(), breaker.left())
    breaker.leave(ticket, True)
    assert None is not breaker.enter()


@pytest.mark.parametrize("works", [True, False, None])
def test_late_outcome(works, breaker, clock):
    """A call from before it opened neither closes it, nor prolongs the pause, nor ends the probe."""
    early = [breaker.enter() for _ in range(4)]
    opened(breaker)
    clock.move(seconds=10)
    assert not breaker.leave(early.pop(), works)
    assert timedelta(seconds=20) == breaker.left()

    clock.move(seconds=20)
    probe = breaker.enter()
    assert not breaker.leave(early.pop(), works)
    assert None is breaker.enter()

    breaker.leave(probe, True)
    assert [False] * 2 == [breaker.leave(ticket, works) for ticket in early]
    assert [False, False, True] == [call(breaker, False) for _ in range(3)]


def test_threads(clock):
    """Of many threads that call when the pause is over, one gets through."""
    for _ in range(5):
        breaker = Breaker(1, PAUSE, clock)
        call(breaker, False)
        clock.move(PAUSE)
        with switching(1e-6):
            tickets = all_of(at_once([breaker.enter] * 8, HANGS))

        assert 7 == tickets.count(None)


def test_nobody_between(clock):
    """The breaker is locked from reading its state to writing it."""
    locked = []

    def watched():
        locked.append(breaker._lock.locked())
        return clock()

    breaker = Breaker(1, PAUSE, watched)
    call(breaker, False)
    breaker.left()
    clock.move(PAUSE)
    call(breaker, False)

    assert [True] * 4 == locked


def test_count_of_threads(clock):
    """Failures of many threads are counted one by one."""
    breaker = Breaker(8 * 200 + 1, PAUSE, clock)
    start = threading.Barrier(8)

    def fail():
        start.wait(HANGS)
        return [call(breaker, False) for _ in range(200)]

    with switching(1e-6):
        assert [[False] * 200] * 8 == all_of(at_once([fail] * 8, HANGS))

    assert call(breaker, False)
