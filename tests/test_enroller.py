"""Enrolment: adding, changing and removing numbers, with both twins."""

from datetime import UTC, datetime, timedelta

import phonenumbers
import pytest
from support import NUMBER, OTHER_NUMBER, SECRET, THIRD_NUMBER, AsyncFactor, Factor, a_config, limited, rejected, wrong

from smsmfa import (
    ALL_REGIONS,
    AlreadyEnrolled,
    CodeExpired,
    CodeMalformed,
    CodeRejected,
    CodeUsed,
    FactorDisabled,
    Limit,
    Limits,
    Locked,
    MemoryStore,
    NotEnrolled,
    PhoneInUse,
    PhoneNumber,
    PhoneNumberError,
    ProofRequired,
)

HOUR = timedelta(hours=1)


@pytest.fixture(params=[Factor, AsyncFactor])
def new(request):
    """Make a factor of threads, then one of asyncio."""
    return request.param


@pytest.fixture
def factor(new):
    """A factor with the default configuration."""
    return new()


def over(new, factor, **arguments):
    """Return a factor with another configuration over the same records and clock."""
    return new(a_config(**arguments), store=factor.store, clock=factor.clock)


def guess_wrong(factor, challenge, times=1, user_id="alice"):
    """Answer a pending number's challenge wrong, and return the attempts left after each wrong code."""
    code = wrong(factor.outbox.code)
    return [rejected(factor.enroller.confirm, user_id, challenge.id, code).attempts_left for _ in range(times)]


def disable(factor):
    """Answer wrong until the number of alice is disabled, if the configuration allows it."""
    challenge = factor.verifier.challenge("alice")
    rejected(factor.verifier.verify, "alice", challenge.id, wrong(factor.outbox.code))
    assert factor.verifier.status("alice").phones[0].disabled


class TestStart:
    """A number is parsed and becomes pending."""

    def test_returns_challenge(self, factor):
        """A start returns a challenge that says where the code went, and when it expires and can be resent."""
        challenge = factor.enroller.start("alice", "(415) 555-2671", region="US")

        assert ("alice", "enrollment") == (challenge.user_id, challenge.purpose)
        assert (NUMBER, "US", "••••71") == (challenge.phone.e164, challenge.phone.region, challenge.phone.masked)
        assert timedelta(minutes=5) == challenge.expires_at - factor.clock.datetime
        assert timedelta(seconds=30) == challenge.resend_at - factor.clock.datetime
        assert (True, False) == (challenge.sent, challenge.uncertain)

    def test_sends_message(self, factor):
        """The message goes to the number, names its challenge, its expiry and its locale, and carries the code."""
        challenge = factor.enroller.start("alice", NUMBER, locale="pt-BR")
        [message] = factor.outbox.messages

        assert ("enrollment", "sms", "pt-BR") == (message.kind, message.channel, message.locale)
        assert (challenge.phone, challenge.id) == (message.to, message.challenge_id)
        assert challenge.expires_at == message.expires_at
        assert message.code.reveal() in message.text

    def test_number_is_pending(self, factor):
        """R13: until its code is confirmed, a number is not enrolled and gets no login codes."""
        challenge = factor.enroller.start("alice", NUMBER)
        status = factor.verifier.status("alice")

        assert (False, ()) == (status.enrolled, status.phones)
        assert [challenge.id] == [live.id for live in status.challenges]
        rejected(factor.verifier.challenge, "alice", error=NotEnrolled)

    def test_first_needs_no_proof(self, factor):
        """A user without a number needs no proof, and an invalid proof changes nothing."""
        assert factor.enroller.start("alice", NUMBER, proof="no token").sent

    def test_replaces_earlier_pending(self, factor):
        """A mistyped number can be corrected at once: the new number replaces it, and the old code is dead."""
        mistyped = factor.enroller.start("alice", OTHER_NUMBER)
        its_code = factor.outbox.code
        corrected = factor.enroller.start("alice", NUMBER)

        assert corrected.sent
        assert [corrected.id] == [live.id for live in factor.verifier.status("alice").challenges]
        assert 0 == rejected(factor.enroller.confirm, "alice", mistyped.id, its_code).attempts_left
        assert NUMBER == factor.enroller.confirm("alice", corrected.id, factor.outbox.code).phone.e164

    @pytest.mark.parametrize(
        "number, region, reason",
        [
            ("not a number", "US", "malformed"),
            ("4155552671", None, "no_region"),
            ("4155552671", "", "no_region"),
            ("+1415555", None, "impossible"),
            ("+11155552671", None, "invalid"),
            ("+442083661177", None, "region"),
            ("4155552671", "XX", "region"),
            ("4155552671", 1, "region"),
            ("+18005551212", None, "type"),
            ("1" * 1_000_000, "US", "malformed"),
        ],
    )
    def test_refuses_number(self, factor, number, region, reason):
        """T23, T26: a wrong number, or one of a wrong region or type, is refused with a reason at no charge."""
        error = rejected(factor.enroller.start, "alice", number, region=region, error=PhoneNumberError)

        assert reason == error.reason
        assert 0 == factor.outbox.calls
        assert 10 == factor.verifier.status("alice").sends_left

    @pytest.mark.parametrize("number", [14155552671, None, b"+14155552671", object()])
    def test_refuses_type(self, factor, number):
        """An object that is neither text nor a parsed number is a TypeError and costs nothing."""
        rejected(factor.enroller.start, "alice", number, region="US", error=TypeError)

        assert (0, 10) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)

    @pytest.mark.parametrize("parse", [PhoneNumber.parse, phonenumbers.parse])
    def test_parsed_number(self, factor, parse):
        """A number parsed by us or by ``phonenumbers`` can enrol."""
        assert NUMBER == factor.enrol(number=parse(NUMBER)).phone.e164

    def test_all_regions(self, new):
        """With ``ALL_REGIONS`` a number of any country may enrol."""
        factor = new(a_config(regions=ALL_REGIONS))

        assert "MX" == factor.enroller.start("alice", "+524421234567").phone.region

    def test_email_address(self, factor):
        """R15: an e-mail address is refused, so no code is sent by e-mail."""
        error = rejected(factor.enroller.start, "alice", "alice@example.com", region="US", error=PhoneNumberError)

        assert ("malformed", 0) == (error.reason, factor.outbox.calls)

    def test_number_types(self, new):
        """R15: the configuration decides which types of number may enrol."""
        factor = new(a_config(number_types={"toll_free"}))

        assert "toll_free" == factor.enroller.start("alice", "+18005551212").phone.type
        assert "type" == rejected(factor.enroller.start, "alice", NUMBER, error=PhoneNumberError).reason

    def test_aliases_are_one_number(self, new):
        """T15: two ways to write one number share its gap and its limit on users."""
        factor = new(a_config(regions={"MX"}, max_users_per_number=1))
        first = factor.enroller.start("alice", "+52 1 442 123 4567")
        again = factor.enroller.start("alice", "tel:+52-442-123-4567")
        factor.enroller.confirm("alice", first.id, factor.outbox.code)

        assert (first.id, False) == (again.id, again.sent)
        rejected(factor.enroller.start, "bob", "442 123 4567", region="MX", error=PhoneInUse)

    def test_order_of_refusals(self, new):
        """Of several refusals the first is reported: guesses, proof, replace, enrolled, gap, limits, in use."""
        minutes = timedelta(minutes=5)
        limits = Limits(user=Limit(4, minutes), guesses=Limit(1, HOUR))
        factor = new(a_config(max_phones=2, max_users_per_number=1, limits=limits))
        token = factor.enrol().verification.token
        factor.enrol("bob", THIRD_NUMBER)
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)
        factor.enrol("carol", OTHER_NUMBER)
        for purpose in "login", "payment":
            factor.verifier.challenge("alice", purpose=purpose)
        challenge = factor.verifier.status("alice").challenges[0]
        rejected(factor.verifier.verify, "alice", challenge.id, wrong(factor.outbox.code), purpose=challenge.purpose)
        start, sent = factor.enroller.start, factor.outbox.calls

        assert ("guesses", HOUR) == limited(start, "alice", NUMBER, replace="nobody")
        factor.verifier.unlock("alice")
        rejected(start, "alice", NUMBER, replace="nobody", error=ProofRequired)
        rejected(start, "alice", NUMBER, replace="nobody", proof=token, error=NotEnrolled)
        rejected(start, "alice", NUMBER, proof=token, error=AlreadyEnrolled)
        assert pending.id == start("alice", OTHER_NUMBER, proof=token).id
        assert ("user", minutes) == limited(start, "alice", THIRD_NUMBER, proof=token)
        factor.clock.move(seconds=300)
        rejected(start, "alice", THIRD_NUMBER, proof=token, error=PhoneInUse)
        assert sent == factor.outbox.calls

    def test_double_click(self, factor):
        """Within the gap, a start with the same number returns the live challenge, and sends and charges nothing."""
        first = factor.enroller.start("alice", NUMBER)
        factor.clock.move(seconds=30, microseconds=-1)
        second = factor.enroller.start("alice", "415 555 2671", region="us")

        assert (first.id, first.expires_at, first.resend_at) == (second.id, second.expires_at, second.resend_at)
        assert (False, 1, 9) == (second.sent, factor.outbox.calls, factor.verifier.status("alice").sends_left)

    def test_after_gap(self, factor):
        """R5: after the gap a start makes a new code in place of the old one, which is dead."""
        first = factor.enroller.start("alice", NUMBER)
        its_code = factor.outbox.code
        factor.clock.move(seconds=30)
        second = factor.enroller.start("alice", NUMBER)

        assert second.sent
        assert first.id != second.id
        assert 0 == rejected(factor.enroller.confirm, "alice", first.id, its_code).attempts_left
        factor.enroller.confirm("alice", second.id, factor.outbox.code)

    def test_exhausted_has_no_gap(self, factor):
        """If the live challenge has no attempts left, a start sends a new code at once."""
        first = factor.enroller.start("alice", NUMBER)
        guess_wrong(factor, first, 5)

        assert factor.enroller.start("alice", NUMBER).sent

    def test_new_target_within_gap(self, new):
        """A start within the gap that names another number to replace sends nothing and changes the replacement."""
        factor = new(a_config(max_phones=2))
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        token = second.verification.token
        factor.enroller.start("alice", THIRD_NUMBER, replace=first.phone.id, proof=token)
        again = factor.enroller.start("alice", THIRD_NUMBER, replace=second.phone.id, proof=token)
        factor.enroller.confirm("alice", again.id, factor.outbox.code)

        assert not again.sent
        assert [NUMBER, THIRD_NUMBER] == [phone.e164 for phone in factor.verifier.status("alice").phones]

    @pytest.mark.parametrize("name, scope", [("user", "user"), ("unverified", "number"), ("total", "total")])
    def test_limits(self, new, name, scope):
        """R28: a start is charged to the user, the number and the total, and an empty one refuses."""
        factor = new(a_config(limits=Limits(**{name: Limit(1, HOUR)})))
        factor.enroller.start("alice", NUMBER)
        factor.clock.move(minutes=20)

        assert (scope, timedelta(minutes=40)) == limited(factor.enroller.start, "alice", NUMBER)
        assert 1 == factor.outbox.calls

    def test_lanes(self, new):
        """T27: a message that confirms a number is not charged to its owners' lane, and the reverse."""
        factor = new(a_config(limits=Limits(number=Limit(2, HOUR), unverified=Limit(2, HOUR))))
        factor.enrol()
        factor.enroller.start("mallory", NUMBER)
        assert ("number", HOUR) == limited(factor.enroller.start, "trudy", NUMBER)
        factor.log_in()
        factor.log_in()

        assert ("number", HOUR) == limited(factor.verifier.challenge, "alice")
        factor.clock.move(hours=1)
        assert factor.enroller.start("trudy", NUMBER).sent
        assert factor.verifier.challenge("alice").sent

    def test_text_by_locale(self, new):
        """The locale reaches the text."""
        factor = new(a_config(messages={"enrollment": "{{ code }} ({{ locale }})"}))
        factor.enroller.start("alice", NUMBER, locale="fr")

        assert factor.outbox.messages[0].text.endswith("(fr)")

    @pytest.mark.parametrize("locale", ["*", "", "fr FR", "x" * 1_000_000, "de_DE.UTF-8", "\ud800"])
    def test_any_locale(self, factor, locale):
        """A locale in any form of a framework never ends an enrolment."""
        assert factor.enroller.start("alice", NUMBER, locale=locale).sent

    @pytest.mark.parametrize("locale", [7, b"fr"])
    def test_refuses_locale(self, factor, locale):
        """A locale that is neither text nor a Locale is refused, and nothing is sent or charged."""
        rejected(factor.enroller.start, "alice", NUMBER, locale=locale, error=TypeError)

        assert (0, 10) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)

    def test_locale_is_too_long(self, new):
        """A locale that is too long for the text that shows it is refused, and nothing is sent or charged."""
        factor = new(a_config(messages={"enrollment": "{{ code }} {{ locale }} " + "x" * 290}))
        rejected(factor.enroller.start, "alice", NUMBER, locale="de-" + "-".join(["abcdefgh"] * 3), error=ValueError)

        assert (0, 10) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)


