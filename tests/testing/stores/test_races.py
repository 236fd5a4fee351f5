"""Each check of races rejects a store that loses updates, shows half of one, or deadlocks."""

from threading import Lock

import pytest
from testing.stores.good import DictStore, broken_suite, checked, failed, suite

from smsmfa.testing.stores.races import RaceChecks


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


class LocksInTheGivenOrder(DictStore):
    """Has a lock for each key, and takes them in the order of the call."""

    def __init__(self):
        super().__init__()
        self.locks = {}

    def update(self, keys, change):
        taken = []
        try:
            for key in keys:
                lock = self.locks.setdefault(key, Lock())
                lock.acquire()
                taken.append(lock)
            return self.run(keys, change)
        finally:
            for lock in taken:
                lock.release()


CAUGHT = {
    "test_hot_key": ReadsBeforeItLocks,
    "test_first_writes": ReadsBeforeItLocks,
    "test_opposite_orders": LocksInTheGivenOrder,
    "test_never_torn": NeverLocks,
}


def test_a_right_store_passes():
    """A correct store passes every check, and every check has a store here that fails it."""
    assert set() == failed(suite(RaceChecks, DictStore), CAUGHT)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store):
    """A store with this mistake fails the check."""
    assert {check} == failed(broken_suite(RaceChecks, store), [check])
