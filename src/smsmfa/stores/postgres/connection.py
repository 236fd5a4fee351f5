"""One connection during one operation: what is said on it, and what its failures mean."""

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

if TYPE_CHECKING:
    from .sql import Statement

#: Serialization failure, deadlock, lock or statement that took too long or was cancelled: by the server's word, the
#: transaction is rolled back.
_ROLLED_BACK = {"40001", "40P01", "55P03", "57014"}

#: What else PostgreSQL says that the operator can mend.
_HINTS = {
    "0A000": "this PostgreSQL is a standby; its records may be old",
    "42P01": "PostgreSQL has no such table: call create_schema()",
    "42501": "PostgreSQL forbids this user what the store needs: see its documentation",
}


class Undone(Exception):
    """What failed has changed nothing, and may be tried again.

    Args:
        error: what to raise when there is no time for that.
    """

    def __init__(self, error: StoreError) -> None:
        super().__init__(error)
        self.error = error


class Task:
    """What runs a :class:`Session`: nothing that can be cancelled."""

    @staticmethod
    def cancellations() -> int:
        """Return how often it was asked to end."""
        return 0


class AsyncTask:
    """The task that runs an :class:`AsyncSession`."""

    @staticmethod
    def cancellations() -> int:
        """Return how often it was asked to end."""
        task = current_task()
        return task.cancelling() if task else 0


class _Session:
    """What both kinds have in common.

    Args:
        connection: of a pool, with whatever settings.
        until: when the operation has to be done, by the monotonic clock.

    Raises:
        ConfigurationError: the server is none whose locks can be relied on.
        StoreError: a transaction of the application is open on it.
        Undone: it was closed.
    """

    _task: type[Task | AsyncTask]

    def __init__(self, connection: Any, until: float) -> None:
        check_connection(connection.pgconn)
        self._cancellations = self._task.cancellations()
        self._connection = connection
        self._until = until
        self._autocommit = connection.autocommit
        self._sound = False

    @property
    def time(self) -> int:
        """What is left for the server, in milliseconds; 0 would be for ever."""
        return max(1, math.ceil((self._until - monotonic()) * 1000))

    @property
    def _open(self) -> bool:
        """Whether a transaction has not ended."""
        return bool(self._connection.pgconn.transaction_status != TransactionStatus.IDLE)

    def _drop(self) -> None:
        """Close the connection, so that its pool opens another; ``close()`` may give it back to the pool instead."""
        self._connection.pgconn.finish()

    def _failure(self, error: Exception, commit: bool) -> BaseException:
        """Return what to raise for an error of the driver."""
        if self._task.cancellations() > self._cancellations:
            return CancelledError()  # psycopg cancels the statement, and may raise what comes of that instead
        pgconn = self._connection.pgconn
        self._sound = pgconn.status == ConnStatus.OK and pgconn.pipeline_status == PipelineStatus.OFF
        state = getattr(error, "sqlstate", None) or type(error).__name__
        if state in _ROLLED_BACK:
            return Undone(StoreContention(f"others kept PostgreSQL busy ({state}); nothing was changed here"))
        if self._sound:
            return StoreError(_HINTS.get(state, f"PostgreSQL failed ({state})"))
        if commit:
            return StoreError("PostgreSQL did not confirm what it did")
        return Undone(StoreError("the connection to PostgreSQL was lost"))


class Session(_Session):
    """A connection that is lent for one operation."""

    _task = Task

    def begin(self) -> None:
        """Have the connection begin no transaction of its own accord."""
        if not self._autocommit:
            self._connection.set_autocommit(True)
        self._sound = True

    def ask(self, *statements: Statement, commit: bool = False) -> list[RawCursor[Any]]:
        """Send statements in one round trip, and return a cursor for each.

        Args:
            statements: they are done in their order, up to the first that fails.
            commit: whether a COMMIT is among them that matters.

        Raises:
            Undone: nothing was changed; it may be tried again.
            StoreError: the server refused, or could not confirm what it did.
        """
        self._sound = False
        cursors = []
        try:
            with self._connection.pipeline():
                for text, values in statements:
                    cursor: RawCursor[Any] = RawCursor(self._connection, row_factory=tuple_row)
                    cursors.append(cursor.execute(text, values, binary=True))
        except Exception as error:
            if commit and cursors and cursors[-1].statusmessage == "COMMIT":
                return cursors  # the server had said so before the connection was lost
            first = _first(error)
            raise self._failure(first, commit) from first
        self._sound = True
        return cursors

    def end(self) -> None:
        """Leave the connection as it was found, without a transaction, or close it."""
        sound, self._sound = self._sound, False
        try:
            if sound and self._open:
                self._connection.rollback()
            if sound and not self._autocommit:
                self._connection.set_autocommit(False)
            self._sound = sound
        except psycopg.Error:
            pass  # what mattered was said before
        finally:
            if not self._sound:
                self._drop()


class AsyncSession(_Session):
    """:class:`Session` for asyncio. If its task is cancelled meanwhile, the connection is closed."""

    _task = AsyncTask

    async def begin(self) -> None:
        """Like :meth:`Session.begin`."""
        if not self._autocommit:
            await self._connection.set_autocommit(True)
        self._sound = True

    async def ask(self, *statements: Statement, commit: bool = False) -> list[AsyncRawCursor[Any]]:
        """Like :meth:`Session.ask`."""
        self._sound = False
        cursors = []
        try:
            async with self._connection.pipeline():
                for text, values in statements:
                    cursor: AsyncRawCursor[Any] = AsyncRawCursor(self._connection, row_factory=tuple_row)
                    cursors.append(await cursor.execute(text, values, binary=True))
        except Exception as error:
            if commit and cursors and cursors[-1].statusmessage == "COMMIT":
                return cursors  # the server had said so before the connection was lost
            first = _first(error)
            raise self._failure(first, commit) from first
        self._sound = True
        return cursors

    async def end(self) -> None:
        """Like :meth:`Session.end`."""
        sound, self._sound = self._sound, False
        try:
            if sound and self._open:
                await self._connection.rollback()
            if sound and not self._autocommit:
                await self._connection.set_autocommit(False)
            self._sound = sound
        except psycopg.Error:
            pass
        finally:
            if not self._sound:
                self._drop()


def check_connection(pgconn: Any) -> None:
    """Check a connection before anything is said on it.

    Raises:
        ConfigurationError: the server is none whose locks can be relied on.
        StoreError: a transaction of the application is open on it.
        Undone: it was closed.
    """
    if pgconn.transaction_status == TransactionStatus.UNKNOWN:
        raise Undone(StoreError("the connection to PostgreSQL was lost"))
    if pgconn.transaction_status != TransactionStatus.IDLE:
        raise StoreError(
            "the pool lent a connection on which a transaction is open; the store commits on its own, so give it a "
            "pool whose connections are idle"
        )
    version = pgconn.parameter_status(b"server_version") or b""
    if pgconn.parameter_status(b"crdb_version") or b"YB" in version:
        raise ConfigurationError("CockroachDB and YugabyteDB keep no advisory locks: updates would be lost")


def _first(error: Exception) -> Exception:
    """Return what failed first: what came after it in a pipeline was not done."""
    while isinstance(error, psycopg.errors.PipelineAborted) and isinstance(error.__context__, psycopg.Error):
        error = error.__context__
    return error
