"""Whatever strangers do to a number, its owner waits for nothing that the owner would not wait for without them.

Two worlds stand side by side: in one, strangers ask for codes to the owner's number. The owner does the same in both.
"""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import NUMBER, OTHER_NUMBER, Factor, a_config, rejected, wrong

from smsmfa import DeliveryRejected, Limit, Limits, RateLimited, SmsMfaError

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
STRANGERS = ["mallory", "trudy", "eve"]
#: Small, so that refusals are frequent.
SMALL = Limits(
    user=Limit(3, 20 * MINUTE),
    number=Limit(3, 20 * MINUTE),
    unverified=Limit(3, 20 * MINUTE),
    refunds=Limit(1, HOUR),
    guesses=Limit(4, HOUR),
    recovery=Limit(2, HOUR),
    consecutive=6,
)


class World:
    """One world, in which alice owns a number."""

    def __init__(self, config):
        self.factor = Factor(config)
        self.codes, self.places, self.tokens, self.recovery_codes = {}, {}, {}, {}
        enrolled = self.factor.enrol()
        self.keep("alice", enrolled.verification.token, enrolled.recovery_codes)

    def keep(self, who, token, codes):
        self.tokens[who] = token
        self.recovery_codes[who] = (self.recovery_codes.get(who, ()) + tuple(codes))[-3:]

    def do(self, who, what, *arguments):
        """Let somebody do something, and return what comes of it, without what is drawn at random."""
        try:
            return getattr(self, what)(who, *arguments)
        except SmsMfaError as error:
            about = ("scope", "retry_after", "attempts_left", "reason")
            return type(error).__name__, *(getattr(error, name, None) for name in about)

    def asked(self, who, call):
        """Ask for a message, and keep its challenge and code."""
        before = len(self.factor.outbox.messages)
        challenge = call()
        for message in self.factor.outbox.messages[before:]:
            self.codes[message.challenge_id] = message.code.reveal()
        self.places[who] = [*self.places.get(who, []), challenge][-3:]
        return challenge.purpose, challenge.expires_at, challenge.resend_at, challenge.sent

    def challenge_of(self, who, which):
        """Return one of the last challenges of somebody."""
        places = self.places.get(who)
        return places[-1 - which % len(places)] if places else None

    def start(self, who, number, rejected):
        if rejected:
            self.factor.outbox.outcomes = [DeliveryRejected("no such number")]
        start = partial(self.factor.enroller.start, who, number, proof=self.tokens.get(who))
        try:
            return self.asked(who, start)
        finally:
            self.factor.outbox.outcomes = []

    def flood(self, who, accounts, rejected):
        """Start on the owner's number from many accounts, until its lane is full."""
        for n in range(accounts):
            self.do(f"{who} {n} {self.factor.clock.now}", "start", NUMBER, rejected)

    def challenge(self, who, purpose):
        return self.asked(who, partial(self.factor.verifier.challenge, who, purpose=purpose))

    def resend(self, who, which):
        challenge = self.challenge_of(who, which)
        if challenge is None:
            return None
        shell = self.factor.enroller if challenge.purpose == "enrollment" else self.factor.verifier
        return self.asked(who, partial(shell.resend, who, challenge.id))

    def answer(self, who, which, right):
        challenge = self.challenge_of(who, which)
        if challenge is None:
            return None
        reads = who == "alice" or challenge.phone.e164 != NUMBER  # strangers do not have her phone
        code = self.codes[challenge.id] if right and reads else wrong(self.codes[challenge.id])
        if challenge.purpose == "enrollment":
            enrolled = self.factor.enroller.confirm(who, challenge.id, code)
            self.keep(who, enrolled.verification.token, enrolled.recovery_codes)
            return "enrolled", enrolled.phone.phone, len(enrolled.recovery_codes)
        proof = self.factor.verifier.verify(who, challenge.id, code, purpose=challenge.purpose)
        if proof.purpose == "login":
            self.keep(who, proof.token, ())
        return proof.method, proof.purpose, proof.at

    def recover(self, who, right):
        codes = self.recovery_codes.get(who) or ("0000-0000-0000-0000-0000-0000",)
        proof = self.factor.verifier.recover(who, codes[-1] if right else "0000-0000-0000-0000-0000-0001")
        self.keep(who, proof.token, proof.recovery_codes)
        return proof.method, proof.at, len(proof.recovery_codes)

    def remove(self, who):
        phones = [phone.id for phone in self.factor.verifier.status(who).phones]
        self.factor.enroller.remove(who, phones[0] if phones else "none", proof=self.tokens.get(who))
        return "removed"

    def status(self, who):
        """Return how things stand, without ids."""
        status = self.factor.verifier.status(who)
        phones = [(phone.phone, phone.enrolled_at, phone.last_used_at, phone.disabled) for phone in status.phones]
        challenges = [(one.purpose, one.expires_at, one.resend_at, one.attempts_left) for one in status.challenges]
        counts = status.sends_left, status.guesses_left, status.locked, status.recovery_codes_left
        return phones, challenges, counts


