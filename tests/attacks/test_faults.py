"""A store or a sender that fails, hangs up or lies at each step in turn lets nobody in and loses nothing."""

import asyncio
from copy import copy
from itertools import count

import pytest
from support import NUMBER, OTHER_NUMBER, AsyncOutbox, Clock, Factor, Outbox, a_config, wrong

from smsmfa import AsyncEnroller, AsyncMemoryStore, AsyncVerifier, Enrollment, MemoryStore, Verification
from smsmfa.exceptions import (
    CodeRejected,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    SenderMisconfigured,
    StoreError,
)

THIRD_NUMBER = "+14155552673"


# --- stores: what they do at the call that goes wrong


def look(store, keys, change):
    """Run a change on what is stored, and store nothing."""
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
#: Those after which the change is stored all the same.
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
    """A MemoryStore whose call number ``due``, from when it is armed, goes as ``fault`` says."""

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


# --- operations: each one on a user with a number, a code for it, and a second number that waits


class Scene:
    """Alice has a number, a login code that is waiting for her, and another number that waits to be confirmed."""

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
#: What may be enrolled after these, for which a failure leaves open whether they happened.
LEFT = {"confirm": {NUMBER, OTHER_NUMBER}, "remove": set(), "reset": set()}


def outcome_of(call, *arguments):
    try:
        return call(*arguments)
    except BaseException as error:
        return error


def numbers(scene):
    return {phone.phone.e164 for phone in scene.verifier.status("alice").phones}


def each_call(name, fault):
    """Do an operation again and again, with a fault at its first call of the store, its second and so on."""
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
        assert sent <= before.sends_left - after.sends_left  # reserved before it was sent, whatever failed then
        yield scene, outcome


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_failing_store_lets_nobody_in(name, fault):
    """T7, R26: an operation whose store fails or lies raises, loses no enrolment, and charges what it sent."""
    for scene, outcome in each_call(name, fault):
        assert type(outcome) in {FAILURES[fault], DeliveryRejected if "rejected" in name else None}
        assert numbers(scene) in ({NUMBER}, LEFT.get(name, {NUMBER}))


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", ["verify", "confirm", "recover"])
def test_after_a_failure_a_code_is_good_once_at_most(name, fault):
    """R3, T7: what was consumed before the store failed stays consumed, and what was not is accepted once."""
    for scene, _ in each_call(name, fault):
        again = [outcome_of(OPERATIONS[name], scene) for _ in range(3)]
        let_in = [outcome for outcome in again if isinstance(outcome, Verification | Enrollment)]
        assert (0 if scene.store.committed else 1) == len(let_in)


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", OPERATIONS)
def test_after_a_failure_everything_works(name, fault):
    """A failure leaves nobody locked out: who is enrolled logs in, and who is not enrols."""
    for scene, _ in each_call(name, fault):
        scene.factor.clock.move(hours=1)
        let_in = scene.factor.log_in() if numbers(scene) else scene.factor.enrol().verification
        assert "alice" == let_in.user_id


@pytest.mark.parametrize("fault", [calls_twice, calls_with_stale_values_first], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_change_that_is_called_again(name, fault):
    """R25: a store may call the change as often as it likes; what comes of it is what comes without."""
    undisturbed = outcome_of(OPERATIONS[name], Scene())
    for _, outcome in each_call(name, fault):
        assert type(undisturbed) is type(outcome)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "status"])
def test_a_stale_read_decides_nothing(name):
    """R25: a read only finds out which numbers to ask about; everything is decided in the update."""
    undisturbed = outcome_of(OPERATIONS[name], Scene())
    scene = Scene()

    scene.store.stale = True  # as from a replica that has nothing yet

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
    "challenge with details": lambda s: s.verifier.challenge("alice", details={"payee": "Ann"}),
    "resend": lambda s: s.verifier.resend("alice", s.challenge.id),
}
requests = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)


