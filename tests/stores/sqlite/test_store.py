"""The store in a SQLite file: the test kit, killed processes, the cost of an operation, and failures."""

import asyncio
import math
import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from inspect import iscoroutinefunction, signature
from pathlib import Path
from threading import Event, Thread

import pytest
from stores.hammer import Hammer
from support import Factor, rejected

from smsmfa import CodeUsed, ConfigurationError, StoreContention, StoreError
from smsmfa.stores.sqlite import AsyncSqliteStore, SqliteStore
from smsmfa.stores.sqlite import store as sqlite
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.suite import put
from smsmfa.typing import Entry

SHORT = timedelta(milliseconds=20)


class OnFile:
    """A new file for each check, and a purge beside it."""

    shared = processes = fork = True
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2

    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "factor.db"

    def disturb(self):
        with closing(SqliteStore(self.path)) as store:
            store.purge()

    def make_store(self):
        return SqliteStore(self.path)


class OnALoop(OnFile):
    fork = False

    def make_store(self):
        return AsyncSqliteStore(self.path)


class Hammered(Hammer):
    def _kill_and_check(self, ledger, kills):
        super()._kill_and_check(ledger, kills)
        with closing(sqlite3.connect(self.path)) as db:
            assert [("ok",)] == db.execute("PRAGMA integrity_check").fetchall()


class TestSqliteStore(OnFile, Hammered, StoreConformance):
    pass


class TestAsyncSqliteStore(OnALoop, AsyncStoreConformance):
    processes = False


@pytest.mark.thorough
class TestSqliteStoreThoroughly(OnFile, StoreConformance):
    rounds, examples, patience = 20, 25, 0.2


@pytest.mark.thorough
class TestAsyncSqliteStoreThoroughly(OnALoop, Hammered, AsyncStoreConformance):
    rounds, examples, patience, kills = 20, 25, 0.2, 100


@pytest.fixture
def path(tmp_path):
    return tmp_path / "factor.db"


@pytest.fixture
def store(path):
    with closing(SqliteStore(path)) as store:
        yield store


