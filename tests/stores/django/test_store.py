"""The store in a database of a Django project: the test kit, the cost of an operation, and failures."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from inspect import iscoroutinefunction, signature
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import Client, SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.urls import path
from django.views.debug import ExceptionReporter
from services import MARIADB, POSTGRES
from stores.django import project as project
from stores.hammer import Hammer
from stores.short import short
from support import Factor, rejected, wrong

from smsmfa import CodeRejected, CodeUsed, ConfigurationError, StoreContention, StoreError
from smsmfa.stores.django import AsyncDjangoStore, DjangoStore, connection
from smsmfa.stores.django.connection import connection_to
from smsmfa.stores.django.models import Record
from smsmfa.stores.retries import Undone
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.suite import put
from smsmfa.typing import Entry


@pytest.fixture(scope="module")
def postgres():
    with project.on_postgres() as database:
        yield database


@pytest.fixture(scope="module")
def mariadb():
    with project.on_mariadb() as database:
        yield database


class OnDjango:
    """A database for the checks of a class, and a purge beside them."""

    shared = processes = fork = True
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2
    database = None
    store = DjangoStore

    @pytest.fixture(autouse=True)
    def _aliases(self):
        before = set(connections.settings)
        yield
        for alias in set(connections.settings) - before:
            del connections.settings[alias]

    def make_store(self):
        return self.made(self.database)

    def make_store_at(self, host, port):
        return self.made({**self.database, "HOST": host, "PORT": str(port)})

    def made(self, database):
        return self.store(using=project.add(database))

    def disturb(self):
        with project.known(self.database) as alias:
            store = DjangoStore(using=alias)
            store.purge()
            store.close()


class Application:
    """A transaction of the application on the same database that is rolled back."""

    @contextmanager
    def enclosing_transaction(self):
        with project.known(self.database) as alias, transaction.atomic(using=alias):
            Record.objects.using(alias).count()
            yield
            transaction.set_rollback(True, using=alias)


class OnPostgres(OnDjango, Application):
    server = POSTGRES.address

    @pytest.fixture(autouse=True)
    def _database(self, postgres):
        self.database = postgres


class OnMariadb(OnDjango, Application):
    server = MARIADB.address

    @pytest.fixture(autouse=True)
    def _database(self, mariadb):
        self.database = mariadb


class OnSqlite(OnDjango):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.database = project.on_sqlite(tmp_path / "db.sqlite3", init_command="PRAGMA journal_mode = WAL")


class OnALoop(OnPostgres):
    fork = False
    store = AsyncDjangoStore


class Hammered(Hammer):
    """Makes a process connect before it starts work: connecting takes longer than the process lives."""

    def make_store(self):
        store = super().make_store()
        store.ping()
        return store


class TestPostgres(OnPostgres, StoreConformance):
    # slow to start, so only in the thorough tests
    test_process_ends = test_processes_meet = test_processes_race = test_history_of_processes = None


class TestAsyncPostgres(OnALoop, AsyncStoreConformance):
    processes = False


@short
class TestMariadb(OnMariadb, StoreConformance):
    pass


@short
class TestSqlite(OnSqlite, StoreConformance):
    pass


@pytest.mark.thorough
class TestPostgresThoroughly(Hammered, OnPostgres, StoreConformance):
    rounds, examples, patience, kills = 20, 25, 0.2, 100


@pytest.mark.thorough
class TestAsyncPostgresThoroughly(OnALoop, AsyncStoreConformance):
    rounds, examples, patience = 20, 25, 0.2


@pytest.mark.thorough
class TestMariadbThoroughly(Hammered, OnMariadb, StoreConformance):
    rounds, examples, patience, kills = 10, 25, 0.2, 20


@pytest.mark.thorough
class TestSqliteThoroughly(Hammered, OnSqlite, StoreConformance):
    rounds, examples, patience, kills = 10, 25, 0.2, 20


@pytest.fixture
def sqlite(tmp_path):
    return project.on_sqlite(tmp_path / "db.sqlite3")


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def alias(request):
    """The alias of an empty database to which the routers send the app."""
    with project.known(request.getfixturevalue(request.param)) as project.Router.alias:
        Record.objects.using(project.Router.alias).all().delete()
        yield project.Router.alias
    project.Router.alias = None


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "DEADLINE", 0.05)


def rows_of(alias):
    """Return the keys and times of expiry that are stored, read through the model."""
    return {bytes(row.key).decode(): row.expires for row in Record.objects.using(alias).all()}


class TestSetUp:
    @pytest.mark.parametrize("using", [7, b"default", True])
    def test_no_alias(self, using):
        """Anything but an alias is refused."""
        for cls in (DjangoStore, AsyncDjangoStore):
            with pytest.raises(ConfigurationError, match="using"):
                cls(using=using)

    @pytest.mark.parametrize("using", ["nope", None])
    def test_unknown_alias(self, using):
        """An unknown alias, whether given or from a router, is refused at the first use."""
        store = DjangoStore(using=using)
        with project.routed("nope"):
            for call in (lambda: store.read("k"), lambda: put(store, {"k": b"1"}), store.create_schema, store.ping):
                with pytest.raises(ConfigurationError, match="DATABASES has no nope"):
                    call()

    def test_repr(self):
        """A store's repr shows the database if one was given."""
        assert "<DjangoStore>" == repr(DjangoStore())
        assert "<AsyncDjangoStore using replica>" == repr(AsyncDjangoStore(using="replica"))

    def test_twins(self):
        """Both stores take the same arguments, and have the same methods with the same arguments."""
        assert signature(DjangoStore) == signature(AsyncDjangoStore)
        for name in ("read", "update", "create_schema", "ping", "purge", "close"):
            one, other = getattr(DjangoStore, name), getattr(AsyncDjangoStore, name)
            assert signature(one) == signature(other)
            assert (False, True) == (iscoroutinefunction(one), iscoroutinefunction(other))

    def test_routers(self, alias, tmp_path):
        """At each operation, the routers choose the database for writes, and reads go there too."""
        store = DjangoStore()
        project.Router.reads = "default"
        try:
            put(store, {"k": b"1"})
            assert b"1" == store.read("k")
            with project.known(project.on_sqlite(tmp_path / "tenant.sqlite3")) as project.Router.alias:
                assert store.read("k") is None
        finally:
            project.Router.reads = None

    def test_not_installed(self):
        """If the app is not installed, the error says so."""
        with override_settings(INSTALLED_APPS=[]), pytest.raises(ConfigurationError, match="INSTALLED_APPS"):
            DjangoStore().ping()

    def test_not_migrated(self, tmp_path):
        """Without the table every call raises StoreError. Once it is created, the store works."""
        with project.known(project.sqlite_settings(tmp_path / "new.sqlite3")) as alias:
            store = DjangoStore(using=alias)
            with pytest.raises(StoreError, match="no such table"):
                store.ping()
            store.create_schema()
            assert connections[alias].connection is None
            connections[alias].ensure_connection()
            store.create_schema()
            assert connections[alias].connection is not None
            store.ping()

    def test_migration_is_complete(self, alias):
        """The migration creates what the model describes."""
        call_command("makemigrations", "--check", "--dry-run", "smsmfa", verbosity=0)
        call_command("check", "smsmfa", database=[alias], stdout=StringIO())


