"""One small site for each framework, with a login, a page for users, a step-up and a logout."""

import socket
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Annotated

from support import Coroutines

#: The only user. Django numbers its users from 1.
USER = 1
#: The application's own pages. They show what the second step does, and protect nothing else.
PAGE = '<!doctype html><html lang="en"><title>Acme</title><link rel="icon" href="data:,"><body>{}'
LOGIN = PAGE.format('<h1>Log in to Acme</h1><form method="post" action="/login"><button>Log in</button></form>')
HOME = PAGE.format("<h1>Welcome to Acme</h1>")
ACCOUNT = PAGE.format(
    '<h1>Hello alice</h1><p>You are user {}.</p><a href="/mfa/account">Security</a>'
    '<form method="post" action="/delete"><button>Delete everything</button></form>'
    '<form method="post" action="/logout"><button>Log out</button></form>'
)
DELETED = PAGE.format("<h1>Everything is deleted</h1>")
SECRET = "a secret of the tests for the cookies of a site"
#: Headers that are about one connection (RFC 9110, 7.6.1).
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@contextmanager
def flask_site(factor):
    """A site of Flask, with its session in a signed cookie."""
    import flask

    from smsmfa.web.flask import SecondStep

    app = flask.Flask(__name__)
    app.secret_key = SECRET
    step = SecondStep(factor.config, factor.store, factor.outbox, clock=factor.clock)
    step.init_app(app, prefix="/mfa")

    @app.get("/")
    def home():
        return HOME

    @app.get("/login")
    def ask():
        return LOGIN

    @app.post("/login")
    def login():
        return step.begin(USER, next="/account")

    @app.get("/account")
    @step.required
    def account():
        return ACCOUNT.format(step.user_id)

    @app.post("/delete")
    @step.fresh(back="/account")
    def delete():
        return DELETED

    @app.post("/logout")
    def logout():
        flask.session.clear()
        return flask.redirect("/login", 303)

    yield app


@contextmanager
def fastapi_site(factor):
    """A site of FastAPI, served by uvicorn, with Starlette's session in a signed cookie."""
    from fastapi import Depends, FastAPI, Request
    from fastapi.responses import HTMLResponse, RedirectResponse
    from starlette.middleware.sessions import SessionMiddleware

    from smsmfa.web.fastapi import SecondStep

    app = FastAPI(default_response_class=HTMLResponse)
    app.add_middleware(SessionMiddleware, secret_key=SECRET)
    store, sender = Coroutines(factor.store), Coroutines(factor.outbox)
    step = SecondStep(factor.config, store, sender, clock=factor.clock)
    app.include_router(step.router, prefix="/mfa")
    step.init_app(app)

    @app.get("/")
    async def home():
        return HOME

    @app.get("/login")
    async def ask():
        return LOGIN

    @app.post("/login")
    async def login(request: Request):
        return await step.begin(request, USER, next="/account")

    @app.get("/account")
    async def account(user_id: Annotated[int, Depends(step.required)]):
        return ACCOUNT.format(user_id)

    @app.post("/delete", dependencies=[Depends(step.fresh(back="/account"))])
    async def delete():
        return DELETED

    @app.post("/logout")
    async def logout(request: Request):
        request.session.clear()
        return RedirectResponse("/login", 303)

    with uvicorn(app) as port:
        yield Gateway(port)


@contextmanager
def django_site(factor):
    """A site of Django, whose middleware guards all pages, with its session in a signed cookie."""
    import stores.django.project  # noqa: F401 - it sets Django up
    from web.django.site import site

    changes = {
        "ROOT_URLCONF": "browser.django_urls", "LOGIN_URL": "/login", "LOGIN_REDIRECT_URL": "/",
        "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies", "ALLOWED_HOSTS": ["127.0.0.1"],
    }  # fmt: skip
    with TemporaryDirectory() as folder, site(Path(folder), **changes) as project:
        from django.contrib.auth import get_user_model
        from django.core.handlers.wsgi import WSGIHandler
        from django.db import connections

        # The server's threads open a connection for each request.
        connections.settings[project.alias]["CONN_MAX_AGE"] = 0
        get_user_model().objects.create(pk=USER, username="alice", password="!")
        given = {
            "app_name": factor.config.app_name, "secret": factor.config.secret.reveal(), "store": factor.store,
            "sender": factor.outbox, "clock": factor.clock, **factor.settings,
        }  # fmt: skip
        with project.settings(**given):
            yield WSGIHandler()


#: The frameworks, with what makes a site of each.
SITES = {"flask": flask_site, "fastapi": fastapi_site, "django": django_site}


@contextmanager
def uvicorn(app):
    """Run an ASGI application in a thread, and yield its port on loopback."""
    from uvicorn import Config, Server

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(Config(app, log_config=None, lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


class Gateway:
    """A WSGI application that passes each request on to a server on loopback."""

    def __init__(self, port):
        self._port = port

    def __call__(self, environ, start_response):
        headers = {
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if value and (name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"})
        }
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        with closing(HTTPConnection("127.0.0.1", self._port)) as connection:
            connection.request(environ["REQUEST_METHOD"], environ["PATH_INFO"] + query, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [content]
