"""A store or sender that fails, disconnects or lies at any step lets nobody in and loses nothing."""

import asyncio
from copy import copy
from itertools import count

import pytest
from support import NUMBER, OTHER_NUMBER, AsyncOutbox, Clock, Factor, Outbox, a_config, wrong

from smsmfa import AsyncEnroller, AsyncMemoryStore, AsyncVerifier, Enrollment, MemoryStore, Verification
from smsmfa.exceptions import (
    CodeUsed,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    SenderMisconfigured,
    StoreError,
)

THIRD_NUMBER = "+14155552673"


# --- stores: each function is what a faulty call does


def look(store, keys, change):
    """Run a change on the stored values, and store nothing."""
    return store.update(keys, lambda values: ({}, change(values)[1]))


def fails_before_the_change(store, keys, change):
    raise StoreError("no connection")


def fails_after_the_change(store, keys, change):
    look(store, keys, change)
    raise StoreError("no connection any more")


def fails_after_the_commit(store, keys, change):
    store.update(keys, change)
    raise StoreError("no answer to the commit")


def hangs_up_after_the_commit(store, keys, change):
    store.update(keys, change)
    raise ConnectionResetError


def is_interrupted_after_the_commit(store, keys, change):
    store.update(keys, change)
    raise KeyboardInterrupt


def returns_the_outcome_of_an_earlier_change(store, keys, change):
    outcome = look(store, keys, change)
    store.update(keys, change)
    return outcome


def returns_the_outcome_for_a_stale_record(store, keys, change):
    outcome = change({})[1]
    store.update(keys, change)
    return outcome


def returns_none(store, keys, change):
    store.update(keys, change)


def returns_true(store, keys, change):
    store.update(keys, change)
    return True


def returns_true_and_does_nothing(store, keys, change):
    return True


def returns_garbage_values(store, keys, change):
    return store.update(keys, lambda values: change(dict.fromkeys(keys, b"\x93garbage")))


FAILURES = {
    fails_before_the_change: StoreError,
    fails_after_the_change: StoreError,
    fails_after_the_commit: StoreError,
    hangs_up_after_the_commit: ConnectionResetError,
    is_interrupted_after_the_commit: KeyboardInterrupt,
    returns_the_outcome_of_an_earlier_change: StoreError,
    returns_the_outcome_for_a_stale_record: StoreError,
    returns_none: StoreError,
    returns_true: StoreError,
    returns_true_and_does_nothing: StoreError,
    returns_garbage_values: StoreError,
}
#: The faults after which the change is stored anyway.
COMMITS = {
    fails_after_the_commit,
    hangs_up_after_the_commit,
    is_interrupted_after_the_commit,
    returns_the_outcome_of_an_earlier_change,
    returns_the_outcome_for_a_stale_record,
    returns_none,
    returns_true,
}


def calls_twice(store, keys, change):
    look(store, keys, change)
    return store.update(keys, change)


def calls_with_stale_values_first(store, keys, change):
    change({})
    return store.update(keys, change)


class FaultyStore:
    """A MemoryStore whose call number ``due`` after arming does what ``fault`` says."""

    def __init__(self):
        self.inner, self.stale = MemoryStore(), False
        self.arm(0, None)

    def arm(self, due, fault):
        self.due, self.fault, self.calls, self.committed = due, fault, 0, False

    def read(self, key):
        self.calls += 1
        if self.calls == self.due and self.fault in FAILURES:
            raise FAILURES[self.fault]
        return None if self.stale else self.inner.read(key)

    def update(self, keys, change):
        self.calls += 1
        if self.calls != self.due:
            return self.inner.update(keys, change)
        self.committed = self.fault in COMMITS
        return self.fault(self.inner, keys, change)


# --- operations


