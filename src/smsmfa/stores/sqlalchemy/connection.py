"""One connection during one attempt: it executes statements, and interprets errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from sqlalchemy.engine import Connection as DriverConnection

from ...exceptions import StoreContention, StoreError
from ..failures import described
from ..retries import Undone
from .sql import Sql, Statement

T = TypeVar("T")

#: The pause before a statement that had no effect is executed again (seconds).
PAUSE = 0.001
#: Where SQLAlchemy keeps, for each connection, whether a transaction is open.
BEGUN = "smsmfa: begun"


class Connection:
    """A connection borrowed from the store's pool.

    Args:
        driver: SQLAlchemy's connection. :meth:`end` returns it.
        sql: the statements for its database.
        until: when to give up, by the monotonic clock (seconds).
        sleep: how to wait.
    """

    def __init__(self, driver: DriverConnection, sql: Sql, until: float, sleep: Callable[[float], None]) -> None:
        self._driver = driver
        self._info = driver.info
        self._sql = sql
        self._until = until
        self._sleep = sleep
        self._begun = self._committing = self._broken = False

    def execute(self, statement: Statement) -> Sequence[Any]:
        """Execute a statement, and return its rows.

        Raises:
            Undone: it failed, and nothing is changed.
            StoreError: it failed in another way.
        """
        return self._call(self._execute, statement)

    def execute_all(self, statements: Iterable[Statement]) -> Sequence[Any]:
        """Execute several statements, and return the rows of all."""
        return [row for statement in statements for row in self.execute(statement)]

    def begin(self) -> None:
        """Begin a transaction."""
        self._begun = self._info[BEGUN] = True
        self.execute_all(self._sql.begin)

    def commit(self) -> None:
        """Commit. A failure is final.

        Raises:
            StoreError: the outcome of the commit is unknown.
        """
        self._committing = True
        self._call(self._sql.commit, self._driver)
        self._begun = self._info[BEGUN] = False

    def create(self, table: Any) -> None:
        """Create a table and its indexes if they are missing. The lock for this ends with the connection."""
        self._broken = True
        self.execute_all(self._sql.create)
        self._call(table.create, self._driver, True)
        for index in table.indexes:
            self._call(index.create, self._driver, True)

    def end(self) -> None:
        """End the transaction, and return the connection or close it."""
        with suppress(Exception):
            self._roll_back()
        self.release()

    def release(self) -> None:
        """Return the connection. The pool closes it if a transaction is open."""
        with suppress(Exception):
            self._driver.close()

    def _roll_back(self) -> None:
        try:
            if self._begun and not self._broken and not self._driver.invalidated:
                self._sql.rollback(self._driver)
                self._info[BEGUN] = False
        except Exception:
            self._broken = True
        if self._broken:
            self._driver.invalidate()

    def _execute(self, statement: Statement) -> Sequence[Any]:
        result = self._driver.execute(*statement)
        return result.fetchall() if result.returns_rows else ()

    def _call(self, call: Callable[..., T], *arguments: object) -> T:
        while True:
            try:
                return call(*arguments)
            except Exception as error:
                if not self._sql.had_no_effect(cause_of(error)) or time.monotonic() >= self._until:
                    self._fail(error)
            self._sleep(PAUSE)

    def _fail(self, error: Exception) -> NoReturn:
        """Raise the error that the store promises, from the driver's: SQLAlchemy's own contains the values."""
        cause = cause_of(error)
        said = f"{self._sql.database}: {described(cause, self._sql.code(cause), self._sql.table)}"
        if self._committing:
            self._broken = True
            raise StoreError(f"it is not known whether the update was stored; {said}") from cause
        if self._sql.code(cause) in self._sql.contention:
            raise Undone(StoreContention(said)) from cause
        self._broken = True
        if getattr(error, "connection_invalidated", False):
            raise Undone(StoreError(said)) from cause
        raise StoreError(said) from cause


def cause_of(error: BaseException) -> BaseException:
    """Return the driver's error."""
    return getattr(error, "orig", None) or error
