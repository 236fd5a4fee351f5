"""The pools of a Redis store: like the client's, but they neither repeat, decode, cache nor hang."""

import os
from types import SimpleNamespace

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError, ResponseError

from smsmfa.stores.redis.driver import AsyncDriver, Driver


def a_pool(**kwargs):
    return redis.ConnectionPool(host="nowhere", **kwargs)


def test_copied():
    """A pool has the application's address, user, password and class of connection."""
    source = redis.Redis(
        host="h", port=1, db=3, username="u", password="p", ssl=True, ssl_ca_certs="ca", max_connections=7
    ).connection_pool
    pool = Driver.pool_like(source)
    kwargs = pool.connection_kwargs

    assert ("h", 1, 3, "u", "p", "ca") == tuple(
        kwargs[name] for name in ("host", "port", "db", "username", "password", "ssl_ca_certs")
    )
    assert (redis.SSLConnection, 7, 5) == (pool.connection_class, pool.max_connections, pool.timeout)


def test_unix():
    """The store uses the client's Unix socket too."""
    pool = Driver.pool_like(redis.Redis(unix_socket_path="/nowhere").connection_pool)

    assert "/nowhere" == pool.make_connection().path


@pytest.mark.parametrize("driver, module", [(Driver, redis), (AsyncDriver, redis.asyncio)], ids=["threads", "asyncio"])
def test_retries(driver, module):
    """R25: the driver never tries a command again, even if the client is configured to."""
    retry = module.retry.Retry(ConstantBackoff(1), 10)
    source = module.Redis(retry=retry, retry_on_error=[ResponseError, OSError]).connection_pool
    connection = driver.pool_like(source).make_connection()

    assert 0 == connection.retry._retries
    assert 10 == source.connection_kwargs["retry"]._retries


@pytest.mark.parametrize("given, own", [({}, 5), ({"socket_timeout": None}, 5), ({"socket_timeout": 0.5}, 0.5)])
def test_timeout(given, own):
    """If the client would wait forever for an answer, the store waits five seconds."""
    assert own == Driver.pool_like(a_pool(**given)).connection_kwargs["socket_timeout"]


def test_connections_are_bounded():
    """A pool has at most 100 connections, even if the client's pool has no bound."""
    assert 100 == Driver.pool_like(a_pool(max_connections=2**31)).max_connections


@pytest.mark.parametrize("version", [2, 3])
def test_protocol(version):
    """The store speaks protocol 2, without the client's cache or notifications."""
    pool = Driver.pool_like(redis.Redis(protocol=version).connection_pool)

    assert 2 == pool.connection_kwargs["protocol"]
    assert "maint_notifications_pool_handler" not in pool.connection_kwargs


@pytest.mark.parametrize(
    "driver, module", [(Driver, redis.sentinel), (AsyncDriver, redis.asyncio.sentinel)], ids=["threads", "asyncio"]
)
def test_sentinel(driver, module):
    """With a Sentinel the store uses the primary, even if the client reads from replicas."""
    manager = module.Sentinel([("nowhere", 1)])
    source = manager.slave_for("name", max_connections=3).connection_pool
    pool = driver.pool_like(source)

    assert ("name", True, manager, 3) == (
        pool.service_name, pool.is_master, pool.sentinel_manager, pool.max_connections
    )  # fmt: skip
    assert pool is not source
    assert 0 == pool.make_connection().retry._retries


async def test_sleep(monkeypatch):
    """A pause blocks the thread, or suspends the task."""
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    Driver.sleep(0.5)
    await AsyncDriver.sleep(0)

    assert [0.5] == slept


async def test_forks(monkeypatch):
    """Pools and clients for asyncio belong to one process; those for threads notice a fork."""
    here = AsyncDriver.here()
    assert Driver.here() is None
    assert os.getpid() == AsyncDriver.stay(AsyncDriver.stay(0))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert here != AsyncDriver.here()
    with pytest.raises(RedisError, match="after it"):
        AsyncDriver.stay(here[0])
    assert here[0] == Driver.stay(here[0])


async def test_places(monkeypatch):
    """Locks are of one process, and for asyncio of one event loop."""
    places = Driver.place(), AsyncDriver.place()
    assert (Driver.place(), AsyncDriver.place()) == places
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert set() == {*places} & {Driver.place(), AsyncDriver.place()}


async def test_cluster():
    """A cluster client is asked to look up the slots again, and how to reach a node."""
    asked = []

    async def initialize():
        asked.append("async")

    node = object()
    of_threads = SimpleNamespace(
        nodes_manager=SimpleNamespace(initialize=lambda: asked.append("sync")),
        get_redis_connection=lambda _: redis.Redis(connection_pool=pool),
    )
    pool = a_pool()
    Driver.find_nodes(of_threads)
    await AsyncDriver.find_nodes(
        SimpleNamespace(initialize=initialize, nodes_manager=SimpleNamespace(initialize=initialize))
    )

    assert ["sync", "async", "async"] == asked
    assert pool is Driver.source(of_threads, node)
    assert node is AsyncDriver.source(None, node)
