"""Which carriers are tried for a country, in which order, and on which channel."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import attrs

from ..exceptions import ConfigurationError
from ..phone import supported_regions
from ..texts.layout import Frame, spoken
from ..typing import SMS, VOICE, WHATSAPP, Message

S = TypeVar("S")
#: Senders in order, for every country or by country.
Senders: TypeAlias = Sequence[S] | Mapping[str, S | Sequence[S]]
#: Steps in order by country, each a channel and a sender.
Routes: TypeAlias = Mapping[str, Sequence[tuple[str, S]]]

#: The route of every country without its own, and the region of numbers that belong to no country.
OTHERS: Final = "*"
_NO_COUNTRY = "001"
_CHANNELS = SMS, VOICE, WHATSAPP
#: The last line of an SMS, which only machines read: the host and the code, or what names an Android app.
_LAST_LINE = re.compile(r"\n(@\S+ #[0-9]+( \S{11})?|[A-Za-z0-9+/]{11})\Z")


@attrs.frozen
class Step(Generic[S]):
    """A carrier that is tried.

    Args:
        sender: the carrier's sender.
        channel: the channel that it sends on; ``None`` means that of the message.
    """

    sender: S
    channel: str | None = None

    def message(self, message: Message) -> Message | None:
        """Return a message as this step sends it, or ``None`` if the step does not serve the message's channel.

        An SMS may become a call. A message that was asked for on another channel stays there.
        """
        if self.channel in {None, message.channel}:
            return message
        return called(message) if (message.channel, self.channel) == (SMS, VOICE) else None


def called(message: Message) -> Message:
    """Return an SMS as a call: without the line for machines, the digits apart, and the code twice."""
    code = message.code.reveal()
    body = _LAST_LINE.sub("", message.text).replace(code, spoken(code))
    text = Frame(digits=len(code), host=None, android_hash=None).finished(body, code, VOICE)
    return attrs.evolve(message, text=text, channel=VOICE)


def checked_steps(senders: "Senders[S] | None", routes: "Routes[S] | None") -> dict[str, list[Step[S]]]:
    """Return the steps of each region, or of ``"*"``.

    Raises:
        ConfigurationError: both are given, or neither; there is no such region or channel; a route is empty, or repeats
            a step.
    """
    if (senders is None) == (routes is None):
        raise ConfigurationError("senders: give a list of senders or a mapping, or else give routes")
    if routes is not None:
        return {region: _steps(routes[region]) for region in _checked_regions(routes, "routes")}
    if not isinstance(senders, Mapping):
        return {OTHERS: _plain(senders)}
    given = {region: senders[region] for region in _checked_regions(senders, "senders")}
    return {
        region: _plain(route if isinstance(route, list | tuple) else [cast("S", route)])
        for region, route in given.items()
    }


def _checked_regions(routes: Any, name: str) -> list[str]:
    if not isinstance(routes, Mapping) or not routes:
        raise ConfigurationError(f"{name}: give at least one route, by country code or '*'")
    known = {OTHERS, _NO_COUNTRY, *supported_regions()}
    for region in routes:
        if region not in known:
            raise ConfigurationError(f"{name}: {region!r} is neither an ISO country code such as 'US' nor '*'")
    return list(routes)


def _plain(route: Any) -> list[Step[S]]:
    if not isinstance(route, list | tuple) or not route:
        raise ConfigurationError("senders: give a list of senders, or a mapping from country codes to such lists")
    if len(set(map(id, route))) < len(route):
        raise ConfigurationError(
            "senders: the same sender is twice in one list, and would be tried again after it refused"
        )
    return [Step(sender) for sender in route]


def _steps(route: Any) -> list[Step[S]]:
    """Return the steps of one country."""
    given = list(route) if isinstance(route, list | tuple) else []
    if not given or not all(isinstance(step, tuple) and len(step) == 2 and step[0] in _CHANNELS for step in given):
        raise ConfigurationError('routes: give each country a list of pairs such as ("voice", sender)')
    if len({(channel, id(sender)) for channel, sender in given}) < len(given):
        raise ConfigurationError(
            "routes: the same step is twice in one list, and would be tried again after it refused"
        )
    return [Step(sender, channel) for channel, sender in given]
