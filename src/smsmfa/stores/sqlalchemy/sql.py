"""The table of a store on SQLAlchemy, and what the store says to any database."""

from __future__ import annotations

import re
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

from ...exceptions import ConfigurationError
from ...typing import Entry

#: A text with ``:names``, and what they stand for.
Statement: TypeAlias = tuple[TextClause, Mapping[str, object]]
Ask: TypeAlias = Callable[..., Sequence[Any]]

_NAME = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_]{0,62})\.)?([A-Za-z_][A-Za-z0-9_]{0,54})")
#: A quoted name that is no column may be read as text, and that would be no key: so it is said whose it is.
_READ = "SELECT {stale}, (SELECT value FROM {table} WHERE {its_key} = {{}})"
_SELECT = "SELECT {its_key}, value FROM {table} WHERE {its_key} IN ({{}})"
_DELETE = "DELETE FROM {table} WHERE {its_key} IN ({{}})"
_EXPIRED = "SELECT {its_key} FROM {table} WHERE expires < {now} ORDER BY expires LIMIT :n"

_COMMIT, _ROLLBACK = text("COMMIT"), text("ROLLBACK")

_LONGEST_KEY = 250
#: How many rows a statement has at most: databases count the parameters.
_CHUNK = 500


def schema(metadata: MetaData, table: str = "smsmfa_entries") -> Table:
    """Add the table of a store to the metadata of your application, for Alembic to find, and return it.

    Args:
        metadata: where your other tables are, for example ``Base.metadata``.
        table: as for the store.

    Raises:
        ConfigurationError: ``table`` is no name of a table.
    """
    name = _NAME.fullmatch(table) if isinstance(table, str) else None
    if name is None:
        raise ConfigurationError(
            'table: the name of a table in ASCII letters, digits and "_", or that of a schema, a full stop and it'
        )
    text_key = String(_LONGEST_KEY).with_variant(Text(collation="C"), "postgresql")
    expires = Column("expires", BigInteger)
    kept = expires.is_not(None)
    return Table(
        name[2],
        metadata,
        Column("key", text_key.with_variant(VARBINARY(_LONGEST_KEY), "mysql", "mariadb"), primary_key=True),
        Column("value", LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")),
        expires,
        Index(f"{name[2]}_expires", expires, postgresql_where=kept, sqlite_where=kept),
        schema=name[1],
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        sqlite_with_rowid=False,
    )


class Sql(ABC):
    """What is said to a database; a subclass for each.

    ``expires`` is in whole seconds since the epoch, by the clock of the server. A value is NULL only while an update
    is under way: so an absent key gets a row that can be locked.

    Args:
        dialect: of the engine.
        table: its name.

    Raises:
        ConfigurationError: it is no such name.
    """

    #: What it is called in errors.
    database: str
    #: Seconds since the epoch, rounded down.
    now: str
    #: Whether the server's records may be old.
    stale: str = "0"
    #: What it takes to begin a transaction.
    begin_with: Sequence[str] = ()
    #: Locks rows, whether they exist or not. The order is the same for everybody, so none waits in a circle.
    lock: str = ""
    for_update: str = ""
    #: How bytes are said, and keys.
    blob: str = ":{}"
    write: str = (
        "INSERT INTO {table} ({key}, value, expires) VALUES {{}} "
        "ON CONFLICT ({key}) DO UPDATE SET value = excluded.value, expires = excluded.expires"
    )
    skip_locked: str = " FOR UPDATE SKIP LOCKED"
    #: Makes the processes that make the table take turns.
    make_with: Sequence[str] = ()
    #: Of errors after which the transaction is rolled back, or should be, and may be tried again.
    contention: frozenset[object]

    def __init__(self, dialect: Dialect, table: str) -> None:
        self.table: Table = schema(MetaData(), table)
        quoted = dialect.preparer(dialect)  # as a server quotes that has not been told otherwise
        name, key = quoted.format_table(self.table), quoted.quote("key")
        names = {"table": name, "key": key, "its_key": f"{name}.{key}"}
        self.begin: list[Statement] = _plain(self.begin_with)
        self.making: list[Statement] = _plain(self.make_with)
        key, value = self.blob.format("k{n}"), self.blob.format("v{n}")
        self._key, self._row = key, f"({key}, {value}, {self.now} + 1 + :e{{n}})"
        self._lock, self._write = self.lock.format(**names), self.write.format(**names)
        self._select = _SELECT.format(**names) + self.for_update
        self._delete = _DELETE.format(**names)
        self._read = _READ.format(stale=self.stale, **names)
        self._expired = text(_EXPIRED.format(now=self.now, **names) + self.skip_locked)

    # --- statements

    def reading(self, key: str) -> Statement:
        """Read a key; say too whether the server's records may be old."""
        return self._of(self._read, self._key, [key])[0]

    def locking(self, keys: Iterable[str]) -> list[Statement]:
        """Lock keys, whether they exist or not."""
        return self._of(self._lock, f"({self._key})", sorted(set(keys))) if self._lock else []

    def selecting(self, keys: Iterable[str]) -> list[Statement]:
        """Read keys."""
        return self._of(self._select, self._key, keys)

    def writing(self, writes: Mapping[str, Entry]) -> list[Statement]:
        """Write entries. What was kept for ``n`` seconds from the last whole one is kept for one more."""
        rows = [
            {"k": self.encoded_key(key), "v": self.encoded(entry.value), "e": entry.keep_for}
            for key, entry in writes.items()
        ]
        return _filled(self._write, self._row, rows)

    def deleting(self, keys: Iterable[str]) -> list[Statement]:
        """Delete keys."""
        return self._of(self._delete, self._key, keys)

    def expired(self, limit: int) -> Statement:
        """Lock expired entries, the oldest first, but for those that an update is about to write; return their keys."""
        return self._expired, {"n": limit}

    def _of(self, template: str, row: str, keys: Iterable[str]) -> list[Statement]:
        return _filled(template, row, [{"k": self.encoded_key(key)} for key in keys])

    # --- what differs more

    def encoded(self, value: bytes) -> object:
        """Return a value as the driver takes it."""
        return value

    def encoded_key(self, key: str) -> object:
        """Return a key as the driver takes it."""
        return key

    def prepare(self, dialect: Dialect, connection: Any) -> None:
        """Make a new connection what the store depends on, whatever the engine and the server have made it."""
        dialect.set_isolation_level(connection, "AUTOCOMMIT")

    def check(self, ask: Ask) -> bool:
        """Look for what the store cannot make safe; return whether there was something to look at.

        Raises:
            ConfigurationError: it is there.
        """
        return True

    def commit(self, connection: Connection) -> None:
        """Commit, in one round trip."""
        connection.execute(_COMMIT)

    def rollback(self, connection: Connection) -> None:
        """Roll back, in one round trip."""
        connection.execute(_ROLLBACK)

    @abstractmethod
    def code(self, error: object) -> object:
        """Return the database's own code for an error."""

    def did_nothing(self, error: object) -> bool:
        """Whether a statement failed because of a lock, and did nothing at all: it may be said again."""
        return False


def _plain(texts: Iterable[str]) -> list[Statement]:
    return [(text(statement), {}) for statement in texts]


def _filled(template: str, row: str, rows: Sequence[Mapping[str, object]]) -> list[Statement]:
    """Return a statement for rows: none for none, and more than one where they are too many."""
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
    """Return a statement for some rows. SQLAlchemy compiles each once."""
    return text(template.format(", ".join(row.format(n=n) for n in range(count))))
