"""The HTTP client of the SDK asks once, in bounded time, and keeps nothing of the request or the answer."""

import gc
import logging
import types

import pytest
from requests import RequestException
from senders.calls import SHORT

from smsmfa.senders.twilio._http import BoundedHttpClient
from smsmfa.testing import Answer
from smsmfa.testing.carrier import drop, half, hang, kept

TEXT = "314159 is your code"
PAIR = ("AC0123456789", "a token of the account")
accepted = Answer(201, '{"sid": "SM00"}')


@pytest.fixture
def client():
    return BoundedHttpClient(60.0)


def post(client, url, **arguments):
    """Post the text."""
    return client.request("POST", f"{url}/Messages", data={"Body": TEXT}, auth=PAIR, **arguments)


def test_answer(client, serve):
    """Status, text and headers are returned, whatever the status is."""
    carrier = serve(Answer(429, "Söhne", ["Retry-After: 7"]))

    answer = post(client, carrier.url)

    assert (429, "Söhne", "7") == (answer.status_code, answer.text, answer.headers["retry-after"])
    assert "POST /Messages HTTP/1.1" == carrier.requests[0].line
    assert carrier.requests[0].headers["Authorization"].startswith("Basic ")


def test_bytes_that_are_no_text(client, serve):
    """An answer that is not UTF-8 is read as far as possible."""

    def answer(exchange):
        exchange.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\na\xffb")

    assert "a\ufffdb" == post(client, serve(answer).url).text


def test_arguments_of_the_sdk(client, serve):
    """R33: the SDK can neither follow a redirect nor change the timeout."""
    carrier = serve(Answer(307, headers=["Location: /elsewhere"]), accepted)

    assert 307 == post(client, carrier.url, allow_redirects=True, timeout=1e-9).status_code
    assert 1 == len(carrier.requests)


def test_kept_connection_breaks(client, serve):
    """T24: a request is not repeated if its kept-alive connection breaks."""
    carrier = serve(kept(accepted), drop, accepted)
    post(client, carrier.url)

    with pytest.raises(RequestException):
        post(client, carrier.url)
    assert 2 == len(carrier.requests)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(kept(accepted), id="kept"),
        pytest.param(Answer(400, TEXT), id="400"),
        pytest.param(hang, id="hang"),
        pytest.param(half(accepted), id="half"),
    ],
)
def test_nothing_is_kept(behaviour, serve, caplog):
    """T12: after a request, successful or not, the client holds no text and no secret, and nothing was logged."""
    caplog.set_level(logging.DEBUG)
    client = BoundedHttpClient(SHORT.total_seconds() if behaviour is hang else 60.0)
    try:
        post(client, serve(behaviour).url)
    except RequestException:
        gc.collect()

    texts = "\n".join([*_texts_behind(client), *(record.getMessage() for record in caplog.records)])

    assert "http://" in texts
    assert [] == [secret for secret in (TEXT, "314159", *PAIR) if secret in texts]


def _texts_behind(thing):
    """Return every text that can be reached from ``thing``, except through modules, code and loggers."""
    skipped = (types.ModuleType, type, types.FunctionType, types.CodeType, types.FrameType, logging.Logger)
    seen, waiting = set(), [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, skipped):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            yield one if isinstance(one, str) else one.decode("latin-1")
        waiting += gc.get_referents(one)
