"""The store on PostgreSQL: the test kit, exact round trips, hostile defaults, and servers that fail."""

import re
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from threading import Semaphore

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from services import POSTGRES, postgres_database
from stores.hammer import Hammer
from stores.postgres.bouncer import pgbouncer
from stores.postgres.pools import (  # noqa: F401
    a_database,
    a_maker,
    a_store,
    a_store_of_either_kind,
    an_async_store,
    an_empty_table,
    connected,
    end_all,
)
from stores.postgres.server import postgres_server
from support import Factor, wrong

from smsmfa import CodeRejected, ConfigurationError, StoreError
from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore, schema
from smsmfa.stores.postgres import pool as postgres_pool
from smsmfa.stores.postgres import store as postgres
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.suite import increment, look, put
from smsmfa.testing.threads import all_of, at_once
from smsmfa.typing import Entry

PATIENCE = 30
PAGE = Path(__file__).parents[3] / "docs/how-to/stores/postgres.md"


class OnPostgres:
    """A database for each class, and a purge and lost connections beside it."""

    shared = processes = fork = True
    server = POSTGRES.address
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2

    @pytest.fixture(autouse=True)
    def _url(self, url):
        self.url = url

    def disturb(self):
        """Purge, and end every connection at a moment when none is about to commit."""
        with a_store(self.url) as store:
            store.purge()
        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE smsmfa IN ACCESS EXCLUSIVE MODE")
            end_all(connection)

    @contextmanager
    def enclosing_transaction(self):
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT * FROM smsmfa")
            yield
            connection.rollback()

    def make_store(self):
        return self.make_store_at(*POSTGRES.address)

    def make_store_at(self, host, port):
        return PostgresStore(ConnectionPool(at((host, port), self.url), open=True, min_size=1, max_size=4))

    def close_store(self, store):
        store.close()
        store._pool._source.close()


class OnALoop(OnPostgres):
    fork = False

    async def make_store(self):
        return await self.make_store_at(*POSTGRES.address)

    async def make_store_at(self, host, port):
        pool = AsyncConnectionPool(at((host, port), self.url), open=False, min_size=1, max_size=4)
        await pool.open()
        return AsyncPostgresStore(pool)

    async def close_store(self, store):
        await store.close()
        await store._pool._source.close()


def at(address, url):
    """Return the URL of a database at another address."""
    return POSTGRES.at(address, database=url.rpartition("/")[2])


class TestPostgresStore(OnPostgres, Hammer, StoreConformance):
    kills = 200


class TestAsyncPostgresStore(OnALoop, AsyncStoreConformance):
    processes = False


@pytest.mark.thorough
class TestPostgresStoreThoroughly(OnPostgres, StoreConformance):
    rounds, examples, patience = 20, 25, 0.2


@pytest.mark.thorough
class TestAsyncPostgresStoreThoroughly(OnALoop, Hammer, AsyncStoreConformance):
    rounds, examples, patience, kills = 20, 25, 0.2, 50


@pytest.fixture(scope="module")
def bouncer():
    with pgbouncer() as address:
        yield address


@pytest.mark.thorough
class TestThroughPgBouncer(OnPostgres, StoreConformance):
    """A PgBouncer gives each transaction another connection of the server."""

    @pytest.fixture(autouse=True)
    def _bouncer(self, bouncer):
        self.server = bouncer

    def make_store(self):
        return self.make_store_at(*self.server)

    def make_store_at(self, host, port):
        url = at((host, port), self.url)
        return PostgresStore(ConnectionPool(url, open=True, max_size=4, kwargs={"prepare_threshold": None}))


# --- cost


