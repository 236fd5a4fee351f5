"""The second step in FastAPI and in Starlette."""

import re
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI, Request
from httpx import ASGITransport, AsyncClient
from jinja2 import DictLoader
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from support import AsyncOutbox, Clock, a_config

from smsmfa import AsyncMemoryStore, ConfigurationError, RateLimited, StoreError
from smsmfa.web.fastapi import LONGEST_FORM, SecondStep

JSON = {"Accept": "application/json"}
USER = UUID("6c0f2a3e-9a3f-4f0e-8f6f-0d8d6f1f8a11")
TYPED = {"region": "US", "number": "(415) 555-2671"}


class World:
    """A step with its clock and its outbox, and applications around it."""

    def __init__(self, **arguments):
        self.clock, self.outbox, self.store = Clock(), AsyncOutbox(), AsyncMemoryStore()
        self.step = SecondStep(a_config(), self.store, self.outbox, clock=self.clock, **arguments)

    def fastapi(self, *, init=True, sessions=True, mounted=True):
        step, app = self.step, FastAPI()
        if sessions:
            app.add_middleware(SessionMiddleware, secret_key="a secret of the tests")
        if mounted:
            app.include_router(step.router, prefix="/mfa")
        if init:
            step.init_app(app)

        @app.post("/login")
        async def login(request: Request):
            return await step.begin(request, USER, next="/account?tab=2")

        @app.get("/account")
        async def account(request: Request, user_id: Annotated[UUID, Depends(step.required)]):
            return {"same": user_id == USER == step.user_id(request)}

        fresh = step.fresh(timedelta(minutes=5), back="/settings")

        @app.get("/danger")
        @app.post("/danger")
        async def danger(user_id: Annotated[UUID, Depends(fresh)]):
            return {"same": user_id == USER}

        @app.get("/recent")
        async def recent(user_id: Annotated[UUID, Depends(step.fresh())]):
            return {"same": user_id == USER}

        return app

    def starlette(self):
        app = Starlette()
        app.add_middleware(SessionMiddleware, secret_key="a secret of the tests")
        app.mount("/second", self.step.app)

        async def login(request):
            return await self.step.begin(request, 7)

        async def account(request):
            return PlainTextResponse(repr(await self.step.required(request)))

        app.add_route("/login", login, methods=["POST"])
        app.add_route("/account", account)
        return app


def browser(app, **arguments):
    """Return a client that keeps cookies and follows no redirect."""
    return AsyncClient(transport=ASGITransport(app, **arguments), base_url="http://localhost")


