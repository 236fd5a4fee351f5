"""Stores that break a promise about keys, values or lifetimes; see :mod:`broken_stores`."""

import struct
import time

from testing.stores.broken import Locked

from smsmfa import StoreError
from smsmfa.testing import FakeClock
from smsmfa.typing import Entry

# --- keys


class FoldsCase(Locked):
    """Keys that differ in case are one, as under the default collation of MariaDB."""

    def row(self, key):
        return key.casefold()


class DropsTrailingSpaces(Locked):
    """Keys that differ in trailing spaces are one, as under the default collation of MariaDB."""

    def row(self, key):
        return key.rstrip()


class CutsKeys(Locked):
    """Keys are cut to the 191 characters of an indexed column."""

    def row(self, key):
        return key[:191]


class EscapesKeys(Locked):
    """Keys become names of files, and what a name cannot hold becomes an underscore."""

    def row(self, key):
        return "".join(char if char.isalnum() else "_" for char in key)


class DeletesByPrefix(Locked):
    """A key is deleted together with those that it begins."""

    def put(self, key, entry):
        if entry is None:
            for other in [other for other in self.entries if other.startswith(key)]:
                del self.entries[other]
        else:
            super().put(key, entry)


class DeletesNothing(Locked):
    """None deletes nothing."""

    def put(self, key, entry):
        if entry is not None:
            super().put(key, entry)


class EmptiesWhatItDeletes(Locked):
    """What is deleted stays as an empty value."""

    def put(self, key, entry):
        super().put(key, entry or Entry(b""))


class DeletesWhatIsLeftOut(Locked):
    """A key that a change does not mention is deleted, and with an empty mapping all of them are."""

    def update(self, keys, change):
        return super().update(keys, lambda values: self.replaced(keys, *change(values)))

    @staticmethod
    def replaced(keys, writes, outcome):
        return dict.fromkeys(keys) | dict(writes), outcome


class TakesEmptyForAbsent(Locked):
    """An empty value is taken for an absent one."""

    def get(self, key):
        return super().get(key) or None


class CutsValues(Locked):
    """Values are cut to the 65,535 bytes of a BLOB."""

    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value[:65_535]))


class StopsAtZero(Locked):
    """A value ends at its first zero byte, as a string of C does."""

    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value.partition(b"\0")[0]))


class DecodesValues(Locked):
    """Values are kept as text, so that bytes which are no UTF-8 are lost."""

    def get(self, key):
        value = super().get(key)
        return value and value.decode(errors="replace").encode()


class ReturnsText(Locked):
    """Values come back as str, as from a client of Redis with ``decode_responses``."""

    def get(self, key):
        value = super().get(key)
        return value if value is None else value.decode("latin-1")


class ReadsBytearrays(Locked):
    """What is read is a bytearray; what a change sees is bytes."""

    def read(self, key):
        value = super().read(key)
        return value if value is None else bytearray(value)


class ShowsMemoryviews(Locked):
    """What a change sees are memoryviews, as from psycopg2; what is read is bytes."""

    def see(self, keys):
        return {key: memoryview(value) for key, value in super().see(keys).items()}


class Expiring(Locked):
    """It keeps every promise, and forgets an entry once its time is over."""

    clock = staticmethod(time.monotonic)

    def get(self, key):
        value, until = self.entries.get(key, (None, 0))
        return value if self.clock() <= until else None

    def put(self, key, entry):
        self.entries[key] = (None, 0) if entry is None else (entry.value, self.until(key, entry.keep_for))

    def until(self, key, keep_for):
        return float("inf") if keep_for is None else self.clock() + keep_for


class TakesSecondsForMilliseconds(Expiring):
    """An entry is kept for a thousandth of its time."""

    def until(self, key, keep_for):
        return super().until(key, keep_for and keep_for / 1000)


class CutsSeconds(Expiring):
    """The second in which an entry expires is rounded down, so that it expires up to a second early."""

    def get(self, key):
        value, until = self.entries.get(key, (None, 0))
        return value if int(self.clock()) < until else None

    def until(self, key, keep_for):
        return int(super().until(key, 10**12 if keep_for is None else keep_for))


class CountsSecondsIn32Bits(Expiring):
    """The second in which an entry expires is a signed number of 32 bits, so that a long time is over at once."""

    clock = staticmethod(time.time)

    def until(self, key, keep_for):
        if keep_for is None:
            return float("inf")
        return struct.unpack("i", struct.pack("I", int(self.clock() + keep_for + 1) % 2**32))[0]


class TakesLongTimesForDates(Expiring):
    """A time of more than thirty days is taken for a date, as memcached does."""

    clock = staticmethod(time.time)

    def until(self, key, keep_for):
        return keep_for if keep_for and keep_for > 30 * 86_400 else super().until(key, keep_for)


class RefusesZero(Expiring):
    """It cannot keep an entry for no time, as the ``EX 0`` of Redis cannot."""

    def until(self, key, keep_for):
        if keep_for == 0:
            raise StoreError("invalid expire time")
        return super().until(key, keep_for)


class KeepsTheFirstTime(Expiring):
    """An entry that takes the place of another keeps the time of that, as with the ``KEEPTTL`` of Redis."""

    def until(self, key, keep_for):
        return self.entries[key][1] if self.entries.get(key, (None,))[0] is not None else super().until(key, keep_for)


class TakesTheTimeOfTheFirst(Expiring):
    """All entries of an update are kept for the time of the first."""

    def write(self, writes):
        times = [entry.keep_for for entry in writes.values() if entry is not None]
        super().write({key: entry and Entry(entry.value, times[0]) for key, entry in writes.items()})


class RewritesWhatItSaw(Expiring):
    """Where a change writes nothing, what it saw is written again, for no time."""

    def update(self, keys, change):
        def rewrite(values):
            writes, outcome = change(values)
            return writes or {key: Entry(value, 0) for key, value in values.items()}, outcome

        return super().update(keys, rewrite)


class ApplicationClock(FakeClock):
    """A clock of the application that others can find."""

    latest = FakeClock()

    def __init__(self):
        super().__init__()
        ApplicationClock.latest = self


class ExpiresByTheApplicationsClock(Expiring):
    """Expiry is counted on the clock of the application, and what a jump of that clock ends does not come back."""

    clock = staticmethod(lambda: ApplicationClock.latest() / 1e9)

    def get(self, key):
        value = super().get(key)
        if value is None:
            self.entries.pop(key, None)
        return value
