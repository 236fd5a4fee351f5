"""The balance of an account tells whether it can send."""

from base64 import b64encode

import pytest
from senders.calls import HANGS, SHORT

from smsmfa.core.opaque import Opaque
from smsmfa.senders.vonage.check import examine
from smsmfa.testing import Answer
from smsmfa.testing.carrier import drop, hang
from smsmfa.testing.senders.leaks import logged

KEY, SECRET = "abcd1234", "fedcba9876543210"


def look(url, seconds=HANGS):
    """Check the account at an address."""
    return examine((Opaque(KEY), Opaque(SECRET)), url, seconds, direct=True)


@pytest.mark.parametrize(
    "answer, level, words",
    [
        (Answer(200, '{"value": 10.28, "autoReload": false}'), "ok", "the credentials are right"),
        (Answer(200, '{"value": 3}'), "ok", "the credentials are right"),
        (Answer(200, '{"value": 0, "autoReload": true}'), "ok", "the credentials are right"),
        (Answer(200, '{"value": 0.0, "autoReload": false}'), "warning", "the account has no money"),
        (Answer(200, '{"value": -1}'), "warning", "the account has no money"),
        (Answer(401, '{"error-code": "401"}'), "error", "Vonage does not know this API key"),
        (Answer(200, '{"value": "10"}'), "not checked", "Vonage answers HTTP 200 without a balance"),
        (Answer(200, '{"value": true}'), "not checked", "Vonage answers HTTP 200 without a balance"),
        (Answer(200, "<html>"), "not checked", "Vonage answers HTTP 200"),
        (Answer(503, '{"value": 10}'), "not checked", "Vonage answers HTTP 503"),
        (Answer(302), "not checked", "Vonage answers HTTP 302"),
        (drop, "not checked", "Vonage gave no usable answer"),
    ],
)
def test_findings(answer, level, words, serve):
    """What is wrong has advice. If Vonage gives no balance the account is not checked."""
    carrier = serve(answer)

    finding = look(carrier.url)

    assert ("account", level, True) == (finding.subject, finding.level, finding.detail.startswith(words))
    assert (level == "ok") != bool(finding.advice)
    assert 1 == len(carrier.requests)


def test_silence(serve):
    """If Vonage does not answer in time the account is not checked."""
    assert "not checked" == look(serve(hang).url, SHORT.total_seconds()).level


def test_nobody_there(refused):
    """If there is no connection the account is not checked."""
    assert ("not checked", "Vonage cannot be reached") == (look(refused).level, look(refused).detail)


def test_request(serve):
    """T12: the credentials are in a header, not in the address; nothing is logged, and the finding shows no secret."""
    carrier = serve(Answer(200, '{"value": 1}'))
    with logged() as log:
        finding = look(carrier.url)

    [request] = carrier.requests
    assert "Basic " + b64encode(f"{KEY}:{SECRET}".encode()).decode() == request.headers["Authorization"]
    assert ("GET /account/get-balance HTTP/1.1", []) == (request.line, log)
    assert SECRET not in repr(finding)
