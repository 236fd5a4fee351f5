"""Pairs of keys with the same hash are different keys, and new ones each time."""

import hashlib
import zlib

import pytest

from smsmfa.testing.collisions import _searches, collisions, known_collisions


@pytest.fixture(autouse=True)
def anew():
    """Search anew, whatever other tests have found."""
    known_collisions.cache_clear()
    _searches.cache_clear()


def times(factor):
    """Return a hash that multiplies by a factor."""

    def hashed(key):
        value = 5381
        for char in key:
            value = (value * factor + ord(char)) % 2**32
        return value

    return hashed


HASHES = [
    lambda key: zlib.crc32(key.encode()),
    lambda key: zlib.adler32(key.encode()),
    times(31),
    times(33),
    *(lambda key, name=name: hashlib.new(name, key.encode()).digest()[:4] for name in ("md5", "sha1", "sha256")),
    lambda key: hash(key) % 2**32,
]


def test_collide():
    """The two keys of each pair differ, and have the same hash of 32 bits, even behind a prefix for the first four."""
    pairs = collisions()

    assert len(HASHES) == len(pairs)
    for number, ((one, other), hashed) in enumerate(zip(pairs, HASHES, strict=True)):
        assert one != other
        assert hashed(one) == hashed(other)
        assert number > 3 or hashed(f"prefix:{one}") == hashed(f"prefix:{other}")


@pytest.mark.parametrize("pairs, new", [(collisions, True), (known_collisions, False)])
def test_new_ones(pairs, new):
    """Each call returns new keys, or the same ones if they are known."""
    first, second = ({key for pair in pairs() for key in pair} for _ in range(2))

    assert new == first.isdisjoint(second)
    assert all(key.isascii() and key.isprintable() and len(key) < 64 for key in first | second)
