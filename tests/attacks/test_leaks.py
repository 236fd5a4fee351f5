"""Everything is done rightly and wrongly, and then every value, error, event and log is searched for secrets."""

import copy
import json
import logging
import pickle
import traceback
from datetime import timedelta
from pathlib import Path

import attrs
import msgspec
import pytest
from support import Clock, Factor, Outbox, wrong

import smsmfa
from smsmfa import (
    CodeGenerator,
    Enroller,
    FactorConfig,
    Limit,
    Limits,
    MemoryStore,
    PhoneNumber,
    RateLimiter,
    Verifier,
)
from smsmfa.exceptions import DeliveryRejected, DeliveryUncertain

PACKAGE = str(Path(smsmfa.__file__).parent)
SECRET = "the-secret-of-these-tests-is-7Hq2 and long enough"
OLDER = "an-older-secret-is-Xw93 and it is long enough, too"
RETRY_KEY = "the-key-of-one-form-is-Bv81"
NUMBERS = "+14155552671", "+14155552672", "+14155552673"
ARGUMENTS = {
    "app_name": "Acme",
    "secret": [SECRET, OLDER],
    "regions": {"US"},
    "digits": 10,  # so that no code appears by chance
    "recovery_codes": 3,
    "max_phones": 2,
    "limits": Limits(
        user=Limit(60, timedelta(hours=1)), number=Limit(40, timedelta(hours=1)), total=Limit(100, timedelta(hours=1))
    ),
}


class FailingStore(MemoryStore):
    """A MemoryStore whose call number ``due`` fails in the middle, like a database driver."""

    due = 0

    def update(self, keys, change):
        self.due -= 1

        def failing(values):
            result = change(values)
            if self.due == 0:
                raise ConnectionResetError("the database hung up")
            return result

        return super().update(keys, failing)


class Talkative(Outbox):
    """An outbox that can raise an error with the whole message in its text."""

    says = None

    def send(self, message):
        if self.says:
            self.messages.append(message)
            raise self.says(f"cannot send {message.text} to {message.to.e164}")
        return super().send(message)