class TestConfirm:
    """A right code enrols the number."""

    def test_returns_enrollment(self, factor):
        """A right code returns the number with its id and its date, and a verification that passes the factor."""
        enrollment = factor.enrol()

        assert ("alice", NUMBER, "••••71") == (enrollment.user_id, enrollment.phone.e164, enrollment.phone.masked)
        assert (factor.clock.datetime, None) == (enrollment.phone.enrolled_at, enrollment.phone.last_used_at)
        assert not enrollment.phone.disabled
        assert (enrollment.phone,) == factor.verifier.status("alice").phones
        verification = enrollment.verification
        assert ("alice", "sms", ("sms", "otp"), "login") == (
            verification.user_id, verification.method, verification.amr, verification.purpose,
        )  # fmt: skip
        assert factor.clock.datetime == verification.at

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_recovery_codes(self, new, count):
        """The first confirmation returns as many different recovery codes as configured, and each works."""
        factor = new(a_config(recovery_codes=count))
        codes = factor.enrol().recovery_codes

        assert count == len(set(codes)) == factor.verifier.status("alice").recovery_codes_left
        for code in codes:
            factor.verifier.recover("alice", code)

    def test_recovery_codes_once(self, factor):
        """R21: a later confirmation returns no recovery codes, and the first ones stay good."""
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)

        assert () == second.recovery_codes
        factor.verifier.recover("alice", first.recovery_codes[0])

    def test_accepted_once(self, factor):
        """R3, T5: a code confirms once, and for ten minutes a second request is CodeUsed at no cost."""
        pending = factor.enroller.start("alice", NUMBER)
        factor.enroller.confirm("alice", pending.id, factor.outbox.code)

        for code in factor.outbox.code, wrong(factor.outbox.code):
            assert 0 == rejected(factor.enroller.confirm, "alice", pending.id, code, error=CodeUsed).attempts_left
        factor.clock.move(minutes=10, microseconds=1)
        assert 0 == rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code).attempts_left
        assert 20 == factor.verifier.status("alice").guesses_left

    def test_wrong_codes(self, factor):
        """R9, T1: a challenge allows five wrong codes, tells how many are left, and then refuses the right one."""
        pending = factor.enroller.start("alice", NUMBER)

        assert [4, 3, 2, 1, 0, 0, 0] == guess_wrong(factor, pending, 7)
        assert 0 == rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code).attempts_left
        assert 15 == factor.verifier.status("alice").guesses_left
        assert not factor.verifier.status("alice").enrolled

    def test_attempts_left_of_budget(self, new):
        """The attempts left are the smaller of the challenge's and the guess budget's."""
        factor = new(a_config(limits=Limits(guesses=Limit(3, HOUR))))
        pending = factor.enroller.start("alice", NUMBER)

        assert [2, 1, 0] == guess_wrong(factor, pending, 3)

    def test_right_code_is_free(self, factor):
        """R7: a right code gives back its own guess, and not those of earlier wrong codes."""
        pending = factor.enroller.start("alice", NUMBER)
        guess_wrong(factor, pending, 2)
        factor.enroller.confirm("alice", pending.id, factor.outbox.code)

        assert 18 == factor.verifier.status("alice").guesses_left

    def test_empty_budget(self, new):
        """With an empty guess budget the right code is refused, and works after a guess has come back."""
        factor = new(a_config(limits=Limits(guesses=Limit(1, timedelta(minutes=2)))))
        pending = factor.enroller.start("alice", NUMBER)
        guess_wrong(factor, pending)
        factor.clock.move(minutes=1)
        confirm = factor.enroller.confirm

        assert ("guesses", timedelta(minutes=1)) == limited(confirm, "alice", pending.id, factor.outbox.code)
        factor.clock.move(minutes=1)
        assert confirm("alice", pending.id, factor.outbox.code)

    def test_expires(self, factor):
        """R2: a code is accepted until just before its expiry, and then refused at no cost."""
        pending = factor.enroller.start("alice", NUMBER)
        factor.clock.move(minutes=5)
        confirm = factor.enroller.confirm

        assert 0 == rejected(confirm, "alice", pending.id, factor.outbox.code, error=CodeExpired).attempts_left
        assert 20 == factor.verifier.status("alice").guesses_left
        factor.clock.move(microseconds=-1)
        assert confirm("alice", pending.id, factor.outbox.code)

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "12_34_56", "+12345", "12345²", "O12345", 123456, None])
    def test_malformed(self, factor, code):
        """T14: text that cannot be a code is refused, costs nothing, and does not change the challenge."""
        pending = factor.enroller.start("alice", NUMBER)
        error = rejected(factor.enroller.confirm, "alice", pending.id, code, error=CodeMalformed)

        assert error.attempts_left is None
        assert 20 == factor.verifier.status("alice").guesses_left
        assert factor.enroller.confirm("alice", pending.id, factor.outbox.code)

    @pytest.mark.parametrize("shift", [0x0660 - 0x30, 0xFF10 - 0x30])
    def test_other_scripts(self, factor, shift):
        """T14: digits of another script, with spaces and hyphens between them, are read as the code."""
        pending = factor.enroller.start("alice", NUMBER)
        typed = " - ".join(chr(ord(digit) + shift) for digit in factor.outbox.code)

        assert factor.enroller.confirm("alice", pending.id, typed)

    def test_unknown_challenge(self, factor):
        """A code for an unknown challenge is rejected and costs no guess."""
        factor.enroller.start("alice", NUMBER)

        for challenge_id in "nobody's", "", None, 7, [], "x" * 1_000_000:
            assert 0 == rejected(factor.enroller.confirm, "alice", challenge_id, factor.outbox.code).attempts_left
        assert 20 == factor.verifier.status("alice").guesses_left

    def test_other_user(self, factor):
        """T8: nobody can confirm another user's number, even with the right code."""
        pending = factor.enroller.start("alice", NUMBER)

        rejected(factor.enroller.confirm, "bob", pending.id, factor.outbox.code)
        factor.enroller.start("bob", NUMBER)
        rejected(factor.enroller.confirm, "bob", pending.id, factor.outbox.messages[0].code.reveal())
        assert not factor.verifier.status("bob").enrolled

    def test_login_code_does_not_confirm(self, factor):
        """R5, T8: the challenge of a login confirms nothing, and the challenge of an enrolment logs nobody in."""
        token = factor.enrol().verification.token
        login = factor.verifier.challenge("alice")
        rejected(factor.enroller.confirm, "alice", login.id, factor.outbox.code)
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)
        rejected(factor.verifier.verify, "alice", pending.id, factor.outbox.code)

        assert [NUMBER] == [phone.e164 for phone in factor.verifier.status("alice").phones]

    def test_no_room(self, new):
        """If fewer numbers are allowed now, a confirmation that would add one is refused and its code is used."""
        factor = new(a_config(max_phones=2))
        token = factor.enrol().verification.token
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)
        confirm = over(new, factor, max_phones=1).enroller.confirm

        rejected(confirm, "alice", pending.id, factor.outbox.code, error=AlreadyEnrolled)
        rejected(confirm, "alice", pending.id, factor.outbox.code)
        assert 20 == factor.verifier.status("alice").guesses_left


