"""A connection to a file: turns, errors, and forks, after which SQLite could lose commits."""

import ctypes
import os
import resource
import sqlite3
import subprocess
import sys
import warnings
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial, reduce
from operator import call, or_
from pathlib import Path
from threading import Event, RLock, Thread, get_ident

import pytest

from smsmfa import StoreContention, StoreError
from smsmfa.stores.sqlite import connection as sqlite_connection
from smsmfa.stores.sqlite.connection import Connection, lock_of
from smsmfa.testing.stores.processes import forked

INSERT = "INSERT INTO smsmfa (key, value) VALUES (?, ?)"
SHORT, LONG = timedelta(milliseconds=20), timedelta(minutes=1)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "factor.db")


@pytest.fixture
def opened(path):
    """A connection to a file with one row."""
    connection = a_connection(path)
    put(connection, "a")
    yield connection
    connection.close()


def a_connection(path, timeout=LONG, lock=None):
    return Connection(path, "FULL", timeout, lock or RLock())


def rows(connection, statement):
    return connection.run(lambda db: db.execute(statement).fetchall())


def unused(db):
    raise AssertionError("the connection was used")


def put(connection, key):
    connection.run(lambda db: connection.execute(db, INSERT, key, b"1"))


def keys_of(path):
    """Return the keys that another connection sees."""
    with closing(sqlite3.connect(path)) as db:
        return {key for (key,) in db.execute("SELECT key FROM smsmfa")}


def write(connection, key, *, then):
    """Write in a transaction, call ``then``, and commit."""

    def work(db):
        connection.execute(db, "BEGIN IMMEDIATE")
        db.execute(INSERT, (key, b"1"))
        then()
        db.execute("COMMIT")

    connection.run(work)


def mode(path):
    return Path(path).stat().st_mode & 0o777


def files_open(path):
    """Return how many descriptors this process has for a file and its log and index."""
    files = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return sum(file.startswith(path) for file in files)


def free(lock):
    """Return whether another thread can acquire a lock."""
    found = []

    def ask():
        found.append(lock.acquire(False))
        if found[0]:
            lock.release()

    thread = Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


@contextmanager
def holding(connection):
    """Let another thread use a connection in the meantime."""
    begun, release = Event(), Event()

    def work(db):
        begun.set()
        release.wait(60)

    thread = Thread(target=connection.run, args=(work,))
    thread.start()
    begun.wait(60)
    try:
        yield release
    finally:
        release.set()
        thread.join()


# --- opening


def test_file_is_made(path):
    """Only the owner can use a new file, its log and its index, even if the umask allows more."""
    before = os.umask(0)
    try:
        connection = a_connection(path)
        put(connection, "a")
        modes = {name: mode(path + name) for name in ("", "-wal", "-shm")}
    finally:
        os.umask(before)
    assert {"": 0o600, "-wal": 0o600, "-shm": 0o600} == modes
    connection.close()


def test_file_is_there(path):
    """An existing file keeps its mode, and may be empty."""
    Path(path).touch(0o640)
    connection = a_connection(path)
    put(connection, "a")
    assert 0o640 == mode(path)
    connection.close()


def test_settings(opened):
    """The file has a write-ahead log, and every commit waits for the disk."""
    assert [("wal",)] == rows(opened, "PRAGMA journal_mode")
    assert [(2,)] == rows(opened, "PRAGMA synchronous")


@pytest.mark.parametrize("name", ["", "no such directory/factor.db"])
def test_no_file(tmp_path, name):
    """A path that cannot be a file is an error, and the lock is released."""
    connection = a_connection(str(tmp_path / name))
    for _ in range(2):
        with pytest.raises(StoreError, match=r"unable to open|No such file"):
            connection.run(unused)
    assert free(connection.lock)


def test_no_database(path):
    """A file that is not a database is an error, and stays unchanged."""
    Path(path).write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        a_connection(path).run(unused)
    assert b"no database" * 1000 == Path(path).read_bytes()


def test_no_log(path, monkeypatch):
    """If SQLite cannot keep a write-ahead log, nothing is opened."""
    execute = Connection.execute
    monkeypatch.setattr(
        Connection, "execute", lambda self, db, said: [("delete",)] if "WAL" in said else execute(self, db, said)
    )
    with pytest.raises(StoreError, match="write-ahead log"):
        a_connection(path).run(unused)


# --- turns


def test_other_thread(path):
    """A thread that waits too long for others gets StoreContention; the connection stays usable."""
    connection = a_connection(path, SHORT)
    with holding(connection), pytest.raises(StoreContention, match="other threads"):
        connection.run(unused)
    put(connection, "a")
    assert {"a"} == keys_of(path)
    connection.close()


