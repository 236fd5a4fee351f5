"""``guess_risk`` is the chance of an attacker who uses every opportunity against the real verifier."""

from datetime import timedelta
from fractions import Fraction
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Factor, a_config, wrong

from smsmfa import Limit, Limits, profiles
from smsmfa.exceptions import CodeRejected, Locked, RateLimited

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FOREVER = 10_000 * DAY
SMALL = {"attempts": 3, "limits": Limits(user=Limit(3, HOUR), guesses=Limit(100, MINUTE))}


class Attack:
    """An attacker who has the password, and a victim. ``compared`` has the wrong codes of each challenge.

    Args:
        config: the configuration under attack.
        every: how often the victim logs in, or ``None`` for never.
        patient: save guesses until they fill a whole challenge, instead of using each at once.
    """

    def __init__(self, config, *, every=None, patient=False):
        self.factor, self.every, self.patient = Factor(config), every, patient
        self.factor.enrol()
        self.factor.clock.move(days=1000)  # every bucket is full
        self.worth = min(config.attempts, config.limits.guesses.capacity) if patient else 1
        self.compared, self.logins = [], 0

    @property
    def now(self):
        return self.factor.clock.datetime

    def run(self, period):
        """Attack during a period, both ends included, and return how many wrong codes were compared."""
        self.end = self.now + period
        attack, login = self.now, None if self.every is None else self.now + self.every
        while min(attack, login or attack) <= self.end:
            if login is not None and login <= attack:
                self.wait_until(login)
                login = self.log_in()
            else:
                self.wait_until(attack)
                attack = self.attack()
        return sum(self.compared)

    def wait_until(self, instant):
        self.factor.clock.now += (instant - self.now) // timedelta(microseconds=1) * 1000

    def log_in(self):
        """Let the victim log in, or wait as long as they must, and return when they come next."""
        try:
            self.factor.log_in()
        except RateLimited as refusal:
            return self.now + refusal.retry_after
        except Locked:
            return self.now + FOREVER
        self.logins += 1
        return self.now + self.every

    def attack(self):
        """Ask for a code, guess as often as allowed, and return when it is worth trying again."""
        worth = self.worth
        while (left := self.factor.verifier.status("alice").guesses_left) >= worth or self.now == self.end:
            try:
                challenge = self.factor.verifier.challenge("alice")
            except RateLimited as refusal:
                return self.later(refusal.retry_after)
            except Locked:
                return self.later(FOREVER)
            code = next(m.code for m in self.factor.outbox.messages if m.challenge_id == challenge.id)
            self.guess(challenge, wrong(code.reveal()))
        return self.later((worth - left) * self.factor.config.limits.guesses.refill)

    def later(self, wait):
        """Return the instant after a wait, or the last instant, when every remaining guess is used."""
        return self.now + wait if self.now == self.end else min(self.now + wait, self.end)

    def guess(self, challenge, code):
        left, count = 1, 0
        while left:
            with pytest.raises(CodeRejected) as refusal:
                self.factor.verifier.verify("alice", challenge.id, code)
            left, count = refusal.value.attempts_left, count + 1
        self.compared.append(count)

    def chance(self):
        """Return the chance that one guess is right, if no code is tried twice on a challenge."""
        codes = 10**self.factor.config.digits
        return 1 - prod(1 - Fraction(count, codes) for count in self.compared)


def law(config, period):
    """Return how many wrong codes the buckets allow within a period, both ends included."""
    limits = config.limits
    guesses = limits.guesses.capacity + period // limits.guesses.refill
    return min(guesses, config.attempts * (limits.user.capacity + period // limits.user.refill))


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize(
    "period, guesses", [(DAY, 22), (30 * DAY, 92), (365 * DAY, 896)], ids=["a day", "30 days", "a year"]
)
def test_default(period, guesses, patient):
    """R7, R8, T2: by default 22 wrong codes fit into a day, 92 into 30 days and 896 into a year."""
    config = a_config()
    attack = Attack(config, every=DAY, patient=patient)

    assert guesses == attack.run(period) == law(config, period)
    assert period // (DAY + 10 * HOUR) <= attack.logins


@pytest.mark.parametrize(
    "arguments, period, every",
    [
        ({}, DAY, DAY),
        ({}, 30 * DAY, DAY),
        ({}, 365 * DAY, DAY),
        (profiles.AUTH0, 5 * HOUR, None),
        (profiles.AUTH0, DAY, 8 * HOUR),
        (profiles.PSD2, 30 * DAY, DAY),
        (SMALL, 5 * HOUR, None),
        (SMALL | {"digits": 8}, 5 * HOUR, None),
    ],
    ids=["a day", "30 days", "a year", "auth0, 5 hours", "auth0, a day", "psd2", "few messages", "8 digits"],
)
def test_exact(arguments, period, every):
    """R8, T2: a patient attacker reaches the law's number of guesses, with exactly the chance of ``guess_risk``."""
    config = a_config(**arguments)
    attack = Attack(config, every=every, patient=True)

    assert law(config, period) == attack.run(period)
    assert pytest.approx(float(attack.chance()), rel=1e-12, abs=0) == config.guess_risk(period)


@pytest.mark.parametrize("arguments", [{}, profiles.AUTH0, SMALL], ids=["default", "auth0", "few messages"])
def test_logins_refill_nothing(arguments):
    """R7, T2: the victim's logins give the attacker no further guess."""
    config = a_config(**arguments)
    attack = Attack(config, every=10 * MINUTE)

    assert attack.run(DAY) <= law(config, DAY)
    assert attack.logins > 0


limits = st.builds(Limit, st.integers(1, 6), st.integers(1, 300).map(lambda minutes: minutes * MINUTE))


@settings(max_examples=150)
@given(
    attempts=st.integers(1, 5),
    user=limits,
    guesses=limits,
    period=st.integers(0, 24 * 60).map(lambda minutes: minutes * MINUTE),
    every=st.none() | st.integers(1, 12).map(lambda hours: hours * HOUR),
    patient=st.booleans(),
)
def test_never_more(attempts, user, guesses, period, every, patient):
    """R8, T2: under any limits no attacker compares more codes than allowed, or has a better chance than computed."""
    config = a_config(attempts=attempts, limits=Limits(user=user, number=None, guesses=guesses))
    attack = Attack(config, every=every, patient=patient)

    assert attack.run(period) <= law(config, period)
    assert float(attack.chance()) <= config.guess_risk(period) * (1 + 1e-12)
