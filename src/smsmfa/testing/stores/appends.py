"""A caller of updates that append to lists, for :mod:`.order` to explain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from random import Random
from time import monotonic, sleep
from typing import NamedTuple

from msgspec.structs import replace

from ...exceptions import StoreError
from ...typing import Entry, Store
from ..threads import Keys, Writes
from .contention import persistently
from .order import Tags, Witness
from .suite import fresh

#: What an update does with a key. To append finds the most mistakes.
_DEEDS = ("append", "append", "append", "rewrite", "remove", "look")
#: How many updates only look.
_LOOKS = 0.2
#: How long a list is kept: forever, for no time, for longer than a history takes, and for about as long.
_TIMES = (None, 0, 60, 1)
#: Gives another thread its turn and does not sleep.
_give_way = partial(sleep, 0)


class Lists(NamedTuple):
    """The keys of one history.

    Attributes:
        lasting: keys whose lists stay.
        fleeting: keys whose lists are removed, and forgotten in time.
    """

    lasting: list[str]
    fleeting: list[str]

    @property
    def all(self) -> list[str]:
        """All keys."""
        return [*self.lasting, *self.fleeting]

    @classmethod
    def new(cls) -> "Lists":
        """Return keys that nobody has used before."""
        return cls(fresh("a", "b"), fresh("c", "d"))


class Appender:
    """Makes updates chosen at random, and tells what each saw and did.

    Args:
        name: the beginning of its tags; no two callers of a history share it.
        store: the store.
        lists: the keys.
        seed: what the choice depends on.
        deciding: called inside an update that has decided, with what it will have done if it is stored.
    """

    def __init__(
        self, name: str, store: Store, lists: Lists, seed: object, deciding: Callable[[Witness], object] = bool
    ) -> None:
        self._name = name
        self._store = store
        self._lists = lists
        self._random = Random(f"{name} {seed}")  # noqa: S311 - it chooses tests
        self._deciding = deciding
        self._removed: list[str] = []
        self._tags = (f"{name}.{number}" for number in count())

    def update(self, deeds: Mapping[str, str] | None = None) -> Witness | None:
        """Make an update; return what it saw, or ``None`` if it surely was not stored.

        Args:
            deeds: what to do with which keys; by default, that is chosen.
        """
        deeds = deeds or self._deeds()
        times = {key: self._random.choice(_TIMES) for key in deeds if key in self._lists.fleeting}
        last: list[Witness] = []

        def change(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], Witness]:
            witness = self._witness(values, deeds, times)
            last[:] = [witness]
            self._deciding(witness)
            _give_way()
            return Writes(_writes(witness, times), _give_way), witness

        began = monotonic()
        try:
            witness = persistently(lambda: self._store.update(Keys(list(deeds), _give_way), change))
        except StoreError:
            return _timed(last[0], began, None) if last else None
        return _timed(witness, began, monotonic())

    def read(self) -> Witness | None:
        """Read a key; return what was there, or ``None`` if that failed."""
        key = self._random.choice(self._lists.all)
        began = monotonic()
        try:
            value = self._store.read(key)
        except StoreError:
            return None
        saw = {} if value is None else {key: value}
        return _timed(self._witness(saw, {key: "look"}, {}), began, monotonic())

    def look(self) -> Witness:
        """Look at all the keys with one update.

        Raises:
            StoreError: that failed.
        """
        deeds = dict.fromkeys(self._lists.all, "look")
        began = monotonic()
        witness = persistently(
            lambda: self._store.update(list(deeds), lambda values: ({}, self._witness(values, deeds, {})))
        )
        return _timed(witness, began, monotonic())

    def work(self, calls: int) -> Iterator[Witness]:
        """Make some calls, every third one a read; yield what those saw that did not fail."""
        for number in range(calls):
            if witness := self.read() if number % 3 == 2 else self.update():
                yield witness

    def _deeds(self) -> Mapping[str, str]:
        """Return what to do with which keys. Who removed a list begins another one."""
        removed, self._removed = self._removed, []
        keys = self._random.sample(self._lists.all, self._random.randint(1, 3))
        if removed:
            return dict.fromkeys(removed, "append")
        if self._random.random() < _LOOKS:
            return dict.fromkeys(keys, "look")
        deeds = {key: self._random.choice(_DEEDS) for key in keys}
        self._removed = [key for key, deed in deeds.items() if deed == "remove" and key in self._lists.fleeting]
        return deeds

    def _witness(
        self, values: Mapping[str, bytes], deeds: Mapping[str, str], times: Mapping[str, int | None]
    ) -> Witness:
        saw: dict[str, Tags] = {key: tuple(values.get(key, b"").decode().split()) for key in deeds}
        did = {key: self._possible(key, deed, saw[key]) for key, deed in deeds.items()}
        kept = {key: float(time) for key, time in times.items() if time is not None}
        return Witness(tag=next(self._tags), began=0, ended=None, saw=saw, did=did, keep_for=kept)

    def _possible(self, key: str, deed: str, saw: Sequence[str]) -> str:
        """Return a deed that is possible: a lasting list is not removed, and an absent one not rewritten."""
        if deed == "remove" and saw and key in self._lists.lasting:
            return "rewrite"
        return "remove" if deed == "rewrite" and not saw else deed


def _writes(witness: Witness, times: Mapping[str, int | None]) -> dict[str, Entry | None]:
    return {
        key: Entry(" ".join(left).encode(), times.get(key)) if (left := witness.leaves(key)) else None
        for key, deed in witness.did.items()
        if deed != "look"
    }


def _timed(witness: Witness, began: float, ended: float | None) -> Witness:
    return replace(witness, began=began, ended=ended)
