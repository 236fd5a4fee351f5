"""Keep records in MariaDB, MySQL, PostgreSQL or SQLite, through SQLAlchemy: ``pip install "smsmfa[sqlalchemy]"``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ...exceptions import StoreError
from ...typing import Change, Entry
from ..writes import check_write
from .connection import AsyncDriver, Driver, Link, Session
from .sql import schema

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["AsyncSqlAlchemyStore", "SqlAlchemyStore", "schema"]

T = TypeVar("T")


class SqlAlchemyStore:
    """Keeps records in a table of MariaDB, MySQL, PostgreSQL or SQLite.

    An update is one transaction of its own: it locks its keys, whether they exist or not, reads them, runs the change,
    writes and commits. The store makes connections like the engine's, in a pool of its own, and so has no part in a
    transaction of the application. See :doc:`/how-to/stores/sqlalchemy`.

    Args:
        engine: an ``Engine``, whose pool is a ``QueuePool`` or a ``NullPool``.
        table: the name of the table, if need be after that of its schema and a full stop.

    Raises:
        ConfigurationError: an argument is wrong; or, at the first use, the table has no transactions, is empty after
            a crash or takes some keys for equal, or a power cut may destroy the SQLite file. Whether a server waits
            for its disk is not looked at.
    """

    def __init__(self, engine: Engine, *, table: str = "smsmfa_entries") -> None:
        self._records = Records(Link(Driver.engine(engine), table, Driver.sleep))

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the database failed, or is a replica, whose records may be old.
        """
        return Driver.call(self._records.read, key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it says, return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreContention: others kept the same keys for 5 seconds, or all connections; nothing is changed.
            StoreError: the database failed, or could not confirm what it did.
        """
        outcome: T = Driver.call(self._records.update, keys, change)
        return outcome

    def create_schema(self) -> None:
        """Make the table and its index, if they are absent. Any number of processes may do so at once.

        Raises:
            StoreError: that cannot be done.
        """
        Driver.call(self._records.create_schema)

    def ping(self) -> None:
        """Lock a key, look at the table, and roll back.

        Raises:
            ConfigurationError: the table or the database is not fit for it.
            StoreError: no update can be made now.
        """
        Driver.call(self._records.ping)

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction; return how many it was.

        Args:
            limit: how many at most. None that an update is about to write is waited for.

        Raises:
            ValueError: ``limit`` is less than 1.
            StoreError: the database failed.
        """
        return Driver.call(self._records.purge, limit)

    def close(self) -> None:
        """Close the store's own connections; the engine is its owner's. A later operation opens others."""
        Driver.call(self._records.link.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._records!r}>"


class AsyncSqlAlchemyStore:
    """:class:`SqlAlchemyStore` for asyncio.

    Args:
        engine: an ``AsyncEngine``.
        table: as there.
    """

    def __init__(self, engine: AsyncEngine, *, table: str = "smsmfa_entries") -> None:
        self._records = Records(Link(AsyncDriver.engine(engine), table, AsyncDriver.sleep))

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`SqlAlchemyStore.read`."""
        return await AsyncDriver.call(self._records.read, key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`SqlAlchemyStore.update`. A task that is cancelled may have changed all its keys, or none."""
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
        """Like :meth:`SqlAlchemyStore.close`; to be awaited before the event loop ends."""
        await AsyncDriver.call(self._records.link.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self._records!r}>"


class Records:
    """The operations, in plain text for both kinds.

    Args:
        link: to the database.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._checked = False

    def read(self, key: str) -> bytes | None:
        """Return a value."""

        def work(session: Session) -> bytes | None:
            [(stale, value)] = session.ask(self.link.sql.reading(key))
            if stale:
                raise StoreError(f"this {self.link.sql.database} is a replica, or read-only; its records may be old")
            return None if value is None else bytes(value)

        return self._run(work)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Make an update."""
        keys = list(keys)
        sql = self.link.sql

        def work(session: Session) -> T:
            session.begin()
            session.ask_all(sql.locking(keys))
            values = {
                _text(key): bytes(value) for key, value in session.ask_all(sql.selecting(keys)) if value is not None
            }
            said, outcome = change(values)
            writes = _checked(said, keys)
            if writes:
                self._write(session, [key for key in keys if key not in values], writes)
                session.commit()
            return outcome

        return self._run(work)

    def create_schema(self) -> None:
        """Make what is absent."""

        def work(session: Session) -> None:
            session.begin()
            session.make(self.link.sql.table)
            session.commit()

        self.link.run(self._check)
        self.link.run(work)

    def ping(self) -> None:
        """Look at the table, and see whether an update could be made."""
        self.link.run(self._check)
        self.update(["ping"], lambda _: ({}, None))

    def purge(self, limit: int) -> int:
        """Delete what has expired."""
        if limit < 1:
            raise ValueError("limit: at least 1")

        def work(session: Session) -> int:
            session.begin()
            keys = [_text(key) for (key,) in session.ask(self.link.sql.expired(limit))]
            session.ask_all(self.link.sql.deleting(keys))
            session.commit()
            return len(keys)

        return self._run(work)

    def __repr__(self) -> str:
        return f"{self.link.sql.table} of {self.link.sql.database}"

    def _run(self, work: Callable[[Session], T]) -> T:
        if not self._checked:
            self.link.run(self._check)
        return self.link.run(work)

    def _check(self, session: Session) -> None:
        self._checked = False
        self._checked = self.link.sql.check(lambda text, **values: session.ask((text, values)))

    def _write(self, session: Session, absent: Sequence[str], writes: Mapping[str, Entry | None]) -> None:
        """Write entries, and delete what is to be deleted, with what was there only to be locked."""
        sql = self.link.sql
        entries = {key: entry for key, entry in writes.items() if entry is not None}
        gone = [key for key, entry in writes.items() if entry is None]
        session.ask_all(sql.deleting([*gone, *(key for key in absent if sql.lock and key not in writes)]))
        session.ask_all(sql.writing(entries))


def _checked(said: Mapping[str, Entry | None], keys: Sequence[str]) -> dict[str, Entry | None]:
    """Return what a change wants to write, before any of it is sent."""
    writes = dict(said)
    for key, entry in writes.items():
        check_write(key, entry, keys)
    return writes


def _text(key: str | bytes) -> str:
    """Return a key as text: some databases have it as bytes."""
    return key if isinstance(key, str) else str(key, "ascii")
