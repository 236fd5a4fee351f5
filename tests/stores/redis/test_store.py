"""The Redis store: the test kit, exact round trips, and servers that evict, forget, die and come back."""

import re
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Semaphore

import fakeredis
import pytest
import redis
import redis.asyncio
from services import REDIS, redis_prefix
from stores.hammer import Hammer
from stores.redis.server import redis_server, wait_until
from support import Factor, rejected

from smsmfa import CodeUsed, ConfigurationError, StoreError
from smsmfa.stores.redis import AsyncRedisStore, RedisStore
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.loop import Blocking
from smsmfa.testing.stores.suite import increment, look, put
from smsmfa.testing.threads import all_of, at_once
from smsmfa.typing import Entry

PATIENCE = 30
PAGE = Path(__file__).parents[3] / "docs/how-to/stores/redis.md"


class OnRedis:
    """A new prefix on the tests' server for each check."""

    shared = processes = fork = True
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2
    server = REDIS.address

    @pytest.fixture(autouse=True)
    def _prefix(self):
        with redis_prefix() as self.prefix:
            yield

    def disturb(self):
        """Let the server forget its scripts. Closing connections instead would put updates on them in doubt."""
        with redis.Redis.from_url(REDIS.url) as client:
            client.script_flush()

    def make_store(self):
        return RedisStore(redis.Redis.from_url(REDIS.url), prefix=self.prefix)

    def make_store_at(self, host, port):
        return RedisStore(redis.Redis.from_url(REDIS.at((host, port))), prefix=self.prefix)


class OnALoop(OnRedis):
    fork = False

    async def make_store(self):
        return AsyncRedisStore(redis.asyncio.Redis.from_url(REDIS.url), prefix=self.prefix)

    async def make_store_at(self, host, port):
        return AsyncRedisStore(redis.asyncio.Redis.from_url(REDIS.at((host, port))), prefix=self.prefix)


class TestRedisStore(OnRedis, Hammer, StoreConformance):
    pass


class TestAsyncRedisStore(OnALoop, AsyncStoreConformance):
    processes = False


@pytest.mark.thorough
class TestRedisStoreThoroughly(OnRedis, StoreConformance):
    rounds, examples, patience = 20, 25, 0.2


@pytest.mark.thorough
class TestAsyncRedisStoreThoroughly(OnALoop, Hammer, AsyncStoreConformance):
    rounds, examples, patience, kills = 20, 25, 0.2, 50


@pytest.fixture
def prefix():
    with redis_prefix() as prefix:
        yield prefix


class Counting(redis.Connection):
    """A connection that records the names of the commands it sends. Each command is a round trip."""

    sent = []

    def send_command(self, *arguments, **named):
        Counting.sent.append(str(arguments[0], "ascii") if isinstance(arguments[0], bytes) else arguments[0])
        super().send_command(*arguments, **named)


class AsyncCounting(redis.asyncio.Connection):
    """:class:`Counting` for asyncio."""

    async def send_command(self, *arguments, **named):
        Counting.sent.append(str(arguments[0], "ascii") if isinstance(arguments[0], bytes) else arguments[0])
        await super().send_command(*arguments, **named)


def counted(call, *arguments):
    """Return the result of a call and the commands it sent."""
    Counting.sent.clear()
    return call(*arguments), list(Counting.sent)


@contextmanager
def a_factor(prefix):
    """Yield a factor over a new store with a warm connection."""
    pool = redis.ConnectionPool.from_url(REDIS.url, connection_class=Counting)
    with redis.Redis(connection_pool=pool) as client, closing(RedisStore(client, prefix=prefix)) as store:
        store.update(["warm"], increment("warm"))
        yield Factor(store=store)


@contextmanager
def a_factor_on_a_loop(prefix):
    """Like :func:`a_factor`, over a store for asyncio."""
    pool = redis.asyncio.ConnectionPool.from_url(REDIS.url, connection_class=AsyncCounting)
    store = Blocking(lambda: AsyncRedisStore(redis.asyncio.Redis(connection_pool=pool), prefix=prefix))
    store.update(["warm"], increment("warm"))
    yield Factor(store=store)
    store.loop.run(store.store.close())
    store.loop.run(pool.aclose())
    store.loop.close()


EITHER_KIND = pytest.mark.parametrize("a_factor", [a_factor, a_factor_on_a_loop], ids=["threads", "asyncio"])


