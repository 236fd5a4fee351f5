"""Tests for every store: eight processes work on the same users and numbers, and processes are killed.

A subclass mixes :class:`Hammer` into the conformance suite of its store. The processes are forked by a fresh process
that has neither a store nor threads. Each process opens its own store with ``open_store()``.
"""

import json
import os
import pickle
import random
import select
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from secrets import randbelow
from typing import Any
from uuid import uuid4

import pytest
from support import a_config, wrong

from smsmfa import CodeRejected, Enroller, FactorConfig, Limit, Limits, MemoryStore, RateLimited, RateLimiter, Verifier
from smsmfa.core.records import Number, User, decode, number_key, user_key
from smsmfa.testing import FakeClock, RecordingSender
from smsmfa.testing.stores.processes import _found, _where, in_process
from smsmfa.testing.stores.suite import Suite, expect
from smsmfa.testing.threads import all_of, at_once
from smsmfa.typing import Message, Receipt, Store

PROCESSES = 8
#: How many processes work at the same time while they are killed one by one.
_WORKERS = 4
#: The longest time that a process works before it is killed (seconds).
_LONGEST_LIFE = 0.02
#: A process that nobody ended ends itself after this time (seconds).
_ALARM = 300

MANY = Limit(10**6, None)
Opener = Callable[[], Store]