class TestReplace:
    """A number replaces another, or is added."""

    def test_abandoned_change(self, factor):
        """R17, T9: while a change is pending or abandoned, the old number works and gets the next message."""
        token = factor.enrol().verification.token
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)

        assert factor.log_in()
        assert NUMBER == factor.outbox.messages[-1].to.e164
        guess_wrong(factor, pending, 5)
        factor.clock.move(days=2)
        assert NUMBER == factor.verifier.challenge("alice").phone.e164
        assert [NUMBER] == [phone.e164 for phone in factor.verifier.status("alice").phones]

    def test_one_number(self, factor):
        """R19: if one number is allowed, a second one replaces it, and challenges sent to the old one die."""
        first = factor.enrol()
        login = factor.verifier.challenge("alice")
        its_code = factor.outbox.code
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)

        assert first.phone.id != second.phone.id
        assert (second.phone,) == factor.verifier.status("alice").phones
        rejected(factor.verifier.verify, "alice", login.id, its_code)
        rejected(factor.verifier.resend, "alice", login.id)
        assert OTHER_NUMBER == factor.verifier.challenge("alice").phone.e164

    @pytest.mark.parametrize("most", [1, 2])
    def test_same_number_again(self, new, most):
        """A number that the user has is refused without a message, also when only one is allowed."""
        factor = new(a_config(max_phones=most))
        first = factor.enrol()
        rejected(factor.enroller.start, "alice", NUMBER, proof=first.verification.token, error=AlreadyEnrolled)

        assert (1, 9) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)
        assert (first.phone,) == factor.verifier.status("alice").phones

    def test_same_number_replaced(self, factor):
        """If one number is allowed, the same number can replace itself if it is named."""
        first = factor.enrol()
        second = factor.enrol(replace=first.phone.id, proof=first.verification.token)

        assert first.phone.id != second.phone.id
        assert (second.phone,) == factor.verifier.status("alice").phones

    def test_several(self, new):
        """Numbers are added up to the limit; one too many, or one that the user has, is refused at no charge."""
        factor = new(a_config(max_phones=2))
        token = factor.enrol().verification.token
        rejected(factor.enroller.start, "alice", NUMBER, proof=token, error=AlreadyEnrolled)
        token = factor.enrol(number=OTHER_NUMBER, proof=token).verification.token
        rejected(factor.enroller.start, "alice", THIRD_NUMBER, proof=token, error=AlreadyEnrolled)

        assert [NUMBER, OTHER_NUMBER] == [phone.e164 for phone in factor.verifier.status("alice").phones]
        assert (2, 8) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)

    def test_replace(self, new):
        """The new number takes the place of the number that ``replace`` names, in the list too."""
        factor = new(a_config(max_phones=2))
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        third = factor.enrol(number=THIRD_NUMBER, replace=first.phone.id, proof=second.verification.token)

        assert (third.phone, second.phone) == factor.verifier.status("alice").phones

    def test_replace_itself(self, new):
        """An enrolled number may replace itself if it is named, but not another number."""
        factor = new(a_config(max_phones=2))
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        token = second.verification.token

        rejected(factor.enroller.start, "alice", NUMBER, replace=second.phone.id, proof=token, error=AlreadyEnrolled)
        third = factor.enrol(replace=first.phone.id, proof=token)
        assert (third.phone, second.phone) == factor.verifier.status("alice").phones

    @pytest.mark.parametrize("replace", ["nobody", "", 7])
    def test_replace_unknown(self, factor, replace):
        """A number to replace that the user does not have is refused."""
        token = factor.enrol().verification.token

        rejected(factor.enroller.start, "alice", OTHER_NUMBER, replace=replace, proof=token, error=NotEnrolled)

    def test_pending_goes_with_a_removal(self, new):
        """R17: removing a number drops the pending one, because its proof is from before the change."""
        factor = new(a_config(max_phones=2))
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        token = second.verification.token
        pending = factor.enroller.start("alice", THIRD_NUMBER, replace=first.phone.id, proof=token)
        factor.enroller.remove("alice", first.phone.id, proof=token)

        rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code, error=CodeRejected)
        assert (second.phone,) == factor.verifier.status("alice").phones

    @pytest.mark.parametrize("most", [1, 3])
    def test_disabled_is_enrolled_again(self, new, most):
        """R6: enrolling a disabled number again revives it, with a recovery code as the proof."""
        factor = new(a_config(max_phones=most, limits=Limits(consecutive=1)))
        first = factor.enrol()
        disable(factor)
        rejected(factor.verifier.challenge, "alice", error=Locked)
        token = factor.verifier.recover("alice", first.recovery_codes[0]).token
        again = factor.enrol(proof=token)

        assert [again.phone.id] == [phone.id for phone in factor.verifier.status("alice").phones]
        assert not factor.verifier.status("alice").locked
        assert factor.log_in()

    def test_disabled_takes_another_place(self, new):
        """A disabled number that replaces another one is in the list once."""
        factor = new(a_config(max_phones=2, limits=Limits(consecutive=1)))
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        disable(factor)
        token = factor.verifier.recover("alice", first.recovery_codes[0]).token
        third = factor.enrol(replace=second.phone.id, proof=token)

        assert (third.phone,) == factor.verifier.status("alice").phones


