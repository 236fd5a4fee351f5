"""The store in memory: the test kit, threads, asyncio, and bounded memory."""

import asyncio
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from support import Awaited, Factor, a_config

from smsmfa import (
    AsyncMemoryStore,
    DeliveryRejected,
    Limit,
    Limits,
    MemoryStore,
    RateLimited,
    RateLimiter,
    SmsMfaError,
    StoreError,
)
from smsmfa.stores.forks import no_fork
from smsmfa.testing import AsyncStoreConformance, FakeClock, StoreConformance
from smsmfa.testing.stores.processes import forked
from smsmfa.typing import Entry

LONGEST = 10**11
KEYS = ["k", "K", "k ", " k", "x" * 250, "~", "u:+/", ""]


def put(store, values, keep_for=None):
    """Store values, forever or with a lifetime."""
    store.update(list(values), lambda _: ({key: Entry(value, keep_for) for key, value in values.items()}, None))


def nothing(values):
    """Change nothing, and return the values as the outcome."""
    return {}, dict(values)


def increment(*keys):
    """Return a change that adds one to a number under each key."""

    def change(values):
        return {key: Entry(b"%d" % (int(values.get(key, b"0")) + 1)) for key in keys}, None

    return change


def held(store):
    """Return how many entries a store holds, expired ones included."""
    return int(re.search(r"\d+", repr(store))[0])


class Monotonic:
    """A clock like ``time.monotonic`` that only the test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock of the process by one that only the test moves."""
    clock = Monotonic()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture(params=[MemoryStore, AsyncMemoryStore])
def store(request):
    """Return a store of either kind, with plain methods: the store for asyncio never waits."""
    store = request.param()
    return Awaited(store) if request.param is AsyncMemoryStore else store


class TestMemoryStore(StoreConformance):
    """The store keeps every promise of the store protocol."""

    rounds, examples, patience, duration = 10, 10, 0.05, 0.2

    def make_store(self):
        return MemoryStore()


class TestAsyncMemoryStore(AsyncStoreConformance):
    """The twin keeps every promise too, on shared records."""

    shared = True
    rounds, examples, patience, duration = 10, 10, 0.05, 0.2
    records = MemoryStore()

    def make_store(self):
        return AsyncMemoryStore(self.records)


class TestUpdate:
    def test_absent(self, store):
        """An absent key reads as ``None``, and is missing from the values of a change."""
        assert store.read("k") is None
        assert {} == store.update(["k", "other"], nothing)
        assert store.read("k") is None

    @pytest.mark.parametrize("value", [b"", b"value", bytes(range(256)), b"\0" * 100_000])
    def test_value(self, store, value):
        """Both methods return a value unchanged, as exact ``bytes``."""
        put(store, {"k": value})

        assert value == store.read("k")
        assert {"k": value} == store.update(["k"], nothing)
        assert bytes is type(store.read("k")) is type(store.update(["k"], nothing)["k"])

    def test_outcome(self, store):
        """The outcome of a change is returned unchanged."""
        outcome = object()

        assert outcome is store.update(["k"], lambda _: ({}, outcome))

    def test_sees_its_keys(self, store):
        """A change sees the values of its keys, and no others."""
        put(store, {"a": b"1", "b": b"2", "c": b"3"})

        assert {"a": b"1", "c": b"3"} == store.update(("a", "c", "d"), nothing)

    def test_overwrite(self, store):
        """A write replaces the value of its key and leaves other keys alone."""
        put(store, {"a": b"1", "b": b"2"})
        put(store, {"a": b"3"})

        assert {"a": b"3", "b": b"2"} == store.update(["a", "b"], nothing)

    def test_delete(self, store):
        """``None`` deletes a key, present or absent; the same update may write another key."""
        put(store, {"a": b"1", "b": b"2"})
        store.update(["a", "b", "c"], lambda _: ({"a": None, "b": Entry(b"3"), "c": None}, None))

        assert {"b": b"3"} == store.update(["a", "b", "c"], nothing)

    def test_keys_differ(self, store):
        """Keys compare as bytes: case and spaces count."""
        values = {key: b"%d" % number for number, key in enumerate(KEYS)}
        for key, value in values.items():
            put(store, {key: value})

        assert values == store.update(KEYS, nothing)

    def test_values_are_its_own(self, store):
        """A change that modifies the mapping it was given changes nothing."""
        put(store, {"k": b"1"})

        def scribble(values):
            values["k"] = b"2"
            values["other"] = b"3"
            return {}, None

        store.update(["k", "other"], scribble)
        assert {"k": b"1"} == store.update(["k", "other"], nothing)

    def test_one_call(self, store):
        """A change is called once, because the lock excludes conflicts."""
        calls = []
        store.update(["k"], lambda _: ({}, calls.append(1)))

        assert [1] == calls


