"""Each check of the whole factor rejects a store that lets through more than the factor allows."""

from time import sleep

import pytest
from testing.stores.good import DictStore, broken_suite, checked, failed, suite

from smsmfa.testing.stores import factor as store_factor
from smsmfa.testing.stores.factor import FactorChecks


class ReadsBeforeItLocks(DictStore):
    def update(self, keys, change):
        values = self.values(keys)
        for _ in range(100):
            sleep(0)  # gives way to the others
        with self.lock:
            writes, outcome = change(values)
            self.write(checked(writes, keys))
            return outcome


class NeverWritesAgain(DictStore):
    def put(self, key, entry):
        if key not in self.entries:
            super().put(key, entry)


class KeepsUsedCodes(DictStore):
    """Loses the writes of a successful verification."""

    def run(self, keys, change):
        before = self.entries.copy()
        outcome = super().run(keys, change)
        if "Accepted" in repr(outcome):
            self.entries = before
        return outcome


class CountsOnAnotherClock(DictStore):
    """Forgets what has expired by the application's clock."""

    def get(self, key):
        if key in self.entries and self.entries[key][1] and store_factor.FakeClock.shown.datetime.year > 2030:
            del self.entries[key]
        return super().get(key)


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """Let the stores see the application's clock."""

    class Clock(store_factor.FakeClock):
        def __init__(self):
            super().__init__()
            Clock.shown = self

    monkeypatch.setattr(store_factor, "FakeClock", Clock)


CAUGHT = {
    "test_limit_when_the_clock_jumps": CountsOnAnotherClock,
    "test_factor": NeverWritesAgain,
    "test_clock_of_the_application": NeverWritesAgain,
    "test_message_not_sent": NeverWritesAgain,
    "test_right_code_at_once": ReadsBeforeItLocks,
    "test_wrong_codes_at_once": ReadsBeforeItLocks,
    "test_challenges_at_once": ReadsBeforeItLocks,
    "test_double_clicks_at_once": ReadsBeforeItLocks,
    "test_resends_at_once": ReadsBeforeItLocks,
    "test_recovery_at_once": ReadsBeforeItLocks,
}


def test_a_right_store_passes():
    """A correct store passes every check, and every check has a store here that fails it."""
    assert set() == failed(suite(FactorChecks, DictStore), CAUGHT)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store):
    """A store with this mistake fails the check."""
    assert {check} == failed(broken_suite(FactorChecks, store, time_limit=60.0), [check])


def test_used_code():
    """A used code that can be used again is rejected without a race."""
    assert {"test_factor"} == failed(suite(FactorChecks, KeepsUsedCodes), ["test_factor"])
