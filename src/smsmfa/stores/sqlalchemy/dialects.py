"""What a store on SQLAlchemy says to each database that it knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection, Dialect

from ...exceptions import ConfigurationError
from ..tables import check_durability, check_mysql, check_postgres, check_sqlite, postgres_columns
from .sql import Ask, Sql

#: How long to wait for a lock (seconds).
PATIENCE = 5


class MySql(Sql):
    """MariaDB and MySQL. The driver begins a transaction with the first statement, which saves a round trip."""

    database = "MariaDB"
    now = "UNIX_TIMESTAMP()"
    stale = "@@global.read_only NOT IN ('0', 'OFF') OR @@global.innodb_read_only"
    lock = "INSERT INTO {table} ({key}) VALUES {{}} ON DUPLICATE KEY UPDATE {key} = {key}"
    #: Text has a collation, which makes keys equal. Not every driver takes bytes: aiomysql with PyMySQL 1.2 does not.
    blob = "UNHEX(:{})"
    #: Of what is committed now, whatever the isolation level.
    for_update = " FOR UPDATE"
    write = "REPLACE INTO {table} ({key}, value, expires) VALUES {{}}"
    make_with: Sequence[str] = (f"SELECT GET_LOCK('smsmfa create_schema', {PATIENCE})",)
    contention: frozenset[object] = frozenset({1205, 1213})  # a lock was waited for too long; a deadlock

    def encoded(self, value: bytes) -> object:
        """Return a value in hexadecimal digits."""
        return value.hex()

    def encoded_key(self, key: str) -> object:
        """Return a key likewise."""
        return key.encode().hex()

    def prepare(self, dialect: Dialect, connection: Any) -> None:
        """Have the server refuse what it cannot store whole, and wait for no lock for long."""
        dialect.set_isolation_level(connection, "READ COMMITTED")
        quotes = ",ANSI_QUOTES" if dialect.identifier_preparer.initial_quote == '"' else ""  # as it makes the table
        cursor = connection.cursor()
        cursor.execute(
            f"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION{quotes}', sql_notes = 0, "
            f"innodb_lock_wait_timeout = {PATIENCE}, lock_wait_timeout = {PATIENCE}"
        )
        cursor.close()

    def check(self, ask: Ask) -> bool:
        """Look at the table's engine, and at the type of its keys."""
        return check_mysql("SqlAlchemyStore", self.table, ask(_MYSQL_TABLE, s=self.table.schema, t=self.table.name))

    def commit(self, connection: Connection) -> None:
        """Commit."""
        connection.commit()

    def rollback(self, connection: Connection) -> None:
        """Roll back."""
        connection.rollback()

    def code(self, error: Any) -> object:
        """Return the number of an error."""
        return (*getattr(error, "args", ()), None)[0]


#: For this transaction: no lock is waited for longer; one whose client has vanished ends; a commit waits for the disk.
_LIMITS = (
    f"SELECT set_config('lock_timeout', '{PATIENCE}s', true), "
    f"set_config('idle_in_transaction_session_timeout', '{PATIENCE}s', true), "
    "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)"
)


class PostgreSql(Sql):
    """PostgreSQL."""

    database = "PostgreSQL"
    now = "CAST(floor(extract(epoch FROM clock_timestamp())) AS bigint)"
    stale = "pg_is_in_recovery()"
    #: Both said, whatever the defaults of the database are; a standby refuses it.
    begin_with: Sequence[str] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", _LIMITS
    #: It writes nothing to a row that exists, but locks it. What reads has to be another, later statement.
    lock = "INSERT INTO {table} ({key}) VALUES {{}} ON CONFLICT ({key}) DO UPDATE SET value = NULL WHERE false"
    make_with: Sequence[str] = ("SELECT pg_advisory_xact_lock(hashtext('smsmfa create_schema'))",)
    contention: frozenset[object] = frozenset(
        {"40001", "40P01", "55P03", "57014"}
    )  # serialization, deadlock, lock, statement_timeout

    def check(self, ask: Ask) -> bool:
        """Look at the table's kind, and at the type and the collation of its keys."""
        name = ".".join(f'"{part}"' for part in self.table.fullname.split("."))
        return check_postgres("SqlAlchemyStore", name, ask(text(postgres_columns(name))))

    def code(self, error: object) -> object:
        """Return the SQLSTATE of an error: psycopg and asyncpg have it by one name, psycopg2 by another."""
        return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


class Sqlite(Sql):
    """SQLite, where one transaction at a time writes: it locks the whole file."""

    database = "SQLite"
    now = "CAST(strftime('%s', 'now') AS INTEGER)"
    #: A deferred one fails as soon as another connection writes, however long it may wait.
    begin_with: Sequence[str] = ("BEGIN IMMEDIATE",)
    skip_locked = ""
    contention: frozenset[object] = frozenset({sqlite3.SQLITE_BUSY})

    def prepare(self, dialect: Dialect, connection: Any) -> None:
        """Leave transactions and waiting to the store: SQLite's own waiting leaves out one of many for seconds."""
        super().prepare(dialect, connection)
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.close()

    def check(self, ask: Ask) -> bool:
        """Look for a database in memory, and for a file that a power cut may destroy."""
        if not any(file for _, name, file in ask(_SQLITE_FILES) if name == "main"):
            raise ConfigurationError("a SQLite database in memory: give a file, or use MemoryStore")
        check_durability("SQLite", ask(_SQLITE_SYNCHRONOUS)[0][0], ask(_SQLITE_JOURNAL)[0][0])
        columns = ask(_SQLITE_COLUMNS, s=self.table.schema, t=self.table.name)
        return check_sqlite("SqlAlchemyStore", self.table, columns)

    def code(self, error: object) -> object:
        """Return the primary code of an error."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF

    def did_nothing(self, error: object) -> bool:
        """Whether the file was locked."""
        return self.code(error) == sqlite3.SQLITE_BUSY


_SQL: dict[str, type[Sql]] = {"mysql": MySql, "mariadb": MySql, "postgresql": PostgreSql, "sqlite": Sqlite}
_SQLITE_FILES = text("PRAGMA database_list")
_SQLITE_SYNCHRONOUS, _SQLITE_JOURNAL = text("PRAGMA synchronous"), text("PRAGMA journal_mode")
_SQLITE_COLUMNS = text("SELECT name, type FROM pragma_table_info(:t, :s)")
_MYSQL_TABLE = text(
    "SELECT column_name, data_type, engine FROM information_schema.tables JOIN information_schema.columns "
    "USING (table_schema, table_name) "
    "WHERE table_schema = COALESCE(:s, DATABASE()) AND table_name = :t"
)


def sql_for(dialect: Dialect, table: str) -> Sql:
    """Return what is said to the database of a dialect.

    Raises:
        ConfigurationError: it is none that the store knows, or ``table`` is no name of a table.
    """
    if dialect.name not in _SQL:
        raise ConfigurationError(
            f"engine: whether {dialect.name} locks as the store needs it is not known; use MariaDB, MySQL, PostgreSQL "
            "or SQLite"
        )
    return _SQL[dialect.name](dialect, table)
