"""Pairs of different keys that have the same hash of 32 bits, for a kit to write both."""

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from uuid import uuid4

#: Ends that make two keys collide whatever precedes them: in CRC-32, Adler-32, and hashes that multiply by 31 or 33.
_ENDS = (("pvme9md8", "xnwt7mx5"), ("bdb", "cbc"), ("Aa", "BB"), ("ab", "bA"))
_DIGESTS = ("md5", "sha1", "sha256")
_BYTES = 4
_MASK = 2 ** (8 * _BYTES) - 1


def collisions() -> list[tuple[str, str]]:
    """Return pairs of new keys, one for each hash: CRC-32, Adler-32, x31, x33, MD5, SHA-1, SHA-256 and ``hash()``.

    Of the digests it is the first four bytes, and of ``hash()`` the low 32 bits. The first call takes about half a
    second: among some 80,000 keys, two are expected to collide.
    """
    space = uuid4().hex
    return [*((space + one, space + other) for one, other in _ENDS), *map(next, _searches())]


@cache
def known_collisions() -> tuple[tuple[str, str], ...]:
    """Return the same pairs in each call, for a store that can delete them."""
    return tuple(collisions())


@cache
def _searches() -> tuple[Iterator[tuple[str, str]], ...]:
    return tuple(_pairs(hashed) for hashed in (*map(_digest, _DIGESTS), lambda key: hash(key) & _MASK))


def _digest(name: str) -> Callable[[str], bytes]:
    new = getattr(hashlib, name)
    return lambda key: bytes(new(key.encode(), usedforsecurity=False).digest()[:_BYTES])


def _pairs(hashed: Callable[[str], int | bytes]) -> Iterator[tuple[str, str]]:
    """Number keys, and yield each two with the same hash."""
    space, seen = uuid4().hex, dict[int | bytes, int]()
    for number in count():  # pragma: no branch, it is left while it yields
        first = seen.setdefault(hashed(f"{space}{number}"), number)
        if first != number:
            yield f"{space}{first}", f"{space}{number}"