def fields(page, action):
    """Return the hidden fields of the form with this action."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>.*?</form>', page.text, re.DOTALL)[0]
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form))


async def enrol(visitor, outbox, root="/mfa"):
    """Enrol a number and return the page with the recovery codes."""
    form = fields(await visitor.get(f"{root}/enrol"), f"{root}/enrol")
    page = await visitor.post(f"{root}/enrol", data=form | TYPED)
    form = fields(await visitor.get(page.headers["Location"]), f"{root}/enrol/code")
    return await visitor.post(f"{root}/enrol/code", data=form | {"code": outbox.code})


@pytest.fixture
def world():
    return World()


@pytest.fixture
def visitor(world):
    return browser(world.fastapi())


async def test_login(world, visitor):
    """A user who gave the password enrols, gets recovery codes, and is in under the id that ``begin`` got."""
    begun = await visitor.post("/login")
    page = await enrol(visitor, world.outbox)
    account = await visitor.get("/account")

    assert (303, "/mfa/enrol") == (begun.status_code, begun.headers["Location"])
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["Content-Type"])
    assert "no-store" == page.headers["Cache-Control"]
    assert "Save your recovery code" in page.text
    assert {"same": True} == account.json()


async def test_code(world, visitor):
    """The next login asks for a code, which lets the user go where they wanted to."""
    await visitor.post("/login")
    await enrol(visitor, world.outbox)
    world.clock.move(minutes=1)
    another = browser(visitor._transport.app)
    begun = await another.post("/login")
    form = fields(await another.get("/mfa/code"), "/mfa/code")
    done = await another.post("/mfa/code", data=form | {"code": world.outbox.code})

    assert "/mfa/code" == begun.headers["Location"]
    assert (303, "/account?tab=2") == (done.status_code, done.headers["Location"])


async def test_stranger(visitor):
    """A stranger is redirected to the login, and a client that wants JSON gets 401 as problem+json."""
    page, problem = await visitor.get("/account"), await visitor.get("/account", headers=JSON)

    assert (303, "/login", "") == (page.status_code, page.headers["Location"], page.text)
    assert (401, "application/problem+json") == (problem.status_code, problem.headers["Content-Type"])
    assert "second_step_required" == problem.json()["code"]


async def test_halfway(visitor):
    """Whoever gave only the password is sent to the code."""
    await visitor.post("/login")

    assert "/mfa/code" == (await visitor.get("/account")).headers["Location"]


async def test_without_handlers(world):
    """Without ``init_app`` the same redirect and the same status are given."""
    stranger = browser(world.fastapi(init=False))
    page, problem = await stranger.get("/account"), await stranger.get("/account", headers=JSON)

    assert (303, "/login") == (page.status_code, page.headers["Location"])
    assert 401 == problem.status_code


async def test_step_up(world, visitor):
    """A code that is too old sends the user to a step-up, and from there to ``back``, or to the page itself."""
    await visitor.post("/login")
    await enrol(visitor, world.outbox)
    fresh = await visitor.post("/danger")
    world.clock.move(minutes=6)
    stale, recent = await visitor.post("/danger"), await visitor.get("/recent?a=1&b=%20")
    world.clock.move(minutes=6)
    older = await visitor.get("/recent?a=1&b=%20")

    assert {"same": True} == fresh.json() == recent.json()
    assert "/mfa/step-up?next=/settings" == stale.headers["Location"]
    assert "/mfa/step-up?next=/recent%3Fa%3D1%26b%3D%2520" == older.headers["Location"]


async def test_step_up_of_a_stranger(visitor):
    """A stranger is not asked for a newer code, but for the password."""
    assert "/login" == (await visitor.post("/danger")).headers["Location"]


def test_age(world):
    """An age that no proof reaches is refused when the page is written."""
    with pytest.raises(ValueError, match="max_age"):
        world.step.fresh(timedelta(minutes=11))


async def test_file(visitor):
    """The style sheet is sent with its type, for a year."""
    sheet = await visitor.get("/mfa/static/smsmfa.css")

    assert "text/css; charset=utf-8" == sheet.headers["Content-Type"]
    assert "immutable" in sheet.headers["Cache-Control"]


async def test_starlette(world):
    """Starlette mounts the pages, under its own path."""
    app = world.starlette()
    visitor = browser(app)
    begun = await visitor.post("/login")
    halfway = await visitor.get("/account")
    await enrol(visitor, world.outbox, "/second")

    assert "/second/enrol" == begun.headers["Location"]
    assert (303, "/second/code") == (halfway.status_code, halfway.headers["Location"])
    assert "7" == (await visitor.get("/account")).text


@pytest.mark.parametrize("whole", [True, False])
async def test_root_path(world, whole):
    """Behind a proxy the addresses begin with its path, whether or not the proxy leaves that in the request."""
    app = world.fastapi()
    visitor, root = browser(app, root_path="/app"), "/app" if whole else ""
    begun = await visitor.post(f"{root}/login")
    page = await visitor.get(f"{root}/mfa/enrol")
    form = fields(page, "/app/mfa/enrol")
    sent = await visitor.post(f"{root}/mfa/enrol", data=form | TYPED)
    form = fields(await visitor.get(f"{root}/mfa/enrol/code"), "/app/mfa/enrol/code")
    await visitor.post(f"{root}/mfa/enrol/code", data=form | {"code": world.outbox.code})
    world.clock.move(minutes=11)
    older = await visitor.get(f"{root}/recent")
    stranger = await browser(app, root_path="/app").get(f"{root}/recent", headers={"Accept": "text/html"})

    assert "/app/mfa/enrol" == begun.headers["Location"]
    assert "/app/mfa/enrol/code" == sent.headers["Location"]
    assert "/app/mfa/step-up?next=/app/recent" == older.headers["Location"]
    assert "/app/login" == stranger.headers["Location"]


async def test_path_that_begins_like_the_root(world):
    """A page whose path only begins like the proxy's path is told from it."""
    visitor = browser(world.fastapi(), root_path="/mf")
    await visitor.post("/login")

    assert "/mf/mfa/enrol" == (await visitor.get("/mfa/code")).headers["Location"]


