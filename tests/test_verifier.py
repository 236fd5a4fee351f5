"""Login: who is let in, and who is not, with both twins."""

from collections import UserDict
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from support import NUMBER, OTHER_NUMBER, SECRET, AsyncFactor, Factor, a_config, limited, rejected, wrong

from smsmfa import (
    AlreadyEnrolled,
    CodeExpired,
    CodeGenerator,
    CodeMalformed,
    CodeUsed,
    FactorDisabled,
    Limit,
    Limits,
    Locked,
    MemoryStore,
    NotEnrolled,
    ProofRequired,
    RateLimited,
)
from smsmfa.core.records import user_key
from smsmfa.typing import Entry

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEXT_SECRET = "the next secret of the tests, long enough to be one"
NO_RECOVERY_CODE = "0000-0000-0000-0000-0000-0000"


@pytest.fixture(params=[Factor, AsyncFactor])
def new(request):
    """Make a factor of threads, then one of asyncio."""
    return request.param


@pytest.fixture
def factor(new):
    """A factor with the default configuration, alice enrolled, and no messages yet."""
    return enrolled(new())


def enrolled(factor, user_id="alice"):
    """Enrol a user, and delete the message and the event."""
    factor.enrollment = factor.enrol(user_id)
    factor.outbox.messages.clear()
    factor.outbox.calls = 0
    factor.events.clear()
    return factor


def over(factor, **arguments):
    """Return a factor with another configuration over the same records and clock."""
    return type(factor)(a_config(**arguments), store=factor.store, clock=factor.clock)


def limits(**arguments):
    """Return a configuration with these limits."""
    return a_config(limits=Limits(**arguments))


def guess_wrong(factor, challenge, times=1, **named):
    """Answer a challenge wrong, and return the attempts left after each wrong code."""
    code, verify = wrong(factor.outbox.code), factor.verifier.verify
    return [rejected(verify, challenge.user_id, challenge.id, code, **named).attempts_left for _ in range(times)]


def left(factor, user_id="alice"):
    """Return how many messages and guesses a user has left."""
    status = factor.verifier.status(user_id)
    return status.sends_left, status.guesses_left


def copy_user(one, other):
    """Copy the record of alice from one tenant to another."""
    value = one.store.read(user_key("alice", one.config.key_prefix))
    key = user_key("alice", other.config.key_prefix)
    other.store.update([key], lambda _: ({key: Entry(value)}, None))


class Counting(MemoryStore):
    """A store that records its calls."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def read(self, key):
        self.calls.append("read")
        return super().read(key)

    def update(self, keys, change):
        self.calls.append("update")
        return super().update(keys, change)


class TestChallenge:
    """A code is sent to an enrolled number."""

    def test_returns_challenge(self, factor):
        """A challenge says where the code went, for what, and when it expires and can be resent."""
        challenge = factor.verifier.challenge("alice")

        assert ("alice", NUMBER, "login") == (challenge.user_id, challenge.phone.e164, challenge.purpose)
        assert timedelta(minutes=5) == challenge.expires_at - factor.clock.datetime
        assert timedelta(seconds=30) == challenge.resend_at - factor.clock.datetime
        assert (True, False) == (challenge.sent, challenge.uncertain)

    def test_sends_message(self, factor):
        """The message goes to the number, names its challenge, expiry and locale, and has the code in that language."""
        challenge = factor.verifier.challenge("alice", locale="pt-BR")
        [message] = factor.outbox.messages

        assert ("verification", "sms", "pt-BR") == (message.kind, message.channel, message.locale)
        assert (challenge.phone, challenge.id) == (message.to, message.challenge_id)
        assert challenge.expires_at == message.expires_at
        assert "pt-BR" == message.language
        assert f"{factor.outbox.code} é seu código de verificação para Acme" == message.text

    def test_id_and_code(self, factor):
        """R10, T10: an id has 128 random bits, and no value for the application has the code."""
        challenge = factor.verifier.challenge("alice")
        other = factor.verifier.challenge("alice", purpose="payment")

        assert (16, 16) == (len(bytes.fromhex(challenge.id)), len(bytes.fromhex(other.id)))
        assert challenge.id != other.id
        assert factor.outbox.messages[0].code.reveal() not in repr(challenge)

    def test_other_length_and_lifetime(self, new):
        """The configuration sets how many digits a code has and how long it lives."""
        factor = enrolled(new(a_config(digits=8, lifetime=timedelta(minutes=2), resend_gap=timedelta(0))))
        challenge = factor.verifier.challenge("alice")

        assert (8, timedelta(minutes=2)) == (len(factor.outbox.code), challenge.expires_at - factor.clock.datetime)
        assert factor.verifier.resend("alice", challenge.id).sent
        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)

    def test_not_enrolled(self, new):
        """A user without an enrolled number, or who names another user's number, gets NotEnrolled."""
        factor = new()
        challenge = factor.verifier.challenge
        rejected(challenge, "nobody", error=NotEnrolled)
        factor.enroller.start("alice", NUMBER)
        rejected(challenge, "alice", error=NotEnrolled)
        phone_id = factor.enrol("bob").phone.id
        factor.enrol("carol")

        for other in phone_id, "", 7, []:
            rejected(challenge, "carol", phone_id=other, error=NotEnrolled)

    def test_chosen_number(self, new):
        """The first or the named number is challenged, and its challenge replaces the other number's at once."""
        factor = enrolled(new(a_config(max_phones=2)))
        second = factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)
        to_first = factor.verifier.challenge("alice")
        to_second = factor.verifier.challenge("alice", phone_id=second.phone.id)

        assert (NUMBER, OTHER_NUMBER) == (to_first.phone.e164, to_second.phone.e164)
        assert to_second.sent
        assert [to_second.id] == [live.id for live in factor.verifier.status("alice").challenges]

    def test_skips_disabled_number(self, new):
        """By default the first number that is not disabled is challenged, and a named disabled one is ``Locked``."""
        factor = enrolled(new(a_config(max_phones=2, limits=Limits(consecutive=1))))
        factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)
        guess_wrong(factor, factor.verifier.challenge("alice"))

        assert OTHER_NUMBER == factor.verifier.challenge("alice").phone.e164
        rejected(factor.verifier.challenge, "alice", phone_id=factor.enrollment.phone.id, error=Locked)
        assert not factor.verifier.status("alice").locked

    def test_double_click(self, factor):
        """Within the gap a second challenge about the same thing is the live one, and sends and charges nothing."""
        first = factor.verifier.challenge("alice", details={"_amount": "10", "_payee": "Bob"})
        factor.clock.move(seconds=30, microseconds=-1)
        second = factor.verifier.challenge("alice", details={"_payee": "Bob", "_amount": "10"})

        assert (first.id, first.expires_at, first.resend_at) == (second.id, second.expires_at, second.resend_at)
        assert (False, False) == (second.sent, second.uncertain)
        assert (1, (8, 20)) == (factor.outbox.calls, left(factor))

    def test_after_gap(self, factor):
        """R5, T4: after the gap a challenge makes a new code in place of the old one, which is dead at no cost."""
        first = factor.verifier.challenge("alice")
        its_code = factor.outbox.code
        factor.clock.move(seconds=30)
        second = factor.verifier.challenge("alice")

        assert second.sent
        assert [second.id] == [live.id for live in factor.verifier.status("alice").challenges]
        assert 0 == rejected(factor.verifier.verify, "alice", first.id, its_code).attempts_left
        assert (7, 20) == left(factor)
        assert factor.verifier.verify("alice", second.id, factor.outbox.code)

    @pytest.mark.parametrize("details", [None, {"_amount": "11"}, {"_payee": "10"}, {"_amount": "10", "_payee": "Bob"}])
    def test_other_details(self, factor, details):
        """R5, R24: other details have no gap, and make a new challenge in place of the old one."""
        first = factor.verifier.challenge("alice", details={"_amount": "10"})
        second = factor.verifier.challenge("alice", details=details)

        assert second.sent
        assert [second.id] == [live.id for live in factor.verifier.status("alice").challenges] != [first.id]

    def test_other_purpose(self, factor):
        """Another purpose has no gap, and its own challenge does not change the first one."""
        first = factor.verifier.challenge("alice")
        second = factor.verifier.challenge("alice", purpose="payment")
        to_first, to_second = (message.code.reveal() for message in factor.outbox.messages)

        assert second.sent
        assert factor.verifier.verify("alice", second.id, to_second, purpose="payment")
        assert factor.verifier.verify("alice", first.id, to_first)

    @pytest.mark.parametrize("ended", ["used", "exhausted", "expired"])
    def test_gap_of_the_living(self, new, ended):
        """If a challenge is used, exhausted or expired, the next one is sent at once."""
        gap = timedelta(minutes=2)
        factor = enrolled(new(a_config(lifetime=gap, resend_gap=gap)))
        challenge = factor.verifier.challenge("alice")
        if ended == "used":
            factor.verifier.verify("alice", challenge.id, factor.outbox.code)
        elif ended == "exhausted":
            guess_wrong(factor, challenge, 5)
        else:
            factor.clock.move(minutes=2)

        assert factor.verifier.challenge("alice").sent

    def test_empty_budget(self, new):
        """An empty guess budget is reported first and alone, with its wait, and no message is sent."""
        factor = enrolled(new(limits(guesses=Limit(1, HOUR), user=Limit(2, DAY), consecutive=1)))
        guess_wrong(factor, factor.verifier.challenge("alice"))
        factor.clock.move(minutes=20)
        wait = timedelta(minutes=40)

        assert ("guesses", wait) == limited(factor.verifier.challenge, "alice")
        assert ("guesses", wait) == limited(factor.verifier.challenge, "alice", phone_id="nobody's")
        assert ("guesses", wait) == limited(factor.verifier.resend, "alice", "nobody's")
        assert ("guesses", wait) == limited(factor.enroller.start, "alice", NUMBER)
        assert ("guesses", wait) == limited(factor.enroller.resend, "alice", "nobody's")
        assert ("guesses", wait) == limited(factor.enroller.confirm, "alice", "nobody's", "123456")
        assert ("guesses", wait) == limited(factor.verifier.verify, "alice", "nobody's", "123456")
        assert 1 == factor.outbox.calls

    def test_details_of_text(self, new):
        """R24, T32: the text shows the details; a missing, forbidden or hidden one is refused at no charge."""
        factor = enrolled(new(a_config(messages={"payment": "{{ code }}: pay {{ details.amount }}"})))
        pay = factor.verifier.challenge
        refused = None, {"payee": "Bob"}, {"amount": "www.evil.com"}, {"amount": "10\n"}, {"amount": "–" * 200}
        for details in *refused, {"amount": "10 EUR", "payee": "Bob"}, {"_amount": "10 EUR"}:
            rejected(pay, "alice", purpose="payment", details=details, error=ValueError)
        assert (0, (9, 20)) == (factor.outbox.calls, left(factor))
        pay("alice", purpose="payment", details={"amount": "10 EUR"})

        assert factor.outbox.messages[0].text.endswith(": pay 10 EUR")

    def test_many_purposes(self, new):
        """T19: a user's record stays small, because challenges for new purposes replace the oldest."""
        factor = enrolled(new(limits(user=Limit(100, HOUR), number=None)))
        challenges = [factor.verifier.challenge("alice", purpose=f"purpose {n}") for n in range(40)]

        live = factor.verifier.status("alice").challenges
        assert [challenge.id for challenge in challenges[-len(live) :]] == [challenge.id for challenge in live]
        assert 16 <= len(live) <= 32


