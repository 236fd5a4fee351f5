"""Our pages in a real browser, in each framework: the ways through them, and what people do on the way."""

from datetime import timedelta

import pytest
from browser.person import complaints_of, once
from support import NUMBER, OTHER_NUMBER

from smsmfa import Limit, Limits
from smsmfa.stores.sqlite import SqliteStore

pytestmark = pytest.mark.browser

DAY = timedelta(days=1)


def test_enrolment(person):
    """Somebody sets up a number, sees the recovery code and is in."""
    person.give_number()
    assert "••••71" in person.text
    person.send_code()
    person.recovery_code()
    person.follow("I have saved it")

    person.see("Hello alice")
    assert 1 == person.outbox.calls


def test_login(person):
    """A full code is sent without a press of the button, and the user is in."""
    person.enrol()
    person.log_in()

    assert "You are user 1." in person.text
    assert ["/login", "/mfa/code"] == person.wire.posts


def test_code_with_spaces(person):
    """A code that is pasted with a space and a hyphen is right."""
    person.enrol()
    person.ask_for_code()
    person.send_code(f"{person.code[:3]} -{person.code[3:]} ")

    person.see("Hello alice")


def test_button(person):
    """Somebody without our script presses the button."""
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        person.type_code()
        person.press("Continue")
        person.see("Hello alice")


@once
@pytest.mark.parametrize(
    "number, country, problem, field",
    [
        ("", "United Kingdom (+44)", "Enter a phone number, for example 07400 123456.", "number"),
        ("74", "United Kingdom (+44)", "This phone number is too short or too long.", "number"),
        ("4155552671", "Choose a country", "Choose the country of your phone number.", "region"),
        ("+390123456789", "United Kingdom (+44)", "We cannot send codes to phone numbers of this country.", "region"),
    ],
    ids=["none", "short", "no country", "other country"],
)
def test_wrong_number(visit, number, country, problem, field):
    """The problem with a number is said beside its field, which has the focus, and what was typed is kept."""
    person = visit(regions={"US", "GB"})
    person.give_password()
    person.see("Set up your phone number")
    person.choose(country)
    person.fill(number=number)
    person.press("Send a code")
    person.see(problem)

    assert person.driver.title.startswith("Problem: Set up your phone number")
    assert person.has_focus(field)
    assert "problem" in person.find(f"#{field}").get_attribute("aria-describedby").split()
    assert number == person.find("#number").get_attribute("value")
    assert person.has(".smsmfa-wrong #" + field)
    assert 0 == person.outbox.calls


def test_wrong_code(person):
    """A wrong code is told from a malformed one, the tries are counted, and the right one still works."""
    person.enrol()
    person.ask_for_code()
    person.send_code(person.wrong_code)
    person.see("This is not the code that we sent.")
    assert "You have 4 tries left." in person.text
    assert person.has_focus("code")
    assert "problem tries" == person.find("#code").get_attribute("aria-describedby")

    person.type_code()
    person.see("Hello alice")


@once
@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef"])
def test_malformed_code(person, typed):
    """What can be no code is sent only by the button, costs no try, and the focus is on the field."""
    person.enrol()
    person.ask_for_code()
    person.paste(typed)
    person.press("Continue")

    assert "left" not in person.see("Enter the 6 digits of the code")
    assert person.has_focus("code")


def test_expired_code(person):
    """Somebody whose code has expired is told so, and gets a new one."""
    person.enrol()
    person.ask_for_code()
    person.factor.clock.move(person.factor.config.lifetime)
    person.send_code()
    person.see("This code has expired. Ask for a new one.")
    person.press("Send a code")
    person.see("We sent a text message")

    assert 3 == person.outbox.calls
    person.type_code()
    person.see("Hello alice")


def test_dead_code(visit):
    """After too many wrong codes the right one is dead, and a new one can be sent."""
    person = visit(attempts=1)
    person.enrol()
    person.ask_for_code()
    person.send_code(person.wrong_code)
    person.see("This code can no longer be used. Ask for a new one.")
    person.press("Send a code")

    person.see("We sent a text message")
    person.type_code()
    person.see("Hello alice")


