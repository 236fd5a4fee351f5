"""The example of a login without a framework, used as a browser would use it."""

import importlib.util
import io
import re
import time
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode
from wsgiref.validate import validator

import pytest
from support import Outbox, a_config, wrong

from smsmfa import DeliveryRejected, MemoryStore, RateLimited

FILE = Path(__file__).parents[2] / "examples" / "wsgi_login.py"


spec = importlib.util.spec_from_file_location("wsgi_login", FILE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


class Browser:
    """Keeps the cookie, follows no redirect, and checks that the application follows the WSGI specification."""

    def __init__(self, outbox, **arguments):
        config = a_config(messages=example.MESSAGES, **arguments)
        self.login = example.Login(config, MemoryStore(), outbox)
        self.application = validator(self.login)
        self.cookie = self.form = ""

    def get(self, path):
        return self._ask("GET", path, b"")

    def post(self, path, **form):
        """Send the form that was shown last, or another one with the argument ``form``."""
        return self._ask("POST", path, urlencode({"form": self.form, **form}).encode())

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
        self.form = (re.findall(r"name=form value=(\S+)>", text) or [self.form])[0]
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
    browser.get("/enrol")
    browser.post("/enrol", number=number, region="US")
    browser.get("/enrol/confirm")
    return browser.post("/enrol/confirm", code=outbox.code)[1]


@pytest.fixture
def recovery_code(browser, outbox):
    """A recovery code of alice, who has enrolled and logged out."""
    give_password(browser)
    code = shown(enrol(browser, outbox))
    assert (303, "/") == browser.post("/logout")
    return code


def shown(page):
    """The recovery code that a page shows."""
    return re.search(r"<code>(.*?)</code>", page)[1]


def later(monkeypatch, **period):
    """Move the system's clock, which the example uses."""
    now = time.time_ns() + timedelta(**period) // timedelta(microseconds=1) * 1000
    monkeypatch.setattr(time, "time_ns", lambda: now)


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
    assert "Attempts left: 4." in browser.get("/code")[1]


@pytest.mark.parametrize("number", ["(415) 555-2671", "415 555 2671"])
def test_no_country(browser, number):
    """A number without its country is told what is missing."""
    give_password(browser)
    status, text = browser.post("/enrol", number=number, region="")

    assert 422 == status
    assert "the country is missing" in text


def test_wrong_recovery_code(browser, recovery_code):
    """A wrong recovery code is not called a code that we sent."""
    give_password(browser)
    status, text = browser.post("/recovery", code="0000-0000-0000-0000-0000-0000")

    assert 403 == status
    assert "That isn't the code we expect." in unescape(text)
    assert "sent" not in text


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
    browser.post("/logout")
    give_password(browser)
    browser.get("/code")
    status, text = browser.post("/resend")

    assert 429 == status
    assert 0 < int(browser.headers["Retry-After"]) <= 30
    assert re.search(r"We have just sent you a message. Try again in \d+ seconds.", text)


def test_used_up_guesses(browser, outbox, recovery_code):
    """A long wait is told in words, and the page leads to the recovery code."""
    give_password(browser)
    for _ in range(20):
        browser.get("/code")
        browser.post("/code", code=wrong(outbox.code))
    status, text = browser.post("/code", code=outbox.code)

    assert 429 == status
    assert "Too many wrong codes. Try again in about 10 hours." in text
    assert "<a href=/recovery>" in text


@pytest.mark.parametrize("seconds, words", [(1, "1 seconds"), (120, "120 seconds"), (2341, "about 40 minutes")])
def test_wait_in_words(seconds, words):
    """A wait is told in the largest fitting unit, rounded up."""
    assert words == example.in_words(seconds)


def test_limit_without_end():
    """A limit that only the operator can lift names no time."""
    assert "Too many messages. <a" in example.answer(RateLimited("total"))[1]


def test_resend_without_challenge(browser, recovery_code):
    """A resend without a challenge is refused."""
    give_password(browser)

    assert 403 == browser.post("/resend")[0]


def test_recovery(browser, outbox, recovery_code):
    """A recovery code logs in once, shows its replacement, and lets the user enrol a new number."""
    give_password(browser)
    assert "recovery code" in browser.get("/recovery")[1]
    replacement = shown(browser.post("/recovery", code=recovery_code)[1])
    assert replacement != recovery_code
    assert "••••72" in enrol(browser, outbox, "+14155552672")
    browser.get("/recovery")
    status, text = browser.post("/recovery", code=recovery_code)
    assert 409 == status
    assert "You may be logged in already. <a href=/>" in text


def test_change_of_number_without_proof(browser, recovery_code):
    """R17: someone with only the password cannot replace the enrolled number."""
    give_password(browser)

    assert 403 == browser.post("/enrol", number="+14155552672", region="US")[0]


def test_step_up(browser, outbox, recovery_code, monkeypatch):
    """Ten minutes after a login, a code with another purpose and another text renews the proof."""
    give_password(browser)
    browser.get("/code")
    browser.post("/code", code=outbox.code)
    later(monkeypatch, minutes=10, seconds=1)
    assert 403 == browser.post("/recovery-codes")[0]
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


def twice(browser, path, **form):
    """Send a form twice before the first answer has arrived: both carry the same cookie. Return both answers."""
    cookie, sent = browser.cookie, browser.form
    first = browser.post(path, **form)
    browser.cookie = cookie
    return first, browser.post(path, form=sent, **form)


def test_two_clicks_at_login(browser, outbox, recovery_code):
    """A code that is sent twice lets the user in, and the second answer is the first."""
    give_password(browser)
    browser.get("/code")

    first, second = twice(browser, "/code", code=outbox.code)

    assert (303, "/") == first == second
    assert "Hello alice" in browser.get("/")[1]


def test_two_clicks_at_first_login(browser, outbox):
    """Both answers to an enrolment that is sent twice show the same recovery code, and it works."""
    give_password(browser)
    browser.post("/enrol", number="(415) 555-2671", region="US")
    browser.get("/enrol/confirm")

    first, second = twice(browser, "/enrol/confirm", code=outbox.code)

    assert 200 == first[0]
    assert shown(first[1]) == shown(second[1])
    browser.post("/logout")
    give_password(browser)
    assert 200 == browser.post("/recovery", code=shown(first[1]))[0]


def test_two_clicks_at_recovery(browser, recovery_code):
    """Both answers to a recovery that is sent twice show the same replacement."""
    give_password(browser)
    browser.get("/recovery")

    first, second = twice(browser, "/recovery", code=recovery_code)

    assert 200 == first[0]
    assert shown(first[1]) == shown(second[1])


def test_reload(browser, outbox):
    """A form that is sent again after the login, with the new cookie, is answered alike."""
    give_password(browser)
    browser.post("/enrol", number="(415) 555-2671", region="US")
    browser.get("/enrol/confirm")
    sent = browser.form
    first = browser.post("/enrol/confirm", code=outbox.code)[1]

    assert shown(first) == shown(browser.post("/enrol/confirm", form=sent, code=outbox.code)[1])


def test_reload_of_new_recovery_codes(browser, outbox, recovery_code):
    """A form for new recovery codes that is sent again shows the same; a new form makes new ones."""
    give_password(browser)
    browser.get("/recovery")
    browser.post("/recovery", code=recovery_code)
    browser.get("/")
    sent = browser.form

    first = shown(browser.post("/recovery-codes")[1])
    assert first == shown(browser.post("/recovery-codes", form=sent)[1])
    browser.get("/")
    assert first != shown(browser.post("/recovery-codes")[1])


@pytest.mark.parametrize("method", ["get", "post"])
def test_back_after_login(browser, outbox, recovery_code, method):
    """After the login, the pages of the second step lead on and send nothing."""
    give_password(browser)
    browser.get("/code")
    browser.post("/code", code=outbox.code)
    calls = outbox.calls

    assert (303, "/") == getattr(browser, method)("/code") == getattr(browser, method)("/resend")
    assert (303, "/") == browser.get("/enrol/confirm")
    assert calls == outbox.calls


def test_second_form_at_once(browser, outbox, recovery_code):
    """Two tabs that send one code at once, each from its own form: the second is told that it was used."""
    give_password(browser)
    browser.get("/code")
    cookie = browser.cookie
    browser.post("/code", code=outbox.code)
    browser.cookie = cookie
    status, text = browser.post("/code", form="another", code=outbox.code)

    assert 409 == status
    assert "You may be logged in already. <a href=/>" in text


def test_confirmation_of_an_old_number(browser, outbox, monkeypatch):
    """If the code for a new number is too old, its page leads back to the number."""
    give_password(browser)
    browser.post("/enrol", number="(415) 555-2671", region="US")
    later(monkeypatch, minutes=6)

    assert (303, "/enrol") == browser.get("/enrol/confirm")


def test_logout_ends_repetitions(browser, outbox, recovery_code):
    """After a logout, the cookie from before the login answers nothing."""
    give_password(browser)
    browser.get("/code")
    cookie, sent = browser.cookie, browser.form
    browser.post("/code", code=outbox.code)
    browser.post("/logout")
    assert (303, "/") == browser.post("/logout")
    browser.cookie = cookie

    assert (303, "/") == browser.post("/code", form=sent, code=outbox.code)
    assert "password" in browser.get("/")[1]


def test_login_in_place_of_another(browser, outbox, recovery_code):
    """A password that is entered while somebody is logged in begins a new login."""
    give_password(browser)
    browser.get("/code")
    browser.post("/code", code=outbox.code)

    assert (303, "/code") == give_password(browser)
    assert "Hello" not in browser.get("/")[1]


def test_sessions_end(browser, outbox, monkeypatch):
    """A halfway session ends after ten minutes, and one of a user after an hour."""
    give_password(browser)
    enrol(browser, outbox)
    logged_in = browser.cookie
    give_password(halfway := Browser(outbox))
    now = time.monotonic()

    monkeypatch.setattr(time, "monotonic", lambda: now + 601)
    assert (303, "/") == halfway.get("/enrol")
    monkeypatch.setattr(time, "monotonic", lambda: now + 3602)
    assert logged_in == browser.cookie
    assert "password" in browser.get("/")[1]
    give_password(browser)
    assert 1 == len(browser.login.sessions.kept)
