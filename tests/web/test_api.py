"""The second step as JSON, for threads and for asyncio, and used for real."""

import json
import threading

import httpx
import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from support import (
    NUMBER,
    OTHER_NUMBER,
    AsyncFactor,
    AsyncOutbox,
    Awaited,
    Clock,
    Coroutines,
    Factor,
    Outbox,
    a_config,
    shown,
    wrong,
)

from smsmfa import AsyncMemoryStore, MemoryStore, ProofRequired, StoreError
from smsmfa.web import AsyncSecondStep, Problem, SecondStep
from smsmfa.web.api import Api, AsyncApi
from smsmfa.web.fastapi import SecondStep as FastApiStep
from smsmfa.web.flask import SecondStep as FlaskStep


class World:
    """The JSON face over a factor, with a client that keeps its token."""

    def __init__(self, factor, **arguments):
        self.factor = factor
        common = {"clock": factor.clock, **arguments}
        if isinstance(factor, AsyncFactor):
            store, sender = Coroutines(factor.store), Coroutines(factor.outbox)
            self.api = Awaited(AsyncApi(AsyncSecondStep(factor.config, store, sender, **common)))
        else:
            self.api = Api(SecondStep(factor.config, factor.store, factor.outbox, **common))
        self.token = ""

    def begin(self, user_id="alice"):
        self.token = self.api.begin(user_id)["mfa_token"]

    def answer(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else json.dumps(body).encode()
        return self.api.handle(method, path, {"Authorization": f"Bearer {self.token}", **headers}, content)

    def call(self, method, path, body=None, **headers):
        """Return what a call answers that must succeed."""
        answer = self.answer(method, path, body, **headers)
        assert answer.status in {200, 204}, answer
        return json.loads(answer.body or b"null")

    def refused(self, method, path, body=None, **headers):
        """Return status and name of the error of a call that must fail."""
        answer = self.answer(method, path, body, **headers)
        assert isinstance(answer, Problem)
        return answer.status, answer.body["error"]

    def associate(self, **more):
        return self.call("POST", "associate", {"phone_number": NUMBER, **more})

    def verify(self, sent, code=None, **headers):
        body = {"oob_code": sent["oob_code"], "binding_code": code or self.factor.outbox.code}
        return self.call("POST", "verify", body, **headers)

    def enrol(self):
        """Enrol a number, keep the token, and return the recovery codes."""
        self.begin()
        verified = self.verify(self.associate())
        self.token = verified["mfa_token"]
        return verified["recovery_codes"]


@pytest.fixture(params=[Factor, AsyncFactor])
def factory(request):
    return request.param


@pytest.fixture
def world(factory):
    return World(factory())


def test_enrolment(world):
    """A user enrols a number and is in: the application gets the user id from the token."""
    required = world.api.begin(7)
    world.token = required["mfa_token"]
    sent = world.associate(authenticator_types=["oob"], oob_channels=["sms"])
    verified = world.verify(sent)

    assert {"enroll": [{"type": "oob"}]} == required["mfa_requirements"]
    assert 1 == len(verified["recovery_codes"])
    assert 7 == world.api.finish(verified["mfa_token"])


def test_login(world):
    """The next login asks for a code, which ends the second step."""
    world.enrol()
    world.factor.clock.move(minutes=1)
    required = world.api.begin("alice")
    world.token = required["mfa_token"]
    verified = world.verify(world.call("POST", "challenge", {"challenge_type": "oob"}))

    assert {"challenge": [{"type": "oob"}]} == required["mfa_requirements"]
    assert ([], ["sms", "otp"]) == (verified["recovery_codes"], verified["amr"])
    assert "alice" == world.api.finish(verified["mfa_token"])


def test_halfway(world):
    """The token that the password gave lets nobody in, and changes nothing of a user who has a number."""
    world.enrol()
    world.begin()
    [one] = world.call("GET", "authenticators")

    with pytest.raises(ProofRequired):
        world.api.finish(world.token)
    assert (403, "insufficient_scope") == world.refused("POST", "associate", {"phone_number": OTHER_NUMBER})
    assert (403, "insufficient_scope") == world.refused("DELETE", f"authenticators/{one['id']}")
    assert (403, "insufficient_scope") == world.refused("POST", "recovery-codes", {})


def test_stale(world):
    """A token lets the user in for ten minutes after the code, and not once the numbers changed."""
    world.enrol()
    [one] = world.call("GET", "authenticators")
    text = world.token
    world.call("DELETE", f"authenticators/{one['id']}")

    with pytest.raises(ProofRequired):
        world.api.finish(text)
    world.enrol()
    world.factor.clock.move(minutes=10)
    with pytest.raises(ProofRequired):
        world.api.finish(world.token)


def test_other_user(world):
    """A challenge of one user cannot be answered with the token of another."""
    world.enrol()
    world.begin()
    sent = world.call("POST", "challenge", {})
    world.begin("bob")
    body = {"oob_code": sent["oob_code"], "binding_code": world.factor.outbox.code}

    assert (403, "transaction_not_found") == world.refused("POST", "verify", body)


def test_lost_answer(world):
    """A request that is repeated under its key gets the same answer, recovery codes included."""
    world.begin()
    sent = world.associate()
    first = world.verify(sent, idempotency_key="one")

    assert first == world.verify(sent, idempotency_key='"one"')
    body = {"oob_code": sent["oob_code"], "binding_code": world.factor.outbox.code}
    assert (409, "code_used") == world.refused("POST", "verify", body)
    assert (409, "code_used") == world.refused("POST", "verify", body, idempotency_key="other")


def test_doubled_wrong_code(world):
    """A wrong code that is sent twice under one key counts once."""
    world.begin()
    sent = world.associate()
    body = {"oob_code": sent["oob_code"], "binding_code": wrong(world.factor.outbox.code)}
    answers = [world.answer("POST", "verify", body, idempotency_key="one") for _ in range(2)]

    assert [("invalid_otp", 4)] * 2 == [(one.body["error"], one.body["attempts_left"]) for one in answers]


def test_resend(world):
    """The same code is sent once more, for an enrolment and for a login, and not too early."""
    world.begin()
    sent = world.associate()
    early = world.answer("POST", "challenge", {"oob_code": sent["oob_code"]})
    world.factor.clock.move(minutes=1)
    again = world.call("POST", "challenge", {"oob_code": sent["oob_code"]})
    world.verify(again)
    world.factor.clock.move(minutes=1)
    login = world.call("POST", "challenge", {})
    world.factor.clock.move(minutes=1)

    assert (429, "too_many_sms", "resend") == (early.status, early.body["error"], early.body["scope"])
    assert early.headers["Retry-After"] == str(early.body["retry_after"]) == str(sent["resend_in"])
    assert sent["oob_code"] == again["oob_code"]
    assert login["oob_code"] == world.call("POST", "challenge", {"oob_code": login["oob_code"]})["oob_code"]


@pytest.mark.parametrize("oob_code", ["login." + "0" * 32, "enroll." + "0" * 32, "", "x.y", "é"])
def test_unknown_transaction(world, oob_code):
    """What names no challenge is neither sent again nor checked."""
    world.enrol()

    assert (403, "transaction_not_found") == world.refused("POST", "challenge", {"oob_code": oob_code})
    body = {"oob_code": oob_code, "binding_code": "123456"}
    assert (403, "transaction_not_found") == world.refused("POST", "verify", body)


def test_recovery(world):
    """A recovery code lets the user in and is replaced, and the same request gets the same replacement."""
    [code] = world.enrol()
    world.begin()
    first = world.call("POST", "recover", {"recovery_code": code}, idempotency_key="one")

    assert first == world.call("POST", "recover", {"recovery_code": code}, idempotency_key="one")
    assert (["otp"], 1) == (first["amr"], len(first["recovery_codes"]))
    assert "alice" == world.api.finish(first["mfa_token"])
    assert (409, "code_used") == world.refused("POST", "recover", {"recovery_code": code})
    assert (422, "invalid_recovery_code_format") == world.refused("POST", "recover", {"recovery_code": "1"})


def test_new_recovery_codes(world):
    """New recovery codes are given to whoever took the second step, the same ones for the same request."""
    [old] = world.enrol()
    first = world.call("POST", "recovery-codes", {}, idempotency_key="one")

    assert first == world.call("POST", "recovery-codes", {}, idempotency_key="one")
    assert [old] != first["recovery_codes"]


def test_authenticators(factory):
    """Numbers are added, named in a challenge, listed masked, and removed."""
    world = World(factory(a_config(max_phones=2)))
    world.enrol()
    second = world.verify(world.associate(phone_number="(415) 555-2672", region="US"))
    world.token = second["mfa_token"]
    first, other = world.call("GET", "authenticators")
    world.factor.clock.move(minutes=1)
    sent = world.call("POST", "challenge", {"authenticator_id": other["id"]})
    removed = world.answer("DELETE", f"authenticators/{first['id']}")

    assert ("••••71", "••••72", "••••72") == (first["name"], other["name"], sent["name"])
    assert (204, b"") == (removed.status, removed.body)
    assert [other] == world.call("GET", "authenticators")


def test_replace(world):
    """A number is replaced by another one, after a code."""
    world.enrol()
    [one] = world.call("GET", "authenticators")
    world.verify(world.associate(phone_number=OTHER_NUMBER, replace=one["id"]))

    assert ["••••72"] == [one["name"] for one in world.call("GET", "authenticators")]


def test_channels(factory):
    """A code goes by a channel that the sender has, and by no other."""
    world = World(factory(), channels=("sms", "voice"))
    world.begin()
    sent = world.associate(oob_channels=["voice"])
    world.verify(sent)
    world.factor.clock.move(minutes=1)
    called = world.call("POST", "challenge", {"oob_channel": "voice"})
    world.factor.clock.move(minutes=1)

    assert "voice" == sent["oob_channel"] == called["oob_channel"]
    assert (
        "sms" == world.call("POST", "challenge", {"oob_channel": "sms", "oob_code": called["oob_code"]})["oob_channel"]
    )
    other = {"phone_number": NUMBER, "oob_channels": ["whatsapp"]}
    assert (400, "unsupported_challenge_type") == world.refused("POST", "associate", other)


def test_no_channel(world):
    """Without a channel an SMS is sent."""
    world.begin()

    assert "sms" == world.associate(oob_channels=[])["oob_channel"]


def test_language(world):
    """The message is in the language of the client."""
    world.begin()
    world.call("POST", "associate", {"phone_number": NUMBER}, accept_language="fr-FR,fr;q=0.9")

    assert "code" in world.factor.outbox.messages[-1].text
    assert "fr" in world.factor.outbox.messages[-1].locale


def test_turned_off(factory):
    """While the factor is turned off no second step is needed, and none can be taken."""
    world = World(factory())
    world.begin()
    off = factory(a_config(enabled=False), clock=world.factor.clock)
    switched = World(off)
    switched.token = world.token

    assert switched.api.begin("alice") is None
    assert (403, "feature_disabled") == switched.refused("POST", "associate", {"phone_number": NUMBER})


@pytest.mark.parametrize("method, path, refusal", [
    ("POST", "nothing", (404, "not_found")),
    ("GET", "verify", (405, "method_not_allowed")),
    ("POST", "verify", (400, "invalid_request")),
    ("POST", "openapi.json", (405, "method_not_allowed")),
])  # fmt: skip
def test_no_call(world, method, path, refusal):
    """What is no call is refused before anything else happens."""
    world.begin()

    assert refusal == world.refused(method, path)


def test_document(world):
    """The document is served without a token."""
    assert "3.1.0" == world.call("GET", "openapi.json")["openapi"]


def test_begin_for_nobody(world):
    """No token is given for what cannot be a user."""
    with pytest.raises(TypeError):
        world.api.begin(None)


def test_out_of_order(world, monkeypatch):
    """When the store fails, clients get a general 503, and the application the error."""
    world.enrol()

    def fail(key):
        raise StoreError("db-7.internal is down")

    monkeypatch.setattr(world.factor.store, "read", fail)

    assert (503, "store_error") == world.refused("GET", "authenticators")
    assert "db-7" not in str(world.answer("GET", "authenticators").body)
    with pytest.raises(StoreError):
        world.api.finish(world.token)


def test_nothing_is_shown(monkeypatch):
    """A traceback with locals shows neither the code nor the token when a store raises something else."""
    world = World(Factor())
    world.begin()
    sent = world.associate()
    code = world.factor.outbox.code
    content = json.dumps({"oob_code": sent["oob_code"], "binding_code": code}).encode()

    def fail(keys, change):
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.factor.store, "update", fail)
    with pytest.raises(RuntimeError) as caught:
        world.api.handle("POST", "verify", {"Authorization": f"Bearer {world.token}"}, content)

    assert code not in shown(caught.value)
    assert world.token not in shown(caught.value)


