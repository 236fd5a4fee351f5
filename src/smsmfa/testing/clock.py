"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta
from threading import Lock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class FakeClock:
    """A clock like :func:`time.time_ns` that moves, in either direction, only when a test tells it to.

    Pass it to a shell: ``Verifier(..., clock=FakeClock())``.

    Args:
        now: the start, in nanoseconds since the epoch; the default is 2023-11-14 22:13:20 UTC.
    """

    def __init__(self, now: int = 1_700_000_000_000_000_000) -> None:
        #: Nanoseconds since the epoch. Set it to jump.
        self.now: int = now
        self._lock = Lock()

    def __call__(self) -> int:
        """Return the nanoseconds since the epoch."""
        return self.now

    def move(self, by: timedelta = timedelta(0), /, **more: float) -> None:
        """Move the clock by a ``timedelta``, by arguments for one, or both: ``clock.move(config.lifetime, seconds=1)``.

        Args:
            by: how far to move; a negative value moves the clock back.
            more: arguments for ``timedelta``, for example ``minutes=5``.
        """
        with self._lock:
            self.now += (by + timedelta(**more)) // _MICROSECOND * 1000

    @property
    def datetime(self) -> datetime:
        """The time on the clock, in UTC, to the microsecond."""
        return _EPOCH + self.now // 1000 * _MICROSECOND

    def __repr__(self) -> str:
        return f"<FakeClock at {self.datetime.isoformat()}>"
