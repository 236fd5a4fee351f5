"""The SQL of the store in a Django project, for each kind of database."""

from typing import NamedTuple

from ..writes import DEADLINE

TABLE = "smsmfa_record"


class Sql(NamedTuple):
    """The statements for one kind of database.

    Args:
        begin: begins a transaction in which each statement sees what is committed.
        opening: statements for a new connection.
        key: the quoted name of the column, which is a reserved word in MySQL.
        lock: the end of a SELECT that locks the rows it finds.
        keep: the end of an INSERT that locks existing rows and leaves them unchanged.
        replace: the end of an INSERT that overwrites existing rows.
        now: the database's clock in whole seconds, rounded up so that no entry expires early.
    """

    begin: str
    opening: tuple[str, ...]
    key: str
    lock: str
    keep: str
    replace: str
    now: str

    def read(self) -> str:
        """Return the SELECT for one value."""
        return f"SELECT value FROM {TABLE} WHERE {self.key} = %s"

    def select(self, count: int) -> str:
        """Return the SELECT that locks rows in the order of their keys, so that updates cannot deadlock."""
        return f"SELECT {self.key}, value FROM {TABLE} {self._where(count)} ORDER BY {self.key}{self.lock}"

    def claim(self, count: int) -> str:
        """Return the INSERT that locks rows, and creates those that are absent, without a value."""
        rows = ", ".join(["(%s)"] * count)
        return f"INSERT INTO {TABLE} ({self.key}) VALUES {rows} {self.keep}"

    def write(self, count: int) -> str:
        """Return the INSERT for keys, values and lifetimes in seconds."""
        rows = ", ".join([f"(%s, %s, {self.now} + %s)"] * count)
        return f"INSERT INTO {TABLE} ({self.key}, value, expires) VALUES {rows} {self.replace}"

    def delete(self, count: int) -> str:
        """Return the DELETE for keys."""
        return f"DELETE FROM {TABLE} {self._where(count)}"

    def expired(self) -> str:
        """Return the SELECT for the keys of expired entries, the oldest first."""
        return f"SELECT {self.key} FROM {TABLE} WHERE expires < {self.now} ORDER BY expires LIMIT %s"

    def still_expired(self, count: int) -> str:
        """Return the SELECT that locks those of the given keys that have expired."""
        where = f"{self._where(count)} AND expires < {self.now}"
        return f"SELECT {self.key} FROM {TABLE} {where} ORDER BY {self.key}{self.lock}"

    def _where(self, count: int) -> str:
        return f"WHERE {self.key} IN ({', '.join(['%s'] * count)})"


#: By Django's name for the database. SQLite locks the whole file, so absent rows need no lock.
SQL = {
    "postgresql": Sql(
        # One round trip. A commit waits for the disk even if the default is ``off``.
        begin="BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
        f"SELECT set_config('lock_timeout', '{DEADLINE:.0f}s', true), "
        "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)",
        opening=(),
        key='"key"',
        lock=" FOR UPDATE",
        keep='ON CONFLICT ("key") DO UPDATE SET "key" = excluded."key" WHERE false',
        replace='ON CONFLICT ("key") DO UPDATE SET value = excluded.value, expires = excluded.expires',
        now="ceil(extract(epoch FROM clock_timestamp()))::bigint",
    ),
    "mysql": Sql(
        begin="BEGIN",
        opening=(f"SET SESSION innodb_lock_wait_timeout = {DEADLINE:.0f}",),
        key="`key`",
        lock=" FOR UPDATE",
        keep="ON DUPLICATE KEY UPDATE `key` = `key`",
        replace="ON DUPLICATE KEY UPDATE value = VALUES(value), expires = VALUES(expires)",
        now="UNIX_TIMESTAMP() + 1",
    ),
    "sqlite": Sql(
        begin="BEGIN IMMEDIATE",  # a deferred one fails as soon as another process writes, however long it may wait
        opening=(),
        key='"key"',
        lock="",
        keep="",
        replace='ON CONFLICT ("key") DO UPDATE SET value = excluded.value, expires = excluded.expires',
        now="CAST(strftime('%%s', 'now') AS INTEGER) + 1",
    ),
}
