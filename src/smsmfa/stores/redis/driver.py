"""The two modules of redis-py, and the pools of a Redis store: its own, made like the client's."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

try:
    import redis  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.redis needs redis-py: pip install "smsmfa[redis]"', name="redis"
    ) from _error

from redis import BlockingConnectionPool
from redis.asyncio import BlockingConnectionPool as AsyncBlockingConnectionPool
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

#: How long to wait for the server, where the client would for ever, and for a connection of the pool (seconds).
_TIMEOUT = 5.0
_MOST_CONNECTIONS = 100
#: What is in the name of settings that belong to the client's pool alone; they need the newer protocol.
_NOT_COPIED = "maint_notifications"
_FORKED = "in use before a fork, and redis-py would go on with sockets of the parent: make client and store after it"


class _Driver:
    """What the two modules of redis-py have in common."""

    retry: Any
    pool: Any
    sentinel_pool: Any

    @classmethod
    def pool_like(cls, source: Any, **changed: Any) -> Any:
        """Return a pool like another, or like that of a node of a cluster, but for what a store depends on."""
        kwargs = {name: value for name, value in source.connection_kwargs.items() if _NOT_COPIED not in name} | changed
        kwargs |= {"connection_class": source.connection_class, "protocol": 2, "retry": cls.retry(NoBackoff(), 0)}
        kwargs["socket_timeout"] = kwargs.get("socket_timeout") or _TIMEOUT
        if isinstance(source, cls.sentinel_pool):
            kwargs |= {"check_connection": source.check_connection, "max_connections": source.max_connections}
            return cls.sentinel_pool(source.service_name, source.sentinel_manager, **kwargs)
        most = min(source.max_connections, _MOST_CONNECTIONS)
        return cls.pool(max_connections=most, timeout=_TIMEOUT, **kwargs)


class Driver(_Driver):
    """The module ``redis``."""

    retry: Any = Retry
    pool: Any = BlockingConnectionPool
    sentinel_pool: Any = SentinelConnectionPool

    @staticmethod
    def sleep(seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    @staticmethod
    def here() -> Any:
        """Return what a pool is for: anything, for it notices a fork."""
        return None

    @staticmethod
    def stay(process: int) -> int:
        """Return the process in which the client of the application may be used: any."""
        return process

    @staticmethod
    def find_nodes(cluster: Any) -> None:
        """Have a client ask its cluster where each slot is."""
        cluster.nodes_manager.initialize()

    @staticmethod
    def source(cluster: Any, node: Any) -> Any:
        """Return what knows how connections to a node are made."""
        return cluster.get_redis_connection(node).connection_pool


class AsyncDriver(_Driver):
    """The module ``redis.asyncio``."""

    retry: Any = AsyncRetry
    pool: Any = AsyncBlockingConnectionPool
    sentinel_pool: Any = AsyncSentinelConnectionPool

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Like :meth:`Driver.sleep`."""
        await asyncio.sleep(seconds)

    @staticmethod
    def here() -> tuple[int, Any]:
        """Return the process and the event loop: redis-py's pools for asyncio know of neither."""
        return os.getpid(), asyncio.get_running_loop()

    @staticmethod
    def stay(process: int) -> int:
        """Return the process in which the client of the application may be used: the first that did (0: none has).

        Raises:
            RedisError: it is another, and would go on with the sockets of its parent.
        """
        if process and process != os.getpid():
            raise RedisError(_FORKED)
        return os.getpid()

    @staticmethod
    async def find_nodes(cluster: Any) -> None:
        """Like :meth:`Driver.find_nodes`."""
        await cluster.initialize()
        await cluster.nodes_manager.initialize()

    @staticmethod
    def source(_: Any, node: Any) -> Any:
        """Like :meth:`Driver.source`."""
        return node
