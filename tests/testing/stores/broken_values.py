"""Stores with a mistake about keys, values or lifetimes; see :mod:`testing.stores.broken`."""

import hashlib
import math
import struct
import time
import zlib

from testing.stores.broken import Locked

from smsmfa import StoreError
from smsmfa.testing import FakeClock
from smsmfa.typing import Entry

# --- keys


class FoldsCase(Locked):
    """Keys that differ only in case are the same key, as in MariaDB's default collation."""

    def row(self, key):
        return key.casefold()


class DropsTrailingSpaces(Locked):
    """Keys that differ only in trailing spaces are the same key, as in MariaDB's default collation."""

    def row(self, key):
        return key.rstrip()


class CutsKeys(Locked):
    """It cuts keys to the 191 characters of an indexed column."""

    def row(self, key):
        return key[:191]


class EscapesKeys(Locked):
    """It uses keys as file names, and replaces what a name cannot hold with an underscore."""

    def row(self, key):
        return "".join(char if char.isalnum() else "_" for char in key)


class DeletesByPrefix(Locked):
    """It deletes a key together with all keys that begin with it."""

    def put(self, key, entry):
        if entry is None:
            for other in [other for other in self.entries if other.startswith(key)]:
                del self.entries[other]
        else:
            super().put(key, entry)


class DeletesNothing(Locked):
    """Writing None deletes nothing."""

    def put(self, key, entry):
        if entry is not None:
            super().put(key, entry)


class EmptiesWhatItDeletes(Locked):
    """A deleted entry remains as an empty value."""

    def put(self, key, entry):
        super().put(key, entry or Entry(b""))


class DeletesWhatIsLeftOut(Locked):
    """It deletes every key that a change does not mention."""

    def update(self, keys, change):
        return super().update(keys, lambda values: self.replaced(keys, *change(values)))

    @staticmethod
    def replaced(keys, writes, outcome):
        return dict.fromkeys(keys) | dict(writes), outcome


class TakesEmptyForAbsent(Locked):
    """It treats an empty value as absent."""

    def get(self, key):
        return super().get(key) or None


class CutsValues(Locked):
    """It cuts values to the 65,535 bytes of a BLOB."""

    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value[:65_535]))


class CutsValuesAt64KiB(Locked):
    """It cuts values to 65,536 bytes."""

    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value[:65_536]))


class TakesTenKeys(Locked):
    """It takes no more than ten keys in an update."""

    def update(self, keys, change):
        if len(keys) > 10:
            raise StoreError("too many keys")
        return super().update(keys, change)


class TakesSixteenKeys(Locked):
    """It keeps every promise, and takes no more than the sixteen keys that an update may have."""

    def update(self, keys, change):
        if len(keys) > 16:
            raise StoreError("too many keys")
        return super().update(keys, change)


class CutsValuesOfSixteen(TakesSixteenKeys):
    """It writes no more than fifteen of the keys of an update."""

    def write(self, writes):
        super().write(dict([*writes.items()][:15]))


class ChecksumsOfKeys(Locked):
    """It keeps a CRC-32 of each key."""

    def row(self, key):
        return zlib.crc32(b"smsmfa:" + key.encode())


class ShortDigestsOfKeys(Locked):
    """It keeps the first 32 bits of the SHA-256 of each key."""

    def row(self, key):
        return hashlib.sha256(key.encode()).digest()[:4]


class ShortHashesOfKeys(Locked):
    """It keeps the low 32 bits of Python's hash of each key."""

    def row(self, key):
        return hash(key) & 0xFFFFFFFF


class StopsAtZero(Locked):
    """It ends a value at its first zero byte, like a C string."""

    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value.partition(b"\0")[0]))


class DecodesValues(Locked):
    """It keeps values as text, so bytes that are not UTF-8 are lost."""

    def get(self, key):
        value = super().get(key)
        return value and value.decode(errors="replace").encode()


class ReturnsText(Locked):
    """It returns values as str, like a Redis client with ``decode_responses``."""

    def get(self, key):
        value = super().get(key)
        return value if value is None else value.decode("latin-1")


class ReadsBytearrays(Locked):
    """read() returns a bytearray, while a change sees bytes."""

    def read(self, key):
        value = super().read(key)
        return value if value is None else bytearray(value)


class ShowsMemoryviews(Locked):
    """A change sees memoryviews, as from psycopg2, while read() returns bytes."""

    def see(self, keys):
        return {key: memoryview(value) for key, value in super().see(keys).items()}


#: The clock of the stores below. The suite moves it.
CLOCK = FakeClock()


def now():
    """Return the seconds of the clock. Each reading takes a microsecond."""
    CLOCK.move(microseconds=1)
    return CLOCK() / 1e9


def pass_time(seconds):
    """Move the clock of the stores."""
    CLOCK.move(seconds=seconds)


class Expiring(Locked):
    """It keeps every promise, and forgets an entry after its lifetime."""

    clock = staticmethod(now)

    def get(self, key):
        value, until = self.entries.get(key, (None, 0))
        return value if self.clock() <= until else None

    def put(self, key, entry):
        self.entries[key] = (None, 0) if entry is None else (entry.value, self.until(key, entry.keep_for))

    def until(self, key, keep_for):
        return float("inf") if keep_for is None else self.clock() + keep_for


class TakesSecondsForMilliseconds(Expiring):
    """It keeps an entry for a thousandth of its lifetime."""

    def until(self, key, keep_for):
        return super().until(key, keep_for and keep_for / 1000)


