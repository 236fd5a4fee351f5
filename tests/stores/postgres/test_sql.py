"""The SQL for PostgreSQL: names, locks, and the text of every statement."""

from hashlib import sha256

import pytest

from smsmfa import ConfigurationError
from smsmfa.stores.postgres import sql as postgres_sql
from smsmfa.stores.postgres.sql import BEGIN, COMMIT, Sql, lock_numbers
from smsmfa.typing import Entry

KEYS = [f"u:{number}" for number in range(100)]


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """Forget the texts that other tests have asked for."""
    for made in postgres_sql._lock, postgres_sql._write, postgres_sql._marks:
        made.cache_clear()


@pytest.mark.parametrize("table", ["a b", "a" * 56, None])
def test_no_table(table):
    """An invalid name is refused, and one that leaves no room for the name of the index."""
    with pytest.raises(ConfigurationError, match="table"):
        Sql(table)


@pytest.mark.parametrize("table, quoted", [("smsmfa", '"smsmfa"'), ("a.Table_1", '"a"."Table_1"'), ("user", '"user"')])
def test_table(table, quoted):
    """Names are quoted, so capital letters and reserved words work."""
    assert quoted == Sql(table).table
    assert all(quoted in statement for statement in Sql(table).schema())


def test_lock_numbers():
    """Locks are taken in the same order, whatever the order of the keys, and each only once."""
    numbers = lock_numbers(KEYS)

    assert sorted(set(numbers)) == numbers
    assert numbers == lock_numbers(KEYS[::-1]) == lock_numbers(KEYS * 2)
    assert len(KEYS) == len(numbers)
    assert all(-(2**63) <= number < 2**63 for number in numbers)


def test_lock_numbers_never_change():
    """The numbers never change between releases, because two releases must see each other's locks."""
    assert [6131660875376385588] == lock_numbers(["u:alice"])
    assert [int.from_bytes(sha256(b"smsmfa u:alice").digest()[:8], "big", signed=True)] == lock_numbers(["u:alice"])


def test_opening():
    """An update locks in one statement and reads in the next. Without keys it still reads the table."""
    sql = Sql("t")
    two, none = sql.begin(["a", "b"], 7), sql.begin([], 7)

    assert [BEGIN, ("7",), lock_numbers("ab"), ["a", "b"]] == [two[0], two[1][1], two[2][1], two[3][1]]
    assert "FROM (VALUES ($1::bigint), ($2::bigint)) AS locks" in two[2][0]
    assert 'SELECT key, value FROM "t" WHERE key IN ($1, $2)' == two[3][0]
    assert [("SELECT", []), ('SELECT key, value FROM "t" WHERE key IN (NULL)', [])] == none[2:]


def test_closing():
    """All writes are one statement, all deletions another, and without either there is only the commit."""
    sql = Sql("t")
    writes = {"a": Entry(b"1"), "b": None, "c": Entry(b"2", 10**11), "d": None}
    (write, rows), (delete, deleted), commit = sql.end(writes)

    assert ["a", b"1", None, "c", b"2", "100000000000"] == rows
    assert write.startswith('INSERT INTO "t" (key, value, expires) VALUES ($1, ')
    assert ('DELETE FROM "t" WHERE key IN ($1, $2)', ["b", "d"]) == (delete, deleted)
    assert COMMIT == commit
    assert [COMMIT] == sql.end({})
    assert 2 == len(sql.end({"a": Entry(b"")}))
    assert 2 == len(sql.end({"a": None}))


def test_others():
    """Every operation has a time limit. Those that write begin their own transaction."""
    sql = Sql("t")
    reading, purging, making = sql.read("a", 7), sql.purge(5, 7), sql.create(7)
    looking = sql.columns(7)

    assert [("7",), ("a",)] == [values for _, values in reading]
    assert [reading[0], ()] == [looking[0], looking[1][1]]
    assert """to_regclass('"t"')""" in looking[1][0]
    assert [BEGIN, ("7",), (5,), COMMIT] == [purging[0], purging[1][1], purging[2][1], purging[3]]
    assert [BEGIN, ("7",), lock_numbers(["\0 create_schema"])] == [making[0], making[1][1], making[2][1]]
    assert [*((text, ()) for text in sql.schema()), COMMIT] == making[3:]
