"""Shells, synchronous and asynchronous: their arguments, stores, senders and clocks."""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from support import (
    NUMBER,
    OTHER_NUMBER,
    THIRD_NUMBER,
    AsyncFactor,
    AsyncOutbox,
    Awaited,
    Clock,
    Coroutines,
    Factor,
    Outbox,
    a_config,
    limited,
    rejected,
    wrong,
)

from smsmfa import (
    AsyncEnroller,
    AsyncMemoryStore,
    AsyncVerifier,
    CodeExpired,
    CodeMalformed,
    CodeUsed,
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    Enroller,
    FactorConfig,
    FactorDisabled,
    Limit,
    Limits,
    MemoryStore,
    ProofRequired,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
    StoreContention,
    StoreError,
    Verifier,
)
from smsmfa.core.records import Number, Total, decode, encode, number_key, total_key
from smsmfa.limiter import remaining
from smsmfa.typing import Entry

HOUR = timedelta(hours=1)
SHELLS = [Enroller, Verifier, AsyncEnroller, AsyncVerifier]
#: What a sender may raise that says for certain that nothing went out.
REJECTIONS = [DeliveryRejected, RecipientRejected, RecipientOptedOut, SenderMisconfigured, RateLimited]


class Unreachable(DeliveryRejected):
    """The carrier could not be reached."""

    outage = True


#: What it may raise that does not.
UNCERTAINTIES = [DeliveryUncertain, DeliveryError, ConfigurationError, StoreError, TimeoutError, ValueError, Exception]
NUMBER_KEYS = [number_key(int(number[1:])) for number in (NUMBER, OTHER_NUMBER, THIRD_NUMBER)]
#: Every operation on a user, and what else it is given.
OPERATIONS = {
    "start": (NUMBER,),
    "resend": ("x",),
    "confirm": ("x", "123456"),
    "remove": ("x",),
    "prefer": ("x",),
    "adopt": (NUMBER,),
    "new_recovery_codes": (),
    "reset": (),
    "challenge": (),
    "resend a login": ("x",),
    "verify": ("x", "123456"),
    "recover": ("0" * 24,),
    "check_proof": (None,),
    "unlock": (),
    "status": (),
}
#: Those of them that are the enroller's.
ENROLLER = {"start", "resend", "confirm", "remove", "prefer", "adopt", "new_recovery_codes", "reset"}


class Tampered:
    """A store that calls ``meanwhile`` before each update, and ``instead`` in place of the update if it is set."""

    def __init__(self):
        self.store = MemoryStore()
        self.meanwhile = lambda: None
        self.instead = None
        self.calls = 0

    def read(self, key):
        self.calls += 1
        return self.store.read(key)

    def update(self, keys, change):
        self.calls += 1
        self.meanwhile()
        return (self.instead or self.store.update)(keys, change)


class Watched(Clock):
    """A clock that counts how often it is read."""

    reads = 0

    def __call__(self):
        self.reads += 1
        return super().__call__()


@pytest.fixture(params=[Factor, AsyncFactor])
def new(request):
    """Make a factor of threads, then one of asyncio."""
    return request.param


@pytest.fixture
def factor(new):
    """A factor over a store that tests can disturb, with alice enrolled."""
    return enrolled(new(store=Tampered()))


def enrolled(factor):
    """Enrol alice, and delete the message."""
    factor.enrollment = factor.enrol()
    factor.outbox.messages.clear()
    factor.outbox.calls = 0
    return factor


def over(factor, **arguments):
    """Return a factor with another configuration over the same records and clock."""
    return type(factor)(a_config(**arguments), store=factor.store, clock=factor.clock)


def call(factor, name, user_id, *arguments):
    """Call an operation by its name, or by the first word of its name."""
    twin = factor.enroller if name in ENROLLER else factor.verifier
    proof = {"proof": None} if name in {"remove", "prefer", "new_recovery_codes"} else {}
    return getattr(twin, name.partition(" ")[0])(user_id, *arguments, **proof)


def at_next_message(factor, step):
    """Let the sender run ``step`` before it sends the next message only."""
    send = factor.outbox.send

    def step_and_send(message):
        factor.outbox.send = send
        step()
        return send(message)

    factor.outbox.send = step_and_send


