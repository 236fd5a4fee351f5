"""The oracle of the limit laws: a limiter that computes with fractions. It is exact, and may be slow."""

from collections.abc import Iterable
from datetime import timedelta
from fractions import Fraction
from threading import RLock

from ...limiter import Decision, Limit
from ...typing import Clock
from .strategies import MICROSECOND, ZERO, as_tuple, microseconds

#: By how much the clocks of hosts may differ (microseconds).
_SKEW = 60_000_000


class _Bucket:
    """A bucket as a water level: a level at one moment, rising at a constant rate up to the capacity.

    If the clock goes back, the level falls at the same rate, below zero by up to what a minute refills: another host's
    clock may be that far ahead. If the level would be lower, a clock was set back, and the bucket is just empty.
    What is given back may raise the level above the capacity: it counts as the capacity, and falls from there if the
    clock goes back. Above what a minute refills, every host sees a full bucket.
    """

    def __init__(self, limit: Limit) -> None:
        unit = microseconds(limit)
        self.capacity = limit.capacity
        self._rate = Fraction(1, unit) if unit else Fraction(0)
        #: The level and its time, in microseconds; ``None`` if the bucket was never used and is full.
        self._mark: tuple[Fraction, int] | None = None

    def level(self, now: int) -> Fraction:
        return min(Fraction(self.capacity), self._risen(now))

    def take(self, n: int, now: int) -> None:
        self._put(self.level(now) - n, now)

    def give_back(self, n: int, now: int) -> None:
        if self._mark:
            self._put(self._risen(now) + n, now)

    def _risen(self, now: int) -> Fraction:
        """Return the level as if it could rise above the capacity."""
        if self._mark is None:
            return Fraction(self.capacity)
        level, at = self._mark
        level += (now - at) * self._rate
        return level if level >= -_SKEW * self._rate else Fraction(0)

    def _put(self, level: Fraction, now: int) -> None:
        self._mark = (level, now) if level < self.capacity + _SKEW * self._rate else None

    def wait(self, amount: Fraction) -> timedelta | None:
        """Return how long ``amount`` takes to refill; ``None`` means never."""
        return int(amount / self._rate) * MICROSECOND if self._rate else None


class ExactLimiter:
    """A limiter to compare your own with. It keeps each bucket as a :class:`~fractions.Fraction`, in memory.

    It has the methods of :class:`~smsmfa.RateLimiter` and shares no arithmetic with it.

    Args:
        limit: how much each key may take. With a tuple, every limit must allow a hit, and the hit is charged to all of
            them or to none; ``remaining`` is then the smallest of theirs, and each wait is the longest.
        clock: a function like :func:`time.time_ns`.
    """

    def __init__(self, limit: Limit | tuple[Limit, ...], clock: Clock) -> None:
        self._limits = as_tuple(limit)
        self._capacity = min(one.capacity for one in self._limits)
        self._clock = clock
        self._lock = RLock()
        self._keys: dict[str, list[_Bucket]] = {}

    def take(self, key: str, n: int = 1) -> Decision:
        """Take ``n`` if that much is available, otherwise nothing.

        Raises:
            ValueError: if ``n`` is below 1 or above the capacity.
        """
        with self._lock:
            said, now = self.peek(key, n), self._now()
            for bucket in self._buckets(key):
                if said.allowed:
                    bucket.take(n, now)
                elif bucket.level(now) < n:
                    bucket.take(0, now)  # a clock that went back leaves no debt
            return self._decision(key, 0, now) if said.allowed else said

    def peek(self, key: str, n: int = 1) -> Decision:
        """Return the decision that :meth:`take` would make, and take nothing.

        Raises:
            ValueError: if ``n`` is below 1 or above the capacity.
        """
        if not 1 <= n <= self._capacity:
            raise ValueError(f"n: expected 1 to {self._capacity}, the capacity, got {n}")
        with self._lock:
            return self._decision(key, n, self._now())

    def give_back(self, key: str, n: int = 1) -> None:
        """Return ``n`` that were taken for something that did not happen. The bucket never exceeds its capacity."""
        with self._lock:
            now = self._now()
            for bucket in self._buckets(key):
                bucket.give_back(n, now)

    def reset(self, key: str) -> None:
        """Refill the bucket of ``key``."""
        with self._lock:
            self._keys.pop(key, None)

    def _now(self) -> int:
        return self._clock() // 1000

    def _buckets(self, key: str) -> list[_Bucket]:
        return self._keys.setdefault(key, [_Bucket(limit) for limit in self._limits])

    def _decision(self, key: str, n: int, now: int) -> Decision:
        levels = [(bucket, bucket.level(now)) for bucket in self._buckets(key)]
        short = [bucket.wait(n - level) for bucket, level in levels if level < n]
        return Decision(
            allowed=not short,
            remaining=max(int(min(level for _, level in levels)), 0),
            retry_after=_longest(short),
            full_after=_longest(bucket.wait(bucket.capacity - level) for bucket, level in levels),
        )


def _longest(waits: Iterable[timedelta | None]) -> timedelta | None:
    longest = ZERO
    for wait in waits:
        if wait is None:
            return None
        longest = max(longest, wait)
    return longest
