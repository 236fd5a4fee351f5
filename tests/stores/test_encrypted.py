"""The encrypted store: the test kit over three stores, what a dump shows, what is refused, and key rotation."""

import asyncio
import copy
import pickle
import re
import sqlite3
from base64 import b64encode
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

import pytest
import redis
import redis.asyncio
from services import REDIS, redis_prefix
from stores.hammer import Hammer
from support import NUMBER, OTHER_NUMBER, Awaited, Coroutines, Factor, a_config, rejected, shown, wrong

import smsmfa
from smsmfa import AsyncMemoryStore, CodeRejected, ConfigurationError, Limit, MemoryStore, RateLimiter, StoreError
from smsmfa.core.records import number_key, user_key
from smsmfa.stores.encrypted import AsyncEncryptedStore, EncryptedStore
from smsmfa.stores.redis import AsyncRedisStore, RedisStore
from smsmfa.stores.sealing import MARK
from smsmfa.stores.sqlite import AsyncSqliteStore, SqliteStore
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.suite import increment, look, put
from smsmfa.typing import Entry

KEY = "the key of these tests is 9Qv3 and long enough"
OLDER = "an older key of these tests is Mz61 and long enough"
NAME_KEY = "the name key of these tests is Tt85 and long enough"


def encrypted(store, *keys, name_key=NAME_KEY):
    """Return an encrypted store that is not prepared yet."""
    return EncryptedStore(store, keys or KEY, name_key=name_key)


def prepared(store, *keys):
    """Return an encrypted store that is prepared."""
    store = encrypted(store, *keys)
    store.prepare()
    return store


async def async_prepared(store):
    store = AsyncEncryptedStore(store, KEY, name_key=NAME_KEY)
    await store.prepare()
    return store


# --- the test kit over three kinds of store


class Wrapping:
    """A suite of encrypted stores, which closes the wrapped store."""

    shared = True
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2

    def close_store(self, store):
        return store._store.close()


class OverMemory(Wrapping):
    """Two encrypted stores wrap the same store."""

    @pytest.fixture(autouse=True)
    def _wrapped(self):
        self.wrapped = MemoryStore()

    def close_store(self, store):
        pass


class TestOverMemory(OverMemory, StoreConformance):
    def make_store(self):
        return prepared(self.wrapped)


class TestAsyncOverMemory(OverMemory, AsyncStoreConformance):
    async def make_store(self):
        return await async_prepared(AsyncMemoryStore(self.wrapped))


class OnFile(Wrapping):
    processes = True
    kills = 25

    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "factor.db"

    def disturb(self):
        with closing(SqliteStore(self.path)) as store:
            store.purge()


@pytest.mark.thorough
class TestOverSqlite(OnFile, Hammer, StoreConformance):
    fork = True

    def make_store(self):
        return prepared(SqliteStore(self.path))


@pytest.mark.thorough
class TestAsyncOverSqlite(OnFile, AsyncStoreConformance):
    async def make_store(self):
        return await async_prepared(AsyncSqliteStore(self.path))


class OnRedis(Wrapping):
    processes = True
    server = REDIS.address
    kills = 25

    @pytest.fixture(autouse=True)
    def _prefix(self):
        with redis_prefix() as self.prefix:
            yield

    def disturb(self):
        with redis.Redis.from_url(REDIS.url) as client:
            client.script_flush()


@pytest.mark.thorough
class TestOverRedis(OnRedis, Hammer, StoreConformance):
    fork = True

    def make_store(self):
        return prepared(RedisStore(redis.Redis.from_url(REDIS.url), prefix=self.prefix))

    def make_store_at(self, host, port):
        return prepared(RedisStore(redis.Redis.from_url(REDIS.at((host, port))), prefix=self.prefix))


@pytest.mark.thorough
class TestAsyncOverRedis(OnRedis, AsyncStoreConformance):
    async def make_store(self):
        return await async_prepared(AsyncRedisStore(redis.asyncio.Redis.from_url(REDIS.url), prefix=self.prefix))

    async def make_store_at(self, host, port):
        client = redis.asyncio.Redis.from_url(REDIS.at((host, port)))
        return await async_prepared(AsyncRedisStore(client, prefix=self.prefix))


# --- what a dump shows


