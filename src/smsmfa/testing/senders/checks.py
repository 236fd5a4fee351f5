"""The checks of a sender: its results, its timing, its requests, and what it reveals."""

import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from os import PathLike
from typing import ClassVar
from urllib.parse import unquote_plus

import attrs
import pytest

from ...exceptions import DeliveryError, DeliveryRejected, DeliveryUncertain, SenderMisconfigured
from ...phone import PhoneNumber
from ...typing import Message, Receipt
from .. import report
from ..carrier import Answer, Behaviour, Carrier, Request, drip, drop, half, hang, kept, reset, stall
from ..threads import all_of, at_once, switching
from .leaks import logged, told_by

#: The sender's timeout in checks that are not about timeouts.
AMPLE = timedelta(seconds=10)
#: A word of the text that is the same in every encoding.
_WORD = "kumquat"
_NO_BODY = "the answer in `accepted` has no body"
#: How many messages are sent at once, and how many times.
_MANY = 16
_ROUNDS = 3


def a_message(last: int) -> Message:
    """Return a message to a number that ends in these four digits. The code ends in them too."""
    return Message(
        to=PhoneNumber(f"+1415555{last}", "US", "mobile"),
        text=f"314159{last} is your code for Söhne & {_WORD}",
        code=f"314159{last}",
        kind="verification",
        challenge_id="0123456789abcdef0123456789abcdef",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


@attrs.frozen
class Delivery:
    """The outcomes of some messages.

    Args:
        outcomes: what the sender returned or raised for each message.
        shown: the sender's ``repr`` and ``str`` afterwards.
    """

    outcomes: Sequence[object]
    shown: str = ""


@attrs.frozen
class Trial:
    """A delivery, the requests that the carrier received for it, and what was logged meanwhile."""

    delivery: Delivery
    requests: Sequence[Request]
    log: str

    @property
    def outcome(self) -> object:
        """The outcome of the last message."""
        return self.delivery.outcomes[-1]


class SenderChecks(ABC):
    """The checks of both suites; see :class:`~smsmfa.testing.SenderConformance` for the attributes."""

    accepted: ClassVar[Answer]
    rejected: ClassVar[Answer | None]
    misconfigured: ClassVar[Answer | None]
    secrets: ClassVar[Sequence[str]] = ()
    bounds_whole_answer: ClassVar[bool] = True
    timeout: ClassVar[timedelta] = timedelta(milliseconds=100)
    time_limit: ClassVar[float] = 10.0
    message: ClassVar[Message] = a_message(2671)
    certificate: ClassVar[str | PathLike[str] | None] = None

    @abstractmethod
    def deliver(self, url: str, timeout: timedelta, messages: Sequence[Message]) -> Delivery:
        """Make a sender, send one message after the other, and close the sender."""

    @abstractmethod
    def deliver_together(self, url: str, messages: Sequence[Message]) -> Delivery:
        """Make a sender, send all messages at once, and close the sender."""

    @pytest.fixture(autouse=True)
    def _counted(self, request: pytest.FixtureRequest) -> None:
        report.install(request.config, SenderChecks)

    # --- what it returns or raises

    def test_accepted(self) -> None:
        """A message that the carrier accepts returns a Receipt."""
        outcome = self._trial(self.accepted).outcome

        assert isinstance(outcome, Receipt), f"expected a Receipt, got {outcome!r}"
        assert isinstance(outcome.message_id, str | None), f"message_id: expected a str or None, got {outcome!r}"
        assert isinstance(outcome.sender, str), f"sender: expected a str, got {outcome!r}"

    def test_recipient(self) -> None:
        """The request contains the recipient's number."""
        requests = self._trial(self.accepted).requests

        assert _is_in(self.message, requests), f"no request has the number: {[request.line for request in requests]}"

    def test_rejected(self) -> None:
        """A definite refusal raises DeliveryRejected, so the library gives back what it charged."""
        outcome = self._trial(self._told("rejected")).outcome

        assert isinstance(outcome, DeliveryRejected), f"expected DeliveryRejected, got {outcome!r}"
        assert not isinstance(outcome, SenderMisconfigured), f"expected no SenderMisconfigured, got {outcome!r}"

    def test_misconfigured(self) -> None:
        """A refusal that only an operator can fix raises SenderMisconfigured."""
        self._expect(SenderMisconfigured, {"a misconfiguration": self._told("misconfigured")})

    def test_server_error(self) -> None:
        """A 5xx answer raises DeliveryUncertain: the message may have been sent."""
        self._expect(DeliveryUncertain, self._server_errors())

    def test_broken_connection(self) -> None:
        """A connection that breaks after the request raises DeliveryUncertain: the message may have been sent."""
        self._expect(DeliveryUncertain, _BROKEN)

    def test_garbage(self) -> None:
        """An unreadable or incomplete success answer raises DeliveryUncertain: the message may have been sent."""
        self._expect(DeliveryUncertain, self._garbage() or pytest.skip(_NO_BODY))

    def test_redirect(self) -> None:
        """A redirect raises a DeliveryError, and the sender does not follow it."""
        for status in (302, 307):
            trial = self._trial(Answer(status, headers=["Location: /elsewhere"]), self.accepted)
            assert isinstance(trial.outcome, DeliveryError), f"after {status}: got {trial.outcome!r}"
            assert len(trial.requests) == 1, f"after {status}: the redirect was followed"

    def test_refused_connection(self) -> None:
        """A refused connection raises DeliveryRejected, or DeliveryUncertain if the sender cannot tell."""
        outcome = self._to_nobody().outcome

        assert isinstance(outcome, DeliveryRejected | DeliveryUncertain), f"expected DeliveryRejected, got {outcome!r}"

    # --- how long it takes, and how many requests it makes

    def test_silence(self) -> None:
        """A carrier that falls silent before or during its answer raises DeliveryUncertain within the timeout."""
        self._expect(DeliveryUncertain, self._silence(), self.timeout)

    def test_drip(self) -> None:
        """A carrier that sends an endless answer byte by byte raises DeliveryUncertain within the timeout."""
        if not self.bounds_whole_answer:
            report.skip_unset("bounds_whole_answer")
        if not self.accepted.body:
            pytest.skip(_NO_BODY)
        self._expect(DeliveryUncertain, {"a dripping answer": drip(self.accepted)}, self.timeout)

    def test_nothing_is_sent_twice(self) -> None:
        """A message that may have been sent is never sent again: each message is one request."""
        for name, trial in chain([("success", self._trial(self.accepted))], self._uncertain()):
            assert len(trial.requests) == 1, f"after {name}: {len(trial.requests)} requests for one message"

    def test_kept_connection(self) -> None:
        """A message is not sent again after its kept-alive connection breaks."""
        trial = self._trial(kept(self.accepted), drop, self.accepted, messages=2)

        assert isinstance(trial.outcome, DeliveryUncertain), f"expected DeliveryUncertain, got {trial.outcome!r}"
        assert len(trial.requests) == 2, f"{len(trial.requests)} requests for two messages"

    def test_many_at_once(self) -> None:
        """One sender can send many messages at the same time, and mixes none of them up."""
        for _ in range(_ROUNDS):
            messages = [a_message(2671 + number) for number in range(_MANY)]
            with direct(), switching(1e-6), self.carrier(self.accepted) as carrier:
                [delivery] = all_of(at_once([partial(self.deliver_together, carrier.url, messages)], self.time_limit))

            assert [Receipt] * _MANY == [type(outcome) for outcome in delivery.outcomes], f"got {delivery.outcomes!r}"
            assert len(carrier.requests) == _MANY, f"{len(carrier.requests)} requests for {_MANY} messages"
            assert all(_is_in(message, carrier.requests) for message in messages), (
                "the requests do not match the messages: some numbers are missing or appear twice"
            )

    # --- what it reveals

    def test_errors_show_nothing(self) -> None:
        """No error reveals the code, the text, the whole number or a credential, even in a traceback with locals."""
        for name, trial in self._failures():
            self._show_nothing(told_by(trial.outcome), f"after {name}, the error")

    def test_log_shows_nothing(self) -> None:
        """No log record, at any level, reveals the code, the text, the whole number or a credential."""
        for name, trial in chain([("success", self._trial(self.accepted))], self._failures()):
            self._show_nothing(trial.log, f"after {name}, the log")

    def test_repr_shows_nothing(self) -> None:
        """Neither the sender's repr nor its receipt reveals the code, the text, the whole number or a credential."""
        for behaviour in (self.accepted, drop):
            trial = self._trial(behaviour)
            self._show_nothing(trial.delivery.shown, "the sender's repr")
            self._show_nothing(repr(trial.delivery.outcomes), "the receipt or the error")

    # --- how the checks work

    def _trial(self, *script: Behaviour, timeout: timedelta = AMPLE, messages: int = 1) -> Trial:
        with self.carrier(*script) as carrier:
            return self._sent(carrier.url, timeout, messages, carrier.requests)

    def carrier(self, *script: Behaviour) -> Carrier:
        """Return a carrier that speaks HTTPS if there is a certificate."""
        return Carrier(*script, certificate=self.certificate)

    def _to_nobody(self) -> Trial:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        return self._sent(f"http{'s' * (self.certificate is not None)}://127.0.0.1:{port}", AMPLE)

    def _sent(self, url: str, timeout: timedelta, messages: int = 1, requests: Sequence[Request] = ()) -> Trial:
        given = [self.message] * messages
        with direct(), logged() as log:
            [delivery] = all_of(at_once([partial(self.deliver, url, timeout, given)], self.time_limit))
        return Trial(delivery, requests, "\n".join(log))

    def _expect(
        self, kind: type[DeliveryError], behaviours: Mapping[str, Behaviour], timeout: timedelta = AMPLE
    ) -> None:
        for name, behaviour in behaviours.items():
            outcome = self._trial(behaviour, timeout=timeout).outcome
            assert isinstance(outcome, kind), f"after {name}: expected {kind.__name__}, got {outcome!r}"

    def _told(self, name: str) -> Answer:
        answer: Answer | None = getattr(self, name)
        return answer or report.skip_unset(name)

    def _server_errors(self) -> dict[str, Behaviour]:
        return {f"HTTP {status}": Answer(status, self._quoting) for status in (500, 502, 503, 504)}

    def _garbage(self) -> dict[str, Behaviour]:
        if not self.accepted.body:
            return {}
        page = attrs.evolve(self.accepted, body=f"<html>{self._quoting}", content_type="text/html")
        return {"half an answer": half(self.accepted), "an answer of garbage": page}

    def _silence(self) -> dict[str, Behaviour]:
        halfway = {"half an answer and then silence": stall(self.accepted)} if self.accepted.body else {}
        return {"silence": hang, **halfway}

    @property
    def _quoting(self) -> str:
        """An error body that quotes the message, as carriers do."""
        return f'{{"error": "cannot send {self.message.text!r} to {self.message.to.e164}"}}'

    def _uncertain(self) -> Iterator[tuple[str, Trial]]:
        """Yield a trial for each way in which a message may have been sent."""
        for name, behaviour in (self._server_errors() | _BROKEN | self._garbage()).items():
            yield name, self._trial(behaviour)
        for name, behaviour in self._silence().items():
            yield name, self._trial(behaviour, timeout=self.timeout)

    def _failures(self) -> Iterator[tuple[str, Trial]]:
        """Yield a trial for each way in which a message fails."""
        yield from self._uncertain()
        for name in ("rejected", "misconfigured"):
            if answer := getattr(self, name):
                yield name, self._trial(answer)
        yield "a refused connection", self._to_nobody()

    def _show_nothing(self, text: str, where: str) -> None:
        number = self.message.to
        hidden = (self.message.code.reveal(), _WORD, number.e164[2:], number.national, *self.secrets)
        lines = [line for line in text.splitlines() if any(secret in line for secret in hidden)]
        assert not lines, "\n".join([f"{where} reveals a secret:", *lines])


_BROKEN: dict[str, Behaviour] = {"a connection that was dropped": drop, "a connection that was reset": reset}


def _is_in(message: Message, requests: Sequence[Request]) -> bool:
    """Return whether exactly one request contains the message's number, in any notation."""
    texts = [re.sub(r"\D", "", unquote_plus(request.line + request.body)) for request in requests]
    return sum(message.to.e164[2:] in text for text in texts) == 1


@contextmanager
def direct() -> Iterator[None]:
    """Bypass any proxy that the environment configures."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        yield
