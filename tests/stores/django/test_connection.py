"""The store's own connections: their settings, when they are opened and closed, and their failures."""

import gc
import logging
import os
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread

import pytest
from django.core import mail
from django.core.exceptions import SynchronousOnlyOperation
from django.core.signals import request_finished, request_started
from django.db import DatabaseError, OperationalError, connections, transaction
from django.test import override_settings
from stores.django import project as project

from smsmfa import ConfigurationError, StoreContention, StoreError
from smsmfa.stores.django import DjangoStore, connection
from smsmfa.stores.django.connection import Connection, connection_to
from smsmfa.stores.retries import Undone
from smsmfa.testing.stores.processes import forked
from smsmfa.testing.stores.suite import fresh, held, increment, look, put
from smsmfa.testing.threads import all_of, at_once

SECRET = b"what nobody shall see"


@pytest.fixture(scope="module")
def postgres():
    with project.on_postgres() as database:
        yield database


@pytest.fixture(scope="module")
def mariadb():
    with project.on_mariadb() as database:
        yield database


@pytest.fixture
def sqlite(tmp_path):
    return project.on_sqlite(tmp_path / "db.sqlite3")


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def alias(request):
    with project.known(request.getfixturevalue(request.param)) as alias:
        yield alias


@pytest.fixture
def file(sqlite):
    """The alias of a SQLite database."""
    with project.known(sqlite) as alias:
        yield alias


@pytest.fixture
def server(postgres):
    """The alias of a PostgreSQL database."""
    with project.known(postgres) as alias:
        yield alias


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "DEADLINE", 0.05)


def opened(alias):
    """Return this thread's connection of the driver, or None."""
    wrapper = connection_to(alias)._wrapper
    return wrapper and wrapper.connection


@contextmanager
def a_request():
    """Let this thread serve a request."""
    request_started.send(sender=None)
    yield
    request_finished.send(sender=None)


