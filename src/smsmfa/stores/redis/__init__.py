"""Keep records on Redis 6.2 or later, or on Valkey, with redis-py. Needs the extra ``redis``."""

from .store import AsyncRedisStore, RedisStore

__all__ = ["AsyncRedisStore", "RedisStore"]
