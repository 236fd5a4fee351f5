"""The parts for senders post once, in bounded time, tell what was certainly not sent, and show nothing."""

import asyncio
import json
import pickle
import subprocess
import sys
from datetime import timedelta

import pytest
from senders.calls import AMPLE, HANGS, SHORT, Patient, unhurried
from support import shown

from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    SenderMisconfigured,
)
from smsmfa.senders import building
from smsmfa.senders.building import HttpAnswer, Poster
from smsmfa.senders.silence import silenced
from smsmfa.testing import Answer, AsyncSenderConformance, Carrier, SenderConformance
from smsmfa.testing.carrier import drip, drop, half, hang, kept, reset, stall
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import Receipt

TEXT = "314159 is your code for Söhne"
TOKEN = "the token of the tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
ANSWER = Answer(201, '{"id": "m1"}', ["Retry-After: 7"])


def post(url, timeout=AMPLE, **options):
    """Post the text, and return the answer."""
    poster = Poster(url, timeout=timeout)
    unhurried(poster._session())
    return poster.post(TEXT.encode(), HEADERS, **options)


# A sender of these parts alone, in the kit's suite.


class OwnSender:
    """Posts a form to a gateway."""

    def __init__(self, url, timeout):
        self._poster = Poster(f"{url}/sms", carrier="Acme", timeout=timeout)
        unhurried(self._poster._session())

    def send(self, message):
        """Send it."""
        answer = self._poster.post(f"to={message.to.e164}&text={message.text}".encode(), HEADERS, content_type="a/form")
        if answer.status == 401:
            raise SenderMisconfigured("no such token")
        if 400 <= answer.status < 500:
            raise DeliveryRejected("refused")
        if answer.status >= 300 or answer.fields is None:
            raise DeliveryUncertain("?")
        return Receipt(str(answer.fields["id"]), "acme")


class AsyncOwnSender(OwnSender):
    """Posts in a thread."""

    async def send(self, message):
        """Send it."""
        return await asyncio.to_thread(OwnSender.send, self, message)


