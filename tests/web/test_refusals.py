"""What the JSON face answers when it refuses."""

from datetime import timedelta

import pytest

from smsmfa import CodeRejected, RateLimited, StoreError
from smsmfa.web import refusals
from smsmfa.web.shapes import CALLS

[VERIFY] = [call for call in CALLS if call.name == "verify"]
REFUSALS = [
    (refusals.invalid("no"), 400, "invalid_request", {}),
    (refusals.too_large(7), 413, "invalid_request", {}),
    (refusals.not_found(), 404, "not_found", {}),
    (refusals.not_allowed("GET, POST"), 405, "method_not_allowed", {"Allow": "GET, POST"}),
    (refusals.no_token(), 401, "invalid_token", {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
    (refusals.expired_token(), 401, "expired_token", {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
]


@pytest.mark.parametrize("refused, status, error, headers", REFUSALS, ids=[str(one[0]) for one in REFUSALS])
def test_refused(refused, status, error, headers):
    """A request that is refused before any call gets a problem with a name, and with the headers of its status."""
    answer = refused.answer

    assert (status, status, error) == (answer.status, answer.body["status"], answer.body["error"])
    assert {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **headers} == answer.headers


def test_problem():
    """An error of the engine has its own members, and the described system's name beside ours."""
    answer = refusals.problem(CodeRejected(3), VERIFY)

    assert (403, "invalid_otp", "code_rejected", 3) == (
        answer.status, answer.body["error"], answer.body["code"], answer.body["attempts_left"],
    )  # fmt: skip


def test_retry_after():
    """A limit tells when to try again, in a header and in the body."""
    answer = refusals.problem(RateLimited("guesses", timedelta(seconds=90)), VERIFY)

    assert ("90", 90, "too_many_failures") == (
        answer.headers["Retry-After"], answer.body["retry_after"], answer.body["error"],
    )  # fmt: skip


def test_our_fault():
    """What failed on our side is not told."""
    assert "db-7" not in str(refusals.problem(StoreError("db-7.internal"), VERIFY).body)
