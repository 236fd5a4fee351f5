"""The Apprise senders send one message to one number, and take every failure for one that may have been sent."""

import asyncio
import copy
import json
import os
import pickle
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from importlib import util

import attrs
import pytest
from support import shown

from smsmfa.exceptions import ConfigurationError, DeliveryUncertain, SenderMisconfigured, SmsMfaError
from smsmfa.phone import PhoneNumber
from smsmfa.senders import apprise as module
from smsmfa.senders.apprise import AppriseSender, AsyncAppriseSender
from smsmfa.testing import Answer, AsyncSenderConformance, Carrier, SenderConformance
from smsmfa.testing.carrier import hang
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import Receipt

TOKEN = "token-of-the-tests"
MESSAGE = attrs.evolve(
    SenderConformance.message, text="314159 is your code for Söhne & kumquat :)\n@acme.example #314159"
)
NUMBER = MESSAGE.to.e164
HIDDEN = (TOKEN, "kumquat", MESSAGE.code.reveal(), NUMBER[2:])
RECEIPT = Receipt(None, "smseagle")

#: Apprise loads all its services at the first use of one, among them some that use what is old.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
both = pytest.mark.parametrize("kind", [AppriseSender, AsyncAppriseSender])
accepted = Answer(200, '{"result": {"message_id": 4753, "status": "ok"}}')


def url_of(server, more=""):
    """Return Apprise's URL for a gateway of SMSEagle's at this address."""
    return f"smseagle://{TOKEN}@{server.removeprefix('http://')}/{{to}}{more}"


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Let no proxy of the environment come between."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve():
    """Start gateways, and stop them in the end."""
    with ExitStack() as carriers:
        yield lambda behaviour: carriers.enter_context(Carrier(behaviour))


def send(sender, message=MESSAGE):
    """Send with either kind of sender."""
    outcome = sender.send(message)
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


def failure(sender, message=MESSAGE):
    """Return the error of a message that does not go through."""
    with pytest.raises(SmsMfaError) as caught:
        send(sender, message)
    return caught.value


# What every sender promises.


