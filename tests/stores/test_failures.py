"""The texts of errors of every store."""

import sqlite3

import pytest

from smsmfa.stores.failures import described


class OperationalError(Exception):
    """An error of a server's driver."""


LONG = OperationalError('connection to server at "10.0.0.7", port 5432 failed: no password for user "acme"')


@pytest.mark.parametrize("code, said", [("28P01", " 28P01"), (1045, " 1045"), (None, ""), (True, ""), ("a text", "")])
def test_server(code, said):
    """T12: of a server's error the text has the class and the code, and nothing else."""
    assert f"OperationalError{said}" == described(LONG, code, "smsmfa_record")


@pytest.mark.parametrize("code", ["42P01", 1146])
def test_absent(code):
    """An absent table is named."""
    assert "there is no table smsmfa_record" == described(LONG, code, "smsmfa_record")


def test_sqlite():
    """SQLite's texts name no file, and their first line shows no row."""
    error = sqlite3.IntegrityError("UNIQUE constraint failed: t.key\nmore")
    assert "IntegrityError: UNIQUE constraint failed: t.key" == described(error, None, "t")