# --- mounted, and asked by a machine


def flask_app():
    """Return a Flask application with the JSON face, and tokens of users who went different ways."""
    outbox, clock = Outbox(), Clock()
    step = FlaskStep(a_config(max_phones=2), MemoryStore(), outbox, clock=clock, api=True)
    app = Flask("app")
    step.init_app(app)
    client = app.test_client()
    halfway, verified = step.begin_api("new")["mfa_token"], step.begin_api("old")["mfa_token"]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {verified}"
    sent = client.post("/mfa/associate", json={"phone_number": NUMBER}).json
    verified = client.post("/mfa/verify", json={**sent, "binding_code": outbox.code}).json["mfa_token"]
    assert "old" == step.finish_api(verified)
    return app, {"halfway": halfway, "verified": verified, "stranger": "x"}


APP, TOKENS = flask_app()
SCHEMA = schemathesis.openapi.from_wsgi("/mfa/openapi.json", APP)


@pytest.mark.parametrize("who", TOKENS)
@SCHEMA.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_documented(case, who):
    """No request makes the JSON face fail, and each answer is one that the document describes."""
    # A code that has the form of one may still be wrong.
    case.call_and_validate(
        headers={"Authorization": f"Bearer {TOKENS[who]}"}, excluded_checks=[positive_data_acceptance]
    )


