"""A FastAPI login with an SMS second factor, as pages for browsers and as JSON for mobile applications.

Run ``python examples/fastapi_login/app.py``, open http://127.0.0.1:8000/ and log in as ``alice`` with the password
``correct horse``. The messages that a real carrier would send are printed. Numbers are kept on the PostgreSQL or Redis
that ``DATABASE_URL`` or ``REDIS_URL`` names, and otherwise in ``fastapi_login.sqlite3``.
"""

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from html import escape
from typing import Annotated

import uvicorn
from fastapi import Body, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from smsmfa import AsyncConsoleSender, FactorConfig
from smsmfa.typing import AsyncSender, AsyncStore
from smsmfa.web.fastapi import SecondStep

SALT = b"one for each user, in your own user table"
USERS = {"alice": hashlib.scrypt(b"correct horse", salt=SALT, n=2**14, r=8, p=1)}
LOGIN = """<!doctype html><html lang="en"><head><title>Log in</title></head><body><h1>Log in</h1>{problem}
<form method="post" action="/login">
<p><label>Name <input name="name" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button>Log in</button></p></form></body></html>"""
HOME = """<!doctype html><html lang="en"><head><title>Acme</title></head><body><h1>Hello {user}</h1>
<p><a href="/mfa/account">Phone numbers and recovery codes</a></p>
<form method="post" action="/delete"><button>Delete my files</button></form>
<form method="post" action="/logout"><button>Log out</button></form></body></html>"""


def check_password(name: str, password: str) -> bool:
    """Tell whether this is the password of a user."""
    given = hashlib.scrypt(password.encode(), salt=SALT, n=2**14, r=8, p=1)
    return hmac.compare_digest(USERS.get(name, b""), given)


@asynccontextmanager
async def open_store() -> AsyncIterator[AsyncStore]:
    """Yield the store that the environment names, and close it."""
    if url := os.environ.get("DATABASE_URL"):
        from psycopg_pool import AsyncConnectionPool

        from smsmfa.stores import AsyncPostgresStore

        async with AsyncConnectionPool(url, open=False) as pool:
            postgres = AsyncPostgresStore(pool)
            await postgres.create_schema()
            yield postgres
    elif url := os.environ.get("REDIS_URL"):
        from redis.asyncio import Redis

        from smsmfa.stores import AsyncRedisStore

        async with Redis.from_url(url) as client:
            redis = AsyncRedisStore(client, prefix=os.environ.get("REDIS_PREFIX", "fastapi_login"))
            yield redis
            await redis.close()
    else:
        from smsmfa.stores import AsyncSqliteStore

        sqlite = AsyncSqliteStore("fastapi_login.sqlite3")
        yield sqlite
        await sqlite.close()


def make_app(config: FactorConfig, store: AsyncStore, sender: AsyncSender, key: str) -> FastAPI:
    """Return the application.

    Args:
        config: the operator's settings.
        store: where the factor keeps its records.
        sender: sends the messages.
        key: signs the cookies.
    """
    app = FastAPI(title="Acme")
    app.add_middleware(SessionMiddleware, secret_key=key)  # with HTTPS also: https_only=True
    step = SecondStep(config, store, sender, api=True)
    app.include_router(step.router, prefix="/mfa")
    step.init_app(app)

    @app.get("/login", response_class=HTMLResponse)
    async def login_page():
        return LOGIN.format(problem="")

    @app.post("/login", response_class=HTMLResponse)
    async def login(request: Request):
        form = await request.form()
        name = str(form.get("name", ""))
        if check_password(name, str(form.get("password", ""))):
            return await step.begin(request, name)
        return HTMLResponse(LOGIN.format(problem='<p role="alert">Wrong name or password.</p>'), 401)

    @app.get("/", response_class=HTMLResponse)
    async def home(user_id: Annotated[str, Depends(step.required)]):
        return HOME.format(user=escape(user_id))

    @app.post("/delete", response_class=HTMLResponse)
    async def delete(user_id: Annotated[str, Depends(step.fresh(timedelta(minutes=5), back="/"))]):
        return 'Everything is gone. <a href="/">Back</a>'

    @app.post("/logout")
    async def logout(request: Request):
        request.session.clear()
        return RedirectResponse("/login", 303)

    # --- the same for a mobile application: the password, the calls under /mfa, then a session

    @app.post("/api/login")
    async def api_login(name: Annotated[str, Body()], password: Annotated[str, Body()]):
        if not check_password(name, password):
            raise HTTPException(401, "wrong name or password")
        required = await step.begin_api(name)  # None while the factor is turned off
        return JSONResponse(required, 403) if required else {"user": name}

    @app.post("/api/session")
    async def api_session(mfa_token: Annotated[str, Body(embed=True)]):
        return {"user": await step.finish_api(mfa_token)}  # a real one gives its own token here

    return app


async def main() -> None:
    """Serve the application."""
    secret = os.environ.get("SMSMFA_SECRET", "only for this example, for it is in its file")
    config = FactorConfig(app_name="Acme", secret=secret, regions={"US", "CA", "GB"})
    async with open_store() as store:
        app = make_app(config, store, AsyncConsoleSender(), secret)
        await uvicorn.Server(uvicorn.Config(app)).serve()


if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
