"""Correct stores, one of each kind, and for each the ways to break it, one mistake in each class.

Mistakes that were found in other projects name them after ``Read in``. None of this is an example to follow.
"""

from collections import defaultdict
from contextlib import suppress
from threading import Lock, RLock

from testing.stores.good import checked

from smsmfa import StoreError


class Data:
    """What all stores opened on one database share."""

    def __init__(self):
        self.lock = RLock()
        self.rows = defaultdict(Lock)
        self.entries = {}


# --- one lock


class Locked:
    """It keeps every promise: one dictionary, one lock."""

    def __init__(self, data=None):
        self.data = data or Data()
        self.lock = self.data.lock
        self.entries = self.data.entries

    def read(self, key):
        with self.lock:
            return self.get(key)

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            self.write(checked(writes, keys))
            return outcome

    def see(self, keys):
        return {key: value for key in keys if (value := self.get(key)) is not None}

    def write(self, writes):
        for key, entry in writes.items():
            self.put(key, entry)

    def get(self, key):
        return self.entries.get(self.row(key))

    def put(self, key, entry):
        if entry is None:
            self.entries.pop(self.row(key), None)
        else:
            self.entries[self.row(key)] = entry.value

    def row(self, key):
        return key


class LosesUpdates(Locked):
    """Nothing separates two updates, so the later write undoes the earlier one.

    Read in: privacyIDEA (fail counter), allauth (attempts kept in the session).
    """

    def update(self, keys, change):
        writes, outcome = change(self.see(keys))
        self.write(checked(writes, keys))
        return outcome


class ReadsOutsideTheLock(Locked):
    """It reads and decides before it takes the lock, so its writes may rest on old values.

    Read in: django-phone-verify, django-two-factor-auth, django-mfa (attempts), Flask-Security (recovery codes).
    """

    def update(self, keys, change):
        writes, outcome = change(self.see(keys))
        with self.lock:
            self.write(checked(writes, keys))
        return outcome


class LetsGoBetween(Locked):
    """It releases the lock between reading and writing.

    Read in: GoTrue and a plugin of Keycloak (limits of messages), Sentry (replay of a code).
    """

    def update(self, keys, change):
        with self.lock:
            values = self.see(keys)
        writes, outcome = change(values)
        with self.lock:
            self.write(checked(writes, keys))
        return outcome


class LocksForItself(Locked):
    """Each store has its own lock over data that all of them share."""

    def __init__(self, data=None):
        super().__init__(data)
        self.lock = Lock()


class WritesOneKeyAtATime(Locked):
    """It releases the lock between two keys, so that others see half of an update.

    Read in: allauth (several limits are charged one after the other).
    """

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
        for key, entry in checked(writes, keys).items():
            with self.lock:
                self.put(key, entry)
        return outcome


class WritesOneKeyOnly(Locked):
    """It stores only the first of several writes."""

    def write(self, writes):
        for key, entry in list(writes.items())[:1]:
            self.put(key, entry)


class ChecksAsItWrites(Locked):
    """It notices a write that it must refuse after it has stored the writes before it."""

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            for key, entry in writes.items():
                checked({key: entry}, keys)
                self.put(key, entry)
            return outcome


class WritesOutsideItsKeys(Locked):
    """It stores every write of a change, even under keys that the update did not name."""

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            self.write(writes)
            return outcome


class DropsWhatIsOutside(Locked):
    """It silently ignores a write outside its keys."""

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            self.write({key: entry for key, entry in writes.items() if key in keys})
            return outcome


class SwallowsExceptions(Locked):
    """It logs an exception of the change and returns None.

    Read in: django-phone-verify and a plugin of Keycloak (failures of the carrier).
    """

    def update(self, keys, change):
        with suppress(Exception):
            return super().update(keys, change)


class RenamesExceptions(Locked):
    """It raises an exception of the change as a StoreError."""

    def update(self, keys, change):
        try:
            return super().update(keys, change)
        except Exception as error:
            raise StoreError("the update failed") from error


class KeepsTheLock(Locked):
    """An exception of the change leaves the lock locked."""

    def update(self, keys, change):
        self.lock.acquire()
        writes, outcome = change(self.see(keys))
        self.write(checked(writes, keys))
        self.lock.release()
        return outcome


class LeaksConnections(Locked):
    """A connection is not returned to the pool after an exception."""

    def __init__(self, data=None):
        super().__init__(data)
        self.pool = list(range(8))

    def update(self, keys, change):
        with self.lock:
            connection = self.take()
            writes, outcome = change(self.see(keys))
            self.write(checked(writes, keys))
            self.pool.append(connection)
            return outcome

    def take(self):
        if not self.pool:
            raise StoreError("no connection is left")
        return self.pool.pop()


class LeaksConnectionsOfRefusals(LeaksConnections):
    """A connection is returned to the pool by a commit, and without writes there is no commit."""

    def update(self, keys, change):
        with self.lock:
            connection = self.take()
            try:
                writes, outcome = change(self.see(keys))
                self.write(checked(writes, keys))
            except BaseException:
                self.pool.append(connection)
                raise
            if writes:
                self.pool.append(connection)
            return outcome


class LeavesPlaceholders(Locked):
    """To lock absent keys it stores empty values under them, and keeps these if nothing is written."""

    def see(self, keys):
        values = super().see(keys)
        for key in keys:
            self.entries.setdefault(key, b"")
        return values


class HandsOutItsData(Locked):
    """It gives a change the dictionary that holds the data."""

    def see(self, keys):
        return self.entries


class ReadsWhatWasThere(Locked):
    """It remembers what it read, and an update does not change that memory."""

    def __init__(self, data=None):
        super().__init__(data)
        self.memory = {}

    def read(self, key):
        if key not in self.memory:
            self.memory[key] = super().read(key)
        return self.memory[key]


class ReadsAReplica(Locked):
    """It reads from a copy that is one update behind."""

    replica = {}

    def read(self, key):
        return self.replica.get(key)

    def write(self, writes):
        if writes:
            self.replica = dict(self.entries)
        super().write(writes)


class KeepsItsOwnCopy(Locked):
    """Each store in each process has a copy that it reads once.

    Read in: GoTrue (limits in the memory of one process).
    """

    def __init__(self, data=None):
        super().__init__(data)
        self.entries = dict(self.entries)

    def put(self, key, entry):
        super().put(key, entry)
        self.data.entries.update(self.entries)
