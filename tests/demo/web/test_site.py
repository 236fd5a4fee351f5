"""The demo's site, as a browser sees it."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import Client

from smsmfa.demo.web.operator import DEFAULTS, Settings
from smsmfa.demo.web.site import Site
from smsmfa.testing import FakeClock

PASSWORD = "correct horse"
FORM = {name: text for name, text in DEFAULTS.items() if text}


class Visitor:
    """A browser without scripts."""

    def __init__(self, directory):
        self.directory = directory
        self.clock = FakeClock()
        self.restart()
        self.client = Client(lambda environ, start: self.site(environ, start))
        self.page = self.get("/")

    def restart(self):
        self.site = Site(self.directory, clock=self.clock)

    def get(self, path):
        self.page = self.client.get(path, follow_redirects=True)
        return self.page

    def hidden(self, action):
        """Return the hidden fields of the form with this action on the last page."""
        form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', self.page.text, re.DOTALL)[0]
        return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form))

    def post(self, path, **fields):
        self.page = self.client.post(path, data=self.hidden(path) | fields, follow_redirects=True)
        return self.page

    def sign_up(self, name="alice"):
        self.get("/")
        return self.post("/sign-up", name=name, password=PASSWORD)

    @property
    def code(self):
        return re.search(r"\d{6}", self.site.archive.messages()[-1].text)[0]

    def enrol(self):
        self.sign_up()
        self.post("/mfa/enrol", region="US", number="(415) 555-2671")
        self.post("/mfa/enrol/code", code=self.code)
        return self.get("/")


@pytest.fixture
def visitor(tmp_path):
    """A visitor of a new site."""
    return Visitor(tmp_path / "demo")


def test_tour(visitor):
    """Somebody signs up, enrols, sees the message on the phone, logs out, and logs in with a code."""
    assert "Set up your phone number" in visitor.sign_up().text
    visitor.post("/mfa/enrol", region="US", number="(415) 555-2671")
    assert f"{visitor.code} is your verification code for Acme" in visitor.page.text
    assert "Save your recovery code" in visitor.post("/mfa/enrol/code", code=visitor.code).text
    assert "Hello alice" in visitor.get("/").text
    assert "New here?" in visitor.post("/log-out").text
    visitor.clock.move(minutes=1)
    assert "Enter your code" in visitor.post("/log-in", name="alice", password=PASSWORD).text
    assert "Hello alice" in visitor.post("/mfa/code", code=visitor.code).text


def test_restart(visitor):
    """A restart in the middle of an enrolment loses nothing."""
    visitor.sign_up()
    visitor.post("/mfa/enrol", region="US", number="(415) 555-2671")
    visitor.restart()

    assert "Save your recovery code" in visitor.post("/mfa/enrol/code", code=visitor.code).text


@pytest.mark.parametrize("name, password, said", [("", PASSWORD, "Choose a name"), ("alice", "short", "Choose a name")])
def test_sign_up_refused(visitor, name, password, said):
    """An account takes a name and a password of eight characters."""
    assert said in visitor.post("/sign-up", name=name, password=password).text


def test_name_taken(visitor):
    """A name that is taken is refused."""
    visitor.sign_up()
    visitor.client = Client(visitor.site)

    assert "This name is taken" in visitor.sign_up().text


def test_wrong_password(visitor):
    """A wrong password lets nobody in."""
    visitor.site.archive.sign_up("alice", PASSWORD)

    assert "Wrong name or password" in visitor.post("/log-in", name="alice", password="wrong").text


def test_fresh_code(visitor):
    """The page behind a fresh code is shown after a login, and asks for a code ten minutes later."""
    visitor.enrol()
    assert "less than ten minutes old" in visitor.get("/secret").text
    visitor.clock.move(minutes=11)

    assert "Confirm that it is you" in visitor.get("/secret").text


@pytest.mark.parametrize("path", ["/sign-up", "/log-in", "/log-out", "/settings", "/settings/test", "/settings/doctor"])
def test_forged(visitor, path):
    """A form without the token of this session does nothing."""
    answers = [visitor.client.post(path, data=FORM), visitor.client.post(path, data=FORM | {"demo_token": "x\u00ff"})]

    assert [403, 403] == [answer.status_code for answer in answers]


def test_other_host(visitor):
    """A request under another host name is refused, so no other site can read the demo."""
    assert 400 == visitor.client.get("/", headers={"Host": "evil.example"}).status_code


def test_phone(visitor):
    """The phone can be fetched by itself, and says when it is empty."""
    assert "A message appears here" in visitor.get("/phone").text
    visitor.sign_up()
    visitor.post("/mfa/enrol", region="US", number="(415) 555-2671")

    assert visitor.code in visitor.get("/phone").text


# --- the operator


def test_factor_off(visitor):
    """With the factor off, the password is enough."""
    visitor.enrol()
    visitor.post("/log-out")
    visitor.get("/settings")
    visitor.post("/settings", **{name: text for name, text in FORM.items() if name != "SMSMFA_ENABLED"})
    visitor.get("/")

    assert "Hello alice" in visitor.post("/log-in", name="alice", password=PASSWORD).text


def test_settings_are_kept(visitor):
    """Settings hold at once and after a restart, and the site says that they are saved."""
    visitor.get("/settings")
    assert "Saved." in visitor.post("/settings", **FORM | {"SMSMFA_APP_NAME": "Widgets"}).text
    visitor.restart()

    assert "Widgets" in visitor.get("/").text


def test_settings_refused(visitor):
    """A wrong setting changes nothing, says what is wrong, and loses nothing that was typed."""
    visitor.get("/settings")
    page = visitor.post("/settings", **FORM | {"SMSMFA_REGIONS": "XX", "SMSMFA_APP_NAME": "Widgets"})

    assert 422 == page.status_code
    assert 'value="Widgets"' in page.text
    assert "ISO codes" in page.text
    assert "Acme" == visitor.site.settings.values["SMSMFA_APP_NAME"]


def test_token_is_not_shown(visitor):
    """A saved auth token is on no page, and stays if the field is left empty."""
    twilio = {"provider": "twilio", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_FROM_NUMBER": "+14155550000"}
    visitor.get("/settings")
    visitor.post("/settings", **FORM | twilio | {"TWILIO_AUTH_TOKEN": "a-token-for-the-tests"})
    pages = [visitor.page, visitor.post("/settings", **FORM | twilio), visitor.get("/activity")]

    assert "One is saved" in visitor.get("/settings").text
    assert [] == [page for page in pages if "a-token-for-the-tests" in page.text]
    assert "a-token-for-the-tests" == visitor.site.settings.values["TWILIO_AUTH_TOKEN"]
    assert "through Twilio" in visitor.get("/").text


def test_preview(visitor):
    """While the operator types, the page learns the texts, their segments and the risk, and nothing is saved."""
    visitor.get("/settings")
    fields = visitor.hidden("/settings") | FORM | {"verification": "{{ code }} €", "guesses": "1"}
    answer = visitor.client.post("/settings/preview", data=fields).json

    assert "123456 €" == answer["previews"]["verification"]["text"]
    assert re.fullmatch(r"1 in [\d,]+", answer["risk"])
    assert "" == visitor.site.settings.values["verification"]


def test_preview_of_nonsense(visitor):
    """A setting that is wrong is named in place of the risk."""
    visitor.get("/settings")
    fields = visitor.hidden("/settings") | FORM | {"guesses": "x"}

    assert "at least 1" in visitor.client.post("/settings/preview", data=fields).json["risk"]


def test_doctor(visitor):
    """The doctor's findings are shown on request."""
    visitor.get("/settings")

    assert "no Twilio account is set" in visitor.post("/settings/doctor").text


