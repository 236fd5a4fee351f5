"""A wire passes data on, and is cut in place of a question or an answer."""

import socket
from contextlib import closing, suppress

import pytest
from testing.stores.good import RemoteStore, Server

from smsmfa import StoreError
from smsmfa.testing.stores.wire import Wire


@pytest.fixture
def server():
    """A server."""
    with Server() as server:
        yield server
        server.shutdown()


@pytest.fixture
def wire(server):
    """A wire to the server."""
    with closing(Wire(server.server_address)) as wire:
        yield wire


def test_passes_on(wire, server):
    """Data passes, over several connections at the same time."""
    server.values["k"] = "1"
    for store in (RemoteStore(*wire.address), RemoteStore(*wire.address)):
        with closing(store):
            assert b"1" == store.read("k")


@pytest.mark.parametrize("kind", ["question", "answer"])
@pytest.mark.parametrize("number", [0, 2])
def test_cut(wire, kind, number):
    """The wire is cut once, in place of the question or answer with this number."""
    with closing(RemoteStore(*wire.address)) as store:
        store.read("k")
        wire.cut_at(kind, number)
        for _ in range(number):
            store.read("k")
        with pytest.raises(StoreError):
            store.read("k")
        assert store.read("k") is None
        assert wire.cancel_cut()


@pytest.mark.parametrize(
    "passing, passed", [(0, b""), (15, b'{"done": false,'), (999, b'{"done": false, "present": {}}\n')]
)
def test_cut_within(wire, passing, passed):
    """A part of the answer passes before the cut."""
    with socket.create_connection(wire.address) as client, client.makefile("rb") as file:
        wire.cut_at("answer", 0, passing)
        client.sendall(b'{"keys": ["k"]}\n')

        assert passed == file.read()
    assert len(b'{"done": false, "present": {}}\n') == wire.cancel_cut()


@pytest.mark.parametrize("kind", ["question", "answer"])
@pytest.mark.parametrize("reset", [False, True])
def test_cut_is_seen(wire, kind, reset):
    """The client sees the end of the connection, or a reset, even if it has sent more than was read."""
    with socket.create_connection(wire.address) as client:
        wire.cut_at(kind, 0, reset=reset)
        client.sendall(b'{"keys": ["k"]}\n' * 3)
        client.settimeout(60)
        if reset:
            with pytest.raises(ConnectionResetError):
                client.recv(100)
            return
        assert b"" == client.recv(100)
        client.sendall(b"a question that came too late")
        client.shutdown(socket.SHUT_WR)
        while wire._ends[0].fileno() >= 0:  # until that is read, and the other end closed
            client.recv(100)


def test_cut_is_cancelled(wire):
    """A cut that has not happened can be cancelled."""
    with closing(RemoteStore(*wire.address)) as store:
        wire.cut_at("answer", 1)
        store.read("k")
        assert not wire.cancel_cut()
        assert store.read("k") is None


def test_held(wire):
    """Answers are held back until they are released."""
    wire.hold()
    with socket.create_connection(wire.address) as client:
        client.sendall(b'{"keys": []}\n')
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)
        wire.release()
        client.settimeout(60)
        assert client.recv(100).startswith(b"{")


def test_closed(server):
    """Closing a wire cuts its connections, and it accepts no more."""
    wire = Wire(server.server_address)
    with closing(RemoteStore(*wire.address)) as store:
        store.read("k")
        wire.close()
        with pytest.raises(StoreError):
            store.read("k")


def test_no_server():
    """If there is no server, a connection is closed."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = nobody.getsockname()
    with closing(Wire(address)) as wire, socket.create_connection(wire.address) as client:
        client.settimeout(60)
        with suppress(ConnectionError):
            assert b"" == client.recv(1)
