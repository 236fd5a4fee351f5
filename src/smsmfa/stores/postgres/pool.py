"""Where a PostgreSQL store has its connections from: the application's pool, or one like it after a fork."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from threading import Thread
from time import monotonic
from typing import Any, TypeAlias, TypeVar

try:
    import psycopg
    import psycopg_pool  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.postgres needs psycopg and psycopg_pool: pip install "smsmfa[postgres]"', name=_error.name
    ) from _error

from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, ConnectionPool, NullConnectionPool

from ...exceptions import ConfigurationError, StoreError
from .connection import AsyncSession, Session, Undone

T = TypeVar("T")
#: What an operation says on a connection.
Work: TypeAlias = Callable[[Session], T]
AsyncWork: TypeAlias = Callable[[AsyncSession], Awaitable[T]]

#: How long an operation waits, and tries again (seconds).
DEADLINE = 5.0

NO_CONNECTION = (
    "the pool has no connection to PostgreSQL: the server is away, the pool is closed, or too small for those who wait"
)

#: What a pool is made of, by its attributes and by its arguments.
_ATTRIBUTES = {
    name: name
    for name in (
        "conninfo", "connection_class", "kwargs", "min_size", "max_size", "timeout", "max_waiting", "max_lifetime",
        "max_idle", "reconnect_timeout", "num_workers",
    )
} | {f"_{name}": name for name in ("configure", "check", "reset", "reconnect_failed")}  # fmt: skip


class _Lender:
    """What both kinds have in common.

    Args:
        pool: the application's.

    Raises:
        ConfigurationError: it is no pool of this kind, or the driver is too old.
    """

    _kinds: tuple[Any, ...]

    def __init__(self, pool: Any) -> None:
        if not isinstance(pool, self._kinds):
            raise ConfigurationError(f"pool: a {self._kinds[-1].__name__} of psycopg_pool")
        if not psycopg.Pipeline.is_supported():
            raise ConfigurationError('psycopg needs libpq 14 or later: pip install "psycopg[binary]"')
        self._source = pool
        #: By process: a connection must not be used on both sides of a fork.
        self._pools: dict[int, Any] = {} if _is_inherited(pool) else {os.getpid(): pool}

    def _copy(self) -> Any:
        """Return a pool like the application's, not open yet."""
        kind = next(kind for kind in self._kinds if isinstance(self._source, kind))
        attributes = {argument: getattr(self._source, name) for name, argument in _ATTRIBUTES.items()}
        return kind(open=False, **attributes)


class Lender(_Lender):
    """Lends a connection for each try of an operation, from the application's pool, or after a fork one like it."""

    _kinds = (NullConnectionPool, ConnectionPool)

    def lend(self, work: Work[T]) -> T:
        """Return what comes of some work; it is done again if it failed and has changed nothing.

        Raises:
            StoreContention: it was in the way of others for 5 seconds.
            StoreError: the pool has no connection, or the server failed.
        """
        until = monotonic() + DEADLINE
        while True:
            try:
                return self._lend(work, until)
            except Undone as failed:
                if monotonic() >= until:
                    raise failed.error from failed.__cause__

    def close(self) -> None:
        """Close the pool that was opened after a fork; the application's is its own."""
        pool = self._pools.get(os.getpid(), self._source)
        if pool is not self._source:
            del self._pools[os.getpid()]
            pool.close()

    def _lend(self, work: Work[T], until: float) -> T:
        pool = self._pools.get(os.getpid()) or self._reopened()
        try:
            connection = pool.getconn(until - monotonic())
        except psycopg.Error as error:
            raise StoreError(NO_CONNECTION) from error
        try:
            session = Session(connection, until)
            try:
                session.begin()
                return work(session)
            finally:
                session.end()
        finally:
            pool.putconn(connection)

    def _reopened(self) -> Any:
        pool = self._copy()
        pool.open()
        kept = self._pools.setdefault(os.getpid(), pool)
        if kept is not pool:  # another thread was faster
            pool.close()
        return kept


class AsyncLender(_Lender):
    """:class:`Lender` for asyncio."""

    _kinds = (AsyncNullConnectionPool, AsyncConnectionPool)

    async def lend(self, work: AsyncWork[T]) -> T:
        """Like :meth:`Lender.lend`."""
        until = monotonic() + DEADLINE
        while True:
            try:
                return await self._lend(work, until)
            except Undone as failed:
                if monotonic() >= until:
                    raise failed.error from failed.__cause__

    async def close(self) -> None:
        """Like :meth:`Lender.close`."""
        pool = self._pools.get(os.getpid(), self._source)
        if pool is not self._source:
            del self._pools[os.getpid()]
            await pool.close()

    async def _lend(self, work: AsyncWork[T], until: float) -> T:
        pool = self._pools.get(os.getpid()) or await self._reopened()
        try:
            connection = await pool.getconn(until - monotonic())
        except psycopg.Error as error:
            raise StoreError(NO_CONNECTION) from error
        try:
            session = AsyncSession(connection, until)
            try:
                await session.begin()
                return await work(session)
            finally:
                await session.end()
        finally:
            await pool.putconn(connection)

    async def _reopened(self) -> Any:
        pool = self._copy()
        await pool.open()
        kept = self._pools.setdefault(os.getpid(), pool)
        if kept is not pool:
            await pool.close()
        return kept


def _is_inherited(pool: Any) -> bool:
    """Whether a pool was open during a fork: its threads are then on the other side."""
    return any(isinstance(worker, Thread) and not worker.is_alive() for worker in pool._workers)
