"""Contenders: threads that start together and may not hang, and one that cuts in at the worst moment."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Barrier, Event, Thread
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

#: How often threads take turns: as often as they can, and as they do by default.
INTERVALS = (1e-6, 0.005)


class Hung(AssertionError):
    """Calls that did not come back in time."""


def at_once(calls: Sequence[Callable[[], T]], limit: float) -> list[T | BaseException]:
    """Call each in a daemon thread, all starting together; return what each returned or raised.

    Raises:
        Hung: some were still running after ``limit`` seconds.
    """
    barrier, results = Barrier(len(calls)), dict[int, T | BaseException]()

    def run(number: int) -> None:
        barrier.wait(limit)
        try:
            results[number] = calls[number]()
        except BaseException as error:
            results[number] = error

    threads = [Thread(target=run, args=(number,), daemon=True) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    end = monotonic() + limit
    for thread in threads:
        thread.join(max(0, end - monotonic()))
    if len(results) < len(calls):
        raise Hung(f"{len(calls) - len(results)} of {len(calls)} calls did not come back within {limit} seconds")
    return [results[number] for number in range(len(calls))]


def all_of(results: Sequence[T | BaseException]) -> list[T]:
    """Return what calls returned; none may have failed.

    Raises:
        AssertionError: one has, ``from`` its error.
    """
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        raise AssertionError(f"{len(failed)} of {len(results)} calls failed: {failed[0]!r}") from failed[0]
    return [result for result in results if not isinstance(result, BaseException)]


@contextmanager
def switching(interval: float) -> Iterator[None]:
    """Let threads take turns that often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Intruder(Generic[T]):
    """A second caller, who gets a turn whenever the first is in the middle of something.

    Args:
        call: what it does at each turn.
        patience: seconds that the first waits for it; a store with a lock makes it wait, so that the
            first has to go on.
        turns: how many it gets, lest it defeat for ever what tries again when it was disturbed.
    """

    def __init__(self, call: Callable[[], T], patience: float, turns: int) -> None:
        self._call = call
        self._patience = patience
        self._turns = turns
        self._turn, self._idle = Event(), Event()
        self._idle.set()
        self._leaving = False
        self.results: list[T | BaseException] = []

    def turn(self) -> None:
        """Let it make its call, unless it is still waiting in the one before or had all its turns."""
        if self._turns and self._idle.is_set():
            self._turns -= 1
            self._idle.clear()
            self._turn.set()
            self._idle.wait(self._patience)

    def serve(self) -> None:
        """Make a call at each turn, until :meth:`leave`."""
        while self._turn.wait() and not self._leaving:
            self._turn.clear()
            try:
                self.results.append(self._call())
            except BaseException as error:
                self.results.append(error)
            self._idle.set()

    def leave(self) -> None:
        """End :meth:`serve`, after the call it is in."""
        self._idle.wait()
        self._leaving = True
        self._turn.set()


def intruded(
    first: Callable[[Callable[[], None]], T], second: Callable[[], V], *, patience: float, limit: float, turns: int
) -> tuple[T, list[V]]:
    """Make the first call with a function that lets the second happen; return what came of both.

    Raises:
        AssertionError: one of them failed, or hung.
    """
    intruder = Intruder(second, patience, turns)

    def run() -> T:
        try:
            return first(intruder.turn)
        finally:
            intruder.leave()

    outcome, _ = at_once([run, intruder.serve], limit)
    return all_of([outcome])[0], all_of(intruder.results)  # type: ignore[return-value]


class Keys(list[str]):
    """Keys that lend themselves to an interruption: between two of them something happens."""

    def __init__(self, keys: Sequence[str], between: Callable[[], None]) -> None:
        super().__init__(keys)
        self._between = between

    def __iter__(self) -> Iterator[str]:
        return interrupted(super().__iter__(), self._between)


class Writes(Mapping[K, V]):
    """Writes that lend themselves to an interruption: between two of them something happens."""

    def __init__(self, writes: Mapping[K, V], between: Callable[[], None]) -> None:
        self._writes = writes
        self._between = between

    def __iter__(self) -> Iterator[K]:
        return interrupted(iter(self._writes), self._between)

    def __getitem__(self, key: K) -> V:
        return self._writes[key]

    def __len__(self) -> int:
        return len(self._writes)


def interrupted(items: Iterator[T], between: Callable[[], None]) -> Iterator[T]:
    """Yield the items, with something between each two."""
    for number, item in enumerate(items):
        if number:
            between()
        yield item
