"""The connections of a store on SQLAlchemy: its own, and what is said on one during one operation."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.pool.base import reset_none
from sqlalchemy.util import await_only, greenlet_spawn

from ...exceptions import ConfigurationError, StoreContention, StoreError
from .dialects import sql_for
from .sql import Sql, Statement

T = TypeVar("T")

#: How long an operation tries again (seconds).
_DEADLINE = 5.0
#: Between two tries of a statement that did nothing, and at most between two tries of an operation (seconds).
_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
#: Where SQLAlchemy would log the values of rows, if the application logs what its own engines do.
_LOGGER = "sqlalchemy.engine.Engine.smsmfa"
#: In the notes of a connection: whether a transaction is under way.
_BEGUN = "smsmfa: begun"
_WHY = "the store needs connections of its own, whose transactions end when it says so"


class Driver:
    """Threads."""

    @staticmethod
    def sleep(seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    @staticmethod
    def call(work: Callable[..., T], *arguments: object) -> T:
        """Do some work."""
        return work(*arguments)

    @staticmethod
    def engine(engine: object) -> Engine:
        """Return an engine of the right kind.

        Raises:
            ConfigurationError: it is none.
        """
        if isinstance(engine, AsyncEngine) or (isinstance(engine, Engine) and engine.dialect.is_async):
            raise ConfigurationError("engine: it is one for asyncio; use AsyncSqlAlchemyStore")
        if not isinstance(engine, Engine):
            raise ConfigurationError(
                f"engine: an Engine, as create_engine() returns it, and no {type(engine).__name__}: {_WHY}"
            )
        return engine


class AsyncDriver:
    """Tasks. SQLAlchemy runs the plain text in a greenlet, and the event loop meanwhile."""

    @staticmethod
    def sleep(seconds: float) -> None:
        """Like :meth:`Driver.sleep`; called inside :meth:`call`."""
        await_only(asyncio.sleep(seconds))

    @staticmethod
    async def call(work: Callable[..., T], *arguments: object) -> T:
        """Like :meth:`Driver.call`."""
        return await greenlet_spawn(work, *arguments)

    @staticmethod
    def engine(engine: object) -> Engine:
        """Like :meth:`Driver.engine`."""
        if isinstance(engine, Engine):
            raise ConfigurationError("engine: it is one for threads; use SqlAlchemyStore, or create_async_engine()")
        if not isinstance(engine, AsyncEngine):
            raise ConfigurationError(
                f"engine: an AsyncEngine, as create_async_engine() returns it, and no {type(engine).__name__}: {_WHY}"
            )
        return engine.sync_engine


class Undone(Exception):
    """What failed has changed nothing, and may be tried again.

    Args:
        error: what to raise when there is no time for that.
    """

    def __init__(self, error: StoreError) -> None:
        super().__init__(error)
        self.error = error


class Link:
    """Connections like those of the application's engine, in a pool of the store's own.

    So they have the isolation level that it needs, from the beginning, and are there when the application's are all in
    use by who waits for the store.

    Args:
        engine: the application's.
        table: the table's name.
        sleep: waits.

    Raises:
        ConfigurationError: the pool shares a connection, or the database is not known.
    """

    def __init__(self, engine: Engine, table: str, sleep: Callable[[float], None]) -> None:
        self.sql: Sql = sql_for(engine.dialect, table)
        if not isinstance(engine.pool, QueuePool | NullPool):
            raise ConfigurationError(
                f"engine: its {type(engine.pool).__name__} gives one connection to several at a time; make the engine "
                "with poolclass=QueuePool or NullPool, and of a file where the database is SQLite"
            )
        logging.getLogger(_LOGGER).setLevel(logging.WARNING)
        self._source = engine
        self._sleep = sleep
        #: By process. Those of a parent are kept, so that nobody closes its connections.
        self._engines: dict[int, Engine] = {}

    def run(self, work: Callable[[Session], T]) -> T:
        """Return what comes of some work on a connection; it is done again if it failed and has changed nothing.

        Raises:
            StoreContention: it was in the way of others for 5 seconds, or the pool had no connection.
            StoreError: the database failed.
        """
        until, pause, lost = time.monotonic() + _DEADLINE, _PAUSE, 0
        while True:
            try:
                return self._try(work, until)
            except Undone as failed:
                lost += not isinstance(failed.error, StoreContention)  # the pool has no other connection as old
                if lost > 1 or time.monotonic() >= until:
                    raise failed.error from failed.__cause__
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Close the connections of this process."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def _try(self, work: Callable[[Session], T], until: float) -> T:
        session = Session(self._connect(), self.sql, until, self._sleep)
        try:
            return work(session)
        finally:
            try:
                session.end()
            except BaseException:  # an interrupt
                session.give_back()
                raise

    def _connect(self) -> Connection:
        engine = self._engines.get(os.getpid()) or self._engines.setdefault(os.getpid(), self._opened())
        try:
            return engine.connect()
        except PoolTimeoutError as error:
            raise StoreContention("all connections of the store's pool stayed in use") from error
        except Exception as error:
            raise StoreError(f"no connection to {self.sql.database}: {_said(_cause(error))}") from _cause(error)

    def _opened(self) -> Engine:
        if self.sql.database == "SQLite" and any(process != os.getpid() for process in [*self._engines]):
            raise StoreError(
                "the store was in use during a fork, and SQLite would lose updates now: close it before, and dispose "
                "of the engine; or use SqliteStore"
            )
        pool: Any = self._source.pool.recreate()
        pool._reset_on_return = reset_none  # what it takes back is at rest: a round trip less
        pool._pre_ping = False  # a connection that turns out to be dead costs another try: a round trip less
        event.listen(pool, "connect", self._prepare)  # after whatever the application and SQLAlchemy do
        event.listen(pool, "reset", _close_in_transaction)
        return Engine(pool, self._source.dialect, self._source.url, logging_name="smsmfa", hide_parameters=True)

    def _prepare(self, connection: Any, record: object) -> None:
        self.sql.prepare(self._source.dialect, connection)


class Session:
    """One connection during one try.

    Args:
        connection: to be given back by :meth:`end`.
        sql: what is said.
        until: when to give up, by the monotonic clock.
        sleep: waits.
    """

    def __init__(self, connection: Connection, sql: Sql, until: float, sleep: Callable[[float], None]) -> None:
        self._connection = connection
        self._info = connection.info
        self._sql = sql
        self._until = until
        self._sleep = sleep
        self._begun = self._committing = self._broken = False

    def ask(self, statement: Statement) -> Sequence[Any]:
        """Execute a statement, and return its rows.

        Raises:
            Undone: it failed, and nothing is changed.
            StoreError: it failed in another way.
        """
        return self._call(self._execute, statement)

    def ask_all(self, statements: Iterable[Statement]) -> Sequence[Any]:
        """Execute statements, and return the rows of them all."""
        return [row for statement in statements for row in self.ask(statement)]

    def begin(self) -> None:
        """Begin a transaction."""
        self._begun = self._info[_BEGUN] = True
        self.ask_all(self._sql.begin)

    def commit(self) -> None:
        """Commit. What comes of it is final.

        Raises:
            StoreError: whether it did is not known.
        """
        self._committing = True
        self._call(self._sql.commit, self._connection)
        self._begun = self._info[_BEGUN] = False

    def make(self, table: Any) -> None:
        """Make a table and its indexes, but for what is there. Whatever lock that takes ends with the connection."""
        self._broken = True
        self.ask_all(self._sql.making)
        self._call(table.create, self._connection, True)
        for index in table.indexes:
            self._call(index.create, self._connection, True)

    def end(self) -> None:
        """Give the connection back at rest, or closed."""
        with suppress(Exception):
            self._calm()
        self.give_back()

    def give_back(self) -> None:
        """Give the connection back; it is closed where a transaction is under way."""
        with suppress(Exception):
            self._connection.close()

    def _calm(self) -> None:
        try:
            if self._begun and not self._broken and not self._connection.invalidated:
                self._sql.rollback(self._connection)
                self._info[_BEGUN] = False
        except Exception:
            self._broken = True
        if self._broken:
            self._connection.invalidate()

    def _execute(self, statement: Statement) -> Sequence[Any]:
        result = self._connection.execute(*statement)
        return result.fetchall() if result.returns_rows else ()

    def _call(self, call: Callable[..., T], *arguments: object) -> T:
        while True:
            try:
                return call(*arguments)
            except Exception as error:
                if not self._sql.did_nothing(_cause(error)) or time.monotonic() >= self._until:
                    self._fail(error)
            self._sleep(_PAUSE)

    def _fail(self, error: Exception) -> NoReturn:
        """Say what a failure means. The driver's error takes the place of SQLAlchemy's, which has the values in it."""
        cause = _cause(error)
        said = f"{self._sql.database}: {_said(cause)}"
        if self._committing:
            self._broken = True
            raise StoreError(f"whether it was stored is not known; {said}") from cause
        if self._sql.code(cause) in self._sql.contention:
            raise Undone(StoreContention(said)) from cause
        self._broken = True
        if getattr(error, "connection_invalidated", False):
            raise Undone(StoreError(said)) from cause
        raise StoreError(said) from cause


def _close_in_transaction(_: object, record: Any, state: object) -> None:
    """Let no connection into the pool whose transaction did not end, because something interrupted what ends it."""
    if record is not None and record.info.get(_BEGUN):
        record.invalidate()


def _cause(error: BaseException) -> BaseException:
    """Return the driver's error."""
    return getattr(error, "orig", None) or error


def _said(error: BaseException) -> str:
    """Return what an error says in its first line; further ones may show a row."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