class TestSharedNumbers:
    """The number of users who may have one number."""

    @pytest.mark.parametrize("most", [1, 5])
    def test_most(self, new, most):
        """R16, T31: as many users as allowed may have a number, and the next user is refused and charged a message."""
        factor = new(a_config(max_users_per_number=most))
        for user in range(most):
            factor.enrol(user)

        rejected(factor.enroller.start, "one more", NUMBER, error=PhoneInUse)
        assert (most, 9) == (factor.outbox.calls, factor.verifier.status("one more").sends_left)

    def test_probing(self, new):
        """T31: a user who tries out which numbers are in use has no messages left, and charges nobody else."""
        limits = Limits(user=Limit(3, HOUR), unverified=Limit(2, HOUR), total=Limit(2, HOUR))
        factor = new(a_config(max_users_per_number=1, limits=limits))
        factor.enrol()
        for _ in range(3):
            rejected(factor.enroller.start, "mallory", NUMBER, error=PhoneInUse)

        assert ("user", HOUR) == limited(factor.enroller.start, "mallory", NUMBER)
        assert ("user", HOUR) == limited(factor.enroller.start, "mallory", OTHER_NUMBER)
        assert factor.enroller.start("bob", OTHER_NUMBER).sent

    def test_no_limit(self, new):
        """R16: with 0 any number of users may have a number."""
        factor = new(a_config(max_users_per_number=0))
        for user in range(8):
            factor.enrol(user)

        assert factor.enrol("one more")

    def test_race(self, new):
        """R16: of two users with the same pending number, the slower is refused, and the right code costs no guess."""
        factor = new(a_config(max_users_per_number=1))
        slow = factor.enroller.start("bob", NUMBER)
        its_code = factor.outbox.code
        factor.enrol("alice")

        rejected(factor.enroller.confirm, "bob", slow.id, its_code, error=PhoneInUse)
        rejected(factor.enroller.confirm, "bob", slow.id, its_code)
        status = factor.verifier.status("bob")
        assert (False, (), 20) == (status.enrolled, status.challenges, status.guesses_left)

    def test_own_number_does_not_count(self, new):
        """The user who has a number may enrol it again."""
        factor = new(a_config(max_users_per_number=1))
        first = factor.enrol()

        assert factor.enrol(replace=first.phone.id, proof=first.verification.token)

    @pytest.mark.parametrize("how", ["replace", "remove", "reset"])
    def test_freed(self, new, how):
        """A number that is replaced, removed or reset is free for others."""
        factor = new(a_config(max_users_per_number=1))
        enrollment = factor.enrol()
        if how == "replace":
            factor.enrol(number=OTHER_NUMBER, proof=enrollment.verification.token)
        elif how == "remove":
            factor.enroller.remove("alice", enrollment.phone.id, proof=enrollment.verification.token)
        else:
            factor.enroller.reset("alice")

        assert factor.enrol("bob")


class TestResend:
    """A repeated message to the pending number."""

    def test_gap(self, factor):
        """Within the gap a resend is refused with the exact wait, and nothing is sent or charged."""
        pending = factor.enroller.start("alice", NUMBER)
        factor.clock.move(seconds=10)

        assert ("resend", timedelta(seconds=20)) == limited(factor.enroller.resend, "alice", pending.id)
        factor.clock.move(seconds=20, microseconds=-1)
        assert ("resend", timedelta(microseconds=1)) == limited(factor.enroller.resend, "alice", pending.id)
        assert (1, 9) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)

    def test_repeats(self, factor):
        """R4, R5: after the gap the same text goes out under the same expiry and attempts, and a new gap begins."""
        pending = factor.enroller.start("alice", NUMBER, locale="fr")
        guess_wrong(factor, pending, 3)
        factor.clock.move(seconds=30)
        again = factor.enroller.resend("alice", pending.id)
        first, second = factor.outbox.messages

        assert (pending.id, pending.expires_at, True) == (again.id, again.expires_at, again.sent)
        assert timedelta(seconds=30) == again.resend_at - factor.clock.datetime
        assert (first.text, first.expires_at, first.locale) == (second.text, second.expires_at, second.locale)
        assert [1, 0] == guess_wrong(factor, pending, 2)
        assert 8 == factor.verifier.status("alice").sends_left

    @pytest.mark.parametrize("dead", ["expired", "exhausted"])
    def test_renews(self, factor, dead):
        """While the user has no number, a resend of a dead challenge makes a new code, in the same language."""
        pending = factor.enroller.start("alice", NUMBER, locale="fr")
        if dead == "expired":
            factor.clock.move(minutes=5)
        else:
            guess_wrong(factor, pending, 5)
        again = factor.enroller.resend("alice", pending.id)

        assert pending.id != again.id
        assert "fr" == factor.outbox.messages[-1].locale
        assert timedelta(minutes=5) == again.expires_at - factor.clock.datetime
        assert factor.enroller.confirm("alice", again.id, factor.outbox.code)

    def test_renews_for_a_day(self, factor):
        """A dead challenge can be resent until a day after its expiry."""
        pending = factor.enroller.start("alice", NUMBER)
        factor.clock.move(days=1, minutes=5)
        rejected(factor.enroller.resend, "alice", pending.id, error=CodeExpired)
        factor.clock.move(microseconds=-1)

        assert factor.enroller.resend("alice", pending.id).sent

    def test_no_renewal_with_a_number(self, factor):
        """R17: if the user has a number, a dead challenge for another one is not renewed without a fresh proof."""
        token = factor.enrol().verification.token
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)
        factor.clock.move(seconds=30)
        assert factor.enroller.resend("alice", pending.id).sent
        factor.clock.move(minutes=5)

        rejected(factor.enroller.resend, "alice", pending.id, error=CodeExpired)

    def test_renewal_in_use(self, new):
        """A number that others now have gets no new code."""
        factor = new(a_config(max_users_per_number=1))
        pending = factor.enroller.start("alice", NUMBER)
        factor.enrol("bob")
        factor.clock.move(minutes=5)

        rejected(factor.enroller.resend, "alice", pending.id, error=PhoneInUse)

    @pytest.mark.parametrize("minutes", [1, 5])
    def test_limits(self, new, minutes):
        """R28: the limits apply to a resend of a live or a dead challenge."""
        factor = new(a_config(limits=Limits(user=Limit(1, HOUR))))
        pending = factor.enroller.start("alice", NUMBER)
        factor.clock.move(minutes=minutes)

        assert ("user", HOUR - timedelta(minutes=minutes)) == limited(factor.enroller.resend, "alice", pending.id)

    def test_empty_budget(self, new):
        """An empty guess budget is reported before the gap, so no message is sent for a code that must be refused."""
        factor = new(a_config(limits=Limits(guesses=Limit(1, HOUR))))
        pending = factor.enroller.start("alice", NUMBER)
        guess_wrong(factor, pending)

        assert ("guesses", HOUR) == limited(factor.enroller.resend, "alice", pending.id)

    def test_unknown(self, factor):
        """A challenge that is unknown, replaced, used, another user's or for a login cannot be resent."""
        resend = factor.enroller.resend
        rejected(resend, "alice", "nobody's")
        replaced = factor.enroller.start("alice", OTHER_NUMBER)
        used = factor.enroller.start("alice", NUMBER)
        factor.enroller.confirm("alice", used.id, factor.outbox.code)
        login = factor.verifier.challenge("alice")
        others = factor.enroller.start("bob", NUMBER)
        factor.clock.move(seconds=30)

        for challenge_id in replaced.id, used.id, login.id, others.id, None, 7, []:
            assert 0 == rejected(resend, "alice", challenge_id).attempts_left


