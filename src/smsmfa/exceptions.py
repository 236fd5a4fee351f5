"""Everything that can go wrong, as one tree.

::

    SmsMfaError
    ├── ConfigurationError        an argument the operator has to mend (also a ValueError)
    ├── PhoneNumberError          not a number this factor can send to; see ``reason``
    ├── AlreadyEnrolled           the user has this number, or as many as allowed
    ├── NotEnrolled               the user has no such number, or none at all
    ├── PhoneInUse                as many users as allowed have this number already
    ├── ProofRequired             a change needs the token of a fresh Verification
    ├── FactorDisabled            the operator turned the factor off
    ├── RateLimited               a limit refuses; see ``scope`` and ``retry_after``
    ├── CodeRejected              not the code; see ``attempts_left``
    │   ├── CodeExpired           the challenge is too old to be answered
    │   └── CodeMalformed         what was typed cannot be a code; it cost nothing
    ├── Locked                    the number is disabled after too many wrong codes in a row
    ├── DeliveryError             raised by senders
    │   ├── DeliveryRejected      the message certainly did not go out
    │   │   ├── RecipientRejected     and will not through another carrier either
    │   │   │   └── RecipientOptedOut     nor before the recipient answers START
    │   │   └── SenderMisconfigured   and will not before the operator acts
    │   └── DeliveryUncertain     the message may have gone out
    └── StoreError                the store failed; nobody was let in
        └── StoreContention       too many writers at once; trying again is safe

Every class has a stable ``code`` for APIs and logs, and an ``http_status`` that fits. No message
holds a code, a secret or a whole phone number.
"""

from datetime import timedelta


class SmsMfaError(Exception):
    """The base of every error this package raises on purpose."""

    #: Stable, and each class's own: for the body of an API's answer, and for logs.
    code: str = "sms_mfa_error"
    #: What an API would answer with: 429 for a limit, another 4xx for what the caller can mend, else 5xx.
    http_status: int = 500


class ConfigurationError(SmsMfaError, ValueError):
    """An argument of a configuration, a store or a sender is wrong; the message says how to mend it."""

    code = "configuration_error"


