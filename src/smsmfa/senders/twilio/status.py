"""Delivery reports: the requests that Twilio makes to your status callback after it accepted a message.

A report says whether a message arrived. It has no effect on logins.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeAlias
from urllib.parse import ParseResult, parse_qs, urlparse

import attrs

from ...codes import is_id
from ...core.arguments import checked_clock
from ...core.opaque import Opaque
from ...events import Event
from ...exceptions import ConfigurationError, DeliveryError, RateLimited, SmsMfaError
from ...typing import SMS, VOICE, WHATSAPP, Clock
from ...values import instant
from .arguments import API_KEY, fits
from .errors import ERRORS, TwilioError, error_of, judge
from .forms import CHALLENGE

#: The form of a request: its body, a mapping from names to one or several values, or a framework's multi-dict.
Form: TypeAlias = bytes | str | Mapping[str, Any]

_HASHES = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
#: The order of statuses. An unknown status has rank 0.
_RANKS = {
    **dict.fromkeys(("accepted", "scheduled"), 1),
    **dict.fromkeys(("queued", "initiated"), 2),
    **dict.fromkeys(("sending", "ringing"), 3),
    **dict.fromkeys(("sent", "in-progress"), 4),
    **dict.fromkeys(("delivered", "undelivered", "failed", "canceled", "partially_delivered"), 5),
    **dict.fromkeys(("completed", "busy", "no-answer"), 5),
    "read": 6,
}
_BAD = frozenset({"undelivered", "failed", "canceled", "busy", "no-answer"})


class CallbackRejected(SmsMfaError):
    """The request is not a report signed by Twilio. Do not trust anything in it."""

    code = "callback_rejected"
    http_status = 403


@attrs.frozen(kw_only=True)
class DeliveryReport:
    """The status of one message or call at one moment.

    Reports may come more than once and in any order. Of two reports about the same message, the one with the higher
    ``rank`` is later. ``"sent"`` may be the last status, and how reliable ``"delivered"`` is depends on the carrier.

    Args:
        message_id: Twilio's SID, as in the receipt.
        status: Twilio's status: ``"sent"``, ``"delivered"``, ``"undelivered"`` and so on; for a call ``"completed"``
            and so on.
        error_code: Twilio's error code, if there is one.
        challenge_id: the challenge that the message belongs to.
        phone: the recipient's number, masked.
        channel: ``"sms"``, ``"voice"`` or ``"whatsapp"``.
        at: when the report arrived.
    """

    message_id: str
    status: str
    error_code: int | None
    challenge_id: str | None
    phone: str | None
    channel: str
    at: datetime

    @property
    def rank(self) -> int:
        """The progress of the message, from 0 (an unknown status) to 6 (read)."""
        return _RANKS.get(self.status, 0)

    @property
    def failed(self) -> bool:
        """Whether the message did not arrive and will not arrive."""
        return self.status in _BAD

    @property
    def error(self) -> TwilioError | None:
        """The meaning of ``error_code``: its kind, and whether to send again. ``None`` if there is none, or unknown."""
        return None if self.error_code is None else ERRORS.get(self.error_code)

    def supersedes(self, other: "DeliveryReport | None") -> bool:
        """Return whether this report is newer than ``other``, a report about the same message or ``None``."""
        return other is None or self.rank > other.rank

    @property
    def event(self) -> Event:
        """The report as an event for the audit trail, named ``"delivery_report"``. It has no user id."""
        error = self._failure() if self.failed else None
        return Event(
            name="delivery_report",
            outcome="failed" if error else "ok",
            at=self.at,
            user_id="",
            phone=self.phone,
            scope=error.scope if isinstance(error, RateLimited) else None,
            error=error.code if error else None,
            challenge_id=self.challenge_id,
            message_id=self.message_id,
            channel=self.channel,
            carrier="twilio",
            carrier_code=error.carrier_code if error else None,
        )

    def _failure(self) -> DeliveryError | RateLimited:
        """Return the error that the sender would have raised if Twilio had known it at once."""
        return error_of(
            attrs.evolve(self.error or judge(400, self.error_code), sent=False), "Twilio", code=self.error_code
        )


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
        fields = _fields(form.reveal())
        if not self._signed(url, fields, signature, settings):
            advice = "check the auth token, and the URL that Twilio calls"
            return CallbackRejected(f"the signature is missing or wrong; {advice}")
        one = {name: values[-1] for name, values in fields.items() if values}
        sid = one.get("MessageSid") or one.get("SmsSid") or one.get("CallSid")
        status = one.get("MessageStatus") or one.get("SmsStatus") or one.get("CallStatus")
        if not sid or not status:
            return CallbackRejected("the request is signed, but contains no report of a message or a call")
        code, to = one.get("ErrorCode", ""), one.get("To", "")
        return DeliveryReport(
            message_id=sid,
            status=status.lower(),
            error_code=int(code) if code.isascii() and code.isdigit() and len(code) < 10 else None,
            challenge_id=_challenge(url),
            phone=f"••••{to[-2:]}" if len(to) > 6 else None,
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


def _fields(form: Form) -> dict[str, list[str]]:
    """Return every field with all its values, including empty ones."""
    if isinstance(form, bytes | str):
        text = form.decode("utf-8", "replace") if isinstance(form, bytes) else form
        return parse_qs(text, keep_blank_values=True)
    several = getattr(form, "getall", None) or getattr(form, "getlist", None)
    return {name: _values(form[name] if several is None else several(name)) for name in form}


def _values(value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [str(value)]
    return [str(one) for one in value]


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
