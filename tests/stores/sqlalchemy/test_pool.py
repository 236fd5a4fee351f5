"""The store's own pool: which engines it accepts, its connections, threads, forks and tasks."""

import asyncio
import gc
import sqlite3
from contextlib import closing
from functools import partial

import pytest
from sqlalchemy import AssertionPool, AsyncAdaptedQueuePool, NullPool, QueuePool, StaticPool, create_engine, event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import sessionmaker
from stores.sqlalchemy.databases import Broken, counted, engine_of, failing, mariadb, session, sqlite

from smsmfa import ConfigurationError, StoreContention, StoreError
from smsmfa.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from smsmfa.stores.sqlalchemy.connection import Connection
from smsmfa.testing.stores.processes import forked
from smsmfa.testing.stores.suite import increment, put
from smsmfa.testing.threads import all_of, at_once, switching
from smsmfa.typing import Entry

PATIENCE = 60


@pytest.fixture
def url():
    with sqlite() as url:
        yield url


@pytest.fixture
def engine(url):
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine):
    with closing(SqlAlchemyStore(engine)) as store:
        put(store, {"a": b"0"})
        yield store


def a_failure(store):
    """Return an event that is set when the driver fails."""
    failed = asyncio.Event()
    event.listen(engine_of(store), "handle_error", lambda _: failed.set())
    return failed


# --- arguments


def test_no_engine(engine, url):
    """Anything but an engine is refused: sessions and connections are in transactions of the application."""
    with engine.connect() as connection, OrmSession(engine) as orm:
        for no_engine in (connection, orm, sessionmaker(engine), url, str(url), None):
            for cls in (SqlAlchemyStore, AsyncSqlAlchemyStore):
                with pytest.raises(ConfigurationError, match="engine"):
                    cls(no_engine)


def test_engine_of_the_other_kind(engine, url):
    """An engine of the other kind is refused, and the error names the right store."""
    twin = create_async_engine(url.set(drivername="sqlite+aiosqlite"))
    for wrong in (twin, twin.sync_engine):
        with pytest.raises(ConfigurationError, match="use AsyncSqlAlchemyStore"):
            SqlAlchemyStore(wrong)
    for wrong in (engine, twin.sync_engine):
        with pytest.raises(ConfigurationError, match="use SqlAlchemyStore"):
            AsyncSqlAlchemyStore(wrong)
    with pytest.raises(ConfigurationError, match="AsyncEngine"):
        AsyncSqlAlchemyStore(async_sessionmaker(twin))


@pytest.mark.parametrize(
    "url, options",
    [("sqlite://", {}), ("sqlite:///a", {"poolclass": StaticPool}), ("sqlite:///a", {"poolclass": AssertionPool})],
)
def test_pool_that_shares(url, options):
    """A pool that shares one connection is refused."""
    with pytest.raises(ConfigurationError, match="QueuePool or NullPool"):
        SqlAlchemyStore(create_engine(url, **options))


@pytest.mark.parametrize("pool", [QueuePool, NullPool])
def test_pools(url, pool):
    """The store's pool has the class of the engine's pool."""
    with closing(SqlAlchemyStore(create_engine(url, poolclass=pool))) as store:
        put(store, {"a": b"1"})
        assert b"1" == store.read("a")
        assert pool is type(engine_of(store).pool)


# --- its own connections


def test_application_has_its_own(engine, url):
    """The store does not take connections from the application's pool, and works even if that is empty."""
    small = create_engine(url, pool_size=1, max_overflow=0)
    with closing(SqlAlchemyStore(small)) as store, small.connect():
        put(store, {"a": b"1"})
        assert b"1" == store.read("a")
        assert (1, 1) == (small.pool.checkedout(), small.pool.size())
    small.dispose()


def test_listeners_of_the_pool(url):
    """The listeners of the application's pool also see the store's new connections."""
    prepared = []
    engine = create_engine(url)
    event.listen(engine, "connect", lambda connection, record: prepared.append(connection))
    with closing(SqlAlchemyStore(engine)) as store:
        store.read("a")
    assert 1 == len(prepared)


def test_close(store):
    """A closed store has no connection. It opens new ones when it is used again."""
    engine = engine_of(store)
    assert 1 == engine.pool.checkedin()
    store.close()
    store.close()
    assert 0 == engine.pool.checkedin()
    assert b"0" == store.read("a")


def test_pool_stays_in_use(url):
    """If all connections stay in use, StoreContention is raised, and nothing is changed."""
    with closing(SqlAlchemyStore(create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.01))) as store:

        def change(values):
            with pytest.raises(StoreContention, match="pool"):
                store.read("a")
            return {"a": Entry(b"1")}, None

        store.update(["a"], change)
        assert b"1" == store.read("a")


def test_no_server(tmp_path):
    """If the database cannot be reached, StoreError is raised, with the driver's error as its cause."""
    store = SqlAlchemyStore(create_engine(f"sqlite:///{tmp_path}/absent/factor.db"))
    with pytest.raises(StoreError, match="no connection to SQLite") as failed:
        store.read("a")
    assert sqlite3.OperationalError is type(failed.value.__cause__)


# --- attempts


