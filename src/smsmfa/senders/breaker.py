"""A circuit breaker: who failed several times in a row is left alone for a while, and then tried with one call."""

from datetime import timedelta
from threading import Lock

from ..typing import Clock


class Breaker:
    """Closed it lets every call through; open it lets none, and after ``pause`` one, on whose outcome it depends.

    Args:
        failures: how many in a row open it.
        pause: how long it then stays open.
        clock: nanoseconds, of which only the difference matters.
    """

    def __init__(self, failures: int, pause: timedelta, clock: Clock) -> None:
        self._most = failures
        self._pause = pause // timedelta(microseconds=1) * 1000
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._reopens: int | None = None  # when the next probe may go through; None: closed
        self._probing = False
        self._period = 0  # counts how often it opened and closed

    def enter(self) -> int | None:
        """Return a ticket for :meth:`leave`, or ``None``: not now."""
        with self._lock:
            if self._reopens is not None:
                if self._probing or self._clock() < self._reopens:
                    return None
                self._probing = True
            return self._period

    def leave(self, ticket: int, works: bool | None) -> bool:
        """Take the outcome of a call; return whether it opened the breaker.

        What began before the breaker last opened or closed says nothing about now, and is ignored.

        Args:
            ticket: what :meth:`enter` returned.
            works: whether the call shows that what it went to works; ``None``: it does not show either.
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
                self._reopens = self._clock() + self._pause if opens else None
            return opens

    def left(self) -> timedelta | None:
        """Return how long no call goes through; ``None``: for as long as the probe takes, or not at all."""
        with self._lock:
            if self._reopens is None or self._probing:
                return None
            return max(timedelta(microseconds=-((self._clock() - self._reopens) // 1000)), timedelta(0))
