"""Histories show what a store does wrong, in threads, in processes, with cuts and with crashes."""

import os
from signal import SIGKILL
from threading import Event, RLock

import pytest
from msgspec import json
from testing.stores import broken, broken_databases, broken_races
from testing.stores.good import DictStore, failed, names, suite
from testing.stores.test_broken import Network, suite_for

from smsmfa import StoreError
from smsmfa.testing.stores import histories
from smsmfa.testing.stores.appends import Lists
from smsmfa.testing.stores.histories import HistoryChecks

CHECKS = {
    "test_history",
    "test_history_with_cuts",
    "test_history_with_crashes",
    "test_history_of_processes",
}
#: Stores that histories show to be wrong, most of them within a second.
SHOWN = [
    broken.LosesUpdates,
    broken.ReadsOutsideTheLock,
    broken.LocksForItself,
    broken.WritesOneKeyAtATime,
    broken.ReadsAReplica,
    broken.KeepsItsOwnCopy,
    broken_races.RepeatsItsWrites,
    broken_races.KeepsTheFirstOutcome,
    broken_races.ComparesOnlyWhatItWrites,
    broken_races.ComparesOnlyWhatExists,
    broken_races.ComparesNothingThatStays,
    broken_races.ComparesNothingThatStaysAbsent,
    broken_races.ComparesSizes,
    broken_races.DecidesOnTornValues,
    broken_races.DeletesWithoutComparing,
    broken_races.GivesUpAfter15,
    broken_races.LocksOnlyWhatExists,
    broken_races.LocksTheFirstKey,
    broken_races.RefusesFromMemory,
    broken_races.ReportsFailureAsSuccess,
    broken_races.ReportsSuccessAsFailure,
    broken_races.TakesAndPutsBack,
    broken_races.VersionsAreOfTheValue,
    broken_races.VersionsStartAnew,
]


def test_checks():
    """These are all the checks."""
    assert CHECKS == names(HistoryChecks)


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("store", SHOWN)
def test_shown(store, times, monkeypatch):
    """A store with a mistake fails, at the latest after twenty seconds."""
    for _ in range(times):
        tried = suite_for(store, None)
        monkeypatch.setattr(type(tried), "duration", 20.0)
        with pytest.raises(AssertionError):
            tried.test_history()


@pytest.mark.parametrize(
    "store", [DictStore, broken.Locked, broken_races.Compared, broken_races.Versioned, broken_races.Rows]
)
def test_right(store):
    """A correct store passes."""
    data = broken.Data()
    made = DictStore() if store is DictStore else None
    tried = suite(HistoryChecks, lambda: made or store(data), shared=True, duration=0.0)

    assert set() == failed(tried, ["test_history"])


@pytest.mark.parametrize("store", [broken_databases.BelievesInCommits, broken_databases.FailsOpen])
def test_cuts(store, tmp_path, monkeypatch):
    """A store that takes a broken connection for a success fails if connections are cut; a correct one passes."""
    monkeypatch.setattr(Network, "duration", 0.0)
    monkeypatch.setattr(Network, "rounds", 4)
    suite_for(broken_databases.Remote, tmp_path).test_history_with_cuts()
    monkeypatch.setattr(Network, "duration", 20.0)
    with pytest.raises(AssertionError):
        suite_for(store, tmp_path).test_history_with_cuts()


class Crashes(DictStore):
    """It can crash, and forgets then what is not on its disk."""

    def __init__(self):
        super().__init__()
        self.lock, self.down, self.disk = RLock(), 0, {}

    def update(self, keys, change):
        with self.lock:
            self.check()
            outcome = super().update(keys, change)
            self.flush()
            return outcome

    def check(self):
        if self.down:
            self.down -= 1
            raise StoreError("it is starting")

    def flush(self):
        self.disk = dict(self.entries)

    def crash(self):
        with self.lock:
            self.entries, self.down = dict(self.disk), 3


class FlushesNowAndThen(Crashes):
    """It acknowledges before it flushes."""

    updates = 0

    def flush(self):
        self.updates += 1
        if self.updates % 20 == 0:
            super().flush()


class StaysDown(Crashes):
    """It never starts again."""

    def crash(self):
        self.down = 10**9


def crashing(store, duration=0.0):
    made = store()
    return suite(HistoryChecks, lambda: made, crash=lambda self: made.crash(), time_limit=5.0, duration=duration)


def test_crashes():
    """A store that keeps what it acknowledged passes although it crashes; one that flushes later fails."""
    assert set() == failed(crashing(Crashes), ["test_history_with_crashes"])
    assert {"test_history_with_crashes"} == failed(crashing(FlushesNowAndThen, 20.0), ["test_history_with_crashes"])


def test_stays_down():
    """A store that does not work again within the time limit fails."""
    tried = crashing(StaysDown)
    tried.time_limit = 0.2

    assert {"test_history_with_crashes"} == failed(tried, ["test_history_with_crashes"])


class Fails(broken_databases.Database):
    """Its driver is broken."""

    def update(self, keys, change):
        raise RuntimeError("no driver")


def test_processes(tmp_path):
    """A correct store passes although a process is killed; one that reads its file once fails."""
    suite_for(broken_databases.Database, tmp_path / "right").test_history_of_processes()
    with pytest.raises(AssertionError, match=r"under [abcd]"):
        suite_for(broken_databases.ReadsTheFileOnce, tmp_path / "broken").test_history_of_processes()


def test_in_the_process(monkeypatch):
    """A process tells of each update when it has decided and when it ended, and has itself killed in the middle."""
    killed, said, store = Event(), [], DictStore()
    monkeypatch.setattr(os, "kill", lambda pid, number: (pid, number) == (os.getpid(), SIGKILL) and killed.set())
    lists = [Lists.new(), Lists.new()]
    histories._append(store, lambda word: said.append(json.decode(word)), "x", lists, 1)

    assert killed.wait(60)
    assert [[n, u] for n in (0, 1) for u in range(6) for _ in range(2)] == [word[:2] for word in said]
    assert [True, False] * 12 == [word[2]["ended"] is None for word in said]
    assert {key for keys in lists for key in keys.all} >= {key for word in said for key in word[2]["saw"]}


def test_process_fails(tmp_path):
    """A process that fails, and is not killed, is a failure."""
    with pytest.raises(AssertionError, match="3 of 3 calls failed"):
        suite_for(Fails, tmp_path / "x").test_history_of_processes()
