"""One challenge and one check on PostgreSQL, compared with the same statements through psycopg."""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cycle import HOUR_NS, Factor, Outbox, logging_in
from harness import Batch, Row, Size, Timings
from sqlite_store import recorded

from smsmfa import AsyncVerifier, MemoryStore
from smsmfa.typing import Entry, Message, Receipt

URL = os.environ.get("SMSMFA_TEST_POSTGRES") or "postgresql://postgres@127.0.0.1:5432/postgres"
#: The server's time limit for a statement, in milliseconds.
TIME = 5000


def measure(size: Size) -> list[Row]:
    """Time cycles in a thread and on an event loop. Without a server return no rows."""
    try:
        import psycopg
        import psycopg_pool  # noqa: F401

        with psycopg.connect(URL, autocommit=True) as connection:
            mode = ", ".join(f"{name}={setting(connection, name)}" for name in ("synchronous_commit", "fsync"))
    except (ImportError, psycopg.OperationalError) as error:
        print(f"PostgreSQL is left out: {error}", file=sys.stderr)
        return []
    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    what = f"challenge + verify / the same statements by bare psycopg ({mode}, {len(users)} users)"
    with database() as url:
        plain, loop = in_a_thread(url, users, size), on_a_loop(url, users, size)
    return [
        plain.ratio(f"PostgreSQL: {what}", "cycle", "bare", bar=1.3, stretch=1.1),
        loop.ratio(f"PostgreSQL, asyncio: {what}", "cycle", "bare", bar=1.3, stretch=1.1),
    ]


def in_a_thread(url: str, users: Sequence[str], size: Size) -> Timings:
    import psycopg
    from psycopg_pool import ConnectionPool

    from smsmfa.stores.postgres import PostgresStore

    with ConnectionPool(url, open=True, min_size=1) as pool, psycopg.connect(url, autocommit=True) as connection:
        store = PostgresStore(pool)
        store.create_schema()
        tries = counted(store)
        sides = {"cycle": logging_in(users, store), "bare": bare(connection, users)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns)
    assert tries["run"] == tries["_try"] > 0, "an operation was tried again"
    return timings


def on_a_loop(url: str, users: Sequence[str], size: Size) -> Timings:
    import psycopg
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore

    with asyncio.Runner() as runner:
        pool = AsyncConnectionPool(url, open=False, min_size=1)
        runner.run(pool.open())
        connection = runner.run(psycopg.AsyncConnection.connect(url, autocommit=True))
        store = AsyncPostgresStore(pool, table="looped")
        runner.run(store.create_schema())
        tries = counted(store)
        with ConnectionPool(url, open=True, min_size=1) as plain:
            cycles = logging_in_on(runner, users, store, Factor(PostgresStore(plain, table="looped")))
        sides = {"cycle": cycles, "bare": bare_on(runner, connection, users)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns)
        runner.run(connection.close())
        runner.run(pool.close())
    assert tries["run"] == tries["_try"] > 0, "an operation was tried again"
    return timings


class AsyncOutbox(Outbox):
    """:class:`Outbox` for asyncio."""

    async def send(self, message: Message) -> Receipt:
        return super().send(message)


def logging_in_on(runner: asyncio.Runner, users: Sequence[str], store: Any, factor: Factor) -> Batch:
    """Return a batch like :func:`logging_in`, in one task."""
    outbox = AsyncOutbox()
    verifier = AsyncVerifier(factor.config, store, outbox, clock=factor.clock)
    for user in users:
        factor.enrol(user)

    async def log_in() -> None:
        for user in users:
            factor.clock.now += HOUR_NS
            challenge = await verifier.challenge(user)
            await verifier.verify(user, challenge.id, outbox.message.code.reveal())

    return lambda: runner.run(log_in())


def bare(connection: Any, users: Sequence[str]) -> Batch:
    """Return a batch of the statements of a cycle, in as many pipelines."""
    from psycopg import RawCursor
    from psycopg.rows import tuple_row

    pipelines, turns = sent("bare", users)

    def run(statements: Any) -> None:
        with connection.pipeline():
            cursors = [
                RawCursor(connection, row_factory=tuple_row).execute(text, values, binary=True)
                for text, values in statements
            ]
        if statements[-1][0].startswith("SELECT"):
            cursors[-1].fetchall()

    def batch() -> None:
        for statements in next(turns):
            run(statements)

    run(pipelines)
    return batch


def bare_on(runner: asyncio.Runner, connection: Any, users: Sequence[str]) -> Batch:
    """Return a batch like :func:`bare`, in one task."""
    from psycopg import AsyncRawCursor
    from psycopg.rows import tuple_row

    making, turns = sent("bare_looped", users)

    async def run(statements: Any) -> None:
        async with connection.pipeline():
            cursors = [
                await AsyncRawCursor(connection, row_factory=tuple_row).execute(text, values, binary=True)
                for text, values in statements
            ]
        if statements[-1][0].startswith("SELECT"):
            await cursors[-1].fetchall()

    async def batch() -> None:
        for statements in next(turns):
            await run(statements)

    runner.run(run(making))
    return lambda: runner.run(batch())


def sent(table: str, users: Sequence[str]) -> tuple[list[Any], Iterator[list[Any]]]:
    """Return the statements that make a table, and an iterator over two rounds of the statements of real cycles.

    The values of the rounds alternate, so that each write has an effect.
    """
    from smsmfa.stores.postgres.sql import Sql

    sql = Sql(table)
    rounds = []
    for records in recorded(MemoryStore(), users):
        rounds.append([])
        for user, number, challenged, charged, verified in records:
            writes = {user: Entry(challenged), number: Entry(charged)}
            rounds[-1] += [
                sql.read(user, TIME),
                sql.begin([user, number], TIME),
                sql.end(writes),
                sql.begin([user], TIME),
                sql.end({user: Entry(verified)}),
            ]
    return sql.create(TIME), cycle(rounds)


def counted(store: Any) -> Counter[str]:
    """Make a store count its operations and their attempts."""
    counts, pool = Counter(), store._pool

    def counting(name: str) -> None:
        call = getattr(pool, name)

        def count(*arguments: Any) -> Any:
            counts[name] += 1
            return call(*arguments)

        setattr(pool, name, count)

    counting("run")
    counting("_try")
    return counts


def setting(connection: Any, name: str) -> str:
    return connection.execute(f"SHOW {name}").fetchone()[0]


@contextmanager
def database() -> Iterator[str]:
    """Create a database, yield its URL, and drop it."""
    import psycopg

    name = f"smsmfa_bench_{uuid4().hex}"
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(URL)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
