"""A connection to a SQLite file that threads share by turns, and that no fork takes along."""

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

T = TypeVar("T")

#: What is done with a connection.
Work: TypeAlias = Callable[[sqlite3.Connection], T]

#: ``expires``: seconds since the epoch, or NULL: never. The index holds only what may be purged one day.
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS smsmfa (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS smsmfa_expires ON smsmfa (expires) WHERE expires IS NOT NULL",
)
#: Between two tries to get the file's lock (seconds). SQLite's own busy handler waits longer each time, for up to
#: 100 ms: of eight busy processes one then gets no turn for seconds.
_PAUSE = 0.001


class Connection:
    """Opened when it is needed, used by one thread at a time, and closed when anything failed.

    Closing ends its transaction: that is the one way out of a change that raises, a full disk, an interrupt.

    Args:
        path: the file, absolute; made with its table if it is absent.
        synchronous: SQLite's word for when it waits for the disk.
        timeout: how long to wait for the lock, and how long SQLite then waits for other processes.
        lock: what its users take turns by.
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

    def use(self, work: Work[T], instead: "Connection | None" = None) -> T:
        """Return what some work on it returns, in turn; while others use this one, on ``instead``.

        Raises:
            StoreContention: others used it for too long.
            StoreError: it cannot be opened, or failed.
        """
        taken = False
        try:
            # An interrupt may come after any call, so after that of acquire too; here nothing comes before its name.
            [taken] = starmap(self.lock.acquire, [(False,) if instead else (True, self._timeout)])
            if taken:
                return self._use(work)
        finally:
            if taken:
                self.lock.release()
        if instead:
            return instead.use(work)
        raise StoreContention(f"{self._path}: other threads kept it busy for {self._timeout} s")

    def ask(self, db: sqlite3.Connection, statement: str, *values: object) -> list[Any]:
        """Execute a statement outside a transaction, as soon as the file is not locked, and return its rows.

        Raises:
            sqlite3.Error: it stayed locked, or SQLite failed in another way.
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
        """Close it when its user has done; the next one opens it again."""
        with self.lock:
            self.drop()

    def drop(self) -> None:
        """Close it at once, unless another process opened it: closing would drop locks there."""
        if self._db is not None and self._process == os.getpid():
            with suppress(sqlite3.Error):
                self._db.rollback()
            db, self._db = self._db, None
            db.close()

    __del__ = drop

    def _use(self, work: Work[T]) -> T:
        db = self._db
        try:
            if db is None or self._failed or self._process != os.getpid():
                db = self._open()
            return work(db)
        except BaseException as error:
            failure = self._failure(error, lost=self._db is not db)
            self._failed = True  # if an interrupt keeps it from being closed now, its next user closes it
            self.drop()
            if failure is None:
                raise
            raise failure from error

    def _open(self) -> sqlite3.Connection:
        self.drop()
        if self._db is not None:
            raise StoreError(
                f"{self._path}: it was open during a fork that Python knew nothing of, and SQLite would lose updates "
                "now; open it after the fork (uWSGI: lazy-apps)"
            )
        try:
            _create(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: {error}") from error
        self._process = os.getpid()
        self._db = db = sqlite3.connect(self._path, 0, isolation_level=None, check_same_thread=False)
        self._failed = False
        if self.ask(db, "PRAGMA journal_mode = WAL") != [("wal",)]:
            raise StoreError(f"{self._path}: SQLite cannot keep a write-ahead log there")
        for statement in (f"PRAGMA synchronous = {self._synchronous}", *SCHEMA):
            self.ask(db, statement)
        return db

    def _failure(self, error: BaseException, *, lost: bool) -> StoreError | None:
        """Return what an error of SQLite's is to the outside; ``None``: it is another's."""
        if not isinstance(error, sqlite3.Error):
            return None
        if lost and isinstance(error, sqlite3.ProgrammingError):
            return StoreError(f"{self._path}: a change may neither update or close this store nor fork")
        if not _is_busy(error):
            return StoreError(f"{self._path}: {error}")
        return StoreContention(
            f"{self._path}: locked for {self._timeout} s, by another process or by a transaction of the application; "
            "a store needs a file of its own"
        )


def _is_busy(error: BaseException) -> bool:
    """Whether a statement did nothing, because another process holds a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _create(path: str) -> None:
    """Make an empty file for its owner only; SQLite gives the files beside it the same mode.

    A file that exists is not opened: closing it again would drop the locks that this process has on it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


_locks: WeakValueDictionary[str, Any] = WeakValueDictionary()


def lock_of(path: str) -> Any:
    """Return the lock by which all stores of this process take turns to write to a file."""
    with no_fork:
        return _locks.setdefault(path, RLock())
