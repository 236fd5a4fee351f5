"""What is remembered, what is forgotten, and that memory is bounded."""

import pytest

from smsmfa.stores.redis import hints
from smsmfa.stores.redis.hints import Hints


@pytest.fixture
def small(monkeypatch):
    """Let a generation be of ten keys."""
    monkeypatch.setattr(hints, "_MOST", 10)
    return Hints()


def test_unknown():
    """Nothing is remembered of keys unless every one of them has been seen."""
    memory = Hints()
    memory.learn([b"a"], [b"1"])

    assert memory.recall([b"b"]) is None
    assert memory.recall([b"a", b"b"]) is None
    assert [] == memory.recall([])


def test_known():
    """What was seen last is remembered in the order that is asked for; nothing, and an empty value, are values."""
    memory = Hints()
    memory.learn([b"a", b"b", b"c"], [b"1", None, b"3"])
    memory.learn([b"c"], [b""])

    assert [b"", None, b"1"] == memory.recall([b"c", b"b", b"a"])


def test_long():
    """A value that is too long is not remembered, and neither is what it replaced, young or old."""
    memory = Hints()
    memory.learn([b"a", b"b"], [b"1", b"2" * 4096])
    memory.learn([b"a"], [b"1" * 4097])

    assert memory.recall([b"a"]) is None
    assert [b"2" * 4096] == memory.recall([b"b"])
    memory._old, memory._young = memory._young, {}
    memory.learn([b"b"], [b"2" * 4097])
    assert memory.recall([b"b"]) is None


def test_bounded(small):
    """T19: no flood of keys makes the memory grow; what was seen lately survives it."""
    for number in range(1000):
        small.learn([b"%d" % number], [b"x"])
        assert len(small._young) + len(small._old) <= 21

    assert [b"x"] * 10 == small.recall([b"%d" % number for number in range(990, 1000)])
    assert small.recall([b"0"]) is None


def test_younger_counts(small):
    """What is known of a key from both generations is what was seen later."""
    small.learn([b"k"], [b"old"])
    small.learn([b"%d" % number for number in range(10)], [None] * 10)
    assert [b"old"] == small.recall([b"k"])
    small.learn([b"k"], [b"new"])

    assert [b"new"] == small.recall([b"k"])
