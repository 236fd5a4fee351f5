"""The connections of a Redis store send every command once, even after failures, moves and forks."""

import asyncio
import os
from contextlib import ExitStack, closing, suppress
from uuid import uuid4

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
from redis.backoff import ConstantBackoff
from services import REDIS
from stores.redis.server import Server, redis_server, wait_until

from smsmfa import ConfigurationError, StoreError
from smsmfa.stores.redis.connection import AsyncConnection, Connection
from smsmfa.stores.redis.update import SHA
from smsmfa.testing.stores.processes import forked
from smsmfa.testing.stores.wire import Wire
from smsmfa.testing.threads import at_once

TAG = b"{smsmfa_test_%b}:" % uuid4().hex.encode()
KEY = TAG + b"k"
#: A script that sets an absent key, and a script that finds its key absent.
SET_COMMAND = b"EVALSHA", SHA, 1, TAG + b"first", b"", b"=1", b""
SCRIPT_COMMAND = b"EVALSHA", SHA, 1, TAG + b"absent", b"=1", b"", b""
#: A script that finds another value than expected, and returns it.
REFUSED = b"EVALSHA", SHA, 1, KEY, b"=1", b"", b""
PATIENCE = 20
#: Options of clients that decode, use a strange encoding, or speak the newer protocol.
OTHER_DEFAULTS = [{"decode_responses": True}, {"encoding": "utf-16"}, {"protocol": 3}]


@pytest.fixture
def url():
    """Return the URL of the tests' server."""
    REDIS.driver()
    return REDIS.url


class Failing(redis.Connection):
    """A connection that counts every GET and loses its answer."""

    sent = 0

    def read_response(self, *arguments, **named):
        if self.getting:
            raise redis.ConnectionError("lost")
        return super().read_response(*arguments, **named)

    def send_command(self, *arguments, **named):
        self.getting = arguments[0] == b"GET"
        Failing.sent += self.getting
        super().send_command(*arguments, **named)