# --- mounted, and used over a connection


class Server(uvicorn.Server):
    """A server in a thread, on a free port of the loopback interface."""

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        while not self.started:
            assert self.thread.is_alive()
        [server] = self.servers
        host, port = server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    def __exit__(self, *raised):
        self.should_exit = True
        self.thread.join()


def shop(outbox):
    """Return an application whose login is JSON."""
    step = FastApiStep(a_config(), AsyncMemoryStore(), outbox, api=True)
    app = FastAPI()
    app.include_router(step.router, prefix="/mfa")
    step.init_app(app)

    @app.post("/api/login")
    async def login(request: Request):
        raise HTTPException(403, await step.begin_api((await request.json())["user"]))

    @app.post("/api/session")
    async def session(request: Request):
        return {"hello": await step.finish_api((await request.json())["mfa_token"])}

    return app


def test_for_real():
    """A small client enrols, logs in and recovers over a connection, with nothing but the documented calls."""
    outbox = AsyncOutbox()
    config = uvicorn.Config(shop(outbox), port=0, log_level="critical", lifespan="off", ws="none")
    with Server(config) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.headers["Authorization"] = (
            f"Bearer {client.post('/api/login', json={'user': 7}).json()['detail']['mfa_token']}"
        )
        sent = client.post("/mfa/associate", json={"phone_number": NUMBER}).json()
        typed = {"oob_code": sent["oob_code"], "binding_code": outbox.code}
        early = client.post("/mfa/challenge", json={"oob_code": sent["oob_code"]})
        verified = client.post("/mfa/verify", json=typed, headers={"Idempotency-Key": "one"})
        again = client.post("/mfa/verify", json=typed, headers={"Idempotency-Key": "one"})
        session = client.post("/api/session", json=verified.json())
        recovered = client.post("/mfa/recover", json={"recovery_code": verified.json()["recovery_codes"][0]})
        forged = client.post("/api/session", json={"mfa_token": "x"})

    assert (429, "application/problem+json") == (early.status_code, early.headers["Content-Type"])
    assert verified.content == again.content
    assert {"hello": 7} == session.json()
    assert 1 == len(recovered.json()["recovery_codes"])
    assert (403, "proof_required") == (forged.status_code, forged.json()["code"])