class Wiretap:
    """Records what a connection and its server say to each other, with the driver's trace."""

    def __init__(self, path):
        self.path = path
        self.file = path.open("a")
        self.heard = 0

    async def connected_on_a_loop(self, connection):
        self.connected(connection)

    def connected(self, connection):
        connection.pgconn.trace(self.file.fileno())
        self.pgconn = connection.pgconn

    def trips(self):
        """Return the statements completed since the last call, as one list for each round trip."""
        self.pgconn.untrace()
        text = self.path.read_text("latin-1")
        said, self.heard = text[self.heard :], len(text)
        trips, before = [], "B"
        for side, kind, tag in re.findall(r'^[-0-9:. ]+\t([FB])\t[0-9]+\t(\w+)(?:\t "(\w+))?', said, re.MULTILINE):
            if (before, side) == ("B", "F"):
                trips.append([])
            before = side
            if kind == "CommandComplete":
                trips[-1].append(tag)
        self.pgconn.trace(self.file.fileno())
        return trips


@pytest.fixture
def wiretap(tmp_path):
    wiretap = Wiretap(tmp_path / "trace")
    yield wiretap
    wiretap.file.close()


READ = ["SELECT", "SELECT"]
OPENING = ["BEGIN", "SELECT", "SELECT", "SELECT"]


class TestRoundTrips:
    """On a warm connection a read takes one round trip, and an update two. Statements are counted too."""

    def test_factor(self, url, db, wiretap):
        """A challenge takes three round trips and eight statements, a check two and six."""
        with a_store(url, configure=wiretap.connected) as store:
            factor = Factor(store=store)
            factor.enrol()
            for _ in range(8):  # before and after the driver prepares its statements
                factor.clock.now += 3600 * 10**9
                wiretap.trips()
                challenge = factor.verifier.challenge("alice")
                assert [READ, OPENING, ["INSERT", "COMMIT"]] == wiretap.trips()
                with pytest.raises(CodeRejected):
                    factor.verifier.verify("alice", challenge.id, wrong(factor.outbox.code))
                assert [OPENING, ["INSERT", "COMMIT"]] == wiretap.trips()
                factor.verifier.verify("alice", challenge.id, factor.outbox.code)
                assert [OPENING, ["INSERT", "COMMIT"]] == wiretap.trips()
                with pytest.raises(CodeRejected):
                    factor.verifier.verify("alice", challenge.id, factor.outbox.code)
                assert [OPENING, ["COMMIT"]] == wiretap.trips()

    @pytest.mark.parametrize("maker", ["connected", "connected_on_a_loop"])
    def test_operations(self, url, db, wiretap, maker):
        """An update takes the same number of statements for any number of keys."""
        make = a_store if maker == "connected" else an_async_store
        with make(url, configure=getattr(wiretap, maker)) as store:
            keys = [f"{number}" for number in range(20)]
            put(store, dict.fromkeys(keys, b"1"))
            wiretap.trips()
            store.read("0")
            assert [READ] == wiretap.trips()
            store.update(keys, lambda values: (dict.fromkeys(keys[:9]) | {keys[-1]: Entry(b"2", 1)}, None))
            assert [OPENING, ["INSERT", "DELETE", "COMMIT"]] == wiretap.trips()
            store.ping()
            assert [READ, OPENING, ["COMMIT"]] == wiretap.trips()
            store.purge()
            assert [["BEGIN", "SELECT", "DELETE", "COMMIT"]] == wiretap.trips()
            store.create_schema()
            assert [*READ, "BEGIN", "SELECT", "SELECT", "CREATE", "CREATE", "COMMIT"] == [*chain(*wiretap.trips())]

    def test_refusals_write_nothing(self, url, db):
        """An update without writes leaves no row, no dead row and no mark on a row, and gets no transaction id."""
        rows = "SELECT key, ctid::text, xmin::text, xmax::text FROM smsmfa ORDER BY key"
        with a_store(url) as store:
            put(store, {"a": b"1"})
            before = db.execute(rows).fetchall()
            numbers = [store.update(["a", "absent"], lambda _: ({}, numbered(db))) for _ in range(50)]
            after = db.execute(rows).fetchall()
            put(store, {"b": b"1"})
            [_, (key, place, _, _)] = db.execute(rows).fetchall()

        assert [(1, 0)] * 50 == numbers
        assert before == after
        assert ("b", "(0,2)") == (key, place)  # next to the other row: nothing was stored between them


