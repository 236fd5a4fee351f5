"""The SQL of the store on SQLAlchemy that is the same for every database, and the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

try:
    import sqlalchemy  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.sqlalchemy needs SQLAlchemy: pip install "smsmfa[sqlalchemy]"', name="sqlalchemy"
    ) from _error

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, Text, TextClause, text
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY
from sqlalchemy.engine import Connection, Dialect

from ...typing import Entry
from ..tables import split_name

#: A text with ``:names``, and their values.
Statement: TypeAlias = tuple[TextClause, Mapping[str, object]]
Execute: TypeAlias = Callable[[Statement], Sequence[Any]]

#: Columns are qualified with the table, because SQLite reads an unknown quoted name as a text.
_READ = "SELECT {stale}, (SELECT value FROM {table} WHERE {table_key} = {{}})"
_SELECT = "SELECT {table_key}, value FROM {table} WHERE {table_key} IN ({{}})"
_DELETE = "DELETE FROM {table} WHERE {table_key} IN ({{}})"
_EXPIRED = "SELECT {table_key} FROM {table} WHERE expires < {now} ORDER BY expires LIMIT :n"

_COMMIT, _ROLLBACK = text("COMMIT"), text("ROLLBACK")

_LONGEST_KEY = 250
#: The largest number of rows in one statement, because databases limit the number of parameters.
_CHUNK = 500


def schema(metadata: MetaData, table: str = "smsmfa_entries") -> Table:
    """Add the store's table to your application's metadata, where Alembic finds it, and return the table.

    Args:
        metadata: the metadata of your other tables, for example ``Base.metadata``.
        table: as for :class:`SqlAlchemyStore`.

    Raises:
        ConfigurationError: ``table`` is not a valid name.
    """
    in_schema, name = split_name(table)
    text_key = String(_LONGEST_KEY).with_variant(Text(collation="C"), "postgresql")
    expires = Column("expires", BigInteger)
    kept = expires.is_not(None)
    return Table(
        name,
        metadata,
        Column("key", text_key.with_variant(VARBINARY(_LONGEST_KEY), "mysql", "mariadb"), primary_key=True),
        Column("value", LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")),
        expires,
        Index(f"{name}_expires", expires, postgresql_where=kept, sqlite_where=kept),
        schema=in_schema,
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        sqlite_with_rowid=False,
    )


class Sql(ABC):
    """The statements for one table, with a subclass for each database.

    ``expires`` is in whole seconds since the epoch, by the server's clock. A value is NULL only during an update: an
    absent key gets a row, so that it can be locked.

    Args:
        dialect: the engine's dialect.
        table: the table's name.

    Raises:
        ConfigurationError: the name is invalid.
    """

    #: The name in errors.
    database: str
    #: An expression for the seconds since the epoch, rounded down.
    now: str
    #: An expression: whether the server's records may be old.
    stale: str = "0"
    #: The statements that begin a transaction.
    begin_with: Sequence[str] = ()
    #: Locks rows, whether they exist or not. Every update takes them in the same order, so there is no deadlock.
    lock_template: str = ""
    for_update: str = ""
    #: How a statement takes bytes and keys.
    blob: str = ":{}"
    write_template: str = (
        "INSERT INTO {table} ({key}, value, expires) VALUES {{}} "
        "ON CONFLICT ({key}) DO UPDATE SET value = excluded.value, expires = excluded.expires"
    )
    skip_locked: str = " FOR UPDATE SKIP LOCKED"
    #: Makes processes that create the table take turns.
    create_with: Sequence[str] = ()
    #: The codes of errors after which the transaction may be tried again.
    contention: frozenset[object]

    def __init__(self, dialect: Dialect, table: str) -> None:
        self.table: Table = schema(MetaData(), table)
        quoted = dialect.preparer(dialect)  # a new one quotes as servers do by default
        name, key = quoted.format_table(self.table), quoted.quote("key")
        names = {"table": name, "key": key, "table_key": f"{name}.{key}"}
        self.begin: list[Statement] = _plain(self.begin_with)
        self.create: list[Statement] = _plain(self.create_with)
        key, value = self.blob.format("k{n}"), self.blob.format("v{n}")
        self._key, self._row = key, f"({key}, {value}, {self.now} + 1 + :e{{n}})"
        self._lock, self._write = self.lock_template.format(**names), self.write_template.format(**names)
        self._select = _SELECT.format(**names) + self.for_update
        self._delete = _DELETE.format(**names)
        self._read = _READ.format(stale=self.stale, **names)
        self._expired = text(_EXPIRED.format(now=self.now, **names) + self.skip_locked)

    # --- statements

    def read(self, key: str) -> Statement:
        """Read a key, and whether the server's records may be old."""
        return self._filled(self._read, self._key, [key])[0]

    def lock(self, keys: Iterable[str]) -> list[Statement]:
        """Lock keys, whether they exist or not."""
        return self._filled(self._lock, f"({self._key})", sorted(set(keys))) if self._lock else []

    def select(self, keys: Iterable[str]) -> list[Statement]:
        """Read keys."""
        return self._filled(self._select, self._key, keys)

    def write(self, writes: Mapping[str, Entry]) -> list[Statement]:
        """Write entries. A lifetime is one second longer, because the clock is rounded down."""
        rows = [
            {"k": self.encoded_key(key), "v": self.encoded(entry.value), "e": entry.keep_for}
            for key, entry in writes.items()
        ]
        return _filled(self._write, self._row, rows)

    def delete(self, keys: Iterable[str]) -> list[Statement]:
        """Delete keys."""
        return self._filled(self._delete, self._key, keys)

    def expired(self, limit: int) -> Statement:
        """Lock expired entries, the oldest first, and return their keys. Locked rows are skipped."""
        return self._expired, {"n": limit}

    def _filled(self, template: str, row: str, keys: Iterable[str]) -> list[Statement]:
        return _filled(template, row, [{"k": self.encoded_key(key)} for key in keys])

    # --- larger differences

    def encoded(self, value: bytes) -> object:
        """Return a value as the driver takes it."""
        return value

    def encoded_key(self, key: str) -> object:
        """Return a key as the driver takes it."""
        return key

    def prepare(self, dialect: Dialect, driver: Any) -> None:
        """Give a new connection the settings that the store needs, whatever the engine and the server have set."""
        dialect.set_isolation_level(driver, "AUTOCOMMIT")

    @abstractmethod
    def check(self, execute: Execute) -> bool:
        """Check the database and the table, and return whether the table exists.

        Raises:
            ConfigurationError: the store cannot use them.
        """

    def commit(self, connection: Connection) -> None:
        """Commit, in one round trip."""
        connection.execute(_COMMIT)

    def rollback(self, connection: Connection) -> None:
        """Roll back, in one round trip."""
        connection.execute(_ROLLBACK)

    @abstractmethod
    def code(self, error: object) -> object:
        """Return the database's own code for an error."""

    def had_no_effect(self, error: object) -> bool:
        """Whether a statement failed because of a lock and had no effect, so that it may be executed again."""
        return False


def _plain(texts: Iterable[str]) -> list[Statement]:
    return [(text(statement), {}) for statement in texts]


def _filled(template: str, row: str, rows: Sequence[Mapping[str, object]]) -> list[Statement]:
    """Return the statements for some rows: none for no rows, several for many."""
    chunks = [rows[n : n + _CHUNK] for n in range(0, len(rows), _CHUNK)]
    return [
        (
            _text(template, row, len(chunk)),
            {f"{name}{n}": value for n, values in enumerate(chunk) for name, value in values.items()},
        )
        for chunk in chunks
    ]


@lru_cache(maxsize=256)
def _text(template: str, row: str, count: int) -> TextClause:
    """Return the statement for a number of rows. SQLAlchemy compiles each text once."""
    return text(template.format(", ".join(row.format(n=n) for n in range(count))))
