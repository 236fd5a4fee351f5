"""A check of a store: any sequence of calls has the same results as on a dictionary."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ...typing import Entry, Store
from .suite import Suite, deterministic_check, expect, fresh, look

_NAMES: tuple[str, ...] = ("k", "K", "k ", "kk", "k:")


class Mistaken(Exception):
    """The exception that a change of the model raises."""


@attrs.frozen
class Read:
    """A read of one key."""

    name: str

    def play(self, store: Store, keys: Mapping[str, str], model: dict[str, bytes]) -> None:
        """Read from the store, and compare with the model."""
        expect(model.get(self.name), store.read(keys[self.name]), f"{self}")


@attrs.frozen
class Update:
    """An update. It may write outside its keys, or raise."""

    names: list[str]
    writes: dict[str, Entry | None]
    raises: bool

    def play(self, store: Store, keys: Mapping[str, str], model: dict[str, bytes]) -> None:
        """Update the store and the model, and compare."""
        seen: dict[str, bytes] = {}

        def change(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], str]:
            seen.clear()
            seen.update(values)
            if self.raises:
                raise Mistaken
            return {keys[name]: entry for name, entry in self.writes.items()}, "done"

        expected = "Mistaken" if self.raises else "done" if self.writes.keys() <= set(self.names) else "ValueError"
        try:
            outcome = store.update([keys[name] for name in self.names], change)
        except (Mistaken, ValueError) as error:
            outcome = type(error).__name__
        expect(expected, outcome, f"the outcome of {self}")
        there = {keys[name]: model[name] for name in self.names if name in model}
        expect(there, seen, f"the values that the change saw in {self}")
        if outcome == "done":
            self._write(model)

    def _write(self, model: dict[str, bytes]) -> None:
        for name, entry in self.writes.items():
            model.pop(name, None)
            if entry is not None:
                model[name] = entry.value


Operation: TypeAlias = Read | Update

_entries = st.builds(Entry, st.binary(max_size=40), st.sampled_from([None, 3600, 10**11]))


@st.composite
def _updates(draw: st.DrawFn) -> Update:
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, unique=True))
    written = draw(st.sampled_from([names, names, _NAMES]))
    writes = draw(st.dictionaries(st.sampled_from(written), st.none() | _entries))
    return Update(names, writes, draw(st.integers(0, 5)) == 5)


_operations = st.lists(st.builds(Read, st.sampled_from(_NAMES)) | _updates(), min_size=6, max_size=20)


class ModelChecks(Suite):
    """Sequences of calls that Hypothesis generates. They are the same in each run."""

    @deterministic_check(2)
    def test_model(self) -> None:
        """Any sequence of reads and updates, through each store in turn, has the same results as on a dictionary."""
        stores = self.handles()

        @settings(
            max_examples=self.examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],  # explaining takes long and adds little here
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(_operations)
        def play(operations: list[Operation]) -> None:
            keys, model = dict(zip(_NAMES, fresh(*_NAMES), strict=True)), dict[str, bytes]()
            for number, operation in enumerate(operations):
                operation.play(stores[number % len(stores)], keys, model)
            left = {keys[name]: value for name, value in model.items()}
            expect(left, look(stores[0], [*keys.values()]), "the values after all of them")

        play()
