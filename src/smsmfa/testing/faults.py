"""A store that fails when a test tells it to, and otherwise does what the store behind it does."""

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
    """What goes wrong in one call; nothing by default."""

    moment: str = ""
    error: BaseException | None = None
    meanwhile: Callable[[], object] = _nothing

    def at(self, moment: str) -> None:
        if self.moment == moment and self.error is not None:
            raise self.error

    def around(self, change: Change[T]) -> Change[T]:
        """Return the change, with this fault raised between it and the commit if the moment is ``"during"``."""

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
        """Make one of the next calls fail. The calls before and after it work.

        Args:
            moment: ``"read"`` for a read. For an update: ``"before"`` the change runs; ``"during"``, between the change
                and its commit, so nothing is stored; or ``"after"`` the commit, so everything is stored.
            call: which call fails, counted from now among the calls of the same method; 1 is the next one.
            error: the exception to raise; a :class:`~smsmfa.StoreError` by default.

        Raises:
            ValueError: if ``moment`` is unknown or ``call`` is less than 1.
        """
        if moment not in get_args(Moment):
            raise ValueError(f"moment: expected one of {', '.join(get_args(Moment))}, got {moment!r}")
        method = "read" if moment == "read" else "update"
        self._plan(method, call, _Fault(moment, error or StoreError(f"failed on purpose: {moment}")))

    def replay(self, *, call: int = 1, meanwhile: Callable[[], object] = _nothing) -> None:
        """Make one of the next updates lose a race: its change runs, is not stored, and runs again on fresh values.

        Args:
            call: which update loses, counted from now; 1 is the next one.
            meanwhile: called between the two runs, to do what another caller does at that moment. An asynchronous store
                awaits its result if it is awaitable.

        Raises:
            ValueError: if ``call`` is less than 1.
        """
        self._plan("update", call, _Fault("replay", meanwhile=meanwhile))

    @property
    def planned(self) -> int:
        """How many planned faults have not happened yet. At the end of a test it should be 0."""
        return len(self._planned)

    def _plan(self, method: str, call: int, fault: _Fault) -> None:
        if call < 1:
            raise ValueError(f"call: expected 1 (the next call) or more, got {call!r}")
        with self._lock:
            self._planned[method, self._calls[method] + call] = fault

    def _next(self, method: str) -> _Fault:
        with self._lock:
            self._calls[method] += 1
            return self._planned.pop((method, self._calls[method]), _NONE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} planned={self.planned}>"


class FaultyStore(_Faults):
    """Wraps a :class:`~smsmfa.typing.Store` whose calls fail when a test says so.

    Args:
        store: the store that keeps the records.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def read(self, key: str) -> bytes | None:
        """Read from the wrapped store, unless this call must fail."""
        self._next("read").at("read")
        return self._store.read(key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Update the wrapped store, unless this call must fail."""
        fault = self._next("update")
        fault.at("before")
        if fault.moment == "replay":
            self._store.update(keys, _without_writing(change))
            fault.meanwhile()
        outcome = self._store.update(keys, fault.around(change))
        fault.at("after")
        return outcome


class AsyncFaultyStore(_Faults):
    """:class:`FaultyStore` for asyncio; wraps an :class:`~smsmfa.typing.AsyncStore`."""

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