class TestSendLimits:
    """Messages are charged to the user, the number and the total in one step."""

    @pytest.mark.parametrize("name, enrolment", [("user", 1), ("number", 0), ("total", 1)])
    def test_scope(self, new, name, enrolment):
        """R28: each limit is charged one for each message, and refuses with its own name and the exact wait."""
        factor = enrolled(new(limits(**{name: Limit(1 + enrolment, HOUR)})))
        factor.clock.move(minutes=10 * enrolment)
        factor.verifier.challenge("alice")
        factor.clock.move(minutes=20 - 10 * enrolment)

        assert (name, timedelta(minutes=40)) == limited(factor.verifier.challenge, "alice", purpose="payment")
        factor.clock.move(minutes=40, microseconds=-1)
        assert (name, timedelta(microseconds=1)) == limited(factor.verifier.challenge, "alice", purpose="payment")
        factor.clock.move(microseconds=1)
        assert factor.verifier.challenge("alice", purpose="payment").sent

    def test_ten_and_one_an_hour(self, factor):
        """R28: by default a user has ten messages and one more each hour, and a success gives none back."""
        for _ in range(9):
            factor.log_in()

        assert (0, 20) == left(factor)
        assert ("user", HOUR) == limited(factor.verifier.challenge, "alice")
        factor.clock.move(hours=1)
        factor.log_in()
        assert ("user", HOUR) == limited(factor.verifier.challenge, "alice")

    def test_number_across_users(self, new):
        """R28: a number's limit counts the messages of all its users, and another number has its own."""
        factor = enrolled(new(limits(number=Limit(2, HOUR))))
        factor.enrol("bob")
        factor.enrol("carol", OTHER_NUMBER)
        factor.verifier.challenge("alice")
        factor.verifier.challenge("bob", purpose="payment")

        assert ("number", HOUR) == limited(factor.verifier.challenge, "bob")
        assert factor.verifier.challenge("carol").sent

    def test_total(self, new):
        """R28, T23: the total counts all messages, and a total that never refills reports no wait."""
        factor = enrolled(new(limits(total=Limit(2, None))))
        factor.enrol("bob", OTHER_NUMBER)

        assert ("total", None) == limited(factor.verifier.challenge, "alice")
        factor.clock.move(days=365)
        assert ("total", None) == limited(factor.verifier.challenge, "bob")

    @pytest.mark.parametrize(
        "user, number, total, expected",
        [
            (HOUR, HOUR * 2, HOUR * 3, ("total", HOUR * 3)),
            (HOUR * 3, HOUR * 2, HOUR, ("user", HOUR * 3)),
            (HOUR, HOUR * 3, HOUR * 2, ("number", HOUR * 3)),
            (HOUR * 3, HOUR * 2, None, ("total", None)),
        ],
    )
    def test_longest_wait(self, new, user, number, total, expected):
        """If several limits refuse, the longest wait is reported, and an endless wait is the longest."""
        # a user's second message is the first one in the lane of confirmed numbers
        factor = enrolled(new(limits(user=Limit(2, user), number=Limit(1, number), total=Limit(2, total))))
        factor.verifier.challenge("alice")

        assert expected == limited(factor.verifier.challenge, "alice", purpose="payment")

    def test_refusal_charges_nothing(self, new):
        """R28: a message that one limit refuses is not charged to the others."""
        factor = enrolled(new(limits(user=Limit(2, DAY), number=Limit(2, HOUR), total=Limit(4, HOUR))))
        factor.verifier.challenge("alice")
        for _ in range(9):
            assert ("user", DAY) == limited(factor.verifier.challenge, "alice", purpose="payment")
        factor.enrol("bob")

        assert factor.verifier.challenge("bob").sent
        assert ("user", DAY) == limited(factor.verifier.challenge, "alice", purpose="payment")
        assert ("total", HOUR) == limited(factor.enroller.start, "carol", OTHER_NUMBER)

    def test_clock_jumped_back(self, new):
        """T17: after a jump back of ten years, a refusal stores the buckets as just empty, and they refill."""
        buckets = {name: Limit(2, HOUR) for name in ("user", "number", "total", "guesses", "recovery")}
        factor = enrolled(new(limits(**buckets)))
        guess_wrong(factor, factor.verifier.challenge("alice"))
        rejected(factor.verifier.recover, "alice", NO_RECOVERY_CODE)
        factor.clock.move(days=-3650)

        assert (0, 0) == left(factor)
        assert ("guesses", HOUR) == limited(factor.verifier.challenge, "alice")
        assert ("recovery", HOUR) == limited(factor.verifier.recover, "alice", NO_RECOVERY_CODE)
        factor.clock.move(hours=1)
        assert ("user", HOUR) == limited(factor.verifier.challenge, "alice")
        assert 0 == rejected(factor.verifier.recover, "alice", NO_RECOVERY_CODE).attempts_left
        factor.clock.move(hours=1)
        assert factor.verifier.challenge("alice").sent

    @pytest.mark.parametrize("skew", [1, 30, 59, 60])
    @pytest.mark.parametrize("name", ["user", "number", "total"])
    def test_other_clocks(self, new, name, skew):
        """T30: hosts whose clocks differ by up to a minute together admit no more than the limit allows."""
        capacity, refill, minutes = 10, timedelta(seconds=20), 10
        many = {"user": Limit(10_000, HOUR), "number": None, "unverified": None, "total": None}
        arguments = {"limits": Limits(**many | {name: Limit(capacity, refill)}), "resend_gap": timedelta(0)}
        slow = enrolled(new(a_config(**arguments)))
        fast = type(slow)(slow.config, store=slow.store, clock=type(slow.clock)(slow.clock.now + skew * 10**9))
        admitted = 0
        for number in range(minutes * 30):
            for host in slow, fast:
                with suppress(RateLimited):
                    admitted += host.verifier.challenge("alice", purpose=f"purpose {number % 7}").sent
                host.clock.move(seconds=2)

        assert admitted <= capacity + (timedelta(minutes=minutes) + timedelta(seconds=skew)) // refill

    @pytest.mark.parametrize("jump", [-1, 87600])
    def test_clock_gives_nothing(self, factor, jump):
        """T17: a clock that jumps back gives no message back, and a jump of ten years ahead fills the bucket."""
        factor.verifier.challenge("alice")
        factor.clock.move(hours=jump)

        assert (True, True) == (left(factor)[0] <= (8 if jump < 0 else 10), left(factor)[1] <= 20)


