"""Keep records in MariaDB, MySQL, PostgreSQL or SQLite, with SQLAlchemy 2. Needs the extra ``sqlalchemy``."""

from .store import AsyncSqlAlchemyStore, SqlAlchemyStore, schema

__all__ = ["AsyncSqlAlchemyStore", "SqlAlchemyStore", "schema"]
