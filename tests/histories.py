"""Runs histories on a store until many updates were acknowledged, while connections are cut and servers killed.

``PYTHONPATH=tests python tests/histories.py postgres --updates 1000000``. One order must explain every history, as in
``smsmfa.testing.stores.histories``.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic

from stores.postgres.server import postgres_server
from stores.redis.server import redis_server

from smsmfa import AsyncMemoryStore, MemoryStore
from smsmfa.testing.stores.histories import _MOST_BYTES, _MOST_CHUNKS, HistoryChecks
from smsmfa.testing.stores.loop import Blocking
from smsmfa.testing.stores.wire import Wire

#: One history in so many has a cut, and one in so many a crash.
CUTS, CRASHES = 3, 300


class Trial(HistoryChecks):
    """A database to make stores of, and how to reach it and to make it crash."""

    time_limit = 120.0

    def __init__(self, make, address=None, crash=None):
        self.make, self.address, self.crash = make, address, crash

    def shut_store(self, store):
        pass  # its process ends soon

    def run(self, updates):
        """Run histories, and print how many updates were acknowledged."""
        done, begun = Counter(), monotonic()
        try:
            with ExitStack() as stack:
                direct = [self.make(self.address) for _ in range(2)]
                wire = stack.enter_context(closing(Wire(self.address))) if self.address else None
                through = [self.make(wire.address) for _ in range(2)] if wire else []
                while done["updates acknowledged"] < updates:
                    done["histories"] += 1
                    number = done["histories"]
                    if cut := wire is not None and number % CUTS == 0:
                        self.cut(wire, Random(number))
                    crash = self.crash if number % CRASHES == 0 else None
                    history = self.history(through if cut else direct, number, last=direct[0], meanwhile=crash)
                    done["cuts"] += bool(cut and wire.cancel_cut())
                    done["crashes"] += crash is not None
                    done.update(map(kind, history))
        finally:  # also if it is interrupted
            print(
                *(f"{count:,} {what}," for what, count in done.items()), f"in {monotonic() - begun:.0f} s", flush=True
            )

    def cut(self, wire, random):
        chunk, passing = random.randrange(_MOST_CHUNKS), random.randrange(_MOST_BYTES)
        wire.cut_at(random.choice(["question", "answer"]), chunk, passing, reset=random.random() < 0.5)


def kind(witness):
    if witness.ended is None:
        return "updates in doubt"
    return "updates that only looked" if {*witness.did.values()} == {"look"} else "updates acknowledged"


# --- the databases


@contextmanager
def memory() -> Iterator[Trial]:
    data = MemoryStore()
    yield Trial(lambda _: data)


@contextmanager
def async_memory() -> Iterator[Trial]:
    store = Blocking(AsyncMemoryStore)
    yield Trial(lambda _: store)


@contextmanager
def sqlite() -> Iterator[Trial]:
    from smsmfa.stores import SqliteStore

    with TemporaryDirectory() as folder:
        yield Trial(lambda _: SqliteStore(Path(folder, "factor.db")))


@contextmanager
def on_postgres(make) -> Iterator[Trial]:
    """A server that crashes as after a power cut. ``make`` makes a store of a URL without its scheme."""
    with postgres_server() as server:
        make(server.url.partition(":")[2]).create_schema()

        def crash():
            server.stop()
            server.start()

        yield Trial(lambda at: make(f"//postgres@{at[0]}:{at[1]}/postgres"), ("127.0.0.1", server.port), crash)


def postgres(url):
    from psycopg_pool import ConnectionPool

    from smsmfa.stores import PostgresStore

    return PostgresStore(ConnectionPool(f"postgresql:{url}", open=True))


def sqlalchemy(url):
    from sqlalchemy import create_engine

    from smsmfa.stores import SqlAlchemyStore

    return SqlAlchemyStore(create_engine(f"postgresql+psycopg:{url}"))


@contextmanager
def on_redis(make) -> Iterator[Trial]:
    """A server that writes each command to its disk, and is killed. ``make`` makes a store of a URL."""
    durable = "--appendonly", "yes", "--appendfsync", "always"
    with TemporaryDirectory() as folder, redis_server(Path(folder), *durable) as server:

        def crash():
            server.kill()
            server.start()

        yield Trial(lambda at: make(f"redis://{at[0]}:{at[1]}"), (server.host, server.port), crash)


def redis(url):
    from redis import Redis

    from smsmfa.stores import RedisStore

    return RedisStore(Redis.from_url(url))


def async_redis(url):
    from redis.asyncio import Redis

    from smsmfa.stores import AsyncRedisStore

    return Blocking(lambda: AsyncRedisStore(Redis.from_url(url)))


@contextmanager
def mariadb() -> Iterator[Trial]:
    from services import MARIADB
    from sqlalchemy import create_engine
    from stores.sqlalchemy.databases import at
    from stores.sqlalchemy.databases import mariadb as database

    from smsmfa.stores import SqlAlchemyStore

    with database() as url:
        yield Trial(lambda address: SqlAlchemyStore(create_engine(at(url, address))), MARIADB.address)


@contextmanager
def django() -> Iterator[Trial]:
    from services import POSTGRES
    from stores.django import project

    from smsmfa.stores.django import DjangoStore

    with project.on_postgres() as database:
        yield Trial(
            lambda at: DjangoStore(using=project.add({**database, "HOST": at[0], "PORT": str(at[1])})),
            POSTGRES.address,
        )


DATABASES = {
    "memory": memory,
    "async-memory": async_memory,
    "sqlite": sqlite,
    "postgres": lambda: on_postgres(postgres),
    "sqlalchemy-postgres": lambda: on_postgres(sqlalchemy),
    "sqlalchemy-mariadb": mariadb,
    "redis": lambda: on_redis(redis),
    "async-redis": lambda: on_redis(async_redis),
    "django-postgres": django,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stores", nargs="+", choices=DATABASES)
    parser.add_argument("--updates", type=int, default=1_000_000, help="how many acknowledged updates of each store")
    given = parser.parse_args()
    for name in given.stores:
        print(f"{name}: ", end="", flush=True)
        with DATABASES[name]() as trial:
            trial.run(given.updates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
