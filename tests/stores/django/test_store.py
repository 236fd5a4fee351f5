"""The store in a database of a Django project: the kit on three databases, what it costs, and what may break."""

from contextlib import contextmanager

import pytest
from django.db import connections, transaction
from services import POSTGRES
from stores import django_project as project
from stores.hammer import Hammer

from smsmfa.stores.django import AsyncDjangoStore, DjangoStore
from smsmfa.testing import AsyncStoreConformance, StoreConformance


@pytest.fixture(scope="module")
def postgres():
    with project.on_postgres() as database:
        yield database


@pytest.fixture(scope="module")
def mariadb():
    with project.on_mariadb() as database:
        yield database


class Rollback(Exception):
    """What ends a transaction of the application."""


class OnDjango:
    """What all suites have in common: a database of their own, and a sweeper beside it."""

    shared = processes = True
    database = None
    store = DjangoStore

    def make_store(self):
        return self.made(self.database)

    def made(self, database):
        store = self.store(using=project.add(database))
        return store

    def disturb(self):
        with project.known(self.database) as alias:
            store = DjangoStore(using=alias)
            store.purge()
            store.close()


class Application:
    """A transaction of the application on the same database, which it rolls back."""

    @contextmanager
    def enclosing_transaction(self):
        with project.known(self.database) as alias:
            with pytest.raises(Rollback), transaction.atomic(using=alias):
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM smsmfa_record")
                yield
                raise Rollback


class OnPostgres(OnDjango, Application):
    server = POSTGRES.address

    @pytest.fixture(autouse=True)
    def _database(self, postgres):
        self.database = postgres

    def make_store_at(self, host, port):
        return self.made({**self.database, "HOST": host, "PORT": str(port)})


class OnMariadb(OnDjango, Application):
    @pytest.fixture(autouse=True)
    def _database(self, mariadb):
        self.database = mariadb


class OnSqlite(OnDjango):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.database = project.on_sqlite(tmp_path / "db.sqlite3", init_command="PRAGMA journal_mode = WAL")


class TestPostgres(OnPostgres, Hammer, StoreConformance):
    fork = True

    def make_store(self):
        store = super().make_store()
        store.ping()  # to connect takes a process longer than it lives before it is killed
        return store


class TestMariadb(OnMariadb, Hammer, StoreConformance):
    fork = True
    kills = 100


class TestSqlite(OnSqlite, Hammer, StoreConformance):
    fork = True
    kills = 100


class TestAsyncPostgres(OnPostgres, AsyncStoreConformance):
    store = AsyncDjangoStore


class TestAsyncSqlite(OnSqlite, AsyncStoreConformance):
    store = AsyncDjangoStore
