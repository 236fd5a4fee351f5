"""The SNS senders send each message once, raise the right error, and show nothing. moto plays AWS."""

import os
import subprocess
import sys
from urllib.parse import parse_qs, parse_qsl

import attrs
import boto3
import botocore.session
import pytest
import requests
from botocore import exceptions as botocore_errors
from moto.server import ThreadedMotoServer
from senders.calls import AMPLE, HANGS, SHORT, Patient, done, failure, patient, raises, send
from support import shown

from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.phone import PhoneNumber
from smsmfa.senders import sns as module
from smsmfa.senders.session import NotConnectedError
from smsmfa.senders.sns import AsyncSnsSender, SnsSender
from smsmfa.testing import Answer, AsyncSenderConformance, SenderConformance
from smsmfa.testing.carrier import drop, half, hang
from smsmfa.testing.senders.leaks import logged
from smsmfa.typing import VOICE, Receipt

KEY = "a secret key of AWS, of the tests only"
MESSAGE = SenderConformance.message
NUMBER = MESSAGE.to.e164
HIDDEN = (KEY, MESSAGE.code.reveal(), "kumquat", NUMBER[2:])
#: One session for all tests, because it caches the definitions of AWS's services.
SESSION = boto3.Session("AKIDEXAMPLE", KEY, region_name="us-east-1")

both = pytest.mark.parametrize("kind", [SnsSender, AsyncSnsSender])


def xml(status, body):
    """Return an answer of SNS."""
    return Answer(status, body, content_type="text/xml")


def refusal(code, status=400, message=f"cannot send {MESSAGE.text!r} to {NUMBER}"):
    """Return the answer of SNS with an error code."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return xml(status, f"<ErrorResponse>{error}<RequestId>r1</RequestId></ErrorResponse>".replace("&", "&amp;"))


def success(message_id="<MessageId>m1</MessageId>"):
    """Return the answer of SNS when it accepts a message."""
    metadata = "<ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata>"
    return xml(200, f"<PublishResponse><PublishResult>{message_id}</PublishResult>{metadata}</PublishResponse>")


def sender_to(url, kind=SnsSender, **changes):
    """Return a sender that sends to ``url``."""
    return kind(**{"session": SESSION, "endpoint_url": url} | changes)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Use no profile and no machine of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


# The kit's suite.


UNUSABLE, CHECK = "SNS gave no usable answer", "; check region, credentials and permissions"


class Promises(Patient):
    accepted = success()
    rejected = refusal("InvalidParameter", message=f"{NUMBER} is odd")
    misconfigured = refusal("InvalidClientTokenId", 403)
    secrets = (KEY,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return sender_to(url, timeout=timeout)


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        return patient(sender_to(url, AsyncSnsSender, timeout=timeout))


@pytest.mark.usefixtures("encrypted")
class TestConformanceOverTls(TestConformance):
    pass


@pytest.mark.usefixtures("encrypted")
class TestAsyncConformanceOverTls(TestAsyncConformance):
    pass


# The request, as moto sees it.


@pytest.fixture(scope="module")
def moto():
    """Run the server of moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