class TestResend:
    """The same code is sent again, or a dead one is renewed."""

    @pytest.mark.parametrize("seconds", [10, 59, 60, 61, 89, 3600])
    def test_clock_set_back(self, factor, seconds):
        """T17: after the clock was set back, a resend works from ``resend_at`` on."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=1)
        factor.verifier.resend("alice", challenge.id)
        factor.clock.move(seconds=-seconds)
        [shown] = factor.verifier.status("alice").challenges or [None]
        if shown is None:  # the code itself is from the future
            rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeExpired)
            return
        wait = shown.resend_at - factor.clock.datetime
        assert wait <= timedelta(seconds=90)
        if wait:
            assert ("resend", wait) == limited(factor.verifier.resend, "alice", challenge.id)
            assert not factor.verifier.challenge("alice").sent
            factor.clock.move(seconds=wait.total_seconds())

        assert factor.verifier.resend("alice", challenge.id).sent

    def test_gap(self, factor):
        """Within the gap a resend is refused with the exact wait, and nothing is sent or charged."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(seconds=10)

        assert ("resend", timedelta(seconds=20)) == limited(factor.verifier.resend, "alice", challenge.id)
        factor.clock.move(seconds=20, microseconds=-1)
        assert ("resend", timedelta(microseconds=1)) == limited(factor.verifier.resend, "alice", challenge.id)
        assert (1, (8, 20)) == (factor.outbox.calls, left(factor))

    def test_repeats(self, factor):
        """R4, R5: after the gap the same text goes out under the same expiry and attempts, and a new gap begins."""
        bound = {"purpose": "payment", "details": {"_amount": "10"}}
        challenge = factor.verifier.challenge("alice", locale="fr", **bound)
        guess_wrong(factor, challenge, 3, **bound)
        factor.clock.move(seconds=30)
        again = factor.verifier.resend("alice", challenge.id)
        first, second = factor.outbox.messages

        assert (challenge.id, challenge.expires_at, True) == (again.id, again.expires_at, again.sent)
        assert ("payment", timedelta(seconds=30)) == (again.purpose, again.resend_at - factor.clock.datetime)
        assert (first.text, first.expires_at, first.locale) == (second.text, second.expires_at, second.locale)
        assert [1, 0] == guess_wrong(factor, challenge, 2, **bound)
        assert (7, 15) == left(factor)

    def test_either_message_is_good(self, factor):
        """A late message has the same code as the one that was sent after it."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=1)
        factor.verifier.resend("alice", challenge.id)

        assert factor.verifier.verify("alice", challenge.id, factor.outbox.messages[0].code.reveal())

    def test_challenge_within_gap_of_resend(self, factor):
        """The gap begins with the last message, so a challenge right after a resend sends nothing."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=1)
        factor.verifier.resend("alice", challenge.id)
        factor.clock.move(seconds=29)
        again = factor.verifier.challenge("alice")

        assert (challenge.id, False) == (again.id, again.sent)

    @pytest.mark.parametrize("dead", ["expired", "exhausted"])
    def test_renews(self, factor, dead):
        """R4: a resend of a dead challenge makes a new one about the same thing, and gives no guess back."""
        bound = {"purpose": "payment", "details": {"_amount": "10"}}
        challenge = factor.verifier.challenge("alice", locale="fr", **bound)
        guess_wrong(factor, challenge, 5 if dead == "exhausted" else 1, **bound)
        factor.clock.move(minutes=5 if dead == "expired" else 0)
        again = factor.verifier.resend("alice", challenge.id)

        assert challenge.id != again.id
        assert ("payment", timedelta(minutes=5)) == (again.purpose, again.expires_at - factor.clock.datetime)
        assert "fr" == factor.outbox.messages[-1].locale
        assert (15 if dead == "exhausted" else 19) == left(factor)[1]
        assert factor.verifier.verify("alice", again.id, factor.outbox.code, **bound)

    def test_renews_for_a_day(self, factor):
        """A dead challenge is renewed until a day after its expiry."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(days=1, minutes=5)
        rejected(factor.verifier.resend, "alice", challenge.id, error=CodeExpired)
        factor.clock.move(microseconds=-1)

        assert factor.verifier.resend("alice", challenge.id).sent

    def test_not_after_replacement(self, factor):
        """A replaced challenge cannot be renewed, and a renewed one can."""
        first = factor.verifier.challenge("alice")
        factor.clock.move(minutes=5)
        second = factor.verifier.resend("alice", first.id)
        rejected(factor.verifier.resend, "alice", first.id)
        factor.clock.move(minutes=5)

        assert factor.verifier.resend("alice", second.id).sent

    def test_unknown(self, factor):
        """A challenge that is unknown, used, another user's or for an enrolment cannot be resent."""
        used = factor.verifier.challenge("alice")
        factor.verifier.verify("alice", used.id, factor.outbox.code)
        factor.enrol("bob")
        others = factor.verifier.challenge("bob")
        pending = factor.enroller.start("carol", NUMBER)
        factor.clock.move(minutes=1)
        calls = factor.outbox.calls

        for user, challenge_id in ("alice", used.id), ("alice", others.id), ("carol", pending.id), ("nobody", "x"):
            assert 0 == rejected(factor.verifier.resend, user, challenge_id).attempts_left
        for challenge_id in None, 7, [], "x" * 1_000_000:
            assert 0 == rejected(factor.verifier.resend, "alice", challenge_id).attempts_left
        assert calls == factor.outbox.calls

    @pytest.mark.parametrize("minutes", [1, 5])
    def test_limits(self, new, minutes):
        """R28: the limits apply to a resend of a live or a dead challenge."""
        factor = enrolled(new(limits(number=Limit(1, HOUR))))
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=minutes)

        assert ("number", HOUR - timedelta(minutes=minutes)) == limited(factor.verifier.resend, "alice", challenge.id)

    def test_disabled_number(self, new):
        """R6: a disabled number gets no messages."""
        factor = enrolled(new(limits(consecutive=1)))
        challenge = factor.verifier.challenge("alice")
        guess_wrong(factor, challenge)

        rejected(factor.verifier.resend, "alice", challenge.id, error=Locked)

    def test_replaced_number(self, factor):
        """R19: a challenge for a number that the user no longer has cannot be resent."""
        challenge = factor.verifier.challenge("alice")
        factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)
        factor.clock.move(minutes=1)

        rejected(factor.verifier.resend, "alice", challenge.id)


