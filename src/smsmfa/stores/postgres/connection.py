"""One connection during one operation: it sends statements, interprets errors, and leaves everything as it was."""

from __future__ import annotations

import math
from asyncio import CancelledError, current_task
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncRawCursor, RawCursor
from psycopg.pq import ConnStatus, PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from ...exceptions import ConfigurationError, StoreContention, StoreError
from ..retries import Undone

if TYPE_CHECKING:
    from .sql import Statement

#: After these the server has rolled the transaction back: a serialization failure, a deadlock, a lock that was not
#: granted, a statement that took too long or was cancelled.
_ROLLED_BACK = {"40001", "40P01", "55P03", "57014"}

#: Other errors of PostgreSQL that the operator can fix.
_HINTS = {
    "0A000": "this PostgreSQL is a standby; its records may be old",
    "42P01": "PostgreSQL has no such table: call create_schema()",
    "42501": "PostgreSQL denies this user a privilege that the store needs; its documentation lists them",
}


class Runner:
    """The thread that runs a :class:`Connection`. It cannot be cancelled."""

    @staticmethod
    def cancellations() -> int:
        """Return how often it was cancelled."""
        return 0


class AsyncRunner:
    """The task that runs an :class:`AsyncConnection`."""

    @staticmethod
    def cancellations() -> int:
        """Return how often the current task was cancelled."""
        task = current_task()
        return task.cancelling() if task else 0


class _Connection:
    """What both kinds have in common.

    Args:
        driver: a connection from a pool, with any settings.
        until: when the operation must be done, by the monotonic clock (seconds).

    Raises:
        ConfigurationError: the server has no locks that the store can rely on.
        StoreError: the application has a transaction open on the connection.
        Undone: the connection was closed.
    """

    _runner: type[Runner | AsyncRunner]

    def __init__(self, driver: Any, until: float) -> None:
        check_connection(driver.pgconn)
        self._cancellations = self._runner.cancellations()
        self._driver = driver
        self._until = until
        self._autocommit = driver.autocommit
        self._sound = False

    @property
    def time(self) -> int:
        """The milliseconds left for the server. At least 1, because 0 would mean forever."""
        return max(1, math.ceil((self._until - monotonic()) * 1000))

    @property
    def _in_transaction(self) -> bool:
        return bool(self._driver.pgconn.transaction_status != TransactionStatus.IDLE)

    def _drop(self) -> None:
        """Close the connection itself: the driver's ``close()`` may only return it to the pool."""
        self._driver.pgconn.finish()

    def _failure(self, error: Exception, commit: bool) -> BaseException:
        """Return what to raise for an error of the driver."""
        if self._runner.cancellations() > self._cancellations:
            return CancelledError()  # psycopg cancels the statement, and may raise the server's answer instead
        pgconn = self._driver.pgconn
        self._sound = pgconn.status == ConnStatus.OK and pgconn.pipeline_status == PipelineStatus.OFF
        state = getattr(error, "sqlstate", None) or type(error).__name__
        if state in _ROLLED_BACK:
            return Undone(StoreContention(f"other transactions kept PostgreSQL busy ({state}); nothing was changed"))
        if self._sound:
            return StoreError(_HINTS.get(state, f"PostgreSQL failed ({state})"))
        if commit:
            return StoreError("PostgreSQL did not confirm the commit")
        return Undone(StoreError("the connection to PostgreSQL was lost"))


class Connection(_Connection):
    """A connection borrowed from the pool for one operation."""

    _runner = Runner

    def begin(self) -> None:
        """Stop the driver from beginning transactions by itself."""
        if not self._autocommit:
            self._driver.set_autocommit(True)
        self._sound = True

    def execute(self, *statements: Statement, commit: bool = False) -> list[RawCursor[Any]]:
        """Execute statements in one round trip, and return a cursor for each.

        Args:
            statements: executed in order, up to the first that fails.
            commit: whether the last of them is a COMMIT whose loss would leave the outcome unknown.

        Raises:
            Undone: nothing was changed, so the operation may be tried again.
            StoreError: the server refused, or did not confirm the commit.
        """
        self._sound = False
        cursors = []
        try:
            with self._driver.pipeline():
                for text, values in statements:
                    cursor: RawCursor[Any] = RawCursor(self._driver, row_factory=tuple_row)
                    cursors.append(cursor.execute(text, values, binary=True))
        except Exception as error:
            if commit and cursors and cursors[-1].statusmessage == "COMMIT":
                return cursors  # the server had confirmed it before the connection was lost
            first = _first(error)
            raise self._failure(first, commit) from first
        self._sound = True
        return cursors

    def end(self) -> None:
        """Leave the connection as it was, without a transaction, or close it."""
        sound, self._sound = self._sound, False
        try:
            if sound and self._in_transaction:
                self._driver.rollback()
            if sound and not self._autocommit:
                self._driver.set_autocommit(False)
            self._sound = sound
        except psycopg.Error:
            pass  # the operation's own outcome counts
        finally:
            if not self._sound:
                self._drop()


class AsyncConnection(_Connection):
    """:class:`Connection` for asyncio. It is closed if its task is cancelled during an operation."""

    _runner = AsyncRunner

    async def begin(self) -> None:
        """Like :meth:`Connection.begin`."""
        if not self._autocommit:
            await self._driver.set_autocommit(True)
        self._sound = True

    async def execute(self, *statements: Statement, commit: bool = False) -> list[AsyncRawCursor[Any]]:
        """Like :meth:`Connection.execute`."""
        self._sound = False
        cursors = []
        try:
            async with self._driver.pipeline():
                for text, values in statements:
                    cursor: AsyncRawCursor[Any] = AsyncRawCursor(self._driver, row_factory=tuple_row)
                    cursors.append(await cursor.execute(text, values, binary=True))
        except Exception as error:
            if commit and cursors and cursors[-1].statusmessage == "COMMIT":
                return cursors  # the server had confirmed it before the connection was lost
            first = _first(error)
            raise self._failure(first, commit) from first
        self._sound = True
        return cursors

    async def end(self) -> None:
        """Like :meth:`Connection.end`."""
        sound, self._sound = self._sound, False
        try:
            if sound and self._in_transaction:
                await self._driver.rollback()
            if sound and not self._autocommit:
                await self._driver.set_autocommit(False)
            self._sound = sound
        except psycopg.Error:
            pass  # the operation's own outcome counts
        finally:
            if not self._sound:
                self._drop()


def check_connection(pgconn: Any) -> None:
    """Check a connection before anything is sent on it.

    Raises:
        ConfigurationError: the server has no locks that the store can rely on.
        StoreError: the application has a transaction open on the connection.
        Undone: the connection was closed.
    """
    if pgconn.transaction_status == TransactionStatus.UNKNOWN:
        raise Undone(StoreError("the connection to PostgreSQL was lost"))
    if pgconn.transaction_status != TransactionStatus.IDLE:
        raise StoreError(
            "the pool returned a connection with an open transaction; the store commits by itself, so give it a pool "
            "whose connections are idle"
        )
    version = pgconn.parameter_status(b"server_version") or b""
    if pgconn.parameter_status(b"crdb_version") or b"YB" in version:
        raise ConfigurationError(
            "CockroachDB and YugabyteDB have no working advisory locks, so updates would be lost: use PostgreSQL"
        )


def _first(error: Exception) -> Exception:
    """Return the error of the first statement that failed. The later ones in a pipeline only say PipelineAborted."""
    while isinstance(error, psycopg.errors.PipelineAborted) and isinstance(error.__context__, psycopg.Error):
        error = error.__context__
    return error