class TestMoto:
    @both
    def test_send(self, kind, moto):
        """moto accepts the message, and knows it by the id in the receipt."""
        requests.post(f"{moto}/moto-api/reset", timeout=HANGS)

        receipt = send(sender_to(moto, kind, sender_id="Acme", from_number="+14155550106"), MESSAGE)

        [sms] = requests.get(f"{moto}/moto-api/data.json", timeout=HANGS).json()["sns"]["SMS"]
        assert {"phone_number": NUMBER, "message": MESSAGE.text, "message_id": receipt.message_id} == sms
        assert "sns" == receipt.sender

    def test_credentials_of_the_environment(self, moto, monkeypatch):
        """Without a session boto3 finds the credentials and the region."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

        assert send(SnsSender(endpoint_url=moto), MESSAGE).message_id


class TestRequest:
    @pytest.mark.parametrize(
        "options, more",
        [
            ({}, []),
            ({"sender_id": "Acme-2"}, [("AWS.SNS.SMS.SenderID", "Acme-2")]),
            ({"from_number": "+14155550106"}, [("AWS.MM.SMS.OriginationNumber", "+14155550106")]),
            ({"from_number": "12345"}, [("AWS.MM.SMS.OriginationNumber", "12345")]),
        ],
    )
    def test_form(self, options, more, serve):
        """One request is made. Its form has the recipient, the text, the type transactional and the sender."""
        carrier = serve(success())

        assert Receipt("m1", "sns") == send(sender_to(carrier.url, **options), MESSAGE)

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

    def test_india(self, serve):
        """A text to India has the ids of its sender and its template, and a text to another country has none."""
        carrier = serve(success())
        sender = sender_to(carrier.url, entity_id="1101", template_ids={"login": {"en": "1107"}})
        number = PhoneNumber("+919876543210", "IN", "mobile")

        send(sender, attrs.evolve(MESSAGE, to=number, purpose="login", language="en"))
        send(sender, attrs.evolve(MESSAGE, purpose="login", language="en"))

        indian, other = ([value for name, value in parse_qsl(request.body)] for request in carrier.requests)
        assert "1101" == indian[indian.index("AWS.MM.SMS.EntityId") + 2]
        assert "1107" == indian[indian.index("AWS.MM.SMS.TemplateId") + 2]
        assert not {"AWS.MM.SMS.EntityId", "AWS.MM.SMS.TemplateId"} & set(other)

    def test_india_without_an_id(self, serve):
        """A text to India that has no id is not sent, and the error names the missing id."""
        carrier = serve(success())
        number = PhoneNumber("+919876543210", "IN", "mobile")
        sender = sender_to(carrier.url, entity_id="1101", template_ids={"login": {"en": "1107"}})

        error = failure(sender, attrs.evolve(MESSAGE, to=number, purpose="login", language="hi"))

        assert (SenderMisconfigured, "sns", False) == (type(error), error.carrier, error.outage)
        assert "template_ids['login']['hi']: this text has no id for India" == str(error)
        assert [] == carrier.requests

    def test_region(self, serve):
        """The region argument replaces the session's region."""
        carrier = serve(success())

        send(sender_to(carrier.url, region="eu-central-1"), MESSAGE)

        assert "/eu-central-1/sns/" in carrier.requests[0].headers["Authorization"]


# The outcome.


