"""Keep records in PostgreSQL (12 or later): ``pip install "smsmfa[postgres]"``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ...exceptions import StoreError
from ...typing import Change, Entry
from ..tables import check_postgres
from ..writes import check_write
from .pool import AsyncLender, AsyncWork, Lender, Work
from .sql import Sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from .connection import AsyncSession, Session

__all__ = ["AsyncPostgresStore", "PostgresStore", "schema"]

T = TypeVar("T")


class PostgresStore:
    """Keeps records in a table, with connections from a pool of the application's.

    An update is one transaction of its own, in two round trips: it locks its keys, whether they exist or not, reads
    them and runs the change; then it writes and commits. See :doc:`/how-to/stores/postgres`.

    Args:
        pool: a ``psycopg_pool.ConnectionPool``, with whatever settings, open when the store is used. Each operation
            has a connection of it for itself. After a fork the store opens a pool like it.
        table: the name of the table, if need be after that of its schema and a full stop.

    Raises:
        ConfigurationError: an argument is wrong; or, at its use, the server is no PostgreSQL.
    """

    def __init__(self, pool: ConnectionPool[Any], *, table: str = "smsmfa") -> None:
        self._sql = Sql(table)
        self._lender = Lender(pool)
        self._checked = False

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the server failed, or is a standby, whose records may be old.
        """

        def work(session: Session) -> bytes | None:
            _, cursor = session.ask(*self._sql.reading(key, session.time))
            return _read(cursor.fetchall())

        return self._run(work)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it says, return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreContention: others kept the same keys for 5 seconds; nothing is changed.
            StoreError: the server failed, or could not confirm what it did.
        """
        keys = list(keys)

        def work(session: Session) -> T:
            cursors = session.ask(*self._sql.opening(keys, session.time))
            writes, outcome = _decide(cursors[-1].fetchall(), keys, change)
            session.ask(*self._sql.closing(writes), commit=True)
            return outcome

        return self._run(work)

    def create_schema(self) -> None:
        """Make the table and its index, if they are absent. Any number of processes may do so at once.

        Raises:
            ConfigurationError: the table that is there is not fit for it.
            StoreError: that cannot be done.
        """

        def work(session: Session) -> None:
            session.ask(*self._sql.making(session.time))

        self._check()
        self._lender.lend(work)

    def ping(self) -> None:
        """Look at the table; begin and end an update of nothing.

        Raises:
            ConfigurationError: the table is not fit for it.
            StoreError: no update can be made now.
        """
        self._check()
        self.update((), lambda _: ({}, None))

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction; return how many it was.

        Args:
            limit: how many at most. None that an update is about to write is waited for.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the server failed.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")

        def work(session: Session) -> int:
            cursors = session.ask(*self._sql.purging(limit, session.time), commit=True)
            return cursors[-2].rowcount

        return self._run(work)

    def close(self) -> None:
        """Close what the store opened after a fork. The pool it was given is its owner's."""
        self._lender.close()

    def _run(self, work: Work[T]) -> T:
        if not self._checked:
            self._check()
        return self._lender.lend(work)

    def _check(self) -> None:
        def work(session: Session) -> None:
            self._checked = False
            _, cursor = session.ask(*self._sql.looking(session.time))
            self._checked = check_postgres("PostgresStore", self._sql.table, cursor.fetchall())

        self._lender.lend(work)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._sql.table}>"


class AsyncPostgresStore:
    """:class:`PostgresStore` for asyncio.

    Args:
        pool: a ``psycopg_pool.AsyncConnectionPool``.
        table: as there.
    """

    def __init__(self, pool: AsyncConnectionPool[Any], *, table: str = "smsmfa") -> None:
        self._sql = Sql(table)
        self._lender = AsyncLender(pool)
        self._checked = False

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`PostgresStore.read`."""

        async def work(session: AsyncSession) -> bytes | None:
            _, cursor = await session.ask(*self._sql.reading(key, session.time))
            return _read(await cursor.fetchall())

        return await self._run(work)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`PostgresStore.update`. A task that is cancelled may have changed all its keys, or none."""
        keys = list(keys)

        async def work(session: AsyncSession) -> T:
            cursors = await session.ask(*self._sql.opening(keys, session.time))
            writes, outcome = _decide(await cursors[-1].fetchall(), keys, change)
            await session.ask(*self._sql.closing(writes), commit=True)
            return outcome

        return await self._run(work)

    async def create_schema(self) -> None:
        """Like :meth:`PostgresStore.create_schema`."""

        async def work(session: AsyncSession) -> None:
            await session.ask(*self._sql.making(session.time))

        await self._check()
        await self._lender.lend(work)

    async def ping(self) -> None:
        """Like :meth:`PostgresStore.ping`."""
        await self._check()
        await self.update((), lambda _: ({}, None))

    async def purge(self, limit: int = 1000) -> int:
        """Like :meth:`PostgresStore.purge`."""
        if limit < 1:
            raise ValueError("limit: at least 1")

        async def work(session: AsyncSession) -> int:
            cursors = await session.ask(*self._sql.purging(limit, session.time), commit=True)
            return cursors[-2].rowcount

        return await self._run(work)

    async def close(self) -> None:
        """Like :meth:`PostgresStore.close`."""
        await self._lender.close()

    async def _run(self, work: AsyncWork[T]) -> T:
        if not self._checked:
            await self._check()
        return await self._lender.lend(work)

    async def _check(self) -> None:
        async def work(session: AsyncSession) -> None:
            self._checked = False
            _, cursor = await session.ask(*self._sql.looking(session.time))
            self._checked = check_postgres("PostgresStore", self._sql.table, await cursor.fetchall())

        await self._lender.lend(work)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._sql.table}>"


def schema(table: str = "smsmfa") -> str:
    """Return what :meth:`PostgresStore.create_schema` makes, as SQL for your migrations.

    Raises:
        ConfigurationError: ``table`` is no name of a table.
    """
    return "".join(f"{statement};\n" for statement in Sql(table).schema())


def _read(rows: list[Any]) -> bytes | None:
    """Return the value of a row that says too whether the server is a standby."""
    [(standby, value)] = rows
    if standby:
        raise StoreError("this PostgreSQL is a standby; its records may be old")
    return None if value is None else bytes(value)


def _decide(rows: list[Any], keys: Sequence[str], change: Change[T]) -> tuple[Mapping[str, Entry | None], T]:
    """Run the change, and check what it wants to write before any of it is sent."""
    # Where the encoding is SQL_ASCII, psycopg returns text as bytes.
    values = {key if isinstance(key, str) else str(key, "ascii"): bytes(value) for key, value in rows}
    said, outcome = change(values)
    writes = dict(said)
    for key, entry in writes.items():
        check_write(key, entry, keys)
    return writes, outcome
