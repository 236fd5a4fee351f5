"""What all senders for carriers share: one delivery for each message, secrets that stay hidden, and how they wait."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import ClassVar, Final, NoReturn, ParamSpec, TypeVar

from ..exceptions import DeliveryError, DeliveryRejected, RateLimited, SenderMisconfigured, SmsMfaError
from ..typing import Message, Receipt
from .threads import SendingThreads

P = ParamSpec("P")
T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: How long a carrier may take to accept a connection, and again to answer, by default.
TIMEOUT: Final = timedelta(seconds=10)


def unreachable(carrier: str, why: str = "") -> DeliveryRejected:
    """Return the error for a connection that was never made."""
    return DeliveryRejected(f"{carrier} cannot be reached{why}", outage=True)


def untrusted(carrier: str) -> SenderMisconfigured:
    """Return the error for a certificate that is not trusted."""
    advice = "check CA certificates, proxy and clock"
    return SenderMisconfigured(f"the certificate of {carrier} is not trusted here: {advice}", outage=True)


def seconds_left(expires_at: datetime, now: int, shortest: int, longest: int) -> int:
    """Return the seconds until a code expires, rounded up, within what a carrier accepts.

    Args:
        expires_at: when the code expires.
        now: nanoseconds since the epoch.
        shortest: the least number of seconds that the carrier accepts.
        longest: the most.
    """
    left = (expires_at - _EPOCH) // timedelta(microseconds=1) * 1000 - now
    return min(max(-(-left // 10**9), shortest), longest)


class BaseSender(ABC):
    """Delivers a message once. A subclass for each carrier defines :meth:`_outcome`."""

    _carrier: ClassVar[str]

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds a secret and cannot be pickled or copied; make another one")

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once. Errors are raised here, where no frame holds the request or the answer."""
        outcome = self._outcome(message)
        if isinstance(outcome, SmsMfaError):
            if isinstance(outcome, DeliveryError | RateLimited):
                outcome.carrier = self._name
            raise outcome
        return outcome

    @property
    def _name(self) -> str:
        """The name of the carrier in receipts and errors."""
        return self._carrier.lower()

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
