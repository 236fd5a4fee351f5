"""The answers that are kept for repeated requests let nobody in twice, reveal nothing, and stay small."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from threading import Barrier

import msgspec
import pytest
from support import NUMBER, OTHER_NUMBER, Factor, a_config, rejected, wrong

from smsmfa import CodeRejected, CodeUsed, SmsMfaError
from smsmfa.codes import CodeGenerator, read_recovery_code, recovery_code
from smsmfa.core.records import User, decode, user_key
from smsmfa.typing import Entry

KEY, OTHER_KEY = "a random key of one form", "a random key of another"
TEN_MINUTES = timedelta(minutes=10)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(params=[1e-6, None], ids=["1e-6", "default"])
def switch_interval(request):
    """Run the races with two intervals at which threads take turns."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param or before)
    yield
    sys.setswitchinterval(before)


def at_once(call, keys):
    """Call with each key in its own thread, all starting together. Return each key with the value or the error."""
    barrier = Barrier(len(keys))

    def run(key):
        barrier.wait()
        try:
            return key, call(key)
        except SmsMfaError as error:
            return key, error

    with ThreadPoolExecutor(len(keys)) as threads:
        return list(threads.map(run, keys))


def shown(value):
    """Return everything that an application can see of an answer, except whether it repeats one."""
    if isinstance(value, tuple):
        return value
    return value, value.recovery_codes, getattr(value, "verification", value).token


class Confirm:
    """A confirmation that several requests send at once."""

    def __init__(self):
        self.factor = Factor(a_config(recovery_codes=3))
        self.challenge = self.factor.enroller.start("alice", NUMBER)
        self.code = self.factor.outbox.code

    def __call__(self, key):
        return self.factor.enroller.confirm("alice", self.challenge.id, self.code, retry_key=key)


class Verify:
    """A login that several requests send at once."""

    def __init__(self):
        self.factor = Factor()
        self.factor.enrol()
        self.challenge = self.factor.verifier.challenge("alice")
        self.code = self.factor.outbox.code

    def __call__(self, key):
        return self.factor.verifier.verify("alice", self.challenge.id, self.code, retry_key=key)


class Recover:
    """A recovery that several requests send at once."""

    def __init__(self):
        self.factor = Factor()
        (self.code,) = self.factor.enrol().recovery_codes

    def __call__(self, key):
        return self.factor.verifier.recover("alice", self.code, retry_key=key)


class Renew:
    """A request for new recovery codes that several requests send at once."""

    def __init__(self):
        self.factor = Factor(a_config(recovery_codes=3))
        self.token = self.factor.enrol().verification.token

    def __call__(self, key):
        return self.factor.enroller.new_recovery_codes("alice", proof=self.token, retry_key=key)


at_several_intervals = pytest.mark.usefixtures("switch_interval")
once = pytest.mark.parametrize("request_of", [Confirm, Verify, Recover])


# --- races


@at_several_intervals
@pytest.mark.parametrize("request_of", [Confirm, Verify, Recover, Renew])
def test_64_threads_with_the_key(request_of):
    """R3, T5, R25: 64 threads with the same key get one answer, and only the first is no repetition."""
    outcomes = [value for _, value in at_once(request_of(), [KEY] * 64)]

    assert [shown(outcomes[0])] * 64 == list(map(shown, outcomes))
    if request_of is not Renew:
        assert [False] + [True] * 63 == sorted(value.repeated for value in outcomes)


@at_several_intervals
@once
def test_64_threads_without_a_key(request_of):
    """R3, T5, R25: 64 threads without a key get one answer, and 63 learn that the form was sent twice."""
    outcomes = [value for _, value in at_once(request_of(), [None] * 64)]
    refusals = [value for value in outcomes if isinstance(value, CodeUsed)]

    assert 63 == len(refusals)


@at_several_intervals
@once
def test_64_threads_with_and_without_the_key(request_of):
    """R3, T5, R25: of 64 threads one is accepted. If it had the key, all with the key get its answer."""
    asking = request_of()
    outcomes = at_once(asking, [KEY, None] * 32)
    values = [(key, value) for key, value in outcomes if not isinstance(value, SmsMfaError)]
    [(winner, answer)] = [(key, value) for key, value in values if not value.repeated]

    assert (1 if winner is None else 32) == len(values)
    assert {winner} == {key for key, _ in values}
    assert [shown(answer)] * len(values) == [shown(value) for _, value in values]
    assert {CodeUsed} == {type(value) for _, value in outcomes if isinstance(value, SmsMfaError)}


