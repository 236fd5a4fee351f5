"""A circuit breaker: a carrier that fails for several numbers gets no calls for a while, then calls that test it.

One user must not stop a carrier for everybody. So failures are counted by number: the same number counts once. Whoever
calls the breaker must report only failures that have nothing to do with the number.
"""

import hashlib
from datetime import timedelta
from os import urandom
from threading import Lock
from typing import Final

import attrs

from ..typing import Clock

#: How many different numbers must fail as probes before the breaker stays open: one number may fail for itself.
_SEVERAL: Final = 2


@attrs.frozen
class Ticket:
    """One call that was let through.

    Args:
        period: counts how often the breaker had opened and closed.
        caller: the keyed hash of the number.
    """

    period: int
    caller: bytes = attrs.field(repr=False)


class Breaker:
    """A circuit breaker. Closed, it lets every call through. Open, it lets none through until ``pause`` is over.

    Then one call at a time, the probe, goes through. If it works the breaker closes. If probes of two numbers fail, it
    stays open for another pause; a number whose probe failed does not probe again before that time has passed.

    The breaker remembers hashes of numbers under a random key, and no numbers.

    Args:
        failures: how many different numbers must fail, without a success between them, to open it.
        pause: how long it stays open before the probe.
        clock: nanoseconds. Only differences matter.
    """

    def __init__(self, failures: int, pause: timedelta, clock: Clock) -> None:
        self._most = failures
        self._pause = pause // timedelta(microseconds=1) * 1000
        self._clock = clock
        self._key = urandom(16)
        self._lock = Lock()
        self._failed: set[bytes] = set()  # since the last success
        self._probe_at: int | None = None  # None: closed
        self._probing = False
        self._doubts: dict[bytes, int] = {}  # numbers whose probe failed, and when they may probe again
        self._period = 0

    def enter(self, number: str) -> Ticket | None:
        """Return a ticket for :meth:`leave`, or ``None`` if the call may not go through now.

        Args:
            number: whom the call is for.
        """
        caller = self._hashed(number)
        with self._lock:
            if self._probe_at is not None:
                if self._probing or self._clock() < self._doubts.get(caller, self._probe_at):
                    return None
                self._probing = True
            return Ticket(self._period, caller)

    def leave(self, ticket: Ticket, works: bool | None) -> bool:
        """Record the outcome of a call; return whether it opened the breaker.

        A call that began before the breaker last opened or closed says nothing about now, so its outcome is ignored.

        Args:
            ticket: the result of :meth:`enter`.
            works: whether the call shows that the carrier works; ``None`` if it shows neither.
        """
        with self._lock:
            if ticket.period != self._period:
                return False
            probe, self._probing = self._probing, False
            if works is None:
                return False
            if works:
                self._failed.clear()
                if probe:
                    self._turn(None)
                return False
            opens = self._fails_again(ticket.caller) if probe else self._fails(ticket.caller)
            if opens:
                self._turn(self._clock() + self._pause)
            return opens

    def left(self, number: str) -> timedelta | None:
        """Return how long a number must wait, or ``None`` if the breaker is closed or a probe is running."""
        caller = self._hashed(number)
        with self._lock:
            if self._probe_at is None or self._probing:
                return None
            at = self._doubts.get(caller, self._probe_at)
            return max(timedelta(microseconds=-((self._clock() - at) // 1000)), timedelta(0))

    def _fails(self, caller: bytes) -> bool:
        self._failed.add(caller)
        return len(self._failed) >= self._most

    def _fails_again(self, caller: bytes) -> bool:
        self._doubts[caller] = self._clock() + self._pause
        return len(self._doubts) >= min(_SEVERAL, self._most)

    def _turn(self, probe_at: int | None) -> None:
        """Open the breaker until then, or close it."""
        self._period += 1
        self._probe_at = probe_at
        self._failed.clear()
        self._doubts.clear()

    def _hashed(self, number: str) -> bytes:
        return hashlib.blake2b(number.encode(), key=self._key, digest_size=16).digest()