class Scene:
    """Alice has a number, a login code for it, and a second number that she has not confirmed yet."""

    def __init__(self):
        self.store = FaultyStore()
        self.factor = Factor(a_config(max_phones=2), store=self.store)
        self.enroller, self.verifier, self.outbox = self.factor.enroller, self.factor.verifier, self.factor.outbox
        self.enrolled = self.factor.enrol()
        self.token = self.enrolled.verification.token
        (self.recovery_code,) = self.enrolled.recovery_codes
        self.pending = self.enroller.start("alice", OTHER_NUMBER, proof=self.token)
        self.pending_code = self.outbox.code
        self.challenge = self.verifier.challenge("alice")
        self.code = self.outbox.code
        self.factor.clock.move(seconds=30)

    def reject(self):
        self.outbox.outcomes.append(DeliveryRejected("no such number"))


OPERATIONS = {
    "start": lambda s: s.enroller.start("alice", THIRD_NUMBER, proof=s.token),
    "start, rejected": lambda s: (s.reject(), s.enroller.start("alice", THIRD_NUMBER, proof=s.token)),
    "resend an enrolment": lambda s: s.enroller.resend("alice", s.pending.id),
    "confirm": lambda s: s.enroller.confirm("alice", s.pending.id, s.pending_code),
    "confirm, wrong": lambda s: s.enroller.confirm("alice", s.pending.id, wrong(s.pending_code)),
    "remove": lambda s: s.enroller.remove("alice", s.enrolled.phone.id, proof=s.token),
    "new recovery codes": lambda s: s.enroller.new_recovery_codes("alice", proof=s.token),
    "reset": lambda s: s.enroller.reset("alice"),
    "challenge": lambda s: s.verifier.challenge("alice"),
    "challenge, rejected": lambda s: (s.reject(), s.verifier.challenge("alice")),
    "resend": lambda s: s.verifier.resend("alice", s.challenge.id),
    "resend, rejected": lambda s: (s.reject(), s.verifier.resend("alice", s.challenge.id)),
    "verify": lambda s: s.verifier.verify("alice", s.challenge.id, s.code),
    "verify, wrong": lambda s: s.verifier.verify("alice", s.challenge.id, wrong(s.code)),
    "recover": lambda s: s.verifier.recover("alice", s.recovery_code),
    "recover, wrong": lambda s: s.verifier.recover("alice", "0000-0000-0000-0000-0000-0000"),
    "unlock": lambda s: s.verifier.unlock("alice"),
    "status": lambda s: s.verifier.status("alice"),
}
#: Besides the first number, the numbers that may be enrolled after a failure of these operations.
LEFT = {"confirm": {NUMBER, OTHER_NUMBER}, "remove": set(), "reset": set()}


def outcome_of(call, *arguments):
    try:
        return call(*arguments)
    except BaseException as error:
        return error


def numbers(scene):
    return {phone.phone.e164 for phone in scene.verifier.status("alice").phones}


def each_call(name, fault):
    """Repeat an operation, with a fault at its first call of the store, then at its second, and so on."""
    for due in count(1):
        scene = Scene()
        before, taken = scene.verifier.status("alice"), len(scene.outbox.messages)
        scene.store.arm(due, fault)
        outcome = outcome_of(OPERATIONS[name], scene)
        if scene.store.calls < due:
            assert due > 1
            return
        scene.store.due, scene.outbox.outcomes = 0, []
        after, sent = scene.verifier.status("alice"), len(scene.outbox.messages) - taken
        assert sent <= before.sends_left - after.sends_left, fault  # a message is charged before it is sent
        yield scene, outcome


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_failing_store_lets_nobody_in(name):
    """T7, R26: an operation whose store fails or lies raises, keeps every enrolment, and charges its message."""
    for fault in FAILURES:
        for scene, outcome in each_call(name, fault):
            assert type(outcome) in {FAILURES[fault], DeliveryRejected if "rejected" in name else None}, fault
            assert numbers(scene) in ({NUMBER}, LEFT.get(name, {NUMBER})), fault


