"""Checks of a store by histories: updates append to lists, and one order of them must explain what each saw."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from random import Random
from signal import SIGKILL
from threading import Barrier, Event, Semaphore, Timer
from time import monotonic, sleep

from msgspec import json

from ...exceptions import StoreError
from ...typing import Store
from ..threads import INTERVALS, all_of, at_once, switching
from .appends import Appender, Lists
from .order import Witness, explain
from .processes import Ended, in_process
from .suite import Suite, check
from .wire import Wire

#: The names of the quick callers, and how many calls each makes in one history. In the first one, a store that gives up
#: after some lost races does so.
_QUICK = "abc"
_CALLS, _CALLS_IN_FIRST = 24, 100
#: How many updates a process makes in one history.
_UPDATES = 6
#: Seconds that the slow caller waits for another.
_PATIENCE = 0.0005
#: The names of the processes. The first one is killed.
_PROCESSES = "xyz"
#: A cut comes after fewer chunks than this. A history has more.
_MOST_CHUNKS = 60
#: At most as many bytes of it pass, less one.
_MOST_BYTES = 100
#: Seconds between an update's decision and the end of its process, at most.
_GRACE = 0.003
#: Seconds between two calls of a store that does not work yet.
_PAUSE = 0.01


class HistoryChecks(Suite):
    """Updates of several callers, chosen at random, while lists are removed and forgotten."""

    @check(2)
    def test_history(self) -> None:
        """One order of the updates explains what each of four callers saw, however they take turns."""
        stores = self.handles()
        for number in self._numbers():
            with switching(INTERVALS[number % 2]):
                self.history(stores, number)

    @check(6, "server")
    def test_history_with_cuts(self) -> None:
        """If the connection is cut anywhere, each update in doubt is stored or not, and one order explains the rest."""
        server = self.server or ("", 0)
        with closing(Wire(server)) as wire:
            direct, stores = self.opened_at(server), [self.opened_at(wire.address) for _ in self.handles()]
            for number in self._numbers():
                random = Random(number)  # noqa: S311 - it chooses tests
                kind, reset = random.choice(("question", "answer")), random.random() < 0.5
                wire.cut_at(kind, random.randrange(_MOST_CHUNKS), random.randrange(_MOST_BYTES), reset=reset)
                self.history(stores, number, last=direct)
            self.close()

    @check(8, "crash")
    def test_history_with_crashes(self) -> None:
        """If the database crashes, what was acknowledged is still there, and one order explains what was seen."""
        stores = self.handles()
        for number in self._numbers():
            self.history(stores, number, meanwhile=self.crash)

    @check(8, "processes")
    def test_history_of_processes(self) -> None:
        """If the callers are processes, and one is killed during an update, one order explains what was seen."""
        histories = [Lists.new() for _ in range(2 * self._fewest())]
        told: dict[tuple[str, int, int], Witness | None] = {}
        barrier = Barrier(len(_PROCESSES))

        def run(name: str) -> object:
            def hear(word: str) -> None:
                if word == "ready":
                    barrier.wait(self.time_limit)
                else:
                    number, update, witness = json.decode(word, type=tuple[int, int, Witness | None])
                    told[name, number, update] = witness

            dies_in = self._fewest() if name == _PROCESSES[0] else None
            return in_process(self, _append, [name, histories, dies_in], hear)

        killed, *others = at_once([partial(run, name) for name in _PROCESSES], self.time_limit)
        all_of(others if isinstance(killed, Ended) else [killed, *others])
        store = self.opened()
        for number, lists in enumerate(histories):
            seen = [witness for (_, each, _), witness in told.items() if witness and each == number]
            explain([*seen, self._finally(Appender("last", store, lists, number))])

    def history(
        self,
        stores: Sequence[Store],
        seed: int,
        *,
        last: Store | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> list[Witness]:
        """Let callers work on new keys; return what they saw, in an order that explains it.

        Args:
            stores: what they call, in turn.
            seed: what their updates depend on.
            last: the store that looks at the keys at the end; the first one by default.
            meanwhile: called when some calls have been made and others have not.
        """
        lists, turns, calls = Lists.new(), _Turns(seed), _CALLS if seed else _CALLS_IN_FIRST
        slow = Appender("slow", stores[0], lists, seed, turns.wait)
        quick = [Appender(name, stores[n % len(stores)], lists, seed) for n, name in enumerate(_QUICK)]
        told: list[Witness] = []
        work: list[Callable[[], object]] = [
            lambda: told.extend(turns.slowly(slow, lists)),
            *(partial(turns.count, caller.work(calls), told) for caller in quick),
            *([partial(turns.halfway, meanwhile)] if meanwhile else []),
        ]
        all_of(at_once(work, self.time_limit))
        return explain([*told, self._finally(Appender("last", last or stores[0], lists, seed))])

    def _numbers(self) -> Iterator[int]:
        """Count the histories: a few, and as many as fit into the duration."""
        end, number = monotonic() + self.duration, 0
        while number < self._fewest() or monotonic() < end:
            yield number
            number += 1

    def _fewest(self) -> int:
        return max(1, self.rounds // 5)

    def _finally(self, appender: Appender) -> Witness:
        """Look at all the keys, as soon as the store works again."""
        end = monotonic() + self.time_limit
        while True:
            try:
                return appender.look()
            except StoreError:
                if monotonic() > end:
                    raise
                sleep(_PAUSE)


class _Turns:
    """Lets the slow caller wait, within an update, until others have made a few calls."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - it chooses tests
        self._made = Semaphore(0)
        self._is_halfway = Event()

    def count(self, calls: Iterator[Witness], told: list[Witness]) -> None:
        """Make calls, count them, and add what they saw."""
        half = self._random.randrange(_CALLS)
        try:
            for number, witness in enumerate(calls):
                told.append(witness)
                self._made.release()
                if number == half:
                    self._is_halfway.set()
        finally:
            self._is_halfway.set()

    def halfway(self, call: Callable[[], object]) -> None:
        """Make another call when a caller is somewhere in the middle."""
        self._is_halfway.wait()
        call()

    def slowly(self, caller: Appender, lists: Lists) -> list[Witness]:
        """Make updates during which others may change everything, or remove a list and begin it anew."""
        absent, *others = lists.lasting
        first = {absent: "remove", **dict.fromkeys(others, "append")}
        rest = [dict.fromkeys(keys, "append") for keys in (lists.all, [self._random.choice(lists.fleeting)]) * 2]
        return [witness for deeds in (first, *rest) if (witness := caller.update(deeds))]

    def wait(self, witness: Witness) -> None:
        """Wait for up to four calls, but not long: a store that locks lets nobody else in."""
        while self._made.acquire(blocking=False):
            pass
        for _ in range(self._random.randint(0, 4)):
            if not self._made.acquire(timeout=_PATIENCE):
                return


def _append(
    store: Store, say: Callable[[str], None], name: str, histories: Sequence[Sequence[list[str]]], dies_in: int | None
) -> None:
    """In another process: make updates, and tell of each when it has decided and when it ended.

    Args:
        store: the store.
        say: sends a word.
        name: the name of the caller.
        histories: the keys of each history.
        dies_in: the history in which the process is killed.
    """
    for number, (lasting, fleeting) in enumerate(histories):
        _append_in(store, say, name, Lists(lasting, fleeting), number, doomed=number == dies_in)


def _append_in(store: Store, say: Callable[[str], None], name: str, lists: Lists, number: int, *, doomed: bool) -> None:
    update = 0

    def tell(witness: Witness | None) -> None:
        say(json.encode([number, update, witness]).decode())

    def deciding(witness: Witness) -> None:
        tell(witness)
        if doomed and update == _UPDATES // 2:
            Timer(Random(number).random() * _GRACE, os.kill, [os.getpid(), SIGKILL]).start()  # noqa: S311

    appender = Appender(name, store, lists, number, deciding)
    for update in range(_UPDATES):  # noqa: B007 - the functions above say it
        tell(appender.update())
