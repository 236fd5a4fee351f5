"""Checks of a store in hostile surroundings: a wire that is cut, a transaction around it, a sweeper beside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import chain, pairwise
from threading import Semaphore

from ...exceptions import CodeRejected, StoreContention, StoreError
from ...typing import Entry, Store
from ...values import Verification
from ...verifier import Verifier
from ..threads import all_of, at_once
from .factor import Factor
from .suite import Suite, check, expect, fresh, increment, look, put
from .wire import Wire

_MOST_CHUNKS = 100
#: How many updates a store may try after its wire was cut: a pool may have several connections that are dead, and each
#: may cost an error.
_TRIES = 8
#: How many threads use the store that something happens beside.
_WORKERS = 4
#: After how many rounds of theirs: not so often that trying again does not help. Each may be one round ahead.
_PACE = 8


class FaultChecks(Suite):
    """What is not the store's fault."""

    @check(6, "server")
    def test_answer_is_cut(self) -> None:
        """When the wire is cut at any answer of the server, success means one update, an error none or one."""
        self._cut_updates("answer")

    @check(6, "server")
    def test_question_is_cut(self) -> None:
        """When the wire is cut before any question reaches the server, success still means that the update was made."""
        self._cut_updates("question")

    @check(6, "server")
    def test_read_is_cut(self) -> None:
        """When the wire is cut in the middle of read(), it raises StoreError or returns what is there."""
        for kind in ("question", "answer"):
            with self._wire() as (wire, store, direct):
                [key] = fresh("k")
                put(direct, {key: b"1"})
                for number in self._cuts(wire, store, kind):
                    with suppress(StoreError):
                        expect(b"1", store.read(key), f"what is read when {kind} {number} is cut")

    @check(6, "server")
    def test_verify_is_cut(self) -> None:
        """When the wire is cut while a right code is checked, success uses the code up, and an error lets nobody in."""
        for kind in ("question", "answer"):
            with self._wire() as (wire, store, direct):
                factor = Factor([store, direct])
                factor.enrol()
                for number in self._cuts(wire, store, kind):
                    factor.clock.move(days=1)
                    said = _checked(factor, factor.verifiers[:1] + factor.verifiers)
                    doubt = any(issubclass(error, StoreError) and error is not StoreContention for error in said)
                    if said.count(Verification) not in ({0, 1} if doubt else {1}):
                        names = ", ".join(error.__name__ for error in said)
                        raise AssertionError(f"{kind} {number} of a check was cut, and of one code came {names}")

    def _cut_updates(self, kind: str) -> None:
        with self._wire() as (wire, store, direct):
            for number in self._cuts(wire, store, kind):
                keys = fresh("a", "b")
                put(direct, dict.fromkeys(keys, b"0"))
                error = self._error(store, keys)
                allowed = (1,) if error is None else (0,) if isinstance(error, StoreContention) else (0, 1)
                counts = look(direct, keys)
                if counts not in [dict.fromkeys(keys, b"%d" % count) for count in allowed]:
                    said = type(error).__name__ if error else "success"
                    raise AssertionError(
                        f"{kind} {number} of an update was cut, it said {said}, and counts are {counts}"
                    )

    def _cuts(self, wire: Wire, store: Store, kind: str) -> Iterator[int]:
        """Have the wire cut at each chunk of one call in turn, as long as there are any."""
        for number in range(_MOST_CHUNKS):
            wire.cut_at(kind, number)
            yield number
            if not wire.mend():
                return
            self._heals(store)
        raise AssertionError(f"one call takes more than {_MOST_CHUNKS} questions or answers")

    @check(7, "enclosing_transaction")
    def test_enclosing_transaction(self) -> None:
        """An update stays, though the application rolls back the transaction it was made in."""
        store, keys = self.opened(), fresh("a", "b")
        with self.enclosing_transaction():
            store.update(keys, increment(*keys))
            expect(b"1", store.read(keys[0]), "what is read inside the application's transaction")
        expect(dict.fromkeys(keys, b"1"), look(store, keys), "what is stored after the application rolled back")

    @check(2, "disturb")
    def test_disturbed(self) -> None:
        """What goes on beside a store costs it no update, and no entry that has to be kept, or again has to be."""
        stores, made, each = self.handles(), Semaphore(0), _PACE // _WORKERS
        allowed = [Semaphore(each + 1) for _ in range(_WORKERS)]
        keys, kept = fresh("a", "b"), dict.fromkeys(fresh("c", "d"), b"1")
        #: Those of each thread: one may be forgotten at once, and in the next round it is to be kept for ever.
        fleeting = [fresh(*map(str, range(self.rounds + 1))) for _ in range(_WORKERS)]
        put(stores[0], kept, 3600)

        def work(number: int) -> None:
            store = stores[number % len(stores)]
            try:
                for revived, expiring in pairwise(fleeting[number]):
                    allowed[number].acquire()
                    store.update(keys, increment(*keys))
                    _revive(store, revived, expiring)
                    look(store, fresh("absent"))
                    made.release()
            finally:
                made.release(self.rounds)

        def disturb() -> None:
            try:
                for _ in range(max(1, _WORKERS * self.rounds // _PACE)):
                    for _ in range(_PACE):
                        made.acquire()
                    self.disturb()
                    for one in allowed:
                        one.release(each)
            finally:
                for one in allowed:
                    one.release(self.rounds)

        calls: list[Callable[[], None]] = [disturb, *(partial(work, number) for number in range(_WORKERS))]
        all_of(at_once(calls, self.time_limit))
        expect(dict.fromkeys(keys, b"%d" % (_WORKERS * self.rounds)), look(stores[0], keys), "what was counted")
        kept |= dict.fromkeys(chain(*(mine[:-1] for mine in fleeting)), b"1")
        expect(kept, look(stores[0], list(kept)), "what was to be kept")

    @contextmanager
    def _wire(self) -> Iterator[tuple[Wire, Store, Store]]:
        """A wire, a store that used it and has its connections, and one that reaches its server directly."""
        server = self.server or ("", 0)
        with closing(Wire(server)) as wire:
            store, direct = self.opened_at(wire.address), self.opened_at(server)
            self._heals(store)
            yield wire, store, direct
            self.close()

    def _error(self, store: Store, keys: list[str]) -> StoreError | None:
        try:
            store.update(keys, increment(*keys))
        except StoreError as error:
            return error
        return None

    def _heals(self, store: Store) -> None:
        """Dead connections cost an error each at most, and after fewer than eight the store works again."""
        for _ in range(_TRIES):
            [key] = fresh("k")
            if self._error(store, [key]) is None:
                expect(b"1", store.read(key), "what is read when all is well again")
                return
        raise AssertionError(f"a store that lost a connection is still failing after {_TRIES} calls")


def _revive(store: Store, revived: str, expiring: str) -> None:
    """Keep one entry for ever, and another for no time at all."""
    store.update([revived, expiring], lambda _: ({revived: Entry(b"1"), expiring: Entry(b"0", 0)}, None))


def _checked(factor: Factor, verifiers: Sequence[Verifier]) -> list[type]:
    """Send a code, check it with each verifier in turn, and return the class of what came of it."""
    challenge, code = factor.challenge()
    said: list[type] = []
    for verifier in verifiers:
        try:
            said.append(type(verifier.verify(factor.user, challenge, code)))
        except (CodeRejected, StoreError) as error:
            said.append(type(error))
    return said
