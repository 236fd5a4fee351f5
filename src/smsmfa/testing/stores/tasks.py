"""Checks of an asynchronous store: tasks on one event loop contend, are cancelled, and do not stop the loop."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import closing
from itertools import chain
from threading import Event
from typing import Any, TypeVar

from ...typing import AsyncStore, Store
from ..threads import all_of, at_once
from .loop import Blocking
from .suite import Suite, check, expect, fresh, increment, look, put, seen
from .wire import Wire

T = TypeVar("T")

_TASKS = 32
#: After how many turns of the loop a task is cancelled: a round trip to a server takes many.
_STEPS = [*range(64), *(2**n for n in range(6, 15))]


class TaskChecks(Suite):
    """What differs where tasks take turns at each ``await``."""

    @check(2)
    def test_tasks_on_a_hot_key(self) -> None:
        """Of 32 tasks that count under one key each gets through, and no count is lost or counted twice."""
        store, [key] = self.opened(), fresh("hot")
        times = max(1, self.rounds // 4)

        async def contend(store: AsyncStore) -> list[int]:
            return [await store.update([key], increment(key)) for _ in range(times)]

        counts = self._gather(store, [contend(_async(store)) for _ in range(_TASKS)])
        expect(list(range(_TASKS * times)), sorted(chain(*counts)), "what the tasks saw")
        expect(b"%d" % (_TASKS * times), store.read(key), "what is stored")

    @check(2)
    def test_first_writes_of_tasks(self) -> None:
        """Of first writes of tasks to absent keys, fresh ones in each round, in opposite orders, none is lost."""
        store = self.opened()
        for _ in range(self.rounds):
            keys = fresh("a", "b", "c")
            orders = [keys, keys[::-1]] * 4
            counts = self._gather(store, [_async(store).update(order, increment(*keys)) for order in orders])
            expect(list(range(8)), sorted(counts), "what eight first writers saw")
            expect(dict.fromkeys(keys, b"8"), look(store, keys), "what is stored")

    @check(1)
    def test_tasks_see_nothing_torn(self) -> None:
        """Tasks never see apart what is always written together, by an update or one key after the other."""
        store, keys = self.opened(), fresh("a", "b")

        async def write(store: AsyncStore) -> None:
            for _ in range(self.rounds):
                await store.update(keys, increment(*keys))

        async def watch(store: AsyncStore) -> None:
            for _ in range(self.rounds):
                values = await store.update(keys, seen)
                expect(
                    1, len({values.get(key) for key in keys}), f"how many values keys have that are equal ({values})"
                )

        async def read(store: AsyncStore) -> None:
            for _ in range(4 * self.rounds):
                first, second = [int(await store.read(key) or b"0") for key in keys]
                expect(True, first <= second, f"that {second}, read after {first}, is not older")
                await asyncio.sleep(0)

        self._gather(store, [work(_async(store)) for work in (write, watch, read) * 3])
        expect(dict.fromkeys(keys, b"%d" % (3 * self.rounds)), look(store, keys), "what is stored")

    @check(12)
    def test_cancelled(self) -> None:
        """A task that is cancelled anywhere in an update leaves all of it or nothing, and holds up nobody."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, dict.fromkeys(keys, b"0"))
        succeeded = 0
        for attempt, steps in enumerate(_STEPS, 1):
            succeeded += self._run(store, _cancelled_after(steps, _async(store), keys))
            count = self._count(store, keys)
            expect(True, succeeded <= count <= attempt, f"{succeeded} of {attempt} updates succeeded, {count} counted")

    @check(12)
    def test_cancelled_while_waiting(self) -> None:
        """Of tasks that contend for a key some may be cancelled; the others get through."""
        store, keys = self.opened(), fresh("a", "b")

        async def contend(store: AsyncStore) -> int:
            tasks = [asyncio.ensure_future(store.update(keys, increment(*keys))) for _ in range(_TASKS)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            return len(all_of([result for result in results if not isinstance(result, asyncio.CancelledError)]))

        succeeded = self._run(store, contend(_async(store)))
        count = self._count(store, keys)
        expect(True, _TASKS // 2 <= succeeded <= count <= _TASKS, f"{succeeded} updates succeeded, {count} counted")

    @check(12, "server")
    def test_loop_goes_on(self) -> None:
        """While the server does not answer, other tasks of the loop go on."""
        with closing(Wire(self.server or ("", 0))) as wire:
            store, [key] = self.opened_at(wire.address), fresh("k")
            put(store, {key: b"0"})
            ticked = Event()

            async def update(store: AsyncStore) -> None:
                task = asyncio.ensure_future(store.update([key], increment(key)))
                for _ in range(100):
                    await asyncio.sleep(0)
                ticked.set()
                await task

            def wait() -> bool:
                try:
                    return ticked.wait(self.time_limit / 4)
                finally:
                    wire.release()

            wire.hold()
            _, went_on = all_of(at_once([lambda: self._run(store, update(_async(store))), wait], self.time_limit))
            expect(True, went_on, "whether the loop went on while the server was silent")
            expect(b"1", store.read(key), "the count when it answered")
            self.close()

    def _count(self, store: Store, keys: Sequence[str]) -> int:
        """Return the count of keys that are always equal."""
        counts = {int(value) for value in look(store, keys).values()}
        expect(1, len(counts), f"how many counts {counts} there are under keys that are always written together")
        return counts.pop()

    def _run(self, store: Store, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of a store."""
        assert isinstance(store, Blocking)  # for the type checker
        return all_of(at_once([lambda: store.loop.run(work)], self.time_limit))[0]

    def _gather(self, store: Store, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        return self._run(store, _gathered(work))


async def _gathered(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    return all_of(await asyncio.gather(*work, return_exceptions=True))


async def _cancelled_after(steps: int, store: AsyncStore, keys: Sequence[str]) -> bool:
    """Whether an update succeeded, though it was cancelled after so many turns of the loop."""
    task = asyncio.ensure_future(store.update(keys, increment(*keys)))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


def _async(store: Store) -> AsyncStore:
    assert isinstance(store, Blocking)  # for the type checker
    return store.store