def test_resend(person):
    """The code can be sent again once the time is over. Until then the button waits."""
    person.enrol()
    person.ask_for_code()
    assert not person.button("Send the code again").is_enabled()
    person.factor.clock.move(person.factor.config.resend_gap)
    person.driver.refresh()
    person.press("Send the code again")
    person.wait(lambda: 3 == person.outbox.calls, "a message")

    person.see("You can ask for another code in 30 seconds.")
    person.type_code()
    person.see("Hello alice")


def test_resend_too_early(person):
    """Without our script, a press that comes too early sends nothing and says when it can be repeated."""
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        person.press("Send the code again")
        person.see("We have just sent you a code. You can ask for another one in 30 seconds.")
        assert 2 == person.outbox.calls
        person.type_code()
        person.press("Continue")
        person.see("Hello alice")


def test_too_many_messages(visit):
    """Who has asked for too many codes is told until when, in words, and can use a recovery code."""
    person = visit(limits=Limits(user=Limit(1, DAY)))
    (recovery_code,) = person.enrol()
    person.give_password()

    person.see("You have asked for too many codes. You can ask for another one in about 24 hours.")
    assert 1 == person.outbox.calls
    person.follow("Use a recovery code")
    person.type_code(recovery_code)
    person.press("Continue")
    person.recovery_code()


def test_too_many_wrong_codes(visit):
    """Who has entered too many wrong codes is told until when, in words."""
    person = visit(limits=Limits(guesses=Limit(1, DAY)))
    person.enrol()
    person.ask_for_code()
    person.send_code(person.wrong_code)
    person.see("This code can no longer be used.")
    person.go("/mfa/code")
    person.see("You can enter a code again later.")
    person.go("/login")
    person.give_password()

    person.see("There were too many wrong codes. You can enter a code again in about 24 hours.")


def test_locked_number(visit):
    """A number that is locked is locked on every page, and the recovery code is the way in."""
    person = visit(limits=Limits(consecutive=1))
    (recovery_code,) = person.enrol()
    person.ask_for_code()
    person.send_code(person.wrong_code)
    person.see("Your phone number is locked")
    person.go("/login")
    person.give_password()
    person.see("Your phone number is locked")
    assert 2 == person.outbox.calls

    person.follow("Use a recovery code")
    person.type_code(recovery_code)
    person.press("Continue")
    person.recovery_code()
    person.follow("Set up a new phone number")
    person.fill(number=OTHER_NUMBER)
    person.press("Send a code")
    person.see("Confirm your phone number")


def test_recovery(person):
    """A wrong recovery code is told, and the right one lets in and shows a new one, which works."""
    (code,) = person.enrol()
    person.ask_for_code()
    person.use_recovery_code("AAAA-AAAA-AAAA-AAAA-AAAA-AAAA")
    person.see("This is not one of your recovery codes.")
    assert person.has_focus("code")
    person.type_code(code.lower())
    person.press("Continue")
    replacement = person.recovery_code()
    person.follow("I have saved it")
    person.log_out()

    assert replacement != code
    person.ask_for_code()
    person.use_recovery_code(replacement)
    person.recovery_code()


def test_change_of_number(person):
    """A number is changed after the login, and the next code goes to the new one."""
    person.enrol()
    person.log_in()
    person.follow("Security")
    person.follow("Change")
    person.fill(number=OTHER_NUMBER)
    person.press("Send a code")
    person.see("Confirm your phone number")
    person.type_code()
    person.see("Codes by text message")

    assert "••••72" in person.text
    assert "••••71" not in person.text


def test_abandoned_change_of_number(person):
    """Who abandons a change of the number keeps the old one, to which the next code goes."""
    person.enrol()
    person.log_in()
    person.follow("Security")
    person.follow("Change")
    person.fill(number=OTHER_NUMBER)
    person.press("Send a code")
    person.see("Confirm your phone number")
    person.go("/mfa/account")
    assert "••••71" in person.see("Codes by text message")
    person.go("/account")
    person.log_out()

    person.ask_for_code()
    assert NUMBER == person.outbox.last.to.e164
    person.type_code()
    person.see("Hello alice")


