"""Carriers for the tests of senders. No test depends on time: bounds of 60 seconds only end a test that hangs."""

import socket
from contextlib import ExitStack
from threading import Event

import pytest
from senders.calls import HANGS
from senders.tls import certificate

from smsmfa.testing import Carrier
from smsmfa.testing.senders import checks


class PatientCarrier(Carrier):
    """A carrier that does not stop before the first request has arrived: a sender's timeout may end sooner."""

    def __init__(self, *script, **options):
        self._arrived = Event()
        super().__init__(*script, **options)

    def behaviour(self):
        """Note that there is a request."""
        self._arrived.set()
        return super().behaviour()

    def received(self):
        """Return the requests, as soon as there is one."""
        assert self._arrived.wait(HANGS)
        return self.requests


class SuiteCarrier(PatientCarrier):
    """The carrier of the kit's suite for senders."""

    def stop(self):
        """Wait for the request of the sender that has given up, then stop."""
        self._arrived.wait(HANGS)
        super().stop()


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Use no proxy from the environment."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def patient_suite(monkeypatch):
    """Let the kit's suite count requests only after the first one has arrived."""
    monkeypatch.setattr(checks, "Carrier", SuiteCarrier)


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    """Return the file of a certificate that nobody trusts yet."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def encrypted(request, pem, monkeypatch):
    """Let the kit's suite speak HTTPS, and trust it."""
    monkeypatch.setattr(request.cls, "certificate", pem)
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(pem))


@pytest.fixture
def serve():
    """Start carriers, and stop them at the end."""
    with ExitStack() as carriers:
        yield lambda *script: carriers.enter_context(PatientCarrier(*script))


@pytest.fixture
def refused():
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
