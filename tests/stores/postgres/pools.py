"""Pools for the tests of the PostgreSQL store."""

from contextlib import ExitStack, contextmanager

import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from services import POSTGRES, postgres_database

from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore
from smsmfa.stores.postgres import pool as postgres_pool
from smsmfa.testing.stores.loop import Blocking


@contextmanager
def a_store(url, *, cls=ConnectionPool, table="smsmfa", **options):
    """Yield a store on a pool of one connection, or of what the options say."""
    with cls(url, open=True, **{"min_size": 1, **options}) as pool:
        yield PostgresStore(pool, table=table)


class Called(Blocking):
    """The twin, with all its methods called as if it were none."""

    def __getattr__(self, name):
        method = getattr(self.store, name)
        return lambda *arguments, **named: self.loop.run(method(*arguments, **named))


@contextmanager
def an_async_store(url, *, cls=AsyncConnectionPool, table="smsmfa", **options):
    """Like :func:`a_store`, for asyncio."""

    async def make():
        pool = cls(url, open=False, **{"min_size": 1, **options})
        await pool.open()
        return AsyncPostgresStore(pool, table=table)

    store = Called(make)
    try:
        yield store
    finally:
        store.loop.run(store.store._pool._source.close())
        store.loop.close()


def connected(url, **options):
    """Return a connection of somebody else."""
    return POSTGRES.driver().connect(url, autocommit=True, **options)


def end_all(db):
    """End all connections but one."""
    db.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid != pg_backend_pid()"
    )


@pytest.fixture(name="url", scope="module")
def a_database():
    """Where a database with the table is."""
    with postgres_database() as name:
        url = POSTGRES.at(database=name)
        with a_store(url) as store:
            store.create_schema()
        yield url


@pytest.fixture(name="db")
def an_empty_table(url):
    """A connection of somebody else to an empty table."""
    with connected(url) as db:
        db.execute("TRUNCATE smsmfa")
        yield db


@pytest.fixture(name="make", params=[a_store, an_async_store], ids=["threads", "asyncio"])
def a_maker(request, url):
    """What makes stores of either kind, with some options; they are closed at the end."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(request.param(options.pop("url", url), **options))


@pytest.fixture(name="store")
def a_store_of_either_kind(make):
    """A store of either kind."""
    return make(max_size=4)


@pytest.fixture(name="short")
def a_short_deadline(monkeypatch):
    """Have operations wait for a fifth of a second only."""
    monkeypatch.setattr(postgres_pool, "DEADLINE", 0.2)
