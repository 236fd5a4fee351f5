"""The SQL of the store on PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias

from ...typing import Entry
from ..tables import postgres_columns, split_name
from ..writes import DEADLINE

#: A text with ``$1``, ``$2``, ..., and their values.
Statement: TypeAlias = tuple[str, Sequence[object]]

#: Both properties are stated, whatever the database's defaults are. A standby refuses READ WRITE.
BEGIN: Statement = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", ()
COMMIT: Statement = "COMMIT", ()

#: For one transaction: statements have a time limit, and waiting for locks has no shorter one. The server ends the
#: transaction of a client that has vanished. A commit waits for the disk even if the default is ``off``.
_LIMITS = (
    "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', '0', true), "
    f"set_config('idle_in_transaction_session_timeout', '{DEADLINE:.0f}s', true), "
    "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)"
)
_READ_LIMITS = "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', '0', true)"

#: A lock for create_schema(): two processes that create the same table at once would fail in spite of IF NOT EXISTS.
_CREATING = "\0 create_schema"


class Sql:
    """The statements for one table.

    Args:
        table: its name, or its schema and its name with a full stop between them.

    Raises:
        ConfigurationError: the name is invalid.
    """

    def __init__(self, table: str) -> None:
        schema, name = split_name(table)
        self.table: str = f'"{schema}"."{name}"' if schema else f'"{name}"'
        self._index = f'"{name}_expires"'

    def schema(self) -> list[str]:
        """Return the statements that create the table and its index, which holds only the entries that expire."""
        columns = '    key text COLLATE "C" PRIMARY KEY,\n    value bytea NOT NULL,\n    expires timestamptz\n'
        index = f"{self._index} ON {self.table} (expires) WHERE expires IS NOT NULL"
        return [
            f"CREATE TABLE IF NOT EXISTS {self.table} (\n{columns})",
            f"CREATE INDEX IF NOT EXISTS {index}",
        ]

    def read(self, key: str, time: int) -> list[Statement]:
        """Read a key, and whether the server is a standby."""
        read = f"SELECT pg_is_in_recovery(), (SELECT value FROM {self.table} WHERE key = $1)"  # noqa: S608
        return [(_READ_LIMITS, (str(time),)), (read, (key,))]

    def begin(self, keys: Sequence[str], time: int) -> list[Statement]:
        """Begin an update: lock its keys, then read them.

        Locking and reading are two statements, because one would read the values from before it had the locks.
        """
        numbers = lock_numbers(keys)
        select = f"SELECT key, value FROM {self.table} WHERE key IN ({_marks(len(keys))})"  # noqa: S608
        return [BEGIN, (_LIMITS, (str(time),)), (_lock(len(numbers)), numbers), (select, keys)]

    def end(self, writes: Mapping[str, Entry | None]) -> list[Statement]:
        """End an update: write, delete and commit."""
        rows: list[object] = []
        deleted = []
        for key, entry in writes.items():
            if entry is None:
                deleted.append(key)
            else:
                rows += key, entry.value, None if entry.keep_for is None else str(entry.keep_for)
        statements: list[Statement] = []
        if rows:
            statements.append((_write(self.table, len(rows) // 3), rows))
        if deleted:
            statements.append((f"DELETE FROM {self.table} WHERE key IN ({_marks(len(deleted))})", deleted))  # noqa: S608
        return [*statements, COMMIT]

    def purge(self, limit: int, time: int) -> list[Statement]:
        """Delete expired entries. Each is locked and checked again first; locked rows are skipped."""
        purge = (
            f"DELETE FROM {self.table} WHERE expires < now() AND key = ANY (ARRAY("  # noqa: S608
            f"SELECT key FROM {self.table} WHERE expires < now() ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED))"
        )
        return [BEGIN, (_LIMITS, (str(time),)), (purge, (limit,)), COMMIT]

    def columns(self, time: int) -> list[Statement]:
        """Select the columns of the table."""
        return [(_READ_LIMITS, (str(time),)), (postgres_columns(self.table), ())]

    def create(self, time: int) -> list[Statement]:
        """Create the table and its index, one process after the other."""
        lock = _lock(1), lock_numbers([_CREATING])
        return [BEGIN, (_LIMITS, (str(time),)), lock, *((text, ()) for text in self.schema()), COMMIT]


def lock_numbers(keys: Iterable[str]) -> list[int]:
    """Return the numbers of the advisory locks for some keys, in the order in which every update takes them.

    Keys with the same number wait for each other, which does no harm. The table's name is not part of the number,
    because a table may be known by two names. The numbers must never change: two releases that work on the same table
    must see each other's locks.
    """
    digests = (sha256(b"smsmfa " + key.encode()).digest() for key in keys)
    return sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})


@lru_cache(maxsize=64)
def _lock(count: int) -> str:
    """Return the statement that takes locks one after the other."""
    if not count:
        return "SELECT"
    rows = ", ".join(f"(${number}::bigint)" for number in range(1, count + 1))
    return f"SELECT pg_advisory_xact_lock(number) FROM (VALUES {rows}) AS locks (number)"  # noqa: S608


@lru_cache(maxsize=64)
def _write(table: str, count: int) -> str:
    """Return the statement that writes rows.

    Lifetimes begin now and not with the transaction. The clock is the server's, which all clients share.
    """
    rows = (
        f"(${n}, ${n + 1}::bytea, clock_timestamp() + ${n + 2}::bigint * interval '1 second')"
        for n in range(1, 3 * count, 3)
    )
    return (
        f"INSERT INTO {table} (key, value, expires) VALUES {', '.join(rows)} "  # noqa: S608
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
    )


@lru_cache(maxsize=64)
def _marks(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1)) or "NULL"