class TestConstruction:
    """A shell checks its configuration, store, sender, listener and clock."""

    @staticmethod
    def parts(shell):
        """Return a store and a sender for a shell."""
        return (AsyncMemoryStore(), AsyncOutbox()) if shell.__name__.startswith("Async") else (MemoryStore(), Outbox())

    @pytest.mark.parametrize("shell", SHELLS)
    def test_clock_of_the_machine(self, shell):
        """Without a clock a shell uses the machine's clock."""
        assert shell(a_config(), *self.parts(shell))

    @pytest.mark.parametrize("shell", SHELLS)
    def test_clock_is_looked_up(self, shell, monkeypatch):
        """Freezing time after a shell was made freezes the shell's time too."""
        store, outbox = MemoryStore(), Outbox()
        if shell.__name__.startswith("Async"):
            frozen = Awaited(shell(a_config(), Coroutines(store), Coroutines(outbox)))
        else:
            frozen = shell(a_config(), store, outbox)
        told = Factor(store=store, clock=Clock(10**18))
        told.enrol()
        monkeypatch.setattr(time, "time_ns", told.clock)
        if "Enroller" in shell.__name__:
            pending = frozen.start("bob", NUMBER)
            told.clock.move(minutes=6)
            rejected(frozen.confirm, "bob", pending.id, outbox.code, error=CodeExpired)
        else:
            challenge = frozen.challenge("alice")
            told.clock.move(minutes=6)
            rejected(frozen.verify, "alice", challenge.id, outbox.code, error=CodeExpired)

    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize("config", [None, {}, FactorConfig, "secret"])
    def test_config(self, shell, config):
        """An object that is no configuration is refused."""
        rejected(shell, config, *self.parts(shell), error=ConfigurationError)

    @pytest.mark.parametrize("shell", SHELLS)
    def test_kind(self, shell):
        """An asynchronous store or sender in a synchronous shell, or the reverse, is refused and named."""
        store, sender = self.parts(shell)
        others = {Enroller: AsyncEnroller, Verifier: AsyncVerifier, AsyncEnroller: Enroller, AsyncVerifier: Verifier}
        other_store, other_sender = self.parts(others[shell])

        asynchronous = shell.__name__.startswith("Async")
        for name, parts in ("store", (other_store, sender)), ("sender", (store, other_sender)):
            advice, _, _ = str(rejected(shell, a_config(), *parts, error=ConfigurationError)).partition("here")
            assert (name, asynchronous) == (advice.partition(":")[0], "async" in advice)

    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize("nothing", [None, object(), "redis://localhost", {}])
    def test_no_protocol(self, shell, nothing):
        """An object without the methods of a store or a sender is refused and named."""
        store, sender = self.parts(shell)

        assert "store" in str(rejected(shell, a_config(), nothing, sender, error=ConfigurationError))
        assert "sender" in str(rejected(shell, a_config(), store, nothing, error=ConfigurationError))

    @pytest.mark.parametrize("shell", SHELLS)
    def test_listener(self, shell):
        """A listener is a plain function in both twins; a coroutine function, or no function, is refused."""

        async def listener(event):
            """Never be awaited."""

        for wrong_one in listener, "print", 7:
            rejected(shell, a_config(), *self.parts(shell), on_event=wrong_one, error=ConfigurationError)
        assert shell(a_config(), *self.parts(shell), on_event=print)

    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize(
        "clock", [1, time.time, lambda: True, lambda: None, lambda: "1", lambda: datetime.now(UTC)]
    )
    def test_clock(self, shell, clock):
        """A clock that does not return nanoseconds as an integer is refused."""
        rejected(shell, a_config(), *self.parts(shell), clock=clock, error=ConfigurationError)


class TestUserIds:
    """The user of an operation."""

    @pytest.mark.parametrize(
        "one, other", [(7, "7"), (UUID(int=7), "00000000-0000-0000-0000-000000000007"), (-1, "-1"), ("zoë", "zoë")]
    )
    def test_one_user(self, factor, one, other):
        """A user id counts as its text: 7 and "7" are one user, and so are a UUID and its text."""
        assert other == factor.enrol(one).user_id
        assert factor.log_in(other)

    def test_other_users(self, factor):
        """User ids that differ in case or by a space are different users."""
        factor.enrol("Zoe")

        for other in "zoe", "Zoe ", " ", "None", "\0", "\ud800", "x" * 100_000:
            assert not factor.verifier.status(other).enrolled

    @pytest.mark.parametrize("name", OPERATIONS)
    @pytest.mark.parametrize("user_id", [None, True, False, "", b"alice", 7.0, ("alice",), object()])
    def test_no_user_id(self, factor, name, user_id):
        """An object that is no user id is a TypeError before the store is called, so no stranger becomes a user."""
        factor.store.calls = 0
        rejected(call, factor, name, user_id, *OPERATIONS[name], error=TypeError)

        assert 0 == factor.store.calls

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_reads_clock_once(self, new, name):
        """An operation reads the clock once, also if it fails."""
        clock = Watched()
        factor = enrolled(new(clock=clock))
        clock.reads = 0
        with suppress(SmsMfaError):
            call(factor, name, "alice", *OPERATIONS[name])

        assert 1 == clock.reads


