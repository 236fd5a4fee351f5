"""Keep records in MariaDB, MySQL, PostgreSQL or SQLite, through SQLAlchemy: ``pip install "smsmfa[sqlalchemy]"``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ...exceptions import StoreError
from ...typing import Change, Entry
from ..tables import as_text
from ..writes import check_write
from .connection import Connection
from .pool import AsyncDriver, Driver, Pool
from .sql import schema

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["AsyncSqlAlchemyStore", "SqlAlchemyStore", "schema"]

T = TypeVar("T")


class SqlAlchemyStore:
    """Keeps records in one table of MariaDB, MySQL, PostgreSQL or SQLite.

    An update is one transaction: it locks its keys, whether they exist or not, reads them, runs the change, writes and
    commits. The store opens connections like the engine's in its own pool, so it is never part of your application's
    transactions. See :doc:`/how-to/stores/sqlalchemy`.

    Args:
        engine: an ``Engine``, whose pool is a ``QueuePool`` or a ``NullPool``.
        table: the name of the table, or its schema and its name: ``"schema.table"``.

    Raises:
        ConfigurationError: an argument is wrong. At the first use: the table has other columns, has no transactions,
            loses its rows in a crash or makes different keys equal, or a power cut may destroy the SQLite file. Whether
            a server waits for its disk is not checked.
    """

    def __init__(self, engine: Engine, *, table: str = "smsmfa_entries") -> None:
        self._records = Records(Pool(Driver.engine(engine), table, Driver.sleep))

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the database failed, or is a replica, whose records may be old.
        """
        return Driver.call(self._records.read, key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it returns, and return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or something other than an entry; nothing is changed.
            StoreContention: others held the same keys for 5 seconds, or used all connections; nothing is changed.
            StoreError: the database failed, or did not confirm the commit.
        """
        outcome: T = Driver.call(self._records.update, keys, change)
        return outcome

    def create_schema(self) -> None:
        """Create the table and its index if they are missing. Any number of processes may call this at once.

        Raises:
            ConfigurationError: there is a table of this name that the store cannot use.
            StoreError: the database failed.
        """
        Driver.call(self._records.create_schema)

    def ping(self) -> None:
        """Check the table, then lock a key and roll back.

        Raises:
            ConfigurationError: the store cannot use the table or the database.
            StoreError: updates are not possible now.
        """
        Driver.call(self._records.ping)

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction, and return their number.

        Args:
            limit: how many entries to delete at most. Locked rows are skipped.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the database failed.
        """
        return Driver.call(self._records.purge, limit)

    def close(self) -> None:
        """Close the store's own connections. A later operation opens new ones. Your engine stays open."""
        Driver.call(self._records.pool.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._records!r}>"


class AsyncSqlAlchemyStore:
    """:class:`SqlAlchemyStore` for asyncio.

    Args:
        engine: an ``AsyncEngine``.
        table: as for :class:`SqlAlchemyStore`.
    """

    def __init__(self, engine: AsyncEngine, *, table: str = "smsmfa_entries") -> None:
        self._records = Records(Pool(AsyncDriver.engine(engine), table, AsyncDriver.sleep))

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`SqlAlchemyStore.read`."""
        return await AsyncDriver.call(self._records.read, key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`SqlAlchemyStore.update`. A task that is cancelled has changed all its keys or none."""
        outcome: T = await AsyncDriver.call(self._records.update, keys, change)
        return outcome

    async def create_schema(self) -> None:
        """Like :meth:`SqlAlchemyStore.create_schema`."""
        await AsyncDriver.call(self._records.create_schema)

    async def ping(self) -> None:
        """Like :meth:`SqlAlchemyStore.ping`."""
        await AsyncDriver.call(self._records.ping)

    async def purge(self, limit: int = 1000) -> int:
        """Like :meth:`SqlAlchemyStore.purge`."""
        return await AsyncDriver.call(self._records.purge, limit)

    async def close(self) -> None:
        """Like :meth:`SqlAlchemyStore.close`. Await it before the event loop ends."""
        await AsyncDriver.call(self._records.pool.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._records!r}>"


class Records:
    """The operations of both stores, as synchronous code.

    Args:
        pool: where connections come from.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._checked = False

    def read(self, key: str) -> bytes | None:
        """Return a value."""
        sql = self.pool.sql

        def work(connection: Connection) -> bytes | None:
            [(stale, value)] = connection.execute(sql.read(key))
            if stale:
                raise StoreError(f"this {sql.database} is a replica or read-only; its records may be old")
            return None if value is None else bytes(value)

        return self._run(work)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run an update."""
        keys = list(keys)
        sql = self.pool.sql

        def work(connection: Connection) -> T:
            connection.begin()
            connection.execute_all(sql.lock(keys))
            rows = connection.execute_all(sql.select(keys))
            values = {as_text(key): bytes(value) for key, value in rows if value is not None}
            written, outcome = change(values)
            writes = _checked(written, keys)
            if writes:
                self._write(connection, [key for key in keys if key not in values], writes)
                connection.commit()
            return outcome

        return self._run(work)

    def create_schema(self) -> None:
        """Create the table and its index if they are missing."""

        def work(connection: Connection) -> None:
            connection.begin()
            connection.create(self.pool.sql.table)
            connection.commit()

        self._check()
        self.pool.run(work)

    def ping(self) -> None:
        """Check the table, and whether updates are possible."""
        self._check()
        self.update(["ping"], lambda _: ({}, None))

    def purge(self, limit: int) -> int:
        """Delete expired entries."""
        if limit < 1:
            raise ValueError("limit: at least 1")

        def work(connection: Connection) -> int:
            connection.begin()
            keys = [as_text(key) for (key,) in connection.execute(self.pool.sql.expired(limit))]
            connection.execute_all(self.pool.sql.delete(keys))
            connection.commit()
            return len(keys)

        return self._run(work)

    def __repr__(self) -> str:
        return f"{self.pool.sql.table} of {self.pool.sql.database}"

    def _run(self, work: Callable[[Connection], T]) -> T:
        if not self._checked:
            self._check()
        return self.pool.run(work)

    def _check(self) -> None:
        """Check the table. While it is absent, it is checked again at each use."""
        self._checked = False
        self._checked = self.pool.run(lambda connection: self.pool.sql.check(connection.execute))

    def _write(self, connection: Connection, absent: Sequence[str], writes: Mapping[str, Entry | None]) -> None:
        """Write entries, and delete keys, among them the rows that existed only to be locked."""
        sql = self.pool.sql
        entries = {key: entry for key, entry in writes.items() if entry is not None}
        deleted = [key for key, entry in writes.items() if entry is None]
        connection.execute_all(
            sql.delete([*deleted, *(key for key in absent if sql.lock_template and key not in writes)])
        )
        connection.execute_all(sql.write(entries))


def _checked(written: Mapping[str, Entry | None], keys: Sequence[str]) -> dict[str, Entry | None]:
    """Return the writes of a change, checked before any of them is sent."""
    writes = dict(written)
    for key, entry in writes.items():
        check_write(key, entry, keys)
    return writes
