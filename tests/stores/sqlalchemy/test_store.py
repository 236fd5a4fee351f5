"""The store on SQLAlchemy: the test kit on three databases with six drivers, and the cost of an operation."""

import asyncio
from contextlib import closing, contextmanager, suppress
from inspect import iscoroutinefunction, signature
from pathlib import Path

import pytest
from services import MARIADB, POSTGRES
from sqlalchemy import MetaData, create_engine, inspect
from sqlalchemy.dialects.mysql.base import MySQLDialect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable
from stores.hammer import Hammer
from stores.short import short
from stores.sqlalchemy.databases import at, counted, end_idle, engine_of, mariadb, postgres, session, sqlite
from support import Factor, rejected

from smsmfa import CodeUsed, StoreError
from smsmfa.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore, schema
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.loop import Blocking
from smsmfa.testing.stores.suite import increment, look, put
from smsmfa.typing import Entry

PAGE = Path(__file__).parents[3] / "docs/how-to/stores/sqlalchemy.md"
DATABASES = [mariadb, postgres, sqlite]
DRIVERS = {mariadb: "mysql+aiomysql", postgres: "postgresql+asyncpg", sqlite: "sqlite+aiosqlite"}
#: The beginning of a challenge and of a check.
LOCKED = ["INSERT", "SELECT"]
COSTS = [
    (mariadb, ["SELECT", "ROLLBACK", *LOCKED, "REPLACE", "COMMIT"], [*LOCKED, "REPLACE", "COMMIT"]),
    (
        postgres,
        ["SELECT", "BEGIN", "SELECT", *LOCKED, "INSERT", "COMMIT"],
        ["BEGIN", "SELECT", *LOCKED, "INSERT", "COMMIT"],
    ),
    (sqlite, ["SELECT", "BEGIN", "SELECT", "INSERT", "COMMIT"], ["BEGIN", "SELECT", "INSERT", "COMMIT"]),
]


@pytest.fixture(scope="class")
def database_url(request):
    with request.cls.database() as url:
        yield url


class OnDatabase:
    """A database for the checks of a class, and a purge beside them."""

    shared = processes = True
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2

    @pytest.fixture(autouse=True)
    def _database(self, database_url):
        self.url = database_url

    def disturb(self):
        """Purge."""
        with closing(SqlAlchemyStore(create_engine(self.url))) as store:
            store.purge()


