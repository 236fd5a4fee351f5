"""Keep records in an SQLite file, with nothing but the standard library."""

from .store import AsyncSqliteStore, SqliteStore

__all__ = ["AsyncSqliteStore", "SqliteStore"]