class Watched(MemoryStore):
    """A store that records every call and every value it was given."""

    def __init__(self):
        super().__init__()
        self.asked, self.dumped = [], []

    def read(self, key):
        self.asked.append(("read", key))
        return super().read(key)

    def update(self, keys, change):
        self.asked.append(("update", *keys))

        def watched(values):
            writes, outcome = change(values)
            self.dumped += [(key, entry.value, entry.keep_for) for key, entry in writes.items() if entry]
            return writes, outcome

        return super().update(keys, watched)


def lived_in(store):
    """Enrol two users with one number, let one of them do everything there is, and return the factor."""
    factor = Factor(a_config(max_phones=2, recovery_codes=3, limits=smsmfa.Limits(total=Limit(100, None))), store=store)
    factor.enrol("bob")
    first = factor.enrol("alice")
    challenge = factor.verifier.challenge("alice")
    rejected(factor.verifier.verify, "alice", challenge.id, wrong(factor.outbox.code))
    proof = factor.verifier.verify("alice", challenge.id, factor.outbox.code)
    factor.enrol("alice", OTHER_NUMBER, proof=proof.token)
    factor.verifier.recover("alice", first.recovery_codes[0])
    factor.verifier.challenge("alice", purpose="payment", details={"_payee": "Ann Example"})
    RateLimiter(store, Limit(2, None)).take("192.0.2.1")
    return factor


def forms(text):
    """Return the forms in which a text may stand in a dump: as it is, hashed, and each in hexadecimal and base 64."""
    raw = text if isinstance(text, bytes) else text.encode()
    for form in (raw, sha256(raw).digest()):
        yield from (form, form.hex().encode(), form.hex().upper().encode(), b64encode(form)[:20])


def secrets_of(factor):
    """Return what nobody may find: users, numbers, codes, ids, details, keys, and what records begin with."""
    for number in (NUMBER, OTHER_NUMBER):
        yield from (
            number,
            number[1:],
            number[2:],
            int(number[1:]).to_bytes(8, "big").lstrip(b"\0"),
            number_key(int(number[1:])),
        )
    for user in ("alice", "bob"):
        yield from (user, user_key(user))
    for message in factor.outbox.messages:
        yield from (message.code.reveal(), message.challenge_id)
    yield from (
        "payment",
        "login",
        "payee",
        "Ann Example",
        "192.0.2.1",
        "t:total",
        "MOBILE",
        "FIXED_LINE_OR_MOBILE",
    )
    yield from (KEY, NAME_KEY)


def test_dump():
    """R31, T10: nothing that was ever stored contains a user, a number, a code, an id or a plain hash of one."""
    wrapped = Watched()
    factor = lived_in(prepared(wrapped))
    dump = b"\n".join(key.encode() + b" " + value for key, value, _ in wrapped.dumped)

    assert len(wrapped.dumped) > 20
    assert [] == [secret for secret in secrets_of(factor) for form in forms(secret) if len(form) > 4 and form in dump]


def test_dump_in_clear():
    """The same search finds users, numbers, ids and keys if nothing is encrypted."""
    wrapped = Watched()
    factor = lived_in(wrapped)
    dump = b"\n".join(key.encode() + b" " + value for key, value, _ in wrapped.dumped)
    found = {secret for secret in secrets_of(factor) for form in forms(secret) if len(form) > 4 and form in dump}

    assert {user_key("alice"), number_key(int(NUMBER[1:])), "alice", "payment", "t:total", "192.0.2.1"} <= found
    assert int(NUMBER[1:]).to_bytes(8, "big").lstrip(b"\0") in found


def test_rows_are_alike():
    """R31: users, numbers, the total and a limiter's bucket look alike; a busy user takes one step of length more."""
    wrapped = Watched()
    store = prepared(wrapped)
    lived_in(store)
    busy = store._sealer.name(user_key("alice"))
    rows = [row for row in wrapped.dumped if row[0] != MARK]

    assert {43} == {len(key) for key, _, _ in rows}
    assert {545} == {len(value) for key, value, _ in rows if key != busy}
    assert {545, 1057} >= {len(value) for key, value, _ in rows if key == busy}
    assert 1 == len({value[:5] for _, value, _ in rows})
    assert not [key for key, _, _ in rows if re.match("[a-z]:", key)]


