"""Interleaved rounds, their ratios, and the table that shows them."""

import gc
import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from types import TracebackType

#: Does the same work for several items (users or keys). Its time is divided by their number.
Batch = Callable[[], None]

#: A rest before each batch, in seconds, so that a peer's background thread does not run in another side's time.
_REST = 0.02
#: The shortest time for a side in each round, in nanoseconds. It excludes the cleanup of `limits`, 10 ms after a hit.
_LEAST = 5_000_000
#: The same for sides with periodic cleanup that belongs to their cost: long enough for several cleanups.
LONG = 100_000_000


@dataclass(frozen=True)
class Size:
    """The amount of work."""

    rounds: int
    #: The number of users who log in, or of keys of a limiter, in random order.
    users: int
    #: The number of users whose bytes are counted.
    counted: int
    #: The number of users in the store while its pauses are timed.
    held: int


FULL = Size(rounds=41, users=1000, counted=20_000, held=1_000_000)
QUICK = Size(rounds=11, users=200, counted=2000, held=50_000)


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure and its bar."""

    what: str
    value: float
    bar: float
    stretch: float | None = None
    quartiles: tuple[float, float] | None = None
    unit: str = ""
    #: Whether the value must equal the bar. Otherwise it must be at most the bar.
    exact: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.exact:
            return "exact" if self.value == self.bar else "MISSED"
        if self.value > self.bar:
            return "MISSED"
        return "stretch" if self.stretch is not None and self.value <= self.stretch else "bar"

    @property
    def missed(self) -> bool:
        return self.verdict == "MISSED"


class Timings:
    """The time of each side in each round, in nanoseconds per item.

    Args:
        sides: the work by name. All sides run in every round, forwards and backwards in turn, so that neither a
            slow moment nor the place in the round favours a side.
        items: how many items each batch works on.
        rounds: how many rounds to run.
        clock: a clock in nanoseconds. Use wall time if another process works too, such as a database.
        least: the shortest time for a side in each round, in nanoseconds.
    """

    def __init__(
        self,
        sides: Mapping[str, Batch],
        items: int,
        rounds: int,
        clock: Callable[[], int] = time.process_time_ns,
        least: int = _LEAST,
    ) -> None:
        self._took: dict[str, list[float]] = {name: [] for name in sides}
        for batch in sides.values():
            batch()  # to warm up
        repeats = {name: math.ceil(least / timed(batch, 1, clock)) for name, batch in sides.items()}
        with Collected():
            for number in range(rounds):
                for name in list(sides) if number % 2 else reversed(list(sides)):
                    time.sleep(_REST)
                    self._took[name].append(timed(sides[name], repeats[name], clock) / items)

    def ratio(self, what: str, ours: str, peer: str, *, bar: float, stretch: float) -> Row:
        """Compare two sides, round by round."""
        note = f"{median(self._took[ours]) / 1000:.2f} / {median(self._took[peer]) / 1000:.2f} µs"
        return compared(what, self._took[ours], self._took[peer], bar=bar, stretch=stretch, note=note)


def timed(batch: Batch, repeats: int, clock: Callable[[], int]) -> float:
    """Return the time of a batch in nanoseconds."""
    begin = clock()
    for _ in range(repeats):
        batch()
    return (clock() - begin) / repeats


def compared(what: str, ours: Sequence[float], peers: Sequence[float], *, bar: float, stretch: float, note: str) -> Row:
    """Return the median and quartiles of the ratio of our time to a peer's, round by round."""
    ratios = [our / peer for our, peer in zip(ours, peers, strict=True)]
    low, middle, high = quantiles(ratios, n=4)
    return Row(what, middle, bar, stretch, quartiles=(low, high), note=note)


class Collected:
    """A block in which the garbage collector works as usual, but ignores older objects."""

    def __enter__(self) -> None:
        gc.collect()
        gc.freeze()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        gc.unfreeze()


def pin() -> str:
    """Run on one core if the system allows it, and return a description."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def heading(size: Size, pinned: str) -> str:
    """Return a description of the machine and the method."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {pinned}.\n"
        f"Median [quartiles] of {size.rounds} interleaved rounds over {size.users} users or keys in random order, "
        "garbage collector on for all."
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text."""
    lines = _cells(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table for `docs/explanation/performance.md`."""
    first, *others = (f"| {' | '.join(line)} |" for line in _cells(rows))
    return "\n".join([first, "|---" * 6 + "|", *others])


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("what", "measured", "bar", "stretch", "verdict", "")]
    for row in rows:
        quartiles = f" [{', '.join(map(_figure, row.quartiles))}]" if row.quartiles else ""
        stretch = "" if row.stretch is None else _figure(row.stretch)
        measured = _figure(row.value) + quartiles + row.unit
        lines.append((row.what, measured, _figure(row.bar), stretch, row.verdict, row.note))
    return lines


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