def test_other_process(opened, path):
    """A file that is locked for too long is StoreContention, and the error says what to do."""
    connection = a_connection(path, SHORT)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreContention, match="a file of its own") as raised:
            put(connection, "b")
        assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
        db.execute("ROLLBACK")
    put(connection, "b")
    assert {"a", "b"} == keys_of(path)
    connection.close()


def test_other_process_ends(opened, path, monkeypatch):
    """A locked file is tried again at a steady pace, without SQLite's growing sleeps."""
    pauses = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")

        def sleep(seconds):
            pauses.append(seconds)
            if len(pauses) == 20:
                db.execute("ROLLBACK")

        monkeypatch.setattr(sqlite_connection.time, "sleep", sleep)
        put(opened, "b")
    assert [(0,)] == rows(opened, "PRAGMA busy_timeout")
    assert [0.001] * 20 == pauses


def test_other_connection(opened, path):
    """While another thread uses a connection, the alternative is used."""
    other = a_connection(path)
    used = partial(opened.run, lambda db: db.execute("PRAGMA database_list"), instead=other)
    used()
    assert other._db is None
    with holding(opened):
        used()
    assert other._db is not None
    other.close()


def test_one_lock_a_file(path):
    """All stores of a process share one lock for a file; another file has another lock."""
    one = lock_of(path)
    assert one is lock_of(path)
    assert one is not lock_of(path + "2")


@pytest.mark.parametrize("again", [False, True])
def test_closed_at_work(opened, path, again):
    """Work whose connection was closed fails, even if a new connection is open by then."""

    def close():
        opened.close()
        if again:
            opened.run(lambda db: db.execute("SELECT 1"))

    with pytest.raises(StoreError, match="must neither update nor close"):
        write(opened, "b", then=close)
    assert {"a"} == keys_of(path)


# --- errors