class TestRoundTrips:
    """On a warm connection a challenge takes 3 round trips and a check 2; with remembered values they take 2 and 1."""

    @EITHER_KIND
    def test_cold(self, prefix, a_factor):
        """A store that has seen neither the user nor the number reads them first."""
        with a_factor(prefix) as one, a_factor(prefix) as other, a_factor(prefix) as third:
            one.enrol()
            challenge, asked = counted(other.verifier.challenge, "alice")
            _, checked = counted(third.verifier.verify, "alice", challenge.id, other.outbox.code)

        assert ["GET", "MGET", "EVALSHA"] == asked
        assert ["MGET", "EVALSHA"] == checked

    @EITHER_KIND
    def test_warm(self, prefix, a_factor):
        """A store that has seen both tries the script at once."""
        with a_factor(prefix) as factor:
            factor.enrol()
            challenge, asked = counted(factor.verifier.challenge, "alice")
            _, checked = counted(factor.verifier.verify, "alice", challenge.id, factor.outbox.code)

        assert ["GET", "EVALSHA"] == asked
        assert ["EVALSHA"] == checked

    @EITHER_KIND
    def test_stale(self, prefix, a_factor):
        """Values that another store has changed in the meantime cost no more than unknown values."""
        with a_factor(prefix) as one, a_factor(prefix) as other:
            one.enrol()
            other.log_in()
            challenge, asked = counted(one.verifier.challenge, "alice")
            _, checked = counted(other.verifier.verify, "alice", challenge.id, one.outbox.code)

        assert ["GET", "EVALSHA", "EVALSHA"] == asked
        assert ["EVALSHA", "EVALSHA"] == checked

    @EITHER_KIND
    def test_read_again(self, prefix, a_factor):
        """The first read of a challenge is remembered, so a change of that record costs no extra round trip."""
        with a_factor(prefix) as one, a_factor(prefix) as other:
            one.enrol()
            challenge = one.verifier.challenge("alice")
            other.verifier.verify("alice", challenge.id, one.outbox.code)
            _, asked = counted(one.verifier.challenge, "alice")

        assert ["GET", "EVALSHA"] == asked

    @EITHER_KIND
    def test_hot_key(self, prefix, a_factor):
        """Sixteen callers of one key take turns, so nearly every try is the only one."""

        def work():
            for _ in range(10):
                factor.store.update(["hot"], increment("hot"))

        with a_factor(prefix) as factor:
            _, asked = counted(lambda: all_of(at_once([work] * 16, 60)))
            assert b"160" == factor.store.read("hot")

        assert 160 <= asked.count("EVALSHA") < 240

    @EITHER_KIND
    def test_refused(self, prefix, a_factor):
        """A refusal takes one script or one read of the values, to be sure."""
        with a_factor(prefix) as one, a_factor(prefix) as other:
            one.enrol()
            challenge = one.verifier.challenge("alice")
            again, warm = counted(one.verifier.challenge, "alice")
            _, cold = counted(other.verifier.challenge, "alice")

        assert (challenge.id, False) == (again.id, again.sent)
        assert (["GET", "EVALSHA"], ["GET", "MGET"]) == (warm, cold)

    def test_first(self, prefix):
        """The first operation asks the server for its policy, and loads the script if it is missing."""
        pool = redis.ConnectionPool.from_url(REDIS.url, connection_class=Counting)
        with redis.Redis(connection_pool=pool) as client, closing(RedisStore(client, prefix=prefix)) as store:
            client.ping()
            store.ping()
            client.script_flush()
            _, sent = counted(store.update, ["k"], increment("k"))
            _, again = counted(store.update, ["k"], increment("k"))

        assert ["MGET", "EVALSHA", "EVAL"] == sent
        assert ["EVALSHA"] == again


