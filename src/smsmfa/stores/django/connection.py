"""A connection of the store's own to a database of the project: one a thread, outside every transaction of others."""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from threading import RLock
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import Error, InterfaceError, OperationalError, connections

from ...exceptions import ConfigurationError, StoreError
from ..forks import close_before_forks
from .sql import STATEMENTS, Statements

#: How long an update may try, in seconds; the servers are told to wait as long for a lock.
PATIENCE = 5.0
#: Between two tries to get the lock of a SQLite file (seconds). SQLite itself waits longer each time, for up to 100 ms.
_PAUSE = 0.001

_SQLITE_BUSY = 5
#: Serialization failures, deadlocks and locks that were not granted, as PostgreSQL and as MySQL say it.
_CONTENTION = {"40001", "40P01", "55P03", 1205, 1213}


class Lost(Exception):
    """A transaction failed before its COMMIT was issued, and may be tried again; its cause is Django's error."""


class Connection:
    """What one thread says to one database. It is opened when it is needed, and again after anything went wrong.

    Outside a request it is closed after each use, or as late as the project's ``CONN_MAX_AGE`` says; in a request,
    at its end.

    Args:
        alias: the database, as the project's settings call it.
    """

    statements: Statements

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._wrapper: Any = None
        self._process = 0
        self._new = self._in_use = self._begun = self._committing = self._broken = False
        self.lock: Any = RLock()

    def __enter__(self) -> "Connection":
        self.lock.acquire()
        try:
            if self._in_use:
                raise StoreError("a change may not use its own store")
            self._check_surroundings()
            self._open()
        except BaseException:
            self.lock.release()
            raise
        self._in_use = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            if self._begun and not self._broken:
                self.roll_back()
        finally:  # whatever interrupts it, the next one finds it free, and new where it may not be at rest
            self._broken = self._broken or self._begun
            self._begun = self._in_use = self._committing = False
            try:
                self._tidy()
            finally:
                self.lock.release()

    def begin(self) -> None:
        """Begin a transaction."""
        self.run(self.statements.begin)
        self._begun = True

    def commit(self) -> None:
        """Commit it. From here on nothing is tried again.

        Raises:
            StoreError: whether it is committed is not known.
        """
        self._committing = True
        self.run("COMMIT")
        self._begun = False

    def roll_back(self) -> None:
        """End it without a change; if the database cannot be told, it notices that the connection is closed."""
        with suppress(StoreError, Lost):
            self.run("ROLLBACK")
            self._begun = False

    def run(self, statement: str, parameters: Sequence[object] | None = None) -> list[Any]:
        """Execute a statement, and return its rows.

        Raises:
            Lost: it failed, but it may be tried again from the beginning.
            StoreError: it failed.
        """
        due = 0.0
        while True:
            if self._wrapper is None:
                raise StoreError("a change may not fork")
            try:
                with self._wrapper.cursor() as cursor:
                    cursor.execute(statement, parameters)
                    return list(cursor.fetchall()) if cursor.description else []
            except Error as error:
                due = due or time.monotonic() + PATIENCE
                if not _is_busy(error) or time.monotonic() >= due:
                    raise self._failure(error) from error
            except BaseException:
                self._broken = True  # an answer may still be on its way
                raise
            time.sleep(_PAUSE)

    def drop(self) -> None:
        """Close it. What was inherited from a parent process is kept and left alone: the parent is using it."""
        wrapper, self._wrapper, self._broken = self._wrapper, None, False
        if wrapper is not None and self._process != os.getpid():
            _inherited.append(wrapper)
        elif wrapper is not None:
            with suppress(Exception):
                wrapper._close()

    __del__ = drop

    def let_go(self) -> None:
        """Close it if it is too old, or was found to be of no use."""
        with self.lock:
            if self._wrapper is not None and self._process == os.getpid():
                self._wrapper.close_if_unusable_or_obsolete()
                if self._wrapper.connection is None:
                    self._wrapper = None

    def _tidy(self) -> None:
        if self._broken:
            self.drop()
        if not _thread.in_request:
            self.let_go()

    def _check_surroundings(self) -> None:
        if any(getattr(block, "_from_testcase", False) for block in connections[self.alias].atomic_blocks):
            raise ConfigurationError(
                "a Django TestCase rolls back what its own connection wrote, and DjangoStore commits on another: "
                "in tests use MemoryStore, or a TransactionTestCase"
            )

    def _open(self) -> None:
        if self._wrapper is not None and self._process != os.getpid():
            if self._wrapper.vendor == "sqlite":
                raise StoreError(
                    f"{self.alias}: it was open during a fork that Python knew nothing of, and SQLite would lose "
                    "updates now; use the store after the fork (uWSGI: lazy-apps)"
                )
            self.drop()
        if self._broken:
            self.drop()
        self._new = self._wrapper is None
        if self._wrapper is not None:
            return
        wrapper = _copied(self.alias)
        self.statements = STATEMENTS[wrapper.vendor]
        try:
            wrapper.ensure_connection()
            self._wrapper, self._process = wrapper, os.getpid()
        except Error as error:
            raise self._failure(error) from error
        for statement in self.statements.opening:
            self.run(statement)

    def _failure(self, error: Error) -> StoreError | Lost:
        said = f"{self.alias}: {str(error).partition(chr(10))[0]}"
        if _is_busy(error):
            return Lost(
                f"{said} for {PATIENCE:.0f} s, by another process or by a transaction of the application in this very "
                "thread; give the app smsmfa a file of its own, by a database router"
            )
        if _is_contention(error) and not self._committing:
            return Lost(said)
        self._broken = True
        if self._committing:
            return StoreError(f"{said}; whether the update was made is not known")
        if isinstance(error, OperationalError | InterfaceError) and not self._new:
            return Lost(said)  # the server closed it while it was idle
        return StoreError(said)


