"""Classes for threads and their twins for asyncio: one text, one behaviour, one set of records."""

import ast
import asyncio
from inspect import getsource, iscoroutinefunction, signature
from textwrap import dedent

import pytest
from support import NUMBER, OTHER_NUMBER, AsyncOutbox, Factor, a_config, wrong

import smsmfa
from smsmfa import (
    AsyncEnroller,
    AsyncMemoryStore,
    AsyncRateLimiter,
    AsyncTwilioSender,
    AsyncVerifier,
    CodeRejected,
    CodeUsed,
    DeliveryRejected,
    Enroller,
    Limit,
    MemoryStore,
    RateLimiter,
    TwilioSender,
    Verifier,
)
from smsmfa.core.shell import AsyncShell, Shell
from smsmfa.senders.apprise import AppriseSender, AsyncAppriseSender
from smsmfa.senders.aws import AsyncAwsSender, AwsSender
from smsmfa.senders.failover import AsyncFailoverSender, FailoverSender
from smsmfa.senders.http import AsyncHttpSender, HttpSender
from smsmfa.senders.sns import AsyncSnsSender, SnsSender
from smsmfa.stores.encrypted import AsyncEncryptedStore, EncryptedStore
from smsmfa.stores.postgres import AsyncPostgresStore, PostgresStore
from smsmfa.stores.postgres.connection import AsyncConnection, Connection
from smsmfa.stores.postgres.pool import AsyncPool, Pool
from smsmfa.stores.redis import AsyncRedisStore, RedisStore
from smsmfa.stores.redis import connection as redis
from smsmfa.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from smsmfa.web.account import AccountPages, AsyncAccountPages
from smsmfa.web.api import Api, AsyncApi
from smsmfa.web.step import AsyncSecondStep, SecondStep

TWINS = [
    (Enroller, AsyncEnroller),
    (Verifier, AsyncVerifier),
    (Shell, AsyncShell),
    (RateLimiter, AsyncRateLimiter),
    (FailoverSender, AsyncFailoverSender),
    (EncryptedStore, AsyncEncryptedStore),
    (PostgresStore, AsyncPostgresStore),
    (Pool, AsyncPool),
    (Connection, AsyncConnection),
    (RedisStore, AsyncRedisStore),
    (redis.Connection, redis.AsyncConnection),
    (redis.ClusterConnection, redis.AsyncClusterConnection),
    (TwilioSender, AsyncTwilioSender),
    (HttpSender, AsyncHttpSender),
    (AwsSender, AsyncAwsSender),
    (SnsSender, AsyncSnsSender),
    (AppriseSender, AsyncAppriseSender),
    (SqlAlchemyStore, AsyncSqlAlchemyStore),
    (SecondStep, AsyncSecondStep),
    (AccountPages, AsyncAccountPages),
    (Api, AsyncApi),
]
PUBLIC = [name for name in smsmfa.__all__ if name.startswith("Async")]


