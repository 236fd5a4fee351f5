"""The limiter's decision in memory, compared with a minimal limiter and with `limits`, and its exactness."""

import random
import sys
import time
from datetime import timedelta
from threading import Barrier, Lock, Thread

from cycle import Clock
from harness import Row, Size, Timings
from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from smsmfa import Limit, MemoryStore, RateLimiter

#: A capacity that no key reaches, so that every decision grants.
PLENTY = 10_000
HOUR = timedelta(hours=1)
THREADS = 8


class LeastLimiter:
    """The minimal limiter: one method that takes the time and a lock, and reads and writes a dictionary."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._buckets: dict[str, int] = {}

    def hit(self, key: str) -> bool:
        now = time.time_ns()
        with self._lock:
            before = self._buckets.get(key, 0)
            self._buckets[key] = now
        return before <= now


def measure(size: Size) -> list[Row]:
    """Time granted decisions side by side, then count grants."""
    keys = [f"user {number}" for number in range(size.users)]
    random.Random(1).shuffle(keys)
    ours, floor, peer = RateLimiter(MemoryStore(), Limit(PLENTY, HOUR)), LeastLimiter(), moving_window()

    def decisions() -> None:
        for key in keys:
            assert ours.take(key).allowed

    def least() -> None:
        for key in keys:
            assert floor.hit(key)

    def moving() -> None:
        for key in keys:
            assert peer(key)

    timings = Timings({"ours": decisions, "floor": least, "limits": moving}, size.users, size.rounds)
    return [
        timings.ratio("limiter decision, granted / Lock + dict", "ours", "floor", bar=7, stretch=5),
        timings.ratio("limiter decision, granted / limits, moving window", "ours", "limits", bar=0.9, stretch=0.5),
        *(granted(interval) for interval in (1e-6, 1e-4, sys.getswitchinterval())),
        admitted(),
    ]


def moving_window():
    """Return the exact decision of `limits`."""
    limiter, item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerHour(PLENTY)
    return lambda key: limiter.hit(item, key)


def granted(interval: float) -> Row:
    """Count the grants of one bucket to threads that ask for twice its capacity."""
    capacity = 4000
    limiter, barrier = RateLimiter(MemoryStore(), Limit(capacity, timedelta(days=1))), Barrier(THREADS)
    counts: list[int] = []

    def ask() -> None:
        barrier.wait()
        counts.append(sum(limiter.take("one").allowed for _ in range(2 * capacity // THREADS)))

    usual = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        threads = [Thread(target=ask) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    what = f"granted by one bucket under {THREADS} threads, switch interval {interval:g} s"
    return Row(what, sum(counts), capacity, exact=True, note=f"of {2 * capacity} asked for")


def admitted() -> Row:
    """Count how many of a hundred hits, one every 40 minutes, "10, and one back each hour" grants."""
    clock = Clock()
    limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=clock)
    count = 0
    for _ in range(100):
        count += limiter.take("one").allowed
        clock.now += 40 * 60 * 10**9
    return Row("admitted of 100 hits, one every 40 minutes, by 10 an hour", count, 76, exact=True)
