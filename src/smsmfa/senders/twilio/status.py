"""Delivery reports: the requests that Twilio makes to your status callback after it accepted a message.

A report says whether a message arrived. It has no effect on logins.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn
from urllib.parse import ParseResult, parse_qs, urlparse

from ...codes import is_id
from ...core.arguments import checked_clock
from ...core.opaque import Opaque
from ...exceptions import ConfigurationError
from ...typing import SMS, VOICE, WHATSAPP, Clock
from ...values import instant
from ..report import CallbackRejected, DeliveryReport, Form, fields_of, masked
from .arguments import API_KEY, fits
from .errors import ERRORS
from .forms import CHALLENGE

_HASHES = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}


class StatusCallback:
    """Reads the requests that Twilio makes to the ``status_callback`` of a :class:`~smsmfa.TwilioSender`.

    It stores nothing and makes no requests. The challenge of a report is in the URL, and Twilio signs the whole URL.

    Args:
        secrets: the account's auth token, or the secrets of shared keys; several while you change them.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: there is no secret, or it is not text.
    """

    def __init__(self, *secrets: str, clock: Clock | None = None) -> None:
        self._secrets = [Opaque(secret) for secret in secrets]
        del secrets  # a traceback with locals must not show them
        if not self._secrets or not all(_usable(secret.reveal()) for secret in self._secrets):
            raise ConfigurationError(
                "secrets: give the auth token of the account, as text that is not empty; an API key signs no callbacks"
            )
        self._clock = checked_clock(clock)

    def read(self, url: str, form: Form, signature: str | None, settings: str | None = None) -> DeliveryReport:
        """Verify that Twilio made a request, and return its report.

        Args:
            url: the whole URL as Twilio called it, with scheme, host and query. Behind a proxy it differs from the URL
                that your application sees.
            form: the body, or all of its fields. Include empty ones: the signature covers all fields.
            signature: the header ``X-Twilio-Signature``.
            settings: the header ``X-Twilio-Webhooks-Signature-Settings``, if the request has it.

        Raises:
            CallbackRejected: the signature is missing or wrong, or the request contains no report.
        """
        hidden = Opaque(form)
        del form  # a traceback with locals must not show the number
        outcome = self._outcome(url, hidden, signature, settings)
        if isinstance(outcome, CallbackRejected):
            raise outcome
        return outcome

    def _outcome(
        self, url: str, form: Opaque[Form], signature: str | None, settings: str | None
    ) -> DeliveryReport | CallbackRejected:
        fields = fields_of(form.reveal())
        if not self._signed(url, fields, signature, settings):
            advice = "check the auth token, and the URL that Twilio calls"
            return CallbackRejected(f"the signature is missing or wrong; {advice}")
        one = {name: values[-1] for name, values in fields.items() if values}
        sid = one.get("MessageSid") or one.get("SmsSid") or one.get("CallSid")
        status = one.get("MessageStatus") or one.get("SmsStatus") or one.get("CallStatus")
        if not sid or not status:
            return CallbackRejected("the request is signed, but contains no report of a message or a call")
        text, to = one.get("ErrorCode", ""), one.get("To", "")
        code = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        return DeliveryReport(
            message_id=sid,
            status=status.lower(),
            error_code=code,
            error=None if code is None else ERRORS.get(code),
            challenge_id=_challenge(url),
            phone=masked(to),
            channel=_channel(sid, to),
            at=instant(self._clock() // 1000),
        )

    def _signed(
        self, url: str, fields: Mapping[str, Sequence[str]], signature: str | None, settings: str | None
    ) -> bool:
        """Compare with every secret and both spellings of the URL, even after one has matched."""
        hashed = _HASHES.get(_algorithm(settings))
        if hashed is None or not isinstance(signature, str):
            return False
        given, tail = _bytes(signature), "".join(f"{name}{value}" for name, value in _sorted(fields))
        matches = False
        for spelling in _spellings(url):
            for secret in self._secrets:
                mac = hmac.new(_bytes(secret.reveal()), _bytes(spelling + tail), hashed)
                matches |= hmac.compare_digest(b64encode(mac.digest()), given)
        return matches

    def __repr__(self) -> str:
        return "<StatusCallback>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a StatusCallback holds a secret and cannot be pickled or copied; make another one")


def _channel(sid: str, to: str) -> str:
    return VOICE if sid.startswith("CA") else WHATSAPP if to.startswith("whatsapp:") else SMS


def _usable(secret: object) -> bool:
    return isinstance(secret, str) and secret != "" and not fits(API_KEY, secret)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _algorithm(settings: str | None) -> str:
    """Read ``key=...,algorithm=HMAC_SHA256``. The header is missing if the auth token signed."""
    for part in (settings or "").split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def _sorted(fields: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, str]]:
    """Yield the fields in the order in which they are signed: by name, then by value, without repeats."""
    for name in sorted(fields):
        for value in sorted(set(fields[name])):
            yield name, value


def _spellings(url: str) -> Sequence[str]:
    """Return the URL with and without a port: Twilio may sign either."""
    try:
        parts = urlparse(url)
        port = parts.port
    except ValueError:
        return [url]
    default = 443 if parts.scheme == "https" else 80
    if port:
        return [_at(parts, parts.netloc.split(":")[0]), parts.geturl()]
    return [parts.geturl(), _at(parts, f"{parts.netloc}:{default}")]


def _at(parts: ParseResult, netloc: str) -> str:
    return parts._replace(netloc=netloc).geturl()


def _challenge(url: str) -> str | None:
    ids = parse_qs(url.partition("?")[2].partition("#")[0]).get(CHALLENGE, [])
    return ids[0] if len(ids) == 1 and is_id(ids[0]) else None