class Plain(OnDatabase):
    def make_store(self):
        return SqlAlchemyStore(create_engine(self.url))

    def make_store_at(self, host, port):
        return SqlAlchemyStore(create_engine(at(self.url, (host, port))))

    @contextmanager
    def enclosing_transaction(self):
        """Write something else in a transaction of the application, and roll it back."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS users (name VARCHAR(9))")
            connection.commit()
            connection.exec_driver_sql("INSERT INTO users VALUES ('alice')")
            yield
            connection.rollback()
        engine.dispose()


class Async(OnDatabase):
    driver = ""

    def make_store(self):
        return AsyncSqlAlchemyStore(create_async_engine(self.url.set(drivername=self.driver)))

    def make_store_at(self, host, port):
        return AsyncSqlAlchemyStore(create_async_engine(at(self.url, (host, port)).set(drivername=self.driver)))


class OnMariaDb(Plain):
    database = staticmethod(mariadb)
    server = MARIADB.address
    fork = True


class OnAiomysql(Async):
    database = staticmethod(mariadb)
    server = MARIADB.address
    driver = "mysql+aiomysql"


class OnPostgres(Plain):
    database = staticmethod(postgres)
    server = POSTGRES.address
    fork = True


class OnAsyncpg(Async):
    database = staticmethod(postgres)
    server = POSTGRES.address
    driver = "postgresql+asyncpg"


class OnSqlite(Plain):
    database = staticmethod(sqlite)
    enclosing_transaction = StoreConformance.enclosing_transaction  # only one transaction writes at a time


# aiosqlite does not close a connection if the call that opens it is cancelled, and Python 3.13 warns of that.
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
class OnAiosqlite(Async):
    database = staticmethod(sqlite)
    driver = "sqlite+aiosqlite"


class TestMariaDb(OnMariaDb, StoreConformance):
    # slow to start, so only in the thorough tests
    test_process_ends = test_processes_meet = test_processes_race = test_history_of_processes = None


class TestAiomysql(OnAiomysql, AsyncStoreConformance):
    processes = False


@short
class TestPostgres(OnPostgres, StoreConformance):
    pass


@short
class TestAsyncpg(OnAsyncpg, AsyncStoreConformance):
    processes = False


@short
class TestSqlite(OnSqlite, StoreConformance):
    pass


@short
class TestAiosqlite(OnAiosqlite, AsyncStoreConformance):
    processes = False


@pytest.mark.thorough
class TestMariaDbThoroughly(OnMariaDb, Hammer, StoreConformance):
    rounds, examples, patience, kills = 20, 25, 0.2, 50


@pytest.mark.thorough
class TestAiomysqlThoroughly(OnAiomysql, Hammer, AsyncStoreConformance):
    patience, kills = 0.2, 20


@pytest.mark.thorough
class TestPostgresThoroughly(OnPostgres, Hammer, StoreConformance):
    patience, kills = 0.2, 20


@pytest.mark.thorough
class TestAsyncpgThoroughly(OnAsyncpg, AsyncStoreConformance):
    patience = 0.2


@pytest.mark.thorough
class TestSqliteThoroughly(OnSqlite, Hammer, StoreConformance):
    patience, kills = 0.2, 20


@pytest.mark.thorough
class TestAiosqliteThoroughly(OnAiosqlite, AsyncStoreConformance):
    patience = 0.2


@pytest.fixture(params=DATABASES, ids=lambda database: database.__name__)
def url(request):
    with request.param() as url:
        yield url


@pytest.fixture
def store(url):
    with closing(SqlAlchemyStore(create_engine(url))) as store:
        yield store


# --- arguments


def test_twins():
    """Both stores have the same methods with the same arguments."""
    for name in ("read", "update", "create_schema", "ping", "purge", "close"):
        one, other = getattr(SqlAlchemyStore, name), getattr(AsyncSqlAlchemyStore, name)
        assert signature(one) == signature(other)
        assert (False, True) == (iscoroutinefunction(one), iscoroutinefunction(other))


def test_repr():
    """T12: a store's repr shows its table and the kind of database, and no password."""
    engine = create_engine("mysql+pymysql://me:secret@127.0.0.1/db")
    assert "<SqlAlchemyStore in smsmfa_entries of MariaDB>" == repr(SqlAlchemyStore(engine))
    twin = AsyncSqlAlchemyStore(create_async_engine("sqlite+aiosqlite:///a"), table="x.y")
    assert "<AsyncSqlAlchemyStore in x.y of SQLite>" == repr(twin)


# --- cost


@pytest.mark.parametrize("database, challenge, check", COSTS, ids=lambda value: getattr(value, "__name__", ""))
def test_statements(database, challenge, check):
    """A challenge and a check take exactly the statements that are listed."""
    with database() as url, closing(SqlAlchemyStore(create_engine(url))) as store:
        factor = Factor(store=store)
        factor.enrol()
        with counted(store) as sent:
            given = factor.verifier.challenge("alice")
            assert challenge == sent
            sent.clear()
            factor.verifier.verify("alice", given.id, factor.outbox.code)
            assert check == sent


@pytest.mark.parametrize("database, challenge, check", COSTS, ids=lambda value: getattr(value, "__name__", ""))
def test_statements_on_a_loop(database, challenge, check):
    """The store for asyncio takes the same statements, with its own drivers."""
    with database() as url, on_a_loop(url.set(drivername=DRIVERS[database])) as store:
        factor = Factor(store=store)
        factor.enrol()
        with counted(store.store) as sent:
            given = factor.verifier.challenge("alice")
            assert challenge == sent
            sent.clear()
            factor.verifier.verify("alice", given.id, factor.outbox.code)
            assert check == sent


@contextmanager
def on_a_loop(url):
    """Yield a store for asyncio that is called like a synchronous one."""
    store = Blocking(lambda: AsyncSqlAlchemyStore(create_async_engine(url)))
    yield store
    store.loop.run(store.store.close())
    store.loop.close()


@pytest.mark.parametrize("options", [{}, {"pool_pre_ping": True, "pool_reset_on_return": "commit"}])
def test_round_trips(options, monkeypatch):
    """MariaDB counts the same number of round trips, whatever else the application's pool does."""
    with mariadb() as url:
        engine = create_engine(url, **options)
        monkeypatch.setattr(engine.dialect, "do_ping", lambda _: pytest.fail("a ping, which the server does not count"))
        with closing(SqlAlchemyStore(engine)) as store:
            factor = Factor(store=store)
            factor.enrol()
            assert [6, 4] == questions(store, factor)


