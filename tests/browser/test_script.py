"""What our script adds to the pages, in a real browser."""

from datetime import timedelta

import pytest
from browser.person import once
from browser.states import recovery_codes

pytestmark = [pytest.mark.browser, once]
#: Gives the page a phone whose message the browser reads.
PHONE = """
window.OTPCredential = window.OTPCredential || function () {};
navigator.credentials.get = (asked) => new Promise((resolve) => {
  window.receive = (code) => resolve(asked.otp.transport[0] === 'sms' && { code });
});
"""


@pytest.fixture
def phone(driver):
    """A browser with access to the messages of a phone."""
    added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": PHONE})
    yield
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_web_otp(person, phone):
    """A code that the browser reads from the message is sent."""
    person.enrol()
    person.ask_for_code()
    person.driver.execute_script("window.receive(arguments[0])", person.code)

    person.see("Hello alice")


#: Stops the next form on its way, and lets no time pass until it can be sent again.
STOP = """
document.querySelector('form').addEventListener('submit', (event) => event.preventDefault(), { once: true });
const real = setTimeout;
window.setTimeout = (task) => real(task, 0);
"""


def test_stopped(person):
    """A form that the person stopped on its way can be sent again by its button, and is not sent again by itself."""
    person.enrol()
    person.ask_for_code()
    person.driver.execute_script(STOP)
    person.paste(person.code)
    person.wait(lambda: not person.has("button[aria-disabled]"), "button to press")
    person.paste(" ")
    assert not person.has("button[aria-disabled]")
    person.press("Continue")

    person.see("Hello alice")
    assert ["/login", "/mfa/code"] == person.wire.posts


def later(person, seconds):
    """Let the browser believe that it is later."""
    person.driver.execute_script("const now = Date.now(); Date.now = () => now + 1000 * arguments[0]", seconds)


def test_countdown(person):
    """The seconds are counted down, and then the code can be sent again."""
    person.enrol()
    person.ask_for_code()
    later(person, 10)
    person.see("You can ask for another code in 20 seconds.")
    assert not person.button("Send the code again").is_enabled()
    later(person, 21)
    person.wait(lambda: person.button("Send the code again").is_enabled(), "a button to press")

    assert "You can ask for another code" not in person.text


def test_countdown_of_minutes(visit):
    """Minutes are not counted down in seconds."""
    person = visit(resend_gap=timedelta(minutes=2))
    person.enrol()
    person.ask_for_code()
    person.driver.execute_script("window.ticks = 0; const set = Date.now; Date.now = () => { ticks++; return set(); }")
    person.wait(lambda: person.driver.execute_script("return window.ticks"), "a tick")

    assert "You can ask for another code in about 2 minutes." in person.text
    assert not person.button("Send the code again").is_enabled()


def test_recovery_codes(visit):
    """Recovery codes are copied, printed and downloaded, a line each."""
    person = recovery_codes(visit)
    driver = person.driver
    permission = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": person.site}
    driver.execute_cdp_cmd("Browser.grantPermissions", permission)
    codes = [one.text for one in driver.find_elements("css selector", "code")]
    assert 10 == len(codes)
    person.press("Copy")
    person.see("Copied")
    assert codes == driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])").split("\n")
    driver.execute_script("window.print = () => { document.title = 'printed'; }")
    person.press("Print")
    assert "printed" == driver.title
    link = person.find("a[download]")
    assert "recovery-codes.txt" == link.get_attribute("download")
    assert "data:text/plain;charset=utf-8," + "%0A".join(codes) == link.get_attribute("href")


def test_example(visit):
    """The example is that of the chosen country."""
    person = visit(regions={"US", "DE"})
    person.give_password()
    person.see("Set up your phone number")
    person.choose("Germany (+49)")

    person.see("For example 01512 3456789")


def test_back_to_a_form(person):
    """A form that was sent can be sent again after Back."""
    person.give_number()
    person.driver.back()
    person.see("Set up your phone number")
    person.find("#number").clear()
    person.fill(number="12")
    person.press("Send a code")

    person.see("Problem", "Check it and enter it again.")
