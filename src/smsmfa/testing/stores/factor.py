"""Checks of a store: the whole factor on it, and what many do at once at its door."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import cycle
from secrets import randbelow
from uuid import uuid4

from ...config import FactorConfig, Limits
from ...enroller import Enroller
from ...exceptions import CodeExpired, CodeRejected, DeliveryRejected
from ...limiter import Limit, RateLimiter
from ...typing import Receipt, Store
from ...values import Enrollment
from ...verifier import Verifier
from ..clock import FakeClock
from ..outbox import Outcome, ScriptedSender
from ..threads import at_once
from .suite import Suite, check, expect, fresh

_MANY = 64
_SENDS, _GUESSES, _ATTEMPTS = 10, 20, 5
_HOUR = timedelta(hours=1)


class Factor:
    """The factor of one new user and number, with a clock that stands still and a sender that sends nothing."""

    def __init__(self, stores: list[Store], *outcomes: Outcome) -> None:
        config = FactorConfig(
            app_name="Kit",
            secret=f"a secret of this user and no other: {uuid4()}",
            regions={"US"},
            attempts=_ATTEMPTS,
            limits=Limits(user=Limit(_SENDS, _HOUR), guesses=Limit(_GUESSES, _HOUR)),
        )
        self.user: str = uuid4().hex
        self.number: str = f"+1415{2_000_000 + randbelow(8_000_000)}"
        self.clock: FakeClock = FakeClock()
        self.sender: ScriptedSender = ScriptedSender(*outcomes, then=Receipt())
        self.verifiers: list[Verifier] = [Verifier(config, store, self.sender, clock=self.clock) for store in stores]
        self.verifier: Verifier = self.verifiers[-1]
        self.enroller: Enroller = Enroller(config, stores[0], self.sender, clock=self.clock)

    def enrol(self) -> Enrollment:
        """Enrol the number."""
        pending = self.enroller.start(self.user, self.number)
        return self.enroller.confirm(self.user, pending.id, self.sender.last_code)

    def challenge(self) -> tuple[str, str]:
        """Send a code; return the challenge's id and the code."""
        return self.verifier.challenge(self.user).id, self.sender.last_code

    def many(self, call: Callable[[Verifier, int], object], limit: float) -> Counter[str]:
        """Call in many threads at once, on each store in turn; count what came of it, by the name of its class."""
        turns = zip(range(_MANY), cycle(self.verifiers), strict=False)
        outcomes = at_once([partial(call, verifier, number) for number, verifier in turns], limit)
        return Counter(type(outcome).__name__ for outcome in outcomes)


