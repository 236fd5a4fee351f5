"""Stores that compare and set, and stores with a lock for each row; see :mod:`testing.stores.broken`."""

from contextlib import ExitStack
from threading import local

from testing.stores.broken import Locked
from testing.stores.good import checked

from smsmfa import StoreContention
from smsmfa.typing import Entry

# --- compare and set


class Compared(Locked):
    """It keeps every promise: it decides without the lock, and stores if everything it saw is unchanged."""

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
    """If values have changed, it stores what it decided about the old ones.

    Read in: GoTrue (a challenge that is redeemed twice).
    """

    def replace(self, keys, seen, writes):
        return super().replace(keys, seen, writes) or super().replace(keys, self.see(keys), writes)


class KeepsTheFirstOutcome(Compared):
    """If the change runs again, it stores the new writes and returns the outcome of the first run."""

    def update(self, keys, change):
        outcomes = []

        def remember(values):
            writes, outcome = change(values)
            outcomes.append(outcome)
            return writes, outcome

        super().update(keys, remember)
        return outcomes[0]


class CallsOnceAndForAll(Compared):
    """It remembers the result of a change by keys and values, and reuses it for any other change."""

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
    """It does not notice that a value changed that was seen but not written."""

    def replace(self, keys, seen, writes):
        return super().replace(list(writes), {key: value for key, value in seen.items() if key in writes}, writes)


class ComparesOnlyWhatExists(Compared):
    """It does not notice that an absent key was written meanwhile."""

    def replace(self, keys, seen, writes):
        return super().replace(list(seen), seen, writes)


class DecidesOnTornValues(Compared):
    """It reads keys one by one, and believes a refusal even if their values never existed together."""

    def update(self, keys, change):
        while True:
            seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if not writes or self.replace(keys, seen, checked(writes, keys)):
                return outcome


class BelievesErrorsOfTornValues(Compared):
    """It reads keys one by one, and passes on an exception even if their values never existed together."""

    def update(self, keys, change):
        while True:
            seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if self.replace(keys, seen, checked(writes, keys)):
                return outcome


class ReportsFailureAsSuccess(Compared):
    """After losing three races it returns the outcome without having stored anything."""

    def update(self, keys, change):
        for _ in range(3):
            with self.lock:
                seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if self.replace(keys, seen, checked(writes, keys)):
                break
        return outcome


class ReportsSuccessAsFailure(Compared):
    """After losing one race it stores at the second try, and then raises StoreContention."""

    tries = local()

    def replace(self, keys, seen, writes):
        if not super().replace(keys, seen, writes):
            self.tries.failed = True
            return False
        if vars(self.tries).pop("failed", False):
            raise StoreContention("others were faster")
        return True


class GivesUpAtOnce(Compared):
    """It gives up after losing one race."""

    def replace(self, keys, seen, writes):
        if not super().replace(keys, seen, writes):
            raise StoreContention("others were faster")
        return True


class RefusesFromMemory(Compared):
    """It decides a change that writes nothing on the values it saw last, even if they are stale."""

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


class GivesUpAfter15(Compared):
    """It gives up after losing fifteen races, which takes milliseconds."""

    most = 15

    def update(self, keys, change):
        for _ in range(self.most):
            with self.lock:
                seen = self.see(keys)
            writes, outcome = change(dict(seen))
            if self.replace(keys, seen, checked(writes, keys)):
                return outcome
        raise StoreContention("others were faster")


class GivesUpAfter32(GivesUpAfter15):
    """It gives up after losing 32 races, which takes milliseconds."""

    most = 32


class ComparesNothingThatStays(Compared):
    """It leaves out keys that are written with the value they have, and so does not compare them either."""

    def replace(self, keys, seen, writes):
        keys = [key for key in keys if not (writes.get(key) and writes[key].value == seen.get(key))]
        return super().replace(keys, {key: value for key, value in seen.items() if key in keys}, writes)


class ComparesNothingThatStaysAbsent(Compared):
    """It leaves out absent keys that are deleted, and so does not compare them either."""

    def replace(self, keys, seen, writes):
        keys = [key for key in keys if key in seen or writes.get(key, "other")]
        return super().replace(keys, seen, {key: entry for key, entry in writes.items() if key in keys})


class DeletesWithoutComparing(Compared):
    """It does not compare a key that it deletes."""

    def replace(self, keys, seen, writes):
        keys = [key for key in keys if writes.get(key, "other")]
        with self.lock:
            if self.see(keys) != {key: value for key, value in seen.items() if key in keys}:
                return False
            self.write(writes)
            return True


class ComparesSizes(Compared):
    """It compares how many keys exist, and not what is under them."""

    def replace(self, keys, seen, writes):
        with self.lock:
            if len(self.see(keys)) != len(seen):
                return False
            self.write(writes)
            return True


class Versioned(Compared):
    """It keeps every promise: it compares versions, which count all writes."""

    def __init__(self, data=None):
        super().__init__(data)
        self.versions = vars(self.data).setdefault("versions", {})

    def update(self, keys, change):
        while True:
            with self.lock:
                seen, versions = self.see(keys), self.seen(keys)
            writes, outcome = change(seen)
            checked(writes, keys)
            with self.lock:
                if versions == self.seen(keys):
                    self.write(writes)
                    return outcome

    def seen(self, keys):
        return [self.versions.get(key, 0) for key in keys]

    def put(self, key, entry):
        super().put(key, entry)
        self.versions[key] = self.versions.get(key, 0) + 1


class VersionsStartAnew(Versioned):
    """Its versions start at one again after a deletion, so an old version fits a new entry."""

    def put(self, key, entry):
        super().put(key, entry)
        if entry is None:
            self.versions.pop(key, None)


class VersionsAreOfTheValue(Versioned):
    """Its versions are made of nothing but the number of keys and the length of the value."""

    def seen(self, keys):
        return [len(self.entries.get(key, b"")) for key in keys]


class TakesAndPutsBack(Locked):
    """It deletes the entries, decides, and puts them back, so others find nothing meanwhile.

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


# --- a lock for each row


class Rows(Locked):
    """It keeps every promise: a lock for each key, absent ones included, always taken in the same order."""

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
    """It takes the locks in the order of the keys, so two updates in opposite orders wait for each other."""

    def locked(self, keys):
        return keys


class LocksOnlyWhatExists(Rows):
    """It locks only the keys that exist, as ``SELECT ... FOR UPDATE`` does."""

    def locked(self, keys):
        return sorted(self.see(keys))


class LocksTheFirstKey(Rows):
    """It locks only the first of its keys."""

    def locked(self, keys):
        return keys[:1]