class TestSetUp:
    @pytest.mark.parametrize("prefix", ["", "a{b", "a}b", None, b"bytes"])
    def test_prefix(self, prefix):
        """A prefix that is not a str, is empty or contains braces is refused."""
        with pytest.raises(ConfigurationError, match="prefix"):
            RedisStore(redis.Redis(), prefix=prefix)

    def test_client(self):
        """A client of the other kind is refused when the store is created."""
        with pytest.raises(ConfigurationError, match="client"):
            RedisStore(redis.asyncio.Redis())
        with pytest.raises(ConfigurationError, match="client"):
            AsyncRedisStore(redis.Redis())

    def test_names(self, prefix):
        """Every name begins with the prefix in braces, which keeps the keys together in a cluster."""
        with redis.Redis.from_url(REDIS.url) as client, closing(RedisStore(client, prefix=prefix)) as store:
            put(store, {"u:{a}": b"1", "n:b": b"2"}, 10)

            assert [b"1", b"2"] == client.mget(f"{{{prefix}}}:u:{{a}}", f"{{{prefix}}}:n:b")
            assert 0 < client.ttl(f"{{{prefix}}}:n:b") <= 10

    def test_repr(self):
        """T12: the repr shows the prefix and no password."""
        client = redis.Redis(password="secret")

        assert "<RedisStore {smsmfa}:>" == repr(RedisStore(client))
        assert "<AsyncRedisStore {here}:>" == repr(AsyncRedisStore(redis.asyncio.Redis(), prefix="here"))

    def test_client_stays_open(self, prefix):
        """A store closes only its own connections, and opens new ones if it is used again."""
        client = redis.Redis.from_url(REDIS.url, single_connection_client=True)
        store = RedisStore(client, prefix=prefix)
        with closing(client):
            for _ in range(2):
                store.update(["k"], increment("k"))
                pool = store._connection._pool()
                store.close()
                assert [None] == [connection._sock for connection in pool._connections]

            assert client.ping()
            assert b"2" == store.read("k")
            store.close()


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 3}, {"encoding": "utf-16"}])
def test_client_with_other_defaults(prefix, options):
    """A store works with a client that decodes, or speaks the newer protocol, and does not change it."""
    with redis.Redis.from_url(REDIS.url, **options) as client, closing(RedisStore(client, prefix=prefix)) as store:
        put(store, {"k": b"\xff\x00"})

        assert {"k": b"\xff\x00"} == look(store, ["k"])
        assert b"\xff\x00" == store.read("k")


@pytest.mark.parametrize("keep_for, longest", [(0, 1), (1, 1), (60, 60), (10**11, 10**11), (None, -1)])
def test_expiry(prefix, keep_for, longest):
    """T19: the server expires an entry after its lifetime, by its own clock, and no other entry."""
    with redis.Redis.from_url(REDIS.url) as client, closing(RedisStore(client, prefix=prefix)) as store:
        put(store, {"k": b"1"}, 5)
        put(store, {"k": b"2"}, keep_for)
        left = client.ttl(f"{{{prefix}}}:k")

        assert longest - 1 <= left <= longest


@contextmanager
def a_server(folder):
    """Yield a client and a store on a new server."""
    with redis_server(folder) as server, redis.Redis(port=server.port) as client, closing(RedisStore(client)) as store:
        yield client, store


def test_permissions(prefix):
    """A Redis user with the permissions that the documentation lists can use the store."""
    [listed, keys] = re.search(r"`(\+get [^`]+)`, on the keys `~([^`]+)`", PAGE.read_text(encoding="utf-8")).groups()
    with redis.Redis.from_url(REDIS.url) as client:
        client.acl_setuser(
            prefix,
            enabled=True,
            passwords=["+secret"],
            keys=[keys.replace("smsmfa", prefix)],
            commands=listed.split(),
        )
        try:
            user = redis.Redis.from_url(REDIS.url, username=prefix, password="secret")
            with user, closing(RedisStore(user, prefix=prefix)) as store:
                client.script_flush()
                put(store, {"a": b"1", "b": b"1"}, 10)
                store.update(["a", "b"], lambda _: ({"a": None, "b": Entry(b"2")}, None))

                assert [None, b"2"] == [store.read("a"), store.read("b")]
        finally:
            client.acl_deluser(prefix)