class Records(logging.Handler):
    """Collects every log record, at every level."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines += [self.format(record), repr(vars(record))]


class Journey:
    """Does everything that the factor can do, and collects the values, errors and events."""

    def __init__(self):
        self.config = FactorConfig(**ARGUMENTS)
        self.store, self.outbox, self.clock = FailingStore(), Talkative(), Clock()
        self.values, self.errors, self.events, self.secrets = [], [], [], {SECRET, OLDER, RETRY_KEY}
        shared = self.config, self.store, self.outbox
        self.enroller = Enroller(*shared, on_event=self.listen, clock=self.clock)
        self.verifier = Verifier(*shared, on_event=self.listen, clock=self.clock)
        self.limiter = RateLimiter(self.store, Limit(1, timedelta(hours=1)), clock=self.clock)

    def listen(self, event):
        self.events.append(event)
        raise ValueError("a listener fails")

    def do(self, call, *arguments, **keywords):
        """Call, and keep the value or the error."""
        try:
            value = call(*arguments, **keywords)
        except Exception as error:
            self.errors.append(error)
            return None
        self.values.append(value)
        verification = getattr(value, "verification", value)
        self.secrets |= {getattr(verification, "token", None)} | set(getattr(value, "recovery_codes", ()))
        self.secrets -= {None}
        return value

    def travel(self):
        self.enrol_wrongly()
        first, second = self.enrol(NUMBERS[0]), self.enrol(NUMBERS[1])
        self.log_in(second)
        self.recover(first)
        self.meet_faults(second)
        self.misuse()
        self.misconfigure()
        self.change(first, second)
        self.secrets |= {message.code.reveal() for message in self.outbox.messages}
        self.secrets |= {code.replace("-", "") for code in self.secrets}
        self.values += [self.config, self.config.keys, self.config.texts, self.store, self.enroller, self.verifier]
        self.values += [self.limiter, *self.outbox.messages, *self.events]
        return self

    def enrol_wrongly(self):
        start = self.enroller.start
        for number in (
            NUMBERS[0] + "x",
            NUMBERS[0] + "9",
            NUMBERS[0][:-1],
            "+493012345678",
            "+18005552671",
            "+19005552671",
        ):
            self.do(start, "alice", number)
        self.do(start, "alice", NUMBERS[0][2:])
        self.do(start, "alice", NUMBERS[0][2:], region="no region")
        self.do(start, "alice", int(NUMBERS[0]))
        self.do(start, None, NUMBERS[0])
        self.do(start, "alice", NUMBERS[0], locale="not a locale")
        self.do(start, "alice", NUMBERS[0], locale=7)

    def enrol(self, number):
        token = self.do(self.log_in_once).token if self.verifier.status("alice").enrolled else None
        pending = self.do(self.enroller.start, "alice", number, proof=token)
        self.guess(self.enroller.confirm, pending.id)
        self.clock.move(seconds=30)
        self.do(self.enroller.resend, "alice", pending.id)
        self.do(self.enroller.resend, "alice", pending.id)
        return self.do(self.enroller.confirm, "alice", pending.id, self.outbox.code)

    def log_in_once(self):
        challenge = self.verifier.challenge("alice", purpose="manage")
        return self.verifier.verify("alice", challenge.id, self.outbox.code, purpose="manage")

    def guess(self, check, challenge_id):
        """Enter the code wrongly in every way, and for challenges and users it was not sent to."""
        code = self.outbox.code
        for typed in (wrong(code), code + "x", "x" + code, code * 30, int(code), code.encode(), None):
            self.do(check, "alice", challenge_id, typed)
        self.do(check, "alice", "no such challenge", code)
        self.do(check, "bob", challenge_id, code)
        self.do(check, None, challenge_id, code)
        self.do(check, "", challenge_id, code)

    def log_in(self, second):
        self.do(self.verifier.status, "alice")
        self.do(self.verifier.challenge, "alice")
        challenge = self.do(self.verifier.challenge, "alice", phone_id=second.phone.id, details={"_payee": "Ann"})
        code = self.outbox.code
        self.guess(self.verifier.verify, challenge.id)
        for about in (
            {"purpose": "payment"},
            {"purpose": ""},
            {"purpose": 7},
            {"details": {"_payee": 7}},
            {"details": "x"},
        ):
            self.do(self.verifier.verify, "alice", challenge.id, code, **about)
        about = {"details": {"_payee": "Ann"}, "retry_key": RETRY_KEY}
        for key in (RETRY_KEY[:15], RETRY_KEY * 5, RETRY_KEY.encode(), RETRY_KEY + "\n"):
            self.do(self.verifier.verify, "alice", challenge.id, code, retry_key=key)
        for _ in range(2):
            self.do(self.verifier.verify, "alice", challenge.id, wrong(code), **about)
        self.store.due = 1
        self.do(self.verifier.verify, "alice", challenge.id, code, **about)
        for _ in range(2):
            self.do(self.verifier.verify, "alice", challenge.id, code, **about)
        self.do(self.verifier.verify, "alice", challenge.id, code, details={"_payee": "Ann"})
        late = self.do(self.verifier.challenge, "alice")
        self.clock.move(minutes=5)
        self.do(self.verifier.verify, "alice", late.id, self.outbox.code)
        self.do(self.verifier.resend, "alice", late.id)

    def recover(self, first):
        code, other, last = first.recovery_codes
        for key in (RETRY_KEY, RETRY_KEY, RETRY_KEY[:15]):
            again = self.do(self.verifier.recover, "alice", code, retry_key=key)
            code = code if again is None or not again.repeated else again.recovery_codes[0]
        for typed in (code + "0", code.replace("-", "") + "!", code[:-1], code.encode(), None, "0" * 24):
            self.do(self.verifier.recover, "alice", typed)
        self.do(self.verifier.recover, None, code)
        self.do(self.verifier.recover, "bob", code)
        self.do(self.verifier.recover, "alice", code)
        self.do(self.verifier.recover, "alice", code)
        self.store.due = 1
        self.do(self.verifier.recover, "alice", other)
        for _ in range(12):
            self.do(self.verifier.recover, "alice", "0" * 24)
        self.do(self.verifier.recover, "alice", last)
        self.do(self.verifier.unlock, "alice")

    def meet_faults(self, second):
        """Make the store fail in the middle, and the sender say too much."""
        for due in (1, 2):
            self.store.due = due
            self.outbox.outcomes = [DeliveryRejected("no such number")] if due == 2 else []
            self.do(self.verifier.challenge, "alice", purpose=f"fault {due}")
        self.store.due, self.outbox.outcomes = 0, []
        challenge = self.do(self.verifier.challenge, "alice", purpose="fault")
        self.store.due = 1
        self.do(self.verifier.verify, "alice", challenge.id, self.outbox.code, purpose="fault")
        self.store.due = 0
        token = self.do(self.log_in_once).token
        for act in (
            lambda: self.enroller.start("alice", NUMBERS[2], proof=token, replace=second.phone.id),
            lambda: self.enroller.remove("alice", second.phone.id, proof=token),
            lambda: self.enroller.new_recovery_codes("alice", proof=token),
            lambda: self.enroller.reset("alice"),
            lambda: self.enroller.adopt("alice", NUMBERS[2], replace=second.phone.id),
            lambda: self.enroller.adopt("bob", PhoneNumber.parse(NUMBERS[2])),
            lambda: self.enroller.prefer("alice", second.phone.id, proof=token),
            lambda: self.enroller.new_recovery_codes("alice", proof=token, retry_key=RETRY_KEY),
        ):
            self.store.due = 1
            self.do(act)
        self.store.due = 0
        for says in (ValueError, DeliveryUncertain):
            self.outbox.says = says
            self.do(self.verifier.challenge, "alice", purpose=says.__name__)
        self.outbox.says = None

    def misuse(self):
        """Pass invalid proofs."""
        token = self.do(self.log_in_once).token
        bad = token[:-1], token + "A", token[:-3] + "!!!", token[:-1] + "é", token.encode(), 7, wrong("1" * 44)
        for proof in bad:
            self.do(self.enroller.start, "alice", NUMBERS[2], proof=proof)
            self.do(self.enroller.remove, "alice", "no such number", proof=proof)
            self.do(self.enroller.new_recovery_codes, "alice", proof=proof)
            self.do(self.enroller.prefer, "alice", "no such number", proof=proof)
            self.do(self.verifier.check_proof, "alice", proof)
        for number in (int(NUMBERS[2]), NUMBERS[2].encode(), NUMBERS[2] + "x", [NUMBERS[2]]):
            self.do(self.enroller.adopt, "bob", number)
        self.do(self.enroller.adopt, "bob", NUMBERS[2], enrolled_at=7)
        self.do(self.enroller.adopt, "bob", NUMBERS[2])
        self.do(self.enroller.adopt, "bob", NUMBERS[2], replace="no such number")
        self.do(self.enroller.prefer, "alice", "no such number", proof=token)
        self.do(self.verifier.check_proof, "alice", token)
        self.do(self.verifier.check_proof, "alice", token, max_age=7)
        self.do(self.enroller.remove, None, "no such number", proof=token)
        self.do(self.enroller.new_recovery_codes, None, proof=token)
        self.do(self.limiter.take, "key")
        self.do(self.limiter.take, "key", 2)

    def misconfigure(self):
        for wrongly in (
            {"digits": 99},
            {"regions": "US"},
            {"secret": [SECRET, SECRET]},
            {"secret": [SECRET, 7]},
            {"secret": SECRET[:31]},
            {"messages": {"login": "no code"}},
            {"messages": 7},
            {"bogus": 1},
            {"attempts": object()},
        ):
            self.do(FactorConfig, **(ARGUMENTS | wrongly))
        self.do(FactorConfig, secret=SECRET)
        self.do(CodeGenerator, SECRET, digits=99)
        self.do(CodeGenerator, SECRET, digits="6")
        self.do(attrs.evolve, self.config, digits=99)

    def change(self, first, second):
        """Change the enrolled numbers, and end without any."""
        token = self.do(self.log_in_once).token
        self.do(self.enroller.start, "alice", NUMBERS[0], proof=token)
        codes = self.do(self.enroller.new_recovery_codes, "alice", proof=token)
        self.secrets |= set(codes)
        self.values.remove(codes)  # the caller asked for them
        self.do(self.verifier.status, "alice")
        self.do(self.enroller.remove, "alice", second.phone.id, proof=token)
        self.do(self.enroller.remove, "alice", first.phone.id, proof=token)
        self.do(self.enroller.reset, "alice")
        self.do(self.verifier.challenge, "alice")


@pytest.fixture(scope="module")
def journey():
    records, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(records)
    root.setLevel(logging.DEBUG)
    try:
        journey = Journey().travel()
    finally:
        root.removeHandler(records)
        root.setLevel(level)
    journey.lines = records.lines
    return journey


def found(journey, text, *, numbers=True):
    """Return the secrets and whole numbers that ``text`` shows."""
    text = text if isinstance(text, str) else repr(text)
    whole = [form for number in NUMBERS for form in (number[1:], number[2:], PhoneNumber.parse(number).national)]
    whole += [repr(int(number).to_bytes(5, "big"))[2:-1] for number in NUMBERS]  # in a record's bytes
    return [secret for secret in [*journey.secrets, *(whole if numbers else [])] if secret in text]


def shown(value):
    """Return a value in every text form."""
    return " ".join([repr(value), str(value), format(value), f"{[value]}"])


def test_the_journey_went_everywhere(journey):
    """The journey makes codes, tokens and recovery codes, and raises most errors."""
    kinds = {type(error).__name__ for error in journey.errors}

    assert len(journey.secrets) > 30
    assert len(journey.values) > 60
    assert len(journey.events) > 80
    assert {
        "AlreadyEnrolled", "CodeExpired", "CodeMalformed", "CodeRejected", "ConfigurationError", "ConnectionResetError",
        "DeliveryRejected", "NotEnrolled", "PhoneNumberError", "ProofRequired", "RateLimited", "TypeError",
        "ValueError",
    } <= kinds  # fmt: skip
    assert [SECRET] == found(journey, f"so {SECRET} would be found")
    assert 1 < len(found(journey, NUMBERS[0]))
    assert found(journey, [int(NUMBERS[0])])
    assert found(journey, [msgspec.msgpack.encode(int(NUMBERS[0]))])


def test_values_show_nothing(journey):
    """T10, T12, R31: no repr or str of a returned value shows a secret or a whole number."""
    for value in journey.values:
        assert [] == found(journey, shown(value))


def test_events_show_nothing(journey):
    """T12, R27, R31: no field of an event holds a code, a token, a recovery code or a whole number."""
    for event in journey.events:
        assert [] == found(journey, json.dumps(attrs.asdict(event), default=str, ensure_ascii=False))


def test_logs_show_nothing(journey):
    """T12, R27: at level DEBUG the log tells what failed, and shows no secret and no whole number."""
    assert any("ValueError" in line for line in journey.lines)
    for line in journey.lines:
        assert [] == found(journey, line)


def shown_safely(value):
    """Return a variable as a traceback tool shows it, even if it is only half built."""
    try:
        return repr(value)
    except Exception as error:
        return repr(error)


def all_errors(journey):
    """Return every error with its causes and contexts."""
    errors = []
    for error in journey.errors:
        while error is not None and error not in errors:
            errors.append(error)
            error = error.__cause__ or error.__context__
    return errors


def test_errors_show_nothing(journey):
    """T12: no error or cause shows a secret or a whole number in its text, arguments or notes."""
    for error in all_errors(journey):
        assert [] == found(journey, [shown(error), error.args, vars(error)])


def test_tracebacks_show_nothing(journey):
    """T12: no local variable of the package's own frames shows a secret or a whole number."""
    count = 0
    for error in all_errors(journey):
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename.startswith((PACKAGE, "<attrs generated")):
                count += 1
                for name, value in frame.f_locals.items():
                    assert [] == found(journey, f"{name}={shown_safely(value)}"), (error, frame)

    assert count > 300