def numbered(db):
    """Return how many others are in a transaction in this database, and how many of those have a transaction id."""
    return db.execute(
        "SELECT count(*), count(backend_xid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    ).fetchone()


# --- contents


@pytest.mark.parametrize("keep_for", [0, 1, 60, 10**11])
def test_expiry(store, db, keep_for):
    """T19: an entry's lifetime begins when it is written, by the server's clock. The last lifetime counts."""
    put(store, {"k": b"1"}, 5)
    put(store, {"k": b"2"})
    assert [(None,)] == db.execute("SELECT expires FROM smsmfa").fetchall()
    [(before,)] = db.execute("SELECT extract(epoch FROM clock_timestamp())").fetchall()
    put(store, {"k": b"3"}, keep_for)
    [(expires, after)] = db.execute(
        "SELECT extract(epoch FROM expires), extract(epoch FROM clock_timestamp()) FROM smsmfa"
    ).fetchall()

    assert before + keep_for <= expires <= after + keep_for


def test_kept_from_its_writing(store, url, db):
    """The time that an update waits for locks does not shorten lifetimes."""

    def change(values):
        [(changed,)] = db.execute("SELECT extract(epoch FROM clock_timestamp())").fetchall()
        return {"k": Entry(b"1", 10)}, changed

    changed = store.update(["k"], change)

    assert changed + 10 <= db.execute("SELECT extract(epoch FROM expires) FROM smsmfa").fetchone()[0]


def test_purge(store, db):
    """A purge deletes expired entries, the oldest first and not more than the limit, and nothing else."""
    for number in range(5):
        put(store, {f"{number}": b"1"}, 100 - 10 * number)
    put(store, {"later": b"1"}, 1000)
    put(store, {"never": b"1"})
    db.execute("UPDATE smsmfa SET expires = expires - interval '500 seconds'")
    assert 2 == store.purge(2)
    assert ["0", "1", "2", "later", "never"] == keys_of(db)
    assert [3, 0] == [store.purge(), store.purge()]
    assert ["later", "never"] == keys_of(db)


def keys_of(db):
    return [key for (key,) in db.execute("SELECT key FROM smsmfa ORDER BY key")]


@pytest.mark.parametrize("limit", [0, -1])
def test_purge_of_nothing(store, limit):
    """A limit below one is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        store.purge(limit)


def test_purge_waits_for_nobody(store, url, db):
    """A purge skips locked rows, and entries that were renewed in the meantime."""
    put(store, {"a": b"1", "b": b"1"}, 0)
    with psycopg.connect(url) as other:
        other.execute("UPDATE smsmfa SET expires = now() + interval '1 hour' WHERE key = 'a'")
        assert 1 == store.purge()
    assert 0 == store.purge()
    assert ["a"] == keys_of(db)


def test_purge_in_an_update(store, url, db):
    """If an entry expires and is purged while an update decides, the update can still write it."""
    put(store, {"a": b"1", "b": b"1"}, 0)
    with a_store(url) as sweeper:

        def change(values):
            return {"a": Entry(b"%d" % (int(values["a"]) + sweeper.purge()))}, None

        store.update(["a", "b"], change)

    assert {"a": b"3"} == look(store, ["a", "b"])


def test_purge_is_bounded(db):
    """A purge uses the index on the time of expiry, and reads no row that it does not delete."""
    db.execute("INSERT INTO smsmfa SELECT n, '', now() + n * interval '1 s' FROM generate_series(-10, 10000) AS n")
    db.execute("ANALYZE smsmfa")
    statement = postgres.Sql("smsmfa").purge(5, 1)[2][0].replace("$1", "5")
    plan = "\n".join(line for (line,) in db.execute(f"EXPLAIN {statement}"))

    assert "Index Scan using smsmfa_expires" in plan
    assert "Seq Scan" not in plan


# --- tables


def test_schema():
    """The documentation shows the statements that create the table."""
    assert schema() in PAGE.read_text(encoding="utf-8")


def test_made_at_once(make, db):
    """Many processes may create the table at the same time, and more than once."""
    stores = [make(table="made", max_size=2) for _ in range(4)]
    try:
        all_of(at_once([store.create_schema for store in stores * 3], PATIENCE))
        assert 0 == stores[0].update(["a"], increment("a"))
    finally:
        db.execute("DROP TABLE made")


def test_tables(make, db):
    """Stores with different tables share nothing. One table may be known by two names."""
    db.execute("CREATE SCHEMA other")
    try:
        stores = [make(table=table) for table in ("smsmfa", "public.smsmfa", "other.smsmfa")]
        stores[2].create_schema()
        counts = all_of(at_once([lambda one=one: one.update(["a"], increment("a")) for one in stores * 4], PATIENCE))
        assert b"8", b"4" == (stores[0].read("a"), stores[2].read("a"))
        assert sorted([*range(8), *range(4)]) == sorted(counts)
    finally:
        db.execute("DROP SCHEMA other CASCADE")


@pytest.mark.parametrize(
    "change, said",
    [("SET UNLOGGED", "UNLOGGED"), ("ALTER key TYPE text COLLATE lax", "different keys equal")],
)
def test_table_that_is_not_fit(make, db, change, said):
    """A table that a crash empties, or that makes different keys equal, is refused by ping() and create_schema()."""
    db.execute("CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    store = make(table="made")
    store.create_schema()
    try:
        db.execute(f"ALTER TABLE made {change}")
        for call in (store.ping, store.create_schema):
            with pytest.raises(ConfigurationError, match=said):
                call()
    finally:
        db.execute("DROP TABLE made; DROP COLLATION lax")


def test_repr(url):
    """T12: a store's repr shows its table and no password."""
    pool, twin = ConnectionPool("password=secret", open=False), AsyncConnectionPool("password=secret", open=False)

    assert '<PostgresStore in "smsmfa">' == repr(PostgresStore(pool))
    assert '<AsyncPostgresStore in "here"."t">' == repr(AsyncPostgresStore(twin, table="here.t"))


def test_permissions(make, url, db):
    """A user with the privileges that the documentation lists can use the store. For others the error says why."""
    [granted] = re.findall(r"`(GRANT [^`]+ ON smsmfa TO) \w+`", PAGE.read_text(encoding="utf-8"))
    role = f"{url.rpartition('/')[2]}_role"
    db.execute(f"CREATE ROLE {role}")
    try:
        store = make(kwargs={"options": f"-c role={role}"})
        with pytest.raises(StoreError, match="denies"):
            put(store, {"a": b"1"})
        db.execute(f"{granted} {role}")
        store.update(["a", "b"], increment("a", "b"))
        store.update(["a", "b"], lambda _: ({"a": None, "b": Entry(b"2", 0)}, None))
        assert (None, b"2", 1) == (store.read("a"), store.read("b"), store.purge())
    finally:
        db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


# --- hostile settings


@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_isolation = 'repeatable read'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "default_transaction_deferrable = on",
        "lock_timeout = '1ms'",
        "statement_timeout = '100ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "deadlock_timeout = '1ms'",
        "synchronous_commit = off",
        "standard_conforming_strings = off",
        "bytea_output = escape",
        "client_encoding = 'LATIN1'",
        "timezone = 'Asia/Kathmandu'",
        "intervalstyle = sql_standard",
        "search_path = public, pg_catalog",
        "jit_above_cost = 0",
        "enable_indexscan = off",
        "plan_cache_mode = force_generic_plan",
    ],
)
def test_defaults(make, url, db, setting):
    """T19: with any defaults of the database, no update is lost, and a login works."""
    db.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET {setting}")
    try:
        store = make(min_size=4)
        orders = ["abc", "cba"] * 4
        counts = all_of(at_once([lambda keys=keys: count(store, [*keys]) for keys in orders], PATIENCE))
        assert [*range(40)] == sorted(chain(*counts))
        assert dict.fromkeys("abc", b"40") == look(store, [*"abc"])
        assert b"40" == store.read("a")
        factor = Factor(store=store)
        factor.enrol()
        factor.log_in()
        assert 0 == store.purge()
    finally:
        db.execute(f"ALTER DATABASE {url.rpartition('/')[2]} RESET ALL")


