"""A proof token opens what it was given for, and nothing of anybody else, of another time or of another secret."""

import string
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import NUMBER, OTHER_NUMBER, SECRET, Clock, Factor, a_config

from smsmfa import CodeGenerator, MemoryStore
from smsmfa.exceptions import CodeExpired, CodeMalformed, CodeRejected, ProofRequired, SmsMfaError
from smsmfa.typing import Entry

NEWER = "a newer secret of the tests, just as long as the other"
OTHER = "the secret of somebody else, just as long as the other"


class Keys(MemoryStore):
    """A MemoryStore that can be tampered with: it knows the key of each user's record."""

    def __init__(self):
        super().__init__()
        self.used = []

    def update(self, keys, change):
        self.used += [key for key in keys if key.startswith("u:") and key not in self.used]
        return super().update(keys, change)

    def copy_first_to_second(self):
        first, second = self.used
        value = self.read(first)
        self.update([second], lambda values: ({second: Entry(value)}, None))


class Changes:
    """All that takes a proof, done to a user who has a number."""

    def __init__(self, factor, user_id="alice"):
        self.factor, self.user_id = factor, user_id

    def each(self, proof):
        """Try each change with a proof; return what each was refused with, ``None`` where it was not."""
        phone_id = self.factor.verifier.status(self.user_id).phones[0].id
        enroller = self.factor.enroller
        attempts = (
            lambda: enroller.start(self.user_id, OTHER_NUMBER, proof=proof),
            lambda: enroller.new_recovery_codes(self.user_id, proof=proof),
            lambda: enroller.remove(self.user_id, phone_id, proof=proof),
        )
        return [outcome_of(attempt) for attempt in attempts]


def outcome_of(call):
    try:
        call()
    except SmsMfaError as error:
        return type(error)
    return None


REFUSED = [ProofRequired] * 3
ACCEPTED = [None] * 3


@pytest.fixture
def factor():
    factor = Factor()
    factor.enrol()
    factor.clock.move(seconds=1)
    return factor


def refuses(factor, proof, user_id="alice"):
    """Whether every change is refused for want of a proof, charging nothing and changing nothing."""
    before = factor.verifier.status(user_id)
    refused = REFUSED == Changes(factor, user_id).each(proof)
    return refused and before == factor.verifier.status(user_id)


@pytest.mark.parametrize("purpose", ["login", "manage"])
def test_a_genuine_token_is_accepted(factor, purpose):
    """A fresh token of purpose login or manage opens every change."""
    assert ACCEPTED == Changes(factor).each(factor.log_in(purpose=purpose).token)


def test_the_token_of_an_enrolment_is_accepted():
    """The token of an enrolment, which comes after its change, opens every change."""
    factor = Factor()

    assert ACCEPTED == Changes(factor).each(factor.enrol().verification.token)


def test_the_token_of_a_recovery_is_accepted():
    """The token of a recovery opens every change."""
    factor = Factor()
    (code,) = factor.enrol().recovery_codes

    assert ACCEPTED == Changes(factor).each(factor.verifier.recover("alice", code).token)


@pytest.mark.parametrize(
    "proof",
    [
        None,
        "",
        "A" * 44,
        "!" * 44,
        "A" * 41 + "!!!",
        "=" * 44,
        "é" * 44,
        "\ud800" * 44,
        "A" * 100_000,
        b"A" * 44,
        7,
        object(),
    ],
    ids=lambda proof: repr(proof)[:12],
)
def test_what_is_no_token_is_refused(factor, proof):
    """R17, R21, T14: whatever else is given as a proof is ``ProofRequired``, and nothing of another kind."""
    assert refuses(factor, proof)


def test_every_altered_character_is_refused(factor):
    """R17, T10: a token with one character altered, at whatever place and to whatever, is refused."""
    token = factor.log_in().token

    for place, original in enumerate(token):
        for altered in {"A", "B", "g", "-", "_", "=", "!", " ", "\n", "+", "/"} - {original}:
            assert refuses(factor, token[:place] + altered + token[place + 1 :])


def test_every_altered_bit_is_refused(factor):
    """R17, T10: a token with one bit altered is refused, that of its claim to be of purpose login included."""
    factor.clock.move(seconds=30)
    token = factor.log_in(purpose="payment").token
    data = urlsafe_b64decode(token)

    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        assert refuses(factor, urlsafe_b64encode(altered).decode())


