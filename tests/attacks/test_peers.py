"""Mistakes of other second factors, by name, which this package does not make."""

import hashlib
import logging
from collections import Counter
from datetime import timedelta
from itertools import count

import pytest
from support import NUMBER, OTHER_NUMBER, Factor, Outbox, a_config, wrong

from smsmfa import CodeGenerator, Enroller, Limit, Limits, MemoryStore, Verifier
from smsmfa.core import rules
from smsmfa.exceptions import (
    CodeExpired,
    CodeRejected,
    DeliveryRejected,
    DeliveryUncertain,
    ProofRequired,
    RateLimited,
    SenderMisconfigured,
    StoreError,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def factor():
    factor = Factor()
    factor.enrol()
    factor.clock.move(days=1)
    return factor


def rejected(check, *arguments, **keywords):
    """Make a check that must be refused, and return how many attempts are left."""
    with pytest.raises(CodeRejected) as refusal:
        check(*arguments, **keywords)
    return refusal.value.attempts_left


def until_limited(act):
    """Repeat something until a limit refuses, and return the limit's scope and the number of successes."""
    for done in count():
        try:
            act(done)
        except RateLimited as refusal:
            return refusal.scope, done
    return None


def use_up(check, challenge, code, **about):
    """Give wrong codes until no attempt is left, and yield the attempts left after each."""
    left = 1
    while left:
        left = rejected(check, challenge.user_id, challenge.id, wrong(code), **about)
        yield left


# --- codes: django-two-factor-auth, django-otp-twilio, Flask-Security, privacyIDEA, SuperTokens, Zitadel, authentik


def test_a_code_is_not_accepted_twice(factor):
    """R3, T5: a used code is refused, also by another process."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    factor.verifier.verify("alice", challenge.id, code)

    assert 0 == rejected(factor.verifier.verify, "alice", challenge.id, code)
    assert 0 == rejected(Factor(store=factor.store, clock=factor.clock).verifier.verify, "alice", challenge.id, code)


def test_one_code_is_valid_at_once(factor):
    """R5: a new code replaces the old one, which is then wrong."""
    codes = []
    for _ in range(3):
        challenge = factor.verifier.challenge("alice")
        codes.append((challenge.id, factor.outbox.code))
        factor.clock.move(seconds=30)

    for challenge_id, code in codes[:-1]:
        assert 0 == rejected(factor.verifier.verify, "alice", challenge_id, code)
        assert 0 < rejected(factor.verifier.verify, "alice", challenge.id, code)
    assert "alice" == factor.verifier.verify("alice", *codes[-1]).user_id


def test_no_code_of_another_time_is_accepted(factor):
    """R5: neither an earlier code nor a later code is accepted for a challenge."""
    other = Factor(store=factor.store, clock=factor.clock)
    before = factor.verifier.challenge("alice", purpose="before")
    codes = [factor.outbox.code]
    challenge = factor.verifier.challenge("alice")
    right = factor.outbox.code
    other.verifier.challenge("alice", purpose="after")
    codes.append(other.outbox.code)

    assert before.id != challenge.id
    assert [4, 3] == [rejected(factor.verifier.verify, "alice", challenge.id, code) for code in codes]
    assert "alice" == factor.verifier.verify("alice", challenge.id, right).user_id


def test_a_code_is_bound_to_its_purpose_details_and_user(factor):
    """R5, R24, T8: a code is accepted only for its user, purpose and details."""
    factor.enrol("bob", OTHER_NUMBER)
    challenge = factor.verifier.challenge("alice", purpose="payment", details={"_amount": "10 EUR"})
    code = factor.outbox.code
    verify = factor.verifier.verify

    assert 0 == rejected(verify, "alice", challenge.id, code)
    assert 0 == rejected(verify, "alice", challenge.id, code, details={"_amount": "10 EUR"})
    assert 0 == rejected(verify, "alice", challenge.id, code, purpose="payment")
    assert 0 == rejected(verify, "alice", challenge.id, code, purpose="payment", details={"_amount": "1000 EUR"})
    assert 0 == rejected(verify, "bob", challenge.id, code, purpose="payment", details={"_amount": "10 EUR"})
    assert 0 == rejected(factor.enroller.confirm, "alice", challenge.id, code)
    assert verify("alice", challenge.id, code, purpose="payment", details={"_amount": "10 EUR"})


def test_every_path_expires(factor):
    """R2: login codes and enrolment codes expire at the end of their lifetime, to the microsecond."""
    login = factor.verifier.challenge("alice")
    codes = [factor.outbox.code]
    pending = factor.enroller.start("bob", OTHER_NUMBER)
    codes.append(factor.outbox.code)

    factor.clock.now += 300 * 10**9
    with pytest.raises(CodeExpired):
        factor.verifier.verify("alice", login.id, codes[0])
    with pytest.raises(CodeExpired):
        factor.enroller.confirm("bob", pending.id, codes[1])
    factor.clock.now -= 1000
    assert factor.verifier.verify("alice", login.id, codes[0])
    assert factor.enroller.confirm("bob", pending.id, codes[1])


def test_leading_zero_codes_verify():
    """R1: a code that begins with a zero is sent whole, and accepted at login and at enrolment."""
    factor = Factor(a_config(limits=Limits(user=Limit(1000, HOUR), number=None, unverified=None)))
    factor.enrol()
    for n in range(500):
        challenge = factor.verifier.challenge("alice", purpose=f"purpose {n}")
        if factor.outbox.code.startswith("0"):
            break

    assert ("0", 6) == (factor.outbox.code[0], len(factor.outbox.code))
    assert factor.outbox.code in factor.outbox.messages[-1].text
    assert factor.verifier.verify("alice", challenge.id, factor.outbox.code, purpose=challenge.purpose)

    for n in range(500):
        pending = factor.enroller.start(f"user {n}", OTHER_NUMBER)
        if factor.outbox.code.startswith("0"):
            break
    assert "0" == factor.outbox.code[0]
    assert factor.enroller.confirm(pending.user_id, pending.id, factor.outbox.code)


def test_a_code_without_its_leading_zero_is_no_code(factor):
    """R1, T14: a code that a form has read as an integer is malformed, and costs nothing."""
    challenge = factor.verifier.challenge("alice")

    for typed in (int(factor.outbox.code), factor.outbox.code[1:], "0" + factor.outbox.code):
        assert None is rejected(factor.verifier.verify, "alice", challenge.id, typed)


def test_digit_nine_is_issued():
    """R1, T13: every digit occurs equally often at every place."""
    generator, codes = CodeGenerator("a secret that is long enough for the tests"), 20_000

    seen = Counter((place, digit) for n in range(codes) for place, digit in enumerate(generator.code(f"{n}")))

    assert 60 == len(seen)
    assert all(0.85 < count / (codes / 10) < 1.15 for count in seen.values())


def test_no_code_is_longer_than_its_digits():
    """R1: every code has exactly six digits, up to the highest codes."""
    generator = CodeGenerator("a secret that is long enough for the tests")
    codes = [generator.code(f"{n}") for n in range(20_000)]

    assert {6} == set(map(len, codes))
    assert max(codes) > "999900"


def test_codes_are_compared_in_constant_time(factor, monkeypatch):
    """R11: only ``compare_digest`` decides whether a code is right."""
    challenge = factor.verifier.challenge("alice")
    monkeypatch.setattr(rules, "compare_digest", lambda one, other: False)

    assert 4 == rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code)


def test_a_number_does_not_enrol_without_its_sms():
    """R13, T10: the result of ``start`` does not show the code, and no number is enrolled without the code."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    code = factor.outbox.code
    public = CodeGenerator("what a client makes up for itself, long enough")

    assert code not in repr([getattr(pending, name) for name in ("id", "user_id", "purpose", "sent", "uncertain")])
    for guess in (wrong(code), public.code(pending.id), public.code(pending.id, "alice", NUMBER)):
        rejected(factor.enroller.confirm, "alice", pending.id, guess)
    assert not factor.verifier.status("alice").enrolled


# --- attempts: django-two-factor-auth, allauth, django-phone-verify, GoTrue, better-auth, Keycloak


def test_a_challenge_takes_five_attempts(factor):
    """R9, T1: after five wrong codes even the right one is refused."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code

    assert [4, 3, 2, 1, 0] == [rejected(factor.verifier.verify, "alice", challenge.id, wrong(code)) for _ in range(5)]
    assert 0 == rejected(factor.verifier.verify, "alice", challenge.id, code)


def test_the_last_attempt_may_be_the_right_one(factor):
    """R9: after four wrong codes the right one is accepted."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    for _ in range(4):
        rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))

    assert factor.verifier.verify("alice", challenge.id, code)


