"""Where a PostgreSQL store gets its connections: the application's pool, or a copy of it after a fork."""

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
from ..retries import Undone
from ..writes import DEADLINE
from .connection import AsyncConnection, Connection

T = TypeVar("T")
#: What an operation does with a connection.
Work: TypeAlias = Callable[[Connection], T]
AsyncWork: TypeAlias = Callable[[AsyncConnection], Awaitable[T]]

NO_CONNECTION = (
    "the pool has no connection to PostgreSQL: the server is away, the pool is closed, or it is too small for its users"
)

#: The attributes of a pool, and the arguments that they came from.
_ATTRIBUTES = {
    name: name
    for name in (
        "conninfo", "connection_class", "kwargs", "min_size", "max_size", "timeout", "max_waiting", "max_lifetime",
        "max_idle", "reconnect_timeout", "num_workers",
    )
} | {f"_{name}": name for name in ("configure", "check", "reset", "reconnect_failed")}  # fmt: skip


class _Pool:
    """What both kinds have in common.

    Args:
        pool: the application's pool.

    Raises:
        ConfigurationError: it is not a pool of this kind, or the driver is too old.
    """

    _kinds: tuple[Any, ...]

    def __init__(self, pool: Any) -> None:
        if not isinstance(pool, self._kinds):
            raise ConfigurationError(
                f"pool: pass a psycopg_pool.{self._kinds[-1].__name__}, not a {type(pool).__name__}"
            )
        if not psycopg.Pipeline.is_supported():
            raise ConfigurationError('psycopg needs libpq 14 or later: pip install "psycopg[binary]"')
        self._source = pool
        #: By process, because a connection must not be used on both sides of a fork.
        self._pools: dict[int, Any] = {} if _is_inherited(pool) else {os.getpid(): pool}

    def _copy(self) -> Any:
        """Return a pool like the application's that is not open yet."""
        kind = next(kind for kind in self._kinds if isinstance(self._source, kind))
        attributes = {argument: getattr(self._source, name) for name, argument in _ATTRIBUTES.items()}
        return kind(open=False, **attributes)


class Pool(_Pool):
    """Runs operations on connections from the application's pool."""

    _kinds = (NullConnectionPool, ConnectionPool)

    def run(self, work: Work[T]) -> T:
        """Return the outcome of an operation. It is tried again if it failed without changing anything.

        Raises:
            StoreContention: other transactions were in the way for 5 seconds.
            StoreError: the pool has no connection, or the server failed.
        """
        until = monotonic() + DEADLINE
        while True:
            try:
                return self._try(work, until)
            except Undone as failed:
                if monotonic() >= until:
                    raise failed.error from failed.__cause__

    def close(self) -> None:
        """Close the pool that was opened after a fork. The application closes its own."""
        pool = self._pools.get(os.getpid(), self._source)
        if pool is not self._source:
            del self._pools[os.getpid()]
            pool.close()

    def _try(self, work: Work[T], until: float) -> T:
        pool = self._pools.get(os.getpid()) or self._reopened()
        try:
            driver = pool.getconn(until - monotonic())
        except psycopg.Error as error:
            raise StoreError(NO_CONNECTION) from error
        try:
            connection = Connection(driver, until)
            try:
                connection.begin()
                return work(connection)
            finally:
                connection.end()
        finally:
            pool.putconn(driver)

    def _reopened(self) -> Any:
        pool = self._copy()
        pool.open()
        kept = self._pools.setdefault(os.getpid(), pool)
        if kept is not pool:  # another thread was faster
            pool.close()
        return kept


class AsyncPool(_Pool):
    """:class:`Pool` for asyncio."""

    _kinds = (AsyncNullConnectionPool, AsyncConnectionPool)

    async def run(self, work: AsyncWork[T]) -> T:
        """Like :meth:`Pool.run`."""
        until = monotonic() + DEADLINE
        while True:
            try:
                return await self._try(work, until)
            except Undone as failed:
                if monotonic() >= until:
                    raise failed.error from failed.__cause__

    async def close(self) -> None:
        """Like :meth:`Pool.close`."""
        pool = self._pools.get(os.getpid(), self._source)
        if pool is not self._source:
            del self._pools[os.getpid()]
            await pool.close()

    async def _try(self, work: AsyncWork[T], until: float) -> T:
        pool = self._pools.get(os.getpid()) or await self._reopened()
        try:
            driver = await pool.getconn(until - monotonic())
        except psycopg.Error as error:
            raise StoreError(NO_CONNECTION) from error
        try:
            connection = AsyncConnection(driver, until)
            try:
                await connection.begin()
                return await work(connection)
            finally:
                await connection.end()
        finally:
            await pool.putconn(driver)

    async def _reopened(self) -> Any:
        pool = self._copy()
        await pool.open()
        kept = self._pools.setdefault(os.getpid(), pool)
        if kept is not pool:  # another task was faster
            await pool.close()
        return kept


def _is_inherited(pool: Any) -> bool:
    """Whether a pool was open during a fork. Then its threads are in the parent process."""
    return any(isinstance(worker, Thread) and not worker.is_alive() for worker in pool._workers)