@pytest.mark.parametrize("name", ["verify", "confirm", "recover"])
def test_after_a_failure_a_code_is_good_once_at_most(name):
    """R3, T7: a code consumed before the store failed stays consumed, and any other is accepted once."""
    for fault in FAILURES:
        for scene, _ in each_call(name, fault):
            again = [outcome_of(OPERATIONS[name], scene) for _ in range(3)]
            let_in = [outcome for outcome in again if isinstance(outcome, Verification | Enrollment)]
            assert (0 if scene.store.committed else 1) == len(let_in), fault


@pytest.mark.parametrize("name", OPERATIONS)
def test_after_a_failure_everything_works(name):
    """A failure locks nobody out: an enrolled user can log in, and anyone else can enrol."""
    for fault in FAILURES:
        for scene, _ in each_call(name, fault):
            scene.factor.clock.move(hours=1)
            let_in = scene.factor.log_in() if numbers(scene) else scene.factor.enrol().verification
            assert "alice" == let_in.user_id, fault


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_change_that_is_called_again(name):
    """R25: a store may call the change again, and the outcome is the same."""
    undisturbed = outcome_of(OPERATIONS[name], Scene())
    for fault in (calls_twice, calls_with_stale_values_first):
        for _, outcome in each_call(name, fault):
            assert type(undisturbed) is type(outcome), fault


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "status"])
def test_a_stale_read_decides_nothing(name):
    """R25: a read only tells which numbers to ask about. Everything is decided in the update."""
    undisturbed = outcome_of(OPERATIONS[name], Scene())
    scene = Scene()

    scene.store.stale = True  # like a replica that has received nothing yet

    assert type(undisturbed) is type(outcome_of(OPERATIONS[name], scene))


def test_an_outage_lets_nobody_in():
    """R26: while the store is down every operation raises, even one that would be refused."""
    for operation in OPERATIONS.values():
        scene = Scene()
        scene.store.inner = Broken()
        assert isinstance(outcome_of(operation, scene), StoreError)


class Broken:
    """A store that is down."""

    def read(self, key):
        raise StoreError("down")

    def update(self, keys, change):
        raise StoreError("down")


# --- senders


REQUESTS = {
    "start": lambda s: s.enroller.start("alice", THIRD_NUMBER, proof=s.token),
    "start the same": lambda s: s.enroller.start("alice", OTHER_NUMBER, proof=s.token),
    "resend an enrolment": lambda s: s.enroller.resend("alice", s.pending.id),
    "challenge": lambda s: s.verifier.challenge("alice"),
    "challenge for something else": lambda s: s.verifier.challenge("alice", purpose="payment"),
    "challenge with details": lambda s: s.verifier.challenge("alice", details={"_payee": "Ann"}),
    "resend": lambda s: s.verifier.resend("alice", s.challenge.id),
}
requests = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)


@requests
@pytest.mark.parametrize("error", [DeliveryRejected("no such number"), SenderMisconfigured("no such account")])
def test_a_message_that_was_not_sent_changes_nothing(request_, error):
    """A certain failure raises the sender's error, and gives back the charge, the gap and the old code."""
    scene = Scene()
    before = scene.verifier.status("alice")
    scene.outbox.outcomes.append(error)

    assert error is outcome_of(request_, scene)

    assert before == scene.verifier.status("alice")
    assert request_(scene).sent
    scene = Scene()
    scene.outbox.outcomes.append(error)
    outcome_of(request_, scene)
    assert "alice" == scene.verifier.verify("alice", scene.challenge.id, scene.code).user_id
    assert "alice" == scene.enroller.confirm("alice", scene.pending.id, scene.pending_code).user_id


class Arrives(Outbox):
    """A sender that hands the message over, and then raises or returns ``behaviour``."""

    def __init__(self, behaviour):
        super().__init__()
        self.behaviour = behaviour

    def send(self, message):
        super().send(message)
        if isinstance(self.behaviour, BaseException):
            raise self.behaviour
        return self.behaviour


