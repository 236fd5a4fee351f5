"""Delivery reports: the requests that Vonage makes to your callback after it accepted a message."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import NoReturn

from ...codes import is_id
from ...core.arguments import checked_clock
from ...core.opaque import Opaque
from ...exceptions import ConfigurationError
from ...typing import SMS, Clock
from ...values import instant
from ..report import CallbackRejected, DeliveryReport, Form, fields_of, masked
from .errors import RECEIPT_ERRORS

_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_SECONDS = re.compile(r"[0-9]{1,11}")
_CODE = re.compile(r"[0-9]{1,9}")


class VonageCallback:
    """Reads the delivery receipts that Vonage sends to the ``status_callback`` of a ``VonageSender``.

    Vonage must sign them: ask its support for signed webhooks, and choose SHA-256 HMAC or SHA-512 HMAC under *API
    settings* on its dashboard. The rules are those of https://developer.vonage.com/en/getting-started/concepts/signing-messages.
    MD5 and SHA-1, which Vonage also offers, are not accepted.

    Args:
        secrets: the account's signature secret, which is not the API secret; several while you change it.
        method: ``"sha256"`` or ``"sha512"``.
        tolerance: the largest accepted age of a request. Vonage repeats a report for a day if it gets no answer.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: there is no secret, it is not text, or there is no such method.
    """

    def __init__(
        self,
        *secrets: str,
        method: str = "sha256",
        tolerance: timedelta = timedelta(days=1),
        clock: Clock | None = None,
    ) -> None:
        self._secrets = [Opaque(secret) for secret in secrets]
        del secrets  # a traceback with locals must not show them
        if not self._secrets or not all(_usable(secret.reveal()) for secret in self._secrets):
            raise ConfigurationError("secrets: give the signature secret of the account, as text that is not empty")
        if method not in _HASHES:
            raise ConfigurationError('method: "sha256" or "sha512", as chosen on Vonage\'s dashboard')
        self._hash = _HASHES[method]
        self._tolerance = tolerance // timedelta(seconds=1)
        self._clock = checked_clock(clock)

    def read(self, form: Form) -> DeliveryReport:
        """Verify that Vonage made a request, and return its report.

        Args:
            form: all of its fields: the body (a form or JSON) of a POST, or the query of a GET; or a mapping of them.

        Raises:
            CallbackRejected: the signature is missing or wrong, the request is too old, or it contains no report.
        """
        hidden = Opaque(form)
        del form  # a traceback with locals must not show the number
        outcome = self._outcome(hidden)
        if isinstance(outcome, CallbackRejected):
            raise outcome
        return outcome

    def _outcome(self, form: Opaque[Form]) -> DeliveryReport | CallbackRejected:
        fields = _flat(form.reveal())
        now = self._clock()
        if not self._signed(fields):
            return CallbackRejected("the signature is missing or wrong; check the signature secret and the method")
        seconds = fields.get("timestamp", "")
        if not _SECONDS.fullmatch(seconds) or abs(int(seconds) - now // 10**9) > self._tolerance:
            return CallbackRejected("the request is too old, or a clock is wrong")
        message_id, status = fields.get("messageId"), fields.get("status")
        if not message_id or not status:
            return CallbackRejected("the request is signed, but contains no report of a message")
        text, reference = fields.get("err-code", ""), fields.get("client-ref", "")
        code = int(text) if _CODE.fullmatch(text) and int(text) else None
        return DeliveryReport(
            carrier="vonage",
            message_id=message_id,
            status=status.lower(),
            error_code=code,
            error=None if code is None else RECEIPT_ERRORS.get(code),
            challenge_id=reference if is_id(reference) else None,
            phone=masked(fields.get("msisdn", "")),
            channel=SMS,
            at=instant(now // 1000),
        )

    def _signed(self, fields: Mapping[str, str]) -> bool:
        """Compare with every secret, even after one has matched."""
        given = fields.get("sig", "").lower().encode("utf-8", "surrogatepass")
        text = "".join(f"&{name}={_escaped(fields[name])}" for name in sorted(fields) if name != "sig")
        signed, matches = text.encode("utf-8", "surrogatepass"), False
        for secret in self._secrets:
            mac = hmac.new(secret.reveal().encode("utf-8", "surrogatepass"), signed, self._hash)
            matches |= hmac.compare_digest(mac.hexdigest().encode(), given)
        return matches

    def __repr__(self) -> str:
        return "<VonageCallback>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a VonageCallback holds a secret and cannot be pickled or copied; make another one")


def _usable(secret: object) -> bool:
    return isinstance(secret, str) and secret != ""


def _escaped(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")


def _flat(form: Form) -> dict[str, str]:
    """Return the fields, each with its last value. A body may be JSON."""
    if isinstance(form, bytes | str):
        with suppress(ValueError, RecursionError):
            form = json.loads(form)
        if not isinstance(form, bytes | str | dict):
            return {}
    return {name: values[-1] for name, values in fields_of(form).items() if values}
