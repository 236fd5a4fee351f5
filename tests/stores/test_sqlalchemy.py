"""The store on SQLAlchemy: the kit on three databases."""

from contextlib import closing, contextmanager

import pytest
from services import MARIADB, POSTGRES, mariadb_database, postgres_database
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from stores.hammer import Hammer

from smsmfa.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from smsmfa.testing import AsyncStoreConformance, StoreConformance


def made(url, **options):
    """Return a store in which the table is."""
    return SqlAlchemyStore(create_engine(url, **options))


async def async_made(url, **options):
    return AsyncSqlAlchemyStore(create_async_engine(url, **options))


class MariaDb:
    """A database on MariaDB for each check."""

    shared = processes = True
    server = MARIADB.address
    driver = "mysql+pymysql"

    @pytest.fixture(autouse=True)
    def _database(self):
        with mariadb_database() as self.database:
            with closing(made(self.url(), poolclass=NullPool)) as store:
                store.create_schema()
            yield

    def url(self, address=None, driver="mysql+pymysql"):
        return make_url(MARIADB.at(address, database=self.database)).set(drivername=driver)

    def disturb(self):
        """Sweep, and kill the connections that are idle."""
        engine = create_engine(self.url(), poolclass=NullPool)
        store = SqlAlchemyStore(engine)
        store.purge()
        store.close()
        with engine.connect() as connection:
            idle = text("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Sleep'")
            for (number,) in connection.execute(idle).all():
                connection.execute(text(f"KILL {number}"))


class TestMariaDb(MariaDb, Hammer, StoreConformance):
    fork = True

    def make_store(self):
        return made(self.url())

    def make_store_at(self, host, port):
        return made(self.url((host, port)))


class TestAsyncMariaDb(MariaDb, Hammer, AsyncStoreConformance):
    kills = 50

    def make_store(self):
        return async_made(self.url(driver="mysql+aiomysql"))

    def make_store_at(self, host, port):
        return async_made(self.url((host, port), driver="mysql+aiomysql"))


class Postgres:
    """A database on PostgreSQL for each check."""

    shared = processes = True
    server = POSTGRES.address

    @pytest.fixture(autouse=True)
    def _database(self):
        with postgres_database() as self.database:
            with closing(made(self.url(), poolclass=NullPool)) as store:
                store.create_schema()
            yield

    def url(self, address=None, driver="postgresql+psycopg"):
        return make_url(POSTGRES.at(address, database=self.database)).set(drivername=driver)

    def disturb(self):
        """Sweep, and end the connections that are idle."""
        engine = create_engine(self.url(), poolclass=NullPool)
        store = SqlAlchemyStore(engine)
        store.purge()
        store.close()
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid()"
                )
            )


class TestPostgres(Postgres, Hammer, StoreConformance):
    fork = True
    kills = 50

    def make_store(self):
        return made(self.url())

    def make_store_at(self, host, port):
        return made(self.url((host, port)))


class TestAsyncpg(Postgres, AsyncStoreConformance):
    driver = "postgresql+asyncpg"

    def make_store(self):
        return async_made(self.url(driver=self.driver))

    def make_store_at(self, host, port):
        return async_made(self.url((host, port), driver=self.driver))


class TestAsyncPsycopg(TestAsyncpg):
    driver = "postgresql+psycopg"


class Sqlite:
    """A file for each check."""

    shared = processes = True

    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "factor.db"
        engine = create_engine(self.url(), poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode = WAL"))
        SqlAlchemyStore(engine).create_schema()

    def url(self, driver="sqlite"):
        return f"{driver}:///{self.path}"

    def disturb(self):
        with closing(made(self.url())) as store:
            store.purge()


class TestSqlite(Sqlite, Hammer, StoreConformance):
    kills = 50

    def make_store(self):
        return made(self.url())


class TestAiosqlite(Sqlite, AsyncStoreConformance):
    def make_store(self):
        return async_made(self.url("sqlite+aiosqlite"))
