"""A request that comes again with its ``retry_key`` gets the same answer, and nobody else gets it.

Two hosts, whose clocks differ by up to a minute, serve several sessions over one store. Requests with a code come in
any order, with any key, once or again. The model knows which answers can be repeated. It shares no code with the
package.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import SECRET, START, Clock, Outbox, a_config, wrong

from smsmfa import (
    CodeRejected,
    CodeUsed,
    Enroller,
    Limit,
    Limits,
    MemoryStore,
    PhoneInUse,
    SmsMfaError,
    Verifier,
)
from smsmfa.core.records import user_key

US = timedelta(microseconds=1)
SECOND, MINUTE, HOUR = 10**6, 60 * 10**6, 3600 * 10**6
LIFETIME, WINDOW = 5 * MINUTE, 10 * MINUTE
MOST_ACCEPTED, MOST_REFUSED, MOST_MISSES = 8, 10, 5
LIMITS = Limits(
    user=Limit(40, timedelta(seconds=20)),
    number=None,
    unverified=None,
    guesses=Limit(13, timedelta(minutes=10)),
    recovery=Limit(3, timedelta(hours=1)),
    consecutive=4,
)
USERS = ("alice", "bob")
NUMBERS = ("+14155552671", "+14155552672", "+14155552673")
#: The keys of the sessions, and no key.
KEYS = ("a key of the first form", "a key of the second form", "a key of another user's form", None)
SECRETS = [SECRET, *(f"secret number {n} of the tests, long enough" for n in range(20))]
UNKNOWN = "0000-0000-0000-0000-0000-0000"


# --- the model


@dataclass
class Answered:
    """A request that was accepted, or refused for its code, and the answer to it."""

    asked: tuple
    about: tuple
    at: int
    secret: int
    value: object = None
    codes: tuple = ()
    misses: int = 0
    ended: bool = False


@dataclass
class Person:
    accepted: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    recovery: set = field(default_factory=set)
    phones: dict = field(default_factory=dict)

    def change(self):
        """The numbers changed, so no answer is repeated any more."""
        self.refused = []
        for answer in self.accepted:
            answer.ended = True


def codes_of(value):
    """Return the recovery codes of any answer."""
    return value if isinstance(value, tuple) else value.recovery_codes


def shown(value):
    """Return everything that the application can see of an answer."""
    if isinstance(value, tuple):
        return value
    verification = getattr(value, "verification", value)
    return value, codes_of(value), verification, verification.token, verification.amr


class Retries(RuleBasedStateMachine):
    """Requests and repetitions, from any session and on any host."""

    @initialize(skew=st.sampled_from([0, 1, 30, 59, 60]), max_phones=st.integers(1, 2))
    def set_up(self, skew, max_phones):
        self.true, self.skew, self.max_phones = Clock(START), skew * SECOND, max_phones
        self.store, self.outbox, self.secrets = MemoryStore(), Outbox(), [0]
        self.configure()
        self.people = {user: Person() for user in USERS}
        self.sent, self.known, self.tokens, self.done = {}, [], defaultdict(list), []
        for user, number in zip(USERS, NUMBERS, strict=False):
            self.start(user, number, 0)
            self.submit(0, 0, KEYS[0], "as sent", right=True)

    def configure(self):
        """Start the hosts anew, with the present secrets."""
        config = a_config(
            secret=[SECRETS[index] for index in self.secrets],
            limits=LIMITS,
            recovery_codes=2,
            max_phones=self.max_phones,
            max_users_per_number=1,
            resend_gap=0 * US,
        )
        clocks = self.true, lambda: self.true() + self.skew * 1000
        shells = [(Enroller, Verifier)] * 2
        self.hosts = [
            [shell(config, self.store, self.outbox, clock=clock) for shell in pair]
            for pair, clock in zip(shells, clocks, strict=True)
        ]

    def now(self, host):
        return self.true() // 1000 + host * self.skew

    # --- what must come of a request

    def repeatable(self, user, asked, host):
        """Return the answer that may be repeated, and whether it must be."""
        person = self.people[user]
        for answer in (*person.accepted[-MOST_ACCEPTED:], *person.refused[-MOST_REFUSED:]):
            age = self.now(host) - answer.at
            if answer.asked == asked and asked[-1] and not answer.ended and answer.secret in self.secrets:
                if not -MINUTE <= age <= WINDOW or answer.misses >= MOST_MISSES:
                    continue
                return answer, self.now(1) - answer.at <= WINDOW  # the host ahead may have dropped it already
        return None, False

    def ask(self, user, about, code, key, host, call, *, right):
        """Send a request, and compare the outcome with the model."""
        asked = (*about, code, key)
        person, self.record = self.people[user], self.store.read(user_key(user))
        before = self.hosts[0][1].status(user)
        repeated, must = self.repeatable(user, asked, host)
        value = error = None
        try:
            value = call()
        except SmsMfaError as raised:
            error = raised
        if repeated and (must or (value is not None and person.accepted and self.is_repeated(value, repeated))):
            self.check_repeated(person, repeated, value, error)
            assert self.record == self.store.read(user_key(user))  # nothing is charged, and nothing is consumed
            return None
        if value is None:
            self.refuse(user, asked, about, error, host, before)
            return None
        assert right
        assert about not in self.done  # one acceptance
        assert not getattr(value, "repeated", False)
        if about[0] != "new recovery codes":
            self.done.append(about)
        return value

    @staticmethod
    def is_repeated(value, answer):
        return value == answer.value if isinstance(value, tuple) else value.repeated

    def check_repeated(self, person, answer, value, error):
        """An accepted request gets the same value, and a refused one the same refusal."""
        if answer.value is None:
            assert type(error) is answer.codes
            return
        if answer.codes and not set(answer.codes) & person.recovery:
            assert CodeUsed is type(error)
            return
        assert error is None
        assert shown(answer.value) == shown(value)
        assert isinstance(value, tuple) or value.repeated

    def refuse(self, user, asked, about, error, host, before):
        """Remember a refusal that can be repeated, and a miss."""
        person, after = self.people[user], self.hosts[0][1].status(user)
        if type(error) is CodeUsed:
            assert (before.guesses_left, before.recovery_codes_left) == (after.guesses_left, after.recovery_codes_left)
            used = next(answer for answer in person.accepted if answer.about == about)
            used.misses += asked[-1] is not None and not used.ended and used.asked[-1] is not None
        compared = self.record != self.store.read(user_key(user))  # a wrong code was charged
        kept = type(error) is PhoneInUse or (type(error) is CodeRejected and compared)
        if asked[-1] and kept:
            person.refused.append(Answered(asked, about, self.now(host), self.secrets[0], codes=type(error)))

    def accept(self, user, about, code, key, host, value):
        """Remember an acceptance."""
        answer = Answered((*about, code, key), about, self.now(host), self.secrets[0], value, tuple(codes_of(value)))
        self.people[user].accepted.append(answer)
        verification = getattr(value, "verification", value)
        if not isinstance(value, tuple):
            self.tokens[user].append(verification.token)
        self.known += [(user, code) for code in codes_of(value)]

    # --- requests

    @rule(user=st.sampled_from(USERS), number=st.sampled_from(NUMBERS), host=st.integers(0, 1))
    def start(self, user, number, host):
        self.send(user, lambda: self.hosts[host][0].start(user, number, proof=self.token(user, 0)), "confirm")

    @rule(user=st.sampled_from(USERS), purpose=st.sampled_from(["login", "payment"]), host=st.integers(0, 1))
    def challenge(self, user, purpose, host):
        self.send(user, lambda: self.hosts[host][1].challenge(user, purpose=purpose), "verify")

    def send(self, user, call, kind):
        try:
            challenge = call()
        except SmsMfaError:
            return
        self.sent[challenge.id] = kind, user, challenge.purpose, self.outbox.code

    def token(self, user, which):
        tokens = self.tokens[user]
        return tokens[-1 - which % len(tokens)] if tokens else None

    @rule(
        which=st.integers(0, 3),
        host=st.integers(0, 1),
        key=st.sampled_from(KEYS),
        twist=st.sampled_from(["as sent"] * 5 + ["user", "purpose"]),
        right=st.booleans(),
    )
    def submit(self, which, host, key, twist, right):
        """Answer a challenge: right or wrong, as its user or another, for its purpose or another."""
        if self.sent:
            self.enter(which, host, key, twist, off=0 if right else 1)

    def enter(self, which, host, key, twist, off):
        """Enter the code of a challenge, or one that is ``off`` by so much."""
        right = not off
        challenge_id = list(self.sent)[-1 - which % len(self.sent)]
        kind, owner, purpose, code = self.sent[challenge_id]
        user = owner if twist != "user" else USERS[owner == USERS[0]]
        purpose = purpose if twist != "purpose" else "other"
        for _ in range(off):
            code = wrong(code)
        right = right and twist not in ({"user"} if kind == "confirm" else {"user", "purpose"})
        enroller, verifier = self.hosts[host]
        if kind == "confirm":
            about, call = (kind, challenge_id), lambda: enroller.confirm(user, challenge_id, code, retry_key=key)
        else:
            about = kind, challenge_id, purpose
            call = lambda: verifier.verify(user, challenge_id, code, purpose=purpose, retry_key=key)  # noqa: E731
        value = self.ask(user, about, code, key, host, call, right=right)
        if value is None:
            return
        person = self.people[user]
        if kind == "confirm":
            person.change()
            person.recovery |= set(value.recovery_codes)
        self.accept(user, about, code, key, host, value)

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 3), host=st.integers(0, 1), key=st.sampled_from(KEYS), right=st.booleans())
    def press_twice(self, which, host, key, right):
        """Answer a challenge twice, on both hosts."""
        for one in (host, 1 - host):
            self.submit(which, one, key, "as sent", right)

    @rule(user=st.sampled_from(USERS), which=st.integers(0, 4), host=st.integers(0, 1), key=st.sampled_from(KEYS))
    def recover(self, user, which, host, key):
        """Enter a recovery code: of the user or of another, live or used, or one that nobody has."""
        whose, code = [(None, UNKNOWN), *self.known][-1 - which % (len(self.known) + 1)]
        person, verifier = self.people[user], self.hosts[host][1]
        about = "recover", code
        right = code in person.recovery
        value = self.ask(user, about, code, key, host, lambda: verifier.recover(user, code, retry_key=key), right=right)
        if value is not None:
            assert whose == user
            person.recovery.remove(code)
            person.recovery |= set(value.recovery_codes)
            self.accept(user, about, code, key, host, value)

    @rule(user=st.sampled_from(USERS), which=st.integers(0, 1), host=st.integers(0, 1), key=st.sampled_from(KEYS))
    def renew(self, user, which, host, key):
        """Ask for new recovery codes."""
        token, enroller = self.token(user, which), self.hosts[host][0]
        about = ("new recovery codes", user)
        value = self.ask(
            user, about, token, key, host,
            lambda: enroller.new_recovery_codes(user, proof=token, retry_key=key), right=token is not None,
        )  # fmt: skip
        if value is not None:
            self.people[user].recovery = set(value)
            self.accept(user, about, token, key, host, value)

    # --- what ends a repetition

    @rule(
        user=st.sampled_from(USERS),
        what=st.sampled_from(["reset", "remove", "adopt", "prefer", "unlock"]),
        host=st.integers(0, 1),
        number=st.sampled_from(NUMBERS),
    )
    def manage(self, user, what, host, number):
        person, (enroller, verifier) = self.people[user], self.hosts[host]
        status = verifier.status(user)
        phones = [phone.id for phone in status.phones]
        try:
            if what == "reset":
                enroller.reset(user)
                person.change()
                person.accepted, person.recovery = [], set()
            elif what == "adopt":
                adopted = enroller.adopt(user, number)
                if phones != [phone.id for phone in verifier.status(user).phones]:
                    person.change()
                    person.recovery |= set(adopted.recovery_codes)
                    self.known += [(user, code) for code in adopted.recovery_codes]
            elif what == "remove" and phones:
                enroller.remove(user, phones[0], proof=self.token(user, 0))
                person.change()
                person.recovery = person.recovery if len(phones) > 1 else set()
            elif what == "prefer" and phones:
                enroller.prefer(user, phones[-1], proof=self.token(user, 0))
            elif what == "unlock":
                verifier.unlock(user)
        except SmsMfaError:
            pass

    @rule(keep=st.booleans())
    def rotate(self, keep):
        """Put a new secret first, or retire the one before it."""
        newest = self.secrets[0]
        if newest + 1 < len(SECRETS):
            self.secrets = [newest + 1, *self.secrets] if keep else [newest + 1]
        elif not keep:
            self.secrets = self.secrets[:1]
        self.configure()

    @rule(jump=st.sampled_from([1, SECOND, MINUTE, LIFETIME, WINDOW, HOUR]) | st.integers(1, WINDOW))
    def wait(self, jump):
        self.true.now += jump * 1000

    @precondition(lambda self: any(person.accepted for person in self.people.values()))
    @rule(user=st.sampled_from(USERS), late=st.sampled_from([-1, 0, 0, 1]), host=st.integers(0, 1))
    def at_the_edge(self, user, late, host):
        """Repeat the last accepted request when its ten minutes end, or a microsecond earlier or later."""
        if not self.people[user].accepted:
            return
        answer = self.people[user].accepted[-1]
        self.true.now = max(self.true.now, (answer.at + WINDOW + late - host * self.skew) * 1000)
        self.again(user, answer, host)

    @rule(user=st.sampled_from(USERS), which=st.integers(0, 8), host=st.integers(0, 1))
    def repeat(self, user, which, host):
        """Repeat a request that was accepted or refused."""
        person = self.people[user]
        answers = [*person.refused[-2:], *person.accepted]
        if answers:
            self.again(user, answers[-1 - which % len(answers)], host)

    def repeat_all(self, user, host):
        person = self.people[user]
        for answer in [*person.accepted, *person.refused]:
            self.again(user, answer, host)

    @rule(
        user=st.sampled_from(USERS),
        what=st.sampled_from(["reset", "remove", "adopt", "prefer", "retire", "retire", "rotate", "renew"]),
        host=st.integers(0, 1),
        number=st.sampled_from(NUMBERS),
    )
    def end_and_repeat(self, user, what, host, number):
        """Log in, and repeat that after something that ends repetitions, or does not."""
        self.log_in(user, KEYS[0], host)
        if what in {"retire", "rotate"}:
            self.rotate(what == "rotate")
        elif what == "renew":
            self.renew(user, 0, host, KEYS[1])
        else:
            self.manage(user, what, host, number)
        self.repeat_all(user, host)

    @rule(user=st.sampled_from(USERS), times=st.integers(7, 9), host=st.integers(0, 1))
    def log_in_often(self, user, times, host):
        """Log in as often as answers are kept, and repeat all that."""
        for _ in range(times):
            self.log_in(user, KEYS[0], host)
        self.repeat_all(user, host)

    @rule(user=st.sampled_from(USERS), times=st.integers(4, 6), key=st.sampled_from(KEYS), host=st.integers(0, 1))
    def miss(self, user, times, key, host):
        """Log in, send other codes for the same challenge, with a key or without, and repeat the right one."""
        self.log_in(user, KEYS[0], host)
        for off in range(1, times + 1):
            self.enter(0, host, key, "as sent", off)
        self.repeat_all(user, host)

    def log_in(self, user, key, host):
        self.challenge(user, "login", host)
        self.submit(0, host, key, "as sent", right=True)

    @rule(user=st.sampled_from(USERS), host=st.integers(0, 1), times=st.integers(9, 14))
    def guess_often(self, user, host, times):
        """Enter different wrong codes until more were refused than are kept, or the budget is spent. Repeat them."""
        for off in range(times):
            if off % 5 == 0:  # a new challenge after all attempts
                self.start(user, NUMBERS[2], host)
            self.enter(0, host, KEYS[1], "as sent", off + 1)
        self.repeat_all(user, host)

    def again(self, user, answer, host):
        *about, code, key = answer.asked
        enroller, verifier = self.hosts[host]
        calls = {
            "confirm": lambda: enroller.confirm(user, about[1], code, retry_key=key),
            "verify": lambda: verifier.verify(user, about[1], code, purpose=about[2], retry_key=key),
            "recover": lambda: verifier.recover(user, code, retry_key=key),
            "new recovery codes": lambda: enroller.new_recovery_codes(user, proof=code, retry_key=key),
        }
        renews = about[0] == "new recovery codes"
        value = self.ask(user, answer.about, code, key, host, calls[about[0]], right=renews)
        if value is not None:
            self.people[user].recovery = set(value)
            self.accept(user, answer.about, code, key, host, value)

    @invariant()
    def recovery_codes_agree(self):
        """A repetition neither adds nor consumes recovery codes."""
        for user, person in self.people.items():
            assert len(person.recovery) == self.hosts[0][1].status(user).recovery_codes_left


class TestRetries(Retries.TestCase):
    """R3: equal requests get equal answers, everybody else gets none, and a code is accepted once."""

    settings = settings(max_examples=50, stateful_step_count=40)


@pytest.mark.thorough
class TestManyRetries(Retries.TestCase):
    """R3: many more requests and repetitions agree with the model."""

    settings = settings(max_examples=500, stateful_step_count=60)
