"""The databases for the tests of the store on SQLAlchemy, and what other programs do with them."""

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from services import MARIADB, POSTGRES, mariadb_database, postgres_database
from sqlalchemy import NullPool, create_engine, event, text
from sqlalchemy.engine import make_url

from smsmfa.stores.sqlalchemy import SqlAlchemyStore


@contextmanager
def mariadb():
    """Yield the URL of a database on MariaDB that has the table."""
    with mariadb_database() as name:
        yield with_table(make_url(MARIADB.at(database=name)).set(drivername="mysql+pymysql"))


@contextmanager
def postgres():
    """Yield the URL of a database on PostgreSQL that has the table."""
    with postgres_database() as name:
        yield with_table(make_url(POSTGRES.at(database=name)).set(drivername="postgresql+psycopg"))


@contextmanager
def sqlite():
    """Yield the URL of a SQLite file that has the table and uses WAL."""
    with TemporaryDirectory() as folder:
        url = make_url(f"sqlite:///{Path(folder, 'factor.db')}")
        with session(url) as execute:
            execute("PRAGMA journal_mode = WAL")
        yield with_table(url)


def with_table(url):
    store = SqlAlchemyStore(create_engine(url, poolclass=NullPool))
    store.create_schema()
    store.close()
    return url


def at(url, server):
    """Return a URL with another address."""
    host, port = server
    return url.set(host=host, port=port)


@contextmanager
def session(url):
    """Yield a function that executes a statement as another program would, commits, and returns the rows."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:

        def execute(statement, **values):
            result = connection.execute(text(statement), values)
            return result.all() if result.returns_rows else None

        yield execute


def engine_of(store):
    """Return the engine of a store that was used before."""
    return store._records.pool._engines[os.getpid()]


@contextmanager
def counted(store):
    """Yield a list that receives the first word of each statement that a store sends."""
    engine, sent = engine_of(store), []
    listeners = [
        ("before_cursor_execute", lambda connection, cursor, statement, *_: sent.append(statement.split()[0])),
        ("commit", lambda _: sent.append("COMMIT")),
        ("rollback", lambda connection: sent.append("ROLLBACK") if engine.dialect.name == "mysql" else None),
    ]
    for name, listener in listeners:
        event.listen(engine, name, listener)
    yield sent
    for name, listener in listeners:
        event.remove(engine, name, listener)


def end_idle(url):
    """End the idle connections of others to a database."""
    with session(url) as execute:
        if url.get_backend_name() == "mysql":
            for (number,) in execute(
                "SELECT id FROM information_schema.processlist "
                "WHERE db = DATABASE() AND command = 'Sleep' AND id <> CONNECTION_ID()"
            ):
                execute(f"KILL {number}")
        else:
            execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid()"
            )


class Broken(sqlite3.OperationalError):
    """An error of the driver with a code."""

    def __init__(self, said, code=0):
        super().__init__(said)
        self.sqlite_errorcode = code


def failing(store, statement, *errors):
    """Make the driver fail for each statement that begins with a text, as long as there are errors left."""
    left = list(errors)

    def fail(cursor, said, parameters, context):
        if said.startswith(statement) and left:
            raise left.pop(0)

    event.listen(engine_of(store), "do_execute", fail)
