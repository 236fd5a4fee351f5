"""One challenge and one check in a SQLite file, compared with the same statements through sqlite3."""

import random
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

from cycle import HOUR_NS, Factor, logging_in
from harness import LONG, Batch, Row, Size, Timings

from smsmfa.core.records import number_key, user_key
from smsmfa.stores.sqlite import SqliteStore
from smsmfa.stores.sqlite.sql import SCHEMA
from smsmfa.typing import Change, Store

T = TypeVar("T")

READ = "SELECT value FROM smsmfa WHERE key = ?"
WRITE = (
    "INSERT INTO smsmfa (key, value, expires) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)


class Shortest:
    """A minimal store on sqlite3, without threads, forks, errors or expiry."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._execute = db.execute

    def read(self, key: str) -> bytes | None:
        for row in self._execute(READ, (key,)).fetchall():
            return row[0]
        return None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        execute = self._execute
        execute("BEGIN IMMEDIATE")
        marks = ",".join("?" * len(keys))
        values = dict(execute(f"SELECT key, value FROM smsmfa WHERE key IN ({marks})", keys).fetchall())
        writes, outcome = change(values)
        for key, entry in writes.items():
            execute(WRITE, (key, entry.value, entry.keep_for))
        execute("COMMIT")
        return outcome


def measure(size: Size) -> list[Row]:
    """Time both, with and without waiting for the disk at each commit."""
    return [
        *compare(size, "FULL", bar=1.5, stretch=1.3),
        *compare(size, "NORMAL", bar=2.4, stretch=1.8),
    ]


def compare(size: Size, synchronous: Literal["FULL", "NORMAL"], *, bar: float, stretch: float) -> list[Row]:
    """Time cycles, their statements, and cycles on the minimal store, each in its own file."""
    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))

        def database(name: str) -> sqlite3.Connection:
            db = stack.enter_context(closing(sqlite3.connect(directory / name, isolation_level=None)))
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {synchronous}")
            for statement in SCHEMA:
                db.execute(statement)
            return db

        ours = stack.enter_context(closing(SqliteStore(directory / "ours.db", synchronous=synchronous)))
        sides = {
            "cycle": logging_in(users, ours),
            "bare": bare(database("bare.db"), users),
            "shortest": logging_in(users, Shortest(database("shortest.db"))),
        }
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns, least=LONG)
    what = f"SQLite file, synchronous={synchronous}: challenge + verify"
    return [
        timings.ratio(f"{what} / the same statements by sqlite3", "cycle", "bare", bar=bar, stretch=stretch),
        timings.ratio(f"{what} / on the shortest store", "cycle", "shortest", bar=1.2, stretch=1.1),
    ]


def recorded(store: Store, users: Sequence[str]) -> list[list[tuple[str, str, bytes, bytes, bytes]]]:
    """Return two rounds of the writes of cycles."""
    factor = enrolled(store, users)
    rounds = []
    for _ in range(2):
        rounds.append([])
        for subscriber, user in enumerate(users, 2_000_000):
            one, other = user_key(user), number_key(int(f"1415{subscriber}"))
            factor.clock.now += HOUR_NS
            challenge = factor.verifier.challenge(user)
            written = store.read(one), store.read(other)
            factor.verifier.verify(user, challenge.id, factor.outbox.message.code.reveal())
            rounds[-1].append((one, other, *written, store.read(one)))
    return rounds


def enrolled(store: Store, users: Sequence[str]) -> Factor:
    factor = Factor(store)
    for user in users:
        factor.enrol(user)
    return factor


def bare(db: sqlite3.Connection, users: Sequence[str]) -> Batch:
    """Return a batch of the statements of a cycle. The values alternate, so that each write has an effect."""
    turns = cycle(recorded(Shortest(db), users))
    execute = db.execute

    def batch() -> None:
        for user, number, challenged, charged, verified in next(turns):
            execute(READ, (user,)).fetchall()
            execute("BEGIN IMMEDIATE")
            execute("SELECT key, value FROM smsmfa WHERE key IN (?,?)", (user, number)).fetchall()
            execute(WRITE, (user, challenged, None))
            execute(WRITE, (number, charged, None))
            execute("COMMIT")
            execute("BEGIN IMMEDIATE")
            execute("SELECT key, value FROM smsmfa WHERE key IN (?)", (user,)).fetchall()
            execute(WRITE, (user, verified, None))
            execute("COMMIT")

    return batch