class Promises(Patient):
    accepted = ANSWER
    rejected = Answer(400, f'{{"error": "{SenderConformance.message.to.e164}"}}')
    misconfigured = Answer(401, "{}")
    secrets = (TOKEN,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return OwnSender(url, timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return AsyncOwnSender(url, timeout)


@pytest.mark.usefixtures("encrypted")
class TestConformanceOverTls(TestConformance):
    pass


@pytest.mark.usefixtures("encrypted")
class TestAsyncConformanceOverTls(TestAsyncConformance):
    pass


# The request and the answer.


def test_request(serve):
    """The body is posted as it is, with its type and the given headers."""
    carrier = serve(ANSWER)

    post(f"{carrier.url}/sms?region=eu")

    [request] = carrier.requests
    assert ("POST /sms?region=eu HTTP/1.1", TEXT) == (request.line, request.body)
    assert ("application/json", "identity") == (request.headers["Content-Type"], request.headers["Accept-Encoding"])
    assert f"Bearer {TOKEN}" == request.headers["Authorization"]


def test_content_type(serve):
    """Another type of body may be named, and headers may be left out."""
    carrier = serve(ANSWER)

    Poster(carrier.url).post(b"a=b", content_type="application/x-www-form-urlencoded")

    assert "application/x-www-form-urlencoded" == carrier.requests[0].headers["Content-Type"]


def test_answer(serve):
    """The answer has status, headers, body, its JSON object and its pause; its repr shows no body."""
    answer = post(serve(ANSWER).url)

    assert (201, b'{"id": "m1"}', {"id": "m1"}) == (answer.status, answer.body, answer.fields)
    assert ("7", timedelta(seconds=7)) == (answer.headers["retry-after"], answer.pause())
    assert "HttpAnswer(status=201)" == repr(answer)


def test_pause():
    """The pause is counted from the clock's time, is at most an hour, and may be missing."""
    late = HttpAnswer(429, {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}, b"")

    assert timedelta(seconds=30) == late.pause(lambda: 1_700_000_000 * 10**9)
    assert None is HttpAnswer(429, {}, b"").pause()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_no_object(body):
    """A body without a JSON object has no fields."""
    assert None is HttpAnswer(200, {}, body).fields


@pytest.mark.parametrize("status", [200, 302, 307, 400, 503])
def test_every_status_is_an_answer(status, serve):
    """No redirect is followed, and no status is an error."""
    carrier = serve(Answer(status, "", ["Location: /elsewhere"]), ANSWER)

    assert status == post(carrier.url).status
    assert 1 == len(carrier.requests)


# Certain or uncertain.

HOSTILE = {
    "drop": drop, "reset": reset, "half": half(ANSWER), "hang": hang, "stall": stall(ANSWER), "drip": drip(ANSWER),
    "endless": Answer(200, " " * 70_000),
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", HOSTILE)
def test_uncertain(name, scheme, pem, monkeypatch):
    """T24: without a whole answer the message may have been sent. There is one request, over HTTP and HTTPS."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    timeout = SHORT if name in {"hang", "stall", "drip"} else AMPLE
    certificate = pem if scheme == "https" else None
    with (
        Carrier(HOSTILE[name], ANSWER, certificate=certificate) as carrier,
        pytest.raises(DeliveryUncertain) as caught,
    ):
        post(carrier.url, timeout)

    assert carrier.url.startswith(f"{scheme}:")
    assert (DeliveryUncertain, True) == (caught.type, caught.value.outage)
    assert len(carrier.requests) <= 1 == carrier.connections
    assert [] == [secret for secret in (TEXT, TOKEN) if secret in shown(caught.value)]


def test_kept_connection(serve):
    """T24: a request is not repeated if its kept-alive connection breaks."""
    carrier = serve(kept(ANSWER), drop, ANSWER)
    poster = Poster(carrier.url)
    poster.post(b"")

    with pytest.raises(DeliveryUncertain):
        poster.post(b"")
    assert 2 == len(carrier.requests)


def test_certain(refused, pem):
    """Without a connection nothing was sent; if the certificate is not trusted somebody must act."""
    with pytest.raises(DeliveryRejected, match=r"^the gateway cannot be reached") as caught:
        post(refused)
    assert [] == [secret for secret in (TEXT, TOKEN) if secret in shown(caught.value)]
    with Carrier(ANSWER, certificate=pem) as carrier, pytest.raises(SenderMisconfigured, match="is not trusted here"):
        post(carrier.url)
    assert [] == carrier.requests


def test_attempt(refused, serve):
    """The error may be returned instead of raised."""
    assert DeliveryRejected is type(Poster(refused, carrier="Acme").attempt(b"", HEADERS))
    assert "Acme cannot be reached" == str(Poster(refused, carrier="Acme").attempt(b""))
    assert 201 == Poster(serve(ANSWER).url).attempt(b"").status


def test_many_threads(serve):
    """Threads share one session."""
    poster = Poster(serve(ANSWER).url)

    async def post_all():
        return await asyncio.wait_for(asyncio.gather(*(asyncio.to_thread(poster.post, b"") for _ in range(8))), HANGS)

    assert [{"id": "m1"}] * 8 == [answer.fields for answer in asyncio.run(post_all())]


# What it reads and shows.


def test_loopback_needs_no_proxy(serve, monkeypatch, tmp_path):
    """T37: a loopback address is reached without a proxy, and no password is read from ~/.netrc."""
    proxy, carrier = serve(ANSWER), serve(ANSWER)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    (tmp_path / "netrc").write_text("default login me password mine\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    Poster(carrier.url).post(b"")

    assert ([], None) == (proxy.requests, carrier.requests[0].headers["Authorization"])


def test_log(serve):
    """T12: nothing is logged, at any level, not even the query of the address."""
    url = f"{serve(ANSWER).url}/sms?key={TOKEN.replace(' ', '-')}"
    with logged() as log:
        post(url)
        post(url)

    assert [] == log


def test_repr():
    """T12: the repr shows the host, and nothing else. A poster cannot be pickled."""
    poster = Poster("https://sms.example.com:8443/v1?key=value")

    assert ("Poster('https://sms.example.com:8443')", "https://sms.example.com:8443") == (repr(poster), poster.host)
    assert "value" not in repr(vars(poster))
    with pytest.raises(TypeError):
        pickle.dumps(poster)


@pytest.mark.parametrize("url, options", [("http://sms.example.com/key", {}), ("https://localhost", {"timeout": 10})])
def test_refused(url, options):
    """T12: a wrong argument is refused, and the address is not shown."""
    with pytest.raises(ConfigurationError, match=r"^(url|timeout): ") as caught:
        Poster(url, **options)

    assert "sms.example.com/key" not in shown(caught.value)


def test_public_names():
    """The module offers the poster, its answer, and the silencing of a package."""
    assert ["HttpAnswer", "Poster", "silenced"] == building.__all__
    assert silenced is building.silenced


def test_nothing_heavy_at_first():
    """Making a poster imports no HTTP client and no asyncio."""
    program = (
        "import sys; from smsmfa.senders.building import Poster; Poster('https://sms.example.com');"
        "print(sorted({'requests', 'urllib3', 'asyncio', 'twilio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert [] == json.loads(done.stdout.replace("'", '"'))
