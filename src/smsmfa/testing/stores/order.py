"""Looks for one order of updates that explains what each of them saw.

The updates append unique tags to lists. From the lists that they saw, it follows which update came before which, as in
Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", PVLDB 14(3), 2020).
Here lists may also be removed, and forgotten in time, and an update that ended comes before all that begin later.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import chain, pairwise
from math import inf

from msgspec import Struct

#: The content of a key: the tags that were appended. An absent key is an empty list.
Tags = tuple[str, ...]


class Witness(Struct, frozen=True, kw_only=True):
    """An update as its caller saw it.

    Attributes:
        tag: what it appends. If its change ran more than once, each run has another tag, and this is the last one's.
        began: when it was called, in seconds of a clock that all callers share.
        ended: when it returned, or ``None`` if it failed so that it may have been stored or not.
        saw: what was under each of its keys.
        did: what it did with each key: ``"append"``, ``"remove"``, ``"rewrite"`` the same list, or ``"look"``.
        keep_for: for each key that it wrote, how many seconds the list must be kept. It is missing if that is forever.
    """

    tag: str
    began: float
    ended: float | None
    saw: Mapping[str, Tags]
    did: Mapping[str, str]
    keep_for: Mapping[str, float] = {}

    def __str__(self) -> str:
        span = f"{self.began:.6f} to {'?' if self.ended is None else f'{self.ended:.6f}'}"
        acts = (f"{self.did[key]} {_short(key)}, seen as {_shown(tags)}" for key, tags in self.saw.items())
        return f"{self.tag} ({span}): {'; '.join(acts)}"

    def leaves(self, key: str) -> Tags:
        """Return what is under a key afterwards."""
        acted = self.did[key]
        return (*self.saw[key], self.tag) if acted == "append" else () if acted == "remove" else self.saw[key]

    def replaces(self, key: str) -> bool:
        """Return whether it changes what is under a key."""
        return self.leaves(key) != self.saw[key]

    def dies(self, key: str) -> float:
        """Return when the list that it wrote may be forgotten at the earliest."""
        return self.began + self.keep_for.get(key, inf)


def explain(history: Collection[Witness]) -> list[Witness]:
    """Return the updates in an order that explains the history.

    Args:
        history: all updates of some keys that were absent before. The tag of an update that was not stored is missing.

    Raises:
        AssertionError: there is no such order. The message shows the few updates that contradict each other.
    """
    stored = _stored(history)
    doubtful = [one for one in history if one not in stored]
    before: dict[str, dict[str, str]] = {one.tag: {} for one in stored}  # of each tag: what comes before it, and why
    for key in sorted({*chain(*(one.saw for one in stored))}):
        for first, second, why in _Lists(key, stored, doubtful).orders():
            if first is not second:
                before[second.tag].setdefault(first.tag, why)
    for second in stored:
        for first in _just_ended(stored, second.began):
            before[second.tag].setdefault(first.tag, f"{first.tag} had ended when {second.tag} began")
    named = {one.tag: one for one in stored}
    try:
        return [named[tag] for tag in TopologicalSorter(before).static_order()]
    except CycleError:
        circle = min(filter(None, (_circle(before, tag) for tag in before)), key=len)
    reasons = [before[second][first] for first, second in pairwise(circle)]
    raise _broken("no order of these updates explains what they saw", [named[tag] for tag in circle[1:]], reasons)


def _just_ended(updates: Sequence[Witness], now: float) -> list[Witness]:
    """Return the updates that had ended, without those that had ended before another of them began."""
    ended = [(one, one.ended) for one in updates if one.ended is not None and one.ended < now]
    latest = max((one.began for one, _ in ended), default=now)
    return [one for one, when in ended if when >= latest]


def _stored(history: Collection[Witness]) -> list[Witness]:
    """Return the updates that were stored: those that succeeded, and those in doubt whose tags were seen."""
    stored = [one for one in history if one.ended is not None]
    doubtful = [one for one in history if one.ended is None]
    while True:
        seen = {*chain(*chain(*(one.saw.values() for one in stored)))}
        found = [one for one in doubtful if one.tag in seen]
        if not found:
            return stored
        stored += found
        doubtful = [one for one in doubtful if one.tag not in seen]


class _Lists:
    """The lists that were under one key, one after the other.

    A list is known by its first tag. It begins when an update appends to an absent key.
    """

    def __init__(self, key: str, stored: Sequence[Witness], doubtful: Sequence[Witness]) -> None:
        self._key = key
        self._stored = [one for one in stored if key in one.saw]
        self._doubtful = [one for one in doubtful if key in one.saw]
        self._writers: dict[Tags, Witness] = {}
        self._replaced: dict[Tags, Witness] = {}
        self._members: dict[str, list[Witness]] = {}
        self._note_writes()
        self._check_appends()
        self._last = {first: max(self._of(first), key=len) for first in self._members}
        self._check_lasting()

    def orders(self) -> Iterator[tuple[Witness, Witness, str]]:
        """Yield two updates whose order follows from what was under the key, and why it follows."""
        for one in self._stored:
            yield from self._orders_of_absence(one) if not one.saw[self._key] else self._orders_of(one)

    def _orders_of(self, one: Witness) -> Iterator[tuple[Witness, Witness, str]]:
        tags = one.saw[self._key]
        writer, replacer = self._writers[tags], self._replaced.get(tags)
        yield writer, one, f"{one.tag} saw what {writer.tag} appended to {_short(self._key)}"
        if replacer:
            yield one, replacer, f"{one.tag} saw {_short(self._key)} before {replacer.tag} changed it"

    def _orders_of_absence(self, one: Witness) -> Iterator[tuple[Witness, Witness, str]]:
        for first, members in self._members.items():
            if earlier := next((member for member in members if _follows(one, member)), None):
                self._check_absence(one, first, earlier)
                for member in members:
                    yield (
                        member,
                        one,
                        f"the list that {member.tag} met under {_short(self._key)} was gone for {one.tag}",
                    )
            elif len(self._members) == 1 and self._lasts(first):
                began = self._writers[first,]
                yield one, began, f"{one.tag} saw {_short(self._key)} absent before {began.tag} appended to it"

    def _note_writes(self) -> None:
        for one in self._stored:
            saw, left = one.saw[self._key], one.leaves(self._key)
            if one.replaces(self._key):
                if saw and saw in self._replaced:
                    raise _broken(f"both changed the same list under {_short(self._key)}", [self._replaced[saw], one])
                self._replaced[saw] = one
                if left:
                    self._writers[left] = one
            for first in {*saw[:1], *left[:1]}:
                self._members.setdefault(first, []).append(one)

    def _check_appends(self) -> None:
        """Fail if a list was seen that no stored update can have left."""
        for one in self._stored:
            saw = one.saw[self._key]
            if saw and saw not in self._writers:
                raise _broken(f"no update that was stored left what is seen under {_short(self._key)}", [one])

    def _check_lasting(self) -> None:
        """Fail if two lists began, and none of them can have been removed or forgotten."""
        lasting = [self._writers[first,] for first in self._members if self._lasts(first)]
        if len(lasting) > 1:
            raise _broken(f"each began a list under {_short(self._key)}, and nobody removed one", lasting)

    def _check_absence(self, one: Witness, first: str, earlier: Witness) -> None:
        ended = inf if one.ended is None else one.ended
        if not self._removed(first) and (self._lasts(first) or ended < self._dies(first)):
            why = f"{earlier.tag} had ended when {one.tag} began"
            raise _broken(
                f"a list under {_short(self._key)} is gone that nobody removed, or was forgotten early",
                [earlier, one],
                [why],
            )

    def _lasts(self, first: str) -> bool:
        """Return whether nothing can have ended a list."""
        return not self._removed(first) and self._dies(first) == inf

    def _removed(self, first: str) -> bool:
        """Return whether an update removed a list, or may have."""
        every = chain(self._stored, self._doubtful)
        return any(one.did[self._key] == "remove" and one.saw[self._key][:1] == (first,) for one in every)

    def _dies(self, first: str) -> float:
        """Return when a list may be forgotten at the earliest: whoever may have been the last to write it says so."""
        last = self._last[first]
        wrote = [one for one in self._stored if one.leaves(self._key) == last and one.did[self._key] != "look"]
        wrote += [one for one in self._doubtful if one.leaves(self._key)[:1] == (first,)]
        return min((one.dies(self._key) for one in wrote), default=inf)

    def _of(self, first: str) -> Iterator[Tags]:
        for one in self._members[first]:
            yield from (tags for tags in (one.saw[self._key], one.leaves(self._key)) if tags[:1] == (first,))


def _follows(one: Witness, earlier: Witness) -> bool:
    return earlier.ended is not None and earlier.ended < one.began


def _circle(before: Mapping[str, Collection[str]], tag: str) -> list[str]:
    """Return a shortest way from a tag back to itself, or an empty list."""
    ways = [[tag]]
    known: set[str] = set()
    for way in ways:  # the list grows meanwhile
        for earlier in before[way[0]]:
            if earlier == tag:
                return [tag, *way]
            if earlier not in known:
                known.add(earlier)
                ways.append([earlier, *way])
    return []


def _broken(what: str, updates: Sequence[Witness], why: Sequence[str] = ()) -> AssertionError:
    return AssertionError("\n    ".join([f"{what}:", *map(str, updates), *why]))


def _short(key: str) -> str:
    return key.rpartition(":")[2]


def _shown(tags: Tags) -> str:
    return f"[{' '.join(tags)}]" if tags else "absent"