def questions(store, factor):
    """Return the number of round trips of a challenge and of a check, on the only connection of a store."""

    def count():
        with engine_of(store).connect() as connection:
            return int(connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Questions'").one()[1])

    first = count()
    challenge = factor.verifier.challenge("alice")
    second = count()
    factor.verifier.verify("alice", challenge.id, factor.outbox.code)
    third = count()
    beside = 2  # the question itself, and the rollback after it
    return [second - first - beside, third - second - beside]


def test_nothing_to_try_again(store):
    """With one thread no change runs twice."""
    calls = []

    def change(values):
        calls.append(values)
        return {"a": Entry(b"1"), "b": None}, None

    for _ in range(50):
        store.update(["a", "b"], change)
    assert 50 == len(calls)


# --- contents


def test_residue(store, url):
    """A refusal, an error and a deletion of nothing leave no row behind, and neither does a write beside them."""
    store.update(["a", "b"], lambda _: ({}, None))
    with suppress(ZeroDivisionError):
        store.update(["a", "b"], lambda _: 1 / 0)
    store.update(["a", "b", "c"], lambda _: ({"a": Entry(b"1"), "b": None}, None))
    assert [(b"1",)] == [(bytes(value),) for (value,) in rows(url, "value")]


def rows(url, what, condition="1 = 1"):
    with session(url) as execute:
        return execute(f"SELECT {what} FROM smsmfa_entries WHERE {condition}")


@pytest.mark.parametrize("keep_for", [0, 1, 60, 10**11])
def test_expiry(store, url, keep_for):
    """T19: an entry never expires early by the server's clock, and the last lifetime counts."""
    now = store._records.pool.sql.now
    put(store, {"a": b"1"}, 7)
    [(before,)] = rows(url, now)
    put(store, {"a": b"1", "never": b"1"}, None)
    put(store, {"a": b"1"}, keep_for)
    [(expires, after)] = rows(url, f"expires, {now}", "expires IS NOT NULL")
    assert before + keep_for < expires <= after + 1 + keep_for


def test_purge(store, url):
    """A purge deletes expired entries, the oldest first and not more than the limit, and nothing else."""
    for number in range(5):
        put(store, {f"{number}": b"%d" % number}, 100 - 10 * number)
    put(store, {"later": b"later"}, 1000)
    put(store, {"never": b"never"})
    with session(url) as execute:
        execute("UPDATE smsmfa_entries SET expires = expires - 500")
    assert 2 == store.purge(2)
    assert [None, None, b"2"] == [store.read(key) for key in ("4", "3", "2")]
    assert [3, 0] == [store.purge(), store.purge()]
    assert {"later": b"later", "never": b"never"} == look(store, ["0", "1", "2", "3", "4", "later", "never"])


@pytest.mark.parametrize("database", [mariadb, postgres])
def test_purge_waits_for_nobody(database):
    """A purge skips a row that an update has locked."""
    with database() as url, closing(SqlAlchemyStore(create_engine(url))) as store:
        put(store, {"a": b"1", "b": b"1"}, 0)
        with session(url) as execute:
            execute("UPDATE smsmfa_entries SET expires = expires - 50")
        purged = []
        store.update(["a"], lambda _: (purged.append(store.purge()) or {"a": Entry(b"2")}, None))
        assert [1] == purged
        assert {"a": b"2"} == look(store, ["a", "b"])


@pytest.mark.parametrize("limit", [0, -1])
def test_purge_of_nothing(store, limit):
    """A limit below one is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        store.purge(limit)


def test_many_keys(store):
    """An update with more keys than one statement takes writes each value under its key."""
    keys = [f"{number}" for number in range(1201)]
    values = {key: key.encode() for key in keys}
    put(store, values)
    assert values == look(store, keys)
    store.update(keys, lambda _: (dict.fromkeys(keys), None))
    assert {} == look(store, keys)


def test_large_value(store):
    """A value of a mebibyte is returned unchanged."""
    value = bytes(range(256)) * 4096
    put(store, {"a": value})
    assert value == store.read("a")


@pytest.mark.parametrize("driver", ["mysql+aiomysql", "postgresql+asyncpg", "sqlite+aiosqlite"])
async def test_async(driver):
    """The store for asyncio creates the table, writes, reads, purges and closes."""
    [database] = [
        database for database in DATABASES if driver.startswith(database.__name__.replace("mariadb", "mysql"))
    ]
    with database() as url:
        store = AsyncSqlAlchemyStore(create_async_engine(url.set(drivername=driver)), table="others")
        await asyncio.gather(store.create_schema(), store.create_schema())
        await store.ping()
        await store.update(["a", "b"], lambda _: ({"a": Entry(b"1", 100), "b": Entry(b"2")}, None))
        assert b"2" == await store.read("b")
        with pytest.raises(ValueError, match="at least 1"):
            await store.purge(0)
        assert 0 == await store.purge()
        await store.close()
        assert b"1" == await store.read("a")
        await store.close()


# --- the table


def test_schema(url):
    """The application's metadata creates the same table and index as the store."""
    metadata = MetaData()
    table = schema(metadata, "others")
    engine = create_engine(url)
    with closing(SqlAlchemyStore(engine, table="others")) as store:
        metadata.create_all(engine)
        store.create_schema()
        store.ping()
        assert [table] == [*metadata.tables.values()]
        assert shape(engine, "smsmfa_entries") == shape(engine, "others")
        assert [["expires"]] == [index["column_names"] for index in inspect(engine).get_indexes("others")]
    engine.dispose()


def shape(engine, table):
    return [(column["name"], str(column["type"]), column["nullable"]) for column in inspect(engine).get_columns(table)]


@pytest.mark.parametrize("dialect", [MySQLDialect, PGDialect, SQLiteDialect])
def test_documented_schema(dialect):
    """The documentation shows the statements that create the table."""
    table = schema(MetaData())
    for made in (CreateTable(table), *map(CreateIndex, table.indexes)):
        assert plain(str(made.compile(dialect=dialect()))) in plain(PAGE.read_text(encoding="utf-8"))


def plain(statement):
    return "".join(statement.split())


def test_no_table(store, url):
    """Without the table each call fails, and so does ping(). Once it is created, the store works."""
    with session(url) as execute:
        execute("DROP TABLE smsmfa_entries")
    for call in (store.ping, store.purge, lambda: store.read("a"), lambda: put(store, {"a": b"1"})):
        with pytest.raises(StoreError, match="smsmfa_entries"):
            call()
    store.create_schema()
    store.ping()
    put(store, {"a": b"1"})
    assert b"1" == store.read("a")


def test_another_schema():
    """A table may be in another schema."""
    with postgres() as url, session(url) as execute:
        execute("CREATE SCHEMA apart")
        with closing(SqlAlchemyStore(create_engine(url), table="apart.Factor")) as store:
            store.create_schema()
            put(store, {"a": b"1"})
            assert [("a",)] == execute('SELECT key FROM apart."Factor"')


def test_table_of_another_store():
    """A table whose values cannot be NULL is not written."""
    with postgres() as url, session(url) as execute, closing(SqlAlchemyStore(create_engine(url))) as store:
        execute("DELETE FROM smsmfa_entries")
        execute("ALTER TABLE smsmfa_entries ALTER value SET NOT NULL")
        with pytest.raises(StoreError):
            put(store, {"a": b"1"})


# --- failures


def test_replica(url, monkeypatch):
    """A replica is not read, because its records may be old."""
    monkeypatch.setattr(type(SqlAlchemyStore(create_engine(url))._records.pool.sql), "stale", "1")
    with closing(SqlAlchemyStore(create_engine(url))) as store, pytest.raises(StoreError, match="replica"):
        store.read("a")


@pytest.mark.parametrize("database", [mariadb, postgres])
def test_transaction_of_the_application(database):
    """A rollback of the application on the same engine does not undo an update of the store."""
    with database() as url:
        engine = create_engine(url, pool_size=1, max_overflow=0)
        store = SqlAlchemyStore(engine)
        with closing(store), engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            put(store, {"a": b"1"})
            connection.rollback()
            assert b"1" == store.read("a")
        engine.dispose()


@contextmanager
def renamed(url):
    """Hide the table."""
    with session(url) as execute:
        execute("ALTER TABLE smsmfa_entries RENAME TO aside")
        yield
        execute("ALTER TABLE aside RENAME TO smsmfa_entries")


def test_nobody_is_let_in(store, url):
    """While the table is hidden, the right code lets nobody in. Afterwards it is accepted once."""
    factor = Factor(store=store)
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    with renamed(url):
        for call in (factor.log_in, lambda: factor.verifier.verify("alice", challenge.id, factor.outbox.code)):
            with pytest.raises(StoreError):
                call()
    assert 2 == len(factor.outbox.messages)
    factor.verifier.verify("alice", challenge.id, factor.outbox.code)
    rejected(factor.verifier.verify, "alice", challenge.id, factor.outbox.code, error=CodeUsed)


@pytest.mark.parametrize("database", [mariadb, postgres])
def test_connections_ended(database):
    """If the server has ended every connection, the next call opens new ones without an error."""
    with database() as url, closing(SqlAlchemyStore(create_engine(url))) as store:
        store.update(["a"], increment("a"))
        for call in (lambda: store.update(["a"], increment("a")), lambda: store.read("a"), store.ping):
            end_idle(url)
            call()
        assert b"2" == store.read("a")
