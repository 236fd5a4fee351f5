"""A proof token authorises the changes it was issued for, and nothing for another user, time or secret."""

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
    """A MemoryStore that knows the key of each user's record, for tests that tamper with one."""

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
    """Every operation that takes a proof, for a user with a number."""

    def __init__(self, factor, user_id="alice"):
        self.factor, self.user_id = factor, user_id

    def each(self, proof):
        """Try each change with a proof, and return the type of each error, or ``None`` for success."""
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
    """Return whether every change raises ``ProofRequired``, charges nothing and changes nothing."""
    before = factor.verifier.status(user_id)
    refused = REFUSED == Changes(factor, user_id).each(proof)
    return refused and before == factor.verifier.status(user_id)


@pytest.mark.parametrize("purpose", ["login", "manage"])
def test_a_genuine_token_is_accepted(factor, purpose):
    """A fresh token of purpose login or manage authorises every change."""
    assert ACCEPTED == Changes(factor).each(factor.log_in(purpose=purpose).token)


def test_the_token_of_an_enrolment_is_accepted():
    """The token of an enrolment authorises every change, because it is issued after the enrolment."""
    factor = Factor()

    assert ACCEPTED == Changes(factor).each(factor.enrol().verification.token)


def test_the_token_of_a_recovery_is_accepted():
    """The token of a recovery authorises every change."""
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
def test_anything_else_is_refused(factor, proof):
    """R17, R21, T14: anything but a token raises ``ProofRequired`` and no other error."""
    assert refuses(factor, proof)


def test_every_altered_character_is_refused(factor):
    """R17, T10: a token with any one character altered is refused."""
    token = factor.log_in().token

    for place, original in enumerate(token):
        for altered in {"A", "B", "g", "-", "_", "=", "!", " ", "\n", "+", "/"} - {original}:
            assert refuses(factor, token[:place] + altered + token[place + 1 :])


def test_every_altered_bit_is_refused(factor):
    """R17, T10: a token with any one bit altered is refused, including the bit that claims purpose login."""
    factor.clock.move(seconds=30)
    token = factor.log_in(purpose="payment").token
    data = urlsafe_b64decode(token)

    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        assert refuses(factor, urlsafe_b64encode(altered).decode())


def test_a_truncated_token_is_refused(factor):
    """R17: a part of a token is refused."""
    token = factor.log_in().token

    for cut in range(1, len(token)):
        assert refuses(factor, token[:cut]), cut
        assert refuses(factor, token[cut:]), cut


@pytest.mark.parametrize("more", ["A", "=", "==", "AAAA", "\n", " ", "\0"])
def test_an_extended_token_is_refused(factor, more):
    """R17: a token with anything before or after it is refused."""
    token = factor.log_in().token

    assert refuses(factor, token + more)
    assert refuses(factor, more + token)
    assert refuses(factor, token * 2)


@settings(max_examples=100)
@given(st.text(string.ascii_letters + string.digits + "-_=", min_size=44, max_size=44) | st.text(min_size=1))
def test_a_forged_token_is_refused(proof):
    """R17, T10: a token that was made without the secret is refused."""
    factor = Factor()
    factor.enrol()

    assert refuses(factor, proof)


def test_a_token_belongs_to_its_user(factor):
    """R17, T8: the token of one user authorises nothing for another user."""
    factor.enrol("bob", OTHER_NUMBER)

    assert refuses(factor, factor.log_in("bob").token)
    assert refuses(factor, factor.log_in("alice").token, "bob")


def test_a_token_lasts_ten_minutes(factor):
    """R17: a token is accepted for exactly ten minutes."""
    token = factor.log_in().token

    factor.clock.move(minutes=10)
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=token))
    factor.clock.move(microseconds=1)
    assert refuses(factor, token)


def test_a_token_from_the_future_is_refused(factor):
    """R17, T17: a token is refused after the clock was set back by more than a minute."""
    token = factor.log_in().token

    factor.clock.move(minutes=-1)
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=token))
    factor.clock.move(microseconds=-1)
    assert refuses(factor, token)


@pytest.mark.parametrize("about", [{"purpose": "payment"}, {"details": {"_payee": "Ann"}}, {"purpose": "enrol"}])
def test_a_token_for_something_else_is_refused(factor, about):
    """R5, R17, T8: a token of another purpose, or with details, authorises no change."""
    assert refuses(factor, factor.log_in(**about).token)


def test_a_token_with_details_is_refused_for_manage_too(factor):
    """R17, R24: a token with details authorises no change, even with purpose manage."""
    assert refuses(factor, factor.log_in(purpose="manage", details={"_payee": "Ann"}).token)


