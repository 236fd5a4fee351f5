"""All stores. Each store is imported, with its driver, at its first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .django import AsyncDjangoStore, DjangoStore
    from .dynamodb import AsyncDynamoDbStore, DynamoDbStore
    from .encrypted import AsyncEncryptedStore, EncryptedStore
    from .memory import AsyncMemoryStore, MemoryStore
    from .postgres import AsyncPostgresStore, PostgresStore
    from .redis import AsyncRedisStore, RedisStore
    from .sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
    from .sqlite import AsyncSqliteStore, SqliteStore

__all__ = [
    "AsyncDjangoStore",
    "AsyncDynamoDbStore",
    "AsyncEncryptedStore",
    "AsyncMemoryStore",
    "AsyncPostgresStore",
    "AsyncRedisStore",
    "AsyncSqlAlchemyStore",
    "AsyncSqliteStore",
    "DjangoStore",
    "DynamoDbStore",
    "EncryptedStore",
    "MemoryStore",
    "PostgresStore",
    "RedisStore",
    "SqlAlchemyStore",
    "SqliteStore",
]

_MODULES = {
    "AsyncDjangoStore": "django",
    "AsyncDynamoDbStore": "dynamodb",
    "AsyncEncryptedStore": "encrypted",
    "AsyncMemoryStore": "memory",
    "AsyncPostgresStore": "postgres",
    "AsyncRedisStore": "redis",
    "AsyncSqlAlchemyStore": "sqlalchemy",
    "AsyncSqliteStore": "sqlite",
    "DjangoStore": "django",
    "DynamoDbStore": "dynamodb",
    "EncryptedStore": "encrypted",
    "MemoryStore": "memory",
    "PostgresStore": "postgres",
    "RedisStore": "redis",
    "SqlAlchemyStore": "sqlalchemy",
    "SqliteStore": "sqlite",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("." + _MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