class TestArguments:
    """The other arguments of a challenge and a check."""

    @pytest.mark.parametrize(
        "arguments, error",
        [
            ({"purpose": None}, TypeError),
            ({"purpose": 7}, TypeError),
            ({"purpose": b"login"}, TypeError),
            ({"purpose": ""}, ValueError),
            ({"purpose": "x" * 65}, ValueError),
            ({"purpose": "enrollment"}, ValueError),
            ({"details": [("amount", "10")]}, TypeError),
            ({"details": "amount"}, TypeError),
            ({"details": {"amount": 10}}, TypeError),
            ({"details": {1: "10"}}, TypeError),
            ({"details": {str(n): "" for n in range(11)}}, ValueError),
            ({"details": {"x" * 41: ""}}, ValueError),
            ({"details": {"amount": "x" * 201}}, ValueError),
        ],
    )
    def test_purpose_and_details(self, factor, arguments, error):
        """A challenge and a check refuse a wrong purpose or wrong details before they call the store."""
        factor.store.calls = 0
        rejected(factor.verifier.challenge, "alice", error=error, **arguments)
        rejected(factor.verifier.verify, "alice", "x", "123456", error=error, **arguments)

        assert (0, 0) == (factor.store.calls, factor.outbox.calls)

    @pytest.mark.parametrize("locale", [7, b"fr"])
    def test_locale(self, factor, locale):
        """A locale that is neither text nor a Locale is refused before the store is called."""
        factor.store.calls = 0
        rejected(factor.verifier.challenge, "alice", locale=locale, error=TypeError)

        assert (0, 0) == (factor.store.calls, factor.outbox.calls)

    @pytest.mark.parametrize(
        "locale, language", [("fr_FR", "fr"), ("", "en"), ("*", "en"), ("de_DE.UTF-8", "de"), ("x" * 10**6, "en")]
    )
    def test_any_locale(self, factor, locale, language):
        """A locale in any form of a framework never ends a login."""
        factor.verifier.challenge("alice", locale=locale)

        assert language == factor.outbox.messages[-1].language


