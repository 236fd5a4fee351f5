"""The SNS senders send once, say for certain what they know, and show nothing; moto plays AWS."""

import asyncio
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from importlib import util
from urllib.parse import parse_qs

import attrs
import boto3
import botocore.session
import pytest
import requests
from botocore import exceptions as botocore_errors
from moto.server import ThreadedMotoServer
from support import shown

from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from smsmfa.senders import sns as module
from smsmfa.senders.sns import AsyncSnsSender, SnsSender
from smsmfa.testing import Answer, AsyncSenderConformance, Carrier, SenderConformance
from smsmfa.testing.carrier import drop, half, hang
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import Receipt

KEY = "a secret key of AWS, of the tests only"
MESSAGE = SenderConformance.message
NUMBER = MESSAGE.to.e164
HIDDEN = (KEY, MESSAGE.code.reveal(), "kumquat", NUMBER[2:])
#: One for all tests: it keeps what it has read of AWS's interfaces.
SESSION = boto3.Session("AKIDEXAMPLE", KEY, region_name="us-east-1")
SHORT = timedelta(milliseconds=200)

both = pytest.mark.parametrize("kind", [SnsSender, AsyncSnsSender])


def xml(status, body):
    """Return an answer of SNS's."""
    return Answer(status, body, content_type="text/xml")


def refusal(code, status=400, message=f"cannot send {MESSAGE.text!r} to {NUMBER}"):
    """Return what SNS says with an error code."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return xml(status, f"<ErrorResponse>{error}<RequestId>r1</RequestId></ErrorResponse>".replace("&", "&amp;"))


def success(message_id="<MessageId>m1</MessageId>"):
    """Return what SNS says when it takes a message."""
    metadata = "<ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata>"
    return xml(200, f"<PublishResponse><PublishResult>{message_id}</PublishResult>{metadata}</PublishResponse>")


def sender_to(url, kind=SnsSender, **changes):
    """Return a sender that sends to ``url``."""
    return kind(**{"session": SESSION, "endpoint_url": url} | changes)


def send(sender, message=MESSAGE):
    """Send with either kind of sender."""
    outcome = sender.send(message)
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


def failure(sender):
    """Return the error of a message that does not go through."""
    with pytest.raises(SmsMfaError) as caught:
        send(sender)
    return caught.value


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Let no proxy, no profile and no machine of AWS come between."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def serve():
    """Start carriers, and stop them in the end."""
    with ExitStack() as carriers:
        yield lambda behaviour: carriers.enter_context(Carrier(behaviour))


# What every sender promises.


class Promises:
    accepted = success()
    rejected = refusal("InvalidParameter", message=f"{NUMBER} is odd")
    misconfigured = refusal("InvalidClientTokenId", 403)
    secrets = (KEY,)
    bounds_whole_answer = False


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, AsyncSnsSender, timeout=timeout)


# What AWS gets of it, as moto sees it.


@pytest.fixture(scope="module")
def moto():
    """Run moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


