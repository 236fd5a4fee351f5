"""Threads that make blocking calls for the tasks of an event loop."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from ..exceptions import StoreContention

T = TypeVar("T")


class Worker:
    """Makes calls in its own threads. With one thread, calls are made one by one, in the order of the requests.

    Args:
        timeout: how long a call may wait for the calls before it.
        threads: how many calls are made at the same time.
    """

    def __init__(self, timeout: timedelta, threads: int = 1) -> None:
        self._timeout = timeout.total_seconds()
        self._threads = threads
        self._process = 0
        self._pool: ThreadPoolExecutor | None = None

    async def call(self, call: Callable[..., T], *arguments: object) -> T:
        """Return what a call returns. A call that has begun is finished, even if the task is cancelled.

        Raises:
            StoreContention: earlier calls took too long, so this one was not made.
        """
        due = time.monotonic() + self._timeout

        def run() -> tuple[T, None] | tuple[None, BaseException]:
            try:
                if time.monotonic() > due:
                    raise StoreContention(f"other tasks kept the store busy for {self._timeout} s; nothing was changed")
                return call(*arguments), None
            except BaseException as error:
                return None, error  # asyncio would replace some exceptions by others

        value, error = await self._begun(run)
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def end(self) -> None:
        """End the threads after the calls they have. A later call starts new threads."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)

    def _begun(self, run: Callable[[], T]) -> asyncio.Future[T]:
        while True:
            pool = self._current()
            try:
                return asyncio.get_running_loop().run_in_executor(pool, run)
            except RuntimeError:
                if pool is self._pool:
                    raise  # the interpreter is ending
                # another thread ended this pool in the meantime; try again with a new one

    def _current(self) -> ThreadPoolExecutor:
        pool = self._pool
        if pool is None or self._process != os.getpid():  # a fork does not copy threads
            pool = ThreadPoolExecutor(self._threads, "smsmfa")
            self._pool, self._process = pool, os.getpid()
        return pool
