"""Getting in, as a person does it, through the pages of both twins."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import NUMBER, OTHER_NUMBER, THIRD_NUMBER, Outbox, a_config, wrong
from web.visitor import Site, Visitor

from smsmfa import AsyncMemoryStore, Limits, MemoryStore
from smsmfa.exceptions import (
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    SenderMisconfigured,
)
from smsmfa.limiter import Limit
from smsmfa.testing import AsyncRecordingSender, FaultyStore
from smsmfa.web import AsyncSecondStep, Problem, Redirect, Request
from smsmfa.web.step import SecondStep

SOME_UUID = UUID("6f1d7c3e-7d4c-4f0b-8d3b-000000000001")
HOUR = timedelta(hours=1)


@pytest.fixture(params=[False, True], ids=["threads", "asyncio"])
def twin(request):
    """Each test is run with both twins."""
    return request.param


@pytest.fixture
def site(twin):
    return Site(twin=twin)


@pytest.fixture
def alice(site):
    """A visitor who is enrolled, and has not given the password."""
    site.codes = site.enrol()
    return Visitor(site)


def in_(visitor, user_id="alice"):
    """Log a visitor in, both steps; more than a gap later."""
    visitor.site.clock.move(minutes=1)
    visitor.log_in(user_id).enter()
    assert user_id == visitor.user_id
    return visitor


class TestEnrol:
    def test_enrol(self, site):
        """A new user gives a number, enters the code, sees the recovery codes and is in."""
        visitor = Visitor(site).log_in(to="/account")
        assert ("/mfa/enrol", 0, None) == (visitor.at, site.outbox.calls, visitor.user_id)
        visitor.submit("Send a code", number="(415) 555-2671")
        assert ("/mfa/enrol/code", 1, None) == (visitor.at, site.outbox.calls, visitor.user_id)
        assert "We sent a text message with a code to ••••71." in visitor.page.text
        visitor.enter()

        assert ("alice", 2, 1) == (visitor.user_id, visitor.ids, len(visitor.page.codes))
        assert ["/account"] == [href for text, href in visitor.page.links if text == "I have saved it"]
        assert visitor.visit("/account") is None
        assert "Save your recovery code – Acme" == visitor.page.title
        assert not visitor.has("Set up a new phone number")

    @pytest.mark.parametrize(
        "number, region, field, problem",
        [
            ("", "US", "number", "Enter a phone number, for example (201) 555-0123."),
            ("hello", "US", "number", "Enter a phone number, for example (201) 555-0123."),
            ("1" * 100_000, "US", "number", "Enter a phone number"),
            ("4155552671", "", "region", "Choose the country of your phone number."),
            ("415", "US", "number", "too short or too long"),
            ("+49 1512 3456789", "US", "region", "We cannot send codes to phone numbers of this country."),
            ("+1 800 555 0199", "US", "number", "cannot receive text messages"),
            ("4155552671", "XX", "region", "We cannot send codes to phone numbers of this country."),
            ("4155552671", "\ud800" * 10, "region", "We cannot send codes to"),
            ("\ud800", "US", "number", "Enter a phone number"),
        ],
    )
    def test_wrong_number(self, site, number, region, field, problem):
        """A number that cannot be used is explained beside its field, with what was typed still there."""
        visitor = Visitor(site).log_in()
        visitor.submit("Send a code", number=number, region=region)

        assert problem in visitor.page.problem
        assert (422, 0) == (visitor.status, site.outbox.calls)
        context = visitor.answers[-1].context
        assert (field, number.replace("\ud800", "?")[:64]) == (context["field"], context["number"])
        visitor.submit("Send a code", number="4155552671", region="US")
        assert "/mfa/enrol/code" == visitor.at

    def test_digits_of_another_script(self, site):
        """Number and code may be typed in digits of another script, with spaces."""
        visitor = Visitor(site).log_in().submit("Send a code", number="٤١٥ ٥٥٥ ٢٦٧١")
        code = " ".join(chr(0x0660 + int(digit)) for digit in site.outbox.code)
        visitor.enter(code)

        assert "alice" == visitor.user_id

    def test_wrong_code(self, site):
        """A wrong code while enrolling is told, the tries go down, and the right one is still good."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        visitor.enter(wrong(site.outbox.code))
        assert (403, None) == (visitor.status, visitor.user_id)
        assert "This is not the code that we sent." in visitor.page.problem
        assert "You have 4 tries left." in visitor.page.text
        visitor.enter()

        assert "alice" == visitor.user_id

    def test_another_number(self, site):
        """Before the code is entered, another number can be given instead, and the first code is dead."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        first, old = site.outbox.code, visitor.form("Continue")
        visitor.click("Use another phone number").submit("Send a code", number=OTHER_NUMBER)
        visitor.enter(first if first != site.outbox.code else wrong(first), form=old)
        assert visitor.user_id is None
        visitor.get("enrol/code").enter()

        assert [OTHER_NUMBER] == [one.e164 for one in site.status().phones]

    def test_resend(self, site):
        """The code can be sent once more after the gap, and a resend that is too early says when."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        visitor.submit("Send the code again")
        assert "You can ask for another one in 30 seconds." in visitor.page.problem
        assert (429, 1, "30") == (visitor.status, site.outbox.calls, visitor.answers[-1].headers["Retry-After"])
        site.clock.move(seconds=30)
        visitor.submit("Send the code again")
        assert ("/mfa/enrol/code", 2) == (visitor.at, site.outbox.calls)
        visitor.enter()

        assert "alice" == visitor.user_id

    def test_expired(self, site):
        """An expired code is told, and a new one is sent to the same number by the button."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        site.clock.move(minutes=6)
        visitor.enter()
        assert "This code has expired. Ask for a new one." == visitor.page.problem
        visitor.submit("Send a code").enter()

        assert ("alice", 2) == (visitor.user_id, site.outbox.calls)

    def test_dead(self, site):
        """After too many wrong codes a new one is sent to the same number by the button."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        for _ in range(5):
            visitor.enter(wrong(site.outbox.code))
        assert "This code can no longer be used. Ask for a new one." == visitor.page.problem
        site.clock.move(minutes=1)
        visitor.submit("Send a code").enter()

        assert "alice" == visitor.user_id

    def test_gone(self, site):
        """Whoever asks for a code to a number that is not pending any more is asked for the number."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        site.factor.enroller.reset("alice")
        visitor.submit("Send the code again")

        assert ("/mfa/enrol", 1) == (visitor.at, site.outbox.calls)

    @pytest.mark.parametrize("page", ["enrol/code", "code", "enrol", "step-up", "account", "nonsense", "recovery/x"])
    def test_addresses(self, site, page):
        """Whoever has no number yet comes from each address to the page for the number."""
        assert "/mfa/enrol" == Visitor(site).log_in().get(page).at

    def test_lost_codes(self, site):
        """If the answer with the recovery codes is lost, the same form within ten minutes shows them again."""
        visitor = Visitor(site).log_in(to="/account").submit("Send a code", number=NUMBER)
        form = visitor.form("Continue").filled(code=site.outbox.code)
        lost = Visitor(site, session=visitor.session)
        lost.post("enrol/code", form)
        visitor.post("enrol/code", form)
        assert ("alice", lost.page.codes) == (visitor.user_id, visitor.page.codes)
        assert 2 == visitor.ids
        site.clock.move(minutes=9)
        visitor.post("enrol/code", form)
        assert (lost.page.codes, 2) == (visitor.page.codes, visitor.ids)
        site.clock.move(minutes=2)
        visitor.post("enrol/code", form)

        assert [] == visitor.page.codes
        assert "This code can no longer be used. Ask for a new one." == visitor.page.problem

    def test_no_recovery_codes(self, twin):
        """Where there are no recovery codes, the visitor goes on at once, and nothing offers one."""
        visitor = Visitor(Site(a_config(recovery_codes=0), twin=twin)).log_in(to="/account")
        visitor.submit("Send a code", number=NUMBER).enter()
        assert ("/account", "alice") == (visitor.at, visitor.user_id)
        assert "ecovery" not in visitor.get("account").page.text
        other = Visitor(visitor.site).log_in()

        assert not other.has("recovery")

    def test_taken(self, twin):
        """A number that others have is refused once its owner is proven, and another one can be given."""
        site = Site(a_config(max_users_per_number=1), twin=twin)
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        site.enrol("bob")
        visitor.enter()
        assert "already used by other accounts" in visitor.page.problem
        assert (409, None) == (visitor.status, visitor.user_id)
        visitor.click("Use another phone number").submit("Send a code", number=OTHER_NUMBER).enter()

        assert "alice" == visitor.user_id

    def test_abandoned(self, site):
        """A number that was never confirmed leaves nothing behind: the next login asks for one again."""
        Visitor(site).log_in().submit("Send a code", number=NUMBER)

        assert "/mfa/enrol" == Visitor(site).log_in().at


class TestLogin:
    def test_login(self, site, alice):
        """The password sends a code, and the right code lets the user in and on to where they wanted."""
        alice.log_in(to="/account?tab=2")
        assert ("/mfa/code", 1, None) == (alice.at, site.outbox.calls, alice.user_id)
        assert isinstance(alice.visit("/account"), Redirect)
        alice.enter()

        assert ("/account?tab=2", "alice", 2) == (alice.at, alice.user_id, alice.ids)
        assert alice.visit("/account") is None

    @pytest.mark.parametrize("user_id", ["alice", 7, SOME_UUID])
    def test_user_id(self, site, user_id):
        """The user id comes back as the application gave it, from a session that is JSON."""
        site.enrol(user_id)
        visitor = Visitor(site).log_in(user_id).enter()

        assert (user_id, type(user_id)) == (visitor.user_id, type(visitor.user_id))

    @pytest.mark.parametrize("user_id", [None, "", b"alice", 1.5, True])
    def test_no_user_id(self, site, user_id):
        """What can be no user id is refused, before anything is sent or remembered."""
        visitor = Visitor(site)
        with pytest.raises(TypeError, match="user_id"):
            visitor.log_in(user_id)

        assert ({}, 0) == (visitor.session, site.outbox.calls)

    @pytest.mark.parametrize("to", ["//evil.test", "https://evil.test", "/\\evil.test", "\ud800", "", None, 7])
    def test_next(self, alice, to):
        """Another site becomes the home page."""
        assert "/" == alice.log_in(to=to).enter().at

    def test_wrong(self, site, alice):
        """Wrong codes are counted, the last try is told, and a dead code is replaced by the button."""
        alice.log_in()
        for left in (4, 3, 2, 1):
            alice.enter(wrong(site.outbox.code))
            assert "This is not the code that we sent." in alice.page.problem
            assert f"You have {left} {'tries' if left > 1 else 'try'} left." in alice.page.text
        alice.enter(wrong(site.outbox.code))
        assert "This code can no longer be used. Ask for a new one." == alice.page.problem
        assert (403, None) == (alice.status, alice.user_id)
        site.clock.move(minutes=1)
        alice.submit("Send a code").enter()

        assert "alice" == alice.user_id

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "9" * 10**6, "12345\ud800", "½½½½½½", "\x00"])
    def test_malformed(self, site, alice, code):
        """What cannot be a code costs no try."""
        alice.log_in().enter(code)
        assert "Enter the 6 digits of the code, for example 123456." == alice.page.problem
        assert (422, None, 20) == (alice.status, alice.user_id, site.status().guesses_left)

        assert "alice" == alice.enter().user_id

    def test_expired(self, site, alice):
        """An expired code is told, and the button sends a new one."""
        alice.log_in()
        site.clock.move(minutes=5)
        alice.enter()
        assert ("This code has expired. Ask for a new one.", None) == (alice.page.problem, alice.user_id)
        alice.submit("Send a code").enter()

        assert ("alice", 2) == (alice.user_id, site.outbox.calls)

    def test_doubled(self, site, alice):
        """A wrong code whose form was sent twice counts once, and both answers are the same."""
        alice.log_in()
        form, code = alice.form("Continue"), wrong(site.outbox.code)
        first = alice.enter(code, form=form).page.problem

        assert first == alice.enter(code, form=form).page.problem
        assert 19 == site.status().guesses_left

    def test_double_click(self, site, alice):
        """Two clicks with the right code, of which the first answer is lost, let in by the second."""
        alice.log_in(to="/account")
        form, code = alice.form("Continue"), site.outbox.code
        assert alice.enter(code, form=form, lose=True).renew
        assert alice.user_id is None
        alice.enter(code, form=form)

        assert ("/account", "alice", 2) == (alice.at, alice.user_id, alice.ids)

    def test_other_session(self, site, alice):
        """The right form in another session of the same user lets nobody in."""
        alice.log_in()
        form = alice.form("Continue").filled(code=site.outbox.code)
        other = Visitor(site).log_in()
        alice.post("code", form)
        other.post("code", {**form, "smsmfa_token": other.entry["token"]})

        assert ("alice", None) == (alice.user_id, other.user_id)
        assert "This code was used just now. You may be in already." == other.page.problem
        assert other.has("Continue")

    def test_second_tab(self, site, alice):
        """A second tab that begins again keeps the form of the first one good, and sends no second message."""
        alice.log_in()
        form = alice.form("Continue")
        alice.log_in()
        assert 1 == site.outbox.calls
        alice.enter(form=form)

        assert "alice" == alice.user_id

    def test_second_code(self, site, alice):
        """A second tab that begins again after the gap replaces the code; the old form says so."""
        alice.log_in()
        form = alice.form("Continue")
        site.clock.move(minutes=1)
        alice.log_in()
        alice.enter(form=form)
        assert ("This code can no longer be used. Ask for a new one.", None) == (alice.page.problem, alice.user_id)
        alice.get("code").enter()

        assert "alice" == alice.user_id

    def test_back(self, alice):
        """Back after getting in shows the page, or goes on; its form and its resend go on too, and send nothing."""
        alice.log_in(to="/account")
        code, resend = alice.form("Continue"), alice.form("Send the code again")
        alice.enter()
        sent = alice.site.outbox.calls

        assert "/account" == alice.get("code").at
        assert "/account" == alice.enter(form=code).at
        assert "/account" == alice.enter(wrong(alice.site.outbox.code), form=code).at
        assert "/account" == alice.submit("Send the code again", form=resend).at
        assert 20 == alice.site.status().guesses_left
        assert (sent, "alice", 2) == (alice.site.outbox.calls, alice.user_id, alice.ids)

    def test_reload(self, site, alice):
        """Each POST that is repeated at once sends nothing twice."""
        alice.log_in()
        site.clock.move(minutes=1)
        form = alice.form("Send the code again").filled()
        alice.post("code/resend", form)
        alice.post("code/resend", form)

        assert ("resend", 2) == ("resend", site.outbox.calls)
        assert "You can ask for another one in" in alice.page.problem

    def test_bookmark(self, site, alice):
        """A page that finds no live code says so, and offers the button; it sends nothing by itself."""
        alice.log_in()
        site.clock.move(minutes=9)
        alice.get("code")
        assert "No code is on its way. We can send one to ••••71." in alice.page.text
        assert ("", 200, 1) == (alice.page.problem, alice.status, site.outbox.calls)
        alice.submit("Send a code").enter()

        assert "alice" == alice.user_id

    def test_halfway_ends(self, site, alice):
        """After ten minutes halfway, every page and form leads to the password."""
        alice.log_in()
        form = alice.form("Continue")
        site.clock.move(minutes=10)

        assert "/login" == alice.enter(form=form).at
        assert "/login" == alice.get("code").at
        assert "/login" == alice.visit("/account").location
        assert alice.user_id is None

    def test_clock_jumps_back(self, site, alice):
        """If the clock jumps back by an hour, the halfway visitor gives the password again, and gets in."""
        alice.log_in()
        site.clock.move(hours=-1)
        assert "/login" == alice.get("code").at
        alice.log_in().enter()

        assert "alice" == alice.user_id

    def test_clock_jumps_a_little(self, site, alice):
        """If the clock jumps back by a few seconds, nothing changes."""
        alice.log_in()
        site.clock.move(seconds=-20)
        alice.get("code").enter()

        assert "alice" == alice.user_id

    def test_another_user(self, site, alice):
        """Who logs in as somebody else is not in as the first any more, and old forms do nothing."""
        in_(alice)
        site.enrol("bob", OTHER_NUMBER)
        old = alice.get("account").form("Get new recovery codes")
        alice.log_in("bob")
        assert alice.user_id is None
        alice.submit("Get new", form=old)
        assert "/mfa/code" == alice.at
        alice.get("code").enter()
        alice.submit("Get new", form=old)

        assert ("bob", 403, "This page is out of date") == (alice.user_id, alice.status, alice.page.title[:24])

    def test_locale(self, site, alice):
        """The message is in the language of the browser, and a strange header ends no login."""
        alice.language = "de-DE,de;q=0.9"
        assert "Bestätigungscode" in alice.log_in().site.outbox.last.text
        alice.language = "\x00;;q=%%,"

        assert "/mfa/code" == alice.log_in().at


class TestForms:
    """Forms that are not ours, or are broken."""

    PAGES = ["enrol", "enrol/code", "enrol/code/resend", "code", "code/resend", "recovery"]

    @pytest.mark.parametrize("token", [None, "", "forged", "\ud800", "é", "x" * 10**6])
    @pytest.mark.parametrize("page", PAGES)
    def test_forged(self, site, alice, page, token):
        """A form without the token of this visit does nothing, and says so."""
        alice.log_in()
        site.clock.move(minutes=1)
        form = {"challenge": alice.form().fields["challenge"], "code": site.outbox.code, "number": NUMBER}
        alice.post(page, form if token is None else {**form, "smsmfa_token": token})

        assert (403, None, 1, 20) == (
            alice.status, alice.user_id, site.outbox.calls, site.status().guesses_left
        )  # fmt: skip
        assert "Nothing was done." in alice.page.text
        alice.click("Continue").enter()
        assert "alice" == alice.user_id

    def test_token_of_another(self, site, alice):
        """The token of another session is as good as none."""
        stolen = Visitor(site).log_in().entry["token"]
        alice.log_in()
        alice.submit("Continue", smsmfa_token=stolen, code=site.outbox.code)

        assert (403, None) == (alice.status, alice.user_id)

    @pytest.mark.parametrize("nonce", [None, "", "x", "x" * 10**6, "\ud800", "é\x00"])
    def test_nonce(self, site, alice, nonce):
        """A nonce that is missing, huge or strange is as good as any."""
        alice.log_in()
        form = alice.form("Continue").filled(code=wrong(site.outbox.code))
        alice.post(
            "code", {**form, "nonce": nonce} if nonce is not None else {k: form[k] for k in form if k != "nonce"}
        )
        assert "You have 4 tries left." in alice.page.text
        alice.submit("Continue", code=site.outbox.code, **({} if nonce is None else {"nonce": nonce}))

        assert "alice" == alice.user_id

    @pytest.mark.parametrize("challenge", ["", "x", "x" * 10**6, "\ud800", "\x00", "é"])
    def test_challenge(self, site, alice, challenge):
        """A code for a challenge that there is not lets nobody in, and the live one can still be answered."""
        alice.log_in().submit("Continue", challenge=challenge, code=site.outbox.code)
        assert (403, None) == (alice.status, alice.user_id)

        assert "alice" == alice.enter().user_id

    def test_challenge_of_another(self, site, alice):
        """A code for somebody else's challenge lets nobody in."""
        site.enrol("bob", OTHER_NUMBER)
        bob = Visitor(site).log_in("bob")
        theirs, code = bob.form().fields["challenge"], site.outbox.code
        alice.log_in().submit("Continue", challenge=theirs, code=code)

        assert alice.user_id is None

    @pytest.mark.parametrize("field", ["phone", "channel", "challenge", "next", "replace", "region"])
    @pytest.mark.parametrize("value", ["", "x", "x" * 10**6, "\ud800", "\x00", "//evil.test"])
    def test_fields(self, site, alice, field, value):
        """No value of a hidden field breaks a page."""
        alice.log_in()
        site.clock.move(minutes=1)
        for page in self.PAGES:
            alice.post(page, {"smsmfa_token": alice.entry["token"], field: value})

        assert alice.user_id is None

    @settings(max_examples=60)
    @given(
        st.sampled_from(
            [*PAGES, "step-up", "account", "account/remove", "account/prefer", "account/recovery-codes", "?"]
        ),
        st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
        st.dictionaries(
            st.sampled_from(["code", "number", "challenge", "nonce", "next", "replace", "phone", "channel", "region"]),
            st.text(),
        ),
        st.booleans(),
        st.booleans(),
    )
    def test_any(self, page, method, form, is_in, asynchronous):
        """No request makes the pages raise, and none lets anybody in."""
        site = Site(twin=asynchronous)
        site.enrol()
        visitor = Visitor(site).log_in()
        if is_in:
            visitor.enter()
        query = f"?replace={form.get('replace', '')}&phone={form.get('phone', '')}".encode("utf-8", "replace").decode()
        visitor.ask(f"/mfa/{page}{query}", method, {**form, "smsmfa_token": visitor.entry["token"]}, page=page)

        assert is_in is (visitor.user_id is not None)


