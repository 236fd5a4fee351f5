"""One connection during one attempt: which failures are tried again, and how it is left."""

import logging
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import create_engine, event
from stores.sqlalchemy.databases import Broken, counted, engine_of, failing, sqlite

from smsmfa import StoreError
from smsmfa.stores.sqlalchemy import SqlAlchemyStore
from smsmfa.testing.stores.suite import increment, look, put


@pytest.fixture
def url():
    with sqlite() as url:
        yield url


@pytest.fixture
def engine(url):
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine):
    with closing(SqlAlchemyStore(engine)) as store:
        put(store, {"a": b"0"})
        yield store


def closings(store):
    """Return a list that receives each connection that a store closes."""
    closed = []
    for name in ("close", "invalidate"):
        event.listen(engine_of(store).pool, name, lambda connection, *_: closed.append(connection))
    return closed


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT", "INSERT"])
def test_contention_is_tried_again(store, statement):
    """Contention before the COMMIT is tried again, and the update counts once."""
    failing(store, statement, Broken("busy", sqlite3.SQLITE_BUSY), Broken("busy", sqlite3.SQLITE_BUSY | 512))
    assert 0 == store.update(["a"], increment("a"))
    assert b"1" == store.read("a")


@pytest.mark.parametrize(
    "error",
    [Broken("deadlock", sqlite3.SQLITE_BUSY), sqlite3.ProgrammingError("Cannot operate on a closed database.")],
    ids=["contention", "lost"],
)
def test_undone(store, monkeypatch, error):
    """After contention or with a lost connection nothing is changed, so the whole transaction is tried again."""
    monkeypatch.setattr(type(store._records.pool.sql), "had_no_effect", lambda sql, error: False)
    failing(store, "SELECT", error)
    assert 0 == store.update(["a"], increment("a"))
    assert b"1" == store.read("a")


def test_commit_is_not_repeated(store):
    """After COMMIT was sent, nothing is tried again after any failure, and the connection is closed."""
    failing(store, "COMMIT", Broken("I/O error", sqlite3.SQLITE_IOERR), Broken("never", sqlite3.SQLITE_IOERR))
    closed = closings(store)
    with counted(store) as sent, pytest.raises(StoreError, match="not known") as failed:
        put(store, {"a": b"1"})
    assert StoreError is type(failed.value)
    assert ["BEGIN", "SELECT", "INSERT", "COMMIT"] == sent
    assert 1 == len({*map(id, closed)})


def test_file_that_is_read_at_the_commit(store):
    """If SQLite refuses COMMIT because the file is locked, nothing happened, so COMMIT is executed again."""
    failing(store, "COMMIT", *[Broken("busy", sqlite3.SQLITE_BUSY)] * 3)
    put(store, {"a": b"1"})
    assert b"1" == store.read("a")


def test_other_failures(store):
    """Any other failure is not tried again, and closes the connection."""
    failing(store, "INSERT", Broken("disk full", sqlite3.SQLITE_FULL), Broken("never"))
    closed = closings(store)
    with counted(store) as sent, pytest.raises(StoreError, match="disk full"):
        put(store, {"a": b"1"})
    assert ["BEGIN", "SELECT", "INSERT"] == sent
    assert 1 == len({*map(id, closed)})


def test_failing_rollback(store):
    """A connection whose ROLLBACK fails is closed, and the error of the change is raised."""
    failing(store, "ROLLBACK", Broken("disk full", sqlite3.SQLITE_FULL))
    closed = closings(store)
    with pytest.raises(ZeroDivisionError):
        store.update(["a"], lambda _: 1 / 0)
    assert 1 == len({*map(id, closed)})
    put(store, {"a": b"1"})


def test_values_are_not_shown(store, caplog):
    """T12: neither errors nor logs show a value, and the cause is the driver's error."""
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    put(store, {"a": b"secret"})
    assert {"a": b"secret"} == look(store, ["a"])
    failing(store, "INSERT", Broken("disk full"))
    with pytest.raises(StoreError) as failed:
        put(store, {"a": b"secret"})
    assert "SQLite: Broken: disk full" == str(failed.value)
    assert Broken is type(failed.value.__cause__)
    assert "secret" not in f"{failed.value.__context__}{caplog.text}"


def test_only_the_first_line(store):
    """Only the first line of a database's error is shown, because others may show the row."""
    failing(store, "INSERT", Broken("constraint\nDETAIL: row (secret)"))
    with pytest.raises(StoreError) as failed:
        put(store, {"a": b"1"})
    assert "SQLite: Broken: constraint" == str(failed.value)
