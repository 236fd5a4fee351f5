"""What the text of a store's error may say: it may reach a visitor, so it names no server, user or file."""

import re
import sqlite3

#: The codes of PostgreSQL and of MySQL for a table that does not exist.
_ABSENT = ("42P01", 1146)
_SQLSTATE = re.compile("[0-9A-Z]{5}")


def described(error: BaseException, code: object, table: object) -> str:
    """Describe a driver's error. Who raises ours keeps the driver's as its cause, for the log.

    Args:
        error: the driver's error. The texts of servers name hosts, users and databases, and only the first line of
            SQLite's certainly shows no row.
        code: the server's code for it, or anything else.
        table: the store's table, which may be absent.
    """
    kind = type(error).__name__
    if isinstance(error, sqlite3.Error):
        return f"{kind}: {error}".partition("\n")[0]
    if code in _ABSENT:
        return f"there is no table {table}"
    known = type(code) is int or (isinstance(code, str) and _SQLSTATE.fullmatch(code))
    return f"{kind} {code}" if known else kind