def sent_to_postgres(alias, call):
    """Return the first words of the statements that libpq sends during a call."""
    pq = connection_to(alias)._wrapper.connection.pgconn
    with TemporaryFile() as file:
        pq.trace(file.fileno())
        call()
        pq.untrace()
        file.seek(0)
        lines = file.read().decode().splitlines()
    return [line.split('"')[1].split()[0].strip(";") for line in lines if "\tQuery\t" in line or "\tParse\t" in line]


class TestCost:
    def test_postgres(self, postgres):
        """On PostgreSQL a challenge takes five statements and a check four, and four more for an absent row."""
        with project.known(postgres) as alias:
            factor = Factor(store=DjangoStore(using=alias))
            factor.enrol()
            challenges = []

            def challenge():
                challenges.append(factor.verifier.challenge("alice").id)

            def check():
                factor.verifier.verify("alice", challenges[0], factor.outbox.code)

            assert ["SELECT", "BEGIN", "SELECT", "INSERT", "COMMIT"] == sent_to_postgres(alias, challenge)
            assert ["SELECT", "BEGIN", "SELECT", "ROLLBACK"] == sent_to_postgres(alias, challenge)
            assert ["BEGIN", "SELECT", "INSERT", "COMMIT"] == sent_to_postgres(alias, check)
            assert [
                *("BEGIN", "SELECT", "ROLLBACK"),
                *("BEGIN", "INSERT", "SELECT", "INSERT", "DELETE", "COMMIT"),
            ] == sent_to_postgres(alias, lambda: factor.store.update(["x", "y"], lambda _: ({"x": Entry(b"1")}, None)))
            factor.store.update(["x"], lambda _: ({"x": None}, None))

    def test_others(self, alias, monkeypatch):
        """Other databases take the same statements."""
        factor, said = Factor(store=DjangoStore()), []
        factor.enrol()
        run = connection.Connection.execute

        def counted(self, statement, parameters=None):
            said.append(statement.split()[0].strip(";"))
            return run(self, statement, parameters)

        monkeypatch.setattr(connection.Connection, "execute", counted)
        challenge = factor.verifier.challenge("alice")
        factor.verifier.verify("alice", challenge.id, factor.outbox.code)

        assert ["SELECT", "BEGIN", "SELECT", "INSERT", "COMMIT", "BEGIN", "SELECT", "INSERT", "COMMIT"] == said

    def test_no_placeholder_stays(self, alias):
        """Rows that were created only to be locked are deleted, whatever the outcome of the update is."""
        store = DjangoStore()
        store.update(["a", "b"], lambda _: ({}, None))
        store.update(["a", "b"], lambda _: ({"a": None}, None))
        store.update(["a", "b", "c"], lambda _: ({"b": Entry(b""), "c": None}, None))
        store.update([], lambda values: ({}, values))
        assert {"b": None} == rows_of(alias)
        store.update(["a", "b"], lambda _: ({"a": Entry(b"1"), "b": None}, None))
        assert {"a": None} == rows_of(alias)
        store.update(["a"], lambda _: ({"a": None}, None))
        assert {} == rows_of(alias)


