"""What is refused of a database: at its first use, by each ping, and by Django's commands."""

from contextlib import contextmanager

import pytest
from django.db import connections
from services import mariadb_database
from stores.django import project as project

from smsmfa import ConfigurationError, StoreError
from smsmfa.stores.django import DjangoStore
from smsmfa.stores.django.checks import check_tables
from smsmfa.stores.django.connection import Connection
from smsmfa.testing.stores.suite import put


@contextmanager
def counted(monkeypatch):
    """Yield a list that receives the first word of each statement of stores."""
    run, said = Connection.execute, []

    def counting(ours, statement, parameters=None):
        said.append(statement.split()[0])
        return run(ours, statement, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "execute", counting)
        yield said


def alter(alias, statement):
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


def refused(alias, said):
    """Check that every call on a database is refused, and ping() too if the database was good before."""
    store = DjangoStore(using=alias)
    with pytest.raises(ConfigurationError, match=said):
        store.ping()
    for call in (lambda: store.read("a"), lambda: put(store, {"a": b"1"}), store.purge):
        with pytest.raises(ConfigurationError, match=said):
            call()


@pytest.fixture
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


class TestOnce:
    def test_good(self, sqlite, postgres, mariadb, monkeypatch):
        """A database that was found good is checked again only by ping()."""
        for database in (sqlite, postgres, mariadb):
            with project.known(database) as alias:
                store = DjangoStore(using=alias)
                store.read("a")
                with counted(monkeypatch) as said:
                    store.read("a")
                assert ["SELECT"] == said

    def test_absent(self, monkeypatch):
        """While the table is absent, it is looked for again at each use."""
        with mariadb_database() as name, project.known(project.mariadb_settings(name)) as alias:
            store = DjangoStore(using=alias)
            for _ in range(2):
                with counted(monkeypatch) as said, pytest.raises(StoreError, match="smsmfa_record"):
                    store.read("a")
                assert ["SELECT", "SELECT"] == said[-2:]


class TestMariadb:
    @pytest.mark.parametrize(
        "change, said",
        [("ENGINE = MyISAM", "InnoDB"), ("ENGINE = Aria", "InnoDB"), ("MODIFY `key` VARCHAR(250)", "varbinary")],
    )
    def test_table(self, mariadb, change, said):
        """A table without transactions, or whose keys have a collation, is refused until it is fixed."""
        with project.known(mariadb) as alias:
            alter(alias, f"ALTER TABLE smsmfa_record {change}")
            refused(alias, said)
            alter(alias, "ALTER TABLE smsmfa_record ENGINE = InnoDB, MODIFY `key` VARBINARY(250)")
            put(DjangoStore(using=alias), {"a": b"1"})
            alter(alias, f"ALTER TABLE smsmfa_record {change}")
            refused(alias, said)
            alter(alias, "ALTER TABLE smsmfa_record ENGINE = InnoDB, MODIFY `key` VARBINARY(250)")

    def test_migrated_without_transactions(self):
        """If tables are created without transactions, even the migration's own is refused immediately."""
        myisam = {"init_command": "SET default_storage_engine = MyISAM"}
        with mariadb_database() as name, project.known(project.mariadb_settings(name, **myisam)) as alias:
            with pytest.raises(ConfigurationError, match="InnoDB"):
                DjangoStore(using=alias).create_schema()
            refused(alias, "InnoDB")


class TestPostgres:
    def test_unlogged(self, postgres):
        """A table that a crash empties is refused until it is fixed."""
        with project.known(postgres) as alias:
            alter(alias, "ALTER TABLE smsmfa_record SET UNLOGGED")
            refused(alias, "UNLOGGED")
            alter(alias, "ALTER TABLE smsmfa_record SET LOGGED")
            DjangoStore(using=alias).read("a")

    def test_keys(self, postgres):
        """A table whose keys are padded with blanks, which makes some of them equal, is refused."""
        with project.known(postgres) as alias, connections[alias].cursor() as cursor:
            cursor.execute("ALTER TABLE smsmfa_record ALTER key TYPE char(250) USING encode(key, 'escape')")
            refused(alias, "key is character instead of bytea")


class TestSqlite:
    @pytest.mark.parametrize("setting", ["synchronous = OFF", "journal_mode = OFF", "journal_mode = MEMORY"])
    def test_no_durability(self, sqlite, setting):
        """A file that a power cut may destroy is refused."""
        with project.known({**sqlite, "OPTIONS": {"init_command": f"PRAGMA {setting}"}}) as alias:
            refused(alias, setting.split()[0])

    @pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
    def test_journals_on_the_disk(self, sqlite, journal):
        """A file whose journal is on the disk is accepted."""
        with project.known({**sqlite, "OPTIONS": {"init_command": f"PRAGMA journal_mode = {journal}"}}) as alias:
            DjangoStore(using=alias).ping()


class TestCommands:
    """What ``migrate`` and ``check --database`` check."""

    def test_good(self, sqlite, postgres, mariadb):
        """A table that fits is no error, and neither is an absent one."""
        for database in (sqlite, postgres, mariadb):
            with project.known(database) as alias, project.routed(alias):
                assert [] == check_tables(databases=[alias])
        assert [] == check_tables(databases=["default"])

    def test_bad(self, sqlite):
        """A table that does not fit is an error that names the database."""
        with project.known(sqlite) as alias, project.routed(alias):
            alter(alias, "ALTER TABLE smsmfa_record RENAME COLUMN expires TO later")
            [error] = check_tables(databases=[alias])

        assert "smsmfa.E001" == error.id
        assert error.msg.startswith(f"{alias}: the table smsmfa_record does not fit DjangoStore")

    def test_not_checked(self, sqlite, monkeypatch):
        """Without databases, on another kind of database, or if a router forbids the app, nothing is checked."""
        unknown = {"ENGINE": "django.db.backends.dummy", "OPTIONS": {}}
        with project.known(sqlite) as alias, project.known(unknown) as other:
            alter(alias, "ALTER TABLE smsmfa_record RENAME COLUMN expires TO later")
            assert [[], []] == [check_tables(databases=databases) for databases in (None, [other])]
            monkeypatch.setattr(project.Router, "allow_migrate", lambda *_, **__: False, raising=False)
            assert [] == check_tables(databases=[alias])
