"""One challenge and one check in a SQLite file, against the same statements by bare sqlite3."""

import random
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from cycle import HOUR_NS, Factor
from harness import Batch, Row, Size, Timings

from smsmfa.records import number_key, user_key
from smsmfa.stores.sqlite import SqliteStore

READ = "SELECT value FROM smsmfa WHERE key = ?"
WRITE = (
    "INSERT INTO smsmfa (key, value, expires) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)


def measure(size: Size) -> list[Row]:
    """Time both, waiting for the disk at each commit and not."""
    return [
        compare(size, "FULL", bar=1.5, stretch=1.3),
        compare(size, "NORMAL", bar=2.4, stretch=1.8),
    ]


def compare(size: Size, synchronous: Literal["FULL", "NORMAL"], *, bar: float, stretch: float) -> Row:
    """Time cycles and their statements, each on a file of its own."""
    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        stores = [SqliteStore(directory / name, synchronous=synchronous) for name in ("ours.db", "bare.db")]
        ours, others = [stack.enter_context(closing(store)) for store in stores]
        db = sqlite3.connect(directory / "bare.db", isolation_level=None)
        stack.enter_context(closing(db))
        sides = {"cycle": logging_in(ours, users), "bare": bare(db, others, users, synchronous)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns)
    what = f"SQLite file: challenge + verify / the same statements by sqlite3, synchronous={synchronous}"
    return timings.ratio(what, "cycle", "bare", bar=bar, stretch=stretch)


def logging_in(store: SqliteStore, users: Sequence[str]) -> Batch:
    """Return a batch in which every user logs in, an hour after the one before."""
    factor = enrolled(store, users)

    def batch() -> None:
        for user in users:
            factor.clock.now += HOUR_NS
            factor.log_in(user)

    return batch


def recorded(store: SqliteStore, users: Sequence[str]) -> list[list[tuple[str, str, bytes, bytes, bytes]]]:
    """Return two rounds of what cycles write."""
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


def enrolled(store: SqliteStore, users: Sequence[str]) -> Factor:
    factor = Factor(store)
    for user in users:
        factor.enrol(user)
    return factor


def bare(db: sqlite3.Connection, store: SqliteStore, users: Sequence[str], synchronous: str) -> Batch:
    """Return a batch of what a cycle executes, with values of real cycles; they alternate, else nothing is written."""
    turns = cycle(recorded(store, users))
    store.close()
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    execute = db.execute

    def batch() -> None:
        for user, number, challenged, charged, verified in next(turns):
            execute(READ, (user,)).fetchall()
            execute("BEGIN IMMEDIATE")
            execute("SELECT key, value FROM smsmfa WHERE key IN (?,?)", (user, number)).fetchall()
            execute(WRITE, (user, challenged, None))
            execute(WRITE, (number, charged, int(time.time()) + 7200))
            execute("COMMIT")
            execute("BEGIN IMMEDIATE")
            execute("SELECT key, value FROM smsmfa WHERE key IN (?)", (user,)).fetchall()
            execute(WRITE, (user, verified, None))
            execute("COMMIT")

    return batch
