"""Mistakes that attackers and honest people found in repeated answers."""

from datetime import timedelta

import pytest
from support import NUMBER, OTHER_NUMBER, Factor, a_config, rejected, wrong

from smsmfa import CodeRejected, CodeUsed, Limit, Limits, PhoneInUse, RateLimited
from smsmfa.core.records import User, decode, user_key

KEY, OTHER_KEY = "a form of one session", "a form of another session"
FEW = Limits(guesses=Limit(3, timedelta(hours=10)))


def record(factor, user_id="alice"):
    """Return the stored record of a user."""
    return decode(User, factor.store.read(user_key(user_id)))


class Text(str):
    """A text of a framework, such as a safe string: its ``str`` is itself."""

    __slots__ = ()

    def __str__(self):
        return self


def test_the_key_is_no_way_to_guess_the_code():
    """T34, R6: who has the key of a session but not the code cannot try codes until the answer is repeated."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    code = factor.outbox.code
    factor.enroller.confirm("alice", pending.id, code, retry_key=KEY)
    guesses = [f"{(int(code) + step) % 10**6:06d}" for step in range(1, 6)]

    for guess in guesses:
        rejected(factor.enroller.confirm, "alice", pending.id, guess, retry_key=KEY, error=CodeUsed)
    rejected(factor.enroller.confirm, "alice", pending.id, code, retry_key=KEY, error=CodeUsed)


def test_a_few_mistakes_do_not_end_a_repetition():
    """T34: a repetition survives a few requests with another code."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    code = factor.outbox.code
    first = factor.enroller.confirm("alice", pending.id, code, retry_key=KEY)
    for _ in range(4):
        rejected(factor.enroller.confirm, "alice", pending.id, wrong(code), retry_key=KEY, error=CodeUsed)

    assert first == factor.enroller.confirm("alice", pending.id, code, retry_key=KEY)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_another_number_of_recovery_codes(count):
    """T34: after a deployment with another number of recovery codes, a repeated answer shows the same ones."""
    factor = Factor(a_config(recovery_codes=3))
    pending = factor.enroller.start("alice", NUMBER)
    first = factor.enroller.confirm("alice", pending.id, factor.outbox.code, retry_key=KEY)
    later = Factor(a_config(recovery_codes=count), store=factor.store, clock=factor.clock)

    again = later.enroller.confirm("alice", pending.id, factor.outbox.code, retry_key=KEY)
    assert first.recovery_codes == again.recovery_codes
    assert later.verifier.recover("alice", first.recovery_codes[2]).user_id == "alice"


def test_late_repetition_of_new_recovery_codes():
    """T34: a repeated request whose codes were replaced draws no third set, so that the newest stay good."""
    factor = Factor()
    factor.enrol()
    proof = factor.log_in().token
    draw = factor.enroller.new_recovery_codes
    draw("alice", proof=proof, retry_key=KEY)
    newest = draw("alice", proof=proof, retry_key=OTHER_KEY)
    rejected(draw, "alice", proof=proof, retry_key=KEY, error=CodeUsed)

    assert newest == draw("alice", proof=proof, retry_key=OTHER_KEY)
    assert factor.verifier.recover("alice", newest[0]).user_id == "alice"