def test_enrolment_is_throttled():
    """T1, R8: guesses at an enrolment code count like any other."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    code, compared = factor.outbox.code, 0

    for _ in range(2000):
        try:
            compared += rejected(factor.enroller.confirm, "alice", pending.id, wrong(code)) > 0
        except RateLimited:
            break

    assert 4 == compared  # the fifth comparison leaves no attempt
    assert 0 == rejected(factor.enroller.confirm, "alice", pending.id, code)
    assert 15 == factor.verifier.status("alice").guesses_left


def test_starting_anew_does_not_reset_the_guesses():
    """R4, R8, T2: starting the enrolment again and again gives no more guesses than the budget."""
    factor, compared = Factor(), []

    def anew(n):
        pending = factor.enroller.start("alice", NUMBER)
        compared.extend(use_up(factor.enroller.confirm, pending, factor.outbox.code))

    assert ("guesses", 4) == until_limited(anew)
    assert 20 == len(compared)


def test_a_resend_does_not_reset_the_attempts(factor):
    """R4, R5, T2: a resend repeats the code with the remaining attempts and the same expiry."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))
    factor.clock.move(seconds=30)
    again = factor.verifier.resend("alice", challenge.id)

    assert (challenge.id, challenge.expires_at, code) == (again.id, again.expires_at, factor.outbox.code)
    assert 3 == rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))


