"""Our pages in a real browser, in each framework: people press twice, go back, reload, open tabs and lose answers."""

import pytest
from browser.person import FRAMEWORKS, once
from browser.sites import USER
from browser.states import Failing
from support import NUMBER, OTHER_NUMBER

pytestmark = pytest.mark.browser

both = pytest.mark.parametrize("before", [True, False], ids=["at once", "one by one"])
#: The first tab waits for the second, because the driver waits for the page of a tab that was clicked.
TWO_TABS = (
    "const button = arguments[0]; (window.channel = new BroadcastChannel('go')).onmessage = () => button.click();",
    "new BroadcastChannel('go').postMessage(''); arguments[0].click();",
)
#: Load our script into a page that did not get it.
OUR_SCRIPT = """
const script = document.createElement('script');
script.src = document.querySelector('script').src;
script.onload = arguments[0];
document.head.append(script);
"""
#: Fetch an address as a browser does that guesses where somebody will go.
PREFETCH = """
const link = document.createElement('link');
const done = arguments[1];
link.rel = 'prefetch';
link.href = arguments[0];
link.onload = () => done('loaded');
link.onerror = () => done('failed');
document.head.append(link);
"""


def ready(person, page):
    """Bring a person to the button of a page. Return the button, the path of its form, and what comes next."""
    if page == "number":
        person.give_password()
        person.see("Set up your phone number")
        person.fill(number=NUMBER)
        return "Send a code", "/mfa/enrol", "Confirm your phone number"
    if page == "enrolment":
        person.give_number()
        person.type_code()
        return "Continue", "/mfa/enrol/code", "Save your recovery code"
    (code,) = person.enrol()
    if page == "login":
        return "Log in", "/login", "Enter your code"
    person.ask_for_code()
    if page == "code":
        person.type_code()
        return "Continue", "/mfa/code", "Hello alice"
    if page == "recovery":
        person.follow("I have lost my phone")
        person.see("Enter a recovery code that you saved")
        person.type_code(code)
        return "Continue", "/mfa/recovery", "Save your recovery code"
    person.type_code()
    person.press("Continue")
    person.follow("Security")
    person.see("Codes by text message")
    if page == "removal":
        person.follow("Remove")
        person.see("Remove ••••71?")
        return "Remove", "/mfa/account/remove", "You have not set up a phone number."
    return "Get new recovery codes", "/mfa/account/recovery-codes", "Save your recovery code"


PAGES = ("login", "number", "enrolment", "code", "recovery", "recovery codes", "removal")


def check(person, page):
    """Check what a repeated form has led to: the recovery code works, and no message was sent twice."""
    messages = {"number": 1, "enrolment": 1}.get(page, 2)
    assert messages == len(person.outbox.messages) - sum(one.kind == "notice" for one in person.outbox.messages)
    if page in {"enrolment", "recovery", "recovery codes"}:
        code = person.recovery_code()
        person.follow("I have saved it")
        person.go("/account")
        person.log_out()
        person.ask_for_code()
        person.use_recovery_code(code)
        assert code != person.recovery_code()


@once
@pytest.mark.parametrize("page", PAGES[1:])
def test_impatience(person, page):
    """Whoever presses twice, while the answer takes its time, sends one form, and comes to the next page."""
    with person.without_our_script():
        button, path, then = ready(person, page)
    person.driver.execute_async_script(OUR_SCRIPT)
    person.press_impatiently(button, path)

    person.see(then)
    assert 1 == person.wire.posts.count(path)


@pytest.mark.parametrize("page", PAGES[1:])
def test_two_clicks(person, page):
    """Two clicks, without our script that stops the second, have the effect of one, if both come at once."""
    click_twice(person, page, before=True)


@once
@pytest.mark.parametrize("page", PAGES[1:])
def test_two_clicks_one_by_one(person, page):
    """Two clicks have the effect of one, if the first is answered before the second comes."""
    click_twice(person, page, before=False)