@pytest.mark.parametrize("error", REJECTIONS)
class TestRejected:
    """A message that was certainly not sent changes nothing."""

    @pytest.fixture(params=["number", "total"])
    def factor(self, new, request):
        """A factor that also limits what users share: both lanes of a number, or the total."""
        lanes = {"number": Limit(8, HOUR), "unverified": Limit(8, HOUR), "total": None}
        total = {"number": None, "unverified": None, "total": Limit(8, HOUR)}
        shared = lanes if request.param == "number" else total
        return enrolled(new(a_config(limits=Limits(**shared), max_users_per_number=0)))

    @staticmethod
    def room(factor):
        """Return how many messages alice has left, and how many are left of the shared limit."""
        limits, now = factor.config.limits, factor.clock() // 1000
        buckets = [decode(Total, factor.store.read(total_key())).sends]
        if limits.number:
            records = [decode(Number, factor.store.read(key)) for key in NUMBER_KEYS]
            buckets = [bucket for record in records for bucket in (record.sends, record.unverified)]
        charged = sum(8 - remaining(Limit(8, HOUR), bucket, now) for bucket in buckets)
        return factor.verifier.status("alice").sends_left, 8 - charged

    @staticmethod
    def drain(factor):
        """Use up the shared limit."""
        drained = factor.clock() // 1000 + Limit(8, HOUR).span
        for key, record in (total_key(), Total(sends=drained)), (NUMBER_KEYS[0], Number(sends=drained)):
            factor.store.update([key], lambda _, key=key, record=record: ({key: Entry(encode(record))}, None))

    @staticmethod
    def refuse(factor, error, function, *arguments, meanwhile=lambda: None, **named):
        """Let the sender raise ``error``, expect the same error, and return it."""
        refusal = error("the carrier said no")

        def step():
            meanwhile()
            raise refusal

        at_next_message(factor, step)
        assert refusal is rejected(function, *arguments, error=error, **named)
        return refusal

    def test_challenge(self, factor, error):
        """The charges, the gap and the challenge are undone, so the next message can be sent at once."""
        self.refuse(factor, error, factor.verifier.challenge, "alice")
        assert () == factor.verifier.status("alice").challenges
        assert factor.verifier.challenge("alice").sent
        assert (8, 6) == self.room(factor)

    def test_challenge_is_displaced(self, factor, error):
        """R4: the challenge that the new one replaced is restored with its attempts."""
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        rejected(factor.verifier.verify, "alice", challenge.id, wrong(code))
        factor.clock.move(seconds=30)
        self.refuse(factor, error, factor.verifier.challenge, "alice")

        assert 3 == rejected(factor.verifier.verify, "alice", challenge.id, wrong(code)).attempts_left
        assert factor.verifier.verify("alice", challenge.id, code)
        assert (8, 6) == self.room(factor)

    def test_other_challenges_stay(self, factor, error):
        """Challenges for other purposes do not change."""
        payment = factor.verifier.challenge("alice", purpose="payment")
        self.refuse(factor, error, factor.verifier.challenge, "alice")

        assert [payment.id] == [live.id for live in factor.verifier.status("alice").challenges]

    def test_resend(self, factor, error):
        """The challenge of a failed resend stays, and can be sent again at once."""
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        factor.clock.move(seconds=40)
        self.refuse(factor, error, factor.verifier.resend, "alice", challenge.id)

        [live] = factor.verifier.status("alice").challenges
        assert (challenge.id, challenge.resend_at) == (live.id, live.resend_at)
        assert factor.verifier.resend("alice", challenge.id).sent
        assert factor.verifier.verify("alice", challenge.id, code)
        assert (7, 5) == self.room(factor)

    def test_renewal(self, factor, error):
        """A dead challenge whose renewal was not sent can be renewed again."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=5)
        self.refuse(factor, error, factor.verifier.resend, "alice", challenge.id)

        assert factor.verifier.resend("alice", challenge.id).sent
        assert (7, 5) == self.room(factor)

    def test_start(self, factor, error):
        """A number whose first message was not sent is not pending, and the previous pending number is restored."""
        proof = factor.enrollment.verification.token
        self.refuse(factor, error, factor.enroller.start, "alice", OTHER_NUMBER, proof=proof)
        assert () == factor.verifier.status("alice").challenges
        pending = factor.enroller.start("alice", THIRD_NUMBER, proof=proof)
        code = factor.outbox.code
        self.refuse(factor, error, factor.enroller.start, "alice", OTHER_NUMBER, proof=proof)

        assert THIRD_NUMBER == factor.enroller.confirm("alice", pending.id, code).phone.e164
        assert (8, 6) == self.room(factor)

    def test_resend_of_pending(self, factor, error):
        """The pending number stays pending, and can be sent its code at once."""
        proof = factor.enrollment.verification.token
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=proof)
        factor.clock.move(seconds=30)
        self.refuse(factor, error, factor.enroller.resend, "alice", pending.id)

        assert factor.enroller.resend("alice", pending.id).sent
        assert factor.enroller.confirm("alice", pending.id, factor.outbox.code)
        assert (7, 5) == self.room(factor)

    def test_used_meanwhile(self, factor, error):
        """R3, T5: a code that was used during a refused resend stays used, and the charge is given back."""
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        factor.clock.move(seconds=30)
        meanwhile = partial(factor.verifier.verify, "alice", challenge.id, code)
        self.refuse(factor, error, factor.verifier.resend, "alice", challenge.id, meanwhile=meanwhile)

        rejected(factor.verifier.verify, "alice", challenge.id, code, error=CodeUsed)
        assert (8, 6) == self.room(factor)

    def test_slow_refusal(self, factor, error):
        """A refusal never gives back more than was charged, even if the carrier takes long."""

        def meanwhile():
            factor.clock.move(hours=3)
            self.drain(factor)

        self.refuse(factor, error, factor.verifier.challenge, "alice", meanwhile=meanwhile)
        factor.clock.move(seconds=40)
        assert 1 == self.room(factor)[1]

    def test_replaced_meanwhile(self, factor, error):
        """A challenge that replaced a refused one stays."""
        newer = []
        challenge = factor.verifier.challenge
        meanwhile = lambda: newer.append(challenge("alice", details={"_amount": "10"}).id)  # noqa: E731
        self.refuse(factor, error, challenge, "alice", meanwhile=meanwhile)

        assert newer == [live.id for live in factor.verifier.status("alice").challenges]
        assert (8, 6) == self.room(factor)

    def test_number_removed_meanwhile(self, new, error):
        """R19: a replaced challenge is not restored if its number was removed during the refusal."""
        factor = enrolled(new(a_config(max_phones=2)))
        proof = factor.enrollment.verification.token
        second = factor.enrol(number=OTHER_NUMBER, proof=proof)
        factor.verifier.challenge("alice")
        meanwhile = partial(
            factor.enroller.remove, "alice", factor.enrollment.phone.id, proof=second.verification.token
        )
        challenge = partial(factor.verifier.challenge, "alice", phone_id=second.phone.id)
        self.refuse(factor, error, challenge, meanwhile=meanwhile)
        status = factor.verifier.status("alice")

        assert ((second.phone,), ()) == (status.phones, status.challenges)

    def test_resent_meanwhile(self, new, error):
        """If the first of two concurrent resends is refused, the gap of the second stays."""
        factor = enrolled(new(a_config(resend_gap=timedelta(0))))
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(seconds=20)
        second = partial(over(factor, resend_gap=timedelta(0)).verifier.resend, "alice", challenge.id)
        meanwhile = lambda: factor.clock.move(seconds=20) or second()  # noqa: E731
        self.refuse(factor, error, factor.verifier.resend, "alice", challenge.id, meanwhile=meanwhile)

        [live] = factor.verifier.status("alice").challenges
        assert factor.clock.datetime == live.resend_at

    def test_store_fails(self, new, error):
        """If the charge cannot be given back, the carrier's refusal is still raised, with a note."""
        factor = enrolled(new(store=Tampered()))

        def fail(keys, change):
            raise StoreError("down")

        meanwhile = partial(setattr, factor.store, "instead", fail)
        refusal = self.refuse(factor, error, factor.verifier.challenge, "alice", meanwhile=meanwhile)
        factor.store.instead = None

        assert ["the charge for it could not be given back: StoreError"] == refusal.__notes__
        assert 8 == factor.verifier.status("alice").sends_left


