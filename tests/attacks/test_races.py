"""Many calls at once have the same outcomes as calls one after the other, in threads and in asyncio tasks."""

import asyncio
import sys
from collections import Counter
from datetime import timedelta
from hmac import compare_digest
from threading import Barrier, Thread

import pytest
from support import NUMBER, AsyncOutbox, Clock, Factor, a_config, wrong

from smsmfa import (
    AsyncEnroller,
    AsyncMemoryStore,
    AsyncRateLimiter,
    AsyncVerifier,
    Enrollment,
    Limit,
    Limits,
    MemoryStore,
    RateLimiter,
    Verification,
)
from smsmfa.core import rules

HOUR = timedelta(hours=1)


@pytest.fixture(params=[1e-6, pytest.param(1e-4, marks=pytest.mark.thorough), None], ids=["1e-6", "1e-4", "default"])
def switch_interval(request):
    """Run a test with several intervals at which threads take turns."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param or before)
    yield
    sys.setswitchinterval(before)


at_several_intervals = pytest.mark.usefixtures("switch_interval")


@pytest.fixture
def compared(monkeypatch):
    """Return a list that grows with each comparison of a code."""
    made = []

    def counting(one, other):
        made.append(None)
        return compare_digest(one, other)

    monkeypatch.setattr(rules, "compare_digest", counting)
    return made


def told(outcome):
    """Return the scope of a limit that refused, or the type of the outcome."""
    return getattr(outcome, "scope", None) or type(outcome).__name__


def outcome_of(call, *arguments):
    try:
        return call(*arguments)
    except Exception as error:
        return error


class Outcomes(list):
    """The outcomes of calls that were made at once."""

    @property
    def count(self):
        return Counter(map(told, self))

    def of(self, kind):
        return [outcome for outcome in self if isinstance(outcome, kind)]


def at_once(call, arguments):
    """Call with each argument in its own thread, all starting together."""
    barrier, outcomes = Barrier(len(arguments)), Outcomes()

    def run(argument):
        barrier.wait()
        outcomes.append(outcome_of(call, argument))

    threads = [Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arguments) == len(outcomes)
    return outcomes


# --- threads


@at_several_intervals
def test_200_wrong_codes(compared):
    """T3, R25: 200 threads with a wrong code cause 200 refusals, 5 comparisons and 5 guesses."""
    factor = Factor()
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    code = wrong(factor.outbox.code)
    compared.clear()

    outcomes = at_once(lambda _: factor.verifier.verify("alice", challenge.id, code), range(200))

    assert {"CodeRejected": 200} == outcomes.count
    assert [0] * 196 + [1, 2, 3, 4] == sorted(error.attempts_left for error in outcomes)
    assert 5 == len(compared)
    assert 15 == factor.verifier.status("alice").guesses_left


@at_several_intervals
def test_200_wrong_codes_for_four_challenges(compared):
    """T2, T3, R8: challenges of all purposes share the budget, so 200 threads compare the 12 codes that are left."""
    factor = Factor(a_config(limits=Limits(guesses=Limit(12, HOUR))))
    factor.enrol()
    challenges = [factor.verifier.challenge("alice", purpose=f"purpose {n}") for n in range(4)]
    codes = {message.challenge_id: wrong(message.code.reveal()) for message in factor.outbox.messages}
    compared.clear()

    def guess(n):
        challenge = challenges[n % 4]
        return factor.verifier.verify("alice", challenge.id, codes[challenge.id], purpose=challenge.purpose)

    outcomes = at_once(guess, range(200))

    assert {"CodeRejected", "guesses"} == set(outcomes.count)
    assert 12 == len(compared)
    assert 0 == factor.verifier.status("alice").guesses_left


@at_several_intervals
def test_64_right_codes():
    """R3, T5, R25: 64 threads with the right code give exactly one Verification."""
    factor = Factor()
    factor.enrol()
    challenge = factor.verifier.challenge("alice")

    outcomes = at_once(lambda code: factor.verifier.verify("alice", challenge.id, code), [factor.outbox.code] * 64)

    assert {"Verification": 1, "CodeUsed": 63} == outcomes.count
    assert 20 == factor.verifier.status("alice").guesses_left


@at_several_intervals
def test_a_right_code_among_wrong_ones():
    """The right code is accepted beside fewer wrong ones than there are attempts."""
    factor = Factor()
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    right = factor.outbox.code

    outcomes = at_once(lambda code: factor.verifier.verify("alice", challenge.id, code), [right] + [wrong(right)] * 4)

    assert {"Verification": 1} == outcomes.count - Counter(CodeRejected=4, CodeUsed=4)
    assert 4 == outcomes.count["CodeRejected"] + outcomes.count["CodeUsed"]
    assert 20 - outcomes.count["CodeRejected"] == factor.verifier.status("alice").guesses_left


@at_several_intervals
def test_50_challenges():
    """T4, R28: 50 threads that ask for codes for 50 purposes get as many messages as the bucket holds."""
    factor = Factor()
    factor.enrol()
    factor.clock.move(days=1)
    before = factor.outbox.calls

    outcomes = at_once(
        lambda purpose: factor.verifier.challenge("alice", purpose=purpose), [f"purpose {n}" for n in range(50)]
    )

    assert {"Challenge": 10, "user": 40} == outcomes.count
    assert 10 == factor.outbox.calls - before
    assert 0 == factor.verifier.status("alice").sends_left


@at_several_intervals
def test_50_challenges_about_the_same():
    """T4: 50 threads that ask for the same code get one message and one live challenge."""
    factor = Factor()
    factor.enrol()
    before = factor.outbox.calls

    outcomes = at_once(lambda _: factor.verifier.challenge("alice"), range(50))

    assert {"Challenge": 50} == outcomes.count
    assert 1 == len({challenge.id for challenge in outcomes})
    assert [True] == [challenge.sent for challenge in outcomes if challenge.sent]
    assert 1 == factor.outbox.calls - before
    assert 1 == len(factor.verifier.status("alice").challenges)


@at_several_intervals
def test_50_resends():
    """T4: 50 threads that ask for the same code again after the gap get one message."""
    factor = Factor()
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    factor.clock.move(seconds=30)

    outcomes = at_once(lambda _: factor.verifier.resend("alice", challenge.id), range(50))

    assert {"Challenge": 1, "resend": 49} == outcomes.count


@at_several_intervals
def test_50_users_on_one_number():
    """R28, T4: 50 users that start on one number at once get as many messages as the number's bucket holds."""
    factor = Factor(a_config(max_users_per_number=0))

    outcomes = at_once(lambda user: factor.enroller.start(user, NUMBER), [f"user {n}" for n in range(50)])

    assert {"Challenge": 10, "number": 40} == outcomes.count
    assert 10 == factor.outbox.calls


