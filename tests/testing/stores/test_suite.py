"""A check runs its method, closes the stores it opened, and explains a failure."""

import re
from pathlib import Path

import pytest

from smsmfa import MemoryStore
from smsmfa.testing.stores import suite
from smsmfa.testing.stores.suite import (
    PROMISES,
    Suite,
    check,
    deterministic_check,
    expect,
    expect_values,
    fresh,
    held,
    in_pairs,
    increment,
    look,
    put,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "custom-store.md"


class Mine(Suite):
    """A suite with one check of each kind."""

    def __init__(self):
        self.closed, self.pairs, self.plain = [], [], MemoryStore()

    def open_store(self):
        return object()

    def open_store_at(self, host, port):
        return f"{host}:{port}"

    def shut_store(self, store):
        self.closed.append(store)

    @check(1)
    def test_passes(self):
        """It passes."""
        self.stores = [self.opened(), self.opened_at(("host", 1))]

    @check(2)
    def test_fails(self):
        """It holds."""
        self.stores = [self.opened()]
        expect("x" * 1000, "y", "the letters")

    @check(3, "shared", "disturb")
    def test_needs(self):
        """It is skipped."""

    @check(4)
    @in_pairs
    def test_pairs(self, one, other):
        """It runs on pairs."""
        self.pairs.append((one, other))

    @check(5)
    def test_hangs(self):
        """It returns."""
        self.opened()
        raise suite.Hung("not back")


class Able(Mine):
    """A suite for a store that can do more."""

    shared = True

    def disturb(self):
        pass


def test_passes():
    """A check that passes closes what it opened, the last store first."""
    mine = Mine()
    mine.test_passes()

    assert mine.stores[::-1] == mine.closed
    assert "host:1" == mine.stores[1]


def test_fails():
    """A failure quotes the promise and says where to read about it; long values are cut, and stores are closed."""
    mine = Mine()
    with pytest.raises(AssertionError, match=r"^the letters: expected 'x{199} \.\.\. x{199}', got 'y'") as caught:
        mine.test_fails()

    assert [
        "Broken promise: It holds.",
        'See "What must hold" in the guide to writing a store: 2. One after the other.',
    ] == caught.value.__notes__
    assert mine.stores == mine.closed


def test_what_hangs_is_not_closed():
    """A store that hangs is not closed: closing it could hang too."""
    mine = Mine()
    with pytest.raises(suite.Hung):
        mine.test_hangs()

    assert [] == mine.closed


def test_left_out():
    """A check that needs something the suite does not set is skipped, and names it."""
    for kind, off in [(Mine, "shared, disturb"), (type("Half", (Mine,), {"shared": True}), "disturb")]:
        with pytest.raises(pytest.skip.Exception, match=f": {off}$"):
            kind().test_needs()
    Able().test_needs()


def test_deterministic():
    """A check that needs no luck has an attribute by which pytest selects it."""
    named = deterministic_check(1)(lambda self: None)

    assert vars(named)["deterministic"] is True
    assert "deterministic" not in vars(Mine.test_passes)


def test_flag_that_is_turned_off_again():
    """A flag that is false is not set, even if it is true in a base class."""
    assert [True, False] == [kind.has("shared") for kind in (Able, type("Off", (Able,), {"shared": False}))]


def test_pairs():
    """A check of pairs runs on the same store twice and, if the suite is shared, on two stores."""
    mine, able = Mine(), Able()
    mine.test_pairs()
    able.test_pairs()

    assert [True] == [one is other for one, other in mine.pairs]
    assert [True, False] == [one is other for one, other in able.pairs]
    assert 2 == len(able.handles()) == len(able.closed)


def test_pytest_sees_no_fixtures(pytestconfig):
    """Neither kind of check has arguments that pytest would take for fixtures."""
    from _pytest.compat import getfuncargnames

    assert () == getfuncargnames(Mine.test_pairs, cls=Mine) == getfuncargnames(Mine.test_passes, cls=Mine)


def test_other_processes_get_no_store():
    """Another process gets the attributes that the subclass set, and no open store."""
    mine = Able()
    mine.opened()

    assert {"closed", "pairs", "plain"} == mine.__getstate__().keys()


def test_hooks_are_to_be_filled_in():
    """A hook raises NotImplementedError until a subclass overrides it."""
    for hook in ("open_store", "enclosing_transaction", "failing", "crash", "disturb"):
        with pytest.raises(NotImplementedError):
            getattr(Suite(), hook)()
    with pytest.raises(NotImplementedError):
        Suite().open_store_at("host", 1)
    with pytest.raises(NotImplementedError):
        Suite().shut_store(MemoryStore())


def test_helpers():
    """Keys are new, and the helpers store, show and count values."""
    store, happened = MemoryStore(), []
    one, other = fresh("a"), fresh("a")
    put(store, {one[0]: b"5"})

    expect(one, [*one], "keys that are equal")
    assert one != other
    assert 5 == store.update(one, held(increment(*one), lambda: happened.append(1)))
    assert {one[0]: b"6"} == look(store, one + other)
    assert [1] == happened


def test_values_are_expected():
    """The values of all keys must be right, and no other key may have one."""
    store, keys = MemoryStore(), fresh("a", "b")
    put(store, {keys[0]: b"1"})

    expect_values(store, keys, {keys[0]: b"1"})
    for wrong in ({}, {keys[0]: b"2"}, dict.fromkeys(keys, b"1")):
        with pytest.raises(AssertionError, match=r"what read\(\) returns"):
            expect_values(store, keys, wrong)


def test_time_passes(monkeypatch):
    """By default, a suite waits for time to pass."""
    waited = []
    monkeypatch.setattr(suite, "sleep", waited.append)
    Suite().pass_time(0.5)

    assert [0.5] == waited


def test_promises_are_those_of_the_documentation():
    """Each promise is an item in the list of the guide that a failure refers to."""
    text = DOCUMENT.read_text(encoding="utf-8")
    listed = re.findall(r"^(\d+)\. \*\*(.+?)\*\*", text.partition("## What must hold")[2], re.MULTILINE)

    assert len(listed) >= 11
    assert {int(number): title.strip(".").replace("`", "") for number, title in listed}.items() <= PROMISES.items()


class TestHere(Mine):
    """The suite, run by pytest, with the plugin registered by a fixture."""

    __init__ = object.__init__
    closed, pairs = [], []
    test_fails = test_hangs = None