def test_seeds_go():
    """T34: when ten minutes have passed, the next message takes the answers and their seeds out of the record."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    factor.enroller.confirm("alice", pending.id, factor.outbox.code, retry_key=KEY)
    assert record(factor).accepted[0].seed
    factor.clock.move(minutes=10, microseconds=1)
    factor.verifier.challenge("alice")

    assert [] == record(factor).accepted


def test_repetition_names_the_right_number():
    """T34: two numbers of one instant are told apart."""
    factor = Factor(a_config(max_phones=2))
    factor.enrol()
    pending = factor.enroller.start("alice", OTHER_NUMBER, proof=factor.log_in().token)
    code = factor.outbox.code
    first = factor.enroller.confirm("alice", pending.id, code, retry_key=KEY)

    assert OTHER_NUMBER == first.phone.e164
    assert first == factor.enroller.confirm("alice", pending.id, code, retry_key=KEY)


@pytest.mark.parametrize(
    "change", [lambda f: f.clock.move(minutes=6), lambda f: f.put(a_config(attempts=2))], ids=["late", "fewer"]
)
def test_attempts_left_of_a_repeated_wrong_code(change):
    """A wrong code that is repeated never says that more is left than there is, nor less than nothing."""
    factor = Factor()
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    codes = [wrong(factor.outbox.code), wrong(wrong(factor.outbox.code)), wrong(wrong(wrong(factor.outbox.code)))]
    for code in codes:
        rejected(factor.verifier.verify, "alice", challenge.id, code, retry_key=KEY)

    def put(config):
        factor.verifier = Factor(config, store=factor.store, clock=factor.clock).verifier

    factor.put = put
    change(factor)
    assert 0 == rejected(factor.verifier.verify, "alice", challenge.id, codes[0], retry_key=KEY).attempts_left


def test_every_attempt_counts_once():
    """T34: with ten attempts, each of nine wrong codes counts once, even if its request is repeated."""
    factor = Factor(a_config(attempts=10))
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    code = int(factor.outbox.code)
    codes = [f"{(code + step) % 10**6:06d}" for step in range(1, 10)]
    for guess in codes + codes:
        rejected(factor.verifier.verify, "alice", challenge.id, guess, retry_key=KEY)

    assert 11 == factor.verifier.status("alice").guesses_left


def test_clock_set_back():
    """T34: while the clock is set back by hours a double click is told so, and after that it is answered again."""
    factor = Factor()
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code
    first = factor.verifier.verify("alice", challenge.id, code, retry_key=KEY)
    factor.clock.move(hours=-2)
    rejected(factor.verifier.verify, "alice", challenge.id, code, retry_key=KEY, error=CodeUsed)
    factor.log_in()
    factor.clock.move(hours=2)

    assert first == factor.verifier.verify("alice", challenge.id, code, retry_key=KEY)


def test_reset_forgets_refusals():
    """T34: after a reset no refusal from before is repeated."""
    factor = Factor(a_config(max_users_per_number=1))
    pending = factor.enroller.start("bob", NUMBER)
    code = factor.outbox.code
    factor.enrol()
    rejected(factor.enroller.confirm, "bob", pending.id, code, retry_key=KEY, error=PhoneInUse)
    factor.enroller.reset("bob")

    rejected(factor.enroller.confirm, "bob", pending.id, code, retry_key=KEY, error=CodeRejected)


def test_adoption_that_is_repeated():
    """An adoption that is run again changes nothing, even though the number that it replaced is gone."""
    factor = Factor(a_config(max_phones=2))
    old = factor.enroller.adopt("alice", NUMBER)
    new = factor.enroller.adopt("alice", OTHER_NUMBER, replace=old.phone.id)
    again = factor.enroller.adopt("alice", OTHER_NUMBER, replace=old.phone.id)

    assert (new.phone, ()) == (again.phone, again.recovery_codes)


def test_texts_of_frameworks():
    """Safe strings and the like are taken as the texts that they are, in every argument."""
    factor = Factor(a_config(max_phones=2))
    factor.enrol("alice")
    challenge = factor.verifier.challenge(
        Text("alice"), purpose=Text("pay"), details={Text("_id"): Text("7")}, locale=Text("en"), channel=Text("sms")
    )
    code = Text(factor.outbox.code)
    arguments = {"purpose": Text("pay"), "details": {"_id": "7"}, "retry_key": Text(KEY)}
    first = factor.verifier.verify(Text("alice"), Text(challenge.id), code, **arguments)
    assert first == factor.verifier.verify("alice", challenge.id, str.__str__(code), **arguments)

    proof = factor.log_in()
    phone = factor.verifier.status("alice").phones[0]
    pending = factor.enroller.start("alice", OTHER_NUMBER, replace=Text(phone.id), proof=Text(proof.token))
    assert factor.enroller.confirm("alice", Text(pending.id), Text(factor.outbox.code)).phone.e164 == OTHER_NUMBER


@pytest.mark.parametrize(
    "arguments", [{"purpose": "\ud800"}, {"details": {"_\ud800": "x"}}, {"details": {"_x": "\ud800"}}]
)
def test_surrogates(arguments):
    """T26: what cannot be stored is a ValueError before anything is charged."""
    factor = Factor()
    factor.enrol()
    rejected(factor.verifier.challenge, "alice", error=ValueError, **arguments)

    assert 9 == factor.verifier.status("alice").sends_left


def test_guess_budget_of_another_session():
    """T34: a code that is still open is guarded by the budget, with and without a key."""
    factor = Factor(a_config(limits=FEW))
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    code = int(factor.outbox.code)
    for step in range(1, 4):
        rejected(factor.verifier.verify, "alice", challenge.id, f"{(code + step) % 10**6:06d}", retry_key=KEY)

    rejected(factor.verifier.verify, "alice", challenge.id, f"{code:06d}", retry_key=KEY, error=RateLimited)