class TestLimits:
    @pytest.mark.parametrize("scope", ["user", "number", "total"])
    def test_sends(self, twin, scope):
        """Once a limit of messages is used up, the visitor is told until when, and Retry-After says it too."""
        limits = {"user": Limit(10, HOUR), scope: Limit(2, HOUR)}
        site = Site(a_config(limits=Limits(**limits)), twin=twin)
        site.codes = site.enrol()
        visitor = Visitor(site).log_in()
        site.clock.move(minutes=1)
        visitor.submit("Send the code again")
        site.clock.move(minutes=1)
        visitor.submit("Send the code again")

        assert "in about 58 minutes." in visitor.page.problem
        assert (429, 2, "3480") == (visitor.status, site.outbox.calls, visitor.answers[-1].headers["Retry-After"])
        assert "alice" == visitor.enter().user_id

    def test_wait(self, twin):
        """Who may have no code now is told until when, and is offered a recovery code; later the button is back."""
        site = Site(a_config(limits=Limits(user=Limit(1, HOUR))), twin=twin)
        site.enrol()
        Visitor(site).log_in()
        site.clock.move(minutes=30)
        visitor = Visitor(site).log_in()
        assert ("Please wait", 429) == (visitor.page.title[9:20], visitor.status)
        assert (
            "You have asked for too many codes. You can ask for another one in about 30 minutes."
            == visitor.page.problem
        )
        assert (True, False) == (visitor.has("Use a recovery code"), visitor.has("Send a code"))
        assert "in about 30 minutes" in visitor.click("Try again").page.problem
        site.clock.move(minutes=30)
        visitor.log_in().enter()

        assert "alice" == visitor.user_id

    def test_guesses(self, twin):
        """Once the guesses are used up nothing is compared; the page says until when, and then a code is good again."""
        site = Site(a_config(limits=Limits(guesses=Limit(2, 2 * HOUR))), twin=twin)
        site.enrol()
        visitor = Visitor(site).log_in()
        form, code = visitor.form("Continue"), site.outbox.code
        for _ in range(3):
            visitor.submit("Continue", form=form, code=wrong(code), nonce="")
        assert "There were too many wrong codes. You can enter a code again in about 2 hours." == visitor.page.problem
        visitor.submit("Continue", form=form, code=code)
        assert (429, None) == (visitor.status, visitor.user_id)
        assert "in about 2 hours" in visitor.get("code").page.problem
        assert 1 == site.outbox.calls
        site.clock.move(hours=2)
        visitor.log_in().enter()

        assert "alice" == visitor.user_id

    def test_unlocked(self, twin):
        """An operator's unlock ends the waiting for wrong codes at once."""
        site = Site(a_config(limits=Limits(guesses=Limit(1, HOUR))), twin=twin)
        site.enrol()
        visitor = Visitor(site).log_in()
        form, code = visitor.form("Continue"), site.outbox.code
        for _ in range(2):
            visitor.submit("Continue", form=form, code=wrong(code), nonce="")
        assert "Please wait" in visitor.get("code").page.title
        site.factor.verifier.unlock("alice")
        visitor.get("code").enter(code)

        assert "alice" == visitor.user_id

    def test_empty_budget(self, twin):
        """A page that is only looked at while the guesses are used up says so as well."""
        site = Site(a_config(limits=Limits(guesses=Limit(1, HOUR))), twin=twin)
        site.enrol()
        visitor = Visitor(site).log_in().enter(wrong(site.outbox.code))
        visitor.get("code")

        assert ("Please wait", 429) == (visitor.page.title[9:20], visitor.status)
        assert "You can enter a code again later." in visitor.page.problem

    def test_locked(self, twin):
        """A number with too many wrong codes in a row is locked; a recovery code lets in, to set it up anew."""
        site = Site(a_config(limits=Limits(consecutive=2)), twin=twin)
        [code] = site.enrol()
        visitor = Visitor(site).log_in(to="/account")
        for _ in range(2):
            visitor.enter(wrong(site.outbox.code))
        assert ("Your phone number is locked – Acme", 423) == (
            visitor.page.title.removeprefix("Problem: "),
            visitor.status,
        )
        assert "Your phone number is locked" in visitor.get("code").page.title
        assert "Your phone number is locked" in Visitor(site).log_in().page.title
        visitor.click("Use a recovery code").submit("Continue", code=code)
        assert ("alice", 1) == (visitor.user_id, len(visitor.page.codes))
        visitor.click("Set up a new phone number").submit("Send a code", number=NUMBER).enter()

        assert [False] == [one.disabled for one in site.status().phones]
        assert "/mfa/code" == Visitor(site).log_in().at

    def test_one_locked(self, twin):
        """If one of two numbers is locked, a code goes to the other one."""
        site = Site(a_config(max_phones=2, limits=Limits(consecutive=1)), twin=twin)
        site.enrol("alice", NUMBER, OTHER_NUMBER)
        visitor = Visitor(site).log_in().enter(wrong(site.outbox.code))
        assert ("This code can no longer be used. Ask for a new one.", False) == (
            visitor.page.problem,
            visitor.has("Try"),
        )
        assert "We can send one to ••••72." in visitor.page.text
        visitor.submit("Send a code").enter()

        assert ("alice", OTHER_NUMBER) == (visitor.user_id, site.outbox.last.to.e164)


