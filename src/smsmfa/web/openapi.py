"""The OpenAPI document of the JSON face, from the definitions that the calls themselves use."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from .shapes import CALLS, Call, MfaProblem, MfaRequired

_REF = "#/components/schemas/{name}"
_PROBLEM = "application/problem+json"
_DESCRIPTION = (
    "The second step of a login. The application gives an mfa_token for the right password; the last answer has one "
    "that the application takes for a login."
)
_RETRY_AFTER = {"description": "In how many seconds to try again", "schema": {"type": "integer"}}
#: The longest Idempotency-Key (characters).
LONGEST_KEY = 200
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": LONGEST_KEY},
    "description": "A random string for one form: the same request with it gets the same answer for 10 minutes",
}  # fmt: skip
_PATH_ID: dict[str, Any] = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def document(prefix: str = "/mfa") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Args:
        prefix: the path under which the calls are.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": "smsmfa", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": prefix or "/"}],
        "paths": paths(),
        "components": components(),
    }


def paths(prefix: str = "") -> dict[str, Any]:
    """Return the calls, by path and method."""
    found: dict[str, Any] = {}
    for call in CALLS:
        found.setdefault(f"{prefix}/{call.path}", {})[call.method.lower()] = _operation(call)
    return found


def components() -> dict[str, Any]:
    """Return the schemas of bodies and answers, and how a client identifies itself."""
    _, schemas = msgspec.json.schema_components(_types(), ref_template=_REF)
    return {"schemas": schemas, "securitySchemes": {"mfaToken": {"type": "http", "scheme": "bearer"}}}


def _types() -> list[Any]:
    bodies = [call.body for call in CALLS if call.body is not None]
    return [*bodies, *(call.answer for call in CALLS if call.answer is not None), MfaProblem, MfaRequired]


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name, "tags": ["mfa"], "summary": call.summary, "security": [{"mfaToken": []}],
        "responses": {**_success(call), **_errors(call)},
    }  # fmt: skip
    parameters: list[dict[str, Any]] = [_PATH_ID] if "{id}" in call.path else []
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(call.body)}
        parameters += [_IDEMPOTENCY_KEY]
    return operation | ({"parameters": parameters} if parameters else {})


def _success(call: Call) -> dict[str, Any]:
    if call.answer is None:
        return {"204": {"description": "It is done"}}
    return {"200": {"description": _first_line(call.answer), "content": _json(call.answer)}}


def _errors(call: Call) -> dict[str, Any]:
    schema = {_PROBLEM: {"schema": {"$ref": _REF.format(name=MfaProblem.__name__)}}}
    found: dict[str, Any] = {}
    for status, names in call.all_errors().items():
        described = f"{HTTPStatus(status).phrase}: {', '.join(names)}"
        found[str(status)] = {"description": described, "content": schema}
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            found[str(status)]["headers"] = {"Retry-After": _RETRY_AFTER}
    return found


def _json(kind: object) -> dict[str, Any]:
    [schema], _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return {"application/json": {"schema": schema}}


def _first_line(kind: object) -> str:
    described = kind.__doc__ or "" if isinstance(kind, type) else "A list"
    return re.split(r"(?<=\.)\s", described)[0]
