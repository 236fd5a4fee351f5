"""Keep records in PostgreSQL (12 or later): ``pip install "smsmfa[postgres]"``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ...exceptions import StoreError
from ...typing import Change, Entry
from ..tables import as_text, check_postgres
from ..writes import check_write
from .pool import AsyncPool, AsyncWork, Pool, Work
from .sql import Sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from .connection import AsyncConnection, Connection

__all__ = ["AsyncPostgresStore", "PostgresStore", "schema"]

T = TypeVar("T")


class PostgresStore:
    """Keeps records in one table, on connections from the application's pool.

    An update is a transaction in two round trips. The first locks the keys, whether they exist or not, and reads them.
    Then the change runs. The second round trip writes and commits. See :doc:`/how-to/stores/postgres`.

    Args:
        pool: a ``psycopg_pool.ConnectionPool`` with any settings. It must be open when the store is used. Each
            operation takes one connection. After a fork the store opens a copy of the pool.
        table: the name of the table, or its schema and its name: ``"schema.table"``.

    Raises:
        ConfigurationError: an argument is wrong. At the first use: the server is not PostgreSQL, or the table has other
            columns, loses its rows in a crash, or makes different keys equal.
    """

    def __init__(self, pool: ConnectionPool[Any], *, table: str = "smsmfa") -> None:
        self._sql = Sql(table)
        self._pool = Pool(pool)
        self._checked = False

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the server failed, or is a standby, whose records may be old.
        """

        def work(connection: Connection) -> bytes | None:
            _, cursor = connection.execute(*self._sql.read(key, connection.time))
            return _value(cursor.fetchall())

        return self._run(work)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it returns, and return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or something other than an entry; nothing is changed.
            StoreContention: others held the same keys for 5 seconds; nothing is changed.
            StoreError: the server failed, or did not confirm the commit.
        """
        keys = list(keys)

        def work(connection: Connection) -> T:
            cursors = connection.execute(*self._sql.begin(keys, connection.time))
            writes, outcome = _decide(cursors[-1].fetchall(), keys, change)
            connection.execute(*self._sql.end(writes), commit=True)
            return outcome

        return self._run(work)

    def create_schema(self) -> None:
        """Create the table and its index if they are missing. Any number of processes may call this at once.

        Raises:
            ConfigurationError: there is a table of this name that the store cannot use.
            StoreError: the server failed.
        """

        def work(connection: Connection) -> None:
            connection.execute(*self._sql.create(connection.time))

        self._check()
        self._pool.run(work)

    def ping(self) -> None:
        """Check the table, then begin and end an update without keys.

        Raises:
            ConfigurationError: the store cannot use the table.
            StoreError: updates are not possible now.
        """
        self._check()
        self.update((), lambda _: ({}, None))

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction, and return their number.

        Args:
            limit: how many entries to delete at most. Locked rows are skipped.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the server failed.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")

        def work(connection: Connection) -> int:
            cursors = connection.execute(*self._sql.purge(limit, connection.time), commit=True)
            return cursors[-2].rowcount

        return self._run(work)

    def close(self) -> None:
        """Close the pool that the store opened after a fork. Close your own pool yourself."""
        self._pool.close()

    def _run(self, work: Work[T]) -> T:
        if not self._checked:
            self._check()
        return self._pool.run(work)

    def _check(self) -> None:
        """Check the table. While it is absent, it is checked again at each use."""

        def work(connection: Connection) -> bool:
            _, cursor = connection.execute(*self._sql.columns(connection.time))
            return check_postgres("PostgresStore", self._sql.table, cursor.fetchall())

        self._checked = False
        self._checked = self._pool.run(work)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._sql.table}>"


class AsyncPostgresStore:
    """:class:`PostgresStore` for asyncio.

    Args:
        pool: a ``psycopg_pool.AsyncConnectionPool``.
        table: as for :class:`PostgresStore`.
    """

    def __init__(self, pool: AsyncConnectionPool[Any], *, table: str = "smsmfa") -> None:
        self._sql = Sql(table)
        self._pool = AsyncPool(pool)
        self._checked = False

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`PostgresStore.read`."""

        async def work(connection: AsyncConnection) -> bytes | None:
            _, cursor = await connection.execute(*self._sql.read(key, connection.time))
            return _value(await cursor.fetchall())

        return await self._run(work)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`PostgresStore.update`. A task that is cancelled has changed all its keys or none."""
        keys = list(keys)

        async def work(connection: AsyncConnection) -> T:
            cursors = await connection.execute(*self._sql.begin(keys, connection.time))
            writes, outcome = _decide(await cursors[-1].fetchall(), keys, change)
            await connection.execute(*self._sql.end(writes), commit=True)
            return outcome

        return await self._run(work)

    async def create_schema(self) -> None:
        """Like :meth:`PostgresStore.create_schema`."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(*self._sql.create(connection.time))

        await self._check()
        await self._pool.run(work)

    async def ping(self) -> None:
        """Like :meth:`PostgresStore.ping`."""
        await self._check()
        await self.update((), lambda _: ({}, None))

    async def purge(self, limit: int = 1000) -> int:
        """Like :meth:`PostgresStore.purge`."""
        if limit < 1:
            raise ValueError("limit: at least 1")

        async def work(connection: AsyncConnection) -> int:
            cursors = await connection.execute(*self._sql.purge(limit, connection.time), commit=True)
            return cursors[-2].rowcount

        return await self._run(work)

    async def close(self) -> None:
        """Like :meth:`PostgresStore.close`."""
        await self._pool.close()

    async def _run(self, work: AsyncWork[T]) -> T:
        if not self._checked:
            await self._check()
        return await self._pool.run(work)

    async def _check(self) -> None:
        """Check the table. While it is absent, it is checked again at each use."""

        async def work(connection: AsyncConnection) -> bool:
            _, cursor = await connection.execute(*self._sql.columns(connection.time))
            return check_postgres("PostgresStore", self._sql.table, await cursor.fetchall())

        self._checked = False
        self._checked = await self._pool.run(work)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._sql.table}>"


def schema(table: str = "smsmfa") -> str:
    """Return the SQL that :meth:`PostgresStore.create_schema` executes, for your own migrations.

    Args:
        table: as for :class:`PostgresStore`.

    Raises:
        ConfigurationError: ``table`` is not a valid name.
    """
    return "".join(f"{statement};\n" for statement in Sql(table).schema())


def _value(rows: list[Any]) -> bytes | None:
    """Return the value of a row that also says whether the server is a standby."""
    [(standby, value)] = rows
    if standby:
        raise StoreError("this PostgreSQL is a standby; its records may be old")
    return None if value is None else bytes(value)


def _decide(rows: list[Any], keys: Sequence[str], change: Change[T]) -> tuple[Mapping[str, Entry | None], T]:
    """Run the change, and check its writes before any of them is sent."""
    values = {as_text(key): bytes(value) for key, value in rows}
    written, outcome = change(values)
    writes = dict(written)
    for key, entry in writes.items():
        check_write(key, entry, keys)
    return writes, outcome
