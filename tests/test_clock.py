"""What may serve as a clock."""

import time

import pytest
from support import Clock

from smsmfa.clock import checked_clock
from smsmfa.exceptions import ConfigurationError


@pytest.mark.parametrize("clock", [time.time_ns, Clock(), Clock(-1), lambda: 0])
def test_clock(clock):
    """A function that counts nanoseconds as an integer is a clock, and is returned."""
    assert clock is checked_clock(clock)


@pytest.mark.parametrize(
    "clock", [None, 0, time.time_ns(), "time_ns", time.time, time.localtime, lambda: True, lambda: None, lambda: "0"]
)
def test_no_clock(clock):
    """What is no function, or gives anything but an ``int``, is a ConfigurationError that says what a clock is."""
    with pytest.raises(ConfigurationError, match=r"clock: a function like time\.time_ns"):
        checked_clock(clock)
