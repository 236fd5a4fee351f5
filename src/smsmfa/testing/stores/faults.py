"""Checks of a store under faults: connections are cut, the application rolls back, a sweeper runs beside it."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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

#: A call that needs more questions or answers than this counts as endless.
_MOST_CHUNKS = 100
#: After a cut, a store must work within this many calls: its pool may hold several dead connections.
_TRIES = 8
#: If a read gets an answer of up to this many bytes, it is cut before each of them. Others are cut at several places.
_SHORT, _PLACES = 100, 8
#: How many threads use the store while it is disturbed.
_WORKERS = 4
#: How many updates pass between two disturbances. More often, and a store that retries could not succeed.
_PACE = 8


class FaultChecks(Suite):
    """Faults outside the store."""

    @check(6, "server")
    def test_answer_is_cut(self) -> None:
        """If the connection is cut at or within any answer, success means one update, and an error none or one."""
        self._cut_updates("answer", within=_PLACES)
        self._cut_updates("answer", reset=True)

    @check(6, "server")
    def test_question_is_cut(self) -> None:
        """If the connection is cut at any question to the server, success still means that the update was made."""
        for reset in (False, True):
            self._cut_updates("question", reset=reset)

    @check(6, "server")
    def test_read_is_cut(self) -> None:
        """If the connection is cut at or within any answer, a stored value is seen, or the call raises StoreError."""
        for kind in ("question", "answer"):
            with self._wire() as (wire, store, direct):
                [key] = fresh("k")
                put(direct, {key: b"1"})
                for _, said in self._cuts(wire, store, kind, within=_SHORT if kind == "answer" else 0):
                    with suppress(StoreError):
                        expect(b"1", store.read(key), f"what read() returns if {said}")
                for _, said in self._cuts(wire, store, kind, within=_SHORT if kind == "answer" else 0):
                    with suppress(StoreError):
                        expect({key: b"1"}, look(store, [key]), f"what a change sees if {said}")

    @check(6, "server")
    def test_verify_is_cut(self) -> None:
        """If the connection is cut while a right code is verified, success uses it up and an error is no login."""
        for kind in ("question", "answer"):
            with self._wire() as (wire, store, direct):
                factor = Factor([store, direct])
                factor.enrol()
                for number, _ in self._cuts(wire, store, kind):
                    factor.clock.move(days=1)
                    said = _checked(factor, factor.verifiers[:1] + factor.verifiers)
                    doubt = any(issubclass(error, StoreError) and error is not StoreContention for error in said)
                    if said.count(Verification) not in ({0, 1} if doubt else {1}):
                        names = ", ".join(error.__name__ for error in said)
                        raise AssertionError(
                            f"{kind} {number} of verify() was cut; three calls with one code gave: {names}"
                        )

    def _cut_updates(self, kind: str, *, within: int = 0, reset: bool = False) -> None:
        with self._wire() as (wire, store, direct):
            for _, cut in self._cuts(wire, store, kind, within=within, reset=reset):
                keys = fresh("a", "b")
                put(direct, dict.fromkeys(keys, b"5"))  # who takes it for absent counts to 1
                error = self._error(store, keys)
                allowed = (6,) if error is None else (5,) if isinstance(error, StoreContention) else (5, 6)
                counts = look(direct, keys)
                if counts not in [dict.fromkeys(keys, b"%d" % count) for count in allowed]:
                    said = type(error).__name__ if error else "success"
                    raise AssertionError(f"{cut} of an update; the result was {said}, and the counts are {counts}")

    def _cuts(
        self, wire: Wire, store: Store, kind: str, *, within: int = 0, reset: bool = False
    ) -> Iterator[tuple[int, str]]:
        """Cut the connection at each chunk of a call in turn, until a call has no such chunk.

        Args:
            wire: the connection.
            store: what is behind it.
            kind: which chunks are cut.
            within: up to how many bytes have chunks that are cut at each byte. Longer ones are cut at several.
                With 0, chunks are only cut before they begin.
            reset: whether the connection is then reset.
        """
        cut = partial(self._cut, wire, store, kind, reset)
        for number in range(_MOST_CHUNKS):
            length = yield from cut(number, 0)
            if not length:
                return
            for place in _places(length, within) if within else ():
                yield from cut(number, place)
        raise AssertionError(f"one call needs more than {_MOST_CHUNKS} questions or answers")

    def _cut(
        self, wire: Wire, store: Store, kind: str, reset: bool, number: int, place: int
    ) -> Generator[tuple[int, str], None, int]:
        """Cut the connection once, around what the caller does; return how long the chunk was, or 0."""
        wire.cut_at(kind, number, place, reset=reset)
        yield number, f"the connection was cut after {place} bytes of {kind} {number}"
        length = wire.cancel_cut()
        if length:
            self._heals(store)
        return length

    @check(7, "enclosing_transaction")
    def test_enclosing_transaction(self) -> None:
        """An update stays stored even if the application rolls back a transaction that was open around it."""
        store, keys = self.opened(), fresh("a", "b")
        with self.enclosing_transaction():
            store.update(keys, increment(*keys))
            expect(b"1", store.read(keys[0]), "the count read inside the application's transaction")
        expect(dict.fromkeys(keys, b"1"), look(store, keys), "the counts after the application rolled back")

    @check(6, "failing")
    def test_database_refuses(self) -> None:
        """If the database refuses an update, as on a full disk, update() raises StoreError, and nothing has changed."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, {keys[0]: b"5"})
        with self.failing():
            error = self._error(store, keys)
        expect(True, isinstance(error, StoreError), "whether an update that the database refused raised StoreError")
        expect({keys[0]: b"5"}, look(store, keys), "the values after an update that the database refused")
        expect(5, store.update(keys, increment(*keys)), "the count that an update sees once the database works again")

    @check(2, "disturb")
    def test_disturbed(self) -> None:
        """Activity beside a store loses no update, and no entry that must be kept or was written again to be kept."""
        stores, pace = self.handles(), _Pace(self.rounds)
        keys, kept = fresh("a", "b"), dict.fromkeys(fresh("c", "d"), b"1")
        #: For each thread: a key that is kept for no time in one round, and forever from the next round on.
        fleeting = [fresh(*map(str, range(self.rounds + 1))) for _ in range(_WORKERS)]
        put(stores[0], kept, 3600)

        def work(number: int) -> None:
            store = stores[number % len(stores)]
            with closing(pace.turns(number)) as turns:
                for (revived, expiring), _ in zip(pairwise(fleeting[number]), turns, strict=True):
                    store.update(keys, increment(*keys))
                    _revive(store, revived, expiring)
                    look(store, fresh("absent"))

        def disturb() -> None:
            with closing(pace.disturbances()) as disturbances:
                for _ in disturbances:
                    self.disturb()

        calls: list[Callable[[], None]] = [disturb, *(partial(work, number) for number in range(_WORKERS))]
        all_of(at_once(calls, self.time_limit))
        expect(dict.fromkeys(keys, b"%d" % (_WORKERS * self.rounds)), look(stores[0], keys), "the counts")
        kept |= dict.fromkeys(chain(*(mine[:-1] for mine in fleeting)), b"1")
        expect(kept, look(stores[0], list(kept)), "the entries that must be kept, see rule 11")

    @contextmanager
    def _wire(self) -> Iterator[tuple[Wire, Store, Store]]:
        """Yield a proxy, a store connected through it, and a store connected directly."""
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
        """After a cut, each dead connection costs at most one error, and the store works again within eight calls."""
        for _ in range(_TRIES):
            [key] = fresh("k")
            if self._error(store, [key]) is None:
                expect(b"1", store.read(key), "the count after the store works again")
                return
        raise AssertionError(f"the store lost a connection and still fails after {_TRIES} calls")


