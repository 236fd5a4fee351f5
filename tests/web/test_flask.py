"""The pages in a Flask application, driven as by a browser."""

import json
import sys
from datetime import timedelta

import pytest
from cachelib import SimpleCache
from flask import Flask, jsonify
from flask_session.cachelib import CacheLibSessionInterface
from flask_wtf import CSRFProtect
from support import NUMBER, Outbox, a_config
from web.visitor import Reader
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from smsmfa import MemoryStore
from smsmfa.exceptions import ConfigurationError
from smsmfa.testing import FakeClock
from smsmfa.web.flask import SecondStep


class World:
    """An application with the pages, and a browser."""

    def __init__(self, prefix="/mfa", *, csrf=False, sessions=None, mount="", user_id="alice", **more):
        self.outbox, self.clock = Outbox(), FakeClock()
        self.app = app = Flask("an_application")
        app.config.update(SECRET_KEY="only the tests use it", TESTING=True)
        if csrf:
            CSRFProtect(app)
        if sessions is not None:
            app.session_interface = CacheLibSessionInterface(app, client=sessions)
        self.step = step = SecondStep(a_config(), MemoryStore(), self.outbox, clock=self.clock, **more)
        step.init_app(app, prefix)
        self.enroller, self.user_id = step.pages.enroller, user_id
        self._views(app, step)
        self.mount = mount
        wsgi = DispatcherMiddleware(Flask("outer"), {mount: app}) if mount else app
        self.browser = Client(wsgi)
        self.page = self.response = None

    def _views(self, app, step):
        def login():
            return step.begin(self.user_id, next="/account?tab=2")

        async def slow(name):
            return jsonify(name=name, user=str(step.user_id))

        def account(x=""):
            return f"Hello {step.user_id!r}"

        app.add_url_rule("/login", "login", login, methods=["POST"])
        if "csrf" in app.extensions:
            app.extensions["csrf"].exempt(login)
        app.add_url_rule("/account", "account", step.required(account))
        app.add_url_rule("/slow/<name>", "slow", step.required(slow))
        app.add_url_rule("/danger/<path:x>", "danger", step.fresh()(account), methods=["GET", "POST"])
        app.add_url_rule(
            "/delete", "delete", step.fresh(timedelta(minutes=1), back="/settings")(account), methods=["POST"]
        )

    def open(self, path, method="GET", **more):
        """Send a request, and follow redirects to our pages."""
        path = path if path.startswith(self.mount or "/") else self.mount + path
        self.response = self.browser.open(path, method=method, **more)
        if self.response.status_code == 303 and "/mfa/" in self.response.location:
            return self.open(self.response.location)
        html = self.response.mimetype == "text/html" and self.response.text.startswith("<!doctype")
        self.page = Reader(self.response.text) if html else None
        return self

    def log_in(self):
        return self.open("/login", "POST")

    def send(self, form=None, *, which=0, **fields):
        form = form or self.page.forms[which]
        return self.open(form.action, form.method.upper(), data=form.filled(**fields))

    def enrol(self):
        self.enroller.adopt(self.user_id, NUMBER)
        return self

    @property
    def code(self):
        return self.outbox.code


@pytest.fixture
def world():
    return World()


def test_enrol(world):
    """A new user enrols, sees the recovery codes, and is in; the session is a signed cookie below 1 kB."""
    world.log_in().send(number="(415) 555-2671", region="US").send(code=world.code)
    assert 1 == len(world.page.codes)
    assert "Hello 'alice'" == world.open("/account").response.text

    cookie = world.browser.get_cookie("session").value
    assert len(cookie) < 1024
    assert "no-store" == world.open("/mfa/account").response.headers["Cache-Control"]


def test_login(world):
    """The password sends a code; the right code leads to where the application wanted."""
    world.enrol().log_in()
    assert (200, 1) == (world.response.status_code, world.outbox.calls)
    assert 403 == world.send(code="000000" if world.code != "000000" else "000001").response.status_code
    world.send(code=world.code)

    assert (303, "/account?tab=2") == (world.response.status_code, world.response.location)
    assert "Cookie" in world.response.headers["Vary"]


@pytest.mark.parametrize("user_id", [7, "7"])
def test_user_id(user_id):
    """The user id is as the application gave it."""
    world = World(user_id=user_id).enrol().log_in()
    world.send(code=world.code)

    assert f"Hello {user_id!r}" == world.open("/account").response.text


