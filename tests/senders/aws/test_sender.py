"""The AWS senders send each message once, raise the right error, and show nothing. botocore's Stubber plays AWS."""

import json
import os
import subprocess
import sys

import attrs
import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber
from senders.calls import AMPLE, SHORT, Patient, done, failure, patient, raises, send
from support import shown

from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    SenderMisconfigured,
)
from smsmfa.senders.aws import AsyncAwsSender, AwsSender
from smsmfa.senders.aws.calls import call_of
from smsmfa.testing import Answer, AsyncSenderConformance, SenderConformance
from smsmfa.testing.carrier import drip, drop, half, hang
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import VOICE, WHATSAPP, Receipt

KEY = "a secret key of AWS, of the tests only"
MESSAGE = SenderConformance.message
NUMBER = MESSAGE.to.e164
HIDDEN = (KEY, MESSAGE.code.reveal(), "kumquat", NUMBER[2:])
#: One session for all tests, because it caches the definitions of AWS's services.
SESSION = boto3.Session("AKIDEXAMPLE", KEY, region_name="us-east-1")
OPTIONS = {"origination": "+14155550106", "configuration_set": "codes", "protect_configuration": "protect-1"}

both = pytest.mark.parametrize("kind", [AwsSender, AsyncAwsSender])


def told(status, **fields):
    """Return an answer of AWS's."""
    return Answer(status, json.dumps(fields), content_type="application/x-amz-json-1.0")


def refusal(code, reason=None, status=400):
    """Return the answer of AWS with an error code and a reason."""
    return told(status, __type=code, Message=f"cannot send {MESSAGE.text!r} to {NUMBER}", Reason=reason)


ACCEPTED = told(200, MessageId="m1")
DRIP = drip(ACCEPTED)
SLOW = hang, DRIP


def sender_to(url, kind=AwsSender, **changes):
    """Return a sender that sends to ``url``."""
    return kind(**{"session": SESSION, "endpoint_url": url, **OPTIONS} | changes)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Use no profile and no machine of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


# The kit's suite.


class Promises(Patient):
    accepted = ACCEPTED
    rejected = refusal("ValidationException", "OTHER")
    misconfigured = refusal("UnrecognizedClientException")
    secrets = (KEY,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return patient(sender_to(url, AsyncAwsSender, timeout=timeout))


@pytest.mark.usefixtures("encrypted")
class TestConformanceOverTls(TestConformance):
    pass


@pytest.mark.usefixtures("encrypted")
class TestAsyncConformanceOverTls(TestAsyncConformance):
    pass


class TestCallConformance(TestConformance):
    message = attrs.evolve(MESSAGE, channel=VOICE)


# The service's model.


@both
@pytest.mark.parametrize("channel", ["sms", "voice"])
def test_stubber(kind, channel):
    """The call, which botocore holds against the service's model, is made once, and the answer becomes a receipt."""
    sender = sender_to(None, kind, region="eu-central-1", clock=lambda: 0)
    message = attrs.evolve(MESSAGE, channel=channel)
    method, call = call_of(message, sender._origin, 0)

    with Stubber(sender._client()) as stubber:
        stubber.add_response(method, {"MessageId": "m7"}, call)
        assert Receipt("m7", "aws") == send(sender, message)
        stubber.assert_no_pending_responses()


def test_stubber_refusal():
    """A refusal of the model's shape is the error of its reason."""
    sender = sender_to(None)
    with Stubber(sender._client()) as stubber:
        stubber.add_client_error(
            "send_text_message",
            "ConflictException",
            http_status_code=400,
            modeled_fields={"Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT"},
        )
        error = failure(sender, MESSAGE)

    assert RecipientOptedOut is type(error)


# The request and the outcome, on loopback.


@both
def test_request(kind, serve):
    """One request is made, with the operation, its fields, and a signature for the region."""
    carrier = serve(ACCEPTED)

    assert Receipt("m1", "aws") == send(sender_to(carrier.url, kind, region="eu-central-1"), MESSAGE)

    [request] = carrier.requests
    sent = json.loads(request.body)
    assert "PinpointSMSVoiceV2.SendTextMessage" == request.headers["X-Amz-Target"]
    assert (NUMBER, MESSAGE.text, "codes") == (
        sent["DestinationPhoneNumber"],
        sent["MessageBody"],
        sent["ConfigurationSetName"],
    )
    assert "/eu-central-1/sms-voice/" in request.headers["Authorization"]


@pytest.mark.parametrize(
    "answer, expected, words",
    [
        pytest.param(told(200), DeliveryUncertain, "AWS answered without a message id", id="no id"),
        pytest.param(told(200, MessageId=""), DeliveryUncertain, "AWS answered without", id="empty id"),
        pytest.param(Answer(200, "<html>"), DeliveryUncertain, "AWS answered without a message id", id="garbage"),
        pytest.param(half(ACCEPTED), DeliveryUncertain, "AWS gave no usable answer (", id="half"),
        pytest.param(hang, DeliveryUncertain, "AWS gave no usable answer (ReadTimeout)", id="hang"),
        pytest.param(DRIP, DeliveryUncertain, "AWS gave no usable answer (ConnectionError)", id="drip"),
        pytest.param(drop, DeliveryUncertain, "AWS gave no usable answer (ConnectionError)", id="drop"),
        pytest.param(
            refusal("InternalServerException", status=500), DeliveryUncertain, "AWS: HTTP 500, Internal", id="500"
        ),
        pytest.param(refusal("ValidationException"), DeliveryRejected, "AWS: HTTP 400, ValidationException", id="400"),
        pytest.param(
            refusal("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"),
            RecipientOptedOut,
            "AWS: HTTP 400, DESTINATION_PHONE_NUMBER_OPTED_OUT: the recipient has opted out",
            id="opt-out",
        ),
        pytest.param(refusal("ThrottlingException"), RateLimited, "the limit on 'carrier' is used up", id="pause"),
        pytest.param(
            refusal("AccessDeniedException"), SenderMisconfigured, "AWS: HTTP 400, AccessDenied", id="forbidden"
        ),
    ],
)
def test_failure(answer, expected, words, serve):
    """R33, T12, T24: each failure has its error, makes one request, and shows no message."""
    carrier = serve(answer)

    with logged() as log:
        error = failure(sender_to(carrier.url, timeout=SHORT if answer in SLOW else AMPLE), MESSAGE)

    assert expected is type(error)
    assert str(error).startswith(words)
    assert 1 == len(carrier.received())
    assert [] == [secret for secret in HIDDEN if secret in shown(error) + "\n".join(log)]
    assert (None, None) == (error.__cause__, error.__context__)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"session": None}, "boto3 cannot send (NoRegionError); check"),
        ({"session": None, "region": "eu-central-1"}, "boto3 cannot send (NoCredentialsError); check"),
    ],
)
def test_nothing_set_up(options, words):
    """Without a region or credentials nothing is sent until an operator acts."""
    error = failure(AwsSender(**options), MESSAGE)

    assert SenderMisconfigured is type(error)
    assert str(error).startswith(words)


