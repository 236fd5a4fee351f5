"""What a sender shares between threads: values that are made once, and the threads in which async senders send."""

from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from ..exceptions import DeliveryRejected

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")

#: How many messages an async sender sends at the same time. HTTP clients keep twice as many connections open.
MOST_AT_ONCE = 16


class Once(Generic[T]):
    """A value that is made at the first call. Threads that call together get the same value.

    Args:
        make: makes the value.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        """Return the value."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class SendingThreads:
    """Up to 16 threads, used by one sender and started when they are needed.

    Args:
        name: the name of the carrier, for the threads and for errors.
        timeout: how many seconds a message waits for a free thread.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout

    async def run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run ``call`` in a thread. Once it has begun it runs to its end, even if the task is cancelled.

        Raises:
            DeliveryRejected: no thread was free in time. The message was not sent and will not be.
        """
        import asyncio  # heavy, and an async caller has loaded it

        sending = self._pool.submit(call, *arguments, **named)
        waiting = asyncio.wrap_future(sending)
        try:
            await asyncio.wait([waiting], timeout=self._timeout)
            if sending.cancel():
                words = f"{self._name}: too many messages are waiting to be sent"
                raise DeliveryRejected(words, carrier=self._name.lower())
            return await waiting
        finally:
            waiting.cancel()

    @cached_property
    def _pool(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix=f"smsmfa-{self._name}")