def click_twice(person, page, *, before):
    with person.without_our_script():
        button, path, then = ready(person, page)
        person.press_twice(button, path, before=before)
        person.see(then)
        assert 2 == person.wire.posts.count(path)
        assert not person.has("#problem")
    check(person, page)


@pytest.mark.parametrize("page", PAGES)
def test_lost_answer(person, page):
    """If an answer is lost, the browser or the person sends the form again, which has the effect of one."""
    with person.without_our_script():
        button, path, then = ready(person, page)
        person.wire.lose(path)
        person.press(button)
        person.see_in_the_end(then, path)
    if page != "login":
        check(person, page)


@pytest.mark.parametrize("page", PAGES)
def test_reload(person, page):
    """A reload of what answers a form shows it again, and has no other effect."""
    with person.without_our_script():
        button, path, then = ready(person, page)
        person.press(button)
        shown = person.see(then)
        person.driver.refresh()

        assert shown == person.see(then)
        assert ("recovery" in path or "enrol/code" in path) == (2 == person.wire.posts.count(path))
    check(person, page)


def test_reload_of_wrong_code(person):
    """A reload of a refusal counts no second wrong code."""
    person.enrol()
    person.ask_for_code()
    person.send_code(person.wrong_code)
    person.see("You have 4 tries left.")
    person.reload("/mfa/code")

    person.see("You have 4 tries left.")
    person.type_code()
    person.see("Hello alice")


def test_two_clicks_on_a_wrong_code(person):
    """Two clicks send a wrong code twice, which counts once."""
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        person.type_code(person.wrong_code)
        person.press_twice("Continue", "/mfa/code", before=False)

        person.see("You have 4 tries left.")
        assert 2 == person.wire.posts.count("/mfa/code")


@both
def test_two_clicks_on_resend(person, before):
    """Two clicks send one more code."""
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        person.factor.clock.move(person.factor.config.resend_gap)
        person.press_twice("Send the code again", "/mfa/code/resend", before=before)

        person.see("You can ask for another code in 30 seconds.")
        assert 2 == person.wire.posts.count("/mfa/code/resend")
        assert 3 == person.outbox.calls
        person.type_code()
        person.press("Continue")
        person.see("Hello alice")


def test_back_after_login(person):
    """Back after the login leads to no form of a code, and sends nothing."""
    person.enrol()
    person.log_in()
    person.driver.back()

    person.see("Hello alice")
    assert 2 == person.outbox.calls


def test_back_after_enrolment(person):
    """Back after an enrolment asks for no code, and sends nothing."""
    person.give_number()
    person.send_code()
    person.recovery_code()
    person.driver.back()

    assert "Enter your code" not in person.see("Hello alice", "Codes by text message", "Log in")
    assert 1 == person.outbox.calls


def test_back_after_logout(person):
    """Back after the logout shows no page of the user."""
    person.enrol()
    person.log_in()
    person.follow("Security")
    person.see("Codes by text message")
    person.go("/account")
    person.log_out()
    person.driver.back()  # to the application's page
    person.driver.back()

    assert "••••71" not in person.see("Log in to Acme")


def test_second_tab(person):
    """Two tabs ask for one code. The second to send it finds the user logged in."""
    person.enrol()
    person.ask_for_code()
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.go("/mfa/code")
    person.see("Enter your code")
    assert 2 == person.outbox.calls
    for tab in (person.driver.current_window_handle, first):
        person.driver.switch_to.window(tab)
        person.type_code()
        person.see("Hello alice")

    assert ["/mfa/code", "/mfa/code"] == person.wire.posts[-2:]