class PhoneNumberError(SmsMfaError):
    """The text is no phone number that this factor can send to.

    ``reason`` is ``"malformed"`` (no number at all), ``"impossible"`` (too short or too long),
    ``"invalid"`` (not assigned), ``"region"`` (outside the allowed regions) or ``"type"`` (a kind of
    number that cannot receive SMS).
    """

    code = "phone_number_error"
    http_status = 422

    _HINTS = {
        "malformed": "not a phone number; give the region, or start with + and the country code",
        "impossible": "too short or too long for a phone number of this country",
        "invalid": "no such phone number is in use in this country",
        "region": "phone numbers of this country are not accepted",
        "type": "this kind of phone number cannot receive an SMS code; give a mobile number",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self._HINTS.get(self.reason, self.reason)


class AlreadyEnrolled(SmsMfaError):
    """The user already has this number, or as many numbers as ``max_phones`` allows."""

    code = "already_enrolled"
    http_status = 409

    def __str__(self) -> str:
        return super().__str__() or "the user already has this number, or no room for another one"


class NotEnrolled(SmsMfaError):
    """The user has no number at all, or not the one asked for."""

    code = "not_enrolled"
    http_status = 409

    def __str__(self) -> str:
        return super().__str__() or "the user has not enrolled such a number"


class PhoneInUse(SmsMfaError):
    """``max_users_per_number`` other users have enrolled this number."""

    code = "phone_in_use"
    http_status = 409

    def __str__(self) -> str:
        return super().__str__() or "this number is already used by as many accounts as allowed"


class ProofRequired(SmsMfaError):
    """Changing an enrolment takes ``proof``: the token of a fresh ``Verification`` (NIST SP 800-63B-4, 4.1.2.1)."""

    code = "proof_required"
    http_status = 403

    def __str__(self) -> str:
        return super().__str__() or (
            "verify or recover first, then pass the token of that Verification as proof; "
            "it is good for 10 minutes and until the user's numbers change"
        )


class FactorDisabled(SmsMfaError):
    """The operator turned the factor off (``FactorConfig(enabled=False)``)."""

    code = "factor_disabled"
    http_status = 403

    def __str__(self) -> str:
        return super().__str__() or "the SMS factor is turned off"


class RateLimited(SmsMfaError):
    """A limit refuses the operation; nothing was charged.

    ``scope`` is ``"user"``, ``"number"``, ``"total"`` (messages), ``"resend"`` (the gap between two
    messages), ``"guesses"`` (wrong codes) or ``"recovery"`` (wrong recovery codes). ``retry_after``
    is exact, or ``None`` where only the operator can help. A sender raises it with the scope ``"carrier"``:
    the carrier took no message and asks for a pause, of unknown length where ``retry_after`` is ``None``.
    """

    code = "rate_limited"
    http_status = 429

    def __init__(self, scope: str, retry_after: timedelta | None = None) -> None:
        super().__init__(scope, retry_after)
        self.scope = scope
        self.retry_after = retry_after

    @property
    def retry_after_seconds(self) -> int | None:
        """``retry_after`` in whole seconds, rounded up: the value of a ``Retry-After`` header (RFC 9110, 10.2.3)."""
        return None if self.retry_after is None else -(-self.retry_after // timedelta(seconds=1))

    def __str__(self) -> str:
        if self.retry_after is None:
            return f"the limit on {self.scope!r} is used up"
        return f"the limit on {self.scope!r} is used up; try again in {self.retry_after_seconds} s"


class CodeRejected(SmsMfaError):
    """The code is not the one that was sent, or there is no challenge to answer.

    ``attempts_left`` is what the challenge and the guess budget still allow; 0 means that this
    challenge is dead and a new one is needed. ``None``: nothing was compared or charged.
    """

    code = "code_rejected"
    http_status = 403

    def __init__(self, attempts_left: int | None = 0) -> None:
        super().__init__(attempts_left)
        self.attempts_left = attempts_left

    def __str__(self) -> str:
        return f"the code is not right; attempts left: {self.attempts_left}"


class CodeExpired(CodeRejected):
    """The challenge is no longer, or not yet, open; ask for a new code."""

    code = "code_expired"

    def __str__(self) -> str:
        return "the code has expired; ask for a new one"


class CodeMalformed(CodeRejected):
    """What was submitted cannot be a code. It cost no attempt and touched no store."""

    code = "code_malformed"
    http_status = 422

    def __init__(self, attempts_left: None = None) -> None:
        super().__init__(attempts_left)

    def __str__(self) -> str:
        return "this cannot be a code; enter it as it was sent"


class Locked(SmsMfaError):
    """The number is disabled after too many wrong codes in a row (NIST SP 800-63B-4, 3.2.2).

    Enrolling it again revives it; recovery codes keep working.
    """

    code = "locked"
    http_status = 423

    def __str__(self) -> str:
        return super().__str__() or (
            "the number is disabled after too many wrong codes; use a recovery code and enrol it again"
        )


class DeliveryError(SmsMfaError):
    """A message was not delivered, or not for certain. Senders raise a subclass with a plain message."""

    code = "delivery_error"
    http_status = 502


class DeliveryRejected(DeliveryError):
    """The message certainly did not go out; what was charged for it has been given back."""

    code = "delivery_rejected"


class RecipientRejected(DeliveryRejected):
    """The message did not go out because of who it is to, so that no other carrier may be asked to send it.

    A number that does not exist or takes no SMS, a number or range that is blocked as fraud. A ``FailoverSender`` stops
    at it, and goes on after any other ``DeliveryRejected``. Do not tell the user which of these it is.
    """

    code = "recipient_rejected"
    http_status = 422


class RecipientOptedOut(RecipientRejected):
    """The recipient answered STOP: no message goes out before they answer START (47 CFR 64.1200(a)(10)).

    Nothing was charged, and asking again changes nothing. Offer a recovery code, or another factor.
    """

    code = "recipient_opted_out"
    http_status = 409


class SenderMisconfigured(DeliveryRejected):
    """The message did not go out, and none will before the operator acts."""

    code = "sender_misconfigured"
    http_status = 500


class DeliveryUncertain(DeliveryError):
    """The message may have gone out; the code stays valid and the charge stands."""

    code = "delivery_uncertain"


class StoreError(SmsMfaError):
    """The store failed or could not confirm its commit; nobody was let in."""

    code = "store_error"
    http_status = 503


class StoreContention(StoreError):
    """The operation lost too many races and changed nothing; trying again is safe."""

    code = "store_contention"
