"""The fake clock stands still, and moves in either direction when told to."""

from datetime import UTC, datetime, timedelta

from support import SECRET

from smsmfa import FactorConfig, MemoryStore, Verifier
from smsmfa.testing import FakeClock, RecordingSender

START = 1_700_000_000_000_000_000


def test_stands_still():
    """It shows the same nanoseconds until it is moved."""
    clock = FakeClock()

    assert [START, START] == [clock(), clock()]


def test_starts_where_it_is_told_to():
    """A test can choose its start."""
    assert 5 == FakeClock(5)()


def test_set():
    """It can be set."""
    clock = FakeClock()
    clock.now = 7

    assert 7 == clock()


def test_moves_both_ways():
    """It moves by a timedelta, by arguments for one, or both, forward and backward, to the microsecond."""
    clock = FakeClock()

    clock.move(minutes=5)
    assert START + 300 * 10**9 == clock()
    clock.move(timedelta(minutes=-5), microseconds=-1)
    assert START - 1000 == clock()
    clock.move(timedelta(seconds=1))
    assert START + 10**9 - 1000 == clock()


def test_keeps_its_nanoseconds():
    """A move keeps the nanoseconds below a microsecond."""
    clock = FakeClock(1_999)
    clock.move(microseconds=1)

    assert 2_999 == clock()


def test_datetime():
    """It shows its time in UTC, and so does its repr."""
    clock = FakeClock(START + 1_999)

    assert datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC) == clock.datetime
    assert "<FakeClock at 2023-11-14T22:13:20.000001+00:00>" == repr(clock)


def test_is_a_clock():
    """A verifier accepts it as its clock."""
    config = FactorConfig(app_name="Acme", secret=SECRET, regions={"US"})

    assert not Verifier(config, MemoryStore(), RecordingSender(), clock=FakeClock()).status("alice").enrolled