def test_a_token_ends_with_a_replaced_number(factor):
    """R17: a token from before the number was replaced is refused, and the new enrolment's token is accepted."""
    before = factor.log_in().token
    factor.clock.move(seconds=30)
    enrolled = factor.enrol(number=OTHER_NUMBER, proof=before)

    assert refuses(factor, before)
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=enrolled.verification.token))


def test_a_token_ends_with_a_removal():
    """R17: a token from before one of several numbers was removed is refused."""
    factor = Factor(a_config(max_phones=2))
    first = factor.enrol()
    second = factor.enrol(number=OTHER_NUMBER, proof=first.verification.token)
    token = second.verification.token
    factor.enroller.remove("alice", first.phone.id, proof=token)

    assert refuses(factor, token)


def test_a_token_ends_with_a_reset(factor):
    """R17, R19: a token from before a reset is refused, even after the user enrols again."""
    token = factor.log_in().token
    factor.enroller.reset("alice")
    factor.enrol()

    assert refuses(factor, token)


def test_an_abandoned_change_leaves_tokens_good(factor):
    """R17, T9: starting a change without confirming it keeps tokens good and sends codes to the old number."""
    token = factor.log_in().token
    factor.enroller.start("alice", OTHER_NUMBER, proof=token)
    factor.clock.move(seconds=30)

    factor.verifier.challenge("alice")

    assert NUMBER == factor.outbox.messages[-1].to.e164
    assert None is outcome_of(lambda: factor.enroller.new_recovery_codes("alice", proof=token))


def with_secrets(factor, *secrets):
    """Return the factor of another process with the same store and other secrets."""
    return Factor(a_config(secret=list(secrets)), store=factor.store, clock=factor.clock)


def test_a_token_outlives_a_rotation(factor):
    """R12: a token is accepted after a rotation, while its secret is still listed."""
    token = factor.log_in().token

    assert ACCEPTED == Changes(with_secrets(factor, NEWER, SECRET)).each(token)


def test_a_token_under_a_retired_secret_is_refused(factor):
    """R12, R17: retiring a secret ends its tokens, and the number stays enrolled."""
    token = factor.log_in().token
    after = with_secrets(factor, NEWER)

    assert refuses(after, token)
    assert None is outcome_of(after.log_in)


def test_a_code_under_a_retired_secret_is_refused(factor):
    """R12: retiring a secret ends its codes, and rotating it does not."""
    challenge = factor.verifier.challenge("alice")
    rotated, retired = with_secrets(factor, NEWER, SECRET), with_secrets(factor, NEWER)

    def verify(other):
        return outcome_of(lambda: other.verifier.verify("alice", challenge.id, factor.outbox.code))

    assert CodeExpired is verify(retired)
    assert None is verify(rotated)


def test_recovery_codes_outlive_every_secret(factor):
    """R20: a recovery code is accepted after every secret has changed."""
    (code,) = factor.enroller.new_recovery_codes("alice", proof=factor.log_in().token)

    assert "alice" == with_secrets(factor, OTHER).verifier.recover("alice", code).user_id


def test_two_configurations_share_nothing():
    """R5, R12, R17: with another secret neither a token nor a code is accepted, even if all else is equal."""
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
    """R1, R12: the codes of 2,000 challenges differ between two secrets."""
    one, other = CodeGenerator(SECRET), CodeGenerator(OTHER)

    assert 0 == sum(one.code(f"{n}") == other.code(f"{n}") for n in range(2000))


def test_a_token_is_of_no_use_as_a_code(factor):
    """T8: neither a token nor a challenge id is accepted as a code."""
    challenge = factor.verifier.challenge("alice")
    token = factor.log_in().token

    for typed in (token, challenge.id):
        assert CodeMalformed is outcome_of(lambda typed=typed: factor.verifier.verify("alice", challenge.id, typed))
        assert CodeMalformed is outcome_of(lambda typed=typed: factor.verifier.recover("alice", typed))
    assert refuses(factor, challenge.id)


def test_a_record_copied_to_another_user_is_of_no_use():
    """R5, R12: codes and tokens stay bound to their user if one user's record overwrites another's."""
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
    """R17: any number of tries without a proof sends and charges nothing."""
    before = factor.verifier.status("alice")

    for _ in range(30):
        assert ProofRequired is outcome_of(lambda: factor.enroller.start("alice", OTHER_NUMBER))

    assert before == factor.verifier.status("alice")
    assert 1 == factor.outbox.calls


def test_the_first_number_takes_no_proof():
    """A user's first number needs no proof, and a wrong proof does no harm."""
    factor = Factor(store=MemoryStore(), clock=Clock())

    assert NUMBER == factor.enrol(proof="not a token").phone.phone.e164
