"""The pool of a store on SQLAlchemy: its own connections, and the loop that tries operations again."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection as DriverConnection
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.pool.base import reset_none
from sqlalchemy.util import await_only, greenlet_spawn

from ...exceptions import ConfigurationError, StoreContention, StoreError
from ..failures import described
from ..retries import Undone
from ..writes import DEADLINE
from .connection import BEGUN, PAUSE, Connection, cause_of
from .dialects import sql_for
from .sql import Sql

T = TypeVar("T")

#: The longest pause between two attempts at an operation (seconds). The first pause is ``PAUSE``.
_LONGEST_PAUSE = 0.05
#: The logger that would show the values of rows if the application logs the statements of its own engines.
_LOGGER = "sqlalchemy.engine.Engine.smsmfa"
_WHY = "the store needs its own connections, whose transactions only it ends"


class Driver:
    """Runs operations in threads."""

    @staticmethod
    def sleep(seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    @staticmethod
    def call(work: Callable[..., T], *arguments: object) -> T:
        """Call a function."""
        return work(*arguments)

    @staticmethod
    def engine(engine: object) -> Engine:
        """Return an engine of the right kind.

        Raises:
            ConfigurationError: it is something else.
        """
        if isinstance(engine, AsyncEngine) or (isinstance(engine, Engine) and engine.dialect.is_async):
            raise ConfigurationError("engine: this one is for asyncio; use AsyncSqlAlchemyStore")
        if not isinstance(engine, Engine):
            raise ConfigurationError(
                f"engine: pass an Engine from create_engine(), not a {type(engine).__name__}: {_WHY}"
            )
        return engine


class AsyncDriver:
    """Runs operations in tasks. SQLAlchemy calls the synchronous code in a greenlet, so the event loop goes on."""

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
            raise ConfigurationError("engine: this one is for threads; use SqlAlchemyStore, or create_async_engine()")
        if not isinstance(engine, AsyncEngine):
            raise ConfigurationError(
                f"engine: pass an AsyncEngine from create_async_engine(), not a {type(engine).__name__}: {_WHY}"
            )
        return engine.sync_engine


class Pool:
    """Connections like the application engine's, in the store's own pool.

    They have the isolation level that the store needs, and are there even if the application uses all of its own.

    Args:
        engine: the application's engine.
        table: the table's name.
        sleep: how to wait.

    Raises:
        ConfigurationError: the engine's pool shares one connection, or the database is unknown.
    """

    def __init__(self, engine: Engine, table: str, sleep: Callable[[float], None]) -> None:
        self.sql: Sql = sql_for(engine.dialect, table)
        if not isinstance(engine.pool, QueuePool | NullPool):
            raise ConfigurationError(
                f"engine: its {type(engine.pool).__name__} shares one connection; create the engine with "
                "poolclass=QueuePool or NullPool, and for SQLite with a file"
            )
        logging.getLogger(_LOGGER).setLevel(logging.WARNING)
        self._source = engine
        self._sleep = sleep
        #: By process. A parent's engine is kept, so that its connections are not closed by the garbage collector.
        self._engines: dict[int, Engine] = {}

    def run(self, work: Callable[[Connection], T]) -> T:
        """Return the outcome of an operation. It is tried again if it failed without changing anything.

        Raises:
            StoreContention: other transactions were in the way for 5 seconds, or the pool had no connection.
            StoreError: the database failed.
        """
        until, pause, lost = time.monotonic() + DEADLINE, PAUSE, 0
        while True:
            try:
                return self._try(work, until)
            except Undone as failed:
                lost += not isinstance(failed.error, StoreContention)  # SQLAlchemy also discards the older connections
                if lost > 1 or time.monotonic() >= until:
                    raise failed.error from failed.__cause__
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Close the connections of this process."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def _try(self, work: Callable[[Connection], T], until: float) -> T:
        connection = Connection(self._connect(), self.sql, until, self._sleep)
        try:
            return work(connection)
        finally:
            try:
                connection.end()
            except BaseException:  # an interrupt
                connection.release()
                raise

    def _connect(self) -> DriverConnection:
        engine = self._engines.get(os.getpid()) or self._engines.setdefault(os.getpid(), self._opened())
        try:
            return engine.connect()
        except PoolTimeoutError as error:
            raise StoreContention("all connections in the store's pool stayed in use") from error
        except Exception as error:
            cause = cause_of(error)
            said = described(cause, self.sql.code(cause), self.sql.table)
            raise StoreError(f"no connection to {self.sql.database}: {said}") from cause

    def _opened(self) -> Engine:
        if self.sql.database == "SQLite" and any(process != os.getpid() for process in [*self._engines]):
            raise StoreError(
                "the store was in use during a fork, after which SQLite would lose updates: before the fork, close the "
                "store and dispose of the engine; or use SqliteStore"
            )
        pool: Any = self._source.pool.recreate()
        pool._reset_on_return = reset_none  # the store ends its transactions itself: saves a round trip
        pool._pre_ping = False  # a dead connection costs another attempt instead: saves a round trip
        event.listen(pool, "connect", self._prepare)  # after the listeners of the application and of SQLAlchemy
        event.listen(pool, "reset", _invalidate_in_transaction)
        return Engine(pool, self._source.dialect, self._source.url, logging_name="smsmfa", hide_parameters=True)

    def _prepare(self, driver: Any, record: object) -> None:
        self.sql.prepare(self._source.dialect, driver)


def _invalidate_in_transaction(_: object, record: Any, state: object) -> None:
    """Keep out of the pool a connection whose transaction was interrupted before it ended."""
    if record is not None and record.info.get(BEGUN):
        record.invalidate()
