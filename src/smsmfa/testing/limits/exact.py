"""The oracle of the limit laws: a limiter in rational numbers, exact because it need not be fast."""

from collections.abc import Iterable
from datetime import timedelta
from fractions import Fraction
from threading import RLock

from ...limiter import Decision, Limit
from ...typing import Clock
from .strategies import MICROSECOND, ZERO, all_of, microseconds


class _Bucket:
    """A bucket as a level of water: so much at some instant, and so much more each microsecond, up to the brim.

    When the clock goes back the level sinks as it had risen; below the ground it counts as none.
    """

    def __init__(self, limit: Limit) -> None:
        unit = microseconds(limit)
        self.capacity = limit.capacity
        self._rate = Fraction(1, unit) if unit else Fraction(0)
        #: The level, and when; ``None``: never used, full at any time.
        self._mark: tuple[Fraction, int] | None = None

    def level(self, now: int) -> Fraction:
        if self._mark is None:
            return Fraction(self.capacity)
        level, at = self._mark
        return max(Fraction(0), min(Fraction(self.capacity), level + (now - at) * self._rate))

    def put(self, level: Fraction, now: int) -> None:
        self._mark = (level, now) if level < self.capacity else None

    def wait(self, amount: Fraction) -> timedelta | None:
        """Return how long it takes for so much to come back; ``None``: for ever."""
        return int(amount / self._rate) * MICROSECOND if self._rate else None


class ExactLimiter:
    """A limiter to compare yours with: it keeps each bucket as a :class:`~fractions.Fraction`, in memory.

    It shares no arithmetic with :class:`~smsmfa.RateLimiter`, and has the same methods.

    Args:
        limit: how much each key may take; with a tuple a hit needs the word of every limit, and is charged to all
            or to none. Of what they say, ``remaining`` is the least, and the waits are the longest.
        clock: a function like :func:`time.time_ns`.
    """

    def __init__(self, limit: Limit | tuple[Limit, ...], clock: Clock) -> None:
        self._limits = all_of(limit)
        self._capacity = min(one.capacity for one in self._limits)
        self._clock = clock
        self._lock = RLock()
        self._keys: dict[str, list[_Bucket]] = {}

    def take(self, key: str, n: int = 1) -> Decision:
        """Take ``n`` if they are there, else nothing.

        Raises:
            ValueError: ``n`` is below 1 or above the capacity.
        """
        with self._lock:
            said, now = self.peek(key, n), self._now()
            for bucket in self._buckets(key):  # a refusal too: no deeper in debt than drained
                bucket.put(bucket.level(now) - (n if said.allowed else 0), now)
            return self._decision(key, 0, now) if said.allowed else said

    def peek(self, key: str, n: int = 1) -> Decision:
        """Say what :meth:`take` would, and take nothing."""
        if not 1 <= n <= self._capacity:
            raise ValueError(f"n: from 1 to the capacity, {self._capacity}")
        with self._lock:
            return self._decision(key, n, self._now())

    def give_back(self, key: str, n: int = 1) -> None:
        """Return ``n`` that were taken for something that did not happen; never beyond full."""
        with self._lock:
            now = self._now()
            for bucket in self._buckets(key):
                bucket.put(bucket.level(now) + n, now)

    def reset(self, key: str) -> None:
        """Fill the bucket of ``key``."""
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
            remaining=int(min(level for _, level in levels)),
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
