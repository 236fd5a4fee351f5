"""A store on a Redis server (6.2 or later), a Valkey server or a Redis Cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from ...exceptions import ConfigurationError, StoreError
from ...typing import Change
from ..queues import Queues, Turn
from .connection import AsyncConnection, Connection
from .driver import AsyncDriver, Driver
from .hints import Hints
from .update import Command, Update

if TYPE_CHECKING:
    from redis import Redis, RedisCluster
    from redis.asyncio import Redis as AsyncRedis
    from redis.asyncio import RedisCluster as AsyncRedisCluster

T = TypeVar("T")

_POLICY = re.compile(rb"^maxmemory_policy:([a-z-]+)", re.MULTILINE)
_ROLE = re.compile(rb"^role:(\w+)", re.MULTILINE)


class RedisStore:
    """Keeps records on a Redis server, or in one slot of a Redis Cluster.

    An update reads its keys with ``MGET`` and writes them with one script. The script compares the current values with
    the values that were read. If they differ, it writes nothing and the change runs again. The store remembers the
    values it saw last and tries them first: then an update needs one round trip, the script alone. Updates of one
    process that share a contended key take turns.

    The store opens its own connections, with the client's settings but without retries: a command is never sent twice.
    The server's configuration decides what it may lose when it fails; see :doc:`/how-to/stores/redis`.

    Args:
        client: a ``redis.Redis`` or ``redis.RedisCluster``, with any settings, or a client from a Sentinel.
        prefix: the prefix of all keys. It is put in braces, so that a cluster keeps the keys together.

    Raises:
        ConfigurationError: an argument is invalid. Also raised at the first use, if the server may drop records because
            its ``maxmemory-policy`` is unknown or is not ``noeviction``.
    """

    def __init__(self, client: Redis | RedisCluster, *, prefix: str = "smsmfa") -> None:
        self._tag = hash_tag(prefix)
        self._connection = Connection.of(client, self._tag)
        self._hints = Hints()
        self._queues = Queues(Driver.lock)
        self._fake = self._checked = is_fake(client, Driver)

    def read(self, key: str) -> bytes | None:
        """Return the value of ``key``, or ``None`` if there is none.

        Raises:
            StoreError: the server failed.
        """
        name = self._tag + key.encode()
        value: bytes | None = self._execute((b"GET", name))
        self._hints.learn([name], [value])
        return value

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store its writes, and return its outcome.

        Raises:
            ValueError: ``change`` wrote a key outside ``keys``, or an invalid entry. Nothing is stored.
            StoreContention: others kept changing the same keys for 5 seconds. Nothing is stored.
            StoreError: the server failed, or did not confirm what it did.
        """
        update = Update(keys, [self._tag + key.encode() for key in keys], change, self._hints)
        queues = self._queues = self._queues.at(Driver.place())
        contended = queues.contended(update.names)
        while True:
            with Turn(queues, contended, update.until):
                update.begin()
                while update.command is not None and update.changed <= contended:
                    if update.pause:
                        Driver.sleep(update.pause)
                    update.answer(self._execute(update.command))
            if update.command is None:
                return update.outcome()
            contended |= update.changed

    def ping(self) -> None:
        """Check that the server answers, is a primary, and does not drop records.

        Raises:
            ConfigurationError: the server may drop records.
            StoreError: the server cannot be reached, or is a replica.
        """
        if not self._fake:
            check_server(self._connection.execute((b"INFO",)))
        self._checked = True

    def close(self) -> None:
        """Close the store's own connections. The client's connections stay open."""
        self._connection.close()

    def _execute(self, command: Command) -> Any:
        if not self._checked:
            self.ping()
        return self._connection.execute(command)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._tag.decode()}>"


class AsyncRedisStore:
    """:class:`RedisStore` for asyncio.

    Args:
        client: a ``Redis`` or ``RedisCluster`` from ``redis.asyncio``.
        prefix: the prefix of all keys, as for :class:`RedisStore`.
    """

    def __init__(self, client: AsyncRedis | AsyncRedisCluster, *, prefix: str = "smsmfa") -> None:
        self._tag = hash_tag(prefix)
        self._connection = AsyncConnection.of(client, self._tag)
        self._hints = Hints()
        self._queues = Queues(AsyncDriver.lock)
        self._fake = self._checked = is_fake(client, AsyncDriver)

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`RedisStore.read`."""
        name = self._tag + key.encode()
        value: bytes | None = await self._execute((b"GET", name))
        self._hints.learn([name], [value])
        return value

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`RedisStore.update`. If the task is cancelled, either all writes were stored or none."""
        update = Update(keys, [self._tag + key.encode() for key in keys], change, self._hints)
        queues = self._queues = self._queues.at(AsyncDriver.place())
        contended = queues.contended(update.names)
        while True:
            async with Turn(queues, contended, update.until):
                update.begin()
                while update.command is not None and update.changed <= contended:
                    if update.pause:
                        await AsyncDriver.sleep(update.pause)
                    update.answer(await self._execute(update.command))
            if update.command is None:
                return update.outcome()
            contended |= update.changed

    async def ping(self) -> None:
        """Like :meth:`RedisStore.ping`."""
        if not self._fake:
            check_server(await self._connection.execute((b"INFO",)))
        self._checked = True

    async def close(self) -> None:
        """Like :meth:`RedisStore.close`."""
        await self._connection.close()

    async def _execute(self, command: Command) -> Any:
        if not self._checked:
            await self.ping()
        return await self._connection.execute(command)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._tag.decode()}>"


def is_fake(client: Any, driver: type[Driver | AsyncDriver]) -> bool:
    """Return whether a client is one of fakeredis. That is no server: it drops no records, and has no ``INFO``.

    Raises:
        ConfigurationError: the store would lose updates on it, or it cannot run scripts.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is None or pool.connection_class.__module__.partition(".")[0] != "fakeredis":
        return False
    if not driver.allows_fakes:
        raise ConfigurationError(
            "client: threads interrupt the scripts of fakeredis, so updates would be lost; in tests use a MemoryStore, "
            "an AsyncRedisStore over fakeredis.FakeAsyncRedis, or a real server"
        )
    if find_spec("lupa") is None:
        raise ConfigurationError("client: this store runs a script, for which fakeredis needs Lua: fakeredis[lua]")
    return True


def hash_tag(prefix: str) -> bytes:
    """Return the prefix of the names on the server. In a cluster, only the part in braces decides the slot.

    Raises:
        ConfigurationError: the prefix is not a str, is empty, or contains braces.
    """
    if not isinstance(prefix, str) or not prefix or set("{}") & set(prefix):
        raise ConfigurationError('prefix: a non-empty str without braces, for example "smsmfa"')
    return b"{%b}:" % prefix.encode()


def check_server(info: bytes) -> None:
    """Check a server's answer to INFO.

    Raises:
        ConfigurationError: the server may drop records, or does not say.
        StoreError: the server is not a primary.
    """
    policy, role = _POLICY.search(info), _ROLE.search(info)
    if policy is None or policy[1] != b"noeviction":
        raise ConfigurationError(
            "Redis may drop records when its memory is full, and a dropped bucket counts as full again: "
            "set maxmemory-policy to noeviction on the server"
        )
    if role is not None and role[1] != b"master":
        raise StoreError("this Redis server is a replica, whose records may be old; connect to the primary")
