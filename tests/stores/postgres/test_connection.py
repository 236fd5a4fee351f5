"""One connection during one operation: what is tried again, what is not, and how the connection is left."""

import asyncio
import contextlib
from threading import Thread

import psycopg
import psycopg_pool
import pytest
from psycopg.pq import TransactionStatus
from services import POSTGRES
from stores.postgres.pools import (  # noqa: F401
    a_database,
    a_maker,
    a_store,
    a_store_of_either_kind,
    an_async_store,
    an_empty_table,
    await_waiting,
    connected,
    end_all,
    short_deadline,
)

from smsmfa import ConfigurationError, StoreContention, StoreError
from smsmfa.stores.postgres import AsyncPostgresStore
from smsmfa.stores.postgres.connection import _first, check_connection
from smsmfa.stores.postgres.sql import lock_numbers
from smsmfa.stores.retries import Undone
from smsmfa.testing.stores.suite import increment, look, put
from smsmfa.typing import Entry

PATIENCE = 30
FAULT = """
CREATE SEQUENCE {name};
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('{name}') <= {times} THEN
        RAISE EXCEPTION 'a secret' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END $$;
CREATE CONSTRAINT TRIGGER {name} AFTER INSERT OR UPDATE ON smsmfa
    DEFERRABLE INITIALLY {when} FOR EACH ROW EXECUTE FUNCTION {name}();
"""


@contextlib.contextmanager
def failing(db, state, *, times=1, when="IMMEDIATE"):
    """Make the server fail a number of writes, either immediately or at the commit."""
    db.execute(FAULT.format(name="fault", state=state, times=times, when=when))
    try:
        yield
    finally:
        db.execute("DROP TRIGGER fault ON smsmfa; DROP FUNCTION fault; DROP SEQUENCE fault")


@contextlib.contextmanager
def held(url, *statements):
    """Hold the locks that some statements take, as another program might."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection
        connection.rollback()


class Calls:
    """A change that increments, and counts its calls. Something else may happen in the first call."""

    def __init__(self, first=lambda: None):
        self.times = 0
        self._first = first

    def __call__(self, values):
        self.times += 1
        if self.times == 1:
            self._first()
        return increment("a", "b")(values)


def backends(db):
    """Return the process ids of the store's open transactions."""
    rows = db.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    return [pid for (pid,) in rows]


# --- failures that are tried again


@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"])
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
def test_rolled_back(store, db, state, when):
    """If the server rolled back, even at the commit, the update runs again with fresh values, and counts once."""
    put(store, {"a": b"1"})
    change = Calls()
    with failing(db, state, times=2, when=when):
        assert 1 == store.update(["a", "b"], change)

    assert 3 == change.times
    assert {"a": b"2", "b": b"1"} == look(store, ["a", "b"])


def test_contention(store, db):
    """If it goes on failing, StoreContention is raised after the deadline, and nothing is changed."""
    store.ping()
    with failing(db, "40001", times=10**6), short_deadline(), pytest.raises(StoreContention) as raised:
        put(store, {"a": b"1"})

    assert "40001" == raised.value.__cause__.sqlstate
    assert None is store.read("a")


def test_lock_is_kept(store, url, db):
    """An update gives up after the deadline if another holds its key. A read does not wait."""
    put(store, {"a": b"1"})
    with held(url, f"SELECT pg_advisory_xact_lock({lock_numbers('a')[0]})"):
        with short_deadline(), pytest.raises(StoreContention) as raised:
            store.update(["b", "a"], increment("a", "b"))
        assert b"1" == store.read("a")

    assert isinstance(raised.value.__cause__, psycopg.errors.QueryCanceled)
    assert {"a": b"1"} == look(store, ["a", "b"])


