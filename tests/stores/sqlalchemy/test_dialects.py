"""The SQL for each database: hostile settings, tables that are refused, and other programs in the way."""

import time
from contextlib import closing, contextmanager
from threading import Thread

import pytest
from sqlalchemy import NullPool, create_engine, event, text
from sqlalchemy.dialects.mssql.base import MSDialect
from stores.sqlalchemy.databases import engine_of, mariadb, postgres, session, sqlite

from smsmfa import ConfigurationError, StoreContention, StoreError
from smsmfa.stores.sqlalchemy import SqlAlchemyStore
from smsmfa.stores.sqlalchemy import dialects as sqlalchemy_dialects
from smsmfa.stores.sqlalchemy.dialects import MySql, sql_for
from smsmfa.testing.stores.suite import increment, look, put
from smsmfa.testing.threads import all_of, at_once
from smsmfa.typing import Entry

SERVERS = [mariadb, postgres]
PATIENCE = 60


@contextmanager
def a_store(url, **options):
    engine = create_engine(url, **options)
    with closing(SqlAlchemyStore(engine)) as store:
        yield store
    engine.dispose()


@pytest.fixture(params=SERVERS, ids=lambda database: database.__name__)
def url(request):
    with request.param() as url:
        yield url


# --- arguments


def test_unknown_database():
    """A database is refused if it is not known how it locks."""
    with pytest.raises(ConfigurationError, match="mssql"):
        sql_for(MSDialect(), "smsmfa_entries")


def test_no_code_is_made_up():
    """An error without a code has none."""
    for code in (MySql.code, sqlalchemy_dialects.PostgreSql.code):
        assert None is code(None, ValueError())
    assert 0 == sqlalchemy_dialects.Sqlite.code(None, ValueError())


# --- hostile settings


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED"])
def test_isolation_of_the_engine(url, level):
    """With any isolation level of the engine, first writes in opposite orders all count, and each change runs once."""
    with a_store(url, isolation_level=level) as store, session(url) as execute:
        assert 40 == first_writes(store)
        if url.get_backend_name() == "mysql":
            with engine_of(store).connect() as connection:
                [level] = connection.execute(text("SELECT @@session.tx_isolation")).one()
            assert "READ-COMMITTED" == level
        assert [(10,)] == execute("SELECT count(*) FROM smsmfa_entries")


def first_writes(store):
    """Let eight threads count under new keys in opposite orders, and return how often a change ran."""
    calls = []

    def counted(number):
        for turn in range(5):
            keys = [f"a{turn}", f"b{turn}"]

            def change(values, keys=keys):
                calls.append(keys)
                return increment(*keys)(values)

            store.update(keys[:: -1 if number % 2 else 1], change)

    all_of(at_once([lambda number=number: counted(number) for number in range(8)], PATIENCE))
    keys = [f"{name}{turn}" for name in "ab" for turn in range(5)]
    assert dict.fromkeys(keys, b"8") == look(store, keys)
    return len(calls)


def test_defaults_of_postgres():
    """Defaults of serializable, read-only, asynchronous transactions without time limits are overridden."""
    with postgres() as url, session(url) as execute:
        for setting in (
            "default_transaction_isolation = 'serializable'",
            "default_transaction_read_only = on",
            "synchronous_commit = off",
            "lock_timeout = 0",
            "idle_in_transaction_session_timeout = 0",
        ):
            execute(f"ALTER DATABASE {url.database} SET {setting}")
        with a_store(url) as store:
            assert 40 == first_writes(store)
            seen = set()
            expected = {
                "transaction_isolation": "read committed",
                "synchronous_commit": "on",
                "lock_timeout": "5s",
                "idle_in_transaction_session_timeout": "5s",
            }

            def look_at_it(connection, cursor, statement, *_):
                if statement == "COMMIT":
                    cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in expected)}")
                    seen.update(cursor.fetchall())

            event.listen(engine_of(store), "before_cursor_execute", look_at_it)
            put(store, {"a": b"1"})
            assert {(*expected.values(),)} == seen


def test_defaults_of_mariadb():
    """A server that truncates values and reads backslashes literally gets other settings on the store's connections."""
    hostile = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES', autocommit = 1, tx_isolation = 'SERIALIZABLE'"
    with mariadb() as url, a_store(url, connect_args={"init_command": hostile}) as store:
        value = bytes(range(256)) + b"'\\\"`\\'"
        put(store, {"'\\\"`": value})
        assert value == store.read("'\\\"`")
        assert 40 == first_writes(store)
        with engine_of(store).connect() as connection:
            [modes] = connection.execute(text("SELECT @@session.sql_mode")).one()
        assert "ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION" == modes