class TestRefunds:
    """The refused messages that cost a user nothing."""

    @staticmethod
    def refuse(factor, error, times):
        """Let the carrier refuse some messages to alice, and return how many she has left."""
        factor.outbox.outcomes = [error("the carrier said no") for _ in range(times)]
        for _ in range(times):
            rejected(factor.verifier.challenge, "alice", error=error)
        return factor.verifier.status("alice").sends_left

    @pytest.mark.parametrize("error", [DeliveryRejected, RecipientRejected, RecipientOptedOut])
    def test_bounded(self, new, error):
        """T24, T31: ten refused messages are given back, and one more each hour; further charges stay."""
        factor = enrolled(new())

        assert 9 == self.refuse(factor, error, 10)
        assert 8 == self.refuse(factor, error, 1)
        assert 7 == self.refuse(factor, error, 1)
        factor.clock.move(hours=1)
        assert 8 == self.refuse(factor, error, 1)
        assert 7 == self.refuse(factor, error, 1)

    @pytest.mark.parametrize("error", [SenderMisconfigured, RateLimited, Unreachable])
    def test_outage(self, new, error):
        """A message that failed by the operator's or carrier's fault is given back, so an outage locks nobody out."""
        factor = enrolled(new(a_config(limits=Limits(refunds=Limit(1, HOUR)))))

        assert 9 == self.refuse(factor, error, 30)
        assert 9 == self.refuse(factor, DeliveryRejected, 1)
        assert 8 == self.refuse(factor, DeliveryRejected, 1)

    def test_shared_buckets(self, new):
        """A refused message is never charged to the number or the total, so nobody else waits."""
        shared = {"number": Limit(1, HOUR), "unverified": Limit(1, HOUR), "total": Limit(3, HOUR)}
        factor = enrolled(new(a_config(limits=Limits(refunds=Limit(1, HOUR), **shared))))

        assert 5 == self.refuse(factor, DeliveryRejected, 5)
        assert factor.verifier.challenge("alice").sent
        assert factor.enroller.start("bob", OTHER_NUMBER).sent

    def test_probing(self, new):
        """T31: a user who tries out which numbers a carrier knows has no messages left after twenty."""
        factor = new()
        factor.outbox.outcomes = [RecipientRejected("no such number") for _ in range(500)]
        for number in range(20):
            rejected(factor.enroller.start, "mallory", f"+1415555{2600 + number}", error=RecipientRejected)

        assert ("user", HOUR) == limited(factor.enroller.start, "mallory", NUMBER)
        assert (20, 0) == (factor.outbox.calls, factor.verifier.status("mallory").sends_left)

    def test_never_refilled(self, new):
        """T2, T31: a success, a reset or an unlock does not restore refunds."""
        factor = enrolled(new(a_config(limits=Limits(refunds=Limit(1, None)))))
        assert 9 == self.refuse(factor, DeliveryRejected, 1)
        factor.log_in()
        factor.verifier.unlock("alice")
        factor.enroller.reset("alice")
        factor.enrol()

        assert 6 == self.refuse(factor, DeliveryRejected, 1)

    def test_store_fails(self, new):
        """If a refund cannot be written, the charge stays and the refusal is raised."""
        factor = enrolled(new(store=Tampered()))

        def refuse():
            factor.store.instead = fail
            raise DeliveryRejected("no such number")

        def fail(keys, change):
            raise StoreError("down")

        at_next_message(factor, refuse)
        rejected(factor.verifier.challenge, "alice", error=DeliveryRejected)
        factor.store.instead = None

        assert 8 == factor.verifier.status("alice").sends_left


