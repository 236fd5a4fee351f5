"""Signed messages between :class:`~smsmfa.senders.http.HttpSender` and your own gateway: both ends.

The format follows the Standard Webhooks specification, which lists libraries for gateways in other languages:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

We sign and verify here instead of calling the ``standardwebhooks`` package (1.1.0). Its signatures are the same, and
the tests compare the two. But it reads the system clock, fixes the tolerance, takes a plain text secret for base64,
decodes the body before it has checked the signature, raises ``ValueError`` for malformed headers, accepts altered
ones (a time of ``1700000000.5``, characters outside base64), and its errors carry secret and body in their frames.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from ..core.arguments import checked_clock
from ..core.opaque import Opaque
from ..exceptions import ConfigurationError, SmsMfaError
from ..typing import Clock

#: What the specification's libraries put before the base64 of a secret.
_PREFIX = "whsec_"
#: The specification asks for a secret of at least 24 bytes.
_SHORTEST = 24
_ID, _TIME, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_SECONDS = re.compile(r"[0-9]{1,11}")

Secret: TypeAlias = str | bytes


class WebhookRejected(SmsMfaError):
    """The request is not from the sender, or its time is too far from now. Answer 401 and send nothing."""

    code = "webhook_rejected"
    http_status = 401


def key_of(secret: Opaque[object]) -> Opaque[bytes]:
    """Return the key that a secret stands for.

    Raises:
        ConfigurationError: the secret is neither text nor bytes, is not base64 after its prefix, or is too short.
    """
    key = Opaque(_decoded(secret))
    if len(key.reveal()) < _SHORTEST:
        raise ConfigurationError(
            f"secret: give at least {_SHORTEST} bytes, as text or bytes, or whsec_ and their base64; "
            'make one with python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return key


def signed_headers(body: Opaque[bytes], key: Opaque[bytes], now: int) -> dict[str, str]:
    """Return the headers that sign a body, with a new id.

    Args:
        body: the body of the request.
        key: the result of :func:`key_of`.
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
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Verify a request from :class:`~smsmfa.senders.http.HttpSender` and return its fields. Call it in your gateway.

    A request passes as often as it arrives within ``tolerance``. To send each message once, remember the header
    ``webhook-id`` for twice the tolerance, and ignore requests whose id you have seen.

    Args:
        body: the body of the request, byte for byte.
        headers: the headers of the request. The case of their names does not matter.
        secret: the sender's secret, or a list of secrets while you change it.
        tolerance: the largest accepted difference between the time of signing and now.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        WebhookRejected: a header is missing, the signature is wrong, or the time of signing is too far from now.
        ConfigurationError: a secret is too short.
    """
    hidden = Opaque(body)
    given = [Opaque[object](one) for one in (secret if isinstance(secret, list | tuple) else [secret])]
    del body, secret  # a traceback with locals shows neither
    keys = [key_of(one) for one in given]
    named = {name.lower(): value for name, value in headers.items()}
    if not {_ID, _TIME, _SIGNATURE} <= named.keys():
        raise WebhookRejected(f"a header is missing: the sender sets {_ID}, {_TIME} and {_SIGNATURE}")
    seconds = named[_TIME]
    if not _SECONDS.fullmatch(seconds):
        raise WebhookRejected(f"{_TIME} is not a number of seconds")
    if abs(int(seconds) * 10**9 - checked_clock(clock)()) > tolerance // timedelta(microseconds=1) * 1000:
        raise WebhookRejected(f"{_TIME} is too far from now: the request was repeated, or a clock is wrong")
    # A header may have several signatures. Only version v1 is symmetric.
    signatures = [_from_base64(text[3:]) for text in named[_SIGNATURE].split(" ") if text.startswith("v1,")]
    expected = [_mac(key, named[_ID], seconds, hidden) for key in keys]
    if not any(hmac.compare_digest(one, other) for one in expected for other in signatures):
        raise WebhookRejected("the signature is wrong")
    fields: dict[str, Any] = json.loads(hidden.reveal())
    return fields


def _decoded(secret: Opaque[object]) -> bytes:
    """Return the bytes of a secret, or no bytes if it is not one."""
    value = secret.reveal()
    if isinstance(value, str):
        text = value.removeprefix(_PREFIX)
        return value.encode("utf-8", "surrogatepass") if text == value else _from_base64(text)
    return value if isinstance(value, bytes) else b""


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def _mac(key: Opaque[bytes], message_id: str, seconds: str, body: Opaque[bytes]) -> bytes:
    signed = f"{message_id}.{seconds}.".encode("utf-8", "replace") + body.reveal()
    return hmac.digest(key.reveal(), signed, hashlib.sha256)