def test_required(world):
    """A view is for whoever is in, and may be asynchronous; a stranger is sent to the password."""
    assert (303, "/login") == (world.open("/account").response.status_code, world.response.location)
    world.enrol().log_in()
    assert "Enter your code – Acme" == world.open("/slow/a").page.title
    world.send(code=world.code)

    assert {"name": "a", "user": "alice"} == world.open("/slow/a").response.json


def test_json(world):
    """A client that wants JSON gets problem+json."""
    world.open("/account", headers={"Accept": "application/json"})

    assert (401, "application/problem+json") == (world.response.status_code, world.response.mimetype)
    assert "second_step_required" == json.loads(world.response.text)["code"]
    assert "no-store" == world.response.headers["Cache-Control"]


def test_fresh(world):
    """A step-up comes back to the page itself, however it is spelt, or to where it was told."""
    world.enrol().log_in().send(code=world.code)
    path = "/danger/a%20b%C3%A9%25%2F?q=%C3%A9+x&r=1%262"
    assert 200 == world.open(path).response.status_code
    world.clock.move(minutes=11)
    world.open(path).send(which=0).send(code=world.code)
    assert ("/danger/a%20b%C3%A9%25/?q=%C3%A9+x&r=1%262", 200) == (
        world.response.location, world.open(world.response.location).response.status_code
    )  # fmt: skip
    world.clock.move(minutes=2)
    world.browser.open("/delete", method="POST")

    assert "/mfa/step-up?next=/settings" == world.browser.open("/delete", method="POST").location


def test_referer(world):
    """A form that needs a fresh code comes back to its page, if that is of the same site."""
    world.enrol().log_in().send(code=world.code)
    world.clock.move(minutes=11)
    for referer, expected in [("http://localhost/settings?a=b", "/settings%3Fa%3Db"), ("http://evil.test/x", "/")]:
        response = world.browser.open("/danger/x", method="POST", headers={"Referer": referer})
        assert f"/mfa/step-up?next={expected}" == response.location


def test_age(world):
    """An age that no proof can have is refused when the view is defined."""
    with pytest.raises(ValueError, match="max_age"):
        world.step.fresh(timedelta(hours=1))


@pytest.mark.parametrize("prefix", ["mfa", "/mfa/", "/", ""])
def test_prefix(prefix):
    """The pages have a path of their own."""
    with pytest.raises(ConfigurationError, match="prefix"):
        World(prefix)


def test_other_prefix():
    """The pages can be mounted elsewhere."""
    world = World("/auth/mfa").enrol().log_in()

    assert "/auth/mfa/code" == world.page.forms[0].action


def test_files(world):
    """Style sheet and script are served as such, and the pages' headers are on the pages."""
    world.enrol().log_in()
    headers = world.response.headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name, kind in [("smsmfa.css", "text/css"), ("smsmfa.js", "text/javascript")]:
        response = world.browser.get(f"/mfa/static/{name}")
        assert (200, f"{kind}; charset=utf-8") == (response.status_code, response.content_type)


def test_no_csrf(world):
    """Without Flask-WTF the forms have no field of it."""
    assert "csrf_token" not in world.log_in().page.forms[0].fields


def test_csrf():
    """With CSRFProtect of Flask-WTF the forms carry its token; a form without it is refused."""
    world = World(csrf=True)
    form = world.log_in().page.forms[0]
    assert form.fields["csrf_token"]
    assert 400 == world.open(form.action, "POST", data={**form.fields, "csrf_token": "x"}).response.status_code
    assert 0 == world.outbox.calls
    world.send(form, number=NUMBER).send(code=world.code)
    assert 1 == len(world.page.codes)

    code = world.page.codes[0]
    world.open("/mfa/account").send(which=0)
    assert code not in world.page.codes


def test_forged(world):
    """Without Flask-WTF a form without our own token does nothing."""
    world.enrol().log_in()

    assert 403 == world.open("/mfa/code", "POST", data={"code": world.code}).response.status_code


def test_server_side():
    """A session on the server gets a new id, and the old one stays halfway until its ten minutes end."""
    world = World(sessions=SimpleCache()).enrol().log_in()
    old, form, code = world.browser.get_cookie("session").value, world.page.forms[0], world.code
    world.send(form, code=code)
    new = world.browser.get_cookie("session").value
    assert (True, "/account?tab=2") == (old != new, world.response.location)
    assert 200 == world.open("/account").response.status_code

    world.browser.set_cookie("session", old)
    assert "Enter your code – Acme" == world.open("/account").page.title
    world.browser.set_cookie("session", old)
    assert "/account?tab=2" == world.send(form, code=code).response.location
    assert old != world.browser.get_cookie("session").value
    assert 200 == world.open("/account").response.status_code

    world.browser.set_cookie("session", old)
    world.clock.move(minutes=10)
    assert "/login" == world.open("/account").response.location


