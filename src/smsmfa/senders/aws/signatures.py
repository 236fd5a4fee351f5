"""Signatures of Amazon SNS. ``cryptography``, the extra ``encryption``, is imported when the first one is verified.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ...exceptions import ConfigurationError, SmsMfaError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

T = TypeVar("T")
#: Returns the bytes at an ``https`` URL of AWS's. It raises if there are none.
Fetch: TypeAlias = Callable[[str], bytes]

_ARN = re.compile(r"arn:(aws[a-z-]*):sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
_CERTIFICATE = r"/SimpleNotificationService-[0-9a-f]{1,64}\.pem"
#: What is signed, by the type of the message, in this order. ``Subject`` is signed if there is one.
_CONFIRMATION = "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
#: How many certificates are kept. AWS changes its certificate about once a year.
_KEPT = 4


class Topic:
    """A topic of SNS, and the certificates of its region.

    Args:
        arn: the ARN of the topic.
        fetch: gets a certificate. It is called once for each.
    """

    def __init__(self, arn: str, fetch: Fetch) -> None:
        known = _ARN.fullmatch(arn) if isinstance(arn, str) else None
        if known is None:
            raise ConfigurationError("topic_arn: the ARN of a topic, as in arn:aws:sns:eu-west-1:123456789012:reports")
        self._arn = arn
        self._site = f"https://sns.{known[2]}.amazonaws.com" + (".cn" if known[1] == "aws-cn" else "")
        self._fetch = fetch
        self._certificates: dict[str, Certificate] = {}

    def problem(self, message: Mapping[str, object], now: datetime) -> str | None:
        """Return why a message is not one that SNS signed for this topic, or ``None`` if it is."""
        if message.get("TopicArn") != self._arn:
            return "it is not from this topic"
        if message.get("SignatureVersion") != "2":
            return "SignatureVersion is not 2; set that attribute of the topic, and leave raw message delivery off"
        url, signed = message.get("SigningCertURL"), _signed(message)
        if signed is None or not isinstance(url, str) or not re.fullmatch(re.escape(self._site) + _CERTIFICATE, url):
            return "it is malformed, or its certificate is not AWS's"
        if not _verifies(self._certificate(url), signed, message.get("Signature"), now):
            return "the signature is wrong"
        return None

    def confirm(self, message: Mapping[str, object]) -> bool:
        """Confirm the subscription to the topic; return whether its URL is AWS's. SNS must have signed the message."""
        url = str(message.get("SubscribeURL"))
        if not url.startswith(f"{self._site}/?"):
            return False
        self._asked(lambda: self._fetch(url))
        return True

    def _certificate(self, url: str) -> "Certificate":
        from cryptography.x509 import load_pem_x509_certificate

        known = self._certificates.get(url)
        if known is None:
            known = self._asked(lambda: load_pem_x509_certificate(self._fetch(url)))
            self._certificates = dict([*self._certificates.items(), (url, known)][-_KEPT:])
        return known

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Exception as error:
            words = f"AWS cannot be asked ({type(error).__name__}); answer 500, so that SNS tries again"
            raise SmsMfaError(words) from None


def fetched(url: str) -> bytes:
    """Return the bytes at a URL, within about ten seconds."""
    from ..session import BoundedSession

    with BoundedSession(10.0) as session:
        status, _, body = session.ask("GET", url, headers={"Accept-Encoding": "identity"})
    if status != 200:
        raise ValueError(f"HTTP {status}")
    return body


def _signed(message: Mapping[str, object]) -> bytes | None:
    """Return what SNS signs of a message, or ``None`` if a part is missing."""
    lines = ""
    for name in _SIGNED.get(str(message.get("Type")), ("",)):
        value = message.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            return None
        lines += f"{name}\n{value}\n"
    return lines.encode("utf-8", "surrogatepass")


def _verifies(certificate: "Certificate", signed: bytes, signature: object, now: datetime) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256

    key = certificate.public_key()
    current = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    try:
        given = b64decode(str(signature), validate=True)
        if not isinstance(key, RSAPublicKey) or not current:
            return False
        key.verify(given, signed, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
