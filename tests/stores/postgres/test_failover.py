"""A fail-over to a synchronous standby loses nothing that was acknowledged."""

from contextlib import ExitStack

import psycopg
import pytest
from psycopg_pool import ConnectionPool
from stores.postgres.server import postgres_server
from stores.redis.server import wait_until

from smsmfa.stores import PostgresStore
from smsmfa.testing.stores.histories import HistoryChecks

pytestmark = pytest.mark.thorough


class Histories(HistoryChecks):
    time_limit = 120.0


@pytest.fixture
def pair():
    """A primary, and a standby for which it waits at each commit."""
    with postgres_server() as primary, postgres_server(primary) as standby:
        with psycopg.connect(primary.url, autocommit=True) as db:
            db.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            db.execute("SELECT pg_reload_conf()")
            wait_until(
                lambda: db.execute("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone()[0]
            )
        yield primary, standby


@pytest.fixture
def stores(pair):
    """Two stores that look for the primary of the pair."""
    ports = ",".join(str(server.port) for server in pair)
    url = f"postgresql://postgres@127.0.0.1,127.0.0.1/postgres?port={ports}&target_session_attrs=read-write"
    with ExitStack() as stack:
        pools = [stack.enter_context(ConnectionPool(url, reconnect_timeout=5, open=True)) for _ in range(2)]
        made = [PostgresStore(pool) for pool in pools]
        made[0].create_schema()
        yield made


def test_synchronous_standby(pair, stores):
    """The primary is killed and the standby promoted meanwhile, and one order still explains what was seen."""
    primary, standby = pair

    def fail_over():
        primary.stop()
        standby.promote()

    tried = Histories()
    for number in range(3):
        tried.history(stores, number)
    history = tried.history(stores, 3, meanwhile=fail_over)
    tried.history(stores, 4)

    assert "last" == history[-1].tag.partition(".")[0]
