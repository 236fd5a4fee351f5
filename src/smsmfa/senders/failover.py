"""Send with the first carrier that takes the message; the rules of when to try another one are at the top.

1. Another carrier is tried only after one that certainly did not send and is itself the reason: ``DeliveryRejected``,
   ``SenderMisconfigured``, ``RateLimited("carrier")``.
2. ``RecipientRejected``, ``RecipientOptedOut`` and any other ``RateLimited`` stop: no other carrier may be asked.
3. ``DeliveryUncertain`` and every other error stop: the message may have gone out. All are raised as uncertain.
4. A carrier that failed several times in a row, uncertain outcomes included, is passed over on that channel.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import timedelta
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Generic, TypeVar, cast

import attrs

from ..core.arguments import check_methods, checked_clock
from ..exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from ..phone import supported_regions
from ..typing import CHANNELS, AsyncSender, Clock, Message, Receipt, Sender
from .breaker import Breaker

S = TypeVar("S")

#: Where numbers go whose country has no route of its own, and the region of those that belong to no country.
_OTHERS, _NO_COUNTRY = "*", "001"
_LONGEST_PAUSE = timedelta(days=1)


@attrs.frozen
class _Carrier(Generic[S]):
    """A sender, what it is called in a log (its place and its class), and its breaker on each channel."""

    sender: S
    name: str
    breakers: Mapping[str, Breaker]


class _Failover(ABC, Generic[S]):
    """What the two senders share: all but how they wait."""

    def __init__(
        self,
        senders: Sequence[S] | Mapping[str, S | Sequence[S]],
        *,
        failures: int = 5,
        pause: timedelta = timedelta(seconds=30),
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self._routes: dict[str, list[_Carrier[S]]] = {}  # a traceback with locals shows a repr
        routes = _checked_routes(senders)
        if type(failures) is not int or failures < 1:
            raise ConfigurationError("failures: a whole number from 1")
        if not isinstance(pause, timedelta) or not timedelta(0) < pause <= _LONGEST_PAUSE:
            raise ConfigurationError("pause: a timedelta above zero and of at most a day")
        checked_clock(clock)
        asynchronous = iscoroutinefunction(self.send)
        carriers: dict[int, _Carrier[S]] = {}
        for region, route in routes.items():
            for sender in route:
                check_methods(sender, f"senders[{region!r}]", ("send",), asynchronous=asynchronous)
                name = f"{len(carriers) + 1} ({type(sender).__name__})"
                breakers = {channel: Breaker(failures, pause, clock) for channel in CHANNELS}
                carriers.setdefault(id(sender), _Carrier(sender, name, breakers))
        self._routes = {region: [carriers[id(sender)] for sender in route] for region, route in routes.items()}

    def __repr__(self) -> str:
        routes = [f"{region}: {', '.join(carrier.name for carrier in route)}" for region, route in self._routes.items()]
        return f"<{type(self).__name__} {'; '.join(routes)}>"

    @abstractmethod
    def send(self, message: Message) -> Receipt | Awaitable[Receipt]: ...

    def _attempts(self, message: Message) -> "_Attempts[S]":
        route = self._routes.get(message.to.region) or self._routes.get(_OTHERS, [])
        return _Attempts(route, message.channel)


class FailoverSender(_Failover[Sender]):
    """A :class:`~smsmfa.typing.Sender` that tries one carrier after the other, until one takes the message.

    The next one is tried only when the last one certainly did not send and is itself the reason: after a
    ``DeliveryRejected`` (``SenderMisconfigured`` too), or ``RateLimited("carrier")``. A ``RecipientRejected``
    stops, and so does whatever leaves open whether the message went out. It may be shared between threads, and the
    carriers between routes and failover senders.

    A carrier whose last ``failures`` messages failed, those of unknown fate included, is passed over for ``pause``;
    then one message tries it again, and only if that goes well do the others follow. Each channel counts for itself:
    a carrier without voice still has SMS. A refusal of the recipient is no failure of the carrier.

    Args:
        senders: a list, the first choice first; or a mapping from ISO country codes, and ``"*"`` for all others, to a
            sender or a list. The country is that of the recipient, ``message.to.region``. Numbers of no country
            (``"001"``) have the route ``"*"`` unless they have their own.
        failures: how many in a row take a carrier out.
        pause: for how long; at most a day.
        clock: nanoseconds as an integer, of which only the difference matters; by default one that nobody sets.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to mend it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once, with the first carrier that takes it.

        Returns:
            That carrier's receipt.

        Raises:
            RateLimited: certainly not sent: no carrier took it, and at least one asks for a pause or is being passed
                over; ``retry_after`` is the shortest, where one is known.
            DeliveryRejected: certainly not sent: no carrier took it, and trying again may help. The last one's error.
            SenderMisconfigured: certainly not sent, and the operator must act: every carrier said so (the last one's
                error), or there is no route for this country.
            RecipientRejected: certainly not sent, because of who it is to. No other carrier was asked.
            DeliveryUncertain: perhaps sent. No other carrier was asked.
        """
        attempts = self._attempts(message)
        for attempt in attempts:
            with attempt as sender:
                return sender.send(message)
        raise attempts.outcome()


class AsyncFailoverSender(_Failover[AsyncSender]):
    """:class:`FailoverSender` for asyncio, with the same arguments, over asynchronous senders."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`FailoverSender.send`. A call that is cancelled may have sent, and asks no other carrier."""
        attempts = self._attempts(message)
        for attempt in attempts:
            with attempt as sender:
                return await sender.send(message)
        raise attempts.outcome()


