"""What each page shows."""

import re
from datetime import timedelta

import pytest
from support import NUMBER, OTHER_NUMBER, THIRD_NUMBER, a_config, wrong
from web.visitor import TEMPLATES, Site, Visitor, read

from smsmfa import Limits, MemoryStore, SenderMisconfigured, SmsMfaError, StoreError
from smsmfa.limiter import Limit
from smsmfa.testing import FaultyStore
from smsmfa.web import Request
from smsmfa.web.screens import _version, read_file
from smsmfa.web.words import Texts

HOUR = timedelta(hours=1)


def loud(message):
    """Return a text in capitals, without its placeholders' names."""
    return re.sub(r"(%\(\w+\)s)|([^%]+|%)", lambda found: found[1] or found[2].upper(), message)


class Shouting:
    """Translations that show what was translated."""

    def gettext(self, message):
        return loud(message)

    def ngettext(self, singular, plural, n):
        return loud(singular if n == 1 else plural)


@pytest.fixture
def site():
    site = Site()
    site.codes = site.enrol()
    return site


@pytest.fixture
def alice(site):
    """Alice, who is in."""
    return Visitor(site).log_in().enter()


def links(visitor):
    return {text.strip(): href for text, href in visitor.page.links}


class TestEnrol:
    def test_new(self):
        """A new user is asked for the country, with that of the browser chosen, and for the number, with an example."""
        visitor = Visitor(Site(a_config(regions={"US", "DE"})), language="de-DE,de;q=0.9").log_in()
        form = visitor.form("Send a code")

        assert ("DE", "", ["", "DE", "US"]) == (form.fields["region"], form.fields["number"], visitor.page.countries)
        assert "Set up your phone number – Acme" == visitor.page.title
        assert "01512 3456789" in visitor.page.text
        assert {"Cancel": "/login"} == links(visitor)

    def test_no_country(self):
        """Where the browser says nothing, no country is chosen, and an example of any is shown."""
        visitor = Visitor(Site(a_config(regions={"US", "DE"})), language=None).log_in()
        assert ("", True) == (visitor.form().fields["region"], "+1 415 555 2671" in visitor.page.text)
        visitor.submit("Send a code", number="4155552671")

        assert ("Choose the country of your phone number.", "4155552671") == (
            visitor.page.problem, visitor.form().fields["number"]
        )  # fmt: skip

    def test_change(self, alice):
        """Who has a number changes it, and can cancel."""
        alice.get("account").click("Change")

        assert "Change your phone number – Acme" == alice.page.title
        assert "/mfa/account" == links(alice)["Cancel"]

    def test_add_and_replace(self):
        """Where several numbers are allowed, one is added or one is changed."""
        site = Site(a_config(max_phones=2))
        site.enrol()
        visitor = Visitor(site).log_in().enter().get("account")
        replace = visitor.click("Change").form().fields["replace"]
        assert (site.status().phones[0].id, "Change your phone number – Acme") == (replace, visitor.page.title)
        assert "Set up your phone number – Acme" == visitor.get("account").click("Add").page.title

    def test_problem(self):
        """The title of a page with a problem says so first."""
        visitor = Visitor(Site()).log_in().submit("Send a code", number="1")

        assert visitor.page.title.startswith("Problem: ")


