"""The example of a login without a framework, used as a browser would use it."""

import importlib.util
import io
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode
from wsgiref.validate import validator

import pytest
from support import Outbox, a_config, wrong

from smsmfa import DeliveryRejected, MemoryStore

FILE = Path(__file__).parents[2] / "examples" / "wsgi_login.py"


spec = importlib.util.spec_from_file_location("wsgi_login", FILE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


class Browser:
    """Keeps the cookie, follows no redirect, and checks that the application follows the WSGI specification."""

    def __init__(self, outbox, **arguments):
        config = a_config(messages=example.MESSAGES, **arguments)
        self.application = validator(example.Login(config, MemoryStore(), outbox))
        self.cookie = ""

    def get(self, path):
        return self._ask("GET", path, b"")

    def post(self, path, **form):
        return self._ask("POST", path, urlencode(form).encode())

    def _ask(self, method, path, body):
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_COOKIE": self.cookie,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        started = []
        answer = self.application(environ, lambda status, headers, problem=None: started.append((status, headers)))
        text = b"".join(answer).decode()
        answer.close()
        ((status, headers),) = started
        self.headers = dict(headers)
        self.cookie = self.headers.get("Set-Cookie", self.cookie).partition(";")[0]
        return int(status.split()[0]), self.headers.get("Location", text)


@pytest.fixture
def outbox():
    return Outbox()


@pytest.fixture
def browser(outbox):
    return Browser(outbox, resend_gap=timedelta(0))


def give_password(browser):
    return browser.post("/", name="alice", password="correct horse")


def enrol(browser, outbox, number="(415) 555-2671"):
    browser.post("/enrol", number=number, region="US")
    return browser.post("/enrol/confirm", code=outbox.code)[1]


@pytest.fixture
def recovery_code(browser, outbox):
    """A recovery code of alice, who has enrolled and logged out."""
    give_password(browser)
    code = re.search(r"<code>(.*?)</code>", enrol(browser, outbox))[1]
    browser.post("/")
    return code


def test_first_login(browser, outbox):
    """The first login asks for a number, and the code sent there completes the login."""
    assert (303, "/enrol") == give_password(browser)
    assert "US +1" in browser.get("/enrol")[1]
    assert (303, "/enrol/confirm") == browser.post("/enrol", number="(415) 555-2671", region="US")
    assert 200 == browser.get("/enrol/confirm")[0]
    assert "Codes now go to ••••71" in browser.post("/enrol/confirm", code=outbox.code)[1]
    assert "Hello alice" in browser.get("/")[1]


def test_later_login(browser, outbox, recovery_code):
    """T4: a later login asks for a code, and refreshing the page does not send a second one."""
    assert (303, "/code") == give_password(browser)
    assert "••••71" in browser.get("/code")[1]
    assert "••••71" in browser.get("/code")[1]
    assert 2 == outbox.calls
    assert (303, "/") == browser.post("/code", code=outbox.code)
    assert "Hello alice" in browser.get("/")[1]


@pytest.mark.parametrize("path", ["/", "/recovery-codes"])
def test_halfway_is_not_logged_in(browser, recovery_code, path):
    """A right password alone opens no page for logged-in users."""
    give_password(browser)
    browser.get("/code")

    assert "Hello" not in browser.get(path)[1]
    assert 401 == browser.post("/")[0]


@pytest.mark.parametrize("path", ["/enrol", "/code", "/resend", "/recovery", "/recovery-codes", "/nowhere"])
def test_stranger_gets_the_login_form(browser, outbox, path):
    """T18: before the password is right nothing is sent, and every page leads to the login form."""
    assert (303, "/") == browser.get(path)
    assert (303, "/") == browser.post(path, number="+14155552671", code="000000")
    assert "password" in browser.get("/")[1]
    assert 0 == outbox.calls


def test_wrong_password(browser):
    """A wrong password logs nobody in, not even halfway."""
    assert 401 == browser.post("/", name="alice", password="wrong")[0]
    assert (303, "/") == browser.get("/code")


def test_wrong_code(browser, outbox, recovery_code):
    """A wrong code is refused with the library's status, and the user stays halfway."""
    give_password(browser)
    browser.get("/code")

    assert 403 == browser.post("/code", code=wrong(outbox.code))[0]
    assert 422 == browser.post("/code", code="what?")[0]
    assert "Hello" not in browser.get("/")[1]


def test_resend(browser, outbox, recovery_code):
    """A resend repeats the same code."""
    give_password(browser)
    browser.get("/code")
    code = outbox.code

    assert (303, "/code") == browser.post("/resend")
    assert [code, code] == [message.code.reveal() for message in outbox.messages[-2:]]


def test_resend_too_early(outbox):
    """A resend within the gap is a 429 with a Retry-After header."""
    browser = Browser(outbox)
    give_password(browser)
    enrol(browser, outbox)
    browser.get("/code")

    assert 429 == browser.post("/resend")[0]
    assert 0 < int(browser.headers["Retry-After"]) <= 30


def test_resend_without_challenge(browser, recovery_code):
    """A resend without a challenge is refused."""
    give_password(browser)

    assert 403 == browser.post("/resend")[0]


def test_recovery(browser, outbox, recovery_code):
    """A recovery code logs in once, shows its replacement, and lets the user enrol a new number."""
    give_password(browser)
    assert "recovery code" in browser.get("/recovery")[1]
    replacement = re.search(r"<code>(.*?)</code>", browser.post("/recovery", code=recovery_code)[1])[1]
    assert replacement != recovery_code
    assert "••••72" in enrol(browser, outbox, "+14155552672")
    assert 409 == browser.post("/recovery", code=recovery_code)[0]


def test_change_of_number_without_proof(browser, recovery_code):
    """R17: someone with only the password cannot replace the enrolled number."""
    give_password(browser)

    assert 403 == browser.post("/enrol", number="+14155552672", region="US")[0]


def test_step_up(browser, outbox, recovery_code):
    """After a login, a code with another purpose and another text renews the proof."""
    give_password(browser)
    browser.get("/code")
    browser.post("/code", code=outbox.code)
    browser.get("/code")
    assert "change how you log in" in outbox.messages[-1].text
    assert (303, "/") == browser.post("/code", code=outbox.code)
    assert "<code>" in browser.post("/recovery-codes")[1]


def test_session_id_is_renewed(browser, outbox, recovery_code):
    """A session id from before the login is not logged in."""
    give_password(browser)
    browser.get("/code")
    known = browser.cookie
    browser.post("/code", code=outbox.code)
    assert known != browser.cookie
    browser.cookie = known
    assert "password" in browser.get("/")[1]


def test_carrier_fails(browser, outbox):
    """The page does not show what a carrier says about its own trouble."""
    outbox.outcomes.append(DeliveryRejected("internal matters"))
    give_password(browser)
    status, text = browser.post("/enrol", number="+14155552671", region="US")

    assert 502 == status
    assert "internal" not in text


def test_factor_is_turned_off(outbox):
    """If the factor is turned off, the password is enough."""
    browser = Browser(outbox, enabled=False)

    assert (303, "/") == give_password(browser)
    assert "Hello alice" in browser.get("/")[1]
