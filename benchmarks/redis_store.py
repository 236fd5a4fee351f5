"""One challenge and one check on Redis, compared with the same commands through redis-py."""

import os
import random
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from uuid import uuid4

from cycle import logging_in
from harness import LONG, Batch, Row, Size, Timings

from smsmfa.core.records import number_key, user_key

URL = os.environ.get("SMSMFA_TEST_REDIS") or "redis://127.0.0.1:6379/0"
WHAT = "Redis: challenge + verify / GET, MGET and MSET by redis-py"


def measure(size: Size) -> list[Row]:
    """Time cycles with and without remembered values. Without a server return no rows."""
    try:
        from redis import Redis
        from redis.exceptions import RedisError
    except ImportError as error:
        return left_out(error)
    client = Redis.from_url(URL)
    try:
        durability(client)
    except RedisError as error:
        return left_out(error)
    prefix = f"smsmfa_bench_{uuid4().hex}"
    with closing(client):
        try:
            return rows(client, prefix, size)
        finally:
            for key in client.scan_iter(f"*{prefix}*", count=1000):
                client.delete(key)


def left_out(error: Exception) -> list[Row]:
    print(f"Redis is left out: {error}", file=sys.stderr)
    return []


def rows(client: Any, prefix: str, size: Size) -> list[Row]:
    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    with closing(store(client, prefix)) as warm, closing(store(client, f"{prefix}_")) as cold:
        cold._hints.recall = lambda names: None
        sides = {"warm": logging_in(users, warm), "cold": logging_in(users, cold), "bare": bare(client, warm, users)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns, least=LONG)
    mode = f"{durability(client)}, {len(users)} users"
    return [
        timings.ratio(f"{WHAT}, nothing remembered ({mode})", "cold", "bare", bar=1.4, stretch=1.2),
        timings.ratio(f"{WHAT} ({mode})", "warm", "bare", bar=1.4, stretch=0.9),
    ]


def store(client: Any, prefix: str) -> Any:
    from smsmfa.stores.redis import RedisStore

    return RedisStore(client, prefix=prefix)


def bare(client: Any, store: Any, users: Sequence[str]) -> Batch:
    """Return a batch of the reads and writes of a cycle, on copies of real records, without comparison or expiry."""
    records = []
    for number, user in enumerate(users, 2_000_000):
        keys = user_key(user), number_key(int(f"1415{number}"))
        records.append({f"{{{store!r}}}{key}": store.read(key) for key in keys})
    for record in records:
        client.mset(record)

    def batch() -> None:
        for record in records:
            user, number = record
            client.get(user)
            client.mget(user, number)
            client.mset(record)
            client.mget(user)
            client.mset({user: record[user]})

    return batch


def durability(client: Any) -> str:
    persistence = client.info("persistence")
    if not persistence["aof_enabled"]:
        return "appendonly no"
    return f"appendfsync {client.config_get('appendfsync')['appendfsync']}"
