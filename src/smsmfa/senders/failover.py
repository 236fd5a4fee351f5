"""Send with the first carrier that accepts the message. These rules say when another carrier is tried.

1. The next carrier is tried only if the last one certainly did not send and was itself the reason:
   ``DeliveryRejected``, ``SenderMisconfigured`` or ``RateLimited("carrier")``.
2. ``RecipientRejected``, ``RecipientOptedOut`` and any other ``RateLimited`` stop: no other carrier may be tried.
3. ``DeliveryUncertain`` and every other error stop: the message may have been sent. All are raised as uncertain.
4. A carrier that failed for several different numbers in a row on a channel is skipped on that channel. Only errors
   that have nothing to do with the recipient count (``outage``), so nobody can stop a carrier for others.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import timedelta
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Generic, TypeAlias, TypeVar

import attrs

from ..core.arguments import check_methods, checked_clock
from ..exceptions import (
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from ..typing import CHANNELS, SMS, AsyncSender, Clock, Message, Receipt, Sender
from .breaker import Breaker, Ticket
from .routes import OTHERS, Routes, Senders, Step, checked_steps

S = TypeVar("S")
#: An error after which the next carrier is tried.
_Refusal: TypeAlias = DeliveryRejected | RateLimited

#: The route of every country without its own route, and the region of numbers that belong to no country.
_OTHERS, _NO_COUNTRY = "*", "001"
_LONGEST_PAUSE = timedelta(days=1)


@attrs.frozen
class _Carrier(Generic[S]):
    """A sender, its name in logs (its place and its class), and its breaker for each channel."""

    sender: S
    name: str
    breakers: Mapping[str, Breaker]


@attrs.frozen
class _Leg(Generic[S]):
    """A carrier on one route, and how it is used there."""

    carrier: _Carrier[S]
    step: Step[S]

    @property
    def name(self) -> str:
        return self.carrier.name + (f" by {self.step.channel}" if self.step.channel else "")


class _Failover(ABC, Generic[S]):
    """What the two senders share."""

    def __init__(
        self,
        senders: Senders[S] | None = None,
        *,
        routes: Routes[S] | None = None,
        failures: int = 5,
        pause: timedelta = timedelta(seconds=30),
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self._routes: dict[str, list[_Leg[S]]] = {}  # a traceback with locals calls __repr__ if __init__ fails
        named, steps = "senders" if routes is None else "routes", checked_steps(senders, routes)
        if type(failures) is not int or failures < 1:
            raise ConfigurationError("failures: an int, at least 1")
        if not isinstance(pause, timedelta) or not timedelta(0) < pause <= _LONGEST_PAUSE:
            raise ConfigurationError("pause: a timedelta above zero, at most one day")
        checked_clock(clock)
        asynchronous = iscoroutinefunction(self.send)
        carriers: dict[int, _Carrier[S]] = {}
        for region, route in steps.items():
            for sender in (step.sender for step in route):
                check_methods(sender, f"{named}[{region!r}]", ("send",), asynchronous=asynchronous)
                name = f"{len(carriers) + 1} ({type(sender).__name__})"
                breakers = {channel: Breaker(failures, pause, clock) for channel in CHANNELS}
                carriers.setdefault(id(sender), _Carrier(sender, name, breakers))
        self._routes = {
            region: [_Leg(carriers[id(step.sender)], step) for step in route] for region, route in steps.items()
        }

    def __repr__(self) -> str:
        routes = [f"{region}: {', '.join(leg.name for leg in route)}" for region, route in self._routes.items()]
        return f"<{type(self).__name__} {'; '.join(routes)}>"

    @property
    def carriers(self) -> tuple[S, ...]:
        """The senders of all routes, each once."""
        found = {id(leg.carrier): leg.carrier.sender for route in self._routes.values() for leg in route}
        return tuple(found.values())

    @abstractmethod
    def send(self, message: Message) -> Receipt | Awaitable[Receipt]: ...

    def _attempts(self, message: Message) -> "_Attempts[S]":
        route = self._routes.get(message.to.region) or self._routes.get(OTHERS, [])
        return _Attempts(route, message)


class FailoverSender(_Failover[Sender]):
    """A :class:`~smsmfa.typing.Sender` that tries several carriers in order, until one accepts the message.

    The next carrier is tried only if the last one certainly did not send and was itself the reason: it raised
    ``DeliveryRejected``, ``SenderMisconfigured`` or ``RateLimited("carrier")``. A ``RecipientRejected`` stops, and so
    does any outcome after which the message may have been sent. The sender may be shared between threads, and the
    carriers between routes and between failover senders.

    A carrier that failed for ``failures`` different numbers, without a success between them, is skipped for ``pause``.
    Then one message at a time tests it, and the others follow once one succeeds; after failures for two numbers it is
    skipped again. Each channel counts for itself: a carrier without voice still sends SMS. Only errors whose ``outage``
    is true count (:class:`~smsmfa.DeliveryError`), and a stray ``OSError``. Whatever may be due to the recipient does
    not count, so that no user can stop a carrier for others. Numbers are remembered as hashes under a random key.

    Args:
        senders: a list of senders, first choice first; or a mapping from ISO country codes, and ``"*"`` for all other
            countries, to a sender or a list. The country is the recipient's, ``message.to.region``. Numbers that
            belong to no country (``"001"``) use the route ``"*"`` unless they have their own.
        routes: instead of ``senders``, a mapping from country codes, and ``"*"``, to lists of steps such as
            ``("voice", sender)``. An SMS is sent by the steps ``"sms"``, and becomes a call at the steps ``"voice"``,
            in the order of the list. A message that was asked for on another channel uses the steps of that channel.
            Events and challenges name the channel that was asked for.
        failures: how many different numbers must fail in a row before a carrier is skipped. With 1, a single number
            for which the carrier does not answer is enough.
        pause: how long it is skipped; at most one day.
        clock: nanoseconds as an int. Only differences matter; the default is :func:`time.monotonic_ns`.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to fix it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once, with the first carrier that accepts it.

        Returns:
            That carrier's receipt.

        Raises:
            RateLimited: certainly not sent: no carrier accepted it, and at least one asks for a pause or is being
                skipped. ``retry_after`` is the shortest known pause.
            DeliveryRejected: certainly not sent: no carrier accepted it, and trying again may help. This is the last
                such carrier's error.
            SenderMisconfigured: certainly not sent, and an operator must act: every carrier raised this (this is the
                last one), or there is no route for this country.
            RecipientRejected: certainly not sent, because of the recipient. No other carrier was tried.
            DeliveryUncertain: perhaps sent. No other carrier was tried.
        """
        attempts = self._attempts(message)
        for attempt in attempts:
            with attempt as sender:
                return sender.send(attempt.message)
        raise attempts.outcome()


class AsyncFailoverSender(_Failover[AsyncSender]):
    """:class:`FailoverSender` for asyncio, with the same arguments, over asynchronous senders."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`FailoverSender.send`. A cancelled call may have sent the message, and tries no other carrier."""
        attempts = self._attempts(message)
        for attempt in attempts:
            with attempt as sender:
                return await sender.send(attempt.message)
        raise attempts.outcome()


