"""Checks of a store: outcomes are returned, errors are passed on, and failed changes leave nothing behind."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from ...exceptions import StoreContention, StoreError
from ...typing import Change, Entry
from ..threads import all_of, at_once
from .suite import Suite, deterministic_check, expect, fresh, increment, look, put

#: More than the connections of any pool.
_MANY = 64


class Stop(BaseException):
    """Like KeyboardInterrupt, not an Exception."""


class ChangeChecks(Suite):
    """Outcomes, errors, and writes outside the keys."""

    @deterministic_check(4)
    def test_outcome_comes_back(self) -> None:
        """An update returns the outcome of its change unchanged, and stores the writes whatever the outcome is."""
        store, [key] = self.opened(), fresh("k")
        outcomes: tuple[object, ...] = (object(), None, False, 0, "", {}, StoreError("an outcome"), lambda: None)
        for number, outcome in enumerate(outcomes):
            value = b"%d" % number
            for writes in ({key: Entry(value)}, {}):
                returned = store.update([key], _returning(writes, outcome))
                expect(True, returned is outcome, f"whether {returned!r} is the outcome {outcome!r} itself")
                expect(value, store.read(key), f"the value after an update with the outcome {outcome!r}")

    @deterministic_check(4)
    def test_outcome_is_of_the_last_call(self) -> None:
        """An update returns the outcome of the call whose writes it stored."""
        store, [key] = self.opened(), fresh("k")
        for number in range(self.rounds):
            expect(number, store.update([key], increment(key)), "the count that the stored change saw")
            expect(b"%d" % (number + 1), store.read(key), "the count that it wrote")

    @deterministic_check(5)
    def test_error_passes_unchanged(self) -> None:
        """An update raises the exception of its change unchanged, whatever its class."""
        store, [key] = self.opened(), fresh("k")
        errors = (
            Exception("an error"), ValueError("an error"), KeyError("key"), RuntimeError("an error"), LookupError(),
            OSError("an error"), ConnectionResetError("an error"), TimeoutError("an error"), AttributeError("an error"),
            StoreError("an error"), StoreContention("an error"), Stop("an error"),
        )  # fmt: skip
        for error in errors:
            raised = _error_of(partial(store.update, [key], _raising(error)))
            expect(True, raised is error, f"whether {raised!r} is the change's own {error!r}")
            expect(None, error.__cause__, f"the cause of {error!r}")

    @deterministic_check(5)
    def test_error_changes_nothing(self) -> None:
        """A change that raises leaves every key as it was, including absent keys."""
        store, keys = self.opened(), fresh("a", "b", "c")
        put(store, {keys[0]: b"1", keys[1]: b"2"})
        for error in (KeyError("no"), StoreError("no"), Stop("no")):
            _error_of(partial(store.update, keys, _raising(error)))
            expect({keys[0]: b"1", keys[1]: b"2"}, look(store, keys), f"the values that a change sees after {error!r}")
            expect([b"1", b"2", None], [store.read(key) for key in keys], f"what read() returns after {error!r}")

    @deterministic_check(10)
    def test_write_outside(self) -> None:
        """A write outside the keys raises ValueError and changes nothing, wherever it stands among the writes."""
        store, keys = self.opened(), fresh("a", "b", "c", "outside", "A")
        put(store, {keys[0]: b"1", keys[1]: b"2", keys[3]: b"3"})
        good: dict[str, Entry | None] = {keys[0]: Entry(b"new"), keys[1]: None, keys[2]: Entry(b"new")}
        for outside in ({keys[3]: Entry(b"new")}, {keys[3]: None}, {keys[4]: Entry(b"new")}, {keys[4]: None}):
            for writes in (good | outside, outside | good, outside):
                error = _error_of(partial(store.update, keys[:3], _returning(writes, None)))
                expect(ValueError, type(error), f"the error of an update that writes {outside} outside its keys")
                expect({keys[0]: b"1", keys[1]: b"2", keys[3]: b"3"}, look(store, keys), "the values stored after it")

    @deterministic_check(5)
    def test_no_residue_of_refusals(self) -> None:
        """Changes that write nothing leave nothing behind: no entry, lock, connection or transaction."""
        self._no_residue(lambda _: ({}, "refused"))

    @deterministic_check(5)
    def test_no_residue_of_deletions(self) -> None:
        """Deletions of absent keys leave nothing behind."""
        self._no_residue(lambda _: ({self._residue[0]: None, self._residue[1]: None}, "deleted"))

    @deterministic_check(5)
    def test_no_residue_of_errors(self) -> None:
        """Changes that raise leave nothing behind: no entry, lock, connection or transaction."""
        self._no_residue(_raising(KeyError("no")))

    @deterministic_check(5)
    def test_no_residue_of_stops(self) -> None:
        """Changes that raise something other than an Exception, like KeyboardInterrupt, leave nothing behind."""
        self._no_residue(_raising(Stop("no")))

    @deterministic_check(10)
    def test_no_residue_of_writes_outside(self) -> None:
        """Writes outside the keys leave nothing behind."""
        outside = fresh("outside")[0]
        self._no_residue(lambda _: ({self._residue[0]: Entry(b"new"), outside: Entry(b"new")}, None))

    _residue: Sequence[str] = ()

    def _no_residue(self, change: Change[Any]) -> None:
        store, self._residue = self.opened(), fresh("a", "b")
        keys = self._residue

        def again() -> None:
            for _ in range(_MANY):
                _error_of(partial(store.update, keys, change))
            expect({}, look(store, keys), "the values that a change sees afterwards")
            expect([None, None], [store.read(key) for key in keys], "what read() returns afterwards")

        def count() -> int:
            return store.update(keys, increment(*keys))

        all_of(at_once([again], self.time_limit))
        expect({0, 1}, set(all_of(at_once([count, count], self.time_limit))), "the counts that two threads then see")


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
