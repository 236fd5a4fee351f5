"""What a PostgreSQL store says to its server."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias

from ...exceptions import ConfigurationError
from ...typing import Entry
from ..tables import postgres_columns

#: A text with ``$1``, ``$2``, ..., and what they stand for.
Statement: TypeAlias = tuple[str, Sequence[object]]

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,54}")

#: Both said, whatever the defaults of the database are; a standby refuses it.
BEGIN: Statement = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", ()
COMMIT: Statement = "COMMIT", ()

#: For this transaction: no statement takes longer than that; locks are not given up before; one whose client has
#: vanished ends; a commit waits for the disk, and still for the standbys that it was to wait for.
_LIMITS = (
    "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', '0', true), "
    "set_config('idle_in_transaction_session_timeout', '5000', true), "
    "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)"
)
_READING = "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', '0', true)"

#: Two processes that make the same table at once would fail, in spite of IF NOT EXISTS.
_MAKING = "\0 create_schema"


class Sql:
    """The statements for a table.

    Args:
        table: its name, after its schema's and a full stop where it has to be found in one.

    Raises:
        ConfigurationError: it is no such name.
    """

    def __init__(self, table: str) -> None:
        if not isinstance(table, str) or not _NAME.fullmatch(table):
            raise ConfigurationError(
                'table: the name of a table in ASCII letters, digits and "_", or that of a schema, a full stop and it'
            )
        self.table: str = ".".join(f'"{part}"' for part in table.split("."))
        self._index = f'"{table.rpartition(".")[2]}_expires"'

    def schema(self) -> list[str]:
        """Return what makes the table. The index holds only what may be purged one day."""
        columns = '    key text COLLATE "C" PRIMARY KEY,\n    value bytea NOT NULL,\n    expires timestamptz\n'
        index = f"{self._index} ON {self.table} (expires) WHERE expires IS NOT NULL"
        return [
            f"CREATE TABLE IF NOT EXISTS {self.table} (\n{columns})",
            f"CREATE INDEX IF NOT EXISTS {index}",
        ]

    def reading(self, key: str, time: int) -> list[Statement]:
        """Read a key; say too whether the server is a standby."""
        read = f"SELECT pg_is_in_recovery(), (SELECT value FROM {self.table} WHERE key = $1)"  # noqa: S608
        return [(_READING, (str(time),)), (read, (key,))]

    def opening(self, keys: Sequence[str], time: int) -> list[Statement]:
        """Begin an update, lock its keys, and read them.

        Locking and reading are two statements: one that does both reads what was there before it had the locks.
        """
        numbers = lock_numbers(keys)
        select = f"SELECT key, value FROM {self.table} WHERE key IN ({_marks(len(keys))})"  # noqa: S608
        return [BEGIN, (_LIMITS, (str(time),)), (_locks(len(numbers)), numbers), (select, keys)]

    def closing(self, writes: Mapping[str, Entry | None]) -> list[Statement]:
        """Write what a change said, and commit."""
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

    def purging(self, limit: int, time: int) -> list[Statement]:
        """Delete expired entries: each is locked, and looked at again, before; none is waited for."""
        purge = (
            f"DELETE FROM {self.table} WHERE expires < now() AND key = ANY (ARRAY("  # noqa: S608
            f"SELECT key FROM {self.table} WHERE expires < now() ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED))"
        )
        return [BEGIN, (_LIMITS, (str(time),)), (purge, (limit,)), COMMIT]

    def looking(self, time: int) -> list[Statement]:
        """Look at the table."""
        return [(_READING, (str(time),)), (postgres_columns(self.table), ())]

    def making(self, time: int) -> list[Statement]:
        """Make the table and its index, one process after the other."""
        lock = _locks(1), lock_numbers([_MAKING])
        return [BEGIN, (_LIMITS, (str(time),)), lock, *((text, ()) for text in self.schema()), COMMIT]


def lock_numbers(keys: Iterable[str]) -> list[int]:
    """Return the numbers of the advisory locks of some keys, in the order in which everybody takes them.

    Keys that share a number wait for each other, and no harm is done. The table has no part in it: it may be known
    by two names. Nothing here may ever change: two releases at work on the same table would not see each other's locks.
    """
    digests = (sha256(b"smsmfa " + key.encode()).digest() for key in keys)
    return sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})


@lru_cache(maxsize=64)
def _locks(count: int) -> str:
    """Return the statement that takes locks, one row after the other."""
    if not count:
        return "SELECT"
    rows = ", ".join(f"(${number}::bigint)" for number in range(1, count + 1))
    return f"SELECT pg_advisory_xact_lock(number) FROM (VALUES {rows}) AS locks (number)"  # noqa: S608


@lru_cache(maxsize=64)
def _write(table: str, count: int) -> str:
    """Return the statement that writes rows.

    They are kept from now on, not from the beginning of the transaction; by the server's clock, which all share.
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
