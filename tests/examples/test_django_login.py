"""The example of a Django project with a user model of its own, as a browser without scripts sees it.

A process has only one user model, so the project runs in its own.
"""

import os
import re
import subprocess
import sys
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from examples.loading import EXAMPLES
from web.visitor import Reader

PROGRAM = EXAMPLES / "django_login" / "manage.py"
TESTS = """
import uuid
from django.contrib.auth import get_user_model
from django.test import AsyncClient, TestCase
from smsmfa.testing.django import SmsMfaMixin


class Example(SmsMfaMixin, TestCase):
    def setUp(self):
        self.user = get_user_model().objects.create_superuser("bob@example.com", "correct horse")

    def test_key(self):
        assert isinstance(self.user.pk, uuid.UUID)
        self.logged_in(self.enrolled(self.user))
        assert ["uuid", str(self.user.pk)] == list(self.client.session["smsmfa"]["user"])
        assert f"bob@example.com is user {self.user.pk}." == self.client.get("/profile/").text
        assert 200 == self.client.get("/admin/acme/user/").status_code

    def test_halfway(self):
        self.enrolled(self.user)
        self.client.post("/admin/login/", {"username": "bob@example.com", "password": "correct horse"})
        assert 1 == len(self.outbox.messages)
        for address in ("/", "/profile/", "/admin/", "/admin/acme/user/"):
            assert "/mfa/code" == self.client.get(address).headers["Location"]

    async def test_async(self):
        await self.async_client.aforce_login(self.user)
        assert "/mfa/code" == (await self.async_client.get("/profile/")).headers["Location"]

    def test_wrong_password(self):
        page = self.client.post("/accounts/login/", {"username": "bob@example.com", "password": "wrong"})
        assert "Wrong address or password" in page.text
        assert "/accounts/login/" == self.client.get("/").headers["Location"]

    def test_user(self):
        user = get_user_model().objects.create_user("eve@Example.com", "x")
        assert ("eve@example.com", False) == (user.email, user.is_staff)
"""


def manage(folder, *arguments):
    """Run a command of the project, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(PROGRAM), *arguments], cwd=folder, env=environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stdout + done.stderr


def environment():
    return {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}


def test_project(tmp_path):
    """The project has no faults, no missing migration, and passes tests of its pages."""
    (tmp_path / "test_example.py").write_text(TESTS)

    assert "no issues" in manage(tmp_path, "check", "--fail-level", "WARNING")
    assert "No changes" in manage(tmp_path, "makemigrations", "--check")
    assert "Ran 5 tests" in manage(tmp_path, "test", str(tmp_path))


class Browser:
    """Follows redirects, and sends the forms of the page that it shows."""

    def __init__(self, address):
        self.address, self.opener = address, build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path, data=None):
        try:
            with self.opener.open(urljoin(self.address, path), data, timeout=60) as answer:
                self.at, self.page = answer.url, Reader(answer.read().decode())
        except HTTPError as error:
            with error:
                self.at, self.page = error.url, Reader(error.read().decode())
        return self.page.text

    def send(self, button, **fields):
        form = next(one for one in self.page.forms if any(button in text for text, *_ in one.buttons))
        return self.get(urljoin(self.at, form.action), urlencode(form.filled(button, **fields)).encode())


class Demo:
    """The program, as its one command starts it."""

    def __init__(self, process):
        self.process = process
        self.address = self.printed(r"Starting development server at (\S+)")

    def printed(self, pattern):
        """Wait until the program prints a text, and return a part of it."""
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("the program ended")


@pytest.fixture
def demo(tmp_path):
    command = [sys.executable, "-u", str(PROGRAM), "demo", "127.0.0.1:0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), **pipes) as process:
        try:
            yield Demo(process)
        finally:
            process.terminate()


def test_demo(demo):
    """Alice enrols, is greeted, administers, deletes her files behind a fresh code, and logs out."""
    browser = Browser(demo.address)
    assert "Log in" in browser.get("/")
    browser.send("Log in", username="alice@example.com", password="correct horse")
    assert browser.at.endswith("/mfa/enrol")
    browser.send("Send a code", region="US", number="415 555 2671")
    code = demo.printed(r"\b(\d{6})\b")
    assert "Save your recovery code" in browser.send("Continue", code=code)
    assert "Hello alice@example.com" in browser.get("/")
    assert "Everything is gone" in browser.send("Delete my files")
    browser.get("/")
    browser.send("Log out")
    assert browser.at.endswith("/accounts/login/")
