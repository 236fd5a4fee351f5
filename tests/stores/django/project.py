"""A Django project for the tests. A process has only one, so databases are added to it.

Importing this module sets Django up. The settings of a database can be pickled, so that another process can add it with
:func:`add`.
"""

import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
import pymysql
from django.conf import settings
from django.core import mail
from django.db import connections
from services import MARIADB, POSTGRES, mariadb_database, postgres_database

pymysql.install_as_MySQLdb()

Settings = dict[str, Any]
_PERSISTENT = {"CONN_MAX_AGE": None}


class Router:
    """Sends the app to the database that the test chooses."""

    alias: str | None = None
    #: The database for everything else.
    others: str | None = None
    reads: str | None = None

    def db_for_write(self, model: Any, **hints: object) -> str | None:
        return Router.alias if model._meta.app_label == "smsmfa" else Router.others

    def db_for_read(self, model: Any, **hints: object) -> str | None:
        return Router.reads or self.db_for_write(model)


def outcome(case: type[unittest.TestCase]) -> list[str]:
    """Run Django's test case, and return the text of each error, or "nothing ran"."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    vars(mail).pop("outbox", None)  # Django's sign that tests are running
    return [text for _, text in [*result.errors, *result.failures]] if result.testsRun else ["nothing ran"]


def set_up() -> None:
    """Set Django up once."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="a secret of the tests",
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DATABASE_ROUTERS=["stores.django.project.Router"],
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "smsmfa.stores.django",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGGING_CONFIG=None,
        ROOT_URLCONF=None,
        STATIC_URL="/static/",
        USE_TZ=True,
    )
    django.setup()
    for backend in ("mysql", "postgresql", "sqlite3"):  # so that a forked process need not do it
        import_module(f"django.db.backends.{backend}.base")


def add(database: Settings) -> str:
    """Add a database to the project, and return its alias."""
    alias = f"db_{uuid4().hex}"
    filled = connections.configure_settings({"default": {}, alias: {**database, "OPTIONS": {**database["OPTIONS"]}}})
    connections.settings[alias] = filled[alias]
    return alias


def forget(alias: str) -> None:
    """Close this thread's connections to a database, and remove it from the project."""
    from smsmfa.stores.django.connection import _thread

    for kept in (_thread.connections.pop(alias, None), connections[alias]):
        if kept is not None:
            getattr(kept, "drop", connections[alias].close)()
    del connections[alias]
    del connections.settings[alias]


@contextmanager
def routed(alias: str, *, others: str | None = None) -> Iterator[str]:
    """Send the app to one database, and all other apps to the same or another one."""
    Router.alias, Router.others = alias, others or alias
    try:
        yield alias
    finally:
        Router.alias = Router.others = None


@contextmanager
def known(database: Settings) -> Iterator[str]:
    """Add a database to the project, and remove it at the end."""
    alias = add(database)
    try:
        yield alias
    finally:
        forget(alias)


def sqlite_settings(path: Path, **options: Any) -> Settings:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options, **_PERSISTENT}


def postgres_settings(name: str, address: tuple[str, int] = POSTGRES.address, **options: Any) -> Settings:
    return _server("postgresql", POSTGRES, name, address, options)


def mariadb_settings(name: str, **options: Any) -> Settings:
    return _server("mysql", MARIADB, name, MARIADB.address, options)


def _server(engine: str, service: Any, name: str, address: tuple[str, int], options: Settings) -> Settings:
    login = {"USER": service.user, "PASSWORD": service.password, "HOST": address[0], "PORT": str(address[1])}
    return {"ENGINE": f"django.db.backends.{engine}", "NAME": name, "OPTIONS": options, **login, **_PERSISTENT}


@contextmanager
def on_postgres(**options: Any) -> Iterator[Settings]:
    """Create a database on PostgreSQL with the store's table, and drop it."""
    with postgres_database() as name:
        yield _migrated(postgres_settings(name, **options))


@contextmanager
def on_mariadb(**options: Any) -> Iterator[Settings]:
    """Create a database on MariaDB with the store's table, and drop it."""
    with mariadb_database() as name:
        yield _migrated(mariadb_settings(name, **options))


def _migrated(database: Settings) -> Settings:
    from smsmfa.stores.django import DjangoStore

    with known(database) as alias:
        DjangoStore(using=alias).create_schema()
    return database


def on_sqlite(path: Path, **options: Any) -> Settings:
    """Create a SQLite file with the store's table."""
    return _migrated(sqlite_settings(path, **options))


set_up()