def test_error_ends_the_transaction(opened, path):
    """An exception rolls back, even if rows are still unread, and the connection stays usable."""
    rows = []

    def interrupt():
        rows.append(opened._db.execute("SELECT 1 UNION SELECT 2"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(opened, "b", then=interrupt)
    put(other := a_connection(path, SHORT), "c")
    put(opened, "d")
    assert {"a", "c", "d"} == keys_of(path)
    other.close()


def test_errors_of_sqlite(opened):
    """An error of SQLite becomes a StoreError without values, whose traceback names the file, but not its text."""
    with pytest.raises(StoreError, match=r"^SQLite: UNIQUE constraint failed") as raised:
        put(opened, "a")
    assert "factor.db" not in str(raised.value)
    assert "factor.db" in raised.value.__notes__[0]
    assert StoreError is type(raised.value)
    assert isinstance(raised.value.__cause__, sqlite3.IntegrityError)


def test_disk_is_full(opened, path):
    """A full disk is an error and changes nothing; when there is room again, updates succeed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(path + "-wal").stat().st_size + 100, hard))
    try:
        with pytest.raises(StoreError, match="disk"):
            put(opened, "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {"a"} == keys_of(path)
    put(opened, "c")
    assert {"a", "c"} == keys_of(path)


def test_read_only(opened, path):
    """A write to a read-only database is an error."""
    rows(opened, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="readonly"):
        put(opened, "b")
    assert {"a"} == keys_of(path)


def test_corrupted(opened, path):
    """A file that was overwritten is an error."""
    opened.close()
    with Path(path).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StoreError, match="malformed"):
        put(opened, "b")


def test_used_inside_itself(opened, path):
    """A transaction inside a transaction is an error, and both are rolled back."""

    def again():
        with pytest.raises(StoreError, match="within a transaction"):
            write(opened, "c", then=dict)

    with pytest.raises(StoreError, match="must neither update nor close"):
        write(opened, "b", then=again)
    assert {"a"} == keys_of(path)


# --- interrupts


#: Let CPython raise KeyboardInterrupt in this thread when it next checks for interrupts.
interrupt = partial(
    ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(get_ident()), ctypes.py_object(KeyboardInterrupt)
)


class InterruptedLock:
    """A lock that is interrupted during ``acquire(False)``, just after it was acquired."""

    def __init__(self):
        lock = RLock()
        self.acquire = partial(reduce, or_, map(call, (lock.acquire, interrupt)))  # all in C, so in one step
        self.release = lock.release
        self.free = partial(free, lock)


def test_interrupted_when_it_is_taken(path):
    """An interrupt at the moment of acquisition leaves the lock free."""
    connection = a_connection(path, lock=InterruptedLock())
    with pytest.raises(KeyboardInterrupt):
        connection.run(unused, instead=a_connection(path))
    assert connection.lock.free()


def test_interrupted_at_work(opened, path):
    """An interrupt after the work leaves the lock free, and the commit stays."""
    with pytest.raises(KeyboardInterrupt):
        write(opened, "b", then=interrupt)
    assert free(opened.lock)
    put(opened, "c")
    assert {"a", "c"} == keys_of(path)


class Interrupted:
    """A wrapped sqlite3 connection that is interrupted once, in one of its methods, after a close has closed it."""

    def __init__(self, connection, method):
        self._db, self._method = connection._db, method
        connection._db = self

    def __getattr__(self, name):
        if name != self._method:
            return getattr(self._db, name)
        self._method = None
        if name == "close":
            self._db.close()
        raise KeyboardInterrupt


@pytest.mark.parametrize("method", ["rollback", "close"])
def test_interrupted_while_it_fails(opened, path, method):
    """An interrupt during the end of a failed transaction leaves the lock free, and nothing of the transaction."""

    def fail():
        Interrupted(opened, method)
        raise ValueError

    with pytest.raises(KeyboardInterrupt):
        write(opened, "b", then=fail)
    assert free(opened.lock)
    put(opened, "c")
    assert {"a", "c"} == keys_of(path)


@pytest.mark.parametrize("method", ["rollback", "close"])
def test_interrupted_while_it_closes(opened, path, method):
    """A connection whose close was interrupted can be used again."""
    Interrupted(opened, method)
    with pytest.raises(KeyboardInterrupt):
        opened.close()
    assert free(opened.lock)
    put(opened, "b")
    assert {"a", "b"} == keys_of(path)


# --- closing


def test_closed(opened, path):
    """A closed connection has no file open; it may be closed again, and opens at its next use."""
    opened.close()
    opened.close()
    assert 0 == files_open(path)
    put(opened, "b")
    assert files_open(path)


def test_forgotten(path):
    """A connection without references has closed its file."""
    put(a_connection(path), "a")
    assert 0 == files_open(path)


def test_exit(path):
    """An interpreter that ends with an open connection prints no warning."""
    code = f"""
from datetime import timedelta
from threading import RLock
from smsmfa.stores.sqlite.connection import Connection
connection = Connection({path!r}, "FULL", timedelta(1), RLock())
connection.run(lambda db: db.execute("SELECT 1"))
"""
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, check=True)
    assert b"" == ended.stderr
    assert not Path(path + "-wal").exists()


# --- forks


def fork():
    """Fork without the warning of Python 3.12 and later about threads: the child does little before it exits."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return os.fork()


class Steps:
    """Words that the two sides of a fork say to each other."""

    def __init__(self):
        self._pipes = {}

    def __getitem__(self, word):
        return self._pipes.setdefault(word, os.pipe())

    def say(self, word):
        os.write(self[word][1], b".")

    def hear(self, word):
        os.read(self[word][0], 1)


def test_child_goes_on(opened, path):
    """Commits of a forked child stay, even if the parent closes its last connection in between."""
    steps = Steps()
    steps["written"], steps["closed"]

    def child():
        put(opened, "b")
        steps.say("written")
        steps.hear("closed")
        put(opened, "c")

    def parent():
        steps.hear("written")
        opened.close()
        steps.say("closed")

    forked(child, parent, 60)
    assert {"a", "b", "c"} == keys_of(path)


def test_fork_waits(opened, path):
    """A fork waits for the work of other threads, and the child finds every lock free."""
    with holding(opened) as release:
        Thread(target=release.set).start()
        forked(partial(put, opened, "b"), partial(put, opened, "c"), 60)
    assert {"a", "b", "c"} == keys_of(path)


def test_fork_in_the_middle(opened, path):
    """A fork inside an operation makes it fail on both sides, and nothing is written."""
    children = []
    try:
        write(opened, "b", then=lambda: children.append(fork()))
    except StoreError as error:
        told = "fork" in str(error)
    if children == [0]:
        os._exit(7 if told else 1)
    assert 7 == os.waitstatus_to_exitcode(os.waitpid(*children, 0)[1])
    assert told
    assert {"a"} == keys_of(path)


def test_fork_unseen(opened, path):
    """After a fork in C, which Python does not see, the child refuses a connection that was open."""
    child = ctypes.PyDLL(None).fork()
    if not child:
        try:
            put(opened, "b")
        except StoreError as error:
            os._exit(7 if "lazy-apps" in str(error) else 1)
        os._exit(0)
    assert 7 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    put(opened, "c")
    assert {"a", "c"} == keys_of(path)


def test_of_another_process(opened, path, monkeypatch):
    """A connection that another process opened is neither used nor closed in this one."""
    with monkeypatch.context() as context:
        context.setattr(os, "getpid", lambda: 0)
        with pytest.raises(StoreError, match="lazy-apps"):
            put(opened, "b")
        opened.close()
        assert files_open(path)
    put(opened, "c")
    assert {"a", "c"} == keys_of(path)
