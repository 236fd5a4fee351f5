"""Which values are remembered and forgotten, and that memory is bounded."""

import pytest

from smsmfa.stores.redis import hints
from smsmfa.stores.redis.hints import Hints


@pytest.fixture
def small(monkeypatch):
    """Return hints with ten keys in a generation."""
    monkeypatch.setattr(hints, "_MOST", 10)
    return Hints()


def test_unknown():
    """Keys are recalled only if all of them have been seen."""
    memory = Hints()
    memory.learn([b"a"], [b"1"])

    assert memory.recall([b"b"]) is None
    assert memory.recall([b"a", b"b"]) is None
    assert [] == memory.recall([])


def test_known():
    """The last values are returned in the requested order; absent and empty are remembered too."""
    memory = Hints()
    memory.learn([b"a", b"b", b"c"], [b"1", None, b"3"])
    memory.learn([b"c"], [b""])

    assert [b"", None, b"1"] == memory.recall([b"c", b"b", b"a"])


def test_long():
    """A value that is too long is not remembered, and the value it replaced is forgotten."""
    memory = Hints()
    memory.learn([b"a", b"b"], [b"1", b"2" * 4096])
    memory.learn([b"a"], [b"1" * 4097])

    assert memory.recall([b"a"]) is None
    assert [b"2" * 4096] == memory.recall([b"b"])
    memory._old, memory._young = memory._young, {}
    memory.learn([b"b"], [b"2" * 4097])
    assert memory.recall([b"b"]) is None


def test_bounded(small):
    """T19: a flood of keys does not make the memory grow, and recent values survive it."""
    for number in range(1000):
        small.learn([b"%d" % number], [b"x"])
        assert len(small._young) + len(small._old) <= 21

    assert [b"x"] * 10 == small.recall([b"%d" % number for number in range(990, 1000)])
    assert small.recall([b"0"]) is None


def test_younger_counts(small):
    """If a key is in both generations, the later value counts."""
    small.learn([b"k"], [b"old"])
    small.learn([b"%d" % number for number in range(10)], [None] * 10)
    assert [b"old"] == small.recall([b"k"])
    small.learn([b"k"], [b"new"])

    assert [b"new"] == small.recall([b"k"])