class TestVerify:
    """The code lets its user through, once."""

    def test_returns_verification(self, factor):
        """A right code returns the user, the method, the time and the purpose, and no recovery codes."""
        proof = factor.log_in("alice", purpose="payment")

        assert ("alice", "sms", ("sms", "otp"), "payment") == (proof.user_id, proof.method, proof.amr, proof.purpose)
        assert (factor.clock.datetime, ()) == (proof.at, proof.recovery_codes)
        assert isinstance(proof.token, str)
        assert proof.token not in repr(proof)
        assert factor.clock.datetime == factor.verifier.status("alice").phones[0].last_used_at

    def test_accepted_once(self, factor):
        """R3, T5: a code is accepted once, and for ten minutes a second request is CodeUsed at no cost."""
        challenge = factor.verifier.challenge("alice")
        factor.verifier.verify("alice", challenge.id, factor.outbox.code)

        for verifier in factor.verifier, over(factor).verifier:
            for code in factor.outbox.code, wrong(factor.outbox.code):
                assert 0 == rejected(verifier.verify, "alice", challenge.id, code, error=CodeUsed).attempts_left
        factor.clock.move(minutes=10)
        rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeUsed)
        factor.clock.move(microseconds=1)
        assert 0 == rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code).attempts_left
        assert (8, 20) == left(factor)

    def test_used_for_whom(self, new):
        """R5, T8: only a request with the same user, purpose and details is CodeUsed, at no cost."""
        factor = enrolled(new(limits(guesses=Limit(1, HOUR))))
        bound = {"purpose": "payment", "details": {"_amount": "10"}}
        challenge = factor.verifier.challenge("alice", **bound)
        answer = (challenge.id, factor.outbox.code)
        factor.verifier.verify("alice", *answer, **bound)
        verify = factor.verifier.verify

        rejected(verify, "bob", *answer, **bound)
        for other in {}, {"purpose": "payment"}, bound | {"details": {"_amount": "11"}}, bound | {"purpose": "login"}:
            rejected(verify, "alice", *answer, **other)
        rejected(verify, "alice", *answer, **bound, error=CodeUsed)
        rejected(factor.enroller.confirm, "alice", *answer)
        guess_wrong(factor, factor.verifier.challenge("alice"))
        assert "guesses" == limited(verify, "alice", *answer, **bound)[0]

    @pytest.mark.parametrize("field", ["user", "challenge", "purpose", "details", "no details"])
    def test_bound(self, factor, field):
        """R5, R24, T8: a right code with another user, challenge, purpose or details is refused at no cost."""
        factor.enrol("bob")
        bound = {"purpose": "payment", "details": {"_amount": "10"}}
        challenge = factor.verifier.challenge("alice", **bound)
        code = factor.outbox.code
        other = factor.verifier.challenge("alice")
        answer = ("alice", challenge.id, code, bound)
        altered = {
            "user": ("bob", challenge.id, code, bound),
            "challenge": ("alice", other.id, code, bound),
            "purpose": ("alice", challenge.id, code, bound | {"purpose": "login"}),
            "details": ("alice", challenge.id, code, bound | {"details": {"_amount": "11"}}),
            "no details": ("alice", challenge.id, code, {"purpose": "payment"}),
        }
        *arguments, named = altered[field]
        before = left(factor)

        assert 0 == rejected(factor.verifier.verify, *arguments, **named).attempts_left
        assert before == left(factor)
        *arguments, named = answer
        assert factor.verifier.verify(*arguments, **named)

    def test_code_of_other_challenge(self, factor):
        """R5, T8: the code of one challenge is wrong for every other challenge."""
        payment = factor.verifier.challenge("alice", purpose="payment")
        its_code = factor.outbox.code
        login = factor.verifier.challenge("alice")
        assert its_code != factor.outbox.code

        assert 4 == rejected(factor.verifier.verify, "alice", login.id, its_code).attempts_left
        assert factor.verifier.verify("alice", payment.id, its_code, purpose="payment")

    def test_details_in_any_order(self, factor):
        """Details are compared as a mapping of any order and class, and an empty one means no details."""
        challenge = factor.verifier.challenge("alice", details={"_amount": "10", "_payee": "Bob"})
        reordered = UserDict({"_payee": "Bob", "_amount": "10"})
        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code, details=reordered)
        challenge = factor.verifier.challenge("alice", details={})

        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)

    def test_wrong_codes(self, factor):
        """R9, T1: a challenge allows five wrong codes, tells how many are left, and then refuses the right one."""
        challenge = factor.verifier.challenge("alice")

        assert [4, 3, 2, 1, 0, 0, 0] == guess_wrong(factor, challenge, 7)
        assert 0 == rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code).attempts_left
        assert 15 == left(factor)[1]

    def test_ten_thousand_guesses(self, factor):
        """T1: of ten thousand guesses at one challenge, five are compared."""
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        guesses = [number for number in range(10_000) if f"{number:06}" != code]
        for number in guesses:
            rejected(factor.verifier.verify, "alice", challenge.id, f"{number:06}")

        assert 15 == left(factor)[1]

    @pytest.mark.parametrize("attempts", [1, 10])
    def test_other_attempts(self, new, attempts):
        """A challenge allows as many wrong codes as configured."""
        factor = enrolled(new(a_config(attempts=attempts)))

        assert list(range(attempts))[::-1] == guess_wrong(factor, factor.verifier.challenge("alice"), attempts)

    def test_budget_across_sessions(self, new):
        """R4, R8, T2: resends, renewals, new challenges and other purposes share one budget of wrong codes."""
        factor = enrolled(new(limits(user=Limit(100, HOUR), number=None)))
        guesses = 0
        for round_ in range(3):
            challenge = factor.verifier.challenge("alice", purpose=f"purpose {round_}")
            guesses += len(guess_wrong(factor, challenge, 4, purpose=challenge.purpose))
            factor.clock.move(seconds=30)
            factor.verifier.resend("alice", challenge.id)
            guesses += len(guess_wrong(factor, challenge, 1, purpose=challenge.purpose))
            renewed = factor.verifier.resend("alice", challenge.id)
            assert factor.verifier.verify("alice", renewed.id, factor.outbox.code, purpose=challenge.purpose)
        last = factor.verifier.challenge("alice")

        assert (15, [4, 3, 2, 1, 0]) == (guesses, guess_wrong(factor, last, 5))
        assert "guesses" == limited(factor.verifier.challenge, "alice")[0]

    def test_sent_for_recovery(self, factor):
        """R22: a code for account recovery has the same length, lifetime and limits as any other."""
        exhausted = factor.verifier.challenge("alice", purpose="recovery")
        verify = partial(factor.verifier.verify, "alice", purpose="recovery")
        assert 6 == len(factor.outbox.code)
        assert [4, 3, 2, 1, 0] == guess_wrong(factor, exhausted, 5, purpose="recovery")
        rejected(verify, exhausted.id, factor.outbox.code)
        assert 15 == left(factor)[1]

        expired = factor.verifier.challenge("alice", purpose="recovery")
        factor.clock.move(minutes=5)
        rejected(verify, expired.id, factor.outbox.code, error=CodeExpired)

    def test_attempts_left_of_budget(self, new):
        """The attempts left are the smaller of the challenge's and the guess budget's."""
        factor = enrolled(new(limits(guesses=Limit(3, HOUR))))

        assert [2, 1, 0] == guess_wrong(factor, factor.verifier.challenge("alice"), 3)

    def test_empty_budget(self, new):
        """With an empty guess budget, the right code is refused as limited, not as wrong, and works later."""
        guesses = Limit(1, timedelta(minutes=4))
        factor = enrolled(new(limits(guesses=guesses)))
        challenge = factor.verifier.challenge("alice")
        guess_wrong(factor, challenge)
        factor.clock.move(minutes=1)
        verify = factor.verifier.verify

        assert factor.verifier.status("alice").locked
        assert ("guesses", timedelta(minutes=3)) == limited(verify, "alice", challenge.id, factor.outbox.code)
        factor.clock.move(minutes=3)
        assert verify("alice", challenge.id, factor.outbox.code)

    def test_success_is_free(self, factor):
        """R7: a right code costs no guess and refills nothing."""
        for _ in range(4):
            factor.log_in()
        assert 20 == left(factor)[1]
        challenge = factor.verifier.challenge("alice")
        guess_wrong(factor, challenge, 3)
        factor.verifier.verify("alice", challenge.id, factor.outbox.code)

        assert 17 == left(factor)[1]

    def test_expires(self, factor):
        """R2: a code is accepted until just before its expiry, and then refused at no cost."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=5)
        verify = factor.verifier.verify

        assert 0 == rejected(verify, "alice", challenge.id, factor.outbox.code, error=CodeExpired).attempts_left
        assert 20 == left(factor)[1]
        factor.clock.move(microseconds=-1)
        assert verify("alice", challenge.id, factor.outbox.code)

    def test_other_clocks(self, factor):
        """T17: a code is accepted from a minute before it was made, because clocks differ, and no earlier."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=-1, microseconds=-1)
        rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeExpired)
        factor.clock.move(microseconds=1)

        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)

    @pytest.mark.parametrize("hours", [-1, 87600])
    def test_clock_jump(self, factor, hours):
        """R2, T17: a jump of the clock prolongs no code and locks nobody out."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(hours=hours)

        rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeExpired)
        assert factor.log_in()

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "12_34_56", "+12345", "12345²", "O12345", 123456, None])
    def test_malformed(self, new, code):
        """T14: text that cannot be a code costs nothing, calls no store, and does not change the challenge."""
        factor = enrolled(new(store=Counting()))
        challenge = factor.verifier.challenge("alice")
        factor.store.calls.clear()
        error = rejected(factor.verifier.verify, "alice", challenge.id, code, error=CodeMalformed)

        assert (None, []) == (error.attempts_left, factor.store.calls)
        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)

    def test_megabyte(self, factor):
        """T26: a code of a megabyte is refused as malformed."""
        challenge = factor.verifier.challenge("alice")

        rejected(factor.verifier.verify, "alice", challenge.id, "1" * 1_000_000, error=CodeMalformed)

    @pytest.mark.parametrize("shift", [0x0660 - 0x30, 0xFF10 - 0x30])
    def test_other_scripts(self, factor, shift):
        """T14: digits of another script, with spaces and hyphens between them, are read as the code."""
        challenge = factor.verifier.challenge("alice")
        typed = " - ".join(chr(ord(digit) + shift) for digit in factor.outbox.code)

        assert factor.verifier.verify("alice", challenge.id, typed)

    def test_unknown_challenge(self, factor):
        """R9: an unknown challenge is rejected like a wrong code, and costs no guess."""
        for challenge_id in "nobody's", "", None, 7, [], "x" * 1_000_000:
            assert 0 == rejected(factor.verifier.verify, "alice", challenge_id, "123456").attempts_left
        assert 20 == left(factor)[1]

    @pytest.mark.parametrize("name", ["verify", "confirm"])
    def test_same_work(self, factor, monkeypatch, name):
        """R11, R30, T11: a check of an unknown challenge derives one code, like a check of a known one."""
        derive, derived = CodeGenerator.code, []
        monkeypatch.setattr(CodeGenerator, "code", lambda *bound: derived.append(bound) or derive(*bound))
        check = factor.verifier.verify if name == "verify" else factor.enroller.confirm
        live = factor.verifier.challenge("alice") if name == "verify" else factor.enroller.start("bob", OTHER_NUMBER)
        code, counts = wrong(factor.outbox.code), []
        for user_id, challenge_id in (live.user_id, live.id), (live.user_id, "nobody's"), ("nobody", live.id):
            derived.clear()
            rejected(check, user_id, challenge_id, code)
            counts.append(len(derived))

        assert [1, 1, 1] == counts


class TestLock:
    """A hundred wrong codes in a row disable a number."""

    CONFIG = Limits(user=Limit(100, HOUR), number=None, guesses=Limit(1000, HOUR))

    def test_hundred_failures(self, new):
        """R6: the hundredth failure in a row disables the number, and only recovery codes still work."""
        factor = enrolled(new(a_config(attempts=10, resend_gap=timedelta(0), limits=self.CONFIG)))
        for _ in range(9):
            guess_wrong(factor, factor.verifier.challenge("alice"), 10)
        challenge = factor.verifier.challenge("alice")
        guess_wrong(factor, challenge, 9)
        status = factor.verifier.status("alice")
        assert (False, False) == (status.phones[0].disabled, status.locked)

        assert [0] == guess_wrong(factor, challenge)
        status = factor.verifier.status("alice")
        assert (True, True, True) == (status.phones[0].disabled, status.locked, status.enrolled)
        rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=Locked)
        rejected(factor.verifier.challenge, "alice", error=Locked)
        assert factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])

    def test_right_code_of_live_challenge(self, new):
        """R6: a disabled number accepts no code, even with attempts left, at no cost."""
        factor = enrolled(new(limits(consecutive=2)))
        challenge = factor.verifier.challenge("alice")

        assert [4, 0] == guess_wrong(factor, challenge, 2)
        rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=Locked)
        assert 18 == left(factor)[1]

    def test_success_begins_anew(self, new):
        """R7: only a right code resets the count of failures in a row."""
        factor = enrolled(new(limits(consecutive=3)))
        for _ in range(2):
            challenge = factor.verifier.challenge("alice")
            guess_wrong(factor, challenge, 2)
            factor.verifier.verify("alice", challenge.id, factor.outbox.code)
        factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])
        guess_wrong(factor, factor.verifier.challenge("alice"), 2)
        factor.clock.move(minutes=5)

        assert [0] == guess_wrong(factor, factor.verifier.challenge("alice"))
        rejected(factor.verifier.challenge, "alice", error=Locked)

    def test_each_number(self, new):
        """R6: failures are counted for each number, and disabling one does not change the others."""
        factor = enrolled(new(a_config(max_phones=2, limits=Limits(consecutive=2))))
        second = factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)
        guess_wrong(factor, factor.verifier.challenge("alice"))
        guess_wrong(factor, factor.verifier.challenge("alice", phone_id=second.phone.id), 2)

        assert [False, True] == [phone.disabled for phone in factor.verifier.status("alice").phones]
        assert NUMBER == factor.verifier.challenge("alice").phone.e164


class TestUnlock:
    """The operator refills the guess and recovery buckets."""

    def test_refills(self, new):
        """An unlock refills the buckets of wrong codes and wrong recovery codes, and no bucket of messages."""
        factor = enrolled(new(limits(guesses=Limit(2, HOUR), recovery=Limit(1, DAY))))
        challenge = factor.verifier.challenge("alice")
        guess_wrong(factor, challenge, 2)
        rejected(factor.verifier.recover, "alice", NO_RECOVERY_CODE)
        assert factor.verifier.unlock("alice") is None

        assert (8, 2) == left(factor)
        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)
        assert factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])

    def test_attempts_stay_used(self, factor):
        """An unlock gives no attempt back to a challenge."""
        challenge = factor.verifier.challenge("alice")
        guess_wrong(factor, challenge, 5)
        factor.verifier.unlock("alice")

        rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code)

    def test_disabled_number_stays(self, new):
        """R6: an unlock does not revive a disabled number."""
        factor = enrolled(new(limits(consecutive=1)))
        guess_wrong(factor, factor.verifier.challenge("alice"))
        factor.verifier.unlock("alice")

        assert factor.verifier.status("alice").locked
        rejected(factor.verifier.challenge, "alice", error=Locked)

    def test_stranger(self, factor):
        """An unlock of an unknown user is no error."""
        assert factor.verifier.unlock("nobody") is None


class TestRecover:
    """A recovery code replaces a lost phone."""

    def test_returns_verification(self, factor):
        """R20: a recovery lets the user in, as a one-time password of RFC 8176, and returns a new recovery code."""
        proof = factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])

        assert ("alice", "recovery", ("otp",), "login") == (proof.user_id, proof.method, proof.amr, proof.purpose)
        assert (factor.clock.datetime, 1) == (proof.at, len(proof.recovery_codes))
        assert proof.recovery_codes[0] not in repr(proof)
        assert 1 == factor.verifier.status("alice").recovery_codes_left

    def test_accepted_once(self, factor):
        """R20, T6: a recovery code works once, and then its replacement works."""
        [code] = factor.enrollment.recovery_codes
        [replacement] = factor.verifier.recover("alice", code).recovery_codes

        assert 0 == rejected(factor.verifier.recover, "alice", code, error=CodeUsed).attempts_left
        rejected(factor.verifier.recover, "bob", code, error=NotEnrolled)
        factor.clock.move(minutes=10, microseconds=1)
        assert 9 == rejected(factor.verifier.recover, "alice", code).attempts_left
        assert factor.verifier.recover("alice", replacement)

    def test_others_stay(self, new):
        """R20: of several recovery codes only the used one is replaced."""
        factor = enrolled(new(a_config(recovery_codes=3)))
        first, second, third = factor.enrollment.recovery_codes
        factor.verifier.recover("alice", second)

        rejected(factor.verifier.recover, "alice", second, error=CodeUsed)
        assert factor.verifier.recover("alice", third)
        assert factor.verifier.recover("alice", first)
        assert 3 == factor.verifier.status("alice").recovery_codes_left

    def test_reading(self, factor):
        """A recovery code may have any case, spaces and hyphens, and O, I and L are read as 0, 1 and 1."""
        [code] = factor.enrollment.recovery_codes
        typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l") + "\n"

        assert factor.verifier.recover("alice", typed)

    def test_only_failures_are_charged(self, new):
        """R20: a user has ten wrong recovery codes and one more each day; right ones cost and refill nothing."""
        factor = enrolled(new())
        [code] = factor.enrollment.recovery_codes
        for tries in range(10):
            [code] = factor.verifier.recover("alice", code).recovery_codes
            assert 9 - tries == rejected(factor.verifier.recover, "alice", NO_RECOVERY_CODE).attempts_left
        factor.clock.move(hours=10)

        assert ("recovery", timedelta(hours=14)) == limited(factor.verifier.recover, "alice", code)
        factor.clock.move(hours=14)
        assert factor.verifier.recover("alice", code)

    @pytest.mark.parametrize(
        "code", ["", "123456", "0" * 23, "0" * 25, "U" * 24, "é" * 24, "0" * 1_000_000, None, 7, b"0" * 24]
    )
    def test_malformed(self, new, code):
        """T26: text that cannot be a recovery code costs nothing and calls no store."""
        factor = enrolled(new(limits(recovery=Limit(1, DAY)), store=Counting()))
        factor.store.calls.clear()
        error = rejected(factor.verifier.recover, "alice", code, error=CodeMalformed)

        assert (None, []) == (error.attempts_left, factor.store.calls)
        assert factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])

    def test_other_user(self, factor):
        """T8: another user's recovery code is wrong, and stays good for its own user."""
        factor.enrol("bob")

        assert 9 == rejected(factor.verifier.recover, "bob", factor.enrollment.recovery_codes[0]).attempts_left
        assert factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])

    def test_not_enrolled(self, factor):
        """A user without a number cannot recover, and is not charged."""
        rejected(factor.verifier.recover, "nobody", NO_RECOVERY_CODE, error=NotEnrolled)
        factor.enrol("nobody")

        assert 9 == rejected(factor.verifier.recover, "nobody", NO_RECOVERY_CODE).attempts_left

    def test_whatever_is_empty(self, new):
        """T18: recovery works with no message and no guess left."""
        factor = enrolled(new(limits(user=Limit(2, DAY), guesses=Limit(1, DAY))))
        guess_wrong(factor, factor.verifier.challenge("alice"))
        assert (0, 0) == left(factor)

        assert factor.verifier.recover("alice", factor.enrollment.recovery_codes[0])

    def test_any_secret(self, factor):
        """R20: recovery codes do not depend on the secret."""
        assert over(factor, secret=NEXT_SECRET).verifier.recover("alice", factor.enrollment.recovery_codes[0])


