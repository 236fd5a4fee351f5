"""Which tables are accepted, and which refused, when somebody made them by hand."""

import psycopg
import pytest
from stores.postgres.pools import a_database  # noqa: F401

from smsmfa import ConfigurationError
from smsmfa.stores.tables import check_mysql, check_postgres, looking_at_postgres


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
    return check_postgres("t", db.execute(looking_at_postgres("t")).fetchall())


@pytest.mark.parametrize(
    "key", ['text COLLATE "C"', "text", "varchar(250)", 'text COLLATE "und-x-icu"', "bytea", "text PRIMARY KEY"]
)
def test_postgres_good(db, key):
    """A table that is logged, and whose keys are equal only if their bytes are, is taken."""
    assert check(db, f"TABLE t (key {key}, value bytea)")


@pytest.mark.parametrize("kind", ["UNLOGGED", "TEMPORARY"])
def test_postgres_not_logged(db, kind):
    """A table that a crash empties is refused."""
    with pytest.raises(ConfigurationError, match="UNLOGGED or TEMPORARY"):
        check(db, f"{kind} TABLE t (key text)")


@pytest.mark.parametrize("key", ["text COLLATE lax", "varchar(250) COLLATE lax", "char(250)"])
def test_postgres_equal_keys(db, key):
    """A table that takes some keys for equal is refused."""
    with pytest.raises(ConfigurationError, match="different ones equal"):
        check(db, f"TABLE t (key {key})")


@pytest.mark.parametrize("definition", ["TABLE another (key text)", "TABLE t (name text)"])
def test_postgres_nothing_seen(db, definition):
    """Where there is no table, or none with keys, nothing is found."""
    assert not check(db, definition)


def test_mysql_good():
    """A table with transactions whose keys are bytes is good; one that is not there is not known to be."""
    assert check_mysql("t", [("InnoDB", "varbinary")])
    assert not check_mysql("t", [])


@pytest.mark.parametrize("seen, said", [(("MyISAM", "varbinary"), "InnoDB"), (("InnoDB", "varchar"), "VARBINARY")])
def test_mysql_not_fit(seen, said):
    """One without transactions, or whose keys have a collation, is refused with what it has to be."""
    with pytest.raises(ConfigurationError, match=said):
        check_mysql("t", [seen])
