"""The clock that shells are given."""

from .exceptions import ConfigurationError
from .typing import Clock


def checked_clock(clock: Clock) -> Clock:
    """Return the clock, if it is one.

    Raises:
        ConfigurationError: it is no function, or does not count nanoseconds as an integer.
    """
    if not callable(clock) or type(clock()) is not int:
        raise ConfigurationError("clock: a function like time.time_ns: nanoseconds since the epoch, as an int")
    return clock