@at_several_intervals
@once
def test_two_sessions_at_once(request_of):
    """R3, T5, R25: of two sessions with keys of their own one is let in, and the other never sees its answer."""
    outcomes = at_once(request_of(), [KEY, OTHER_KEY] * 32)
    values = [(key, value) for key, value in outcomes if not isinstance(value, SmsMfaError)]

    assert 1 == len({key for key, _ in values})
    assert 1 == sum(not value.repeated for _, value in values)
    assert {CodeUsed} == {type(value) for _, value in outcomes if isinstance(value, SmsMfaError)}


@at_several_intervals
def test_64_threads_with_a_wrong_code():
    """R25, T3: 64 threads with the same wrong code and key cost one guess and one attempt."""
    asking = Verify()
    asking.code = wrong(asking.code)
    outcomes = at_once(asking, [KEY] * 64)

    assert {(CodeRejected, 4)} == {(type(error), error.attempts_left) for _, error in outcomes}
    assert 19 == asking.factor.verifier.status("alice").guesses_left


# --- whoever does not have the key


@once
@pytest.mark.parametrize("other", [None, OTHER_KEY, KEY[:-1], KEY + " ", KEY.upper()])
def test_another_session(request_of, other):
    """T5: without the key of the session the code stays used."""
    asking = request_of()
    asking(KEY)

    for _ in range(10):
        rejected(asking, other, error=CodeUsed)


@once
def test_a_session_that_tries_codes(request_of):
    """T2, T5: who has the key but not the code has five tries. Then nobody gets the answer again."""
    asking = request_of()
    right = asking.code
    asking(KEY)
    if request_of is Recover:  # another code is another request, which was never answered
        asking.code = "0000-0000-0000-0000-0000-0000"
        rejected(asking, KEY)
        return
    for _ in range(5):
        asking.code = wrong(asking.code)
        rejected(asking, KEY, error=CodeUsed)
    asking.code = right

    rejected(asking, KEY, error=CodeUsed)


def test_another_user():
    """T5: the same challenge, code and key say nothing to another user."""
    asking = Verify()
    asking.factor.enrol("bob", OTHER_NUMBER)
    asking(KEY)
    verify = asking.factor.verifier.verify

    assert CodeRejected is type(rejected(verify, "bob", asking.challenge.id, asking.code, retry_key=KEY))


def test_another_tenant():
    """T5: a record that is copied to another tenant answers nothing there."""
    asking = Verify()
    asking(KEY)
    other = Factor(a_config(namespace="other"))
    here, there = user_key("alice"), user_key("alice", other.config.key_prefix)
    record = asking.factor.store.read(here)
    other.store.update([there], lambda _: ({there: Entry(record)}, None))

    rejected(other.verifier.verify, "alice", asking.challenge.id, asking.code, error=CodeUsed, retry_key=KEY)


# --- whoever steals the store


def answered(request_of):
    """Return a request that was answered, the record and the recovery codes that the answer showed."""
    asking = request_of()
    value = asking(KEY)
    record = asking.factor.store.read(user_key("alice"))
    codes = value if isinstance(value, tuple) else value.recovery_codes
    assert codes
    return asking, record, codes


def forms_of(text):
    """Return forms in which a text could stand in a record."""
    plain = text.replace("-", "")
    return [
        form.encode() if isinstance(form, str) else form
        for form in (
            text, plain, text.lower(), plain.lower(), sha256(text.encode()).digest(), sha256(plain.encode()).digest(),
            sha256(text.encode()).hexdigest(), sha256(plain.encode()).hexdigest(),
        )
    ]  # fmt: skip


@pytest.mark.parametrize("request_of", [Confirm, Recover, Renew])
def test_a_dump(request_of):
    """R12, T9: the record has neither the codes nor the key, in no form, but the hash that checks a recovery code."""
    _, record, codes = answered(request_of)

    for secret in (*codes, KEY):
        for form in forms_of(secret):
            assert form not in record
            assert form[:8] not in record
    for code in codes:
        assert read_recovery_code(code) in record


