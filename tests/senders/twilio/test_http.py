"""The HTTP client of the SDK asks once, in bounded time, and keeps nothing of what it sent or got."""

import gc
import logging
import socket
import ssl
import types
from contextlib import ExitStack

import pytest
from requests import ConnectionError as BrokenError
from requests import ReadTimeout, RequestException

from smsmfa.senders.twilio.http import AnswerTooLongError, BoundedHttpClient, distrusted, never_connected
from smsmfa.testing import Answer, Carrier
from smsmfa.testing.carrier import drip, drop, half, hang, kept, reset, stall

TEXT = "314159 is your code"
PAIR = ("AC0123456789", "a token of the account")
LONGEST = 64 * 1024
taken = Answer(201, '{"sid": "SM00"}')


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Let no proxy of the environment come between."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve():
    """Start carriers, and stop them in the end."""
    with ExitStack() as carriers:
        yield lambda *script: carriers.enter_context(Carrier(*script))


def post(url, client=None, timeout=10.0, **arguments):
    """Post the text."""
    client = client or BoundedHttpClient(timeout)
    return client.request("POST", f"{url}/Messages", data={"Body": TEXT}, auth=PAIR, **arguments)


def problem(url, **arguments):
    """Return the error of a request that comes to nothing."""
    with pytest.raises((RequestException, AnswerTooLongError)) as caught:
        post(url, **arguments)
    return caught.value


@pytest.fixture
def refused():
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_answer(serve):
    """Status, text and headers come back, whatever the status is."""
    carrier = serve(Answer(429, "Söhne", ["Retry-After: 7"]))

    answer = post(carrier.url)

    assert (429, "Söhne", "7") == (answer.status_code, answer.text, answer.headers["retry-after"])
    assert "POST /Messages HTTP/1.1" == carrier.requests[0].line
    assert carrier.requests[0].headers["Authorization"].startswith("Basic ")


def test_bytes_that_are_no_text(serve):
    """An answer that is no UTF-8 is read as far as it can be."""

    def answer(exchange):
        exchange.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\na\xffb")

    assert "a\ufffdb" == post(serve(answer).url).text


def test_redirect(serve):
    """A redirect is an answer, even where the SDK would follow it."""
    carrier = serve(Answer(307, headers=["Location: /elsewhere"]), taken)

    assert 307 == post(carrier.url, allow_redirects=True).status_code
    assert 1 == len(carrier.requests)


@pytest.mark.parametrize("longer", [0, 1])
def test_longest(longer, serve):
    """Of an answer 64 KiB are read, and no byte more."""
    carrier = serve(Answer(201, " " * (LONGEST + longer)))

    if longer:
        assert AnswerTooLongError is type(problem(carrier.url))
    else:
        assert LONGEST == len(post(carrier.url).text)


@pytest.mark.parametrize("behaviour", [hang, stall(taken), drip(taken)])
def test_slow(behaviour, serve):
    """R33: the timeout is one for the whole answer, and not what the SDK passes."""
    carrier = serve(behaviour)

    error = problem(carrier.url, client=BoundedHttpClient(0.1))

    assert isinstance(error, ReadTimeout | BrokenError)
    assert not never_connected(error)
    assert 1 == len(carrier.requests)


def test_slow_through_proxy(serve, monkeypatch):
    """R33: an answer through a proxy has no more time than one without."""
    carrier = serve(drip(taken))
    monkeypatch.setenv("http_proxy", carrier.url)

    assert not never_connected(problem("http://twilio.invalid", timeout=0.1))


@pytest.mark.parametrize("behaviour", [drop, reset, half(taken)])
def test_broken(behaviour, serve):
    """T24: a connection that breaks was there: the request is not repeated, and may have arrived."""
    carrier = serve(behaviour)

    error = problem(carrier.url)

    assert not never_connected(error)
    assert not distrusted(error)
    assert 1 == len(carrier.requests)


def test_kept_connection_breaks(serve):
    """T24: a request on a kept connection that breaks is not repeated on another one."""
    carrier = serve(kept(taken), drop, taken)
    client = BoundedHttpClient(10.0)
    post(carrier.url, client)

    assert not never_connected(problem(carrier.url, client=client))
    assert 2 == len(carrier.requests)


def test_connection_is_kept(serve):
    """One connection serves one request after the other, and no cookie comes with the next."""
    carrier = serve(kept(Answer(201, "{}", ["Set-Cookie: session=1; Path=/"])))
    client = BoundedHttpClient(10.0)
    for _ in range(2):
        post(carrier.url, client)

    assert 1 == carrier.connections
    assert [None, None] == [request.headers["Cookie"] for request in carrier.requests]


def test_never_connected(refused, monkeypatch):
    """Where nobody listens, no name has an address and nobody accepts in time, nothing was sent."""
    assert never_connected(problem(refused))
    with monkeypatch.context() as patch:
        patch.setenv("http_proxy", refused)
        assert never_connected(problem("http://twilio.invalid"))
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _raise(socket.gaierror(socket.EAI_NONAME, "unknown")))
        assert never_connected(problem("http://twilio.invalid"))
    with monkeypatch.context() as patch:
        patch.setattr("urllib3.util.connection.create_connection", _raise(TimeoutError("timed out")))
        assert never_connected(problem("http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "fault, expected",
    [(ssl.SSLCertVerificationError(1, "self-signed certificate"), True), (ssl.SSLError(1, "bad record"), False)],
)
def test_distrusted(fault, expected, serve, monkeypatch):
    """A certificate that is not trusted is told from other errors of TLS; neither sends anything."""
    carrier = serve(taken)
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", _raise(fault))

    error = problem(carrier.url.replace("http:", "https:"))

    assert (expected, False) == (distrusted(error), never_connected(error))
    assert [] == carrier.requests


@pytest.mark.parametrize("behaviour", [kept(taken), taken, Answer(400, TEXT), hang, drop, half(taken)])
def test_nothing_is_kept(behaviour, serve, caplog):
    """T12: after a request, whatever came of it, the client holds no text and no secret, and nothing was logged."""
    caplog.set_level(logging.DEBUG)
    client = BoundedHttpClient(0.1)
    try:
        post(serve(behaviour).url, client)
    except RequestException:
        gc.collect()

    texts = "\n".join([*_texts_behind(client), *(record.getMessage() for record in caplog.records)])

    assert "http://" in texts
    assert [] == [secret for secret in (TEXT, "314159", *PAIR) if secret in texts]


def _raise(error):
    def fails(*arguments, **options):
        raise error

    return fails


def _texts_behind(thing):
    """Return every text that can be reached from ``thing``, but through modules, code and loggers."""
    passed_by = (types.ModuleType, type, types.FunctionType, types.CodeType, types.FrameType, logging.Logger)
    seen, waiting = set(), [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, passed_by):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            yield one if isinstance(one, str) else one.decode("latin-1")
        waiting += gc.get_referents(one)