class _Attempts(Generic[S]):
    """The carriers that are asked for one message, one after the other, and what came of it."""

    def __init__(self, carriers: Sequence[_Carrier[S]], channel: str) -> None:
        self._carriers = carriers
        self._channel = channel
        self._refusals: list[SmsMfaError] = []
        self._last_word: SmsMfaError | None = None

    def __iter__(self) -> "Iterator[_Attempt[S]]":
        for carrier in self._carriers:
            breaker = carrier.breakers.get(self._channel, carrier.breakers["sms"])
            ticket = breaker.enter()
            if ticket is None:
                self._refusals.append(RateLimited("carrier", breaker.left()))
                continue
            yield _Attempt(self, carrier, breaker, ticket)
            if self._last_word is not None:
                return

    def judge(self, error: Exception) -> bool | None:
        """Keep an error for :meth:`outcome`; return whether it shows that the carrier works, as a breaker asks."""
        if isinstance(error, RecipientRejected) or (isinstance(error, RateLimited) and error.scope != "carrier"):
            self._last_word = error
            return True if isinstance(error, RecipientRejected) else None
        if isinstance(error, DeliveryRejected | RateLimited):
            self._refusals.append(error)
        elif isinstance(error, DeliveryUncertain):
            self._last_word = error
        else:
            self._last_word = DeliveryUncertain(
                f"a carrier raised {type(error).__name__}; the message may have gone out"
            )
        return False

    def outcome(self) -> SmsMfaError:
        """Return the error of a message that no carrier took: of several, the one that is true of all of them."""
        if self._last_word is not None:
            return self._last_word
        limits = [error for error in self._refusals if isinstance(error, RateLimited)]
        if limits:
            return min(limits, key=lambda limit: (limit.retry_after is None, limit.retry_after or timedelta(0)))
        if not self._refusals:
            return SenderMisconfigured("no carrier for numbers of this country: add it, or '*', to the senders")
        mendable = [error for error in self._refusals if not isinstance(error, SenderMisconfigured)]
        return (mendable or self._refusals)[-1]


@attrs.frozen
class _Attempt(Generic[S]):
    """One carrier and one message. The ``with`` block sends; its errors are kept, but for those that end a task."""

    attempts: _Attempts[S]
    carrier: _Carrier[S]
    breaker: Breaker
    ticket: int

    def __enter__(self) -> S:
        return self.carrier.sender

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None:
            self.breaker.leave(self.ticket, True)
            return False
        works = self.attempts.judge(error) if isinstance(error, Exception) else None
        opened = self.breaker.leave(self.ticket, works)
        if works is False:
            _complain(self.carrier.name, error, opened)
        return isinstance(error, Exception)


def _complain(name: str, error: BaseException, opened: bool) -> None:
    """Tell the operator, who may hear of it from nobody else; never what the carrier said."""
    import logging  # see events.py

    more = "; it is passed over for a while" if opened else ""
    logging.getLogger("smsmfa").warning("carrier %s: %s%s", name, type(error).__name__, more)


def _checked_routes(senders: "Sequence[S] | Mapping[str, S | Sequence[S]]") -> dict[str, list[S]]:
    """Return the senders of each region; a list alone is for all."""
    if not isinstance(senders, Mapping):
        return {_OTHERS: _checked_route(senders)}
    known = {_OTHERS, _NO_COUNTRY, *supported_regions()}
    strange = [region for region in senders if region not in known]
    if strange:
        raise ConfigurationError(f"senders: {strange[0]!r} is neither an ISO country code, as 'US' is, nor '*'")
    if not senders:
        raise ConfigurationError("senders: at least one route")
    return {
        region: _checked_route(route if isinstance(route, list | tuple) else [cast("S", route)])
        for region, route in senders.items()
    }


def _checked_route(route: Sequence[S]) -> list[S]:
    if not isinstance(route, list | tuple) or not route:
        raise ConfigurationError(
            "senders: a list of at least one sender, or a mapping from country codes to such lists"
        )
    if len(set(map(id, route))) < len(route):
        raise ConfigurationError("senders: the same sender twice in one list; it would be asked again what it refused")
    return list(route)