class TestCheckProof:
    """An application checks a proof for its own sensitive pages."""

    def test_returns_instant(self, factor):
        """A check of a good proof returns its time."""
        factor.clock.move(minutes=1)
        given = factor.clock.datetime
        token = factor.log_in().token
        factor.clock.move(minutes=5)

        assert given == factor.verifier.check_proof("alice", token)

    @pytest.mark.parametrize("purpose", ["login", "manage"])
    def test_purposes(self, factor, purpose):
        """Proofs of a login, of managing, of an enrolment and of a recovery are good."""
        tokens = [factor.enrollment.verification.token, factor.log_in(purpose=purpose).token]
        tokens.append(factor.verifier.recover("alice", factor.enrollment.recovery_codes[0]).token)

        assert [factor.clock.datetime] * 3 == [factor.verifier.check_proof("alice", token) for token in tokens]

    @pytest.mark.parametrize("proof", [None, "", "no token", b"bytes", 7, "A" * 1_000_000])
    def test_missing(self, factor, proof):
        """R17, R21: a missing or invalid proof is ProofRequired."""
        rejected(factor.verifier.check_proof, "alice", proof, error=ProofRequired)

    @pytest.mark.parametrize("about", [{"purpose": "payment"}, {"details": {"_amount": "10"}}])
    def test_other_purpose(self, factor, about):
        """R17: a verification for something else, or with details, is no proof."""
        rejected(factor.verifier.check_proof, "alice", factor.log_in(**about).token, error=ProofRequired)

    def test_other_user(self, factor):
        """R17, T8: another user's proof is no proof."""
        others = factor.enrol("bob").verification.token

        rejected(factor.verifier.check_proof, "alice", others, error=ProofRequired)

    @pytest.mark.parametrize("max_age", [timedelta(0), timedelta(seconds=90), timedelta(minutes=10)])
    def test_max_age(self, factor, max_age):
        """R17: a proof is good until it is older than ``max_age``."""
        token = factor.log_in().token
        factor.clock.move(seconds=max_age.total_seconds())
        assert factor.verifier.check_proof("alice", token, max_age=max_age)
        factor.clock.move(microseconds=1)

        rejected(factor.verifier.check_proof, "alice", token, max_age=max_age, error=ProofRequired)

    def test_default_age(self, factor):
        """R17: by default a proof is good for ten minutes."""
        token = factor.log_in().token
        factor.clock.move(minutes=10)
        assert factor.verifier.check_proof("alice", token)
        factor.clock.move(microseconds=1)

        rejected(factor.verifier.check_proof, "alice", token, error=ProofRequired)

    @pytest.mark.parametrize("max_age", [timedelta(minutes=10, microseconds=1), timedelta(seconds=-1), 60, None])
    def test_wrong_age(self, factor, max_age):
        """A ``max_age`` above ten minutes, below zero, or as a bare number is a ValueError."""
        token = factor.log_in().token

        rejected(factor.verifier.check_proof, "alice", token, max_age=max_age, error=ValueError)

    def test_future(self, factor):
        """R17, T17: a proof from a clock up to a minute ahead is good, and no later one."""
        token = factor.log_in().token
        factor.clock.move(minutes=-1)
        assert factor.verifier.check_proof("alice", token, max_age=timedelta(0))
        factor.clock.move(microseconds=-1)

        rejected(factor.verifier.check_proof, "alice", token, error=ProofRequired)

    def test_no_numbers(self, factor):
        """R17: no proof is good for a user without an enrolled number."""
        token = factor.enrollment.verification.token
        factor.enroller.remove("alice", factor.enrollment.phone.id, proof=token)
        pending = factor.enroller.start("bob", NUMBER)

        for user in "alice", "bob", "nobody":
            rejected(factor.verifier.check_proof, user, token, error=ProofRequired)
            rejected(factor.verifier.check_proof, user, pending.id, error=ProofRequired)

    @pytest.mark.parametrize("how", ["change", "remove", "adopt", "reset"])
    def test_after_a_change(self, new, how):
        """R17: a proof from before the numbers changed is no proof."""
        factor = enrolled(new(a_config(max_phones=2)))
        second = factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)
        token = second.verification.token
        if how == "change":
            factor.enrol(number="+14155552674", replace=second.phone.id, proof=token)
        elif how == "remove":
            factor.enroller.remove("alice", second.phone.id, proof=token)
        elif how == "adopt":
            factor.enroller.adopt("alice", "+14155552674", replace=second.phone.id)
        else:
            factor.enroller.reset("alice")
            factor.enroller.adopt("alice", NUMBER)

        rejected(factor.verifier.check_proof, "alice", token, error=ProofRequired)

    def test_kept(self, new):
        """A proof stays good after a new order of numbers, new recovery codes or a pending number."""
        factor = enrolled(new(a_config(max_phones=2)))
        second = factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)
        token = second.verification.token
        factor.enroller.prefer("alice", second.phone.id, proof=token)
        factor.enroller.new_recovery_codes("alice", proof=token)
        rejected(factor.enroller.start, "alice", "+14155552674", proof=token, error=AlreadyEnrolled)
        factor.enroller.start("alice", "+14155552674", replace=second.phone.id, proof=token)

        assert factor.verifier.check_proof("alice", token)

    def test_touches_nothing(self, new):
        """A check of a proof is one read, charges nothing, and works while the factor is off."""
        factor = enrolled(new(store=Counting()))
        token = factor.log_in().token
        before = left(factor)
        factor.store.calls.clear()

        assert over(factor, enabled=False).verifier.check_proof("alice", token)
        assert ["read"] == factor.store.calls
        assert before == left(factor)