class TestConnection:
    @pytest.mark.parametrize(
        "cls, client",
        [(Connection, redis.asyncio.Redis()), (AsyncConnection, redis.Redis()), (Connection, None)],
        ids=["asyncio client", "threads client", "None"],
    )
    def test_wrong_client(self, cls, client):
        """A client of the other kind, or anything but a client, is refused, and the error names the right kind."""
        with pytest.raises(ConfigurationError, match=r"redis\.(asyncio\.)?client"):
            cls.of(client, TAG)

    def test_answer_is_lost(self, url):
        """R25: a command whose answer is lost is not sent again; the driver's error is the cause."""
        retry = redis.retry.Retry(ConstantBackoff(0), 10)
        client = redis.Redis(connection_pool=redis.ConnectionPool.from_url(url, connection_class=Failing, retry=retry))
        Failing.sent = 0
        with closing(client), closing(Connection.of(client, TAG)) as connection, pytest.raises(StoreError) as failed:
            connection.execute((b"GET", KEY))

        assert isinstance(failed.value.__cause__, redis.ConnectionError)
        assert 1 == Failing.sent

    def test_close(self, url):
        """A connection may be closed before its first use and twice; it opens again when it is used."""
        with redis.Redis.from_url(url) as client, closing(Connection.of(client, TAG)) as connection:
            connection.close()
            first = connection.execute((b"CLIENT", b"ID"))
            connection.close()
            connection.close()

            assert first != connection.execute((b"CLIENT", b"ID"))

    def test_error_closes_connection(self, url):
        """A connection is closed after an error, because its server may no longer be the primary."""
        with redis.Redis.from_url(url) as client, closing(Connection.of(client, TAG)) as connection:
            connection.execute((b"ECHO", b"v"))
            [socket] = connection._pool()._connections
            with pytest.raises(StoreError):
                connection.execute((b"GET",))

            assert socket._sock is None
            assert b"v" == connection.execute((b"ECHO", b"v"))

    @pytest.mark.parametrize("options", OTHER_DEFAULTS)
    def test_bytes(self, url, options):
        """Bytes come back unchanged, even if the client decodes or uses a strange encoding."""
        with redis.Redis.from_url(url, **options) as client, closing(Connection.of(client, TAG)) as connection:
            connection.execute((b"SET", KEY, b"\xff\x00", b"EX", 10))
            client.script_flush()

            assert [b"\xff\x00"] == connection.execute(REFUSED)  # the script must be sent first
            assert [b"\xff\x00"] == connection.execute(REFUSED)
            assert b"\xff\x00" == connection.execute((b"GET", KEY))

    def test_cache(self, url):
        """The store does not read from the client's own cache."""
        from redis.cache import CacheConfig

        client = redis.Redis.from_url(url, protocol=3, cache_config=CacheConfig())
        with client, closing(Connection.of(client, TAG)) as connection, redis.Redis.from_url(url) as other:
            for value in (b"1", b"2"):
                other.set(KEY, value, ex=10)

                assert value == connection.execute((b"GET", KEY))

    def test_permission(self, url):
        """A user without permission for a command is a ConfigurationError, which does not show the password."""
        name = uuid4().hex
        with redis.Redis.from_url(url) as client:
            client.acl_setuser(name, enabled=True, passwords=["+secret"], keys=["*"], commands=["+get"])
            try:
                user = redis.Redis.from_url(url, username=name, password="secret")
                with user, closing(Connection.of(user, TAG)) as connection, pytest.raises(ConfigurationError) as failed:
                    connection.execute((b"INFO",))
            finally:
                client.acl_deluser(name)

        assert "secret" not in str(failed.value)

    def test_script_is_forgotten(self, url):
        """If the server has forgotten the script, the next command runs it and loads it again."""
        with redis.Redis.from_url(url) as client, closing(Connection.of(client, TAG)) as connection:
            for _ in range(2):
                client.script_flush()

                assert [None] == connection.execute(SCRIPT_COMMAND)

    def test_pool_is_exhausted(self, url):
        """If there are more callers than connections, they wait for each other."""
        with redis.Redis.from_url(url, max_connections=1) as client, closing(Connection.of(client, TAG)) as connection:
            asked = at_once([lambda: connection.execute((b"ECHO", b"v"))] * 16, PATIENCE)

            assert [b"v"] * 16 == asked
            assert 1 == len(connection._pool()._connections)


