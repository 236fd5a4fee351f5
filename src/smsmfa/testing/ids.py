"""Ids, and with them codes, that are the same in every run of a test."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import shake_256
from itertools import count
from threading import Lock

from .. import codes

_lock = Lock()
_active: list[Callable[[int], bytes]] = []


@contextmanager
def deterministic(seed: int | str) -> Iterator[None]:
    """Draw the ids of challenges and numbers, and recovery codes, from a seed: for tests alone, it protects nothing.

    The same calls under the same seed and secret then give the same ids, so the same codes. It changes where
    ``smsmfa`` takes its random bytes from, in all threads of the process and nowhere else, until the ``with`` block is
    left. Of several that are active the last one to begin counts, in whatever order they end.

    Do not begin twice with one seed over one store: the second time draws ids that the store knows.

    Args:
        seed: what to draw from.
    """
    draw = _source(seed)
    with _lock:
        _active.append(draw)
        vars(codes)["urandom"] = draw
    try:
        yield
    finally:
        with _lock:
            _active.remove(draw)
            vars(codes)["urandom"] = _active[-1] if _active else os.urandom


def _source(seed: int | str) -> Callable[[int], bytes]:
    draws = count()
    return lambda size: shake_256(f"{seed!r} {next(draws)}".encode("utf-8", "surrogatepass")).digest(size)
