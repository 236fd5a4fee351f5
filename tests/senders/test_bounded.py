"""Requests of a bounded session end in time, and say whether they began."""

import io
import socket
import ssl
from contextlib import ExitStack
from datetime import timedelta

import pytest
import requests

from smsmfa.senders import bounded
from smsmfa.senders.bounded import (
    AnswerTooLongError,
    body_of,
    bounded_session,
    distrusted,
    never_connected,
    retry_after,
)
from smsmfa.testing import Answer, Carrier, FakeClock
from smsmfa.testing.carrier import drip, drop, hang, kept, stall

ANSWER = Answer(200, "yes")
NOW = FakeClock().now


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Let no proxy of the environment come between."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve():
    """Start servers, and stop them in the end."""
    with ExitStack() as carriers:
        yield lambda behaviour: carriers.enter_context(Carrier(behaviour))


@pytest.fixture
def session():
    with bounded_session() as session:
        yield session


def ask(session, url, timeout=10.0):
    """Ask once, and return the body."""
    with session.post(url, timeout=timeout, stream=True) as answer:
        return body_of(answer)


def failure(session, url, timeout=10.0):
    """Return why there was no body."""
    with pytest.raises(requests.RequestException) as caught:
        ask(session, url, timeout)
    return caught.value


def drips_head(exchange):
    """Send the head a byte at a time, each well within the timeout, and all of them long after it."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 500:
        exchange.wfile.write(bytes([byte]))
        exchange.server.closing.wait(0.01)


class TestAnswer:
    def test_body(self, session, serve):
        """An answer within the limits is read."""
        assert b"yes" == ask(session, serve(ANSWER).url)

    def test_longest(self, session, serve):
        """64 KiB are read, and a byte more is too much."""
        assert 64 * 1024 == len(ask(session, serve(Answer(200, "x" * 64 * 1024)).url))
        with pytest.raises(AnswerTooLongError):
            ask(session, serve(Answer(200, "x" * (64 * 1024 + 1))).url)

    @pytest.mark.parametrize("behaviour", [hang, stall(ANSWER), drip(ANSWER), drips_head])
    @pytest.mark.parametrize("proxied", [False, True])
    def test_slow(self, behaviour, proxied, session, serve, monkeypatch):
        """R33: the timeout is one for the whole answer, through a proxy too, and the request had begun."""
        carrier = serve(behaviour)
        if proxied:
            monkeypatch.setenv("http_proxy", carrier.url)

        error = failure(session, "http://carrier.invalid" if proxied else carrier.url, 0.2)

        assert 1 == len(carrier.requests)
        assert not never_connected(error)

    def test_late(self, session, serve, monkeypatch):
        """R33: once the time is up nothing more is read, not even for a moment."""
        times = iter([0.0, 9.9, 10.0])
        monkeypatch.setattr(bounded, "monotonic", lambda: next(times))

        assert isinstance(failure(session, serve(stall(ANSWER)).url), requests.ConnectionError)

    def test_less_and_less(self, monkeypatch):
        """R33: each read has what is left of the time."""

        class Socket:
            def __init__(self):
                self.timeouts = []

            def gettimeout(self):
                return 10.0

            def settimeout(self, timeout):
                self.timeouts.append(timeout)

        times = iter([0.0, 4.0, 9.0])
        monkeypatch.setattr(bounded, "monotonic", lambda: next(times))
        sock = Socket()
        reading = bounded._Reading(sock, io.BytesIO(b"yes"))

        assert [3, 0] == [reading.readinto(bytearray(8)) for _ in range(2)]
        assert [6.0, 1.0] == sock.timeouts

    def test_connection_is_reused(self, session, serve):
        """One connection serves one request after the other, each with the whole timeout."""
        carrier = serve(kept(ANSWER))

        assert [b"yes"] * 3 == [ask(session, carrier.url) for _ in range(3)]
        assert 1 == carrier.connections

    def test_proxy_is_set_up_once(self, session):
        """The connections to a proxy are of the same classes for every request."""
        adapter = session.get_adapter("https://carrier.invalid")
        first, second = (adapter.proxy_manager_for("http://127.0.0.1:9").pool_classes_by_scheme for _ in range(2))

        assert first is second

    def test_cookies(self, session, serve):
        """What one answer sets does not go out with the next request."""
        carrier = serve(Answer(200, "yes", ["Set-Cookie: session=1; Path=/"]))

        ask(session, carrier.url)
        ask(session, carrier.url)

        assert [None, None] == [request.headers["Cookie"] for request in carrier.requests]


class TestFailure:
    def test_refused(self, session):
        """Where nobody listens there was no connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

        assert never_connected(failure(session, f"http://127.0.0.1:{port}"))

    @pytest.mark.parametrize("problem", [TimeoutError("timed out"), socket.gaierror(socket.EAI_NONAME, "unknown")])
    def test_never_connected(self, problem, session, monkeypatch):
        """Nor was there one where it took too long, or the name has no address."""

        def fails(*arguments, **options):
            raise problem

        monkeypatch.setattr(socket, "getaddrinfo", fails)

        assert never_connected(failure(session, "http://carrier.invalid"))

    def test_refusing_proxy(self, session, monkeypatch):
        """Nor where the proxy cannot be reached."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")

        assert never_connected(failure(session, "http://carrier.invalid"))

    def test_drop(self, session, serve):
        """A connection that breaks was one."""
        error = failure(session, serve(drop).url)

        assert (False, False) == (never_connected(error), distrusted(error))

    @pytest.mark.parametrize(
        "problem, expected", [(ssl.SSLCertVerificationError(1, "self-signed"), True), (ssl.SSLError(1, "bad"), False)]
    )
    def test_distrusted(self, problem, expected, session, serve, monkeypatch):
        """A certificate that is not trusted is told from other errors of TLS."""

        def fails(*arguments, **options):
            raise problem

        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", fails)
        error = failure(session, serve(ANSWER).url.replace("http:", "https:"))

        assert (expected, False) == (distrusted(error), never_connected(error))

    @pytest.mark.parametrize("error", [RuntimeError(), ValueError("x"), requests.RequestException()])
    def test_others(self, error):
        """Of any other error it is neither."""
        assert (False, False) == (never_connected(error), distrusted(error))


@pytest.mark.parametrize(
    "header, pause",
    [
        ("0", timedelta(0)),
        (" 120 ", timedelta(minutes=2)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("1" * 10, None),
        ("-1", None),
        ("1.5", None),
        ("١", None),
        ("", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", timedelta(minutes=1)),
        ("Tue, 14 Nov 2023 22:14:20 -0000", timedelta(minutes=1)),
        ("Wed, 15 Nov 2023 00:14:20 +0200", timedelta(minutes=1)),
        ("Tue, 14 Nov 2023 22:13:00 GMT", timedelta(0)),
        ("Tue, 14 Nov 99999 22:13:00 GMT", None),
    ],
)
def test_retry_after(header, pause):
    """A pause is told in seconds or as an instant, and one that cannot be read is unknown."""
    assert pause == retry_after({"Retry-After": header}, NOW)


def test_no_retry_after():
    """So is one that is not told."""
    assert None is retry_after({}, NOW)