@at_several_intervals
def test_50_users_and_a_total():
    """R28, T4: the total limit holds across users and numbers that share nothing else."""
    factor = Factor(a_config(limits=Limits(total=Limit(7, None))))

    outcomes = at_once(lambda n: factor.enroller.start(n, f"+141555526{n:02d}"), range(50))

    assert {"Challenge": 7, "total": 43} == outcomes.count
    assert 7 == factor.outbox.calls


@at_several_intervals
def test_64_recoveries():
    """T6, R20, R25: 64 threads with one recovery code give one Verification, and the others learn that it was used."""
    factor = Factor()
    (code,) = factor.enrol().recovery_codes

    outcomes = at_once(lambda _: factor.verifier.recover("alice", code), range(64))

    assert {"Verification": 1, "CodeUsed": 63} == outcomes.count
    assert 1 == factor.verifier.status("alice").recovery_codes_left


@at_several_intervals
def test_64_wrong_recovery_codes():
    """T6, R20, R25: 64 threads with wrong recovery codes are charged ten, and the others are not compared."""
    factor = Factor()
    (code,) = factor.enrol().recovery_codes

    outcomes = at_once(lambda n: factor.verifier.recover("alice", f"{n:024}"), range(64))

    assert {"CodeRejected": 10, "recovery": 54} == outcomes.count
    factor.clock.move(days=1)
    assert factor.verifier.recover("alice", code)


