"""Checks of an asynchronous store: tasks of one event loop race, are cancelled, and do not block the loop."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import closing
from itertools import chain
from threading import Event
from typing import Any, TypeVar

from ...typing import AsyncStore, Store
from ..threads import all_of, at_once
from .contention import apersistently
from .loop import Blocking
from .suite import Suite, check, expect, fresh, increment, look, put, seen
from .wire import Wire

T = TypeVar("T")

_TASKS = 32
#: After this many turns of the loop a task is cancelled. A round trip to a server takes many turns.
_STEPS = [*range(64), *(2**n for n in range(6, 15))]


class TaskChecks(Suite):
    """Promises that matter when tasks take turns at each ``await``."""

    @check(2)
    def test_tasks_on_a_hot_key(self) -> None:
        """All of 32 tasks that count under one key succeed, and no count is lost or repeated."""
        store, [key] = self.opened(), fresh("hot")
        times = max(1, self.rounds // 4)

        async def contend(store: AsyncStore) -> list[int]:
            return [await apersistently(lambda: store.update([key], increment(key))) for _ in range(times)]

        counts = self._gather(store, [contend(_async(store)) for _ in range(_TASKS)])
        expect(list(range(_TASKS * times)), sorted(chain(*counts)), "the counts that the tasks saw")
        expect(b"%d" % (_TASKS * times), store.read(key), "the final count")

    @check(2)
    def test_first_writes_of_tasks(self) -> None:
        """No first write to an absent key is lost if several tasks write it at once, with keys in opposite orders."""
        store = self.opened()
        for _ in range(self.rounds):
            keys = fresh("a", "b", "c")
            orders = [keys, keys[::-1]] * 4
            counts = self._gather(store, [_async(store).update(order, increment(*keys)) for order in orders])
            expect(list(range(8)), sorted(counts), "the counts that eight first writers saw")
            expect(dict.fromkeys(keys, b"8"), look(store, keys), "the final counts")

    @check(1)
    def test_tasks_see_nothing_torn(self) -> None:
        """Tasks never see part of an update, whether they read its keys in one update or one by one."""
        store, keys = self.opened(), fresh("a", "b")

        async def write(store: AsyncStore) -> None:
            for _ in range(self.rounds):
                await store.update(keys, increment(*keys))

        async def watch(store: AsyncStore) -> None:
            for _ in range(self.rounds):
                values = await store.update(keys, seen)
                expect(1, len({values.get(key) for key in keys}), f"how many different counts are in {values}")

        async def read(store: AsyncStore) -> None:
            for _ in range(4 * self.rounds):
                first, second = [int(await store.read(key) or b"0") for key in keys]
                expect(True, first <= second, f"whether {second}, read after {first}, is at least as new")
                await asyncio.sleep(0)

        self._gather(store, [work(_async(store)) for work in (write, watch, read) * 3])
        expect(dict.fromkeys(keys, b"%d" % (3 * self.rounds)), look(store, keys), "the final counts")

    @check(12)
    def test_cancelled(self) -> None:
        """A task that is cancelled anywhere in an update leaves all of it or nothing, and blocks nobody."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, dict.fromkeys(keys, b"0"))
        succeeded = 0
        for attempt, steps in enumerate(_STEPS, 1):
            succeeded += self._run(store, _cancelled_after(steps, _async(store), keys))
            count = self._count(store, keys)
            expect(
                True,
                succeeded <= count <= attempt,
                f"whether {succeeded} <= {count} <= {attempt} (succeeded, stored, tried)",
            )

    @check(12)
    def test_cancelled_while_waiting(self) -> None:
        """If some of the tasks that wait for a key are cancelled, the others still succeed."""
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
        told = f"whether {_TASKS // 2} <= {succeeded} <= {count} <= {_TASKS} (not cancelled, succeeded, stored, tried)"
        expect(True, _TASKS // 2 <= succeeded <= count <= _TASKS, told)

    @check(12, "server")
    def test_loop_goes_on(self) -> None:
        """While the server does not answer, other tasks of the loop run."""
        with closing(Wire(self.server or ("", 0))) as wire:
            store, [key] = self.opened_at(wire.address), fresh("k")
            put(store, {key: b"0"})
            went_on = Event()

            def wait() -> bool:
                try:
                    return went_on.wait(self.time_limit / 4)
                finally:
                    wire.release()

            def update() -> None:
                self._run(store, _update_beside_others(_async(store), key, went_on))

            wire.hold()
            _, went_on_in_time = all_of(at_once([update, wait], self.time_limit))
            expect(True, went_on_in_time, "whether the loop ran other tasks while the server was silent")
            expect(b"1", store.read(key), "the count after the server answered")
            self.close()

    def _count(self, store: Store, keys: Sequence[str]) -> int:
        """Return the count under keys that are always written together."""
        counts = {int(value) for value in look(store, keys).values()}
        expect(
            1, len(counts), f"how many different counts are in {counts}, under keys that are always written together"
        )
        return counts.pop()

    def _run(self, store: Store, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the store's loop."""
        assert isinstance(store, Blocking)  # tells the type checker
        return all_of(at_once([lambda: store.loop.run(work)], self.time_limit))[0]

    def _gather(self, store: Store, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        return self._run(store, _gathered(work))


async def _gathered(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    return all_of(await asyncio.gather(*work, return_exceptions=True))


async def _update_beside_others(store: AsyncStore, key: str, went_on: Event) -> None:
    """Begin an update, give the loop a hundred turns, and say so before the update ends."""
    task = asyncio.ensure_future(store.update([key], increment(key)))
    for _ in range(100):
        await asyncio.sleep(0)
    went_on.set()
    await task


async def _cancelled_after(steps: int, store: AsyncStore, keys: Sequence[str]) -> bool:
    """Cancel an update after ``steps`` turns of the loop; return whether it succeeded anyway."""
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
    assert isinstance(store, Blocking)  # tells the type checker
    return store.store
