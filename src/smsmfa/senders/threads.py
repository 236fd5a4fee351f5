"""Threads in which senders that block send for asyncio."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..exceptions import DeliveryRejected

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")

#: How many messages a sender hands over at the same time.
_MOST = 16


class SendingThreads:
    """Up to 16 threads of one sender's own, started as they are needed.

    Args:
        name: the carrier's, for the threads and for the error.
        timeout: seconds that a message waits for a free thread.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._seconds = timeout

    async def run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Make ``call`` in a thread; it bounds its own time. If the task is cancelled, what has begun goes on.

        Raises:
            DeliveryRejected: no thread was free in time, so the message was not sent and will not be.
        """
        import asyncio

        sending = self._pool.submit(call, *arguments, **named)
        waiting = asyncio.wrap_future(sending)
        try:
            await asyncio.wait([waiting], timeout=self._seconds)
            if sending.cancel():
                raise DeliveryRejected(f"{self._name}: too many messages wait to be sent")
            return await waiting
        finally:
            waiting.cancel()

    @cached_property
    def _pool(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(_MOST, thread_name_prefix=f"smsmfa-{self._name}")