@pytest.mark.parametrize("cut", range(1, 44))
def test_a_truncated_token_is_refused(factor, cut):
    """R17: a part of a token is none."""
    token = factor.log_in().token

    assert refuses(factor, token[:cut])
    assert refuses(factor, token[cut:])


@pytest.mark.parametrize("more", ["A", "=", "==", "AAAA", "\n", " ", "\0"])
def test_an_extended_token_is_refused(factor, more):
    """R17: a token with something before or after it is refused."""
    token = factor.log_in().token

    assert refuses(factor, token + more)
    assert refuses(factor, more + token)
    assert refuses(factor, token * 2)


@settings(max_examples=100, deadline=None)
@given(st.text(string.ascii_letters + string.digits + "-_=", min_size=44, max_size=44) | st.text(min_size=1))
def test_a_forged_token_is_refused(proof):
    """R17, T10: nobody writes a token without the secret."""
    factor = Factor()
    factor.enrol()

    assert refuses(factor, proof)


def test_a_token_is_the_users_own(factor):
    """R17, T8: a token opens nothing of another user, though both have the same number and the same past."""
    factor.enrol("bob", OTHER_NUMBER)

    assert refuses(factor, factor.log_in("bob").token)
    assert refuses(factor, factor.log_in("alice").token, "bob")


def test_a_token_lasts_ten_minutes(factor):
    """R17: at ten minutes a token is still good, and one microsecond later it is not."""
    token = factor.log_in().token

    factor.clock.move(minutes=10)
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=token))
    factor.clock.move(microseconds=1)
    assert refuses(factor, token)


def test_a_token_from_the_future_is_refused(factor):
    """R17, T17: a clock that was set back by more than a minute makes no token live longer."""
    token = factor.log_in().token

    factor.clock.move(minutes=-1)
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=token))
    factor.clock.move(microseconds=-1)
    assert refuses(factor, token)


@pytest.mark.parametrize("about", [{"purpose": "payment"}, {"details": {"payee": "Ann"}}, {"purpose": "enrol"}])
def test_a_token_for_something_else_is_refused(factor, about):
    """R5, R17, T8: the token of another purpose, or of one with details, changes no enrolment."""
    assert refuses(factor, factor.log_in(**about).token)


def test_a_token_with_details_is_refused_for_manage_too(factor):
    """R17, R24: a token that was given for certain details is good for those alone."""
    assert refuses(factor, factor.log_in(purpose="manage", details={"payee": "Ann"}).token)


def test_a_token_is_older_than_the_number_that_took_its_place(factor):
    """R17: a token from before the number was replaced opens nothing; that of the new enrolment does."""
    before = factor.log_in().token
    factor.clock.move(seconds=30)
    enrolled = factor.enrol(number=OTHER_NUMBER, proof=before)

    assert refuses(factor, before)
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=enrolled.verification.token))


def test_a_token_is_older_than_a_removal():
    """R17: a token from before one of several numbers was removed opens nothing."""
    factor = Factor(a_config(max_phones=2))
    first = factor.enrol()
    second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
    token = second.verification.token
    factor.enroller.remove("alice", first.phone.id, proof=token)

    assert refuses(factor, token)


def test_a_token_is_older_than_a_reset(factor):
    """R17, R19: a token from before the operator's reset opens nothing of what is enrolled after it."""
    token = factor.log_in().token
    factor.enroller.reset("alice")
    factor.enrol()

    assert refuses(factor, token)


def test_an_abandoned_change_leaves_tokens_good(factor):
    """R17, T9: a number that only waits changes nothing, so tokens stay good and the old number gets the codes."""
    token = factor.log_in().token
    factor.enroller.start("alice", OTHER_NUMBER, proof=token)
    factor.clock.move(seconds=30)

    factor.verifier.challenge("alice")

    assert NUMBER == factor.outbox.messages[-1].to.e164
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=token))


def with_secrets(factor, *secrets):
    """Return the same factor as another process has it, with other secrets."""
    return Factor(a_config(secret=list(secrets)), store=factor.store, clock=factor.clock)


def test_a_token_outlives_a_rotation(factor):
    """R12: a token made under a secret that has been rotated, and is still listed, is good."""
    token = factor.log_in().token

    assert ACCEPTED == Changes(with_secrets(factor, NEWER, SECRET)).each(token)


