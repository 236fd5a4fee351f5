"""What is checked of a database: by Django's commands, at its first use in a process, and by each ping."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.core import checks
from django.db import connections, router

from ...exceptions import ConfigurationError
from ..tables import check_durability, check_mysql, check_postgres, check_sqlite, postgres_columns
from .connection import Connection
from .sql import TABLE

Run = Callable[[str], list[Any]]

_MYSQL = (
    "SELECT column_name, data_type, engine FROM information_schema.tables JOIN information_schema.columns "
    f"USING (table_schema, table_name) WHERE table_schema = DATABASE() AND table_name = '{TABLE}'"
)

_SQLITE = f"SELECT name, type FROM pragma_table_info('{TABLE}')"  # noqa: S608

#: By Django's name for the database: checks the table, and returns whether it exists.
_CHECKS: dict[str, Callable[[Run], bool]] = {
    "mysql": lambda run: check_mysql("DjangoStore", TABLE, run(_MYSQL)),
    "postgresql": lambda run: check_postgres("DjangoStore", TABLE, run(postgres_columns(TABLE))),
    "sqlite": lambda run: check_sqlite("DjangoStore", TABLE, run(_SQLITE)),
}

#: The aliases of databases that were found good.
_good: set[str] = set()


def check_once(database: Connection) -> None:
    """Check a database, unless it was found good before.

    Raises:
        ConfigurationError: as :func:`check`.
    """
    if database.alias not in _good:
        check(database)


def check(database: Connection) -> None:
    """Check a database and the table. A database without the table is neither good nor bad.

    Raises:
        ConfigurationError: the store would lose updates or records there, or the table is another store's.
    """
    _good.discard(database.alias)
    vendor = connections[database.alias].vendor
    if vendor == "sqlite":
        [(synchronous,)], [(journal,)] = database.run("PRAGMA synchronous"), database.run("PRAGMA journal_mode")
        check_durability(database.alias, synchronous, journal)
    if _CHECKS[vendor](database.run):
        _good.add(database.alias)


@checks.register(checks.Tags.database)
def check_tables(databases: Iterable[str] | None = None, **_: object) -> list[checks.CheckMessage]:
    """Have ``migrate`` and ``check --database`` refuse a table that does not fit."""
    errors: list[checks.CheckMessage] = []
    for alias in databases or ():
        check_table = _CHECKS.get(connections[alias].vendor)
        if check_table and router.allow_migrate(alias, "smsmfa", model_name="record"):
            try:
                check_table(partial(_run, alias))
            except ConfigurationError as error:
                errors.append(checks.Error(f"{alias}: {error}", id="smsmfa.E001"))
    return errors


def _run(alias: str, statement: str) -> list[Any]:
    """Execute a statement on the connection that models use, and return its rows."""
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