@at_several_intervals
def test_64_confirmations():
    """R3, R25: 64 threads that confirm a number enrol it once, and one of them gets the recovery codes."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)

    outcomes = at_once(lambda code: factor.enroller.confirm("alice", pending.id, code), [factor.outbox.code] * 64)

    assert {"Enrollment": 1, "CodeUsed": 63} == outcomes.count
    assert 1 == len(outcomes.of(Enrollment)[0].recovery_codes)
    assert 1 == len(factor.verifier.status("alice").phones)


@at_several_intervals
def test_200_wrong_confirmations(compared):
    """T1, T3: 200 threads with a wrong code for a pending number make 5 comparisons and spend 5 guesses."""
    factor = Factor()
    pending = factor.enroller.start("alice", NUMBER)
    code = wrong(factor.outbox.code)

    outcomes = at_once(lambda _: factor.enroller.confirm("alice", pending.id, code), range(200))

    assert {"CodeRejected": 200} == outcomes.count
    assert 5 == len(compared)
    assert 15 == factor.verifier.status("alice").guesses_left


@at_several_intervals
def test_a_unique_number():
    """R16, R25: if numbers are unique, one of 8 users who confirm the same number at once gets it."""
    factor = Factor(a_config(max_users_per_number=1))
    users = [f"user {n}" for n in range(8)]

    started = at_once(lambda user: factor.enroller.start(user, NUMBER), users)
    codes = {message.challenge_id: message.code.reveal() for message in factor.outbox.messages}
    confirmed = at_once(lambda each: factor.enroller.confirm(each.user_id, each.id, codes[each.id]), started)

    assert {"Challenge": 8} == started.count
    assert {"Enrollment": 1, "PhoneInUse": 7} == confirmed.count
    assert 1 == sum(factor.verifier.status(user).enrolled for user in users)


@at_several_intervals
def test_removal_beside_a_login():
    """R19: a number that is removed while its code is checked leaves nothing behind."""
    factor = Factor()
    enrolled = factor.enrol()
    challenge = factor.verifier.challenge("alice")
    code = factor.outbox.code

    def act(n):
        if n:
            return factor.verifier.verify("alice", challenge.id, code)
        return factor.enroller.remove("alice", enrolled.phone.id, proof=enrolled.verification.token)

    outcomes = at_once(act, range(8))

    assert 1 == outcomes.count["NoneType"]
    assert outcomes.count["Verification"] <= 1
    status = factor.verifier.status("alice")
    assert (False, (), ()) == (status.enrolled, status.phones, status.challenges)


@at_several_intervals
def test_one_proof_used_64_times():
    """R25: one of 64 removals with the same proof succeeds, and the others find no number."""
    factor = Factor()
    enrolled = factor.enrol()
    token = enrolled.verification.token

    outcomes = at_once(lambda _: factor.enroller.remove("alice", enrolled.phone.id, proof=token), range(64))

    assert {"NoneType": 1, "NotEnrolled": 63} == outcomes.count


@at_several_intervals
def test_a_limiter_of_threads():
    """R25: 64 threads take exactly as much as a limiter's bucket holds."""
    limiter = RateLimiter(MemoryStore(), Limit(10, HOUR), clock=Clock())

    outcomes = at_once(limiter.take, ["key"] * 64)

    assert 10 == sum(decision.allowed for decision in outcomes)
    assert list(range(10)) == sorted(decision.remaining for decision in outcomes if decision.allowed)


# --- asyncio


class YieldingStore:
    """An AsyncMemoryStore that lets other tasks run before and after each step."""

    def __init__(self):
        self.store = AsyncMemoryStore()

    async def read(self, key):
        await asyncio.sleep(0)
        value = await self.store.read(key)
        await asyncio.sleep(0)
        return value

    async def update(self, keys, change):
        await asyncio.sleep(0)
        outcome = await self.store.update(keys, change)
        await asyncio.sleep(0)
        return outcome


class YieldingOutbox(AsyncOutbox):
    """An AsyncOutbox that lets other tasks run before it accepts a message."""

    async def send(self, message):
        await asyncio.sleep(0)
        return await super().send(message)


class AsyncFactor:
    """An asyncio enroller and verifier over one store, one outbox and one clock."""

    def __init__(self, config=None):
        self.clock, self.outbox = Clock(), YieldingOutbox()
        shared = config or a_config(), YieldingStore(), self.outbox
        self.enroller = AsyncEnroller(*shared, clock=self.clock)
        self.verifier = AsyncVerifier(*shared, clock=self.clock)

    async def enrol(self):
        pending = await self.enroller.start("alice", NUMBER)
        return await self.enroller.confirm("alice", pending.id, self.outbox.code)


