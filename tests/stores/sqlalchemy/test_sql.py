"""The table, and the SQL for a database without peculiarities."""

import sys
from contextlib import closing
from importlib import import_module
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import MetaData, NullPool, create_engine
from sqlalchemy.dialects.postgresql.base import PGDialect
from stores.sqlalchemy.databases import session, sqlite

from smsmfa import ConfigurationError, StoreError
from smsmfa.stores.sqlalchemy import SqlAlchemyStore
from smsmfa.stores.sqlalchemy import dialects as sqlalchemy_dialects
from smsmfa.stores.sqlalchemy.dialects import sql_for
from smsmfa.stores.sqlalchemy.sql import Sql, schema
from smsmfa.testing.stores.suite import look, put
from smsmfa.typing import Entry


class Plain(Sql):
    """A database without peculiarities."""

    database = "a plain one"
    now = "100"
    begin_with = ("BEGIN",)
    skip_locked = ""
    contention = frozenset()

    def code(self, error):
        return type(error)

    def check(self, execute):
        return True


@pytest.fixture
def url(monkeypatch):
    """The URL of a SQLite file that the store uses like a database without peculiarities."""
    monkeypatch.setitem(sqlalchemy_dialects._SQL, "sqlite", Plain)
    with sqlite() as url:
        yield url


@pytest.fixture
def store(url):
    with closing(SqlAlchemyStore(create_engine(url, poolclass=NullPool))) as store:
        yield store


@pytest.mark.parametrize("table", ["a b", "a" * 56, None])
def test_no_name(table):
    """An invalid name for a table is refused."""
    with pytest.raises(ConfigurationError, match="table"):
        schema(MetaData(), table)


def test_one_order():
    """Keys are locked in the same order, each once, and in chunks."""
    sql = sql_for(PGDialect(), "smsmfa_entries")
    [(_, values)] = sql.lock(["b", "c", "a", "b"])
    assert {"k0": "a", "k1": "b", "k2": "c"} == values
    assert [500, 500, 1] == [len(values) for _, values in sql.lock(map(str, range(1001)))]


def test_nothing_special(url, store):
    """Entries are written, read, rolled back, deleted, and purged after their lifetime."""
    put(store, {"a": b"1", "b": b"2"})
    store.update(["a", "c"], lambda _: ({"a": None, "c": Entry(b"3", 7)}, None))
    with pytest.raises(ZeroDivisionError):
        store.update(["b"], lambda _: ({"b": Entry(b"%d" % (1 // 0))}, None))
    assert {"b": b"2", "c": b"3"} == look(store, ["a", "b", "c"])
    with session(url) as execute:
        assert [(108,)] == execute("SELECT expires FROM smsmfa_entries WHERE key = 'c'")
        execute("UPDATE smsmfa_entries SET expires = 99 WHERE key = 'c'")
    assert 1 == store.purge()
    assert {"b": b"2"} == look(store, ["b", "c"])


def test_failure_is_final(url, store):
    """A failed statement is not executed again if it may have had an effect."""
    with session(url) as execute:
        execute("DROP TABLE smsmfa_entries")
    with pytest.raises(StoreError, match="a plain one: OperationalError"):
        store.read("a")


def test_other_columns():
    """A table whose columns have other names is refused: SQLite would read an unknown name as text."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/factor.db"
        with session(url) as execute:
            execute("CREATE TABLE smsmfa_entries (k TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
        with closing(SqlAlchemyStore(create_engine(url, poolclass=NullPool))) as store:
            for call in (store.ping, lambda: store.read("a"), lambda: store.update(["a"], lambda _: ({}, None))):
                with pytest.raises(ConfigurationError, match="no key"):
                    call()


def test_missing_package(monkeypatch):
    """Without SQLAlchemy, the import error says what to install."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "smsmfa.stores.sqlalchemy.sql")
    with pytest.raises(ModuleNotFoundError) as missing:
        import_module("smsmfa.stores.sqlalchemy.sql")

    assert 'smsmfa.stores.sqlalchemy needs SQLAlchemy: pip install "smsmfa[sqlalchemy]"' == str(missing.value)
