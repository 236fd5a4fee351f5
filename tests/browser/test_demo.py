"""The demo's site in a real browser: the phone beside the pages, and the operator's own."""

import re

import pytest
from browser.wire import PATIENCE

from smsmfa.demo.web.site import Site
from smsmfa.testing import FakeClock

pytestmark = pytest.mark.browser

PASSWORD = "correct horse"


class Tour:
    """Somebody who tries the demo."""

    def __init__(self, driver, serve, folder):
        self.driver, self.clock, self.folder = driver, FakeClock(), folder
        self.restart()
        self.address = serve(lambda environ, start: self.site(environ, start))
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.go("/")

    def restart(self):
        self.site = Site(self.folder, clock=self.clock)

    def go(self, path):
        self.driver.get(self.address + path)

    def until(self, text):
        """Wait until the page shows a text, and return all of its text."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.wait import WebDriverWait

        def shown(driver):
            return (body := driver.find_element("tag name", "body").text) and text in body and body

        return WebDriverWait(self.driver, PATIENCE, 0.02, [WebDriverException]).until(shown, text)

    def fill(self, **fields):
        for field, text in fields.items():
            one = self.driver.find_element("id", field.replace("_", "-"))
            one.clear()
            one.send_keys(text)

    def press(self, text):
        self.driver.find_element("xpath", f"//button[normalize-space()='{text}']").click()

    def choose(self, text):
        self.driver.find_element("xpath", f"//option[contains(., '{text}')]").click()

    def code(self):
        """Read the last message on the drawn phone."""
        return re.findall(r"\b\d{6}\b", self.driver.find_element("class name", "demo-messages").text)[-1]

    def sign_up(self):
        self.fill(new_name="alice", new_password=PASSWORD)
        self.press("Sign up")
        self.until("Set up your phone number")

    def give_number(self):
        self.choose("United States")
        self.fill(number="(415) 555-2671")
        self.press("Send a code")
        self.until("Confirm your phone number")

    def enrol(self):
        self.sign_up()
        self.give_number()
        self.fill(code=self.code())
        self.until("Save your recovery code")
        self.driver.find_element("link text", "I have saved it").click()
        self.until("Hello alice")


@pytest.fixture
def tour(driver, serve, tmp_path):
    """Somebody who looks at the first page of a new demo."""
    return Tour(driver, serve, tmp_path / "demo")


def test_pages(tour, check):
    """Somebody signs up, enrols with the code on the phone, and sees every page of the demo, in every look."""
    check("demo-home")
    tour.sign_up()
    check("demo-enrol")
    tour.give_number()
    check("demo-code")
    tour.fill(code=tour.code())
    tour.until("Save your recovery code")
    check("demo-recovery-code")
    tour.driver.find_element("link text", "I have saved it").click()
    tour.until("Hello alice")
    check("demo-logged-in")
    tour.go("/mfa/account")
    check("demo-account")
    tour.go("/settings")
    check("demo-settings")
    tour.press("Check the saved settings")
    tour.until("no Twilio account is set")
    check("demo-doctor")
    tour.go("/activity")
    tour.until("gd_enrollment_complete")
    check("demo-activity")


def test_phone_by_itself(tour):
    """The phone shows a message that is sent while the page stays."""
    tour.enrol()
    tour.site.settings.sender(tour.site.archive).send(tour.site.settings.test_message("+14155552671"))

    assert "000000 is your verification code" in tour.until("000000 is your")


def test_restart(tour):
    """A restart of the demo in the middle of a login loses nothing."""
    tour.sign_up()
    tour.give_number()
    tour.restart()
    tour.fill(code=tour.code())

    assert tour.until("Save your recovery code")


def test_preview(tour):
    """While the operator types a template, its text, segments and the risk follow."""
    tour.go("/settings")
    tour.fill(verification="{{ code }} öffnet die Tür — {{ app_name }}", guesses="10")
    tour.until("123456 öffnet die Tür — Acme")

    assert re.search(r"1 segment, \d+ units of UCS-2", tour.until("UCS-2"))
    assert "1 in 1,117" not in tour.until("1 in")


def test_own_template(tour):
    """A template that was saved is what arrives."""
    tour.go("/settings")
    tour.fill(enrollment="{{ code }} opens {{ app_name }}")
    tour.press("Save")
    tour.until("Saved.")
    tour.go("/")
    tour.sign_up()
    tour.give_number()

    assert "opens Acme" in tour.until("opens Acme")


def test_step_up(tour):
    """After ten minutes the page behind a fresh code asks for one, and then shows itself."""
    tour.enrol()
    tour.clock.move(minutes=11)
    tour.go("/secret")
    tour.until("Confirm that it is you")
    tour.press("Send a code")
    tour.until("We sent a text message")
    tour.fill(code=tour.code())

    assert tour.until("A page behind a fresh code")


def test_wrong_password(tour):
    """A wrong password says so."""
    tour.fill(name="alice", password="wrong")
    tour.press("Log in")

    assert tour.until("Wrong name or password.")