class _Pace:
    """Lets threads work and be disturbed in step: after every :data:`_PACE` turns comes one disturbance.

    Each thread may be one turn ahead. If one side ends early, the others are released.

    Args:
        rounds: how many turns each thread has.
    """

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._each = _PACE // _WORKERS
        self._done = Semaphore(0)
        self._allowed = [Semaphore(self._each + 1) for _ in range(_WORKERS)]

    def turns(self, number: int) -> Generator[None]:
        """Yield once for each turn of this thread."""
        try:
            for _ in range(self._rounds):
                self._allowed[number].acquire()
                yield
                self._done.release()
        finally:
            self._done.release(self._rounds)

    def disturbances(self) -> Generator[None]:
        """Yield once for each disturbance."""
        try:
            for _ in range(max(1, _WORKERS * self._rounds // _PACE)):
                for _ in range(_PACE):
                    self._done.acquire()
                yield
                self._allow(self._each)
        finally:
            self._allow(self._rounds)

    def _allow(self, turns: int) -> None:
        for allowed in self._allowed:
            allowed.release(turns)


def _places(length: int, short: int) -> Iterable[int]:
    """Return where to cut a chunk of this length, besides before it: at each byte if it is short."""
    if length <= short:
        return range(1, length)
    return sorted({*(length * number // _PLACES for number in range(1, _PLACES)), length - 1})


def _revive(store: Store, revived: str, expiring: str) -> None:
    """Keep one entry forever, and another for no time at all."""
    store.update([revived, expiring], lambda _: ({revived: Entry(b"1"), expiring: Entry(b"0", 0)}, None))


def _checked(factor: Factor, verifiers: Sequence[Verifier]) -> list[type]:
    """Send a code and verify it with each verifier in turn; return the class of each result."""
    challenge, code = factor.challenge()
    said: list[type] = []
    for verifier in verifiers:
        try:
            said.append(type(verifier.verify(factor.user, challenge, code)))
        except (CodeRejected, StoreError) as error:
            said.append(type(error))
    return said
