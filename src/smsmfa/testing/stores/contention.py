"""How long a store must try before it may say that others were in the way."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

from ...exceptions import StoreContention

T = TypeVar("T")

#: A store tries for about 5 seconds ("What must hold", 6). Seconds, with room for a clock that is read early.
SOONEST = 4.0


def persistently(call: Callable[[], T]) -> T:
    """Make a call again as long as it raises StoreContention, which means that nothing was stored.

    Raises:
        AssertionError: the store gave up too soon.
    """
    while True:
        with _patient():
            return call()


async def apersistently(call: Callable[[], Awaitable[T]]) -> T:
    """Like :func:`persistently`, for a coroutine function."""
    while True:
        with _patient():
            return await call()


@contextmanager
def _patient() -> Iterator[None]:
    """Let a StoreContention pass that comes late enough."""
    begun = monotonic()
    try:
        yield
    except StoreContention as error:
        tried = monotonic() - begun
        if tried < SOONEST:
            raise AssertionError(
                f"the store raised StoreContention after {tried:.2f} seconds; it must try for about 5"
            ) from error
