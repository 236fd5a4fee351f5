"""Clients of boto3: their arguments, and what their errors mean."""

from importlib import util

import pytest
import requests
from botocore import exceptions as known
from botocore.retries.standard import ThrottledRetryableChecker

from smsmfa.exceptions import ConfigurationError, DeliveryRejected, DeliveryUncertain, SenderMisconfigured
from smsmfa.senders import boto as module
from smsmfa.senders.boto import code_of, failure_of, status_of
from smsmfa.senders.session import NotConnectedError
from smsmfa.senders.sns import SnsSender


def refusal(code, status):
    """Return an error that an AWS service answered with."""
    told = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return known.ClientError(told, "AssumeRole")


def test_without_boto3(monkeypatch):
    """Without boto3 the error says how to install it."""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "boto3" else util.find_spec(name))

    with pytest.raises(ConfigurationError, match=r'SnsSender needs boto3: pip install "smsmfa\[sns\]"'):
        SnsSender()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"region": "Frankfurt"}, "region: an AWS region such as 'eu-central-1', or None"),
        ({"session": "x"}, "session: a boto3.Session, or None"),
        ({"endpoint_url": 7}, "endpoint_url: a URL, or None for AWS's own"),
        ({"timeout": 10}, "timeout: "),
    ],
)
def test_wrong(changes, words):
    """A wrong argument is found when the sender is made."""
    with pytest.raises(ConfigurationError) as caught:
        SnsSender(**changes)

    assert str(caught.value).startswith(words)


def test_repr():
    """The repr shows the region."""
    assert "SnsSender(region='eu-central-1')" == repr(SnsSender(region="eu-central-1"))


@pytest.mark.parametrize("session", [None, "given"])
def test_client(session, monkeypatch, serve):
    """boto3's retries are off, in a session of its own or in yours, and there is one client for each sender."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    import boto3

    sender = SnsSender(region="eu-central-1", session=session and boto3.Session())

    assert sender._client() is sender._client()
    assert 1 == sender._client().meta.config.retries["total_max_attempts"]
    assert "eu-central-1" == sender._client().meta.region_name


def test_pauses_of_botocore():
    """Every code that botocore would retry as throttled is a pause, except the codes of other services."""
    others = {"EC2ThrottledException", "ProvisionedThroughputExceededException", "TransactionInProgressException"}

    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - others <= module.PAUSES


@pytest.mark.parametrize("code, status, expected", [("Odd", 400, ("Odd", 400)), ("+14155552671", "400", ("", 0))])
def test_answer(code, status, expected):
    """Code and status of an answer are read only if they are such."""
    assert expected == (code_of(refusal(code, status)), status_of(refusal(code, status)))


@pytest.mark.parametrize(
    "error, kind, outage, words",
    [
        (refusal("Throttling", 503), SenderMisconfigured, True, "boto3 gets no credentials: AssumeRole failed"),
        (
            known.ReadTimeoutError(endpoint_url="https://sts"),
            DeliveryRejected,
            True,
            "boto3 gets no credentials: no answer from where they come from (ReadTimeoutError)",
        ),
        (
            known.ProxyConnectionError(proxy_url="socks5://127.0.0.1:1", error="?"),
            DeliveryRejected,
            True,
            "boto3 gets no credentials",
        ),
        (known.NoCredentialsError(), SenderMisconfigured, True, "boto3 cannot send (NoCredentialsError); check region"),
        (known.UnauthorizedSSOTokenError(), SenderMisconfigured, True, "boto3 cannot send (UnauthorizedSSOToken"),
        (known.ParamValidationError(report="x"), SenderMisconfigured, False, "boto3 cannot send (ParamValidation"),
        (NotConnectedError(TimeoutError()), DeliveryRejected, True, "AWS cannot be reached"),
        (requests.ReadTimeout(), DeliveryUncertain, True, "AWS gave no usable answer (ReadTimeout)"),
        (RuntimeError(), DeliveryUncertain, False, "AWS gave no usable answer (RuntimeError)"),
    ],
)
def test_failure(error, kind, outage, words):
    """What comes before a request was not sent; after a request that was not answered, it may have been."""
    found = failure_of(error, "AWS")

    assert (kind, outage) == (type(found), found.outage)
    assert str(found).startswith(words)