def test_other_number_while_enrolling(person):
    """Who has mistyped the number enters another one."""
    person.give_number(OTHER_NUMBER)
    person.follow("Use another phone number")
    person.fill(number=NUMBER)
    person.press("Send a code")
    person.see("••••71")
    person.send_code()

    person.recovery_code()


def test_removal(person):
    """The last number is removed after a question, and the next login sets one up."""
    person.enrol()
    person.log_in()
    person.follow("Security")
    person.follow("Remove")
    person.see("Remove ••••71?")
    person.press("Remove")
    person.see("You have not set up a phone number.")
    person.go("/account")
    person.log_out()

    person.give_password()
    person.see("Set up your phone number")


def test_step_up(person):
    """Who has not entered a code for a while enters one, and comes back to the page of the form."""
    person.enrol()
    person.log_in()
    person.factor.clock.move(minutes=11)
    person.press("Delete everything")
    person.see("Confirm that it is you")
    calls = person.outbox.calls
    person.press("Send a code")
    person.see("We sent a text message")
    person.type_code()
    person.see("Hello alice")
    person.press("Delete everything")

    person.see("Everything is deleted")
    assert calls + 1 == person.outbox.calls


def test_restart_in_the_middle(visit, tmp_path):
    """A new server over the same store takes the code that the old one sent, and shows the same recovery code again."""
    person = visit(SqliteStore(tmp_path / "factor.sqlite"))
    person.give_number()
    person.restart_server()
    person.send_code()
    code = person.recovery_code()
    person.restart_server()
    assert code == person.reload("/mfa/enrol/code").recovery_code()
    person.follow("I have saved it")
    person.log_out()
    person.ask_for_code()
    person.restart_server()
    person.type_code()

    person.see("Hello alice")


def test_half_a_login_ends(person):
    """Ten minutes after the password, it must be given again."""
    person.enrol()
    person.ask_for_code()
    person.factor.clock.move(minutes=10)
    person.send_code()

    person.see("Log in to Acme")


@once
def test_keyboard(person):
    """The keyboard is enough: the field has the focus, Enter sends the form, and Tab reaches every other thing."""
    from selenium.webdriver import ActionChains, Keys

    person.give_password()
    person.see("Set up your phone number")
    assert person.has_focus("number")
    person.keys(NUMBER, Keys.ENTER)
    person.see("Confirm your phone number")
    assert person.has_focus("code")
    person.keys(Keys.TAB)
    assert person.has_focus("Continue")
    person.keys(Keys.TAB)
    assert person.has_focus("Use another phone number")
    back = ActionChains(person.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB, Keys.TAB).key_up(Keys.SHIFT)
    back.perform()
    assert person.has_focus("code")
    person.keys(person.code)
    person.recovery_code()
    reached = []
    while "I have saved it" not in reached:
        person.keys(Keys.TAB)
        reached.append(person.focused)
    assert ["Download", "Copy", "Print", "I have saved it"] == reached
    person.keys(Keys.ENTER)

    person.see("Hello alice")


def test_without_scripts(person):
    """Every step works in a browser that runs no scripts."""
    with person.without_scripts():
        person.give_number()
        person.type_code()
        person.press("Continue")
        code = person.recovery_code()
        person.follow("I have saved it")
        person.log_out()
        person.ask_for_code()
        person.use_recovery_code(code)
        code = person.recovery_code()
        person.follow("I have saved it")
        person.follow("Security")
        person.press("Get new recovery codes")
        assert code != person.recovery_code()


def test_inline_script(person):
    """The pages' policy stops a script that somebody smuggled in, and the browser tells us."""
    person.enrol()
    person.ask_for_code()
    person.driver.execute_script(
        "const script = document.createElement('script'); script.textContent = 'document.title = 1';"
        "document.body.append(script)"
    )

    (complaint,) = complaints_of(person.driver)
    assert "Content Security Policy" in complaint
