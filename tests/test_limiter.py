"""The limiter and its async twin: what they grant and store."""

import re
import sys
import threading
import time
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Awaited, Clock, Coroutines, Factor, a_config

from smsmfa import (
    AsyncMemoryStore,
    AsyncRateLimiter,
    ConfigurationError,
    Decision,
    Limit,
    Limits,
    MemoryStore,
    RateLimiter,
)
from smsmfa.limiter import debt, give_back

ZERO = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LIMIT = Limit(3, HOUR)
#: How long a store promises to keep an entry at most, in seconds.
LONGEST = 10**11
KEYS = [
    "",
    " ",
    "a",
    "A",
    "a ",
    " a",
    "=",
    "=a",
    "user:7",
    "192.0.2.1",
    "2001:db8::1",
    "a\n",
    "a\0",
    "\x7f",
    "é",
    "e\u0301",
    "日本",
    "👤",
    "\ud800",
    "\udfff",
    "x" * 127,
    "x" * 128,
    "x" * 129,
    "x" * 130,
    "x" * 100_000,
    "é" * 100_000,
]


class Recorder:
    """A store that calls each change twice, as a store may, and notes which keys it saw and what was written."""

    def __init__(self):
        self.values = {}
        self.keys = []
        self.writes = []

    def read(self, key):
        self.keys.append(key)
        return self.values.get(key)

    def update(self, keys, change):
        self.keys += keys
        present = {key: self.values[key] for key in keys if key in self.values}
        change(dict(present))
        writes, outcome = change(present)
        self.writes.append(writes)
        for key, entry in writes.items():
            assert key in keys
            if entry is None:
                del self.values[key]
            else:
                self.values[key] = entry.value
        return outcome


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return Recorder()


@pytest.fixture(params=[RateLimiter, AsyncRateLimiter])
def make(request, store, clock):
    """Make limiters of one kind over one store and one clock, with synchronous methods."""

    def make(limit=LIMIT, **arguments):
        if request.param is RateLimiter:
            return RateLimiter(store, limit, clock=clock, **arguments)
        return Awaited(AsyncRateLimiter(Coroutines(store), limit, clock=clock, **arguments))

    return make


class TestTake:
    def test_burst(self, make):
        """A fresh key may take the whole capacity, and each decision says what is left and when the bucket is full."""
        limiter = make()
        expected = [
            Decision(True, 2, ZERO, 1 * HOUR),
            Decision(True, 1, ZERO, 2 * HOUR),
            Decision(True, 0, ZERO, 3 * HOUR),
            Decision(False, 0, HOUR, 3 * HOUR),
            Decision(False, 0, HOUR, 3 * HOUR),
        ]

        assert expected == [limiter.take("k") for _ in expected]

    def test_refill(self, make, clock):
        """One comes back after each hour, and not a microsecond earlier."""
        limiter = make()
        limiter.take("k", 3)

        clock.move(minutes=30)
        assert Decision(False, 0, 30 * MINUTE, 2.5 * HOUR) == limiter.take("k")
        clock.move(minutes=30, microseconds=-1)
        assert Decision(False, 0, MICROSECOND, 2 * HOUR + MICROSECOND) == limiter.take("k")
        clock.move(microseconds=1)
        assert Decision(True, 0, ZERO, 3 * HOUR) == limiter.take("k")

    def test_refusal_is_free(self, make, clock):
        """Any number of refusals charges nothing."""
        limiter = make()
        limiter.take("k", 3)
        for _ in range(100):
            limiter.take("k")

        clock.move(hours=1)
        assert limiter.take("k").allowed

    def test_never_beyond_full(self, make, clock):
        """T17: after any pause a bucket has at most the capacity."""
        limiter = make()
        limiter.take("k")
        clock.move(days=3650)

        assert [True, True, True, False] == [limiter.take("k").allowed for _ in range(4)]

    def test_several(self, make):
        """Several are taken together or not at all."""
        limiter = make()

        assert Decision(True, 1, ZERO, 2 * HOUR) == limiter.take("k", 2)
        assert Decision(False, 1, HOUR, 2 * HOUR) == limiter.take("k", 2)
        assert Decision(True, 0, ZERO, 3 * HOUR) == limiter.take("k", 1)
        assert Decision(False, 0, 3 * HOUR, 3 * HOUR) == limiter.take("k", 3)

    def test_keys_are_apart(self, make):
        """Each key has its own bucket."""
        limiter = make()
        limiter.take("k", 3)

        assert limiter.take("other").allowed
        assert not limiter.take("k").allowed

    @pytest.mark.parametrize("refill", [MICROSECOND, timedelta(microseconds=7), 365 * 100 * timedelta(days=1)])
    def test_any_refill(self, make, clock, refill):
        """A refill may take a microsecond or a century."""
        limiter = make(Limit(2, refill))
        limiter.take("k", 2)

        assert refill == limiter.take("k").retry_after
        clock.now += refill // MICROSECOND * 1000
        assert Decision(True, 0, ZERO, 2 * refill) == limiter.take("k")

    def test_nanoseconds(self, make, clock):
        """Nanoseconds below a microsecond do not count."""
        clock.now += 999
        limiter = make()
        limiter.take("k", 3)

        clock.now += 3_600_000_000_000 - 1000
        assert MICROSECOND == limiter.take("k").retry_after
        clock.now += 1000
        assert limiter.take("k").allowed

    def test_clock_before_the_epoch(self, make, clock):
        """T17: a clock before 1970 locks nobody out and gives no more than the capacity."""
        clock.now = -(10**18)
        limiter = make()

        assert [True, True, True, False] == [limiter.take("k").allowed for _ in range(4)]
        clock.now = 3_600_000_000_000
        assert limiter.take("k").allowed

    def test_shared_state(self, make):
        """Two limiters with one store, limit and scope share their buckets."""
        make().take("k", 2)

        assert 1 == make().peek("k").remaining


