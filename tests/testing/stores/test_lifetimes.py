"""Each check of lifetimes rejects a store with exactly that mistake."""

import time

import pytest
from testing.stores.broken import Data
from testing.stores.broken_values import RoundsUp, pass_time
from testing.stores.good import DictStore, failed, suite

from smsmfa.testing.stores.lifetimes import LifetimeChecks
from smsmfa.typing import Entry


class CannotCountSoFar(DictStore):
    def put(self, key, entry):
        long = entry is not None and (entry.keep_for or 0) > 2**31
        super().put(key, Entry(entry.value, 0) if long else entry)


class CountsMilliseconds(DictStore):
    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value, entry.keep_for and entry.keep_for / 1000))


class CountsTurnsOfTheSecond(DictStore):
    def get(self, key):
        value, until = self.entries.get(key, (None, None))
        return value if until is None or time.time() < until else None

    def put(self, key, entry):
        until = None if entry is None or entry.keep_for is None else int(time.time()) + entry.keep_for
        super().put(key, entry)
        if entry is not None:
            self.entries[key] = entry.value, until


class EmptiesWhatExpired(DictStore):
    def get(self, key):
        return b"" if key in self.entries and super().get(key) is None else super().get(key)


class KeepsTheFirstTime(DictStore):
    def put(self, key, entry):
        before = self.entries.get(key, (None, None))[1]
        super().put(key, entry)
        if before is not None and entry is not None:
            self.entries[key] = entry.value, before


class OneTimeForAll(DictStore):
    def write(self, writes):
        times = [entry.keep_for for entry in writes.values() if entry and entry.keep_for is not None]
        for key, entry in writes.items():
            self.put(key, entry and Entry(entry.value, min(times, default=None)))


class DeletesWhatWasRevived(RoundsUp):
    """Its sweeper deletes what had expired the last time it ran, even if it was written again since."""

    expired = ()

    def sweep(self):
        for key in self.expired:
            self.entries.pop(key, None)
        self.expired = [key for key in self.entries if self.get(key) is None]


class SweepsByTheFirstTime(RoundsUp):
    """Its sweeper deletes each entry when the first lifetime of its key is over."""

    def __init__(self, data):
        super().__init__(data)
        self.firsts = {}

    def put(self, key, entry):
        super().put(key, entry)
        self.firsts.setdefault(key, self.entries[key][1])

    def sweep(self):
        for key in [key for key, first in self.firsts.items() if first < self.clock()]:
            del self.firsts[key]
            self.entries.pop(key, None)


CAUGHT = {
    "test_never_early": CannotCountSoFar,
    "test_whole_seconds": CountsTurnsOfTheSecond,
    "test_keep_for_nothing": EmptiesWhatExpired,
    "test_last_write_says_how_long": KeepsTheFirstTime,
    "test_other_entries_keep_their_time": OneTimeForAll,
}


def test_a_right_store_passes():
    """A correct store passes every check, and every check has a store here that fails it."""
    assert set() == failed(suite(LifetimeChecks, DictStore), CAUGHT)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store):
    """A store with this mistake fails the check."""
    assert {check} == failed(suite(LifetimeChecks, store), [check])


def test_milliseconds():
    """A store that takes seconds for milliseconds is rejected."""
    assert {"test_whole_seconds"} == failed(suite(LifetimeChecks, CountsMilliseconds), ["test_whole_seconds"])


def swept(store):
    """Return the suite over a store whose clock the suite moves, and whose sweeper it runs."""
    stores = store(Data())
    return suite(
        LifetimeChecks,
        lambda: stores,
        disturb=lambda self: getattr(stores, "sweep", bool)(),
        pass_time=lambda self, seconds: pass_time(seconds),
    )


@pytest.mark.parametrize("store", [DeletesWhatWasRevived, SweepsByTheFirstTime])
def test_sweepers(store):
    """A store whose sweeper deletes what was written again is rejected, even if it rounds lifetimes up."""
    assert set() == failed(swept(RoundsUp), ["test_whole_seconds"])
    assert {"test_whole_seconds"} == failed(swept(store), ["test_whole_seconds"])
