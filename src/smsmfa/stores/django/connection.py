"""The store's own connections to the project's databases: one for each thread, outside the models' transactions."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from threading import RLock
from typing import Any, TypeVar

from django.core.signals import request_finished, request_started
from django.db import Error, InterfaceError, OperationalError, connections

from ...exceptions import ConfigurationError, StoreContention, StoreError
from ..failures import described
from ..forks import close_before_forks
from ..retries import Undone
from ..writes import DEADLINE
from .sql import SQL, TABLE, Sql
from .stand_in import in_tests

T = TypeVar("T")

#: The pause between two attempts to lock a SQLite file (seconds). SQLite's own pauses grow to 100 ms.
_PAUSE = 0.001

_SQLITE_BUSY = 5
#: Serialization failures, deadlocks and locks that were not granted, in the codes of PostgreSQL and of MySQL.
_CONTENTION = {"40001", "40P01", "55P03", 1205, 1213}


class Connection:
    """One thread's connection to one database. It is opened when it is used, and again after a failure.

    In a request it is closed at the end of the request, otherwise after each use, or later if the project's
    ``CONN_MAX_AGE`` says so.

    Args:
        alias: the name of the database in the project's settings.
    """

    sql: Sql

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
                raise StoreError("a change must not use its own store")
            self._open()
        except BaseException:
            self.lock.release()
            raise
        self._in_use = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            if self._begun and not self._broken:
                self.rollback()
        finally:  # after an interrupt too, the connection is free, and a new one is opened if a transaction is open
            self._broken = self._broken or self._begun
            self._begun = self._in_use = self._committing = False
            try:
                self._tidy()
            finally:
                self.lock.release()

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute(self.sql.begin)
        self._begun = True

    def commit(self) -> None:
        """Commit. A failure is final.

        Raises:
            StoreError: the outcome of the commit is unknown.
        """
        self._committing = True
        self.execute("COMMIT")
        self._begun = False

    def rollback(self) -> None:
        """Roll back. If this fails, the connection will be closed, which the database notices."""
        with suppress(StoreError, Undone):
            self.execute("ROLLBACK")
            self._begun = False

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> list[Any]:
        """Execute a statement, and return its rows.

        Raises:
            Undone: it failed, and nothing is changed.
            StoreError: it failed in another way.
        """
        due = 0.0
        while True:
            if self._wrapper is None:
                raise StoreError("a change must not fork")
            try:
                with self._wrapper.cursor() as cursor:
                    cursor.execute(statement, parameters)
                    return list(cursor.fetchall()) if cursor.description else []
            except Error as error:
                due = due or time.monotonic() + DEADLINE
                if not _is_busy(error) or time.monotonic() >= due:
                    raise self._failure(error) from error
            except BaseException:
                self._broken = True  # an answer may still arrive
                raise
            time.sleep(_PAUSE)

    def drop(self) -> None:
        """Close the connection. A connection of a parent process is kept open, because the parent uses it."""
        wrapper, self._wrapper, self._broken = self._wrapper, None, False
        if wrapper is not None and self._process != os.getpid():
            _inherited.append(wrapper)
        elif wrapper is not None:
            with suppress(Exception):
                wrapper._close()

    __del__ = drop

    def release(self) -> None:
        """Close the connection if it is too old or unusable."""
        with self.lock:
            if self._wrapper is not None and self._process == os.getpid():
                self._wrapper.close_if_unusable_or_obsolete()
                if self._wrapper.connection is None:
                    self._wrapper = None

    def _tidy(self) -> None:
        if self._broken:
            self.drop()
        if not _thread.in_request:
            self.release()

    def _open(self) -> None:
        if self._wrapper is not None and self._process != os.getpid():
            if self._wrapper.vendor == "sqlite":
                raise StoreError(
                    f"{self.alias}: it was open during a fork that Python did not see, after which SQLite would lose "
                    "updates: use the store only after the fork (uWSGI: lazy-apps)"
                )
            self.drop()
        if self._broken or self._moved():
            self.drop()
        self._new = self._wrapper is None
        if self._wrapper is not None:
            return
        wrapper = _copied(self.alias)
        self.sql = SQL[wrapper.vendor]
        try:
            wrapper.ensure_connection()
            self._wrapper, self._process = wrapper, os.getpid()
        except Error as error:
            raise self._failure(error) from error
        for statement in self.sql.opening:
            self.execute(statement)

    def _moved(self) -> bool:
        """Whether the alias has another database since: a test runner replaces it by its own."""
        return self._wrapper is not None and (
            self._wrapper.settings_dict["NAME"] != connections[self.alias].settings_dict["NAME"]
        )

    def _failure(self, error: Error) -> StoreError | Undone:
        said = f"{self.alias}: {described(error.__cause__ or error, _code(error), TABLE)}"
        if _is_busy(error):
            return Undone(
                StoreContention(
                    f"{said} for {DEADLINE:.0f} s, by another process or by your application's transaction in this "
                    "thread; use a database router to give the app smsmfa a file of its own"
                )
            )
        if _is_contention(error) and not self._committing:
            return Undone(StoreContention(said))
        self._broken = True
        if self._committing:
            return StoreError(f"{said}; it is not known whether the update was stored")
        if isinstance(error, OperationalError | InterfaceError) and not self._new:
            return Undone(StoreContention(said))  # the server closed it while it was idle
        return StoreError(said)


def run(route: Callable[[], str], work: Callable[[Connection], T]) -> T:
    """Return the outcome of an operation. It is tried again if it failed without changing anything.

    Args:
        route: returns the alias of the database for an attempt.
        work: the operation.

    Raises:
        StoreContention: it failed so for 5 seconds.
        StoreError: the database failed.
    """
    until = time.monotonic() + DEADLINE
    while True:
        try:
            with connection_to(route()) as connection:
                return work(connection)
        except Undone as failed:
            if time.monotonic() >= until:
                raise failed.error from failed.__cause__


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
    """Close this thread's connections. They are opened again when they are used."""
    for connection in _thread.connections.values():
        with connection.lock:
            connection.drop()