@pytest.mark.parametrize("mode", ["ACCESS EXCLUSIVE", "SHARE"])
def test_table_is_kept(store, url, db, mode):
    """If somebody has locked the table, neither reads nor writes wait longer than the deadline."""
    put(store, {"a": b"1"})
    with held(url, f"LOCK TABLE smsmfa IN {mode} MODE"):
        with short_deadline(), pytest.raises(StoreContention):
            put(store, {"a": b"2"})
        if mode == "ACCESS EXCLUSIVE":
            with short_deadline(), pytest.raises(StoreContention):
                store.read("a")
        else:
            assert b"1" == store.read("a")

    assert b"1" == store.read("a")


def test_deadlock(make, url, db):
    """A deadlock with a program that locks rows, unlike the store, is tried again, and the update counts once."""
    store, [number] = make(max_size=2, kwargs={"options": "-c deadlock_timeout=10ms"}), lock_numbers("a")
    put(store, {"a": b"1", "b": b"1"})
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM smsmfa WHERE key = 'a' FOR UPDATE")

        def stand_in_the_way():
            other.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
            other.execute("UPDATE smsmfa SET value = '5' WHERE key = 'a'")
            other.commit()

        def meet():
            thread.start()
            await_waiting(db)

        thread, change = Thread(target=stand_in_the_way), Calls(meet)
        assert 5 == store.update(["a", "b"], change)
        thread.join(PATIENCE)

    assert 2 == change.times
    assert {"a": b"6", "b": b"2"} == look(store, ["a", "b"])


def test_connections_were_lost(make, db):
    """If the pool's connections were closed, no error is raised, because nothing had been sent on them."""
    store = make(min_size=4)
    put(store, {"a": b"1", "b": b"1"})
    for call in (lambda: store.update(["a", "b"], increment("a", "b")), lambda: store.read("a"), store.ping):
        end_all(db)
        call()

    assert {"a": b"2", "b": b"2"} == look(store, ["a", "b"])


# --- failures that are not


def test_connection_is_lost_before_commit(store, db):
    """If the connection is lost while the change runs, the update fails and changes nothing, and the next one works."""
    put(store, {"a": b"1"})
    change = Calls(lambda: end_all(db))
    with pytest.raises(StoreError, match="did not confirm") as raised:
        store.update(["a", "b"], change)

    assert StoreError is raised.type
    assert 1 == change.times
    assert {"a": b"1"} == look(store, ["a", "b"])


def test_connection_is_lost_and_change_fails(store, db):
    """An error from the change is raised unchanged, even if the connection is lost at the same time."""

    def change(values):
        end_all(db)
        raise KeyError("no")

    with pytest.raises(KeyError):
        store.update(["a"], change)
    assert 0 == store.update(["a"], increment("a"))


class Losing(psycopg.Connection):
    """A connection that is lost just after the server has confirmed a commit."""

    @contextlib.contextmanager
    def pipeline(self):
        begun = self.pgconn.transaction_status
        with super().pipeline() as pipeline:
            yield pipeline
        lose(self, begun)


class AsyncLosing(psycopg.AsyncConnection):
    """:class:`Losing` for asyncio."""

    @contextlib.asynccontextmanager
    async def pipeline(self):
        begun = self.pgconn.transaction_status
        async with super().pipeline() as pipeline:
            yield pipeline
        lose(self, begun)


def lose(connection, begun):
    if (begun, connection.pgconn.transaction_status) == (TransactionStatus.INTRANS, TransactionStatus.IDLE):
        connection.pgconn.finish()
        raise psycopg.OperationalError("lost")


@pytest.mark.parametrize("maker, cls", [(a_store, Losing), (an_async_store, AsyncLosing)])
def test_connection_is_lost_after_commit(url, db, maker, cls):
    """If the connection is lost after the server has confirmed the commit, the update succeeds."""
    with maker(url, connection_class=cls) as store:
        assert [0, 1] == [store.update(["a"], increment("a")) for _ in range(2)]

    assert [(b"2",)] == db.execute("SELECT value FROM smsmfa").fetchall()


