"""Checks of a store: another caller gets a turn at the worst moment of an update."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias, TypeVar

from ...typing import Change, Entry, Store
from ..threads import Keys, Writes, intruded
from .contention import persistently
from .suite import Suite, deterministic_check, expect, fresh, held, in_pairs, increment, look, put, seen

T = TypeVar("T")
V = TypeVar("V")
Writing: TypeAlias = dict[str, Entry | None]

#: How many turns the other caller gets if an update has several moments to interrupt.
_TURNS = 6
#: How many times in a row another update comes first.
_CONFLICTS = 40


class InterruptionChecks(Suite):
    """Updates that another caller interrupts, on one store and on two of the same data.

    Nothing here depends on luck. The other caller gets its turn inside ``change``, between two keys or between two
    writes. A store that locks makes it wait.
    """

    @deterministic_check(2)
    @in_pairs
    def test_update_meets_update(self, one: Store, other: Store) -> None:
        """No update is lost if it begins while another update of the same key runs its change."""
        [key] = fresh("k")
        put(one, {key: b"0"})
        self._none_lost(one, other, key, [key], [key])

    @deterministic_check(2)
    @in_pairs
    def test_first_write_meets_first_write(self, one: Store, other: Store) -> None:
        """No first write to an absent key is lost if it begins while another runs its change: no row can be locked."""
        [key] = fresh("k")
        self._none_lost(one, other, key, [key], [key])

    @deterministic_check(2)
    @in_pairs
    def test_overlap_meets_overlap(self, one: Store, other: Store) -> None:
        """No update is lost if two updates share only one of several keys and some keys are absent."""
        for first in (True, False):
            mine, shared, theirs = fresh("mine", "shared", "theirs")
            put(other, {mine: b"0"})
            keys, others = [mine, shared], [shared, theirs]
            self._none_lost(one, other, shared, keys[::-1] if first else keys, others[::-1] if first else others)

    @deterministic_check(4)
    def test_many_conflicts(self) -> None:
        """An update succeeds even if another one comes first forty times in a row, or tries for about five seconds."""
        stores, [key] = self.handles(), fresh("k")
        one, other = stores[0], stores[-1]
        first, counted = self._intruded(
            lambda turn: persistently(lambda: one.update([key], held(increment(key), turn))),
            lambda: other.update([key], increment(key)),
            _CONFLICTS,
        )
        expect(list(range(len(counted) + 1)), sorted([first, *counted]), "the counts that the updates saw")
        expect(b"%d" % (len(counted) + 1), one.read(key), "the count after all updates succeeded")

    @deterministic_check(2)
    @in_pairs
    def test_decision_meets_decision(self, one: Store, other: Store) -> None:
        """Of two updates that each write one key only if the other key is absent, only one writes."""
        keys = fresh("a", "b")

        def claim(mine: str, rival: str) -> Change[bool]:
            return lambda values: ({}, False) if rival in values else ({mine: Entry(b"1")}, True)

        self._one_decides(one, other, keys, claim)
        expect(1, len(look(one, keys)), "how many keys exist")

    @deterministic_check(2)
    @in_pairs
    def test_decision_rewrites_the_rest(self, one: Store, other: Store) -> None:
        """Of two updates that each write one key only if the other is as before, and write the other anew, one does."""
        keys = fresh("a", "b")
        put(one, dict.fromkeys(keys, b"free"))

        def claim(mine: str, rival: str) -> Change[bool]:
            taken: Writing = {mine: Entry(b"taken"), rival: Entry(b"free")}
            return lambda values: (taken, True) if values[rival] == b"free" else ({}, False)

        self._one_decides(one, other, keys, claim)

    @deterministic_check(2)
    @in_pairs
    def test_decision_deletes_the_absent(self, one: Store, other: Store) -> None:
        """Of two updates that each write one key only if the other is absent, and delete the other too, one does."""
        keys = fresh("a", "b")

        def claim(mine: str, rival: str) -> Change[bool]:
            taken: Writing = {mine: Entry(b"taken"), rival: None}
            return lambda values: ({}, False) if rival in values else (taken, True)

        self._one_decides(one, other, keys, claim)

    @deterministic_check(2)
    @in_pairs
    def test_replacement_meets_update(self, one: Store, other: Store) -> None:
        """An update notices if the key is deleted and written again meanwhile, just as often as before."""
        for times in (0, 1, 2):
            [key] = fresh("k")
            _write_times(one, key, b"5", times or 1)
            saw = self._replaced_within(one, other, key, times)
            result = saw, one.read(key)
            allowed = [(5, b"40"), (40, b"41"), (0, b"40")] if times else [(5, None), (0, b"1")]
            allowed += [(40, b"40")] if times == 2 else []  # the update came between the two writes
            if result not in allowed:
                raise AssertionError(
                    f"the key had 5, was deleted and written {times} times as 40; seen by the update, final: {result}"
                )

    @deterministic_check(2)
    @in_pairs
    def test_deletion_meets_update(self, one: Store, other: Store) -> None:
        """An update that begins while another deletes the key either comes first or finds the key absent."""
        [key] = fresh("k")
        put(one, {key: b"5"})

        def delete(turn: Callable[[], None]) -> int:
            return one.update([key], held(lambda values: ({key: None}, int(values[key])), turn))

        deleted, counted = self._intruded(delete, lambda: other.update([key], increment(key)))
        result = deleted, counted, one.read(key)
        if result not in ((6, [5], None), (5, [0], b"1")):
            raise AssertionError(f"the key had 5; deleted value, values seen by the update, final value: {result}")

    @deterministic_check(2)
    @in_pairs
    def test_look_meets_update(self, one: Store, other: Store) -> None:
        """A change that writes nothing undoes nothing that another update wrote meanwhile."""
        keys = fresh("a", "b")
        put(one, {keys[0]: b"0"})
        self._intruded(
            lambda turn: one.update(keys, held(seen, turn)),
            lambda: other.update(keys, increment(*keys)),
        )
        expect(dict.fromkeys(keys, b"1"), look(one, keys), "the final values")

    @deterministic_check(5)
    @in_pairs
    def test_error_meets_update(self, one: Store, other: Store) -> None:
        """A change that raises undoes nothing that another update wrote meanwhile."""
        keys = fresh("a", "b")

        def fail(turn: Callable[[], None]) -> None:
            def second_thoughts() -> None:
                turn()
                raise Unwanted

            with suppress(Unwanted):
                one.update(keys, held(seen, second_thoughts))

        self._intruded(fail, lambda: other.update(keys, increment(*keys)))
        expect(dict.fromkeys(keys, b"1"), look(one, keys), "the final values")

    @deterministic_check(2)
    @in_pairs
    def test_values_are_current_together(self, one: Store, other: Store) -> None:
        """A change sees values that existed at the same moment, even if another update comes while keys are read."""
        keys = fresh("a", "b", "c")
        put(one, dict.fromkeys(keys, b"0"))
        values, _ = self._intruded(
            lambda turn: one.update(Keys(keys, turn), seen), lambda: other.update(keys, increment(*keys)), _TURNS
        )
        expect(1, len(set(values.values())), f"how many different values are in {values}")

    @deterministic_check(5)
    @in_pairs
    def test_errors_are_of_values_current_together(self, one: Store, other: Store) -> None:
        """An exception that a change raises on values that never existed at the same moment is not passed on."""
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
            raise AssertionError("the exception of a change did not come out of update()")

        values, _ = self._intruded(refused, lambda: other.update(keys, increment(*keys)), _TURNS)
        expect(1, len(set(values.values())), f"how many different values are in {values}")

    @deterministic_check(2)
    @in_pairs
    def test_keys_in_opposite_orders(self, one: Store, other: Store) -> None:
        """Two updates with the same keys in opposite orders do not wait for each other forever."""
        keys = fresh("a", "b", "c")
        first, counted = self._intruded(
            lambda turn: one.update(Keys(keys, turn), increment(*keys)),
            lambda: other.update(keys[::-1], increment(*keys)),
            _TURNS,
        )
        expect(list(range(len(counted) + 1)), sorted([first, *counted]), "the counts that the updates saw")
        expect(dict.fromkeys(keys, b"%d" % (len(counted) + 1)), look(one, keys), "the final values")

    @deterministic_check(1)
    @in_pairs
    def test_nothing_is_seen_half_written(self, one: Store, other: Store) -> None:
        """No change sees one key of another update written and another key not."""
        keys, writes = self._about_to_write(one)
        _, looks = self._intruded(
            lambda turn: one.update(keys, _writing(writes, turn)), lambda: look(other, keys), _TURNS
        )
        for values in looks:
            expect(1, len(set(values.values())), f"how many different values are in {values}")
        expect(dict.fromkeys(keys, b"1"), look(one, keys), "the final values")

    @deterministic_check(1)
    @in_pairs
    def test_nothing_is_read_half_written(self, one: Store, other: Store) -> None:
        """Once read() returns one key of an update as written, it returns the others as written too."""
        keys, writes = self._about_to_write(one)
        order = [*keys, *keys[::-1]]
        _, reads = self._intruded(
            lambda turn: one.update(keys, _writing(writes, turn)), lambda: [other.read(key) for key in order], _TURNS
        )
        for values in reads:
            expect(sorted(map(str, values)), list(map(str, values)), "the values read, one key after the other")

    @deterministic_check(10)
    @in_pairs
    def test_nothing_is_read_of_what_is_refused(self, one: Store, other: Store) -> None:
        """read() never returns what an update wrote if the update is refused for a write outside its keys."""
        keys, writes = self._about_to_write(one)

        def refused(turn: Callable[[], None]) -> None:
            try:
                one.update(keys[:2], _writing(writes, turn))
            except ValueError:
                return
            raise AssertionError("a write outside the keys was accepted")

        _, reads = self._intruded(refused, lambda: [other.read(key) for key in keys], _TURNS)
        expect([[b"0"] * 3] * len(reads), reads, "the values read meanwhile")
        expect(dict.fromkeys(keys, b"0"), look(one, keys), "the final values")

    def _none_lost(self, one: Store, other: Store, shared: str, keys: Sequence[str], others: Sequence[str]) -> None:
        """Let two updates count under their keys, and check what they saw under the key they share."""
        first, counted = self._intruded(
            lambda turn: one.update(keys, held(increment(shared, *keys), turn)),
            lambda: other.update(others, increment(shared, *others)),
        )
        expect([0, 1], sorted([first, *counted]), "the counts that the two updates saw")
        expect(b"2", one.read(shared), "the count after two updates that both succeeded")

    def _replaced_within(self, one: Store, other: Store, key: str, times: int) -> int:
        """Replace a key inside an update that counts under it; return the count that the update saw."""
        saw, _ = self._intruded(
            lambda turn: one.update([key], held(increment(key), turn)), lambda: _replace(other, key, times)
        )
        return saw

    def _one_decides(
        self, one: Store, other: Store, keys: Sequence[str], claim: Callable[[str, str], Change[bool]]
    ) -> None:
        """Let each of two updates claim its key against the other."""
        mine, rival = keys
        first, [second] = self._intruded(
            lambda turn: one.update(keys, held(claim(mine, rival), turn)),
            lambda: other.update(keys, claim(rival, mine)),
        )
        expect({True, False}, {first, second}, "which of the two updates wrote")

    def _about_to_write(self, store: Store) -> tuple[list[str], dict[str, Entry | None]]:
        keys = fresh("a", "b", "c")
        put(store, dict.fromkeys(keys, b"0"))
        return keys, dict.fromkeys(keys, Entry(b"1"))

    def _intruded(
        self, first: Callable[[Callable[[], None]], T], second: Callable[[], V], turns: int = 1
    ) -> tuple[T, list[V]]:
        return intruded(first, second, patience=self.patience, limit=self.time_limit, turns=turns)


def _write_times(store: Store, key: str, value: bytes, times: int) -> None:
    for _ in range(times):
        put(store, {key: value})


def _replace(store: Store, key: str, times: int) -> None:
    """Delete a key, and write it anew some times."""
    store.update([key], lambda _: ({key: None}, None))
    _write_times(store, key, b"40", times)


class Unwanted(Exception):
    """The exception of a change that changes its mind."""


def _writing(writes: Mapping[str, Entry | None], between: Callable[[], None]) -> Change[None]:
    return lambda _: (Writes(writes, between), None)
