"""What the JSON face answers when it refuses: ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from ..exceptions import SmsMfaError
from .requests import Problem
from .shapes import Call

#: The headers of every answer.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
#: What a refused token asks for (RFC 6750, 3).
_BEARER = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Refused(Exception):
    """A request that no call of the engine is made for. ``answer`` is what the client gets."""

    def __init__(self, status: int, error: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        body = {
            "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail,
            "error": error, "code": error,
        }  # fmt: skip
        self.answer: Problem = Problem(status=status, headers={**HEADERS, **(headers or {})}, body=body)


def invalid(detail: str) -> Refused:
    """Return the refusal of a body that is not what the call takes."""
    return Refused(400, "invalid_request", detail)


def too_large(longest: int) -> Refused:
    """Return the refusal of a body that is too long to be read (bytes)."""
    return Refused(413, "invalid_request", f"the body has more than {longest} bytes")


def not_found() -> Refused:
    """Return the refusal of a path where nothing is."""
    return Refused(404, "not_found", "there is nothing at this path")


def not_allowed(methods: str) -> Refused:
    """Return the refusal of a method."""
    return Refused(405, "method_not_allowed", f"use {methods}", {"Allow": methods})


def no_token() -> Refused:
    """Return the refusal of a request without a token that we gave."""
    detail = "send the mfa_token as Authorization: Bearer, or in the body; the application gives it after the password"
    return Refused(401, "invalid_token", detail, _BEARER)


def expired_token() -> Refused:
    """Return the refusal of a token whose ten minutes are over."""
    return Refused(401, "expired_token", "the mfa_token has expired; log in again", _BEARER)


def problem(error: SmsMfaError, call: Call) -> Problem:
    """Return the answer to an error of the engine."""
    body = {**error.problem(), "error": call.error_name(error)}
    return Problem(status=error.http_status, headers={**HEADERS, **error.headers}, body=body)
