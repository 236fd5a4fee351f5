"""Checks of a store that can be opened more than once: by one process, by several, and across a fork."""

from collections.abc import Callable, Mapping, Sequence
from threading import Semaphore

import pytest

from ...typing import Entry, Store
from ..threads import intruded
from .processes import forked, in_process, in_processes
from .suite import Suite, check, expect, fresh, held, increment, look, put

_PROCESSES = 3


class HandleChecks(Suite):
    """Two stores of one process, stores of several processes."""

    @check(3, "shared")
    def test_two_in_turn(self) -> None:
        """What one store wrote or deleted the other reads, sees and counts on from, whatever it saw before."""
        one, other, keys = self.opened(), self.opened(), fresh("a", "b")
        for number in range(self.rounds):
            expect(number, one.update(keys, increment(*keys)), "what the one sees")
            expect([b"%d" % (number + 1)] * 2, [other.read(key) for key in keys], "what the other reads")
            one, other = other, one
        one.update(keys, lambda _: ({keys[0]: None}, None))
        expect({keys[1]: b"%d" % self.rounds}, look(other, keys), "what the other sees after a deletion")
        expect(None, other.read(keys[0]), "what the other reads of it")

    @check(3, "shared")
    def test_refusal_on_stale_memory(self) -> None:
        """A refusal decided on values that another store has changed since is decided again on fresh ones."""
        one, other, [key] = self.opened(), self.opened(), fresh("k")
        for value, since in ((b"full", b""), (b"", b"full"), (b"full", None), (None, b"full")):
            _set(one, key, value)
            for _ in range(2):
                expect(value, one.update([key], lambda values: ({}, values.get(key))), "a refusal on fresh values")
            _set(other, key, since)
            expect(since, one.update([key], lambda values: ({}, values.get(key))), "a refusal after another's write")

    @check(5, "shared")
    def test_error_on_stale_memory(self) -> None:
        """An exception that a change raises on such values does not come out: it is called again."""
        one, other, [key] = self.opened(), self.opened(), fresh("k")

        def refuse(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], str]:
            if values.get(key) == b"full":
                raise KeyError("full")
            return {key: Entry(b"full")}, "taken"

        expect("taken", one.update([key], refuse), "the outcome of an update of an absent key")
        with pytest.raises(KeyError):
            one.update([key], refuse)
        _set(other, key, b"empty again")
        expect("taken", one.update([key], refuse), "the outcome after another emptied it")

    @check(3, "shared")
    def test_memories_of_different_times(self) -> None:
        """Values of which one was read again and the other was not are not taken for current together."""
        one, other, keys = self.opened(), self.opened(), fresh("a", "b")
        for number in range(4):
            put(one, dict.fromkeys(keys, b"old"))
            look(one, keys)
            put(other, dict.fromkeys(keys, b"new"))
            expect(b"new", one.read(keys[number % 2]), "what is read after another's write")
            expect(dict.fromkeys(keys, b"new"), look(one, keys), "what a change sees then")

    @check(3, "processes")
    def test_processes_share(self) -> None:
        """What one process wrote another reads, and the reverse."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, {keys[0]: b"1"})
        expect([1], in_process(self, _see_and_count, [keys], {}), "what another process sees")
        expect(dict.fromkeys(keys, b"2"), look(store, keys), "what is there after another process counted")

    @check(8, "processes")
    def test_process_ends(self) -> None:
        """An update that was acknowledged stays, though its process ends at once and closes nothing."""
        keys = fresh("a", "b")
        in_process(self, _count, [keys, 1], {})
        expect(dict.fromkeys(keys, b"1"), look(self.opened(), keys), "what a process that ended has left")

    @check(2, "processes")
    def test_processes_meet(self) -> None:
        """Of two updates of a key, one of which begins while another process computes, none is lost."""
        store, keys = self.opened(), fresh("warm", "absent")
        put(store, {keys[0]: b"0"})
        turns, counted = iter(keys), Semaphore(0)

        def count() -> int:
            key = next(turns)
            before = store.update([key], increment(key))
            counted.release()
            return before

        there, here = intruded(
            lambda turn: in_process(self, _hold, [keys], {"turn": turn, "next": counted.acquire}),
            count,
            patience=self.patience,
            limit=self.time_limit,
            turns=len(keys),
        )
        for key, *saw in zip(keys, there, here, strict=True):
            expect([0, 1], sorted(saw), "what the two updates of a key saw")
            expect(b"2", store.read(key), "the count after two updates that both succeeded")

    @check(2, "processes")
    def test_processes_race(self) -> None:
        """Of processes that count under hot keys and write fresh ones first, in opposite orders, none loses any."""
        hot, cold = fresh("a", "b", "c"), [fresh("a", "b") for _ in range(self.rounds)]
        work = [[(hot, cold), (hot[::-1], [keys[::-1] for keys in cold])][number % 2] for number in range(_PROCESSES)]
        in_processes(self, _race, work, self.time_limit)
        store = self.opened()
        expect(dict.fromkeys(hot, b"%d" % (_PROCESSES * self.rounds)), look(store, hot), "the hot keys")
        for keys in cold:
            expect(dict.fromkeys(keys, b"%d" % _PROCESSES), look(store, keys), "keys that were new in their round")


class ForkChecks(Suite):
    """A process that forks."""

    @check(2, "fork")
    def test_fork(self) -> None:
        """A store that was made and used before a fork works in both processes, at the same time and after."""
        store, [key], times = self.opened(), fresh("k"), 5 * self.rounds
        put(store, {key: b"0"})

        def count() -> list[int]:
            return [store.update([key], increment(key)) for _ in range(times)]

        counts = forked(count, count, self.time_limit)
        expect(list(range(2 * times)), sorted([*counts[0], *counts[1]]), "what parent and child saw")
        expect(2 * times, store.update([key], increment(key)), "what the parent sees after the child has ended")


def _set(store: Store, key: str, value: bytes | None) -> None:
    store.update([key], lambda _: ({key: None if value is None else Entry(value)}, None))


# --- what other processes do


def _see_and_count(store: Store, say: Callable[[str], None], keys: Sequence[str]) -> list[int]:
    there = [int(value) for value in look(store, keys).values()]
    put(store, dict.fromkeys(keys, b"2"))
    return there


def _count(store: Store, say: Callable[[str], None], keys: Sequence[str], times: int) -> None:
    for _ in range(times):
        store.update(keys, increment(*keys))


def _race(store: Store, say: Callable[[str], None], hot: Sequence[str], cold: Sequence[Sequence[str]]) -> None:
    for keys in cold:
        store.update(keys, increment(*keys))
        store.update(hot, increment(*hot))


def _hold(store: Store, say: Callable[[str], None], keys: Sequence[str]) -> list[int]:
    """Count under each key, and say so in the middle."""
    counts = []
    for key in keys:
        counts.append(store.update([key], held(increment(key), _Once(say, "turn"))))
        say("next")
    return counts


class _Once:
    """Says a word when it is called for the first time: a change may be called again."""

    def __init__(self, say: Callable[[str], None], word: str) -> None:
        self._say, self._words = say, [word]

    def __call__(self) -> None:
        while self._words:
            self._say(self._words.pop())