class TestTwoStores:
    """Two stores with one secret are independent."""

    def test_proofs(self, new):
        """T28: with one secret over two stores, a token from one store changes nothing in the other."""
        here, there = new(), new()
        for factor in here, there:
            factor.enrollment = factor.enrol(7)
            factor.token = factor.log_in(7).token

        for factor, others in (here, there.token), (there, here.token), (there, here.enrollment.verification.token):
            rejected(factor.verifier.check_proof, 7, others, error=ProofRequired)
            rejected(factor.enroller.start, 7, OTHER_NUMBER, proof=others, error=ProofRequired)
            rejected(factor.enroller.new_recovery_codes, 7, proof=others, error=ProofRequired)
            rejected(factor.enroller.remove, 7, factor.enrollment.phone.id, proof=others, error=ProofRequired)
            rejected(factor.enroller.prefer, 7, factor.enrollment.phone.id, proof=others, error=ProofRequired)
            assert factor.verifier.check_proof(7, factor.token)

    def test_recreated(self, factor):
        """T28, R17: a token is refused for a record that was recreated, even by the same steps."""
        token = factor.log_in().token
        fresh = enrolled(type(factor)(clock=factor.clock))
        fresh.log_in()

        rejected(fresh.verifier.check_proof, "alice", token, error=ProofRequired)