class Promises:
    accepted = accepted
    rejected = None
    misconfigured = None
    secrets = (TOKEN,)
    bounds_whole_answer = False


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return AppriseSender(url_of(url), timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return AsyncAppriseSender(url_of(url), timeout=timeout)


# What is sent, and what comes of it.


class TestSend:
    @both
    @pytest.mark.parametrize("more", ["", "?overflow=split", "?overflow=truncate"])
    def test_one_message(self, more, kind, serve):
        """The service gets the text as it is, once, for this recipient alone, however long it is."""
        gateway = serve(accepted)
        message = attrs.evolve(MESSAGE, text=MESSAGE.text + "\n" + "x" * 2000)

        assert RECEIPT == send(kind(url_of(gateway.url, more)), message)

        [request] = gateway.requests
        params = json.loads(request.body)["params"]
        assert (message.text, TOKEN) == (params["message"], params["access_token"])
        assert params["to"] in (NUMBER, NUMBER[1:])

    @both
    @pytest.mark.parametrize("number", ["+4915123456789", "+918123456789"])
    def test_recipients(self, number, kind, serve):
        """Each message goes to its own recipient."""
        gateway = serve(accepted)
        sender = kind(url_of(gateway.url))

        send(sender)
        send(sender, attrs.evolve(MESSAGE, to=PhoneNumber(number, "DE", "mobile")))

        recipients = [json.loads(request.body)["params"]["to"].lstrip("+") for request in gateway.requests]
        assert [NUMBER[1:], number[1:]] == recipients

    @both
    @pytest.mark.parametrize(
        "answer",
        [
            hang,
            Answer(302, accepted.body, headers=["Location: /elsewhere"]),
            Answer(400, '{"result": "no such number"}'),
            Answer(401, '{"result": "no such token"}'),
            Answer(200, '{"result": {"status": "error"}}'),
        ],
    )
    def test_failure(self, answer, kind, serve):
        """T12, T24: a failure leaves open whether the message went out, takes one request, and shows no message."""
        gateway = serve(answer)

        with logged() as log:
            error = failure(kind(url_of(gateway.url), timeout=timedelta(seconds=0.2 if answer is hang else 10)))

        assert DeliveryUncertain is type(error)
        assert "apprise failed, and does not say whether the message went out" == str(error)
        assert 1 == len(gateway.requests)
        assert [] == [secret for secret in HIDDEN if secret in shown(error) + "\n".join(log)]

    @both
    def test_exception(self, kind, monkeypatch):
        """T12, T24: so does an error in a service, whatever it says."""

        def fails(self, **options):
            raise RuntimeError(options["body"])

        monkeypatch.setattr("apprise.plugins.smseagle.NotifySMSEagle.notify", fails)
        error = failure(kind(url_of("127.0.0.1:9")))

        assert DeliveryUncertain is type(error)
        assert "apprise raised RuntimeError" == str(error)
        assert [] == [secret for secret in HIDDEN if secret in shown(error)]

    @both
    @pytest.mark.parametrize("channel", ["voice", "whatsapp"])
    def test_channel(self, channel, kind, serve):
        """A text that is to be spoken does not go out as an SMS."""
        gateway = serve(accepted)

        error = failure(kind(url_of(gateway.url)), attrs.evolve(MESSAGE, channel=channel))

        assert SenderMisconfigured is type(error)
        assert f"apprise: no {channel} here, only SMS" == str(error)
        assert [] == gateway.requests

    @both
    def test_number_is_dropped(self, kind, serve, monkeypatch):
        """Where the service drops this number nothing is sent, not to anybody else either."""
        gateway = serve(accepted)
        sender = kind(url_of(gateway.url))
        monkeypatch.setattr("apprise.plugins.smseagle.NotifySMSEagle.url", lambda self, **options: "")

        error = failure(sender)

        assert SenderMisconfigured is type(error)
        assert "apprise: Apprise drops the number; where does this service want {to}?" == str(error)
        assert [] == gateway.requests


# What it takes to make one.


class TestConfiguration:
    @pytest.mark.parametrize(
        "url",
        [
            f"twilio://AC{'0' * 32}:{'f' * 32}@+14155550106/{{to}}",
            "vonage://KEYKEYKE:SECRETSECRET@4155550106/{to}",
            "httpsms://key@4155550106/{to}",
            f"plivo://{'A' * 20}@{'t' * 40}/4155550106/{{to}}",
        ],
    )
    def test_services(self, url):
        """Many services are known by their URL; the repr shows which one."""
        schema = url.partition(":")[0]

        assert f"AppriseSender('{schema}')" == repr(AppriseSender(url))

    @both
    @pytest.mark.parametrize(
        "url, words",
        [
            (f"smseagle://{TOKEN}@localhost/", "url: one of Apprise's, with {to} once, for example"),
            (f"smseagle://{TOKEN}@localhost/{{to}}/{{to}}", "url: one of Apprise's, with {to} once"),
            (f"{TOKEN}/{{to}}", "url: one of Apprise's"),
            (f"://{TOKEN}/{{to}}", "url: one of Apprise's"),
            ("", "url: one of Apprise's"),
            (None, "url: one of Apprise's"),
            (b"smseagle://x@localhost/{to}", "url: one of Apprise's"),
            (f"nosuchservice://{TOKEN}@localhost/{{to}}", "url: Apprise makes nothing of it; are all parts there"),
            (f"vonage://{TOKEN}/{{to}}", "url: Apprise makes nothing of it"),
            (f"smseagle://{TOKEN}@localhost/{{to}}/+14155552672", "url: it sends more than one message, or sends"),
            (f"smseagle://{TOKEN}@localhost/{{to}}?retry=1", "url: it sends more than one message, or sends"),
            (f"json://{TOKEN}@localhost/?x={{to}}", "url: Apprise drops the number; where does this service want {to}"),
        ],
    )
    def test_wrong_url(self, url, words, kind):
        """T12: a URL that would not send one message to one number is found when the sender is made, and not shown."""
        with logged() as log, pytest.raises(ConfigurationError) as caught:
            kind(url)

        assert str(caught.value).startswith(words)
        assert TOKEN not in shown(caught.value) + "\n".join(log)

    def test_timeout(self):
        """R33: the service has our timeout, to accept a connection and between two bytes, in place of its own."""
        sender = AppriseSender(url_of("localhost"), timeout=timedelta(seconds=7))

        assert (7.0, 7.0) == sender._service(MESSAGE.to).request_timeout

    def test_wrong_timeout(self):
        """A timeout is a duration."""
        with pytest.raises(ConfigurationError, match="timeout: a timedelta above zero"):
            AppriseSender(url_of("localhost"), timeout=10)

    def test_without_apprise(self, monkeypatch):
        """Without Apprise the error says how to install it."""
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "apprise" else util.find_spec(name))

        with pytest.raises(ConfigurationError, match=r'AppriseSender needs apprise: pip install "smsmfa\[apprise\]"'):
            AppriseSender(url_of("localhost"))

    @both
    def test_pickle(self, kind):
        """T12: a sender crosses no process."""
        for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds a secret and cannot be pickled or copied"):
                duplicate(kind(url_of("localhost")))

    def test_first_message(self, serve):
        """T12: not even the first message of a process is logged, nor the URL."""
        program = f"""
import logging, sys
logging.basicConfig(level=1, stream=sys.stdout)
from smsmfa.senders.apprise import AppriseSender
from smsmfa.testing import SenderConformance
print(AppriseSender({url_of(serve(accepted).url)!r}).send(SenderConformance.message))
"""
        command = [sys.executable, "-W", "ignore", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ))

        assert [] == [secret for secret in HIDDEN if secret in done.stdout + done.stderr]
        assert done.stdout.endswith("Receipt(message_id=None, sender='smseagle')\n")