class TestAllOrNone:
    @pytest.mark.parametrize(
        "bad",
        [
            {"outside": Entry(b"new")},
            {"outside": None},
            {"A": Entry(b"new")},
            {"c": b"new"},
            {"c": "new"},
            {"c": (b"new", None)},
            {"c": Entry("new")},
            {"c": Entry(bytearray(b"new"))},
            {"c": Entry(memoryview(b"new"))},
            {"c": Entry(type("Bytes", (bytes,), {})(b"new"))},
            {"c": Entry(None)},
            {"c": Entry(b"new", -1)},
            {"c": Entry(b"new", LONGEST + 1)},
            {"c": Entry(b"new", 1.5)},
            {"c": Entry(b"new", True)},
            {"c": Entry(b"new", "60")},
        ],
        ids=[
            "another key",
            "another key deleted",
            "another case",
            "bytes",
            "str",
            "tuple",
            "str in Entry",
            "bytearray",
            "memoryview",
            "subclass of bytes",
            "None in Entry",
            "negative",
            "too long",
            "float",
            "bool",
            "str lifetime",
        ],
    )
    @pytest.mark.parametrize("last", [True, False])
    def test_bad_write(self, store, bad, last):
        """R25: a write outside the keys, or of anything but an Entry of bytes, is a ValueError and changes no key."""
        put(store, {"a": b"1", "b": b"2"})
        good = {"a": Entry(b"new"), "b": None}

        with pytest.raises(ValueError, match=r"outside its keys|not an Entry of exactly bytes|keep_for"):
            store.update(["a", "b", "c"], lambda _: (good | bad if last else bad | good, None))
        assert {"a": b"1", "b": b"2"} == store.update(["a", "b", "c"], nothing)
        assert store.read("outside") is None

    @pytest.mark.parametrize("error", [RuntimeError, KeyError, ValueError, KeyboardInterrupt, SystemExit])
    def test_change_fails(self, store, error):
        """R25: an exception of the change is raised unchanged, changes no key, and leaves the store usable."""
        put(store, {"k": b"1"})
        raised = error("no")

        def change(_):
            raise raised

        for _ in range(3):
            with pytest.raises(error) as caught:
                store.update(["k"], change)
            assert raised is caught.value
        assert b"1" == store.read("k")
        store.update(["k"], increment("k"))
        assert b"2" == store.read("k")

    @pytest.mark.parametrize("result", [None, {}, (), ({},), ([("k", Entry(b"new"))], 1), 5])
    def test_no_change(self, store, result):
        """A change that does not return writes and an outcome is an error, and changes no key."""
        put(store, {"k": b"1"})

        with pytest.raises((TypeError, ValueError, AttributeError)):
            store.update(["k"], lambda _: result)
        assert b"1" == store.read("k")


class TestKeepFor:
    @pytest.mark.parametrize("keep_for", [0, 1, 60, 3600, LONGEST])
    def test_never_early(self, store, clock, keep_for):
        """An entry is present until the end of its lifetime."""
        put(store, {"k": b"1"}, keep_for)
        clock.now += keep_for

        assert b"1" == store.read("k")
        assert {"k": b"1"} == store.update(["k"], nothing)

    @pytest.mark.parametrize("keep_for", [0, 1, 3600])
    def test_expired(self, store, clock, keep_for):
        """After its lifetime an entry is absent for both methods."""
        put(store, {"k": b"1"}, keep_for)
        clock.now += keep_for + 0.001

        assert store.read("k") is None
        assert {} == store.update(["k"], nothing)

    def test_forever(self, store, clock):
        """An entry without a lifetime is kept forever."""
        put(store, {"k": b"1"})
        clock.now += 10 * LONGEST

        assert b"1" == store.read("k")

    @pytest.mark.parametrize("keep_for", [None, 100])
    def test_write_again(self, store, clock, keep_for):
        """The last write decides how long an entry is kept."""
        put(store, {"k": b"1"}, 10)
        put(store, {"k": b"2"}, keep_for)
        clock.now += 100

        assert b"2" == store.read("k")

    def test_shorter(self, store, clock):
        """An entry without a lifetime may be given one."""
        put(store, {"k": b"1"})
        put(store, {"k": b"2"}, 10)
        clock.now += 11

        assert store.read("k") is None