def test_transaction_is_tried_again(store, monkeypatch):
    """If the whole transaction is lost, it begins again, and the change runs again with fresh values."""
    monkeypatch.setattr(type(store._records.pool.sql), "had_no_effect", lambda sql, error: False)
    failing(store, "INSERT", *[Broken("deadlock", sqlite3.SQLITE_BUSY)] * 8)
    with counted(store) as sent:
        assert 0 == store.update(["a"], increment("a"))
    assert ["BEGIN", "SELECT", "INSERT", "ROLLBACK"] * 8 + ["BEGIN", "SELECT", "INSERT", "COMMIT"] == sent


def test_contention_in_the_end(store, monkeypatch):
    """After the deadline StoreContention is raised, with the driver's error as its cause, and nothing is changed."""
    monkeypatch.setattr("smsmfa.stores.sqlalchemy.pool.DEADLINE", 0.01)
    failing(store, "INSERT", *[Broken("busy", sqlite3.SQLITE_BUSY)] * 1000)
    with pytest.raises(StoreContention, match="SQLite: Broken: busy") as failed:
        put(store, {"a": b"1"})
    assert Broken is type(failed.value.__cause__)
    assert b"0" == store.read("a")


def test_lost_connection(store):
    """A connection that was lost before the COMMIT is replaced once."""
    lost = sqlite3.ProgrammingError("Cannot operate on a closed database.")
    failing(store, "SELECT", lost, lost)
    with pytest.raises(StoreError, match="closed database") as failed:
        store.update(["a"], increment("a"))
    assert StoreError is type(failed.value)
    assert 0 == store.update(["a"], increment("a"))
    failing(store, "SELECT", lost)
    assert 1 == store.update(["a"], increment("a"))


@pytest.mark.parametrize("where", ["end", "_roll_back", "release"])
def test_interrupted_at_the_end(store, monkeypatch, where):
    """If the end of an update is interrupted, its transaction ends, and its connection is free for the next."""
    real = getattr(Connection, where)

    def interrupted(session):
        monkeypatch.setattr(Connection, where, real)
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, where, interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.update(["a"], lambda _: ({}, None))
    assert 0 == engine_of(store).pool.checkedout()
    put(store, {"a": b"1"})
    assert b"1" == store.read("a")


# --- threads


@pytest.mark.parametrize("times", [10, pytest.param(200, marks=pytest.mark.thorough)])
def test_first_use_at_once(engine, times):
    """Threads that use a new store at the same time do not disturb each other."""
    with switching(1e-6):
        for _ in range(times):
            with closing(SqlAlchemyStore(engine)) as store:
                assert [None] * 8 == all_of(at_once([partial(store.read, "a")] * 8, PATIENCE))


# --- forks


def test_fork_on_a_server():
    """After a fork each side has its own connections, and does not close the other's."""
    with mariadb() as url, closing(SqlAlchemyStore(create_engine(url))) as store:
        put(store, {"a": b"0"})
        before = engine_of(store)

        def use():
            seen = [store.update(["a"], increment("a")) for _ in range(20)]
            gc.collect()
            return seen, engine_of(store) is before

        (here, same), (there, also_same) = forked(use, use, PATIENCE)
        assert list(range(40)) == sorted([*here, *there])
        assert [True, False] == sorted([same, also_same], reverse=True)
        assert b"40" == store.read("a")


def test_fork_with_an_open_file(store):
    """A SQLite file that was open during a fork is not used in the child, which would lose updates."""

    def use():
        with pytest.raises(StoreError, match="fork"):
            store.read("a")
        return True

    assert {True, b"0"} == {*forked(use, lambda: store.read("a"), PATIENCE)}


def test_another_process(store, monkeypatch):
    """The store recognises another process by its number."""
    monkeypatch.setattr("smsmfa.stores.sqlalchemy.pool.os.getpid", lambda: 0)
    with pytest.raises(StoreError, match="fork"):
        store.read("a")
    monkeypatch.undo()
    assert b"0" == store.read("a")


def test_fork_with_a_closed_file(store):
    """A store that was closed before a fork opens on both sides."""
    store.close()

    def count():
        return [store.update(["a"], increment("a")) for _ in range(20)]

    here, there = forked(count, count, PATIENCE)
    assert list(range(40)) == sorted([*here, *there])


# --- tasks


async def test_tasks_wait(url):
    """A task that waits for a locked file does not stop the event loop."""
    store = AsyncSqlAlchemyStore(create_async_engine(url.set(drivername="sqlite+aiosqlite")))
    await store.ping()
    with session(url) as execute:
        execute("BEGIN IMMEDIATE")
        failed = a_failure(store)
        task = asyncio.create_task(store.update(["a"], increment("a")))
        await failed.wait()
        execute("ROLLBACK")
    await task
    assert b"1" == await store.read("a")
    await store.close()


async def test_cancelled_while_waiting(url):
    """If a task is cancelled while it waits, nothing is changed, and its connection can be used."""
    one = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    store = AsyncSqlAlchemyStore(create_async_engine(url.set(drivername="sqlite+aiosqlite"), **one))
    await store.ping()
    with session(url) as execute:
        execute("BEGIN IMMEDIATE")
        failed = a_failure(store)
        task = asyncio.create_task(store.update(["a"], increment("a")))
        await failed.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        execute("ROLLBACK")
    assert 0 == await store.update(["a"], increment("a"))
    await store.close()
