"""Each check of faults rejects a store that does not survive them."""

import json
import socket
from contextlib import closing, contextmanager, nullcontext, suppress

import pytest
from testing.stores.good import DictStore, RemoteStore, Server, failed, names, suite

from smsmfa import StoreContention, StoreError
from smsmfa.testing.stores import faults as store_faults
from smsmfa.testing.stores.faults import FaultChecks


@pytest.fixture(scope="module")
def server():
    """A server."""
    with Server() as server:
        yield server
        server.shutdown()


class Retries(RemoteStore):
    """Its driver repeats a request that got no answer."""

    tries = 3


class TakesSilenceForSuccess(RemoteStore):
    def _ask(self, **request):
        try:
            return super()._ask(**request)
        except StoreError:
            if "writes" not in request:
                raise
            return {"done": True}


class CallsDoubtContention(RemoteStore):
    def _ask(self, **request):
        try:
            return super()._ask(**request)
        except StoreError as error:
            raise StoreContention("somebody was in the way") from error


class TakesSilenceForAbsence(RemoteStore):
    def read(self, key):
        try:
            return super().read(key)
        except StoreError:
            return None


class TakesAPieceForAbsence(RemoteStore):
    """Its driver reads an answer that is not whole as one without values."""

    def _ask(self, **request):
        with socket.create_connection(self._address) as connection, connection.makefile("rb") as file:
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = heard(file)
        with suppress(ValueError):
            return json.loads(answer)
        if not self.takes(len(answer)):
            raise StoreError("no answer")
        return {"done": False, "present": {}}

    def takes(self, length):
        return length > 0


class TakesItsHeadForAbsence(TakesAPieceForAbsence):
    """Only if the piece has 17 bytes, as many as the head of an answer."""

    def takes(self, length):
        return length == 17


class ReadsAPieceAsAbsence(TakesAPieceForAbsence):
    """Only its reads do; an update raises."""

    def update(self, keys, change):
        with closing(RemoteStore(*self._address)) as store:
            return store.update(keys, change)


def heard(file):
    """Return a line, or nothing if the connection was cut."""
    with suppress(OSError):
        return file.readline()
    return b""


class NeverConnectsAgain(RemoteStore):
    alive = True

    def _ask(self, **request):
        if not self.alive:
            raise StoreError("no connection")
        try:
            return super()._ask(**request)
        except StoreError:
            self.alive = False
            raise


class AsksForEver(RemoteStore):
    """Each call asks one question more than the call before."""

    calls = 0

    def update(self, keys, change):
        self.calls += 1
        for _ in range(self.calls):
            self.read(keys[0])
        return super().update(keys, change)


def over(server, store):
    """Return the suite over a store on this server, or on the proxy before it."""
    return suite(
        FaultChecks,
        lambda: store(*server.server_address),
        open_store_at=lambda self, host, port: store(host, port),
        server=server.server_address,
    )


class Rides(DictStore):
    """Forgets what the application rolls back."""

    @contextmanager
    def transaction(self):
        before = self.entries.copy()
        yield
        self.entries = before


class Forgets(DictStore):
    """Loses entries to its sweeper."""

    def sweep(self):
        with self.lock:
            for key in [key for key, (_, until) in self.entries.items() if until]:
                del self.entries[key]


class DeletesWithoutLooking(DictStore):
    """Its sweeper deletes what had expired the last time it ran, even if it was written again since."""

    expired = ()

    def sweep(self):
        with self.lock:
            for key in self.expired:
                self.put(key, None)
            self.expired = [key for key in self.entries if self.get(key) is None]


def disturbed(store):
    """Return the suite over a store that is disturbed."""
    data = store()
    return suite(
        FaultChecks,
        lambda: data,
        disturb=lambda self: getattr(data, "sweep", bool)(),
        enclosing_transaction=lambda self: getattr(data, "transaction", nullcontext)(),
    )


class Fills(DictStore):
    """Its disk can be full."""

    full = False

    @contextmanager
    def fill(self):
        self.full = True
        yield
        self.full = False

    def put(self, key, entry):
        if self.full:
            self.refuse(key, entry)
        super().put(key, entry)

    def refuse(self, key, entry):
        raise StoreError("the disk is full")


class TakesItForSuccess(Fills):
    """It logs that the disk is full, and goes on."""

    def write(self, writes):
        with suppress(StoreError):
            super().write(writes)


class KeepsWhatFits(Fills):
    """It keeps the writes for which there was room."""

    def refuse(self, key, entry):
        if key.endswith("b"):
            super().refuse(key, entry)


class StaysFull(Fills):
    """It refuses all writes from then on."""

    @contextmanager
    def fill(self):
        self.full = True
        yield


def filled(store):
    """Return the suite over a store whose disk is full at times."""
    data = store()
    return suite(FaultChecks, lambda: data, failing=lambda self: data.fill())


CAUGHT = {
    "test_answer_is_cut": [Retries, CallsDoubtContention, NeverConnectsAgain, AsksForEver],
    "test_question_is_cut": [TakesSilenceForSuccess],
    "test_read_is_cut": [TakesSilenceForAbsence, ReadsAPieceAsAbsence, TakesAPieceForAbsence, TakesItsHeadForAbsence],
    "test_verify_is_cut": [Retries, TakesSilenceForSuccess, CallsDoubtContention],
}
DISTURBED = {"test_enclosing_transaction": [Rides], "test_disturbed": [Forgets, DeletesWithoutLooking]}


def test_all_are_here():
    """Every check has a store here that fails it."""
    assert names(FaultChecks) == CAUGHT.keys() | DISTURBED.keys() | {"test_database_refuses"}


@pytest.mark.parametrize("store", [TakesItForSuccess, KeepsWhatFits, StaysFull])
def test_caught_full(store):
    """A store that takes a full disk for success, or is not whole afterwards, fails the check; a correct one passes."""
    assert {"test_database_refuses"} == failed(filled(store), ["test_database_refuses"])
    assert set() == failed(filled(Fills), ["test_database_refuses"])


@pytest.mark.parametrize("check", CAUGHT)
def test_a_right_store_passes(server, check):
    """A store that raises StoreError if it cannot know the result passes."""
    assert set() == failed(over(server, RemoteStore), [check])


@pytest.mark.parametrize("check, store", [(check, store) for check, stores in CAUGHT.items() for store in stores])
def test_caught(server, check, store, monkeypatch):
    """A store that retries, or takes silence for an answer, fails the check."""
    monkeypatch.setattr(store_faults, "_MOST_CHUNKS", 8)
    assert {check} == failed(over(server, store), [check])


@pytest.mark.parametrize("check, store", [(check, store) for check, stores in DISTURBED.items() for store in stores])
def test_caught_beside(check, store):
    """A store that loses data to what happens beside it fails the check; a correct one passes."""
    runs = (failed(disturbed(store), [check]) for _ in range(5))  # a busy machine may run one thread after the other
    assert {check} == next(filter(None, runs), set())
    assert set() == failed(disturbed(DictStore), [check])


def test_server_is_needed():
    """Without a server these checks are skipped."""
    for check in CAUGHT:
        with pytest.raises(pytest.skip.Exception, match="server"):
            getattr(suite(FaultChecks, DictStore)(), check)()