class TestUncertain:
    """A message with unknown fate stays charged, and its code stays good."""

    @pytest.mark.parametrize("error", UNCERTAINTIES)
    def test_challenge(self, factor, error, caplog):
        """T12, T24: an uncertain challenge counts as sent, its gap and charge stay, and a late code is good."""
        factor.outbox.send = self.timing_out(factor, error(f"about {NUMBER}"))
        challenge = factor.verifier.challenge("alice")
        again = factor.verifier.challenge("alice")

        assert (True, True) == (challenge.sent, challenge.uncertain)
        assert (challenge.id, False, False) == (again.id, again.sent, again.uncertain)
        assert 8 == factor.verifier.status("alice").sends_left
        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)
        [record] = caplog.records
        assert ("smsmfa", logging.WARNING) == (record.name, record.levelno)
        assert ("Outbox" in caplog.text or "Coroutines" in caplog.text, NUMBER in caplog.text) == (True, False)
        assert (error is DeliveryUncertain) == (error.__name__ not in caplog.text)

    @pytest.mark.parametrize("error", [DeliveryUncertain("timeout"), RuntimeError("bug")])
    def test_enrolment(self, factor, error):
        """The message of an enrolment or of a resend can be uncertain too."""
        factor.outbox.send = self.timing_out(factor, error)
        pending = factor.enroller.start("bob", NUMBER)
        factor.clock.move(seconds=30)
        again = factor.enroller.resend("bob", pending.id)

        assert [(True, True)] * 2 == [(one.sent, one.uncertain) for one in (pending, again)]
        assert factor.enroller.confirm("bob", pending.id, factor.outbox.code)

    def test_bounded(self, new):
        """T24: a carrier that times out is called at most as often as the bucket has messages."""
        factor = enrolled(new())
        factor.outbox.send = self.timing_out(factor, DeliveryUncertain("timeout"))
        for attempt in range(20):
            with suppress(RateLimited):
                factor.verifier.challenge("alice", purpose=f"purpose {attempt}")

        assert 9 == factor.outbox.calls

    @staticmethod
    def timing_out(factor, error):
        """Return a send function that sends and then loses the answer."""
        send = factor.outbox.send

        def timing_out(message):
            send(message)
            raise error

        return timing_out

    @pytest.mark.parametrize("receipt", [None, True, "SM123", {"message_id": "SM123"}])
    def test_no_receipt(self, factor, receipt):
        """T24: an object that is no receipt is the sender's error, and nothing is given back."""
        factor.outbox.send = lambda message: factor.outbox.messages.append(message) or receipt
        rejected(factor.verifier.challenge, "alice", error=SenderMisconfigured)
        [live] = factor.verifier.status("alice").challenges

        assert 8 == factor.verifier.status("alice").sends_left
        assert not factor.verifier.challenge("alice").sent
        assert factor.verifier.verify("alice", live.id, factor.outbox.code)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    def test_interrupted(self, factor, error):
        """T24: an interrupt of a sender passes through, and the charge stays."""
        factor.outbox.outcomes = [error()]
        rejected(factor.verifier.challenge, "alice", error=error)

        assert 8 == factor.verifier.status("alice").sends_left

    def test_templates_changed(self, new):
        """A challenge that no present template fits is not sent again, and its message is given back."""
        factor = enrolled(new())
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(seconds=30)
        changed = over(factor, messages={"login": "{{ code }} {{ details.amount }}"})
        rejected(changed.verifier.resend, "alice", challenge.id, error=SenderMisconfigured)

        assert (0, 8) == (changed.outbox.calls, changed.verifier.status("alice").sends_left)
        assert factor.verifier.resend("alice", challenge.id).sent

    def test_fault_before_the_sender(self, factor, monkeypatch):
        """A bug of ours while the message is made is raised as it is, and no sender is called."""

        def breaks(*arguments, **named):
            raise RuntimeError("a fault")

        calls = factor.outbox.calls
        monkeypatch.setattr("smsmfa.texts.messages.Messages.render", breaks)

        with pytest.raises(RuntimeError, match="a fault"):
            factor.verifier.challenge("alice")
        assert calls == factor.outbox.calls


