"""One challenge and one check in memory, compared with their primitives and with pyotp."""

import hmac
import os
import random
import time
from collections.abc import Iterator, Sequence
from itertools import count
from threading import Lock

from harness import Batch, Row, Size, Timings

from smsmfa import Enroller, FactorConfig, MemoryStore, RateLimited, Verifier
from smsmfa.typing import Message, Receipt, Store

HOUR_NS = 3600 * 10**9
SECRET = "a secret of the benchmarks, long enough to be one"


class Clock:
    """A clock like ``time.time_ns`` that stands still."""

    def __init__(self) -> None:
        self.now = time.time_ns()

    def __call__(self) -> int:
        return self.now


class Outbox:
    """A sender that keeps the last message."""

    message: Message
    _receipt = Receipt(sender="benchmarks")

    def send(self, message: Message) -> Receipt:
        self.message = message
        return self._receipt


class Factor:
    """The library with all default limits and no listener."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock, self.outbox = Clock(), Outbox()
        self.store = MemoryStore() if store is None else store
        self.config = FactorConfig(app_name="Acme", secret=SECRET, regions={"US"})
        self.enroller = Enroller(self.config, self.store, self.outbox, clock=self.clock)
        self.verifier = Verifier(self.config, self.store, self.outbox, clock=self.clock)
        self._numbers = numbers()

    def enrol(self, user: str) -> None:
        """Give a user the next number."""
        pending = self.enroller.start(user, next(self._numbers))
        self.enroller.confirm(user, pending.id, self.outbox.message.code.reveal())

    def log_in(self, user: str) -> None:
        """Run one cycle: a challenge and the right code."""
        challenge = self.verifier.challenge(user)
        self.verifier.verify(user, challenge.id, self.outbox.message.code.reveal())


def numbers() -> Iterator[str]:
    """Yield the valid numbers of one city."""
    return (f"+1415{subscriber}" for subscriber in count(2_000_000))


def measure(size: Size) -> list[Row]:
    """Time the cycle, a refusal, the primitives and pyotp in the same rounds."""
    users = [f"user {number}" for number in range(size.users)]
    random.Random(1).shuffle(users)
    sides = {
        "cycle": logging_in(users),
        "refused": refused(users),
        "primitives": primitives(users),
        "pyotp": hotp(users),
    }
    timings = Timings(sides, size.users, size.rounds)
    return [
        timings.ratio("challenge + verify / its primitives", "cycle", "primitives", bar=6.5, stretch=4.5),
        timings.ratio("challenge + verify / pyotp HOTP", "cycle", "pyotp", bar=2.6, stretch=1.8),
        timings.ratio("refused challenge / whole cycle", "refused", "cycle", bar=0.35, stretch=0.2),
    ]


def logging_in(users: Sequence[str], store: Store | None = None) -> Batch:
    """Return a batch in which every user logs in, an hour after the previous login, so that no user is refused."""
    factor = Factor(store)
    for user in users:
        factor.enrol(user)

    def batch() -> None:
        for user in users:
            factor.clock.now += HOUR_NS
            factor.log_in(user)

    return batch


def refused(users: list[str]):
    """Return a batch in which every user without a message left asks for one, for another purpose each time."""
    factor = Factor()
    for user in users:
        factor.enrol(user)
        for _ in range(factor.config.limits.user.capacity - 1):
            factor.log_in(user)
    purposes = map("purpose {}".format, count())

    def batch() -> None:
        for user in users:
            try:
                factor.verifier.challenge(user, purpose=next(purposes))
            except RateLimited:
                continue
            raise AssertionError("a message was left")

    return batch


def primitives(users: list[str]):
    """Return a batch of the primitives of any cycle: randomness, two MACs, a comparison, the time, a store."""
    records, lock, key = dict.fromkeys(users, b""), Lock(), SECRET.encode()

    def batch() -> None:
        for user in users:
            time.time_ns()
            record = os.urandom(24)
            os.urandom(24)
            with lock:
                records.get(user)
                records[user] = record
            sent = hmac.digest(key, record, "sha256")
            time.time_ns()
            assert hmac.compare_digest(sent, hmac.digest(key, record, "sha256"))

    return batch


def hotp(users: list[str]):
    """Return a batch with pyotp: a counter's code and its check. It keeps no state and limits nothing."""
    import pyotp  # the tests, which count this module's cycle, do not install it

    generator, counter = pyotp.HOTP(pyotp.random_base32()), count()

    def batch() -> None:
        for _, number in zip(users, counter, strict=False):
            assert generator.verify(generator.at(number), number)

    return batch