def _copied(alias: str) -> Any:
    """Return Django's wrapper for a second connection to a database.

    Raises:
        ConfigurationError: the database cannot have a second one, or the store does not support it.
    """
    routed: Any = connections[alias]
    if routed.vendor not in SQL:
        raise ConfigurationError(f"{alias}: use PostgreSQL, MySQL, MariaDB or SQLite, not {routed.display_name}")
    if routed.vendor == "sqlite" and routed.is_in_memory_db():
        raise ConfigurationError(
            f"{alias}: a SQLite database in memory has only one connection, and DjangoStore needs another: use "
            'MemoryStore, or give the tests a file (DATABASES: "TEST": {"NAME": "..."})'
        )
    settings = routed.settings_dict
    options = dict(settings["OPTIONS"])
    if routed.vendor == "mysql":
        options["isolation_level"] = "read committed"
    elif routed.vendor == "sqlite":
        options["timeout"] = 0
    options.pop("prepare_threshold", None)  # `begin` is two statements in one, which cannot be prepared
    kind: Any = type(routed)
    own = {**settings, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "OPTIONS": options}
    if in_tests():  # an open connection would keep the runner from dropping the database
        options.pop("pool", None)
        own["CONN_MAX_AGE"] = 0
    wrapper = _quiet(kind, os.getpid())(own, alias)
    wrapper.inc_thread_sharing()  # so that a fork in another thread may close it
    return wrapper


@cache
def _quiet(kind: Any, process: int) -> Any:
    """Return a class of wrappers that log no values, and whose pools no other class or process shares."""
    return type(kind.__name__, (kind,), {"queries_logged": False, "_connection_pools": {}})


def _is_busy(error: Error) -> bool:
    """Whether a statement had no effect because another connection has locked the SQLite file."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == _SQLITE_BUSY


def _is_contention(error: Error) -> bool:
    return _code(error) in _CONTENTION


def _code(error: Error) -> object:
    """Return MySQL's number of an error, or its SQLSTATE. MySQL's own SQLSTATE says less."""
    number = (*error.args, None)[0]
    return number if isinstance(number, int) else getattr(error.__cause__, "sqlstate", None)


# --- threads and requests


class _Thread(threading.local):
    """What each thread has."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.in_request = False


_thread = _Thread()
_inherited: list[Any] = []


def _switch(in_request: bool) -> None:
    _thread.in_request = in_request
    for connection in _thread.connections.values():
        connection.release()


def _request_begins(**_: object) -> None:
    _switch(True)


def _request_ends(**_: object) -> None:
    _switch(False)


request_started.connect(_request_begins)
request_finished.connect(_request_ends)
