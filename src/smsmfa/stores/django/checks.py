"""What a database has to be, or updates of its would be lost: looked at once in a process, and by each ping."""

from collections.abc import Callable

from django.db import connections

from ...exceptions import ConfigurationError
from ..tables import check_mysql, check_postgres, looking_at_postgres
from .connection import Connection

_MYSQL = (
    "SELECT engine, data_type FROM information_schema.tables JOIN information_schema.columns "
    "USING (table_schema, table_name) "
    "WHERE table_schema = DATABASE() AND table_name = 'smsmfa_record' AND column_name = 'key'"
)

#: The aliases of databases that were found good.
_good: set[str] = set()


def check_once(database: Connection) -> None:
    """Look at a database, unless it was found good before.

    Raises:
        ConfigurationError: as with :func:`check`.
    """
    if database.alias not in _good:
        check(database)


def check(database: Connection) -> None:
    """Look at a database. A server without the table is neither good nor bad.

    Raises:
        ConfigurationError: it would lose updates or all records, or take some keys for equal.
    """
    _good.discard(database.alias)
    if _CHECKS[connections[database.alias].vendor](database):
        _good.add(database.alias)


def _check_mysql(database: Connection) -> bool:
    return check_mysql("smsmfa_record", database.run(_MYSQL))


def _check_sqlite(database: Connection) -> bool:
    [(synchronous,)], [(journal,)] = database.run("PRAGMA synchronous"), database.run("PRAGMA journal_mode")
    if not synchronous or journal in ("off", "memory"):
        raise ConfigurationError(
            f"{database.alias}: SQLite with synchronous = OFF, or without a journal on the disk, may lose the whole "
            "file: set synchronous to FULL, and journal_mode to WAL"
        )
    return True


def _check_postgres(database: Connection) -> bool:
    return check_postgres("smsmfa_record", database.run(looking_at_postgres("smsmfa_record")))


_CHECKS: dict[str, Callable[[Connection], bool]] = {
    "mysql": _check_mysql,
    "postgresql": _check_postgres,
    "sqlite": _check_sqlite,
}
