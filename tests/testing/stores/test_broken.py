"""The kit against stores with one mistake each: a check rejects each, and accepts the correct store of its kind."""

import re
import sqlite3
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest
from testing.stores import broken as stores
from testing.stores import broken_databases as databases
from testing.stores import broken_races as races
from testing.stores import broken_values as values
from testing.stores.broken import Data, Locked
from testing.stores.broken_databases import Database, Remote, RidesOnATransaction, Server
from testing.stores.good import TaskStore

from smsmfa import StoreError
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores import factor as store_factor
from smsmfa.testing.threads import Hung


class Memory(StoreConformance):
    """The suite for stores in memory."""

    shared = True
    patience = 0.5

    def __init__(self, store, path):
        self.store, self.data = store, Data()

    def make_store(self):
        return self.store(self.data)

    def pass_time(self, seconds):
        values.pass_time(seconds)


class File(StoreConformance):
    """The suite for stores in a file."""

    shared = processes = fork = True
    patience = 0.5

    def __init__(self, store, path):
        self.store, self.path = store, path

    def make_store(self):
        return self.store(self.path)

    @contextmanager
    def failing(self):
        Database.full = True
        try:
            yield
        finally:
            Database.full = False

    @contextmanager
    def enclosing_transaction(self):
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            RidesOnATransaction.outer.connection = connection
            try:
                yield
            finally:  # closing the connection rolls back
                del RidesOnATransaction.outer.connection


class Network(StoreConformance):
    """The suite for stores on a server."""

    shared = processes = fork = True
    patience = 0.5

    def __init__(self, store, path):
        self.store = store
        type(self).server = self.address = server().address

    def make_store(self):
        return self.store(self.address)

    def make_store_at(self, host, port):
        return self.store((host, port))


class Loop(AsyncStoreConformance):
    """The suite for asynchronous stores."""

    def __init__(self, store, path):
        self.store = store

    def make_store(self):
        return self.store()


@cache
def server():
    return Server()


KINDS = {Database: File, Remote: Network, TaskStore: Loop, Locked: Memory}


def suite_for(store, path):
    """Return the suite for a store, by its kind."""
    kind = next(kind for base, kind in KINDS.items() if issubclass(store, base))
    return kind(store, path)