class TestPeek:
    def test_takes_nothing(self, make, store):
        """``peek`` takes nothing and stores nothing."""
        limiter = make()

        assert Decision(True, 3, ZERO, ZERO) == limiter.peek("k") == limiter.peek("k", 3)
        assert ({}, []) == (store.values, store.writes)

    def test_says_what_take_would(self, make, clock):
        """``peek`` predicts the hit, and tells how much is left before the hit."""
        limiter = make()
        limiter.take("k", 2)
        clock.move(minutes=15)

        assert Decision(True, 1, ZERO, 105 * MINUTE) == limiter.peek("k")
        assert limiter.peek("k", 2) == limiter.take("k", 2) == Decision(False, 1, 45 * MINUTE, 105 * MINUTE)
        assert limiter.peek("k", 3) == limiter.take("k", 3) == Decision(False, 1, 105 * MINUTE, 105 * MINUTE)


class TestGiveBack:
    def test_undoes_a_hit(self, make, clock):
        """A hit that is given back can be taken again."""
        limiter = make()
        limiter.take("k", 3)
        clock.move(minutes=30)
        limiter.give_back("k")

        assert Decision(True, 1, ZERO, 90 * MINUTE) == limiter.peek("k")
        limiter.give_back("k")
        assert Decision(True, 2, ZERO, 30 * MINUTE) == limiter.peek("k")

    @pytest.mark.parametrize("n", [2, 3])
    def test_never_beyond_full(self, make, n):
        """Nobody gets more by giving back than the capacity."""
        limiter = make()
        limiter.take("k", 2)

        assert limiter.give_back("k", n) is None
        assert Decision(True, 3, ZERO, ZERO) == limiter.peek("k")
        limiter.take("k", 3)
        assert Decision(False, 0, HOUR, 3 * HOUR) == limiter.take("k")

    @pytest.mark.parametrize("since, kept", [(MINUTE - MICROSECOND, 1), (MINUTE, 0)])
    def test_forgets(self, make, clock, store, since, kept):
        """R28, T30: a bucket is forgotten if it is full by every clock that is at most a minute behind."""
        limiter = make()
        limiter.take("k")
        clock.now += since // MICROSECOND * 1000
        limiter.give_back("k")

        assert kept == len(store.values)
        assert [3600] * kept == [entry.keep_for for entry in store.writes[-1].values() if entry]

    def test_clock_at_the_epoch(self, make, clock, store):
        """A full bucket is forgotten also by a clock that shows less than a minute since the epoch."""
        clock.now = 30 * 10**9
        limiter = make(Limit(3, MINUTE))
        limiter.take("k", 2)
        limiter.give_back("k", 3)

        assert {} == store.values
        assert Decision(True, 3, ZERO, ZERO) == limiter.peek("k")

    @pytest.mark.parametrize(
        "now, bucket, after",
        [
            (1_000_000_000, 1_240_000_000, 1_180_000_000),
            (1_000_000_000, 1_240_000_001, 1_120_000_000),
            (1_000_000_000, 1_000_000_001, 940_000_001),
            (1_000_000_000, 1_000_000_000, 0),
            (30_000_000, 60_000_001, 1),
            (30_000_000, 60_000_000, 0),
        ],
    )
    def test_edges(self, now, bucket, after):
        """R28, T17: a bucket counts as just empty beyond a minute, and as full for all a minute ago or at the epoch."""
        assert after == give_back(Limit(3, MINUTE), bucket, now)

    def test_clock_set_back(self, make, clock):
        """T17: if a clock was set back, a hit that is given back to a drained bucket is available."""
        limiter = make()
        limiter.take("k", 3)
        clock.move(days=-3650)
        limiter.give_back("k")

        assert Decision(True, 1, ZERO, 2 * HOUR) == limiter.peek("k")

    def test_nothing_was_taken(self, make, store):
        """Giving back to a full bucket stores nothing."""
        make().give_back("k", 3)

        assert [{}] == store.writes


