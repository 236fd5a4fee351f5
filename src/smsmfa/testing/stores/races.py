"""Checks of a store: updates from many threads at once lose nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from threading import Event
from time import sleep
from typing import TypeVar

from ...typing import Change, Entry, Store
from ..threads import INTERVALS, Keys, Writes, all_of, at_once, switching
from .contention import persistently
from .suite import Suite, check, expect, fresh, increment, look

T = TypeVar("T")

_CONTENDERS = 32
#: Gives another thread its turn and does not sleep.
_give_way = partial(sleep, 0)


class RaceChecks(Suite):
    """Threads that race, on one store and on two of the same data. A broken store is very likely to fail."""

    @check(2)
    def test_hot_key(self) -> None:
        """All of 32 threads that count under one key succeed, and no count is lost or repeated."""
        stores, keys = self.handles(), dict(zip(INTERVALS, fresh("hot", "hotter"), strict=True))
        times = max(1, self.rounds // 4)

        def contend(number: int, key: str) -> list[int]:
            store, change = stores[number % len(stores)], _gently(increment(key))
            return [persistently(lambda: store.update([key], change)) for _ in range(times)]

        for interval, key in keys.items():
            counts = [*chain(*self._at_once(partial(contend, key=key), _CONTENDERS, interval))]
            expect(list(range(_CONTENDERS * times)), sorted(counts), "the counts that the threads saw")
            expect(b"%d" % len(counts), stores[0].read(key), "the final count")

    @check(2)
    def test_first_writes(self) -> None:
        """No first write to an absent key is lost if several threads write it at once."""
        stores = self.handles()

        def write(number: int, keys: list[str]) -> int:
            order = keys if number % 2 else keys[::-1]
            return persistently(lambda: stores[number % len(stores)].update(order, _gently(increment(*keys))))

        for number in range(self.rounds):
            keys = fresh("a", "b")
            counts = self._at_once(partial(write, keys=keys), 4, INTERVALS[number % 2])
            expect([0, 1, 2, 3], sorted(counts), "the counts that four first writers saw")
            expect(dict.fromkeys(keys, b"4"), look(stores[0], keys), "the final counts")

    @check(2)
    def test_opposite_orders(self) -> None:
        """Updates of overlapping keys in opposite orders all finish within the time limit."""
        stores, keys = self.handles(), fresh(*"abcdefgh")

        def work(number: int) -> None:
            store, mine = stores[number % len(stores)], keys[number % 4 : number % 4 + 5]
            order = mine if number % 2 else mine[::-1]
            for _ in range(self.rounds):
                persistently(lambda: store.update(Keys(order, _give_way), _gently(increment(*order))))

        for interval in INTERVALS:
            self._at_once(work, 8, interval)
        counts = [2 * 2 * self.rounds * len([n for n in range(4) if n <= i <= n + 4]) for i in range(8)]
        expect(counts, [int(stores[0].read(key) or b"0") for key in keys], "the final counts")

    @check(1)
    def test_never_torn(self) -> None:
        """Threads never see part of an update, whether they read its keys in one update or one by one."""
        stores, keys, done = self.handles(), fresh("a", "b"), Event()

        def write(number: int) -> None:
            store = stores[number % len(stores)]
            try:
                for _ in range(self.rounds):
                    persistently(lambda: store.update(keys, _gently(increment(*keys))))
            finally:
                done.set()

        def watch(number: int) -> None:
            while not done.is_set():
                _look_for_torn(stores[number % len(stores)], keys)

        for interval in INTERVALS:
            done.clear()
            self._at_once(lambda number: write(number) if number < 2 else watch(number), 4, interval)
        expect(dict.fromkeys(keys, b"%d" % (4 * self.rounds)), look(stores[0], keys), "the final counts")

    def _at_once(self, call: Callable[[int], T], contenders: int, interval: float) -> list[T]:
        with switching(interval):
            return all_of(at_once([partial(call, number) for number in range(contenders)], self.time_limit))


def _look_for_torn(store: Store, keys: Sequence[str]) -> None:
    """Fail if keys that are always written together differ, or if a key read later is older."""
    values = persistently(lambda: look(store, keys))
    expect(1, len({values.get(key) for key in keys}), f"how many different counts are in {values}")
    first, second = (int(store.read(key) or b"0") for key in keys)
    expect(True, first <= second, f"whether {second}, read after {first}, is at least as new")


def _gently(change: Change[T]) -> Change[T]:
    """Return the same change, with turns for other threads before it returns and between its writes."""

    def run(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], T]:
        writes, outcome = change(values)
        _give_way()
        return Writes(writes, _give_way), outcome

    return run
