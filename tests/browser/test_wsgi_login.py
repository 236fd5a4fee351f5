"""The example of a login without a framework, in a real browser: people press twice, reload, and lose answers."""

import importlib.util
import re
from pathlib import Path

import pytest
from browser.wire import PATIENCE, Wire
from support import Outbox, a_config, wrong

from smsmfa import MemoryStore

FILE = Path(__file__).parents[2] / "examples" / "wsgi_login.py"


spec = importlib.util.spec_from_file_location("wsgi_login_in_a_browser", FILE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)

RECOVERY_CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){5}")
#: Two clicks, 150 ms apart. A form that has been sent can be sent again while its page is still there.
TWO_CLICKS = """
const button = arguments[0];
button.click();
setTimeout(() => button.click(), 150);
"""

#: The first tab waits for the second, because the driver waits for the page of a tab that was clicked.
TWO_TABS = (
    "const button = arguments[0]; (window.channel = new BroadcastChannel('go')).onmessage = () => button.click();",
    "new BroadcastChannel('go').postMessage(''); arguments[0].click();",
)


class Person:
    """Somebody with a password, a phone and a browser."""

    def __init__(self, driver, serve):
        self.driver = driver
        self.outbox = Outbox()
        self.login = example.Login(a_config(messages=example.MESSAGES), MemoryStore(), self.outbox)
        self.wire = Wire(self.login)
        self.site = serve(self.wire)
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        driver.get(f"{self.site}/")

    @property
    def text(self):
        return self.driver.execute_script("return document.body ? document.body.innerText : ''")

    @property
    def path(self):
        return self.driver.current_url.removeprefix(self.site)

    def see(self, *texts):
        """Wait until the page shows one of these texts, and return all its text."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.wait import WebDriverWait

        wait = WebDriverWait(self.driver, PATIENCE, 0.02, [WebDriverException])
        return wait.until(lambda _: (shown := self.text) and any(text in shown for text in texts) and shown, texts)

    def go(self, path):
        self.driver.get(f"{self.site}{path}")

    def fill(self, **fields):
        """Type into the fields of the first form."""
        for name, text in fields.items():
            self.driver.find_element("name", name).send_keys(text)

    def button(self, text):
        return self.driver.find_element("xpath", f"//button[text()='{text}']")

    def press(self, text):
        self.button(text).click()

    def press_twice(self, text, path, *, before):
        """Press a button twice, while the answer to the first click takes longer than that."""
        self.wire.hold(path, before=before)
        self.driver.execute_script(TWO_CLICKS, self.button(text))

    def reload(self, path):
        """Load the page again, which the browser got by a post to a path: it posts once more."""
        before = self.wire.posts.count(path)
        self.driver.refresh()
        assert before + 1 == self.wire.posts.count(path)
        return self

    def see_in_the_end(self, text, path):
        """Wait for a text after the answer to a post was lost: Chromium posts again, or shows an error to reload."""
        if text not in self.see(text, "ERR_EMPTY_RESPONSE"):
            self.driver.refresh()
        self.see(text)
        assert self.wire.posts.count(path) == 2

    def follow(self, text):
        self.driver.find_element("link text", text).click()

    # --- the ways through the pages

    def give_password(self):
        self.see("Log in")
        self.fill(name="alice", password="correct horse")
        self.press("Log in")

    def give_number(self):
        self.give_password()
        self.see("Which number")
        self.fill(number="+14155552671")
        self.press("Send a code")
        self.see("Enter the code that we sent to ••••71")

    def type_code(self, code=None):
        self.fill(code=code or self.outbox.code)

    def enrol_and_stay(self):
        """Enrol a number, go to the first page, and return the recovery code."""
        self.give_number()
        self.type_code()
        self.press("Go on")
        code = self.recovery_code()
        self.follow("Go on")
        self.see("Hello alice")
        return code

    def enrol(self):
        """Enrol a number without the browser, and return the recovery code."""
        pending = self.login.enroller.start("alice", "+14155552671")
        (code,) = self.login.enroller.confirm("alice", pending.id, self.outbox.code).recovery_codes
        return code

    def recovery_code(self):
        return RECOVERY_CODE.search(self.see("Write this down"))[0]

    def log_out(self):
        self.see("Hello alice")
        self.press("Log out")
        self.see("Log in")

    def ask_for_code(self):
        """Give the password, and wait for the page that asks for the code."""
        self.give_password()
        self.see("Enter the code that we sent to ••••71")

    def recover(self, code):
        """Type a recovery code into its page."""
        self.go("/recovery")
        self.see("Enter your recovery code")
        self.type_code(code)


@pytest.fixture
def person(chromium, serve):
    first = chromium.current_window_handle
    yield Person(chromium, serve)
    for window in set(chromium.window_handles) - {first}:
        chromium.switch_to.window(window)
        chromium.close()
    chromium.switch_to.window(first)


both = pytest.mark.parametrize("before", [True, False], ids=["at once", "one by one"])


@both
def test_two_clicks_at_enrolment(person, before):
    """Two clicks enrol the number, and the page shows the recovery code that works."""
    person.give_number()
    person.type_code()
    person.press_twice("Go on", "/enrol/confirm", before=before)
    code = person.recovery_code()

    assert 2 == person.wire.posts.count("/enrol/confirm")
    person.follow("Go on")
    person.log_out()
    person.ask_for_code()
    person.recover(code)
    person.press("Go on")
    person.see("You are in.")


@both
def test_two_clicks_at_login(person, before):
    """Two clicks let the user in."""
    person.enrol()
    person.ask_for_code()
    person.type_code()
    person.press_twice("Go on", "/code", before=before)

    person.see("Hello alice")
    assert 2 == person.wire.posts.count("/code")


@both
def test_two_clicks_at_recovery(person, before):
    """Two clicks let the user in, and the page shows the new recovery code that works."""
    code = person.enrol()
    person.ask_for_code()
    person.recover(code)
    person.press_twice("Go on", "/recovery", before=before)
    replacement = person.recovery_code()

    assert replacement != code
    assert 2 == person.wire.posts.count("/recovery")
    person.recover(replacement)
    person.press("Go on")
    person.see("You are in.")


@both
def test_two_clicks_for_new_recovery_codes(person, before):
    """Two clicks make one new recovery code, which works."""
    code = person.enrol_and_stay()
    person.press_twice("New recovery codes", "/recovery-codes", before=before)
    replacement = person.recovery_code()

    assert replacement != code
    assert 2 == person.wire.posts.count("/recovery-codes")
    person.recover(replacement)
    person.press("Go on")
    person.see("You are in.")


@pytest.mark.parametrize("path, button", [("/", "Log in"), ("/enrol", "Send a code")])
def test_two_clicks_before_the_code(person, path, button):
    """Two clicks on the password or the number send one message, and lead to the next page."""
    if path == "/":
        person.fill(name="alice", password="correct horse")
    else:
        person.give_password()
        person.see("Which number")
        person.fill(number="+14155552671")
    person.press_twice(button, path, before=False)

    person.see("Which number" if path == "/" else "Enter the code that we sent")
    assert 2 == person.wire.posts.count(path)
    assert (path == "/enrol") == person.outbox.calls


def test_two_clicks_at_logout(person):
    """Two clicks log out, and show the login page."""
    person.enrol_and_stay()
    person.press_twice("Log out", "/logout", before=False)

    assert "Wrong" not in person.see("Log in")


def test_back_after_login(person):
    """Back after the login shows no form and sends nothing: the user is in."""
    person.enrol()
    person.ask_for_code()
    person.type_code()
    person.press("Go on")
    person.see("Hello alice")
    calls = person.outbox.calls
    person.driver.back()

    person.see("Hello alice")
    assert calls == person.outbox.calls


def test_back_after_enrolment(person):
    """Back after an enrolment leads to the first page, and sends nothing."""
    person.give_number()
    person.type_code()
    person.press("Go on")
    person.see("Write this down")
    person.driver.back()

    person.see("Hello alice")
    assert 1 == person.outbox.calls


def test_back_after_logout(person):
    """Back after the logout shows no page of the user, and no recovery code."""
    person.enrol_and_stay()
    person.log_out()
    person.driver.back()

    assert "Hello" not in person.see("Log in")


def two_tabs(person):
    """Open the page that asks for the code in two tabs. Return both."""
    person.enrol()
    person.ask_for_code()
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.go("/code")
    person.see("Enter the code that we sent")
    return first, person.driver.current_window_handle


def test_second_tab(person):
    """Two tabs ask for one code. The second to send it finds the user logged in."""
    first, second = two_tabs(person)
    assert 2 == person.outbox.calls
    for tab in (first, second):
        person.driver.switch_to.window(tab)
        person.type_code()
        person.press("Go on")
        person.see("Hello alice")

    assert ["/code", "/code"] == person.wire.posts[-2:]


def test_two_tabs_at_once(person):
    """If two tabs send one code at once, one is told that the user may be logged in, and its link leads there."""
    tabs = two_tabs(person)
    person.wire.hold("/code", before=True)
    for tab, script in zip(tabs, TWO_TABS, strict=True):
        person.driver.switch_to.window(tab)
        person.type_code()
        person.driver.execute_script(script, person.button("Go on"))
    texts = {}
    for tab in tabs:
        person.driver.switch_to.window(tab)
        texts[person.see("Hello alice", "You may be logged in already.")] = tab

    assert 2 == len(texts)
    (told,) = (text for text in texts if "already" in text)
    person.driver.switch_to.window(texts[told])
    person.follow("Go on")
    person.see("Hello alice")


def test_reload_of_enrolment(person):
    """A reload shows the same recovery code."""
    person.give_number()
    person.type_code()
    person.press("Go on")
    code = person.recovery_code()

    assert code == person.reload("/enrol/confirm").recovery_code()


def test_reload_of_recovery(person):
    """A reload shows the same new recovery code."""
    code = person.enrol()
    person.ask_for_code()
    person.recover(code)
    person.press("Go on")
    replacement = person.recovery_code()

    assert replacement == person.reload("/recovery").recovery_code()


def test_reload_of_new_recovery_codes(person):
    """A reload shows the same recovery code."""
    person.enrol_and_stay()
    person.press("New recovery codes")
    code = person.recovery_code()

    assert code == person.reload("/recovery-codes").recovery_code()


def test_reload_of_wrong_code(person):
    """A reload of a refusal counts no second wrong code, and the right one lets the user in."""
    person.enrol()
    person.ask_for_code()
    person.type_code(wrong(person.outbox.code))
    person.press("Go on")
    person.see("That isn't the code we expect.")
    person.reload("/code").see("That isn't the code we expect.")
    person.follow("Back")

    person.see("Attempts left: 4.")
    person.type_code()
    person.press("Go on")
    person.see("Hello alice")


@pytest.mark.parametrize("path, page", [("/", "Which number"), ("/enrol", "Enter the code that we sent")])
def test_reload_after_redirect(person, path, page):
    """Where a post is answered by a redirect, a reload sends nothing."""
    person.give_password()
    person.see("Which number")
    if path == "/enrol":
        person.fill(number="+14155552671")
        person.press("Send a code")
        person.see(page)
    calls, posts = person.outbox.calls, len(person.wire.posts)
    person.driver.refresh()

    person.see(page)
    assert (calls, posts) == (person.outbox.calls, len(person.wire.posts))


def test_lost_answer_to_password(person):
    """If the answer to the password is lost, the user sends it again and goes on."""
    person.wire.lose("/")
    person.fill(name="alice", password="correct horse")
    person.press("Log in")

    person.see_in_the_end("Which number", "/")


def test_lost_answer_to_number(person):
    """If the answer to the number is lost, one message was sent, and the user goes on."""
    person.give_password()
    person.see("Which number")
    person.fill(number="+14155552671")
    person.wire.lose("/enrol")
    person.press("Send a code")

    person.see_in_the_end("Enter the code that we sent", "/enrol")
    assert 1 == person.outbox.calls


def test_lost_answer_to_enrolment(person):
    """If the answer to the enrolment is lost, the recovery code is shown after all, and it works."""
    person.give_number()
    person.type_code()
    person.wire.lose("/enrol/confirm")
    person.press("Go on")
    person.see_in_the_end("Write this down", "/enrol/confirm")

    code = person.recovery_code()
    person.follow("Go on")
    person.log_out()
    person.ask_for_code()
    person.recover(code)
    person.press("Go on")
    person.see("You are in.")


def test_lost_answer_to_code(person):
    """If the answer to the code is lost, the user sends it again and is in."""
    person.enrol()
    person.ask_for_code()
    person.type_code()
    person.wire.lose("/code")
    person.press("Go on")

    person.see_in_the_end("Hello alice", "/code")


def test_lost_answer_to_recovery(person):
    """If the answer to the only recovery code is lost, the user gets in, and sees the new one."""
    code = person.enrol()
    person.ask_for_code()
    person.recover(code)
    person.wire.lose("/recovery")
    person.press("Go on")

    person.see_in_the_end("Write this down", "/recovery")
    assert code != person.recovery_code()


def test_lost_answer_to_new_recovery_codes(person):
    """If the answer with a new recovery code is lost, the code is shown after all."""
    person.enrol_and_stay()
    person.wire.lose("/recovery-codes")
    person.press("New recovery codes")

    person.see_in_the_end("Write this down", "/recovery-codes")
