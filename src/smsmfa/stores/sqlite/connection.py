"""A connection to a SQLite file. Threads share it in turn, and it is closed before every fork."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import starmap
from threading import RLock
from typing import Any, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from ...exceptions import StoreContention, StoreError
from ..forks import close_before_forks, no_fork
from .sql import SCHEMA

T = TypeVar("T")

#: A function that uses a connection.
Work: TypeAlias = Callable[[sqlite3.Connection], T]

#: The pause between two tries to get the lock of the file (seconds). SQLite's own busy handler waits longer each time,
#: up to 100 ms: if eight processes are busy, one of them then gets no turn for seconds.
_PAUSE = 0.001


class Connection:
    """Opens when it is needed, serves one thread at a time, and closes after any failure.

    Closing rolls back its transaction: the only way out after a change that raises, a full disk or an interrupt.

    Args:
        path: the absolute path of the file. If the file is absent, it is created with its table.
        synchronous: SQLite's setting for when to wait for the disk.
        timeout: how long to wait for other threads, and then again for other processes.
        lock: the lock by which threads take turns.
    """

    def __init__(self, path: str, synchronous: str, timeout: timedelta, lock: Any) -> None:
        self._path = path
        self._synchronous = synchronous
        self._timeout = timeout.total_seconds()
        self._process = 0
        self._db: sqlite3.Connection | None = None
        self._failed = False
        self.lock = lock
        close_before_forks(self)

    def run(self, work: Work[T], instead: "Connection | None" = None) -> T:
        """Run ``work`` on this connection and return its result. If another thread has this one, use ``instead``.

        Raises:
            StoreContention: other threads used the connection for too long.
            StoreError: the file cannot be opened, or SQLite failed.
        """
        locked = False
        try:
            # Python handles interrupts between calls; with starmap() none fits between acquire() and the assignment.
            [locked] = starmap(self.lock.acquire, [(False,) if instead else (True, self._timeout)])
            if locked:
                return self._run(work)
        finally:
            if locked:
                self.lock.release()
        if instead:
            return instead.run(work)
        raise self._noted(StoreContention(f"other threads kept the store busy for {self._timeout} s"))

    def execute(self, db: sqlite3.Connection, statement: str, *values: object) -> list[Any]:
        """Execute a statement outside a transaction, once the file is not locked, and return its rows.

        Raises:
            sqlite3.Error: the file stayed locked, or SQLite failed in another way.
        """
        due = 0.0
        while True:
            try:
                return db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                due = due or time.monotonic() + self._timeout
                if not _is_busy(error) or time.monotonic() >= due:
                    raise
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Close the connection once its user has finished. The next user opens it again."""
        with self.lock:
            self.drop()

    def drop(self) -> None:
        """Close the connection at once, unless another process opened it: closing would release its locks there."""
        if self._db is not None and self._process == os.getpid():
            with suppress(sqlite3.Error):
                self._db.rollback()
            db, self._db = self._db, None
            db.close()

    __del__ = drop

    def _run(self, work: Work[T]) -> T:
        db = self._db
        try:
            if db is None or self._failed or self._process != os.getpid():
                db = self._open()
            return work(db)
        except BaseException as error:
            failure = self._failure(error, lost=self._db is not db)
            self._failed = True  # if an interrupt prevents drop(), the next user closes the connection
            self.drop()
            if failure is None:
                raise
            raise failure from error

    def _open(self) -> sqlite3.Connection:
        self.drop()
        if self._db is not None:
            raise self._noted(
                StoreError(
                    "the file was open during a fork that Python did not see, so SQLite would now lose updates; use "
                    "the store only after the fork (uWSGI: lazy-apps)"
                )
            )
        try:
            _create(self._path)
        except OSError as error:
            raise self._noted(StoreError(f"SQLite: {error.strerror}")) from error
        self._process = os.getpid()
        self._db = db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        self._failed = False
        if self.execute(db, "PRAGMA journal_mode = WAL") != [("wal",)]:
            raise self._noted(StoreError("SQLite cannot keep a write-ahead log there; put the file on a local disk"))
        for statement in (f"PRAGMA synchronous = {self._synchronous}", *SCHEMA):
            self.execute(db, statement)
        return db

    def _failure(self, error: BaseException, *, lost: bool) -> StoreError | None:
        """Return what to raise for an error of SQLite, or ``None`` for any other error."""
        if not isinstance(error, sqlite3.Error):
            return None
        if lost and isinstance(error, sqlite3.ProgrammingError):
            return StoreError("a change must neither update nor close its own store, nor fork")
        if not _is_busy(error):
            return self._noted(StoreError(f"SQLite: {error}"))
        return self._noted(
            StoreContention(
                f"the SQLite file was locked for {self._timeout} s, by another process or by a transaction of the "
                "application; give the store a file of its own"
            )
        )

    def _noted(self, error: StoreError) -> StoreError:
        """Note the file for tracebacks. The text, which may reach a visitor, does not name it."""
        error.add_note(f"the file is {self._path}")
        return error


def _is_busy(error: BaseException) -> bool:
    """Return whether a statement did nothing because another process holds a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _create(path: str) -> None:
    """Create an empty file that only its owner can use. SQLite gives its other files the same mode.

    An existing file is not opened: closing it again would release the locks that this process has on it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


_locks: WeakValueDictionary[str, Any] = WeakValueDictionary()


def lock_of(path: str) -> Any:
    """Return the lock by which all stores of this process take turns to write to a file."""
    with no_fork:
        return _locks.setdefault(path, RLock())