class TestMoto:
    @both
    def test_send(self, kind, moto):
        """moto takes the message, and knows it by the id in the receipt."""
        requests.post(f"{moto}/moto-api/reset", timeout=10)

        receipt = send(sender_to(moto, kind, sender_id="Acme", from_number="+14155550106"))

        [sms] = requests.get(f"{moto}/moto-api/data.json", timeout=10).json()["sns"]["SMS"]
        assert {"phone_number": NUMBER, "message": MESSAGE.text, "message_id": receipt.message_id} == sms
        assert "sns" == receipt.sender

    def test_credentials_of_the_environment(self, moto, monkeypatch):
        """Without a session the credentials and the region are those that boto3 finds."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

        assert send(SnsSender(endpoint_url=moto)).message_id


class TestRequest:
    @both
    @pytest.mark.parametrize(
        "options, more",
        [
            ({}, []),
            ({"sender_id": "Acme-2"}, [("AWS.SNS.SMS.SenderID", "Acme-2")]),
            ({"from_number": "+14155550106"}, [("AWS.MM.SMS.OriginationNumber", "+14155550106")]),
            ({"from_number": "12345"}, [("AWS.MM.SMS.OriginationNumber", "12345")]),
        ],
    )
    def test_form(self, options, more, kind, serve):
        """The form has the recipient, the text, that it is no advertisement, and who sends it; one request is made."""
        carrier = serve(success())

        assert Receipt("m1", "sns") == send(sender_to(carrier.url, kind, **options))

        [request] = carrier.requests
        form = {name: value for name, [value] in parse_qs(request.body, strict_parsing=True).items()}
        attributes = [("AWS.SNS.SMS.SMSType", "Transactional"), *more]
        expected = {"Action": "Publish", "Version": "2010-03-31", "PhoneNumber": NUMBER, "Message": MESSAGE.text}
        for number, (name, value) in enumerate(attributes, 1):
            entry = f"MessageAttributes.entry.{number}"
            expected |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String"}
            expected[f"{entry}.Value.StringValue"] = value
        assert expected == form
        assert "/us-east-1/sns/" in request.headers["Authorization"]

    def test_region(self, serve):
        """The region goes before that of the session."""
        carrier = serve(success())

        send(sender_to(carrier.url, region="eu-central-1"))

        assert "/eu-central-1/sns/" in carrier.requests[0].headers["Authorization"]


# What comes of it.


class TestOutcome:
    @both
    @pytest.mark.parametrize(
        "answer, expected, words",
        [
            (success(""), DeliveryUncertain, "SNS answered without a message id"),
            (success("<MessageId/>"), DeliveryUncertain, "SNS answered without a message id"),
            (xml(200, "<html>"), DeliveryUncertain, "SNS gave no usable answer (ResponseParserError)"),
            (half(success()), DeliveryUncertain, "SNS gave no usable answer ("),
            (hang, DeliveryUncertain, "SNS gave no usable answer (ReadTimeoutError)"),
            (drop, DeliveryUncertain, "SNS gave no usable answer (ConnectionClosedError)"),
            (refusal("Moved", 302), DeliveryUncertain, "SNS: HTTP 302, Moved"),
            (refusal("InternalError", 500), DeliveryUncertain, "SNS: HTTP 500, InternalError"),
            (refusal("Throttling", 503), DeliveryUncertain, "SNS: HTTP 503, Throttling"),
            (refusal("RequestTimeout", 408), DeliveryUncertain, "SNS: HTTP 408, RequestTimeout"),
            (refusal("InvalidParameter"), DeliveryRejected, "SNS: HTTP 400, InvalidParameter"),
            (refusal("SomethingNew"), DeliveryRejected, "SNS: HTTP 400, SomethingNew"),
            (refusal(NUMBER), DeliveryRejected, "SNS: HTTP 400"),
            (refusal("OptedOut"), RecipientOptedOut, "SNS: HTTP 400, OptedOut"),
            (
                refusal("InvalidParameter", 400, f"Invalid parameter: PhoneNumber Reason: {NUMBER} is not valid"),
                RecipientRejected,
                "SNS: HTTP 400, InvalidParameter: it cannot send to this number",
            ),
            (refusal("SomethingNew", 403), SenderMisconfigured, "SNS: HTTP 403, SomethingNew; check region, cred"),
            (refusal("RequestExpired"), SenderMisconfigured, "SNS: HTTP 400, RequestExpired; check region, cred"),
            (refusal("NotFound", 404), SenderMisconfigured, "SNS: HTTP 404, NotFound; check region, cred"),
            (Answer(404, "no"), DeliveryUncertain, "SNS gave no usable answer (ResponseParserError)"),
        ],
    )
    def test_failure(self, answer, expected, words, kind, serve):
        """R33, T12, T24: each way to fail has its class and its words, takes one request, and shows no message."""
        carrier = serve(answer)

        with logged() as log:
            error = failure(sender_to(carrier.url, kind, timeout=SHORT if answer is hang else timedelta(seconds=10)))

        assert expected is type(error)
        assert str(error).startswith(words)
        assert 1 == len(carrier.requests)
        assert [] == [secret for secret in HIDDEN if secret in shown(error) + "\n".join(log)]
        assert (None, None) == (error.__cause__, error.__context__)

    def test_every_error_of_publish(self):
        """Each error that botocore's model of SNS has for this call is what its status or its code says."""
        model = botocore.session.get_session().get_service_model("sns")
        found = {}
        for shape in model.operation_model("Publish").error_shapes:
            told = shape.metadata["error"]
            response = {"Error": {"Code": told["code"]}, "ResponseMetadata": {"HTTPStatusCode": told["httpStatusCode"]}}
            found[told["code"]] = type(module._refusal(botocore_errors.ClientError(response, "Publish")))

        expected = {
            "AuthorizationError": SenderMisconfigured,
            "InternalError": DeliveryUncertain,
            "InvalidSecurity": SenderMisconfigured,
            "KMSOptInRequired": SenderMisconfigured,
            "NotFound": SenderMisconfigured,
        }
        assert {code: expected.get(code, DeliveryRejected) for code in found} == found
        assert expected.keys() <= found.keys()

    @both
    @pytest.mark.parametrize("code, status", [(code, 400) for code in sorted(module._PAUSES)] + [("Other", 429)])
    def test_pause(self, code, status, kind, serve):
        """What asks for fewer requests is a pause of unknown length, and is not tried again."""
        carrier = serve(refusal(code, status))

        error = failure(sender_to(carrier.url, kind))

        assert RateLimited is type(error)
        assert ("carrier", None) == (error.scope, error.retry_after)
        assert 1 == len(carrier.requests)

    def test_pauses_of_botocore(self):
        """What botocore would try again as throttled is a pause, but for other services' codes."""
        from botocore.retries.standard import ThrottledRetryableChecker

        others = {"EC2ThrottledException", "ProvisionedThroughputExceededException", "TransactionInProgressException"}
        assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - others <= module._PAUSES

    @both
    def test_role(self, kind):
        """Where a role cannot be assumed nothing was asked of SNS."""
        told = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
        error = failed_with(kind, botocore_errors.ClientError(told, "AssumeRole"))

        assert SenderMisconfigured is type(error)
        assert "boto3 gets no credentials: AssumeRole failed" == str(error)

    @both
    @pytest.mark.parametrize(
        "problem, expected, words",
        [
            (botocore_errors.NoCredentialsError(), SenderMisconfigured, "boto3 cannot send: NoCredentialsError; check"),
            (botocore_errors.UnauthorizedSSOTokenError(), SenderMisconfigured, "boto3 cannot send: UnauthorizedSSO"),
            (botocore_errors.ConnectTimeoutError(endpoint_url="x"), DeliveryRejected, "SNS cannot be reached"),
            (
                botocore_errors.SSLError(endpoint_url="x", error="[SSL: CERTIFICATE_VERIFY_FAILED] no"),
                SenderMisconfigured,
                "SNS's certificate is not trusted here: check CA certificates, proxy and clock",
            ),
            (botocore_errors.SSLError(endpoint_url="x", error="EOF"), DeliveryUncertain, "SNS gave no usable answer"),
            (RuntimeError(MESSAGE.text), DeliveryUncertain, "SNS gave no usable answer (RuntimeError)"),
        ],
        ids=repr,
    )
    def test_other_errors(self, problem, expected, words, kind):
        """T12, T24: what boto3 cannot send was not sent; what nobody foresaw may have been."""
        error = failed_with(kind, problem)

        assert expected is type(error)
        assert str(error).startswith(words)
        assert [] == [secret for secret in HIDDEN if secret in shown(error)]

    @both
    @pytest.mark.parametrize("channel", ["voice", "whatsapp"])
    def test_channel(self, channel, kind, serve):
        """SNS sends SMS and nothing else."""
        carrier = serve(success())

        with pytest.raises(SenderMisconfigured, match=f"SNS has no {channel}, only SMS"):
            send(sender_to(carrier.url, kind), attrs.evolve(MESSAGE, channel=channel))
        assert [] == carrier.requests

    @pytest.mark.parametrize(
        "options, words",
        [
            ({"session": None}, "boto3 cannot send: NoRegionError; check"),
            ({"session": None, "region": "eu-central-1"}, "boto3 cannot send: NoCredentialsError; check"),
        ],
    )
    def test_nothing_set_up(self, options, words):
        """Without a region or credentials nothing is sent before the operator acts."""
        error = failure(SnsSender(**options))

        assert SenderMisconfigured is type(error)
        assert str(error).startswith(words)


