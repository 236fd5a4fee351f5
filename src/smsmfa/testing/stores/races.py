"""Checks of a store: what happens at the same time is as if one came after the other."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from threading import Event
from time import sleep
from typing import TypeVar

from ...typing import Change, Entry, Store
from ..threads import INTERVALS, Keys, Writes, all_of, at_once, intruded, switching
from .suite import Suite, check, expect, fresh, held, in_pairs, increment, look, put, seen

T = TypeVar("T")
V = TypeVar("V")

_CONTENDERS = 32
#: Between keys and between writes there is more than one occasion.
_TURNS = 6
#: Gives another thread its turn, and sleeps not.
_give_way = partial(sleep, 0)


class RaceChecks(Suite):
    """Threads on one store, and on two of the same data where it can be opened twice.

    Some checks wait for luck. The others do not: another update gets its turn just while one is inside its
    ``change``, between two of its keys or between two of its writes. A store that locks makes it wait.
    """

    # --- another update in the middle of one

    @check(2)
    @in_pairs
    def test_update_meets_update(self, one: Store, other: Store) -> None:
        """Of two updates of a key, one of which begins while the other computes, none is lost."""
        [key] = fresh("k")
        put(one, {key: b"0"})
        self._none_lost(one, other, key, [key], [key])

    @check(2)
    @in_pairs
    def test_first_write_meets_first_write(self, one: Store, other: Store) -> None:
        """Nor is one lost where the key is absent: there is no row to lock."""
        [key] = fresh("k")
        self._none_lost(one, other, key, [key], [key])

    @check(2)
    @in_pairs
    def test_overlap_meets_overlap(self, one: Store, other: Store) -> None:
        """Nor of several keys, some absent, of which the updates share only one."""
        for first in (True, False):
            mine, shared, theirs = fresh("mine", "shared", "theirs")
            put(other, {mine: b"0"})
            keys, others = [mine, shared], [shared, theirs]
            self._none_lost(one, other, shared, keys[::-1] if first else keys, others[::-1] if first else others)

    @check(4)
    @in_pairs
    def test_many_conflicts(self, one: Store, other: Store) -> None:
        """An update gets through though another comes first ten times in a row."""
        [key] = fresh("k")
        first, counted = self._intruded(
            lambda turn: one.update([key], held(increment(key), turn)), lambda: other.update([key], increment(key)), 10
        )
        expect(list(range(len(counted) + 1)), sorted([first, *counted]), "what the updates saw")
        expect(b"%d" % (len(counted) + 1), one.read(key), "the count after all of them succeeded")

    @check(2)
    @in_pairs
    def test_decision_meets_decision(self, one: Store, other: Store) -> None:
        """Of two updates that each write one key if the other key is absent, only one writes: to see counts too."""
        keys = fresh("a", "b")

        def claim(mine: str, rival: str) -> Change[bool]:
            return lambda values: ({}, False) if rival in values else ({mine: Entry(b"1")}, True)

        first, [second] = self._intruded(
            lambda turn: one.update(keys, held(claim(*keys), turn)), lambda: other.update(keys, claim(*keys[::-1]))
        )
        expect({True, False}, {first, second}, "whether the one and the other wrote")
        expect(1, len(look(one, keys)), "how many keys were written")

    @check(2)
    @in_pairs
    def test_deletion_meets_update(self, one: Store, other: Store) -> None:
        """An update that begins while another deletes the key comes before it or finds nothing."""
        [key] = fresh("k")
        put(one, {key: b"5"})

        def delete(turn: Callable[[], None]) -> int:
            return one.update([key], held(lambda values: ({key: None}, int(values[key])), turn))

        deleted, counted = self._intruded(delete, lambda: other.update([key], increment(key)))
        came = deleted, counted, one.read(key)
        if came not in ((6, [5], None), (5, [0], b"1")):
            raise AssertionError(f"a count of 5 was deleted at, counted on from, and is now: {came}")

    @check(2)
    @in_pairs
    def test_look_meets_update(self, one: Store, other: Store) -> None:
        """A change that writes nothing undoes nothing that another wrote while it was looking."""
        keys = fresh("a", "b")
        put(one, {keys[0]: b"0"})
        self._intruded(
            lambda turn: one.update(keys, held(seen, turn)),
            lambda: other.update(keys, increment(*keys)),
        )
        expect(dict.fromkeys(keys, b"1"), look(one, keys), "what is stored")

    @check(5)
    @in_pairs
    def test_error_meets_update(self, one: Store, other: Store) -> None:
        """A change that raises undoes nothing that another wrote while it was running."""
        keys = fresh("a", "b")

        def fail(turn: Callable[[], None]) -> None:
            def second_thoughts() -> None:
                turn()
                raise Unwanted

            with suppress(Unwanted):
                one.update(keys, held(seen, second_thoughts))

        self._intruded(fail, lambda: other.update(keys, increment(*keys)))
        expect(dict.fromkeys(keys, b"1"), look(one, keys), "what is stored")

    @check(2)
    @in_pairs
    def test_values_are_current_together(self, one: Store, other: Store) -> None:
        """A change sees values that were current together, though another update comes while its keys are read."""
        keys = fresh("a", "b", "c")
        put(one, dict.fromkeys(keys, b"0"))
        values, _ = self._intruded(
            lambda turn: one.update(Keys(keys, turn), seen), lambda: other.update(keys, increment(*keys)), _TURNS
        )
        expect(1, len(set(values.values())), f"how many values keys have that are always equal ({values})")

    @check(5)
    @in_pairs
    def test_errors_are_of_values_current_together(self, one: Store, other: Store) -> None:
        """Nor does an exception come out that a change raised on values that were never current together."""
        keys = fresh("a", "b", "c")
        put(one, dict.fromkeys(keys, b"0"))

        def refuse(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], None]:
            raise Unwanted(dict(values))

        def refused(turn: Callable[[], None]) -> dict[str, bytes]:
            try:
                one.update(Keys(keys, turn), refuse)
            except Unwanted as error:
                values: dict[str, bytes] = error.args[0]
                return values
            raise AssertionError("an exception of the change was swallowed")

        values, _ = self._intruded(refused, lambda: other.update(keys, increment(*keys)), _TURNS)
        expect(1, len(set(values.values())), f"how many values keys have that are always equal ({values})")

    @check(2)
    @in_pairs
    def test_keys_in_opposite_orders(self, one: Store, other: Store) -> None:
        """Two updates that name the same keys in opposite orders do not wait for each other for ever."""
        keys = fresh("a", "b", "c")
        first, counted = self._intruded(
            lambda turn: one.update(Keys(keys, turn), increment(*keys)),
            lambda: other.update(keys[::-1], increment(*keys)),
            _TURNS,
        )
        expect(list(range(len(counted) + 1)), sorted([first, *counted]), "what the updates saw")
        expect(dict.fromkeys(keys, b"%d" % (len(counted) + 1)), look(one, keys), "what is stored")

    @check(1)
    @in_pairs
    def test_nothing_is_seen_half_written(self, one: Store, other: Store) -> None:
        """No change sees one key of another update written and another not."""
        keys, writes = self._about_to_write(one)
        _, looks = self._intruded(
            lambda turn: one.update(keys, _writing(writes, turn)), lambda: look(other, keys), _TURNS
        )
        for values in looks:
            expect(1, len(set(values.values())), f"how many values keys have that are always equal ({values})")
        expect(dict.fromkeys(keys, b"1"), look(one, keys), "what is stored")

    @check(1)
    @in_pairs
    def test_nothing_is_read_half_written(self, one: Store, other: Store) -> None:
        """Whoever reads a key as an update left it reads the others so too from then on."""
        keys, writes = self._about_to_write(one)
        order = [*keys, *keys[::-1]]
        _, reads = self._intruded(
            lambda turn: one.update(keys, _writing(writes, turn)), lambda: [other.read(key) for key in order], _TURNS
        )
        for values in reads:
            expect(sorted(map(str, values)), list(map(str, values)), "what was read, one key after the other")

    @check(10)
    @in_pairs
    def test_nothing_is_read_of_what_is_refused(self, one: Store, other: Store) -> None:
        """Nobody reads what an update wrote that is then refused because it wrote outside its keys."""
        keys, writes = self._about_to_write(one)

        def refused(turn: Callable[[], None]) -> None:
            try:
                one.update(keys[:2], _writing(writes, turn))
            except ValueError:
                return
            raise AssertionError("a write outside the keys was accepted")

        _, reads = self._intruded(refused, lambda: [other.read(key) for key in keys], _TURNS)
        expect([[b"0"] * 3] * len(reads), reads, "what was read meanwhile")
        expect(dict.fromkeys(keys, b"0"), look(one, keys), "what is stored")

    # --- many at once

    @check(2)
    def test_hot_key(self) -> None:
        """Of 32 contenders for one key each gets through, and no count is lost or counted twice."""
        stores, keys = self.handles(), dict(zip(INTERVALS, fresh("hot", "hotter"), strict=True))
        times = max(1, self.rounds // 4)

        def contend(number: int, key: str) -> list[int]:
            store, change = stores[number % len(stores)], _gently(increment(key))
            return [store.update([key], change) for _ in range(times)]

        for interval, key in keys.items():
            counts = [*chain(*self._at_once(partial(contend, key=key), _CONTENDERS, interval))]
            expect(list(range(_CONTENDERS * times)), sorted(counts), "what the contenders saw")
            expect(b"%d" % len(counts), stores[0].read(key), "what is stored")

    @check(2)
    def test_first_writes(self) -> None:
        """Of first writes to absent keys, fresh ones in each round, none is lost."""
        stores = self.handles()

        def write(number: int, keys: list[str]) -> int:
            order = keys if number % 2 else keys[::-1]
            return stores[number % len(stores)].update(order, _gently(increment(*keys)))

        for number in range(self.rounds):
            keys = fresh("a", "b")
            counts = self._at_once(partial(write, keys=keys), 4, INTERVALS[number % 2])
            expect([0, 1, 2, 3], sorted(counts), "what four first writers saw")
            expect(dict.fromkeys(keys, b"4"), look(stores[0], keys), "what is stored")

    @check(2)
    def test_opposite_orders(self) -> None:
        """Overlapping sets of keys in opposite orders are all done within the time limit."""
        stores, keys = self.handles(), fresh(*"abcdefgh")

        def work(number: int) -> None:
            mine = keys[number % 4 : number % 4 + 5]
            for _ in range(self.rounds):
                order = mine if number % 2 else mine[::-1]
                stores[number % len(stores)].update(Keys(order, _give_way), _gently(increment(*order)))

        for interval in INTERVALS:
            self._at_once(work, 8, interval)
        counts = [2 * 2 * self.rounds * len([n for n in range(4) if n <= i <= n + 4]) for i in range(8)]
        expect(counts, [int(stores[0].read(key) or b"0") for key in keys], "the counts of the keys")

    @check(1)
    def test_never_torn(self) -> None:
        """Keys that are always written together are never seen apart, by a change or one after the other."""
        stores, keys, done = self.handles(), fresh("a", "b"), Event()

        def write(number: int) -> None:
            try:
                for _ in range(self.rounds):
                    stores[number % len(stores)].update(keys, _gently(increment(*keys)))
            finally:
                done.set()

        def watch(number: int) -> None:
            store = stores[number % len(stores)]
            while not done.is_set():
                values = look(store, keys)
                expect(1, len({values.get(key) for key in keys}), f"how many different values {values} a change saw")
                first, second = (int(store.read(key) or b"0") for key in keys)
                expect(True, first <= second, f"that {second}, read after {first}, is not older")

        for interval in INTERVALS:
            done.clear()
            self._at_once(lambda number: write(number) if number < 2 else watch(number), 4, interval)
        expect(dict.fromkeys(keys, b"%d" % (4 * self.rounds)), look(stores[0], keys), "what is stored")

    # --- how it is done

    def _none_lost(self, one: Store, other: Store, shared: str, keys: Sequence[str], others: Sequence[str]) -> None:
        """Each counts under its keys; what they say is what they saw of the one that they share."""
        first, counted = self._intruded(
            lambda turn: one.update(keys, held(increment(shared, *keys), turn)),
            lambda: other.update(others, increment(shared, *others)),
        )
        expect([0, 1], sorted([first, *counted]), "what the two updates saw")
        expect(b"2", one.read(shared), "the count after two updates that both succeeded")

    def _about_to_write(self, store: Store) -> tuple[list[str], dict[str, Entry | None]]:
        keys = fresh("a", "b", "c")
        put(store, dict.fromkeys(keys, b"0"))
        return keys, dict.fromkeys(keys, Entry(b"1"))

    def _intruded(
        self, first: Callable[[Callable[[], None]], T], second: Callable[[], V], turns: int = 1
    ) -> tuple[T, list[V]]:
        return intruded(first, second, patience=self.patience, limit=self.time_limit, turns=turns)

    def _at_once(self, call: Callable[[int], T], contenders: int, interval: float) -> list[T]:
        with switching(interval):
            return all_of(at_once([partial(call, number) for number in range(contenders)], self.time_limit))


class Unwanted(Exception):
    """What a change raises that has second thoughts."""


def _gently(change: Change[T]) -> Change[T]:
    """Return a change that gives way to other threads before it says what to write, and between the writes."""

    def run(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], T]:
        writes, outcome = change(values)
        _give_way()
        return Writes(writes, _give_way), outcome

    return run


def _writing(writes: Mapping[str, Entry | None], between: Callable[[], None]) -> Change[None]:
    return lambda _: (Writes(writes, between), None)
