"""The SQL statements of a SQLite store."""

#: ``expires``: seconds since the epoch, or NULL for never. The index holds only the rows that a purge may delete.
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS smsmfa (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS smsmfa_expires ON smsmfa (expires) WHERE expires IS NOT NULL",
)
#: A deferred transaction would fail as soon as another process writes.
BEGIN = "BEGIN IMMEDIATE"
COMMIT = "COMMIT"
READ = "SELECT value FROM smsmfa WHERE key = ?"
WRITE = (
    "INSERT INTO smsmfa (key, value, expires) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
DELETE = "DELETE FROM smsmfa WHERE key = ?"
PURGE = "DELETE FROM smsmfa WHERE key IN (SELECT key FROM smsmfa WHERE expires < ? ORDER BY expires LIMIT ?)"
CHANGES = "SELECT changes()"


def read_many(count: int) -> str:
    """Return the statement that reads this many keys and their values."""
    return f"SELECT key, value FROM smsmfa WHERE key IN ({','.join('?' * count)})"  # noqa: S608 - only placeholders
