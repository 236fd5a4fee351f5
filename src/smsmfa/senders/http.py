"""Send messages through your own gateway: signed JSON over HTTPS."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta

from ..core.arguments import checked_clock, checked_timeout
from ..core.opaque import Opaque
from ..exceptions import (
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from ..typing import Clock, Message, Receipt
from .answer import json_object, retry_after
from .base import TIMEOUT, AsyncRunner, BaseSender, Runner
from .building import Poster
from .webhook import Secret, key_of, signed_headers

_CODE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,63}|[0-9]{1,5}")
#: Why a message is sent, in the words of Auth0's events for custom phone providers.
_ACTIONS = {"enrollment": "enrollment", "verification": "second-factor-authentication"}
#: What a gateway may say about the recipient in an answer of 4xx.
_RECIPIENTS = {kind.code: kind for kind in (RecipientRejected, RecipientOptedOut)}


class _Http(BaseSender):
    """What the two senders share."""

    _carrier = "http"
    _host = ""  # shown in a traceback with locals if __init__ fails

    def __init__(self, url: str, secret: Secret, *, timeout: timedelta = TIMEOUT, clock: Clock | None = None) -> None:
        address, hidden = Opaque(url), Opaque[object](secret)
        del url, secret  # a traceback with locals shows neither, even if they are swapped
        self._poster = Poster(address.reveal(), timeout=timeout)
        self._host = self._poster.host
        self._key = key_of(hidden)
        self._seconds = checked_timeout(timeout)
        self._clock = checked_clock(clock)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._host!r})"

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        body = Opaque(json.dumps(_fields(message), separators=(",", ":")).encode())
        answer = self._poster.attempt(body.reveal(), signed_headers(body, self._key, self._clock()))
        return answer if isinstance(answer, DeliveryError) else self._judge(answer.status, answer.headers, answer.body)

    def _judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Receipt | SmsMfaError:
        if 200 <= status < 300:
            return _receipt(body, headers)
        if status in {401, 403, 404, 405}:
            return SenderMisconfigured(
                f"the gateway: HTTP {status}; check the url and the secret",
                outage=status == 401,
                carrier_code=_code(body),
            )
        if status == 407:  # only a proxy answers so
            return SenderMisconfigured("the proxy answers HTTP 407; check its user and password", outage=True)
        if status == 429:
            return RateLimited("carrier", retry_after(headers, self._clock()), carrier_code=_code(body))
        if 400 <= status < 500 and status != 408:
            code = _code(body)
            return _RECIPIENTS.get(code or "", DeliveryRejected)(f"the gateway: HTTP {status}", carrier_code=code)
        return DeliveryUncertain(
            f"the gateway: HTTP {status}", outage=status not in range(300, 400), carrier_code=_code(body)
        )


class HttpSender(_Http, Runner):
    """A :class:`~smsmfa.typing.Sender` for your own gateway, safe to share between threads.

    It posts one JSON object, signed with HMAC-SHA256 as in Standard Webhooks. The gateway reads it with
    :func:`~smsmfa.senders.webhook.read_webhook`. Each message is sent at most once: there are no retries and no
    redirects.

    Args:
        url: the address of the gateway, ``https://...``. ``http://`` is accepted for loopback addresses only. The
            ``repr`` shows its host.
        secret: the secret that you share with the gateway: text or bytes, at least 24 bytes, or ``whsec_`` and the
            base64 of as many. No ``repr``, log line, traceback or pickle shows it.
        timeout: how long the gateway may take to accept a connection (at each of its addresses), and again to answer
            in full; above zero, at most an hour. Resolving the name takes as long as the system's resolver takes.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to fix it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt, with the ``message_id`` from the gateway's answer if it has one.

        Raises:
            DeliveryRejected: certainly not sent: there was no connection, or the gateway answered 4xx.
            RecipientRejected: the same, and the 4xx answer has the error ``"recipient_rejected"``.
            RecipientOptedOut: the same, and the 4xx answer has the error ``"recipient_opted_out"``.
            SenderMisconfigured: certainly not sent: the gateway answered 401, 403, 404 or 405, or its certificate is
                not trusted.
            RateLimited: certainly not sent: the gateway answered 429. ``retry_after`` is the pause it asks for.
            DeliveryUncertain: perhaps sent: there was no complete, readable answer in time, or the gateway answered
                5xx or 408.
        """
        return self._run(self._deliver, message)


class AsyncHttpSender(_Http, AsyncRunner):
    """:class:`HttpSender` for asyncio, with the same arguments. It sends in up to 16 threads."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`HttpSender.send`. If no thread is free within ``timeout`` it raises DeliveryRejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)


def _fields(message: Message) -> dict[str, str | None]:
    """Return what is posted, named as in Auth0's events for custom phone providers where they have a name."""
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


def _code(body: bytes) -> str | None:
    """Return the error code in an answer, if it is one: a word, or a number too short for a code or a phone number."""
    code = (json_object(body) or {}).get("error")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _receipt(body: bytes, headers: Mapping[str, str]) -> Receipt | DeliveryUncertain:
    """Read a success answer: an empty body, or a JSON object that may have an id."""
    if not body and headers.get("Content-Length", "0") == "0":
        return Receipt(sender="http")
    fields = json_object(body)
    message_id = None if fields is None else fields.get("message_id")
    if fields is None or not isinstance(message_id, str | None):
        return DeliveryUncertain("the gateway gave no usable answer")
    return Receipt(message_id=message_id or None, sender="http")
