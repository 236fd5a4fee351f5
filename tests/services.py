"""The servers that the tests use, and databases or key prefixes on them that are deleted afterwards.

Each server's address is in an environment variable. If the server is absent, its tests are skipped, or fail with
``SMSMFA_REQUIRE_SERVICES=1``.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

import pytest


def absent(why: str) -> NoReturn:
    """Skip the running test, or fail it with ``SMSMFA_REQUIRE_SERVICES=1``."""
    pytest.fail(why) if os.environ.get("SMSMFA_REQUIRE_SERVICES") == "1" else pytest.skip(why)


class Service:
    """A server.

    Args:
        name: its name in the messages of skipped tests.
        variable: the environment variable for its URL.
        default: the URL if the variable is not set.
        driver: the module that its tests connect with.
    """

    def __init__(self, name: str, variable: str, default: str, driver: str) -> None:
        self.name = name
        self.variable = variable
        self.url = os.environ.get(variable) or default
        self._driver = driver
        self._parts, self._default = urlsplit(self.url), urlsplit(default)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port."""
        return str(self._parts.hostname), int(self._parts.port or self._default.port or 0)

    @property
    def user(self) -> str:
        return self._parts.username or ""

    @property
    def password(self) -> str:
        return self._parts.password or ""

    def at(self, address: tuple[str, int] | None = None, *, database: str | None = None) -> str:
        """Return the server's URL with another address, such as a wire's, or another database."""
        host, port = address or self.address
        login = self._parts.netloc.rpartition("@")[0]
        path = self._parts.path if database is None else f"/{database}"
        return self._parts._replace(netloc=f"{login}@{host}:{port}" if login else f"{host}:{port}", path=path).geturl()

    def driver(self) -> ModuleType:
        """Return the driver. If it or the server is absent, skip or fail the running test."""
        if self._absence:
            absent(f"{self._absence}; set {self.variable}")
        return import_module(self._driver)

    @cached_property
    def _absence(self) -> str:
        try:
            import_module(self._driver)
            socket.create_connection(self.address, timeout=5).close()
        except (ImportError, OSError) as error:
            return f"no {self.name} for the tests at {':'.join(map(str, self.address))} ({error})"
        return ""


POSTGRES = Service(
    "PostgreSQL", "SMSMFA_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres", driver="psycopg"
)
MARIADB = Service("MariaDB", "SMSMFA_TEST_MARIADB", "mysql://root@127.0.0.1:3306/", driver="pymysql")
REDIS = Service("Redis", "SMSMFA_TEST_REDIS", "redis://127.0.0.1:6379/0", driver="redis")


@contextmanager
def postgres_database() -> Iterator[str]:
    """Create a database on PostgreSQL, yield its name for :meth:`Service.at`, and drop it with its connections."""
    name = _name()
    with POSTGRES.driver().connect(POSTGRES.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def mariadb_database() -> Iterator[str]:
    """Create a database on MariaDB, yield its name for :meth:`Service.at`, and drop it."""
    name, (host, port) = _name(), MARIADB.address
    connect = MARIADB.driver().connect
    with closing(connect(host=host, port=port, user=MARIADB.user, password=MARIADB.password)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            cursor.execute("SET lock_wait_timeout = 10")
            cursor.execute(f"DROP DATABASE {name}")


@contextmanager
def redis_prefix() -> Iterator[str]:
    """Yield a new prefix for keys on Redis, and delete every key that contains it afterwards."""
    prefix = _name()
    with closing(REDIS.driver().Redis.from_url(REDIS.url)) as client:
        try:
            yield prefix
        finally:
            for key in client.scan_iter(f"*{prefix}*", count=1000):
                client.delete(key)


def _name() -> str:
    return f"smsmfa_test_{uuid4().hex}"