class TestNamespace:
    """Tenants with one store and one secret share nothing else."""

    @pytest.fixture
    def tenants(self, new):
        """Two factors with one store, secret and clock, and alice enrolled in the first."""
        config = {"max_users_per_number": 1, "limits": Limits(total=Limit(20, HOUR), guesses=Limit(2, HOUR))}
        one = enrolled(new(a_config(namespace="one", **config)))
        return one, *(new(a_config(namespace=name, **config), store=one.store, clock=one.clock) for name in ("two", ""))

    def test_users_and_numbers(self, tenants):
        """T35: a user of one tenant is unknown to the others, and the number is free there."""
        one, *others = tenants
        for other in others:
            assert not other.verifier.status("alice").enrolled
            rejected(other.verifier.challenge, "alice", error=NotEnrolled)
            rejected(other.verifier.recover, "alice", one.enrollment.recovery_codes[0], error=NotEnrolled)
            assert other.enrol("bob")
            other.enroller.reset("alice")

        assert one.verifier.status("alice").enrolled

    def test_codes(self, tenants):
        """T35: a code or challenge of one tenant is refused by the other, even with the same record."""
        one, other, _ = tenants
        other.enrol()
        challenge = one.verifier.challenge("alice")
        rejected(other.verifier.verify, "alice", challenge.id, one.outbox.code)
        rejected(other.verifier.resend, "alice", challenge.id)
        own = other.verifier.challenge("alice")

        assert other.outbox.code != one.outbox.code
        assert other.verifier.verify("alice", own.id, other.outbox.code)
        assert one.verifier.verify("alice", challenge.id, one.outbox.code)

    def test_same_record(self, new):
        """T35: codes and proofs depend on the namespace, so a copied record gives neither."""
        one, other = (enrolled(new(a_config(namespace=name))) for name in ("one", "two"))
        challenge = one.verifier.challenge("alice")
        token = one.log_in(purpose="manage").token
        copy_user(one, other)

        assert [challenge.id] == [live.id for live in other.verifier.status("alice").challenges]
        code = one.outbox.messages[0].code.reveal()
        rejected(other.verifier.verify, "alice", challenge.id, code)
        rejected(other.verifier.check_proof, "alice", token, error=ProofRequired)
        assert one.verifier.check_proof("alice", token)

    def test_limits(self, tenants):
        """T35: messages, guesses, recovery attempts and the total are counted for each tenant."""
        one, other, _ = tenants
        other.enrol()
        for n in range(9):
            one.verifier.challenge("alice", purpose=f"purpose {n}")
        guess_wrong(one, one.verifier.status("alice").challenges[-1], 2, purpose="purpose 8")
        rejected(one.verifier.recover, "alice", NO_RECOVERY_CODE)

        assert (0, 0) == left(one)
        assert (9, 2) == left(other)
        assert 9 == rejected(other.verifier.recover, "alice", NO_RECOVERY_CODE).attempts_left
        for number in range(19):
            other.enroller.start(f"user {number}", f"+1415555{2600 + number}")
        assert "total" == limited(other.enroller.start, "one more", OTHER_NUMBER)[0]
        assert one.enroller.start("one more", OTHER_NUMBER).sent

    def test_proofs(self, tenants):
        """T28, T35: a proof of one tenant is refused by another, even for the same user id and number."""
        one, *others = tenants
        token = one.log_in().token
        for other in others:
            other.enrol()
            rejected(other.verifier.check_proof, "alice", token, error=ProofRequired)
            rejected(other.enroller.start, "alice", OTHER_NUMBER, proof=token, error=ProofRequired)

        assert one.verifier.check_proof("alice", token)

    @pytest.mark.parametrize("name", ["", "one", "two", "one:", "Zoë", "\ud800", "x" * 10_000])
    def test_any_name(self, new, name):
        """A namespace is any text, and different texts are different tenants."""
        factor = enrolled(new(a_config(namespace=name)))
        other = new(a_config(namespace=name + " "), store=factor.store, clock=factor.clock)

        assert factor.log_in()
        assert not other.verifier.status("alice").enrolled