#: The check that must reject each store.
CAUGHT_BY = {
    stores.LosesUpdates: "test_first_write_meets_first_write",
    stores.ReadsOutsideTheLock: "test_update_meets_update",
    stores.LetsGoBetween: "test_overlap_meets_overlap",
    stores.LocksForItself: "test_hot_key",
    stores.WritesOneKeyAtATime: "test_nothing_is_seen_half_written",
    stores.WritesOneKeyOnly: "test_several_keys",
    stores.ChecksAsItWrites: "test_write_outside",
    stores.WritesOutsideItsKeys: "test_nothing_is_read_of_what_is_refused",
    stores.DropsWhatIsOutside: "test_write_outside",
    stores.SwallowsExceptions: "test_error_passes_unchanged",
    stores.RenamesExceptions: "test_error_passes_unchanged",
    stores.KeepsTheLock: "test_no_residue_of_errors",
    stores.LeaksConnections: "test_no_residue_of_errors",
    stores.LeaksConnectionsOfRefusals: "test_no_residue_of_refusals",
    stores.LeavesPlaceholders: "test_no_residue_of_refusals",
    stores.HandsOutItsData: "test_only_the_keys_asked_for",
    stores.ReadsWhatWasThere: "test_written_is_read",
    stores.ReadsAReplica: "test_written_is_read",
    stores.KeepsItsOwnCopy: "test_two_in_turn",
    races.RepeatsItsWrites: "test_update_meets_update",
    races.KeepsTheFirstOutcome: "test_update_meets_update",
    races.CallsOnceAndForAll: "test_outcome_comes_back",
    races.ComparesOnlyWhatItWrites: "test_decision_meets_decision",
    races.ComparesOnlyWhatExists: "test_first_write_meets_first_write",
    races.DecidesOnTornValues: "test_values_are_current_together",
    races.BelievesErrorsOfTornValues: "test_errors_are_of_values_current_together",
    races.ReportsFailureAsSuccess: "test_many_conflicts",
    races.ReportsSuccessAsFailure: "test_update_meets_update",
    races.GivesUpAtOnce: "test_many_conflicts",
    races.GivesUpAfter15: "test_many_conflicts",
    races.GivesUpAfter32: "test_many_conflicts",
    races.ComparesNothingThatStays: "test_decision_rewrites_the_rest",
    races.ComparesNothingThatStaysAbsent: "test_decision_deletes_the_absent",
    races.DeletesWithoutComparing: "test_decision_deletes_the_absent",
    races.ComparesSizes: "test_decision_rewrites_the_rest",
    races.VersionsStartAnew: "test_replacement_meets_update",
    races.VersionsAreOfTheValue: "test_update_meets_update",
    races.RefusesFromMemory: "test_refusal_on_stale_memory",
    races.TakesAndPutsBack: "test_deletion_meets_update",
    races.LocksInTheGivenOrder: "test_keys_in_opposite_orders",
    races.LocksOnlyWhatExists: "test_first_write_meets_first_write",
    races.LocksTheFirstKey: "test_keys_in_opposite_orders",
    values.FoldsCase: "test_keys_that_look_alike",
    values.DropsTrailingSpaces: "test_keys_that_look_alike",
    values.CutsKeys: "test_long_keys",
    values.EscapesKeys: "test_keys_that_look_alike",
    values.DeletesByPrefix: "test_keys_that_look_alike",
    values.DeletesNothing: "test_deleted",
    values.EmptiesWhatItDeletes: "test_deleted",
    values.DeletesWhatIsLeftOut: "test_empty_mapping",
    values.TakesEmptyForAbsent: "test_empty_value",
    values.CutsValues: "test_sizes",
    values.CutsValuesAt64KiB: "test_sizes",
    values.TakesTenKeys: "test_sixteen_keys",
    values.CutsValuesOfSixteen: "test_sixteen_keys",
    values.ChecksumsOfKeys: "test_hashes_are_long",
    values.ShortDigestsOfKeys: "test_hashes_are_long",
    values.ShortHashesOfKeys: "test_hashes_are_long",
    values.StopsAtZero: "test_every_byte",
    values.DecodesValues: "test_every_byte",
    values.ReturnsText: "test_exact_bytes",
    values.ReadsBytearrays: "test_exact_bytes",
    values.ShowsMemoryviews: "test_exact_bytes",
    values.TakesSecondsForMilliseconds: "test_whole_seconds",
    values.CutsSeconds: "test_whole_seconds",
    values.CountsSecondsIn32Bits: "test_never_early",
    values.TakesLongTimesForDates: "test_never_early",
    values.RefusesZero: "test_keep_for_nothing",
    values.KeepsTheFirstTime: "test_last_write_says_how_long",
    values.TakesTheTimeOfTheFirst: "test_other_entries_keep_their_time",
    values.RewritesWhatItSaw: "test_empty_mapping",
    values.HalfASecondEarly: "test_whole_seconds",
    values.RoundsToTheNearest: "test_whole_seconds",
    values.KeepsTheFirstTimeRoundedUp: "test_whole_seconds",
    values.NeverLengthens: "test_whole_seconds",
    values.ExpiresAfterForever: "test_whole_seconds",
    values.KeepsTheTimeOfTheDeleted: "test_whole_seconds",
    values.CutsLifetimesTo32Bits: "test_whole_seconds",
    values.CountsMillisecondsIn32Bits: "test_whole_seconds",
    values.SkipsTheSameValue: "test_whole_seconds",
    values.SkipsTheSameValueUnlessForever: "test_whole_seconds",
    values.ExpiresByTheApplicationsClock: "test_limit_when_the_clock_jumps",
    databases.DefersItsBegin: "test_first_write_meets_first_write",
    databases.ReadsBeforeItBegins: "test_update_meets_update",
    databases.CommitsEachWrite: "test_nothing_is_seen_half_written",
    databases.ReadsTheFileOnce: "test_processes_share",
    databases.RidesOnATransaction: "test_enclosing_transaction",
    databases.RetriesTheCommit: "test_answer_is_cut",
    databases.TakesAFullDiskForSuccess: "test_database_refuses",
    databases.CommitsWhatFits: "test_database_refuses",
    databases.RetriesWhatWasClosed: "test_answer_is_cut",
    databases.RetriesWhatWasReset: "test_answer_is_cut",
    databases.BelievesInCommits: "test_question_is_cut",
    databases.FailsOpen: "test_question_is_cut",
    databases.RaisesWhatTheDriverRaises: "test_answer_is_cut",
    databases.CallsBrokenCommitsContention: "test_answer_is_cut",
    databases.SharesItsConnection: "test_fork",
    databases.WaitsBetween: "test_tasks_on_a_hot_key",
    databases.WaitsBetweenWrites: "test_cancelled",
    databases.KeepsTheLockWhenCancelled: "test_cancelled",
    databases.SwallowsCancellation: "test_cancelled",
    databases.HoldsUpTheLoop: "test_tasks_on_a_hot_key",
}