def test_file(tmp_path):
    """R31: the files of a SQLite store, including its log, contain none of it either."""
    with closing(SqliteStore(tmp_path / "factor.db")) as wrapped:
        factor = lived_in(prepared(wrapped))
        dump = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert len(dump) > 10_000
    assert [] == [secret for secret in secrets_of(factor) for form in forms(secret) if len(form) > 5 and form in dump]


# --- what is passed to the wrapped store


def test_calls_are_passed_on():
    """Each call makes one call of the wrapped store with as many keys; the first also reads the mark."""
    wrapped = Watched()
    prepared(wrapped)
    store = encrypted(wrapped)
    wrapped.asked.clear()
    store.read("a")
    store.update(["a", "b"], increment("a", "b"))
    store.update([], lambda _: ({}, None))
    a, b = store._sealer.name("a"), store._sealer.name("b")

    assert [("read", MARK), ("read", a), ("update", a, b), ("update",)] == wrapped.asked


@pytest.mark.parametrize("keep_for", [None, 0, 1, 60, 10**11])
def test_keep_for(keep_for):
    """An expiry is passed on, and a deletion deletes."""
    wrapped = Watched()
    store = prepared(wrapped)
    put(store, {"k": b"1"}, keep_for)

    assert keep_for == wrapped.dumped[-1][2]
    store.update(["k"], lambda _: ({"k": None}, None))
    assert wrapped.read(store._sealer.name("k")) is None


def test_as_many_sealed_as_written(monkeypatch):
    """A challenge unseals three values and seals two; a check one each; a refusal that changes nothing seals none."""
    store = prepared(MemoryStore())
    factor, counts = Factor(store=store), []
    factor.enrol()
    for name in ("seal", "unseal"):
        method = getattr(store._sealer, name)
        monkeypatch.setattr(
            store._sealer, name, lambda *given, name=name, call=method: counts.append(name) or call(*given)
        )

    def counted(call, *given):
        counts.clear()
        with suppress(CodeRejected):
            call(*given)
        return counts.count("unseal"), counts.count("seal")

    challenge, verify = factor.verifier.challenge, factor.verifier.verify
    assert (3, 2) == counted(challenge, "alice")
    assert (3, 0) == counted(challenge, "alice")
    live = factor.verifier.status("alice").challenges[0].id
    assert (1, 0) == counted(verify, "alice", "no such challenge", "123456")
    assert (1, 1) == counted(verify, "alice", live, factor.outbox.code)


async def test_async():
    """The twin for asyncio does the same, and reads what the other wrote."""
    wrapped = MemoryStore()
    prepared(wrapped, OLDER)
    put(encrypted(wrapped, OLDER), {"a": b"1"})
    store = AsyncEncryptedStore(AsyncMemoryStore(wrapped), [KEY, OLDER], name_key=NAME_KEY)

    assert b"1" == await store.read("a")
    assert await store.read("b") is None
    assert 1 == await store.update(["a"], increment("a"))
    await store.renew(MARK)
    assert b"2" == encrypted(wrapped, KEY).read("a")
    await store.prepare()


# --- what is refused


class Rows(MemoryStore):
    """A store whose rows the tests can write directly."""

    def row(self, name):
        return super().read(name)

    def write(self, name, value):
        super().update([name], lambda _: ({name: None if value is None else Entry(value)}, None))


@pytest.fixture
def rows():
    return Rows()


@pytest.mark.parametrize("cls, store", [(EncryptedStore, AsyncMemoryStore()), (AsyncEncryptedStore, MemoryStore())])
def test_other_kind(cls, store):
    """A store of the other kind, or anything but a store, is refused, and the error shows no key."""
    for wrapped in (store, MemoryStore, object(), None):
        with pytest.raises(ConfigurationError, match="store") as raised:
            cls(wrapped, KEY, name_key=NAME_KEY)
        assert [] == hidden(shown(raised.value))


def broken(rows, factor):
    """Yield each way in which a user's row can be unreadable, with the value of the row."""
    alice, bob = (factor.store._sealer.name(user_key(user)) for user in ("alice", "bob"))
    mine = rows.row(alice)
    plain = factor.store._sealer.unseal(alice, mine)
    yield from {
        "swapped": rows.row(bob),
        "truncated": mine[:-1],
        "empty": b"",
        "flipped": mine[:100] + bytes([mine[100] ^ 1]) + mine[101:],
        "in clear": plain,
        "another key": encrypted(MemoryStore(), OLDER)._sealer.seal(alice, plain),
        "another name": factor.store._sealer.seal(bob, plain),
    }.items()


