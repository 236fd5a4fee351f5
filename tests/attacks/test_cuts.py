"""A connection to a store's server that is cut at any byte of an answer lets nobody skip the second step."""

from contextlib import ExitStack, closing, suppress

import pytest
from services import POSTGRES, REDIS, postgres_database, redis_prefix
from support import OTHER_NUMBER, Factor, a_config

from smsmfa import ProofRequired, StoreError
from smsmfa.testing.stores.wire import Wire

#: How many bytes of an answer pass before the cut.
PASSING = [0, 1, 10, 30, 100]


def on_redis(stack):
    """Return the server's address, and a function that makes a store at an address."""
    redis = REDIS.driver()
    from smsmfa.stores import RedisStore

    prefix = stack.enter_context(redis_prefix())
    return REDIS.address, lambda at: RedisStore(redis.Redis.from_url(REDIS.at(at)), prefix=prefix)


def on_postgres(stack):
    """Return the server's address, and a function that makes a store at an address."""
    POSTGRES.driver()
    from psycopg_pool import ConnectionPool

    from smsmfa.stores import PostgresStore

    name = stack.enter_context(postgres_database())

    def make(at):
        pool = ConnectionPool(POSTGRES.at(at, database=name), open=True, min_size=1, max_size=1)
        stack.callback(pool.close)
        store = PostgresStore(pool)
        store.create_schema()
        return store

    return POSTGRES.address, make


@pytest.mark.parametrize("passing", PASSING)
@pytest.mark.parametrize("on", [on_redis, on_postgres])
def test_enrolled_user(on, passing):
    """T38, R26: if an answer is cut anywhere, an enrolled user never counts as one without numbers."""
    with ExitStack() as stack:
        address, make = on(stack)
        direct = Factor(a_config(), store=make(address))
        direct.enrol()
        wire = stack.enter_context(closing(Wire(address)))
        through = Factor(a_config(), store=make(wire.address), clock=direct.clock)
        seen, cut, number = [], True, 0
        while cut:
            wire.cut_at("answer", number, passing)
            with suppress(StoreError):
                seen.append(through.verifier.status("alice").enabled)
            cut = wire.cancel_cut()
            wire.cut_at("answer", number, passing)
            with pytest.raises((StoreError, ProofRequired)):
                through.enroller.start("alice", OTHER_NUMBER)
            cut |= wire.cancel_cut()
            number += 1

        assert {True} == set(seen)
        assert number > 1
        assert [] == through.outbox.messages
        assert direct.verifier.status("alice").enabled