def test_a_wrong_code_does_not_consume_the_challenge(factor):
    """A wrong code leaves the challenge alive for the right code."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))

    assert factor.verifier.verify("alice", challenge.id, code)


def test_a_new_session_does_not_reset_the_guesses(factor):
    """R4, R8, T2: challenges of all purposes and sessions share one budget."""
    compared = []

    def session(n):
        challenge = factor.verifier.challenge("alice", purpose=f"session {n}")
        compared.extend(use_up(factor.verifier.verify, challenge, factor.outbox.code, purpose=challenge.purpose))

    assert ("guesses", 4) == until_limited(session)
    assert 20 == len(compared)


def test_a_login_does_not_refill_the_guesses(factor):
    """R7, T2: a right code gives back only its own guess."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))
    factor.verifier.verify("alice", challenge.id, code)

    assert 19 == factor.verifier.status("alice").guesses_left


def test_counter_is_not_in_the_session(factor):
    """R8, T2: attempts are counted in the store, so a client cannot rewind them."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    processes = [Verifier(factor.config, factor.store, Outbox(), clock=factor.clock) for _ in range(5)]

    left = [rejected(process.verify, "alice", challenge.id, wrong(code)) for process in processes]

    assert [4, 3, 2, 1, 0] == left


def test_a_stranger_does_not_kill_a_code(factor):
    """T18: starting an enrolment, by the user or with the user's number, does not end a login code."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code

    factor.enroller.start("mallory", NUMBER)
    with pytest.raises(ProofRequired):
        factor.enroller.start("alice", OTHER_NUMBER)

    assert factor.verifier.verify("alice", challenge.id, code)


