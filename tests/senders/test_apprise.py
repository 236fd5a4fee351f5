"""The Apprise senders send one message to one number. After a failure the message may have been sent."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from importlib import util

import attrs
import pytest
from senders.calls import AMPLE, SHORT, Patient, failure, patient, raises, send
from support import shown

from smsmfa.exceptions import ConfigurationError, DeliveryUncertain, SenderMisconfigured
from smsmfa.phone import PhoneNumber
from smsmfa.senders import apprise as module
from smsmfa.senders.apprise import AppriseSender, AsyncAppriseSender
from smsmfa.testing import Answer, AsyncSenderConformance, SenderConformance
from smsmfa.testing.carrier import hang
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import VOICE, Receipt

TOKEN = "token-of-the-tests"
MESSAGE = attrs.evolve(
    SenderConformance.message, text="314159 is your code for Söhne & kumquat :)\n@acme.example #314159"
)
NUMBER = MESSAGE.to.e164
HIDDEN = (TOKEN, "kumquat", MESSAGE.code.reveal(), NUMBER[2:])
RECEIPT = Receipt(None, "smseagle")

#: Apprise loads all its services at the first use of one, and some of them use deprecated code.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
both = pytest.mark.parametrize("kind", [AppriseSender, AsyncAppriseSender])
accepted = Answer(200, '{"result": {"message_id": 4753, "status": "ok"}}')


def url_of(server, more=""):
    """Return the URL of a gateway of SMSEagle at this address."""
    return f"smseagle://{TOKEN}@{server.removeprefix('http://')}/{{to}}{more}"


# The kit's suite.


class Promises(Patient):
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
        return patient(AsyncAppriseSender(url_of(url), timeout=timeout))


# The request, and the outcome.


class TestSend:
    @both
    @pytest.mark.parametrize("more", ["", "?overflow=split", "?overflow=truncate"])
    def test_one_message(self, more, kind, serve):
        """The service gets the whole text once, for this recipient alone, however long the text is."""
        gateway = serve(accepted)
        message = attrs.evolve(MESSAGE, text=MESSAGE.text + "\n" + "x" * 2000)

        assert RECEIPT == send(kind(url_of(gateway.url, more)), message)

        [request] = gateway.requests
        params = json.loads(request.body)["params"]
        assert (message.text, TOKEN) == (params["message"], params["access_token"])
        assert params["to"] in (NUMBER, NUMBER[1:])

    def test_recipients(self, serve):
        """Each message goes to its own recipient."""
        gateway, number = serve(accepted), "+4915123456789"
        sender = AppriseSender(url_of(gateway.url))

        send(sender, MESSAGE)
        send(sender, attrs.evolve(MESSAGE, to=PhoneNumber(number, "DE", "mobile")))

        recipients = [json.loads(request.body)["params"]["to"].lstrip("+") for request in gateway.requests]
        assert [NUMBER[1:], number[1:]] == recipients

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(hang, id="hang"),
            pytest.param(Answer(302, accepted.body, headers=["Location: /elsewhere"]), id="302"),
            pytest.param(Answer(400, '{"result": "no such number"}'), id="400"),
            pytest.param(Answer(200, '{"result": {"status": "error"}}'), id="error"),
        ],
    )
    def test_failure(self, answer, serve):
        """T12, T24: after a failure the message may have been sent. It makes one request and shows no message."""
        gateway = serve(answer)

        with logged() as log:
            error = failure(AppriseSender(url_of(gateway.url), timeout=SHORT if answer is hang else AMPLE), MESSAGE)

        assert (DeliveryUncertain, False) == (type(error), error.outage)
        assert ("smseagle", None) == (error.carrier, error.carrier_code)
        assert "Apprise failed, and does not say whether the message was sent" == str(error)
        assert 1 == len(gateway.received())
        assert [] == [secret for secret in HIDDEN if secret in shown(error) + "\n".join(log)]

    @both
    def test_exception(self, kind, monkeypatch):
        """T12, T24: after an error in a service the message may have been sent, and the error's text is not shown."""

        notify = "apprise.plugins.smseagle.NotifySMSEagle.notify"
        monkeypatch.setattr(notify, raises(RuntimeError(MESSAGE.text)))
        error = failure(kind(url_of("127.0.0.1:9")), MESSAGE)

        assert (DeliveryUncertain, False) == (type(error), error.outage)
        assert "Apprise raised RuntimeError" == str(error)
        assert [] == [secret for secret in HIDDEN if secret in shown(error)]

    def test_channel(self):
        """A text that should be spoken is not sent as an SMS."""
        error = failure(AppriseSender(url_of("127.0.0.1:9")), attrs.evolve(MESSAGE, channel=VOICE))

        assert SenderMisconfigured is type(error)
        assert "AppriseSender sends SMS only; it has no channel 'voice'" == str(error)

    def test_number_is_dropped(self, serve, monkeypatch):
        """If the service drops this number nothing is sent, to nobody."""
        gateway = serve(accepted)
        sender = AppriseSender(url_of(gateway.url))
        monkeypatch.setattr("apprise.plugins.smseagle.NotifySMSEagle.url", lambda self, **options: "")

        error = failure(sender, MESSAGE)

        assert SenderMisconfigured is type(error)
        assert "AppriseSender: Apprise drops the number; put {to} where this service expects the recipient" == str(
            error
        )
        assert [] == gateway.requests