def test_two_tabs_at_once(person):
    """If two tabs send one code at once, one is told that the code was used just now, and its link leads in."""
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        tabs = [person.driver.current_window_handle]
        person.driver.switch_to.new_window("tab")
        tabs.append(person.driver.current_window_handle)
        person.go("/mfa/code")
        person.wire.hold("/mfa/code", before=True)
        for tab, script in zip(tabs, TWO_TABS, strict=True):
            person.driver.switch_to.window(tab)
            person.type_code()
            person.driver.execute_script(script, person.button("Continue"))
        texts = {}
        for tab in tabs:
            person.driver.switch_to.window(tab)
            texts[person.see("Hello alice", "You may be in already.")] = tab

    assert 2 == len(texts)
    (told,) = (text for text in texts if "already" in text)
    person.driver.switch_to.window(texts[told])
    person.follow("Continue")
    person.see("Hello alice")


@pytest.mark.parametrize("visit", FRAMEWORKS[:2], indirect=True)  # Django's login() outdates all forms of Django
def test_password_in_two_tabs(person):
    """Whoever gives the password in a second tab can enter the last code in the first."""
    person.enrol()
    person.ask_for_code()
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.go("/login")
    person.ask_for_code()
    person.driver.switch_to.window(first)
    person.type_code()

    person.see("Hello alice")


GETS = {
    "a stranger": ("/mfa/enrol", "/mfa/code", "/mfa/account"),
    "enrolling": ("/mfa/enrol", "/mfa/enrol/code", "/mfa/enrol/code/resend"),
    "halfway": ("/mfa/code", "/mfa/code/resend", "/mfa/recovery", "/mfa/enrol", "/mfa/step-up", "/mfa/account"),
    "in": (
        "/mfa/account", "/mfa/account/remove", "/mfa/account/recovery-codes", "/mfa/account/prefer", "/mfa/enrol",
        "/mfa/step-up?next=/account", "/mfa/step-up/resend", "/mfa/code", "/mfa/recovery",
    ),
}  # fmt: skip
#: What each of them sees who goes on.
THEN = {
    "a stranger": "Log in to Acme",
    "enrolling": "Set up your phone number",
    "halfway": "Enter your code",
    "in": "Hello alice",
}


@pytest.mark.parametrize("who", GETS)
def test_every_get(person, who):
    """Refresh, prefetch and a restored tab send nothing, count nothing and take nothing away, on any page."""
    if who == "enrolling":
        person.give_number()
    elif who != "a stranger":
        person.enrol()
        person.log_in() if who == "in" else person.ask_for_code()
    before = (person.outbox.calls, tuple(person.wire.posts), person.factor.verifier.status(USER))
    for address in GETS[who]:
        person.go(address)
        person.driver.refresh()
    person.driver.switch_to.new_window("tab")
    for address in GETS[who]:
        person.go("/")
        assert person.driver.execute_async_script(PREFETCH, address) in {"loaded", "failed"}
        person.go(address)

    assert before == (person.outbox.calls, tuple(person.wire.posts), person.factor.verifier.status(USER))
    person.go("/account")
    person.see(THEN[who])


def test_store_that_fails(visit):
    """If the store fails, the code stays good, and the same button lets the user in later."""
    person = visit(store := Failing())
    person.enrol()
    person.ask_for_code()
    store.writes_fail = True
    person.send_code()
    person.see("Something went wrong on our side. Try again in a few minutes.")
    store.writes_fail = False
    person.type_code()

    person.see("Hello alice")


def test_change_in_two_tabs(visit):
    """Whoever removes a number in one tab finds it gone in the other."""
    person = visit(max_phones=2)
    person.enrol()
    person.factor.clock.move(minutes=1)
    person.log_in()
    person.follow("Security")
    person.follow("Add a phone number")
    person.fill(number=OTHER_NUMBER)
    person.press("Send a code")
    person.see("Confirm your phone number")
    person.send_code()
    person.see("••••72")
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.go("/mfa/account")
    person.see("••••72")
    person.find("li:last-child a[href*=remove]").click()
    person.see("Remove ••••72?")
    person.press("Remove")
    person.see("Codes by text message")
    person.driver.switch_to.window(first)
    person.find("li:last-child a[href*=remove]").click()
    person.wait(lambda: "••••72" not in person.text and "••••71" in person.text, "the other number")
