"""Calls start together and cannot hang the test, and an intruder interrupts where it gets a turn."""

import sys
from contextlib import suppress
from threading import Barrier, Event, Lock

import pytest

from smsmfa.testing.threads import (
    Hung,
    Intruder,
    Keys,
    Writes,
    all_of,
    at_once,
    intruded,
    switching,
    within,
)


def test_at_once():
    """Calls run at the same time; each result or exception stands in its place."""
    barrier, error = Barrier(3), KeyError("no")

    def call(number):
        barrier.wait(60)
        if number == 1:
            raise error
        return number

    assert [0, error, 2] == at_once([lambda number=number: call(number) for number in range(3)], 60)


def test_hung():
    """Calls that do not return in time raise Hung, and are left behind."""
    never = Event()

    with pytest.raises(Hung, match=r"1 of 2 calls did not return within 0\.05 seconds"):
        at_once([never.wait, lambda: None], 0.05)
    with pytest.raises(Hung):
        within(0.05, never.wait)
    never.set()


def test_within():
    """A call's result or exception is passed on unchanged."""
    error = KeyboardInterrupt()

    def fail():
        raise error

    assert 5 == within(60, lambda: 5)
    with pytest.raises(KeyboardInterrupt) as caught:
        within(60, fail)
    assert error is caught.value


def test_all_of():
    """If calls must all succeed, the first error is reported."""
    assert [1, 2] == all_of([1, 2])
    with pytest.raises(AssertionError, match=r"2 of 3 calls failed: KeyError\('no'\)") as caught:
        all_of([1, KeyError("no"), ValueError("no")])
    assert KeyError is type(caught.value.__cause__)


def test_switching():
    """Threads take turns more often inside the block, and as before after it, even if it raised."""
    before = sys.getswitchinterval()

    with suppress(KeyError), switching(1e-5):
        assert pytest.approx(1e-5) == sys.getswitchinterval()
        raise KeyError
    assert before == sys.getswitchinterval()


def test_intruder_comes_in_the_middle():
    """The other call is made, and ends, at each turn that the first one gives it."""
    log = []

    def first(turn):
        for number in range(4):
            log.append(number)
            turn()
        return "first"

    outcome = intruded(first, lambda: log.append("second") or len(log), patience=60, limit=60, turns=2)

    assert ("first", [2, 4]) == outcome
    assert [0, "second", 1, "second", 2, 3] == log


def test_intruder_has_to_wait():
    """If the intruder is locked out, the first call goes on, and gives it no second turn before it is done."""
    lock = Lock()

    def first(turn):
        with lock:
            turn()
            turn()

    def second():
        with lock:
            return "done"

    assert (None, ["done"]) == intruded(first, second, patience=0.05, limit=60, turns=6)


def test_intruder_fails():
    """An error of either caller is an error of the whole."""

    def fail(turn=lambda: None):
        turn()
        raise KeyError("no")

    for calls in [(fail, lambda: None), (lambda turn: turn(), fail)]:
        with pytest.raises(AssertionError, match="KeyError"):
            intruded(*calls, patience=60, limit=60, turns=1)


def test_intruder_leaves():
    """An intruder without a turn ends."""
    intruder = Intruder(lambda: None, 1, 1)
    intruder.leave()
    intruder.serve()

    assert [] == intruder.results


def test_between():
    """Something happens between each two keys and each two writes; otherwise they are a list and a mapping."""
    happened = []
    keys = Keys(["a", "b", "c"], lambda: happened.append(1))
    writes = Writes({"a": 1, "b": 2}, lambda: happened.append(2))

    assert ["a", "b", "c"] == [*keys]
    assert [("a", 1), ("b", 2)] == [*writes.items()]
    assert [1, 1, 2] == happened
    assert ({"a": 1, "b": 2}, 2, 1, True) == (writes, len(writes), writes["a"], "a" in keys)