class TestRemove:
    """A number is removed."""

    def test_last(self, factor):
        """R19: removing the last number drops the recovery codes and the challenges, and ends the enrolment."""
        enrollment = factor.enrol()
        login = factor.verifier.challenge("alice")
        factor.enroller.remove("alice", enrollment.phone.id, proof=enrollment.verification.token)
        status = factor.verifier.status("alice")

        assert (False, (), (), 0) == (status.enrolled, status.phones, status.challenges, status.recovery_codes_left)
        rejected(factor.verifier.verify, "alice", login.id, factor.outbox.code)
        rejected(factor.verifier.challenge, "alice", error=NotEnrolled)
        rejected(factor.verifier.recover, "alice", enrollment.recovery_codes[0], error=NotEnrolled)

    def test_one_of_several(self, new):
        """R19: removing one of several keeps the others, their challenges and the recovery codes."""
        factor = new(a_config(max_phones=2))
        first = factor.enrol()
        second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        to_first = factor.verifier.challenge("alice", purpose="payment")
        to_second = factor.verifier.challenge("alice", phone_id=second.phone.id)
        factor.enroller.remove("alice", first.phone.id, proof=second.verification.token)
        status = factor.verifier.status("alice")

        assert ((second.phone,), 1) == (status.phones, status.recovery_codes_left)
        assert [to_second.id] == [live.id for live in status.challenges]
        code = factor.outbox.messages[-2].code.reveal()
        rejected(factor.verifier.verify, "alice", to_first.id, code, purpose="payment")

    def test_enrols_anew(self, factor):
        """After the last number is removed, an enrolment needs no proof and returns new recovery codes."""
        enrollment = factor.enrol()
        factor.enroller.remove("alice", enrollment.phone.id, proof=enrollment.verification.token)

        assert 1 == len(factor.enrol().recovery_codes)

    def test_refills_nothing(self, factor):
        """T2: removing a number and enrolling it again refills neither messages nor guesses."""
        challenge = factor.enroller.start("alice", NUMBER)
        guess_wrong(factor, challenge, 2)
        enrollment = factor.enroller.confirm("alice", challenge.id, factor.outbox.code)
        factor.enroller.remove("alice", enrollment.phone.id, proof=enrollment.verification.token)
        factor.enrol()

        status = factor.verifier.status("alice")
        assert (8, 18) == (status.sends_left, status.guesses_left)

    @pytest.mark.parametrize("phone_id", ["nobody's", "", None, 7])
    def test_unknown(self, factor, phone_id):
        """A number that the user does not have cannot be removed."""
        token = factor.enrol().verification.token

        rejected(factor.enroller.remove, "alice", phone_id, proof=token, error=NotEnrolled)

    def test_without_numbers(self, factor):
        """A user without an enrolled number cannot remove one."""
        factor.enroller.start("alice", NUMBER)

        rejected(factor.enroller.remove, "alice", "any", proof=None, error=NotEnrolled)


class TestNewRecoveryCodes:
    """The recovery codes are drawn anew."""

    @pytest.mark.parametrize("count", [0, 1, 4])
    def test_old_ones_die(self, new, count):
        """R20: as many new recovery codes as configured replace the old ones."""
        factor = new()
        enrollment = factor.enrol()
        enroller = over(new, factor, recovery_codes=count).enroller
        codes = enroller.new_recovery_codes("alice", proof=enrollment.verification.token)

        assert (tuple, count) == (type(codes), len(set(codes)))
        assert count == factor.verifier.status("alice").recovery_codes_left
        rejected(factor.verifier.recover, "alice", enrollment.recovery_codes[0])
        for code in codes:
            factor.verifier.recover("alice", code)

    def test_not_enrolled(self, factor):
        """A user without a number gets no recovery codes."""
        factor.enroller.start("alice", NUMBER)

        rejected(factor.enroller.new_recovery_codes, "alice", proof=None, error=NotEnrolled)
        assert 0 == factor.verifier.status("alice").recovery_codes_left


class Noting(MemoryStore):
    """A store that lists its keys."""

    def __init__(self):
        super().__init__()
        self.keys = set()

    def update(self, keys, change):
        self.keys.update(keys)
        return super().update(keys, change)

    def dump(self):
        return b"".join(self.read(key) or b"" for key in self.keys)


def enrolled_numbers(factor, user_id="alice"):
    """Return the numbers of a user, in their order."""
    return [phone.e164 for phone in factor.verifier.status(user_id).phones]


