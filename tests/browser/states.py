"""Every page and every state of it, and how a person gets there."""

from datetime import timedelta

from browser.sites import USER
from support import OTHER_NUMBER

from smsmfa import Limit, Limits, MemoryStore, StoreError

DAY = timedelta(days=1)
EVERYWHERE = {"US", "GB", "DE", "FR", "MX"}


class Failing(MemoryStore):
    """A store that can be made to fail."""

    reads_fail = writes_fail = False

    def read(self, key):
        if self.reads_fail:
            raise StoreError
        return super().read(key)

    def update(self, keys, change):
        if self.writes_fail:
            raise StoreError
        return super().update(keys, change)


def enrol(visit):
    person = visit(regions=EVERYWHERE)
    person.give_password()
    return person.until("Set up your phone number")


def enrol_wrong_number(visit):
    person = enrol(visit)
    person.choose("Germany (+49)")
    person.fill(number="12")
    person.press("Send a code")
    return person.until("Check it and enter it again.")


def enrol_no_country(visit):
    person = enrol(visit)
    person.choose("Choose a country")
    person.fill(number="4155552671")
    person.press("Send a code")
    return person.until("Choose the country of your phone number.")


def enrol_code(visit):
    person = visit()
    person.give_number()
    return person


def enrol_wrong_code(visit):
    person = enrol_code(visit)
    person.send_code(person.wrong_code)
    return person.until("4 tries left")


def recovery_code(visit):
    person = enrol_code(visit)
    person.send_code()
    return person.until("Save your recovery code")


def recovery_codes(visit):
    person = visit(recovery_codes=10)
    person.give_number()
    person.send_code()
    return person.until("Save your recovery codes")


def code(visit, **settings):
    person = visit(**settings)
    person.enrol()
    person.ask_for_code()
    return person


def wrong_code(visit):
    person = code(visit)
    person.send_code(person.wrong_code)
    return person.until("4 tries left")


def malformed_code(visit):
    person = code(visit)
    person.paste("12345")
    person.press("Continue")
    return person.until("Enter the 6 digits")


def expired_code(visit):
    person = code(visit)
    person.factor.clock.move(person.factor.config.lifetime)
    person.send_code()
    return person.until("This code has expired.")


def used_code(visit):
    person = visit()
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        person.use_in_another_browser()
        person.type_code()
        person.press("Continue")
        return person.until("This code was used just now.")


def early_resend(visit):
    person = visit()
    person.enrol()
    with person.without_our_script():
        person.ask_for_code()
        person.press("Send the code again")
        return person.until("We have just sent you a code.")


def two_numbers(visit):
    person = visit(max_phones=3)
    person.enrol()
    proof = person.factor.log_in(USER)
    person.factor.clock.move(minutes=1)
    person.factor.enrol(USER, OTHER_NUMBER, proof=proof.token)
    return person


def code_of_two_numbers(visit):
    person = two_numbers(visit)
    person.ask_for_code()
    return person


def unsent_code(visit):
    person = visit()
    person.enrol()
    person.outbox.outcomes.append(RuntimeError("no carrier"))
    person.give_password()
    return person.until("Enter your code")


def recovery(visit):
    person = code(visit)
    person.follow("I have lost my phone")
    return person.until("Enter a recovery code that you saved")


def wrong_recovery_code(visit):
    person = recovery(visit)
    person.type_code("AAAA-AAAA-AAAA-AAAA-AAAA-AAAA")
    person.press("Continue")
    return person.until("This is not one of your recovery codes.")


def recovered(visit):
    person = visit()
    (code,) = person.enrol()
    person.ask_for_code()
    person.use_recovery_code(code)
    return person.until("Save your recovery code")


def step_up(visit):
    person = visit()
    person.enrol()
    person.log_in()
    person.factor.clock.move(minutes=11)
    person.press("Delete everything")
    return person.until("Confirm that it is you")


def step_up_code(visit):
    person = step_up(visit)
    person.press("Send a code")
    return person.until("We sent a text message")


def account(visit):
    person = visit()
    person.enrol()
    person.log_in()
    person.go("/mfa/account")
    return person.until("Codes by text message")


def account_of_two_numbers(visit):
    person = two_numbers(visit)
    person.log_in()
    person.go("/mfa/account")
    return person.until("••••72")


def account_without_number(visit):
    person = visit(enabled=False)
    person.see("Log in to Acme")
    person.press("Log in")
    person.see("Hello alice")
    person.go("/mfa/account")
    return person.until("turned off")


def removal(visit):
    person = account(visit)
    person.follow("Remove")
    return person.until("Remove ••••71?")


def wait(visit):
    person = visit(limits=Limits(user=Limit(1, DAY)))
    person.enrol()
    person.give_password()
    return person.until("in about 24 hours")


def locked(visit):
    person = visit(limits=Limits(consecutive=1))
    person.enrol()
    person.ask_for_code()
    person.send_code(person.wrong_code)
    return person.until("Your phone number is locked")


def unavailable(visit):
    person = visit(store := Failing())
    person.enrol()
    store.reads_fail = store.writes_fail = True
    person.press("Log in")
    return person.until("Something went wrong")


def out_of_date(visit):
    person = code(visit)
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.go("/mfa/code")
    person.type_code()
    person.see("Hello alice")
    person.log_out()
    person.factor.clock.move(minutes=1)
    person.ask_for_code()
    person.driver.close()
    person.driver.switch_to.window(first)
    person.send_code()
    return person.until("This page is out of date")


STATES = [
    enrol, enrol_wrong_number, enrol_no_country, enrol_code, enrol_wrong_code, recovery_code, recovery_codes, code,
    wrong_code, malformed_code, expired_code, used_code, early_resend, code_of_two_numbers, unsent_code, recovery,
    wrong_recovery_code, recovered, step_up, step_up_code, account, account_of_two_numbers, account_without_number,
    removal, wait, locked, unavailable, out_of_date,
]  # fmt: skip
