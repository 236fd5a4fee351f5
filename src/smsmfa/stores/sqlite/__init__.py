"""Keep records in a SQLite file. Needs only the standard library."""

from .store import AsyncSqliteStore, SqliteStore

__all__ = ["AsyncSqliteStore", "SqliteStore"]