class TestOutcome:
    @pytest.mark.parametrize(
        "answer, expected, words",
        [
            pytest.param(success(""), DeliveryUncertain, "SNS answered without a message id", id="no id"),
            pytest.param(success("<MessageId/>"), DeliveryUncertain, "SNS answered without", id="empty id"),
            pytest.param(xml(200, "<html>"), DeliveryUncertain, f"{UNUSABLE} (ResponseParserError)", id="garbage"),
            pytest.param(half(success()), DeliveryUncertain, f"{UNUSABLE} (", id="half"),
            pytest.param(hang, DeliveryUncertain, f"{UNUSABLE} (ReadTimeout)", id="hang"),
            pytest.param(drop, DeliveryUncertain, f"{UNUSABLE} (ConnectionError)", id="drop"),
            pytest.param(refusal("Moved", 302), DeliveryUncertain, "SNS: HTTP 302, Moved", id="302"),
            pytest.param(refusal("Throttling", 503), DeliveryUncertain, "SNS: HTTP 503, Throttling", id="503"),
            pytest.param(refusal("RequestTimeout", 408), DeliveryUncertain, "SNS: HTTP 408, RequestTimeout", id="408"),
            pytest.param(refusal("InvalidParameter"), DeliveryRejected, "SNS: HTTP 400, InvalidParameter", id="400"),
            pytest.param(refusal("SomethingNew"), DeliveryRejected, "SNS: HTTP 400, SomethingNew", id="unknown"),
            pytest.param(refusal(NUMBER), DeliveryRejected, "SNS: HTTP 400", id="number as the code"),
            pytest.param(refusal("OptedOut"), RecipientOptedOut, "SNS: HTTP 400, OptedOut", id="opt-out"),
            pytest.param(
                refusal("InvalidParameter", 400, f"Invalid parameter: PhoneNumber Reason: {NUMBER} is not valid"),
                RecipientRejected,
                "SNS: HTTP 400, InvalidParameter: it cannot send to this number",
                id="bad number",
            ),
            pytest.param(
                refusal("SomethingNew", 403), SenderMisconfigured, f"SNS: HTTP 403, SomethingNew{CHECK}", id="403"
            ),
            pytest.param(
                refusal("RequestExpired"), SenderMisconfigured, f"SNS: HTTP 400, RequestExpired{CHECK}", id="clock"
            ),
            pytest.param(
                Answer(404, "no"), DeliveryUncertain, f"{UNUSABLE} (ResponseParserError)", id="404 of another"
            ),
        ],
    )
    def test_failure(self, answer, expected, words, serve):
        """R33, T12, T24: each failure has its error, makes one request, and shows no message."""
        carrier = serve(answer)

        with logged() as log:
            error = failure(sender_to(carrier.url, timeout=SHORT if answer is hang else AMPLE), MESSAGE)

        assert expected is type(error)
        assert str(error).startswith(words)
        assert 1 == len(carrier.received())
        assert [] == [secret for secret in HIDDEN if secret in shown(error) + "\n".join(log)]
        assert (None, None) == (error.__cause__, error.__context__)

    def test_every_error_of_publish(self):
        """Each error that botocore's model lists for this call has the error of its code or its status."""
        model = botocore.session.get_session().get_service_model("sns")
        found = {}
        for shape in model.operation_model("Publish").error_shapes:
            told = shape.metadata["error"]
            response = {"Error": {"Code": told["code"]}, "ResponseMetadata": {"HTTPStatusCode": told["httpStatusCode"]}}
            found[told["code"]] = type(module._failure(botocore_errors.ClientError(response, "Publish")))

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
    @pytest.mark.parametrize("code, status", [("Throttling", 400), ("Other", 429)])
    def test_pause(self, code, status, kind, serve):
        """An answer that asks for fewer requests is a pause of unknown length, and nothing is tried again."""
        carrier = serve(refusal(code, status))

        error = failure(sender_to(carrier.url, kind), MESSAGE)

        assert RateLimited is type(error)
        assert ("carrier", None) == (error.scope, error.retry_after)
        assert 1 == len(carrier.requests)

    @pytest.mark.parametrize(
        "code, status, outage",
        [
            ("InvalidClientTokenId", 403, True),
            ("ExpiredToken", 400, True),
            ("Other", 401, True),
            ("Throttling", 400, True),
            ("InternalError", 500, True),
            ("Moved", 302, False),
            ("AuthorizationError", 403, False),
            ("InvalidParameter", 400, False),
            ("OptedOut", 400, False),
        ],
    )
    def test_outage(self, code, status, outage):
        """Only errors that have nothing to do with the recipient count against SNS."""
        told = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

        error = failed_with(botocore_errors.ClientError(told, "Publish"))
        assert (outage, "sns", code) == (error.outage, error.carrier, error.carrier_code)

    @pytest.mark.parametrize(
        "problem, outage",
        [
            (botocore_errors.NoCredentialsError(), True),
            (botocore_errors.ParamValidationError(report="x"), False),
            (requests.ReadTimeout(), True),
            (RuntimeError(), False),
        ],
    )
    def test_outage_before_an_answer(self, problem, outage):
        """Missing credentials and time-outs count against SNS; errors of one message do not."""
        assert outage == failed_with(problem).outage

    def test_role(self):
        """If a role cannot be assumed, SNS was not called."""
        told = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
        error = failed_with(botocore_errors.ClientError(told, "AssumeRole"))

        assert SenderMisconfigured is type(error)
        assert "boto3 gets no credentials: AssumeRole failed" == str(error)

    @pytest.mark.parametrize(
        "problem, expected, words",
        [
            (
                botocore_errors.NoCredentialsError(),
                SenderMisconfigured,
                "boto3 cannot send (NoCredentialsError); check",
            ),
            (botocore_errors.UnauthorizedSSOTokenError(), SenderMisconfigured, "boto3 cannot send (UnauthorizedSSO"),
            (NotConnectedError(TimeoutError()), DeliveryRejected, "SNS cannot be reached"),
            (RuntimeError(MESSAGE.text), DeliveryUncertain, "SNS gave no usable answer (RuntimeError)"),
        ],
        ids=repr,
    )
    def test_other_errors(self, problem, expected, words):
        """T12, T24: a message that boto3 cannot send was not sent; after an unknown error it may have been."""
        error = failed_with(problem)

        assert expected is type(error)
        assert str(error).startswith(words)
        assert [] == [secret for secret in HIDDEN if secret in shown(error)]

    def test_channel(self):
        """SNS sends SMS and nothing else."""
        with pytest.raises(SenderMisconfigured, match="SnsSender sends SMS only; it has no channel 'voice'"):
            send(sender_to("http://127.0.0.1:9"), attrs.evolve(MESSAGE, channel=VOICE))

    @pytest.mark.parametrize(
        "options, words",
        [
            ({"session": None}, "boto3 cannot send (NoRegionError); check"),
            ({"session": None, "region": "eu-central-1"}, "boto3 cannot send (NoCredentialsError); check"),
        ],
    )
    def test_nothing_set_up(self, options, words):
        """Without a region or credentials nothing is sent until an operator acts."""
        error = failure(SnsSender(**options), MESSAGE)

        assert SenderMisconfigured is type(error)
        assert str(error).startswith(words)