class TestCode:
    def test_code(self, site):
        """The page says where the code went, takes it, and offers another one and a recovery code."""
        visitor = Visitor(site).log_in()
        [code, resend] = visitor.page.forms

        assert "Enter your code – Acme" == visitor.page.title
        assert "We sent a text message with a code to ••••71." in visitor.page.text
        assert ("/mfa/code", "/mfa/code/resend") == (code.action, resend.action)
        assert "You can ask for another code in 30 seconds." in visitor.page.text
        assert ["/mfa/recovery", "/login"] == [href for _, href in visitor.page.links]
        assert "tries left" not in visitor.page.text

    def test_tries(self, site):
        """After a wrong code the page says how many tries are left."""
        visitor = Visitor(site).log_in().enter(wrong(site.outbox.code))
        assert "You have 4 tries left." in visitor.page.text

        assert "You have 4 tries left." in visitor.get("code").page.text

    def test_no_code(self, site):
        """Without a live code the page has only the button, with the number that it is for."""
        visitor = Visitor(site).log_in()
        site.clock.move(minutes=6)
        visitor.get("code")

        assert "No code is on its way. We can send one to ••••71." in visitor.page.text
        assert [["Send a code"]] == [[text for text, *_ in form.buttons] for form in visitor.page.forms]

    def test_new_number(self):
        """The page for a new number offers another number, and no recovery code."""
        visitor = Visitor(Site()).log_in().submit("Send a code", number=NUMBER)

        assert "Confirm your phone number – Acme" == visitor.page.title
        assert {"Use another phone number": "/mfa/enrol", "Cancel": "/login"} == links(visitor)

    def test_new_number_gone(self, site):
        """If a new number was taken meanwhile, no code is on its way, and another number can be given."""
        site = Site(a_config(max_users_per_number=1))
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        site.enrol("bob")
        visitor.enter()

        assert "No code is on its way." in visitor.page.text.splitlines()
        assert visitor.has("Use another phone number")

    def test_step_up(self, site, alice):
        """A step-up can be cancelled, and a recovery code for it leads back to the same place."""
        site.clock.move(minutes=11)
        alice.get("step-up?next=/danger")

        assert "Confirm that it is you – Acme" == alice.page.title
        assert {"Cancel": "/", "I have lost my phone: use a recovery code": "/mfa/recovery?next=/danger"} == links(
            alice
        )

    def test_others(self):
        """The user's other numbers that are not locked are offered, and the channels that the sender has."""
        site = Site(a_config(max_phones=3, limits=Limits(consecutive=1)), channels=["sms", "voice", "whatsapp"])
        site.enrol("alice", NUMBER, OTHER_NUMBER, THIRD_NUMBER)
        visitor = Visitor(site).log_in()
        buttons = [text for text, *_ in visitor.page.forms[1].buttons]
        assert [
            "Send the code again", "Call me instead", "Send it by WhatsApp", "Send a code to ••••72",
            "Send a code to ••••73",
        ] == buttons  # fmt: skip
        visitor.enter(wrong(site.outbox.code))
        buttons = [text for text, *_ in visitor.page.forms[0].buttons]

        assert ["Send a code", "Call me instead", "Send it by WhatsApp", "Send a code to ••••73"] == buttons

    def test_unknown(self):
        """If the store fails after the code was accepted, the same form is there again, with its nonce."""
        site = Site(store=FaultyStore(MemoryStore()))
        site.enrol()
        visitor = Visitor(site).log_in()
        form = visitor.form("Continue")
        site.store.fail("after")
        visitor.enter(form=form)
        again = visitor.form("Continue")

        assert (503, form.fields) == (visitor.status, again.fields)
        assert "No code is on its way" not in visitor.page.text

    def test_nonce(self, site):
        """Any other problem draws a new nonce."""
        visitor = Visitor(site).log_in()
        nonce = visitor.form().fields["nonce"]

        assert nonce != visitor.enter("1").form().fields["nonce"]

    def test_used(self, site):
        """A code that was used elsewhere offers to go on."""
        first, second = Visitor(site).log_in(), Visitor(site).log_in(to="/account")
        form = {**second.form("Continue").filled(code=site.outbox.code)}
        first.enter()
        second.post("code", form)

        assert "This code was used just now. You may be in already." == second.page.problem
        assert "/account" == links(second)["Continue"]