class TestSweep:
    """Memory is bounded by the live entries, and a live entry is never dropped."""

    def test_bounded(self, clock):
        """T19: fifty thousand keys that an attacker invents, a thousand at a time, are removed again."""
        store = MemoryStore()
        most = 0
        for second in range(50):
            for number in range(1000):
                put(store, {f"l:{second}:{number}": b"drained"}, 1)
            clock.now += 2
            most = max(most, held(store))

        assert most < 25_000

    def test_alive_stays(self, clock):
        """T19: a flood of keys pushes out no live entry, with or without a lifetime."""
        store = MemoryStore()
        kept = {f"u:{number}": b"%d" % number for number in range(2000)}
        for number, (key, value) in enumerate(kept.items()):
            put(store, {key: value}, None if number % 2 else 500)
        for second in range(20):
            for number in range(2000):
                put(store, {f"l:{second}:{number}": b"drained"}, 1)
            clock.now += 25

        assert kept == {key: store.read(key) for key in kept}

    @pytest.mark.parametrize("count", [10_000, pytest.param(50_000, marks=pytest.mark.thorough)])
    def test_many_at_once(self, clock, count):
        """T19: thousands of live entries are all kept, because a forgotten bucket would be full again."""
        store = MemoryStore()
        for number in range(count):
            put(store, {f"l:{number}": b"drained"}, 3600)
        clock.now += 3600

        assert count == held(store) == sum(store.read(f"l:{number}") == b"drained" for number in range(count))

    @pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.thorough)])
    def test_a_flood_leaves(self, clock, count):
        """T19: the entries of a flood are removed after they expire, even if nobody writes a new key."""
        store = MemoryStore()
        put(store, {"known": b"alive"})
        for number in range(count):
            put(store, {f"l:{number}": b"drained"}, 3600)
        clock.now += 3601
        counts = []
        for _ in range(1024):
            clock.now += 0.06
            put(store, {"known": b"alive"})
            counts.append(held(store))

        assert (1, 0) == (counts[-1], sum(map(len, store._untils)))
        assert sorted(counts, reverse=True) == counts

    @pytest.mark.parametrize("count", [20_000, pytest.param(200_000, marks=pytest.mark.thorough)])
    def test_no_pause(self, clock, monkeypatch, count):
        """T19: a write sweeps at most four times the mean of a shard, even if all entries expire at the same moment."""
        store, looked_at, sweep = MemoryStore(), [0], MemoryStore._sweep

        def counted(self, index, now):
            looked_at[-1] += len(self._shards[index])
            sweep(self, index, now)

        monkeypatch.setattr(MemoryStore, "_sweep", counted)
        for number in range(count):
            looked_at.append(0)
            put(store, {f"l:{number}": b"drained"}, 3600)
            clock.now += 0.01
        clock.now += 3601
        for number in range(5000):
            looked_at.append(0)
            put(store, {f"l:{number}": b"drained"}, 3600)
            clock.now += 0.06

        assert 5000 == held(store)
        assert 4 * count / 1024 > max(looked_at)

    def test_sweeps_are_rare(self, clock, monkeypatch):
        """Any number of writes at the same moment sweep one shard in turn."""
        store, swept, sweep = MemoryStore(), [], MemoryStore._sweep
        monkeypatch.setattr(MemoryStore, "_sweep", lambda self, *given: swept.append(given) or sweep(self, *given))
        for _ in range(1000):
            put(store, {"k": b"1"}, 60)

        assert [(0, clock.now)] == swept

    def test_no_thread(self):
        """T19: sweeping starts no thread."""
        before = threading.enumerate()
        store = MemoryStore()
        for number in range(20_000):
            put(store, {f"l:{number}": b"1"}, 0)

        assert before == threading.enumerate()
        assert held(store) < 20_000

    def test_deleted_leaves_nothing(self):
        """T19: keys that come and go leave nothing behind."""
        store = MemoryStore()
        for number in range(20_000):
            key = f"l:{number}"
            put(store, {key: b"1"})
            store.update([key], lambda _, key=key: ({key: None}, None))

        assert 0 == held(store)


