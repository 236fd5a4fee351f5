"""Checks of a store: the whole factor on it, with many callers at once."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import cycle
from secrets import randbelow
from uuid import uuid4

from ...config import FactorConfig, Limits
from ...enroller import Enroller
from ...exceptions import CodeExpired, CodeRejected, SenderMisconfigured
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
    """The second factor of one new user, with a clock that stands still and a sender that sends nothing."""

    def __init__(self, stores: list[Store], *outcomes: Outcome) -> None:
        config = FactorConfig(
            app_name="Kit",
            secret=f"a new secret for each run of the kit: {uuid4()}",
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
        """Call from many threads at once, on each store in turn; count the results by class name."""
        turns = zip(range(_MANY), cycle(self.verifiers), strict=False)
        outcomes = at_once([partial(call, verifier, number) for number, verifier in turns], limit)
        return Counter(type(outcome).__name__ for outcome in outcomes)


class FactorChecks(Suite):
    """Enroller and verifier on the store."""

    @check(3)
    def test_factor(self) -> None:
        """A user enrols, mistypes a code, logs in once with the right one, and recovers once."""
        factor = Factor(self.handles())
        enrollment = factor.enrol()
        challenge, code = factor.challenge()
        expect(4, _rejected(lambda: factor.verifier.verify(factor.user, challenge, _wrong(code))), "attempts left")
        expect("sms", factor.verifier.verify(factor.user, challenge, code).method, "the method of the login")
        _rejected(lambda: factor.verifier.verify(factor.user, challenge, code))
        [recovery] = enrollment.recovery_codes
        expect("recovery", factor.verifier.recover(factor.user, recovery).method, "the method of the recovery")
        _rejected(lambda: factor.verifier.recover(factor.user, recovery))
        status = factor.verifiers[0].status(factor.user)
        left = len(status.phones), status.guesses_left, status.sends_left
        expect((1, _GUESSES - 1, _SENDS - 2), left, "the phones, the guesses left and the messages left")

    @check(11)
    def test_clock_of_the_application(self) -> None:
        """If the application's clock jumps by years, nothing is forgotten, and codes expire by that clock alone."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, code = factor.challenge()
        for jump in (timedelta(days=3650), timedelta(days=-7300), timedelta(days=3650)):
            factor.clock.move(jump)
            enrolled = factor.verifier.status(factor.user).enrolled
            expect(True, enrolled, f"whether the user is enrolled after the clock jumped by {jump}")
        expect("sms", factor.verifier.verify(factor.user, challenge, code).method, "the method of the login")
        challenge, code = factor.challenge()
        factor.clock.move(minutes=5, seconds=1)
        _rejected(lambda: factor.verifier.verify(factor.user, challenge, code), CodeExpired)

    @check(11)
    def test_limit_when_the_clock_jumps(self) -> None:
        """The store keeps a limit's bucket even if the application's clock jumps by ten years and back."""
        clock, [key] = FakeClock(), fresh("k")
        limiters = [RateLimiter(store, Limit(_SENDS, _HOUR), scope="kit", clock=clock) for store in self.handles()]
        limiters[0].take(key, 4)
        clock.move(days=3650)
        expect(_SENDS, limiters[-1].peek(key).remaining, "what remains of the limit ten years later")
        clock.move(days=-3650)
        expect(_SENDS - 4, limiters[-1].peek(key).remaining, "what remains after the clock was set back")

    @check(1)
    def test_message_not_sent(self) -> None:
        """A message that could not be sent through the operator's fault is charged to neither user nor number."""
        factor = Factor(self.handles(), Receipt(), *[SenderMisconfigured("no")] * 3 * _SENDS)
        factor.enrol()
        for _ in range(3 * _SENDS):
            try:
                factor.verifier.challenge(factor.user)
            except SenderMisconfigured:
                continue
        expect(_SENDS - 1, factor.verifier.status(factor.user).sends_left, "the messages left for the user")
        factor.challenge()

    @check(2)
    def test_right_code_at_once(self) -> None:
        """If 64 threads verify the right code at once, exactly one succeeds."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, code = factor.challenge()
        outcomes = factor.many(lambda verifier, _: verifier.verify(factor.user, challenge, code), self.time_limit)
        expect({"Verification": 1, "CodeUsed": _MANY - 1}, dict(outcomes), "the results for the right code")

    @check(2)
    def test_wrong_codes_at_once(self) -> None:
        """If 64 threads verify a wrong code at once, five are compared, and each of the five costs one guess."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, code = factor.challenge()
        outcomes = factor.many(
            lambda verifier, _: verifier.verify(factor.user, challenge, _wrong(code)), self.time_limit
        )
        expect({"CodeRejected": _MANY}, dict(outcomes), "the results for a wrong code")
        expect(_GUESSES - _ATTEMPTS, factor.verifier.status(factor.user).guesses_left, "the guesses left")

    @check(2)
    def test_challenges_at_once(self) -> None:
        """If 64 threads ask for different challenges at once, as many succeed as the limit allows, one message each."""
        factor = Factor(self.handles())
        factor.enrol()
        outcomes = factor.many(lambda verifier, n: verifier.challenge(factor.user, purpose=f"p{n}"), self.time_limit)
        left = _SENDS - 1
        expect({"Challenge": left, "RateLimited": _MANY - left}, dict(outcomes), "the results of the calls")
        expect(_SENDS, len(factor.sender.messages), "the number of messages, including the one for the enrolment")

    @check(2)
    def test_double_clicks_at_once(self) -> None:
        """If 64 threads ask for the same challenge at once, all get the same one, and one message is sent."""
        factor = Factor(self.handles())
        factor.enrol()
        outcomes = factor.many(lambda verifier, _: verifier.challenge(factor.user), self.time_limit)
        expect({"Challenge": _MANY}, dict(outcomes), "the results of the calls")
        expect(2, len(factor.sender.messages), "the number of messages, including the one for the enrolment")

    @check(2)
    def test_resends_at_once(self) -> None:
        """If 64 threads ask to resend a code at once, one message is sent and the other threads are told to wait."""
        factor = Factor(self.handles())
        factor.enrol()
        challenge, _ = factor.challenge()
        factor.clock.move(seconds=31)
        outcomes = factor.many(lambda verifier, _: verifier.resend(factor.user, challenge), self.time_limit)
        expect({"Challenge": 1, "RateLimited": _MANY - 1}, dict(outcomes), "the results of the calls")
        expect(3, len(factor.sender.messages), "the number of messages, including enrolment and challenge")

    @check(2)
    def test_recovery_at_once(self) -> None:
        """If 64 threads use the same recovery code at once, exactly one succeeds."""
        factor = Factor(self.handles())
        [code] = factor.enrol().recovery_codes
        outcomes = factor.many(lambda verifier, _: verifier.recover(factor.user, code), self.time_limit)
        refused = {"CodeRejected", "CodeUsed", "RateLimited"}
        expect(1, outcomes["Verification"], f"how many of {dict(outcomes)} succeeded")
        expect(set(), {*outcomes} - {"Verification"} - refused, "the other results, except refusals")


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def _rejected(call: Callable[[], object], error: type[CodeRejected] = CodeRejected) -> int:
    """Expect ``call`` to raise ``error``; return how many attempts are left."""
    try:
        call()
    except error as refused:
        return refused.attempts_left or 0
    raise AssertionError("a code was accepted that should have been refused")