#: Stores that hang, so only the time limit stops them.
HANGS = {
    stores.KeepsTheLock,
    races.LocksInTheGivenOrder,
    databases.KeepsTheLockWhenCancelled,
    databases.HoldsUpTheLoop,
}


@pytest.fixture(autouse=True)
def _clock_to_be_found(monkeypatch):
    monkeypatch.setattr(store_factor, "FakeClock", values.ApplicationClock)


def right(store):
    """Return the correct store of the same kind."""
    return next(base for base in store.__mro__ if base.__doc__.startswith("It keeps every promise"))


def fails(suite, check):
    """Run a check that must fail; return its error."""
    with pytest.raises((AssertionError, StoreError, OSError, EOFError)) as caught:
        getattr(suite, check)()
    return caught.value


def named(parts):
    """Return a parametrisation whose ids are the names of classes and checks."""
    return pytest.mark.parametrize("store, check", parts, ids=lambda part: getattr(part, "__name__", part))


@pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.thorough)])
@named(CAUGHT_BY.items())
def test_caught(store, check, times, tmp_path, monkeypatch):
    """The check rejects the broken store every time, and only a store that hangs needs the time limit for it."""
    for number in range(times):
        suite = suite_for(store, tmp_path / str(number))
        if store in HANGS:
            monkeypatch.setattr(type(suite), "time_limit", 0.5)
        assert (store in HANGS) == isinstance(fails(suite, check), Hung)


@named(sorted({(right(store), check) for store, check in CAUGHT_BY.items()}, key=str))
def test_right(store, check, tmp_path, monkeypatch):
    """A check that rejects a broken store accepts the correct store of the same kind."""
    suite = suite_for(store, tmp_path / "right")
    for name, value in {"patience": 0.02, "rounds": 4, "time_limit": 60.0}.items():
        monkeypatch.setattr(type(suite), name, value)
    getattr(suite, check)()


def test_every_one():
    """Every broken store is rejected by a check, and describes its mistake in one sentence."""
    members = [member for module in (stores, races, values, databases) for member in vars(module).values()]
    classes = [member for member in members if isinstance(member, type) and hasattr(member, "update")]
    found = [store for store in classes if store.__module__.startswith("testing.")]
    broken = {store for store in found if right(store) is not store}

    assert broken == {*CAUGHT_BY}
    assert [] == [each for each in broken if not re.fullmatch(r"[^.]+\.", sentence(each))]


def test_page():
    """Every check that the guide names for a mistake rejects a store with it, here or in a module of its own."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "custom-store.md"
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))

    elsewhere = {name for name in named if name.startswith("test_history")} | {"test_disturbed"}
    assert named <= {*CAUGHT_BY.values()} | elsewhere
    assert len(named) > 15


def sentence(store):
    """Return the first paragraph of a store's docstring, without code."""
    return re.sub(r"``.*?``", "", store.__doc__.partition("\n\n")[0])
