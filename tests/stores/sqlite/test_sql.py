"""The statements of the SQLite store."""

import sqlite3
from contextlib import closing

from smsmfa.stores.sqlite import sql


def test_read_many():
    """The statement for several keys has one placeholder for each, also if there are none."""
    assert "SELECT key, value FROM smsmfa WHERE key IN (?,?)" == sql.read_many(2)
    assert "SELECT key, value FROM smsmfa WHERE key IN ()" == sql.read_many(0)


def test_purge_is_bounded():
    """A purge reads no row that it does not delete."""
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in sql.SCHEMA:
            db.execute(statement)
        plan = str(db.execute(f"EXPLAIN QUERY PLAN {sql.PURGE}", (0, 1)).fetchall())

    assert "USING COVERING INDEX smsmfa_expires (expires<?)" in plan
    assert "SCAN smsmfa" not in plan
