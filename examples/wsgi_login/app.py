"""A login with an SMS second factor under a framework of your own: here it is WSGI and the standard library's server.

Run ``python examples/wsgi_login/app.py``, open http://127.0.0.1:8000/ and log in as ``alice`` with the password
``correct horse``. The messages that a real carrier would send are printed.

:class:`smsmfa.web.SecondStep` takes a plain request and returns a plain answer. ``Login.request`` and ``Login.reply``
are all that has to be written for another framework.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import make_server

from smsmfa import ConsoleSender, FactorConfig, MemoryStore
from smsmfa.typing import Clock, Sender, Store
from smsmfa.web import Answer, File, Page, Problem, Redirect, Request, SecondStep, wants_json
from smsmfa.web.jinja import render

USERS = {"alice": "correct horse"}  # your own user table holds hashes
PREFIX = "/mfa"
LONGEST_FORM = 10_000  # bytes
LOGIN = """<h1>Log in</h1><p>{}</p><form method="post" action="/login">
<p><label>Name <input name="name" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button>Log in</button></p></form>"""
HOME = """<h1>Hello {}</h1><p><a href="/mfa/account">Phone numbers and recovery codes</a></p>
<form method="post" action="/logout"><button>Log out</button></form>"""


class Login:
    """A WSGI application with a password page, a home page and the second step.

    Args:
        config: the operator's settings.
        store: where the factor keeps its records.
        sender: sends the messages.
        clock: a function like :func:`time.time_ns`.
    """

    def __init__(self, config: FactorConfig, store: Store, sender: Sender, clock: Clock | None = None) -> None:
        self.step = SecondStep(config, store, sender, clock=clock)
        self.sessions = Sessions()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        """Answer one request."""
        request = self.request(environ, session := self.sessions.of(environ))
        if environ["PATH_INFO"].startswith(f"{PREFIX}/"):
            return self.reply(self.step.handle(request), session, start_response)
        if environ["PATH_INFO"] == "/login":
            return self.log_in(request, session, start_response)
        if environ["PATH_INFO"] == "/logout" and request.method == "POST":
            session.clear()
            return self.reply(Redirect(location="/login"), session, start_response)
        answer = self.step.required(request)
        if answer is not None:
            return self.reply(answer, session, start_response)
        return html(start_response, 200, HOME.format(escape(str(self.step.user_id(request)))))

    def log_in(self, request: Request, session: "Session", start_response: Callable[..., object]) -> list[bytes]:
        """Show the password page, or check the password and begin the second step."""
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if name in USERS and compare_digest(USERS[name].encode(), password.encode()):
            return self.reply(self.step.begin(request, name), session, start_response)
        wrong = request.method == "POST"
        text = "Wrong name or password." if wrong else ""
        return html(start_response, 401 if wrong else 200, LOGIN.format(text))

    def request(self, environ: dict[str, Any], session: "Session") -> Request:
        """Return what the pages need to know of a request."""
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_FORM)
        body = environ["wsgi.input"].read(length).decode("utf-8", "replace")
        return Request(
            method=environ["REQUEST_METHOD"],
            session=session,
            prefix=PREFIX,
            page=path.removeprefix(f"{PREFIX}/") if path.startswith(f"{PREFIX}/") else "",
            url=path + (f"?{query}" if query else ""),
            origin=f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}",
            form=dict(parse_qsl(body)),
            query=dict(parse_qsl(query)),
            referer=environ.get("HTTP_REFERER", ""),
            language=environ.get("HTTP_ACCEPT_LANGUAGE"),
            wants_json=wants_json(environ.get("HTTP_ACCEPT", "")),
        )

    def reply(self, answer: Answer, session: "Session", start_response: Callable[..., object]) -> list[bytes]:
        """Send an answer of the pages."""
        headers, body = dict(answer.headers), b""
        if isinstance(answer, Redirect):
            headers["Location"] = answer.location
        elif isinstance(answer, Page):
            headers["Content-Type"] = "text/html; charset=utf-8"
            body = render(answer.template, answer.context).encode()
        elif isinstance(answer, Problem):
            headers["Content-Type"] = "application/problem+json"
            body = json.dumps(dict(answer.body)).encode()
        elif isinstance(answer, File):
            headers["Content-Type"], body = answer.content_type, answer.body
        headers["Set-Cookie"] = self.sessions.keep(session, renew=answer.renew)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(headers.items()))
        return [body]


class Session(dict[str, Any]):
    """A session, and its id."""

    def __init__(self, session_id: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.id = session_id


class Sessions:
    """Keeps sessions in memory for an hour."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def of(self, environ: dict[str, Any]) -> Session:
        """Return a copy of the session of a request, or a new one."""
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("session")
        ends, values = self.kept.get(cookie.value, (0.0, {})) if cookie else (0.0, {})
        if cookie is None or ends < time.monotonic():
            return Session(secrets.token_urlsafe(32), {})
        return Session(cookie.value, values)

    def keep(self, session: Session, *, renew: bool) -> str:
        """Keep a session and return its cookie. Renewed, it gets a new id, and the old session stays as it was."""
        now = time.monotonic()
        self.kept = {name: (ends, values) for name, (ends, values) in self.kept.items() if ends > now}
        session.id = secrets.token_urlsafe(32) if renew else session.id
        self.kept[session.id] = now + 3600, dict(session)
        return f"session={session.id}; HttpOnly; SameSite=Lax; Path=/"  # with HTTPS, add "; Secure"


def html(start_response: Callable[..., object], status: int, body: str) -> list[bytes]:
    """Send a page of the application."""
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [f'<!doctype html><html lang="en"><head><title>Acme</title></head><body>{body}</body></html>'.encode()]


def main() -> None:
    """Serve the application."""
    # A new secret for each run is enough here: the store is lost with the process too.
    secret = os.environ.get("SMSMFA_SECRET") or secrets.token_urlsafe(32)
    config = FactorConfig(app_name="Acme", secret=secret, regions={"US", "CA", "GB"})
    with make_server("127.0.0.1", 8000, Login(config, MemoryStore(), ConsoleSender())) as server:
        print("Log in at http://127.0.0.1:8000/ as alice, with the password: correct horse")
        server.serve_forever()


if __name__ == "__main__":
    main()
