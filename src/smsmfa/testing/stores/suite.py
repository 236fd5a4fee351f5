"""The base of every check: hooks and flags, new keys, stores that get closed, and failures that explain themselves."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import wraps
from inspect import cleandoc
from time import sleep
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import pytest

from ...typing import Change, Entry, Store
from .. import report
from ..threads import Hung, within

S = TypeVar("S", bound="Suite")
T = TypeVar("T")

#: A whole check may take this many time limits.
_LONGEST = 2

#: The most keys that an update has. The factor needs no more than this.
MOST_KEYS = 16

#: The list "What must hold" in docs/how-to/custom-store.md. Every check belongs to one item.
PROMISES = {
    1: "All keys or none",
    2: "One after the other",
    3: "Fresh values",
    4: "change may run again",
    5: "An exception changes nothing",
    6: "Doubt is an error",
    7: "A commit of its own",
    8: "What was acknowledged survives a crash",
    9: "Bytes are bytes",
    10: "Only its keys",
    11: "Nothing is forgotten early",
    12: "Tasks may be cancelled, and go on meanwhile",
}


def check(
    promise: int, *needs: str, deterministic: bool = False
) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
    """Make a method a check of a promise: skip it if a flag is not set, close its stores, and explain its failure.

    The check runs in a daemon thread, because the store may hang.

    Args:
        promise: a number in :data:`PROMISES`.
        needs: the attributes and hooks that the check needs.
        deterministic: whether the check is quick and needs no luck. ``pytest -k deterministic`` finds it by the
            attribute of this name.
    """

    def decorate(method: Callable[[S], None]) -> Callable[[S], None]:
        @wraps(method)
        def run(self: S) -> None:
            if missing := [flag for flag in needs if not self.has(flag)]:
                report.skip_unset(*missing)
            try:
                within(self.time_limit * _LONGEST + self.duration, lambda: self.run_and_close(method))
            except BaseException as error:
                error.add_note(f"Broken promise: {cleandoc(method.__doc__ or method.__name__)}")
                error.add_note(f'See "What must hold" in the guide to writing a store: {promise}. {PROMISES[promise]}.')
                raise

        if deterministic:
            vars(run)["deterministic"] = True
        return run

    return decorate


def deterministic_check(promise: int, *needs: str) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
    """Like :func:`check`, for one that is quick and needs no luck."""
    return check(promise, *needs, deterministic=True)


def in_pairs(method: Callable[[S, Store, Store], None]) -> Callable[[S], None]:
    """Run a check with one store in both places; then, if the suite is shared, with two stores of the same data."""

    @wraps(method)
    def run(self: S) -> None:
        store = self.opened()
        method(self, store, store)
        if self.has("shared"):
            method(self, store, self.opened())

    del run.__wrapped__  # otherwise pytest would look for fixtures named after the stores
    return run


class Suite:
    """The hooks and flags that a subclass sets; see :class:`~smsmfa.testing.StoreConformance`."""

    shared: ClassVar[bool] = False
    processes: ClassVar[bool] = False
    fork: ClassVar[bool] = False
    server: ClassVar[tuple[str, int] | None] = None
    rounds: ClassVar[int] = 20
    examples: ClassVar[int] = 25
    patience: ClassVar[float] = 0.2
    duration: ClassVar[float] = 1.0
    time_limit: ClassVar[float] = 30.0

    def enclosing_transaction(self) -> AbstractContextManager[object]:
        """Return a context manager: a transaction of the application on this thread, rolled back at the end."""
        raise NotImplementedError

    def failing(self) -> AbstractContextManager[object]:
        """Return a context manager within which the database refuses all writes: its disk is full, it is throttled."""
        raise NotImplementedError

    def crash(self) -> None:
        """Kill the database and start it again, as after a power cut; return when it works."""
        raise NotImplementedError

    def disturb(self) -> None:
        """Do something that may happen beside a store at any time: sweep, flush scripts, drop idle connections."""
        raise NotImplementedError

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the store. By default, wait; a store with a clock of its own can move it instead."""
        sleep(seconds)

    def open_store(self) -> Store:
        """Return a store with plain methods. Each suite says how."""
        raise NotImplementedError

    def open_store_at(self, host: str, port: int) -> Store:
        """Return a store that reaches its server at another address."""
        raise NotImplementedError

    def shut_store(self, store: Store) -> None:
        """Close a store."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _counted(self, request: pytest.FixtureRequest) -> None:
        report.install(request.config, Suite)

    @classmethod
    def has(cls, flag: str) -> bool:
        """Return whether an attribute is set or a hook is overridden."""
        value = getattr(cls, flag)
        return value is not getattr(Suite, flag) and bool(value)

    def run_and_close(self: S, method: Callable[[S], None]) -> None:
        """Run a check, and close the stores it opened."""
        try:
            method(self)
        except BaseException as error:
            with suppress(Exception):
                self.close(after=error)
            raise
        self.close()

    def opened(self) -> Store:
        """Open a store. It is closed when the check ends."""
        return self._keep(self.open_store())

    def opened_at(self, address: tuple[str, int]) -> Store:
        """Like :meth:`opened`, with another address for the server."""
        return self._keep(self.open_store_at(*address))

    def _keep(self, store: Store) -> Store:
        vars(self).setdefault("_open", []).append(store)
        return store

    def close(self, *, after: BaseException | None = None) -> None:
        """Close what :meth:`opened` opened. A store that hangs stays open: closing it would hang too."""
        stores = vars(self).pop("_open", [])
        if not isinstance(after, Hung):
            for store in reversed(stores):
                self.shut_store(store)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets: the attributes that the subclass set, without open stores."""
        return {name: value for name, value in vars(self).items() if name != "_open"}

    def handles(self) -> list[Store]:
        """Return one store, or two stores of the same data if the suite is shared."""
        return [self.opened() for _ in range(2 if self.has("shared") else 1)]