def test_nobody_is_let_in(rows):
    """R26, T8: while a user's row is unreadable every call raises, the row stays, and the right code fails."""
    factor = Factor(store=prepared(rows))
    factor.enrol("bob", OTHER_NUMBER)
    factor.enrol("alice")
    challenge = factor.verifier.challenge("alice")
    code, name = factor.outbox.code, factor.store._sealer.name(user_key("alice"))
    before = rows.row(name)
    for what, value in broken(rows, factor):
        rows.write(name, value)
        for call in (
            lambda: factor.verifier.verify("alice", challenge.id, code),
            lambda: factor.verifier.challenge("alice"),
            lambda: factor.verifier.status("alice"),
            lambda: factor.verifier.unlock("alice"),
            lambda: factor.enroller.start("alice", NUMBER),
            lambda: factor.enroller.reset("alice"),
        ):
            with pytest.raises(StoreError):
                call()
            assert value == rows.row(name), what
    rows.write(name, before)

    assert 3 == len(factor.outbox.messages)
    assert "alice" == factor.verifier.verify("alice", challenge.id, code).user_id


def test_number_cannot_be_read(rows):
    """R26: an unreadable row of a number is not treated as a full bucket: no message is sent."""
    factor = Factor(store=prepared(rows))
    factor.enrol()
    rows.write(factor.store._sealer.name(number_key(int(NUMBER[1:]))), b"\0" * 600)
    with pytest.raises(StoreError):
        factor.verifier.challenge("alice")

    assert 1 == len(factor.outbox.messages)


def test_an_old_row_is_taken(rows):
    """An old value of the same row, put back, is accepted: the documentation says so."""
    factor = Factor(store=prepared(rows))
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    name = factor.store._sealer.name(user_key("alice"))
    before = rows.row(name)
    factor.verifier.verify("alice", challenge.id, factor.outbox.code)
    rows.write(name, before)

    assert "alice" == factor.verifier.verify("alice", challenge.id, factor.outbox.code).user_id


@pytest.mark.parametrize("twin", [False, True])
@pytest.mark.parametrize(
    "keys, name_key, said", [([KEY], OLDER, "name_key"), ([OLDER], NAME_KEY, "list that key"), ([KEY], None, "prepare")]
)
def test_other_keys(rows, twin, keys, name_key, said):
    """R26: a store that was prepared with other keys, or not at all, is refused: every user would seem new."""
    if name_key:
        prepared(rows)
    given = {"name_key": name_key or NAME_KEY}
    if twin:
        store = Awaited(AsyncEncryptedStore(Coroutines(rows), keys, **given))
    else:
        store = EncryptedStore(rows, keys, **given)
    for call in (
        lambda: store.read("k"),
        lambda: store.update(["k"], increment("k")),
        *([store.prepare] if name_key else []),
    ):
        with pytest.raises(StoreError, match=said):
            call()

    assert (1 if name_key else 0) == int(re.search(r"\d+", repr(rows))[0])


def test_in_clear(rows):
    """R26: a store that already holds records in clear is refused until it is prepared."""
    Factor(store=rows).enrol()
    with pytest.raises(StoreError, match="in clear"):
        Factor(store=encrypted(rows)).verifier.status("alice")


def test_prepared_once(rows):
    """Preparing a store again changes nothing, even with the keys in another order."""
    prepared(rows)
    before = rows.row(MARK)
    prepared(rows)
    prepared(rows, OLDER, KEY)

    assert before == rows.row(MARK)


# --- rotation


def test_rotation(tmp_path):
    """R12: with a new key first every record is found; after renewal the old key can go, as documented."""
    path = tmp_path / "factor.db"
    with closing(SqliteStore(path)) as wrapped:
        old = Factor(store=prepared(wrapped, OLDER))
        old.enrol()
        challenge = old.verifier.challenge("alice")
        store = encrypted(wrapped, KEY, OLDER)
        new = Factor(store=store, clock=old.clock)
        assert new.verifier.verify("alice", challenge.id, old.outbox.code)
        with pytest.raises(StoreError, match="list that key again"):
            encrypted(wrapped, KEY).read(number_key(int(NUMBER[1:])))

        with closing(sqlite3.connect(path)) as db:
            assert 2 == len(db.execute("SELECT DISTINCT substr(value, 1, 5) FROM smsmfa").fetchall())
            for (name,) in db.execute("SELECT key FROM smsmfa WHERE expires IS NULL").fetchall():
                store.renew(name)
            assert 1 == len(db.execute("SELECT DISTINCT substr(value, 1, 5) FROM smsmfa").fetchall())
        last = Factor(store=encrypted(wrapped, KEY), clock=old.clock)
        last.clock.move(minutes=1)

        assert last.log_in()
        assert 7 == last.verifier.status("alice").sends_left


