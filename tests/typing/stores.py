"""The suites for stores, subclassed as people do who write one. Only type checkers read this file; nothing runs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from smsmfa import AsyncMemoryStore, MemoryStore
from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore, schema
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.typing import AsyncStore, Store


class TestStore(StoreConformance):
    shared = processes = fork = True
    server = ("127.0.0.1", 5432)
    rounds = 5
    time_limit = 10.0

    def make_store(self) -> MemoryStore:
        return MemoryStore()

    def make_store_at(self, host: str, port: int) -> Store:
        return MemoryStore()

    def close_store(self, store: Store) -> None:
        """Nothing to close."""

    @contextmanager
    def enclosing_transaction(self) -> Iterator[None]:
        yield

    def disturb(self) -> None:
        """Sweep."""


class TestAsyncStore(AsyncStoreConformance):
    shared = True

    async def make_store(self) -> AsyncMemoryStore:
        return AsyncMemoryStore()

    async def make_store_at(self, host: str, port: int) -> AsyncStore:
        return AsyncMemoryStore()

    async def close_store(self, store: AsyncStore) -> None:
        """Nothing to close."""


class TestPlainlyMade(AsyncStoreConformance):
    def make_store(self) -> AsyncMemoryStore:
        return AsyncMemoryStore()

    def close_store(self, store: AsyncStore) -> None:
        """Nothing to close."""


pool: ConnectionPool[Connection] = ConnectionPool("dbname=acme", open=False)
async_pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool("dbname=acme", open=False)
postgres: Store = PostgresStore(pool, table="auth.factor")
async_postgres: AsyncStore = AsyncPostgresStore(async_pool)
purged: int = PostgresStore(ConnectionPool(open=False)).purge(limit=10)
statements: str = schema("auth.factor")
