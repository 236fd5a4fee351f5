"""Keep records in PostgreSQL 12 or later, with psycopg 3. Needs the extra ``postgres``."""

from .store import AsyncPostgresStore, PostgresStore, schema

__all__ = ["AsyncPostgresStore", "PostgresStore", "schema"]
