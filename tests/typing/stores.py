"""The suites for stores, subclassed as people do, and a store that wraps one. Only type checkers read this file."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import Engine, MetaData, Table
from sqlalchemy.ext.asyncio import AsyncEngine

from smsmfa import AsyncMemoryStore, MemoryStore
from smsmfa.stores.django import AsyncDjangoStore, DjangoStore
from smsmfa.stores.encrypted import AsyncEncryptedStore, EncryptedStore
from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore
from smsmfa.stores.postgres import schema as postgres_schema
from smsmfa.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore, schema
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


class TestDjangoStore(StoreConformance):
    def make_store(self) -> DjangoStore:
        return DjangoStore(using="default")


class TestAsyncDjangoStore(AsyncStoreConformance):
    def make_store(self) -> AsyncDjangoStore:
        return AsyncDjangoStore()


class TestPlainlyMade(AsyncStoreConformance):
    def make_store(self) -> AsyncMemoryStore:
        return AsyncMemoryStore()

    def close_store(self, store: AsyncStore) -> None:
        """Nothing to close."""


def wrap(store: Store) -> Store:
    encrypted = EncryptedStore(store, ["new", b"old"], name_key="name")
    encrypted.prepare()
    encrypted.renew("name")
    return EncryptedStore(encrypted, b"one key", name_key=b"name")


async def wrap_async(store: AsyncStore) -> AsyncStore:
    encrypted = AsyncEncryptedStore(store, "one key", name_key="name")
    await encrypted.prepare()
    await encrypted.renew("name")
    return AsyncEncryptedStore(encrypted, iter(["one key"]), name_key="name")


def on_sqlalchemy(engine: Engine, async_engine: AsyncEngine, metadata: MetaData) -> None:
    store: Store = SqlAlchemyStore(engine, table="smsmfa")
    twin: AsyncStore = AsyncSqlAlchemyStore(async_engine)
    AsyncSqlAlchemyStore(engine)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    table: Table = schema(metadata, "smsmfa")
    deleted: int = SqlAlchemyStore(engine).purge(limit=10)
    print(store, twin, table, deleted)


pool: ConnectionPool[Connection] = ConnectionPool("dbname=acme", open=False)
async_pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool("dbname=acme", open=False)
postgres: Store = PostgresStore(pool, table="auth.factor")
async_postgres: AsyncStore = AsyncPostgresStore(async_pool)
purged: int = PostgresStore(ConnectionPool(open=False)).purge(limit=10)
statements: str = postgres_schema("auth.factor")