UNCERTAIN = [DeliveryUncertain("no answer"), TimeoutError(), ValueError("a bug"), StoreError("of its own")]


@requests
@pytest.mark.parametrize("error", UNCERTAIN, ids=lambda error: type(error).__name__)
def test_a_message_that_may_have_been_sent_is_charged(request_, error):
    """T24: after an unknown outcome the message is charged, the challenge is uncertain, and its code is good."""
    scene = Scene()
    before = scene.verifier.status("alice").sends_left
    outbox = use(scene, Arrives(error))

    challenge = request_(scene)

    assert (True, True) == (challenge.sent, challenge.uncertain)
    assert before - 1 == scene.verifier.status("alice").sends_left
    check = scene.enroller.confirm if challenge.purpose == "enrollment" else scene.verifier.verify
    about = {} if challenge.purpose == "enrollment" else about_of(request_)
    assert "alice" == check("alice", challenge.id, outbox.code, **about).user_id


def about_of(request_):
    if request_ is REQUESTS["challenge for something else"]:
        return {"purpose": "payment"}
    return {"details": {"_payee": "Ann"}} if request_ is REQUESTS["challenge with details"] else {}


def use(scene, outbox):
    """Use another sender from now on."""
    config, store, clock = scene.factor.config, scene.store, scene.factor.clock
    scene.enroller = type(scene.enroller)(config, store, outbox, clock=clock)
    scene.verifier = type(scene.verifier)(config, store, outbox, clock=clock)
    return outbox


@requests
@pytest.mark.parametrize("receipt", [None, True, "SM123"], ids=repr)
def test_what_is_no_receipt_is_charged(request_, receipt):
    """T24: a sender that returns no receipt is misconfigured. It may have sent, so nothing is given back."""
    scene = Scene()
    before = scene.verifier.status("alice").sends_left
    use(scene, Arrives(receipt))

    assert isinstance(outcome_of(request_, scene), SenderMisconfigured)

    assert before - 1 == scene.verifier.status("alice").sends_left


@requests
@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError(), GeneratorExit()],
    ids=lambda e: type(e).__name__,
)
def test_a_sender_that_is_interrupted_is_charged(request_, error):
    """T24: an interruption is raised, and the message is charged because it may have been sent."""
    scene = Scene()
    before = scene.verifier.status("alice").sends_left
    use(scene, Arrives(error))

    assert error is outcome_of(request_, scene)

    assert before - 1 == scene.verifier.status("alice").sends_left
    assert {NUMBER} == numbers(scene)


def test_a_sender_that_never_answers_is_called_no_more_than_the_limit_allows():
    """T24: only certain failures are refunded, so a sender that always times out is called 10 times."""
    scene = Scene()
    scene.factor.clock.move(days=1)
    outbox = use(scene, Arrives(DeliveryUncertain("no answer")))

    for n in range(100):
        outcome_of(lambda n=n: scene.verifier.challenge("alice", purpose=f"purpose {n}"))

    assert 10 == outbox.calls
    assert isinstance(outcome_of(scene.verifier.challenge, "alice"), RateLimited)