@pytest.mark.parametrize("used", [True, False])
def test_quotes_of_mariadb(used):
    """With a server that quotes names as standard SQL does, records are kept and found."""
    with mariadb() as url:
        engine = create_engine(url, connect_args={"init_command": "SET SESSION sql_mode = 'ANSI_QUOTES'"})
        if used:
            engine.connect().close()
        with closing(SqlAlchemyStore(engine, table="quoted")) as store:
            store.create_schema()
            put(store, {"a": b"1"})
            assert b"1" == store.read("a")
            assert 40 == first_writes(store)
        engine.dispose()


def test_value_too_long():
    """A value that the server would truncate is an error, and nothing is changed."""
    with mariadb() as url, session(url) as execute, a_store(url) as store:
        execute("ALTER TABLE smsmfa_entries MODIFY value BLOB")
        put(store, {"a": b"1"})
        with pytest.raises(StoreError, match="DataError 1406"):
            store.update(["a", "b"], lambda _: ({"a": Entry(b"1" * 2**16), "b": Entry(b"1")}, None))
        assert {"a": b"1"} == look(store, ["a", "b"])


def test_packet_too_large():
    """A value that is too large for the server is an error that does not show it, and the store goes on."""
    with mariadb() as url, a_store(url, connect_args={"max_allowed_packet": 2**26}) as store:
        with pytest.raises(StoreError) as refused:
            put(store, {"a": b"secret" * 2**22})
        assert b"secret".hex() not in str(refused.value) + str(refused.value.__cause__)
        put(store, {"a": b"1"})
        assert b"1" == store.read("a")


# --- tables that are refused


@pytest.mark.parametrize(
    "change, said",
    [("ENGINE = MyISAM", "InnoDB"), ("ENGINE = Aria", "InnoDB"), ("MODIFY `key` VARCHAR(250)", "varbinary")],
)
def test_table_without_transactions(change, said):
    """A table without transactions, or whose keys have a collation, is refused at the first use and by ping()."""
    with mariadb() as url, session(url) as execute:
        execute(f"ALTER TABLE smsmfa_entries {change}")
        with a_store(url) as store:
            for call in (store.ping, lambda: store.read("a"), lambda: put(store, {"a": b"1"})):
                with pytest.raises(ConfigurationError, match=said):
                    call()
            execute("ALTER TABLE smsmfa_entries ENGINE = InnoDB, MODIFY `key` VARBINARY(250)")
            put(store, {"a": b"1"})


LAX = "CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"


@pytest.mark.parametrize("table", ["smsmfa_entries", "apart.Factor"])
@pytest.mark.parametrize(
    "change, undo, said",
    [
        ("SET UNLOGGED", "SET LOGGED", "UNLOGGED"),
        ("ALTER key TYPE text COLLATE lax", 'ALTER key TYPE text COLLATE "C"', "different keys equal"),
    ],
)
def test_table_of_postgres(table, change, undo, said):
    """A table that a crash empties, or whose collation makes different keys equal, is refused in the same way."""
    name = ".".join(f'"{part}"' for part in table.split("."))
    with postgres() as url, session(url) as execute, closing(SqlAlchemyStore(create_engine(url), table=table)) as store:
        execute("CREATE SCHEMA apart")
        execute(LAX)
        store.create_schema()
        execute(f"ALTER TABLE {name} {change}")
        for call in (store.ping, lambda: store.read("a"), lambda: put(store, {"a": b"1"})):
            with pytest.raises(ConfigurationError, match=said):
                call()
        execute(f"ALTER TABLE {name} {undo}")
        put(store, {"a": b"1"})
        execute(f"ALTER TABLE {name} {change}")
        with pytest.raises(ConfigurationError, match=said):
            store.ping()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file:factor?mode=memory&uri=true"])
def test_memory(url):
    """A database in memory is refused."""
    with pytest.raises(ConfigurationError, match="file"), a_store(url, poolclass=NullPool) as store:
        store.ping()