class Refusing(Outbox):
    """An outbox that raises what it is told until it is told otherwise."""

    error = None

    def send(self, message):
        if self.error is not None:
            self.calls += 1
            raise self.error
        return super().send(message)


class TestDelivery:
    @pytest.mark.parametrize(
        "error, problem, status",
        [
            (DeliveryRejected("no"), "The message could not be sent. Try again.", 502),
            (SenderMisconfigured("no"), "We cannot send text messages at the moment. Try again later.", 500),
            (RecipientOptedOut("no"), "Answer START to our last message", 409),
            (RateLimited("carrier"), "We cannot send text messages at the moment. Try again later.", 429),
        ],
    )
    def test_refused(self, twin, error, problem, status):
        """If no message went out, the page says why, again on a reload, and the button sends as soon as it can."""
        site = Site(twin=twin, outbox=Refusing())
        site.enrol()
        site.outbox.error = error
        visitor = Visitor(site).log_in()
        assert (problem in visitor.page.problem, status) == (True, visitor.status)
        assert (problem in visitor.get("code").page.problem, status) == (True, visitor.status)
        visitor.submit("Send a code")
        assert (problem in visitor.page.problem, status) == (True, visitor.status)
        site.outbox.error = None
        visitor.submit("Send a code")
        assert ("", 200) == (visitor.page.problem, visitor.status)

        assert "alice" == visitor.enter().user_id

    def test_carrier_waits(self, twin):
        """If the carrier says for how long it pauses, the visitor waits that long."""
        site = Site(twin=twin, outbox=Refusing())
        site.enrol()
        site.outbox.error = RateLimited("carrier", timedelta(minutes=2))
        visitor = Visitor(site).log_in()
        site.outbox.error = None
        assert "Please wait" in visitor.page.title
        assert "Try again in about 2 minutes." in visitor.page.problem
        site.clock.move(minutes=2)

        assert "alice" == visitor.click("Try again").submit("Send a code").enter().user_id

    def test_uncertain(self, twin):
        """If nobody knows whether the message went out, the visitor may enter the code, and can ask again."""
        site = Site(twin=twin, outbox=Outbox(DeliveryUncertain("slow")))
        site.enrol()
        visitor = Visitor(site).log_in()
        assert ("", True) == (visitor.page.problem, visitor.has("Continue"))
        site.clock.move(minutes=1)

        assert "alice" == visitor.submit("Send the code again").enter().user_id

    def test_enrolling(self, twin):
        """While enrolling the refusal is told beside the number, which can be changed."""
        site = Site(twin=twin, outbox=Outbox(DeliveryRejected("no")))
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        assert ("The message could not be sent. Try again.", 502) == (visitor.page.problem, visitor.status)

        assert "/mfa/enrol/code" == visitor.submit("Send a code", number=NUMBER).at

    def test_region_dropped(self, twin):
        """If the configuration drops the number's country, the visitor is told, and uses a recovery code."""
        site = Site(a_config(regions={"US", "DE"}), twin=twin)
        [code] = site.enrol()
        site.configure(a_config(regions={"DE"}))
        visitor = Visitor(site).log_in()
        assert "We cannot send codes to phone numbers of this country." in visitor.page.problem
        visitor.click("use a recovery code").submit("Continue", code=code)

        assert "alice" == visitor.user_id

    def test_channels(self, twin):
        """A code can be had by another channel that the sender has, and by no other."""
        site = Site(twin=twin, channels=["sms", "voice"])
        site.enrol()
        visitor = Visitor(site).log_in()
        site.clock.move(minutes=1)
        visitor.submit("Send the code again", channel="whatsapp")
        assert "sms" == site.outbox.last.channel
        site.clock.move(minutes=1)
        visitor.get("code").submit("Call me instead")
        assert "We called ••••71 to tell you a code." in visitor.page.text
        assert ("voice", True) == (site.outbox.last.channel, visitor.has("Send a text message"))

        assert "alice" == visitor.enter().user_id

    def test_several_numbers(self, twin):
        """A code can be had on another of the user's numbers, and on nobody else's."""
        site = Site(a_config(max_phones=3), twin=twin)
        site.enrol("alice", NUMBER, OTHER_NUMBER)
        site.enrol("bob", THIRD_NUMBER)
        theirs = site.status("bob").phones[0].id
        visitor = Visitor(site).log_in()
        visitor.submit("Send a code to ••••72")
        assert (OTHER_NUMBER, 2) == (site.outbox.last.to.e164, site.outbox.calls)
        assert visitor.has("Send a code to ••••71")
        code = site.outbox.code
        visitor.submit("Send the code again", phone=theirs)
        assert (2, 409) == (site.outbox.calls, visitor.status)

        assert "alice" == visitor.enter(code).user_id