class TestCopies:
    def test_is_another(self, alias):
        """The store's connection is not the models' connection, and belongs to one thread."""
        connections[alias].ensure_connection()
        DjangoStore(using=alias).ping()
        found = []

        def look_there():
            DjangoStore(using=alias).ping()
            found.append(opened(alias) is not mine)

        mine = opened(alias)
        thread = Thread(target=look_there)
        thread.start()
        thread.join()

        assert [True] == found
        assert mine is not connections[alias].connection

    def test_settings_stay(self, server):
        """The project's settings do not change, and no alias is added to them."""
        settings = connections[server].settings_dict
        before = {**settings, "OPTIONS": dict(settings["OPTIONS"])}, list(connections)
        DjangoStore(using=server).ping()

        assert before == (settings, list(connections))

    @pytest.mark.parametrize("name", [":memory:", "file:shared?mode=memory&cache=shared"])
    def test_memory(self, name):
        """A SQLite database in memory is refused, and the error says what to use."""
        with (
            project.known(project.sqlite_settings(name)) as alias,
            pytest.raises(ConfigurationError, match="MemoryStor"),
        ):
            DjangoStore(using=alias).ping()

    def test_tests(self, postgres, monkeypatch):
        """In a test run no connection is kept and no pool is made, for both would keep the database in use."""
        pooled = {**postgres, "CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}
        monkeypatch.setattr(mail, "outbox", [], raising=False)
        with project.known(postgres) as alias, project.known(pooled) as other:
            for using in (alias, other):
                DjangoStore(using=using).ping()
                assert connection_to(using)._wrapper is None
            assert {"pool": True} == connections[other].settings_dict["OPTIONS"]

    def test_moved(self, tmp_path):
        """A connection from before the test run, to the real database, is not used in it."""
        paths = tmp_path / "real.sqlite3", tmp_path / "test.sqlite3"
        databases = [project.on_sqlite(path) for path in paths]
        with project.known(databases[0]) as alias:
            put(DjangoStore(using=alias), {"k": b"real"})
            connections[alias].settings_dict["NAME"] = str(paths[1])
            assert DjangoStore(using=alias).read("k") is None
            connections[alias].settings_dict["NAME"] = str(paths[0])
            assert b"real" == DjangoStore(using=alias).read("k")

    def test_other_databases(self):
        """A database is refused if it is not known how it locks."""
        unknown = {"ENGINE": "django.db.backends.dummy", "OPTIONS": {}}
        with project.known(unknown) as alias, pytest.raises(ConfigurationError, match="MariaDB or SQLite, not unknown"):
            DjangoStore(using=alias).ping()

    @pytest.mark.parametrize("level", ["serializable", "repeatable read"])
    def test_isolation(self, postgres, mariadb, level):
        """A store reads what is committed, whatever isolation level the project has."""
        number = {"serializable": 4, "repeatable read": 3}[level]
        for database, option, question in (
            (postgres, {"isolation_level": number}, "SHOW transaction_isolation"),
            (
                postgres,
                {"options": f"-c default_transaction_isolation={level.replace(' ', chr(92) + ' ')}"},
                "SHOW transaction_isolation",
            ),
            (mariadb, {"isolation_level": level}, "SELECT lower(replace(@@tx_isolation, '-', ' '))"),
        ):
            with project.known({**database, "OPTIONS": option}) as alias, connection_to(alias) as ours:
                ours.begin()
                assert [("read committed",)] == ours.execute(question)

    def test_defaults_of_postgres(self, postgres):
        """With defaults of read-only, asynchronous transactions the store still writes, and waits for the disk."""
        options = "-c default_transaction_read_only=on -c synchronous_commit=off"
        with project.known({**postgres, "OPTIONS": {"options": options}}) as alias:
            put(DjangoStore(using=alias), {"k": b"1"})
            with connection_to(alias) as ours:
                ours.begin()
                assert [("on",)] == ours.execute("SHOW synchronous_commit")

    @pytest.mark.parametrize("setting", ["local", "remote_apply"])
    def test_other_waiting(self, postgres, setting):
        """If commits wait for more than the disk, they still do."""
        options = {"options": f"-c synchronous_commit={setting}"}
        with project.known({**postgres, "OPTIONS": options}) as alias, connection_to(alias) as ours:
            ours.begin()
            assert [(setting,)] == ours.execute("SHOW synchronous_commit")

    def test_patience(self, postgres, mariadb):
        """Servers wait for a lock as long as the deadline says, whatever the project's settings are."""
        for database, option, question, answer in (
            (postgres, {"options": "-c lock_timeout=60s"}, "SHOW lock_timeout", "5s"),
            (
                mariadb,
                {"init_command": "SET SESSION innodb_lock_wait_timeout = 60"},
                "SELECT @@innodb_lock_wait_timeout",
                connection.DEADLINE,
            ),
        ):
            with project.known({**database, "OPTIONS": option}) as alias, connection_to(alias) as ours:
                ours.begin()
                assert [(answer,)] == ours.execute(question)

    def test_prepared_statements(self, postgres):
        """A project may let psycopg prepare its statements."""
        with project.known({**postgres, "OPTIONS": {"prepare_threshold": 0}}) as alias:
            store = DjangoStore(using=alias)
            store.update(["prepared"], increment("prepared"))
            assert 1 == store.update(["prepared"], increment("prepared"))

    def test_server_side_binding(self, postgres):
        """A project may let PostgreSQL bind its parameters."""
        with project.known({**postgres, "OPTIONS": {"server_side_binding": True}}) as alias:
            store = DjangoStore(using=alias)
            put(store, {"bound": b"1", "bound too": b"\xff\x00"}, 10)
            put(store, {"bound": b"2"})

            assert {"bound": b"2", "bound too": b"\xff\x00"} == look(store, ["bound", "bound too"])

    def test_pool(self, postgres):
        """If a project has a connection pool, its stores have another, on both sides of a fork."""
        with project.known(
            {**postgres, "CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 1, "max_size": 1}}}
        ) as alias:
            store = DjangoStore(using=alias)
            with connections[alias].cursor():  # the only one of the project
                before = store.update(["pooled"], increment("pooled"))
                counts = forked(lambda: store.update(["pooled"], increment("pooled")), store.ping, 20)
            assert [before + 1, None] == counts
            assert before + 2 == store.update(["pooled"], increment("pooled"))
            for kind in (type(connections[alias]), connection._quiet(type(connections[alias]), os.getpid())):
                kind._connection_pools.pop(alias).close()


class TestLife:
    @pytest.mark.parametrize("age", [0, 600, None])
    def test_outside_a_request(self, postgres, age):
        """Outside a request a connection is closed after each use, or when the project's settings say so."""
        with project.known({**postgres, "CONN_MAX_AGE": age}) as alias:
            DjangoStore(using=alias).ping()
            assert (age == 0) == (opened(alias) is None)

    @pytest.mark.parametrize("age", [0, 600, None])
    def test_in_a_request(self, postgres, age):
        """In a request it is kept until the end, or longer if the project's settings say so."""
        with project.known({**postgres, "CONN_MAX_AGE": age}) as alias:
            with a_request():
                DjangoStore(using=alias).ping()
                first = opened(alias)
                DjangoStore(using=alias).ping()
                assert first is opened(alias) is not None
            assert (age == 0) == (opened(alias) is None)

    def test_thread_ends(self, server):
        """A thread that ends leaves no open connection."""
        backends = []

        def work():
            DjangoStore(using=server).ping()
            backends.append(opened(server))

        thread = Thread(target=work)
        thread.start()
        thread.join()
        gc.collect()

        assert backends[0].closed

    def test_close(self, alias):
        """A closed store opens its connection again."""
        store = DjangoStore(using=alias)
        store.ping()
        store.close()
        assert opened(alias) is None
        store.ping()
        assert opened(alias) is not None

    def test_health_check(self, postgres):
        """With health checks, a dead connection is replaced before the first statement of the next request."""
        with project.known({**postgres, "CONN_HEALTH_CHECKS": True}) as alias:
            with a_request():
                DjangoStore(using=alias).ping()
            opened(alias).close()
            with a_request():
                DjangoStore(using=alias).ping()

    async def test_event_loop(self, alias):
        """On an event loop Django refuses the synchronous store, and no connection is opened."""
        with pytest.raises(SynchronousOnlyOperation):
            DjangoStore(using=alias).read("k")
        with pytest.raises(SynchronousOnlyOperation):
            DjangoStore(using=alias).update(["k"], increment("k"))


class TestSilence:
    @override_settings(DEBUG=True)
    def test_no_log(self, alias, caplog):
        """With DEBUG, neither the log nor the queries that debugging tools read contain a value or a key."""
        caplog.set_level(logging.DEBUG)
        store = DjangoStore(using=alias)
        with a_request():
            put(store, {"k": SECRET})
            assert SECRET == store.read("k")
            ours = connection_to(alias)._wrapper
            logged = [*ours.queries, *connections[alias].queries]
        [*records] = caplog.get_records("call")

        assert ([], [], []) == (
            logged,
            list(ours.queries_log),
            [one for one in records if one.name.startswith("django.db")],
        )

    def test_no_password(self):
        """If the server cannot be reached, the error does not contain the password."""
        database = {**project.postgres_settings("nowhere", ("127.0.0.1", 1)), "PASSWORD": "open sesame"}
        with project.known(database) as alias, pytest.raises(StoreError) as raised:
            DjangoStore(using=alias).ping()

        assert "sesame" not in f"{raised.value} {raised.value.__cause__}"
        assert isinstance(raised.value.__cause__, OperationalError)


class TestFaults:
    def test_in_use(self, alias):
        """A change that uses its own store fails, and its update changes nothing."""
        store = DjangoStore(using=alias)
        for use in (store.ping, partial(store.read, "k"), partial(put, DjangoStore(using=alias), {"k": b"1"})):
            with pytest.raises(StoreError, match="its own store"):
                store.update(["nested"], held(increment("nested"), use))
            assert {} == look(store, ["nested"])

    def test_idle_connection_dies(self, server):
        """If the server has closed an idle connection, the next call succeeds."""
        store = DjangoStore(using=server)
        put(store, {"k": b"1"})
        for use in (store.ping, lambda: store.read("k"), lambda: store.update(["k"], increment("k"))):
            with connections[server].cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [opened(server).info.backend_pid])
            use()
        assert b"2" == store.read("k")

    def test_dies_in_a_change(self, alias):
        """A connection that dies during an update is replaced, and the change runs again."""
        store, calls = DjangoStore(using=alias), []

        def change(values):
            calls.append(values)
            if len(calls) == 1:
                with suppress(Exception):
                    opened(alias).close()
            return increment("dies")(values)

        store.ping()
        if "sqlite" in connections[alias].vendor:
            with pytest.raises(StoreError):
                store.update(["dies"], change)
        else:
            store.update(["dies"], change)
            assert 2 == len(calls)
        assert len(calls) - 1 == int(store.read("dies") or 0)

    def test_fails_on_a_new_connection(self, server):
        """A statement that fails on a new connection is not tried again."""
        with pytest.raises(StoreError) as raised, connection_to(server) as ours:
            ours.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert isinstance(raised.value.__cause__, OperationalError)
        assert opened(server) is None

    def test_fails_in_another_way(self, alias):
        """An invalid statement is not tried again."""
        DjangoStore(using=alias).ping()
        with pytest.raises((StoreError, Undone)) as raised, connection_to(alias) as ours:
            ours.execute("SELECT nothing")
        assert isinstance(raised.value.__cause__, DatabaseError)

    def test_interrupted(self, alias, monkeypatch):
        """A connection that was interrupted during a statement is not used again."""
        DjangoStore(using=alias).ping()
        before = opened(alias)

        def interrupt(*_):
            raise KeyboardInterrupt

        def work(ours):
            monkeypatch.setattr(ours._wrapper, "cursor", interrupt)
            ours.execute("SELECT 1")

        with pytest.raises(KeyboardInterrupt):
            within_transaction(alias, work)
        DjangoStore(using=alias).ping()
        assert before is not opened(alias)

    @pytest.mark.parametrize("where", ["rollback", "execute", "drop", "release"])
    def test_interrupted_at_the_end(self, alias, monkeypatch, where):
        """If the end of an update is interrupted, the transaction ends, and the thread can go on."""
        put(DjangoStore(using=alias), {"a": b"1"})
        real = getattr(Connection, where)

        def interrupted(*_):
            monkeypatch.setattr(Connection, where, real)
            raise KeyboardInterrupt

        def work(ours):
            ours.execute(ours.sql.select(1), [b"a"])
            ours._broken = where == "drop"
            monkeypatch.setattr(Connection, where, interrupted)

        with pytest.raises(KeyboardInterrupt):
            within_transaction(alias, work)
        put(DjangoStore(using=alias), {"a": b"2"})
        all_of(at_once([lambda: put(DjangoStore(using=alias), {"a": b"3"})], 60))
        assert b"3" == DjangoStore(using=alias).read("a")

    @pytest.mark.parametrize(
        "code, sqlstate", [(1213, None), (1205, None), ("", "40001"), ("", "40P01"), ("", "55P03")]
    )
    def test_contention(self, alias, code, sqlstate):
        """After a deadlock, a refused lock or a serialization failure the same connection is used again."""
        DjangoStore(using=alias).ping()
        before = opened(alias)
        with pytest.raises(Undone):
            within_transaction(alias, partial(fail, code, sqlstate))
        DjangoStore(using=alias).ping()
        assert before is opened(alias)

    def test_contention_at_the_commit(self, alias):
        """At the COMMIT such an error is not tried again, because the outcome is unknown."""
        with pytest.raises(StoreError, match="not known"):
            within_transaction(alias, partial(fail, 1213, "40001", committing=True))
        assert opened(alias) is None

    def test_rollback_fails(self, server):
        """If even ROLLBACK fails, the connection is closed."""
        with connection_to(server) as ours:
            ours.begin()
            opened(server).close()
        assert opened(server) is None
        DjangoStore(using=server).ping()


def within_transaction(alias, work):
    with connection_to(alias) as ours:
        ours.begin()
        work(ours)


def fail(code, sqlstate, ours, *, committing=False):
    """Fail like a connection whose driver raises an error."""
    error = OperationalError(code, "no")
    error.__cause__ = Exception()
    error.__cause__.sqlstate = sqlstate
    ours._committing = committing
    raise ours._failure(error)


class TestRaces:
    @pytest.fixture(autouse=True)
    def _counted(self, monkeypatch):
        """Count the database's errors."""
        self.failures, failure = [], Connection._failure

        def counted(connection, error):
            self.failures.append(error)
            return failure(connection, error)

        monkeypatch.setattr(Connection, "_failure", counted)

    @pytest.mark.parametrize("turn", [1, 3])
    def test_no_deadlocks(self, server, turn):
        """Updates of overlapping keys that are absent at first cannot deadlock, whatever their order is."""

        def work(number):
            for keys in rounds:
                mine = [*keys[number:], *keys[:number]][:5:turn]
                DjangoStore(using=server).update(mine[:: -1 if number % 2 else 1], increment(*mine))

        rounds = [fresh(*"abcdefgh") for _ in range(30)]
        all_of(at_once([partial(work, number) for number in range(6)], 60))

        assert [] == self.failures

    def test_nothing_is_held(self, server, monkeypatch):
        """An update that waits for an absent row holds no lock that another could wait for."""
        from smsmfa.stores.django.models import Record

        store, keys, run, free = DjangoStore(using=server), fresh("absent", "there"), Connection.execute, []
        put(store, {keys[1]: b"1"})

        def watched(ours, statement, parameters=None):
            if statement.startswith("INSERT") and not free:
                with transaction.atomic(using=server):
                    free.append(Record.objects.using(server).select_for_update(nowait=True).get(key=keys[1].encode()))
            return run(ours, statement, parameters)

        monkeypatch.setattr(Connection, "execute", watched)
        store.update(keys, increment(*keys))

        assert 1 == len(free)


class TestSqlite:
    def test_locked(self, file, impatient):
        """If the application's transaction in this thread has locked the file, the error says so after the deadline."""
        store = DjangoStore(using=file)
        with connections[file].cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreContention, match="a file of its own"):
                put(store, {"k": b"1"})
            cursor.execute("ROLLBACK")
        put(store, {"k": b"2"})
        assert b"2" == store.read("k")

    def test_locked_at_the_commit(self, file, impatient):
        """If a reader keeps a COMMIT waiting too long, the update is undone, and that is certain."""
        store = DjangoStore(using=file)
        put(store, {"k": b"1"})
        with connections[file].cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM smsmfa_record")
            with pytest.raises(StoreContention, match="locked"):
                put(store, {"k": b"2"})
            cursor.execute("ROLLBACK")
        assert b"1" == store.read("k")

    def test_waits(self, file):
        """A lock that is released in time causes no error."""
        store = DjangoStore(using=file)
        with connections[file].cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            thread = Thread(target=put, args=(store, {"k": b"1"}))
            thread.start()
            cursor.execute("ROLLBACK")
        thread.join()
        assert b"1" == store.read("k")

    def test_fork_closes(self, file):
        """During a fork no connection to a SQLite file is open, not even in another thread."""
        store = DjangoStore(using=file)
        store.ping()
        assert [True, True] == forked(lambda: opened(file) is None, lambda: opened(file) is None, 20)

    def test_fork_in_a_change(self, file):
        """A change that forks fails in the parent and in the child."""
        store = DjangoStore(using=file)

        def change(values):
            if (child := os.fork()) == 0:
                os._exit(0)
            os.waitpid(child, 0)
            return increment("k")(values)

        with pytest.raises(StoreError, match="must not fork"):
            store.update(["k"], change)
        assert store.read("k") is None

    def test_unseen_fork(self, file, monkeypatch):
        """After a fork that Python did not see, the store fails instead of losing updates."""
        store = DjangoStore(using=file)
        store.ping()
        before = opened(file)
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            with pytest.raises(StoreError, match="lazy-apps"):
                store.ping()
        store.ping()
        assert before is opened(file)


def test_unseen_fork(server, monkeypatch):
    """On a server, the child of such a fork opens its own connection and leaves its parent's alone."""
    store = DjangoStore(using=server)
    store.ping()
    before = opened(server)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        request_finished.send(sender=None)
        store.ping()
        assert before is not opened(server)
        assert not before.closed
        store.close()
    before.close()


def test_never_opened():
    """A connection that was never opened can be closed."""
    connection = Connection("default")
    connection.release()
    connection.drop()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_text(kind, request):
    """T12: the text of an error, which may reach a visitor, names neither server nor user, and its cause does."""
    database = {**request.getfixturevalue(kind), "USER": "nobody_at_all", "PASSWORD": "wrong"}
    with project.known({**database, "PORT": "1"}) as alias, pytest.raises(StoreError) as raised:
        DjangoStore(using=alias).read("k")

    assert f"{alias}: OperationalError" == str(raised.value).removesuffix(" 2003")
    assert "127.0.0.1" in str(raised.value.__cause__)