class TestAdopt:
    """The operator enrols a number that was verified elsewhere."""

    def test_fresh_user(self, factor):
        """A user's first adopted number is enrolled without a message, with recovery codes and no verification."""
        enrollment = factor.enroller.adopt("alice", NUMBER)

        assert ("alice", NUMBER, None) == (enrollment.user_id, enrollment.phone.e164, enrollment.verification)
        assert (factor.clock.datetime, None, False) == (
            enrollment.phone.enrolled_at, enrollment.phone.last_used_at, enrollment.repeated,
        )  # fmt: skip
        assert (enrollment.phone,) == factor.verifier.status("alice").phones
        assert (0, 10) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)
        assert factor.verifier.recover("alice", *enrollment.recovery_codes)

    def test_works(self, factor):
        """A user can log in with an adopted number, and only that login gives a proof to change it."""
        factor.enroller.adopt("alice", NUMBER)
        rejected(factor.enroller.start, "alice", OTHER_NUMBER, proof=None, error=ProofRequired)
        token = factor.log_in().token

        assert OTHER_NUMBER == factor.enrol(number=OTHER_NUMBER, proof=token).phone.e164

    @pytest.mark.parametrize("when", [datetime(2020, 2, 29, 12, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)])
    def test_enrolled_at(self, factor, when):
        """The instant at which the number was verified elsewhere is kept."""
        assert when == factor.enroller.adopt("alice", NUMBER, enrolled_at=when).phone.enrolled_at
        assert when == factor.verifier.status("alice").phones[0].enrolled_at

    @pytest.mark.parametrize("when", [datetime(2020, 1, 1), 0, "2020-01-01"])  # noqa: DTZ001
    def test_no_instant(self, factor, when):
        """A time without a zone, or another object, is a TypeError and enrols nothing."""
        rejected(factor.enroller.adopt, "alice", NUMBER, enrolled_at=when, error=TypeError)

        assert not factor.verifier.status("alice").enrolled

    @pytest.mark.parametrize("recovery_codes", [0, 1, 3])
    def test_recovery_codes(self, new, recovery_codes):
        """The first number returns as many recovery codes as configured, and later numbers none."""
        factor = new(a_config(recovery_codes=recovery_codes, max_phones=2))
        first, second = (factor.enroller.adopt("alice", number) for number in (NUMBER, OTHER_NUMBER))

        assert (recovery_codes, ()) == (len(set(first.recovery_codes)), second.recovery_codes)
        assert recovery_codes == factor.verifier.status("alice").recovery_codes_left
        for code in first.recovery_codes:
            assert factor.verifier.recover("alice", code)

    def test_replaces_one(self, factor):
        """R19: if one number is allowed, an adopted one replaces it in one step, and the recovery codes stay."""
        first = factor.enrol()
        login = factor.verifier.challenge("alice")
        second = factor.enroller.adopt("alice", OTHER_NUMBER)

        assert ([OTHER_NUMBER], ()) == (enrolled_numbers(factor), second.recovery_codes)
        rejected(factor.verifier.verify, "alice", login.id, factor.outbox.code)
        rejected(factor.verifier.check_proof, "alice", first.verification.token, error=ProofRequired)
        assert factor.verifier.recover("alice", first.recovery_codes[0])

    def test_replaces_named(self, new):
        """If several numbers are allowed, one is added, or takes the place of the one that ``replace`` names."""
        factor = new(a_config(max_phones=2))
        first = factor.enroller.adopt("alice", NUMBER)
        second = factor.enroller.adopt("alice", OTHER_NUMBER)
        rejected(factor.enroller.adopt, "alice", THIRD_NUMBER, error=AlreadyEnrolled)
        rejected(factor.enroller.adopt, "alice", THIRD_NUMBER, replace="nobody's", error=NotEnrolled)
        rejected(factor.enroller.adopt, "alice", NUMBER, replace=second.phone.id, error=AlreadyEnrolled)
        assert [NUMBER, OTHER_NUMBER] == enrolled_numbers(factor)
        factor.enroller.adopt("alice", THIRD_NUMBER, replace=first.phone.id)

        assert [THIRD_NUMBER, OTHER_NUMBER] == enrolled_numbers(factor)

    @pytest.mark.parametrize("most", [1, 2])
    def test_repeated(self, new, most):
        """Adopting a number again changes nothing and returns no recovery codes."""
        factor = new(a_config(max_phones=most))
        first = factor.enroller.adopt("alice", NUMBER)
        token, before = factor.log_in().token, factor.verifier.status("alice")
        factor.clock.move(minutes=1)
        for replace in None, first.phone.id:
            when = factor.clock.datetime
            again = factor.enroller.adopt("alice", "+1 (415) 555-2671", replace=replace, enrolled_at=when)
            assert (before.phones[0], (), None) == (again.phone, again.recovery_codes, again.verification)

        assert before.phones == factor.verifier.status("alice").phones
        assert factor.verifier.check_proof("alice", token)
        assert factor.verifier.recover("alice", first.recovery_codes[0])

    def test_after_an_enrolment(self, factor):
        """Adopting an enrolled number changes neither the number nor its challenges."""
        enrollment = factor.enrol()
        login = factor.verifier.challenge("alice")
        again = factor.enroller.adopt("alice", NUMBER)

        assert (enrollment.phone, ()) == (again.phone, again.recovery_codes)
        assert factor.verifier.verify("alice", login.id, factor.outbox.code)

    @pytest.mark.parametrize("most", [1, 2])
    def test_disabled(self, new, most):
        """R6: a disabled number is enrolled anew, in its place."""
        factor = new(a_config(max_phones=most, limits=Limits(consecutive=1)))
        factor.enrol()
        disable(factor)
        factor.enroller.adopt("alice", NUMBER)

        assert [NUMBER] == enrolled_numbers(factor)
        assert not factor.verifier.status("alice").locked
        assert factor.log_in()

    def test_in_use(self, new):
        """R16: as many users as allowed may have a number, adopted or enrolled, and a refusal costs no message."""
        factor = new(a_config(max_users_per_number=2))
        factor.enrol("bob")
        factor.enroller.adopt("carol", NUMBER)
        rejected(factor.enroller.adopt, "alice", NUMBER, error=PhoneInUse)
        rejected(factor.enroller.start, "alice", NUMBER, error=PhoneInUse)
        assert (False, 9) == (
            factor.verifier.status("alice").enrolled, factor.verifier.status("alice").sends_left,
        )  # fmt: skip
        factor.enroller.reset("carol")

        assert factor.enroller.adopt("alice", NUMBER)

    def test_frees(self, new):
        """R16: a number that an adopted one replaced is free for others."""
        factor = new(a_config(max_users_per_number=1))
        factor.enroller.adopt("alice", NUMBER)
        factor.enroller.adopt("alice", OTHER_NUMBER)

        assert factor.enroller.adopt("bob", NUMBER)
        rejected(factor.enroller.adopt, "bob", OTHER_NUMBER, error=PhoneInUse)

    def test_disabled_factor(self, new, factor):
        """Numbers can be adopted while the factor is off, and work when it is on."""
        off = over(new, factor, enabled=False)
        assert off.enroller.adopt("alice", NUMBER).recovery_codes

        assert factor.log_in()

    @pytest.mark.parametrize("guesses, consecutive", [(1, 100), (100, 1)])
    def test_locked(self, new, guesses, consecutive):
        """An adoption is not limited, and refills no limit."""
        limits = Limits(user=Limit(2, HOUR), guesses=Limit(guesses, HOUR), consecutive=consecutive)
        factor = new(a_config(limits=limits))
        factor.enrol()
        challenge = factor.verifier.challenge("alice")
        rejected(factor.verifier.verify, "alice", challenge.id, wrong(factor.outbox.code))
        factor.enroller.adopt("alice", OTHER_NUMBER)
        status = factor.verifier.status("alice")

        assert (0, guesses - 1) == (status.sends_left, status.guesses_left)
        assert [OTHER_NUMBER] == enrolled_numbers(factor)

    @pytest.mark.parametrize(
        "number, reason",
        [("", "malformed"), ("4155552671", "no_region"), ("+442083661177", "region"), ("+18005551212", "type")],
    )
    def test_refuses_number(self, factor, number, reason):
        """A number that could not enrol cannot be adopted."""
        assert reason == rejected(factor.enroller.adopt, "alice", number, error=PhoneNumberError).reason
        assert not factor.verifier.status("alice").enrolled

    @pytest.mark.parametrize("parse", [PhoneNumber.parse, phonenumbers.parse])
    def test_parsed_number(self, factor, parse):
        """A parsed number can be adopted."""
        assert NUMBER == factor.enroller.adopt("alice", parse(NUMBER)).phone.e164

    @pytest.mark.parametrize("number", [None, 14155552671, b"+14155552671"])
    def test_refuses_type(self, factor, number):
        """An object that is neither text nor a parsed number is a TypeError."""
        rejected(factor.enroller.adopt, "alice", number, error=TypeError)

    def test_drops_pending(self, new):
        """R17: a number that was pending before the adoption needed no proof, so its code confirms nothing."""
        factor = new(a_config(max_phones=2))
        pending = factor.enroller.start("alice", OTHER_NUMBER)
        factor.enroller.adopt("alice", NUMBER)
        rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code)
        rejected(factor.enroller.resend, "alice", pending.id)

        assert [NUMBER] == enrolled_numbers(factor)

    def test_keeps_pending(self, new):
        """An adoption that changes nothing or is refused does not change a pending number."""
        factor = new(a_config(max_phones=2, max_users_per_number=1))
        token = factor.enrol().verification.token
        factor.enrol("bob", THIRD_NUMBER)
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)
        factor.enroller.adopt("alice", NUMBER)
        rejected(factor.enroller.adopt, "alice", THIRD_NUMBER, error=PhoneInUse)

        assert OTHER_NUMBER == factor.enroller.confirm("alice", pending.id, factor.outbox.code).phone.e164

    def test_renumbering(self, new):
        """Stored numbers follow a country's renumbering if each new number is adopted in place of the old one."""
        factor = new(a_config(max_phones=2))
        factor.enroller.adopt("alice", NUMBER)
        factor.enroller.adopt("alice", OTHER_NUMBER)
        moved = {NUMBER: "+12135552671", OTHER_NUMBER: "+12135552672"}
        for _ in range(2):
            for phone in factor.verifier.status("alice").phones:
                if phone.e164 in moved:
                    factor.enroller.adopt("alice", moved[phone.e164], replace=phone.id, enrolled_at=phone.enrolled_at)

        assert list(moved.values()) == enrolled_numbers(factor)
        assert 1 == factor.verifier.status("alice").recovery_codes_left