class TestServer:
    """Servers that the tests start."""

    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
    async def test_eviction(self, tmp_path, policy):
        """T19: a server that may drop a drained bucket is refused until its policy is fixed."""
        with redis_server(tmp_path, "--maxmemory-policy", policy) as server, redis.Redis(port=server.port) as client:
            store, twin = RedisStore(client), AsyncRedisStore(redis.asyncio.Redis(port=server.port))
            with closing(store):
                for call in (store.ping, lambda: store.read("k"), lambda: store.update(["k"], increment("k"))):
                    with pytest.raises(ConfigurationError, match="noeviction"):
                        call()
                for call in (twin.ping, lambda: twin.read("k"), lambda: twin.update(["k"], increment("k"))):
                    with pytest.raises(ConfigurationError, match="noeviction"):
                        await call()
                assert 0 == client.dbsize()
                client.config_set("maxmemory-policy", "noeviction")
                await twin.update(["k"], increment("k"))
                await twin.close()

                assert b"1" == store.read("k")

    def test_policy_changes(self, tmp_path):
        """A health check notices a policy that was changed later."""
        with a_server(tmp_path) as (client, store):
            store.ping()
            client.config_set("maxmemory-policy", "allkeys-lru")
            with pytest.raises(ConfigurationError, match="noeviction"):
                store.ping()

    def test_full(self, tmp_path):
        """A full server stores nothing of an update, and works again when it has room."""
        with a_server(tmp_path) as (client, store):
            put(store, {"a": b"1", "b": b"1"})
            client.config_set("maxmemory", 1)
            with pytest.raises(StoreError):
                store.update(["a", "b"], increment("a", "b"))
            assert {"a": b"1", "b": b"1"} == look(store, ["a", "b"])
            client.config_set("maxmemory", 0)

            assert 1 == store.update(["a", "b"], increment("a", "b"))

    def test_replica(self, tmp_path):
        """A replica is refused, because its records may be old."""
        with a_server(tmp_path) as (client, store):
            client.replicaof("127.0.0.1", 1)
            with pytest.raises(StoreError, match="replica"):
                store.read("k")

    @pytest.mark.parametrize(
        "after", [20, *(pytest.param(count, marks=pytest.mark.thorough) for count in (1, 5, 50, 100))]
    )
    def test_killed(self, tmp_path, after):
        """While the server is down nobody is let in; after a restart every acknowledged update is there, and whole."""
        durable = "--appendonly", "yes", "--appendfsync", "always"
        with redis_server(tmp_path, *durable) as server, redis.Redis(port=server.port) as client:
            store, keys, acknowledged = RedisStore(client), ["a", "b"], Semaphore(0)
            factor = Factor(store=store)
            factor.enrol()
            challenge = factor.verifier.challenge("alice")

            def count():
                done = 0
                with suppress(StoreError):
                    while True:
                        store.update(keys, increment(*keys))
                        done += 1
                        acknowledged.release()
                return done

            def kill():
                for _ in range(after):
                    acknowledged.acquire()
                server.kill()
                return 0

            counts = all_of(at_once([count, count, count, kill], PATIENCE))
            with pytest.raises(StoreError):
                factor.verifier.verify("alice", challenge.id, factor.outbox.code)
            server.start()
            values = {key: int(value) for key, value in look(store, keys).items()}
            assert factor.verifier.verify("alice", challenge.id, factor.outbox.code)
            rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeUsed)
            store.update(keys, increment(*keys))
            store.close()

        assert values["a"] == values["b"]
        assert sum(counts) <= values["a"] <= sum(counts) + 3


def test_cluster(tmp_path):
    """In a cluster all keys are in one slot, so that a script can use any of them."""
    options = "--cluster-enabled", "yes"
    with redis_server(tmp_path, *options) as server, redis.Redis(port=server.port) as node:
        node.execute_command("CLUSTER ADDSLOTS", *range(16_384))
        wait_until(lambda: "ok" == node.cluster("INFO")["cluster_state"])
        client = redis.RedisCluster(host=server.host, port=server.port)
        with closing(client), closing(RedisStore(client)) as store:
            keys = ["a", "b{c}", "{d}", "}{", ""]
            put(store, dict.fromkeys(keys, b"0"))
            store.update(keys, increment(*keys))
            assert dict.fromkeys(keys, b"1") == look(store, keys)
            factor = Factor(store=store)
            factor.enrol()
            factor.log_in()

            assert {node.execute_command("CLUSTER KEYSLOT", "{smsmfa}:")} == {
                node.execute_command("CLUSTER KEYSLOT", key) for key in node.keys("*")
            }


@pytest.mark.thorough
class TestFakeAsyncRedis(AsyncStoreConformance):
    """The whole kit on fakeredis, which is no server but runs each script to its end on one event loop."""

    async def make_store(self):
        return AsyncRedisStore(fakeredis.FakeAsyncRedis())


def test_fakeredis_for_threads():
    """Threads lose updates on fakeredis, so it is refused with what to use."""
    with pytest.raises(ConfigurationError, match="in tests use a MemoryStore"):
        RedisStore(fakeredis.FakeRedis())


def test_fakeredis_without_lua(monkeypatch):
    """Without Lua fakeredis runs no script, which the error says."""
    monkeypatch.setattr("smsmfa.stores.redis.store.find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"fakeredis\[lua\]"):
        AsyncRedisStore(fakeredis.FakeAsyncRedis())


async def test_ping_of_fakeredis():
    """A fake has no ``INFO``, and its ping asks for none."""
    store = AsyncRedisStore(fakeredis.FakeAsyncRedis())
    await store.ping()

    assert await store.update(["key"], lambda values: ({"key": Entry(b"value")}, "done")) == "done"
    assert b"value" == await store.read("key")


def test_ping_of_a_fake():
    """A fake for threads would not be asked for ``INFO`` either."""
    client = redis.Redis(port=1)
    with closing(client), closing(RedisStore(client)) as store:
        store._fake = True
        store.ping()