def test_tracebacks_can_be_shown(journey):
    """Traceback tools can show every error with the local variables of its frames."""
    for error in journey.errors:
        assert traceback.TracebackException.from_exception(error, capture_locals=True).stack


def test_pickles_hold_no_secret(journey):
    """T12: a value that can be pickled holds no secret, and a value with a secret cannot be pickled."""
    refused = set()
    for value in journey.values + journey.errors:
        for protocol in (0, pickle.HIGHEST_PROTOCOL):
            try:
                pickled = pickle.dumps(value, protocol)
            except (TypeError, AttributeError, pickle.PicklingError):
                refused.add(type(value).__name__)
            else:
                assert [] == found(journey, pickled.decode("latin-1"), numbers=False)

    assert {"Enrollment", "FactorConfig", "KeyRing", "Message", "Verification"} <= refused


def test_copies_show_nothing(journey):
    """T12: a copy shows no secret and no whole number."""
    for value in journey.values:
        for copied in (copy.copy, copy.deepcopy):
            try:
                shows = shown(copied(value))
            except TypeError as refusal:
                shows = shown(refusal)
            assert [] == found(journey, shows)


def test_fields_hold_no_secret(journey):
    """T10, T12: ``attrs.asdict`` of a returned value gives no secret. It gives numbers, as ``.e164`` does."""
    records = [value for value in journey.values if attrs.has(type(value)) and type(value).__name__ != "Message"]

    assert len(records) > 50
    for value in records:
        assert [] == found(journey, attrs.asdict(value), numbers=False)


