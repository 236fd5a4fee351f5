"""Send messages with one of the SMS services that Apprise knows. Apprise is the extra ``apprise``."""

import re
from datetime import timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

from ..core.arguments import checked_timeout
from ..core.opaque import Opaque
from ..exceptions import ConfigurationError, DeliveryUncertain, SenderMisconfigured, SmsMfaError
from ..phone import PhoneNumber
from ..typing import SMS, Message, Receipt
from .base import TIMEOUT, AsyncRunner, BaseSender, Runner
from .silence import silenced

_URL = re.compile(r"([a-z0-9]+)://.+")
#: Where the number goes in the URL.
_PLACE = "{to}"
#: Packages that log messages, answers and URLs.
_TALKATIVE = "apprise", "requests", "urllib3"
#: The recipient with which the URL is checked. Nothing is sent to it.
_ANYBODY = PhoneNumber("+12025550147", "US", "mobile")


class _Apprise(BaseSender):
    """What the two senders share."""

    _carrier = "apprise"
    _schema = ""  # shown in a traceback with locals if __init__ fails

    def __init__(self, url: str, *, timeout: timedelta = TIMEOUT) -> None:
        hidden = Opaque(url)
        del url  # a traceback with locals must not show its credentials
        if find_spec("apprise") is None:
            raise ConfigurationError('AppriseSender needs apprise: pip install "smsmfa[apprise]"')
        self._seconds = checked_timeout(timeout)
        self._schema = _schema(hidden) or ""
        if not self._schema:
            raise ConfigurationError("url: an Apprise URL with {to} once, for example 'vonage://KEY:SECRET@FROM/{to}'")
        self._url = hidden
        with silenced(*_TALKATIVE):
            problem = _problem(self._service(_ANYBODY), _ANYBODY)
        if problem:
            raise ConfigurationError(f"url: {problem}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._schema!r})"

    @property
    def _name(self) -> str:
        return self._schema

    def _service(self, to: PhoneNumber) -> Any:
        """Return Apprise's service for one recipient, or ``None`` if Apprise does not understand the URL."""
        import apprise

        with silenced(*_TALKATIVE):
            service = apprise.Apprise.instantiate(self._url.reveal().replace(_PLACE, quote(to.e164, safe="")))
        if service is not None:
            service.redirects = False
            service.overflow_mode = apprise.OverflowMode.UPSTREAM  # one message, however long
            service.socket_connect_timeout = service.socket_read_timeout = self._seconds
        return service

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        if message.channel != SMS:
            return SenderMisconfigured(f"AppriseSender sends SMS only; it has no channel {message.channel!r}")
        service = self._service(message.to)
        with silenced(*_TALKATIVE):
            problem = _problem(service, message.to)
            if problem:
                return SenderMisconfigured(f"AppriseSender: {problem}")
            try:
                sent = service.notify(body=message.text)
            except Exception as error:
                return DeliveryUncertain(f"Apprise raised {type(error).__name__}", outage=False)
        if sent:
            return Receipt(sender=self._schema)
        # It may be due to the recipient.
        return DeliveryUncertain("Apprise failed, and does not say whether the message was sent", outage=False)


class AppriseSender(_Apprise, Runner):
    """A :class:`~smsmfa.typing.Sender` for the SMS services of Apprise (https://appriseit.com), safe between threads.

    Apprise says whether it succeeded, and no more. A message that failed may have been sent: it is charged, its code
    stays valid, and a :class:`~smsmfa.senders.failover.FailoverSender` tries no other carrier. Prefer another sender
    if there is one for your carrier. There are no retries and no redirects. Apprise's logs are silenced while a message
    is sent, because they contain its code.

    Args:
        url: an Apprise URL for your service, with ``{to}`` for the recipient's number:
            ``"vonage://KEY:SECRET@FROM/{to}"``. It is secret: no ``repr``, log line, traceback or pickle shows it.
        timeout: how long the service may take to accept a connection, and again between two bytes of its answer;
            above zero, at most an hour.

    Raises:
        ConfigurationError: an argument is wrong, the URL does not send exactly one message to ``{to}``, or Apprise is
            not installed.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt without an id, because Apprise reports none.

        Raises:
            SenderMisconfigured: certainly not sent: the URL does not work for this number, or the channel is not SMS.
            DeliveryUncertain: perhaps sent: Apprise failed.
        """
        return self._run(self._deliver, message)


class AsyncAppriseSender(_Apprise, AsyncRunner):
    """:class:`AppriseSender` for asyncio, with the same arguments. It sends in up to 16 threads."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`AppriseSender.send`. If no thread is free within ``timeout`` it raises DeliveryRejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)


def _schema(hidden: Opaque[str]) -> str | None:
    """Return the name of the service, which is not secret, or ``None`` if this cannot be a URL."""
    url = hidden.reveal()
    found = _URL.fullmatch(url) if isinstance(url, str) and url.count(_PLACE) == 1 else None
    return found and found[1]


def _problem(service: Any, to: PhoneNumber) -> str | None:
    """Say why a service does not send exactly one message to exactly this number, or return ``None``."""
    if service is None:
        return "Apprise does not understand it; check the service's name and the parts of its URL"
    if len(service) != 1:
        return "it would send more than one message; name {to} as the only recipient, and no retry"
    if to.e164[1:] not in service.url(privacy=False):
        return "Apprise drops the number; put {to} where this service expects the recipient"
    return None
