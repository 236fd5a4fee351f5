"""The connections of a Redis store. They never repeat a command and never decode an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis, RedisCluster
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.exceptions import AskError, ClusterError, MovedError, NoPermissionError, NoScriptError

from ...exceptions import ConfigurationError, StoreError
from .driver import AsyncDriver, Driver
from .update import SCRIPT, Command

#: How often a cluster may answer that the keys have moved.
_MOVES = 5


class Connection:
    """Connections to one server, with the settings of a client.

    Each command is sent at most once, even if the client is configured to retry: the server may have executed a command
    whose answer was lost.
    """

    def __init__(self, client: Redis) -> None:
        self._source = client.connection_pool
        #: The pools of a parent process are kept, so that nobody closes its connections.
        self._pools: dict[Any, Any] = {}
        self._process = 0

    @staticmethod
    def of(client: Redis | RedisCluster, tag: bytes) -> Connection | ClusterConnection:
        """Return the connection for a client, to the server that has the keys with this hash tag.

        Raises:
            ConfigurationError: ``client`` is not a client, or a client of the other kind.
        """
        if isinstance(client, RedisCluster):
            return ClusterConnection(client, tag)
        if isinstance(client, Redis):
            return Connection(client)
        raise ConfigurationError(f"client: a Redis or RedisCluster from {Redis.__module__}")

    def execute(self, command: Command) -> Any:
        """Send a command and return the answer.

        Raises:
            ConfigurationError: the Redis user has no permission for the command.
            StoreError: the server failed, or its answer was lost.
        """
        try:
            return self._route(command)
        except Exception as error:
            raise failure(error) from error

    def close(self) -> None:
        """Close the connections."""
        pool = self._pools.pop(Driver.here(), None)
        if pool is not None:
            pool.disconnect()

    def _route(self, command: Command) -> Any:
        return self._exchange(self._pool(), command)

    def _pool(self) -> Any:
        here = Driver.here()
        if here not in self._pools:
            if isinstance(self._source, Driver.sentinel_pool):
                self._process = Driver.stay(self._process)
            self._pools.setdefault(here, Driver.pool_like(self._source))
        return self._pools[here]

    @staticmethod
    def _exchange(pool: Any, *commands: Command) -> Any:
        """Send commands on one connection and return the last answer. After an error the connection is closed."""
        answer = None
        connection = pool.get_connection()
        try:
            try:
                for command in commands:
                    connection.send_command(*command)
                    answer = connection.read_response(disable_decoding=True)
            except NoScriptError:  # after a restart, a fail-over or a flush; EVAL runs the script and loads it again
                for command in with_script(commands):
                    connection.send_command(*command)
                    answer = connection.read_response(disable_decoding=True)
        except BaseException:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)
        return answer


class ClusterConnection(Connection):
    """Connections to the primary that has the slot of a hash tag, wherever in the cluster it is."""

    def __init__(self, client: RedisCluster, tag: bytes) -> None:
        self._client: Any = client
        self._tag = tag
        self._pools: dict[tuple[str, int], Any] = {}
        self._stale = True
        self._process = 0

    def _route(self, command: Command) -> Any:
        """Send a command to the node that has the keys. A node that redirects a command has not executed it."""
        for _ in range(_MOVES):
            try:
                return self._execute_on_primary(command)
            except MovedError:
                pass
        raise ClusterError("the cluster keeps answering that the keys have moved")

    def close(self) -> None:
        """Close the connections."""
        while self._pools:
            self._pools.popitem()[1].disconnect()

    def _execute_on_primary(self, command: Command) -> Any:
        self._process = Driver.stay(self._process)
        if self._stale:
            Driver.find_nodes(self._client)
            self._stale = False
        node = self._client.get_node_from_key(self._tag)
        try:
            return self._exchange(self._pool_of(node, node.host, node.port), command)
        except MovedError:
            self._stale = True
            raise
        except AskError as there:  # the slot is being moved, and these keys are already there
            return self._exchange(self._pool_of(node, there.host, there.port), (b"ASKING",), command)
        except Exception:
            self._stale = True
            raise

    def _pool_of(self, node: Any, host: str, port: int) -> Any:
        if (host, port) not in self._pools:
            source = Driver.source(self._client, node)
            pool = Driver.pool_like(source, host=host, port=port, redis_connect_func=None)
            self._pools.setdefault((host, port), pool)
        return self._pools[host, port]


class AsyncConnection:
    """:class:`Connection` for asyncio. A cancelled task closes the connection that it was using."""

    def __init__(self, client: AsyncRedis) -> None:
        self._source = client.connection_pool
        #: The pools of a parent process are kept, so that nobody closes its connections.
        self._pools: dict[Any, Any] = {}
        self._process = 0

    @staticmethod
    def of(client: AsyncRedis | AsyncRedisCluster, tag: bytes) -> AsyncConnection | AsyncClusterConnection:
        """Like :meth:`Connection.of`."""
        if isinstance(client, AsyncRedisCluster):
            return AsyncClusterConnection(client, tag)
        if isinstance(client, AsyncRedis):
            return AsyncConnection(client)
        raise ConfigurationError(f"client: a Redis or RedisCluster from {AsyncRedis.__module__}")

    async def execute(self, command: Command) -> Any:
        """Like :meth:`Connection.execute`."""
        try:
            return await self._route(command)
        except Exception as error:
            raise failure(error) from error

    async def close(self) -> None:
        """Like :meth:`Connection.close`."""
        pool = self._pools.pop(AsyncDriver.here(), None)
        if pool is not None:
            await pool.disconnect()

    async def _route(self, command: Command) -> Any:
        return await self._exchange(self._pool(), command)

    def _pool(self) -> Any:
        here = AsyncDriver.here()
        if here not in self._pools:
            if isinstance(self._source, AsyncDriver.sentinel_pool):
                self._process = AsyncDriver.stay(self._process)
            self._pools.setdefault(here, AsyncDriver.pool_like(self._source))
        return self._pools[here]

    @staticmethod
    async def _exchange(pool: Any, *commands: Command) -> Any:
        answer = None
        connection = await pool.get_connection()
        try:
            try:
                for command in commands:
                    await connection.send_command(*command)
                    answer = await connection.read_response(disable_decoding=True)
            except NoScriptError:
                for command in with_script(commands):
                    await connection.send_command(*command)
                    answer = await connection.read_response(disable_decoding=True)
        except BaseException:
            await connection.disconnect()
            raise
        finally:
            await pool.release(connection)
        return answer


class AsyncClusterConnection(AsyncConnection):
    """:class:`ClusterConnection` for asyncio."""

    def __init__(self, client: AsyncRedisCluster, tag: bytes) -> None:
        self._client: Any = client
        self._tag = tag
        self._pools: dict[tuple[str, int], Any] = {}
        self._stale = True
        self._process = 0

    async def _route(self, command: Command) -> Any:
        for _ in range(_MOVES):
            try:
                return await self._execute_on_primary(command)
            except MovedError:
                pass
        raise ClusterError("the cluster keeps answering that the keys have moved")

    async def close(self) -> None:
        """Like :meth:`ClusterConnection.close`."""
        while self._pools:
            await self._pools.popitem()[1].disconnect()

    async def _execute_on_primary(self, command: Command) -> Any:
        self._process = AsyncDriver.stay(self._process)
        if self._stale:
            await AsyncDriver.find_nodes(self._client)
            self._stale = False
        node = self._client.get_node_from_key(self._tag)
        try:
            return await self._exchange(self._pool_of(node, node.host, node.port), command)
        except MovedError:
            self._stale = True
            raise
        except AskError as there:
            return await self._exchange(self._pool_of(node, there.host, there.port), (b"ASKING",), command)
        except Exception:
            self._stale = True
            raise

    def _pool_of(self, node: Any, host: str, port: int) -> Any:
        if (host, port) not in self._pools:
            source = AsyncDriver.source(self._client, node)
            pool = AsyncDriver.pool_like(source, host=host, port=port, redis_connect_func=None)
            self._pools.setdefault((host, port), pool)
        return self._pools[host, port]


def with_script(commands: Sequence[Command]) -> list[Command]:
    """Replace the last command, which calls the script by its hash, by one that contains the script."""
    *first, last = commands
    return [*first, (b"EVAL", SCRIPT, *last[2:])]


def failure(error: Exception) -> ConfigurationError | StoreError:
    """Return what a store raises for an error of the driver."""
    if isinstance(error, NoPermissionError):
        return ConfigurationError(
            "this Redis user has no permission for a command that the store needs: see the documentation of RedisStore"
        )
    return StoreError("Redis failed, or did not confirm what it did")