class TestPrefer:
    """The user chooses the number that gets codes."""

    @pytest.fixture
    def factor(self, new):
        """A factor with three numbers of alice, and a proof."""
        factor = new(a_config(max_phones=3))
        token = None
        for number in NUMBER, OTHER_NUMBER, THIRD_NUMBER:
            enrollment = factor.enrol(number=number, proof=token)
            token = enrollment.verification.token
        factor.token = token
        factor.ids = [phone.id for phone in factor.verifier.status("alice").phones]
        return factor

    @pytest.mark.parametrize(
        "place, expected",
        [
            (0, [NUMBER, OTHER_NUMBER, THIRD_NUMBER]),
            (1, [OTHER_NUMBER, NUMBER, THIRD_NUMBER]),
            (2, [THIRD_NUMBER, NUMBER, OTHER_NUMBER]),
        ],
    )
    def test_first(self, factor, place, expected):
        """The number becomes the first, the others keep their order, and codes go to it."""
        assert factor.enroller.prefer("alice", factor.ids[place], proof=factor.token) is None

        assert expected == enrolled_numbers(factor)
        assert expected[0] == factor.verifier.challenge("alice").phone.e164

    def test_keeps(self, factor):
        """Challenges, recovery codes and proofs stay good, and nothing is sent or charged."""
        login = factor.verifier.challenge("alice")
        before = factor.verifier.status("alice")
        factor.enroller.prefer("alice", factor.ids[2], proof=factor.token)
        factor.enroller.prefer("alice", factor.ids[1], proof=factor.token)
        after = factor.verifier.status("alice")

        assert (before.challenges, before.sends_left, before.recovery_codes_left) == (
            after.challenges, after.sends_left, after.recovery_codes_left,
        )  # fmt: skip
        assert factor.verifier.verify("alice", login.id, factor.outbox.code)

    @pytest.mark.parametrize("phone_id", ["nobody's", "", None, 7])
    def test_unknown(self, factor, phone_id):
        """A number that the user does not have cannot be the first."""
        rejected(factor.enroller.prefer, "alice", phone_id, proof=factor.token, error=NotEnrolled)

        assert [NUMBER, OTHER_NUMBER, THIRD_NUMBER] == enrolled_numbers(factor)

    def test_others_number(self, factor):
        """T8: another user's number cannot be the first, and another user's proof is refused."""
        other = factor.enrol("bob")
        rejected(factor.enroller.prefer, "alice", other.phone.id, proof=factor.token, error=NotEnrolled)

        rejected(factor.enroller.prefer, "alice", factor.ids[1], proof=other.verification.token, error=ProofRequired)

    def test_stranger(self, factor):
        """A user without numbers cannot prefer one."""
        rejected(factor.enroller.prefer, "nobody", factor.ids[0], proof=None, error=NotEnrolled)

    def test_disabled(self, new):
        """R6: a disabled number that is the first stays disabled, and codes go to the next."""
        factor = new(a_config(max_phones=2, limits=Limits(consecutive=1)))
        first = factor.enrol()
        factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
        disable(factor)
        token = factor.verifier.recover("alice", first.recovery_codes[0]).token
        factor.enroller.prefer("alice", first.phone.id, proof=token)

        assert OTHER_NUMBER == factor.verifier.challenge("alice").phone.e164


class TestReset:
    """The operator resets a user."""

    def test_forgets(self, factor):
        """R19: a reset drops numbers, challenges, the pending number and recovery codes, without a proof."""
        enrollment = factor.enrol()
        login = factor.verifier.challenge("alice")
        its_code = factor.outbox.code
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=enrollment.verification.token)
        factor.enroller.reset("alice")
        status = factor.verifier.status("alice")

        assert (False, (), (), 0) == (status.enrolled, status.phones, status.challenges, status.recovery_codes_left)
        rejected(factor.verifier.verify, "alice", login.id, its_code)
        rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code)
        rejected(factor.verifier.recover, "alice", enrollment.recovery_codes[0], error=NotEnrolled)
        assert 1 == len(factor.enrol().recovery_codes)

    def test_erases(self, new):
        """R31: a reset leaves no number of the user in the store, enrolled or pending."""
        factor = new(store=Noting())
        token = factor.enrol().verification.token
        factor.enroller.start("alice", OTHER_NUMBER, proof=token)
        stored = [int(number[1:]).to_bytes(8, "big") for number in (NUMBER, OTHER_NUMBER)]
        before = factor.store.dump()
        factor.enroller.reset("alice")
        after = factor.store.dump()

        assert [True, True] == [number in before for number in stored]
        assert [False, False] == [number in after for number in stored]

    def test_keeps_limits(self, factor):
        """T2: a reset refills no bucket of the user or the number."""
        pending = factor.enroller.start("alice", NUMBER)
        guess_wrong(factor, pending, 3)
        factor.enroller.confirm("alice", pending.id, factor.outbox.code)
        rejected(factor.verifier.recover, "alice", "0" * 24)
        factor.enroller.reset("alice")
        status = factor.verifier.status("alice")

        assert (9, 17) == (status.sends_left, status.guesses_left)
        factor.enrol()
        assert 8 == rejected(factor.verifier.recover, "alice", "0" * 24).attempts_left
        factor = over(type(factor), factor, limits=Limits(unverified=Limit(2, HOUR)))
        assert ("number", HOUR) == limited(factor.enroller.start, "bob", NUMBER)

    def test_pending_only(self, factor):
        """A reset drops a pending number."""
        pending = factor.enroller.start("alice", NUMBER)
        factor.enroller.reset("alice")

        rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code)

    def test_stranger(self, factor):
        """A reset of an unknown user is no error."""
        assert factor.enroller.reset("nobody") is None

    def test_proof_is_older(self, factor):
        """R17: a proof from before a reset is refused for numbers enrolled after it."""
        before = factor.enrol().verification.token
        factor.enroller.reset("alice")
        factor.enrol()

        rejected(factor.enroller.start, "alice", OTHER_NUMBER, proof=before, error=ProofRequired)


def start(factor, token):
    """Begin to change the number of alice."""
    return factor.enroller.start("alice", OTHER_NUMBER, proof=token)


def remove(factor, token):
    """Remove the number of alice."""
    return factor.enroller.remove("alice", factor.verifier.status("alice").phones[0].id, proof=token)


def prefer(factor, token):
    """Make the number of alice the first."""
    return factor.enroller.prefer("alice", factor.verifier.status("alice").phones[0].id, proof=token)


def new_codes(factor, token):
    """Draw new recovery codes for alice."""
    return factor.enroller.new_recovery_codes("alice", proof=token)


