"""Each check of changes, outcomes and errors rejects a store with exactly that mistake."""

import pytest
from testing.stores.good import DictStore, broken_suite, checked, failed, suite

from smsmfa import StoreError
from smsmfa.testing.stores.changes import ChangeChecks


class WritesWhatSucceeded(DictStore):
    def run(self, keys, change):
        writes, outcome = change(self.values(keys))
        if outcome:
            self.write(checked(writes, keys))
        return outcome


class CallsOnceMore(DictStore):
    def run(self, keys, change):
        super().run(keys, change)
        return change(self.values(keys))[1]


class WrapsErrors(DictStore):
    def run(self, keys, change):
        try:
            return super().run(keys, change)
        except OSError as error:
            raise StoreError("the database failed") from error


class CommitsWhenAChangeFails(DictStore):
    def run(self, keys, change):
        try:
            return super().run(keys, change)
        except StoreError:
            self.entries.pop(keys[0], None)
            raise


class WritesAsItGoes(DictStore):
    def run(self, keys, change):
        writes, outcome = change(self.values(keys))
        for key, entry in writes.items():
            self.put(key, entry)
            checked({key: entry}, keys)
        return outcome


class LocksBefore(DictStore):
    """Takes a connection by hand, and returns it only where its author thought of it."""

    def __init__(self):
        super().__init__()
        self.free = 16

    def update(self, keys, change):
        if not self.free:
            raise StoreError("no connection is free")
        self.free -= 1
        outcome = super().update(keys, change)
        self.free += 1
        return outcome


class KeepsAfterRefusals(LocksBefore):
    def update(self, keys, change):
        written = []

        def noticed(values):
            writes, outcome = change(values)
            written.append(writes)
            return writes, outcome

        try:
            outcome = super().update(keys, noticed)
        except BaseException:
            self.free += 1
            raise
        self.free -= not any(written)
        return outcome


class LeavesPlaceholders(DictStore):
    def put(self, key, entry):
        if entry is None:
            self.entries[key] = b"", None
        else:
            super().put(key, entry)


class KeepsAfterStops(LocksBefore):
    def update(self, keys, change):
        try:
            return super().update(keys, change)
        except Exception:
            self.free += 1
            raise


CAUGHT = {
    "test_outcome_comes_back": WritesWhatSucceeded,
    "test_outcome_is_of_the_last_call": CallsOnceMore,
    "test_error_passes_unchanged": WrapsErrors,
    "test_error_changes_nothing": CommitsWhenAChangeFails,
    "test_write_outside": WritesAsItGoes,
    "test_no_residue_of_refusals": KeepsAfterRefusals,
    "test_no_residue_of_deletions": LeavesPlaceholders,
    "test_no_residue_of_errors": LocksBefore,
    "test_no_residue_of_stops": KeepsAfterStops,
    "test_no_residue_of_writes_outside": LocksBefore,
}


def test_a_right_store_passes():
    """A correct store passes every check, and every check has a store here that fails it."""
    assert set() == failed(suite(ChangeChecks, DictStore), CAUGHT)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store):
    """A store with this mistake fails the check."""
    assert {check} == failed(broken_suite(ChangeChecks, store), [check])
