"""A circuit breaker: a carrier that failed several times in a row gets no calls for a while, then one that tests it."""

from datetime import timedelta
from threading import Lock

from ..typing import Clock


class Breaker:
    """A circuit breaker. Closed, it lets every call through. Open, it lets none through until ``pause`` is over.

    Then one call, the probe, goes through. If it works the breaker closes, otherwise it stays open for another pause.

    Args:
        failures: the number of failures in a row that opens it.
        pause: how long it stays open before the probe.
        clock: nanoseconds. Only differences matter.
    """

    def __init__(self, failures: int, pause: timedelta, clock: Clock) -> None:
        self._most = failures
        self._pause = pause // timedelta(microseconds=1) * 1000
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._probe_at: int | None = None  # None: closed
        self._probing = False
        self._period = 0  # counts how often it opened and closed

    def enter(self) -> int | None:
        """Return a ticket for :meth:`leave`, or ``None`` if the call may not go through now."""
        with self._lock:
            if self._probe_at is not None:
                if self._probing or self._clock() < self._probe_at:
                    return None
                self._probing = True
            return self._period

    def leave(self, ticket: int, works: bool | None) -> bool:
        """Record the outcome of a call; return whether it opened the breaker.

        A call that began before the breaker last opened or closed says nothing about now, so its outcome is ignored.

        Args:
            ticket: the result of :meth:`enter`.
            works: whether the call shows that the carrier works; ``None`` if it shows neither.
        """
        with self._lock:
            if ticket != self._period:
                return False
            probe, self._probing = self._probing, False
            if works is None:
                return False
            self._failures = 0 if works else self._failures + 1
            opens = not works and (probe or self._failures >= self._most)
            if opens or probe:
                self._period += 1
                self._probe_at = self._clock() + self._pause if opens else None
            return opens

    def left(self) -> timedelta | None:
        """Return the time until the next probe, or ``None`` if the breaker is closed or a probe is running."""
        with self._lock:
            if self._probe_at is None or self._probing:
                return None
            return max(timedelta(microseconds=-((self._clock() - self._probe_at) // 1000)), timedelta(0))