def test_server_side_repeat():
    """An answer that is repeated in the new session keeps its id."""
    world = World(sessions=SimpleCache()).log_in().send(number=NUMBER, region="US")
    form, code = world.page.forms[0], world.code
    codes = world.send(form, code=code).page.codes
    new = world.browser.get_cookie("session").value

    assert codes == world.send(form, code=code).page.codes
    assert new == world.browser.get_cookie("session").value


def test_lost_cookie(world):
    """A click whose answer is lost, with its cookie, lets in when it comes again."""
    world.enrol().log_in()
    form, code, cookie = world.page.forms[0], world.code, world.browser.get_cookie("session").value
    world.send(form, code=code)
    world.browser.set_cookie("session", cookie)
    world.send(form, code=code)

    assert "Hello 'alice'" == world.open("/account").response.text


def test_template(tmp_path):
    """A template of the application replaces ours."""
    world = World()
    (tmp_path / "smsmfa").mkdir()
    (tmp_path / "smsmfa" / "base.html").write_text("<!doctype html>{% block content %}{% endblock %}<p>Ours</p>")
    world.app.jinja_loader.searchpath.insert(0, str(tmp_path))

    assert "<p>Ours</p>" in world.enrol().log_in().response.text


def test_mounted():
    """An application under a path of the server finds its pages, its login and its files there."""
    world = World(mount="/shop").enrol()
    assert "/shop/login" == world.open("/account").response.location
    world.log_in()
    assert ("/shop/mfa/code", True) == (world.page.forms[0].action, "/shop/mfa/static/smsmfa.css" in world.page.html)
    world.send(code=world.code)
    assert 200 == world.open("/account").response.status_code
    world.clock.move(minutes=11)

    response = world.browser.get("/shop/danger/x")
    assert "/shop/mfa/step-up?next=/shop/danger/x" == response.location


def test_proxy(world):
    """Behind a proxy that says so the pages are at the proxy's path and origin."""
    world.app.wsgi_app = ProxyFix(world.app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.com", "X-Forwarded-Prefix": "/shop"}
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    world.enrol()
    response = world.browser.post("/login", environ_overrides=environ)

    assert "/shop/mfa/code" == response.location


@pytest.mark.parametrize("path", ["/mfa/", "/mfa", "/mfa/../account", "/mfa/%00", "/mfa/code%2Fresend", "/mfa/é"])
def test_strangers(world, path):
    """No address under the pages tells a stranger anything."""
    assert world.open(path).response.status_code in {303, 404, 308}
    assert 0 == world.outbox.calls


def test_broken_fields(world):
    """Fields that are no UTF-8 break no page."""
    world.enrol().log_in()
    body = b"smsmfa_token=" + world.page.forms[0].fields["smsmfa_token"].encode() + b"&code=%FF%FE&nonce=%ED%A0%80"
    world.open("/mfa/code", "POST", data=body, content_type="application/x-www-form-urlencoded")

    assert 422 == world.response.status_code


def test_api():
    """The JSON face is mounted where it is asked for, and takes no cookie, so that CSRFProtect does not stop it."""
    world = World(api=True, csrf=True).enrol()
    token = world.step.begin_api("alice")["mfa_token"]
    response = world.browser.post("/mfa/challenge", json={"mfa_token": token, "challenge_type": "oob"})
    assert (200, "no-store") == (response.status_code, response.headers["Cache-Control"])
    assert 1 == world.outbox.calls
    with pytest.raises(Exception, match="token"):
        world.step.finish_api("x")

    assert 303 == World().browser.post("/mfa/challenge", json={}).status_code


def test_without_extra(monkeypatch):
    """Nothing of Flask is needed by the pages themselves."""
    for name in [name for name in sys.modules if name.startswith("smsmfa.web.flask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    with pytest.raises(ImportError):
        __import__("smsmfa.web.flask")


def test_fresh_without_parentheses():
    """``@step.fresh`` without parentheses says what is missing."""
    step = SecondStep(a_config(), MemoryStore(), Outbox())

    with pytest.raises(TypeError, match=r"step\.fresh\(\)"):
        step.fresh(lambda: "")
