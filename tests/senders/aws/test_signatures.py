"""Messages of SNS are told from forged ones."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from senders.aws.sns import ARN, CERTIFICATE, NOW, SITE, elliptic, pem, signed

from smsmfa.exceptions import ConfigurationError, SmsMfaError
from smsmfa.senders.aws.signatures import Topic, fetched
from smsmfa.testing import Answer


class Site:
    """Plays AWS's site, and notes what is fetched."""

    def __init__(self, answer=None):
        self.answer, self.urls = answer or pem(), []

    def __call__(self, url):
        self.urls.append(url)
        return self.answer


def problem(message, site=None, **changes):
    """Return what is wrong with a message."""
    return Topic(ARN, site or Site()).problem(message, NOW)


@pytest.mark.parametrize("changes", [{}, {"Subject": "A subject"}, {"Message": "ünï\ncode"}])
def test_signed(changes):
    """A message that SNS signed for the topic has no problem."""
    assert problem(signed(**changes)) is None


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_confirmation(kind):
    """A message about the subscription is signed over other fields."""
    assert problem(signed(Type=kind, Token="t", SubscribeURL=f"{SITE}/?Action=ConfirmSubscription")) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": "{ }"},
        {"MessageId": "another"},
        {"Timestamp": "2026-12-01T00:00:01.000Z"},
        {"Subject": "added"},
        {"Signature": "AAAA"},
        {"Signature": "no base64"},
        {"Signature": None},
    ],
)
def test_altered(changes):
    """T21: a message of which anything was altered is refused."""
    assert "the signature is wrong" == problem(signed() | changes)


def test_another_key():
    """T21: a message that somebody else signed is refused."""
    assert "the signature is wrong" == problem(signed(rsa.generate_private_key(65537, 2048)))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"TopicArn": ARN + "2"}, "it is not from this topic"),
        ({"TopicArn": None}, "it is not from this topic"),
        ({"SignatureVersion": "1"}, "SignatureVersion is not 2; set that attribute of the topic"),
        ({"SignatureVersion": None}, "SignatureVersion is not 2"),
        ({"Type": "Other"}, "it is malformed, or its certificate is not AWS's"),
        ({"Type": None}, "it is malformed"),
        ({"Timestamp": None}, "it is malformed"),
        ({"Message": 7}, "it is malformed"),
        *[
            ({"SigningCertURL": url}, "it is malformed, or its certificate is not AWS's")
            for url in (
                None,
                CERTIFICATE.replace("https", "http"),
                CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example"),
                CERTIFICATE.replace("eu-west-1", "eu-west-2"),
                CERTIFICATE.replace("https://", "https://evil.example@"),
                CERTIFICATE.replace("https://sns", "https://evil.example/sns"),
                CERTIFICATE + "?x",
                CERTIFICATE + "\n",
                CERTIFICATE.replace(".pem", ".txt"),
                f"{SITE}/bucket/SimpleNotificationService-0.pem",
                f"{SITE}:444/SimpleNotificationService-0.pem",
            )
        ],
    ],
)
def test_refused(changes, words):
    """T21: another topic, another version or a certificate from elsewhere is refused, and nothing is fetched."""
    site = Site()

    assert problem(signed() | changes, site).startswith(words)
    assert [] == site.urls


@pytest.mark.parametrize(
    "answer",
    [
        pem(start=NOW + timedelta(seconds=1)),
        pem(end=NOW - timedelta(seconds=1)),
        elliptic(),
    ],
    ids=["not yet valid", "expired", "another kind of key"],
)
def test_certificate(answer):
    """A certificate that is not valid now, or is not of RSA, verifies nothing."""
    assert "the signature is wrong" == problem(signed(), Site(answer))


def test_fetched_once():
    """Each certificate is fetched once, and a few are kept."""
    site = Site()
    topic = Topic(ARN, site)
    urls = [CERTIFICATE.replace("0123", f"{number}123") for number in range(5)]
    for url in [*urls, urls[4], urls[1], urls[0]]:
        assert topic.problem(signed(SigningCertURL=url), NOW) is None

    assert [*urls, urls[0]] == site.urls


def test_nothing_fetched():
    """If AWS cannot be asked, it is no forgery: the error asks for another try."""

    def fails(url):
        raise OSError("no way")

    with pytest.raises(SmsMfaError, match=r"^AWS cannot be asked \(OSError\); answer 500") as caught:
        problem(signed(), fails)
    assert 500 == caught.value.http_status
    with pytest.raises(SmsMfaError, match=r"^AWS cannot be asked \(ValueError\)"):
        problem(signed(), Site(b"<html>"))


@pytest.mark.parametrize(
    "url, expected",
    [
        (f"{SITE}/?Action=ConfirmSubscription&Token=1", True),
        ("https://evil.example/?Action=ConfirmSubscription", False),
        (f"{SITE}.evil.example/?Action=ConfirmSubscription", False),
        (f"{SITE}/x", False),
        (None, False),
    ],
)
def test_confirm(url, expected):
    """T21: a subscription is confirmed at AWS's site, and nowhere else."""
    site = Site()

    assert expected == Topic(ARN, site).confirm({"SubscribeURL": url})
    assert ([url] if expected else []) == site.urls


@pytest.mark.parametrize(
    "arn, site",
    [
        (ARN, SITE),
        ("arn:aws-cn:sns:cn-north-1:123456789012:a", "https://sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:a.fifo", "https://sns.us-gov-west-1.amazonaws.com"),
    ],
)
def test_site(arn, site):
    """The site is that of the topic's region and partition."""
    assert site == Topic(arn, Site())._site


@pytest.mark.parametrize("arn", ["", "reports", ARN + "/x", ARN.replace(":sns:", ":sqs:"), None, 7])
def test_no_arn(arn):
    """What is not the ARN of a topic is found at once."""
    with pytest.raises(ConfigurationError, match="topic_arn: the ARN of a topic"):
        Topic(arn, Site())


def test_fetch(serve):
    """Our own function returns the body of an answer with status 200, and raises otherwise."""
    carrier = serve(Answer(200, "yes"), Answer(404, "no"))

    assert b"yes" == fetched(carrier.url)
    with pytest.raises(ValueError, match="HTTP 404"):
        fetched(carrier.url)
