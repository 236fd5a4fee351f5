"""An application's tests get users with numbers, proofs and logins, and nothing is sent."""

from datetime import timedelta
from uuid import uuid4

import pytest
from support import NUMBER

from smsmfa import FactorConfig, PhoneNumber, ProofRequired
from smsmfa.testing.fixtures import *  # noqa: F403
from smsmfa.testing.users import enrolled, logged_in, new_number, session_cookie

KEY = "the key of the session"


@pytest.mark.parametrize("user_id", ["alice", 7, uuid4()])
def test_enrolled(sms_enroller, sms_verifier, sms_outbox, user_id):
    """A user has the number, without a message."""
    assert user_id == enrolled(sms_enroller, user_id, NUMBER)
    assert ["••••71"] == [phone.masked for phone in sms_verifier.status(user_id).phones]
    assert [] == sms_outbox.messages


def test_numbers(sms_enroller):
    """Without a number, each user gets another one."""
    for number in range(50):
        enrolled(sms_enroller, number)


@pytest.mark.parametrize("regions, region", [({"FR", "US"}, "US"), ({"DE", "FR"}, "FR")])
def test_region(regions, region):
    """A new number is of a country that the configuration allows."""
    config = FactorConfig(app_name="Acme", secret="only the tests know this secret, no others", regions=regions)

    assert region == PhoneNumber.parse(new_number(config)).region


def test_fixtures(sms_enrolled, sms_verified, sms_verifier, sms_outbox):
    """The fixtures enrol a user and give proof, and the outbox stays empty."""
    proof = sms_verified(sms_enrolled("alice", NUMBER))

    assert "alice" == proof.user_id
    assert [] == sms_outbox.messages
    sms_verifier.check_proof("alice", proof.token)


def test_proof_ages(sms_enrolled, sms_verified, sms_verifier, sms_clock):
    """The proof is a real one, and too old after a while."""
    proof = sms_verified(sms_enrolled("alice"))
    sms_clock.move(minutes=11)

    with pytest.raises(ProofRequired):
        sms_verifier.check_proof("alice", proof.token)


def test_flask(sms_config, sms_store, sms_outbox, sms_enrolled):
    """A user is past the second step in Flask's session, and a view that asks for a fresh code does so."""
    import flask

    from smsmfa.web.flask import SecondStep

    app = flask.Flask(__name__)
    app.secret_key = KEY
    step = SecondStep(sms_config, sms_store, sms_outbox)
    step.init_app(app)
    app.add_url_rule("/", "home", step.required(lambda: f"Hello {step.user_id}"))
    app.add_url_rule("/danger", "danger", step.fresh(timedelta(minutes=5))(lambda: "danger"))
    client = app.test_client()
    assert "/login" == client.get("/").location
    with client.session_transaction() as session:
        assert "alice" == logged_in(session, sms_enrolled("alice"))

    assert "Hello alice" == client.get("/").text
    assert "/mfa/step-up?next=/danger" == client.get("/danger").location
    assert [] == sms_outbox.messages


@pytest.mark.parametrize("user_id", ["alice", 7])
async def test_starlette(sms_config, sms_async_store, sms_async_outbox, sms_enrolled, user_id):
    """A user is past the second step with the cookie of Starlette's sessions, if it is signed with the right key."""
    import httpx
    from starlette.applications import Starlette
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.responses import JSONResponse

    from smsmfa.web.fastapi import SecondStep

    app = Starlette()
    app.add_middleware(SessionMiddleware, secret_key=KEY)
    step = SecondStep(sms_config, sms_async_store, sms_async_outbox)
    app.mount("/mfa", step.app)
    step.init_app(app)

    async def home(request):
        return JSONResponse(await step.required(request))

    app.add_route("/", home)
    sms_enrolled(user_id)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site.example") as client:
        client.cookies.set("session", session_cookie("another key of a session", user_id))
        assert "/login" == (await client.get("/")).headers["location"]
        client.cookies.clear()
        client.cookies.set("session", session_cookie(KEY, user_id))
        assert user_id == (await client.get("/")).json()
