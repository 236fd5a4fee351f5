"""One update with invented answers: the commands it sends, and how it reads the answers."""

import pytest

from smsmfa import StoreContention
from smsmfa.stores.redis import update as redis_update
from smsmfa.stores.redis.hints import Hints
from smsmfa.stores.redis.update import Update
from smsmfa.typing import Entry

KEYS, NAMES = ["a", "b"], [b"{t}:a", b"{t}:b"]
MGET = b"MGET", *NAMES


class Recorded:
    """A change that records the values it was given."""

    def __init__(self, writes=None, error=None):
        self.shown, self.writes, self.error = [], writes or {}, error

    def __call__(self, values):
        self.shown.append(dict(values))
        if self.error:
            raise self.error
        return self.writes, len(self.shown)


def begin(change, *known, keys=KEYS, names=NAMES):
    """Begin an update, with remembered values."""
    hints = Hints()
    if known:
        hints.learn(NAMES, known)
    update = Update(keys, names, change, hints)
    update.begin()
    return update, hints


def arguments(update):
    """Return the arguments of the script for each key."""
    name, sha, count, *rest = update.command
    assert (b"EVALSHA", 40, 2, NAMES) == (name, len(sha), count, rest[:2])
    return [tuple(rest[index : index + 3]) for index in range(2, len(rest), 3)]


def test_cold_write():
    """Keys without remembered values are read, then compared and set."""
    change = Recorded({"b": Entry(b"new")})
    update, hints = begin(change)
    assert MGET == update.command
    update.answer([b"old", None])
    assert [(b"=old", b"", b""), (b"", b"=new", b"")] == arguments(update)
    update.answer(1)

    assert update.command is None
    assert 1 == update.outcome()
    assert [{"a": b"old"}] == change.shown
    assert [b"old", b"new"] == hints.recall(NAMES)


def test_cold_refusal():
    """A change that writes nothing, on values that were read together, needs no more commands."""
    update, hints = begin(Recorded())
    update.answer([b"", None])

    assert update.command is None
    assert 1 == update.outcome()
    assert [b"", None] == hints.recall(NAMES)


@pytest.mark.parametrize("keep_for, seconds", [(None, b""), (0, 1), (1, 1), (10**11, 10**11)])
def test_lifetime(keep_for, seconds):
    """An entry is kept for its lifetime, at least one second, or forever."""
    update, _ = begin(Recorded({"a": Entry(b"", keep_for)}), None, None)

    assert [(b"", b"=", seconds), (b"", b"", b"")] == arguments(update)


def test_deletion():
    """A deletion is sent, and remembered as absence."""
    update, hints = begin(Recorded({"a": None}), b"-", b"=")
    assert [(b"=-", b"-", b""), (b"==", b"", b"")] == arguments(update)
    update.answer(1)

    assert [None, b"="] == hints.recall(NAMES)


def test_remembered_refusal():
    """A refusal based on remembered values is confirmed first."""
    update, _ = begin(Recorded(), b"1", None)
    assert [(b"=1", b"", b""), (b"", b"", b"")] == arguments(update)
    update.answer(1)

    assert update.command is None
    assert 1 == update.outcome()


def test_stale_refusal():
    """A refusal based on remembered values that have changed is decided again."""
    change = Recorded()
    update, hints = begin(change, b"1", None)
    update.answer([b"2", b"3"])

    assert update.command is None
    assert 2 == update.outcome()
    assert [{"a": b"1"}, {"a": b"2", "b": b"3"}] == change.shown
    assert [b"2", b"3"] == hints.recall(NAMES)


def test_lost_race():
    """A write whose values have changed is computed again."""
    update, _ = begin(Recorded({"a": Entry(b"new")}), b"1", None)
    update.answer([None, b"3"])

    assert [(b"", b"=new", b""), (b"=3", b"", b"")] == arguments(update)
    assert (1, {*NAMES}) == (update.lost, update.changed)


def test_changed():
    """The keys that others changed are those whose values are not what was compared; a read is no race."""
    update, _ = begin(Recorded({"a": Entry(b"new")}))
    update.answer([b"1", None])
    assert (0, set()) == (update.lost, update.changed)
    update.answer([b"1", b"2"])
    assert (1, {NAMES[1]}) == (update.lost, update.changed)


def test_begin_again():
    """An update that begins again uses what the store has seen meanwhile, and waits no longer."""
    update, hints = begin(Recorded({"a": Entry(b"new")}), b"1", None)
    for value in (b"2", b"3"):
        update.answer([value, None])
    hints.learn(NAMES, [b"9", b"8"])
    update.begin()

    assert [(b"=9", b"=new", b""), (b"=8", b"", b"")] == arguments(update)
    assert 0.0 == update.pause


@pytest.mark.parametrize(
    "change",
    [
        Recorded(error=KeyError("no")),
        Recorded({"c": Entry(b"")}),
        Recorded({"a": "text"}),
        Recorded({"a": Entry(b"", -1)}),
        lambda values: None,
    ],
    ids=["raises", "outside its keys", "no entry", "bad lifetime", "no writes"],
)
def test_error(change):
    """An exception of a change, or an invalid write, is raised after its values are confirmed; nothing is stored."""
    update, _ = begin(change, b"1", None)
    assert [(b"=1", b"", b""), (b"", b"", b"")] == arguments(update)
    update.answer(1)
    assert update.command is None
    with pytest.raises((KeyError, ValueError, TypeError)):
        update.outcome()


def test_stale_error():
    """An exception on old values is forgotten if the change does not raise on current values."""

    def change(values):
        if "a" in values:
            raise KeyError("full")
        return {}, "taken"

    update, _ = begin(change, b"full", None)
    update.answer([None, None])

    assert update.command is None
    assert "taken" == update.outcome()


def test_no_keys():
    """An update without keys needs no server."""
    update, _ = begin(lambda values: ({}, values), keys=[], names=[])

    assert update.command is None
    assert {} == update.outcome()


def test_stop():
    """A BaseException is raised at once."""
    with pytest.raises(KeyboardInterrupt):
        begin(Recorded(error=KeyboardInterrupt()), b"1", None)


def test_contention(monkeypatch):
    """An update that loses races for five seconds raises StoreContention, not earlier."""
    now = 100.0
    monkeypatch.setattr(redis_update, "monotonic", lambda: now)
    update, _ = begin(Recorded({"a": Entry(b"new")}), b"1", None)
    for value in (b"2", b"3"):
        now += 2.5
        update.answer([value, None])
    now += 0.1
    with pytest.raises(StoreContention):
        update.answer([b"4", None])


def test_pauses(monkeypatch):
    """An update that keeps losing waits before every other try, longer each time, up to a bound."""
    monkeypatch.setattr(redis_update, "randbelow", lambda bound: bound)
    for known, before in ((True, [0.0]), (False, [0.0, 0.0])):
        update, _ = begin(Recorded({"a": Entry(b"new")}), *([b"1", None] if known else []))
        pauses = [update.pause]
        for _ in range(17 + (not known)):
            update.answer([b"2", None])
            pauses.append(update.pause)

        assert [*before, 0.0, 0.002, 0.0, 0.004, 0.0, 0.008] == pauses[: len(before) + 6]
        assert [0.0, 0.128, 0.0, 0.128] == pauses[-5:-1]