def earlier(keys, change, store):
    """Commit, and return the outcome of an earlier call of the change."""
    _, outcome = change({key: value for key in keys if (value := store.read(key)) is not None})
    store.update(keys, change)
    return outcome


def something(keys, change, store):
    """Commit, and return another value."""
    store.update(keys, change)
    return object()


def truth(keys, change, store):
    """Commit, and return True."""
    store.update(keys, change)
    return True


def nothing(keys, change, store):
    """Do nothing."""


class TestStore:
    """A store that fails or lies lets nobody in."""

    LIES = [earlier, something, truth, nothing]

    @pytest.mark.parametrize("lie", LIES)
    @pytest.mark.parametrize(
        "name", ["confirm", "verify", "recover", "remove", "new_recovery_codes", "reset", "unlock"]
    )
    def test_liar(self, factor, lie, name):
        """R26, T7: a store that returns anything except the outcome of its last change is an error."""
        login = factor.verifier.challenge("alice")
        its_code = factor.outbox.code
        proof = factor.enrollment.verification.token
        pending = factor.enroller.start("alice", OTHER_NUMBER, proof=proof)
        calls = {
            "confirm": partial(factor.enroller.confirm, "alice", pending.id, factor.outbox.code),
            "verify": partial(factor.verifier.verify, "alice", login.id, its_code),
            "recover": partial(factor.verifier.recover, "alice", factor.enrollment.recovery_codes[0]),
            "remove": partial(factor.enroller.remove, "alice", factor.enrollment.phone.id, proof=proof),
            "new_recovery_codes": partial(factor.enroller.new_recovery_codes, "alice", proof=proof),
            "reset": partial(factor.enroller.reset, "alice"),
            "unlock": partial(factor.verifier.unlock, "alice"),
        }
        factor.store.instead = partial(lie, store=factor.store.store)

        with pytest.raises(StoreError):
            calls[name]()

    @pytest.mark.parametrize("lie", LIES)
    @pytest.mark.parametrize("name", ["challenge", "start"])
    def test_liar_sends_nothing(self, factor, lie, name):
        """R26: if the store lies about a reservation, nothing is sent."""
        factor.store.instead = partial(lie, store=factor.store.store)

        with pytest.raises(StoreError):
            call(factor, name, "bob" if name == "start" else "alice", *OPERATIONS[name])
        assert 0 == factor.outbox.calls

    def test_retries(self, factor):
        """R25: a store may call a change again with other values, and only the last call counts."""

        def retrying(keys, change):
            for _ in range(2):
                change({})
            return factor.store.store.update(keys, change)

        factor.store.instead = retrying
        challenge = factor.verifier.challenge("alice")

        assert (challenge.id, 1) == (factor.outbox.messages[0].challenge_id, factor.outbox.calls)
        assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)

    @pytest.mark.parametrize(
        "error", [StoreError("down"), StoreContention("busy"), OSError("bug"), KeyboardInterrupt()]
    )
    @pytest.mark.parametrize("committed", [False, True])
    def test_failure(self, factor, error, committed):
        """R3, R26, T7: an error of a store passes through, nobody is let in, and a code is good at most once."""
        challenge = factor.verifier.challenge("alice")
        verify = partial(factor.verifier.verify, "alice", challenge.id, factor.outbox.code)

        def failing(keys, change):
            if committed:
                factor.store.store.update(keys, change)
            raise error

        factor.store.instead = failing
        assert error is rejected(verify, error=type(error))
        factor.store.instead = None
        if committed:
            rejected(verify, error=CodeUsed)
        else:
            assert verify()

    def test_failure_sends_nothing(self, factor):
        """R26: without a reservation nothing is sent."""

        def failing(keys, change):
            raise StoreError("down")

        factor.store.instead = failing
        rejected(factor.verifier.challenge, "alice", error=StoreError)

        assert 0 == factor.outbox.calls

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_garbage(self, factor, name):
        """R26, T12: a record that does not decode is an error without its bytes, and does not change."""
        key = []
        factor.store.instead = lambda keys, change: key.append(keys[0]) or factor.store.store.update(keys, change)
        factor.verifier.unlock("bob")
        factor.store.instead = None
        garbage = b"\x92\x01\xa5alice"
        factor.store.store.update(key, lambda values: ({key[0]: Entry(garbage)}, None))
        arguments = OPERATIONS[name]

        error = rejected(call, factor, name, "bob", *arguments, error=StoreError)
        assert "alice" not in f"{error} {error.__cause__} {error.__context__}"
        assert garbage == factor.store.read(key[0])

    def test_number_changes_meanwhile(self, factor):
        """R25: a number that changes between the read and the decision is read again, and gets the message."""

        def change_number():
            factor.store.meanwhile = lambda: None
            factor.enrol(number=OTHER_NUMBER, proof=factor.enrollment.verification.token)

        factor.store.meanwhile = change_number
        challenge = factor.verifier.challenge("alice")

        assert OTHER_NUMBER == challenge.phone.e164 == factor.outbox.messages[-1].to.e164

    def test_number_keeps_changing(self, new):
        """If the number changes every time, the operation gives up, and sends and charges nothing."""
        factor = new(a_config(limits=Limits(user=Limit(1000, HOUR))), store=Tampered())
        factor.enrol()
        numbers = iter(range(2673, 2773))

        def change_number():
            factor.store.meanwhile = lambda: None
            factor.enroller.reset("alice")
            factor.enrol(number=f"+1415555{next(numbers)}")
            factor.store.meanwhile = change_number

        factor.store.meanwhile = change_number
        rejected(factor.verifier.challenge, "alice", error=StoreContention)
        factor.store.meanwhile = lambda: None

        changes = next(numbers) - 2673
        assert changes > 1
        assert (1 + changes, 999 - changes) == (factor.outbox.calls, factor.verifier.status("alice").sends_left)


