"""Reading the requests of the JSON face, and drawing its answers."""

import json
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import NUMBER, Factor

from smsmfa import ProofRequired
from smsmfa.typing import SMS
from smsmfa.web import SecondStep, calls, tokens
from smsmfa.web.calls import LONGEST_BODY, ApiBase, as_json, early, find, lowered, split
from smsmfa.web.refusals import Refused
from smsmfa.web.shapes import CALLS, MfaRecoveryCodes
from smsmfa.web.tokens import MfaToken

BY_NAME = {call.name: call for call in CALLS}
VERIFY, LIST = BY_NAME["verify"], BY_NAME["list_authenticators"]
BODY = b'{"oob_code": "login.1", "binding_code": "123456"}'


class World:
    """The shared half of the JSON face over a factor."""

    def __init__(self):
        self.factor = factor = Factor()
        pages = SecondStep(factor.config, factor.store, factor.outbox, clock=factor.clock)
        self.base = ApiBase(pages)
        self.now = factor.clock() // 1_000_000_000

    def token(self, *arguments):
        return tokens.give(self.factor.config, MfaToken.of("alice", self.now, *arguments))

    def read(self, body=BODY, call=VERIFY, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.base._read(call, "", headers, body)

    def refusal(self, *arguments, **headers):
        with pytest.raises(Refused) as refused:
            self.read(*arguments, **headers)
        return refused.value.answer


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("method, path, name, named", [
    ("POST", "verify", "verify", ""),
    ("GET", "authenticators", "list_authenticators", ""),
    ("HEAD", "authenticators", "list_authenticators", ""),
    ("DELETE", "authenticators/3f", "delete_authenticator", "3f"),
])  # fmt: skip
def test_find(method, path, name, named):
    """A method and a path name a call, and perhaps an id."""
    call, found = find(method, path)

    assert (name, named) == (call.name, found)


@pytest.mark.parametrize("path", ["", "verify/", "verify/1", "authenticators/", "authenticators/1/2", "/verify"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_nothing_there(method, path):
    """At other paths there is nothing."""
    with pytest.raises(Refused) as refused:
        early(method, path, "")

    assert 404 == refused.value.answer.status


@pytest.mark.parametrize("method, path, allowed", [
    ("GET", "verify", "POST"), ("PUT", "authenticators", "GET"), ("POST", "authenticators/1", "DELETE"),
    ("POST", "openapi.json", "GET"), ("HEAD", "verify", "POST"),
])  # fmt: skip
def test_wrong_method(method, path, allowed):
    """A wrong method learns the right one, and so does whoever asks for it."""
    with pytest.raises(Refused) as refused:
        early(method, path, "")
    told = early("OPTIONS", path, "")

    assert (405, allowed) == (refused.value.answer.status, refused.value.answer.headers["Allow"])
    assert (204, allowed, b"") == (told.status, told.headers["Allow"], told.body)


def test_document():
    """The document is served early, and a call is not."""
    assert [{"url": "/mfa"}] == json.loads(early("GET", "openapi.json", "/mfa").body)["servers"]
    assert early("GET", "openapi.json", "/mfa") == early("HEAD", "openapi.json", "/mfa")
    assert early("POST", "verify", "/mfa") is None


def test_headers():
    """Names of headers are read in any case."""
    assert {"authorization": "Bearer X"} == lowered({"AuThoriZation": "Bearer X"})


@pytest.mark.parametrize("oob_code, parts", [
    ("enroll.12", ("enroll", "12")), ("12", ("12", "")), ("", ("", "")), ("a.b.c", ("a", "b.c")),
])  # fmt: skip
def test_split(oob_code, parts):
    """An ``oob_code`` has a kind and an id, and any text can be taken apart."""
    assert parts == split(oob_code)


def test_as_json():
    """An answer is JSON that nobody keeps, and an empty one is empty."""
    answer, empty = as_json(MfaRecoveryCodes(["A"])), as_json(None, 204)

    assert (200, b'{"recovery_codes":["A"]}') == (answer.status, answer.body)
    assert "no-store" == answer.headers["Cache-Control"]
    assert (204, b"") == (empty.status, empty.body)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_bearer(world, scheme):
    """The token is read from the header, whose scheme has no case."""
    assert "alice" == world.read(authorization=f"{scheme} {world.token()}").user_id


def test_token_in_the_body(world):
    """The token is read from the body too, as in the described system, and the header goes before it."""
    body = msgspec.json.encode({**json.loads(BODY), "mfa_token": world.token()})

    assert "alice" == world.read(body).user_id
    assert 401 == world.refusal(body, authorization="Bearer x").status
    assert "alice" == world.read(body, authorization="Basic x").user_id


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic {}", "{}"])
def test_no_token(world, header):
    """Without a token of ours nothing is answered."""
    answer = world.refusal(authorization=header.format(world.token()))

    assert (401, "invalid_token") == (answer.status, answer.body["error"])


def test_no_token_without_a_body(world):
    """A call without a body has the header only."""
    assert "invalid_token" == world.refusal(b"", LIST).body["error"]
    assert "alice" == world.read(b"", LIST, authorization=f"Bearer {world.token()}").user_id


def test_expired(world):
    """After ten minutes the client is told to log in again."""
    token = world.token()
    world.factor.clock.move(minutes=10)

    assert "expired_token" == world.refusal(authorization=f"Bearer {token}").body["error"]


@given(body=st.binary(max_size=40) | st.from_regex(r'\A\{"oob_code": .*\}\Z').map(lambda text: text.encode()))
def test_other_bodies(body):
    """What is no body of a call is refused, whatever it is."""
    answer = World().refusal(body)

    assert (400, "invalid_request") == (answer.status, answer.body["error"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"oob_code": 1, "binding_code": ""}', b"[" * 9000, b'"\\ud800"'])
def test_wrong_bodies(world, body):
    """A body that lacks something, or is nested without an end, is refused."""
    assert 400 == world.refusal(body).status


def test_long_body(world):
    """A body of more than 10,000 bytes is not read."""
    body = BODY[:-1] + b" " * (LONGEST_BODY - len(BODY)) + b"}"

    assert 401 == world.refusal(body).status
    assert 413 == world.refusal(body + b" ").status


def test_retry_key(world):
    """A repeated request is known by its token and its key, so that no other token can repeat it."""
    token = world.token()
    key = world.read(authorization=f"Bearer {token}", idempotency_key='"one"').retry_key
    other = world.read(authorization=f"Bearer {world.token('x')}", idempotency_key="one").retry_key

    assert sha256(f"{token} one".encode()).hexdigest() == key
    assert key != other
    assert world.read(authorization=f"Bearer {token}").retry_key is None
    assert world.read(authorization=f"Bearer {token}", idempotency_key="\ud800").retry_key
    assert 400 == world.refusal(authorization=f"Bearer {token}", idempotency_key="x" * 201).status


def test_language(world):
    """The language is the header's."""
    assert "fr" == world.read(authorization=f"Bearer {world.token()}", accept_language="fr").language


def test_repr(world):
    """A request that was read shows neither code nor token."""
    assert "<Asked verify>" == repr(world.read(authorization=f"Bearer {world.token()}"))


def test_channel(world):
    """A channel that the sender has not is refused."""
    with pytest.raises(Refused) as refused:
        world.base._channel("voice")

    assert "unsupported_challenge_type" == refused.value.answer.body["error"]
    assert SMS == world.base._channel(SMS)


def test_sent(world):
    """A code that was sent is told with its kind, the masked number, and whole seconds that never promise too much."""
    factor = world.factor
    pending = factor.enroller.start("alice", NUMBER)
    factor.clock.move(timedelta(milliseconds=10))
    sent = json.loads(world.base._sent(pending).body)
    factor.enroller.confirm("alice", pending.id, factor.outbox.code)
    factor.clock.move(minutes=1)
    challenge = factor.verifier.challenge("alice")
    exact = json.loads(world.base._sent(challenge).body)
    factor.clock.move(hours=1)
    late = json.loads(world.base._sent(challenge).body)

    assert (f"enroll.{pending.id}", "••••71", "sms") == (sent["oob_code"], sent["name"], sent["oob_channel"])
    assert (299, 30) == (sent["expires_in"], sent["resend_in"])
    assert (f"login.{challenge.id}", 300, 30) == (exact["oob_code"], exact["expires_in"], exact["resend_in"])
    assert (0, 0) == (late["expires_in"], late["resend_in"])


def test_verified(world):
    """The last answer has a token with the proof, the methods, and the new recovery codes."""
    enrolled = world.factor.enrol()
    asked = world.read(authorization=f"Bearer {world.token()}")
    answer = world.base._verified(asked, enrolled.verification, enrolled.recovery_codes)
    told = json.loads(answer.body)
    token = tokens.read(world.factor.config, told["mfa_token"])

    assert ("alice", world.now, enrolled.verification.token) == (token.user_id, token.at, token.proof)
    assert (["sms", "otp"], [*enrolled.recovery_codes]) == (told["amr"], told["recovery_codes"])


def test_listed(world):
    """The numbers are listed masked."""
    enrolled = world.factor.enrol()
    [one] = json.loads(world.base._listed(world.factor.verifier.status("alice")).body)

    assert {
        "id": enrolled.phone.id, "name": "••••71", "active": True, "authenticator_type": "oob", "oob_channel": "sms",
    } == one  # fmt: skip


def test_required(world):
    """The application's answer says whether the user enrols or answers a code."""
    factor = world.factor
    new = world.base._required("alice", factor.verifier.status("alice"))
    factor.enrol()
    known = world.base._required("alice", factor.verifier.status("alice"))

    assert {"enroll": [{"type": "oob"}]} == new["mfa_requirements"]
    assert {"challenge": [{"type": "oob"}]} == known["mfa_requirements"]
    assert "mfa_required" == known["error"]
    assert "alice" == tokens.read(factor.config, known["mfa_token"]).user_id


def test_not_required(world):
    """While the factor is turned off nothing is required."""
    off = msgspec.structs.replace(world.factor.verifier.status("alice"), enabled=False)

    assert world.base._required("alice", off) is None


@pytest.mark.parametrize("text", [None, 7, "", "x"])
def test_not_finished(world, text):
    """What is no token of ours lets nobody in."""
    with pytest.raises(ProofRequired):
        world.base._finished(text)


def test_finished(world):
    """A token is read for ten minutes."""
    text = world.token("proof")
    token = world.base._finished(text)
    world.factor.clock.move(minutes=10)

    assert ("alice", "proof") == (token.user_id, token.proof)
    with pytest.raises(ProofRequired):
        world.base._finished(text)


def test_calls():
    """The longest body is one that an adapter can read at once."""
    assert 10_000 == calls.LONGEST_BODY
