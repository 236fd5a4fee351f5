"""What all senders for carriers share: one delivery for each message, secrets that stay hidden, and how they wait."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, NoReturn, ParamSpec, TypeVar

from ..exceptions import SmsMfaError
from ..typing import Message, Receipt
from .threads import SendingThreads

P = ParamSpec("P")
T = TypeVar("T")


class BaseSender(ABC):
    """Delivers a message once. A subclass for each carrier defines :meth:`_outcome`."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds a secret and cannot be pickled or copied; make another one")

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once. Errors are raised here, where no frame holds the request or the answer."""
        outcome = self._outcome(message)
        if isinstance(outcome, SmsMfaError):
            raise outcome
        return outcome

    @abstractmethod
    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        """Send ``message`` once; return the error instead of raising it."""


class Runner:
    """Runs a blocking call in the thread that makes it."""

    def _run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return call(*arguments, **named)


class AsyncRunner:
    """Runs a blocking call in one of the sender's threads."""

    _carrier: ClassVar[str]
    _seconds: float

    @cached_property
    def _threads(self) -> SendingThreads:
        return SendingThreads(self._carrier, self._seconds)

    async def _run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self._threads.run(call, *arguments, **named)
