"""Stores that keep every promise, one of each kind, and under each the ways to break it: a class a mistake.

Mistakes that were found in other projects name them; ``Read in`` says where. None of this is an example to follow.
"""

from collections import defaultdict
from contextlib import suppress
from threading import Lock, RLock

from testing.stores.good import checked

from smsmfa import StoreError


class Data:
    """What all that are opened on one database share."""

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
    """Nothing keeps two updates apart, so the later write undoes the earlier one.

    Read in: privacyIDEA (fail counter), allauth (tries kept in the session).
    """

    def update(self, keys, change):
        writes, outcome = change(self.see(keys))
        self.write(checked(writes, keys))
        return outcome


class ReadsOutsideTheLock(Locked):
    """It reads and decides before it takes the lock, so what it writes may be based on what is no longer there.

    Read in: django-phone-verify, django-two-factor-auth, django-mfa (tries), Flask-Security (recovery codes).
    """

    def update(self, keys, change):
        writes, outcome = change(self.see(keys))
        with self.lock:
            self.write(checked(writes, keys))
        return outcome


class LetsGoBetween(Locked):
    """It lets go of the lock between the reading and the writing.

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
    """Each store has a lock of its own over the data that all share."""

    def __init__(self, data=None):
        super().__init__(data)
        self.lock = Lock()


class WritesOneKeyAtATime(Locked):
    """It lets go of the lock between two keys, so that others see half of an update.

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
    """Of several writes it stores the first."""

    def write(self, writes):
        for key, entry in list(writes.items())[:1]:
            self.put(key, entry)


class ChecksAsItWrites(Locked):
    """It finds a write that it has to refuse after it has stored those before it."""

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            for key, entry in writes.items():
                checked({key: entry}, keys)
                self.put(key, entry)
            return outcome


class WritesOutsideItsKeys(Locked):
    """It stores whatever a change writes, under keys that it was not called with too."""

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            self.write(writes)
            return outcome


class DropsWhatIsOutside(Locked):
    """It leaves a write outside its keys away and says nothing."""

    def update(self, keys, change):
        with self.lock:
            writes, outcome = change(self.see(keys))
            self.write({key: entry for key, entry in writes.items() if key in keys})
            return outcome


class SwallowsExceptions(Locked):
    """An exception of the change is logged, and None returned.

    Read in: django-phone-verify and a plugin of Keycloak (failures of the carrier).
    """

    def update(self, keys, change):
        with suppress(Exception):
            return super().update(keys, change)


class RenamesExceptions(Locked):
    """An exception of the change comes out as a StoreError."""

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
    """A connection that an exception interrupts is not given back to the pool."""

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
    """A connection is given back to the pool by a commit, and nothing is committed when nothing is written."""

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
    """To lock absent keys it stores something empty under them, and leaves it there when nothing is written."""

    def see(self, keys):
        values = super().see(keys)
        for key in keys:
            self.entries.setdefault(key, b"")
        return values


class HandsOutItsData(Locked):
    """A change is given the dictionary that holds the data."""

    def see(self, keys):
        return self.entries


class ReadsWhatWasThere(Locked):
    """What was read is remembered, and an update does not touch the memory."""

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
    """Each process, and each store in it, has a copy that it reads once.

    Read in: GoTrue (limits in the memory of one process).
    """

    def __init__(self, data=None):
        super().__init__(data)
        self.entries = dict(self.entries)

    def put(self, key, entry):
        super().put(key, entry)
        self.data.entries.update(self.entries)