async def test_cancelled(url, db):
    """If a task is cancelled while it waits for a lock, the pool's connections are as they were before."""
    [number] = lock_numbers("a")
    async with psycopg_pool.AsyncConnectionPool(url, open=False, min_size=1, max_size=1) as pool:
        store = AsyncPostgresStore(pool)
        with held(url, f"SELECT pg_advisory_xact_lock({number})"):
            task = asyncio.ensure_future(store.update(["a"], increment("a")))
            await asyncio.to_thread(await_waiting, db)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with pool.connection() as connection:
                assert not connection.autocommit
                await connection.execute("SELECT 1")
        assert 0 == await store.update(["a"], increment("a"))


class AsyncCancelling(psycopg.AsyncConnection):
    """A connection that replaces a cancellation by another error, as some releases of psycopg do."""

    @contextlib.asynccontextmanager
    async def pipeline(self):
        try:
            async with super().pipeline() as pipeline:
                yield pipeline
        except asyncio.CancelledError as error:
            raise TypeError("an integer is required") from error


class AsyncCancelled(AsyncCancelling):
    """A connection whose task is cancelled."""

    @contextlib.asynccontextmanager
    async def pipeline(self):
        asyncio.current_task().cancel()
        async with super().pipeline() as pipeline:
            yield pipeline
            await asyncio.sleep(0)


async def test_cancellation_is_hidden(url, db):
    """A cancellation that the driver hides behind another error is raised as one, and nothing is tried again."""
    calls = []
    pool = psycopg_pool.AsyncConnectionPool(url, open=False, min_size=1, connection_class=AsyncCancelled)
    async with pool:
        store = AsyncPostgresStore(pool)
        task = asyncio.ensure_future(store.update(["a"], lambda values: calls.append(1) or ({}, None)))
        with pytest.raises(asyncio.CancelledError):
            await task

    assert [] == calls


def test_error_of_another_kind(url, db):
    """Any error of the driver becomes a StoreError."""

    class Failing(psycopg.Connection):
        def pipeline(self):
            raise RuntimeError("broken")

    with a_store(url, connection_class=Failing) as store, pytest.raises(StoreError, match="RuntimeError") as raised:
        store.ping()

    assert isinstance(raised.value.__cause__, RuntimeError)


@pytest.mark.parametrize("state", ["23514", "53100", "XX000"])
def test_refused(store, db, state):
    """Another failure is not tried again, and the error does not quote the server's message."""
    change = Calls()
    with failing(db, state), pytest.raises(StoreError) as raised:
        store.update(["a", "b"], change)

    assert StoreError is raised.type
    assert state == raised.value.__cause__.sqlstate
    assert "secret" not in str(raised.value)
    assert 1 == change.times
    assert 0 == store.update(["a", "b"], change)


def test_no_table(make):
    """Without the table, the error says what to do."""
    store = make(table="absent")
    for call in (store.ping, store.purge, lambda: store.read("a"), lambda: put(store, {"a": b"1"})):
        with pytest.raises(StoreError, match="create_schema"):
            call()


def test_other_error(store, db):
    """If the server refuses to read, the error contains its code."""
    store.ping()
    db.execute("ALTER TABLE smsmfa RENAME COLUMN value TO other")
    try:
        with pytest.raises(StoreError, match="42703"):
            look(store, ["a"])
        with pytest.raises(StoreError, match="DataError"):
            store.read("\0")
    finally:
        db.execute("ALTER TABLE smsmfa RENAME COLUMN other TO value")


def test_vanished(store, db):
    """If a client vanishes during an update, the server releases its locks after five seconds."""
    shown = []

    def change(values):
        [pid] = backends(db)
        shown.extend(db.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (pid,)))
        return {"a": Entry(b"1")}, None

    db.execute("CREATE TABLE seen (value text)")
    db.execute(
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen "
        "SELECT current_setting(name) FROM unnest(ARRAY['idle_in_transaction_session_timeout', "
        "'transaction_isolation', 'synchronous_commit', 'lock_timeout']) AS name; RETURN NEW; END $$;"
        "CREATE TRIGGER see BEFORE INSERT ON smsmfa FOR EACH ROW EXECUTE FUNCTION see()"
    )
    try:
        store.update(["a"], change)
        assert [("idle in transaction",)] == shown
        assert ["5s", "read committed", "on", "0"] == [value for (value,) in db.execute("SELECT value FROM seen")]
    finally:
        db.execute("DROP TRIGGER see ON smsmfa; DROP FUNCTION see; DROP TABLE seen")


