"""One challenge and one check through Django on PostgreSQL, compared with the same statements through psycopg."""

import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cycle import logging_in
from harness import Batch, Row, Size, Timings
from sqlite_store import recorded

from smsmfa import MemoryStore

URL = os.environ.get("SMSMFA_TEST_POSTGRES") or "postgresql://postgres@127.0.0.1:5432/postgres"
WHAT = "Django on PostgreSQL: challenge + verify / the same statements by psycopg"

READ = "SELECT value FROM bare WHERE key = %s"
LOCK = "SELECT key, value FROM bare WHERE key IN ({}) ORDER BY key FOR UPDATE"
WRITE = (
    "INSERT INTO bare (key, value, expires) VALUES {} "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)


def measure(size: Size) -> list[Row]:
    """Time both. Without a server return no rows."""
    try:
        import psycopg

        connection = psycopg.connect(URL, autocommit=True)
    except (ImportError, psycopg.Error) as error:
        print(f"Django on PostgreSQL is left out: {error}", file=sys.stderr)
        return []
    with closing(connection), database(connection) as name:
        return rows(connection, name, size)


@contextmanager
def database(connection: Any) -> Iterator[str]:
    name = f"smsmfa_bench_{uuid4().hex}"
    connection.execute(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def rows(server: Any, name: str, size: Size) -> list[Row]:
    import psycopg

    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    url = urlsplit(URL)._replace(path=f"/{name}").geturl()
    with closing(store(url)) as ours, closing(psycopg.connect(url, autocommit=True)) as connection:
        sides = {"cycle": logging_in(users, ours), "bare": bare(connection, users)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns)
    [(durability,)] = server.execute("SHOW synchronous_commit").fetchall()
    [(flushed,)] = server.execute("SHOW fsync").fetchall()
    mode = f"synchronous_commit {durability}, fsync {flushed}, {len(users)} users"
    return [timings.ratio(f"{WHAT} ({mode})", "cycle", "bare", bar=2.8, stretch=2)]


def store(url: str) -> Any:
    """Return a store in a project with persistent connections."""
    import django_project

    alias = django_project.postgresql(url)
    from smsmfa.stores.django import DjangoStore

    made = DjangoStore(using=alias)
    made.create_schema()
    return made


def bare(connection: Any, users: Sequence[str]) -> Batch:
    """Return a batch of the statements of a cycle, on a copy of the table, with values of real cycles."""
    connection.execute("CREATE TABLE bare (LIKE smsmfa_record INCLUDING ALL)")
    turns = cycle([[tuple(map(encoded, row)) for row in turn] for turn in recorded(MemoryStore(), users)])
    execute = connection.execute

    def batch() -> None:
        for user, number, challenged, charged, verified in next(turns):
            execute(READ, (user,)).fetchall()
            execute("BEGIN")
            execute(LOCK.format("%s, %s"), (number, user)).fetchall()
            execute(WRITE.format("(%s, %s, %s), (%s, %s, %s)"), (number, charged, None, user, challenged, None))
            execute("COMMIT")
            execute("BEGIN")
            execute(LOCK.format("%s"), (user,)).fetchall()
            execute(WRITE.format("(%s, %s, %s)"), (user, verified, None))
            execute("COMMIT")

    return batch


def encoded(part: str | bytes) -> bytes:
    return part.encode() if isinstance(part, str) else part
