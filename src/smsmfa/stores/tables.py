"""What a table must be like, on PostgreSQL or on MariaDB and MySQL, whoever created it."""

from collections.abc import Iterable

from ..exceptions import ConfigurationError

_POSTGRES = (
    "SELECT relpersistence = 'p', COALESCE(collisdeterministic, true) AND "
    "atttypid IN ('text'::regtype, 'varchar'::regtype, 'bytea'::regtype) "
    "FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid "
    "LEFT JOIN pg_collation ON pg_collation.oid = attcollation "
    "WHERE pg_class.oid = to_regclass('{}') AND attname = 'key'"
)


def looking_at_postgres(table: str) -> str:
    """Return the SELECT that looks at a table, by its name as SQL has it."""
    return _POSTGRES.format(table)


def check_postgres(table: str, rows: Iterable[tuple[bool, bool]]) -> bool:
    """Check what was seen of a table; return whether there was something to see.

    Raises:
        ConfigurationError: a crash would empty the table, or some keys are taken for equal.
    """
    found = list(rows)
    for logged, exact in found:
        if not logged:
            raise ConfigurationError(
                f"the table {table} is UNLOGGED or TEMPORARY, and empty after a crash: ALTER TABLE ... SET LOGGED"
            )
        if not exact:
            raise ConfigurationError(
                f"keys in {table} have a type or a collation that makes different ones equal: create_schema() makes a "
                "table that compares bytes"
            )
    return bool(found)


def check_mysql(table: object, rows: Iterable[tuple[str, str]]) -> bool:
    """Check the engine and the type of the keys of a table; return whether there was something to see.

    Raises:
        ConfigurationError: updates of it would be lost, or some keys are taken for equal.
    """
    found = list(rows)
    for engine, kind in found:
        if engine.upper() != "INNODB":
            raise ConfigurationError(
                f"the table {table} is in {engine}, which has no transactions: ALTER TABLE ... ENGINE=InnoDB"
            )
        if kind.lower() != "varbinary":
            raise ConfigurationError(
                f"keys in {table} are {kind}, which makes different ones equal: they have to be VARBINARY(250)"
            )
    return bool(found)