class TestRecovery:
    def test_recovery(self, site, alice):
        """A recovery code lets in once, shows its replacement, and offers to set up a new number."""
        alice.log_in(to="/account").click("use a recovery code").submit("Continue", code=site.codes[0].lower())
        [new] = alice.page.codes
        assert ("alice", True, 2) == (alice.user_id, new != site.codes[0], alice.ids)
        assert ["/account"] == [href for text, href in alice.page.links if text == "I have saved it"]
        again = Visitor(site).log_in().get("recovery").submit("Continue", code=site.codes[0])
        assert again.user_id is None
        again.submit("Continue", code=new)

        assert "alice" == again.user_id

    def test_repeated(self, site, alice):
        """The same form within ten minutes shows the same replacement."""
        alice.log_in().get("recovery")
        form = alice.form("Continue").filled(code=site.codes[0])
        first = Visitor(site, session=alice.session).post("recovery", form).page.codes

        assert first == alice.post("recovery", form).page.codes
        assert first == alice.post("recovery", form).page.codes
        assert ("alice", 2) == (alice.user_id, alice.ids)

    @pytest.mark.parametrize(
        "code, problem",
        [
            ("0000-0000-0000-0000-0000-0000", "This is not one of your recovery codes."),
            ("123456", "This is not a recovery code. Enter it as it was shown to you."),
            ("", "This is not a recovery code."),
            ("\ud800", "This is not a recovery code."),
            ("0" * 10**6, "This is not a recovery code."),
        ],
    )
    def test_wrong(self, alice, code, problem):
        """A wrong recovery code is told, and lets nobody in."""
        alice.log_in().get("recovery").submit("Continue", code=code)

        assert (None, True) == (alice.user_id, problem in alice.page.problem)

    def test_used(self, site, alice):
        """A recovery code that was used just now, by another form, says so and offers to go on."""
        alice.log_in(to="/account").get("recovery").submit("Continue", code=site.codes[0])
        other = Visitor(site).log_in(to="/other").get("recovery").submit("Continue", code=site.codes[0])

        assert "This recovery code was used just now. You may be in already." == other.page.problem
        assert ("/other", None) == (next(href for text, href in other.page.links if text == "Continue"), other.user_id)

    def test_limit(self, twin):
        """After too many wrong recovery codes nothing is compared, and the page says until when."""
        site = Site(a_config(limits=Limits(recovery=Limit(1, HOUR))), twin=twin)
        [code] = site.enrol()
        visitor = Visitor(site).log_in().get("recovery").submit("Continue", code="0000-0000-0000-0000-0000-0000")
        visitor.submit("Continue", code=code)

        assert (429, None) == (visitor.status, visitor.user_id)
        assert "You can enter one again in about 60 minutes." in visitor.page.problem

    def test_only_after_post(self, site, alice):
        """No GET ever shows a recovery code."""
        alice.log_in().get("recovery").submit("Continue", code=site.codes[0])
        for page in ("recovery", "account", "account/recovery-codes", "enrol/code", "code", "step-up"):
            assert [] == getattr(alice.get(page).page, "codes", [])

    def test_not_enrolled(self, site):
        """Who has no number is told so by the page for recovery codes, and gets to the page for the number."""
        visitor = Visitor(site).log_in().get("recovery").submit("Continue", code="0000-0000-0000-0000-0000-0000")
        assert (409, None) == (visitor.status, visitor.user_id)

        assert "/mfa/enrol" == visitor.click("Use a code by text message").at


