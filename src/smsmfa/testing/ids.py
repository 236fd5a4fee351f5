"""Ids and recovery codes that are the same in every run of a test."""

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
    """Draw challenge ids, phone ids and recovery codes from a seed. For tests only: predictable ids protect nothing.

    The same calls under the same seed and secret produce the same ids, and so the same one-time codes. Inside the
    ``with`` block ``smsmfa`` takes its random bytes from the seed, in every thread of the process. Nothing else in the
    process is affected. If blocks are nested or overlap, the most recently entered one that is still open applies.

    Do not use the same seed twice on one store: the second block would draw ids that are already in the store.

    Args:
        seed: where the ids come from; any int or str.
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
