"""Run calls in threads that start together and cannot hang the test, or let one caller interrupt another."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Barrier, Event, Thread
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

#: Seconds between two turns of a thread: as few as possible, and the interpreter's default.
INTERVALS = (1e-6, 0.005)


class Hung(AssertionError):
    """Calls that did not return in time."""


def at_once(calls: Sequence[Callable[[], T]], limit: float) -> list[T | BaseException]:
    """Call each function in a daemon thread, all starting together; return what each returned or raised, in order.

    Args:
        calls: the functions.
        limit: how many seconds they may take altogether.

    Raises:
        Hung: if any call is still running after ``limit`` seconds.
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
        raise Hung(f"{len(calls) - len(results)} of {len(calls)} calls did not return within {limit} seconds")
    return [results[number] for number in range(len(calls))]


def within(limit: float, call: Callable[[], T]) -> T:
    """Call a function in a daemon thread; return what it returned, or raise what it raised.

    Args:
        limit: how many seconds it may take.
        call: the function.

    Raises:
        Hung: if it is still running after ``limit`` seconds.
    """
    [result] = at_once([call], limit)
    if isinstance(result, BaseException):
        raise result
    return result


def all_of(results: Sequence[T | BaseException]) -> list[T]:
    """Return the results of calls that must all have succeeded.

    Raises:
        AssertionError: if any call failed, ``from`` the first error.
    """
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        raise AssertionError(f"{len(failed)} of {len(results)} calls failed: {failed[0]!r}") from failed[0]
    return [result for result in results if not isinstance(result, BaseException)]


@contextmanager
def switching(interval: float) -> Iterator[None]:
    """Make threads take turns every ``interval`` seconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Intruder(Generic[T]):
    """A second caller that gets a turn while the first one is in the middle of something.

    Args:
        call: what it does in each turn.
        patience: how many seconds the first caller waits for a turn to end. A store that locks makes the intruder wait,
            so the first caller must go on.
        turns: how many turns it gets. Without a limit it would defeat a store that retries after each interruption.
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
        """Let the intruder make its call, unless it still waits in the last one or has used up its turns."""
        if self._turns and self._idle.wait(self._patience / 2):
            self._turns -= 1
            self._idle.clear()
            self._turn.set()
            self._idle.wait(self._patience)

    def serve(self) -> None:
        """Make one call in each turn, until :meth:`leave`."""
        while self._turn.wait() and not self._leaving:
            self._turn.clear()
            try:
                self.results.append(self._call())
            except BaseException as error:
                self.results.append(error)
            self._idle.set()

    def leave(self) -> None:
        """Wait for the current call, then end :meth:`serve`."""
        self._idle.wait()
        self._leaving = True
        self._turn.set()


def intruded(
    first: Callable[[Callable[[], None]], T], second: Callable[[], V], *, patience: float, limit: float, turns: int
) -> tuple[T, list[V]]:
    """Call ``first`` with a function that gives ``second`` a turn; return the results of both.

    Raises:
        AssertionError: if a call failed or did not return within ``limit`` seconds.
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
    """A list of keys that calls ``between`` between each two of them."""

    def __init__(self, keys: Sequence[str], between: Callable[[], None]) -> None:
        super().__init__(keys)
        self._between = between

    def __iter__(self) -> Iterator[str]:
        return interrupted(super().__iter__(), self._between)


class Writes(Mapping[K, V]):
    """A mapping of writes that calls ``between`` between each two of them."""

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
    """Yield the items and call ``between`` between each two of them."""
    for number, item in enumerate(items):
        if number:
            between()
        yield item