class TestStepUp:
    def test_step_up(self, site, alice):
        """Who has no fresh code is asked for one, and comes back; nothing was sent before the button was pressed."""
        in_(alice)
        assert alice.sensitive() is None
        site.clock.move(minutes=11)
        sent = site.outbox.calls
        answer = alice.sensitive("/danger?x=1&y=2")
        assert "/mfa/step-up?next=/danger%3Fx%3D1%26y%3D2" == answer.location
        alice.get(answer.location)
        assert ("Confirm that it is you", sent) == (alice.page.title[:22], site.outbox.calls)
        assert ["/"] == [href for text, href in alice.page.links if text == "Cancel"]
        alice.submit("Send a code")
        assert sent + 1 == site.outbox.calls
        alice.enter()

        assert ("/danger?x=1&y=2", 2) == (alice.at, alice.ids)
        assert alice.sensitive() is None

    @pytest.mark.parametrize(
        "path, method, more, expected",
        [
            ("/danger", "POST", {"referer": "https://example.com/settings?a=b"}, "/settings%3Fa%3Db"),
            ("/danger", "POST", {"referer": "https://evil.test/settings"}, "/"),
            ("/danger", "POST", {}, "/"),
            ("/danger", "POST", {"back": "/settings"}, "/settings"),
            ("/danger", "GET", {"back": "/settings"}, "/settings"),
            ("/danger", "GET", {"back": "//evil.test"}, "/"),
            ("/danger", "HEAD", {}, "/danger"),
            ("//evil.test", "GET", {}, "/"),
        ],
    )
    def test_back(self, site, alice, path, method, more, expected):
        """Afterwards a page comes back to itself, and a form to the page that it was on, or to where it was told."""
        in_(alice)
        site.clock.move(minutes=11)

        assert f"/mfa/step-up?next={expected}" == alice.sensitive(path, method, **more).location

    def test_age(self, site, alice):
        """How old the code may be is the page's to say, up to ten minutes."""
        in_(alice)
        site.clock.move(minutes=2)

        assert alice.sensitive("/a", "GET", timedelta(minutes=3)) is None
        assert "/mfa/step-up?next=/a" == alice.sensitive("/a", "GET", timedelta(minutes=1)).location
        with pytest.raises(ValueError, match="max_age"):
            alice.sensitive("/a", "GET", timedelta(minutes=11))

    def test_halfway(self, site, alice):
        """Who is not in is sent on as for any page, and a stranger to the password."""
        assert "/login" == alice.sensitive().location

        assert "/mfa/code" == alice.log_in().sensitive().location

    def test_json(self, site, alice):
        """A client that wants JSON gets 401, and 403 for an old code."""
        assert (401, "second_step_required") == (
            (answer := alice.sensitive(wants_json=True)).status, answer.body["code"]
        )  # fmt: skip
        in_(alice)
        site.clock.move(minutes=11)
        answer = alice.sensitive(wants_json=True)

        assert (Problem, 403, "proof_required") == (type(answer), answer.status, answer.body["code"])

    def test_login_code(self, site, alice):
        """A code that was sent for a login is no answer to a step-up."""
        in_(alice)
        site.clock.move(minutes=11)
        other = Visitor(site).log_in()
        alice.get("step-up").submit("Send a code")
        alice.submit(
            "Continue", challenge=other.form().fields["challenge"], code=site.outbox.messages[-2].code.reveal()
        )

        assert isinstance(alice.sensitive(), Redirect)

    def test_wrong(self, site, alice):
        """A wrong code does not pass the step-up, and does not log out."""
        in_(alice)
        site.clock.move(minutes=11)
        alice.get("step-up?next=/danger").submit("Send a code").enter(wrong(site.outbox.code))

        assert ("alice", 403) == (alice.user_id, alice.status)
        assert "/danger" == alice.enter().at

    def test_recovery(self, site, alice):
        """A recovery code is good for a step-up, and leads back."""
        in_(alice)
        site.clock.move(minutes=11)
        alice.get("step-up?next=/danger").click("use a recovery code").submit("Continue", code=site.codes[0])

        assert ["/danger"] == [href for text, href in alice.page.links if text == "I have saved it"]
        assert alice.sensitive() is None
        assert ["/mfa/step-up"] == [
            href for text, href in alice.get("recovery").page.links if "text message" in text
        ]  # fmt: skip

    def test_no_next(self, site, alice):
        """A step-up that nobody asked for leads home, and a recovery code without one to where the login went."""
        in_(alice)
        site.clock.move(minutes=11)
        assert "/" == alice.get("step-up").submit("Send a code").enter().at
        alice.get("recovery").submit("Continue", code=site.codes[0])

        assert ["/"] == [href for text, href in alice.page.links if text == "I have saved it"]

    def test_store(self, twin):
        """If the store fails, a sensitive page is not shown."""
        site = Site(twin=twin, store=FaultyStore(MemoryStore()))
        site.enrol()
        visitor = in_(Visitor(site))
        site.store.fail("read")

        assert 503 == visitor.sensitive().status
        assert visitor.sensitive() is None


