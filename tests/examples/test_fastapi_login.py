"""The example of a FastAPI login, as a browser without scripts sees it, and as a mobile application uses it."""

import pytest
from examples.loading import load
from httpx import ASGITransport, AsyncClient
from services import POSTGRES, REDIS, postgres_database, redis_prefix
from support import NUMBER, SECRET, AsyncOutbox, a_config
from web.visitor import Reader

from smsmfa import AsyncMemoryStore

example = load("fastapi_login/app.py")
PASSWORD = {"name": "alice", "password": "correct horse"}


class Browser:
    """Follows redirects, and sends the forms of the page that it shows."""

    def __init__(self, app):
        self.client = AsyncClient(transport=ASGITransport(app), base_url="http://localhost", follow_redirects=True)

    def show(self, answer):
        self.page, self.status, self.path = Reader(answer.text), answer.status_code, answer.url.path
        return self.page.text

    async def get(self, path):
        return self.show(await self.client.get(path))

    async def post(self, path, **fields):
        return self.show(await self.client.post(path, data=fields))

    async def send(self, button="", **fields):
        form = next(one for one in self.page.forms if any(button in text for text, *_ in one.buttons))
        return await self.post(form.action or self.path, **form.filled(button, **fields))


@pytest.fixture
def outbox():
    return AsyncOutbox()


@pytest.fixture
def app(outbox):
    return example.make_app(a_config(), AsyncMemoryStore(), outbox, SECRET)


async def enrol(browser, outbox):
    await browser.post("/login", **PASSWORD)
    await browser.send(region="US", number=NUMBER)
    return await browser.send("Continue", code=outbox.code)


async def test_login(app, outbox):
    """Alice enrols, is greeted, deletes her files behind a fresh code, and logs out."""
    browser = Browser(app)

    assert "Save your recovery code" in await enrol(browser, outbox)
    assert "Hello alice" in await browser.get("/")
    assert "Everything is gone" in await browser.send("Delete")
    await browser.get("/")
    assert "Log in" in await browser.send("Log out")
    assert "/login" == browser.path


@pytest.mark.parametrize("path", ["/", "/mfa/account"])
async def test_strangers(app, path):
    """A stranger is sent to the password page."""
    browser = Browser(app)
    await browser.get(path)

    assert "/login" == browser.path


@pytest.mark.parametrize("name, password", [("alice", "wrong"), ("bob", "correct horse"), ("", "")])
async def test_wrong_password(app, name, password):
    """A wrong name or password begins nothing, for browsers and for mobile applications."""
    browser = Browser(app)
    text = await browser.post("/login", name=name, password=password)
    refused = await browser.client.post("/api/login", json={"name": name, "password": password})

    assert (401, 401) == (browser.status, refused.status_code)
    assert "Wrong name or password" in text


async def test_mobile(app, outbox):
    """A mobile application logs in over JSON, from the password to the session."""
    client = Browser(app).client
    required = await client.post("/api/login", json=PASSWORD)
    client.headers["Authorization"] = f"Bearer {required.json()['mfa_token']}"
    sent = (await client.post("/mfa/associate", json={"phone_number": NUMBER})).json()
    typed = {"oob_code": sent["oob_code"], "binding_code": outbox.code}
    verified = (await client.post("/mfa/verify", json=typed)).json()
    halfway = await client.post("/api/session", json=required.json())
    session = await client.post("/api/session", json=verified)

    assert (403, "mfa_required") == (required.status_code, required.json()["error"])
    assert (403, "proof_required") == (halfway.status_code, halfway.json()["code"])
    assert {"user": "alice"} == session.json()
    assert "/mfa/verify" in (await client.get("/openapi.json")).json()["paths"]


async def keeps(outbox):
    """Enrol alice in one application, and log her in with another one, as after a restart."""
    async with example.open_store() as store:
        await enrol(Browser(example.make_app(a_config(), store, outbox, SECRET)), outbox)
    async with example.open_store() as store:
        await Browser(example.make_app(a_config(), store, outbox, SECRET)).post("/login", **PASSWORD)
    return outbox.calls


async def test_sqlite(outbox, monkeypatch, tmp_path):
    """Without a server numbers outlive the program in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)

    assert 2 == await keeps(outbox)
    assert (tmp_path / "fastapi_login.sqlite3").exists()


async def test_postgres(outbox, monkeypatch):
    """Numbers are kept on PostgreSQL."""
    POSTGRES.driver()
    with postgres_database() as name:
        monkeypatch.setenv("DATABASE_URL", POSTGRES.at(database=name))

        assert 2 == await keeps(outbox)


async def test_redis(outbox, monkeypatch):
    """Numbers are kept on Redis."""
    REDIS.driver()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("REDIS_URL", REDIS.url)
    with redis_prefix() as prefix:
        monkeypatch.setenv("REDIS_PREFIX", prefix)

        assert 2 == await keeps(outbox)


async def test_main(monkeypatch, tmp_path, recwarn):
    """The program serves the application."""
    served = []

    async def serve(server):
        served.append((await Browser(server.config.app).client.get("/login")).status_code)

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(example.uvicorn.Server, "serve", serve)
    await example.main()

    assert [200] == served