class TestStatus:
    """The status of a user."""

    def test_challenge(self, factor):
        """A live challenge is found by its id."""
        challenge = factor.verifier.challenge("alice")
        found = factor.verifier.status("alice").challenge(challenge.id)

        assert (challenge.id, challenge.resend_at) == (found.id, found.resend_at)
        for unknown in "nobody's", "", None, 7:
            assert factor.verifier.status("alice").challenge(unknown) is None
        assert factor.verifier.status("nobody").challenge(challenge.id) is None
        factor.verifier.verify("alice", challenge.id, factor.outbox.code)
        assert factor.verifier.status("alice").challenge(challenge.id) is None

    def test_attempts_left(self, new):
        """Each listed challenge tells how many wrong codes it and the guess budget still allow."""
        factor = enrolled(new(limits(guesses=Limit(6, HOUR))))
        login, payment = (factor.verifier.challenge("alice", purpose=purpose) for purpose in ("login", "payment"))
        assert (None, None) == (login.attempts_left, payment.attempts_left)
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=factor.enrollment.verification.token)
        code = wrong(factor.outbox.messages[0].code.reveal())
        attempts = lambda: [one.attempts_left for one in factor.verifier.status("alice").challenges]  # noqa: E731

        assert [5, 5, 5] == attempts()
        rejected(factor.verifier.verify, "alice", login.id, code)
        assert [4, 5, 5] == attempts()
        rejected(factor.verifier.verify, "alice", login.id, code)
        assert [3, 4, 4] == attempts()
        rejected(factor.enroller.confirm, "alice", pending.id, wrong(factor.outbox.code))
        assert [3, 3, 3] == attempts()

    def test_stranger(self, new):
        """An unknown user is not enrolled and not locked, and has full buckets."""
        status = new().verifier.status("nobody")

        assert (True, False, False) == (status.enabled, status.enrolled, status.locked)
        assert ((), (), 10, 20, 0) == (
            status.phones, status.challenges, status.sends_left, status.guesses_left, status.recovery_codes_left,
        )  # fmt: skip

    def test_challenges(self, factor):
        """The live challenges are listed as they were returned, with ``sent`` false."""
        login = factor.verifier.challenge("alice")
        payment = factor.verifier.challenge("alice", purpose="payment")
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=factor.enrollment.verification.token)
        listed = factor.verifier.status("alice").challenges

        assert [login.id, payment.id, pending.id] == [challenge.id for challenge in listed]
        assert ["login", "payment", "enrollment"] == [challenge.purpose for challenge in listed]
        assert [NUMBER, NUMBER, OTHER_NUMBER] == [challenge.phone.e164 for challenge in listed]
        assert [(login.expires_at, login.resend_at)] * 3 == [(one.expires_at, one.resend_at) for one in listed]
        assert [False] * 3 == [challenge.sent for challenge in listed]

    @pytest.mark.parametrize("ended", ["used", "exhausted", "expired"])
    def test_dead_challenges(self, factor, ended):
        """A used, exhausted or expired challenge is not listed."""
        challenge = factor.verifier.challenge("alice")
        factor.enroller.start("bob", NUMBER)
        code = factor.outbox.messages[0].code.reveal()
        if ended == "used":
            factor.verifier.verify("alice", challenge.id, code)
        elif ended == "exhausted":
            for _ in range(5):
                rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))
        else:
            factor.clock.move(minutes=5)

        assert () == factor.verifier.status("alice").challenges
        assert (1 if ended != "expired" else 0) == len(factor.verifier.status("bob").challenges)

    def test_locked(self, new):
        """A user is locked exactly while the guess budget is empty, and can answer no code meanwhile."""
        factor = enrolled(new(limits(guesses=Limit(1, timedelta(minutes=1)))))
        guess_wrong(factor, challenge := factor.verifier.challenge("alice"))
        locked = factor.verifier.status("alice")
        factor.clock.move(minutes=1)
        status = factor.verifier.status("alice")

        assert (True, ()) == (locked.locked, locked.challenges)
        assert (False, [challenge.id]) == (status.locked, [live.id for live in status.challenges])

    def test_touches_nothing(self, new):
        """A status is one read, and works while the factor is off."""
        factor = enrolled(new(store=Counting()))
        factor.store.calls.clear()
        status = over(factor, enabled=False).verifier.status("alice")

        assert ((False, True), ["read"]) == ((status.enabled, status.enrolled), factor.store.calls)


@pytest.mark.parametrize("name", ["challenge", "resend", "verify", "recover"])
def test_disabled_factor(factor, name):
    """If the factor is off, nothing is sent, checked or charged."""
    challenge = factor.verifier.challenge("alice")
    off = over(factor, enabled=False)
    calls = {
        "challenge": ("alice",),
        "resend": ("alice", challenge.id),
        "verify": ("alice", challenge.id, factor.outbox.code),
        "recover": ("alice", factor.enrollment.recovery_codes[0]),
    }

    rejected(getattr(off.verifier, name), *calls[name], error=FactorDisabled)
    assert (0, (8, 20)) == (off.outbox.calls, left(factor))
    assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)


def test_rotated_secret(factor):
    """R12: a live challenge is resent and checked under the secret that made it, and new ones use the newest."""
    challenge = factor.verifier.challenge("alice")
    rotated = over(factor, secret=[NEXT_SECRET, SECRET])
    factor.clock.move(seconds=30)
    rotated.verifier.resend("alice", challenge.id)
    assert factor.outbox.code == rotated.outbox.code
    assert rotated.verifier.verify("alice", challenge.id, factor.outbox.code)

    fresh = rotated.verifier.challenge("alice")
    rejected(factor.verifier.verify, "alice", fresh.id, rotated.outbox.code, error=CodeExpired)
    assert over(factor, secret=NEXT_SECRET).verifier.verify("alice", fresh.id, rotated.outbox.code)


def test_retired_secret(factor):
    """R12: retiring a secret ends only the live challenges, which can be renewed."""
    challenge = factor.verifier.challenge("alice")
    guess_wrong(factor, challenge)
    before = factor.verifier.status("alice")
    retired = over(factor, secret=NEXT_SECRET)
    verify = retired.verifier.verify

    rejected(verify, "alice", challenge.id, factor.outbox.code, error=CodeExpired)
    after = retired.verifier.status("alice")
    assert ((challenge.id,), ()) == (tuple(live.id for live in before.challenges), after.challenges)
    assert (before.phones, before.sends_left, before.guesses_left, before.recovery_codes_left) == (
        after.phones, after.sends_left, after.guesses_left, after.recovery_codes_left,
    )  # fmt: skip
    renewed = retired.verifier.resend("alice", challenge.id)
    assert verify("alice", renewed.id, retired.outbox.code)


class TestChannels:
    """A code can also be sent by a call or WhatsApp, under the same limits."""

    def test_challenge(self, factor):
        """The message and the challenge name the channel."""
        challenge = factor.verifier.challenge("alice", channel="voice")

        assert ("voice", "voice") == (challenge.channel, factor.outbox.messages[-1].channel)
        other = factor.verifier.challenge("alice", purpose="payment")
        assert ("sms", "sms") == (other.channel, factor.outbox.messages[-1].channel)

    def test_resend(self, factor):
        """The same code is sent again by another channel, or by the same one if none is named."""
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        for channel in "voice", None:
            factor.clock.move(seconds=30)
            assert "voice" == factor.verifier.resend("alice", challenge.id, channel=channel).channel
            assert ("voice", code) == (factor.outbox.messages[-1].channel, factor.outbox.code)
        proof = factor.verifier.verify("alice", challenge.id, code)

        assert ("voice", ("tel", "otp")) == (proof.method, proof.amr)
        assert 6 == factor.verifier.status("alice").sends_left

    def test_within_gap(self, factor):
        """Within the gap, another channel sends nothing either."""
        challenge = factor.verifier.challenge("alice")

        assert (challenge.id, False) == (factor.verifier.challenge("alice", channel="voice").id, False)
        assert "resend" == limited(factor.verifier.resend, "alice", challenge.id, channel="voice")[0]
        assert 1 == factor.outbox.calls

    @pytest.mark.parametrize("channel, error", [("fax", ValueError), ("", ValueError), (7, TypeError)])
    def test_unknown(self, factor, channel, error):
        """An unknown channel is refused first."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(seconds=30)

        rejected(factor.verifier.challenge, "alice", channel=channel, error=error)
        rejected(factor.verifier.resend, "alice", challenge.id, channel=channel, error=error)
        assert (1, 8) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)


def test_same_work_for_strangers(new):
    """R30, T11: a challenge, a check and a status make the same store calls for enrolled and unknown users."""
    factor = enrolled(new(store=Counting()))
    calls = {}
    for user in "alice", "nobody":
        factor.store.calls.clear()
        with suppress(NotEnrolled):
            factor.verifier.challenge(user)
        rejected(factor.verifier.verify, user, "unknown", "123456")
        factor.verifier.status(user)
        calls[user] = list(factor.store.calls)

    assert ["read", "update", "update", "read"] == calls["alice"] == calls["nobody"]
