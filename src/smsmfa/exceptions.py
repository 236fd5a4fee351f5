"""Everything that can go wrong, as one tree.

::

    SmsMfaError
    ├── ConfigurationError        the operator must fix an argument (also a ValueError)
    ├── PhoneNumberError          this factor cannot send to this number; see ``reason``
    ├── AlreadyEnrolled           the user has this number, or as many as allowed
    ├── NotEnrolled               the user has no such number, or none at all
    ├── PhoneInUse                as many users as allowed have this number already
    ├── ProofRequired             a change needs the token of a fresh Verification
    ├── FactorDisabled            the operator turned the factor off
    ├── RateLimited               a limit refuses; see ``scope`` and ``retry_after``
    ├── CodeRejected              the code is wrong; see ``attempts_left``
    │   ├── CodeExpired           the challenge is too old to be answered
    │   ├── CodeUsed              the form was sent twice; the user may be in already
    │   └── CodeMalformed         the text cannot be a code; it cost nothing
    ├── Locked                    the number is disabled after too many wrong codes in a row
    ├── DeliveryError             raised by senders
    │   ├── DeliveryRejected      the message certainly was not sent
    │   │   ├── RecipientRejected     and no other carrier will send it either
    │   │   │   └── RecipientOptedOut     not before the recipient answers START
    │   │   └── SenderMisconfigured   not before the operator acts
    │   └── DeliveryUncertain     the message may have been sent
    └── StoreError                the store failed; nobody was let in
        └── StoreContention       too many writers at once; trying again is safe

Every class has a stable ``code`` for APIs and logs, and a fitting ``http_status``. No error text holds a code, a secret
or a whole phone number.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any


class SmsMfaError(Exception):
    """The base of every error that this package raises on purpose."""

    #: Stable and different for each class: for the body of an API's answer, and for logs.
    code: str = "sms_mfa_error"
    #: What an API would answer: 429 for a limit, another 4xx if the caller can fix it, otherwise 5xx.
    http_status: int = 500
    #: What an error says if it was raised without a message.
    _text = ""

    #: The attributes that an API's answer shows.
    _shown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return super().__str__() or self._text

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of an API's answer: ``Retry-After`` if waiting helps (RFC 9110, 10.2.3)."""
        return {}

    def problem(self) -> dict[str, Any]:
        """Return the body of an API's answer (RFC 9457), as ``application/problem+json``.

        What went wrong inside is not in it: an error with an ``http_status`` of 500 or more has a general ``detail``.
        """
        from http import HTTPStatus

        status = HTTPStatus(self.http_status)
        shown = {name: getattr(self, name) for name in self._shown}
        return {
            "type": "about:blank", "title": status.phrase, "status": status.value, "code": self.code,
            "detail": str(self) if status < 500 else "something went wrong on our side; try again later",
            **{name.removesuffix("_seconds"): value for name, value in shown.items() if value is not None},
        }  # fmt: skip


class ConfigurationError(SmsMfaError, ValueError):
    """An argument of a configuration, a store or a sender is wrong. The message says how to fix it."""

    code = "configuration_error"


class PhoneNumberError(SmsMfaError):
    """This factor cannot send to this number.

    ``reason`` is ``"malformed"`` (not a number at all), ``"no_region"`` (a national number without its country),
    ``"impossible"`` (too short or too long), ``"invalid"`` (not assigned), ``"region"`` (outside the allowed regions)
    or ``"type"`` (a kind of number that cannot receive SMS).
    """

    code = "phone_number_error"
    http_status = 422

    _HINTS = {
        "malformed": "not a phone number; write it in digits, with its country code or as it is dialled in its country",
        "no_region": "the country is missing; give it, or start with + and the country code",
        "impossible": "too short or too long for a phone number of this country",
        "invalid": "this country has no such phone number",
        "region": "phone numbers of this country are not accepted",
        "type": "this kind of phone number cannot receive an SMS code; give a mobile number",
    }

    _shown = ("reason",)

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self._HINTS.get(self.reason, self.reason)


class AlreadyEnrolled(SmsMfaError):
    """The user already has this number, or as many numbers as ``max_phones`` allows."""

    code = "already_enrolled"
    http_status = 409
    _text = "the user already has this number, or has no room for another one"


class NotEnrolled(SmsMfaError):
    """The user has no number at all, or not the one asked for."""

    code = "not_enrolled"
    http_status = 409
    _text = "the user has not enrolled such a number"


class PhoneInUse(SmsMfaError):
    """``max_users_per_number`` other users have enrolled this number."""

    code = "phone_in_use"
    http_status = 409
    _text = "this number is already used by as many accounts as allowed"


class ProofRequired(SmsMfaError):
    """Changing an enrolment takes ``proof``: the token of a fresh ``Verification`` (NIST SP 800-63B-4, 4.1.2.1)."""

    code = "proof_required"
    http_status = 403
    _text = (
        "verify or recover first, then pass the token of that Verification as proof; "
        "it is good for 10 minutes and until the user's numbers change"
    )


class FactorDisabled(SmsMfaError):
    """The operator turned the factor off (``FactorConfig(enabled=False)``)."""

    code = "factor_disabled"
    http_status = 403
    _text = "the SMS factor is turned off"