class TestStop:
    def test_wait(self):
        """Who must wait is told until when, and may use a recovery code or look again."""
        site = Site(a_config(limits=Limits(user=Limit(1, HOUR))))
        site.enrol()
        Visitor(site).log_in()
        site.clock.move(minutes=10)
        visitor = Visitor(site).log_in()

        assert "Problem: Please wait – Acme" == visitor.page.title
        assert {"Use a recovery code": "/mfa/recovery", "Try again": "/mfa/code"} == links(visitor)

    def test_wait_for_a_new_number(self):
        """Who must wait with a new number is offered no recovery code."""
        site = Site(a_config(limits=Limits(guesses=Limit(1, HOUR))))
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        form = visitor.form("Continue")
        for nonce in "ab":
            visitor.enter(wrong(site.outbox.code), form=form, nonce=nonce)

        assert {"Try again": "/mfa/enrol/code"} == links(visitor)

    def test_guesses(self):
        """While the guesses are used up the page says so, though nobody asked for anything."""
        site = Site(a_config(limits=Limits(guesses=Limit(1, HOUR))))
        site.enrol()
        visitor = Visitor(site).log_in().enter(wrong(site.outbox.code)).get("code")

        assert ("Problem: Please wait – Acme", 429) == (visitor.page.title, visitor.status)

    @pytest.mark.parametrize("recovery_codes", [0, 1])
    def test_locked(self, recovery_codes):
        """Whose numbers are all locked is offered a recovery code, if there is one."""
        site = Site(a_config(limits=Limits(consecutive=1), recovery_codes=recovery_codes))
        site.enrol()
        visitor = Visitor(site).log_in().enter(wrong(site.outbox.code))

        assert ("Problem: Your phone number is locked – Acme", 423) == (visitor.page.title, visitor.status)
        assert ({"Use a recovery code": "/mfa/recovery"} if recovery_codes else {}) == links(visitor)


class TestRecovery:
    def test_recovery(self, site, alice):
        """The page leads back to the code, or to the step-up for whoever is in."""
        assert "/mfa/code" == links(Visitor(site).log_in().get("recovery"))["Use a code by text message instead"]

        assert "/mfa/step-up" == links(alice.get("recovery"))["Use a code by text message instead"]

    def test_codes(self, site):
        """The codes can be downloaded without a script, and after a recovery a new number can be set up."""
        visitor = Visitor(site).log_in().get("recovery").submit("Continue", code=site.codes[0])
        [code] = visitor.page.codes

        assert {
            "Download": f"data:text/plain;charset=utf-8,{code}", "I have saved it": "/",
            "Set up a new phone number": "/mfa/enrol",
        } == links(visitor)  # fmt: skip

    def test_several(self):
        """Several codes are downloaded one a line."""
        visitor = Visitor(Site(a_config(recovery_codes=3))).log_in().submit("Send a code", number=NUMBER).enter()

        assert "Save your recovery codes – Acme" == visitor.page.title
        assert links(visitor)["Download"].endswith("," + "%0A".join(visitor.page.codes))


class TestAccount:
    def test_notes(self):
        """Each number says whether it is first or locked, and offers what can be done with it."""
        site = Site(a_config(max_phones=3, limits=Limits(consecutive=1)))
        site.enrol("alice", NUMBER, OTHER_NUMBER, THIRD_NUMBER)
        visitor = Visitor(site).log_in()
        visitor.submit("Send a code to ••••72").enter(wrong(site.outbox.code)).submit("Send a code").enter()
        phones = visitor.ask("/mfa/account").context["phones"]

        assert ["Codes go here first", "Locked after too many wrong codes", ""] == [one["note"] for one in phones]
        assert [False, False, True] == [one["can_prefer"] for one in phones]
        assert ["2023-11-14"] * 3 == [one["since"] for one in phones]

    @pytest.mark.parametrize("count, text", [(1, "You have 1 recovery code."), (2, "You have 2 recovery codes.")])
    def test_recovery_codes(self, count, text):
        """The page says how many recovery codes are left."""
        site = Site(a_config(recovery_codes=count))
        site.enrol()

        assert text in Visitor(site).log_in().enter().get("account").page.text

    def test_one_number(self, alice):
        """Where one number is allowed, none can be added."""
        assert not alice.get("account").has("Add")

    def test_remove(self, alice):
        """The question about the last number says what goes with it."""
        alice.get("account").click("Remove")

        assert "Remove ••••71? – Acme" == alice.page.title
        assert "Your recovery codes go with your last number." in alice.page.text

    def test_turned_off(self, site):
        """While the factor is turned off, the page says so."""
        site.configure(a_config(enabled=False))

        assert "turned off" in Visitor(site).log_in().get("account").page.text