class TestHousekeeping:
    def test_expiry(self, alias):
        """An entry never expires early by the server's clock, and the last lifetime counts."""
        store, before = DjangoStore(), time.time()
        for lifetimes in ((None, 0, 10**11), (0, 10**11, None)):
            for key, keep_for in zip("abc", lifetimes, strict=True):
                put(store, {key: b"1"}, keep_for)
        rows, after = rows_of(alias), time.time() + 2

        assert rows["c"] is None
        assert before <= rows["a"] <= after
        assert before + 10**11 <= rows["b"] <= after + 10**11

    def test_purge(self, alias):
        """A purge deletes expired entries, the oldest first and not more than the limit, and nothing else."""
        store = DjangoStore()
        for number in range(5):
            put(store, {f"{number}": b"1"}, 100)
            Record.objects.using(alias).filter(key=b"%d" % number).update(expires=10 - number)
        put(store, {"later": b"1"}, 100)
        put(store, {"never": b"1"})

        assert 2 == store.purge(2)
        assert {"0", "1", "2", "later", "never"} == {*rows_of(alias)}
        assert [3, 0] == [store.purge(), store.purge()]
        assert {"later", "never"} == {*rows_of(alias)}

    @pytest.mark.parametrize("alias", ["postgres", "mariadb"], indirect=True)
    def test_purge_looks_again(self, alias, monkeypatch):
        """An entry that is renewed while a purge runs is kept."""
        run = connection.Connection.execute

        def renewing(ours, statement, parameters=None):
            found = run(ours, statement, parameters)
            if "ORDER BY expires" in statement:
                Record.objects.using(alias).filter(key=b"a").update(expires=2**40)
            return found

        put(DjangoStore(), dict.fromkeys("ab", b"1"), 100)
        Record.objects.using(alias).update(expires=1)
        monkeypatch.setattr(connection.Connection, "execute", renewing)

        assert 1 == DjangoStore().purge()
        assert {"a": 2**40} == rows_of(alias)

    def test_command(self, alias):
        """The command purges until no expired record is left, in the database of the routers or the given one."""
        for options in ({}, {"database": alias}):
            put(DjangoStore(), dict.fromkeys("abc", b"1"), 100)
            Record.objects.using(alias).update(expires=1)
            call_command("smsmfa_purge", **options, stdout=(said := StringIO()))
            assert "3 expired records deleted\n" == said.getvalue()
            assert {} == rows_of(alias)

    @pytest.mark.parametrize("limit", [0, -1])
    def test_purge_of_nothing(self, limit):
        """A limit below one is refused."""
        with pytest.raises(ValueError, match="at least 1"):
            DjangoStore().purge(limit)

    async def test_async(self, alias):
        """The store for asyncio creates the table, writes, reads, purges and closes, and works again afterwards."""
        store = AsyncDjangoStore()
        await store.create_schema()
        await store.ping()
        await store.update(["a", "b"], lambda _: ({"a": Entry(b"1", 100), "b": Entry(b"2")}, None))
        assert b"2" == await store.read("b")
        with pytest.raises(ValueError, match="at least 1"):
            await store.purge(0)
        assert 0 == await store.purge()
        await store.close()
        assert b"1" == await store.read("a")
        await store.close()


