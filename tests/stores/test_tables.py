"""Tables that somebody else made: which fit a store, which do not, and which belong to another store."""

from contextlib import closing, contextmanager
from inspect import signature
from itertools import permutations

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from psycopg_pool import ConnectionPool
from services import POSTGRES, postgres_database
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from stores.django import project as project
from stores.sqlalchemy.databases import session

from smsmfa import ConfigurationError
from smsmfa.stores.django import DjangoStore
from smsmfa.stores.postgres import PostgresStore
from smsmfa.stores.sqlalchemy import SqlAlchemyStore
from smsmfa.stores.tables import (
    check_durability,
    check_mysql,
    check_postgres,
    check_sqlite,
    postgres_columns,
    split_name,
)
from smsmfa.testing.stores.suite import increment, put
from smsmfa.testing.threads import all_of, at_once

#: The table of Django's model, whose name cannot be chosen.
TABLE = "smsmfa_record"
STORES = ["PostgresStore", "SqlAlchemyStore", "DjangoStore"]
PATIENCE = 30


@pytest.fixture(scope="module")
def url():
    with postgres_database() as name:
        yield POSTGRES.at(database=name)


@pytest.fixture
def db(url):
    """A transaction that is rolled back, in a database with a collation that ignores case."""
    with psycopg.connect(url) as db:
        db.execute("CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        yield db
        db.rollback()


def check(db, definition, store="PostgresStore"):
    """Create a table, and check the columns that the server reports."""
    db.execute(f"CREATE {definition}")
    return check_postgres(store, "t", db.execute(postgres_columns("t")).fetchall())


# --- names


@pytest.mark.parametrize(
    "table",
    [
        *("", "a b", 'a"b', "a`b", "a-b", "1a", "a.b.c", ".a", "a.", "a;b", "ä", "a%b", "a$1", "a\n", "a" * 56),
        *("a" * 64 + ".b", None, 7, b"a"),
    ],
)
def test_no_name(table):
    """An invalid name is refused, and one that leaves no room for the name of an index."""
    with pytest.raises(ConfigurationError, match="table: use ASCII letters"):
        split_name(table)


def test_name():
    """A name may have a schema before it."""
    assert (None, "a" * 55) == split_name("a" * 55)
    assert ("Security", "_t1") == split_name("Security._t1")


# --- PostgreSQL


@pytest.mark.parametrize(
    "key", ['text COLLATE "C"', "text", "varchar(250)", 'text COLLATE "und-x-icu"', "bytea", "text PRIMARY KEY"]
)
def test_postgres_good(db, key):
    """A permanent table whose keys are equal only if their bytes are equal is accepted."""
    assert check(db, f"TABLE t (key {key}, value bytea, more int, expires timestamptz)")


@pytest.mark.parametrize("store, key", [("SqlAlchemyStore", "text"), ("DjangoStore", "bytea")])
def test_postgres_other_stores(db, store, key):
    """The other two stores keep the time of expiry as an integer."""
    assert check(db, f"TABLE t (key {key}, value bytea, expires bigint)", store)


@pytest.mark.parametrize("kind", ["UNLOGGED", "TEMPORARY"])
def test_postgres_not_permanent(db, kind):
    """A table that a crash empties is refused."""
    with pytest.raises(ConfigurationError, match="UNLOGGED or TEMPORARY"):
        check(db, f"{kind} TABLE t (key text, value bytea, expires timestamptz)")


@pytest.mark.parametrize("key", ["text COLLATE lax", "varchar(250) COLLATE lax"])
def test_postgres_equal_keys(db, key):
    """A table whose collation makes different keys equal is refused."""
    with pytest.raises(ConfigurationError, match="different keys equal"):
        check(db, f"TABLE t (key {key}, value bytea, expires timestamptz)")


def test_postgres_other_collations(db):
    """The collations of other columns do not matter."""
    assert check(db, "TABLE t (key text, value bytea, expires timestamptz, name text COLLATE lax)")


def test_postgres_absent(db):
    """A table that does not exist is neither good nor bad."""
    assert not check(db, "TABLE another (key text)")


@pytest.mark.parametrize(
    "columns, said",
    [
        ("key char(250), value bytea, expires timestamptz", "key is character instead of text"),
        ("key text, value text, expires timestamptz", "value is text instead of bytea"),
        ("name text, value bytea", "it has the columns name, value, but no key and no expires"),
        ("key int, value bytea", "key is integer instead of text, it has the columns key, value, but no expires"),
    ],
)
def test_postgres_other_columns(db, columns, said):
    """The error names the table, every column that is wrong, and the type that it should have."""
    with pytest.raises(ConfigurationError) as refused:
        check(db, f"TABLE t ({columns})")

    assert f"the table t does not fit PostgresStore: {said}. Change these columns" in str(refused.value)


def test_postgres_bytes():
    """In a database whose encoding is SQL_ASCII drivers return names and types as bytes."""
    rows = [(b"key", b"bytea", True, True), (b"value", b"bytea", True, True), (b"expires", b"bigint", True, True)]

    assert check_postgres("DjangoStore", "t", rows)


# --- MariaDB and MySQL


def mysql(key="varbinary", value="longblob", expires="bigint", engine="InnoDB"):
    return [("key", key, engine), ("value", value, engine), ("expires", expires, engine)]


@pytest.mark.parametrize("store", STORES[1:])
def test_mysql_good(store):
    """A table with transactions whose keys are bytes is good."""
    assert check_mysql(store, "t", mysql())
    assert check_mysql(store, "t", mysql(key="VARBINARY", value="blob"))
    assert not check_mysql(store, "t", [])


@pytest.mark.parametrize(
    "seen, said",
    [
        (mysql(engine="MyISAM"), "engine MyISAM.*ENGINE=InnoDB"),
        (mysql(engine=None), "engine None"),
        (mysql(key="varchar"), "key is varchar instead of varbinary. Change"),
        (mysql(value="tinyblob"), "value is tinyblob instead of longblob"),
        (mysql()[:2], "it has the columns key, value, but no expires"),
    ],
    ids=["MyISAM", "view", "varchar", "tinyblob", "missing"],
)
def test_mysql_bad(seen, said):
    """A table without transactions or with other columns is refused."""
    with pytest.raises(ConfigurationError, match=said):
        check_mysql("DjangoStore", "t", seen)


# --- SQLite


def sqlite(key, value="BLOB", expires="BIGINT"):
    return [("key", key), ("value", value), ("expires", expires)]


@pytest.mark.parametrize("store, key", [("SqlAlchemyStore", "VARCHAR(250)"), ("DjangoStore", "BLOB")])
def test_sqlite_good(store, key):
    """Types in SQLite are compared without their case and their length."""
    assert check_sqlite(store, "t", sqlite(key))
    assert check_sqlite(store, "t", sqlite(key.lower(), expires="integer"))
    assert not check_sqlite(store, "t", [])


def test_sqlite_bad():
    """A table whose keys SQLite would store as numbers is refused."""
    with pytest.raises(ConfigurationError, match="key is numeric instead of varchar"):
        check_sqlite("SqlAlchemyStore", "t", sqlite("NUMERIC"))


def test_durable():
    """A file is accepted if its journal is on the disk and SQLite waits for the disk."""
    for synchronous in (1, 2, 3):
        for journal in ("delete", "truncate", "persist", "wal"):
            check_durability("f", synchronous, journal)


@pytest.mark.parametrize("synchronous, journal", [(0, "wal"), (2, "off"), (2, "memory")])
def test_not_durable(synchronous, journal):
    """A file that a power cut may destroy is refused, and the error says which setting to change."""
    with pytest.raises(ConfigurationError, match=r"^f: a power cut .* set it to (FULL|WAL)$"):
        check_durability("f", synchronous, journal)


# --- two stores, one name


@contextmanager
def a_store(name, database):
    """Yield a store of a class, by its name, whose table is Django's by name."""
    if name == "DjangoStore":
        with project.known(database) as alias:
            yield DjangoStore(using=alias)
            return
    url = url_of(database)
    if name == "PostgresStore":
        with ConnectionPool(url.render_as_string(hide_password=False), open=True, min_size=1) as pool:
            yield PostgresStore(pool, table=TABLE)
            return
    engine = create_engine(url.set(drivername=url.drivername.replace("postgresql", "postgresql+psycopg")))
    with closing(SqlAlchemyStore(engine, table=TABLE)) as store:
        yield store


def url_of(database):
    """Return the URL of a database of the Django project."""
    if "sqlite" in database["ENGINE"]:
        return make_url(f"sqlite:///{database['NAME']}")
    kind = "postgresql" if "postgresql" in database["ENGINE"] else "mysql+pymysql"
    server = project.POSTGRES if kind == "postgresql" else project.MARIADB
    return make_url(server.at(database=database["NAME"])).set(drivername=kind)


def all_refuse(database, name, owner):
    """Check that no call of a store accepts the table of another, and that the table stays as it was."""
    with a_store(owner, database) as theirs:
        theirs.create_schema()
        put(theirs, {"k": b"1"})
        with a_store(name, database) as ours:
            all_refused(ours, f"{TABLE}.* does not fit {name}: .* a table of {owner}")
        theirs.create_schema()
        theirs.ping()
        assert b"1" == theirs.read("k")


def all_refused(store, said):
    """Check that each call of a store is refused."""
    for call in (store.create_schema, store.ping, store.purge, lambda: store.read("k"), lambda: put(store, {"k": b""})):
        with pytest.raises(ConfigurationError, match=said):
            call()


@pytest.mark.parametrize("owner, name", [*permutations(STORES, 2)])
def test_pairs_on_postgres(owner, name):
    """A store on PostgreSQL refuses the table of each other store, in every call, and says whose it is."""
    with postgres_database() as database:
        all_refuse(project.postgres_settings(database), name, owner)


@pytest.mark.parametrize("owner", STORES[:2])
@pytest.mark.parametrize("fake", [True, False])
def test_migrate(owner, fake):
    """``manage.py migrate`` refuses the table of another store, which ``--fake-initial`` would accept."""
    with postgres_database() as name:
        database = project.postgres_settings(name)
        with a_store(owner, database) as theirs, project.known(database) as alias:
            theirs.create_schema()
            with pytest.raises(SystemCheckError, match=f"smsmfa.E001.*{TABLE} does not fit DjangoStore.* of {owner}"):
                call_command("migrate", "smsmfa", database=alias, fake_initial=fake, verbosity=0, skip_checks=False)


@pytest.mark.parametrize("owner, name", [*permutations(STORES[1:])])
def test_pairs_on_sqlite(tmp_path, owner, name):
    """On SQLite one store keeps keys as text and the other as bytes, so neither would find a record of the other."""
    all_refuse(project.sqlite_settings(tmp_path / "db.sqlite3"), name, owner)


def test_default_names():
    """The three stores have three tables unless somebody says otherwise."""
    defaults = {signature(store).parameters["table"].default for store in (PostgresStore, SqlAlchemyStore)}

    assert {"smsmfa", "smsmfa_entries"} == defaults
    assert TABLE not in defaults


@pytest.mark.parametrize("owner, other", [*permutations(STORES[1:])])
def test_shared_on_mariadb(owner, other):
    """On MariaDB both stores have the same table and the same locks: no update is lost, absent keys included."""
    with project.mariadb_database() as name:
        database = project.mariadb_settings(name)
        with a_store(owner, database) as one, a_store(other, database) as two:
            one.create_schema()
            two.ping()
            calls = [lambda store=store: counts(store) for store in (one, two) * 2]
            all_of(at_once(calls, PATIENCE))
            assert [b"20"] * 6 == [store.read(key) for store in (one, two) for key in "abc"]
            with session(url_of(database)) as execute:
                assert [(3,)] == execute(f"SELECT count(*) FROM {TABLE}")


def counts(store):
    """Count five times under keys that are absent at first."""
    for _ in range(5):
        store.update([*"abc"], increment(*"abc"))


@pytest.mark.parametrize("name", STORES[1:])
@pytest.mark.parametrize("column", ["`key` VARCHAR(250)", "value TEXT", "expires DATETIME"])
def test_other_columns_on_mariadb(name, column):
    """A table with another type in any column is refused on MariaDB, in every call."""
    with project.mariadb_database() as database:
        settings = project.mariadb_settings(database)
        with session(url_of(settings)) as execute, a_store(name, settings) as store:
            columns = {"key": "`key` VARBINARY(250)", "value": "value LONGBLOB", "expires": "expires BIGINT"}
            columns[column.split()[0].strip("`")] = column
            execute(f"CREATE TABLE {TABLE} ({', '.join(columns.values())}, PRIMARY KEY (`key`))")
            all_refused(store, f"{TABLE}.* does not fit {name}: .* instead of")
