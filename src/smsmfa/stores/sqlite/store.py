"""A store in a SQLite file: it survives the process, and serves the threads and processes of one machine."""

import math
import os
import sqlite3
import time
from collections.abc import Sequence
from datetime import timedelta
from threading import RLock
from typing import Literal, TypeVar

from ...exceptions import ConfigurationError
from ...typing import Change, Entry
from ..worker import Worker
from ..writes import check_write
from .connection import Connection, lock_of

__all__ = ["AsyncSqliteStore", "SqliteStore"]

T = TypeVar("T")

_READ = "SELECT value FROM smsmfa WHERE key = ?"
_VALUES = "SELECT key, value FROM smsmfa WHERE key IN "
_WRITE = (
    "INSERT INTO smsmfa (key, value, expires) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_DELETE = "DELETE FROM smsmfa WHERE key = ?"
_PURGE = "DELETE FROM smsmfa WHERE key IN (SELECT key FROM smsmfa WHERE expires < ? ORDER BY expires LIMIT ?)"

_LONGEST = timedelta(hours=1)


class SqliteStore:
    """Keeps records in a file of its own, which is made with its table when it is first used.

    Threads may share a store, and any number of processes may open the same file. A store has two connections:
    the updates of a process take turns on one, and reads go by the other while it is in use, so that they wait for
    no update.

    Args:
        path: the file. Its directory has to exist, on a local disk: network file systems do not keep locks. A
            new file can be read and written by its owner only.
        synchronous: ``"FULL"``: an update that was acknowledged survives a power cut. ``"NORMAL"``: it survives
            the end of its process, but a power cut may undo the last ones: a used code is then good again, and
            a wrong guess is not counted.
        timeout: how long an operation waits for other threads, and then as long for other processes; at most
            an hour.

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
        if synchronous not in ("FULL", "NORMAL"):
            raise ConfigurationError('synchronous: "FULL" or "NORMAL"; OFF may lose the whole file')
        if not isinstance(timeout, timedelta) or not timedelta(0) < timeout <= _LONGEST:
            raise ConfigurationError("timeout: a timedelta above zero and of at most an hour")
        self._path = _checked_path(path)
        self._writer = Connection(self._path, synchronous, timeout, lock_of(self._path))
        self._reader = Connection(self._path, synchronous, timeout, RLock())

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the file cannot be read.
        """
        writer = self._writer  # while nobody updates: it has in memory what it wrote
        rows = writer.use(lambda db: writer.ask(db, _READ, key), instead=self._reader)
        return rows[0][0] if rows else None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys`` and store what it says, in one transaction.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreContention: the file stayed locked; nothing is changed.
            StoreError: the file cannot be read or written.
        """

        def work(db: sqlite3.Connection) -> T:
            self._writer.ask(db, "BEGIN IMMEDIATE")  # a deferred one fails as soon as another process writes
            execute = db.execute
            values = dict(execute(_VALUES + f"({','.join('?' * len(keys))})", keys).fetchall())
            writes, outcome = change(values)
            for key, entry in writes.items():
                check_write(key, entry, keys)
            for key, entry in writes.items():
                if entry is None:
                    execute(_DELETE, (key,))
                else:
                    execute(_WRITE, (key, entry.value, _until(entry)))
            execute("COMMIT")
            return outcome

        return self._writer.use(work)

    def create_schema(self) -> None:
        """Make the file and its table, if they are absent, as the first operation would; it shows early what is wrong.

        Raises:
            StoreError: that cannot be done.
        """
        self.ping()

    def ping(self) -> None:
        """Begin and end an update of nothing.

        Raises:
            StoreError: no update can be made now.
        """
        self.update((), lambda _: ({}, None))

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction; return how many it was.

        Args:
            limit: how many at most. Updates wait meanwhile, so call it again rather than with a larger one.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the file cannot be written.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")

        def work(db: sqlite3.Connection) -> int:
            self._writer.ask(db, _PURGE, time.time(), limit)
            return int(db.execute("SELECT changes()").fetchone()[0])

        return self._writer.use(work)

    def close(self) -> None:
        """Close both connections when the operations under way have ended. A later operation opens them again."""
        self._writer.close()
        self._reader.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._path}>"


class AsyncSqliteStore:
    """:class:`SqliteStore` for asyncio, with the same arguments.

    Updates take turns in a thread of its own and reads in another, so the loop never waits. An update whose task
    is cancelled before its turn is not made; one that has begun is made, all of it or nothing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._store = SqliteStore(path, synchronous=synchronous, timeout=timeout)
        self._writer, self._reader = Worker(timeout), Worker(timeout)

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


def _checked_path(path: object) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise ConfigurationError("path: the path of a file, a str or a Path")
    if text in {"", ":memory:"}:
        raise ConfigurationError("path: a file; to keep records in memory there is MemoryStore")
    return os.path.realpath(text)


def _until(entry: Entry) -> int | None:
    """Return the instant to which an entry is kept, rounded up: nothing is forgotten early."""
    return None if entry.keep_for is None else math.ceil(time.time()) + entry.keep_for
