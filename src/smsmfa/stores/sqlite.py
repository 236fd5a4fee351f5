"""A store in a SQLite file: it survives the process, and serves the threads and processes of one machine."""

import asyncio
import math
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import RLock
from typing import Any, Literal, TypeVar
from weakref import WeakSet, WeakValueDictionary

from ..exceptions import ConfigurationError, StoreContention, StoreError
from ..typing import Change, Entry
from .writes import check_write

__all__ = ["SCHEMA", "AsyncSqliteStore", "SqliteStore"]

T = TypeVar("T")

#: What :meth:`SqliteStore.create_schema` runs. ``expires``: seconds since the epoch, or NULL: never.
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS smsmfa (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS smsmfa_expires ON smsmfa (expires) WHERE expires IS NOT NULL",
)
_READ = "SELECT value FROM smsmfa WHERE key = ?"
_VALUES = "SELECT key, value FROM smsmfa WHERE key IN "
_WRITE = (
    "INSERT INTO smsmfa (key, value, expires) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_DELETE = "DELETE FROM smsmfa WHERE key = ?"
_PURGE = "DELETE FROM smsmfa WHERE key IN (SELECT key FROM smsmfa WHERE expires < ? ORDER BY expires LIMIT ?)"

_DURABILITIES = ("FULL", "NORMAL")
_LONGEST = timedelta(hours=1)


class SqliteStore:
    """Keeps records in a file of its own, which is made with its table when it is first used.

    Threads may share it, and any number of processes may open the same file. It has two connections: updates
    take turns on one, so that no thread sleeps in SQLite's busy handler; reads never wait for an update.

    Args:
        path: the file. Its directory has to exist, on a local disk: locks on network file systems do not hold.
            A new file can be read and written by its owner only.
        synchronous: ``"FULL"``: what was acknowledged survives a power cut. ``"NORMAL"``: it survives the end
            of the process, but a power cut may undo the last updates; a used code is then good again, and a
            wrong guess not counted.
        timeout: how long an operation waits for other threads, and then again for other processes.

    Raises:
        ConfigurationError: an argument is none of these.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        if synchronous not in _DURABILITIES:
            raise ConfigurationError('synchronous: "FULL" or "NORMAL"; anything less loses more than the last updates')
        if not isinstance(timeout, timedelta) or not timedelta(0) < timeout <= _LONGEST:
            raise ConfigurationError("timeout: a timedelta, more than nothing and at most an hour")
        self._path = _checked_path(path)
        with _guard:
            writing = _writing.setdefault(self._path, RLock())
            self._writer = _Connection(self._path, synchronous, timeout, writing)
            self._reader = _Connection(self._path, synchronous, timeout, RLock())
            _stores.add(self)

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._reader as connection:
            rows = connection.run(_READ, key)
        return rows[0][0] if rows else None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys`` and store what it says, in one transaction.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreContention: the file stayed locked; nothing is changed.
            StoreError: the file cannot be read or written.
        """
        with self._writer as connection:
            run = connection.run
            run("BEGIN IMMEDIATE")  # a deferred one would fail as soon as another process writes
            values = dict(run(_VALUES + f"({','.join('?' * len(keys))})", *keys))
            writes, outcome = change(values)
            for key, entry in writes.items():
                check_write(key, entry, keys)
                if entry is None:
                    run(_DELETE, key)
                else:
                    run(_WRITE, key, entry.value, _until(entry))
            run("COMMIT")
            return outcome

    def create_schema(self) -> None:
        """Make the file and its table where they are absent, as the first use does; call it to fail early.

        Raises:
            StoreError: that cannot be done.
        """
        self.ping()

    def ping(self) -> None:
        """Do nothing, if an update could be made now.

        Raises:
            StoreError: it could not.
        """
        self.update((), lambda _: ({}, None))

    def purge(self, limit: int = 1000) -> int:
        """Delete up to ``limit`` expired entries, the oldest first, in one transaction; return how many.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the file cannot be written.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")
        with self._writer as connection:
            connection.run(_PURGE, time.time(), limit)
            [(deleted,)] = connection.run("SELECT changes()")
        return int(deleted)

    def close(self) -> None:
        """Close both connections, when the operations that are under way have ended. A later call opens them again."""
        self._hold()
        self._release()

    def _hold(self) -> None:
        """Close both connections, and let nobody open them before :meth:`_release`."""
        for connection in (self._writer, self._reader):
            connection.lock.acquire()
            connection.close()

    def _release(self) -> None:
        for connection in (self._writer, self._reader):
            connection.lock.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._path}>"


class AsyncSqliteStore:
    """:class:`SqliteStore` for asyncio, with the same arguments.

    Updates take turns in one thread of its own and reads in another, so the loop goes on meanwhile. A task that is
    cancelled while its update waits never makes it; once it has begun, it is made, all or nothing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._store = SqliteStore(path, synchronous=synchronous, timeout=timeout)
        self._writer, self._reader = _Thread(timeout), _Thread(timeout)

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`SqliteStore.read`."""
        return await self._reader.call(self._store.read, key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`SqliteStore.update`."""
        return await self._writer.call(self._store.update, keys, change)

    async def create_schema(self) -> None:
        """Like :meth:`SqliteStore.create_schema`."""
        await self._writer.call(self._store.create_schema)

    async def ping(self) -> None:
        """Like :meth:`SqliteStore.ping`."""
        await self._writer.call(self._store.ping)

    async def purge(self, limit: int = 1000) -> int:
        """Like :meth:`SqliteStore.purge`."""
        return await self._writer.call(self._store.purge, limit)

    async def close(self) -> None:
        """Like :meth:`SqliteStore.close`, and end the threads."""
        await self._writer.call(self._store.close)
        self._writer.end()
        self._reader.end()

    def __repr__(self) -> str:
        return f"<Async{repr(self._store)[1:]}"


class _Connection:
    """A connection that is opened when it is needed, used by one thread at a time, and closed when anything failed.

    Closing ends its transaction: that is the one way out of a change that raises, a full disk, an interrupt.
    """

    def __init__(self, path: str, synchronous: str, timeout: timedelta, lock: Any) -> None:
        self._path = path
        self._synchronous = synchronous
        self._timeout = timeout.total_seconds()
        self._db: sqlite3.Connection | None = None
        self._process = 0
        self.lock = lock

    def __enter__(self) -> "_Connection":
        if not self.lock.acquire(timeout=self._timeout):
            raise StoreContention(f"{self._path}: other threads kept it busy for {self._timeout} s")
        if self._db is None or self._process != os.getpid():
            try:
                self._open()
            except BaseException:
                self.close()
                self.lock.release()
                raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self.close()
        self.lock.release()

    def run(self, statement: str, *values: object) -> list[Any]:
        """Execute a statement, and return its rows."""
        if self._db is None:
            raise StoreError(
                f"{self._path}: closed in the middle of an update, by an update or a fork inside its change"
            )
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close it, if this process opened it."""
        if self._db is not None and self._process == os.getpid():
            with suppress(sqlite3.Error):
                self._db.rollback()
            self._db.close()
            self._db = None

    __del__ = close

    def _open(self) -> None:
        if self._db is not None:
            raise StoreError(
                f"{self._path}: opened before a fork that Python knew nothing of, and SQLite would lose updates here; "
                "open it afterwards (uWSGI: lazy-apps)"
            )
        try:
            _create(self._path)
            self._db = sqlite3.connect(self._path, self._timeout, isolation_level=None, check_same_thread=False)
            self._process = os.getpid()
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error
        if self.run("PRAGMA journal_mode = WAL") != [("wal",)]:
            raise StoreError(f"{self._path}: no write-ahead log can be kept beside it")
        for statement in (f"PRAGMA synchronous = {self._synchronous}", *SCHEMA):
            self.run(statement)

    def _failure(self, error: Exception) -> StoreError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            return StoreError(f"{self._path}: {error}")
        return StoreContention(
            f"{self._path}: locked for {self._timeout} s by another process, or by a transaction of the application: "
            "give the store a file of its own"
        )


class _Thread:
    """A thread that makes one call after the other, in the order in which tasks asked for them."""

    def __init__(self, timeout: timedelta) -> None:
        self._timeout = timeout.total_seconds()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    async def call(self, call: Callable[..., T], *arguments: object) -> T:
        """Make a call there, unless calls before it take too long."""
        if self._pool is None or self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(1, "smsmfa-sqlite"), os.getpid()
        due = time.monotonic() + self._timeout

        def run() -> tuple[T, None] | tuple[None, BaseException]:
            try:
                if time.monotonic() > due:
                    raise StoreContention(f"other tasks kept the store busy for {self._timeout} s")
                return call(*arguments), None
            except BaseException as error:
                return None, error  # asyncio puts errors of its own in the place of some

        value, error = await asyncio.get_running_loop().run_in_executor(self._pool, run)
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def end(self) -> None:
        """End the thread when it has made its calls."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None


def _checked_path(path: object) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise ConfigurationError("path: the path of a file, a str or a Path")
    if text in {"", ":memory:"}:
        raise ConfigurationError("path: a file; to keep records in memory there is MemoryStore")
    return os.path.realpath(text)


def _create(path: str) -> None:
    """Make an empty file for its owner only; SQLite gives what it makes beside it the same mode.

    It never opens a file that exists: closing it again would drop the locks that this process has on it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _until(entry: Entry) -> int | None:
    """Return the instant to which an entry is kept: never too early, so rounded up."""
    return None if entry.keep_for is None else math.ceil(time.time()) + entry.keep_for


# --- forks
#
# A connection must not cross a fork, not even unused: the child's SQLite would believe that it has the locks
# which only the parent has, and when the parent then closes its last connection it deletes the log into which
# the child goes on writing.

_guard = RLock()
_stores: WeakSet[SqliteStore] = WeakSet()
#: The lock on updates of each file that a store of this process has open.
_writing: WeakValueDictionary[str, Any] = WeakValueDictionary()
_held: list[SqliteStore] = []


def _before_fork() -> None:
    _guard.acquire()
    _held[:] = _stores
    for store in _held:
        store._hold()


def _after_fork() -> None:
    for store in _held:
        store._release()
    _held.clear()
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