class RateLimited(SmsMfaError):
    """A limit refuses, and nothing was charged.

    ``scope`` is ``"user"``, ``"number"``, ``"total"`` (messages), ``"resend"`` (the gap between two messages),
    ``"guesses"`` (wrong codes) or ``"recovery"`` (wrong recovery codes). ``retry_after`` is exact, or ``None`` if only
    the operator can help. Senders raise it with the scope ``"carrier"``: the carrier did not take the message and asks
    for a pause, whose length is unknown if ``retry_after`` is ``None``. ``outage``, ``carrier`` and ``carrier_code``
    are as in :class:`DeliveryError`; ``outage`` is true for this scope unless the sender says otherwise.
    """

    code = "rate_limited"
    http_status = 429

    _shown = ("scope", "retry_after_seconds")

    def __init__(
        self, scope: str, retry_after: timedelta | None = None, *, outage: bool | None = None,
        carrier: str | None = None, carrier_code: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, retry_after)
        self.scope = scope
        self.retry_after = retry_after
        self.outage: bool = scope == "carrier" if outage is None else outage
        self.carrier = carrier
        self.carrier_code = carrier_code

    @property
    def retry_after_seconds(self) -> int | None:
        """``retry_after`` in whole seconds, rounded up: the value of a ``Retry-After`` header (RFC 9110, 10.2.3)."""
        return None if self.retry_after is None else -(-self.retry_after // timedelta(seconds=1))

    @property
    def headers(self) -> Mapping[str, str]:
        """``Retry-After``, unless only the operator can help."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after_seconds)}

    def __str__(self) -> str:
        when = "" if self.retry_after is None else f"; try again in {self.retry_after_seconds} s"
        return f"the limit on {self.scope!r} is used up{when}"


class CodeRejected(SmsMfaError):
    """The code is not the one that was sent, or there is no challenge to answer.

    ``attempts_left`` is what the challenge and the guess budget still allow. If it is 0, this challenge is dead and a
    new one is needed. If it is ``None``, nothing was compared or charged.
    """

    code = "code_rejected"
    http_status = 403

    _shown = ("attempts_left",)

    def __init__(self, attempts_left: int | None = 0) -> None:
        super().__init__(attempts_left)
        self.attempts_left = attempts_left

    def __str__(self) -> str:
        return self._text or f"the code is not right; attempts left: {self.attempts_left}"


class CodeExpired(CodeRejected):
    """The challenge cannot be answered any more, or not yet. Ask for a new code."""

    code = "code_expired"
    _text = "the code has expired; ask for a new one"


class CodeUsed(CodeRejected):
    """The challenge or recovery code was accepted within the last ten minutes: the form was sent twice.

    The user may be in already. It cost no guess.
    """

    code = "code_used"
    http_status = 409
    _text = "this code was used just now; you may be in already"


class CodeMalformed(CodeRejected):
    """The text cannot be a code. It cost no attempt and did not touch the store."""

    code = "code_malformed"
    http_status = 422
    _text = "this cannot be a code; enter it as it was sent"

    def __init__(self, attempts_left: None = None) -> None:
        super().__init__(attempts_left)


class Locked(SmsMfaError):
    """The number is disabled after too many wrong codes in a row (NIST SP 800-63B-4, 3.2.2).

    It works again once it is enrolled again. Recovery codes keep working.
    """

    code = "locked"
    http_status = 423
    _text = "the number is disabled after too many wrong codes; use a recovery code and enrol it again"


class DeliveryError(SmsMfaError):
    """A message was not delivered, or perhaps not. Senders raise a subclass with a plain message.

    Args:
        words: what went wrong, in plain words.
        outage: whether the reason has nothing to do with the recipient: no connection, a time-out, HTTP 5xx or 429,
            wrong credentials, a suspended account. Only such errors make a ``FailoverSender`` skip a carrier, so that
            nobody stops a carrier for others with numbers that it refuses. The default is true for
            ``DeliveryUncertain``, and false for all other errors.
        carrier: the name of the carrier, as in the receipts of its sender: ``"twilio"``.
        carrier_code: the carrier's own error code, if there is one: ``"21612"``. Answers of an API do not show it.
    """

    code = "delivery_error"
    http_status = 502
    #: Whether the reason has nothing to do with the recipient.
    outage: bool = False
    carrier: str | None = None
    carrier_code: str | None = None

    def __init__(
        self, *words: object, outage: bool | None = None, carrier: str | None = None, carrier_code: str | None = None
    ) -> None:
        super().__init__(*words)
        self.carrier = carrier
        self.carrier_code = carrier_code
        if outage is not None:
            self.outage = outage


class DeliveryRejected(DeliveryError):
    """The message certainly was not sent. Its charge was given back."""

    code = "delivery_rejected"


class RecipientRejected(DeliveryRejected):
    """The message was not sent because of its recipient, so no other carrier should be asked to send it.

    Examples are a number that does not exist or takes no SMS, and a number or range that is blocked as fraud. A
    ``FailoverSender`` stops at this error, and goes on after any other ``DeliveryRejected``. Do not tell the user which
    of these it is.
    """

    code = "recipient_rejected"
    http_status = 422


class RecipientOptedOut(RecipientRejected):
    """The recipient answered STOP: no message can be sent before they answer START (47 CFR 64.1200(a)(10)).

    Nothing was charged, and asking again changes nothing. Offer a recovery code, or another factor.
    """

    code = "recipient_opted_out"
    http_status = 409


class SenderMisconfigured(DeliveryRejected):
    """The message was not sent, and none will be before the operator acts."""

    code = "sender_misconfigured"
    http_status = 500


class DeliveryUncertain(DeliveryError):
    """The message may have been sent. The code stays valid and the charge stands."""

    code = "delivery_uncertain"
    outage = True


class StoreError(SmsMfaError):
    """The store failed or could not confirm its commit. Nobody was let in."""

    code = "store_error"
    http_status = 503


class StoreContention(StoreError):
    """The operation lost too many races and changed nothing. Trying again is safe."""

    code = "store_contention"