def test_a_hundred_failures_disable_the_number_and_not_the_user():
    """R6: a hundred wrong codes in a row disable the number, and recovery codes keep working."""
    factor = Factor(a_config(limits=Limits(guesses=Limit(1000, HOUR), user=Limit(1000, HOUR), number=None)))
    (recovery_code,) = factor.enrol().recovery_codes
    for n in range(100):
        challenge = factor.verifier.challenge("alice", purpose=f"{n // 5}")
        rejected(factor.verifier.verify, "alice", challenge.id, wrong(factor.outbox.code), purpose=f"{n // 5}")

    assert [True] == [phone.disabled for phone in factor.verifier.status("alice").phones]
    assert factor.verifier.recover("alice", recovery_code)


# --- messages: django-two-factor-auth, django-otp-twilio, allauth, GoTrue, Keycloak, better-auth, authentik


def test_no_sms_per_render(factor):
    """T4: a login page that is reloaded or opened twice sends nothing more."""
    before = factor.outbox.calls
    challenge = factor.verifier.challenge("alice")

    for _ in range(20):
        assert (challenge.id, False) == (factor.verifier.challenge("alice").id, factor.verifier.challenge("alice").sent)
        assert [challenge.id] == [each.id for each in factor.verifier.status("alice").challenges]

    assert 1 == factor.outbox.calls - before


def test_no_enrolment_sms_per_render():
    """T4: an enrolment page that is reloaded or opened twice sends one message."""
    factor = Factor()
    challenges = [factor.enroller.start("alice", NUMBER) for _ in range(20)]

    assert 1 == len({challenge.id for challenge in challenges})
    assert 1 == factor.outbox.calls


def test_sends_are_capped(factor):
    """R28, T4: exactly 10 of 200 codes in a row are sent."""
    before, refused = factor.outbox.calls, 0
    for n in range(200):
        try:
            factor.verifier.challenge("alice", purpose=f"purpose {n}")
        except RateLimited:
            refused += 1

    assert (10, 190) == (factor.outbox.calls - before, refused)


def test_enrolment_and_login_share_the_send_limit(factor):
    """R28: enrolment messages and login messages are charged to the same bucket."""
    token = factor.log_in().token
    for number in range(5):
        factor.enroller.start("alice", f"+141555526{number:02d}", proof=token)

    assert 4 == factor.verifier.status("alice").sends_left


def test_enrolling_again_resets_no_limit(factor):
    """R28, T2: neither removing a number nor a reset refills a bucket."""
    proof = factor.log_in().token
    factor.enroller.remove("alice", factor.verifier.status("alice").phones[0].id, proof=proof)

    def again(n):
        factor.enroller.reset("alice")
        factor.enroller.start("alice", NUMBER)

    assert 9 == until_limited(again)[1]
    assert 0 == factor.verifier.status("alice").sends_left


def test_limits_are_on_unless_turned_off():
    """R28: every limit is on by default."""
    limits = a_config().limits

    assert (10, 10, 20, 10, 100) == (
        limits.user.capacity,
        limits.number.capacity,
        limits.guesses.capacity,
        limits.recovery.capacity,
        limits.consecutive,
    )


def test_all_or_nothing_multi_limit():
    """R28: a message that one bucket refuses is not charged to the others."""
    limits = Limits(user=Limit(3, HOUR), unverified=Limit(100, HOUR), total=Limit(100, None))
    factor = Factor(a_config(limits=limits, max_users_per_number=0))

    assert ("user", 3) == until_limited(lambda n: factor.enroller.start("mallory", f"+141555526{n:02d}"))
    for _ in range(50):
        with pytest.raises(RateLimited, match="user"):
            factor.enroller.start("mallory", NUMBER)

    assert ("total", 97) == until_limited(lambda n: factor.enroller.start(f"user {n}", NUMBER))


def test_a_hit_does_not_restart_the_window(factor):
    """A user who stays within the rate is never refused."""
    for n in range(200):
        assert factor.verifier.challenge("alice", purpose=f"{n % 7}").sent
        factor.clock.move(hours=1)


