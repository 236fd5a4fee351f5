"""Limiters that are wrong on purpose, each in one way that somebody shipped or nearly did; the laws reject each."""

from collections import OrderedDict
from datetime import timedelta
from fractions import Fraction
from threading import RLock

from smsmfa import Decision

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)


def longest(waits):
    """Return the longest wait; ``None`` is for ever."""
    waits = list(waits)
    return None if None in waits else max(waits)


class Bucket:
    """A right limiter, for the others to get one thing wrong: a level in exact numbers, and when it was so."""

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
    """Counts the seconds, and what they bring back, in floats."""

    law = "never_too_few"

    def now(self):
        return self.clock() / 1e9

    def level(self, key):
        level, at = self.levels.get(key, (float(self.capacity), 0.0))
        refilled = self.elapsed(at) / self.refill.total_seconds() if self.refill else 0.0
        return min(level + refilled, float(self.capacity))


class FloorOnRefill(Bucket):
    """Refills whole pieces only, and starts the clock anew at each grant: the fraction is lost."""

    law = "never_too_few"

    def level(self, key):
        return int(super().level(key))


class FixedWindow(Bucket):
    """Counts anew in each window of the time that the whole capacity takes to come back."""

    law = "never_too_many"

    def level(self, key):
        level, at = self.levels.get(key, (self.capacity, 0))
        window = self.capacity / self.rate if self.rate else Fraction(10**30)
        return level if at // window == self.now() // window else self.capacity


class SlidingCounter(Bucket):
    """Guesses a sliding window from the counts of two fixed ones, as if hits were spread evenly in the last one."""

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
    """Grants one more than there is."""

    law = "never_too_many"

    def grants(self, key, n):
        return self.level(key) > n - 2


class WholeAtOnce(Bucket):
    """Fills the bucket when all of it has had the time to come back, and not one by one."""

    law = "larger_grants_no_fewer"

    def level(self, key):
        level, at = self.levels.get(key, (self.capacity, 0))
        return self.capacity if self.rate and self.elapsed(at) * self.rate >= self.capacity else level

    def put(self, key, level):
        _, at = self.levels.get(key, (0, 0))
        self.levels[key] = level, self.now() if self.level(key) == self.capacity else at


class RefillOnRollback(Bucket):
    """Takes the distance between two readings of the clock for the time that passed."""

    law = "clock_back_gives_nothing"

    def elapsed(self, since):
        return abs(self.now() - since)


class LockOut(Bucket):
    """Waits for the clock to be where it once was."""

    law = "clock_back_locks_nobody_out"

    def put(self, key, level):
        self.levels[key] = level, max(self.now(), self.levels.get(key, (0, 0))[1])


class RefundPastCapacity(Bucket):
    """Takes back more than it holds."""

    law = "give_back_is_exact"

    def level(self, key):
        level, _ = self.levels.get(key, (self.capacity, 0))
        return max(level, super().level(key))

    def give_back(self, key, n=1):
        self.put(key, self.level(key) + n)


class ResetOnSuccess(Bucket):
    """Forgets everything when one hit is given back, as a lock that a successful login opens."""

    law = "give_back_is_exact"

    def give_back(self, key, n=1):
        self.reset(key)


class ForgetfulLRU(Bucket):
    """Keeps the last 1,024 keys, as throttled-py's memory store does, and refills a drained one by forgetting it."""

    law = "many_keys_are_remembered"

    def __init__(self, limit, clock):
        super().__init__(limit, clock)
        self.levels = OrderedDict()

    def put(self, key, level):
        super().put(key, level)
        self.levels.move_to_end(key)
        if len(self.levels) > 1024:
            self.levels.popitem(last=False)


class SharedKeys(Bucket):
    """Takes keys that differ by case or by a trailing blank for one, as a column of many databases does."""

    law = "keys_are_apart"

    def take(self, key, n=1):
        return super().take(key.lower().rstrip(), n)


class Unlocked(Bucket):
    """Checks, then acts, and lets others in between: token-bucket over-admits so."""

    law = "racing_hits_grant_the_capacity"

    def take(self, key, n=1):
        self.check(n)
        if granted := self.grants(key, n):
            self.put(key, self.level(key) - n)
        return self.decision(key, n, granted)


class MonotonicPerProcess(Bucket):
    """Stores readings of a clock that begins with the process, beside those of other processes."""

    law = "reopened_keeps_the_bucket"
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
    """Says what remained before the hit."""

    law = "remaining_is_exact"

    def take(self, key, n=1):
        before = int(self.level(key))
        said = super().take(key, n)
        return Decision(said.allowed, before, said.retry_after, said.full_after)


class NextInsteadOfFull(Bucket):
    """Takes the time until one more is back for the time until all are."""

    law = "full_after_is_exact"

    def decision(self, key, n, granted):
        said, level = super().decision(key, n, granted), self.level(key)
        return Decision(said.allowed, said.remaining, said.retry_after, self.wait(int(level) + 1 - level))


class ChargesRefusals(Bucket):
    """Starts the clock anew at every hit, refused ones too: better-auth blocks steady users so."""

    law = "refusal_charges_nothing"

    def take(self, key, n=1):
        said = super().take(key, n)
        if not said.allowed:
            self.levels[key] = int(self.level(key)), self.now()
        return said


class TakesAnything(Bucket):
    """Lets a hit of less than nothing refill the bucket, and one of too much wait for ever."""

    law = "impossible_hit_raises"

    def check(self, n):
        pass


class PeekTakes(Bucket):
    """Takes when it is asked only."""

    law = "peek_takes_nothing"

    def peek(self, key, n=1):
        return self.take(key, n)


class ResetOfOne(Bucket):
    """Gives one back where it should fill the bucket."""

    law = "reset_fills"

    def reset(self, key):
        self.give_back(key)


class PartialComposite:
    """Charges the first limit though the second refuses: allauth's several rates for one action do so."""

    law = "refusal_charges_nothing"

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


#: Every one of them.
BROKEN = [*Bucket.__subclasses__(), PartialComposite]
