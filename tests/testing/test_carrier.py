"""The carrier keeps what it receives and treats each request as its script says."""

import json
import ssl
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead, RemoteDisconnected
from threading import Event
from threading import enumerate as threads

import pytest
from senders.tls import certificate

from smsmfa.testing import Answer, Carrier
from smsmfa.testing.carrier import drip, drop, half, hang, kept, reset, stall

ANSWER = Answer(201, '{"id": "ñ"}', ["X-Own: 1"])


def connected(carrier, timeout=60):
    return HTTPConnection(carrier.url.removeprefix("http://"), timeout=timeout)


def post(connection, body="to=1"):
    connection.request("POST", "/messages?x=1", body, {"X-Token": "t"})
    return connection.getresponse()


@pytest.fixture
def carry():
    """Start a carrier and connect to it."""
    with ExitStack() as opened:

        def start(*script, timeout=60):
            carrier = opened.enter_context(Carrier(*script))
            return carrier, opened.enter_context(closing(connected(carrier, timeout)))

        yield start


def test_request(carry):
    """A request keeps its line, headers and body; its repr shows neither headers nor body."""
    carrier, connection = carry(ANSWER)
    post(connection, "to=ñ".encode()).read()

    [request] = carrier.requests
    assert "POST /messages?x=1 HTTP/1.1" == request.line
    assert "t" == request.headers["X-Token"]
    assert "to=ñ" == request.body
    assert "Request(line='POST /messages?x=1 HTTP/1.1')" == repr(request)


def test_encrypted(tmp_path):
    """With a certificate the carrier speaks HTTPS. A client that does not trust it ends its own connection only."""
    pem = certificate(tmp_path)
    with Carrier(ANSWER, certificate=pem) as carrier:
        host = carrier.url.removeprefix("https://")
        with pytest.raises(ssl.SSLCertVerificationError):
            post(HTTPSConnection(host, timeout=60))
        with closing(HTTPSConnection(host, timeout=60, context=ssl.create_default_context(cafile=pem))) as connection:
            answered = post(connection)
            assert (201, {"id": "ñ"}) == (answered.status, json.loads(answered.read()))

    assert ["to=1"] == [request.body for request in carrier.requests]


def test_request_without_body(carry):
    """A request need not have a body."""
    carrier, connection = carry(ANSWER)
    connection.request("GET", "/send?to=1")
    connection.getresponse().read()

    assert ["GET /send?to=1 HTTP/1.1"] == [request.line for request in carrier.requests]


def test_answer(carry):
    """An answer has its status, body, headers and content type, and ends the connection."""
    _, connection = carry(ANSWER)
    response = post(connection)

    assert (201, {"id": "ñ"}) == (response.status, json.loads(response.read()))
    assert "1" == response.headers["X-Own"]
    assert "application/json" == response.headers["Content-Type"]
    assert "close" == response.headers["Connection"]


def test_script(carry):
    """Each request has its behaviour; the last one applies to all later requests."""
    carrier, _ = carry(Answer(400), Answer(500), Answer(201))
    statuses = []
    for _ in range(5):
        connection = connected(carrier)
        statuses.append(post(connection).status)
        connection.close()

    assert [400, 500, 201, 201, 201] == statuses
    assert 5 == carrier.connections


def test_kept(carry):
    """A kept connection serves the next request."""
    carrier, connection = carry(kept(ANSWER), ANSWER)
    for _ in range(2):
        post(connection).read()

    assert 1 == carrier.connections
    assert 2 == len(carrier.requests)


def test_end_of_connection(carry):
    """A client without further requests ends a kept connection."""
    _, connection = carry(kept(ANSWER))
    post(connection).read()
    connection.sock.sendall(b"\r\n")

    assert b"" == connection.sock.recv(1)


@pytest.mark.parametrize("behaviour, error", [(drop, RemoteDisconnected), (reset, ConnectionResetError)])
def test_broken(behaviour, error, carry):
    """A dropped connection ends without an answer; a reset one raises ConnectionResetError."""
    _, connection = carry(behaviour)

    with pytest.raises(error) as raised:
        post(connection)
    assert error is raised.type


def test_half(carry):
    """Half an answer ends in the middle of its body."""
    _, connection = carry(half(ANSWER))

    with pytest.raises(IncompleteRead) as raised:
        post(connection).read()
    assert b'{"id"' == raised.value.partial[:5]


@pytest.mark.parametrize("behaviour", [hang, stall(ANSWER)])
def test_silence(behaviour, carry):
    """A carrier that hangs sends nothing more, before or during its answer."""
    _, connection = carry(behaviour, timeout=0.05)

    with pytest.raises(TimeoutError):
        post(connection).read()


def test_drip(carry):
    """A carrier that drips sends one byte after another, each within any timeout."""
    _, connection = carry(drip(ANSWER), timeout=60)
    response = post(connection)

    assert b"     " == response.read(5)


def test_stop():
    """A carrier that stops releases requests that hang, and leaves no thread behind."""
    before, arrived = set(threads()), Event()

    def behaviour(exchange):
        arrived.set()
        hang(exchange)

    with Carrier(behaviour) as carrier, closing(connected(carrier)) as connection:
        connection.request("GET", "/")
        arrived.wait(60)
        carrier.stop()
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()

    assert not [thread for thread in set(threads()) - before if not thread.daemon]


def test_client_that_leaves(carry, capsys):
    """A client that gives up is not an error of the carrier, which continues to serve."""
    carrier, connection = carry(drip(ANSWER), ANSWER)
    post(connection).close()
    connection.close()

    with closing(connected(carrier)) as other:
        assert 201 == post(other).status
    for thread in threads():
        if "process_request" in thread.name:
            thread.join(60)
    assert not capsys.readouterr().err