class TestAsyncConnection:
    @pytest.mark.parametrize("options", OTHER_DEFAULTS)
    async def test_bytes(self, url, options):
        """Bytes come back unchanged, even if the client decodes or uses a strange encoding."""
        client = redis.asyncio.Redis.from_url(url, **options)
        connection = AsyncConnection.of(client, TAG)
        await connection.execute((b"SET", KEY, b"\xff\x00", b"EX", 10))
        await client.script_flush()

        assert [b"\xff\x00"] == await connection.execute(REFUSED)  # the script must be sent first
        assert [b"\xff\x00"] == await connection.execute(REFUSED)
        assert b"\xff\x00" == await connection.execute((b"GET", KEY))
        await connection.close()
        await client.aclose()

    async def test_cancelled(self, url):
        """A task cancelled at any point leaves no connection with a stray answer, and loses no connection."""
        client = redis.asyncio.Redis.from_url(url, max_connections=2)
        connection = AsyncConnection.of(client, TAG)
        await connection.execute((b"SET", KEY, b"v", b"EX", 10))
        for turns in range(40):
            task = asyncio.ensure_future(connection.execute((b"ECHO", b"wrong")))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

            assert b"v" == await connection.execute((b"GET", KEY))
        answers = await asyncio.gather(*(connection.execute((b"GET", KEY)) for _ in range(100)))
        await connection.close()
        await client.aclose()

        assert [b"v"] * 100 == answers

    async def test_script_is_forgotten(self, url):
        """If the server has forgotten the script, the next command runs it and loads it again."""
        client = redis.asyncio.Redis.from_url(url)
        connection = AsyncConnection.of(client, TAG)
        for _ in range(2):
            await client.script_flush()

            assert [None] == await connection.execute(SCRIPT_COMMAND)
        await connection.close()
        await client.aclose()

    async def test_answer_is_lost(self, url):
        """R25: a command whose answer is lost is not sent again, and the next command works."""
        with closing(Wire(REDIS.address)) as wire:
            host, port = wire.address
            client = redis.asyncio.Redis(host=host, port=port)
            connection = AsyncConnection.of(client, TAG)
            await connection.execute((b"SET", KEY, b"0", b"EX", 10))
            wire.cut_at("answer", 0)
            with pytest.raises(StoreError):
                await connection.execute((b"INCR", KEY))

            assert b"1" == await connection.execute((b"GET", KEY))
            await connection.close()
            await client.aclose()

    def test_loops(self, url):
        """Each event loop gets its own connections, and closed connections are forgotten."""
        connection = AsyncConnection.of(redis.asyncio.Redis.from_url(url), TAG)

        async def ask():
            try:
                return await connection.execute((b"CLIENT", b"ID"))
            finally:
                await connection.close()

        assert 3 == len({asyncio.run(ask()) for _ in range(3)})
        assert {} == connection._pools

    async def test_forked(self, url):
        """A forked child opens its own connections, and the parent keeps using its old ones."""
        client = redis.asyncio.Redis.from_url(url)
        connection = AsyncConnection.of(client, TAG)
        mine = await connection.execute((b"CLIENT", b"ID"))
        theirs, _ = forked(lambda: asyncio.run(connection.execute((b"CLIENT", b"ID"))), lambda: None, PATIENCE)
        still = await connection.execute((b"CLIENT", b"ID"))
        await connection.close()
        await client.aclose()

        assert mine == still != theirs

    async def test_loop_of_the_parent(self, url, monkeypatch):
        """A forked child that continues in the event loop of its parent opens its own connections too."""
        client = redis.asyncio.Redis.from_url(url)
        connection = AsyncConnection.of(client, TAG)
        mine = await connection.execute((b"CLIENT", b"ID"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 0)
            theirs = await connection.execute((b"CLIENT", b"ID"))
            await connection.close()
        await connection.close()
        await client.aclose()

        assert mine != theirs

    async def test_forked_beside_a_sentinel(self, monkeypatch):
        """A child that would ask a Sentinel on sockets of its parent gets an error that tells it to create a client."""
        client = redis.asyncio.sentinel.Sentinel([("nowhere", 1)]).master_for("tests")
        connection = AsyncConnection.of(client, TAG)
        connection._pool()
        await connection.close()
        await connection.close()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(StoreError) as refused:
            await connection.execute((b"GET", KEY))

        assert "fork" in str(refused.value.__cause__)


class Cluster:
    """A cluster of two nodes. At first, the first node has the slot of the tag."""

    def __init__(self, *servers: Server) -> None:
        self.servers = servers
        self.clients = [redis.Redis(port=server.port) for server in servers]
        first, second = self.clients
        first.execute_command("CLUSTER ADDSLOTS", *range(1, 16_384))
        second.execute_command("CLUSTER ADDSLOTS", 0)  # a node without any slot would become a replica
        second.execute_command("CLUSTER MEET", servers[0].host, servers[0].port)
        self.ids = [client.execute_command("CLUSTER MYID").decode() for client in self.clients]
        self.slot = first.execute_command("CLUSTER KEYSLOT", TAG)
        for client in self.clients:
            wait_until(lambda client=client: "ok" == client.cluster("INFO")["cluster_state"])
            wait_until(lambda client=client: 2 == len(client.cluster("NODES")))

    def begin_move(self):
        """Begin to move the slot of the tag from the first node to the second."""
        self.clients[1].execute_command("CLUSTER SETSLOT", self.slot, "IMPORTING", self.ids[0])
        self.clients[0].execute_command("CLUSTER SETSLOT", self.slot, "MIGRATING", self.ids[1])

    def end_move(self):
        """Move the keys, and tell both nodes."""
        keys = self.clients[0].execute_command("CLUSTER GETKEYSINSLOT", self.slot, 100)
        there = self.servers[1]
        if keys:
            self.clients[0].execute_command("MIGRATE", there.host, there.port, "", 0, 5000, "KEYS", *keys)
        for client in reversed(self.clients):
            client.execute_command("CLUSTER SETSLOT", self.slot, "NODE", self.ids[1])

    def move_back(self):
        """Give the slot back to the first node."""
        self.clients[1].flushall()
        self.clients[0].execute_command("CLUSTER BUMPEPOCH")  # else it would believe old gossip of the other node
        for client in self.clients:
            client.execute_command("CLUSTER SETSLOT", self.slot, "NODE", self.ids[0])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    folders = [tmp_path_factory.mktemp("node") for _ in range(2)]
    options = "--cluster-enabled", "yes"
    with redis_server(folders[0], *options) as one, redis_server(folders[1], *options) as other:
        cluster = Cluster(one, other)
        yield cluster
        for client in cluster.clients:
            client.close()


@pytest.fixture
def cluster(nodes):
    yield nodes
    nodes.move_back()


class TestCluster:
    def test_moved(self, cluster):
        """Keys are found while they move to another node, and afterwards."""
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port)
        with closing(client), closing(Connection.of(client, TAG)) as connection:
            connection.execute((b"SET", KEY, b"1"))
            cluster.begin_move()
            assert b"1" == connection.execute((b"GET", KEY))
            assert b"OK" == connection.execute((b"SET", KEY + b"new", b"2"))
            assert 1 == connection.execute(SET_COMMAND)
            cluster.end_move()
            assert [b"1", b"2"] == connection.execute((b"MGET", KEY, KEY + b"new"))

            assert [b"1", b"2"] == cluster.clients[1].mget(KEY, KEY + b"new")

    async def test_moved_async(self, cluster):
        """Keys are found while they move, on an event loop too."""
        client = redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port)
        connection = AsyncConnection.of(client, TAG)
        await connection.execute((b"SET", KEY, b"1"))
        cluster.begin_move()
        assert b"1" == await connection.execute((b"GET", KEY))
        assert b"OK" == await connection.execute((b"SET", KEY + b"new", b"2"))
        assert 1 == await connection.execute(SET_COMMAND)
        cluster.end_move()
        assert [b"1", b"2"] == await connection.execute((b"MGET", KEY, KEY + b"new"))
        await connection.close()
        await client.aclose()

        assert [b"1", b"2"] == cluster.clients[1].mget(KEY, KEY + b"new")

    async def test_forked(self, monkeypatch):
        """A forked child must create a new client, because this one has the sockets of the parent."""
        client = redis.asyncio.RedisCluster(host="127.0.0.1", port=1)
        connection = AsyncConnection.of(client, TAG)
        causes = []
        for process in (1, 2):
            monkeypatch.setattr(os, "getpid", lambda process=process: process)
            with pytest.raises(StoreError) as refused:
                await connection.execute((b"GET", KEY))
            causes.append("fork" in str(refused.value.__cause__))
        await client.aclose()

        assert [False, True] == causes

    @pytest.mark.filterwarnings("ignore:.*read_from_replicas:DeprecationWarning")
    def test_reads_from_replicas(self, cluster):
        """Even if the client reads from replicas, the store does not."""
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port, read_from_replicas=True)
        with closing(client), closing(Connection.of(client, TAG)) as connection:
            connection.execute((b"GET", KEY))
            node = client.get_node_from_key(TAG)

            assert [None] == [pool.connection_kwargs["redis_connect_func"] for pool in connection._pools.values()]
            assert client.get_redis_connection(node).connection_pool.connection_kwargs["redis_connect_func"]

    def test_moving_forever(self, cluster, monkeypatch):
        """A cluster that redirects a command forever is an error."""
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port)
        with closing(client), closing(Connection.of(client, TAG)) as connection:
            monkeypatch.setattr(
                client, "get_node_from_key", lambda _: client.get_node("127.0.0.1", cluster.servers[1].port)
            )
            with pytest.raises(StoreError):
                connection.execute((b"GET", KEY))

    async def test_moving_forever_async(self, cluster, monkeypatch):
        """A cluster that redirects a command forever is an error on an event loop too."""
        client = redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port)
        connection = AsyncConnection.of(client, TAG)
        monkeypatch.setattr(
            client, "get_node_from_key", lambda _: client.get_node("127.0.0.1", cluster.servers[1].port)
        )
        with pytest.raises(StoreError):
            await connection.execute((b"GET", KEY))
        await connection.close()
        await client.aclose()

    def test_error(self, cluster, monkeypatch):
        """After an error the cluster is asked once where the keys are, and the next command works."""
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port)
        looked = counted(client, monkeypatch)
        with closing(client), closing(Connection.of(client, TAG)) as connection:
            for times in (1, 2):
                assert connection.execute((b"GET", KEY)) is None
                assert connection.execute((b"GET", KEY)) is None
                assert times == len(looked)
                with pytest.raises(StoreError):
                    connection.execute((b"GET",))

    async def test_error_async(self, cluster, monkeypatch):
        """After an error the cluster is asked once where the keys are, on an event loop too."""
        client = redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port)
        await client.initialize()
        looked = counted(client, monkeypatch)
        connection = AsyncConnection.of(client, TAG)
        for times in (1, 2):
            assert await connection.execute((b"GET", KEY)) is None
            assert await connection.execute((b"GET", KEY)) is None
            assert times == len(looked)
            with pytest.raises(StoreError):
                await connection.execute((b"GET",))
        await connection.close()
        await client.aclose()


