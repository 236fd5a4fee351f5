"""Send messages with one of the SMS services that Apprise knows. Apprise is the extra ``apprise``."""

import re
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, NoReturn
from urllib.parse import quote

from ..core.arguments import checked_timeout
from ..core.opaque import Opaque
from ..exceptions import ConfigurationError, DeliveryError, DeliveryUncertain, SenderMisconfigured
from ..phone import PhoneNumber
from ..typing import Message, Receipt
from .muted import muted
from .threads import SendingThreads

_URL = re.compile(r"([a-z0-9]+)://.+")
#: Where the number goes in the URL.
_PLACE = "{to}"
#: Packages that write messages, answers and addresses into their logs.
_TALKATIVE = "apprise", "requests", "urllib3"
#: Stands for every recipient while the URL is checked; nothing is sent to it.
_ANYBODY = PhoneNumber("+12025550147", "US", "mobile")


class _Apprise:
    """What the two senders share: all but how they wait."""

    _schema = ""  # of a sender that is being made, in a traceback with locals

    def __init__(self, url: str, *, timeout: timedelta = timedelta(seconds=10)) -> None:
        hidden = Opaque(url)
        del url  # it has credentials, which no traceback with locals shows
        if find_spec("apprise") is None:
            raise ConfigurationError('AppriseSender needs apprise: pip install "smsmfa[apprise]"')
        self._seconds = checked_timeout(timeout)
        self._schema = _schema(hidden) or ""
        if not self._schema:
            raise ConfigurationError(
                "url: one of Apprise's, with {to} once, for example 'vonage://KEY:SECRET@FROM/{to}'"
            )
        self._url = hidden
        self._threads = SendingThreads("apprise", self._seconds)
        with muted(*_TALKATIVE):
            problem = _problem(self._service(_ANYBODY), _ANYBODY)
        if problem:
            raise ConfigurationError(f"url: {problem}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._schema!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds a secret and cannot be pickled or copied; make another one")

    def _service(self, to: PhoneNumber) -> Any:
        """Return Apprise's service for one recipient, ``None`` if it makes none of the URL."""
        import apprise

        with muted(*_TALKATIVE):
            service = apprise.Apprise.instantiate(self._url.reveal().replace(_PLACE, quote(to.e164, safe="")))
        if service is not None:
            service.redirects = False
            service.overflow_mode = apprise.OverflowMode.UPSTREAM  # one message, however long
            service.socket_connect_timeout = service.socket_read_timeout = self._seconds
        return service

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once; raise where no frame holds the request or the answer."""
        outcome = self._outcome(message)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    def _outcome(self, message: Message) -> Receipt | DeliveryError:
        if message.channel != "sms":
            return SenderMisconfigured(f"apprise: no {message.channel} here, only SMS")
        service = self._service(message.to)
        with muted(*_TALKATIVE):
            problem = _problem(service, message.to)
            if problem:
                return SenderMisconfigured(f"apprise: {problem}")
            try:
                sent = service.notify(body=message.text)
            except Exception as error:
                return DeliveryUncertain(f"apprise raised {type(error).__name__}")
        if sent:
            return Receipt(sender=self._schema)
        return DeliveryUncertain("apprise failed, and does not say whether the message went out")


class AppriseSender(_Apprise):
    """A :class:`~smsmfa.typing.Sender` for the SMS services of Apprise (https://appriseit.com), safe between threads.

    Apprise says yes or no, and no more: a message that failed counts as one that may have gone out. It is charged, its
    code stays valid, and a :class:`~smsmfa.senders.failover.FailoverSender` stops at it. Prefer another sender where
    there is one. There are no retries and no redirects, and Apprise logs nothing: its log lines have the code.

    Args:
        url: what Apprise wants for this service, with ``{to}`` for the recipient's number:
            ``"vonage://KEY:SECRET@FROM/{to}"``. It is a secret; no ``repr``, log line, traceback or pickle shows it.
        timeout: how long the service may take, once to accept a connection and once between two bytes of its answer;
            above zero, at most an hour.

    Raises:
        ConfigurationError: an argument is wrong, Apprise makes no single message of the URL, or it is missing.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt without an id, since Apprise tells none.

        Raises:
            SenderMisconfigured: certainly not sent: Apprise makes no message to this number of the URL, or the channel
                is not SMS.
            DeliveryUncertain: perhaps sent: Apprise says that it failed.
        """
        return self._deliver(message)


class AsyncAppriseSender(_Apprise):
    """:class:`AppriseSender` for asyncio, with the same arguments, in up to 16 threads of its own."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`AppriseSender.send`; a message that finds no free thread within ``timeout`` is rejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._threads.run(self._deliver, message)


def _schema(hidden: Opaque[str]) -> str | None:
    """Return the name of the service, which is no secret, if this can be a URL."""
    url = hidden.reveal()
    found = _URL.fullmatch(url) if isinstance(url, str) and url.count(_PLACE) == 1 else None
    return found and found[1]


def _problem(service: Any, to: PhoneNumber) -> str | None:
    """Say what keeps a service from sending exactly one message to exactly this number, if anything does."""
    if service is None:
        return "Apprise makes nothing of it; are all parts there, and is it a service of Apprise's?"
    if len(service) != 1:
        return "it sends more than one message, or sends again what failed; it should name {to} alone, and no retry"
    if to.e164[1:] not in service.url(privacy=False):
        return "Apprise drops the number; where does this service want {to}?"
    return None
