"""Check that an existing table fits the store that uses it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..exceptions import ConfigurationError

_Columns = Mapping[str, Sequence[str]]

_VARBINARY: _Columns = {"key": ("varbinary",), "value": ("longblob", "mediumblob", "blob"), "expires": ("bigint",)}

#: The types that the columns of each store's table may have. The first is the one that ``create_schema()`` chooses.
#: On MariaDB and MySQL the tables of both stores are the same, and so are their locks: there they may share a table.
_COLUMNS: Mapping[str, Mapping[str, _Columns]] = {
    "PostgreSQL": {
        "PostgresStore": {
            "key": ("text", "character varying", "bytea"),
            "value": ("bytea",),
            "expires": ("timestamp with time zone",),
        },
        "SqlAlchemyStore": {"key": ("text", "character varying"), "value": ("bytea",), "expires": ("bigint",)},
        "DjangoStore": {"key": ("bytea",), "value": ("bytea",), "expires": ("bigint",)},
    },
    "MySQL": {"SqlAlchemyStore": _VARBINARY, "DjangoStore": _VARBINARY},
    "SQLite": {
        "SqlAlchemyStore": {"key": ("varchar", "text"), "value": ("blob",), "expires": ("bigint", "integer")},
        "DjangoStore": {"key": ("blob",), "value": ("blob",), "expires": ("bigint", "integer")},
    },
}

_NAME = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_]{0,62})\.)?([A-Za-z_][A-Za-z0-9_]{0,54})")

_POSTGRES = (
    "SELECT CAST(attname AS text), CAST(CAST(atttypid AS regtype) AS text), relpersistence = 'p', "
    "COALESCE(collisdeterministic, true) "
    "FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped "
    "LEFT JOIN pg_collation ON pg_collation.oid = attcollation "
    "WHERE pg_class.oid = to_regclass('{}')"
)


def split_name(table: object) -> tuple[str | None, str]:
    """Return the schema in the name of a table, or ``None``, and the rest of the name.

    Raises:
        ConfigurationError: the name is invalid.
    """
    name = _NAME.fullmatch(table) if isinstance(table, str) else None
    if name is None:
        raise ConfigurationError(
            'table: use ASCII letters, digits and "_", at most 55 of them; a schema and a full stop may come before'
        )
    return name[1], name[2]


def postgres_columns(table: str) -> str:
    """Return the SELECT whose rows :func:`check_postgres` takes.

    Args:
        table: the name as SQL has it, quoted where it must be.
    """
    return _POSTGRES.format(table)


def check_postgres(store: str, table: object, rows: Iterable[Sequence[Any]]) -> bool:
    """Check a table on PostgreSQL, and return whether it exists.

    Args:
        store: the class of the store.
        table: the table's name, for errors.
        rows: each column's name, its type, whether the table is permanent, and whether the collation is deterministic.

    Raises:
        ConfigurationError: a column is missing or has the wrong type, a crash would empty the table, or different keys
            would be equal.
    """
    found = [(as_text(name), as_text(kind), *rest) for name, kind, *rest in rows]
    _check_columns("PostgreSQL", store, table, {name: kind for name, kind, *_ in found})
    for name, _, permanent, deterministic in found:
        if not permanent:
            raise ConfigurationError(
                f"the table {table} is UNLOGGED or TEMPORARY, so a crash would empty it: ALTER TABLE ... SET LOGGED"
            )
        if name == "key" and not deterministic:
            raise ConfigurationError(
                f'the collation of the keys in {table} makes different keys equal: use COLLATE "C", as create_schema() '
                "does"
            )
    return bool(found)


def check_mysql(store: str, table: object, rows: Iterable[Sequence[Any]]) -> bool:
    """Check a table on MariaDB or MySQL, and return whether it exists.

    Args:
        store: the class of the store.
        table: the table's name, for errors.
        rows: each column's name and type, and the table's engine.

    Raises:
        ConfigurationError: a column is missing or has the wrong type, or the engine has no transactions.
    """
    found = [(name, kind.lower(), engine) for name, kind, engine in rows]
    _check_columns("MySQL", store, table, {name: kind for name, kind, _ in found})
    for _, _, engine in found:
        if str(engine).upper() != "INNODB":
            raise ConfigurationError(
                f"the table {table} uses the engine {engine}, which has no transactions: ALTER TABLE ... ENGINE=InnoDB"
            )
    return bool(found)


def check_sqlite(store: str, table: object, rows: Iterable[Sequence[str]]) -> bool:
    """Check a table in a SQLite file, and return whether it exists.

    Args:
        store: the class of the store.
        table: the table's name, for errors.
        rows: each column's name and declared type.

    Raises:
        ConfigurationError: a column is missing or has the wrong type.
    """
    found = {name: kind.lower().partition("(")[0] for name, kind in rows}
    _check_columns("SQLite", store, table, found)
    return bool(found)


def check_durability(file: str, synchronous: int, journal: str) -> None:
    """Check the settings of a SQLite file.

    Args:
        file: what errors call the file.
        synchronous: what ``PRAGMA synchronous`` says.
        journal: what ``PRAGMA journal_mode`` says.

    Raises:
        ConfigurationError: a power cut could destroy the file.
    """
    if synchronous == 0:
        raise ConfigurationError(f"{file}: a power cut may destroy it with synchronous = OFF; set it to FULL")
    if journal in ("off", "memory"):
        raise ConfigurationError(
            f"{file}: a power cut may destroy it with journal_mode = {journal.upper()}; set it to WAL"
        )


def as_text(value: str | bytes) -> str:
    """Return ASCII text that some drivers and encodings return as bytes."""
    return value if isinstance(value, str) else str(value, "ascii")


def _check_columns(database: str, store: str, table: object, found: Mapping[str, str]) -> None:
    stores = _COLUMNS[database]
    if not found or not (wrong := _differences(stores[store], found)):
        return
    owner = next((other for other, columns in stores.items() if not _differences(columns, found)), None)
    advice = (
        f"It is a table of {owner}. Each store needs its own: choose another name (table=...; DjangoStore always uses "
        "smsmfa_record) and call create_schema()"
        if owner
        else "Change these columns, or rename the table and call create_schema()"
    )
    raise ConfigurationError(f"the table {table} does not fit {store}: {', '.join(wrong)}. {advice}")


def _differences(columns: _Columns, found: Mapping[str, str]) -> list[str]:
    wrong = [
        f"{name} is {found[name]} instead of {kinds[0]}"
        for name, kinds in columns.items()
        if name in found and found[name] not in kinds
    ]
    missing = [name for name in columns if name not in found]
    if missing:
        wrong.append(f"it has the columns {', '.join(sorted(found))}, but no {' and no '.join(missing)}")
    return wrong