class Hammer(Suite):
    """Tests to mix into a subclass of a conformance suite. By default only a right code and a few kills are tried."""

    time_limit = 300.0  # seconds, because a busy machine takes long to start processes
    #: How many processes the thorough tests kill, and how many the default tests.
    kills, few_kills = 300, 10

    @pytest.mark.thorough
    def test_messages_to_one_user(self) -> None:
        """If eight processes request codes for one user, they send exactly as many as the limit allows."""
        crowd = Crowd(self.opened(), users=5, user=Limit(10, None))
        outcomes = self._hammer(_ask, crowd.limits, crowd.users, 5)
        for user in crowd.users:
            expect({"Challenge": 9, "RateLimited": 31}, outcomes[user], "the outcomes of 40 calls with 9 messages left")
        expect([10] * 5, crowd.charged(), "the messages charged to each user")
        expect(50, crowd.charged_to_number(), "the messages charged to the number they share")

    @pytest.mark.thorough
    def test_messages_to_one_number(self) -> None:
        """If eight processes request codes for users who share a number, they send as many as its limit allows."""
        crowd = Crowd(self.opened(), users=16, number=Limit(40, None))
        outcomes = self._hammer(_ask, crowd.limits, crowd.users, 1)
        total = sum(map(Counter, outcomes.values()), Counter())
        expect({"Challenge": 40, "RateLimited": 88}, total, "the outcomes of 128 calls with 40 messages left")
        expect(16 + 40, sum(crowd.charged()), "the messages charged to the users")
        expect(16 + 40, crowd.charged_to_number(), "the messages charged to the number")

    def test_right_code(self) -> None:
        """If eight processes answer with the right code, exactly one is let in."""
        crowd = Crowd(self.opened(), users=10)
        challenges = {user: crowd.challenge(user) for user in crowd.users}
        outcomes = self._hammer(_answer, crowd.limits, challenges, 1)
        for user in crowd.users:
            expect({"Verification": 1, "CodeRejected 0": 7}, outcomes[user], "the outcomes of a right code")

    @pytest.mark.thorough
    def test_wrong_codes(self) -> None:
        """If eight processes send 40 wrong codes, five are compared, and each costs a guess."""
        crowd = Crowd(self.opened(), users=5)
        challenges = {user: crowd.challenge(user) for user in crowd.users}
        mistyped = {user: (challenge, wrong(code)) for user, (challenge, code) in challenges.items()}
        outcomes = self._hammer(_answer, crowd.limits, mistyped, 5)
        compared = {f"CodeRejected {left}": 1 for left in range(1, 5)}
        for user in crowd.users:
            expect({**compared, "CodeRejected 0": 36}, outcomes[user], "the outcomes of a wrong code")
        expect([5] * 5, [-record.guesses for record in crowd.records()], "the guesses charged")

    @pytest.mark.thorough
    def test_absent_bucket(self) -> None:
        """If eight processes take from new buckets, they get exactly as much as the buckets hold."""
        keys = [uuid4().hex for _ in range(self.rounds)]
        for key, outcomes in self._hammer(_take, keys).items():
            expect({"True": 10, "False": 14}, outcomes, f"the outcomes of 24 hits on bucket {keys.index(key)}")

    @pytest.mark.thorough
    def test_killed(self, tmp_path: Path) -> None:
        """Processes killed at any point leave whole operations and full charges, and no code is accepted twice."""
        self._kill_and_check(tmp_path / "ledger", self.kills)

    def test_a_few_killed(self, tmp_path: Path) -> None:
        """A few processes killed at any point leave whole operations and full charges."""
        self._kill_and_check(tmp_path / "ledger", self.few_kills)

    def _kill_and_check(self, ledger: Path, kills: int) -> None:
        crowd = Crowd(self.opened(), users=2, user=MANY, guesses=MANY)
        expect(kills, self._herd(_kill, crowd.limits, crowd.users, str(ledger), kills), "the processes killed")
        told = [json.loads(line) for line in ledger.read_text().splitlines()]
        expect([], [entry for entry in told if entry[0] == "error"], "the errors")
        self._check_charges(crowd, Counter(entry[0] for entry in told), kills)
        self._check_codes(crowd, [entry[1:] for entry in told if entry[0] == "accepted"])

    def _check_charges(self, crowd: "Crowd", told: Counter[str], kills: int) -> None:
        enrolments = len(crowd.users)
        for what, charged, done in (
            ("messages", sum(crowd.charged()), told["sent"] + enrolments),
            ("wrong codes", -sum(record.guesses for record in crowd.records()), told["wrong"]),
        ):
            expect(True, done >= kills // 2, f"whether {done} {what} are enough to prove anything")
            expect(True, done <= charged <= done + kills, f"whether {done} {what} were charged, of {charged}")
        expect(sum(crowd.charged()), crowd.charged_to_number(), "the messages charged to the number")

    def _check_codes(self, crowd: "Crowd", accepted: Sequence[Sequence[str]]) -> None:
        expect(len(accepted), len({challenge for _, challenge, _, _ in accepted}), "the challenges accepted")
        for user, challenge, code, purpose in accepted:
            outcome = _outcome(crowd.verifier.verify, user, challenge, code, purpose=purpose)
            expect("CodeRejected 0", outcome, "the outcome of a code that was accepted before")

    def _hammer(self, task: Callable[..., Any], *given: Any) -> dict[str, Counter[str]]:
        """Run a task in eight processes at the same time, and return the outcomes by user or by key."""
        outcomes: dict[str, Counter[str]] = self._herd(_together, task, given)
        return outcomes

    def _herd(self, task: Callable[..., Any], *given: Any) -> Any:
        """Run a task in a fresh process, which can open a store and may fork."""
        return all_of(at_once([partial(in_process, Herd(self), task, given, bool)], 2 * _ALARM))[0]


class Herd(Suite):
    """Represents a suite in another process. It has a function that opens a store, not a store."""

    def __init__(self, suite: Suite) -> None:
        self._job = _where(suite), pickle.dumps(suite.__getstate__())

    def open_store(self) -> Opener:  # type: ignore[override]
        where, state = self._job
        suite = object.__new__(_found(*where))
        vars(suite).update(pickle.loads(state))
        Crowd(MemoryStore(), users=1)  # lazy imports happen before the fork
        return suite.open_store


class Crowd:
    """Users who are enrolled with the same number. Their limits never refill."""

    def __init__(
        self, store: Store, users: int, *, user: Limit = MANY, number: Limit = MANY, guesses: Limit = MANY
    ) -> None:
        self.users = [uuid4().hex for _ in range(users)]
        self.number = f"+1415{2_000_000 + randbelow(8_000_000)}"
        self.limits = Limits(user=user, number=number, unverified=MANY, guesses=guesses)
        self._store, self._sender = store, RecordingSender()
        shared = _config(self.limits), store, self._sender
        self.verifier, enroller = Verifier(*shared, clock=FakeClock()), Enroller(*shared, clock=FakeClock())
        for name in self.users:
            enroller.confirm(name, enroller.start(name, self.number).id, self._sender.last_code)

    def challenge(self, user: str) -> tuple[str, str]:
        """Send a code, and return the id of the challenge and the code."""
        return self.verifier.challenge(user).id, self._sender.last_code

    def records(self) -> list[User]:
        """Return the record of each user."""
        return [decode(User, self._store.read(user_key(user))) for user in self.users]

    def charged(self) -> list[int]:
        """Return how many messages each user was charged."""
        return [-record.sends for record in self.records()]

    def charged_to_number(self) -> int:
        """Return how many messages the number was charged, before and after it was confirmed."""
        record = decode(Number, self._store.read(number_key(int(self.number[1:]))))
        return -record.sends - record.unverified


def _config(limits: Limits) -> FactorConfig:
    return a_config(limits=limits, max_users_per_number=0)


def _outcome(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    """Return the class of a result or refusal, with the attempts left, or the repr of any other error."""
    try:
        return type(call(*arguments, **named)).__name__
    except CodeRejected as refused:
        return f"CodeRejected {refused.attempts_left}"
    except RateLimited:
        return "RateLimited"
    except Exception as error:
        return repr(error)


# --- tasks of eight processes


def _together(open_store: Opener, say: object, task: Callable[..., object], given: Sequence[Any]) -> dict[str, Any]:
    """Fork eight processes that start together once each has a store. Return the outcomes by key."""
    gate, closing_it = os.pipe()

    def work(number: int, pipe: int) -> None:
        os.close(closing_it)
        store, counts = open_store(), dict[str, Counter[str]]()
        os.write(pipe, b".")
        os.read(gate, 1)
        for key, outcome in task(store, number, *given):
            counts.setdefault(key, Counter())[outcome] += 1
        os.write(pipe, json.dumps(counts).encode())

    pipes = [_fork(partial(work, number))[1] for number in range(PROCESSES)]
    began = [os.read(pipe, 1) for pipe in pipes]
    assert [b"."] * PROCESSES == began, "a process failed; its standard error shows why"
    os.close(closing_it)
    total: dict[str, Counter[str]] = {}
    for pipe in pipes:
        with os.fdopen(pipe, "rb") as answer:
            told = answer.read()
        assert told, "a process failed; its standard error shows why"
        for key, counts in json.loads(told).items():
            total[key] = total.get(key, Counter()) + Counter(counts)
    return total


def _ask(store: Store, number: int, limits: Limits, users: Sequence[str], times: int) -> Iterator[tuple[str, str]]:
    """Request codes, each for a different purpose."""
    verifier = Verifier(_config(limits), store, RecordingSender(), clock=FakeClock())
    for turn in range(times):
        for user in users[:: -1 if number % 2 else 1]:
            yield user, _outcome(verifier.challenge, user, purpose=f"{number} {turn}")


def _answer(
    store: Store, number: int, limits: Limits, challenges: dict[str, tuple[str, str]], times: int
) -> Iterator[tuple[str, str]]:
    """Answer challenges."""
    verifier = Verifier(_config(limits), store, RecordingSender(), clock=FakeClock())
    for _ in range(times):
        for user, (challenge, code) in challenges.items():
            yield user, _outcome(verifier.verify, user, challenge, code)


def _take(store: Store, number: int, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Take three times from each bucket."""
    limiter = RateLimiter(store, Limit(10, None), scope="hammer", clock=FakeClock())
    for key in keys:
        for _ in range(3):
            yield key, str(limiter.take(key).allowed)


# --- processes that are killed


def _kill(open_store: Opener, say: object, limits: Limits, users: Sequence[str], ledger: str, kills: int) -> int:
    """Keep some processes at work. Kill one after another, each at a random point, and start another in its place.

    Every other process is killed only after its first whole login, so that enough logins are made on a slow machine.
    """

    def begin() -> tuple[int, int]:
        return _fork(partial(_log_in_forever, open_store, limits, users, ledger))

    workers = [begin() for _ in range(min(_WORKERS, kills))]
    killed = 0
    for left in range(kills - len(workers), -len(workers), -1):
        process, pipe = workers.pop(randbelow(len(workers)))
        for _ in range(1 + left % 2):  # one byte when the process starts work, another after its first login
            os.read(pipe, 1)
        select.select([], [], [], random.uniform(0, _LONGEST_LIFE))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        os.close(pipe)
        killed += status == signal.SIGKILL
        if left > 0:
            workers.append(begin())
    return killed


def _log_in_forever(open_store: Opener, limits: Limits, users: Sequence[str], ledger: str, pipe: int) -> None:
    """Log in again and again, each time with one wrong code. The ledger records what the caller was told."""
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(*entry: str) -> None:
        os.write(file, json.dumps(entry).encode() + b"\n")

    class Sender(RecordingSender):
        def send(self, message: Message) -> Receipt:
            tell("sent")
            return super().send(message)

    try:
        sender = Sender()
        verifier = Verifier(_config(limits), open_store(), sender, clock=FakeClock())
        os.write(pipe, b".")
        for turn in count():
            user, purpose = users[turn % len(users)], f"{os.getpid()} {turn}"
            challenge = verifier.challenge(user, purpose=purpose).id
            try:
                verifier.verify(user, challenge, wrong(sender.last_code), purpose=purpose)
            except CodeRejected:
                tell("wrong")
            verifier.verify(user, challenge, sender.last_code, purpose=purpose)
            tell("accepted", user, challenge, sender.last_code, purpose)
            if not turn:
                os.write(pipe, b".")
    except Exception:
        tell("error", traceback.format_exc())


def _fork(work: Callable[[int], object]) -> tuple[int, int]:
    """Fork, and return the child and a pipe that it writes to. The child ends without closing its store."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        signal.alarm(_ALARM)
        work(writing)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)
