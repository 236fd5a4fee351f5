"""The requests of boto3's clients are made once and end in time."""

import boto3
import pytest
from senders.calls import HANGS
from senders.tls import TlsCarrier, certificate

from smsmfa.senders.botohttp import bounded
from smsmfa.senders.session import NotConnectedError
from smsmfa.testing import Answer

SESSION = boto3.Session("AKIDEXAMPLE", "a secret", region_name="us-east-1")
ANSWER = Answer(200, '{"AccountAttributes": []}', content_type="application/x-amz-json-1.0")


def client_of(url, **options):
    """Return a client of boto3 that calls ``url``."""
    return bounded(SESSION.client("pinpoint-sms-voice-v2", endpoint_url=url, **options), HANGS)


def test_request(serve, monkeypatch, tmp_path):
    """The request is signed, asks for an answer that is not compressed, and takes no password from ~/.netrc."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    carrier = serve(ANSWER)

    assert [] == client_of(carrier.url).describe_account_attributes()["AccountAttributes"]

    [request] = carrier.requests
    assert ("{}", "identity") == (request.body, request.headers["Accept-Encoding"])
    assert "PinpointSMSVoiceV2.DescribeAccountAttributes" == request.headers["X-Amz-Target"]
    assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_redirect(serve):
    """A redirect is not followed."""
    carrier = serve(Answer(307, headers=["Location: /elsewhere"]), ANSWER)

    with pytest.raises(Exception, match="307"):
        client_of(carrier.url).describe_account_attributes()

    assert 1 == len(carrier.requests)


def test_certificates(tmp_path):
    """The client keeps the CA certificates that it was made with."""
    file = certificate(tmp_path)
    with TlsCarrier(file, ANSWER) as carrier:
        assert client_of(carrier.url, verify=str(file)).describe_account_attributes()["AccountAttributes"] == []
        with pytest.raises(NotConnectedError):
            client_of(carrier.url).describe_account_attributes()


def test_close(serve):
    """Closing the client closes its connections."""
    client = client_of(serve(ANSWER).url)
    client.describe_account_attributes()

    client.close()
