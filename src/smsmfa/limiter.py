"""The token bucket in exact integer arithmetic, and a rate limiter over any store.

A bucket is stored as one integer. If its limit refills, that is the instant at which the bucket will be full again, in
microseconds since the epoch. If its limit never refills, it is minus the number taken. 0, or no entry, is a full
bucket. So a bucket refills without any work, and a clock that is set back refills nothing.

Clocks of hosts differ. If a host whose clock is up to a minute ahead empties a bucket, other hosts see it more than
empty, and the wait that they report includes the difference. If a bucket looks emptier than that, a clock was set back.
Then the bucket counts as just empty, and a refusal stores that, so that nobody is locked out.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from hashlib import sha256
from inspect import iscoroutinefunction

import attrs

from .core.arguments import check_methods, checked_clock
from .exceptions import ConfigurationError
from .typing import AsyncStore, Clock, Entry, Store

_MICROSECOND = timedelta(microseconds=1)
_ZERO, _SECOND = timedelta(0), timedelta(seconds=1)
#: By how much the clocks of hosts may differ (microseconds).
CLOCK_SKEW = 60_000_000
#: The longest time for which a store keeps an entry (seconds; the store protocol).
_MOST_KEPT = 10**11
#: How much longer than needed a bucket is kept, in case a host's clock is set back (seconds).
KEEP_MARGIN = 3600


@attrs.frozen
class Limit:
    """``Limit(10, timedelta(hours=1))`` is "10, and one more each hour".

    Args:
        capacity: how many can be taken at once, at least 1.
        refill: the time in which one comes back; ``None``: never.

    Raises:
        ConfigurationError: ``capacity`` or ``refill`` is of the wrong kind or not positive.
    """

    capacity: int
    refill: timedelta | None
    #: What taking one costs, and taking all: in microseconds of refilling, or if nothing refills, in units of 1.
    unit: int = attrs.field(init=False, repr=False, eq=False)
    span: int = attrs.field(init=False, repr=False, eq=False)
    #: The most that a bucket can lack: its span and what clocks differ by. If it lacks more, it counts as just empty.
    deepest: int = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if type(self.capacity) is not int or self.capacity < 1:
            raise ConfigurationError("capacity: how many can be taken at once, an int of at least 1")
        if self.refill is not None and (not isinstance(self.refill, timedelta) or self.refill <= _ZERO):
            raise ConfigurationError("refill: the time in which one comes back, a positive timedelta, or None")
        unit = 1 if self.refill is None else self.refill // _MICROSECOND
        if unit * self.capacity > _MOST_KEPT * 10**6:
            raise ConfigurationError("capacity x refill: at most 10^11 seconds")
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "span", unit * self.capacity)
        object.__setattr__(self, "deepest", self.span + (0 if self.refill is None else CLOCK_SKEW))


@attrs.frozen
class Decision:
    """The answer of a limiter.

    Args:
        allowed: whether the hit may go ahead.
        remaining: how many more can be taken now.
        retry_after: the exact time until the same hit is allowed: zero if it is, ``None`` if waiting never helps.
        full_after: the time until the bucket is full, or ``None`` if nothing refills.
    """

    allowed: bool
    remaining: int
    retry_after: timedelta | None
    full_after: timedelta | None

    @property
    def retry_after_seconds(self) -> int | None:
        """``retry_after`` in whole seconds, rounded up: the value of a ``Retry-After`` header (RFC 9110, 10.2.3)."""
        return None if self.retry_after is None else -(-self.retry_after // _SECOND)

    def to_dict(self) -> dict[str, object]:
        """Return the decision for JSON, with times in whole seconds, rounded up."""
        full_after = None if self.full_after is None else -(-self.full_after // _SECOND)
        retry_after = self.retry_after_seconds
        return {
            "allowed": self.allowed, "remaining": self.remaining, "retry_after": retry_after, "full_after": full_after,
        }  # fmt: skip


def debt(limit: Limit, bucket: int, now: int) -> int:
    """Return how much ``bucket`` lacks at ``now`` (microseconds): 0 if it is full, the span if it is empty."""
    owed = -bucket if limit.refill is None else bucket - now
    return 0 if owed <= 0 else owed if owed <= limit.deepest else limit.span


def take(limit: Limit, bucket: int, now: int, n: int = 1) -> tuple[int, int]:
    """Take ``n``, which is at most the capacity, if the bucket has them.

    Returns:
        The bucket with ``n`` fewer, and 0. Or the bucket unchanged (just empty if a clock was set back), and what was
        short, in the units of the limit.
    """
    owed = debt(limit, bucket, now)
    after = owed + n * limit.unit
    if after <= limit.span:
        return -after if limit.refill is None else now + after, 0
    return -owed if limit.refill is None else now + owed, after - limit.span


def give_back(limit: Limit, bucket: int, now: int, n: int = 1) -> int:
    """Return the bucket with ``n`` more, never above full.

    A bucket that is full only by the clock of a host that is ahead is kept: other hosts still see what they took.
    """
    if limit.refill is None:
        return min(n - debt(limit, bucket, now), 0)
    full_at = bucket if bucket - now <= limit.deepest else now + limit.span
    after = full_at - n * limit.unit
    return after if after > max(now - CLOCK_SKEW, 0) else 0


def remaining(limit: Limit, bucket: int, now: int) -> int:
    """Return how many can be taken at ``now``."""
    return max((limit.span - debt(limit, bucket, now)) // limit.unit, 0)


def wait(limit: Limit, short: int) -> timedelta | None:
    """Return what a hit was short as a time to wait; ``None``: waiting does not help."""
    return None if limit.refill is None else short * _MICROSECOND


def keep_for(limit: Limit, bucket: int, now: int) -> int | None:
    """Return for how many seconds the bucket matters; 0: every host sees it as full; ``None``: forever."""
    if limit.refill is None:
        return None if bucket else 0
    if bucket <= now - CLOCK_SKEW:
        return 0
    return min(debt(limit, bucket, now) // 1_000_000 + KEEP_MARGIN, _MOST_KEPT)


def _decision(limit: Limit, owed: int, short: int) -> Decision:
    """Return the answer to a hit, from what the bucket lacks after it and what the hit was short."""
    retry_after = wait(limit, short) if short else _ZERO
    full_after = None if limit.refill is None else owed * _MICROSECOND
    return Decision(not short, max((limit.span - owed) // limit.unit, 0), retry_after, full_after)


class _Limiter:
    """What the limiter and its twin share: keys, checks, and the pure steps."""

    def __init__(self, store: object, limit: Limit, scope: str, clock: Clock | None, *, asynchronous: bool) -> None:
        check_methods(store, "store", ("read", "update"), asynchronous=asynchronous)
        if not isinstance(limit, Limit):
            raise ConfigurationError("limit: a Limit, for example Limit(10, timedelta(hours=1))")
        if not isinstance(scope, str):
            raise ConfigurationError("scope: a str that separates the keys of this limiter from the keys of another")
        self._limit = limit
        self._clock = checked_clock(clock)
        self._prefix = f"l:{sha256(scope.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}:"

    def _key(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError("key: a str")
        if key.isascii() and key.isprintable() and len(key) <= 128:
            return f"{self._prefix}={key}"
        return self._prefix + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

    def _now(self, n: int) -> int:
        """Check ``n``, and return the instant in microseconds."""
        if type(n) is not int:
            raise TypeError("n: an int")
        if not 1 <= n <= self._limit.capacity:
            raise ValueError(f"n: from 1 to the limit's capacity, {self._limit.capacity}")
        return max(self._clock() // 1000, 0)

    def _take(
        self, key: str, n: int, now: int, values: Mapping[str, bytes]
    ) -> tuple[Mapping[str, Entry | None], Decision]:
        limit, stored = self._limit, _decode(values.get(key))
        bucket, short = take(limit, stored, now, n)
        owed = debt(limit, bucket, now)
        return ({} if bucket == stored else {key: _entry(limit, bucket, now)}), _decision(limit, owed, short)

    def _give_back(
        self, key: str, n: int, now: int, values: Mapping[str, bytes]
    ) -> tuple[Mapping[str, Entry | None], None]:
        if key not in values:
            return {}, None
        bucket = give_back(self._limit, _decode(values[key]), now, n)
        return {key: _entry(self._limit, bucket, now)}, None

    def _peeked(self, value: bytes | None, n: int, now: int) -> Decision:
        limit, bucket = self._limit, _decode(value)
        return _decision(limit, debt(limit, bucket, now), take(limit, bucket, now, n)[1])


def _decode(value: bytes | None) -> int:
    return 0 if value is None else int.from_bytes(value, "big", signed=True)


def _entry(limit: Limit, bucket: int, now: int) -> Entry | None:
    return Entry(bucket.to_bytes(8, "big", signed=True), keep_for(limit, bucket, now)) if bucket else None


def _forget(key: str, values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], None]:
    return ({key: None} if key in values else {}), None


class RateLimiter(_Limiter):
    """A limit for each key, over any store. It is exact under any number of threads, processes and hosts.

    Args:
        store: keeps the buckets.
        limit: how much each key may take.
        scope: separates the keys of this limiter from the keys of another one in the same store.
        clock: a function like :func:`time.time_ns`, which is the default.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    def __init__(self, store: Store, limit: Limit, *, scope: str = "default", clock: Clock | None = None) -> None:
        super().__init__(store, limit, scope, clock, asynchronous=iscoroutinefunction(self.take))
        self._store = store

    def take(self, key: str, n: int = 1) -> Decision:
        """Take ``n`` from the bucket of ``key`` if it has them, otherwise nothing.

        Raises:
            ValueError: ``n`` is below 1 or above the limit's capacity.
        """
        stored = self._key(key)
        return self._store.update((stored,), partial(self._take, stored, n, self._now(n)))

    def peek(self, key: str, n: int = 1) -> Decision:
        """Return what :meth:`take` would return, and take nothing."""
        return self._peeked(self._store.read(self._key(key)), n, self._now(n))

    def give_back(self, key: str, n: int = 1) -> None:
        """Give back ``n`` that were taken for something that did not happen, but never more than fit."""
        stored = self._key(key)
        self._store.update((stored,), partial(self._give_back, stored, n, self._now(n)))

    def reset(self, key: str) -> None:
        """Refill the bucket of ``key``."""
        stored = self._key(key)
        self._store.update((stored,), partial(_forget, stored))


class AsyncRateLimiter(_Limiter):
    """:class:`RateLimiter` for asyncio."""

    def __init__(self, store: AsyncStore, limit: Limit, *, scope: str = "default", clock: Clock | None = None) -> None:
        super().__init__(store, limit, scope, clock, asynchronous=iscoroutinefunction(self.take))
        self._store = store

    async def take(self, key: str, n: int = 1) -> Decision:
        """Like :meth:`RateLimiter.take`."""
        stored = self._key(key)
        return await self._store.update((stored,), partial(self._take, stored, n, self._now(n)))

    async def peek(self, key: str, n: int = 1) -> Decision:
        """Like :meth:`RateLimiter.peek`."""
        return self._peeked(await self._store.read(self._key(key)), n, self._now(n))

    async def give_back(self, key: str, n: int = 1) -> None:
        """Like :meth:`RateLimiter.give_back`."""
        stored = self._key(key)
        await self._store.update((stored,), partial(self._give_back, stored, n, self._now(n)))

    async def reset(self, key: str) -> None:
        """Like :meth:`RateLimiter.reset`."""
        stored = self._key(key)
        await self._store.update((stored,), partial(_forget, stored))