def test_a_refused_hit_costs_nothing(factor):
    """Asking too early does not postpone the time of the next message."""
    for n in range(10):
        factor.verifier.challenge("alice", purpose=f"purpose {n}")
    waits = []
    for _ in range(6):
        with pytest.raises(RateLimited) as refusal:
            factor.verifier.challenge("alice", purpose="one more")
        waits.append(refusal.value.retry_after)
        factor.clock.move(minutes=10)

    assert [timedelta(minutes=minutes) for minutes in (60, 50, 40, 30, 20, 10)] == waits
    assert factor.verifier.challenge("alice", purpose="one more").sent


def test_a_challenge_is_stored_before_it_is_sent(factor):
    """R25, T4: the challenge is stored and charged before the message is sent."""
    seen = []

    class Looking(Outbox):
        def send(self, message):
            status = factor.verifier.status("alice" if message.kind == "verification" else "bob")
            seen.append((message.challenge_id in {each.id for each in status.challenges}, status.sends_left))
            return super().send(message)

    Verifier(factor.config, factor.store, Looking(), clock=factor.clock).challenge("alice")
    Enroller(factor.config, factor.store, Looking(), clock=factor.clock).start("bob", OTHER_NUMBER)

    assert [(True, 9), (True, 9)] == seen


# --- failures: django-otp-twilio, django-phone-verify, allauth, Keycloak, Sentry, django-mfa


def test_a_failed_send_does_not_kill_the_old_code(factor):
    """If a new code was certainly not sent, the old one is still accepted."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    factor.clock.move(seconds=30)
    factor.outbox.outcomes.append(DeliveryRejected("no such number"))
    with pytest.raises(DeliveryRejected):
        factor.verifier.challenge("alice")

    assert factor.verifier.verify("alice", challenge.id, code)


def test_a_failed_send_is_not_charged(factor):
    """A message that was certainly not sent is given back to every bucket, and the user need not wait."""
    factor.outbox.outcomes += [DeliveryRejected("no such number")] * 10 + [SenderMisconfigured("no credit")] * 30
    for _ in range(40):
        with pytest.raises(DeliveryRejected):
            factor.verifier.challenge("alice")

    assert 10 == factor.verifier.status("alice").sends_left
    assert factor.verifier.challenge("alice").sent


def test_an_uncertain_send_is_charged(factor):
    """T24: a message that may have been sent is charged."""
    factor.outbox.outcomes += [DeliveryUncertain("no answer")] * 20

    assert ("user", 10) == until_limited(lambda n: factor.verifier.challenge("alice", purpose=f"purpose {n}"))


def test_send_errors_are_not_swallowed(factor):
    """A message that was not sent raises, and a challenge says if its message is uncertain."""
    factor.outbox.outcomes += [DeliveryRejected("no such number"), ConnectionResetError()]

    with pytest.raises(DeliveryRejected, match="no such number"):
        factor.verifier.challenge("alice")
    assert factor.verifier.challenge("alice").uncertain


@pytest.mark.parametrize("error", [DeliveryRejected, DeliveryUncertain, OSError])
def test_a_failing_send_prints_and_logs_no_code(factor, error, caplog, capfd):
    """R27, T12: no code, text or number is printed or logged, even if the carrier's error contains them."""
    caplog.set_level(logging.DEBUG)
    sent = []

    class Failing(Outbox):
        def send(self, message):
            sent.append(message)
            raise error(f"cannot send {message.text} to {message.to.e164}")

    verifier = Verifier(factor.config, factor.store, Failing(), clock=factor.clock)
    try:
        challenge = verifier.challenge("alice")
        rejected(verifier.verify, "alice", challenge.id, wrong(sent[0].code.reveal()))
    except DeliveryRejected:
        pass

    written = caplog.text + "".join(capfd.readouterr())
    for hidden in (sent[0].code.reveal(), wrong(sent[0].code.reveal()), sent[0].text, NUMBER[1:]):
        assert hidden not in written


