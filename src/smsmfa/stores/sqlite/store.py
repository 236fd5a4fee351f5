"""A store in a SQLite file. It outlives the process, and serves the threads and processes of one machine."""

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
from ..writes import DEADLINE, check_write
from . import sql
from .connection import Connection, lock_of

__all__ = ["AsyncSqliteStore", "SqliteStore"]

T = TypeVar("T")

_LONGEST_TIMEOUT = timedelta(hours=1)


class SqliteStore:
    """Keeps records in its own SQLite file, which is created with its table at the first use.

    Threads may share a store, and any number of processes may open the same file. A store has two connections. The
    updates of a process take turns on one of them. While that one is in use, reads use the other, so a read never waits
    for an update.

    Args:
        path: the path of the file. Its directory must exist, on a local disk: network file systems do not keep locks.
            Only the owner of a new file can read and write it.
        synchronous: with ``"FULL"``, an acknowledged update survives a power cut. With ``"NORMAL"``, it survives the
            end of its process, but a power cut may undo the last updates: a used code is then valid again, and a wrong
            guess is not counted.
        timeout: how long an operation waits for other threads, and then again for other processes. At most an hour.

    Raises:
        ConfigurationError: an argument is invalid.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        timeout: timedelta = timedelta(seconds=DEADLINE),
    ) -> None:
        if synchronous not in ("FULL", "NORMAL"):
            raise ConfigurationError('synchronous: "FULL" or "NORMAL"; with "OFF" the whole file could be lost')
        if not isinstance(timeout, timedelta) or not timedelta(0) < timeout <= _LONGEST_TIMEOUT:
            raise ConfigurationError("timeout: a timedelta above zero and at most an hour")
        self._path = _checked_path(path)
        self._writer = Connection(self._path, synchronous, timeout, lock_of(self._path))
        self._reader = Connection(self._path, synchronous, timeout, RLock())

    def read(self, key: str) -> bytes | None:
        """Return the value of ``key``, or ``None`` if there is none.

        Raises:
            StoreError: the file cannot be read.
        """
        writer = self._writer  # preferred while nobody updates, because it caches what it wrote
        rows = writer.run(lambda db: writer.execute(db, sql.READ, key), instead=self._reader)
        return rows[0][0] if rows else None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store its writes in one transaction, return its outcome.

        Raises:
            ValueError: ``change`` wrote a key outside ``keys``, or an invalid entry. Nothing is stored.
            StoreContention: the file stayed locked. Nothing is stored.
            StoreError: the file cannot be read or written.
        """

        def work(db: sqlite3.Connection) -> T:
            self._writer.execute(db, sql.BEGIN)
            values = dict(db.execute(sql.read_many(len(keys)), keys).fetchall())
            writes, outcome = change(values)
            for key, entry in writes.items():
                check_write(key, entry, keys)
            for key, entry in writes.items():
                if entry is None:
                    db.execute(sql.DELETE, (key,))
                else:
                    db.execute(sql.WRITE, (key, entry.value, _expiry(entry)))
            db.execute(sql.COMMIT)
            return outcome

        return self._writer.run(work)

    def create_schema(self) -> None:
        """Create the file and its table if they are absent. The first operation would do so too; this fails earlier.

        Raises:
            StoreError: the file cannot be created or written.
        """
        self.ping()

    def ping(self) -> None:
        """Check that the store works, by an update that changes nothing.

        Raises:
            StoreError: an update would fail now.
        """
        self.update((), lambda _: ({}, None))

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries in one transaction, oldest first, and return how many were deleted.

        Args:
            limit: the largest number of entries to delete. Updates wait during a purge, so prefer several calls to a
                larger limit.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the file cannot be written.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")

        def work(db: sqlite3.Connection) -> int:
            self._writer.execute(db, sql.PURGE, time.time(), limit)
            return int(db.execute(sql.CHANGES).fetchone()[0])

        return self._writer.run(work)

    def close(self) -> None:
        """Close both connections after the current operations. A later operation opens them again."""
        self._writer.close()
        self._reader.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._path}>"


class AsyncSqliteStore:
    """:class:`SqliteStore` for asyncio, with the same arguments.

    Updates run in one thread and reads in another, so the event loop never waits. If a task is cancelled before its
    update has begun, the update is not made. An update that has begun is finished: it stores all its writes or none.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        timeout: timedelta = timedelta(seconds=DEADLINE),
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
        """Like :meth:`SqliteStore.close`. It also ends the threads."""
        await self._writer.call(self._store.close)
        self._writer.end()
        self._reader.end()

    def __repr__(self) -> str:
        return f"<Async{repr(self._store)[1:]}"


def _checked_path(path: object) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise ConfigurationError("path: the path of a file, as str or Path")
    if text in {"", ":memory:"}:
        raise ConfigurationError("path: the path of a file; to keep records in memory use MemoryStore")
    return os.path.realpath(text)


def _expiry(entry: Entry) -> int | None:
    """Return when an entry expires, in seconds since the epoch, rounded up so that it never expires early."""
    return None if entry.keep_for is None else math.ceil(time.time()) + entry.keep_for