def connection_to(alias: str) -> Connection:
    """Return this thread's connection to a database."""
    found = _thread.connections.get(alias)
    if found is None:
        found = Connection(alias)
        if connections[alias].vendor == "sqlite":
            close_before_forks(found)
        _thread.connections[alias] = found
    return found


def close_all() -> None:
    """Close this thread's connections; they are opened again when they are used again."""
    for connection in _thread.connections.values():
        with connection.lock:
            connection.drop()


def _copied(alias: str) -> Any:
    """Return Django's wrapper for a second connection to a database.

    Raises:
        ConfigurationError: that cannot be, or cannot be made safe.
    """
    routed: Any = connections[alias]
    if routed.vendor not in STATEMENTS:
        raise ConfigurationError(f"{alias}: PostgreSQL, MySQL, MariaDB or SQLite; not {routed.display_name}")
    if routed.vendor == "sqlite" and routed.is_in_memory_db():
        raise ConfigurationError(
            f"{alias}: a SQLite database in memory has one connection, and DjangoStore needs another: use MemoryStore, "
            'or give the tests a file (DATABASES: "TEST": {"NAME": "..."})'
        )
    settings = routed.settings_dict
    options = dict(settings["OPTIONS"])
    if routed.vendor == "mysql":
        options["isolation_level"] = "read committed"
    elif routed.vendor == "sqlite":
        options["timeout"] = 0
    options.pop("prepare_threshold", None)  # a transaction begins with two statements in one, which cannot be prepared
    kind: Any = type(routed)
    own = {**settings, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "OPTIONS": options}
    wrapper = _quiet(kind, os.getpid())(own, alias)
    wrapper.inc_thread_sharing()  # so that a fork in another thread may close it
    return wrapper


@cache
def _quiet(kind: Any, process: int) -> Any:
    """Return a class of connections that log no values, with pools that it shares with no other class and process."""
    return type(kind.__name__, (kind,), {"queries_logged": False, "_connection_pools": {}})


def _is_busy(error: Error) -> bool:
    """Whether a statement did nothing because another process has the lock of a SQLite file."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == _SQLITE_BUSY


def _is_contention(error: Error) -> bool:
    codes = {getattr(error.__cause__, "sqlstate", None), *error.args[:1]}
    return not _CONTENTION.isdisjoint(codes)


# --- threads and requests


class _Thread(threading.local):
    """What a thread has."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.in_request = False


_thread = _Thread()
_inherited: list[Any] = []


def _turn(in_request: bool) -> None:
    _thread.in_request = in_request
    for connection in _thread.connections.values():
        connection.let_go()


def _request_begins(**_: object) -> None:
    _turn(True)


def _request_ends(**_: object) -> None:
    _turn(False)


request_started.connect(_request_begins)
request_finished.connect(_request_ends)
