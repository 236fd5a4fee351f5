"""Keep records on Redis (6.2 or later) or Valkey: ``pip install "smsmfa[redis]"``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ...exceptions import ConfigurationError, StoreError
from ...typing import Change
from .connection import AsyncLink, Link
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
    """Keeps records on a Redis server, or on a Redis Cluster, where all of them are in one slot.

    An update reads its keys with ``MGET`` and writes them with one script, which compares what they hold with what
    was read, and changes nothing if another was faster; then the change runs again. What was last seen is
    remembered, and tried first: then the script alone is one round trip.

    It makes connections of its own, like the client's but without its retries: a command that was sent is never sent
    again. What a server loses when it fails is a matter of its configuration; see :doc:`/stores/redis`.

    Args:
        client: a ``redis.Redis`` or ``redis.RedisCluster``, with whatever settings; a client of a Sentinel too.
        prefix: what its keys begin with, in braces, so that a cluster keeps them together.

    Raises:
        ConfigurationError: an argument is wrong; or, at the first use, the server may drop what it is given because
            its ``maxmemory-policy`` is not ``noeviction``, or does not say.
    """

    def __init__(self, client: Redis | RedisCluster, *, prefix: str = "smsmfa") -> None:
        self._tag = hash_tag(prefix)
        self._link = Link.of(client, self._tag)
        self._hints = Hints()
        self._checked = False

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the server failed.
        """
        name = self._tag + key.encode()
        value: bytes | None = self._ask((b"GET", name))
        self._hints.learn([name], [value])
        return value

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it says, return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreContention: others changed the same keys for 5 seconds; nothing is changed.
            StoreError: the server failed, or could not confirm what it did.
        """
        update = Update(keys, [self._tag + key.encode() for key in keys], change, self._hints)
        while update.command is not None:
            if update.pause:
                Driver.sleep(update.pause)
            update.answer(self._ask(update.command))
        return update.outcome()

    def ping(self) -> None:
        """Ask the server whether it is there and keeps what it is given.

        Raises:
            ConfigurationError: it may drop records.
            StoreError: it is away, or no primary.
        """
        check_server(self._link.ask((b"INFO",)))
        self._checked = True

    def close(self) -> None:
        """Close the store's own connections; the client's are its owner's."""
        self._link.close()

    def _ask(self, command: Command) -> Any:
        if not self._checked:
            self.ping()
        return self._link.ask(command)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._tag.decode()}>"


class AsyncRedisStore:
    """:class:`RedisStore` for asyncio.

    Args:
        client: a ``Redis`` or ``RedisCluster`` of ``redis.asyncio``.
        prefix: as there.
    """

    def __init__(self, client: AsyncRedis | AsyncRedisCluster, *, prefix: str = "smsmfa") -> None:
        self._tag = hash_tag(prefix)
        self._link = AsyncLink.of(client, self._tag)
        self._hints = Hints()
        self._checked = False

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`RedisStore.read`."""
        name = self._tag + key.encode()
        value: bytes | None = await self._ask((b"GET", name))
        self._hints.learn([name], [value])
        return value

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`RedisStore.update`. A task that is cancelled may have changed all its keys, or none."""
        update = Update(keys, [self._tag + key.encode() for key in keys], change, self._hints)
        while update.command is not None:
            if update.pause:
                await AsyncDriver.sleep(update.pause)
            update.answer(await self._ask(update.command))
        return update.outcome()

    async def ping(self) -> None:
        """Like :meth:`RedisStore.ping`."""
        check_server(await self._link.ask((b"INFO",)))
        self._checked = True

    async def close(self) -> None:
        """Like :meth:`RedisStore.close`."""
        await self._link.close()

    async def _ask(self, command: Command) -> Any:
        if not self._checked:
            await self.ping()
        return await self._link.ask(command)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._tag.decode()}>"


def hash_tag(prefix: str) -> bytes:
    """Return what the keys begin with on the server: what is in braces alone decides on the slot of a cluster.

    Raises:
        ConfigurationError: it is no text, or empty, or has braces itself.
    """
    if not isinstance(prefix, str) or not prefix or set("{}") & set(prefix):
        raise ConfigurationError('prefix: a str without braces, not empty, for example "smsmfa"')
    return b"{%b}:" % prefix.encode()


def check_server(info: bytes) -> None:
    """Check what a server says of itself.

    Raises:
        ConfigurationError: it may drop what it is given, or does not say.
        StoreError: it is no primary.
    """
    policy, role = _POLICY.search(info), _ROLE.search(info)
    if policy is None or policy[1] != b"noeviction":
        raise ConfigurationError(
            "Redis may drop records when its memory is full, and a bucket that is dropped is full again: "
            "set its maxmemory-policy to noeviction"
        )
    if role is not None and role[1] != b"master":
        raise StoreError("this Redis is a replica; its records may be old")