class TestNumberChange:
    def change(self, visitor, number=OTHER_NUMBER):
        return visitor.get("account").click("Change").submit("Send a code", number=number)

    def test_change(self, site, alice):
        """A number is changed with a fresh code, the recovery codes stay, and the new number gets the next code."""
        self.change(in_(alice)).enter()

        assert ("/mfa/account", [OTHER_NUMBER]) == (alice.at, [one.e164 for one in site.status().phones])
        assert alice.has("Get new recovery codes")
        assert alice.sensitive() is None
        assert ("/mfa/code", OTHER_NUMBER) == (Visitor(site).log_in().at, site.outbox.last.to.e164)

    def test_stale(self, site, alice):
        """Without a fresh code the change asks for one first, and then goes on to the form."""
        in_(alice)
        site.clock.move(minutes=11)
        alice.get("account").click("Change")
        assert "Confirm that it is you" in alice.page.title
        alice.submit("Send a code").enter()

        assert ("/mfa/enrol?next=/mfa/account", "Change your phone number") == (alice.at, alice.page.title[:24])

    def test_stale_post(self, site, alice):
        """If the code has become old while the number was typed, the visitor comes back to the form."""
        in_(alice).get("account").click("Change")
        site.clock.move(minutes=11)
        alice.submit("Send a code", number=OTHER_NUMBER, replace="x y")

        assert "/mfa/step-up?next=/mfa/enrol%3Fnext%3D/mfa/account%26replace%3Dx%2520y" == alice.at

    def test_abandoned(self, site, alice):
        """A change that is not confirmed changes nothing."""
        self.change(in_(alice))
        alice.get("account")

        assert "••••71" in alice.page.text
        assert ("/mfa/code", NUMBER) == (Visitor(site).log_in().at, site.outbox.last.to.e164)

    def test_expired(self, site, alice):
        """A change whose code has expired begins again with the number."""
        self.change(in_(alice))
        site.clock.move(minutes=6)
        assert "/mfa/account" == alice.get("enrol/code").at
        self.change(alice.log_in().enter())
        old = alice.form("Send the code again")
        site.clock.move(minutes=6)
        alice.submit("Send the code again", form=old)

        assert "/mfa/enrol?next=/mfa/account" == alice.at

    def test_same_number(self, site, alice):
        """One's own number again is refused, beside the number."""
        self.change(in_(alice), NUMBER)

        assert "You already use this phone number, or as many numbers as you may have." == alice.page.problem
        assert (409, "alice") == (alice.status, alice.user_id)

    def test_halfway(self, site, alice):
        """Who has given only the password cannot change the number."""
        alice.log_in()
        assert "/mfa/code" == alice.get("enrol").at
        alice.post("enrol", {"smsmfa_token": alice.entry["token"], "number": OTHER_NUMBER})
        assert "/mfa/code" == alice.at
        alice.post("enrol/code", {"smsmfa_token": alice.entry["token"], "code": site.outbox.code})

        assert (None, 1, [NUMBER]) == (alice.user_id, site.outbox.calls, [one.e164 for one in site.status().phones])

    def test_add(self, twin):
        """Where several numbers are allowed one is added, and one is replaced by its own link."""
        site = Site(a_config(max_phones=2), twin=twin)
        site.enrol()
        visitor = in_(Visitor(site))
        visitor.get("account").click("Add a phone number").submit("Send a code", number=OTHER_NUMBER).enter()
        assert [NUMBER, OTHER_NUMBER] == [one.e164 for one in site.status().phones]
        assert not visitor.get("account").has("Add a phone number")
        visitor.click("Change").submit("Send a code", number=THIRD_NUMBER).enter()

        assert {OTHER_NUMBER, THIRD_NUMBER} == {one.e164 for one in site.status().phones}