class TestReset:
    def test_fills(self, make, store):
        """A reset bucket is full and forgotten, and another key's does not change."""
        limiter = make()
        limiter.take("k", 3)
        limiter.take("other", 3)

        assert limiter.reset("k") is None
        assert Decision(True, 3, ZERO, ZERO) == limiter.peek("k")
        assert not limiter.peek("other").allowed
        assert 1 == len(store.values)

    def test_nothing_was_taken(self, make, store):
        """Resetting a full bucket stores nothing."""
        make().reset("k")

        assert [{}] == store.writes


class TestNoRefill:
    def test_nothing_comes_back(self, make, clock):
        """Without a refill nothing comes back, and no wait is given."""
        limiter = make(Limit(2, None))
        expected = [
            Decision(True, 1, ZERO, None),
            Decision(True, 0, ZERO, None),
            Decision(False, 0, None, None),
        ]

        assert expected == [limiter.take("k") for _ in expected]
        clock.move(days=36500)
        assert Decision(False, 0, None, None) == limiter.take("k") == limiter.peek("k")

    def test_given_back(self, make):
        """Without a refill, a hit can be given back and the bucket can be reset."""
        limiter = make(Limit(2, None))
        limiter.take("k", 2)
        limiter.give_back("k")
        assert Decision(True, 1, ZERO, None) == limiter.peek("k")

        limiter.reset("k")
        assert Decision(True, 2, ZERO, None) == limiter.peek("k")

    @pytest.mark.parametrize("back", [-3650, -1, 3650])
    def test_clock(self, make, clock, back):
        """T17: no clock changes what is left."""
        limiter = make(Limit(2, None))
        limiter.take("k")
        clock.move(days=back)

        assert Decision(True, 0, ZERO, None) == limiter.take("k")
        assert Decision(False, 0, None, None) == limiter.take("k")


class TestChangedLimit:
    LIMITS = [Limit(3, HOUR), Limit(1, MICROSECOND), Limit(100, timedelta(days=1)), Limit(5, None), Limit(2, None)]

    @pytest.mark.parametrize("before", LIMITS)
    @pytest.mark.parametrize("after", LIMITS)
    @pytest.mark.parametrize("back", [0, 3650])
    def test_switch(self, make, clock, before, after, back):
        """A bucket stored under another limit causes no error and no endless lock-out."""
        make(before).take("k", before.capacity)
        clock.move(days=-back)
        limiter = make(after)

        for ask in (limiter.peek, limiter.take):
            decision = ask("k", after.capacity)
            assert 0 <= decision.remaining <= after.capacity
            if after.refill is not None:
                assert ZERO <= decision.full_after <= after.capacity * after.refill
        if after.refill is not None:
            clock.now += after.refill // MICROSECOND * 1000
            assert limiter.take("k").allowed
        limiter.give_back("k", after.capacity)
        assert limiter.take("k", after.capacity).allowed

    def test_smaller(self, make, clock):
        """A bucket that lacks more than a smaller limit holds is just empty."""
        make(Limit(100, HOUR)).take("k", 100)
        limiter = make(Limit(3, MINUTE))

        assert Decision(False, 0, MINUTE, 3 * MINUTE) == limiter.take("k")
        clock.move(minutes=1)
        assert limiter.take("k").allowed

    def test_larger(self, make):
        """A larger limit gives the difference at once."""
        make(Limit(3, HOUR)).take("k", 3)

        assert Decision(True, 7, ZERO, 3 * HOUR) == make(Limit(10, HOUR)).peek("k")