async def as_tasks(call, arguments):
    """Call with each argument in its own task."""
    return Outcomes(await asyncio.gather(*map(call, arguments), return_exceptions=True))


async def test_tasks_with_200_wrong_codes(compared):
    """T3, R25: 200 tasks with a wrong code cause 200 refusals, 5 comparisons and 5 guesses."""
    factor = AsyncFactor()
    await factor.enrol()
    challenge = await factor.verifier.challenge("alice")
    code = wrong(factor.outbox.code)
    compared.clear()

    outcomes = await as_tasks(lambda _: factor.verifier.verify("alice", challenge.id, code), range(200))

    assert {"CodeRejected": 200} == outcomes.count
    assert 5 == len(compared)
    assert 15 == (await factor.verifier.status("alice")).guesses_left


async def test_tasks_with_64_right_codes():
    """R3, T5, R25: 64 tasks with the right code give exactly one Verification."""
    factor = AsyncFactor()
    await factor.enrol()
    challenge = await factor.verifier.challenge("alice")
    code = factor.outbox.code

    outcomes = await as_tasks(lambda _: factor.verifier.verify("alice", challenge.id, code), range(64))

    assert {"Verification": 1, "CodeUsed": 63} == outcomes.count


async def test_tasks_that_ask_for_50_codes():
    """T4, R28: 50 tasks that ask for codes for 50 purposes get as many messages as the bucket holds."""
    factor = AsyncFactor()
    await factor.enrol()
    factor.clock.move(days=1)
    before = factor.outbox.calls

    outcomes = await as_tasks(lambda n: factor.verifier.challenge("alice", purpose=f"purpose {n}"), range(50))

    assert {"Challenge": 10, "user": 40} == outcomes.count
    assert 10 == factor.outbox.calls - before


async def test_tasks_that_ask_for_the_same_code():
    """T4: 50 tasks that ask for the same code get one message and one live challenge."""
    factor = AsyncFactor()
    await factor.enrol()
    before = factor.outbox.calls

    outcomes = await as_tasks(lambda _: factor.verifier.challenge("alice"), range(50))

    assert {"Challenge": 50} == outcomes.count
    assert 1 == factor.outbox.calls - before
    assert 1 == len((await factor.verifier.status("alice")).challenges)


async def test_tasks_with_64_recoveries():
    """T6, R20, R25: 64 tasks with one recovery code give one Verification."""
    factor = AsyncFactor()
    (code,) = (await factor.enrol()).recovery_codes

    outcomes = await as_tasks(lambda _: factor.verifier.recover("alice", code), range(64))

    assert {"Verification": 1, "CodeUsed": 63} == outcomes.count
    assert outcomes.of(Verification)[0].recovery_codes


async def test_tasks_with_64_confirmations():
    """R3, R25: 64 tasks that confirm a number enrol it once."""
    factor = AsyncFactor()
    pending = await factor.enroller.start("alice", NUMBER)
    code = factor.outbox.code

    outcomes = await as_tasks(lambda _: factor.enroller.confirm("alice", pending.id, code), range(64))

    assert {"Enrollment": 1, "CodeUsed": 63} == outcomes.count


async def test_tasks_for_a_unique_number():
    """R16, R25: if numbers are unique, one of 8 users who confirm the same number at once gets it."""
    factor = AsyncFactor(a_config(max_users_per_number=1))

    started = await as_tasks(lambda user: factor.enroller.start(user, NUMBER), [f"user {n}" for n in range(8)])
    codes = {message.challenge_id: message.code.reveal() for message in factor.outbox.messages}
    confirmed = await as_tasks(lambda each: factor.enroller.confirm(each.user_id, each.id, codes[each.id]), started)

    assert {"Challenge": 8} == started.count
    assert {"Enrollment": 1, "PhoneInUse": 7} == confirmed.count


async def test_a_limiter_of_tasks():
    """R25: 64 tasks take exactly as much as a limiter's bucket holds."""
    limiter = AsyncRateLimiter(YieldingStore(), Limit(10, HOUR), clock=Clock())

    outcomes = await as_tasks(limiter.take, ["key"] * 64)

    assert 10 == sum(decision.allowed for decision in outcomes)
