"""The example of a login under WSGI, as a browser without scripts sees it."""

import pytest
from examples.loading import load
from support import NUMBER, Outbox, a_config
from web.visitor import Reader
from werkzeug.test import Client

from smsmfa import MemoryStore
from smsmfa.testing import FakeClock

example = load("wsgi_login/app.py")


class World:
    """The application with an outbox, and a browser."""

    def __init__(self):
        self.outbox, self.clock = Outbox(), FakeClock()
        self.login = example.Login(a_config(), MemoryStore(), self.outbox, clock=self.clock)
        self.browser = Client(self.login)

    def get(self, path, **more):
        return self.show(self.browser.get(path, follow_redirects=True, **more))

    def post(self, path, **fields):
        return self.show(self.browser.post(path, data=fields, follow_redirects=True))

    def send(self, button="", **fields):
        form = next(one for one in self.page.forms if any(button in text for text, *_ in one.buttons))
        self.last = form.action, form.filled(button, **fields)
        return self.post(self.last[0], **self.last[1])

    def show(self, answer):
        self.page, self.path, self.status = Reader(answer.text), answer.request.path, answer.status_code
        return answer.text

    def log_in(self):
        return self.post("/login", name="alice", password="correct horse")

    def enrol(self):
        self.log_in()
        self.send(region="US", number=NUMBER)
        return self.send("Continue", code=self.outbox.code)

    @property
    def cookie(self):
        return self.browser.get_cookie("session").value


@pytest.fixture
def world():
    return World()


def test_login(world):
    """Alice enrols, is greeted, logs out, and comes back with a code."""
    assert "Save your recovery code" in world.enrol()
    assert "Hello alice" in world.get("/")
    assert "/login" == (world.send("Log out") and world.path)
    world.clock.move(minutes=1)
    assert "Enter your code" in world.log_in()
    assert "Hello alice" in world.send("Continue", code=world.outbox.code)


def test_new_id(world):
    """Getting in makes a new session id, and the old session is still halfway."""
    world.log_in()
    world.send(region="US", number=NUMBER)
    before = world.cookie
    world.send("Continue", code=world.outbox.code)
    after = world.cookie

    assert before != after
    world.browser.set_cookie("session", before)
    world.get("/")
    assert "/mfa/code" == world.path


def test_lost_answer(world):
    """If the answer with the new id is lost, the same form lets alice in and shows the same recovery code."""
    world.log_in()
    world.send(region="US", number=NUMBER)
    before = world.cookie
    shown = world.send("Continue", code=world.outbox.code) and world.page.codes
    world.browser.set_cookie("session", before)
    world.post(world.last[0], **world.last[1])

    assert shown == world.page.codes
    assert "Hello alice" in world.get("/")


@pytest.mark.parametrize("name, password", [("alice", "wrong"), ("bob", "correct horse"), ("", "")])
def test_wrong_password(world, name, password):
    """A wrong name or password begins nothing."""
    assert "Wrong name or password." in world.post("/login", name=name, password=password)
    assert 401 == world.status


@pytest.mark.parametrize("path", ["/", "/nowhere", "/mfa/code", "/logout"])
def test_strangers(world, path):
    """A stranger is sent to the password page."""
    world.get(path)

    assert "/login" == world.path


def test_json(world):
    """A client that wants JSON gets 401."""
    answer = world.browser.get("/", headers={"Accept": "application/json"})

    assert (401, "second_step_required") == (answer.status_code, answer.json["code"])
    assert "application/problem+json" == answer.content_type


def test_files(world):
    """The style sheet is served."""
    assert "text/css" in world.browser.get("/mfa/static/smsmfa.css").content_type


def test_session_ends(world, monkeypatch):
    """A session ends after an hour."""
    world.enrol()
    now = example.time.monotonic()
    monkeypatch.setattr(example.time, "monotonic", lambda: now + 3601)
    world.get("/")

    assert "/login" == world.path


def test_main(monkeypatch, capsys, recwarn):
    """The program serves the application."""

    class Server:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def serve_forever(self):
            print("served")

    monkeypatch.setattr(example, "make_server", lambda *arguments: Server())
    example.main()

    assert capsys.readouterr().out.endswith("correct horse\nserved\n")