pauses = st.sampled_from([0, 0, 1, 29, 30, 60, 300, 1199, 1200, 3600, 86_400])
answers = st.tuples(st.just("answer"), st.integers(0, 2), st.booleans())
resends = st.tuples(st.just("resend"), st.integers(0, 2))
logins = st.tuples(st.just("challenge"), st.sampled_from(["login", "login", "payment"]))
#: What the owner does with the number, which stays the owner's.
owners = st.one_of(
    logins, logins, resends, answers, answers, st.tuples(st.just("recover"), st.booleans()), st.just(("status",)),
    st.tuples(st.just("start"), st.just(NUMBER), st.just(False)),
)  # fmt: skip
#: What a stranger does, to the owner's number and to another.
strangers = st.one_of(
    st.tuples(st.just("start"), st.sampled_from([NUMBER, NUMBER, OTHER_NUMBER]), st.booleans()),
    st.tuples(st.just("flood"), st.integers(1, 4), st.booleans()),
    resends, answers, logins, st.tuples(st.just("recover"), st.booleans()), st.just(("remove",)),
)  # fmt: skip


@st.composite
def steps(draw):
    """Draw what the owner and strangers do, one after the other."""
    who, length = st.sampled_from(["alice", "alice", *STRANGERS]), draw(st.integers(15, 40))
    return [
        (one, draw(owners if one == "alice" else strangers), draw(pauses))
        for one in draw(st.lists(who, min_size=length, max_size=length))
    ]


def side_by_side(config, drawn):
    """Play the steps in both worlds, and check that the owner sees no difference."""
    crowded, quiet = World(config), World(config)
    for who, (what, *arguments), pause in drawn:
        outcome = crowded.do(who, what, *arguments)
        if who == "alice":
            assert quiet.do(who, what, *arguments) == outcome
        assert quiet.status("alice") == crowded.status("alice")
        for world in (crowded, quiet):
            world.factor.clock.move(seconds=pause)


@pytest.mark.parametrize("max_users", [0, 1])
@settings(max_examples=50)
@given(drawn=steps())
def test_strangers(max_users, drawn):
    """R28, T4: an owner's waits and outcomes are the same as in a world without strangers."""
    side_by_side(a_config(limits=SMALL, max_users_per_number=max_users), drawn)


@pytest.mark.thorough
@pytest.mark.parametrize("max_users", [0, 1])
@settings(max_examples=500)
@given(drawn=steps())
def test_many_strangers(max_users, drawn):
    """R28, T4: the same for many more courses of events."""
    side_by_side(a_config(limits=SMALL, max_users_per_number=max_users), drawn)


def test_ten_days_of_a_stranger():
    """R28, T4: strangers who start on a number every ten minutes keep its owner out of none of 50 logins."""
    factor = Factor(a_config(max_users_per_number=0))
    factor.enrol()
    refused = 0
    for hour in range(240):
        for n in range(6):
            factor.clock.move(minutes=10)
            try:
                factor.enroller.start(f"mallory {hour % 5} {n}", NUMBER)
            except RateLimited as error:
                refused += error.scope == "number"
        if hour % 5 == 4:
            factor.log_in()

    assert 1000 < refused < 1440


def test_a_household_shares_a_lane():
    """A user who has confirmed the number is no stranger: all its users share one limit."""
    factor = Factor(a_config(limits=Limits(number=Limit(1, HOUR))))
    factor.enrol("alice")
    factor.enrol("bob")
    factor.verifier.challenge("bob")

    assert "number" == rejected(factor.verifier.challenge, "alice", error=RateLimited).scope
