"""Errors tell whether a message was certainly not sent, with real servers and proxies on loopback."""

import socket
import ssl
import subprocess
import sys
import threading
import warnings

import boto3
import pytest
from botocore import exceptions as botocore_errors
from senders.calls import AMPLE, SHORT, failure, send
from senders.tls import TlsCarrier

from smsmfa.exceptions import DeliveryRejected, DeliveryUncertain, SenderMisconfigured
from smsmfa.senders.http import AsyncHttpSender, HttpSender
from smsmfa.senders.sns import AsyncSnsSender, SnsSender
from smsmfa.senders.twilio import AsyncTwilioSender, TwilioSender
from smsmfa.senders.unsent import unconnected, unsent
from smsmfa.senders.vonage import AsyncVonageSender, VonageSender
from smsmfa.testing import Answer, SenderConformance
from smsmfa.testing.carrier import drop, reset
from smsmfa.typing import Receipt

MESSAGE = SenderConformance.message
SECRET = "a secret that the gateway has too"
CARRIER = "https://carrier.invalid"
OLD = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1


def gateway(kind):
    """Return a function that makes a sender to a gateway."""

    def make(url, timeout):
        return kind(url, SECRET, timeout=timeout)

    return make


def twilio(kind):
    """Return a function that makes a sender to Twilio at an address."""

    def make(url, timeout):
        given = {"account_sid": "AC" + "0" * 32, "auth_token": "f" * 32, "from_number": "+14155550106"}
        sender = kind(**given, timeout=timeout)
        sender._api._client().api.base_url = url
        return sender

    return make


def sns(kind):
    """Return a function that makes a sender to SNS at an address."""

    def make(url, timeout):
        session = boto3.Session("key", "secret", region_name="us-east-1")
        return kind(session=session, endpoint_url=url, timeout=timeout)

    return make


def vonage(kind):
    """Return a function that makes a sender to Vonage at an address."""

    def make(url, timeout):
        given = {"api_key": "abcd1234", "api_secret": "fedcba9876543210", "from_number": "+14155550106"}
        return kind(**given, base_url=url, timeout=timeout)

    return make


SENDERS = {
    "HttpSender": gateway(HttpSender),
    "AsyncHttpSender": gateway(AsyncHttpSender),
    "TwilioSender": twilio(TwilioSender),
    "AsyncTwilioSender": twilio(AsyncTwilioSender),
    "VonageSender": vonage(VonageSender),
    "AsyncVonageSender": vonage(AsyncVonageSender),
    "SnsSender": sns(SnsSender),
    "AsyncSnsSender": sns(AsyncSnsSender),
}
every = pytest.mark.parametrize("make", SENDERS.values(), ids=SENDERS)


class Raw(threading.Thread):
    """A server that sends these bytes, each after it has received some, and closes. It serves one client."""

    def __init__(self, *answers):
        super().__init__(daemon=True)
        self.listener, self.answers = socket.create_server(("127.0.0.1", 0)), answers
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        """Serve the client."""
        client, _ = self.listener.accept()
        with client, self.listener:
            for answer in self.answers:
                client.recv(4096)
                client.sendall(answer)


def judged(error):
    """Return the class of an error, and whether it is an outage. Only what was certainly not sent is checked here."""
    assert isinstance(error, DeliveryRejected)
    return type(error), error.outage


