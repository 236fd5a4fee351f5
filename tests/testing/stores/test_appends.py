"""A caller appends to lists, and tells what it saw and did."""

import pytest
from testing.stores.good import DictStore

from smsmfa import StoreContention, StoreError
from smsmfa.testing import FaultyStore
from smsmfa.testing.stores.appends import Appender, Lists
from smsmfa.testing.stores.order import explain


@pytest.fixture
def lists():
    """New keys."""
    return Lists.new()


@pytest.fixture
def store():
    """A store that fails on demand."""
    return FaultyStore(DictStore())


@pytest.fixture
def caller(store, lists):
    """A caller named ``c``."""
    return Appender("c", store, lists, seed=1)


def test_keys():
    """Each history has keys of its own, and the end of a key says which it is."""
    one, other = Lists.new(), Lists.new()

    assert ["a", "b", "c", "d"] == [key.rpartition(":")[2] for key in one.all] == [key[-1] for key in one.all]
    assert set() == {*one.all} & {*other.all}
    assert one.all == [*one.lasting, *one.fleeting]


def test_append(caller, store, lists):
    """An append adds a tag to the list that was there."""
    a, _, c, _ = lists.all
    first, second = caller.update({a: "append"}), caller.update({a: "append", c: "append"})

    assert ({a: ()}, {a: (first.tag,)}) == (first.saw, {key: second.saw[key] for key in [a]})
    assert f"{first.tag} {second.tag}".encode() == store.read(a)
    assert second.tag.encode() == store.read(c)
    assert first.began <= first.ended <= second.began


def test_lasting_lists_stay(caller, store, lists):
    """What would remove a list that lasts rewrites it instead, and is kept for ever."""
    a = lists.lasting[0]
    caller.update({a: "append"})
    witness = caller.update({a: "remove"})

    assert {a: "rewrite"} == witness.did
    assert {} == witness.keep_for
    assert store.read(a)


def test_absent_lists(caller, store, lists):
    """An absent list is removed, which changes nothing, also where it would be rewritten."""
    a, _, c, _ = lists.all
    witness = caller.update({a: "remove", c: "rewrite"})

    assert {a: "remove", c: "remove"} == witness.did
    assert {a: (), c: ()} == {key: witness.leaves(key) for key in witness.did}


def test_fleeting_lists_go(caller, store, lists):
    """A list that does not last is removed, and whoever removed it by chance begins it anew."""
    c = lists.fleeting[0]
    caller.update({c: "append"})

    assert {c: "remove"} == caller.update({c: "remove"}).did
    assert store.read(c) is None
    updates = [one for number, one in enumerate(caller.work(300)) if number % 3 < 2]
    gone = [
        (n, key) for n, one in enumerate(updates) for key in lists.fleeting if one.saw.get(key) and not one.leaves(key)
    ]
    assert len(gone) > 5
    for n, key in gone:
        assert "append" == updates[n + 1].did[key]


def test_work(caller, lists):
    """Calls chosen at random do everything with every key, and the same calls come from the same seed."""
    told = [*caller.work(400)]
    again = [*Appender("c", DictStore(), lists, seed=1).work(400)]
    other = [*Appender("c", DictStore(), lists, seed=2).work(400)]

    assert {"append", "remove", "rewrite", "look"} == {deed for one in told for deed in one.did.values()}
    assert {*lists.all} == {key for one in told for key in one.did}
    assert {0.0, 1.0, 60.0} == {time for one in told for time in one.keep_for.values()}
    assert {*lists.fleeting} == {key for one in told for key in one.keep_for}
    assert [one.did for one in told] == [one.did for one in again] != [one.did for one in other]
    assert told == explain(told)


def test_look(caller, lists):
    """A look sees every key."""
    one = caller.update(dict.fromkeys(lists.all, "append"))

    assert dict.fromkeys(lists.all, (one.tag,)) == caller.look().saw


@pytest.mark.parametrize("moment, stored", [("during", False), ("after", True)])
def test_doubt(caller, store, lists, moment, stored):
    """An update that fails after it has decided is in doubt."""
    store.fail(moment)
    witness = caller.update({lists.all[0]: "append"})

    assert witness.ended is None
    assert stored == (store.read(lists.all[0]) is not None)


def test_failure(caller, store):
    """A call that fails before it has decided tells nothing."""
    store.fail("before")
    assert caller.update() is None
    store.fail("before")
    assert [] == [*caller.work(1)]
    store.fail("read")
    assert caller.read() is None


def test_look_fails(caller, store):
    """A look that fails raises."""
    store.fail("before")
    with pytest.raises(StoreError):
        caller.look()


def test_lost_race(caller, store, lists):
    """Each run of a change has a tag of its own, and the last one counts."""
    deciding = []
    caller = Appender("c", store, lists, seed=1, deciding=deciding.append)
    store.replay()
    witness = caller.update({lists.all[0]: "append"})

    assert ["c.0", "c.1"] == [one.tag for one in deciding]
    assert b"c.1" == store.read(lists.all[0])
    assert "c.1" == witness.tag


def test_gives_up(caller, store, lists):
    """A store that gives up at once is a failure."""
    store.fail("before", error=StoreContention("others were faster"))
    with pytest.raises(AssertionError, match="it must try for about 5"):
        caller.update()