def counted(client, monkeypatch):
    """Return a list that grows when a client asks its cluster where the slots are."""
    looked, manager = [], type(client.nodes_manager)
    look = manager.initialize

    def initialize(self):
        looked.append("again")
        return look(self)

    monkeypatch.setattr(manager, "initialize", initialize)
    return looked


class TestSentinel:
    @pytest.fixture
    def servers(self, tmp_path):
        """Start a primary, a replica in sync with it, and a Sentinel that watches them."""
        folders = [tmp_path / name for name in ("primary", "replica", "sentinel")]
        for folder in folders:
            folder.mkdir()
        with ExitStack() as stack:
            primary = stack.enter_context(redis_server(folders[0], "--repl-diskless-sync-delay", "0"))
            replica = stack.enter_context(redis_server(folders[1], "--replicaof", primary.host, str(primary.port)))
            config = folders[2] / "sentinel.conf"
            config.write_text(
                f"sentinel monitor tests {primary.host} {primary.port} 1\nsentinel failover-timeout tests 2000\n"
            )
            sentinel = stack.enter_context(redis_server(folders[2], str(config), "--sentinel"))
            client = stack.enter_context(redis.Redis(port=sentinel.port))
            wait_until(lambda: [one for one in client.sentinel_slaves("tests") if "ok" == one["master-link-status"]])
            yield primary, replica, sentinel, client

    def test_fail_over(self, servers):
        """After a fail-over the new primary is used; until then there are errors and no wrong answers."""
        primary, replica, sentinel, watching = servers
        manager = redis.sentinel.Sentinel([(sentinel.host, sentinel.port)])
        with manager.slave_for("tests") as client, closing(Connection.of(client, TAG)) as connection:
            connection.execute((b"SET", KEY, b"v"))
            assert 1 == connection.execute((b"WAIT", 1, 2000))
            watching.sentinel_set("tests", "down-after-milliseconds", 200)
            primary.kill()
            answers = []

            def answered():
                with suppress(StoreError):
                    answers.append(connection.execute((b"SET", KEY, b"w", b"GET")))
                return answers

            wait_until(answered, 60)
            with redis.Redis(port=replica.port) as there:
                assert b"w" == there.get(KEY)

        assert [b"v"] == answers