async def test_mounted_application(world):
    """An application inside another one finds its pages too."""
    outer = FastAPI()
    outer.mount("/v1", world.fastapi())
    visitor = browser(outer)
    begun = await visitor.post("/v1/login")

    assert "/v1/mfa/enrol" == begun.headers["Location"]
    assert 'action="/v1/mfa/enrol"' in (await visitor.get("/v1/mfa/enrol")).text


async def test_no_sessions(world):
    """An application without sessions learns what to add."""
    with pytest.raises(ConfigurationError, match=r"app.add_middleware\(SessionMiddleware"):
        await browser(world.fastapi(sessions=False)).post("/login")


async def test_not_mounted(world):
    """An application without the pages learns what to add."""
    with pytest.raises(ConfigurationError, match=r"app.include_router\(step.router"):
        await browser(world.fastapi(mounted=False)).post("/login")


@pytest.mark.parametrize("error, headers", [
    (StoreError("db-7.internal is down"), {}),
    (RateLimited("user", timedelta(seconds=90)), {"Retry-After": "90"}),
])  # fmt: skip
async def test_errors_of_the_application(world, error, headers):
    """An error of the library that a page of the application does not catch becomes problem+json."""
    app = world.fastapi()

    @app.get("/broken")
    async def broken():
        raise error

    problem = await browser(app).get("/broken")

    assert (error.http_status, error.problem()) == (problem.status_code, problem.json())
    assert "application/problem+json" == problem.headers["Content-Type"]
    assert headers == {name: problem.headers[name] for name in headers}
    assert "db-7" not in problem.text


async def test_large_form(visitor):
    """A form that is far too large is not read to its end."""
    await visitor.post("/login")
    sent = 0

    async def endless():
        nonlocal sent
        for _ in range(100):
            sent += 1000
            yield b"x" * 1000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = await visitor.post("/mfa/enrol", content=endless(), headers=headers)

    assert 413 == refused.status_code
    assert sent <= LONGEST_FORM + 1000


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", ""])
async def test_other_bodies(visitor, kind):
    """A body that is no plain form is a form without a token, so it changes nothing."""
    await visitor.post("/login")
    token = fields(await visitor.get("/mfa/enrol"), "/mfa/enrol")["smsmfa_token"]
    refused = await visitor.post("/mfa/enrol", content=f"smsmfa_token={token}", headers={"Content-Type": kind})

    assert 403 == refused.status_code


async def test_names_in_utf_8(world, visitor):
    """What a form holds in UTF-8 is shown as it was typed."""
    await visitor.post("/login")
    form = fields(await visitor.get("/mfa/enrol"), "/mfa/enrol")
    again = await visitor.post("/mfa/enrol", data=form | {"region": "US", "number": "élan ٤"})

    assert 'value="élan ٤"' in again.text


@pytest.mark.parametrize("as_folder", [True, False])
async def test_templates(tmp_path, as_folder):
    """A template of the application replaces ours of the same name, from a folder or from a loader."""
    text = "<title>Mine</title>{% block content %}{% endblock %}"
    (tmp_path / "smsmfa").mkdir()
    (tmp_path / "smsmfa" / "base.html").write_text(text, encoding="utf-8")
    world = World(templates=tmp_path if as_folder else DictLoader({"smsmfa/base.html": text}))
    visitor = browser(world.fastapi())
    await visitor.post("/login")
    page = await visitor.get("/mfa/enrol")

    assert page.text.startswith("<title>Mine</title>")
    assert 'action="/mfa/enrol"' in page.text


async def test_session_id(world):
    """Getting in gives the session a new id where sessions have ids, and nothing before that does."""
    renewed = []

    class Handler:
        def regenerate_id(self):
            renewed.append(True)

    class Sessions:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app({**scope, "session_handler": Handler()}, receive, send)

    app = world.fastapi()
    app.add_middleware(Sessions)
    visitor = browser(app)
    await visitor.post("/login")
    before = len(renewed)
    await enrol(visitor, world.outbox)

    assert (0, 1) == (before, len(renewed))


