"""Stores that compare and set, and stores with a lock a row, right and broken; see :mod:`broken_stores`."""

from contextlib import ExitStack
from threading import local

from testing.stores.broken import Locked
from testing.stores.good import checked

from smsmfa import StoreContention
from smsmfa.typing import Entry

# --- compare and set


class Compared(Locked):
    """It keeps every promise: it decides without the lock, and stores if all that it saw is still there."""

    def update(self, keys, change):
        while True:
            with self.lock:
                seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if self.replace(keys, seen, checked(writes, keys)):
                return outcome

    def replace(self, keys, seen, writes):
        with self.lock:
            if self.see(keys) != seen:
                return False
            self.write(writes)
            return True


class RepeatsItsWrites(Compared):
    """When it finds other values than it saw, it stores what was decided about those it saw.

    Read in: GoTrue (a challenge that is redeemed twice).
    """

    def replace(self, keys, seen, writes):
        return super().replace(keys, seen, writes) or super().replace(keys, self.see(keys), writes)


class KeepsTheFirstOutcome(Compared):
    """When the change is called again, its writes are stored and the outcome of the first call is returned."""

    def update(self, keys, change):
        outcomes = []

        def remember(values):
            writes, outcome = change(values)
            outcomes.append(outcome)
            return writes, outcome

        super().update(keys, remember)
        return outcomes[0]


class CallsOnceAndForAll(Compared):
    """What came of a change is remembered by its keys and the values it saw, whatever the change was."""

    def __init__(self, data=None):
        super().__init__(data)
        self.memory = {}

    def update(self, keys, change):
        def remember(values):
            seen = tuple(values.items())
            if (tuple(keys), seen) not in self.memory:
                self.memory[tuple(keys), seen] = change(values)
            return self.memory[tuple(keys), seen]

        return super().update(keys, remember)


class ComparesOnlyWhatItWrites(Compared):
    """What was looked at but not written may have changed meanwhile."""

    def replace(self, keys, seen, writes):
        return super().replace(list(writes), {key: value for key, value in seen.items() if key in writes}, writes)


class ComparesOnlyWhatExists(Compared):
    """What was absent may have been written meanwhile."""

    def replace(self, keys, seen, writes):
        return super().replace(list(seen), seen, writes)


class DecidesOnTornValues(Compared):
    """Keys are read one by one, and a refusal is believed whether or not their values belong together."""

    def update(self, keys, change):
        while True:
            seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if not writes or self.replace(keys, seen, checked(writes, keys)):
                return outcome


class BelievesErrorsOfTornValues(Compared):
    """Keys are read one by one, and an exception passes whether or not their values belong together."""

    def update(self, keys, change):
        while True:
            seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if self.replace(keys, seen, checked(writes, keys)):
                return outcome


class ReportsFailureAsSuccess(Compared):
    """When others were faster three times, it returns the outcome without having stored anything."""

    def update(self, keys, change):
        for _ in range(3):
            with self.lock:
                seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if self.replace(keys, seen, checked(writes, keys)):
                break
        return outcome


class ReportsSuccessAsFailure(Compared):
    """When others were faster once, it stores at the second try and raises what says that nothing is changed."""

    tries = local()

    def replace(self, keys, seen, writes):
        if not super().replace(keys, seen, writes):
            self.tries.failed = True
            return False
        if vars(self.tries).pop("failed", False):
            raise StoreContention("others were faster")
        return True


class GivesUpAtOnce(Compared):
    """When others were faster once, it gives up."""

    def replace(self, keys, seen, writes):
        if not super().replace(keys, seen, writes):
            raise StoreContention("others were faster")
        return True


class RefusesFromMemory(Compared):
    """A change that writes nothing is decided on the values that this store saw last, be they stale or not."""

    def __init__(self, data=None):
        super().__init__(data)
        self.memory = {}

    def update(self, keys, change):
        if not self.memory.keys() >= set(keys):
            return self.fresh(keys, change)
        writes, outcome = change({key: self.memory[key] for key in keys if self.memory[key] is not None})
        return outcome if not writes else self.fresh(keys, change)

    def fresh(self, keys, change):
        outcome = super().update(keys, change)
        self.memory.update({key: self.read(key) for key in keys})
        return outcome


class TakesAndPutsBack(Locked):
    """It takes the entries away, decides, and puts them back, so that others find nothing meanwhile.

    Read in: better-auth (a code is consumed, then created again if it was wrong).
    """

    def update(self, keys, change):
        with self.lock:
            seen = self.see(keys)
            self.write(dict.fromkeys(keys))
        writes, outcome = change(dict(seen))
        with self.lock:
            self.write({key: Entry(value) for key, value in seen.items()} | dict(checked(writes, keys)))
        return outcome


# --- a lock a row


class Rows(Locked):
    """It keeps every promise: a lock for each key, absent ones too, taken in one order."""

    def read(self, key):
        with self.data.rows[key]:
            return self.get(key)

    def update(self, keys, change):
        with ExitStack() as stack:
            for key in self.locked(keys):
                stack.enter_context(self.data.rows[key])
            writes, outcome = change(self.see(keys))
            self.write(checked(writes, keys))
            return outcome

    def locked(self, keys):
        return sorted(keys)


class LocksInTheGivenOrder(Rows):
    """It takes the locks in the order of the keys it is given, so that two in opposite orders wait for each other."""

    def locked(self, keys):
        return keys


class LocksOnlyWhatExists(Rows):
    """It locks the keys that exist, as ``SELECT ... FOR UPDATE`` does."""

    def locked(self, keys):
        return sorted(self.see(keys))


class LocksTheFirstKey(Rows):
    """It locks the first of its keys."""

    def locked(self, keys):
        return keys[:1]