class Dump(MemoryStore):
    """A MemoryStore that also keeps every value ever stored."""

    def __init__(self):
        super().__init__()
        self.dumped = []

    def update(self, keys, change):
        def watched(values):
            writes, outcome = change(values)
            self.dumped += [(key, entry.value) for key, entry in writes.items() if entry]
            return writes, outcome

        return super().update(keys, watched)


def test_the_store_holds_no_secret():
    """R12, R20: no record holds a code, a token, a recovery code or a secret, and no key holds a number."""
    factor = Factor(FactorConfig(**ARGUMENTS), store=Dump())
    enrolled = factor.enrol(number=NUMBERS[0])
    factor.verifier.challenge("alice", purpose="payment")
    tokens = enrolled.verification.token, factor.log_in().token
    codes = [message.code.reveal() for message in factor.outbox.messages]
    keys, values = zip(*factor.store.dumped, strict=True)

    assert len(values) > 8
    for secret in (SECRET, OLDER, *tokens, *enrolled.recovery_codes, *codes):
        forms = secret.encode(), secret.replace("-", "").encode()
        assert not any(form in value for form in forms for value in values)
    assert not any(NUMBERS[0][1:] in key for key in keys)


def test_nothing_is_printed(capfd):
    """T12: the package never writes to stdout or stderr, even when something goes wrong."""
    Journey().travel()

    assert ("", "") == capfd.readouterr()
