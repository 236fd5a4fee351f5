"""Each check that interrupts an update rejects a store with exactly that mistake, without any luck."""

from contextlib import suppress
from threading import Lock

import pytest
from testing.stores.good import DictStore, broken_suite, checked, failed, suite

from smsmfa.testing.stores.interruptions import InterruptionChecks


class NeverLocks(DictStore):
    def update(self, keys, change):
        return self.run(keys, change)


class ReadsBeforeItLocks(DictStore):
    def update(self, keys, change):
        values = self.values(keys)
        with self.lock:
            writes, outcome = change(values)
            self.write(checked(writes, keys))
            return outcome


class LocksRows(DictStore):
    """Locks the keys that exist, in the order of the call. Absent keys are not locked."""

    def __init__(self):
        super().__init__()
        self.locks = {}

    def update(self, keys, change):
        taken = []
        try:
            for key in keys:
                if self.locked(key):
                    lock = self.locks.setdefault(key, Lock())
                    lock.acquire()
                    taken.append(lock)
            return self.run(keys, change)
        finally:
            for lock in taken:
                lock.release()

    def locked(self, key):
        return key in self.entries


class LocksInTheirOrder(LocksRows):
    def locked(self, key):
        return True


class WritesBackWhatItSaw(DictStore):
    def update(self, keys, change):
        values = self.values(keys)
        try:
            writes, outcome = change(values)
        except BaseException:
            self.entries = {**self.entries, **dict.fromkeys(keys, (b"0", None))}
            raise
        with self.lock:
            if writes:
                self.write(checked(writes, keys))
            else:
                self.entries |= {key: (value, None) for key, value in values.items()}
            return outcome


class ReadsWithoutALock(DictStore):
    def read(self, key):
        return self.get(key)


class ReadsWhatIsRefused(ReadsWithoutALock):
    def run(self, keys, change):
        before = self.entries.copy()
        try:
            writes, outcome = change(self.values(keys))
            self.write(writes)
            checked(writes, keys)
        except BaseException:
            self.entries = before
            raise
        return outcome


class Swallows(DictStore):
    def run(self, keys, change):
        with suppress(Exception):
            return super().run(keys, change)


class TakesWhatIsRefused(DictStore):
    def run(self, keys, change):
        writes, outcome = change(self.values(keys))
        self.write(writes)
        return outcome


class SeesWithoutALock(DictStore):
    def update(self, keys, change):
        writes, outcome = change(self.values(keys))
        if not writes:
            return outcome
        return super().update(keys, change)


class GivesUp(DictStore):
    """Compares and sets, at most three times."""

    def update(self, keys, change):
        for _ in range(3):
            with self.lock:
                values = self.values(keys)
            writes, outcome = change(values)
            with self.lock:
                if self.compared(values, writes) == self.values(self.compared(dict.fromkeys(keys), writes)):
                    self.write(checked(writes, keys))
                    break
        return outcome

    def compared(self, values, writes):
        return values


class ComparesWhatItWrites(GivesUp):
    def compared(self, values, writes):
        return {key: value for key, value in values.items() if key in writes}


class RaisesWithoutALock(DictStore):
    def update(self, keys, change):
        change(self.values(keys))
        return super().update(keys, change)


class LeavesOut(DictStore):
    """Compares and sets, but leaves out what a change does not change."""

    def update(self, keys, change):
        while True:
            with self.lock:
                seen = self.values(keys)
            writes, outcome = change(dict(seen))
            writes = {key: entry for key, entry in checked(writes, keys).items() if self.changes(seen.get(key), entry)}
            with self.lock:
                there = self.values(keys)
                if all(seen.get(key) == there.get(key) for key in (writes or keys)):
                    self.write(writes)
                    return outcome

    def changes(self, before, entry):
        return before != (entry and entry.value)


class CountsAnew(DictStore):
    """Compares how often a key was written since it was deleted."""

    def __init__(self):
        super().__init__()
        self.versions = {}

    def update(self, keys, change):
        while True:
            with self.lock:
                seen, versions = self.values(keys), [self.versions.get(key, 0) for key in keys]
            writes, outcome = change(seen)
            checked(writes, keys)
            with self.lock:
                if versions == [self.versions.get(key, 0) for key in keys]:
                    self.write(writes)
                    return outcome

    def put(self, key, entry):
        super().put(key, entry)
        self.versions[key] = self.versions.get(key, 0) + 1 if entry else 0


CAUGHT = {
    "test_decision_rewrites_the_rest": LeavesOut,
    "test_decision_deletes_the_absent": LeavesOut,
    "test_replacement_meets_update": CountsAnew,
    "test_many_conflicts": GivesUp,
    "test_decision_meets_decision": ComparesWhatItWrites,
    "test_errors_are_of_values_current_together": RaisesWithoutALock,
    "test_update_meets_update": ReadsBeforeItLocks,
    "test_first_write_meets_first_write": LocksRows,
    "test_overlap_meets_overlap": LocksRows,
    "test_deletion_meets_update": NeverLocks,
    "test_look_meets_update": WritesBackWhatItSaw,
    "test_error_meets_update": WritesBackWhatItSaw,
    "test_values_are_current_together": SeesWithoutALock,
    "test_keys_in_opposite_orders": LocksInTheirOrder,
    "test_nothing_is_seen_half_written": SeesWithoutALock,
    "test_nothing_is_read_half_written": ReadsWithoutALock,
    "test_nothing_is_read_of_what_is_refused": ReadsWhatIsRefused,
}


def test_a_right_store_passes():
    """A correct store passes every check, and every check has a store here that fails it."""
    assert set() == failed(suite(InterruptionChecks, DictStore), CAUGHT)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store):
    """A store with this mistake fails the check."""
    assert {check} == failed(broken_suite(InterruptionChecks, store), [check])


@pytest.mark.parametrize(
    "check, store",
    [
        ("test_nothing_is_read_of_what_is_refused", TakesWhatIsRefused),
        ("test_errors_are_of_values_current_together", Swallows),
    ],
)
def test_no_error(check, store):
    """A check that provokes an error fails if there is none."""
    assert {check} == failed(broken_suite(InterruptionChecks, store), [check])
