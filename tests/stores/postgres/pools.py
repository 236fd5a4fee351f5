"""Pools for the tests of the store on PostgreSQL."""

import time
from contextlib import ExitStack, contextmanager

import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from services import POSTGRES, postgres_database

from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore
from smsmfa.stores.postgres import pool as postgres_pool
from smsmfa.testing.stores.loop import Blocking


@contextmanager
def a_store(url, *, cls=ConnectionPool, table="smsmfa", **options):
    """Yield a store on a pool of one connection, or with other options."""
    with cls(url, open=True, **{"min_size": 1, **options}) as pool:
        yield PostgresStore(pool, table=table)


class Called(Blocking):
    """Calls the methods of a store for asyncio as if they were synchronous."""

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
    """Return a connection that is not the store's."""
    return POSTGRES.driver().connect(url, autocommit=True, **options)


def end_all(db):
    """End all other connections to the database."""
    db.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid != pg_backend_pid()"
    )


def await_waiting(db):
    """Return when a transaction in this database waits for an advisory lock."""
    due = time.monotonic() + 30
    while not db.execute(
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchall():
        assert time.monotonic() < due, "no transaction waits"


@pytest.fixture(name="url", scope="module")
def a_database():
    """The URL of a database that has the table."""
    with postgres_database() as name:
        url = POSTGRES.at(database=name)
        with a_store(url) as store:
            store.create_schema()
        yield url


@pytest.fixture(name="db")
def an_empty_table(url):
    """Another program's connection to an empty table."""
    with connected(url) as db:
        db.execute("TRUNCATE smsmfa")
        yield db


@pytest.fixture(name="make", params=[a_store, an_async_store], ids=["threads", "asyncio"])
def a_maker(request, url):
    """Return a function that makes stores of either kind, with any options. They are closed at the end."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(request.param(options.pop("url", url), **options))


@pytest.fixture(name="store")
def a_store_of_either_kind(make):
    """A store of either kind."""
    return make(max_size=4)


@contextmanager
def short_deadline():
    """Let operations wait for only half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_pool, "DEADLINE", 0.5)
        yield
