"""Pools: of every kind, too small, closed, and after a fork."""

import asyncio
import os
import sys
from contextlib import contextmanager
from importlib import import_module

import psycopg
import psycopg_pool
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, ConnectionPool, NullConnectionPool
from stores.postgres.pools import (  # noqa: F401
    a_database,
    a_maker,
    a_store,
    an_async_store,
    an_empty_table,
    connected,
    end_all,
    short_deadline,
)

from smsmfa import ConfigurationError, StoreContention, StoreError
from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore
from smsmfa.stores.postgres.pool import AsyncPool, Pool
from smsmfa.testing.stores.processes import forked
from smsmfa.testing.stores.suite import increment, look, put

PATIENCE = 30


@pytest.mark.parametrize("pool", [None, "postgresql://", psycopg.Connection, AsyncConnectionPool("", open=False)])
def test_no_pool(pool):
    """Anything but a pool of the right kind is refused when the store is made."""
    with pytest.raises(ConfigurationError, match=r"pool: pass a psycopg_pool\.ConnectionPool, not"):
        PostgresStore(pool)


def test_no_async_pool():
    """The store for asyncio needs a pool for asyncio."""
    with pytest.raises(ConfigurationError, match=r"pool: pass a psycopg_pool\.AsyncConnectionPool, not"):
        AsyncPostgresStore(ConnectionPool("", open=False))


def test_old_library(monkeypatch):
    """An old libpq is refused, because it has no pipelines."""
    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda: False)
    with pytest.raises(ConfigurationError, match="libpq 14"):
        PostgresStore(ConnectionPool("", open=False))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"autocommit": True},
        {"row_factory": dict_row},
        {"prepare_threshold": None},
        {"prepare_threshold": 0},
        {"client_encoding": "SQL_ASCII"},
        {"client_encoding": "LATIN1"},
    ],
    ids=",".join,
)
def test_settings(make, db, kwargs):
    """Connections with any settings work."""
    store = make(kwargs=kwargs)
    for count in range(8):
        assert count == store.update(["a", "b"], increment("a", "b"))
    put(store, {"a": b"\xff\x00"})

    assert {"a": b"\xff\x00", "b": b"8"} == look(store, ["a", "b"])
    assert b"\xff\x00" == store.read("a")


@pytest.mark.parametrize("cursor", [psycopg.ClientCursor, psycopg.RawCursor])
def test_cursors(url, db, cursor):
    """The kind of cursor that a connection has makes no difference."""
    with a_store(url, kwargs={"cursor_factory": cursor}) as store:
        assert [0, 1] == [store.update(["a"], increment("a")) for _ in range(2)]


def test_pool_that_resets_and_checks(url, db):
    """A pool may check connections, and reset them when they are returned."""
    seen = []
    with a_store(url, check=ConnectionPool.check_connection, configure=seen.append, reset=seen.append) as store:
        put(store, {"a": b"1"})

        assert b"1" == store.read("a")
    assert seen


@pytest.mark.skipif(not hasattr(psycopg_pool.ConnectionPool("", open=False), "close_returns"), reason="an old pool")
def test_close_returns(make, db):
    """A pool whose connections return to it when they are closed gets no broken ones."""
    store = make(close_returns=True)
    put(store, {"a": b"1"})
    for _ in range(3):
        with pytest.raises(StoreError):
            store.update(["a"], lambda values: (end_all(db), ({}, None))[1])

        assert b"1" == store.read("a")


def test_null_pool(url, db):
    """A pool that keeps no connections works."""
    with a_store(url, cls=NullConnectionPool, min_size=0, max_size=2) as store:
        assert [0, 1] == [store.update(["a"], increment("a")) for _ in range(2)]
        assert NullConnectionPool is type(store._pool._copy())


class TestNoConnection:
    """The pool has no connection."""

    def test_held(self, url, db):
        """If the application uses all connections of the pool, the store gives up after the deadline."""
        with a_store(url, max_size=1) as store, store._pool._source.connection():
            with short_deadline(), pytest.raises(StoreError, match="too small") as raised:
                store.read("a")

            assert isinstance(raised.value.__cause__, psycopg_pool.PoolTimeout)

    async def test_held_on_a_loop(self, url, db):
        """The same holds on an event loop."""
        async with AsyncConnectionPool(url, open=False, min_size=1, max_size=1) as pool, pool.connection():
            with short_deadline(), pytest.raises(StoreError, match="too small"):
                await AsyncPostgresStore(pool).read("a")

    def test_closed(self, url):
        """A closed pool is an error that says so."""
        with a_store(url) as store:
            pass
        with pytest.raises(StoreError, match="closed") as raised:
            store.ping()

        assert isinstance(raised.value.__cause__, psycopg_pool.PoolClosed)

    def test_away(self):
        """T12: if the server cannot be reached, the error does not contain the password."""
        with a_store("postgresql://me:secret@127.0.0.1:1/none", reconnect_timeout=0) as store:
            with short_deadline(), pytest.raises(StoreError, match="away") as raised:
                store.ping()

            assert "secret" not in f"{raised.value} {raised.value.__cause__} {store!r}"


class TestAgain:
    """An operation that failed without changing anything is tried again."""

    def test_lost(self, make, db):
        """If connections were lost before an operation, it gets another one."""
        store = make(min_size=3)
        put(store, {"a": b"1"})
        end_all(db)

        assert b"1" == store.read("a")

    def test_no_time(self, make, url, db):
        """After the deadline the last failure is raised, with the driver's error as its cause."""
        store = make()
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE smsmfa")
            with short_deadline(), pytest.raises(StoreContention) as raised:
                store.ping()

        assert isinstance(raised.value.__cause__, psycopg.errors.QueryCanceled)


# --- forks


