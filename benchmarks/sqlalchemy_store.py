"""One challenge and one check on MariaDB through SQLAlchemy, compared with the same statements through PyMySQL."""

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

from cycle import HOUR_NS, Factor, logging_in
from harness import Batch, Row, Size, Timings

from smsmfa.core.records import number_key, user_key

URL = urlsplit(os.environ.get("SMSMFA_TEST_MARIADB") or "mysql://root@127.0.0.1:3306/")
WHAT = "MariaDB through SQLAlchemy: challenge + verify / the same statements by PyMySQL"


def measure(size: Size) -> list[Row]:
    """Time both on separate tables. Without a server return no rows."""
    try:
        import pymysql
        import sqlalchemy  # noqa: F401

        with database() as (name, connection):
            return rows(name, connection, size)
    except (ImportError, pymysql.Error) as error:
        print(f"MariaDB is left out: {error}", file=sys.stderr)
        return []


@contextmanager
def database() -> Iterator[tuple[str, Any]]:
    """Yield the name of a database and a connection to it, and drop the database afterwards."""
    name = f"smsmfa_bench_{uuid4().hex}"
    with closing(connected()) as connection:
        cursor = connection.cursor()
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            cursor.execute(f"USE {name}")
            yield name, connection
        finally:
            connection.rollback()
            cursor.execute(f"DROP DATABASE {name}")


def connected() -> Any:
    import pymysql

    return pymysql.connect(host=URL.hostname, port=URL.port or 3306, user=URL.username, password=URL.password or "")


def rows(name: str, connection: Any, size: Size) -> list[Row]:
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    from smsmfa.stores.sqlalchemy import SqlAlchemyStore

    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    engine = create_engine(make_url(URL.geturl()).set(drivername="mysql+pymysql", database=name))
    with closing(SqlAlchemyStore(engine)) as ours, closing(SqlAlchemyStore(engine, table="bare")) as others:
        ours.create_schema()
        others.create_schema()
        sides = {"cycle": logging_in(users, ours), "bare": bare(connection, users, others)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns)
    mode = f"{durability(connection)}, {len(users)} users"
    return [timings.ratio(f"{WHAT} ({mode})", "cycle", "bare", bar=1.7, stretch=1.4)]


def durability(connection: Any) -> str:
    cursor = connection.cursor()
    cursor.execute("SELECT @@innodb_flush_log_at_trx_commit")
    return f"innodb_flush_log_at_trx_commit {cursor.fetchone()[0]}"


def bare(connection: Any, users: Sequence[str], store: Any) -> Batch:
    """Return a batch of the statements of a cycle. The values alternate, so that each write has an effect."""
    turns = cycle(recorded(store, users))
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def run(statement: str, *values: object) -> Any:
        cursor.execute(statement, values)
        return cursor.fetchall()

    def batch() -> None:
        for user, number, challenged, charged, verified in next(turns):
            run(READ, user)
            connection.rollback()
            run(LOCK.format("(UNHEX(%s)), (UNHEX(%s))"), *sorted((user, number)))
            run(SELECT.format("UNHEX(%s), UNHEX(%s)"), user, number)
            run(WRITE.format(f"{ROW}, {ROW}"), user, challenged, None, number, charged, None)
            connection.commit()
            run(LOCK.format("(UNHEX(%s))"), user)
            run(SELECT.format("UNHEX(%s)"), user)
            run(WRITE.format(ROW), user, verified, None)
            connection.commit()

    return batch


READ = (
    "SELECT @@global.read_only NOT IN ('0', 'OFF') OR @@global.innodb_read_only, "
    "(SELECT value FROM bare WHERE `key` = UNHEX(%s))"
)
LOCK = "INSERT INTO bare (`key`) VALUES {} ON DUPLICATE KEY UPDATE `key` = `key`"
SELECT = "SELECT `key`, value FROM bare WHERE `key` IN ({}) FOR UPDATE"
WRITE = "REPLACE INTO bare (`key`, value, expires) VALUES {}"
ROW = "(UNHEX(%s), UNHEX(%s), UNIX_TIMESTAMP() + 1 + %s)"


def recorded(store: Any, users: Sequence[str]) -> list[list[tuple[str, str, str, str, str]]]:
    """Return two rounds of the writes of cycles, in hexadecimal digits."""
    factor = Factor(store)
    for user in users:
        factor.enrol(user)
    rounds = []
    for _ in range(2):
        rounds.append([])
        for subscriber, user in enumerate(users, 2_000_000):
            one, other = user_key(user), number_key(int(f"1415{subscriber}"))
            factor.clock.now += HOUR_NS
            challenge = factor.verifier.challenge(user)
            written = store.read(one), store.read(other)
            factor.verifier.verify(user, challenge.id, factor.outbox.message.code.reveal())
            values = one.encode(), other.encode(), *written, store.read(one)
            rounds[-1].append(tuple(value.hex() for value in values))
    return rounds