def strange_calls(factor, number):
    """Return calls with a user, a challenge, a number and a proof that do not exist."""
    enroller, verifier = factor.enroller, factor.verifier
    stranger, invented = f"stranger {number}", f"{number:032x}"
    return [
        lambda: verifier.challenge(stranger),
        lambda: verifier.resend(stranger, invented),
        lambda: verifier.verify(stranger, invented, "123456"),
        lambda: verifier.recover(stranger, "0" * 24),
        lambda: verifier.status(stranger),
        lambda: verifier.unlock(stranger),
        lambda: enroller.confirm(stranger, invented, "123456"),
        lambda: enroller.resend(stranger, invented),
        lambda: enroller.remove(stranger, invented, proof=invented),
        lambda: enroller.new_recovery_codes(stranger, proof=invented),
        lambda: enroller.reset(stranger),
        lambda: enroller.start(stranger, f"+1415{number}"),
        lambda: enroller.start("alice", f"+1415555{3000 + number}"),
        lambda: verifier.challenge("alice", phone_id=invented),
        lambda: verifier.resend("alice", invented),
        lambda: verifier.verify("alice", invented, "123456"),
        lambda: enroller.confirm("alice", invented, "123456"),
    ]


class TestInventedKeys:
    """An attacker who calls the factor with invented arguments makes the store keep little."""

    @pytest.fixture
    def factor(self, clock):
        return Factor(a_config(limits=Limits(total=Limit(1000, timedelta(hours=1)))))

    def test_strangers(self, factor):
        """T19: invented users, challenges, numbers and proofs leave nothing behind."""
        factor.enrol()
        before = held(factor.store)
        for number in range(100):
            for call in strange_calls(factor, number):
                with suppress(SmsMfaError):
                    call()

        assert 1 == len(factor.outbox.messages)
        assert 3 == before == held(factor.store)

    def test_numbers(self, factor):
        """T19: a user who invents numbers adds one record for each message, and none once the messages are used up."""
        for number in range(200):
            with suppress(RateLimited):
                factor.enroller.start("mallory", f"+1415555{3000 + number}")

        assert 10 == len(factor.outbox.messages)
        assert 1 + 1 + 10 == held(factor.store)

    def test_numbers_that_reject(self, factor):
        """T19: a rejected message leaves the user's refunds and, for hosts whose clock is behind, two full buckets.

        A number leaves nothing once the total is used up.
        """
        for number in range(100):
            factor.outbox.outcomes = [DeliveryRejected("no such number")]
            with pytest.raises(DeliveryRejected):
                factor.enroller.start(f"mallory {number}", f"+1415555{3000 + number}")
        assert 100 + 100 + 1 == held(factor.store)  # refunds of the users, buckets of the numbers, the total
        for number in range(1010):
            with suppress(RateLimited):
                factor.enroller.start(f"mallory {number}", f"+1415555{3000 + number}")

        assert 1000 == len(factor.outbox.messages)
        assert 1000 + 1000 + 1 == held(factor.store)

    def test_numbers_leave(self, factor, clock):
        """T19: two days after unconfirmed enrolments only the bucket of the total is left."""
        for number in range(500):
            factor.enroller.start(f"mallory {number}", f"+1415555{3000 + number}")
        factor.clock.move(days=2)
        clock.now += 2 * 86_400
        for _ in range(1024):
            clock.now += 0.06
            put(factor.store, {"k": b"1"})

        assert 2 == held(factor.store)

    @pytest.mark.parametrize("count", [10_000, pytest.param(60_000, marks=pytest.mark.thorough)])
    def test_drained_bucket(self, clock, count):
        """T19: any number of invented keys does not refill an empty bucket."""
        store, now = MemoryStore(), FakeClock()
        limiter = RateLimiter(store, Limit(1, timedelta(hours=1)), clock=now)
        assert limiter.take("victim").allowed
        for number in range(count):
            limiter.take(f"invented {number}")
            clock.now += 0.05

        assert not limiter.take("victim").allowed
        assert not limiter.take("invented 0").allowed


def race(*calls):
    """Call functions at the same time, each in its own thread."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(run, calls))


@pytest.fixture(params=[1e-6, pytest.param(1e-4, marks=pytest.mark.thorough), 5e-3])
def switch_interval(request):
    """Let threads switch more or less often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switch_interval")
