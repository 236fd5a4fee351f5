"""Hosts whose clocks differ by up to a minute admit together what one exact clock would admit.

The law: between two admissions, the first by a clock that shows ``a`` and the last by one that shows ``b``, there are
never more than ``capacity + (b - a) / refill``. Over the whole flood that is the capacity and the elapsed time on the
union of both clocks' spans. Time is simulated: it jumps to the instant at which a host would admit again.
"""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import NUMBER, OTHER_NUMBER, START, Clock, Outbox, a_config, wrong

from smsmfa import DeliveryRejected, Enroller, Limit, Limits, MemoryStore, RateLimiter, Verifier
from smsmfa.exceptions import CodeExpired, CodeRejected, RateLimited

US, SECOND, MINUTE, HOUR = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SKEWS = [30, 59, 60]
#: A limit that is in nobody's way.
AMPLE = Limit(10**6, US)


class Skewed(Clock):
    """The clock of a host that is ahead of another clock."""

    def __init__(self, true, ahead):
        super().__init__()
        self.true, self.ahead = true, ahead

    def __call__(self):
        return self.true() + self.ahead // US * 1000


class Flood:
    """Requests to two hosts, as many and as soon as they admit them.

    Args:
        limit: the limit that is looked at.
        skew: by how much the clock of one host is ahead (seconds).
        ahead_first: which host is asked first.
    """

    def __init__(self, limit, skew, *, ahead_first=False):
        self.limit, self.skew, self.true = limit, timedelta(seconds=skew), Clock(START)
        self.clocks = [self.true, Skewed(self.true, self.skew)][:: -1 if ahead_first else 1]
        #: What the clock of its host showed at each admission (microseconds).
        self.admitted = []

    def run(self, hosts, duration):
        """Ask every host until all refuse, again and again, and return how many requests were admitted.

        A host is a function that returns how long to wait: zero if it admitted the request.
        """
        end, far_too_many = self.true() + duration // US * 1000, 2 * self.most(duration) + 100
        while self.true() < end and len(self.admitted) < far_too_many:
            before = None
            while before != len(self.admitted):  # until every host refuses after the last admission
                before = len(self.admitted)
                waits = [self.drain(clock, ask) for clock, ask in zip(self.clocks, hosts, strict=True)]
            self.true.move(min(waits))
        return len(self.admitted)

    def drain(self, clock, ask):
        """Ask one host until it refuses, and return the wait."""
        while not (wait := ask()):
            self.admitted.append(clock() // 1000)
        return wait

    def check(self, capacity=None):
        """Check every window."""
        check_windows(self.admitted, self.limit.refill // US, capacity or self.limit.capacity)

    def most(self, duration):
        """Return what the law allows in a flood of less than this time."""
        return self.limit.capacity + (duration + self.skew - US) // self.limit.refill


def check_windows(admitted, refill, capacity):
    """Check that from the i-th to the j-th admission no more were made than the capacity and the time allow."""
    least = None
    for count, at in enumerate(admitted):
        owed = count * refill - at
        least = owed if least is None else min(least, owed)
        assert owed - least <= (capacity - 1) * refill


def waited(call, *arguments, scope, **named):
    """Call, and return the wait of the limit that refused, or zero."""
    refusal = None
    try:
        call(*arguments, **named)
    except RateLimited as error:
        refusal = error
    except CodeRejected:
        pass
    assert refusal is None or scope == refusal.scope
    return refusal.retry_after if refusal else timedelta(0)


# --- the limiter


@pytest.mark.parametrize("ahead_first", [False, True])
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize(
    "limit, duration",
    [
        (Limit(1000, MINUTE), 2 * HOUR),
        (Limit(10, HOUR), timedelta(days=10)),
        (Limit(100, 7 * SECOND), HOUR),
        (Limit(5, SECOND), 10 * MINUTE),
        (Limit(3, 59 * SECOND), HOUR),
        (Limit(1, 90 * SECOND), HOUR),
    ],
)
def test_limiter(limit, duration, skew, ahead_first):
    """R28, T17: two hosts of a limiter admit exactly what the law allows, and no less than one clock allows."""
    flood, store = Flood(limit, skew, ahead_first=ahead_first), MemoryStore()
    limiters = [RateLimiter(store, limit, clock=clock) for clock in flood.clocks]

    def take(limiter):
        return limiter.take("k").retry_after

    count = flood.run([partial(take, limiter) for limiter in limiters], duration)

    flood.check()
    assert limit.capacity + (duration - US) // limit.refill <= count <= flood.most(duration)


def test_figures():
    """R28, T17: "1000, and one back a minute" admits 1,120 in two hours to hosts whose clocks differ by 59 seconds."""
    limit = Limit(1000, MINUTE)
    flood, store = Flood(limit, 59), MemoryStore()
    limiters = [RateLimiter(store, limit, clock=clock) for clock in flood.clocks]

    assert 1120 == flood.run([lambda host=host: host.take("k").retry_after for host in limiters], 2 * HOUR)


@given(
    st.builds(Limit, st.integers(1, 8), st.sampled_from([1, 20, 59, 60, 61, 600]).map(lambda s: s * SECOND)),
    st.sampled_from([1, 30, 59, 60]),
    st.lists(st.tuples(st.booleans(), st.integers(1, 8), st.sampled_from([0, 0, 1, 30, 60, 61, 600])), min_size=1),
)
def test_any_schedule(limit, skew, steps):
    """R28, T17: any hits on either host, at any times, stay within the law in every window."""
    flood, store = Flood(limit, skew), MemoryStore()
    hosts = [(clock, RateLimiter(store, limit, clock=clock)) for clock in flood.clocks]
    for ahead, times, pause in steps:
        clock, limiter = hosts[ahead]
        for _ in range(times):
            if limiter.take("k").allowed:
                flood.admitted.append(clock() // 1000)
        flood.true.move(seconds=pause)

    flood.check()


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("refill", [SECOND, 30 * SECOND])
def test_refund_by_a_host_ahead(refill, skew):
    """R28, T30: a hit that is given back on one host forgets nothing that another host took."""
    limit = Limit(1 + 30 * SECOND // refill, refill)
    flood, store = Flood(limit, skew), MemoryStore()
    behind, ahead = (RateLimiter(store, limit, clock=clock) for clock in flood.clocks)
    count = 0
    for _ in range(100):
        while behind.peek("k").remaining > 1:  # the other host, whose clock is ahead, sees a full bucket now
            count += behind.take("k").allowed
        ahead.take("k")
        ahead.give_back("k")

    assert count <= limit.capacity + flood.skew // refill


@given(
    st.builds(Limit, st.integers(1, 8), st.sampled_from([1, 20, 59, 60, 61, 600]).map(lambda s: s * SECOND)),
    st.sampled_from([0, 1, 30, 59, 60]),
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 8), st.integers(0, 8), st.sampled_from([0, 0, 1, 30, 60, 61, 600])),
        min_size=1,
    ),
)
def test_any_refunds(limit, skew, steps):
    """R28, T30: whichever hosts take and give back, in every window the hits that count stay within the law."""
    flood, store = Flood(limit, skew), MemoryStore()
    hosts = [(clock, RateLimiter(store, limit, clock=clock)) for clock in flood.clocks]
    changes, taken = [], 0  # each hit and refund, with what the clock of its host showed
    for ahead, hits, refunds, pause in steps:
        clock, limiter = hosts[ahead]
        for _ in range(hits):
            if limiter.take("k").allowed:
                changes.append((1, clock() // 1000))
                taken += 1
        for _ in range(min(refunds, taken)):
            limiter.give_back("k")
            changes.append((-1, clock() // 1000))
            taken -= 1
        assert limiter.peek("k").remaining <= limit.capacity
        flood.true.move(seconds=pause)

    refill, counted, owed = limit.refill // US, 0, []
    for change, at in changes:
        if change > 0:
            owed.append(counted * refill - at)
            assert owed[-1] - min(owed) <= (limit.capacity - 1) * refill
        counted += change


@given(
    st.builds(Limit, st.integers(1, 8), st.sampled_from([1, 20, 59, 60, 61, 600]).map(lambda s: s * SECOND)),
    st.sampled_from([1, 30, 59, 60]),
    st.integers(1, 8),
    st.booleans(),
)
def test_refund_is_exact(limit, skew, taken, ahead):
    """R28, T30: a hit on a bucket that is not full, and its refund, change nothing by any host's clock."""
    flood, store = Flood(limit, skew), MemoryStore()
    hosts = [RateLimiter(store, limit, clock=clock) for clock in flood.clocks]
    hosts[1].take("k", min(taken, limit.capacity))
    before = [host.peek("k") for host in hosts]
    if hosts[ahead].take("k").allowed:
        hosts[ahead].give_back("k")

    assert before == [host.peek("k") for host in hosts]


# --- the factor's own limits


class Hosts:
    """Two hosts with an enroller and a verifier each, over one store."""

    def __init__(self, flood, *outcomes, **arguments):
        limits = dict.fromkeys(("user", "number", "unverified", "guesses", "recovery", "refunds"), AMPLE)
        limits |= arguments.pop("limits")
        config = a_config(limits=Limits(**limits), **arguments)
        self.outbox, store = Outbox(*outcomes), MemoryStore()
        shared = config, store, self.outbox
        self.enrollers = [Enroller(*shared, clock=clock) for clock in flood.clocks]
        self.verifiers = [Verifier(*shared, clock=clock) for clock in flood.clocks]
        self.number = 0

    def enrol(self):
        """Enrol a number of alice."""
        pending = self.enrollers[0].start("alice", NUMBER)
        return self.enrollers[0].confirm("alice", pending.id, self.outbox.code)

    def next(self, name="purpose"):
        """Return a name that was not used before."""
        self.number += 1
        return f"{name} {self.number}"


#: Limits like the defaults, and ones that refill within the minute.
CORE_LIMITS = [
    (Limit(10, HOUR), timedelta(days=2)),
    (Limit(60, MINUTE), HOUR),
    (Limit(20, 20 * SECOND), 20 * MINUTE),
]
with_limits = pytest.mark.parametrize("limit, duration", CORE_LIMITS)
with_skews = pytest.mark.parametrize("skew", SKEWS)


@with_skews
@with_limits
@pytest.mark.parametrize("name", ["user", "number", "total"])
def test_messages(name, limit, duration, skew):
    """R28, T17: two hosts send a user no more than the law allows, by each limit."""
    flood = Flood(limit, skew)
    hosts = Hosts(flood, limits={name: limit})
    hosts.enrol()
    flood.true.move(days=3)  # what it cost is refilled

    def ask(verifier):
        return waited(verifier.challenge, "alice", purpose=hosts.next(), scope=name)

    before = hosts.outbox.calls
    count = flood.run([partial(ask, verifier) for verifier in hosts.verifiers], duration)

    flood.check()
    assert limit.capacity + (duration - US) // limit.refill <= count <= flood.most(duration)
    assert count == hosts.outbox.calls - before


@with_skews
@with_limits
def test_unverified(limit, duration, skew):
    """R28, T17: two hosts send a number no more codes to confirm it than the law allows, whoever asks."""
    flood = Flood(limit, skew)
    hosts = Hosts(flood, limits={"unverified": limit})

    def ask(enroller):
        return waited(enroller.start, hosts.next("user"), NUMBER, scope="number")

    count = flood.run([partial(ask, enroller) for enroller in hosts.enrollers], duration)

    flood.check()
    assert limit.capacity + (duration - US) // limit.refill <= count <= flood.most(duration)


@with_skews
@with_limits
def test_guesses(limit, duration, skew):
    """R8, R28, T17: two hosts compare no more wrong codes than the law allows, over all challenges."""
    flood = Flood(limit, skew)
    hosts = Hosts(flood, limits={"guesses": limit}, attempts=10, resend_gap=timedelta(0))
    tries = []

    def start(enroller):
        pending = enroller.start("alice", NUMBER)
        tries[:] = [(pending.id, wrong(hosts.outbox.code))] * 10

    def ask(enroller):
        """Enter a wrong code, for a new challenge after ten and after it expired."""
        if not tries and (wait := waited(start, enroller, scope="guesses")):
            return wait
        try:
            enroller.confirm("alice", *tries.pop())
        except CodeExpired:
            tries.clear()
            return ask(enroller)
        except CodeRejected:
            return timedelta(0)
        except RateLimited as error:
            return error.retry_after

    count = flood.run([partial(ask, enroller) for enroller in hosts.enrollers], duration)

    flood.check()
    assert limit.capacity + (duration - US) // limit.refill <= count <= flood.most(duration)


@with_skews
@with_limits
def test_recovery(limit, duration, skew):
    """R28, T17: two hosts compare no more wrong recovery codes than the law allows."""
    flood = Flood(limit, skew)
    hosts = Hosts(flood, limits={"recovery": limit})
    hosts.enrol()

    def ask(verifier):
        return waited(verifier.recover, "alice", "0000-0000-0000-0000-0000-0000", scope="recovery")

    count = flood.run([partial(ask, verifier) for verifier in hosts.verifiers], duration)

    flood.check()
    assert limit.capacity + (duration - US) // limit.refill <= count <= flood.most(duration)


@with_skews
@with_limits
def test_refunds(limit, duration, skew):
    """R28, T17: two hosts give back no more refused messages than the law allows, and charge the others."""
    flood = Flood(limit, skew)
    user = Limit(7, 2 * HOUR)
    hosts = Hosts(flood, limits={"refunds": limit, "user": user}, resend_gap=timedelta(0))
    hosts.outbox.send = refuse
    refunds, charges = Flood(limit, skew), Flood(user, skew)

    def ask(clock, enroller, verifier):
        before = verifier.status("alice").sends_left
        try:
            enroller.start("alice", NUMBER)
        except RateLimited as error:
            return error.retry_after
        except DeliveryRejected:
            given_back = verifier.status("alice").sends_left == before
            (refunds if given_back else charges).admitted.append(clock() // 1000)
        return timedelta(0)

    asks = [partial(ask, *host) for host in zip(flood.clocks, hosts.enrollers, hosts.verifiers, strict=True)]
    count = flood.run(asks, duration)

    refunds.check()
    charges.check()
    assert count <= refunds.most(duration) + charges.most(duration)


def refuse(message):
    raise DeliveryRejected("no such number")


@with_skews
def test_total_and_refused_requests(skew):
    """R28, T4, T17: refused requests on one host forget nothing that another host sent."""
    flood = Flood(Limit(40, SECOND), skew)
    hosts = Hosts(flood, limits={"total": flood.limit, "user": Limit(1, 24 * HOUR)})
    ahead = hosts.enrollers[1]
    ahead.start("mallory", OTHER_NUMBER)  # after that she has no messages left
    flood.true.move(hours=1)
    before = hosts.outbox.calls
    for _ in range(20):
        for _ in range(20):  # the other host, whose clock is ahead, then sees a full bucket
            waited(hosts.enrollers[0].start, hosts.next("user"), NUMBER, scope="total")
        waited(ahead.start, "mallory", NUMBER, scope="user")

    assert hosts.outbox.calls - before <= flood.most(SECOND)
