"""Messages as SNS signs them, with a key of the tests."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ARN = "arn:aws:sns:eu-west-1:123456789012:reports"
SITE = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE = f"{SITE}/SimpleNotificationService-0123456789abcdef.pem"
KEY = rsa.generate_private_key(65537, 2048)


def pem(key=KEY, start=NOW - timedelta(days=1), end=NOW + timedelta(days=1)):
    """Return a certificate for a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 7).not_valid_before(start).not_valid_after(end)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def elliptic():
    """Return a certificate for a key of another kind."""
    return pem(ec.generate_private_key(ec.SECP256R1()))


def signed(key=KEY, **changes):
    """Return a message that is signed as AWS describes: each name and each value on a line of its own, in order."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": ARN,
        "Message": "{}",
        "Timestamp": "2026-12-01T00:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
    } | changes
    parts = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if message["Type"] == "Notification":
        parts = [part for part in parts if part not in {"SubscribeURL", "Token"}]
    text = "".join(f"{part}\n{message[part]}\n" for part in parts if part in message)
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return message | {"Signature": b64encode(signature).decode()}
