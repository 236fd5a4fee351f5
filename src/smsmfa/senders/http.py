"""Send messages through a gateway of one's own: signed JSON over HTTPS."""

import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from ..core.arguments import checked_clock, checked_timeout
from ..core.opaque import Opaque
from ..exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from ..typing import Clock, Message, Receipt
from .threads import SendingThreads
from .webhook import Secret, key_of, signed_headers

if TYPE_CHECKING:
    from requests import PreparedRequest, Session

_URL = re.compile(r"[!-~]+")
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")
#: Why a message is sent, in the words of Auth0's events for a provider of one's own.
_ACTIONS = {"enrollment": "enrollment", "verification": "second-factor-authentication"}
#: What a gateway may say of the recipient in an answer of 4xx.
_RECIPIENTS = {kind.code: kind for kind in (RecipientRejected, RecipientOptedOut)}


class _Http:
    """What the two senders share: all but how they wait."""

    _host = ""  # of a sender that is being made, in a traceback with locals

    def __init__(
        self, url: str, secret: Secret, *, timeout: timedelta = timedelta(seconds=10), clock: Clock = time.time_ns
    ) -> None:
        address, hidden = Opaque(url), Opaque[object](secret)
        del url, secret  # a traceback with locals shows neither, not even if they are swapped
        self._host = _checked_host(address)
        self._url, self._key = address.reveal(), key_of(hidden)
        self._seconds = checked_timeout(timeout)
        self._clock = checked_clock(clock)
        self._lock = threading.Lock()
        self._made: Session | None = None
        self._threads = SendingThreads("http", self._seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._host!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds a secret and cannot be pickled or copied; make another one")

    def _session(self) -> "Session":
        """Return the one session of this sender, made at the first call."""
        with self._lock:
            if self._made is None:
                from .bounded import bounded_session

                self._made = bounded_session()
            return self._made

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once; raise where no frame holds the request or the answer."""
        outcome = self._outcome(message)
        if isinstance(outcome, SmsMfaError):
            raise outcome
        return outcome

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        session = self._session()
        from .bounded import body_of

        body = Opaque(json.dumps(_event(message), separators=(",", ":")).encode())
        headers = _HEADERS | signed_headers(body, self._key, self._clock())
        sent: dict[str, Any] = {"data": body.reveal(), "headers": headers, "auth": _unchanged}
        try:
            with session.post(
                self._url, timeout=(self._seconds, self._seconds), allow_redirects=False, stream=True, **sent
            ) as answer:
                return self._judge(answer.status_code, answer.headers, body_of(answer))
        except Exception as error:
            return _failure(error)

    def _judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Receipt | SmsMfaError:
        if 200 <= status < 300:
            return _receipt(body, headers)
        if status in {401, 403, 404, 405}:
            return SenderMisconfigured(f"the gateway: HTTP {status}; check the url and the secret")
        if status == 429:
            from .bounded import retry_after

            return RateLimited("carrier", retry_after(headers, self._clock()))
        if 400 <= status < 500 and status != 408:
            kind = _RECIPIENTS.get(_field(body, "error"), DeliveryRejected)
            return kind(f"the gateway: HTTP {status}")
        return DeliveryUncertain(f"the gateway: HTTP {status}")


class HttpSender(_Http):
    """A :class:`~smsmfa.typing.Sender` for a gateway of one's own, safe to share between threads.

    It posts one JSON object, signed with HMAC-SHA256 as Standard Webhooks has it; the gateway reads it with
    :func:`~smsmfa.senders.webhook.read_webhook`. Nothing is sent twice: there is no retry and no redirect.

    Args:
        url: where the gateway listens, ``https://...``; ``http://`` for a loopback address only. It is no secret.
        secret: text or bytes that the gateway has too, at least 24 bytes, or ``whsec_`` and their base64; no ``repr``,
            log line, traceback or pickle shows it.
        timeout: how long the gateway may take, once to accept a connection (for each of its addresses) and once to
            answer in full; above zero, at most an hour. Looking up the name takes what the system's resolver takes.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to mend it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt, with the ``message_id`` that the gateway named, if it did.

        Raises:
            DeliveryRejected: certainly not sent: no connection, or an answer of 4xx.
            RecipientRejected: likewise, an answer of 4xx with the error ``"recipient_rejected"``, or
                ``"recipient_opted_out"`` for ``RecipientOptedOut``.
            SenderMisconfigured: likewise, 401, 403, 404 or 405, or a certificate that is not trusted.
            RateLimited: likewise, 429; with the pause that it asks for.
            DeliveryUncertain: perhaps sent: no answer in time, half of one, 5xx, 408, or nothing that can be read.
        """
        return self._deliver(message)


class AsyncHttpSender(_Http):
    """:class:`HttpSender` for asyncio, with the same arguments, in up to 16 threads of its own."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`HttpSender.send`; a message that finds no free thread within ``timeout`` is rejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._threads.run(self._deliver, message)


#: No compression: what is read is bounded, and so should be what it becomes.
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
_HEADERS["User-Agent"] = "smsmfa"


def _checked_host(address: Opaque[str]) -> str:
    """Return scheme, host and port of a URL, if it is one to send codes to."""
    parts = _parts(address)
    if parts is None:
        raise ConfigurationError("url: https:// and a host, no user, password or fragment; http:// for loopback only")
    return f"{parts.scheme}://{parts.netloc}"


def _parts(address: Opaque[str]) -> SplitResult | None:
    url = address.reveal()
    if not isinstance(url, str) or not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    secure = parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host))
    return parts if secure and host and port != 0 and "@" not in parts.netloc and not parts.fragment else None


def _event(message: Message) -> dict[str, str | None]:
    """Return what a gateway gets, named as in Auth0's events for a provider of one's own where they have it."""
    return {
        "recipient": message.to.e164,
        "text": message.text,
        "code": message.code.reveal(),
        "message_type": message.channel,
        "locale": message.locale,
        "action": _ACTIONS.get(message.kind, message.kind),
        "challenge_id": message.challenge_id,
        "expires_at": message.expires_at.isoformat(),
    }


def _unchanged(request: "PreparedRequest") -> "PreparedRequest":
    """Authenticate with nothing: otherwise requests looks for a password in ``~/.netrc``."""
    return request


def _receipt(body: bytes, headers: Mapping[str, str]) -> Receipt | DeliveryUncertain:
    """Read an answer of success: nothing at all, or an object that may have an id."""
    if not body and headers.get("Content-Length", "0") == "0":
        return Receipt(sender="http")
    told = _object(body)
    message_id = None if told is None else told.get("message_id")
    if told is None or not isinstance(message_id, str | None):
        return DeliveryUncertain("the gateway gave no usable answer")
    return Receipt(message_id=message_id or None, sender="http")


def _object(body: bytes) -> dict[str, object] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _field(body: bytes, name: str) -> str:
    value = (_object(body) or {}).get(name)
    return value if isinstance(value, str) else ""


def _failure(error: Exception) -> SmsMfaError:
    from .bounded import distrusted, never_connected

    if never_connected(error):
        return DeliveryRejected("the gateway cannot be reached")
    if distrusted(error):
        return SenderMisconfigured("the gateway's certificate is not trusted here: check CA certificates and clock")
    return DeliveryUncertain(f"the gateway gave no usable answer ({type(error).__name__})")
