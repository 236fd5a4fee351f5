"""The memory store: bytes per user, and the longest pause with a million users."""

import gc
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import repeat
from typing import Any, TypeAlias

import attrs
from cycle import HOUR_NS, Factor
from harness import Collected, Row, Size

from smsmfa import MemoryStore
from smsmfa.typing import Change, Entry

Operation: TypeAlias = Callable[[], object]

#: The number of enrolments, each followed by a login, on the full store.
OPERATIONS = 3000


def measure(size: Size) -> list[Row]:
    """Count bytes, then time pauses."""
    return [*bytes_a_user(size.counted), longest_pause(size.held)]


def bytes_a_user(users: int) -> list[Row]:
    """Count the bytes that the store allocates for enrolled users, first idle and then with a challenge."""
    Factor().enrol("to warm up")
    factor = Factor()
    names = [f"user {number}" for number in range(users)]
    tracemalloc.start()
    try:
        before = allocated()
        for name in names:
            factor.enrol(name)
        idle = (allocated() - before) / users
        factor.clock.now += HOUR_NS
        for name in names:
            factor.verifier.challenge(name)
        live = (allocated() - before) / users
    finally:
        tracemalloc.stop()
    note = f"{users} users, each with a number"
    return [
        Row("bytes a user in memory, idle", idle, 620, 450, note=note),
        Row("bytes a user in memory, with a live challenge", live, 870, 650, note=note),
    ]


def allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Recorder:
    """A store that records its writes, as a sample for filling another store."""

    def __init__(self) -> None:
        self._store = MemoryStore()
        self.written: dict[str, Entry | None] = {}

    def read(self, key: str) -> bytes | None:
        return self._store.read(key)

    def update(self, keys: Sequence[str], change: Change[Any]) -> Any:
        def recorded(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], Any]:
            writes, outcome = change(values)
            self.written.update(writes)
            return writes, outcome

        return self._store.update(keys, recorded)


def longest_pause(users: int) -> Row:
    """Fill a store with copies of a real user's records, then enrol users and log them in."""
    recorder, store = Recorder(), MemoryStore()
    Factor(recorder).enrol("the sample")
    with Collected():
        filling = longest(copies(recorder.written, store, users))
        working = longest(real_operations(Factor(store)))
        collecting = longest([gc.collect])
    machine = longest(repeat(int, users))
    note = (
        f"{filling:.2f} to fill, {working:.2f} to enrol or log in, {collecting:.2f} for a full garbage collection; "
        f"{machine:.2f} to do nothing as often"
    )
    pause = max(filling, working, collecting)
    return Row(f"longest pause of one operation, {users:,} users in memory", pause, 10, 3, unit=" ms", note=note)


def copies(sample: Mapping[str, Entry | None], store: MemoryStore, users: int) -> Iterator[Operation]:
    """Yield updates that store copies of the records of ``sample`` under new keys of the same form."""
    for number in range(users):
        writes = {
            copied(key, number): attrs.evolve(entry, value=bytes(bytearray(entry.value)))
            for key, entry in sample.items()
        }
        yield partial(store.update, tuple(writes), lambda values, writes=writes: (writes, None))


def copied(key: str, number: int) -> str:
    """Return another key of the same length and randomness."""
    kind, _, name = key.partition(":")
    return f"{kind}:{b64encode(sha256(b'%d' % number).digest()).decode()[: len(name)]}"


def real_operations(factor: Factor) -> Iterator[Operation]:
    """Yield enrolments, each followed by a login."""
    for number in range(OPERATIONS):
        yield partial(factor.enrol, f"user {number}")
        factor.clock.now += HOUR_NS
        yield partial(factor.log_in, f"user {number}")


def longest(operations: Iterable[Operation]) -> float:
    """Return the processor time of the longest operation, in milliseconds."""
    most = 0
    for operation in operations:
        begin = time.thread_time_ns()
        operation()
        most = max(most, time.thread_time_ns() - begin)
    return most / 1e6