class Boom(Exception):
    """An error in a view after a code was checked."""


class Site:
    """A login with a view that checks a code, writes to the database, and fails."""

    factor = challenge = alias = None
    #: The first statement of the view.
    before = "SELECT 1"


def check(request):
    with connections[Site.alias].cursor() as cursor:
        cursor.execute(Site.before)
        try:
            Site.factor.verifier.verify("alice", Site.challenge.id, request.GET["code"])
        except CodeRejected:
            cursor.execute("INSERT INTO application VALUES (1)")
            raise Boom from None
    return HttpResponse()


urlpatterns = [path("check", check)]


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def site(request):
    """A site with ATOMIC_REQUESTS, whose user has a challenge."""
    database = {**request.getfixturevalue(request.param), "ATOMIC_REQUESTS": True, "CONN_MAX_AGE": 0}
    with project.known(database) as project.Router.alias, override_settings(ROOT_URLCONF=__name__):
        Record.objects.using(project.Router.alias).all().delete()
        Site.alias, Site.factor, Site.before = project.Router.alias, Factor(store=DjangoStore()), "SELECT 1"
        Site.factor.enrol()
        Site.challenge = Site.factor.verifier.challenge("alice")
        with connections[Site.alias].cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS application")
            cursor.execute("CREATE TABLE application (id integer)")
        yield Site
    project.Router.alias = None


class TestRequest:
    def test_later_failure(self, site):
        """R3: with ATOMIC_REQUESTS, a request that fails after a wrong code loses its own writes, but not the guess."""
        client, code = Client(), site.factor.outbox.code
        for _ in range(2):
            with pytest.raises(Boom):
                client.get("/check", {"code": wrong(code)})
        with connections[site.alias].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM application")
            assert (0,) == cursor.fetchone()

        assert 18 == site.factor.verifier.status("alice").guesses_left
        assert 200 == client.get("/check", {"code": code}).status_code
        rejected(site.factor.verifier.verify, "alice", site.challenge.id, code, error=CodeUsed)

    def test_request_that_has_written(self, site, impatient):
        """The same holds if the request has written before. In one SQLite file that fails, and the error says why."""
        site.before = "INSERT INTO application VALUES (1)"
        client, code = Client(), site.factor.outbox.code
        if connections[site.alias].vendor == "sqlite":
            with pytest.raises(StoreContention, match="a file of its own"):
                client.get("/check", {"code": code})
            site.before = "SELECT 1"
        else:
            with pytest.raises(Boom):
                client.get("/check", {"code": wrong(code)})
            assert 19 == site.factor.verifier.status("alice").guesses_left
        assert 200 == client.get("/check", {"code": code}).status_code

    @pytest.mark.parametrize("site", ["sqlite"], indirect=True)
    def test_request_that_has_read(self, site, impatient):
        """In one SQLite file an update waits even for a request that has only read, except with WAL."""
        site.before = "SELECT * FROM application"
        client, code = Client(), site.factor.outbox.code
        with pytest.raises(StoreContention, match="a file of its own"):
            client.get("/check", {"code": code})
        with connections[site.alias].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
        assert 200 == client.get("/check", {"code": code}).status_code

    def test_connections_of_a_request(self, site):
        """A request leaves no open connection."""
        Client().get("/check", {"code": site.factor.outbox.code})
        assert connection_to(site.alias)._wrapper is None