@both
def test_channel(kind):
    """A channel that AWS does not have sends nothing."""
    with pytest.raises(SenderMisconfigured, match="AwsSender sends SMS and voice; it has no channel 'whatsapp'"):
        send(sender_to("http://127.0.0.1:9", kind), attrs.evolve(MESSAGE, channel=WHATSAPP))


# Configuration.


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"region": "Frankfurt"}, "region: an AWS region"),
        ({"origination": ""}, "origination: a phone number, sender id or pool of the account, or its ARN, or None"),
        ({"origination": "Acme Ltd"}, "origination: a phone number"),
        ({"voice_origination": 7}, "voice_origination: a phone number or pool of the account, or its ARN, or None"),
        ({"configuration_set": "+1"}, "configuration_set: the name of one, or its ARN, or None"),
        ({"protect_configuration": "a b"}, "protect_configuration: the id of one, or its ARN, or None"),
        ({"entity_id": "1101"}, "template_ids: "),
        ({"timeout": 10}, "timeout: "),
        ({"clock": 7}, "clock: "),
    ],
)
def test_wrong(changes, words):
    """A wrong argument is found when the sender is made."""
    with pytest.raises(ConfigurationError) as caught:
        AwsSender(**changes)

    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, (None, None)),
        ({"origination": "+14155550106"}, ("+14155550106", "+14155550106")),
        ({"origination": "pool-1"}, ("pool-1", None)),
        ({"origination": "Acme", "voice_origination": "pool-2"}, ("Acme", "pool-2")),
    ],
)
def test_origination(options, expected):
    """Calls come from their own origination, or from that of SMS if it is a number."""
    origin = AwsSender(**options)._origin

    assert expected == (origin.sms, origin.voice)


def test_first_message(serve):
    """T12: making a sender does not import boto3. The first message does, and boto3 does not log it."""
    program = f"""
import logging, sys
from smsmfa.senders.aws import AwsSender
sender = AwsSender(region="eu-central-1", endpoint_url={serve(ACCEPTED).url!r})
print("boto3" in sys.modules)
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from smsmfa.testing import SenderConformance
print(sender.send(SenderConformance.message))
"""
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": KEY}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    assert ["False", "Receipt(message_id='m1', sender='aws')"] == done.stdout.splitlines()


# The check.


def tier(*values):
    """Return AWS's answer about the account."""
    return told(200, AccountAttributes=[{"Name": "ACCOUNT_TIER", "Value": value} for value in values])


@both
@pytest.mark.parametrize(
    "answer, level, words",
    [
        (tier("PRODUCTION"), "ok", "the credentials work"),
        (tier("SANDBOX"), "warning", "the account is in the sandbox"),
        (tier(), "not checked", "AWS did not say"),
        (told(200), "not checked", "AWS gave no usable answer"),
        (refusal("UnrecognizedClientException"), "error", "AWS does not accept the credentials"),
        (refusal("AccessDeniedException"), "not checked", "AWS did not say"),
        (refusal("InternalServerException", status=500), "not checked", "AWS did not say"),
        (drop, "not checked", "AWS gave no usable answer"),
    ],
)
def test_check(answer, level, words, kind, serve):
    """AWS is asked about the sandbox. What could not be asked is never ok, and nothing is sent."""
    carrier = serve(answer)

    [finding] = done(sender_to(carrier.url, kind).check(regions={"US"}))

    assert ("aws", level, True) == (finding.subject, finding.level, finding.detail.startswith(words))
    assert finding.advice or level == "ok"
    assert ["PinpointSMSVoiceV2.DescribeAccountAttributes"] == [
        request.headers["X-Amz-Target"] for request in carrier.requests
    ]


def test_check_without_credentials(serve):
    """Without credentials the check is an error that says so."""
    sender = sender_to(serve(Answer(200)).url)
    sender._client = raises(NoCredentialsError())

    assert ["error"] == [finding.level for finding in sender.check()]
