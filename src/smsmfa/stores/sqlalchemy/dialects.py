"""The SQL of the store on SQLAlchemy for each database that it supports."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection, Dialect

from ...exceptions import ConfigurationError
from ..tables import check_durability, check_mysql, check_postgres, check_sqlite, postgres_columns
from ..writes import DEADLINE
from .sql import Execute, Sql

#: How long a server may wait for a lock (whole seconds).
LOCK_TIMEOUT = int(DEADLINE)


class MySql(Sql):
    """MariaDB and MySQL. The driver begins a transaction with the first statement, which saves a round trip."""

    database = "MariaDB"
    now = "UNIX_TIMESTAMP()"
    stale = "@@global.read_only NOT IN ('0', 'OFF') OR @@global.innodb_read_only"
    lock_template = "INSERT INTO {table} ({key}) VALUES {{}} ON DUPLICATE KEY UPDATE {key} = {key}"
    #: A text literal would have a collation, which makes keys equal, and aiomysql with PyMySQL 1.2 takes no bytes.
    blob = "UNHEX(:{})"
    #: Reads what is committed now, whatever the isolation level is.
    for_update = " FOR UPDATE"
    write_template = "REPLACE INTO {table} ({key}, value, expires) VALUES {{}}"
    create_with: Sequence[str] = (f"SELECT GET_LOCK('smsmfa create_schema', {LOCK_TIMEOUT})",)
    contention: frozenset[object] = frozenset({1205, 1213})  # lock wait timeout, deadlock

    def encoded(self, value: bytes) -> object:
        """Return a value in hexadecimal digits."""
        return value.hex()

    def encoded_key(self, key: str) -> object:
        """Return a key in hexadecimal digits."""
        return key.encode().hex()

    def prepare(self, dialect: Dialect, driver: Any) -> None:
        """Make the server refuse values that it cannot store whole, and limit its waiting for locks."""
        dialect.set_isolation_level(driver, "READ COMMITTED")
        quotes = ",ANSI_QUOTES" if dialect.identifier_preparer.initial_quote == '"' else ""  # as CREATE TABLE quotes
        cursor = driver.cursor()
        cursor.execute(
            f"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION{quotes}', sql_notes = 0, "
            f"innodb_lock_wait_timeout = {LOCK_TIMEOUT}, lock_wait_timeout = {LOCK_TIMEOUT}"
        )
        cursor.close()

    def check(self, execute: Execute) -> bool:
        """Check the table's columns and its engine."""
        columns = execute((_MYSQL_COLUMNS, {"s": self.table.schema, "t": self.table.name}))
        return check_mysql("SqlAlchemyStore", self.table, columns)

    def commit(self, connection: Connection) -> None:
        """Commit."""
        connection.commit()

    def rollback(self, connection: Connection) -> None:
        """Roll back."""
        connection.rollback()

    def code(self, error: Any) -> object:
        """Return the number of an error."""
        return (*getattr(error, "args", ()), None)[0]


#: For one transaction: waiting for locks is limited, the server ends the transaction of a client that has vanished, and
#: a commit waits for the disk even if the default is ``off``.
_LIMITS = (
    f"SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}s', true), "
    f"set_config('idle_in_transaction_session_timeout', '{LOCK_TIMEOUT}s', true), "
    "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)"
)


class PostgreSql(Sql):
    """PostgreSQL."""

    database = "PostgreSQL"
    now = "CAST(floor(extract(epoch FROM clock_timestamp())) AS bigint)"
    stale = "pg_is_in_recovery()"
    #: Both properties are stated, whatever the database's defaults are. A standby refuses READ WRITE.
    begin_with: Sequence[str] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", _LIMITS
    #: Locks an existing row without writing to it. The values must be read by a later statement.
    lock_template = "INSERT INTO {table} ({key}) VALUES {{}} ON CONFLICT ({key}) DO UPDATE SET value = NULL WHERE false"
    create_with: Sequence[str] = ("SELECT pg_advisory_xact_lock(hashtext('smsmfa create_schema'))",)
    #: Serialization failure, deadlock, lock not granted, statement timeout.
    contention: frozenset[object] = frozenset({"40001", "40P01", "55P03", "57014"})

    def check(self, execute: Execute) -> bool:
        """Check the table's columns, its persistence, and the collation of its keys."""
        name = ".".join(f'"{part}"' for part in self.table.fullname.split("."))
        return check_postgres("SqlAlchemyStore", name, execute((text(postgres_columns(name)), {})))

    def code(self, error: object) -> object:
        """Return the SQLSTATE of an error. psycopg2 has another name for it than psycopg and asyncpg."""
        return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


class Sqlite(Sql):
    """SQLite, where only one transaction writes at a time: it locks the whole file."""

    database = "SQLite"
    now = "CAST(strftime('%s', 'now') AS INTEGER)"
    #: A deferred transaction fails as soon as another connection writes, however long it may wait.
    begin_with: Sequence[str] = ("BEGIN IMMEDIATE",)
    skip_locked = ""
    contention: frozenset[object] = frozenset({sqlite3.SQLITE_BUSY})

    def prepare(self, dialect: Dialect, driver: Any) -> None:
        """Leave transactions and waiting to the store. SQLite's own waiting can overlook one of many for seconds."""
        super().prepare(dialect, driver)
        cursor = driver.cursor()
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.close()

    def check(self, execute: Execute) -> bool:
        """Check that the database is a file that survives a power cut, and the table's columns."""
        if not any(file for _, name, file in execute((_SQLITE_FILES, {})) if name == "main"):
            raise ConfigurationError("the store needs a SQLite database in a file, not in memory; or use MemoryStore")
        [(synchronous,)], [(journal,)] = execute((_SQLITE_SYNCHRONOUS, {})), execute((_SQLITE_JOURNAL, {}))
        check_durability("SQLite", synchronous, journal)
        columns = execute((_SQLITE_COLUMNS, {"s": self.table.schema, "t": self.table.name}))
        return check_sqlite("SqlAlchemyStore", self.table, columns)

    def code(self, error: object) -> object:
        """Return the primary code of an error."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF

    def had_no_effect(self, error: object) -> bool:
        """Whether the file was locked."""
        return self.code(error) == sqlite3.SQLITE_BUSY


_SQL: dict[str, type[Sql]] = {"mysql": MySql, "mariadb": MySql, "postgresql": PostgreSql, "sqlite": Sqlite}
_SQLITE_FILES = text("PRAGMA database_list")
_SQLITE_SYNCHRONOUS, _SQLITE_JOURNAL = text("PRAGMA synchronous"), text("PRAGMA journal_mode")
_SQLITE_COLUMNS = text("SELECT name, type FROM pragma_table_info(:t, :s)")
_MYSQL_COLUMNS = text(
    "SELECT column_name, data_type, engine FROM information_schema.tables JOIN information_schema.columns "
    "USING (table_schema, table_name) WHERE table_schema = COALESCE(:s, DATABASE()) AND table_name = :t"
)


def sql_for(dialect: Dialect, table: str) -> Sql:
    """Return the SQL for a database and a table.

    Raises:
        ConfigurationError: the database is not supported, or ``table`` is not a valid name.
    """
    if dialect.name not in _SQL:
        raise ConfigurationError(
            f"engine: it is not known how {dialect.name} locks rows; use MariaDB, MySQL, PostgreSQL or SQLite"
        )
    return _SQL[dialect.name](dialect, table)
