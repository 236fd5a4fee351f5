"""Signed messages between this package and a gateway of one's own: both ends of the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md has libraries for a gateway
in another language.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from ..core.opaque import Opaque
from ..exceptions import ConfigurationError, SmsMfaError
from ..typing import Clock

#: What a secret looks like that a library of the specification has made: this and base64.
_PREFIX = "whsec_"
#: Bytes that the specification asks of a secret.
_SHORTEST = 24
_ID, _TIME, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

Secret: TypeAlias = str | bytes


class WebhookRejected(SmsMfaError):
    """A request is not from the sender, or too old or too new: answer 401, and send nothing."""

    code = "webhook_rejected"
    http_status = 401


def key_of(secret: Opaque[object]) -> Opaque[bytes]:
    """Return the key that a secret stands for.

    Raises:
        ConfigurationError: it is neither text nor bytes, is not base64 after its prefix, or is too short.
    """
    key = Opaque(_decoded(secret))
    if len(key.reveal()) < _SHORTEST:
        raise ConfigurationError(
            f"secret: text or bytes, at least {_SHORTEST} bytes, or whsec_ and the base64 of as many; "
            'make one with python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return key


def signed_headers(body: Opaque[bytes], key: Opaque[bytes], now: int) -> dict[str, str]:
    """Return the headers that sign a body; their id is a new one.

    Args:
        body: what is sent.
        key: see :func:`key_of`.
        now: nanoseconds since the epoch.
    """
    message_id, seconds = f"msg_{secrets.token_hex(16)}", str(now // 10**9)
    signature = base64.b64encode(_mac(key, message_id, seconds, body)).decode()
    return {_ID: message_id, _TIME: seconds, _SIGNATURE: f"v1,{signature}"}


def read_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: Secret | Sequence[Secret],
    *,
    tolerance: timedelta = timedelta(minutes=5),
    clock: Clock = time.time_ns,
) -> dict[str, Any]:
    """Return the fields of a request of :class:`~smsmfa.senders.http.HttpSender`, for the gateway that receives it.

    A request that was signed within ``tolerance`` passes as often as it comes: keep the header ``webhook-id`` for twice
    that time, and send nothing for one that you have seen.

    Args:
        body: the request's, byte for byte.
        headers: the request's; the case of their names does not matter.
        secret: the sender's; or several, while it changes.
        tolerance: how far the two clocks, and the time on the way, may lie apart.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`.

    Raises:
        WebhookRejected: a header is missing, the signature is not the sender's, or the time is not now.
        ConfigurationError: a secret is too short.
    """
    hidden = Opaque(body)
    several = secret if isinstance(secret, list | tuple) else [secret]
    given = [Opaque[object](one) for one in several]
    del body, secret, several  # a traceback with locals shows neither
    keys = [key_of(one) for one in given]
    own = {name.lower(): value for name, value in headers.items() if name.lower() in {_ID, _TIME, _SIGNATURE}}
    if len(own) < 3:
        raise WebhookRejected(f"it lacks a header of {_ID}, {_TIME} and {_SIGNATURE}")
    seconds = own[_TIME]
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12):
        raise WebhookRejected(f"{_TIME} is no time")
    if abs(int(seconds) * 10**9 - clock()) > tolerance // timedelta(microseconds=1) * 1000:
        raise WebhookRejected(f"{_TIME} is too far from now: was it sent again, or is a clock wrong?")
    expected = [_mac(key, own[_ID], seconds, hidden) for key in keys]
    if not any(hmac.compare_digest(one, other) for one in expected for other in _signatures(own[_SIGNATURE])):
        raise WebhookRejected("the signature is not the sender's")
    fields: dict[str, Any] = json.loads(hidden.reveal())
    return fields


def _decoded(secret: Opaque[object]) -> bytes:
    value = secret.reveal()
    if isinstance(value, str) and value.startswith(_PREFIX):
        return _from_base64(value.removeprefix(_PREFIX))
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")  # another error would show it
    return value if isinstance(value, bytes) else b""


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _mac(key: Opaque[bytes], message_id: str, seconds: str, body: Opaque[bytes]) -> bytes:
    signed = f"{message_id}.{seconds}.".encode("utf-8", "replace") + body.reveal()
    return hmac.digest(key.reveal(), signed, hashlib.sha256)


def _signatures(header: str) -> list[bytes]:
    """Return the signatures of the one kind that there is; a header may have several, with a space between."""
    return [_from_base64(text[3:]) for text in header.split(" ") if text.startswith("v1,")]