def test_renew(rows):
    """A renewed value is unchanged; an absent value, or one under the newest key, is left alone."""
    put(prepared(rows, OLDER), {"k": b"1"})
    store = encrypted(rows, KEY, OLDER)
    name = store._sealer.name("k")
    store.renew(name)
    store.renew(MARK)
    store.renew("absent")
    after = rows.row(name)
    store.renew(name)

    assert after == rows.row(name)
    assert {"k": b"1"} == look(encrypted(rows, KEY), ["k"])
    assert rows.row("absent") is None


# --- what is shown


def hidden(text):
    """Return which keys a text shows."""
    return [key for key in (KEY, OLDER, NAME_KEY) if key in text]


@pytest.mark.parametrize("cls, wrapped", [(EncryptedStore, MemoryStore), (AsyncEncryptedStore, AsyncMemoryStore)])
def test_nothing_is_shown(cls, wrapped):
    """T12: the repr says what is wrapped and shows no key, and a store cannot be pickled or copied."""
    store = cls(wrapped(), [KEY, OLDER], name_key=NAME_KEY)

    assert f"<{cls.__name__} over <{wrapped.__name__} of 0 entries>>" == repr(store)
    assert [] == hidden(repr(vars(store)))
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as raised:
            refused(store)
        assert [] == hidden(shown(raised.value))


@pytest.mark.parametrize("cls, wrapped", [(EncryptedStore, MemoryStore), (AsyncEncryptedStore, AsyncMemoryStore)])
@pytest.mark.parametrize(
    "keys, name_key", [([KEY, "short"], NAME_KEY), ([KEY, KEY], NAME_KEY), (KEY, "short"), ([KEY, 7], NAME_KEY)]
)
def test_refusals_show_nothing(cls, wrapped, keys, name_key):
    """T12: a refused key appears neither in the error nor in the locals of a frame of the library."""
    with pytest.raises(ConfigurationError) as raised:
        cls(wrapped(), keys, name_key=name_key)

    assert "__init__" in shown(raised.value)
    assert [] == hidden(shown(raised.value))


def test_failures_show_nothing(rows, caplog):
    """T12: an unreadable value, or an error of a change, shows no key in any frame, and nothing is logged."""
    caplog.set_level(0)
    store = prepared(rows)
    rows.write(store._sealer.name("k"), rows.row(MARK))

    def fail(_):
        raise KeyError("no")

    for call in (lambda: store.read("k"), lambda: store.update(["k"], increment("k")), lambda: store.update([], fail)):
        with pytest.raises((StoreError, KeyError)) as raised:
            call()
        assert [] == hidden(shown(raised.value))
    assert [] == caplog.records


def test_races(rows):
    """R3: of many threads with the right code, on two encrypted stores over one, exactly one is let in."""
    prepared(rows)
    factor = Factor(store=encrypted(rows))
    factor.enrol()
    challenge = factor.verifier.challenge("alice")
    other = Factor(store=encrypted(rows), clock=factor.clock)

    async def answer(verifier):
        return await asyncio.to_thread(verifier.verify, "alice", challenge.id, factor.outbox.code)

    async def all_at_once():
        calls = (answer(verifier) for verifier in [factor.verifier, other.verifier] * 8)
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(all_at_once())
    assert 15 == sum(isinstance(outcome, CodeRejected) for outcome in outcomes)


def test_modules():
    """Only the modules that seal, and that check the signatures of SNS, import cryptography."""
    package = Path(smsmfa.__file__).parent
    users = [
        path.name
        for path in package.rglob("*.py")
        if re.search(r"^ *(from|import) cryptography", path.read_text(), re.M)
    ]

    assert ["sealing.py", "signatures.py"] == sorted(users)