class TestStored:
    """The limiter keeps to the store protocol."""

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:20]))
    def test_key(self, make, store, key):
        """T19: any text can be a key, and is stored as at most 250 characters of printable ASCII."""
        limiter = make()
        limiter.take(key, 3)

        assert not limiter.peek(key).allowed
        limiter.give_back(key)
        assert limiter.take(key).allowed
        limiter.reset(key)
        assert limiter.take(key).allowed
        assert 1 == len(set(store.keys))
        assert re.fullmatch(r"[ -~]{1,250}", store.keys[0])

    def test_keys_differ(self, make, store):
        """Different texts are different keys, under every scope."""
        for scope in ("", "a", "A", "é", "\ud800", "x" * 1000, "a:"):
            limiter = make(scope=scope)
            for key in KEYS:
                limiter.take(key)

        assert 7 * len(KEYS) == len(store.values)

    @given(st.lists(st.text(st.characters()), unique=True))
    def test_any_keys_differ(self, keys):
        """No two texts share a stored key."""
        store = Recorder()
        limiter = RateLimiter(store, Limit(1, HOUR))

        assert all(limiter.take(key).allowed for key in keys)
        assert all(re.fullmatch(r"[ -~]{1,250}", key) for key in store.keys)

    def test_hash_is_no_key(self, make, store):
        """The stored form of a long key is another key."""
        limiter = make(Limit(1, HOUR))
        limiter.take("é")
        (stored,) = store.values

        for start in range(len(stored)):
            assert limiter.peek(stored[start:]).allowed

    def test_scopes(self, make):
        """Limiters with different scopes share no bucket."""
        make(scope="logins").take("k", 3)

        assert 3 == make(scope="signups").peek("k").remaining == make().peek("k").remaining
        assert 0 == make(scope="logins").peek("k").remaining

    def test_default_scope(self, make):
        """The default scope is ``"default"``."""
        make().take("k", 3)

        assert 0 == make(scope="default").peek("k").remaining

    def test_value(self, make, store):
        """A bucket is a few bytes, exactly ``bytes``."""
        make().take("k")

        (value,) = store.values.values()
        assert bytes is type(value)
        assert len(value) <= 8

    @pytest.mark.parametrize("taken", [1, 2, 3])
    @pytest.mark.parametrize("refill", [MICROSECOND, SECOND, HOUR, timedelta(seconds=LONGEST // 3)])
    def test_keep_for(self, make, store, taken, refill):
        """T19: a bucket is kept at least until it is full."""
        decision = make(Limit(3, refill)).take("k", taken)
        (entry,) = store.writes[-1].values()

        assert int is type(entry.keep_for)
        assert decision.full_after <= entry.keep_for * SECOND <= LONGEST * SECOND

    @pytest.mark.parametrize("taken", [1, 2, 3])
    def test_keep_for_ever(self, make, store, taken):
        """A bucket that never refills is kept forever."""
        make(Limit(3, None)).take("k", taken)
        (entry,) = store.writes[-1].values()

        assert entry.keep_for is None

    def test_refusal_writes_nothing(self, make, store):
        """A refusal stores nothing."""
        limiter = make()
        limiter.take("k", 3)
        limiter.take("k")

        assert {} == store.writes[-1]

    @pytest.mark.parametrize("limit", [LIMIT, Limit(3, SECOND)])
    def test_refusal_clamps(self, make, store, clock, limit):
        """T17: after the clock jumped back, the first refusal stores a bucket that is just empty."""
        limiter = make(limit)
        limiter.take("k", 3)
        clock.move(days=-3650)

        assert Decision(False, 0, limit.refill, 3 * limit.refill) == limiter.take("k")
        (entry,) = store.writes[-1].values()
        assert entry.keep_for * SECOND >= 3 * limit.refill
        clock.now += limit.refill // MICROSECOND * 1000
        assert Decision(True, 0, ZERO, 3 * limit.refill) == limiter.take("k")


class TestArguments:
    @pytest.mark.parametrize("method", ["take", "peek", "give_back"])
    @pytest.mark.parametrize("n", [0, -1, 4, 10**100])
    def test_n_out_of_range(self, make, store, method, n):
        """A hit that could never be granted is a ValueError, and the store is not called."""
        with pytest.raises(ValueError, match="n: from 1 to the limit's capacity, 3"):
            getattr(make(), method)("k", n)
        assert [] == store.writes

    @pytest.mark.parametrize("method", ["take", "peek", "give_back"])
    @pytest.mark.parametrize("n", [True, 1.0, "1", None])
    def test_n_of_another_kind(self, make, method, n):
        """A hit that is not a whole number is a TypeError."""
        with pytest.raises(TypeError, match="n: an int"):
            getattr(make(), method)("k", n)

    @pytest.mark.parametrize("method", ["take", "peek", "give_back", "reset"])
    @pytest.mark.parametrize("key", [None, 7, b"k", ("k",), True])
    def test_key_of_another_kind(self, make, method, key):
        """A key that is not text is a TypeError, so visitors without a name share no bucket."""
        with pytest.raises(TypeError, match="key: a str"):
            getattr(make(), method)(key)

    @pytest.mark.parametrize("limit", [None, 10, (10, HOUR), Limit, Limits()])
    def test_no_limit(self, make, limit):
        """A limiter needs a limit."""
        with pytest.raises(ConfigurationError, match=r"^limit: a Limit"):
            make(limit)

    @pytest.mark.parametrize("scope", [None, 5, b"logins"])
    def test_no_scope(self, make, scope):
        """A scope is text."""
        with pytest.raises(ConfigurationError, match=r"^scope: a str"):
            make(scope=scope)

    def test_clock_is_looked_up(self, monkeypatch):
        """Freezing time after a limiter was made freezes the limiter's time too."""
        limiters = [
            RateLimiter(MemoryStore(), LIMIT),
            Awaited(AsyncRateLimiter(AsyncMemoryStore(), LIMIT, clock=None)),
        ]
        frozen = Clock()
        monkeypatch.setattr(time, "time_ns", frozen)
        for limiter in limiters:
            limiter.take("key", 3)
        frozen.move(hours=1)

        assert [(1, HOUR * 2)] * 2 == [
            (decision.remaining, decision.full_after) for decision in (limiter.peek("key") for limiter in limiters)
        ]

    @pytest.mark.parametrize("clock", [5, time.time])
    def test_no_clock(self, clock):
        """A clock counts nanoseconds as an integer."""
        with pytest.raises(ConfigurationError, match=r"^clock: "):
            RateLimiter(MemoryStore(), LIMIT, clock=clock)
        with pytest.raises(ConfigurationError, match=r"^clock: "):
            AsyncRateLimiter(AsyncMemoryStore(), LIMIT, clock=clock)

    @pytest.mark.parametrize(
        "limiter, store",
        [
            (RateLimiter, AsyncMemoryStore()),
            (AsyncRateLimiter, MemoryStore()),
            (RateLimiter, None),
            (AsyncRateLimiter, None),
            (RateLimiter, {}),
            (AsyncRateLimiter, LIMIT),
        ],
    )
    def test_wrong_store(self, limiter, store):
        """A store of the wrong kind is a ConfigurationError when the limiter is made."""
        with pytest.raises(ConfigurationError, match=r"^store: "):
            limiter(store, LIMIT)

    def test_own_clock(self):
        """The default clock is the system's."""
        limiter = RateLimiter(MemoryStore(), Limit(1, HOUR))

        assert limiter.take("k").allowed
        assert 59 * MINUTE < limiter.take("k").retry_after <= HOUR


class TestLimit:
    @pytest.mark.parametrize(
        "argument, value",
        [
            *(("capacity", value) for value in (0, -1, True, 1.0, 0.5, float("nan"), "10", b"10", None, [10], HOUR)),
            *(("capacity", value) for value in (LONGEST * 10**6 + 1, 10**100)),
            *(("refill", value) for value in (ZERO, -MICROSECOND, timedelta.min, True, 0, 3600, 1.5, "1 hour", [HOUR])),
        ],
    )
    def test_wrong_argument(self, argument, value):
        """A wrong limit is a ConfigurationError that begins with the argument's name."""
        with pytest.raises(ConfigurationError, match=rf"^{argument}\b"):
            Limit(**{"capacity": 10, "refill": None} | {argument: value})

    @pytest.mark.parametrize(
        "capacity, refill", [(1, LONGEST * SECOND), (LONGEST, SECOND), (LONGEST * 10**6, MICROSECOND)]
    )
    def test_longest(self, make, capacity, refill):
        """A bucket may take as long to fill as stores keep entries, and not a microsecond longer."""
        assert capacity * refill == make(Limit(capacity, refill)).take("k", capacity).full_after
        with pytest.raises(ConfigurationError, match=r"^capacity x refill: at most 10\^11 seconds"):
            Limit(capacity, refill + MICROSECOND)

    def test_never_refilled(self):
        """The error for a wrong refill says how to write that nothing comes back."""
        with pytest.raises(ConfigurationError, match=r"\bNone\b"):
            Limit(10, ZERO)

    def test_no_refill(self):
        """``refill`` has no default."""
        with pytest.raises(TypeError, match="refill"):
            Limit(10)


class TestValues:
    def test_limit(self):
        """A limit shows its arguments in its repr and cannot be changed."""
        assert "Limit(capacity=10, refill=None)" == repr(Limit(10, None))
        assert 1 == len({Limit(10, HOUR), Limit(10, 60 * MINUTE)})
        assert Limit(10, HOUR) != Limit(10, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            LIMIT.capacity = 10**6

    def test_decision(self):
        """A decision is a value that cannot be changed."""
        decision = Decision(allowed=False, remaining=0, retry_after=HOUR, full_after=HOUR)

        assert Decision(False, 0, HOUR, HOUR) == decision
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            decision.allowed = True


class TestInTheCore:
    """The core uses the same arithmetic for its own buckets."""

    def test_counts(self):
        """A user's status tells what is left in the buckets, as time refills them."""
        factor = Factor(a_config(limits=Limits(user=Limit(3, HOUR), guesses=Limit(2, HOUR))))
        assert (3, 2) == (factor.verifier.status("alice").sends_left, factor.verifier.status("alice").guesses_left)

        factor.enrol()
        factor.log_in()
        assert 1 == factor.verifier.status("alice").sends_left
        factor.clock.move(hours=1, microseconds=-1)
        assert 1 == factor.verifier.status("alice").sends_left
        factor.clock.move(microseconds=1)
        assert 2 == factor.verifier.status("alice").sends_left

    def test_full_is_not_stored(self):
        """T19: a record that has only full buckets is not stored."""
        store = Recorder()
        Factor(store=store).verifier.unlock("alice")

        assert {} == store.values


@pytest.fixture(params=[1e-6, 1e-4, sys.getswitchinterval()])
def switch_interval(request):
    """Let threads take turns more or less often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switch_interval")
def test_threads(clock):
    """R25: racing threads get exactly the capacity of a bucket."""
    limiter = RateLimiter(MemoryStore(), Limit(100, HOUR), clock=clock)
    granted = []
    barrier = threading.Barrier(8)

    def take():
        barrier.wait()
        granted.extend(decision for decision in [limiter.take("k") for _ in range(50)] if decision.allowed)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(range(100)) == sorted(decision.remaining for decision in granted)


def test_decision_to_dict():
    """A decision becomes plain data for JSON, with times in whole seconds, rounded up."""
    refused = Decision(False, 0, timedelta(seconds=1, microseconds=1), timedelta(hours=1, microseconds=-1))
    endless = Decision(False, 0, None, None)

    assert {"allowed": False, "remaining": 0, "retry_after": 2, "full_after": 3600} == refused.to_dict()
    assert (None, None) == (endless.to_dict()["retry_after"], endless.to_dict()["full_after"])


@pytest.mark.parametrize("capacity, taken", [(1, 2), (10, 20)])
def test_lowered_capacity(capacity, taken):
    """A bucket that never refills, and lacks more than a lowered capacity, is just empty."""
    assert capacity == debt(Limit(capacity, None), -taken, 0)