# --- how a connection is left


@pytest.mark.parametrize("autocommit", [True, False])
def test_as_it_was(make, db, autocommit):
    """A connection is returned idle and with its own settings after any outcome."""
    kept = []

    def reset(connection):
        pgconn = connection.pgconn
        kept.append((connection.autocommit, pgconn.transaction_status, pgconn.pipeline_status))

    async def reset_twin(connection):
        reset(connection)

    store = make(kwargs={"autocommit": autocommit})
    pool = getattr(store, "store", store)._pool._source
    pool._reset = reset if store is getattr(store, "store", store) else reset_twin
    put(store, {"a": b"1"})
    store.read("a")
    with pytest.raises(KeyError):
        store.update(["a"], lambda values: values["absent"])
    with failing(db, "40001"):
        put(store, {"a": b"2"})
    with failing(db, "23514"), pytest.raises(StoreError):
        put(store, {"a": b"3"})
    store.ping()

    assert {(autocommit, TransactionStatus.IDLE, 0)} == {*kept[:7]}
    assert b"2" == store.read("a")


def test_settings_are_local(make, db):
    """The settings that an operation makes are gone after it."""
    store = make()
    put(store, {"a": b"1"})
    store.read("a")
    names = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit"
    expected = [db.execute(f"SHOW {name}").fetchone()[0] for name in names]

    assert expected == settings(store, names)


def settings(store, names):
    pool = getattr(store, "store", store)._pool._source
    if store is not getattr(store, "store", store):

        async def show():
            async with pool.connection() as connection:
                return [(await (await connection.execute(f"SHOW {name}")).fetchone())[0] for name in names]

        return store.loop.run(show())
    with pool.connection() as connection:
        return [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]


class TestConnection:
    """Errors before anything is sent."""

    @pytest.mark.parametrize("statement", ["SELECT 1", "SELECT 1/0"], ids=["open", "aborted"])
    def test_transaction(self, statement):
        """A connection with a transaction of the application, even an aborted one, is not touched."""
        with POSTGRES.driver().connect(POSTGRES.url) as connection:
            with contextlib.suppress(psycopg.Error):
                connection.execute(statement)
            before = connection.pgconn.transaction_status
            with pytest.raises(StoreError, match="an open transaction"):
                check_connection(connection.pgconn)

            assert TransactionStatus.IDLE != before == connection.pgconn.transaction_status

    def test_closed(self):
        """A closed connection is worth another attempt."""
        connection = connected(POSTGRES.url)
        connection.close()
        with pytest.raises(Undone):
            check_connection(connection.pgconn)

    @pytest.mark.parametrize(
        "parameters", [{b"crdb_version": b"CockroachDB"}, {b"server_version": b"11.2-YB-2.18.0.0-b0"}]
    )
    def test_other_servers(self, parameters):
        """Servers that only imitate PostgreSQL, without advisory locks, are refused."""

        class Other:
            transaction_status = TransactionStatus.IDLE
            parameter_status = staticmethod(parameters.get)

        with pytest.raises(ConfigurationError, match="advisory locks"):
            check_connection(Other)


def test_first():
    """The first error in a pipeline counts. PipelineAborted counts only if there is no other."""
    lost, aborted, alone = (
        psycopg.OperationalError(),
        psycopg.errors.PipelineAborted(),
        psycopg.errors.PipelineAborted(),
    )
    aborted.__context__, alone.__context__ = lost, KeyError()

    assert [lost, lost, alone] == [_first(lost), _first(aborted), _first(alone)]
