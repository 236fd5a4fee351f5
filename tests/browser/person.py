"""Somebody with a password, a phone and a browser."""

import re
from contextlib import contextmanager

import pytest
from browser.sites import SITES, USER
from browser.wire import PATIENCE, Wire
from support import NUMBER, Factor, wrong

#: The frameworks for the fixture ``visit``.
FRAMEWORKS = list(SITES)
#: Marks a test of our own files, which no framework changes.
once = pytest.mark.parametrize("visit", FRAMEWORKS[:1], indirect=True)
RECOVERY_CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){5}")
#: Two clicks, 150 ms apart. A form that has been sent can be sent again while its page is still there.
TWO_CLICKS = """
const button = arguments[0];
button.click();
setTimeout(() => { button.click(); fetch('/clicked', { method: 'POST', keepalive: true }); }, 150);
"""


class Browser:
    """What people do with a browser on one site.

    Args:
        driver: Selenium's.
        serve: serves a WSGI application, and returns its address.
        application: the site.
    """

    def __init__(self, driver, serve, application):
        self.driver = driver
        self.wire = Wire(application)
        self.site = serve(self.wire)
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})  # an earlier site may have had the same address

    # --- what the page shows

    @property
    def text(self):
        return self.driver.execute_script("return document.body ? document.body.innerText : ''")

    @property
    def path(self):
        return self.driver.current_url.removeprefix(self.site)

    def wait(self, condition, what):
        """Wait until a condition holds, while pages come and go, and return its value."""
        from selenium.common.exceptions import TimeoutException, WebDriverException
        from selenium.webdriver.support.wait import WebDriverWait

        wait = WebDriverWait(self.driver, PATIENCE, 0.04, [WebDriverException])
        try:
            return wait.until(lambda _: condition(), what)
        except TimeoutException:
            pass
        raise AssertionError(f"no {what} at {self.path}: {self.text}")

    def see(self, *texts):
        """Wait until the page shows one of these texts, and return all its text."""
        return self.wait(lambda: (shown := self.text) and any(text in shown for text in texts) and shown, texts)

    def until(self, text):
        """Wait until the page shows a text, and return the person."""
        self.see(text)
        return self

    def find(self, selector, by="css selector"):
        """Wait for an element, and return it."""
        return self.wait(lambda: self.driver.find_element(by, selector), selector)

    def has(self, selector):
        """Tell whether the page has such an element, now."""
        return bool(self.driver.find_elements("css selector", selector))

    @property
    def focused(self):
        """The name of the field, or else the text of the element, that has the focus."""
        element = self.driver.switch_to.active_element
        return element.get_attribute("name") or element.text

    def has_focus(self, name):
        """Wait until a field or an element has the focus, by its name or its text."""
        return self.wait(lambda: name == self.focused, f"focus on {name}")

    # --- what a person does

    def go(self, path):
        self.driver.get(f"{self.site}{path}")

    def fill(self, **fields):
        """Type into the fields of the first form that has them."""
        for name, text in fields.items():
            self.find(name, "name").send_keys(text)

    def paste(self, text):
        """Insert a text at once where the focus is."""
        self.driver.execute_cdp_cmd("Input.insertText", {"text": text})

    def button(self, text):
        return self.find(f"//button[normalize-space()='{text}']", "xpath")

    def press(self, text):
        self.button(text).click()

    def follow(self, text):
        self.find(text, "partial link text").click()

    def choose(self, text):
        """Choose from the list of countries."""
        from selenium.webdriver.support.select import Select

        Select(self.find("select")).select_by_visible_text(text)

    def keys(self, *keys):
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def press_twice(self, text, path, *, before):
        """Press a button twice, while the answer to the first click takes longer than that."""
        self.wire.hold(path, before=before)
        self.driver.execute_script(TWO_CLICKS, self.button(text))

    def press_impatiently(self, text, path):
        """Press a button twice. The answer to the first click comes after the second."""
        self.wire.hold_until_clicked(path)
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
        assert 2 == self.wire.posts.count(path)

    @contextmanager
    def without_our_script(self):
        """Find no script of ours, as if its request had failed. A page that has it keeps it."""
        self.wire.script_is_lost = True
        try:
            yield
        finally:
            self.wire.script_is_lost = False

    @contextmanager
    def without_scripts(self):
        """Run no script of any page."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def complaints_of(driver):
    """Return what the browser complained of since the last call, except answers with an error's status."""
    entries = (entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE")
    return [entry for entry in entries if "Failed to load resource" not in entry]


class Person(Browser):
    """A user of a site that has our pages under ``/mfa``.

    Args:
        driver, serve: as for :class:`Browser`.
        build: makes the site of a factor.
        factor: the factor.
    """

    def __init__(self, driver, serve, build, factor):
        self.factor, self._build = factor, build
        super().__init__(driver, serve, build(factor))
        self.go("/login")

    @property
    def outbox(self):
        return self.factor.outbox

    @property
    def code(self):
        return self.outbox.code

    @property
    def wrong_code(self):
        return wrong(self.outbox.code)

    def restart_server(self):
        """Put a new application in the place of the old one. It shares the store and the secrets, and no memory."""
        factor = Factor(self.factor.config, store=self.factor.store, clock=self.factor.clock)
        factor.outbox, factor.settings = self.factor.outbox, self.factor.settings
        self.wire.application = self._build(factor)

    # --- the ways through the pages

    def give_password(self):
        self.see("Log in to Acme")
        self.press("Log in")

    def ask_to_enrol(self, number=NUMBER):
        """Give the password and a number, and press the button."""
        self.give_password()
        self.see("Set up your phone number")
        self.fill(number=number)
        self.press("Send a code")

    def give_number(self, number=NUMBER):
        """Give the password and a number, and wait for the page that asks for the code."""
        self.ask_to_enrol(number)
        self.see("Confirm your phone number")

    def type_code(self, code=None):
        """Type a code. The page sends it at once if it is complete."""
        self.fill(code=code or self.code)

    def send_code(self, code=None):
        """Paste a code and wait until the page has gone, or has come again."""
        before = self.find("html")
        self.paste(code or self.code)
        self.wait(lambda: self._gone(before), "another page")

    def _gone(self, element):
        from selenium.common.exceptions import StaleElementReferenceException

        try:
            return element.tag_name is None
        except StaleElementReferenceException:
            return True

    def enrol(self, number=NUMBER):
        """Enrol a number without the browser, and return a recovery code."""
        return self.factor.enrol(USER, number).recovery_codes[:1]

    def ask_for_code(self):
        """Give the password, and wait for the page that asks for the code."""
        self.give_password()
        self.see("Enter your code")

    def log_in(self):
        """Pass both steps."""
        self.ask_for_code()
        self.type_code()
        self.see("Hello alice")

    def use_in_another_browser(self):
        """Use the last code without this browser."""
        (challenge,) = self.factor.verifier.status(USER).challenges
        self.factor.verifier.verify(USER, challenge.id, self.code)

    def log_out(self):
        self.see("Hello alice")
        self.press("Log out")
        self.see("Log in to Acme")

    def recovery_code(self):
        """Return the recovery code that the page shows."""
        return RECOVERY_CODE.search(self.see("Save your recovery code"))[0]

    def use_recovery_code(self, code):
        """Type a recovery code into its page, and press the button."""
        self.follow("I have lost my phone")
        self.see("Enter a recovery code that you saved")
        self.type_code(code)
        self.press("Continue")