@pytest.mark.parametrize("request_of", [Confirm, Recover, Renew])
def test_a_dump_and_the_key(request_of):
    """R12, T9: who has the record and the key, but no secret, derives no recovery code."""
    asking, record, codes = answered(request_of)
    user = decode(User, record)
    answer = user.accepted[-1]
    key, name = KEY.encode(), user_key("alice")
    known = [answer.seed, answer.mark, answer.about, user.stamp, key, sha256(key).digest(), name.encode(), b""]
    wanted = {read_recovery_code(code) for code in codes}

    derived = {
        read_recovery_code(recovery_code(data).reveal())
        for data in map(b"".join, pairs_and_triples(known))
        for data in (data.ljust(15, b"\0"), sha256(data).digest())
    }
    for generator in (CodeGenerator(sha256(key).digest()), CodeGenerator(sha256(answer.seed).digest())):
        for place in range(3):
            data = generator.sign("recovery code", name, answer.seed, KEY, str(place))
            derived.add(read_recovery_code(recovery_code(data).reveal()))

    assert not wanted & derived
    own = asking.factor.config.keys.newest.sign("recovery code", name, answer.seed, KEY, "0")
    assert codes[0] == recovery_code(own).reveal()  # with the secret it can be derived: that is how it is repeated


def pairs_and_triples(parts):
    """Return lists of two and three of the parts, in every order."""
    return [[*pair, *more] for pair in [(a, b) for a in parts for b in parts] for more in [[], *[[c] for c in parts]]]


@pytest.mark.parametrize("request_of", [Confirm, Recover, Renew])
def test_a_dump_after_ten_minutes(request_of):
    """R12, T9: with the next message the old seed is gone, and even the secret and the key derive nothing any more."""
    asking, record, _ = answered(request_of)
    seed = decode(User, record).accepted[-1].seed
    asking.factor.clock.move(TEN_MINUTES + MICROSECOND)
    asking.factor.verifier.challenge("alice")

    assert seed in record
    assert seed not in asking.factor.store.read(user_key("alice"))


@pytest.mark.parametrize("request_of", [Confirm, Recover, Renew])
def test_a_dump_after_the_numbers_changed(request_of):
    """R12, T9: when the numbers change the seed is gone at once."""
    asking, record, _ = answered(request_of)
    seed = decode(User, record).accepted[-1].seed
    asking.factor.enroller.adopt("alice", OTHER_NUMBER)

    assert seed not in asking.factor.store.read(user_key("alice"))


# --- sizes


def size_before(record):
    """Return the size of a record without what was added for repetitions, refunds and proofs.

    In place of the stamp there was a small count of the changes.
    """
    user = decode(User, record)
    old = [user.version, user.phones, user.issued, user.pending, user.recovery, 1]
    return len(msgspec.msgpack.encode([*old, user.sends, user.guesses, user.recoveries]))


def size_now(factor):
    """Return how many bytes a record has more than it had."""
    record = factor.store.read(user_key("alice"))
    return len(record) - size_before(record)


def logged_in(key):
    """Return a factor whose user enrolled and logged in, each form with a key or without."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    factor.enroller.confirm("alice", pending.id, factor.outbox.code, retry_key=key and f"{key} of the enrolment")
    factor.clock.move(days=1)
    challenge = factor.verifier.challenge("alice")
    factor.verifier.verify("alice", challenge.id, factor.outbox.code, retry_key=key)
    factor.clock.move(TEN_MINUTES + MICROSECOND)
    return factor


@pytest.mark.parametrize("key", [None, KEY])
def test_size_after_the_next_message(key):
    """Ten minutes after a login a record is at most 60 bytes larger, once the next message was sent."""
    factor = logged_in(key)
    factor.verifier.challenge("alice")

    assert size_now(factor) <= 60


@pytest.mark.parametrize("key", [None, KEY])
def test_size_at_rest(key):
    """Ten minutes after a login a record is at most 60 bytes larger, without a further call."""
    assert size_now(logged_in(key)) <= 60


def test_size_at_most():
    """However often requests with a key are answered or refused, a record stays below 3 KiB."""
    factor = Factor(a_config(recovery_codes=20))
    factor.enrol()
    for n in range(12):
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        rejected(factor.verifier.verify, "alice", challenge.id, wrong(code), retry_key=f"{KEY} {n}")
        proof = factor.verifier.verify("alice", challenge.id, code, retry_key=f"{KEY} {n}")
        factor.enroller.new_recovery_codes("alice", proof=proof.token, retry_key=f"{KEY} {n}")
        factor.clock.move(seconds=30)
        if n % 6 == 5:
            factor.clock.move(hours=12)

    record = factor.store.read(user_key("alice"))
    assert (8, True) == (len(decode(User, record).accepted), len(record) < 3 * 1024)