class TestThreads:
    def test_no_update_is_lost(self):
        """R25: if many threads count under the same keys, in either order, no count is lost."""
        store = MemoryStore()

        def count(*keys):
            for _ in range(250):
                store.update(keys, increment(*keys))

        race(*[lambda: count("a", "b"), lambda: count("b", "a")] * 4)
        assert {"a": b"2000", "b": b"2000"} == store.update(["a", "b"], nothing)

    def test_first_writes(self):
        """R25: if many threads count under absent keys, no count is lost."""
        store = MemoryStore()
        race(*(lambda: [store.update([str(key)], increment(str(key))) for key in range(250)] for _ in range(8)))

        assert [b"8"] * 250 == [store.read(str(key)) for key in range(250)]

    def test_updates_are_whole(self):
        """R25: no thread sees half of an update."""
        store = MemoryStore()
        seen = []

        def look():
            seen.extend(store.update(["a", "b"], nothing) for _ in range(250))

        race(*[lambda: [store.update(["a", "b"], increment("a", "b")) for _ in range(250)], look] * 4)
        assert [] == [values for values in seen if values.get("a") != values.get("b")]

    def test_sweeps_drop_nothing(self):
        """T19: a flood on some threads drops nothing of the others."""
        store = MemoryStore()

        def flood(name):
            for number in range(1000):
                put(store, {f"{name}:{number}": b""}, 0)

        def count():
            for number in range(200):
                store.update([str(number)], increment(str(number)))

        race(*(lambda name=name: flood(name) for name in range(4)), *[count] * 4)
        assert [b"4"] * 200 == [store.read(str(number)) for number in range(200)]


class TestChanges:
    def test_read(self, store):
        """A change may read its own store, and sees the values from before the update."""
        put(store, {"k": b"old"})

        assert b"old" == store.update(["k"], lambda _: ({"k": Entry(b"new")}, store.read("k")))
        assert b"new" == store.read("k")

    def test_update(self, store):
        """A change that updates its own store is an error, and the store stays usable."""
        put(store, {"k": b"old"})

        with pytest.raises(StoreError, match="its own store"):
            store.update(["k"], lambda _: put(store, {"k": b"new"}))
        assert b"old" == store.read("k")
        put(store, {"k": b"new"})
        assert b"new" == store.read("k")


def test_fork():
    """A fork waits for another thread's update, and both sides can use the store afterwards."""
    store, begun = MemoryStore(), threading.Event()

    def change(values):
        begun.set()
        while no_fork.acquire(blocking=False):  # until the fork has begun
            no_fork.release()
        for _ in range(10**6):  # long enough to show a fork that does not wait
            pass
        return {"k": Entry(b"1")}, None

    thread = threading.Thread(target=store.update, args=(["k"], change))
    thread.start()
    begun.wait(60)

    def use():
        store.update(["k"], increment("k"))
        return store.read("k").decode()

    assert ["2", "2"] == forked(use, use, 20)
    thread.join()


class TestAsync:
    async def test_tasks(self):
        """R25: if many tasks count under one key, no count is lost."""
        store = AsyncMemoryStore()
        await asyncio.gather(*(store.update(["k"], increment("k")) for _ in range(200)))

        assert b"200" == await store.read("k")

    async def test_shared(self):
        """R25: a store serves threads and tasks at the same time."""
        plain = MemoryStore()
        shared = AsyncMemoryStore(plain)
        threads = [asyncio.to_thread(plain.update, ["k"], increment("k")) for _ in range(50)]
        await asyncio.gather(*threads, *(shared.update(["k"], increment("k")) for _ in range(50)))

        assert b"100" == plain.read("k") == await shared.read("k")

    async def test_not_shared(self):
        """Without a store to share, each has its own records; an empty store is shared too."""
        await AsyncMemoryStore().update(["k"], increment("k"))
        plain = MemoryStore()
        await AsyncMemoryStore(plain).update(["k"], increment("k"))

        assert await AsyncMemoryStore().read("k") is None
        assert b"1" == plain.read("k")


def test_stores_are_apart():
    """Each store has its own records."""
    put(MemoryStore(), {"k": b"1"})

    assert MemoryStore().read("k") is None


def test_repr():
    """T12: the repr shows the number of entries, and no entry."""
    store = MemoryStore()
    put(store, {"secret_key": b"secret value"})

    assert "<MemoryStore of 1 entries>" == repr(store)
    assert "<AsyncMemoryStore of 1 entries>" == repr(AsyncMemoryStore(store))