class CutsSeconds(Expiring):
    """It rounds the second of expiry down, so an entry expires up to a second early."""

    def get(self, key):
        value, until = self.entries.get(key, (None, 0))
        return value if int(self.clock()) < until else None

    def until(self, key, keep_for):
        return int(super().until(key, 10**12 if keep_for is None else keep_for))


class CountsSecondsIn32Bits(Expiring):
    """It stores the second of expiry in 32 signed bits, so a long lifetime is over at once."""

    clock = staticmethod(time.time)

    def until(self, key, keep_for):
        if keep_for is None:
            return float("inf")
        return struct.unpack("i", struct.pack("I", int(self.clock() + keep_for + 1) % 2**32))[0]


class TakesLongTimesForDates(Expiring):
    """It takes a lifetime of more than thirty days for a date, as memcached does."""

    clock = staticmethod(time.time)

    def until(self, key, keep_for):
        return keep_for if keep_for and keep_for > 30 * 86_400 else super().until(key, keep_for)


class RefusesZero(Expiring):
    """It cannot keep an entry for no time, like the ``EX 0`` of Redis."""

    def until(self, key, keep_for):
        if keep_for == 0:
            raise StoreError("invalid expire time")
        return super().until(key, keep_for)


class KeepsTheFirstTime(Expiring):
    """An entry that replaces another keeps the other's lifetime, as with the ``KEEPTTL`` of Redis."""

    def until(self, key, keep_for):
        return self.entries[key][1] if self.entries.get(key, (None,))[0] is not None else super().until(key, keep_for)


class TakesTheTimeOfTheFirst(Expiring):
    """It keeps all entries of an update for the lifetime of the first."""

    def write(self, writes):
        times = [entry.keep_for for entry in writes.values() if entry is not None]
        super().write({key: entry and Entry(entry.value, times[0]) for key, entry in writes.items()})


class RewritesWhatItSaw(Expiring):
    """If a change writes nothing, it writes back what the change saw, with no lifetime."""

    def update(self, keys, change):
        def rewrite(values):
            writes, outcome = change(values)
            return writes or {key: Entry(value, 0) for key, value in values.items()}, outcome

        return super().update(keys, rewrite)


class HalfASecondEarly(Expiring):
    """An entry expires half a second early."""

    def until(self, key, keep_for):
        return super().until(key, keep_for) - 0.5


class RoundsToTheNearest(Expiring):
    """It rounds the second of expiry to the nearest, so half of all entries expire up to half a second early."""

    def until(self, key, keep_for):
        return round(super().until(key, 10**12 if keep_for is None else keep_for))


# --- lifetimes, rounded up


class RoundsUp(Expiring):
    """It keeps every promise, and rounds the second of expiry up, so no mistake about lifetimes shows at once."""

    def until(self, key, keep_for):
        return float("inf") if keep_for is None else math.ceil(self.clock()) + keep_for

    def since(self, key):
        """Return when the entry under a key expires, or ``None`` if it has expired or never existed."""
        value, until = self.entries.get(key, (None, 0))
        return None if value is None or until < self.clock() else until


class KeepsTheFirstTimeRoundedUp(RoundsUp):
    """An entry that replaces another keeps the other's lifetime."""

    def until(self, key, keep_for):
        return self.since(key) or super().until(key, keep_for)


class NeverLengthens(RoundsUp):
    """An entry that replaces another expires no later than the other would have."""

    def until(self, key, keep_for):
        return min(self.since(key) or float("inf"), super().until(key, keep_for))


class ExpiresAfterForever(RoundsUp):
    """An entry that is kept forever keeps the lifetime of the one it replaces."""

    def until(self, key, keep_for):
        return (keep_for is None and self.since(key)) or super().until(key, keep_for)


class KeepsTheTimeOfTheDeleted(RoundsUp):
    """Deleting an entry leaves its lifetime behind, for the next entry under this key."""

    def __init__(self, data=None):
        super().__init__(data)
        self.untils = {}

    def until(self, key, keep_for):
        return self.untils.pop(key, None) or super().until(key, keep_for)

    def put(self, key, entry):
        if entry is None and self.since(key):
            self.untils[key] = self.since(key)
        super().put(key, entry)


class CutsLifetimesTo32Bits(RoundsUp):
    """It cuts lifetimes to 32 bits."""

    def until(self, key, keep_for):
        return super().until(key, keep_for and keep_for % 2**32)


class CountsMillisecondsIn32Bits(RoundsUp):
    """It counts lifetimes in milliseconds, and cuts them to 32 bits."""

    def until(self, key, keep_for):
        return super().until(key, keep_for and keep_for * 1000 % 2**32 / 1000)


class SkipsTheSameValue(RoundsUp):
    """It skips the write of a value that is there already, and so does not lengthen its lifetime."""

    def put(self, key, entry):
        if entry is None or self.get(key) != entry.value:
            super().put(key, entry)


class SkipsTheSameValueUnlessForever(SkipsTheSameValue):
    """It skips the write of a value that is there already, unless that is to be kept forever."""

    def put(self, key, entry):
        if entry is not None and entry.keep_for is None:
            Expiring.put(self, key, entry)
        else:
            super().put(key, entry)


class ApplicationClock(FakeClock):
    """The application's clock, where stores can find it."""

    latest = FakeClock()

    def __init__(self):
        super().__init__()
        ApplicationClock.latest = self


class ExpiresByTheApplicationsClock(Expiring):
    """It expires entries by the application's clock, and a jump of that clock deletes them for good."""

    clock = staticmethod(lambda: ApplicationClock.latest() / 1e9)

    def get(self, key):
        value = super().get(key)
        if value is None:
            self.entries.pop(key, None)
        return value
