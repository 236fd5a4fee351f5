"""Any operations, in any order and under any clock, have the outcomes of a model that shares no code with them."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import START, Clock, a_config, wrong

from smsmfa import (
    Challenge,
    DeliveryRejected,
    DeliveryUncertain,
    Enroller,
    Limit,
    Limits,
    MemoryStore,
    SenderMisconfigured,
    Verifier,
)
from smsmfa.exceptions import CodeRejected, RateLimited, SmsMfaError
from smsmfa.typing import Receipt

US, EPOCH = timedelta(microseconds=1), datetime(1970, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
LIFETIME, GAP, SKEW, PROOF_LIFETIME, USED = 5 * MINUTE, 30 * SECOND, MINUTE, 10 * MINUTE, 10 * MINUTE
MOST_USED = 8
ATTEMPTS, CONSECUTIVE, RECOVERY_CODES = 3, 4, 2
LIMITS = Limits(
    user=Limit(5, timedelta(minutes=10)),
    number=Limit(6, timedelta(minutes=9)),
    unverified=Limit(3, timedelta(minutes=8)),
    refunds=Limit(2, timedelta(minutes=30)),
    total=Limit(12, timedelta(minutes=3)),
    guesses=Limit(5, timedelta(minutes=20)),
    recovery=Limit(2, timedelta(hours=1)),
    consecutive=CONSECUTIVE,
)
USERS = ("alice", "bob", "carol")
NUMBERS = ("+14155552671", "+14155552672", "+14155552673")
PURPOSES = ("login", "manage", "payment")
DETAILS = (None, {"_payee": "Ann"}, {"_payee": "Bob"})


# --- the model


class Time(Clock):
    """A clock in microseconds that counts how far it went forward, and knows whether it ever went back."""

    passed = 0
    turned_back = False

    def go(self, microseconds):
        self.now += microseconds * 1000
        self.passed += max(microseconds, 0)
        self.turned_back |= microseconds < 0

    @property
    def us(self):
        return self.now // 1000


class Bucket:
    """A limit: exact while the clock only goes forward, and an upper bound over any window under any clock."""

    def __init__(self, limit, time):
        self.capacity, self.refill, self.time = limit.capacity, limit.refill // US, time
        self.level, self.at, self.takes = Fraction(limit.capacity), time.us, []

    def left(self):
        return min(Fraction(self.capacity), self.level + Fraction(self.time.us - self.at, self.refill))

    def wait(self):
        """Return how long one take must wait, or 0 after the clock went back."""
        return 0 if self.time.turned_back else max(0, (1 - self.left()) * self.refill)

    def take(self):
        self.level, self.at = self.left() - 1, self.time.us
        self.takes.append(self.time.passed)
        for count, since in enumerate(reversed(self.takes), start=1):
            assert count <= self.capacity + (self.time.passed - since) // self.refill


@dataclass
class Phone:
    id: str
    number: str
    failures: int = 0
    disabled: bool = False


@dataclass
class Code:
    """A challenge and its code."""

    id: str
    code: str
    purpose: str
    details: dict | None
    phone: Phone
    created: int
    sent: int
    replaces: str | None = None
    attempts: int = 0


@dataclass
class Used:
    """A code that was accepted: what it was for, and when."""

    about: tuple
    at: int


@dataclass
class Person:
    sends: Bucket
    guesses: Bucket
    recoveries: Bucket
    refunds: Bucket
    phones: list = field(default_factory=list)
    codes: dict = field(default_factory=dict)
    pending: Code | None = None
    recovery: set = field(default_factory=set)
    used: list = field(default_factory=list)
    changes: int = 0


def nothing(value, code):
    """Change nothing. This is the effect of a refusal."""


def only(*expected):
    """Expect a refusal that changes nothing."""
    return [expected], nothing


class Model:
    """Gives the possible outcomes of each operation, and applies its effect."""

    def __init__(self, time, max_phones, max_users):
        self.time, self.max_phones, self.max_users = time, max_phones, max_users
        self.total = Bucket(LIMITS.total, time)
        self.numbers = {number: Bucket(LIMITS.number, time) for number in NUMBERS}
        self.unverified = {number: Bucket(LIMITS.unverified, time) for number in NUMBERS}
        buckets = LIMITS.user, LIMITS.guesses, LIMITS.recovery, LIMITS.refunds
        self.people = {user: Person(*(Bucket(limit, time) for limit in buckets)) for user in USERS}

    def alive(self, code):
        in_time = code.created - SKEW <= self.time.us < code.created + LIFETIME
        return in_time and code.attempts < ATTEMPTS

    def early(self, code):
        return code.sent + GAP - self.time.us

    def renewable(self, code):
        return self.time.us < code.created + LIFETIME + DAY

    def spent(self, person):
        wait = person.guesses.wait()
        return only("RateLimited", "guesses", wait) if wait else None

    def unproven(self, user, proof):
        proven = not self.people[user].phones or self.is_proof(user, proof, PROOF_LIFETIME)
        return None if proven else only("ProofRequired")

    def is_proof(self, user, proof, max_age):
        if not proof:
            return False
        owner, at, changes, manages = proof
        fresh = -SKEW <= self.time.us - at <= max_age
        return owner == user and manages and fresh and changes == self.people[user].changes

    def check_proof(self, user, proof, max_age):
        proven = self.people[user].phones and self.is_proof(user, proof, max_age)
        return ([("datetime",)], nothing) if proven else only("ProofRequired")

    def forget(self, person):
        while person.used and self.time.us - person.used[0].at > USED:
            del person.used[0]

    def use(self, person, *about):
        """Remember that a code was accepted."""
        person.used = [*person.used[1 - MOST_USED :], Used(about, self.time.us)]

    def unknown(self, person, *about):
        """Expect that a code that was accepted within ten minutes is told from one that never existed."""
        used = any(used.about == about and self.time.us - used.at <= USED for used in person.used)
        return only("CodeUsed" if used else "CodeRejected", 0)

    def in_use(self, person, number):
        others = [other for other in self.people.values() if other is not person]
        holders = sum(any(phone.number == number for phone in other.phones) for other in others)
        return only("PhoneInUse") if 0 < self.max_users <= holders else None

    def usable(self, person, phone_id):
        phones = [phone for phone in person.phones if phone_id in {None, phone.id}]
        usable = [phone for phone in phones if not phone.disabled]
        return usable[0] if usable else only("Locked" if phones else "NotEnrolled")

    def sending(self, person, number, carrier, effect):
        """Expect a message, or the limit with the longest wait.

        A message that was not sent changes nothing if the carrier or the operator is at fault. Otherwise it costs the
        user a refund, or as much as any message once there are no refunds left.
        """
        confirmed = any(phone.number == number for phone in person.phones)
        lane = self.numbers if confirmed else self.unverified
        buckets = {"user": person.sends, "number": lane[number], "total": self.total}
        waits = {scope: bucket.wait() for scope, bucket in buckets.items()}
        longest = max(waits.values())
        if longest:
            return [("RateLimited", scope, longest) for scope, wait in waits.items() if wait == longest], nothing
        if carrier in EXCUSED:
            return [EXCUSED[carrier]], nothing

        def refused(value, code):
            (person.refunds if person.refunds.left() >= 1 else person.sends).take()

        if carrier == "rejected":
            return [("DeliveryRejected",)], refused

        def sent(value, code):
            for bucket in buckets.values():
                bucket.take()
            effect(value, code)

        return [("Challenge", True, carrier != "sent")], sent

    def sending_to_confirm(self, person, number, carrier, effect):
        """Expect the same for a number that somebody wants. That others have it costs the user a message to know."""
        expected, sent = self.sending(person, number, carrier, effect)
        if expected[0][0] == "RateLimited" and expected[0][1] != "carrier":
            return expected, sent

        def charged(value, code):
            person.sends.take()

        refusal = self.in_use(person, number)
        return (refusal[0], charged) if refusal else (expected, sent)

    def replaced(self, person, number, replace):
        """Return the id of the number that another will replace, or a refusal."""
        same = next((phone for phone in person.phones if phone.number == number), None)
        if replace is not None and replace not in {phone.id for phone in person.phones}:
            return only("NotEnrolled")
        if same and not same.disabled and same.id != replace:
            return only("AlreadyEnrolled")
        if replace is None and same:
            return same.id
        if replace is None and len(person.phones) >= self.max_phones:
            return person.phones[0].id if self.max_phones == 1 else only("AlreadyEnrolled")
        return replace

    def start(self, user, number, proof, replace, carrier):
        person = self.people[user]
        if refusal := self.spent(person) or self.unproven(user, proof):
            return refusal
        replace = self.replaced(person, number, replace)
        if isinstance(replace, tuple):
            return replace
        old = person.pending
        if old and old.phone.number == number and self.alive(old) and self.early(old) > 0:

            def kept(value, code):
                assert old.id == value.id
                old.replaces = replace

            return [("Challenge", False, False)], kept

        def waits(value, code):
            now = self.time.us
            person.pending = Code(value.id, code, "enrollment", None, Phone("", number), now, now, replace)

        return self.sending_to_confirm(person, number, carrier, waits)

    def resend_enrolment(self, user, challenge_id, carrier):
        person = self.people[user]
        old = person.pending
        if refusal := self.spent(person):
            return refusal
        if old is None or old.id != challenge_id:
            return only("CodeRejected", 0)
        if self.alive(old):
            return self.repeat(person, old, carrier)
        if person.phones or not self.renewable(old):
            return self.closed(old)

        def renewed(value, code):
            now = self.time.us
            person.pending = Code(value.id, code, "enrollment", None, old.phone, now, now, old.replaces)

        return self.sending_to_confirm(person, old.phone.number, carrier, renewed)

    def repeat(self, person, old, carrier):
        if self.early(old) > 0:
            return only("RateLimited", "resend", self.early(old))

        def repeated(value, code):
            assert (old.id, old.code) == (value.id, code)
            old.sent = self.time.us

        return self.sending(person, old.phone.number, carrier, repeated)

    def confirm(self, user, challenge_id, submitted):
        person = self.people[user]
        pending = person.pending
        if refusal := self.spent(person):
            return refusal
        if pending is None or pending.id != challenge_id:
            return self.unknown(person, "confirm", challenge_id)
        if self.time.us >= pending.created + LIFETIME + DAY:  # a user's record with nothing else may be gone by now
            return [("CodeExpired", 0), ("CodeRejected", 0)], nothing
        if refusal := self.closed(pending):
            return refusal
        if submitted != pending.code:
            return self.guessed(person, pending)
        phone = pending.phone
        gone = [old for old in person.phones if old.id == pending.replaces or old.number == phone.number]

        def dropped(value, code):
            person.pending = None

        if len(person.phones) - len(gone) >= self.max_phones:
            return [("AlreadyEnrolled",)], dropped
        if refusal := self.in_use(person, phone.number):
            return refusal[0], dropped

        def enrolled(value, code):
            person.pending = None
            self.enrol(person, phone, gone, value)
            self.use(person, "confirm", challenge_id)

        return [("Enrollment",)], enrolled

    def enrol(self, person, phone, gone, value):
        assert (phone.number, False) == (value.phone.phone.e164, value.repeated)
        phone.id = value.phone.id
        place = person.phones.index(gone[0]) if gone else len(person.phones)
        self.let_go(person, gone)
        person.phones.insert(place, phone)
        person.changes += 1
        assert (0 if person.recovery else RECOVERY_CODES) == len(value.recovery_codes)
        person.recovery |= set(value.recovery_codes)

    def adopt(self, user, number, replace):
        person = self.people[user]
        same = next((phone for phone in person.phones if phone.number == number and not phone.disabled), None)

        def known(value, code):
            assert (same.id, (), None) == (value.phone.id, value.recovery_codes, value.verification)

        others = {phone.id for phone in person.phones if phone is not same}
        if same and replace not in others:
            return [("Enrollment",)], known
        replace = self.replaced(person, number, replace)
        if isinstance(replace, tuple):
            return replace
        gone = [phone for phone in person.phones if phone.id == replace or phone.number == number]

        def enrolled(value, code):
            assert value.verification is None
            person.pending = None
            self.enrol(person, Phone("", number), gone, value)

        return self.in_use(person, number) or ([("Enrollment",)], enrolled)

    def let_go(self, person, gone):
        person.phones = [phone for phone in person.phones if phone not in gone]
        person.codes = {purpose: code for purpose, code in person.codes.items() if code.phone not in gone}

    def closed(self, code):
        if not code.created - SKEW <= self.time.us < code.created + LIFETIME:
            return only("CodeExpired", 0)
        return None if code.attempts < ATTEMPTS else only("CodeRejected", 0)

    def guessed(self, person, code, phone=None):
        """Expect that a wrong code costs an attempt and a guess."""
        attempts = ATTEMPTS - code.attempts - 1
        left = min(attempts, int(person.guesses.left()) - 1)
        disables = phone is not None and phone.failures + 1 >= CONSECUTIVE

        def charged(value, _):
            code.attempts += 1
            person.guesses.take()
            if phone:
                phone.failures += 1
                phone.disabled = disables

        return [("CodeRejected", 0 if disables else left)], charged

    def remove(self, user, phone_id, proof):
        person = self.people[user]
        gone = [phone for phone in person.phones if phone.id == phone_id]

        def removed(value, code):
            self.let_go(person, gone)
            person.changes += 1
            person.pending = None
            person.recovery = person.recovery if person.phones else set()

        return self.unproven(user, proof) or (([("None",)], removed) if gone else only("NotEnrolled"))

    def prefer(self, user, phone_id, proof):
        person = self.people[user]
        named = [phone for phone in person.phones if phone.id == phone_id]

        def preferred(value, code):
            person.phones = named + [phone for phone in person.phones if phone not in named]

        return self.unproven(user, proof) or (([("None",)], preferred) if named else only("NotEnrolled"))

    def new_recovery_codes(self, user, proof):
        person = self.people[user]

        def replaced(value, code):
            assert RECOVERY_CODES == len(set(value) - person.recovery)
            person.recovery = set(value)
            self.use(person, "new recovery codes")

        if not person.phones:
            return only("NotEnrolled")
        return self.unproven(user, proof) or ([("tuple",)], replaced)

    def reset(self, user):
        def emptied(value, code):
            person = self.people[user]
            person.phones, person.codes, person.pending, person.recovery = [], {}, None, set()
            person.used = []
            person.changes += 1

        return [("None",)], emptied

    def unlock(self, user):
        def filled(value, code):
            person = self.people[user]
            person.guesses, person.recoveries = Bucket(LIMITS.guesses, self.time), Bucket(LIMITS.recovery, self.time)

        return [("None",)], filled

    def challenge(self, user, phone_id, purpose, details, carrier):
        person = self.people[user]
        if refusal := self.spent(person):
            return refusal
        phone = self.usable(person, phone_id)
        if not isinstance(phone, Phone):
            return phone
        old = person.codes.get(purpose)
        if old and (old.phone, old.details) == (phone, details) and self.alive(old) and self.early(old) > 0:

            def kept(value, code):
                assert old.id == value.id

            return [("Challenge", False, False)], kept
        return self.fresh(person, phone, purpose, details, carrier)

    def fresh(self, person, phone, purpose, details, carrier):
        def made(value, code):
            self.forget(person)
            now = self.time.us
            person.codes = {name: code for name, code in person.codes.items() if self.renewable(code)}
            person.codes[purpose] = Code(value.id, code, purpose, details, phone, now, now)

        def forgotten(value, code):
            """Drop what is too old: every new challenge does that, even one that is taken back."""
            self.forget(person)
            person.codes = {
                name: code for name, code in person.codes.items() if name == purpose or self.renewable(code)
            }

        expected, effect = self.sending(person, phone.number, carrier, made)

        def taken_back(value, code):
            effect(value, code)
            forgotten(value, code)

        undone = expected[0] in {("DeliveryRejected",), *EXCUSED.values()}
        return expected, taken_back if undone else effect

    def resend(self, user, challenge_id, carrier):
        person = self.people[user]
        if refusal := self.spent(person):
            return refusal
        old = next((code for code in person.codes.values() if code.id == challenge_id), None)
        if old is None:
            return only("CodeRejected", 0)
        if old.phone.disabled:
            return only("Locked")
        if self.alive(old):
            return self.repeat(person, old, carrier)
        if not self.renewable(old):
            return self.closed(old)
        return self.fresh(person, old.phone, old.purpose, old.details, carrier)

    def verify(self, user, challenge_id, submitted, purpose, details):
        person = self.people[user]
        if refusal := self.spent(person):
            return refusal
        code = person.codes.get(purpose)
        about = "verify", challenge_id, purpose, tuple(sorted((details or {}).items()))
        if code is None or (code.id, code.details) != (challenge_id, details):
            return self.unknown(person, *about)
        if code.phone.disabled:
            return only("Locked")
        if refusal := self.closed(code):
            return refusal
        if submitted != code.code:
            return self.guessed(person, code, code.phone)

        def let_in(value, _):
            del person.codes[purpose]
            code.phone.failures = 0
            self.use(person, *about)

        return [("Verification",)], let_in

    def recover(self, user, submitted):
        person = self.people[user]
        if wait := person.recoveries.wait():
            return only("RateLimited", "recovery", wait)
        if not person.phones:
            return only("NotEnrolled")

        def let_in(value, code):
            person.recovery.remove(submitted)
            person.recovery.update(value.recovery_codes)
            self.use(person, "recover", submitted)

        def charged(value, code):
            person.recoveries.take()

        if submitted in person.recovery:
            return [("Verification",)], let_in
        if self.unknown(person, "recover", submitted) == only("CodeUsed", 0):
            return only("CodeUsed", 0)
        return [("CodeRejected", int(person.recoveries.left()) - 1)], charged


#: What is not the user's fault, and how it is reported.
EXCUSED = {"misconfigured": ("SenderMisconfigured",), "busy": ("RateLimited", "carrier", 1)}


# --- the traces


class Carrier:
    """A carrier that treats each message as ``behaves`` says."""

    def __init__(self):
        self.messages, self.behaves = [], "sent"

    def send(self, message):
        self.messages.append(message)
        if self.behaves == "rejected":
            raise DeliveryRejected("no such number")
        if self.behaves == "misconfigured":
            raise SenderMisconfigured("no such account")
        if self.behaves == "busy":
            raise RateLimited("carrier", US)
        if self.behaves == "uncertain":
            raise DeliveryUncertain("no answer")
        if self.behaves == "broken":
            raise ConnectionResetError
        return Receipt()


@dataclass
class Sent:
    """A message as its reader knows it: everything that its code may be accepted for."""

    user: str
    code: str
    kind: str
    purpose: str
    details: dict | None
    number: str
    expires_at: object


recently = st.integers(0, 3)
phones = st.sampled_from([None] * 6 + [0, 1, 2])
users = st.sampled_from(USERS)
tokens = st.sampled_from(["own", "own", "own", "older", "another's", "none"])
carriers = st.sampled_from(["sent"] * 4 + ["uncertain", "broken", "rejected", "rejected", *EXCUSED])
exactly = st.sampled_from([1, SECOND, GAP - 1, GAP, GAP, MINUTE, LIFETIME - 1, LIFETIME, PROOF_LIFETIME, HOUR, DAY])
jumps = st.one_of(exactly, st.integers(1, MINUTE), st.integers(1, 30 * MINUTE))
ages = st.sampled_from([0, 1, SECOND, MINUTE, PROOF_LIFETIME, PROOF_LIFETIME])


def recent(things, which):
    """Return one of the newest things."""
    return None if which is None or not things else things[-1 - which % len(things)]


class Traces(RuleBasedStateMachine):
    """Any operation by any user, under a clock that goes forward."""

    @initialize(max_phones=st.integers(1, 2), max_users=st.integers(0, 2))
    def set_up(self, max_phones, max_users):
        self.time, self.carrier = Time(START), Carrier()
        self.model = Model(self.time, max_phones, max_users)
        config = a_config(
            limits=LIMITS,
            attempts=ATTEMPTS,
            recovery_codes=RECOVERY_CODES,
            max_phones=max_phones,
            max_users_per_number=max_users,
        )
        shared = config, MemoryStore(), self.carrier
        self.enroller, self.verifier = Enroller(*shared, clock=self.time), Verifier(*shared, clock=self.time)
        self.ledger, self.accepted, self.phone_ids = {}, set(), []
        self.proofs, self.recovery_codes = defaultdict(list), defaultdict(list)
        for user, number in zip(USERS, NUMBERS, strict=True):
            self.start(user, number, "none", None, "sent")
            self.answer(0, "as sent", "right")

    def check(self, plan, act):
        """Call, and compare the outcome with the model."""
        expected, effect = plan
        value, self.wait_for = None, 0
        try:
            value = act()
            actual = (type(value).__name__.removesuffix("Type"),)
            if isinstance(value, Challenge):
                actual += value.sent, value.uncertain
        except RateLimited as error:
            actual = "RateLimited", error.scope, error.retry_after // US
            self.wait_for = actual[2] if error.scope != "carrier" else 0
        except CodeRejected as error:
            actual = type(error).__name__, error.attempts_left
        except SmsMfaError as error:
            actual = (type(error).__name__,)
        if not self.time.turned_back:
            assert actual in expected
        elif actual[0] == "RateLimited" and actual[1] not in {"resend", "carrier"}:
            refills = {LIMITS.number.refill, LIMITS.unverified.refill} if actual[1] == "number" else set()
            longest = max(refills or {getattr(LIMITS, actual[1]).refill}) // US
            assert actual[2] <= longest + SKEW  # nobody waits for more than one refill and what clocks may differ
            return None
        else:
            assert actual[0] in {name for name, *_ in expected}
        effect(value, self.carrier.messages[-1].code.reveal() if self.carrier.messages else "")
        return value

    def request(self, plan, act, carrier, user, purpose, details):
        """Ask for a message, and record what was handed to the carrier."""
        self.carrier.behaves, before = carrier, len(self.carrier.messages)
        challenge = self.check(plan, act)
        handed = self.carrier.messages[before:]
        if challenge and challenge.sent:
            (message,) = handed
            code, number = message.code.reveal(), message.to.e164
            sent = Sent(user, code, message.kind, purpose, details, number, message.expires_at)
            assert sent == self.ledger.setdefault(challenge.id, sent)
        elif handed:
            assert carrier in {"rejected", *EXCUSED}
            assert 1 == len(handed)

    def proof(self, user, whose):
        """Return a token and its claims."""
        if whose == "another's":
            user = next(other for other in USERS if other != user)
        which = {"none": None, "older": 1}.get(whose, 0)
        return recent(self.proofs[user], which) or (None, None)

    @rule(user=users, number=st.sampled_from(NUMBERS), proof=tokens, replace=phones, carrier=carriers)
    def start(self, user, number, proof, replace, carrier):
        token, claims = self.proof(user, proof)
        phone_id = recent(self.phone_ids, replace)
        plan = self.model.start(user, number, claims, phone_id, carrier)
        act = partial(self.enroller.start, user, number, proof=token, replace=phone_id)
        self.request(plan, act, carrier, user, "enrollment", None)

    @rule(
        user=users, phone=phones, purpose=st.sampled_from(PURPOSES), details=st.sampled_from(DETAILS), carrier=carriers
    )
    def challenge(self, user, phone, purpose, details, carrier):
        phone_id = recent(self.phone_ids, phone)
        plan = self.model.challenge(user, phone_id, purpose, details, carrier)
        act = partial(self.verifier.challenge, user, phone_id=phone_id, purpose=purpose, details=details)
        self.request(plan, act, carrier, user, purpose, details)

    def in_flight(self):
        """Return the ids of all challenges that were neither used nor replaced, newest last."""
        people = self.model.people.values()
        ids = {code.id for person in people for code in (*person.codes.values(), person.pending) if code}
        return [challenge_id for challenge_id in self.ledger if challenge_id in ids]

    @precondition(in_flight)
    @rule(which=recently, twist=st.sampled_from(["as sent"] * 4 + ["user", "kind", "old"]), carrier=carriers)
    def resend(self, which, twist, carrier):
        challenge_id = recent(list(self.ledger) if twist == "old" else self.in_flight(), which)
        sent = self.ledger[challenge_id]
        user = USERS[USERS.index(sent.user) - (twist == "user")]
        plan, act = self.model.resend, self.verifier.resend
        if (sent.kind == "enrollment") != (twist == "kind"):
            plan, act = self.model.resend_enrolment, self.enroller.resend
        plan, act = plan(user, challenge_id, carrier), partial(act, user, challenge_id)
        self.request(plan, act, carrier, user, sent.purpose, sent.details)

    @precondition(in_flight)
    @rule(
        which=recently,
        due=st.sampled_from(["gap", "gap", "gap", "expiry", "day"]),
        early=st.booleans(),
        resend=st.booleans(),
        guess=st.booleans(),
    )
    def ask_in_time(self, which, due, early, resend, guess):
        """Ask for the same message exactly when the outcome may change, or a microsecond earlier."""
        challenge_id = recent(self.in_flight(), which)
        if guess:
            self.type(challenge_id, "as sent", "wrong")
        sent = self.ledger[challenge_id]
        person = self.model.people[sent.user]
        code = person.codes.get(sent.purpose, person.pending)
        expiry = code.created + LIFETIME
        due = {"gap": code.sent + GAP, "expiry": expiry, "day": expiry + DAY}[due]
        self.time.go(max(due - self.time.us - early, 0))
        if resend:
            self.resend(which, "as sent", "sent")
        elif sent.kind == "enrollment":
            self.start(sent.user, sent.number, "own", None, "sent")
        else:
            self.challenge(sent.user, None, sent.purpose, sent.details, "sent")
        if guess:
            self.type(challenge_id, "as sent", "wrong")

    @rule(user=users)
    def ask_on(self, user):
        """Ask for codes until no limit allows it."""
        for n in range(7):
            self.challenge(user, None, f"purpose {n}", None, "sent")

    @rule(
        user=users,
        number=st.sampled_from(NUMBERS),
        carrier=st.sampled_from(["sent", "rejected", "misconfigured"]),
        times=st.integers(1, 4),
    )
    def start_on(self, user, number, carrier, times):
        """Want one number again and again, without a number: nobody asks for a proof."""
        self.check(self.model.reset(user), partial(self.enroller.reset, user))
        for _ in range(times):
            self.start(user, number, "none", None, carrier)
            self.time.go(GAP)

    @rule(user=users)
    def guess_on(self, user):
        """Guess, with right codes in between, until no limit allows it."""
        for n in range(3):
            self.challenge(user, None, f"purpose {n}", None, "sent")
            for guess in ("wrong", "wrong", "right"):
                self.type(list(self.ledger)[-1], "as sent", guess)
        self.come_back(user, too_early=True)

    @rule(user=users, too_early=st.booleans())
    def come_back(self, user, too_early):
        """Come back exactly when a refusal says, and perhaps once earlier. Then the same limit does not refuse."""
        for _ in range(3 + too_early):  # once for the guesses, once for the messages, and once for success
            self.challenge(user, None, "come back", {"_at": f"{self.time.us}"}, "sent")
            if not self.wait_for:
                return
            self.time.go(self.wait_for // (1 + too_early))
            too_early = False
        raise AssertionError("a limit refused after the wait that it had asked for")

    @rule(
        which=recently,
        twist=st.sampled_from(["as sent"] * 3 + ["user", "purpose", "details", "kind"]),
        guess=st.sampled_from(["right", "right", "wrong", "wrong", "another"]),
    )
    def answer(self, which, twist, guess):
        """Enter the challenge's code, a wrong code or another challenge's code, for this challenge or another."""
        self.type(recent(list(self.ledger), which), twist, guess)

    @precondition(in_flight)
    @rule(which=recently)
    def answer_right(self, which):
        self.type(recent(self.in_flight(), which), "as sent", "right")

    @precondition(in_flight)
    @rule(which=recently, times=st.integers(1, ATTEMPTS))
    def answer_wrong(self, which, times):
        for _ in range(times):
            self.type(recent(self.in_flight(), which), "as sent", "wrong")

    def type(self, challenge_id, twist, guess):
        sent = self.ledger[challenge_id]
        user = USERS[USERS.index(sent.user) - (twist == "user")]
        purpose = "login" if sent.kind == "enrollment" else sent.purpose
        purpose = purpose if twist != "purpose" else "other"
        details = sent.details if twist != "details" else {"_payee": "Eve"}
        code = {"right": sent.code, "wrong": wrong(sent.code)}.get(guess, self.ledger[next(iter(self.ledger))].code)
        if (sent.kind == "enrollment") != (twist == "kind"):
            plan = self.model.confirm(user, challenge_id, code)
            value = self.check(plan, partial(self.enroller.confirm, user, challenge_id, code))
            allowed, given = (sent.user, sent.code, sent.kind), (user, code, "enrollment")
        else:
            plan = self.model.verify(user, challenge_id, code, purpose, details)
            about = {"purpose": purpose, "details": details}
            value = self.check(plan, partial(self.verifier.verify, user, challenge_id, code, **about))
            allowed = sent.user, sent.code, sent.kind, sent.purpose, sent.details
            given = user, code, "verification", purpose, details
        if value:
            assert allowed == given
            assert self.time.datetime < sent.expires_at
            assert challenge_id not in self.accepted
            self.accepted.add(challenge_id)
            self.keep(value, manages=sent.purpose in {"enrollment", "login", "manage"} and not sent.details)

    def keep(self, value, *, manages):
        """Keep the proof token and the recovery codes of a success."""
        verification = getattr(value, "verification", value)
        user = verification.user_id
        claims = user, self.time.us, self.model.people[user].changes, manages
        self.proofs[user].append((verification.token, claims))
        self.recovery_codes[user] += value.recovery_codes
        if value is not verification:
            self.phone_ids.append(value.phone.id)

    @rule(user=users, whose=users, which=st.sampled_from([None, 0, 0, 1, 2]))
    def recover(self, user, whose, which):
        """Enter a recovery code of the user, of another user, a used one or an invented one."""
        code = recent(self.recovery_codes[whose], which) or "0000-0000-0000-0000-0000-0000"
        value = self.check(self.model.recover(user, code), partial(self.verifier.recover, user, code))
        if value:
            assert whose == user
            assert code not in self.accepted
            self.accepted.add(code)
            self.keep(value, manages=True)

    @rule(
        user=users,
        what=st.sampled_from(["remove", "remove", "prefer", "codes", "reset", "unlock"]),
        which=phones,
        proof=tokens,
    )
    def manage(self, user, what, which, proof):
        """Remove or prefer a number, replace the recovery codes, reset or unlock."""
        token, claims = self.proof(user, proof)
        if what in {"remove", "prefer"}:
            own = [phone.id for phone in self.model.people[user].phones]
            phone_id = recent(own, 0) if which is None and own else recent(self.phone_ids, which or 0)
            plan = getattr(self.model, what)(user, phone_id, claims)
            self.check(plan, partial(getattr(self.enroller, what), user, phone_id, proof=token))
        elif what == "codes":
            plan = self.model.new_recovery_codes(user, claims)
            codes = self.check(plan, partial(self.enroller.new_recovery_codes, user, proof=token))
            self.recovery_codes[user] += codes or ()
        elif what == "reset":
            self.check(self.model.reset(user), partial(self.enroller.reset, user))
        else:
            self.check(self.model.unlock(user), partial(self.verifier.unlock, user))

    @rule(user=users, number=st.sampled_from(NUMBERS), replace=phones)
    def adopt(self, user, number, replace):
        """Enrol a number that was verified elsewhere."""
        phone_id = recent(self.phone_ids, replace)
        plan = self.model.adopt(user, number, phone_id)
        value = self.check(plan, partial(self.enroller.adopt, user, number, replace=phone_id))
        if value:
            self.recovery_codes[user] += value.recovery_codes
            self.phone_ids.append(value.phone.id)

    @rule(user=users, proof=tokens, max_age=ages)
    def check_proof(self, user, proof, max_age):
        """Show a proof, which is also checked when something is changed."""
        token, claims = self.proof(user, proof)
        plan = self.model.check_proof(user, claims, max_age)
        at = self.check(plan, partial(self.verifier.check_proof, user, token, max_age=max_age * US))
        if at:
            assert claims[1] == (at - EPOCH) // US

    @rule(jump=jumps)
    def wait(self, jump):
        self.time.go(jump)

    @invariant()
    def status_agrees(self):
        """The numbers, challenges, recovery codes and buckets equal the model's."""
        for user, person in self.model.people.items():
            status = self.verifier.status(user)
            codes = [*person.codes.values(), *([person.pending] if person.pending else [])]
            open_codes = {code.id for code in codes if self.model.alive(code) and not code.phone.disabled}
            assert (open_codes if status.guesses_left else set()) == {each.id for each in status.challenges}
            phones = [(phone.id, phone.number, phone.disabled) for phone in person.phones]
            assert phones == [(each.id, each.phone.e164, each.disabled) for each in status.phones]
            assert len(person.recovery) == status.recovery_codes_left
            if not self.time.turned_back:
                assert (int(person.sends.left()), int(person.guesses.left())) == (
                    status.sends_left,
                    status.guesses_left,
                )


class TracesUnderAnyClock(Traces):
    """The same under a clock that also jumps back. Limits may then refuse earlier, and never allow more."""

    @rule(jump=jumps)
    def turn_back(self, jump):
        self.time.go(-jump)


class TestTraces(Traces.TestCase):
    """R3, R4, R5, R6, R7, R16, R17, R20, R28, T1, T2, T8, T9: every operation has the outcome of the model."""

    settings = settings(max_examples=100, stateful_step_count=60)


class TestTracesUnderAnyClock(TracesUnderAnyClock.TestCase):
    """R3, R5, R28, T17: a clock that jumps back neither lets anybody in nor raises a limit."""

    settings = settings(max_examples=100, stateful_step_count=60)


@pytest.mark.thorough
class TestManyTraces(Traces.TestCase):
    """R3, R5, R28: many more traces have the outcome of the model."""

    settings = settings(max_examples=500, stateful_step_count=60)


@pytest.mark.thorough
class TestManyTracesUnderAnyClock(TracesUnderAnyClock.TestCase):
    """R3, R5, R28, T17: many more traces under a clock that jumps back stay within the limits."""

    settings = settings(max_examples=500, stateful_step_count=60)