class Plain(ast.NodeTransformer):
    """Takes ``async``, ``await``, the prefix ``Async`` and docstrings out of a syntax tree."""

    def visit_ClassDef(self, node):
        node.name = node.name.removeprefix("Async")
        return self._without_docstring(node)

    def visit_FunctionDef(self, node):
        return self._without_docstring(node)

    def visit_AsyncFunctionDef(self, node):
        return self._without_docstring(ast.FunctionDef(**{name: getattr(node, name, None) for name in node._fields}))

    def visit_Await(self, node):
        return self.visit(node.value)

    def visit_AsyncWith(self, node):
        return self.generic_visit(ast.With(**{name: getattr(node, name, None) for name in node._fields}))

    def visit_Name(self, node):
        node.id = node.id.removeprefix("Async")
        return node

    def _without_docstring(self, node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def plain(cls):
    """Return the text of a class without ``async``, ``await`` and docstrings."""
    tree = Plain().visit(ast.parse(dedent(getsource(cls))))
    return ast.unparse(ast.fix_missing_locations(tree))


def methods(cls):
    """Return the public methods of a class."""
    return {name: value for name, value in vars(cls).items() if callable(value) and not name.startswith("_")}


@pytest.mark.parametrize("cls, twin", TWINS)
def test_same_text(cls, twin):
    """The twins have the same text except for ``async``, ``await`` and the prefix."""
    assert plain(cls).splitlines() == plain(twin).splitlines()


def test_text_can_differ():
    """The comparison sees a difference of one name, and of one missing call."""

    class One:
        def method(self):
            """Do it."""
            return self.a()

    class AsyncOne:
        async def method(self):
            """Like it."""
            return await self.a()

    class AsyncTwo:
        async def method(self):
            return await self.b()

    assert plain(One) == plain(AsyncOne)
    assert plain(One) != plain(AsyncTwo).replace("Two", "One")


@pytest.mark.parametrize("name", PUBLIC)
def test_same_methods(name):
    """Each public class for asyncio has the methods of its sibling, with the same arguments, as coroutine functions."""
    twin, cls = getattr(smsmfa, name), getattr(smsmfa, name.removeprefix("Async"))
    own, others = methods(twin), methods(cls)

    assert [(name, [*signature(one).parameters.values()]) for name, one in others.items()] == [
        (name, [*signature(one).parameters.values()]) for name, one in own.items()
    ]
    assert [True] * len(own) == [iscoroutinefunction(method) for method in own.values()]
    assert [False] * len(others) == [iscoroutinefunction(method) for method in others.values()]


class Yielding:
    """A store for asyncio that lets other tasks run before and after each step."""

    def __init__(self):
        self.store = MemoryStore()

    async def read(self, key):
        await asyncio.sleep(0)
        return self.store.read(key)

    async def update(self, keys, change):
        await asyncio.sleep(0)
        outcome = self.store.update(keys, change)
        await asyncio.sleep(0)
        return outcome


@pytest.fixture
def world():
    """An enroller, a verifier and an outbox for asyncio, over a store that yields."""
    shared = a_config(), Yielding(), AsyncOutbox()
    return AsyncEnroller(*shared), AsyncVerifier(*shared), shared[2]


async def test_end_to_end(world):
    """A user enrols, logs in, fails, recovers, changes the number and leaves, all on an event loop."""
    enroller, verifier, outbox = world
    pending = await enroller.start("alice", NUMBER)
    enrollment = await enroller.confirm("alice", pending.id, outbox.code)
    challenge = await verifier.challenge("alice")
    with pytest.raises(CodeRejected) as rejected:
        await verifier.verify("alice", challenge.id, wrong(outbox.code))
    assert 4 == rejected.value.attempts_left
    assert "sms" == (await verifier.verify("alice", challenge.id, outbox.code)).method
    proof = await verifier.recover("alice", enrollment.recovery_codes[0])
    assert 1 == len(await enroller.new_recovery_codes("alice", proof=proof.token))
    pending = await enroller.start("alice", OTHER_NUMBER, proof=proof.token)
    changed = await enroller.confirm("alice", pending.id, outbox.code)
    status = await verifier.status("alice")
    assert ((changed.phone,), 19) == (status.phones, status.guesses_left)
    await verifier.unlock("alice")
    assert 20 == (await verifier.status("alice")).guesses_left
    await enroller.remove("alice", changed.phone.id, proof=changed.verification.token)
    await enroller.reset("alice")

    assert not (await verifier.status("alice")).enrolled


async def test_tasks(world):
    """R3, T4: of many tasks with the right code one is let in, and of many that ask for a code one sends it."""
    enroller, verifier, outbox = world
    pending = await enroller.start("alice", NUMBER)
    await enroller.confirm("alice", pending.id, outbox.code)
    challenges = await asyncio.gather(*(verifier.challenge("alice") for _ in range(20)))
    calls = (verifier.verify("alice", challenges[0].id, outbox.code) for _ in range(20))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert ({challenges[0].id}, 1) == ({challenge.id for challenge in challenges}, sum(one.sent for one in challenges))
    assert 2 == outbox.calls
    assert [CodeUsed] * 19 == [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)]


async def test_rejected(world):
    """A message that certainly did not go out is given back on an event loop too."""
    enroller, verifier, outbox = world
    outbox.outcomes = [DeliveryRejected("no such number")]
    with pytest.raises(DeliveryRejected):
        await enroller.start("alice", NUMBER)

    assert 10 == (await verifier.status("alice")).sends_left


async def test_cancelled(world):
    """T24: a task that is cancelled while its message is on the way leaves the code good and the charge in place."""
    enroller, verifier, outbox = world
    arrived, send = asyncio.Event(), outbox.send

    async def hang(message):
        await send(message)
        arrived.set()
        await asyncio.Event().wait()

    outbox.send = hang
    task = asyncio.create_task(enroller.start("alice", NUMBER))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    status = await verifier.status("alice")

    assert 9 == status.sends_left
    assert await enroller.confirm("alice", status.challenges[0].id, outbox.code)


async def test_shared_records():
    """Threads and tasks work on the same records: what one begins the other can end."""
    factor = Factor()
    factor.enrol()
    shared = factor.config, AsyncMemoryStore(factor.store), AsyncOutbox()
    verifier = AsyncVerifier(*shared, clock=factor.clock)
    challenge = factor.verifier.challenge("alice")
    again = await verifier.challenge("alice")

    assert (challenge.id, False) == (again.id, again.sent)
    assert await verifier.verify("alice", challenge.id, factor.outbox.code)


async def test_limiter():
    """The limiter for asyncio takes from the same buckets as its sibling."""
    store = MemoryStore()
    limiter, twin = RateLimiter(store, Limit(2, None)), AsyncRateLimiter(AsyncMemoryStore(store), Limit(2, None))
    limiter.take("key")

    assert [True, False] == [(await twin.take("key")).allowed for _ in range(2)]
    await twin.give_back("key")
    assert (1, 1) == ((await twin.peek("key")).remaining, limiter.peek("key").remaining)
    await twin.reset("key")
    assert 2 == limiter.peek("key").remaining