@pytest.mark.parametrize("name", OPERATIONS)
def test_disabled_factor(factor, name):
    """If the factor is off, calls that send, check or hand out codes are refused, and the others work."""
    off, arguments = over(factor, enabled=False), OPERATIONS[name]
    if name in {"adopt", "reset", "unlock", "status"}:
        call(off, name, "alice", *arguments)
    elif name in {"remove", "check_proof"}:
        rejected(call, off, name, "alice", *arguments, error=ProofRequired)
    else:
        rejected(call, off, name, "alice", *arguments, error=FactorDisabled)
    assert 0 == off.outbox.calls


def test_clock_before_the_epoch(new):
    """A clock before the epoch counts as the epoch."""
    factor = new(clock=Clock(-1_000_000_000))
    challenge = factor.enroller.start("alice", NUMBER)

    assert datetime(1970, 1, 1, 0, 5, tzinfo=UTC) == challenge.expires_at
    assert factor.enroller.confirm("alice", challenge.id, factor.outbox.code)


def test_malformed_touches_no_store(factor):
    """T14, T26: text that cannot be a code costs nothing and calls no store."""
    factor.store.calls = 0
    for check in factor.enroller.confirm, factor.verifier.verify:
        rejected(check, "alice", "x", "12345", error=CodeMalformed)
    rejected(factor.verifier.recover, "alice", "12345", error=CodeMalformed)

    assert 0 == factor.store.calls


def test_stranger_is_no_user(factor):
    """T19: no call with an unknown user id leaves anything in the store."""
    before = repr(factor.store.store)
    for name in OPERATIONS.keys() - {"start", "adopt"}:
        with suppress(SmsMfaError):
            call(factor, name, "nobody", *OPERATIONS[name])

    assert before == repr(factor.store.store)


def test_event_names_the_message(factor):
    """The event of a sent message has the carrier's id for it, and other events have none."""
    factor.verifier.challenge("alice")
    factor.verifier.challenge("alice")

    assert ["test-2", None] == [event.message_id for event in factor.events[-2:]]