def fresh(*names: str) -> list[str]:
    """Return keys that nobody has used before."""
    space = uuid4().hex
    return [f"{space}:{name}" for name in names]


def put(store: Store, values: Mapping[str, bytes], keep_for: int | None = None) -> None:
    """Store values, forever or for ``keep_for`` seconds; more than 16 in several updates."""
    for part in _parts(list(values)):
        _put(store, {key: Entry(values[key], keep_for) for key in part})


def _put(store: Store, writes: Mapping[str, Entry | None]) -> None:
    store.update(list(writes), lambda _: (writes, None))


def look(store: Store, keys: Sequence[str]) -> dict[str, bytes]:
    """Return what a change sees under the keys; more than 16 in several updates."""
    found: dict[str, bytes] = {}
    for part in _parts(keys):
        found |= store.update(part, seen)
    return found


def _parts(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[first : first + MOST_KEYS] for first in range(0, len(keys), MOST_KEYS)]


def seen(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], dict[str, bytes]]:
    """A change that writes nothing and returns what it sees."""
    return {}, dict(values)


def increment(*keys: str) -> Change[int]:
    """Return a change that adds one under each key and returns the previous count of the first key."""

    def change(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], int]:
        counts = {key: int(values.get(key, b"0")) for key in keys}
        return {key: Entry(b"%d" % (count + 1)) for key, count in counts.items()}, counts[keys[0]]

    return change


def held(change: Change[T], meanwhile: Callable[[], object]) -> Change[T]:
    """Return the same change, with ``meanwhile`` called after it has decided and before it returns."""

    def hold(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], T]:
        result = change(values)
        meanwhile()
        return result

    return hold


def expect(expected: object, actual: object, what: str) -> None:
    """Fail unless both values are equal. Of two mappings, only the entries that differ are shown."""
    if expected == actual:
        return
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        same = {key for key, value in expected.items() if key in actual and actual[key] == value}
        expected, actual = _without(expected, same), _without(actual, same)
    raise AssertionError(f"{what}: expected {_short(expected)}, got {_short(actual)}")


def _without(values: Mapping[Any, object], keys: set[Any]) -> dict[Any, object]:
    return {key: value for key, value in values.items() if key not in keys}


def expect_values(store: Store, keys: Sequence[str], values: Mapping[str, bytes]) -> None:
    """Fail unless ``read()`` and a change see exactly these values under the keys."""
    read = {key: store.read(key) for key in keys}
    expect({key: values.get(key) for key in keys}, read, "what read() returns")
    expect(values, look(store, keys), "what a change sees")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:200]} ... {text[-200:]}"