def count(store, times=20):
    return [store.update(["a"], increment("a")) for _ in range(times)]


def in_child(call):
    """Call a function in a forked child, and return its result."""
    return forked(call, int, PATIENCE)[0]


def test_used_before(url, db):
    """After a fork a store opens a copy of its pool, and can close it. The parent's pool goes on."""
    with a_store(url, max_size=3, kwargs={"application_name": "here"}, timeout=7) as store:
        count(store)

        def child():
            seen = count(store)
            pool = store._pool._pools[os.getpid()]
            names = [
                name
                for (name,) in db_of(
                    url, "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
                )
            ]
            store.close()
            shape = pool.min_size, pool.max_size, pool.timeout, pool.closed, names.count("here") >= 2
            return [seen, *shape, count(store, 1)]

        seen, *shape, again = in_child(child)
        assert list(range(20, 40)) == seen
        assert ([1, 3, 7, True, True], [40]) == (shape, again)
        store.close()
        assert [41] == count(store, 1)


def test_used_before_on_a_loop(url, db):
    """A store for asyncio does the same in the child's event loop, while the parent goes on in its own."""
    with an_async_store(url) as store:
        count(store)

        async def use():
            seen = [await store.store.update(["a"], increment("a")) for _ in range(20)]
            pool = store.store._pool._pools[os.getpid()]
            await store.store.close()
            return [seen, pool.closed, store.store._pool._source.closed]

        (theirs, *closed), ours = forked(lambda: asyncio.run(use()), lambda: count(store), PATIENCE)
        assert list(range(20, 60)) == sorted(theirs + ours)
        assert [True, False] == closed
        assert [60] == count(store, 1)


def db_of(url, statement):
    with connected(url) as db:
        return db.execute(statement).fetchall()


def test_pool_before_and_store_after(url, db):
    """A pool that was opened before a fork, as with gunicorn's ``preload_app``, is not used after it."""
    with ConnectionPool(url, open=True, min_size=1) as pool:
        put(PostgresStore(pool), {"a": b"5"})

        def child():
            store = PostgresStore(pool)
            return [count(store), pool.get_stats()["requests_num"]]

        assert [list(range(5, 25)), pool.get_stats()["requests_num"]] == in_child(child)


def test_pool_opened_after(url, db):
    """A pool that is opened only after the fork is used itself."""
    pool = ConnectionPool(url, open=False, min_size=1)

    def child():
        pool.open()
        return count(PostgresStore(pool)) and pool.get_stats()["requests_num"]

    assert 21 == in_child(child)  # the first use also checks the table


def test_own_pool(url, db):
    """The pool opened after a fork is closed with the store, and opened again when the store is used."""
    with a_store(url) as store:
        source = store._pool._source
        store._pool._pools = {0: source}  # as in a child
        assert [0] == count(store, 1)
        [own] = {*store._pool._pools.values()} - {source}
        store.close()
        assert (False, True) == (source.closed, own.closed)
        assert [1] == count(store, 1)
        store.close()


async def test_fork_of_a_loop(url, db):
    """The same holds on an event loop."""
    async with AsyncConnectionPool(url, open=False, min_size=1) as pool:
        store = AsyncPostgresStore(pool)
        await store.update(["a"], increment("a"))
        await store.close()
        store._pool._pools = {0: pool}  # as in a child
        assert 1 == await store.update(["a"], increment("a"))
        [own] = {*store._pool._pools.values()} - {pool}
        await store.close()
        assert (False, True) == (pool.closed, own.closed)
        await store.ping()
        await store.close()


@contextmanager
def outrun(pool):
    """Let another thread open a pool first after a fork, and yield the copies."""
    copy, copies = pool._copy, []

    def slowly():
        copies.append(copy())
        pool._pools.setdefault(os.getpid(), pool._source)
        return copies[-1]

    pool._pools.clear()
    pool._copy = slowly
    yield copies
    del pool._copy


def test_threads_after_a_fork(url, db):
    """If several threads use the store after a fork, all use the first pool, and the other copies are closed."""
    with a_store(url) as store, outrun(store._pool) as copies:
        assert [0, 1] == count(store, 2)
        assert [True] == [copy.closed for copy in copies]


async def test_tasks_after_a_fork(url, db):
    """The same holds for tasks."""
    async with AsyncConnectionPool(url, open=False, min_size=1) as pool:
        store = AsyncPostgresStore(pool)
        with outrun(store._pool) as copies:
            await store.ping()
            await store.ping()
        assert [True] == [copy.closed for copy in copies]


def test_kinds():
    """A copy has the class and all options of the pool."""
    pool = AsyncNullConnectionPool("dbname=x", open=False, max_size=3, timeout=4, max_lifetime=5, kwargs={"port": 6})
    copy = AsyncPool(pool)._copy()

    assert AsyncNullConnectionPool is type(copy)
    assert ("dbname=x", 3, 4, 5, {"port": 6}) == (
        copy.conninfo, copy.max_size, copy.timeout, copy.max_lifetime, copy.kwargs
    )  # fmt: skip
    assert ConnectionPool is type(Pool(ConnectionPool("", open=False))._copy())


def test_no_driver(monkeypatch):
    """Without psycopg or its pool, the import error says what to install."""
    for driver in ("psycopg", "psycopg_pool"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, driver, None)
            for name in [name for name in sys.modules if name.startswith("smsmfa.stores.postgres")]:
                patch.delitem(sys.modules, name)
            with pytest.raises(ModuleNotFoundError) as missing:
                import_module("smsmfa.stores.postgres")

        needs = 'smsmfa.stores.postgres needs psycopg and psycopg_pool: pip install "smsmfa[postgres]"'
        assert (needs, driver) == (str(missing.value), missing.value.name)
