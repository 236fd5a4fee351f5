"""A faulty store fails at the planned call and moment, and at no other."""

import asyncio

import pytest

from smsmfa import AsyncMemoryStore, CodeRejected, MemoryStore, StoreContention, StoreError
from smsmfa.testing import AsyncFaultyStore, FaultyStore
from smsmfa.typing import Entry


class Plainly:
    """Either kind of store, with plain methods."""

    def __init__(self, kind):
        self.memory = MemoryStore()
        self.faulty = kind(self.memory if kind is FaultyStore else AsyncMemoryStore(self.memory))

    def read(self, key):
        return self._done(self.faulty.read(key))

    def update(self, keys, change):
        return self._done(self.faulty.update(keys, change))

    def _done(self, result):
        return asyncio.run(result) if asyncio.iscoroutine(result) else result


@pytest.fixture(params=[FaultyStore, AsyncFaultyStore])
def store(request):
    return Plainly(request.param)


def appending(letter, seen=None):
    """Return a change that appends a letter and records what it saw."""

    def change(values):
        if seen is not None:
            seen.append(values.get("k"))
        return {"k": Entry(values.get("k", b"") + letter)}, letter

    return change


def test_works(store):
    """Without a planned fault it does what the wrapped store does."""
    assert store.read("k") is None
    assert b"a" == store.update(["k"], appending(b"a"))
    assert b"a" == store.read("k")
    assert b"a" == store.memory.read("k")


@pytest.mark.parametrize(
    "moment, seen, stored",
    [("before", [], None), ("during", [None], None), ("after", [None], b"a")],
)
def test_update_fails(moment, seen, stored, store):
    """An update fails before its change, before its commit, or after its commit; the next one works."""
    calls = []
    store.faulty.fail(moment)

    with pytest.raises(StoreError, match=f"failed on purpose: {moment}"):
        store.update(["k"], appending(b"a", calls))

    assert seen == calls
    assert stored == store.memory.read("k")
    assert (stored or b"") + b"b" == (store.update(["k"], appending(b"b")) and store.read("k"))


def test_read_fails(store):
    """A planned read fails, and updates work."""
    store.faulty.fail("read")

    store.update(["k"], appending(b"a"))
    with pytest.raises(StoreError, match="failed on purpose: read"):
        store.read("k")
    assert b"a" == store.read("k")


def test_call(store):
    """Calls are counted from the moment of planning, for each method; several faults can be planned."""
    store.update(["k"], appending(b"a"))
    store.faulty.fail("before", call=2)
    store.faulty.fail("after", call=3, error=StoreContention("busy"))

    assert 2 == store.faulty.planned
    store.read("k")
    store.update(["k"], appending(b"b"))
    with pytest.raises(StoreError):
        store.update(["k"], appending(b"c"))
    with pytest.raises(StoreContention, match="busy"):
        store.update(["k"], appending(b"d"))
    assert b"abd" == store.read("k")
    assert 0 == store.faulty.planned


def test_any_error(store):
    """The error may be of any class, even KeyboardInterrupt."""
    store.faulty.fail("after", error=KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        store.update(["k"], appending(b"a"))


def test_replay(store):
    """A replayed change is called twice, and only its last call counts."""
    seen = []
    store.faulty.replay(call=2)

    store.update(["k"], appending(b"a", seen))
    assert b"b" == store.update(["k"], appending(b"b", seen))
    assert [None, b"a", b"a"] == seen
    assert b"ab" == store.read("k")


def test_replay_on_fresh_values(store):
    """The second run sees what happened between the two runs."""
    seen = []
    store.faulty.replay(meanwhile=lambda: store.memory.update(["k"], appending(b"x")))

    store.update(["k"], appending(b"a", seen))
    assert [None, b"x"] == seen
    assert b"xa" == store.read("k")


def test_replay_awaits():
    """The asynchronous store awaits what happens meanwhile."""
    memory = AsyncMemoryStore()
    faulty = AsyncFaultyStore(memory)
    faulty.replay(meanwhile=lambda: memory.update(["k"], appending(b"x")))

    asyncio.run(faulty.update(["k"], appending(b"a")))
    assert b"xa" == asyncio.run(memory.read("k"))


def test_error_of_the_change(store):
    """An error of the change itself is passed on unchanged."""

    def change(values):
        raise CodeRejected(3)

    with pytest.raises(CodeRejected):
        store.update(["k"], change)


def test_mistakes(store):
    """An unknown moment and a call in the past raise ValueError: such a fault would never happen."""
    with pytest.raises(ValueError, match="moment: expected one of read, before, during, after, got 'later'"):
        store.faulty.fail("later")
    with pytest.raises(ValueError, match=r"call: expected 1 \(the next call\) or more, got 0"):
        store.faulty.fail("before", call=0)
    with pytest.raises(ValueError, match=r"call: expected 1 \(the next call\) or more, got 0"):
        store.faulty.replay(call=0)


def test_repr(store):
    """The repr counts the planned faults."""
    store.faulty.fail("read")

    assert f"<{type(store.faulty).__name__} planned=1>" == repr(store.faulty)
