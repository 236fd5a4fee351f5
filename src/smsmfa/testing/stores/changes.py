"""Checks of a store: the outcome of a change is returned, its error passed on, and nothing stays that should not."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from ...exceptions import StoreContention, StoreError
from ...typing import Change, Entry
from ..threads import all_of, at_once
from .suite import Suite, check, expect, fresh, increment, look, put

#: More than a pool has connections.
_MANY = 64


class Stop(BaseException):
    """No Exception, as KeyboardInterrupt is none."""


class ChangeChecks(Suite):
    """Outcomes, errors, and writes outside the keys."""

    @check(4)
    def test_outcome_comes_back(self) -> None:
        """Whatever a change returns as its outcome is returned as it is, and is no reason to write or not to."""
        store, [key] = self.opened(), fresh("k")
        outcomes: tuple[object, ...] = (object(), None, False, 0, "", {}, StoreError("an outcome"), lambda: None)
        for number, outcome in enumerate(outcomes):
            value = b"%d" % number
            came = store.update([key], _returning({key: Entry(value)}, outcome))
            expect((True, value), (came is outcome, store.read(key)), f"the very outcome {outcome!r}, and its write")
            came = store.update([key], _returning({}, outcome))
            expect((True, value), (came is outcome, store.read(key)), f"the very outcome {outcome!r}, and no write")

    @check(4)
    def test_outcome_is_of_the_last_call(self) -> None:
        """The outcome is that of the call whose writes were stored."""
        store, [key] = self.opened(), fresh("k")
        for number in range(self.rounds):
            expect(number, store.update([key], increment(key)), "what the change saw whose write counts")
            expect(b"%d" % (number + 1), store.read(key), "what it wrote")

    @check(5)
    def test_error_passes_unchanged(self) -> None:
        """An exception of the change comes out as it is, of whatever class."""
        store, [key] = self.opened(), fresh("k")
        errors = (
            Exception("an error"), ValueError("an error"), KeyError("key"), RuntimeError("an error"), LookupError(),
            OSError("an error"), ConnectionResetError("an error"), TimeoutError("an error"), AttributeError("an error"),
            StoreError("an error"), StoreContention("an error"), Stop("an error"),
        )  # fmt: skip
        for error in errors:
            came = _error_of(partial(store.update, [key], _raising(error)))
            expect((True, None), (came is error, error.__cause__), f"{error!r} itself, without a cause, not {came!r}")

    @check(5)
    def test_error_changes_nothing(self) -> None:
        """An exception of the change leaves every key as it was, absent ones included."""
        store, keys = self.opened(), fresh("a", "b", "c")
        put(store, {keys[0]: b"1", keys[1]: b"2"})
        for error in (KeyError("no"), StoreError("no"), Stop("no")):
            _error_of(partial(store.update, keys, _raising(error)))
            expect({keys[0]: b"1", keys[1]: b"2"}, look(store, keys), f"what is stored after {error!r}")
            expect([b"1", b"2", None], [store.read(key) for key in keys], f"what is read after {error!r}")

    @check(10)
    def test_write_outside(self) -> None:
        """A write outside the keys is a ValueError and changes nothing, be it the first or the last of the writes."""
        store, keys = self.opened(), fresh("a", "b", "c", "outside", "A")
        put(store, {keys[0]: b"1", keys[1]: b"2", keys[3]: b"3"})
        good: dict[str, Entry | None] = {keys[0]: Entry(b"new"), keys[1]: None, keys[2]: Entry(b"new")}
        for outside in ({keys[3]: Entry(b"new")}, {keys[3]: None}, {keys[4]: Entry(b"new")}, {keys[4]: None}):
            for writes in (good | outside, outside | good, outside):
                came = _error_of(partial(store.update, keys[:3], _returning(writes, None)))
                expect(ValueError, type(came), f"what comes of a write of {next(iter(outside.values()))} outside")
                expect({keys[0]: b"1", keys[1]: b"2", keys[3]: b"3"}, look(store, keys), "what is stored after it")

    @check(5)
    def test_no_residue_of_refusals(self) -> None:
        """Refusals leave nothing behind, however many: no entry, no lock, no connection, no transaction."""
        self._no_residue(lambda _: ({}, "refused"))

    @check(5)
    def test_no_residue_of_deletions(self) -> None:
        """Deletions of nothing leave nothing behind, however many."""
        self._no_residue(lambda _: ({self._residue[0]: None, self._residue[1]: None}, "deleted"))

    @check(5)
    def test_no_residue_of_errors(self) -> None:
        """Exceptions of a change leave nothing behind, however many."""
        self._no_residue(_raising(KeyError("no")))

    @check(5)
    def test_no_residue_of_stops(self) -> None:
        """What is no Exception, as KeyboardInterrupt is none, leaves nothing behind either."""
        self._no_residue(_raising(Stop("no")))

    @check(10)
    def test_no_residue_of_writes_outside(self) -> None:
        """Writes outside the keys leave nothing behind, however many."""
        outside = fresh("outside")[0]
        self._no_residue(lambda _: ({self._residue[0]: Entry(b"new"), outside: Entry(b"new")}, None))

    _residue: Sequence[str] = ()

    def _no_residue(self, change: Change[Any]) -> None:
        store, self._residue = self.opened(), fresh("a", "b")
        keys = self._residue

        def again() -> None:
            for _ in range(_MANY):
                _error_of(partial(store.update, keys, change))
            expect({}, look(store, keys), "what a change sees afterwards")
            expect([None, None], [store.read(key) for key in keys], "what is read afterwards")

        def others() -> int:
            return store.update(keys, increment(*keys))

        all_of(at_once([again], self.time_limit))
        expect({0, 1}, set(all_of(at_once([others, others], self.time_limit))), "what two threads then count")


def _returning(writes: Mapping[str, Entry | None], outcome: object) -> Change[object]:
    return lambda _: (writes, outcome)


def _raising(error: BaseException) -> Change[Any]:
    def change(values: Mapping[str, bytes]) -> NoReturn:
        raise error

    return change


def _error_of(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except BaseException as error:
        return error
    return None