def failed_with(problem):
    """Return the error that is raised for an error of boto3."""

    class Client:
        def publish(self, **form):
            raise problem

    sender = sender_to("http://127.0.0.1:9")
    sender._client = Client
    return failure(sender, MESSAGE)


# Configuration.


class TestConfiguration:
    @pytest.mark.parametrize(
        "changes, words",
        [
            ({"region": "Frankfurt"}, "region: an AWS region such as 'eu-central-1', or None"),
            ({"region": 7}, "region: an AWS region"),
            ({"sender_id": ""}, "sender_id: 1 to 11 letters, digits and inner hyphens, at least one letter"),
            ({"sender_id": "123"}, "sender_id: 1 to 11"),
            ({"sender_id": "-Acme"}, "sender_id: 1 to 11"),
            ({"sender_id": "Acme Payments"}, "sender_id: 1 to 11"),
            ({"sender_id": "AcmePayments"}, "sender_id: 1 to 11"),
            ({"from_number": "1234"}, "from_number: 5 to 14 digits, with or without +"),
            ({"from_number": "٤١٥٥٥٥"}, "from_number: 5 to 14"),
            ({"from_number": 12345}, "from_number: 5 to 14"),
            ({"entity_id": "1101"}, "template_ids: a mapping"),
            ({"session": "x"}, "session: a boto3.Session, or None"),
            ({"endpoint_url": 7}, "endpoint_url: a URL, or None for AWS's own"),
            ({"timeout": 10}, "timeout: "),
        ],
    )
    def test_wrong(self, changes, words):
        """A wrong argument is found when the sender is made."""
        with pytest.raises(ConfigurationError) as caught:
            SnsSender(**changes)
        assert str(caught.value).startswith(words)

    @both
    def test_repr(self, kind):
        """The repr shows the region."""
        assert f"{kind.__name__}(region='eu-central-1')" == repr(kind(region="eu-central-1"))

    def test_first_message(self, serve):
        """T12: making a sender does not import boto3. The first message does, and boto3 does not log it."""
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
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

        assert ["False", "Receipt(message_id='m1', sender='sns')"] == done.stdout.splitlines()


# The check.


def sandbox(inner):
    """Return SNS's answer about its sandbox."""
    return xml(
        200, f"<GetSMSSandboxAccountStatusResponse><GetSMSSandboxAccountStatusResult>{inner}"
        "</GetSMSSandboxAccountStatusResult></GetSMSSandboxAccountStatusResponse>",
    )  # fmt: skip


@both
@pytest.mark.parametrize(
    "answer, level, words",
    [
        (sandbox("<IsInSandbox>false</IsInSandbox>"), "ok", "the credentials work"),
        (sandbox("<IsInSandbox>true</IsInSandbox>"), "warning", "the account is in the sandbox"),
        (sandbox(""), "not checked", "SNS did not say"),
        (refusal("InvalidClientTokenId", 403), "error", "SNS does not accept the credentials"),
        (refusal("AuthorizationError", 403), "not checked", "SNS did not say"),
        (refusal("InternalError", 500), "not checked", "SNS did not say"),
        (drop, "not checked", "SNS gave no usable answer"),
    ],
)
def test_check(answer, level, words, kind, serve):
    """SNS is asked about the sandbox. What could not be asked is never ok, and nothing is sent."""
    carrier = serve(answer)

    [finding] = done(sender_to(carrier.url, kind).check(regions={"US"}))

    assert ("sns", level, True) == (finding.subject, finding.level, finding.detail.startswith(words))
    assert finding.advice or level == "ok"
    assert not [request for request in carrier.requests if "Action=Publish" in request.body]


def test_check_without_credentials(serve):
    """Without credentials the check is an error that says so."""
    sender = sender_to(serve(Answer(200)).url)
    sender._client = raises(botocore_errors.NoCredentialsError())

    assert ["error"] == [finding.level for finding in sender.check()]
