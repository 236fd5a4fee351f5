"""The JSON face's bodies and answers, and which call has which: for the calls themselves and for the OpenAPI document.

Names and shapes follow the described system (system.md, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
import msgspec

from ..exceptions import (
    AlreadyEnrolled,
    CodeExpired,
    CodeMalformed,
    CodeRejected,
    CodeUsed,
    DeliveryError,
    FactorDisabled,
    Locked,
    NotEnrolled,
    PhoneInUse,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
    StoreError,
)

# --- what clients send. The names begin with Mfa, because they join those of an application's own document.


class Hidden(msgspec.Struct):
    """The base of what holds codes, numbers or tokens: its ``repr`` does not show them."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class MfaBody(Hidden, kw_only=True):
    """What every request may have."""

    #: For clients that do not send it as ``Authorization: Bearer``.
    mfa_token: str | None = None


class MfaAssociate(MfaBody, kw_only=True):
    """A phone number to enrol. With a number already, it takes an ``mfa_token`` that was verified."""

    phone_number: str
    #: ISO code of the country that the number is dialled from, if it does not begin with ``+``.
    region: str | None = None
    authenticator_types: tuple[Literal["oob"], ...] = ("oob",)
    oob_channels: tuple[Literal["sms", "voice", "whatsapp"], ...] = ("sms",)
    #: The id of the authenticator that it will replace, if users may have several.
    replace: str | None = None


class MfaChallenge(MfaBody, kw_only=True):
    """Ask for a code, or with ``oob_code`` for the same code once more."""

    challenge_type: Literal["oob"] = "oob"
    #: Which number; by default the first.
    authenticator_id: str | None = None
    oob_channel: Literal["sms", "voice", "whatsapp"] | None = None
    oob_code: str | None = None


class MfaVerify(MfaBody, kw_only=True):
    """The code as the user typed it, for an enrolment or a login."""

    oob_code: str
    binding_code: str


class MfaRecover(MfaBody, kw_only=True):
    """A recovery code as the user typed it."""

    recovery_code: str


# --- what clients get


class MfaSent(msgspec.Struct, kw_only=True):
    """A code was sent now, or a little earlier."""

    #: Names this code in the next request. It is no secret.
    oob_code: str
    oob_channel: str
    #: The number for display, masked.
    name: str
    #: For how many seconds the code is good.
    expires_in: int
    #: After how many seconds it can be sent again.
    resend_in: int
    authenticator_type: Literal["oob"] = "oob"
    challenge_type: Literal["oob"] = "oob"
    binding_method: Literal["prompt"] = "prompt"


class MfaVerified(Hidden, kw_only=True):
    """The second step is passed. Give ``mfa_token`` to the application, which lets the user in."""

    mfa_token: str
    #: By the names of RFC 8176, 2.
    amr: list[str]
    #: New recovery codes, if there are any. Show them once.
    recovery_codes: list[str]


class MfaRecoveryCodes(Hidden):
    """New recovery codes. The old ones no longer work. Show them once."""

    recovery_codes: list[str]


class MfaAuthenticator(msgspec.Struct, kw_only=True):
    """An enrolled number."""

    id: str
    #: The number for display, masked.
    name: str
    #: Whether codes can be sent to it.
    active: bool
    authenticator_type: Literal["oob"] = "oob"
    oob_channel: Literal["sms"] = "sms"


class MfaRequirement(msgspec.Struct):
    """A way to take the second step."""

    type: Literal["oob"] = "oob"


class MfaRequirements(msgspec.Struct, omit_defaults=True):
    """What the user has to do: answer a code, or enrol a number."""

    challenge: list[MfaRequirement] = []
    enroll: list[MfaRequirement] = []


class MfaRequired(Hidden, kw_only=True):
    """What an application answers to the right password, with the status 403."""

    mfa_token: str
    mfa_requirements: MfaRequirements
    error: Literal["mfa_required"] = "mfa_required"


