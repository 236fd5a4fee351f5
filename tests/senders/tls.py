"""A server that speaks TLS, with a certificate of its own."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smsmfa.testing import Carrier


def certificate(folder):
    """Write a certificate for 127.0.0.1 and localhost, with its key, into a file; return the file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a carrier")]),
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "carrier.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


class TlsCarrier(Carrier):
    """A carrier whose connections are encrypted, in the given versions of TLS."""

    def __init__(self, file, *script, versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)):
        super().__init__(*script, certificate=file)
        self._tls.set_ciphers("ALL:@SECLEVEL=0")
        self._tls.minimum_version, self._tls.maximum_version = versions