class TestTests:
    """Django's test cases, as users write them."""

    def test_test_case(self, alias):
        """In a TestCase, whose transaction would not see the store's writes, records are in memory."""

        class Case(TestCase):
            databases = {alias}

            def test_it(self):
                put(DjangoStore(), {"k": b"1"})
                assert b"1" == DjangoStore().read("k")
                DjangoStore().create_schema()
                DjangoStore().ping()
                assert 0 == DjangoStore().purge()

            async def test_async(self):
                store = AsyncDjangoStore()
                await store.create_schema()
                await store.ping()
                await store.update(["k"], lambda _: ({"k": Entry(b"1", 1000)}, None))
                assert 0 == await store.purge()
                await store.close()
                assert b"1" == await store.read("k")

        assert [] == project.outcome(Case)
        assert {} == rows_of(alias)

    def test_transaction_test_case(self, alias):
        """In a TransactionTestCase the store works, and leaves nothing behind."""

        class Case(TransactionTestCase):
            databases = {alias}
            available_apps = ["smsmfa.stores.django"]

            def test_it(self):
                put(DjangoStore(), {"k": b"1"})
                with transaction.atomic(using=alias):
                    assert b"1" == DjangoStore().read("k")

        assert [] == project.outcome(Case)
        assert {} == rows_of(alias)

    def test_simple_test_case(self, alias):
        """In a SimpleTestCase, which allows no database, the store cannot use one either."""

        class Case(SimpleTestCase):
            def test_it(self):
                DjangoStore().read("k")

        DjangoStore().close()
        [text] = project.outcome(Case)
        assert "not allowed in SimpleTestCase" in text


class TestFaults:
    def test_lost_again_and_again(self, alias, impatient):
        """An update that loses every race raises StoreContention in the end, and has changed nothing."""
        DjangoStore().ping()
        calls = []

        def change(values):
            calls.append(values)
            raise Undone(StoreContention("deadlock")) from StoreError("no")

        with pytest.raises(StoreContention, match="deadlock") as raised:
            DjangoStore().update(["k"], change)
        assert 1 < len(calls)
        assert isinstance(raised.value.__cause__, StoreError)
        assert {} == rows_of(alias)

    def test_no_value(self, alias):
        """A row without a value is an absent entry, whoever left it."""
        Record.objects.using(alias).create(key=b"k", value=None)
        assert DjangoStore().read("k") is None
        assert {} == DjangoStore().update(["k"], lambda values: ({"k": Entry(b"1")}, values))
        assert b"1" == DjangoStore().read("k")

    def test_error_page(self, alias, monkeypatch):
        """T12: an error report about an update shows no value in any frame."""
        store, vendor = DjangoStore(), connections[alias].vendor
        put(store, {"k": b"stored secret"})
        store.close()
        monkeypatch.setitem(connection.SQL, vendor, connection.SQL[vendor]._replace(replace="nonsense"))
        with pytest.raises(StoreError) as raised:
            put(store, {"k": b"written secret"})
        report = ExceptionReporter(None, StoreError, raised.value, raised.value.__traceback__)
        frames = [frame for frame in report.get_traceback_frames() if "smsmfa" in frame["filename"]]
        shown = {frame["function"]: frame["vars"] for frame in frames if "testing" not in frame["filename"]}

        assert {"update", "_run", "_update", "_write", "run"} <= shown.keys()
        assert "secret" not in str(shown)


COMMANDS = """
import django
django.setup()
from django.core.management import call_command
call_command("check")
call_command("makemigrations", "--check")
call_command("migrate", verbosity=0)
call_command("smsmfa_purge")
call_command("test", "mysite", interactive=False)
"""


def test_page(tmp_path):
    """The project in the documentation migrates, is purged, and passes its own tests."""
    page = (Path(__file__).parents[3] / "docs/how-to/stores/django.md").read_text(encoding="utf-8")
    for name, block in re.findall(r"^```python\n# (\w+/\w+\.py)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).with_name("__init__.py").touch()
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(block)
    secrets = dict.fromkeys(("DJANGO_SECRET_KEY", "SMSMFA_SECRET"), "only the tests of the documentation use this one")
    environment = os.environ | secrets | {"DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", COMMANDS]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert not done.returncode, done.stderr
    assert "0 expired records deleted\n" in done.stdout
    assert "Ran 1 test" in done.stderr


def test_without_django(monkeypatch):
    """Without Django, the import error says what to install."""
    monkeypatch.setitem(sys.modules, "django.apps", None)
    monkeypatch.delitem(sys.modules, "smsmfa.stores.django.store")
    with pytest.raises(ModuleNotFoundError) as missing:
        import_module("smsmfa.stores.django.store")

    assert 'smsmfa.stores.django needs Django: pip install "smsmfa[django]"' == str(missing.value)