@contextmanager
def database(path):
    """Open the file as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


@contextmanager
def locked(path):
    """Hold a write transaction, as an application might if it shares its file with a store."""
    with database(path) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def rows_of(path):
    with database(path) as db:
        return {key: (value, expires) for key, value, expires in db.execute("SELECT * FROM smsmfa")}


# --- arguments


@pytest.mark.parametrize("path", ["", ":memory:", None, 7, b"factor.db", True])
def test_no_path(path):
    """Anything but the path of a file is refused, and so is ":memory:", which only one connection could see."""
    for cls in (SqliteStore, AsyncSqliteStore):
        with pytest.raises(ConfigurationError, match="path"):
            cls(path)


@pytest.mark.parametrize("synchronous", ["OFF", "EXTRA", "full", 2, None, []])
def test_no_durability(path, synchronous):
    """Only FULL and NORMAL are accepted."""
    with pytest.raises(ConfigurationError, match="synchronous"):
        SqliteStore(path, synchronous=synchronous)


@pytest.mark.parametrize("timeout", [5, None, timedelta(0), timedelta(seconds=-1), timedelta(hours=1, microseconds=1)])
def test_no_timeout(path, timeout):
    """A timeout must be a timedelta above zero and at most an hour."""
    with pytest.raises(ConfigurationError, match="timeout"):
        SqliteStore(path, timeout=timeout)


@pytest.mark.parametrize("synchronous, number", [("FULL", 2), ("NORMAL", 1)])
def test_durability(path, synchronous, number):
    """Updates wait for the disk as configured."""
    with closing(SqliteStore(path, synchronous=synchronous)) as store:
        assert [(number,)] == store._writer.run(lambda db: db.execute("PRAGMA synchronous").fetchall())


def test_directory_changes(tmp_path, monkeypatch):
    """A relative path means the same file after the process has changed its directory."""
    monkeypatch.chdir(tmp_path)
    with closing(SqliteStore("factor.db")) as store:
        monkeypatch.chdir("/")
        store.create_schema()
    assert ["factor.db"] == [file.name for file in tmp_path.iterdir()]


def test_nothing_happens_before_its_use(path):
    """A store creates its file at the first use, not before."""
    assert f"<SqliteStore at {path}>" == repr(SqliteStore(path))
    assert f"<AsyncSqliteStore at {path}>" == repr(AsyncSqliteStore(path))
    assert not path.exists()


def test_twins():
    """The twins have the same constructor, and the same methods with the same arguments."""
    assert signature(SqliteStore) == signature(AsyncSqliteStore)
    for name in ("read", "update", "create_schema", "ping", "purge", "close"):
        one, other = getattr(SqliteStore, name), getattr(AsyncSqliteStore, name)
        assert signature(one) == signature(other)
        assert (False, True) == (iscoroutinefunction(one), iscoroutinefunction(other))


# --- cost


def test_statements(store):
    """A challenge takes six statements and a check four."""
    factor = Factor(store=store)
    factor.enrol()
    traced = []
    for connection in (store._reader, store._writer):
        connection.run(lambda db: db.execute("SELECT 1"))
        connection._db.set_trace_callback(lambda statement: traced.append(statement.split()[0]))

    challenge = factor.verifier.challenge("alice")
    assert ["SELECT", "BEGIN", "SELECT", "INSERT", "INSERT", "COMMIT"] == traced
    traced.clear()
    factor.verifier.verify("alice", challenge.id, factor.outbox.code)
    assert ["BEGIN", "SELECT", "INSERT", "COMMIT"] == traced


def test_connections(store, path):
    """A hundred threads open at most two connections, each with the file and its log, and one shared-memory file."""
    threads = [Thread(target=lambda: (store.ping(), store.read("a"))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    # the second connection is opened if a read found the first in use
    assert sum(file.startswith(str(path)) for file in files) in (3, 5)


def test_reads_wait_for_no_update(store):
    """A read returns the committed value while an update of the same key is running."""
    put(store, {"a": b"old"})
    begun, release = Event(), Event()

    def change(values):
        begun.set()
        assert release.wait(60)
        return {"a": Entry(b"new")}, None

    thread = Thread(target=store.update, args=(["a"], change))
    thread.start()
    begun.wait(60)
    assert b"old" == store.read("a")
    release.set()
    thread.join()
    assert b"new" == store.read("a")


def test_read_inside_a_change(store):
    """A change may read other keys. If such a read fails, the update fails too, and nothing is stored."""
    put(store, {"a": b"old"})

    def change(values):
        seen.append(store.read("a"))
        with suppress(StoreError):
            store.read(wanted)
        return {"a": Entry(b"new")}, None

    seen, wanted = [], object()
    with pytest.raises(StoreError):
        store.update(["a"], change)
    assert b"old" == store.read("a")
    wanted = "b"
    store.update(["a"], change)
    assert [b"old", b"old"] == seen
    assert b"new" == store.read("a")


@pytest.mark.parametrize("writes", [{"a": Entry(b"new"), "z": None}, {"a": Entry(b"new")}, {}])
def test_closed_inside_a_change(store, writes):
    """A change that closes its store and opens it again makes its update fail, and nothing is stored."""
    put(store, {"a": b"old"})

    def change(values):
        store.close()
        store.read("a")
        return writes, None

    with pytest.raises((StoreError, ValueError)):
        store.update(["a"], change)
    assert b"old" == store.read("a")


def test_updates_inside_a_change(store):
    """A change that updates its own store makes its update fail, even if it catches the errors."""
    put(store, {"a": b"old"})

    def change(values):
        for key in "bc":
            with suppress(StoreError):
                put(store, {key: b"1"})
        return {"a": Entry(b"new")}, None

    with pytest.raises(StoreError, match="must neither update nor close"):
        store.update(["a"], change)
    assert [b"old", None] == [store.read("a"), store.read("b")]


def test_writes_are_checked_first(store):
    """No statement writes before all writes of a change are found valid."""
    traced = []
    store.read("a")
    store._writer._db.set_trace_callback(traced.append)
    with pytest.raises(ValueError, match="outside"):
        store.update(["a"], lambda _: ({"a": Entry(b"1"), "z": None}, None))
    assert [] == [statement for statement in traced if statement.startswith("INSERT")]


# --- expiry


def test_expiry(store, path):
    """An entry is never kept too short; without a lifetime it is kept forever; the last write decides."""
    before = time.time()
    for lifetimes in ((None, 0, 10**11), (0, 10**11, None)):
        for key, keep_for in zip("abc", lifetimes, strict=True):
            put(store, {key: b"1"}, keep_for)
    (_, a), (_, b), (_, c) = rows_of(path).values()
    assert None is c
    assert before <= a <= math.ceil(time.time())
    assert before + 10**11 <= b <= math.ceil(time.time()) + 10**11


def test_purge(store, path, monkeypatch):
    """A purge deletes only expired entries, the oldest first, and at most as many as it may."""
    for number in range(5):
        put(store, {f"{number}": b"1"}, 100 - 10 * number)
    put(store, {"later": b"1"}, 1000)
    put(store, {"never": b"1"})
    monkeypatch.setattr(sqlite.time, "time", lambda now=time.time(): now + 500)
    assert 2 == store.purge(2)
    assert {"0", "1", "2", "later", "never"} == {*rows_of(path)}
    assert [3, 0] == [store.purge(), store.purge()]
    assert {"later", "never"} == {*rows_of(path)}


@pytest.mark.parametrize("number", range(4))
def test_purge_meets_revival(store, path, number):
    """An entry that another store renews just before any statement of a purge is still there afterwards."""
    put(store, {"a": b"old"}, 0)
    with database(path) as db, closing(SqliteStore(path, timeout=SHORT)) as other:
        db.execute("UPDATE smsmfa SET expires = expires - 50")
        statements, written = [], [None]

        def revive(statement):
            statements.append(statement)
            if len(statements) == number + 1:
                with suppress(StoreContention):
                    put(other, {"a": b"new"})
                    written.append(b"new")

        trace = store._writer.run
        trace(lambda db: db.set_trace_callback(revive))
        store.purge()
        trace(lambda db: db.set_trace_callback(None))
    assert written[-1] == store.read("a")
    assert number or [None, b"new"] == written


@pytest.mark.parametrize("limit", [0, -1])
def test_purge_of_nothing(store, limit):
    """A limit below one is refused: SQLite would read it as no limit."""
    with pytest.raises(ValueError, match="at least 1"):
        store.purge(limit)


async def test_async(path):
    """The twin creates the file, writes, reads, purges and closes."""
    store = AsyncSqliteStore(path)
    await store.create_schema()
    await store.ping()
    await store.update(["a", "b"], lambda _: ({"a": Entry(b"1", 100), "b": Entry(b"2")}, None))
    assert b"2" == await store.read("b")
    with pytest.raises(ValueError, match="at least 1"):
        await store.purge(0)
    assert 0 == await store.purge()
    await store.close()
    assert ["factor.db"] == [file.name for file in path.parent.iterdir()]
    assert b"1" == await store.read("a")
    await store.close()


CALLS = {
    "read": ["a"],
    "update": [["a"], lambda _: ({"a": Entry(b"1")}, None)],
    "create_schema": [],
    "ping": [],
    "purge": [],
    "close": [],
}


@pytest.mark.parametrize("name, arguments", CALLS.items(), ids=CALLS)
async def test_loop_goes_on(path, name, arguments):
    """While a call of the twin waits for both connections, the event loop runs other tasks."""
    store = AsyncSqliteStore(path, timeout=timedelta(minutes=1))
    await store.ping()
    held, release, released = Event(), Event(), []

    def hold():
        with store._store._writer.lock, store._store._reader.lock:
            held.set()
            released.append(release.wait(60))

    thread = Thread(target=hold)
    thread.start()
    assert held.wait(60)
    task = asyncio.create_task(getattr(store, name)(*arguments))
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    await asyncio.wait_for(task, 60)
    thread.join(60)
    await store.close()
    assert [True] == released


async def test_async_reads_wait_for_no_update(path):
    """A read of the twin does not wait for an update either."""
    store = AsyncSqliteStore(path)
    await store.ping()
    begun, release = Event(), Event()

    def change(values):
        begun.set()
        assert release.wait(60)
        return {"a": Entry(b"new")}, None

    task = asyncio.create_task(store.update(["a"], change))
    assert await asyncio.to_thread(begun.wait, 60)
    try:
        assert None is await asyncio.wait_for(store.read("a"), 60)
    finally:
        release.set()
    await task
    assert b"new" == await store.read("a")
    await store.close()


# --- failures


def test_transaction_of_the_application(path):
    """If the application holds a transaction on the same file, the error says to give the store its own file."""
    with closing(SqliteStore(path, timeout=SHORT)) as store:
        put(store, {"a": b"1"})
        with locked(path):
            assert b"1" == store.read("a")
            with pytest.raises(StoreContention, match="a file of its own"):
                put(store, {"a": b"2"})
            with pytest.raises(StoreContention):
                store.ping()
        put(store, {"a": b"3"})
        assert b"3" == store.read("a")


@contextmanager
def overwritten(path):
    """Overwrite the pages of the file, and restore them."""
    pages = path.read_bytes()
    path.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))
    yield
    path.write_bytes(pages)


@contextmanager
def replaced(path):
    """Replace the file by a directory, and restore it."""
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()
    yield
    path.rmdir()
    aside.rename(path)


@contextmanager
def refusing(path):
    """Let the database refuse every write."""
    with database(path) as db:
        db.execute("CREATE TRIGGER no BEFORE INSERT ON smsmfa BEGIN SELECT RAISE(ABORT, 'no more'); END")
        yield
        db.execute("DROP TRIGGER no")


@pytest.mark.parametrize("broken", [locked, overwritten, replaced, refusing])
def test_nobody_is_let_in(path, broken):
    """While the file cannot be used, the right code lets nobody in; afterwards it is accepted once."""
    store = SqliteStore(path, timeout=SHORT)
    factor = Factor(store=store)
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    store.close()
    with broken(path):
        for call in (factor.log_in, lambda: factor.verifier.verify("alice", challenge.id, factor.outbox.code)):
            with pytest.raises(StoreError):
                call()
        store.close()
    assert 2 == len(factor.outbox.messages)
    factor.verifier.verify("alice", challenge.id, factor.outbox.code)
    rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeUsed)
    store.close()
