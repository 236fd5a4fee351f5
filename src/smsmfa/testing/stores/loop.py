"""An asynchronous store as one with plain methods. Each call runs on an event loop in its own thread."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from threading import Thread
from typing import Any, TypeVar

from ...typing import AsyncStore, Change

T = TypeVar("T")


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there; return its result or raise its exception."""
        value, error = asyncio.run_coroutine_threadsafe(_captured(work), self._loop).result()
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def close(self) -> None:
        """Cancel the tasks that are left, and close the loop."""
        self.run(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _captured(work: Coroutine[Any, Any, T]) -> tuple[T | None, BaseException | None]:
    """Return the result or the exception of a coroutine. asyncio changes some exceptions and loses others."""
    try:
        return await work, None
    except BaseException as error:
        return None, error


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


class Blocking:
    """An :class:`~smsmfa.typing.AsyncStore` as a :class:`~smsmfa.typing.Store`.

    Args:
        make: returns the store, or an awaitable of it. It is called inside the loop.
    """

    def __init__(self, make: Callable[[], Awaitable[AsyncStore] | AsyncStore]) -> None:
        self.loop: Loop = Loop()
        self.store: AsyncStore = self.loop.run(_made(make))

    def read(self, key: str) -> bytes | None:
        """Like :meth:`smsmfa.typing.Store.read`."""
        return self.loop.run(self.store.read(key))

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`smsmfa.typing.Store.update`."""
        return self.loop.run(self.store.update(keys, change))


async def _made(make: Callable[[], Awaitable[AsyncStore] | AsyncStore]) -> AsyncStore:
    made = make()
    return await made if isinstance(made, Awaitable) else made