@requests
@pytest.mark.parametrize("error", [DeliveryRejected("no such number"), SenderMisconfigured("no such account")])
def test_a_message_that_was_not_sent_changes_nothing(request_, error):
    """A definite failure raises the sender's own error and gives back the charge, the gap and the old code."""
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
    """A sender that hands the message over, and then behaves as it was told to."""

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
    """T24: after an unknown outcome the charge stands, the challenge says so, and the code that arrives is good."""
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
    return {"details": {"payee": "Ann"}} if request_ is REQUESTS["challenge with details"] else {}


def use(scene, outbox):
    """Let another sender send from now on."""
    config, store, clock = scene.factor.config, scene.store, scene.factor.clock
    scene.enroller = type(scene.enroller)(config, store, outbox, clock=clock)
    scene.verifier = type(scene.verifier)(config, store, outbox, clock=clock)
    return outbox


@requests
@pytest.mark.parametrize("receipt", [None, True, "SM123"], ids=repr)
def test_what_is_no_receipt_is_charged(request_, receipt):
    """T24: a sender that returns no receipt is misconfigured, but may have sent: nothing is given back."""
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
    """T24: an interruption passes through, and the charge stands since the message may have been sent."""
    scene = Scene()
    before = scene.verifier.status("alice").sends_left
    use(scene, Arrives(error))

    assert error is outcome_of(request_, scene)

    assert before - 1 == scene.verifier.status("alice").sends_left
    assert {NUMBER} == numbers(scene)


def test_a_sender_that_never_answers_is_called_no_more_than_the_limit_allows():
    """T24: refunds go to definite failures only: a sender that always times out is called 10 times."""
    scene = Scene()
    scene.factor.clock.move(days=1)
    outbox = use(scene, Arrives(DeliveryUncertain("no answer")))

    for n in range(100):
        outcome_of(lambda n=n: scene.verifier.challenge("alice", purpose=f"purpose {n}"))

    assert 10 == outbox.calls
    assert isinstance(outcome_of(scene.verifier.challenge, "alice"), RateLimited)


class Meanwhile(Outbox):
    """A sender during whose work something else happens, and which then does not send."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def send(self, message):
        self.calls += 1
        self.act(message)
        raise DeliveryRejected("no such number")


@requests
@pytest.mark.parametrize("name", [name for name in OPERATIONS if "rejected" not in name])
def test_what_happens_while_a_message_fails(request_, name):
    """T9, R25: whatever else is done before a failed message is settled stays done, and status still answers."""
    scene = Scene()
    meanwhile, before = copy(scene), scene.verifier.status("alice").sends_left
    outbox = use(scene, Meanwhile(lambda message: outcome_of(OPERATIONS[name], meanwhile)))
    sent = meanwhile.outbox.calls

    assert isinstance(outcome_of(request_, scene), DeliveryRejected)

    assert 1 == outbox.calls
    assert numbers(scene) in ({NUMBER}, LEFT.get(name, {NUMBER}))
    assert before - (meanwhile.outbox.calls - sent) == scene.verifier.status("alice").sends_left


def test_the_old_code_does_not_come_back_for_a_number_that_is_gone():
    """R19: a code that a failed message had displaced is not put back once its number has been removed."""
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
    """A challenge whose first message fails after its second went out is kept, for its code has arrived."""
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
    """A store of which a call never comes back, before or after its commit."""

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
    """R26, T7: a check that is cancelled while its store hangs raises, and its code is good once at most."""
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

    assert [Verification if hangs == "before" else CodeRejected] == list(map(type, again))
    assert (await verifier.status("alice")).enrolled


class HangingOutbox(AsyncOutbox):
    """A sender that hands the message over and never comes back."""

    async def send(self, message):
        await super().send(message)
        await asyncio.Event().wait()


async def test_a_cancelled_message_is_charged():
    """T24: a message whose sending was cancelled may have been sent, so it is charged."""
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