def test_a_token_under_a_retired_secret_is_refused(factor):
    """R12, R17: with the secret its tokens go, while the number stays and gets codes."""
    token = factor.log_in().token
    after = with_secrets(factor, NEWER)

    assert refuses(after, token)
    assert None is outcome_of(after.log_in)


def test_a_code_under_a_retired_secret_is_refused(factor):
    """R12: with the secret its codes go too, and not before it is retired."""
    challenge = factor.verifier.challenge("alice")
    rotated, retired = with_secrets(factor, NEWER, SECRET), with_secrets(factor, NEWER)

    def verify(other):
        return outcome_of(lambda: other.verifier.verify("alice", challenge.id, factor.outbox.code))

    assert CodeExpired is verify(retired)
    assert None is verify(rotated)


def test_recovery_codes_outlive_every_secret(factor):
    """R20: recovery codes do not depend on the secret."""
    (code,) = factor.enroller.new_recovery_codes("alice", proof=factor.log_in().token)

    assert "alice" == with_secrets(factor, OTHER).verifier.recover("alice", code).user_id


def test_two_configurations_accept_nothing_of_each_other():
    """R5, R12, R17: with another secret neither a token nor a code is accepted, though everything else be equal."""
    one, other = Factor(a_config(secret=SECRET)), Factor(a_config(secret=OTHER))
    token = one.enrol().verification.token
    other.enrol()

    assert refuses(other, token)
    assert refuses(one, other.log_in().token)

    shared = Factor(a_config(secret=OTHER), store=one.store, clock=one.clock)
    challenge = one.verifier.challenge("alice")
    right = one.outbox.code
    with pytest.raises(CodeRejected):
        shared.verifier.verify("alice", challenge.id, right)
    pending = one.enroller.start("bob", NUMBER)
    with pytest.raises(CodeRejected):
        shared.enroller.confirm("bob", pending.id, one.outbox.code)
    assert "alice" == one.verifier.verify("alice", challenge.id, right).user_id


def test_two_secrets_give_unrelated_codes():
    """R1, R12: codes of the same challenge under two secrets agree no more often than chance has it."""
    one, other = CodeGenerator(SECRET), CodeGenerator(OTHER)

    assert 0 == sum(one.code(f"{n}") == other.code(f"{n}") for n in range(2000))


def test_a_token_is_of_no_use_as_a_code(factor):
    """T8: neither a token nor a challenge's id is taken for a code of any kind."""
    challenge = factor.verifier.challenge("alice")
    token = factor.log_in().token

    for typed in (token, challenge.id):
        assert CodeMalformed is outcome_of(lambda typed=typed: factor.verifier.verify("alice", challenge.id, typed))
        assert CodeMalformed is outcome_of(lambda typed=typed: factor.verifier.recover("alice", typed))
    assert refuses(factor, challenge.id)


def test_a_record_copied_to_another_user_is_of_no_use():
    """R5, R12: codes and tokens are bound to their user by the secret, even if a record is put in place of another."""
    factor = Factor(store=Keys())
    factor.enrol("alice")
    factor.enrol("mallory", OTHER_NUMBER)
    token = factor.log_in("mallory").token
    challenge = factor.verifier.challenge("alice")
    right = factor.outbox.code

    factor.store.copy_first_to_second()

    with pytest.raises(CodeRejected):
        factor.verifier.verify("mallory", challenge.id, right)
    assert "alice" == factor.verifier.verify("alice", challenge.id, right).user_id
    assert refuses(factor, factor.log_in("alice").token, "mallory")
    assert refuses(factor, token, "alice")


def test_a_proof_is_asked_for_before_any_limit_is_charged(factor):
    """R17: without a proof nothing is sent and nothing charged, however often it is tried."""
    before = factor.verifier.status("alice")

    for _ in range(30):
        assert ProofRequired is outcome_of(lambda: factor.enroller.start("alice", OTHER_NUMBER))

    assert before == factor.verifier.status("alice")
    assert 1 == factor.outbox.calls


def test_the_first_number_takes_no_proof():
    """A user without a number has nothing to prove with, and a token of another time does no harm."""
    factor = Factor(store=MemoryStore(), clock=Clock())

    assert NUMBER == factor.enrol(proof="not a token").phone.phone.e164
