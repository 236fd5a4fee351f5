"""Checks of a store in hostile surroundings: a wire that is cut, a transaction around it, a sweeper beside it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from threading import Event

from ..exceptions import StoreError
from ..typing import Store
from .suite import Suite, check, expect, fresh, increment, look, put
from .threads import all_of, at_once
from .wire import Wire

_MOST_ANSWERS = 100
_TRIES = 8


class FaultChecks(Suite):
    """What is not the store's fault."""

    @check(6, "server")
    def test_wire_is_cut(self) -> None:
        """When the wire is cut at any answer of the server, success means one update, an error none or one."""
        with self._wire() as (wire, store, direct):
            for answer in range(_MOST_ANSWERS):
                keys = fresh("a", "b")
                put(direct, dict.fromkeys(keys, b"0"))
                wire.cut_at(answer)
                succeeded = self._succeeds(store, keys)
                cut = wire.mend()
                counts = look(direct, keys)
                if counts not in [dict.fromkeys(keys, b"%d" % n) for n in ((1,) if succeeded else (0, 1))]:
                    said = "success" if succeeded else "an error"
                    raise AssertionError(
                        f"cut at answer {answer} of one update, {said} was reported; the counts: {counts}"
                    )
                if not cut:
                    return
                self._heals(store)
            raise AssertionError(f"one update takes more than {_MOST_ANSWERS} answers of the server")

    @check(6, "server")
    def test_wire_is_cut_while_reading(self) -> None:
        """When the wire is cut at any answer to read(), it raises StoreError or returns what is there."""
        with self._wire() as (wire, store, direct):
            [key] = fresh("k")
            put(direct, {key: b"1"})
            for answer in range(_MOST_ANSWERS):
                wire.cut_at(answer)
                with suppress(StoreError):
                    expect(b"1", store.read(key), f"what is read when the wire is cut at answer {answer}")
                if not wire.mend():
                    return
                self._heals(store)

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
        """What goes on beside a store costs it no update and no entry that has to be kept."""
        stores, done, kept = self.handles(), Event(), dict.fromkeys(fresh("a", "b", "c"), b"1")
        put(stores[0], kept, 3600)
        keys = fresh("a", "b")

        def work(number: int) -> None:
            store = stores[number % len(stores)]
            try:
                for _ in range(self.rounds):
                    store.update(keys, increment(*keys))
                    store.update(fresh("gone"), lambda _: ({}, "refused"))
            finally:
                done.set()

        def disturb() -> None:
            while not done.is_set():
                self.disturb()

        calls: list[Callable[[], None]] = [disturb, *(partial(work, number) for number in range(4))]
        all_of(at_once(calls, self.time_limit))
        expect(dict.fromkeys(keys, b"%d" % (4 * self.rounds)), look(stores[0], keys), "what was counted meanwhile")
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

    def _succeeds(self, store: Store, keys: list[str]) -> bool:
        try:
            store.update(keys, increment(*keys))
        except StoreError:
            return False
        return True

    def _heals(self, store: Store) -> None:
        """Connections that are dead cost a few errors, and no more."""
        for _ in range(_TRIES):
            [key] = fresh("k")
            if self._succeeds(store, [key]):
                expect(b"1", store.read(key), "what is read when all is well again")
                return
        raise AssertionError(f"a store that lost a connection is still failing after {_TRIES} calls")