def count(store, keys):
    return [store.update(keys, increment(*keys)) for _ in range(5)]


def test_encoding_of_bytes():
    """Keys are found in a database with the encoding SQL_ASCII."""
    with postgres_database() as name, connected(POSTGRES.url) as db:
        db.execute(f"CREATE DATABASE {name}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        try:
            with a_store(POSTGRES.at(database=f"{name}_ascii")) as store:
                store.create_schema()
                assert [[*range(5)]] == [count(store, ["a", "b"])]
        finally:
            db.execute(f"DROP DATABASE {name}_ascii WITH (FORCE)")


def test_many_wait(make, url, db):
    """If 32 tasks or threads update one key over four connections, none fails, and each change runs once."""
    store, calls = make(max_size=4), []

    def change(values):
        calls.append(1)
        return increment("hot")(values)

    counts = all_of(at_once([lambda: store.update(["hot"], change)] * 32, PATIENCE))

    assert ([*range(32)], 32) == (sorted(counts), len(calls))


# --- servers for the tests


@pytest.fixture(scope="module")
def server():
    with postgres_server() as server:
        with a_store(server.url) as store:
            store.create_schema()
        yield server


def heal(store):
    """Wait until the pool has noticed that the server is back, which may cost an error."""
    for _ in range(3):
        with suppress(StoreError):
            return store.ping()
    raise AssertionError("the store goes on failing")


@pytest.mark.parametrize("after", [1, 50])
def test_stopped(server, monkeypatch, after):
    """After a crash of the server no acknowledged update is lost, and none is half done."""
    options = {"max_size": 4, "reconnect_timeout": 1, "kwargs": {"options": "-c synchronous_commit=off"}}
    with a_store(server.url, **options) as store:
        keys, acknowledged = [f"{after}a", f"{after}b"], Semaphore(0)
        factor = Factor(store=store)
        factor.enrol(f"{after}")
        challenge = factor.verifier.challenge(f"{after}")

        def work():
            done = 0
            with suppress(StoreError):
                while True:
                    store.update(keys, increment(*keys))
                    done += 1
                    acknowledged.release()
            return done

        def stop():
            for _ in range(after):
                acknowledged.acquire()
            monkeypatch.setattr(postgres_pool, "DEADLINE", 0.5)  # the threads need not wait for a server that is gone
            server.stop()
            return 0

        counts = all_of(at_once([work, work, work, stop], PATIENCE))
        with pytest.raises(StoreError):
            factor.verifier.verify(f"{after}", challenge.id, factor.outbox.code)
        server.start()
        monkeypatch.undo()
        heal(store)
        values = look(store, keys)
        assert 1 == len(set(values.values()))
        assert sum(counts) <= int(values[keys[0]]) <= sum(counts) + 3
        assert factor.verifier.verify(f"{after}", challenge.id, factor.outbox.code)


def test_standby(server):
    """A standby is neither read nor written, because its records may be old."""
    server.become_standby()
    for make in (a_store, an_async_store):
        with make(server.url) as store:
            for call in (store.ping, lambda: store.read("a"), lambda: count(store, ["a"]), store.purge):
                with pytest.raises(StoreError, match="standby"):
                    call()


def test_standby_that_reads():
    """T19: a row from a standby is not returned."""
    with pytest.raises(StoreError, match="standby"):
        postgres._value([(True, b"1")])