class Meanwhile(Outbox):
    """A sender that does something else first, and then rejects the message."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def send(self, message):
        self.calls += 1
        self.act(message)
        raise DeliveryRejected("no such number")


@requests
def test_what_happens_while_a_message_fails(request_):
    """T9, R25: an operation that runs before a failed message is settled takes effect, and status still answers."""
    for name in OPERATIONS:
        if "rejected" in name:
            continue
        scene = Scene()
        meanwhile, before = copy(scene), scene.verifier.status("alice").sends_left
        outbox = use(scene, Meanwhile(lambda message, n=name, m=meanwhile: outcome_of(OPERATIONS[n], m)))
        sent = meanwhile.outbox.calls

        assert isinstance(outcome_of(request_, scene), DeliveryRejected), name

        assert 1 == outbox.calls, name
        assert numbers(scene) in ({NUMBER}, LEFT.get(name, {NUMBER})), name
        assert before - (meanwhile.outbox.calls - sent) == scene.verifier.status("alice").sends_left, name


def test_the_old_code_does_not_come_back_for_a_number_that_is_gone():
    """R19: the code that a failed message replaced does not come back if its number was removed meanwhile."""
    scene = Scene()
    second = scene.enroller.confirm("alice", scene.pending.id, scene.pending_code)
    first, proof = scene.enrolled.phone.id, second.verification.token
    remove = scene.enroller.remove
    use(scene, Meanwhile(lambda message: remove("alice", first, proof=proof)))

    outcome = outcome_of(lambda: scene.verifier.challenge("alice", phone_id=second.phone.id))

    assert isinstance(outcome, DeliveryRejected)
    assert {OTHER_NUMBER} == numbers(scene)
    assert () == scene.verifier.status("alice").challenges


def test_a_code_that_was_sent_again_meanwhile_stays_good():
    """A challenge whose first message fails after its second was sent is kept, because its code has arrived."""
    scene = Scene()
    scene.factor.clock.move(minutes=10)
    meanwhile = copy(scene)

    def send_again(message):
        scene.factor.clock.move(seconds=30)
        meanwhile.verifier.resend("alice", message.challenge_id)

    use(scene, Meanwhile(send_again))
    assert isinstance(outcome_of(scene.verifier.challenge, "alice"), DeliveryRejected)

    message = meanwhile.outbox.messages[-1]
    assert "alice" == scene.verifier.verify("alice", message.challenge_id, message.code.reveal()).user_id


# --- asyncio


class Hanging(AsyncMemoryStore):
    """A store whose calls never return, before or after the commit."""

    hangs = None

    async def update(self, keys, change):
        if self.hangs == "before":
            await asyncio.Event().wait()
        outcome = await super().update(keys, change)
        if self.hangs == "after":
            await asyncio.Event().wait()
        return outcome


@pytest.mark.parametrize("hangs", ["before", "after"])
async def test_a_cancelled_check_lets_nobody_in(hangs):
    """R26, T7: a check that is cancelled while its store hangs raises, and its code is accepted at most once."""
    store, outbox = Hanging(), AsyncOutbox()
    shared, clock = (a_config(), store, outbox), Clock()
    enroller, verifier = AsyncEnroller(*shared, clock=clock), AsyncVerifier(*shared, clock=clock)
    pending = await enroller.start("alice", NUMBER)
    await enroller.confirm("alice", pending.id, outbox.code)
    challenge = await verifier.challenge("alice")

    store.hangs = hangs
    task = asyncio.create_task(verifier.verify("alice", challenge.id, outbox.code))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.hangs = None
    again = await asyncio.gather(verifier.verify("alice", challenge.id, outbox.code), return_exceptions=True)

    assert [Verification if hangs == "before" else CodeUsed] == list(map(type, again))
    assert (await verifier.status("alice")).enrolled


class HangingOutbox(AsyncOutbox):
    """A sender that hands the message over and never returns."""

    async def send(self, message):
        await super().send(message)
        await asyncio.Event().wait()


async def test_a_cancelled_message_is_charged():
    """T24: a message is charged if its sending was cancelled, because it may have been sent."""
    outbox = HangingOutbox()
    verifier = AsyncVerifier(a_config(), store := AsyncMemoryStore(), outbox, clock=Clock())
    enroller = AsyncEnroller(a_config(), store, outbox, clock=Clock())

    task = asyncio.create_task(enroller.start("alice", NUMBER))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    status = await verifier.status("alice")
    assert (1, 9) == (outbox.calls, status.sends_left)
    assert not status.enrolled
