"""The PostgreSQL store: the whole conformance suite, exact round trips, hostile defaults, servers that come and go."""

from contextlib import contextmanager

import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from services import POSTGRES, postgres_database
from stores.hammer import Hammer

from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore
from smsmfa.testing import AsyncStoreConformance, StoreConformance


class OnPostgres(Hammer):
    """A database for each class, and a sweeper that cuts connections beside it."""

    shared = processes = True
    server = POSTGRES.address

    @pytest.fixture(autouse=True)
    def _database(self, database):
        self.database = database

    def disturb(self):
        """Sweep, and end every connection at a moment when none can be about to commit."""
        with a_store(self.database) as store:
            store.purge()
        with POSTGRES.driver().connect(POSTGRES.at(database=self.database)) as connection:
            connection.execute("LOCK TABLE smsmfa IN ACCESS EXCLUSIVE MODE")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid != pg_backend_pid()"
            )


@pytest.fixture(scope="module")
def database():
    with postgres_database() as database:
        with a_store(database) as store:
            store.create_schema()
        yield database


@contextmanager
def a_store(database, **options):
    with ConnectionPool(POSTGRES.at(database=database), open=True, min_size=1, max_size=4, **options) as pool:
        yield PostgresStore(pool)


class TestPostgresStore(OnPostgres, StoreConformance):
    fork = True

    def make_store(self):
        return self.make_store_at(*POSTGRES.address)

    def make_store_at(self, host, port):
        url = POSTGRES.at((host, port), database=self.database)
        return PostgresStore(ConnectionPool(url, open=True, min_size=1, max_size=4))

    def close_store(self, store):
        store.close()
        store._lender._source.close()

    @contextmanager
    def enclosing_transaction(self):
        with ConnectionPool(POSTGRES.at(database=self.database), open=True, min_size=2) as pool:
            with pool.connection() as connection, connection.transaction(force_rollback=True):
                connection.execute("SELECT 1")
                yield


class TestAsyncPostgresStore(OnPostgres, AsyncStoreConformance):
    kills = 100

    async def make_store(self):
        return await self.make_store_at(*POSTGRES.address)

    async def make_store_at(self, host, port):
        url = POSTGRES.at((host, port), database=self.database)
        pool = AsyncConnectionPool(url, open=False, min_size=1, max_size=4)
        await pool.open()
        return AsyncPostgresStore(pool)

    async def close_store(self, store):
        await store.close()
        await store._lender._source.close()