class MfaProblem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457). Decide by ``error`` or ``code``."""

    type: str
    title: str
    status: int
    detail: str
    #: The described system's name, where it has one.
    error: str
    #: This library's name.
    code: str
    #: In seconds, as in the header Retry-After.
    retry_after: int | None = None
    #: Which limit refuses.
    scope: str | None = None
    #: How many wrong codes are still allowed.
    attempts_left: int | None = None
    #: What is wrong with a phone number.
    reason: str | None = None


# --- the calls

_NAMES: dict[type[SmsMfaError], str] = {
    PhoneNumberError: "invalid_phone_number",
    PhoneInUse: "enrollment_conflict",
    ProofRequired: "insufficient_scope",
    FactorDisabled: "feature_disabled",
    CodeMalformed: "invalid_otp_format",
    CodeExpired: "transaction_expired",
    CodeUsed: "code_used",
    CodeRejected: "invalid_otp",
    DeliveryError: "error_sending_sms",
}
#: What the limits are called. Our own name tells a lock-out from a wrong code, which the described system does not.
_LIMITS = {"guesses": "too_many_failures", "recovery": "too_many_failures", "total": "too_many_sms_per_tenant"}
_SMS = "too_many_sms"

_SENDING = (DeliveryError, RecipientRejected, RecipientOptedOut, SenderMisconfigured, FactorDisabled)
_CODES = (CodeMalformed, CodeRejected, CodeUsed, FactorDisabled)


@attrs.frozen(kw_only=True)
class Call:
    """One call of the JSON face.

    Args:
        name: its name in an OpenAPI document.
        method, path: where it is; the path is without the prefix.
        summary: what it does.
        body: what clients send.
        answer: what clients get; ``None``: nothing.
        errors: what can go wrong beside the store.
        limits: the scopes of ``RateLimited`` that it knows.
        names: errors whose names differ here.
        dead: the name of a code that is refused because nothing is left to answer; ``""``: as of any wrong one.
    """

    name: str
    method: str = "POST"
    path: str
    summary: str
    body: type[MfaBody] | None = None
    answer: object = None
    errors: tuple[type[SmsMfaError], ...] = ()
    limits: tuple[str, ...] = ()
    names: Mapping[type[SmsMfaError], str] = attrs.field(factory=dict)
    dead: str = ""

    def error_name(self, error: SmsMfaError) -> str:
        """Return the described system's name of an error, or ours where it has none."""
        if isinstance(error, RateLimited):
            return _LIMITS.get(error.scope, _SMS)
        if self.dead and type(error) is CodeRejected and error.attempts_left == 0:
            return self.dead
        return self.name_of(type(error))

    def name_of(self, kind: type[SmsMfaError]) -> str:
        """Return the name of a class of errors."""
        known = {**_NAMES, **self.names}
        return next((known[one] for one in kind.__mro__ if one in known), kind.code)

    def all_errors(self) -> dict[int, list[str]]:
        """Return for each status the names of the errors that this call can answer with it."""
        found: dict[int, list[str]] = {401: ["invalid_token", "expired_token"]}
        if self.body is not None:
            found |= {400: ["invalid_request"], 413: ["invalid_request"]}
        kinds: list[type[SmsMfaError]] = [*self.errors, StoreError, SmsMfaError]
        for kind in kinds:
            names = found.setdefault(kind.http_status, [])
            names += [name for name in [self.name_of(kind)] if name not in names]
        if self.dead:
            found[CodeRejected.http_status].append(self.dead)
        if self.limits:
            found[RateLimited.http_status] = list(dict.fromkeys(_LIMITS.get(scope, _SMS) for scope in self.limits))
        return dict(sorted(found.items()))


_SENDS = ("user", "number", "total", "resend", "carrier")
#: Every call, but for the OpenAPI document itself.
CALLS = (
    Call(
        name="associate", path="associate", summary="Enrol a phone number: send a code to it", body=MfaAssociate,
        answer=MfaSent, limits=_SENDS,
        errors=(PhoneNumberError, AlreadyEnrolled, NotEnrolled, PhoneInUse, ProofRequired, *_SENDING),
    ),
    Call(
        name="challenge", path="challenge", summary="Send a code, or the same one once more", body=MfaChallenge,
        answer=MfaSent, limits=_SENDS,
        errors=(NotEnrolled, Locked, PhoneNumberError, CodeRejected, CodeUsed, *_SENDING),
        names={CodeRejected: "transaction_not_found"},
    ),
    Call(
        name="verify", path="verify", summary="Check a code: ends an enrolment, and the second step",
        body=MfaVerify, answer=MfaVerified, limits=("guesses",),
        errors=(*_CODES, CodeExpired, Locked, AlreadyEnrolled, PhoneInUse, NotEnrolled), dead="transaction_not_found",
    ),
    Call(
        name="recover", path="recover", summary="Check a recovery code: ends the second step", body=MfaRecover,
        answer=MfaVerified, limits=("recovery",), errors=(*_CODES, NotEnrolled),
        names={CodeMalformed: "invalid_recovery_code_format", CodeRejected: "invalid_recovery_code"},
    ),
    Call(
        name="renew_recovery_codes", path="recovery-codes", summary="Make new recovery codes", body=MfaBody,
        answer=MfaRecoveryCodes, errors=(ProofRequired, NotEnrolled, FactorDisabled),
    ),
    Call(
        name="list_authenticators", method="GET", path="authenticators", summary="List the user's numbers",
        answer=list[MfaAuthenticator],
    ),
    Call(
        name="delete_authenticator", method="DELETE", path="authenticators/{id}", summary="Remove a number",
        errors=(ProofRequired, NotEnrolled),
    ),
)  # fmt: skip
#: Where the OpenAPI document is.
DOCUMENT = "openapi.json"
#: The paths, as an adapter has to know them.
PATHS = (*dict.fromkeys(call.path for call in CALLS), DOCUMENT)
#: The methods that an adapter lets through: which of them a path has is told by the calls.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