@pytest.mark.parametrize("change", [start, remove, prefer, new_codes])
class TestProof:
    """Once a user has a number, changing anything takes a proof."""

    @pytest.fixture
    def token(self, factor):
        """Enrol alice and return the token of the enrolment."""
        return factor.enrol().verification.token

    def test_enrollment(self, factor, token, change):
        """The verification of an enrolment is a proof for what comes after it."""
        change(factor, token)

    @pytest.mark.parametrize("purpose", ["login", "manage"])
    def test_verification(self, factor, token, change, purpose):
        """A verification for login, or for managing the enrolment, is a proof."""
        change(factor, factor.log_in(purpose=purpose).token)

    def test_recovery(self, factor, change):
        """A recovery is a proof, so that a lost phone can be replaced."""
        recovery_code = factor.enrol().recovery_codes[0]

        change(factor, factor.verifier.recover("alice", recovery_code).token)

    @pytest.mark.parametrize("forged", [None, "", "no token", "é" * 44, b"bytes", 7, "A" * 1_000_000])
    def test_missing(self, factor, token, change, forged):
        """R17, R21: without a proof, and with what is none, a change is refused before any limit is charged."""
        sends = factor.verifier.status("alice").sends_left

        rejected(change, factor, forged, error=ProofRequired)
        assert sends == factor.verifier.status("alice").sends_left
        assert 1 == factor.outbox.calls

    def test_altered(self, factor, token, change):
        """R17, T10: a token with any character changed is no proof."""
        for place in range(len(token)):
            other = "A" if token[place] != "A" else "B"
            rejected(change, factor, token[:place] + other + token[place + 1 :], error=ProofRequired)

    def test_stale(self, factor, token, change):
        """R17: a proof is good for exactly 10 minutes."""
        factor.clock.move(minutes=10, microseconds=1)
        rejected(change, factor, token, error=ProofRequired)
        factor.clock.move(microseconds=-1)

        change(factor, token)

    def test_future(self, factor, token, change):
        """R17, T17: a proof from a clock up to a minute ahead is accepted, and no later one."""
        factor.clock.move(minutes=-1, microseconds=-1)
        rejected(change, factor, token, error=ProofRequired)
        factor.clock.move(microseconds=1)

        change(factor, token)

    @pytest.mark.parametrize("bound", [{"purpose": "payment"}, {"details": {"_amount": "10"}}])
    def test_other_purpose(self, factor, token, change, bound):
        """R17: a verification for something else, or with details, is no proof."""
        rejected(change, factor, factor.log_in(**bound).token, error=ProofRequired)

    def test_other_user(self, factor, token, change):
        """R17, T8: the proof of another user is no proof."""
        others = factor.enrol("bob").verification.token

        rejected(change, factor, others, error=ProofRequired)

    def test_before_a_change(self, factor, token, change):
        """R17: a proof from before the last change of the user's numbers is refused, even a fresh one."""
        factor.enrol(number=THIRD_NUMBER, proof=token)

        rejected(change, factor, token, error=ProofRequired)

    def test_before_a_removal(self, new, change):
        """R17: a proof from before a removal is refused for the numbers that are left."""
        factor = new(a_config(max_phones=2))
        first = factor.enrol()
        second = factor.enrol(number=THIRD_NUMBER, proof=first.verification.token)
        factor.enroller.remove("alice", first.phone.id, proof=second.verification.token)

        rejected(change, factor, second.verification.token, error=ProofRequired)

    def test_rotated(self, new, factor, token, change):
        """A proof under a listed secret is accepted."""
        change(over(new, factor, secret=["the next secret, which is long enough", SECRET]), token)

    def test_retired(self, new, factor, token, change):
        """R12, R17: a proof under a retired secret is no proof."""
        retired = over(new, factor, secret="the next secret, which is long enough")

        rejected(change, retired, token, error=ProofRequired)


@pytest.mark.parametrize("name", ["start", "resend", "confirm", "prefer", "new_recovery_codes"])
def test_disabled_factor(new, factor, name):
    """If the factor is off, nothing is sent, checked, returned or charged."""
    token = factor.enrol().verification.token
    pending = factor.enroller.start("alice", OTHER_NUMBER, proof=token)
    off = over(new, factor, enabled=False)
    calls = {
        "start": (off.enroller.start, "alice", NUMBER),
        "resend": (off.enroller.resend, "alice", pending.id),
        "confirm": (off.enroller.confirm, "alice", pending.id, factor.outbox.code),
        "prefer": (off.enroller.prefer, "alice", factor.verifier.status("alice").phones[0].id),
        "new_recovery_codes": (off.enroller.new_recovery_codes, "alice"),
    }
    before = factor.verifier.status("alice")

    rejected(
        *calls[name], error=FactorDisabled, **({"proof": token} if name in {"prefer", "new_recovery_codes"} else {})
    )
    assert before == factor.verifier.status("alice")
    assert 0 == off.outbox.calls


def test_disabled_factor_lets_go(new, factor):
    """If the factor is off, users can be reset, and numbers can be removed with a valid proof."""
    enrollment = factor.enrol()
    factor.enrol("bob")
    off = over(new, factor, enabled=False)

    rejected(off.enroller.remove, "alice", enrollment.phone.id, proof=None, error=ProofRequired)
    off.enroller.remove("alice", enrollment.phone.id, proof=enrollment.verification.token)
    off.enroller.reset("bob")
    assert [False, False] == [factor.verifier.status(user).enrolled for user in ("alice", "bob")]


def test_retired_secret_loses_pending(new, factor):
    """R12: a number pending under a retired secret cannot be confirmed, and gets a new code on request."""
    pending = factor.enroller.start("alice", NUMBER)
    retired = over(new, factor, secret="the next secret, which is long enough")

    rejected(retired.enroller.confirm, "alice", pending.id, factor.outbox.code, error=CodeExpired)
    again = retired.enroller.resend("alice", pending.id)
    assert retired.enroller.confirm("alice", again.id, retired.outbox.code)


def test_rotated_secret_keeps_pending(new, factor):
    """R12: a pending number is confirmed, and its code resent, under the secret that made the code."""
    pending = factor.enroller.start("alice", NUMBER)
    rotated = over(new, factor, secret=["the next secret, which is long enough", SECRET])
    factor.clock.move(seconds=30)
    rotated.enroller.resend("alice", pending.id)

    assert factor.outbox.code == rotated.outbox.code
    assert rotated.enroller.confirm("alice", pending.id, factor.outbox.code)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=3650)])
def test_clock_jump(factor, jump):
    """T17: after a jump of the clock the pending code is dead, and a new one works."""
    pending = factor.enroller.start("alice", NUMBER)
    factor.clock.move(seconds=jump.total_seconds())

    rejected(factor.enroller.confirm, "alice", pending.id, factor.outbox.code, error=CodeExpired)
    assert factor.enrol()


class TestChannels:
    """A number can be confirmed by a call or by WhatsApp as well."""

    def test_start(self, factor):
        """The message uses the channel that was asked for, and a resend the same or another."""
        pending = factor.enroller.start("alice", NUMBER, channel="whatsapp")
        assert ("whatsapp", "whatsapp") == (pending.channel, factor.outbox.messages[-1].channel)
        for channel, expected in (None, "whatsapp"), ("voice", "voice"):
            factor.clock.move(seconds=30)
            assert expected == factor.enroller.resend("alice", pending.id, channel=channel).channel
            assert expected == factor.outbox.messages[-1].channel

        assert "voice" == factor.enroller.confirm("alice", pending.id, factor.outbox.code).verification.method

    @pytest.mark.parametrize("channel, error", [("fax", ValueError), (7, TypeError)])
    def test_unknown(self, factor, channel, error):
        """An unknown channel is refused first."""
        pending = factor.enroller.start("alice", NUMBER)
        factor.clock.move(seconds=30)

        rejected(factor.enroller.start, "alice", OTHER_NUMBER, channel=channel, error=error)
        rejected(factor.enroller.resend, "alice", pending.id, channel=channel, error=error)
        assert 1 == factor.outbox.calls