@pytest.mark.parametrize("setting", ["synchronous = OFF", "journal_mode = OFF", "journal_mode = MEMORY"])
def test_no_durability(setting):
    """A file that a power cut may destroy is refused at the first use and by ping()."""
    with sqlite() as url, session(url) as execute:
        execute("PRAGMA journal_mode = DELETE")
        engine = create_engine(url)
        event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {setting}"))
        with closing(SqlAlchemyStore(engine)) as store:
            for call in (lambda: store.read("a"), store.ping):
                with pytest.raises(ConfigurationError, match=setting.split()[0]):
                    call()


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def test_journals_on_the_disk(journal):
    """A file whose journal is on the disk is accepted."""
    with sqlite() as url:
        engine = create_engine(url)
        event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA journal_mode = {journal}"))
        with closing(SqlAlchemyStore(engine)) as store:
            put(store, {"a": b"1"})
            assert b"1" == store.read("a")


# --- other programs in the way


@contextmanager
def keeping(url, *keys):
    """Yield a connection whose transaction locks rows."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        for key in keys:
            touch(connection, key)
        yield connection
        connection.rollback()


def touch(connection, key):
    name = connection.dialect.identifier_preparer.quote("key")
    connection.execute(text(f"UPDATE smsmfa_entries SET expires = 5 WHERE {name} = :key"), {"key": key})


def await_waiting(url):
    """Return when a transaction in this database waits for a lock."""
    where = {
        "mysql": "information_schema.innodb_trx JOIN information_schema.processlist ON id = trx_mysql_thread_id "
        "WHERE trx_state = 'LOCK WAIT' AND db = DATABASE()",
        "postgresql": "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    }[url.get_backend_name()]
    with session(url) as execute:
        due = time.monotonic() + PATIENCE
        while execute(f"SELECT count(*) FROM {where}") == [(0,)]:
            assert time.monotonic() < due, "no transaction waits"


def test_lock_stays(url, monkeypatch):
    """If a row stays locked, StoreContention is raised in the end, and nothing is changed."""
    monkeypatch.setattr(sqlalchemy_dialects, "LOCK_TIMEOUT", 1)
    monkeypatch.setattr("smsmfa.stores.sqlalchemy.pool.DEADLINE", 0.0)
    with a_store(url) as store:
        put(store, {"a": b"1", "b": b"1"})
        sql = store._records.pool.sql
        sql.begin = [(text(str(statement).replace("'5s'", "'1s'", 1)), values) for statement, values in sql.begin]
        with keeping(url, "b"), pytest.raises(StoreContention):
            store.update(["a", "b", "c"], increment("a", "b", "c"))
        assert {"a": b"1", "b": b"1"} == look(store, ["a", "b", "c"])


def test_deadlock(url):
    """An update that the server ends because of a deadlock runs again, and counts once."""
    others = [f"{number}" for number in range(50)]  # MariaDB ends the transaction with fewer changes
    with a_store(url) as store:
        put(store, dict.fromkeys(["a", "b", *others], b"0"))
        with keeping(url, "b", *others) as connection:
            thread = Thread(target=store.update, args=(["a", "b"], increment("a", "b")))
            thread.start()
            await_waiting(url)
            touch(connection, "a")
            connection.rollback()
            thread.join(PATIENCE)
        assert {"a": b"1", "b": b"1"} == look(store, ["a", "b"])


def test_tables_are_made_in_turn(url):
    """If eight processes create the same table at once, all succeed."""
    with a_store(url) as store, a_store(url) as other:
        for one in (store, other):
            one._records.pool.sql = sql_for(engine_dialect(one), "others")
        all_of(at_once([store.create_schema, other.create_schema] * 4, PATIENCE))


def engine_dialect(store):
    return store._records.pool._source.dialect


def test_file_is_locked():
    """If another program keeps the file locked, StoreContention is raised in the end, and nothing is changed."""
    with sqlite() as url, a_store(url) as store, session(url) as execute:
        put(store, {"a": b"1"})
        execute("BEGIN IMMEDIATE")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("smsmfa.stores.sqlalchemy.pool.DEADLINE", 0.01)
            with pytest.raises(StoreContention, match="locked"):
                put(store, {"a": b"2"})
        execute("ROLLBACK")
        assert b"1" == store.read("a")


def test_placeholders_are_deleted(url):
    """Rows that were created only to be locked are deleted, whether something else was written or not."""
    with a_store(url) as store, session(url) as execute:
        store.update(["a", "b", "c"], lambda _: ({"a": Entry(b"1"), "b": None}, None))
        store.update(["a", "d"], lambda _: ({}, None))
        assert [(1,)] == execute("SELECT count(*) FROM smsmfa_entries")
        assert {"a": b"1"} == look(store, ["a", "b", "c", "d"])
