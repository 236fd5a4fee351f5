"""Requests of a bounded session end in time, and their errors say whether the request was sent."""

import io
import socket
import ssl

import pytest
import requests
from senders.calls import raises

from smsmfa.exceptions import DeliveryRejected, DeliveryUncertain, SenderMisconfigured
from smsmfa.senders import session as module
from smsmfa.senders.session import AnswerTooLongError, BoundedSession, NotConnectedError, failure_of
from smsmfa.testing import Answer
from smsmfa.testing.carrier import drip, drop, hang, kept, reset, stall

ANSWER = Answer(200, "yes")


@pytest.fixture
def session():
    with BoundedSession(60.0) as session:
        yield session


def ask(session, url):
    """Ask once, and return the body."""
    return session.ask("POST", url)[2]


def failure(session, url):
    """Return the error that a sender would raise."""
    with pytest.raises((requests.RequestException, NotConnectedError)) as caught:
        ask(session, url)
    return failure_of(caught.value, "the carrier")


def drips_head(exchange):
    """Send a head that never ends, byte by byte, each well within the timeout."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not exchange.server.closing.wait(0.01):
        exchange.wfile.write(b"x")


class TestAsk:
    def test_answer(self, session, serve):
        """Status, headers and body are returned."""
        status, headers, body = session.ask("GET", serve(Answer(404, "no", ["X-Trace: 7"])).url)

        assert (404, "7", b"no") == (status, headers["x-trace"], body)

    def test_longest(self, session, serve):
        """64 KiB are read, and one byte more is too long."""
        assert 64 * 1024 == len(ask(session, serve(Answer(200, "x" * 64 * 1024)).url))
        with pytest.raises(AnswerTooLongError):
            ask(session, serve(Answer(200, "x" * (64 * 1024 + 1))).url)

    @pytest.mark.parametrize(
        "behaviour", [hang, stall(ANSWER), drip(ANSWER), drips_head], ids=["hang", "stall", "drip", "drips head"]
    )
    @pytest.mark.parametrize("proxied", [False, True])
    def test_slow(self, behaviour, proxied, serve, monkeypatch):
        """R33: the timeout covers the whole answer, also through a proxy, and the message may have been sent."""
        carrier = serve(behaviour)
        if proxied:
            monkeypatch.setenv("http_proxy", carrier.url)

        error = failure(BoundedSession(0.05), "http://carrier.invalid" if proxied else carrier.url)

        assert DeliveryUncertain is type(error)
        assert 1 == len(carrier.received())

    def test_late(self, session, serve, monkeypatch):
        """R33: once the time is up nothing more is read."""
        times = iter([0.0, 59.9, 60.0])
        monkeypatch.setattr(module, "monotonic", lambda: next(times))

        assert "the carrier gave no usable answer (ConnectionError)" == str(failure(session, serve(stall(ANSWER)).url))

    def test_less_and_less(self, monkeypatch):
        """R33: each read has the time that is left."""

        class Socket:
            def __init__(self):
                self.timeouts = []

            def gettimeout(self):
                return 10.0

            def settimeout(self, timeout):
                self.timeouts.append(timeout)

        times = iter([0.0, 4.0, 9.0])
        monkeypatch.setattr(module, "monotonic", lambda: next(times))
        sock = Socket()
        reading = module._Reading(sock, io.BytesIO(b"yes"))

        assert [3, 0] == [reading.readinto(bytearray(8)) for _ in range(2)]
        assert [6.0, 1.0] == sock.timeouts

    def test_redirect(self, session, serve):
        """A redirect is not followed."""
        carrier = serve(Answer(307, headers=["Location: /elsewhere"]), ANSWER)

        assert 307 == session.ask("POST", carrier.url)[0]
        assert 1 == len(carrier.requests)

    def test_connection_is_reused(self, session, serve):
        """Requests share one connection, each with the whole timeout."""
        carrier = serve(kept(ANSWER))

        assert [b"yes"] * 3 == [ask(session, carrier.url) for _ in range(3)]
        assert 1 == carrier.connections

    def test_proxy_is_set_up_once(self, session):
        """The connections to a proxy have the same classes for every request."""
        adapter = session.get_adapter("https://carrier.invalid")
        first, second = (adapter.proxy_manager_for("http://127.0.0.1:9").pool_classes_by_scheme for _ in range(2))

        assert first is second

    def test_cookies(self, session, serve):
        """A cookie that an answer sets is not sent with the next request."""
        carrier = serve(Answer(200, "yes", ["Set-Cookie: session=1; Path=/"]))

        ask(session, carrier.url)
        ask(session, carrier.url)

        assert [None, None] == [request.headers["Cookie"] for request in carrier.requests]


class TestFailure:
    @pytest.mark.parametrize("proxied", [False, True])
    def test_refused(self, proxied, session, refused, monkeypatch):
        """If the carrier, or the proxy, refuses the connection nothing was sent."""
        if proxied:
            monkeypatch.setenv("http_proxy", refused)

        error = failure(session, "http://carrier.invalid" if proxied else refused)

        assert (DeliveryRejected, "the carrier cannot be reached") == (type(error), str(error))

    @pytest.mark.parametrize(
        "problem", [TimeoutError("timed out"), socket.gaierror(socket.EAI_NONAME, "unknown")], ids=["late", "unknown"]
    )
    def test_never_connected(self, problem, session, monkeypatch):
        """If connecting takes too long, or the name has no address, nothing was sent."""
        monkeypatch.setattr(socket, "getaddrinfo", raises(problem))

        assert DeliveryRejected is type(failure(session, "http://carrier.invalid"))

    @pytest.mark.parametrize("behaviour", [drop, reset])
    def test_broken(self, behaviour, session, serve):
        """T24: if the connection breaks the message may have been sent, and is not sent again."""
        carrier = serve(behaviour)

        error = failure(session, carrier.url)

        assert "the carrier gave no usable answer (ConnectionError)" == str(error)
        assert 1 == len(carrier.requests)

    @pytest.mark.parametrize(
        "problem, expected",
        [
            pytest.param(ssl.SSLCertVerificationError(1, "self-signed"), SenderMisconfigured, id="certificate"),
            pytest.param(ssl.SSLError(1, "no agreement"), SenderMisconfigured, id="other"),
            pytest.param(ssl.SSLEOFError(8, "EOF"), DeliveryRejected, id="broken"),
            pytest.param(TimeoutError("timed out"), DeliveryRejected, id="late"),
            pytest.param(ConnectionResetError(), DeliveryRejected, id="reset"),
        ],
    )
    def test_tls(self, problem, expected, session, serve, monkeypatch):
        """If TLS cannot be agreed upon nothing was sent. The operator must act, unless the connection broke."""
        carrier = serve(ANSWER)
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", raises(problem))

        assert expected is type(failure(session, carrier.url.replace("http:", "https:")))
        assert [] == carrier.requests

    @pytest.mark.parametrize(
        "error, outage",
        [
            (RuntimeError(), False),
            (ValueError("x"), False),
            (AnswerTooLongError(), True),
            (requests.RequestException(), True),
            (requests.exceptions.SSLError(ssl.SSLError(1, "bad record")), True),
        ],
        ids=repr,
    )
    def test_others(self, error, outage):
        """After any other error the message may have been sent. A bug is not counted as an outage."""
        raised = failure_of(error, "the carrier")

        assert (DeliveryUncertain, outage) == (type(raised), raised.outage)

    def test_error_that_is_being_handled(self, session, serve):
        """T24: an error that the application is handling says nothing about the request."""
        try:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        except socket.gaierror:
            assert DeliveryUncertain is type(failure(session, serve(drop).url))

    @pytest.mark.parametrize(
        "url", ["ftp://carrier.invalid", "carrier.invalid", "https://", "https://" + "a" * 64 + ".b"]
    )
    def test_url(self, url, session):
        """An address that cannot be used was not used."""
        assert SenderMisconfigured is type(failure(session, url))

    def test_certificates(self, session, monkeypatch):
        """Without the file of certificates nothing is sent."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        error = failure(session, "https://127.0.0.1:9")

        assert (SenderMisconfigured, True) == (type(error), "REQUESTS_CA_BUNDLE" in str(error))


@pytest.mark.parametrize("direct, expected", [(True, {}), (False, {"http": "http://proxy.example:3128"})])
def test_proxies(monkeypatch, direct, expected):
    """T37: a direct session uses no proxy, and another session uses the environment's."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    session = BoundedSession(1.0, direct=direct)

    settings = session.merge_environment_settings("http://gateway.example/", {}, True, None, None)
    assert expected == {scheme: proxy for scheme, proxy in settings["proxies"].items() if scheme == "http"}
