"""The example of a Flask login, as a browser without scripts sees it."""

import pytest
from examples.loading import load
from support import NUMBER, OTHER_NUMBER, SECRET, Outbox, a_config, wrong
from web.visitor import Reader

from smsmfa import MemoryStore

example = load("flask_login/app.py")


class Browser:
    """Follows redirects, and sends the forms of the page that it shows."""

    def __init__(self, client):
        self.client = client
        self.page = None

    def show(self, answer):
        self.page, self.status, self.path = Reader(answer.text), answer.status_code, answer.request.path
        return self.page.text

    def get(self, path):
        return self.show(self.client.get(path, follow_redirects=True))

    def send(self, button="", **fields):
        form = next(one for one in self.page.forms if any(button in text for text, *_ in one.buttons))
        return self.show(
            self.client.post(form.action or self.path, data=form.filled(button, **fields), follow_redirects=True)
        )


@pytest.fixture
def outbox():
    return Outbox()


@pytest.fixture
def browser(outbox):
    """A browser that has not logged in."""
    app = example.make_app(a_config(), MemoryStore(), outbox, SECRET)
    return Browser(app.test_client())


def enrol(browser, outbox):
    browser.client.post("/login", data={"name": "alice", "password": "correct horse"})
    browser.get("/mfa/code")
    browser.send(region="US", number=NUMBER)
    return browser.send("Continue", code=outbox.code)


def test_login(browser, outbox):
    """Alice enrols, is greeted, deletes her files behind a fresh code, and logs out."""
    assert "Save your recovery code" in enrol(browser, outbox)
    assert "Hello alice" in browser.get("/")
    assert "Everything is gone" in browser.send("Delete")
    browser.get("/")
    assert "Log in" in browser.send("Log out")
    assert "/login" == browser.path


@pytest.mark.parametrize("path", ["/", "/mfa/account"])
def test_strangers(browser, path):
    """A stranger is sent to the password page."""
    browser.get(path)

    assert "/login" == browser.path


@pytest.mark.parametrize("name, password", [("alice", "wrong"), ("bob", "correct horse"), ("", "")])
def test_wrong_password(browser, name, password):
    """A wrong name or password begins nothing."""
    answer = browser.client.post("/login", data={"name": name, "password": password})

    assert (401, True) == (answer.status_code, "Wrong name or password" in answer.text)


def test_wrong_code(browser, outbox):
    """A wrong code does not let alice in."""
    browser.client.post("/login", data={"name": "alice", "password": "correct horse"})
    browser.get("/mfa/code")
    browser.send(region="US", number=OTHER_NUMBER)

    assert "This is not the code that we sent" in browser.send("Continue", code=wrong(outbox.code))
    browser.get("/")
    assert "/mfa/enrol" == browser.path


def test_main(monkeypatch, tmp_path, recwarn):
    """The program serves the application with a store in a file."""
    served = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(example.Flask, "run", lambda app: served.append(app.test_client().get("/login").status_code))
    example.main()

    assert [200] == served
