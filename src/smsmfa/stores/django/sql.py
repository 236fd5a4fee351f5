"""The SQL of an update, as each kind of database has it."""

from typing import NamedTuple

TABLE = "smsmfa_record"


class Statements(NamedTuple):
    """What differs between databases, and what is made of it.

    Args:
        begin: begins a transaction that sees what others have committed, statement by statement.
        opening: what a new connection is told.
        key: the name of the column, which MySQL takes for a word of its own.
        lock: the end of a SELECT that locks the rows it finds.
        keep: the end of an INSERT that locks the rows that are there, and leaves them as they are.
        replace: the end of one that overwrites them.
        now: the database's clock, in whole seconds, rounded up: nothing is forgotten early.
    """

    begin: str
    opening: tuple[str, ...]
    key: str
    lock: str
    keep: str
    replace: str
    now: str

    def read(self) -> str:
        """Return the SELECT of one value."""
        return f"SELECT value FROM {TABLE} WHERE {self.key} = %s"

    def select(self, count: int) -> str:
        """Return the SELECT that locks rows in the order of their keys, so that no two updates wait for each other."""
        return f"SELECT {self.key}, value FROM {TABLE} {self._where(count)} ORDER BY {self.key}{self.lock}"

    def claim(self, count: int) -> str:
        """Return the INSERT of rows to lock; without a value, a row stands for an absent one."""
        rows = ", ".join(["(%s)"] * count)
        return f"INSERT INTO {TABLE} ({self.key}) VALUES {rows} {self.keep}"

    def write(self, count: int) -> str:
        """Return the INSERT of keys, values, and for how many seconds to keep each."""
        rows = ", ".join([f"(%s, %s, {self.now} + %s)"] * count)
        return f"INSERT INTO {TABLE} ({self.key}, value, expires) VALUES {rows} {self.replace}"

    def delete(self, count: int) -> str:
        """Return the DELETE of rows."""
        return f"DELETE FROM {TABLE} {self._where(count)}"

    def expired(self) -> str:
        """Return the SELECT of keys that have expired, the first ones first."""
        return f"SELECT {self.key} FROM {TABLE} WHERE expires < {self.now} ORDER BY expires LIMIT %s"

    def still_expired(self, count: int) -> str:
        """Return the SELECT that locks those of some keys that have expired."""
        where = f"{self._where(count)} AND expires < {self.now}"
        return f"SELECT {self.key} FROM {TABLE} {where} ORDER BY {self.key}{self.lock}"

    def _where(self, count: int) -> str:
        return f"WHERE {self.key} IN ({', '.join(['%s'] * count)})"


#: By Django's name for them. SQLite locks the whole file, so that no row has to be there to be locked.
STATEMENTS = {
    "postgresql": Statements(
        # One round trip. A commit waits for the disk, and still for the standbys that it was to wait for.
        begin="BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT set_config('lock_timeout', '5s', true), "
        "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)",
        opening=(),
        key='"key"',
        lock=" FOR UPDATE",
        keep='ON CONFLICT ("key") DO UPDATE SET "key" = excluded."key" WHERE false',
        replace='ON CONFLICT ("key") DO UPDATE SET value = excluded.value, expires = excluded.expires',
        now="ceil(extract(epoch FROM clock_timestamp()))::bigint",
    ),
    "mysql": Statements(
        begin="BEGIN",
        opening=("SET SESSION innodb_lock_wait_timeout = 5",),
        key="`key`",
        lock=" FOR UPDATE",
        keep="ON DUPLICATE KEY UPDATE `key` = `key`",
        replace="ON DUPLICATE KEY UPDATE value = VALUES(value), expires = VALUES(expires)",
        now="UNIX_TIMESTAMP() + 1",
    ),
    "sqlite": Statements(
        begin="BEGIN IMMEDIATE",  # a deferred one fails as soon as another process writes, however long it may wait
        opening=(),
        key='"key"',
        lock="",
        keep="",
        replace='ON CONFLICT ("key") DO UPDATE SET value = excluded.value, expires = excluded.expires',
        now="CAST(strftime('%%s', 'now') AS INTEGER) + 1",
    ),
}
