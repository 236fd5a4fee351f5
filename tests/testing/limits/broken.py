"""Limiters with one mistake each, which somebody shipped or nearly did. The laws reject every one."""

import hashlib
import unicodedata
import zlib
from collections import OrderedDict
from datetime import timedelta
from fractions import Fraction
from threading import RLock

from smsmfa import Decision

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)


def longest(waits):
    """Return the longest wait; ``None`` means forever."""
    waits = list(waits)
    return None if None in waits else max(waits)


class Bucket:
    """A correct limiter for the others to break: an exact level, and when it was reached."""

    #: Whether all limiters have the same buckets.
    shared = False

    def __init__(self, limit, clock):
        self.capacity = limit.capacity
        self.refill = limit.refill
        self.rate = Fraction(0) if limit.refill is None else Fraction(1, limit.refill // MICROSECOND)
        self.clock = clock
        self.lock = RLock()
        self.levels = {}

    def now(self):
        return self.clock() // 1000

    def elapsed(self, since):
        return max(self.now() - since, 0)

    def level(self, key):
        level, at = self.levels.get(key, (self.capacity, 0))
        return min(level + self.elapsed(at) * self.rate, self.capacity)

    def put(self, key, level):
        self.levels[key] = level, self.now()

    def wait(self, amount):
        return timedelta(microseconds=int(amount / self.rate)) if self.rate else ZERO if amount == 0 else None

    def grants(self, key, n):
        return self.level(key) >= n

    def decision(self, key, n, granted):
        level = self.level(key)
        return Decision(
            allowed=granted,
            remaining=int(level),
            retry_after=ZERO if granted else self.wait(n - level),
            full_after=self.wait(self.capacity - level) if self.rate else None,
        )

    def check(self, n):
        if not 1 <= n <= self.capacity:
            raise ValueError(n)

    def take(self, key, n=1):
        self.check(n)
        with self.lock:
            granted = self.grants(key, n)
            self.put(key, self.level(key) - n * granted)
            return self.decision(key, n, granted)

    def peek(self, key, n=1):
        self.check(n)
        return self.decision(key, n, self.grants(key, n))

    def give_back(self, key, n=1):
        with self.lock:
            self.put(key, min(self.level(key) + n, self.capacity))

    def reset(self, key):
        self.levels.pop(key, None)


class FloatDrift(Bucket):
    """Counts seconds and refills in floats."""

    law = "never_too_few"

    def now(self):
        return self.clock() / 1e9

    def level(self, key):
        level, at = self.levels.get(key, (float(self.capacity), 0.0))
        refilled = self.elapsed(at) / self.refill.total_seconds() if self.refill else 0.0
        return min(level + refilled, float(self.capacity))


class FloorOnRefill(Bucket):
    """Refills in whole pieces and restarts the clock at each grant, so the fraction is lost."""

    law = "never_too_few"

    def level(self, key):
        return int(super().level(key))


class FixedWindow(Bucket):
    """Counts from zero again in each window of the time that a full refill takes."""

    law = "never_too_many"

    def level(self, key):
        level, at = self.levels.get(key, (self.capacity, 0))
        window = self.capacity / self.rate if self.rate else Fraction(10**30)
        return level if at // window == self.now() // window else self.capacity


class SlidingCounter(Bucket):
    """Estimates a sliding window from two fixed windows, as if the hits in the last one were spread evenly."""

    law = "never_too_few"

    def level(self, key):
        window = self.capacity / self.rate if self.rate else Fraction(10**30)
        number, into = divmod(self.now(), window)
        counts = self.levels.get(key, {})
        last = counts.get(number - 1, 0) * (1 - into / window)
        return max(self.capacity - last - counts.get(number, 0), 0)

    def put(self, key, level):
        window = self.capacity / self.rate if self.rate else Fraction(10**30)
        counts = self.levels.setdefault(key, {})
        counts[self.now() // window] = counts.get(self.now() // window, 0) + self.level(key) - level


class OffByOne(Bucket):
    """Grants one more than is available."""

    law = "never_too_many"

    def grants(self, key, n):
        return self.level(key) > n - 2


class WholeAtOnce(Bucket):
    """Refills the whole bucket at once, when all of it has had time to refill."""

    law = "larger_grants_no_fewer"

    def level(self, key):
        level, at = self.levels.get(key, (self.capacity, 0))
        return self.capacity if self.rate and self.elapsed(at) * self.rate >= self.capacity else level

    def put(self, key, level):
        _, at = self.levels.get(key, (0, 0))
        self.levels[key] = level, self.now() if self.level(key) == self.capacity else at


class RefillOnRollback(Bucket):
    """Takes the distance between two clock readings as time that passed, even if the clock went back."""

    law = "clock_back_gives_nothing"

    def elapsed(self, since):
        return abs(self.now() - since)


class LockOut(Bucket):
    """Waits until the clock is back where it once was."""

    law = "clock_back_locks_nobody_out"

    def put(self, key, level):
        self.levels[key] = level, max(self.now(), self.levels.get(key, (0, 0))[1])


class RefundPastCapacity(Bucket):
    """Takes back more than the bucket holds."""

    law = "give_back_is_exact"

    def level(self, key):
        level, _ = self.levels.get(key, (self.capacity, 0))
        return max(level, super().level(key))

    def give_back(self, key, n=1):
        self.put(key, self.level(key) + n)


class ResetOnSuccess(Bucket):
    """Forgets everything when one hit is given back, like a lock that a successful login opens."""

    law = "give_back_is_exact"

    def give_back(self, key, n=1):
        self.reset(key)


class SharedKeys(Bucket):
    """Treats keys that differ by case or a trailing space as one, as a column of many databases does."""

    law = "keys_are_apart"

    def take(self, key, n=1):
        return super().take(key.lower().rstrip(), n)


class Unlocked(Bucket):
    """Checks and then acts without a lock, as token-bucket does, so others get in between."""

    law = "racing_hits_grant_the_capacity"

    def take(self, key, n=1):
        self.check(n)
        if granted := self.grants(key, n):
            self.put(key, self.level(key) - n)
        return self.decision(key, n, granted)


class LockPerInstance(Bucket):
    """Keeps the buckets of all limiters in one place, and a lock in each limiter."""

    law = "racing_hits_grant_the_capacity"
    shared = True
    ever = {}

    def __init__(self, limit, clock):
        super().__init__(limit, clock)
        self.levels = self.ever


class UnlockedGiveBack(Bucket):
    """Locks in ``take`` and not in ``give_back``, so one of two that give back at once is lost."""

    law = "racing_give_backs_are_kept"

    def give_back(self, key, n=1):
        self.put(key, min(self.level(key) + n, self.capacity))


class LockPerInstanceOfGiveBack(LockPerInstance):
    """Takes under the lock of all limiters, and gives back under its own."""

    law = "racing_give_backs_are_kept"
    everyone = RLock()

    def take(self, key, n=1):
        with self.everyone:
            return super().take(key, n)


class Keyed(Bucket):
    """Maps keys to other keys. It is right if no two keys are mapped to one."""

    def row(self, key):
        return key

    def level(self, key):
        return super().level(self.row(key))

    def put(self, key, level):
        super().put(self.row(key), level)


class CutKeys(Keyed):
    """Cuts keys to 64 characters behind a prefix of its own."""

    law = "keys_are_apart"

    def row(self, key):
        return f"limit:{key}"[:70]


class CutKeysTo255(Keyed):
    """Cuts keys to the 255 characters of a column."""

    law = "keys_are_apart"

    def row(self, key):
        return key[:255]


class NormalisedKeys(Keyed):
    """Normalises keys with NFKC."""

    law = "keys_are_apart"

    def row(self, key):
        return unicodedata.normalize("NFKC", key)


class FoldedKeys(Keyed):
    """Treats keys that differ by case as one, except in ASCII."""

    law = "keys_are_apart"

    def row(self, key):
        return "".join(char if char.isascii() else char.casefold() for char in key)


class AsciiKeys(Keyed):
    """Replaces what is not ASCII with a question mark."""

    law = "keys_are_apart"

    def row(self, key):
        return key.encode("ascii", "replace")


class StringKeys(Keyed):
    """Ends keys at a zero byte, like a C string."""

    law = "keys_are_apart"

    def row(self, key):
        return key.partition("\0")[0]


class ChecksumKeys(Keyed):
    """Keeps a CRC-32 of each key, behind a prefix."""

    law = "hashes_are_long"

    def row(self, key):
        return zlib.crc32(b"limit:" + key.encode())


class ShortDigestKeys(Keyed):
    """Keeps the first eight digits of the SHA-256 of each key."""

    law = "hashes_are_long"

    def row(self, key):
        return hashlib.sha256(key.encode()).hexdigest()[:8]


class ForgetfulTable(Bucket):
    """Keeps the last 10,000 keys, so a forgotten bucket is full again."""

    law = "many_keys_are_remembered"
    most = 10_000

    def __init__(self, limit, clock):
        super().__init__(limit, clock)
        self.levels = OrderedDict()

    def put(self, key, level):
        super().put(key, level)
        self.levels.move_to_end(key)
        if len(self.levels) > self.most:
            self.levels.popitem(last=False)


class ForgetfulLRU(ForgetfulTable):
    """Keeps the last 1,024 keys, as throttled-py's memory store does."""

    most = 1024


class MonotonicPerProcess(Bucket):
    """Stores readings of a clock that starts with the process, beside those of other processes."""

    law = "reopened_keeps_the_bucket"
    shared = True
    ever = {}

    def __init__(self, limit, clock):
        super().__init__(limit, clock)
        self.levels = self.ever
        self.start = clock() // 1000

    def now(self):
        return super().now() - self.start


class WholeSeconds(Bucket):
    """Rounds ``retry_after`` to seconds."""

    law = "retry_after_is_exact"

    def wait(self, amount):
        wait = super().wait(amount)
        return wait and timedelta(seconds=round(wait.total_seconds()))


class StaleRemaining(Bucket):
    """Reports what remained before the hit."""

    law = "remaining_is_exact"

    def take(self, key, n=1):
        before = int(self.level(key))
        said = super().take(key, n)
        return Decision(said.allowed, before, said.retry_after, said.full_after)


class NextInsteadOfFull(Bucket):
    """Reports the time until one more refills as the time until the bucket is full."""

    law = "full_after_is_exact"

    def decision(self, key, n, granted):
        said, level = super().decision(key, n, granted), self.level(key)
        return Decision(said.allowed, said.remaining, said.retry_after, self.wait(int(level) + 1 - level))


class ChargesRefusals(Bucket):
    """Restarts the clock at every hit, refused ones too, as better-auth does, so steady users stay blocked."""

    law = "refusal_charges_nothing"

    def take(self, key, n=1):
        said = super().take(key, n)
        if not said.allowed:
            self.levels[key] = int(self.level(key)), self.now()
        return said


class TakesAnything(Bucket):
    """Lets a negative hit refill the bucket, and a hit above the capacity wait forever."""

    law = "impossible_hit_raises"

    def check(self, n):
        pass


class PeekTakes(Bucket):
    """Takes in ``peek``."""

    law = "peek_takes_nothing"

    def peek(self, key, n=1):
        return self.take(key, n)


class ResetOfOne(Bucket):
    """Gives one back instead of refilling the bucket."""

    law = "reset_fills"

    def reset(self, key):
        self.give_back(key)


class PartialComposite:
    """Charges the first limit even if the second refuses, as allauth does with several rates for one action."""

    law = "refusal_charges_nothing"
    shared = False

    def __init__(self, limits, clock):
        self.buckets = [Bucket(limit, clock) for limit in limits]

    def take(self, key, n=1):
        said = [bucket.take(key, n) for bucket in self.buckets]
        return Decision(
            allowed=all(one.allowed for one in said),
            remaining=min(one.remaining for one in said),
            retry_after=longest(one.retry_after for one in said),
            full_after=longest(one.full_after for one in said),
        )


#: All of them.
BROKEN = [kind for kind in list(globals().values()) if hasattr(kind, "law")]