# Configuration.


class TestConfiguration:
    @pytest.mark.parametrize(
        "url",
        [
            "vonage://KEYKEYKE:SECRETSECRET@4155550106/{to}",
            "httpsms://key@4155550106/{to}",
            f"plivo://{'A' * 20}@{'t' * 40}/4155550106/{{to}}",
        ],
    )
    def test_services(self, url):
        """The URL names the service, and the repr shows its name."""
        schema = url.partition(":")[0]

        assert f"AppriseSender('{schema}')" == repr(AppriseSender(url))

    @pytest.mark.parametrize(
        "url, words",
        [
            (f"smseagle://{TOKEN}@localhost/", "url: an Apprise URL with {to} once, for example"),
            (f"smseagle://{TOKEN}@localhost/{{to}}/{{to}}", "url: an Apprise URL"),
            (f"{TOKEN}/{{to}}", "url: an Apprise URL"),
            (f"://{TOKEN}/{{to}}", "url: an Apprise URL"),
            ("", "url: an Apprise URL"),
            (None, "url: an Apprise URL"),
            (b"smseagle://x@localhost/{to}", "url: an Apprise URL"),
            (f"nosuchservice://{TOKEN}@localhost/{{to}}", "url: Apprise does not understand it; check"),
            (f"vonage://{TOKEN}/{{to}}", "url: Apprise does not understand it"),
            (f"smseagle://{TOKEN}@localhost/{{to}}/+14155552672", "url: it would send more than one message"),
            (f"smseagle://{TOKEN}@localhost/{{to}}?retry=1", "url: it would send more than one message"),
            (f"json://{TOKEN}@localhost/?x={{to}}", "url: Apprise drops the number; put {to}"),
        ],
    )
    def test_wrong_url(self, url, words):
        """T12: a URL that does not send one message to one number is refused at once, and not shown."""
        with logged() as log, pytest.raises(ConfigurationError) as caught:
            AppriseSender(url)

        assert str(caught.value).startswith(words)
        assert TOKEN not in shown(caught.value) + "\n".join(log)

    def test_timeout(self):
        """R33: our timeout replaces the service's own, for connecting and for reading."""
        sender = AppriseSender(url_of("localhost"), timeout=timedelta(seconds=7))

        assert (7.0, 7.0) == sender._service(MESSAGE.to).request_timeout

    def test_wrong_timeout(self):
        """A timeout is a duration."""
        with pytest.raises(ConfigurationError, match="timeout: "):
            AppriseSender(url_of("localhost"), timeout=10)

    def test_without_apprise(self, monkeypatch):
        """Without Apprise the error says how to install it."""
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "apprise" else util.find_spec(name))

        with pytest.raises(ConfigurationError, match=r'AppriseSender needs apprise: pip install "smsmfa\[apprise\]"'):
            AppriseSender(url_of("localhost"))

    def test_first_message(self, serve):
        """T12: even the first message of a process is not logged, and neither is the URL."""
        program = f"""
import logging, sys
logging.basicConfig(level=1, stream=sys.stdout)
from smsmfa.senders.apprise import AppriseSender
from smsmfa.testing import SenderConformance
print(AppriseSender({url_of(serve(accepted).url)!r}).send(SenderConformance.message))
"""
        command = [sys.executable, "-W", "ignore", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))

        assert [] == [secret for secret in HIDDEN if secret in done.stdout + done.stderr]
        assert done.stdout.endswith("Receipt(message_id=None, sender='smseagle')\n")