class TestStoreErrors:
    @pytest.fixture
    def site(self, twin):
        return Site(twin=twin, store=FaultyStore(MemoryStore()))

    def test_begin(self, site, alice):
        """If the store fails at the password, a page says so, and nobody is anywhere."""
        site.store.fail("read")
        alice.log_in()

        assert (503, None, None) == (alice.status, alice.entry, alice.user_id)
        assert "Something went wrong on our side." in alice.page.problem
        assert "/mfa/code" == alice.log_in().at

    def test_begin_json(self, site, alice):
        """A client that wants JSON gets the error as such."""
        site.store.fail("read")
        answer = alice.ask("/login", "POST", page="", call=lambda r: alice._begin(r, "alice", None), wants_json=True)

        assert (503, "store_error") == (answer.status, answer.body["code"])

    @pytest.mark.parametrize("moment", ["before", "during", "after"])
    def test_challenge(self, site, alice, moment):
        """If the store fails while the code is made, the page says so and offers the button."""
        site.store.fail(moment)
        alice.log_in()
        assert ("/mfa/code", None, 503) == (alice.at, alice.user_id, alice.status)
        assert "Something went wrong on our side." in alice.page.problem
        site.clock.move(minutes=1)
        alice.get("code").submit("Send ").enter()

        assert "alice" == alice.user_id

    @pytest.mark.parametrize("moment", ["before", "during", "after"])
    def test_verify(self, site, alice, moment):
        """If the store fails at the right code, nobody is in, and pressing the button again gives the answer."""
        alice.log_in(to="/account")
        site.store.fail(moment)
        code = site.outbox.code
        alice.enter(code)
        assert (None, 503) == (alice.user_id, alice.status)
        alice.enter(code)

        assert ("/account", "alice", 2) == (alice.at, alice.user_id, alice.ids)

    @pytest.mark.parametrize("moment", ["before", "during", "after"])
    def test_wrong_code(self, site, alice, moment):
        """If the store fails at a wrong code, it counts once when the button is pressed again."""
        alice.log_in()
        site.store.fail(moment)
        code = wrong(site.outbox.code)
        alice.enter(code).enter(code)

        assert ("This is not the code that we sent", 19) == (alice.page.problem[:33], site.status().guesses_left)

    @pytest.mark.parametrize("moment", ["before", "during", "after"])
    def test_confirm(self, site, moment):
        """If the store fails at the first code of a number, pressing the button again shows the recovery codes."""
        visitor = Visitor(site).log_in().submit("Send a code", number=NUMBER)
        site.store.fail(moment)
        code = site.outbox.code
        visitor.enter(code)
        assert (None, 503) == (visitor.user_id, visitor.status)
        visitor.enter(code)

        assert ("alice", 1) == (visitor.user_id, len(visitor.page.codes))

    @pytest.mark.parametrize("moment", ["before", "during", "after"])
    def test_recovery(self, site, alice, moment):
        """If the store fails at a recovery code, pressing the button again shows its replacement."""
        alice.log_in().get("recovery")
        site.store.fail(moment)
        alice.submit("Continue", code=site.codes[0])
        assert (None, 503) == (alice.user_id, alice.status)
        alice.submit("Continue", code=site.codes[0])

        assert ("alice", 1) == (alice.user_id, len(alice.page.codes))

    @pytest.mark.parametrize("moment", ["before", "during", "after"])
    def test_start(self, site, moment):
        """If the store fails when a number is given, the form is there again, with the number."""
        visitor = Visitor(site).log_in()
        site.store.fail(moment)
        visitor.submit("Send a code", number=NUMBER)
        assert (503, NUMBER) == (visitor.status, visitor.form().fields["number"])
        site.clock.move(minutes=1)

        assert "/mfa/enrol/code" == visitor.submit("Send a code").at

    @pytest.mark.parametrize("page", ["code", "enrol", "enrol/code", "step-up", "account"])
    def test_pages(self, site, alice, page):
        """If the store fails when a page is asked for, it says so, shows nothing of the user, and lets nobody in."""
        in_(alice)
        alice.session["smsmfa"]["is_in"] = page in {"step-up", "account"}
        site.store.fail("read")
        alice.get(page)

        assert 503 == alice.status
        assert "••" not in alice.page.text
        assert 200 == alice.click("Try again").status

    def test_twice(self, site, alice):
        """If the store fails at the code and at the page that says so, there is still a page."""
        alice.log_in()
        site.store.fail("before")
        site.store.fail("read")
        alice.enter()

        assert (503, None) == (alice.status, alice.user_id)

    def test_json(self, site, alice):
        """A client that wants JSON gets a failure of the store as such from the pages too."""
        alice.log_in()
        site.store.fail("read")
        answer = alice.ask("/mfa/code", wants_json=True)

        assert (503, "store_error") == (answer.status, answer.body["code"])


class TestMiddle:
    """What operators do in the middle of a login."""

    def test_turned_off(self, site, alice):
        """If the factor is turned off, who is halfway logs in again and is in without a code."""
        alice.log_in()
        form = alice.form("Continue")
        site.configure(a_config(enabled=False))
        assert "/login" == alice.get("code").at
        assert "/login" == alice.enter(form=form).at
        assert "/login" == alice.get("recovery").at
        alice.log_in(to="/account")

        assert ("/account", "alice", 2, 1) == (alice.at, alice.user_id, alice.ids, site.outbox.calls)

    def test_turned_off_in(self, site, alice):
        """If the factor is turned off, who is in stays in, no page asks for a code, and the account says so."""
        in_(alice)
        site.clock.move(minutes=11)
        site.configure(a_config(enabled=False))
        assert alice.sensitive() is None
        assert "/" == alice.get("step-up?next=/danger").at
        assert "/" == alice.get("enrol").at
        alice.get("account")
        assert "Codes by text message are turned off at the moment." in alice.page.text
        alice.submit("Get new recovery codes")

        assert (403, "alice") == (alice.status, alice.user_id)
        assert "Codes by text message are turned off at the moment." == alice.page.problem

    def test_turned_on(self, twin):
        """If the factor is turned on, who got in without a code is asked for one where a fresh one is needed."""
        site = Site(a_config(enabled=False), twin=twin)
        site.enrol()
        visitor = Visitor(site).log_in()
        site.configure(a_config())
        assert "alice" == visitor.user_id
        visitor.get(visitor.sensitive().location).submit("Send a code").enter()

        assert "/danger" == visitor.at

    def test_reset(self, site, alice):
        """If the user is reset, who is halfway sets up a number; the old code is dead."""
        alice.log_in()
        code = site.outbox.code
        site.factor.enroller.reset("alice")
        alice.enter(code)
        assert ("/mfa/enrol", None) == (alice.at, alice.user_id)
        alice.submit("Send a code", number=OTHER_NUMBER).enter()

        assert "alice" == alice.user_id

    def test_reset_resend(self, site, alice):
        """If the user is reset, asking for the code again leads to the page for the number."""
        alice.log_in()
        site.clock.move(minutes=1)
        site.factor.enroller.reset("alice")
        alice.submit("Send the code again")

        assert ("/mfa/enrol", 1) == (alice.at, site.outbox.calls)

    def test_reset_in(self, site, alice):
        """If the user is reset, who is in stays in, and sets up a number where a fresh code is needed."""
        in_(alice)
        site.factor.enroller.reset("alice")
        assert "alice" == alice.user_id
        alice.get(alice.sensitive().location)
        assert "/mfa/enrol?next=/danger" == alice.at
        alice.submit("Send a code", number=OTHER_NUMBER).enter()

        assert ["/danger"] == [href for text, href in alice.page.links if text == "I have saved it"]

    def test_restart(self, site, alice):
        """A restart of the application in the middle changes nothing."""
        alice.log_in()
        site.configure(site.config)

        assert "alice" == alice.enter().user_id

    def test_new_secret(self, site, alice):
        """A code that was sent under a secret that is gone is dead, and the button sends a new one."""
        alice.log_in()
        site.configure(a_config(secret="another secret of the tests, as long as the first"))
        site.clock.move(minutes=1)
        alice.get("code").submit("Send ").enter()

        assert "alice" == alice.user_id


