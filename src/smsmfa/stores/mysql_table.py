"""What a table on MariaDB or MySQL has to be, whoever made it: for every store that keeps records there."""

from collections.abc import Iterable

from ..exceptions import ConfigurationError


def check_table(table: object, rows: Iterable[tuple[str, str]]) -> bool:
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
