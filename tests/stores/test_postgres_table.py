"""Tables on PostgreSQL that somebody made by hand: which are taken, and which refused."""

import psycopg
import pytest
from stores.postgres_pools import a_database  # noqa: F401

from smsmfa import ConfigurationError
from smsmfa.stores.postgres_table import check_table, looking_at


@pytest.fixture
def db(url):
    """A transaction that is rolled back, in a database with a collation that ignores case."""
    with psycopg.connect(url) as db:
        db.execute("CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        yield db
        db.rollback()


def check(db, definition):
    """Make a table, and check what is seen of it."""
    db.execute(f"CREATE {definition}")
    return check_table("t", db.execute(looking_at("t")).fetchall())


@pytest.mark.parametrize(
    "key", ['text COLLATE "C"', "text", "varchar(250)", 'text COLLATE "und-x-icu"', "bytea", "text PRIMARY KEY"]
)
def test_good(db, key):
    """A table that is logged, and whose keys are equal only if their bytes are, is taken."""
    assert check(db, f"TABLE t (key {key}, value bytea)")


@pytest.mark.parametrize("kind", ["UNLOGGED", "TEMPORARY"])
def test_not_logged(db, kind):
    """A table that a crash empties is refused."""
    with pytest.raises(ConfigurationError, match="UNLOGGED or TEMPORARY"):
        check(db, f"{kind} TABLE t (key text)")


@pytest.mark.parametrize("key", ["text COLLATE lax", "varchar(250) COLLATE lax", "char(250)"])
def test_equal_keys(db, key):
    """A table that takes some keys for equal is refused."""
    with pytest.raises(ConfigurationError, match="different ones equal"):
        check(db, f"TABLE t (key {key})")


@pytest.mark.parametrize("definition", ["TABLE another (key text)", "TABLE t (name text)"])
def test_nothing_seen(db, definition):
    """Where there is no table, or none with keys, nothing is found."""
    assert not check(db, definition)