def test_events_carry_no_code(factor):
    """R27, T12: no event contains the code that was sent or the code that was entered."""
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))
    factor.verifier.verify("alice", challenge.id, code)

    for event in factor.events:
        fields = [event.name, event.outcome, event.user_id, event.phone, event.scope, event.error, event.purpose]
        assert code not in repr(fields)
        assert wrong(code) not in repr(fields)


def test_an_outage_lets_nobody_in(factor):
    """R26: without the store nothing is sent and nobody gets in."""

    class Down(MemoryStore):
        def update(self, keys, change):
            raise StoreError("down")

    challenge = factor.verifier.challenge("alice")
    before = factor.outbox.calls
    verifier = Verifier(factor.config, Down(), factor.outbox, clock=factor.clock)

    for call in (
        lambda: verifier.verify("alice", challenge.id, factor.outbox.code),
        lambda: verifier.challenge("alice"),
        lambda: verifier.recover("alice", "0" * 24),
    ):
        with pytest.raises(StoreError):
            call()
    assert before == factor.outbox.calls


# --- what is stored: django-otp, Flask-Security, Kratos, GoTrue, better-auth, authentik


class Dump(MemoryStore):
    """A MemoryStore that also keeps every value ever stored."""

    def __init__(self):
        super().__init__()
        self.dump = b""

    def update(self, keys, change):
        def watched(values):
            writes, outcome = change(values)
            self.dump += b"".join(entry.value for entry in writes.values() if entry)
            return writes, outcome

        return super().update(keys, watched)


def test_no_code_is_stored():
    """R12: neither a code nor the text of a message is ever stored."""
    factor = Factor(a_config(digits=10), store=Dump())
    factor.enrol()
    factor.log_in()
    factor.verifier.challenge("alice", purpose="payment")

    for message in factor.outbox.messages:
        assert message.code.reveal().encode() not in factor.store.dump
        assert message.text.encode() not in factor.store.dump


def test_a_dump_confirms_no_guess():
    """R12: no unkeyed hash of a code is stored, alone or together with public values."""
    factor = Factor(store=Dump())
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    guesses = [code, challenge.id + code, code + challenge.id, NUMBER + code, "alice" + code, challenge.id + ":" + code]

    for name in ("md5", "sha1", "sha224", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
        for guess in guesses:
            hashed = hashlib.new(name, guess.encode())
            assert hashed.digest()[:8] not in factor.store.dump
            assert hashed.hexdigest()[:16].encode() not in factor.store.dump


def test_recovery_codes_are_stored_hashed():
    """R20: no recovery code is stored in plain text."""
    factor = Factor(store=Dump())
    (code,) = factor.enrol().recovery_codes
    (replacement,) = factor.verifier.recover("alice", code).recovery_codes

    for each in (code, replacement):
        assert each.encode() not in factor.store.dump
        assert each.replace("-", "").encode() not in factor.store.dump


def test_a_recovery_code_is_consumed():
    """R20, T6: a recovery code is accepted once, and new recovery codes end the old set."""
    factor = Factor()
    (code,) = factor.enrol().recovery_codes
    first = factor.verifier.recover("alice", code)
    (second,) = first.recovery_codes
    rejected(factor.verifier.recover, "alice", code)
    (third,) = factor.enroller.new_recovery_codes("alice", proof=first.token)

    rejected(factor.verifier.recover, "alice", second)
    assert factor.verifier.recover("alice", third)
    assert 3 == len({code, second, third})


def test_recovery_is_throttled():
    """R20: after ten wrong recovery codes even the right one is refused for a day."""
    factor = Factor()
    (code,) = factor.enrol().recovery_codes
    left = [rejected(factor.verifier.recover, "alice", "0" * 24) for _ in range(10)]
    with pytest.raises(RateLimited, match="recovery"):
        factor.verifier.recover("alice", code)

    assert list(range(9, -1, -1)) == left
    factor.clock.move(days=1)
    assert factor.verifier.recover("alice", code)
