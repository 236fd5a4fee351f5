"""A store that goes wrong when a test says so, and otherwise does what the store behind it does."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from threading import Lock
from typing import Literal, TypeAlias, TypeVar, get_args

import attrs

from ..exceptions import StoreError
from ..typing import AsyncStore, Change, Entry, Store

T = TypeVar("T")
Writes: TypeAlias = Mapping[str, Entry | None]
Moment: TypeAlias = Literal["read", "before", "during", "after"]


def _nothing() -> None:
    pass


@attrs.frozen
class _Fault:
    """What happens at one call. The default is that nothing does."""

    moment: str = ""
    error: BaseException | None = None
    meanwhile: Callable[[], object] = _nothing

    def at(self, moment: str) -> None:
        if self.moment == moment and self.error is not None:
            raise self.error

    def around(self, change: Change[T]) -> Change[T]:
        """Return the change, with an error after it and before its commit where this fault says so."""

        def changed(values: Mapping[str, bytes]) -> tuple[Writes, T]:
            result = change(values)
            self.at("during")
            return result

        return changed


_NONE = _Fault()


class _Faults:
    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._planned: dict[tuple[str, int], _Fault] = {}

    def fail(self, moment: Moment, *, call: int = 1, error: BaseException | None = None) -> None:
        """Let one of the next calls fail; those before and after it work.

        Args:
            moment: ``"read"``: a read. Else an update: ``"before"`` the change is run, ``"during"``: between the change
                and its commit, so that nothing is stored, or ``"after"`` the commit, so that everything is.
            call: which one, counted from now among the calls of the same method: 1 is the next.
            error: what is raised; a :class:`~smsmfa.StoreError` if left out.
        """
        if moment not in get_args(Moment):
            raise ValueError(f"moment: one of {', '.join(get_args(Moment))}")
        method = "read" if moment == "read" else "update"
        self._plan(method, call, _Fault(moment, error or StoreError(f"failed on purpose: {moment}")))

    def replay(self, *, call: int = 1, meanwhile: Callable[[], object] = _nothing) -> None:
        """Let one of the next updates lose a race: its change is run, stored nowhere, and run again on fresh values.

        Args:
            call: which update, counted from now: 1 is the next.
            meanwhile: called between the two: what somebody else does in that moment. An asynchronous store awaits
                what it returns, if it can.
        """
        self._plan("update", call, _Fault("replay", meanwhile=meanwhile))

    @property
    def planned(self) -> int:
        """How many faults have not happened yet. At the end of a test it should be 0."""
        return len(self._planned)

    def _plan(self, method: str, call: int, fault: _Fault) -> None:
        if call < 1:
            raise ValueError("call: 1 for the next one, 2 for the one after it, ...")
        with self._lock:
            self._planned[method, self._calls[method] + call] = fault

    def _next(self, method: str) -> _Fault:
        with self._lock:
            self._calls[method] += 1
            return self._planned.pop((method, self._calls[method]), _NONE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self.planned} faults to come>"


class FaultyStore(_Faults):
    """A :class:`~smsmfa.typing.Store` around another one, whose calls go wrong as a test says.

    Args:
        store: where the records are.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def read(self, key: str) -> bytes | None:
        """Read from the store behind, unless the call is to fail."""
        self._next("read").at("read")
        return self._store.read(key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Update the store behind, unless the call is to fail."""
        fault = self._next("update")
        fault.at("before")
        if fault.moment == "replay":
            self._store.update(keys, _without_writing(change))
            fault.meanwhile()
        outcome = self._store.update(keys, fault.around(change))
        fault.at("after")
        return outcome


class AsyncFaultyStore(_Faults):
    """:class:`FaultyStore` for asyncio, around a :class:`~smsmfa.typing.AsyncStore`."""

    def __init__(self, store: AsyncStore) -> None:
        super().__init__()
        self._store = store

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`FaultyStore.read`."""
        self._next("read").at("read")
        return await self._store.read(key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`FaultyStore.update`."""
        fault = self._next("update")
        fault.at("before")
        if fault.moment == "replay":
            await self._store.update(keys, _without_writing(change))
            done = fault.meanwhile()
            if isawaitable(done):
                await done
        outcome = await self._store.update(keys, fault.around(change))
        fault.at("after")
        return outcome


def _without_writing(change: Change[T]) -> Change[T]:
    def looked(values: Mapping[str, bytes]) -> tuple[Writes, T]:
        return {}, change(values)[1]

    return looked