class TestSession:
    @pytest.mark.parametrize("user_id", ["alice", 2**63 - 1, SOME_UUID])
    def test_size(self, site, user_id):
        """The entry is JSON, stays under 1 kB, and holds no number, no code and no recovery code, at every step."""
        entries = []
        visitor = Visitor(site).log_in(user_id, "/account?tab=2")
        entries.append(visitor.entry)
        visitor.submit("Send a code", number=NUMBER)
        entries.append(visitor.entry)
        visitor.enter()
        [recovery] = visitor.page.codes
        entries.append(visitor.entry)
        in_(visitor, user_id)
        site.clock.move(minutes=11)
        visitor.get("step-up").submit("Send a code").enter()
        entries.append(visitor.entry)
        text = [json.dumps(entry) for entry in entries]

        assert max(map(len, text)) < 1024
        for secret in (recovery, NUMBER[1:], *(f'"{one.code.reveal()}"' for one in site.outbox.messages)):
            assert secret not in "".join(text)

    @settings(max_examples=40)
    @given(
        st.recursive(st.none() | st.integers() | st.text(), lambda one: st.dictionaries(st.text(), one) | st.lists(one))
    )
    def test_strange(self, entry):
        """An entry that is not ours is that of a stranger."""
        visitor = Visitor(Site(), session={"smsmfa": entry})

        assert ("/login", None) == (visitor.get("code").at, visitor.user_id)

    def test_others(self, site, alice):
        """What the application keeps in the session stays."""
        alice.session["cart"] = [1, 2]
        alice.log_in().enter()

        assert [1, 2] == alice.session["cart"]


class Counting(MemoryStore):
    """A store that counts its updates."""

    updates = 0

    def update(self, keys, change):
        self.updates += 1
        return super().update(keys, change)


class TestGet:
    PATHS = [
        "code", "code/resend", "enrol", "enrol/code", "enrol/code/resend", "recovery", "step-up", "step-up/resend",
        "account", "account/prefer", "account/remove", "account/recovery-codes", "static/smsmfa.css", "x", "",
    ]  # fmt: skip

    @settings(max_examples=40)
    @given(
        st.lists(st.tuples(st.sampled_from(PATHS), st.integers(0, 400)), max_size=12),
        st.sampled_from(["halfway", "in", "new", "pending", "stranger"]),
        st.booleans(),
    )
    def test_sends_nothing(self, visits, state, asynchronous):
        """No sequence of GETs sends a message, changes a record, or lets anybody in."""
        site = Site(twin=asynchronous, store=Counting())
        visitor = Visitor(site)
        if state in {"halfway", "in"}:
            site.enrol()
        if state != "stranger":
            visitor.log_in()
        if state == "pending":
            visitor.submit("Send a code", number=NUMBER)
        if state == "in":
            visitor.enter()
        before = visitor.user_id, site.outbox.calls, site.store.updates
        for path, seconds in visits:
            site.clock.move(seconds=seconds)
            visitor.ask(f"/mfa/{path}?phone=x&channel=sms&code=123456&number=4155552671&smsmfa_token=x")

        assert before == (visitor.user_id, site.outbox.calls, site.store.updates)


def test_strangers(site):
    """No page tells a stranger whether a user exists: each leads to the password, whatever the method."""
    site.enrol()
    for page in (*TestGet.PATHS, "%00", "a/b/c"):
        if page.startswith("static"):
            continue
        for method in ("GET", "POST", "HEAD", "DELETE"):
            answer = Visitor(site).ask(f"/mfa/{page}", method, {"smsmfa_token": ""})
            assert "/login" == answer.location
            assert 401 == Visitor(site).ask(f"/mfa/{page}", method, wants_json=True).status

    assert 0 == site.outbox.calls


async def test_tasks():
    """Two clicks at the same moment on an event loop let the user in with both answers."""
    outbox, session = AsyncRecordingSender(), {}
    step = AsyncSecondStep(a_config(), AsyncMemoryStore(), outbox)
    await step.enroller.adopt("alice", NUMBER)
    await step.begin(Request(method="POST", session=session), "alice", next="/account")
    form = {
        "smsmfa_token": session["smsmfa"]["token"], "nonce": "n", "code": outbox.last_code,
        "challenge": outbox.last.challenge_id,
    }  # fmt: skip
    sessions = [json.loads(json.dumps(session)) for _ in range(5)]
    requests = [Request(method="POST", session=one, page="code", form=form) for one in sessions]
    answers = await asyncio.gather(*map(step.handle, requests))

    assert {("/account", True)} == {(answer.location, answer.renew) for answer in answers}
    assert ["alice"] * 5 == [step.user_id(request) for request in requests]


class Clicking(RuleBasedStateMachine):
    """A person who clicks whatever there is, in two browsers."""

    @initialize(twin=st.booleans(), enrolled=st.booleans(), phones=st.integers(1, 3))
    def start(self, twin, enrolled, phones):
        self.site = Site(
            a_config(max_phones=phones, limits=Limits(consecutive=7)), twin=twin, channels=["sms", "voice"]
        )
        self.accepted = set()
        self.recovery = list(self.site.enrol() if enrolled else ())
        self.visitors = [Visitor(self.site), Visitor(self.site)]
        self.kept = []

    @rule(who=st.integers(0, 1))
    def log_in(self, who):
        self.accepted.discard(who)
        self.visitors[who].log_in(to="/account")

    @rule(who=st.integers(0, 1), page=st.sampled_from(TestGet.PATHS[:12]))
    def get(self, who, page):
        self.visitors[who].get(page)

    @precondition(lambda self: any(one.page for one in self.visitors))
    @rule(who=st.integers(0, 1), which=st.integers(0, 9), right=st.booleans(), data=st.data(), keep=st.booleans())
    def press(self, who, which, right, data, keep):
        visitor = self.visitors[who]
        forms = visitor.page.forms if visitor.page else []
        forms = [(form, button) for form in forms for button in form.buttons]
        if not forms:
            return
        form, button = forms[which % len(forms)]
        if keep:
            self.kept.append(form)
        self.send(visitor, form, button[0], right, data)

    @precondition(lambda self: self.kept)
    @rule(who=st.integers(0, 1), which=st.integers(0, 9), right=st.booleans(), data=st.data())
    def press_old(self, who, which, right, data):
        form = self.kept[which % len(self.kept)]
        self.send(self.visitors[who], form, form.buttons[0][0], right, data)

    def send(self, visitor, form, button, right, data):
        before = visitor.user_id
        fields = {}
        if "number" in form.fields:
            fields["number"] = data.draw(st.sampled_from([NUMBER, OTHER_NUMBER, THIRD_NUMBER, "nonsense"]))
        codes = []
        if "code" in form.fields:
            codes = self.recovery if "recovery" in form.action else [m.code.reveal() for m in self.site.outbox.messages]
            code = codes[-1] if codes else "000000"
            if not right:
                code = "0000-0000-0000-0000-0000-0000" if "recovery" in form.action else wrong(code)
            fields["code"] = code
        visitor.submit(button, form=form, **fields)
        if visitor.page and visitor.page.codes:
            self.recovery = [*self.recovery, *visitor.page.codes]
        if before is None and visitor.user_id is not None:
            assert fields.get("code") in codes
            self.accepted.add(self.visitors.index(visitor))

    @rule(seconds=st.sampled_from([1, 31, 301, 601, -30]))
    def wait(self, seconds):
        self.site.clock.move(seconds=seconds)

    @rule()
    def reset(self):
        self.site.factor.enroller.reset("alice")

    @invariant()
    def in_only_after_a_code(self):
        for who, visitor in enumerate(getattr(self, "visitors", ())):
            assert (who in self.accepted) is (visitor.user_id is not None)


TestClicking = Clicking.TestCase
TestClicking.settings = settings(max_examples=40, stateful_step_count=25)


@pytest.mark.parametrize("cls", [SecondStep, AsyncSecondStep])
def test_arguments(cls):
    """A store of the wrong kind is refused when the application starts."""
    with pytest.raises(ValueError, match="store"):
        cls(a_config(), object(), object())
