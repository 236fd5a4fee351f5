"""A store may give up when others are in the way, but only after it has tried for some seconds."""

import asyncio

import pytest
from testing.stores.good import DictStore, checked, failed, names, suite

from smsmfa import StoreContention, StoreError
from smsmfa.testing.stores import contention
from smsmfa.testing.stores.contention import apersistently, persistently
from smsmfa.testing.stores.interruptions import InterruptionChecks
from smsmfa.testing.stores.races import RaceChecks


class Call:
    """Raises StoreContention in the first calls, each after some seconds of a clock of its own."""

    def __init__(self, monkeypatch, *seconds, error=StoreContention):
        self.now, self.left, self.error = 0.0, list(seconds), error
        monkeypatch.setattr(contention, "monotonic", lambda: self.now)

    def __call__(self):
        if self.left:
            self.now += self.left.pop(0)
            raise self.error("others were faster")
        return "done"

    async def later(self):
        return self()


@pytest.fixture(params=[persistently, lambda call: asyncio.run(apersistently(call.later))], ids=["plain", "async"])
def run(request):
    """Call a function persistently, or a coroutine function."""
    return request.param


def test_late(run, monkeypatch):
    """A call that gives up after five seconds is made again."""
    assert "done" == run(Call(monkeypatch)) == run(Call(monkeypatch, 5.0, 5.0))


def test_too_soon(run, monkeypatch):
    """A call that gives up sooner fails the check, and the failure says when that was."""
    with pytest.raises(AssertionError, match=r"after 0\.25 seconds; it must try for about 5"):
        run(Call(monkeypatch, 5.0, 0.25))


def test_other_errors(run, monkeypatch):
    """Any other error comes out of the call at once."""
    with pytest.raises(StoreError):
        run(Call(monkeypatch, 5.0, error=StoreError))


class GivesUp(DictStore):
    """Compares and sets, and gives up when it has lost a race. It keeps every promise if that takes five seconds."""

    def update(self, keys, change):
        with self.lock:
            seen = self.values(keys)
        writes, outcome = change(dict(seen))
        with self.lock:
            if seen != self.values(keys):
                raise StoreContention("others were faster")
            self.write(checked(writes, keys))
        return outcome


RACES = [*((RaceChecks, check) for check in names(RaceChecks)), (InterruptionChecks, "test_many_conflicts")]


@pytest.mark.parametrize("checks, check", sorted(RACES, key=str))
def test_right_store_that_gives_up(checks, check, monkeypatch):
    """A store that raises StoreContention after it has tried long enough passes."""
    monkeypatch.setattr(contention, "SOONEST", 0.0)
    assert set() == failed(suite(checks, GivesUp), [check])


def test_store_that_gives_up_too_soon(monkeypatch):
    """A store that raises StoreContention at once is rejected."""
    monkeypatch.setattr(contention, "monotonic", lambda: 0.0)
    assert {"test_many_conflicts"} == failed(suite(InterruptionChecks, GivesUp), ["test_many_conflicts"])