def test_test_message(visitor):
    """A test message reaches the phone."""
    visitor.get("/settings")
    page = visitor.post("/settings/test", number="+14155552671")

    assert "The test message was sent." in page.text
    assert "000000 is your verification code" in page.text


def test_test_message_refused(visitor):
    """A wrong number for a test message says why."""
    visitor.get("/settings")

    assert "PhoneNumberError" in visitor.post("/settings/test", number="12").text


def test_activity(visitor):
    """The activity shows each event, and a plot with a title for each bar."""
    assert "Nothing has happened yet." in visitor.get("/activity").text
    visitor.enrol()
    text = visitor.get("/activity").text

    assert "gd_enrollment_complete" in text
    assert "Messages sent, this hour: 1" in text
    assert "+1415" not in text


def test_clock(tmp_path):
    """Without a clock of its own the site uses the system's."""
    site = Site(tmp_path / "demo")

    assert 200 == Client(site).get("/activity").status_code


def test_change_is_atomic(visitor):
    """Settings that cannot be used leave the site as it was."""
    before, app = visitor.site.settings, visitor.site.app
    with pytest.raises(ValueError, match="at least 1"):
        visitor.site.change(Settings(DEFAULTS | {"sends": "x"}, "s" * 40))

    assert (before, app) == (visitor.site.settings, visitor.site.app)
    assert isinstance(app, Flask)


def test_lifetime(visitor):
    """A code that was not typed in time has expired."""
    visitor.sign_up()
    visitor.post("/mfa/enrol", region="US", number="(415) 555-2671")
    visitor.clock.move(timedelta(minutes=5), seconds=1)

    assert "expired" in visitor.post("/mfa/enrol/code", code=visitor.code).text