class _Attempts(Generic[S]):
    """The carriers that are tried for one message, in order, and their errors."""

    def __init__(self, route: Sequence[_Leg[S]], message: Message) -> None:
        self._to = message.to.e164
        sent = [(leg.carrier, leg.step.message(message)) for leg in route]
        self._sent = [(carrier, one) for carrier, one in sent if one is not None]
        self._refusals: list[_Refusal] = []
        self._final: DeliveryError | RateLimited | None = None

    def __iter__(self) -> "Iterator[_Attempt[S]]":
        for carrier, message in self._sent:
            breaker = carrier.breakers.get(message.channel, carrier.breakers[SMS])
            ticket = breaker.enter(self._to)
            if ticket is None:
                self._refusals.append(RateLimited("carrier", breaker.left(self._to), carrier=carrier.name))
                continue
            yield _Attempt(self, carrier, message, breaker, ticket)
            if self._final is not None:
                return

    def judge(self, error: Exception, name: str) -> bool:
        """Keep an error for :meth:`outcome`; return whether it counts against the carrier."""
        if isinstance(error, RecipientRejected) or (isinstance(error, RateLimited) and error.scope != "carrier"):
            self._final = error
        elif isinstance(error, DeliveryRejected | RateLimited):
            self._refusals.append(error)
        elif isinstance(error, DeliveryUncertain):
            self._final = error
        else:
            words = f"a carrier raised {type(error).__name__}; the message may have been sent"
            self._final = DeliveryUncertain(words, outage=isinstance(error, OSError), carrier=name)
        return (self._final or self._refusals[-1]).outage

    def outcome(self) -> SmsMfaError:
        """Return the error of a message that no carrier accepted. Of several errors, take one that is true of all."""
        if self._final is not None:
            return self._final
        if not self._refusals:
            return SenderMisconfigured("no route for this country and channel: add the country, or '*', to the routes")
        return _blamed(self._chosen(), all(error.outage for error in self._refusals))

    def _chosen(self) -> _Refusal:
        limits = [error for error in self._refusals if isinstance(error, RateLimited)]
        if limits:
            return min(limits, key=lambda limit: (limit.retry_after is None, limit.retry_after or timedelta(0)))
        passing = [error for error in self._refusals if not isinstance(error, SenderMisconfigured)]
        return (passing or self._refusals)[-1]


@attrs.frozen
class _Attempt(Generic[S]):
    """One carrier and one message. The ``with`` block sends. Its errors are kept, except those that end a task."""

    attempts: _Attempts[S]
    carrier: _Carrier[S]
    message: Message
    breaker: Breaker
    ticket: Ticket

    def __enter__(self) -> S:
        return self.carrier.sender

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None:
            self.breaker.leave(self.ticket, True)
            return False
        counts = isinstance(error, Exception) and self.attempts.judge(error, self.carrier.name)
        opened = self.breaker.leave(self.ticket, False if counts else None)
        if isinstance(error, Exception) and _is_carriers(error):
            _warn(self.carrier.name, error, opened)
        return isinstance(error, Exception)


def _blamed(error: _Refusal, outage: bool) -> _Refusal:
    """Return the error, or a copy that says whether all carriers failed for a reason other than the recipient."""
    if error.outage == outage:
        return error
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__, outage=outage)
    return copy


def _is_carriers(error: Exception) -> bool:
    """Tell whether the carrier is at fault, and not the recipient or a limit of our own."""
    return not isinstance(error, RecipientRejected) and getattr(error, "scope", "carrier") == "carrier"


def _warn(name: str, error: BaseException, opened: bool) -> None:
    """Warn the operator, who may not learn of it elsewhere. The error text is left out: it may contain the message."""
    code = getattr(error, "carrier_code", None)
    more = (f", code {code}" if code else "") + ("; it is skipped for a while" if opened else "")
    logging.getLogger("smsmfa").warning("carrier %s: %s%s", name, type(error).__name__, more)