def failed_with(kind, problem):
    """Return what comes of an error of boto3's."""

    class Client:
        def publish(self, **form):
            raise problem

    sender = sender_to("http://127.0.0.1:9", kind)
    sender._made = Client()
    return failure(sender)


# What it takes to make one.


class TestConfiguration:
    @pytest.mark.parametrize(
        "changes, words",
        [
            ({"region": "Frankfurt"}, "region: of AWS, for example 'eu-central-1', or None"),
            ({"region": 7}, "region: of AWS"),
            ({"sender_id": ""}, "sender_id: 1 to 11 letters, digits and inner hyphens, with a letter"),
            ({"sender_id": "123"}, "sender_id: 1 to 11"),
            ({"sender_id": "-Acme"}, "sender_id: 1 to 11"),
            ({"sender_id": "Acme Payments"}, "sender_id: 1 to 11"),
            ({"sender_id": "AcmePayments"}, "sender_id: 1 to 11"),
            ({"from_number": "1234"}, "from_number: 5 to 14 digits, with a + or without"),
            ({"from_number": "٤١٥٥٥٥"}, "from_number: 5 to 14"),
            ({"from_number": 12345}, "from_number: 5 to 14"),
            ({"session": "x"}, "session: a boto3.Session, or None"),
            ({"endpoint_url": 7}, "endpoint_url: a URL, or None for AWS's own"),
            ({"timeout": 10}, "timeout: a timedelta above zero and of at most one hour"),
        ],
    )
    def test_wrong(self, changes, words):
        """A mistake is found when the sender is made."""
        with pytest.raises(ConfigurationError) as caught:
            SnsSender(**changes)
        assert str(caught.value).startswith(words)

    def test_without_boto3(self, monkeypatch):
        """Without boto3 the error says how to install it."""
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "boto3" else util.find_spec(name))

        with pytest.raises(ConfigurationError, match=r'SnsSender needs boto3: pip install "smsmfa\[sns\]"'):
            SnsSender()

    @both
    def test_repr(self, kind):
        """The repr shows the region."""
        assert f"{kind.__name__}(region='eu-central-1')" == repr(kind(region="eu-central-1"))

    def test_first_message(self, serve):
        """T12: making a sender imports no boto3; the first message does, and not even that one is logged by it."""
        program = f"""
import logging, sys
from smsmfa.senders.sns import SnsSender
sender = SnsSender(region="eu-central-1", endpoint_url={serve(success()).url!r})
print("boto3" in sys.modules)
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from smsmfa.testing import SenderConformance
print(sender.send(SenderConformance.message))
"""
        environment = os.environ | {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": KEY}
        command = [sys.executable, "-W", "ignore", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)

        assert ["False", "Receipt(message_id='m1', sender='sns')"] == done.stdout.splitlines()
