"""The login of the page "Without a framework", put together from its blocks and used as people and others use it."""

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from support import Outbox, wrong
from test_docs import DOCS

import smsmfa
from smsmfa import RateLimited

PASSWORD = "correct horse battery staple"
RECOVERY_CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){5}")


@pytest.fixture
def outbox():
    return Outbox()


@pytest.fixture
def login(monkeypatch, outbox):
    """The program that a reader has at the end, with an empty store and without the page's own trials."""
    monkeypatch.setenv("SMSMFA_SECRET", "only the tests of this page know this secret")
    monkeypatch.setattr(smsmfa, "ConsoleSender", lambda: outbox)
    text = (DOCS / "explanation/without-a-framework.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    program = "\n".join(block for block in blocks if not block.startswith(("session = {}", "assert")))
    names = {"__name__": "login"}
    exec(compile(program, "page.md", "exec"), names)
    return SimpleNamespace(**names)


@pytest.fixture
def halfway(login):
    """Return a new session of alice, who has given her password."""

    def begin():
        session = {}
        login.page(login.post_login, session, name="alice", password=PASSWORD)
        return session

    return begin


@pytest.fixture
def session(login, halfway, outbox):
    """A session of alice, who has just enrolled a number."""
    session = halfway()
    enrol(login, session, outbox)
    return session


def enrol(login, session, outbox, number="(415) 555-2671", form="enrolment"):
    login.page(login.post_enrol, session, number=number, region="US")
    return login.page(login.post_confirm, session, code=outbox.code, form=form)


def later(monkeypatch, login, **period):
    """Move the clock of the program."""
    now = login.verifier._clock() + timedelta(**period) // timedelta(microseconds=1) * 1000
    monkeypatch.setattr("time.time_ns", lambda: now)


def shown(response):
    return RECOVERY_CODE.search(response.text)[0]


def test_two_clicks_at_enrolment(login, halfway, outbox):
    """Both clicks show the same recovery code, and so does a reload with the new session."""
    session = halfway()
    login.page(login.post_enrol, session, number="+14155552671", region="")
    second = dict(session)
    codes = {
        shown(login.page(login.post_confirm, each, code=outbox.code, form="f")) for each in (session, second, session)
    }

    assert 1 == len(codes)
    assert session["user"] == second["user"] == "alice"


def test_two_clicks_at_recovery(login, halfway, session):
    """Both clicks let the user in, and show the same new recovery code."""
    code = shown(login.page(login.post_new_recovery_codes, session, form="new"))
    assert code == shown(login.page(login.post_new_recovery_codes, session, form="new"))
    first = halfway()
    second = dict(first)
    typed = code.lower().replace("-", " ")
    replacements = {
        shown(login.page(login.post_recovery, each, recovery_code=typed, form="f")) for each in (first, second, first)
    }

    assert 1 == len(replacements - {code})
    assert "user" in second


def test_another_form(login, halfway, session, outbox):
    """A code from another form of the same session is told that the user may be logged in already."""
    first = halfway()
    login.page(login.get_code, first)
    second = dict(first)
    login.page(login.post_code, first, code=outbox.code, form="f")
    response = login.page(login.post_code, second, code=outbox.code, form="g")

    assert 409 == response.status
    assert "You may be logged in already" in response.text
    assert "user" not in second


def test_back_after_login(login, session, outbox):
    """After the login, the pages of the second step lead on and send nothing."""
    for view, form in (
        (login.get_code, {}),
        (login.post_code, {"code": outbox.code, "form": "f"}),
        (login.post_resend, {}),
    ):
        assert "/" == login.page(view, session, **form).headers["Location"]
    assert 1 == outbox.calls


def test_step_up(login, session, outbox, monkeypatch):
    """When the proof is too old, a change needs another code."""
    later(monkeypatch, login, minutes=11)
    (phone,) = login.verifier.status("alice").phones
    assert 403 == login.page(login.post_remove, session, phone_id=phone.id).status
    login.page(login.get_code, session)
    login.page(login.post_code, session, code=outbox.code, form="f")

    assert "/settings" == login.page(login.post_remove, session, phone_id=phone.id).headers["Location"]
    assert not login.verifier.status("alice").enrolled


def test_change_without_proof(login, halfway, session):
    """A user who has only the password cannot change the number."""
    thief = halfway()

    assert 403 == login.page(login.post_enrol, thief, number="+14155552673", region="US").status
    assert "/login" == login.page(login.post_new_recovery_codes, thief, form="f").headers["Location"]


def test_new_number_after_recovery(login, halfway, session, outbox):
    """A recovery code lets the user enrol a new number."""
    code = shown(login.page(login.post_new_recovery_codes, session, form="new"))
    lost = halfway()
    login.page(login.post_recovery, lost, recovery_code=code, form="f")

    assert "••••73" in enrol(login, lost, outbox, "+14155552673").text


def test_attempts_left(login, halfway, session, outbox):
    """After a wrong code, the page says how many attempts are left."""
    login.page(login.get_code, session := halfway())
    refused = login.page(login.post_code, session, code=wrong(outbox.code), form="f")

    assert (403, True) == (refused.status, "Attempts left: 4." in refused.text)
    assert "Attempts left: 4." in login.page(login.get_code, session).text


@pytest.mark.parametrize(
    "number, region, words",
    [
        ("+442079460000", None, "mobile number"),
        ("nonsense", "US", "isn't a phone number"),
        ("(415) 555-2671", "", "Choose the country"),
        ("(415) 555-2671", None, "Choose the country"),
        ("+33612345678", "US", "not send messages to this country"),
    ],
)
def test_wrong_numbers(login, halfway, number, region, words):
    """A number that cannot enrol is told why."""
    response = login.page(login.post_enrol, halfway(), number=number, region=region)

    assert 422 == response.status
    assert words in response.text


def test_wrong_recovery_code(login, halfway, session):
    """A wrong recovery code is not called a code that was sent."""
    response = login.page(login.post_recovery, halfway(), recovery_code="0000-0000-0000-0000-0000-0000", form="f")

    assert 403 == response.status
    assert "sent" not in response.text


def test_wrong_password(login):
    """A wrong password opens nothing."""
    assert 401 == login.page(login.post_login, {}, name="alice", password="wrong").status


@pytest.mark.parametrize("scope", ["user", "number", "total", "resend", "guesses", "recovery"])
def test_limits(login, scope):
    """Each limit has a text, and none tells a time if only the operator can help."""
    response = login.answer(RateLimited(scope))

    assert (429, {}) == (response.status, response.headers)
    assert "Try again" not in response.text


@pytest.mark.parametrize(
    "wait, words",
    [
        (timedelta(hours=9, minutes=59), "in about 10 hours."),
        (timedelta(minutes=39, seconds=1), "in about 40 minutes."),
        (timedelta(seconds=30), "in 30 seconds."),
        (timedelta(seconds=61), "in 61 seconds."),
    ],
)
def test_waits(login, wait, words):
    """A wait is told in words, and in a header."""
    response = login.answer(RateLimited("user", wait))

    assert response.text.endswith(words)
    assert str(int(wait.total_seconds())) == response.headers["Retry-After"]


@pytest.mark.parametrize(
    "error", [smsmfa.StoreError("x"), smsmfa.SenderMisconfigured("x"), smsmfa.ConfigurationError("x")]
)
def test_our_own_trouble(login, error):
    """An error on our side shows nothing of what went wrong inside."""
    assert "on our side" in login.answer(error).text