@every
@pytest.mark.parametrize(
    "status, expected",
    [
        (403, SenderMisconfigured),
        (407, SenderMisconfigured),
        (502, DeliveryRejected),
        (504, DeliveryRejected),
        (408, DeliveryRejected),
    ],
)
def test_proxy_refuses(status, expected, make, serve, monkeypatch):
    """A proxy that refuses CONNECT has sent nothing. If it forbids that, somebody must act."""
    proxy = serve(Answer(status, "no"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    error = failure(make(CARRIER, AMPLE), MESSAGE)

    assert (expected, True) == judged(error)
    assert f"HTTP {status}" in str(error)
    assert ["CONNECT carrier.invalid:443 HTTP/1.1"] == [
        request.line.replace("HTTP/1.0", "HTTP/1.1") for request in proxy.requests
    ]


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("behaviour", [drop, reset])
def test_proxy_hangs_up(behaviour, name, serve, monkeypatch):
    """A proxy that closes the connection instead of making one has sent nothing. (boto3 does not tell.)"""
    monkeypatch.setenv("HTTPS_PROXY", serve(behaviour).url)

    assert (DeliveryRejected, True) == judged(failure(SENDERS[name](CARRIER, AMPLE), MESSAGE))


@every
def test_no_proxy(make, refused, monkeypatch):
    """If the proxy refuses the connection nothing was sent."""
    monkeypatch.setenv("HTTPS_PROXY", refused)

    assert (DeliveryRejected, True) == judged(failure(make(CARRIER, AMPLE), MESSAGE))


@every
def test_unknown_name(make):
    """If the name has no address nothing was sent. RFC 6761 keeps .invalid without addresses."""
    error = failure(make(CARRIER, AMPLE), MESSAGE)

    assert (DeliveryRejected, True) == judged(error)
    assert "does not resolve" in str(error)


@every
def test_no_common_version(make, pem, serve):
    """If no version of TLS is shared nothing was sent, and somebody must act."""
    with warnings.catch_warnings(action="ignore"), TlsCarrier(pem, Answer(200), versions=OLD) as carrier:
        error = failure(make(carrier.url, AMPLE), MESSAGE)

    assert (SenderMisconfigured, True) == judged(error)
    assert "versions of TLS" in str(error)
    assert [] == carrier.requests


@every
def test_no_tls(make):
    """If the port speaks no TLS nothing was sent, and somebody must act."""
    server = Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert (SenderMisconfigured, True) == judged(failure(make(f"https://127.0.0.1:{server.port}", AMPLE), MESSAGE))


@every
def test_untrusted(make, pem):
    """If the certificate is not trusted nothing was sent."""
    with TlsCarrier(pem, Answer(200)) as carrier:
        error = failure(make(carrier.url, AMPLE), MESSAGE)

    assert (SenderMisconfigured, True) == judged(error)
    assert "is not trusted here" in str(error)
    assert [] == carrier.requests


@every
def test_broken_after_tls(make, pem, monkeypatch):
    """T24: if the connection breaks after TLS was agreed upon the message may have been sent."""
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(pem))
    with TlsCarrier(pem, drop) as carrier:
        error = failure(make(carrier.url, AMPLE), MESSAGE)

    assert (DeliveryUncertain, True) == (type(error), error.outage)
    assert 1 == len(carrier.requests)


def test_accepted_over_tls(pem, monkeypatch):
    """A gateway whose certificate is trusted gets the message."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with TlsCarrier(pem, Answer(202, '{"message_id": "m1"}')) as carrier:
        url = carrier.url.replace("127.0.0.1", "localhost")

        assert Receipt("m1", "http") == send(SENDERS["HttpSender"](url, AMPLE), MESSAGE)


@pytest.mark.parametrize("name", ["HttpSender", "TwilioSender"])
@pytest.mark.parametrize("proxied", [False, True])
def test_silence(name, proxied, monkeypatch):
    """A server or a proxy that accepts the connection and then says nothing has got no message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if proxied:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        url = CARRIER if proxied else f"https://127.0.0.1:{port}"

        assert (DeliveryRejected, True) == judged(failure(SENDERS[name](url, SHORT), MESSAGE))


@pytest.mark.parametrize("name", ["HttpSender", "TwilioSender"])
@pytest.mark.parametrize(
    "answers, expected",
    [
        ((b"\x05\x02", b"\x01\x01"), SenderMisconfigured),
        ((b"\x05\x02", b"\x01\x00", b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"), DeliveryRejected),
    ],
    ids=["wrong password", "unreachable"],
)
def test_socks(name, answers, expected, monkeypatch):
    """A SOCKS proxy that does not connect has sent nothing. If it refuses the password somebody must act."""
    monkeypatch.setenv("HTTPS_PROXY", f"socks5h://me:mine@127.0.0.1:{Raw(*answers).port}")

    assert (expected, True) == judged(failure(SENDERS[name](CARRIER, AMPLE), MESSAGE))


@pytest.mark.parametrize("name", ["HttpSender", "SnsSender", "TwilioSender"])
def test_no_package_for_socks(name, refused):
    """Without its package a SOCKS proxy gets nothing, and somebody must install the package."""
    program = (
        "import os, sys; sys.modules['socks'] = None; sys.path.insert(0, 'tests')\n"
        "from senders.test_unsent import MESSAGE, SENDERS, CARRIER, AMPLE, failure\n"
        f"os.environ['HTTPS_PROXY'] = {refused.replace('http:', 'socks5h:')!r}\n"
        f"error = failure(SENDERS[{name!r}](CARRIER, AMPLE), MESSAGE)\n"
        "print(type(error).__name__, error.outage, 'PySocks' in str(error))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ("SenderMisconfigured True True\n", "") == (done.stdout, done.stderr)


def test_loop_of_causes():
    """Errors that refer to each other are looked at once."""
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first

    assert None is unsent(first, "the carrier")


def test_nothing_known():
    """An unknown error from before there was a connection is told from one after it."""
    assert "the carrier cannot be reached" == str(unconnected(RuntimeError(), "the carrier"))
    assert None is unsent(RuntimeError(), "the carrier")
    assert None is unsent(botocore_errors.ConnectionClosedError(endpoint_url="x"), "SNS")


def test_no_encryption():
    """An error of TLS before there was a connection is about the settings of TLS."""
    error = unconnected(ssl.SSLError("?"), "the carrier")

    assert (SenderMisconfigured, True) == (type(error), error.outage)
    assert "versions of TLS" in str(error)


def test_no_file_of_certificates():
    """A missing file of certificates is named by the variables that name it."""
    error = unconnected(OSError("no such file"), "the carrier")

    assert (SenderMisconfigured, True) == (type(error), error.outage)
    assert "REQUESTS_CA_BUNDLE" in str(error)
