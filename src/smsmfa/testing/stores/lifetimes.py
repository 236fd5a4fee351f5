"""Checks of a store: no entry is forgotten early."""

from collections.abc import Mapping
from time import monotonic
from typing import TypeAlias

from ...typing import Entry, Store
from .suite import Suite, check, expect, expect_values, fresh, look, put

_LONGEST = 10**11
_HOUR = 3600
_MONTH = 30 * 24 * _HOUR
#: Some servers read more than 30 days as a date, and some overflow: in 32 bits, seconds or milliseconds.
_TIMES = (60, _HOUR, _MONTH - 1, _MONTH + 1, 12 * _MONTH, 4_294_968, 2**31 - 1, 2**31, 2**32, 2**33, _LONGEST, None)
#: What is written under one key, in order: a value and its lifetime, or a deletion.
_History: TypeAlias = tuple[tuple[bytes, int | None] | None, ...]
_HISTORIES: tuple[_History, ...] = (
    *(((b"1", keep_for),) for keep_for in _TIMES),
    *(((b"1", first), (last, keep_for)) for first in (0, 1) for last in (b"1", b"2") for keep_for in (_HOUR, None)),
    *(((b"1", first), None, (b"1", _HOUR)) for first in (0, 1)),
    ((b"1", _HOUR), (b"1", 1), (b"1", _HOUR)),
)
#: For how long entries are written one after the other (seconds). It covers the worst fractions of a second.
_SPREAD = 0.75
_PAUSE = 0.02
#: When lifetimes of one second and less are surely over, even if the store rounds up (seconds).
_OVER = 2.1


class LifetimeChecks(Suite):
    """How long entries are kept."""

    @check(11)
    def test_whole_seconds(self) -> None:
        """An entry is there for as long as its last write says, to the second, whatever was under its key before."""
        store, time = self.opened(), _Time(self)
        histories, short = _written(store), fresh("0", "1")
        for key in short:
            put(store, {key: b"1"}, int(key[-1]))
        self._watch(store, time)
        while time() < _OVER and any(store.read(key) for key in short):
            time.goes_on()
        self._stirred()
        expect({}, _lost(store, histories), "entries that are gone, with what was written, as (value, keep_for)")
        _revive(store, short)
        self._stirred()
        expect_values(store, short, dict.fromkeys(short, b"2"))

    def _watch(self, store: Store, time: "_Time") -> None:
        """Write entries all through most of a second, and read each until it is a second old."""
        recent: list[tuple[float, list[str]]] = []
        while time() < _SPREAD + 1:
            if not recent or recent[-1][0] + 2 * _PAUSE < time() < _SPREAD:
                recent.append((time(), fresh("1", "5")))
                for key in recent[-1][1]:
                    put(store, {key: b"1"}, int(key[-1]))
            recent = [(since, keys) for since, keys in recent if time() < since + 1]
            for since, keys in recent:
                there = [store.read(key) for key in keys]
                expected = [b"1", b"1"] if time() < since + 1 else there  # the machine may have paused
                expect(expected, there, "entries written less than a second ago, kept for 1 and for 5 seconds")
            time.goes_on()

    def _stirred(self) -> None:
        if self.has("disturb"):
            self.disturb()

    @check(11)
    def test_never_early(self) -> None:
        """An entry exists right after it was written, whether it is kept for an hour, 10^11 seconds or forever."""
        store = self.opened()
        for keep_for in _TIMES:
            [key] = fresh("k")
            put(store, {key: b"1"}, keep_for)
            expect_values(store, [key], {key: b"1"})

    @check(11)
    def test_keep_for_nothing(self) -> None:
        """An entry with keep_for=0 may be gone or still be there, and its key stays usable."""
        store, [key] = self.opened(), fresh("k")
        put(store, {key: b"1"}, 0)
        if store.read(key) not in (None, b"1") or look(store, [key]) not in ({}, {key: b"1"}):
            raise AssertionError("an entry with keep_for=0 has another value than the one written")
        put(store, {key: b"2"}, _HOUR)
        expect_values(store, [key], {key: b"2"})

    @check(11)
    def test_last_write_says_how_long(self) -> None:
        """A write replaces the value of an entry and also its lifetime."""
        store = self.opened()
        for keep_for in (None, _HOUR):
            [key] = fresh("k")
            put(store, {key: b"1"}, 0)
            put(store, {key: b"2"}, keep_for)
            expect_values(store, [key], {key: b"2"})

    @check(11)
    def test_other_entries_keep_their_time(self) -> None:
        """An update gives each key its own lifetime, and changes no key that it only sees."""
        store, keys = self.opened(), fresh("a", "b", "c", "d")
        put(store, dict.fromkeys(keys[:2], b"1"))
        writes = {keys[2]: Entry(b"1", 0), keys[3]: Entry(b"1", _HOUR), keys[1]: Entry(b"1", None)}
        store.update(keys, lambda _: (writes, None))
        expect_values(store, [keys[0], keys[1], keys[3]], dict.fromkeys((keys[0], keys[1], keys[3]), b"1"))


class _Time:
    """The seconds since a check began. If the suite moves the store's clock, they go on when it does."""

    def __init__(self, suite: Suite) -> None:
        self._pass, self._moves = suite.pass_time, suite.has("pass_time")
        self._start = monotonic()

    def __call__(self) -> float:
        return monotonic() - self._start

    def goes_on(self) -> None:
        self._pass(_PAUSE)
        self._start -= _PAUSE * self._moves


def _written(store: Store) -> Mapping[str, _History]:
    """Write each history under a key of its own."""
    histories = dict(zip(fresh(*map(str, range(len(_HISTORIES)))), _HISTORIES, strict=True))
    for key, history in histories.items():
        for step in history:
            _write(store, key, step and Entry(*step))
    return histories


def _write(store: Store, key: str, entry: Entry | None) -> None:
    store.update([key], lambda _: ({key: entry}, None))


def _lost(store: Store, histories: Mapping[str, _History]) -> dict[str, _History]:
    """Return the histories whose last value is not there, by key."""
    return {
        key: history
        for key, history in histories.items()
        if history[-1] and not store.read(key) == look(store, [key]).get(key) == history[-1][0]
    }


def _revive(store: Store, keys: list[str]) -> None:
    """Write entries again that a store may have forgotten, or be about to."""
    for key in keys:
        look(store, [key])
        put(store, {key: b"2"}, _HOUR)
