"""The connections of a Redis store, which never repeat a command and never decode an answer."""

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

#: How often a cluster may say that the keys have moved.
_MOVES = 5


class Link:
    """Connections to one server, made like those of a client.

    Each command is sent at most once, whatever retries the client is configured for: its answer may be lost after
    the server has obeyed.
    """

    def __init__(self, client: Redis) -> None:
        self._source = client.connection_pool
        #: Those of a parent process are kept, so that nobody closes its connections.
        self._pools: dict[Any, Any] = {}
        self._process = 0

    @staticmethod
    def of(client: Redis | RedisCluster, tag: bytes) -> Link | ClusterLink:
        """Return the link for a client, to the server with the keys of a hash tag.

        Raises:
            ConfigurationError: it is no client, or one of the other kind.
        """
        if isinstance(client, RedisCluster):
            return ClusterLink(client, tag)
        if isinstance(client, Redis):
            return Link(client)
        raise ConfigurationError(f"client: a Redis or a RedisCluster like those of {Redis.__module__}")

    def ask(self, command: Command) -> Any:
        """Send a command, and return the answer.

        Raises:
            ConfigurationError: the user may not give it.
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
        """Send commands on one connection, and return the answer to the last. A connection with an error is closed."""
        answer = None
        connection = pool.get_connection()
        try:
            try:
                for command in commands:
                    connection.send_command(*command)
                    answer = connection.read_response(disable_decoding=True)
            except NoScriptError:  # after a restart, a fail-over or a flush: this runs it and loads it again
                for command in with_script(commands):
                    connection.send_command(*command)
                    answer = connection.read_response(disable_decoding=True)
        except BaseException:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)
        return answer


class ClusterLink(Link):
    """Connections to the primary of the slot of a hash tag, wherever in the cluster that is."""

    def __init__(self, client: RedisCluster, tag: bytes) -> None:
        self._client: Any = client
        self._tag = tag
        self._pools: dict[tuple[str, int], Any] = {}
        self._stale = True
        self._process = 0

    def _route(self, command: Command) -> Any:
        """Send a command to where the keys are; a node that sends it away has not obeyed."""
        for _ in range(_MOVES):
            try:
                return self._ask_primary(command)
            except MovedError:
                pass
        raise ClusterError("the cluster keeps saying that the keys have moved")

    def close(self) -> None:
        """Close the connections."""
        while self._pools:
            self._pools.popitem()[1].disconnect()

    def _ask_primary(self, command: Command) -> Any:
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
        except AskError as there:  # the slot is being moved, and these keys have been
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


class AsyncLink:
    """:class:`Link` for asyncio. A task that is cancelled closes its connection, if it had begun to use it."""

    def __init__(self, client: AsyncRedis) -> None:
        self._source = client.connection_pool
        #: Those of a parent process are kept, so that nobody closes its connections.
        self._pools: dict[Any, Any] = {}
        self._process = 0

    @staticmethod
    def of(client: AsyncRedis | AsyncRedisCluster, tag: bytes) -> AsyncLink | AsyncClusterLink:
        """Like :meth:`Link.of`."""
        if isinstance(client, AsyncRedisCluster):
            return AsyncClusterLink(client, tag)
        if isinstance(client, AsyncRedis):
            return AsyncLink(client)
        raise ConfigurationError(f"client: a Redis or a RedisCluster like those of {AsyncRedis.__module__}")

    async def ask(self, command: Command) -> Any:
        """Like :meth:`Link.ask`."""
        try:
            return await self._route(command)
        except Exception as error:
            raise failure(error) from error

    async def close(self) -> None:
        """Like :meth:`Link.close`."""
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


class AsyncClusterLink(AsyncLink):
    """:class:`ClusterLink` for asyncio."""

    def __init__(self, client: AsyncRedisCluster, tag: bytes) -> None:
        self._client: Any = client
        self._tag = tag
        self._pools: dict[tuple[str, int], Any] = {}
        self._stale = True
        self._process = 0

    async def _route(self, command: Command) -> Any:
        for _ in range(_MOVES):
            try:
                return await self._ask_primary(command)
            except MovedError:
                pass
        raise ClusterError("the cluster keeps saying that the keys have moved")

    async def close(self) -> None:
        """Like :meth:`ClusterLink.close`."""
        while self._pools:
            await self._pools.popitem()[1].disconnect()

    async def _ask_primary(self, command: Command) -> Any:
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
    """Return commands, of which the last calls the script by its hash, with the script itself."""
    *first, last = commands
    return [*first, (b"EVAL", SCRIPT, *last[2:])]


def failure(error: Exception) -> ConfigurationError | StoreError:
    """Return what a store raises for an error of the driver."""
    if isinstance(error, NoPermissionError):
        return ConfigurationError("Redis forbids this user a command that the store needs: see its documentation")
    return StoreError("Redis failed, or could not confirm what it did")
