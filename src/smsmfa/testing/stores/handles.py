"""Checks of a store that can be opened more than once: in one process, in several, and on both sides of a fork."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Semaphore

import pytest

from ...typing import Entry, Store
from ..threads import intruded
from .contention import persistently
from .processes import forked, in_process, in_processes
from .suite import Suite, check, expect, fresh, held, increment, look, put

_PROCESSES = 3


class HandleChecks(Suite):
    """Two stores in one process, and stores in several processes."""

    @check(3, "shared")
    def test_two_in_turn(self) -> None:
        """Each of two stores sees what the other wrote or deleted, whatever it saw before."""
        one, other, keys = self.opened(), self.opened(), fresh("a", "b")
        for number in range(self.rounds):
            expect(number, one.update(keys, increment(*keys)), "the count that one store sees")
            expect([b"%d" % (number + 1)] * 2, [other.read(key) for key in keys], "the counts that the other reads")
            one, other = other, one
        one.update(keys, lambda _: ({keys[0]: None}, None))
        expect({keys[1]: b"%d" % self.rounds}, look(other, keys), "the values that the other sees after a deletion")
        expect(None, other.read(keys[0]), "the deleted value, read by the other store")

    @check(3, "shared")
    def test_refusal_on_stale_memory(self) -> None:
        """If a change refuses on values that another store has replaced, it runs again on fresh ones."""
        one, other, [key] = self.opened(), self.opened(), fresh("k")
        for value, since in ((b"full", b""), (b"", b"full"), (b"full", None), (None, b"full")):
            _set(one, key, value)
            for _ in range(2):
                expect(value, one.update([key], lambda values: ({}, values.get(key))), "the value that a change sees")
            _set(other, key, since)
            expect(
                since,
                one.update([key], lambda values: ({}, values.get(key))),
                "the value that a change sees after another store wrote it",
            )

    @check(5, "shared")
    def test_error_on_stale_memory(self) -> None:
        """If a change raises on values that another store has replaced, it runs again on fresh ones."""
        one, other, [key] = self.opened(), self.opened(), fresh("k")

        def refuse(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], str]:
            if values.get(key) == b"full":
                raise KeyError("full")
            return {key: Entry(b"full")}, "taken"

        expect("taken", one.update([key], refuse), "the outcome if the key is absent")
        with pytest.raises(KeyError):
            one.update([key], refuse)
        _set(other, key, b"empty again")
        expect("taken", one.update([key], refuse), "the outcome after another store replaced the value")

    @check(3, "shared")
    def test_memories_of_different_times(self) -> None:
        """A change never sees one key freshly read beside another key remembered from earlier."""
        one, other, keys = self.opened(), self.opened(), fresh("a", "b")
        for number in range(4):
            put(one, dict.fromkeys(keys, b"old"))
            look(one, keys)
            put(other, dict.fromkeys(keys, b"new"))
            expect(b"new", one.read(keys[number % 2]), "the value read after another store wrote it")
            expect(dict.fromkeys(keys, b"new"), look(one, keys), "the values that a change then sees")

    @check(3, "processes")
    def test_processes_share(self) -> None:
        """Each process sees what another process wrote."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, {keys[0]: b"1"})
        expect([1], in_process(self, _see_and_count, [keys], bool), "the counts that another process sees")
        expect(dict.fromkeys(keys, b"2"), look(store, keys), "the counts after another process wrote them")

    @check(8, "processes")
    def test_process_ends(self) -> None:
        """An update that returned is stored even if its process ends at once and closes nothing."""
        keys = fresh("a", "b")
        in_process(self, _count, [keys, 1], bool)
        expect(dict.fromkeys(keys, b"1"), look(self.opened(), keys), "the counts left by a process that ended")

    @check(2, "processes")
    def test_processes_meet(self) -> None:
        """No update is lost if it begins while another process runs its change on the same key."""
        store, keys = self.opened(), fresh("warm", "absent")
        put(store, {keys[0]: b"0"})
        turns, counted = iter(keys), Semaphore(0)

        def count() -> int:
            key = next(turns)
            before = store.update([key], increment(key))
            counted.release()
            return before

        def hold(turn: Callable[[], None]) -> list[int]:
            answers: dict[str, Callable[[], object]] = {"turn": turn, "next": counted.acquire, "ready": bool}
            there: list[int] = in_process(self, _hold, [keys], lambda word: answers[word]())
            return there

        there, here = intruded(
            hold,
            count,
            patience=self.patience,
            limit=self.time_limit,
            turns=len(keys),
        )
        for key, *saw in zip(keys, there, here, strict=True):
            expect([0, 1], sorted(saw), "the counts that the two updates of a key saw")
            expect(b"2", store.read(key), "the count after two updates that both succeeded")

    @check(2, "processes")
    def test_processes_race(self) -> None:
        """No update of racing processes is lost, on hot keys and on new ones, with keys in opposite orders."""
        hot, cold = fresh("a", "b", "c"), [fresh("a", "b") for _ in range(self.rounds)]
        work = [[(hot, cold), (hot[::-1], [keys[::-1] for keys in cold])][number % 2] for number in range(_PROCESSES)]
        in_processes(self, _race, work, self.time_limit)
        store = self.opened()
        expect(dict.fromkeys(hot, b"%d" % (_PROCESSES * self.rounds)), look(store, hot), "the counts of the hot keys")
        for keys in cold:
            expect(dict.fromkeys(keys, b"%d" % _PROCESSES), look(store, keys), "the counts of the keys of one round")


class ForkChecks(Suite):
    """A process that forks."""

    @check(2, "fork")
    def test_fork(self) -> None:
        """A store that was made and used before a fork works in both processes, at the same time and afterwards."""
        store, [key], times = self.opened(), fresh("k"), 5 * self.rounds
        put(store, {key: b"0"})

        def count() -> list[int]:
            return [persistently(lambda: store.update([key], increment(key))) for _ in range(times)]

        counts = forked(count, count, self.time_limit)
        expect(list(range(2 * times)), sorted([*counts[0], *counts[1]]), "the counts that parent and child saw")
        expect(2 * times, store.update([key], increment(key)), "the count that the parent sees after the child ended")


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
        persistently(partial(store.update, keys, increment(*keys)))
        persistently(partial(store.update, hot, increment(*hot)))


def _hold(store: Store, say: Callable[[str], None], keys: Sequence[str]) -> list[int]:
    """Count under each key, and send a word from inside the change."""
    counts = []
    for key in keys:
        counts.append(store.update([key], held(increment(key), _Once(say, "turn"))))
        say("next")
    return counts


class _Once:
    """Sends a word the first time it is called: a change may run more than once."""

    def __init__(self, say: Callable[[str], None], word: str) -> None:
        self._say, self._words = say, [word]

    def __call__(self) -> None:
        while self._words:
            self._say(self._words.pop())
