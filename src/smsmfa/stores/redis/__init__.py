"""Keep records on Redis 6.2 or later, or on Valkey, with redis-py. Needs the extra ``redis``."""

try:
    import redis  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.redis needs redis-py: pip install "smsmfa[redis]"', name="redis"
    ) from _error

from .store import AsyncRedisStore, RedisStore

__all__ = ["AsyncRedisStore", "RedisStore"]
