"""The two modules of redis-py, and the connection pools of a Redis store, which are configured like the client's."""

from __future__ import annotations

import asyncio
import os
import time
from threading import Lock
from typing import Any

from redis import BlockingConnectionPool
from redis.asyncio import BlockingConnectionPool as AsyncBlockingConnectionPool
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from ..writes import DEADLINE

_MOST_CONNECTIONS = 100
#: Settings with this in their name belong to the client's own pool, and need the newer protocol.
_NOT_COPIED = "maint_notifications"
_FORKED = (
    "the client was used before a fork, and redis-py would continue on the sockets of the parent process: create the "
    "client and the store after it"
)


class _Driver:
    """What both modules of redis-py share."""

    retry: Any
    pool: Any
    sentinel_pool: Any

    @classmethod
    def pool_like(cls, source: Any, **changed: Any) -> Any:
        """Return a pool with the settings of a pool or cluster node, except the settings that a store relies on."""
        kwargs = {name: value for name, value in source.connection_kwargs.items() if _NOT_COPIED not in name} | changed
        kwargs |= {"connection_class": source.connection_class, "protocol": 2, "retry": cls.retry(NoBackoff(), 0)}
        kwargs["socket_timeout"] = kwargs.get("socket_timeout") or DEADLINE
        if isinstance(source, cls.sentinel_pool):
            kwargs |= {"check_connection": source.check_connection, "max_connections": source.max_connections}
            return cls.sentinel_pool(source.service_name, source.sentinel_manager, **kwargs)
        most = min(source.max_connections, _MOST_CONNECTIONS)
        return cls.pool(max_connections=most, timeout=DEADLINE, **kwargs)


class Driver(_Driver):
    """The module ``redis``."""

    retry: Any = Retry
    pool: Any = BlockingConnectionPool
    sentinel_pool: Any = SentinelConnectionPool
    #: Threads interrupt the scripts of fakeredis.
    allows_fakes = False
    lock: Any = Lock

    @staticmethod
    def sleep(seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    @staticmethod
    def here() -> Any:
        """Return the key of the current pool. It is always the same, because the pool itself notices a fork."""
        return None

    @staticmethod
    def place() -> object:
        """Return whose locks can be waited for. A forked process has no thread that would release one."""
        return os.getpid()

    @staticmethod
    def stay(process: int) -> int:
        """Return the process that may use the application's client. Here every process may."""
        return process

    @staticmethod
    def find_nodes(cluster: Any) -> None:
        """Let a client ask its cluster which node has each slot."""
        cluster.nodes_manager.initialize()

    @staticmethod
    def source(cluster: Any, node: Any) -> Any:
        """Return the object that has the connection settings of a node."""
        return cluster.get_redis_connection(node).connection_pool


class AsyncDriver(_Driver):
    """The module ``redis.asyncio``."""

    retry: Any = AsyncRetry
    pool: Any = AsyncBlockingConnectionPool
    sentinel_pool: Any = AsyncSentinelConnectionPool
    #: On one event loop, fakeredis runs each script to its end.
    allows_fakes = True
    lock: Any = asyncio.Lock

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Like :meth:`Driver.sleep`."""
        await asyncio.sleep(seconds)

    @staticmethod
    def here() -> tuple[int, Any]:
        """Return the process and the event loop, because redis-py's pools for asyncio notice neither."""
        return os.getpid(), asyncio.get_running_loop()

    @staticmethod
    def place() -> object:
        """Like :meth:`Driver.place`."""
        return os.getpid(), asyncio.get_running_loop()

    @staticmethod
    def stay(process: int) -> int:
        """Return the process that may use the application's client: the first that used it.

        Args:
            process: the process that used the client first, or 0 if none has used it yet.

        Raises:
            RedisError: the current process is another one, which would use the sockets of its parent.
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