async def test_out_of_order(world, monkeypatch):
    """A page that cannot ask the store answers a JSON client with a general 503."""
    app = world.fastapi()
    visitor = browser(app)
    await visitor.post("/login")
    await enrol(visitor, world.outbox)

    async def fail(key):
        raise StoreError("db-7.internal is down")

    monkeypatch.setattr(world.store, "read", fail)
    problem, page = await visitor.get("/danger", headers=JSON), await visitor.get("/danger")

    assert (503, 503) == (problem.status_code, page.status_code)
    assert "store_error" == problem.json()["code"]
    assert "Something went wrong" in page.text


def test_routes(world):
    """The pages are one set of routes, however often an application asks for them."""
    assert world.step.router is world.step.router
    assert world.step.app is world.step.app


@pytest.mark.parametrize("mount", ["fastapi", "starlette"])
async def test_api(mount):
    """The JSON face is mounted beside the pages if it is asked for, needs no session, and gives the user id back."""
    world = World(api=True)
    app, root = getattr(world, mount)(), {"fastapi": "/mfa", "starlette": "/second"}[mount]
    client = browser(app)
    client.headers["Authorization"] = f"Bearer {(await world.step.begin_api(USER))['mfa_token']}"
    sent = (await client.post(f"{root}/associate", json={"phone_number": "+14155552671"})).json()
    typed = {"oob_code": sent["oob_code"], "binding_code": world.outbox.code}
    verified = (await client.post(f"{root}/verify", json=typed)).json()
    client.headers["Authorization"] = f"Bearer {verified['mfa_token']}"
    [one] = (await client.get(f"{root}/authenticators")).json()
    wrong = await client.put(f"{root}/authenticators")
    user_id = await world.step.finish_api(verified["mfa_token"])
    removed = await client.delete(f"{root}/authenticators/{one['id']}")

    assert USER == user_id
    assert (405, "GET", "application/problem+json") == (
        wrong.status_code, wrong.headers["Allow"], wrong.headers["Content-Type"],
    )  # fmt: skip
    assert (204, "") == (removed.status_code, removed.text)
    assert [{"url": root}] == (await client.get(f"{root}/openapi.json")).json()["servers"]
    assert "/mfa/enrol" == (await client.post("/login")).headers["Location"].replace(root, "/mfa")


async def test_no_api(world, visitor):
    """Nothing of the JSON face is mounted if it is not asked for."""
    assert 303 == (await visitor.get("/mfa/openapi.json")).status_code
    assert "/mfa/verify" not in visitor._transport.app.openapi()["paths"]


async def test_large_body():
    """A body that is far too large is refused as a problem."""
    refused = await browser(World(api=True).fastapi()).post("/mfa/verify", content=b" " * (LONGEST_FORM + 1))

    assert (413, "application/problem+json") == (refused.status_code, refused.headers["Content-Type"])


def test_document():
    """FastAPI's own document has the calls under their path, with their schemas, beside the application's."""
    app = World(api=True).fastapi()
    described = app.openapi()

    assert {"/mfa/verify", "/mfa/authenticators/{id}", "/account"} <= {*described["paths"]}
    assert {"MfaVerify", "MfaProblem"} <= {*described["components"]["schemas"]}
    assert "mfaToken" in described["components"]["securitySchemes"]
    assert described == app.openapi()


def test_fresh_without_parentheses():
    """``Depends(step.fresh)`` without parentheses says what is missing."""
    step = SecondStep(a_config(), AsyncMemoryStore(), AsyncOutbox())

    with pytest.raises(TypeError, match=r"step\.fresh\(\)"):
        step.fresh(lambda request: "")


def test_no_such_templates(tmp_path):
    """A folder of templates that does not exist is refused."""
    with pytest.raises(ConfigurationError, match="templates: there is no such folder"):
        SecondStep(a_config(), AsyncMemoryStore(), AsyncOutbox(), templates=tmp_path / "nope")


async def test_url_for_in_a_frame(tmp_path):
    """An application's frame may use ``request`` and ``url_for``, as Starlette's own templates do."""
    (tmp_path / "smsmfa").mkdir()
    frame = "{{ url_for('smsmfa', page='account').path }} {{ request.url.path }}"
    (tmp_path / "smsmfa" / "base.html").write_text(frame)
    visitor = browser(World(templates=tmp_path).fastapi())
    await visitor.post("/login")

    assert "/mfa/account /mfa/enrol" == (await visitor.get("/mfa/enrol")).text
