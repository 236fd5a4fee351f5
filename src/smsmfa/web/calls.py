"""Reads the requests of the JSON face, and draws its answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from ..exceptions import ProofRequired
from ..typing import ENROLLMENT
from ..values import instant
from . import refusals, shapes, tokens
from .openapi import LONGEST_KEY, document
from .refusals import HEADERS, Refused
from .requests import Answer, File
from .shapes import (
    CALLS,
    DOCUMENT,
    Call,
    MfaAuthenticator,
    MfaRequired,
    MfaRequirement,
    MfaRequirements,
)
from .tokens import MfaToken

if TYPE_CHECKING:
    from ..values import Challenge, Status, Verification
    from .step import AsyncSecondStep, SecondStep
    from .visit import UserId

_SECOND = timedelta(seconds=1)
#: The longest body that is read, in bytes.
LONGEST_BODY = 10_000
#: What an ``oob_code`` begins with: which of the two checks it is for. All else is checked by the engine.
ENROLL, LOGIN = "enroll", "login"


class Asked(msgspec.Struct, frozen=True):
    """A request, read.

    Args:
        call: which call.
        token: the content of the ``mfa_token``.
        body: the body.
        id: the id in the path.
        language: the header ``Accept-Language``.
        retry_key: the key under which the same request is answered again.
    """

    call: Call
    token: MfaToken
    body: Any
    id: str
    language: str | None
    retry_key: str | None

    @property
    def user_id(self) -> UserId:
        """The user."""
        return self.token.user_id

    def __repr__(self) -> str:
        return f"<Asked {self.call.name}>"


class ApiBase:
    """What :class:`Api` and its twin share."""

    def __init__(self, pages: SecondStep | AsyncSecondStep) -> None:
        self._config, self._pages = pages.config, pages

    def _required(self, user_id: UserId, status: Status) -> dict[str, Any] | None:
        """Return what an application answers to the right password."""
        if not status.enabled:
            return None
        one = [MfaRequirement()]
        token = tokens.give(self._config, MfaToken.of(user_id, self._pages._now()))
        requirements = MfaRequirements(challenge=one) if status.enrolled else MfaRequirements(enroll=one)
        required: dict[str, Any] = msgspec.to_builtins(MfaRequired(mfa_token=token, mfa_requirements=requirements))
        return required

    def _finished(self, mfa_token: object) -> MfaToken:
        """Return a token that was given after the second step.

        Raises:
            ProofRequired: it is none.
        """
        token = tokens.read(self._config, mfa_token) if isinstance(mfa_token, str) else None
        if token is None or token.is_expired(self._pages._now()):
            raise ProofRequired
        return token

    def _read(self, call: Call, id: str, headers: Mapping[str, str], body: bytes) -> Asked:  # noqa: A002
        """Return a request to a call, read.

        Raises:
            Refused: the body or the token is no such thing.
        """
        read = _body(call, body)
        text = _bearer(headers) or (read.mfa_token or "" if read is not None else "")
        token = tokens.read(self._config, text)
        if token is None:
            raise refusals.no_token()
        if token.is_expired(self._pages._now()):
            raise refusals.expired_token()
        return Asked(call, token, read, id, headers.get("accept-language"), _retry_key(headers, text))

    def _channel(self, channel: str) -> str:
        """Return a channel that the sender has.

        Raises:
            Refused: it has not.
        """
        if channel not in self._pages._channels:
            raise Refused(400, "unsupported_challenge_type", f"no codes can be sent by {channel}")
        return channel

    def _sent(self, challenge: Challenge) -> Answer:
        kind = ENROLL if challenge.purpose == ENROLLMENT else LOGIN
        now = instant(self._pages._clock() // 1000)
        return as_json(
            shapes.MfaSent(
                oob_code=f"{kind}.{challenge.id}", oob_channel=challenge.channel, name=challenge.phone.masked,
                expires_in=max((challenge.expires_at - now) // _SECOND, 0),
                resend_in=max(-((now - challenge.resend_at) // _SECOND), 0),
            )
        )  # fmt: skip

    def _verified(self, asked: Asked, proof: Verification | None, recovery_codes: tuple[str, ...]) -> Answer:
        """Return the answer of a passed second step. The same request gets the same answer, to the byte."""
        assert proof is not None  # noqa: S101 - only an operator enrols without one
        token = MfaToken.of(asked.user_id, int(proof.at.timestamp()), proof.token)
        given = tokens.give(self._config, token)
        return as_json(shapes.MfaVerified(mfa_token=given, amr=list(proof.amr), recovery_codes=list(recovery_codes)))

    def _listed(self, status: Status) -> Answer:
        return as_json([MfaAuthenticator(id=one.id, name=one.masked, active=not one.disabled) for one in status.phones])


def early(method: str, path: str, prefix: str) -> Answer | None:
    """Return the answer to whoever asks for the OpenAPI document, or for the methods of a path, or ``None``.

    Raises:
        Refused: there is nothing at this path, or the method is wrong.
    """
    methods = ["GET"] if path == DOCUMENT else [call.method for call, _ in _at(path)]
    if not methods:
        raise refusals.not_found()
    allowed = ", ".join(methods)
    if method == "OPTIONS":
        return as_json(None, 204, Allow=allowed)
    if _as_get(method) not in methods:
        raise refusals.not_allowed(allowed)
    return as_json(document(prefix)) if path == DOCUMENT else None


def find(method: str, path: str) -> tuple[Call, str]:
    """Return the call at a path, and the id in the path. :func:`early` has found that there is one."""
    return next(one for one in _at(path) if one[0].method == _as_get(method))


def _at(path: str) -> list[tuple[Call, str]]:
    folder, _, last = path.rpartition("/")
    here = [(call, "") for call in CALLS if call.path == path]
    return here or [(call, last) for call in CALLS if last and call.path == f"{folder}/{{id}}"]


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def split(oob_code: str) -> tuple[str, str]:
    """Return what an ``oob_code`` is for, and the id of its challenge."""
    kind, _, challenge_id = oob_code.partition(".")
    return kind, challenge_id


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer with a body, or without one."""
    body = b"" if value is None else msgspec.json.encode(value)
    return File(status=status, headers={**HEADERS, **headers}, body=body, content_type="application/json")


def _as_get(method: str) -> str:
    return "GET" if method == "HEAD" else method


def _body(call: Call, body: bytes) -> Any:
    """Return the body of a request to a call."""
    if call.body is None:
        return None
    if len(body) > LONGEST_BODY:
        raise refusals.too_large(LONGEST_BODY)
    try:
        return msgspec.json.decode(body, type=call.body)
    except msgspec.ValidationError as error:
        raise refusals.invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refusals.invalid("the body must be a JSON object, for example {}") from None


def _bearer(headers: Mapping[str, str]) -> str:
    """Return the token in the header Authorization (RFC 6750, 2.1)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _retry_key(headers: Mapping[str, str], text: str) -> str | None:
    """Return the key under which a request with this token is answered again. No other token can compute it."""
    key = headers.get("idempotency-key", "")
    if len(key) > LONGEST_KEY:
        raise refusals.invalid(f"Idempotency-Key: at most {LONGEST_KEY} characters")
    key = key.strip('"')
    return sha256(f"{text} {key}".encode("utf-8", "surrogatepass")).hexdigest() if key else None