def test_forged(site, alice):
    """A form that is out of date leads to the account or to the code."""
    assert "/mfa/account" == alice.ask("/mfa/account", "POST", {}).context["go_on"]

    assert "/mfa/code" == Visitor(site).log_in().ask("/mfa/code", "POST", {}).context["go_on"]


def test_stranger(site):
    """A failure is told to a stranger too, with nothing of anybody."""
    page = site.plain._failed(Request(method="POST", session={}, url="/login"), SmsMfaError("inner words"))

    assert ("", 500) == (page.context["token"], page.status)
    assert "Something went wrong on our side." in read(page).problem


def test_translated(site):
    """Every text of every page goes through the translations: no lower-case word is left but in names and codes."""
    site.arguments["translate"] = lambda language: Texts("ar", Shouting())
    site.configure(a_config(app_name="ACME", recovery_codes=2))
    pages, visitor = [], Visitor(site)

    def see():
        pages.append(visitor.page)
        return visitor

    visitor.log_in()
    see().enter("1")
    see().enter(wrong(site.outbox.code))
    see().get("recovery")
    see().enter("x")
    see().get("code").enter().get("account")
    see().click("REMOVE")
    see().get("account").submit("GET NEW RECOVERY CODES")
    see().get("account").click("CHANGE")
    see().submit("SEND A CODE", number="x")
    see().post("account", {})
    see()
    site.clock.move(minutes=11)
    visitor.get("step-up")
    see()

    assert {"rtl"} == {page.html.split('dir="')[1].split('"')[0] for page in pages}
    words = {word for page in pages for word in page.text.split() if word.isalpha() and word.isascii()}
    assert [] == [word for word in words if not word.isupper()]
    assert 12 == len(pages)


@pytest.mark.parametrize("name", ["smsmfa.css", "smsmfa.js"])
def test_files(name):
    """Style sheet and script come with the package, and load nothing from elsewhere."""
    content = read_file(name).decode()

    assert len(content) > 1000
    assert "http:" not in content
    assert "https:" not in content
    assert "@import" not in content


def test_all_templates():
    """Every page of the package is one that these tests know."""
    names = {"account", "base", "code", "enrol", "expired", "locked", "recovery", "recovery-codes", "remove"}

    assert {f"smsmfa/{name}.html" for name in names | {"_hidden", "_problem", "unavailable", "wait"}} == set(
        TEMPLATES.list_templates(extensions=["html"])
    )


class TestLog:
    """What operators learn of errors that a page only hints at."""

    def test_store(self, caplog, site):
        """A failing store is logged with its traceback, each time it fails."""
        visitor = Visitor(site).log_in()
        site.store.read = failing(StoreError("PostgreSQL: OperationalError"))
        visitor.get("code")

        assert ["StoreError: PostgreSQL: OperationalError"] == caplog.messages
        assert caplog.records[0].exc_info

    def test_carrier(self, caplog, site):
        """A carrier that does not send is logged in plain words, and not again when the page is only shown."""
        site.outbox.outcomes = [SenderMisconfigured("no credentials"), SenderMisconfigured("wrong credentials")]
        Visitor(site).log_in().submit("Send").get("code")

        assert ["SenderMisconfigured: no credentials", "SenderMisconfigured: wrong credentials"] == caplog.messages
        assert [None, None] == [record.exc_info for record in caplog.records]


def failing(error):
    def fail(*arguments):
        raise error

    return fail


def test_address_of_files():
    """The style sheet is read once, and its address names its content."""
    read_file.cache_clear()
    _version.cache_clear()
    visitor = Visitor(Site()).log_in()

    assert f"/mfa/static/smsmfa.css?v={_version('smsmfa.css')}" in visitor.page.html
    assert read_file("smsmfa.css") is read_file("smsmfa.css")