class FactorChecks(Suite):
    """Enroller and verifier on the store."""

    @check(3)
    def test_factor(self) -> None:
        """A user enrols, is challenged, mistypes, logs in once with the code, and recovers once."""
        factor = Factor(self.handles())
        enrollment = factor.enrol()
        challenge, code = factor.challenge()
        expect(4, _rejected(lambda: factor.verifier.verify(factor.user, challenge, _wrong(code))), "attempts left")
        expect("sms", factor.verifier.verify(factor.user, challenge, code).method, "how the user logged in")
        _rejected(lambda: factor.verifier.verify(factor.user, challenge, code))
        [recovery] = enrollment.recovery_codes
        expect("recovery", factor.verifier.recover(factor.user, recovery).method, "how the user came back")
        _rejected(lambda: factor.verifier.recover(factor.user, recovery))
        status = factor.verifiers[0].status(factor.user)
        expect(
            (1, _GUESSES - 1, _SENDS - 2), (len(status.phones), status.guesses_left, status.sends_left), "the status"
        )

    @check(11)
    def test_clock_of_the_application(self) -> None:
        """The application's clock may jump by years, both ways: nothing is forgotten, and codes expire by it alone."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, code = factor.challenge()
        for jump in (timedelta(days=3650), timedelta(days=-7300), timedelta(days=3650)):
            factor.clock.move(jump)
            expect(True, factor.verifier.status(factor.user).enrolled, f"whether the user is enrolled after {jump}")
        expect("sms", factor.verifier.verify(factor.user, challenge, code).method, "how the user logged in")
        challenge, code = factor.challenge()
        factor.clock.move(minutes=5, seconds=1)
        _rejected(lambda: factor.verifier.verify(factor.user, challenge, code), CodeExpired)

    @check(11)
    def test_limit_when_the_clock_jumps(self) -> None:
        """A limit's bucket is kept by the store's clock, though the application's jumps by years and comes back."""
        clock, [key] = FakeClock(), fresh("k")
        limiters = [RateLimiter(store, Limit(_SENDS, _HOUR), scope="kit", clock=clock) for store in self.handles()]
        limiters[0].take(key, 4)
        clock.move(days=3650)
        expect(_SENDS, limiters[-1].peek(key).remaining, "what is left of a limit ten years later")
        clock.move(days=-3650)
        expect(_SENDS - 4, limiters[-1].peek(key).remaining, "what is left of it when the clock was set back")

    @check(1)
    def test_message_not_sent(self) -> None:
        """A message that did not go out is charged neither to the user nor to the number."""
        factor = Factor(self.handles(), Receipt(), *[DeliveryRejected("no")] * 3 * _SENDS)
        factor.enrol()
        for _ in range(3 * _SENDS):
            try:
                factor.verifier.challenge(factor.user)
            except DeliveryRejected:
                continue
        expect(_SENDS - 1, factor.verifier.status(factor.user).sends_left, "the messages left to the user")
        factor.challenge()

    @check(2)
    def test_right_code_at_once(self) -> None:
        """Of 64 threads with the right code one is let in."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, code = factor.challenge()
        outcomes = factor.many(lambda verifier, _: verifier.verify(factor.user, challenge, code), self.time_limit)
        expect({"Verification": 1, "CodeRejected": _MANY - 1}, dict(outcomes), "what came of the right code")

    @check(2)
    def test_wrong_codes_at_once(self) -> None:
        """Of 64 threads with a wrong code five are compared, and each of these costs a guess."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, code = factor.challenge()
        outcomes = factor.many(
            lambda verifier, _: verifier.verify(factor.user, challenge, _wrong(code)), self.time_limit
        )
        expect({"CodeRejected": _MANY}, dict(outcomes), "what came of a wrong code")
        expect(_GUESSES - _ATTEMPTS, factor.verifier.status(factor.user).guesses_left, "the guesses left")

    @check(2)
    def test_challenges_at_once(self) -> None:
        """Of 64 threads that ask for a code each no more than the limit get one, and each is one message."""
        factor = Factor(self.handles())
        factor.enrol()
        outcomes = factor.many(lambda verifier, n: verifier.challenge(factor.user, purpose=f"p{n}"), self.time_limit)
        left = _SENDS - 1
        expect({"Challenge": left, "RateLimited": _MANY - left}, dict(outcomes), "what came of the calls")
        expect(_SENDS, len(factor.sender.messages), "the messages, that of the enrolment included")

    @check(2)
    def test_double_clicks_at_once(self) -> None:
        """Of 64 threads that ask for the same code all get the same challenge, and one message is sent."""
        factor = Factor(self.handles())
        factor.enrol()
        outcomes = factor.many(lambda verifier, _: verifier.challenge(factor.user), self.time_limit)
        expect({"Challenge": _MANY}, dict(outcomes), "what came of the calls")
        expect(2, len(factor.sender.messages), "the messages, that of the enrolment included")

    @check(2)
    def test_resends_at_once(self) -> None:
        """Of 64 threads that ask for the code again one is sent it, and the others are told to wait."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, _ = factor.challenge()
        factor.clock.move(seconds=31)
        outcomes = factor.many(lambda verifier, _: verifier.resend(factor.user, challenge), self.time_limit)
        expect({"Challenge": 1, "RateLimited": _MANY - 1}, dict(outcomes), "what came of the calls")
        expect(3, len(factor.sender.messages), "the messages, those of enrolment and challenge included")

    @check(2)
    def test_recovery_at_once(self) -> None:
        """Of 64 threads with the recovery code one is let in."""
        factor = Factor(self.handles())
        [code] = factor.enrol().recovery_codes
        outcomes = factor.many(lambda verifier, _: verifier.recover(factor.user, code), self.time_limit)
        refused = {"CodeRejected", "RateLimited"}
        expect(1, outcomes["Verification"], f"how many were let in, of {dict(outcomes)}")
        expect(set(), {*outcomes} - {"Verification"} - refused, "what else came of it")


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def _rejected(call: Callable[[], object], error: type[CodeRejected] = CodeRejected) -> int:
    """Return how many attempts are left when a code is refused."""
    try:
        call()
    except error as refused:
        return refused.attempts_left or 0
    raise AssertionError("a code was accepted that had to be refused")
