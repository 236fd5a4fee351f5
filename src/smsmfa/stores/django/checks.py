"""Checks of a database: at its first use in a process, at each ping, and by Django's commands."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from django.core import checks
from django.db import connections, router

from ...exceptions import ConfigurationError
from ..tables import check_durability, check_mysql, check_postgres, check_sqlite, postgres_columns
from .connection import Connection
from .sql import TABLE

Execute = Callable[..., list[Any]]

_MYSQL = (
    "SELECT column_name, data_type, engine FROM information_schema.tables JOIN information_schema.columns "
    "USING (table_schema, table_name) WHERE table_schema = DATABASE() AND table_name = %s"
)
_SQLITE = "SELECT name, type FROM pragma_table_info(%s)"

#: By Django's name for the database: checks the table, and returns whether it exists.
_CHECKS: dict[str, Callable[[Execute], bool]] = {
    "mysql": lambda execute: check_mysql("DjangoStore", TABLE, execute(_MYSQL, [TABLE])),
    "postgresql": lambda execute: check_postgres("DjangoStore", TABLE, execute(postgres_columns(TABLE))),
    "sqlite": lambda execute: check_sqlite("DjangoStore", TABLE, execute(_SQLITE, [TABLE])),
}

#: The aliases of databases that were found good.
_good: set[str] = set()


def check_once(connection: Connection) -> None:
    """Check a database, unless it was found good before.

    Raises:
        ConfigurationError: as :func:`check`.
    """
    if connection.alias not in _good:
        check(connection)


def check(connection: Connection) -> None:
    """Check a database and its table. A database without the table is neither good nor bad.

    Raises:
        ConfigurationError: the store would lose updates or records there, or the table is another store's.
    """
    _good.discard(connection.alias)
    vendor = connections[connection.alias].vendor
    if vendor == "sqlite":
        [(synchronous,)] = connection.execute("PRAGMA synchronous")
        [(journal,)] = connection.execute("PRAGMA journal_mode")
        check_durability(connection.alias, synchronous, journal)
    if _CHECKS[vendor](connection.execute):
        _good.add(connection.alias)


@checks.register(checks.Tags.database)
def check_tables(databases: Iterable[str] | None = None, **_: object) -> list[checks.CheckMessage]:
    """Make ``migrate`` and ``check --database`` refuse a table that the store cannot use."""
    errors: list[checks.CheckMessage] = []
    for alias in databases or ():
        check_table = _CHECKS.get(connections[alias].vendor)
        if check_table and router.allow_migrate(alias, "smsmfa", model_name="record"):
            try:
                check_table(partial(_execute, alias))
            except ConfigurationError as error:
                errors.append(checks.Error(f"{alias}: {error}", id="smsmfa.E001"))
    return errors


def _execute(alias: str, statement: str, parameters: Sequence[str] | None = None) -> list[Any]:
    """Execute a statement on the models' connection, and return its rows."""
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
