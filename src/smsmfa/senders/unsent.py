"""Why a request was certainly not sent: there was no connection, or no way through the proxy, or no encryption."""

import re
from collections.abc import Iterator
from socket import gaierror
from ssl import SSLCertVerificationError, SSLEOFError, SSLError, SSLSyscallError, SSLZeroReturnError
from typing import Final

from ..exceptions import DeliveryRejected, SenderMisconfigured
from .base import unreachable, untrusted

#: How http.client reports the status of a proxy that refuses CONNECT.
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")
#: How the error of PySocks begins, of which urllib3 keeps the text only, if the proxy refuses user and password.
_SOCKS = "SOCKS5 authentication"
#: Errors of TLS that may pass: the connection broke.
_BROKEN = SSLEOFError, SSLSyscallError, SSLZeroReturnError
#: Reasons of OpenSSL that occur only while TLS is being agreed upon.
_HANDSHAKE: Final = frozenset({
    "DH_KEY_TOO_SMALL", "HTTPS_PROXY_REQUEST", "HTTP_REQUEST", "NO_CIPHERS_AVAILABLE", "NO_PROTOCOLS_AVAILABLE",
    "NO_SHARED_CIPHER", "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    "TLSV1_ALERT_PROTOCOL_VERSION", "TLSV1_UNRECOGNIZED_NAME", "UNKNOWN_PROTOCOL", "UNSUPPORTED_PROTOCOL",
    "WRONG_SSL_VERSION", "WRONG_VERSION_NUMBER",
})  # fmt: skip
#: The names of errors about an address, a proxy or a file of certificates that cannot be used. Whoever has one has not
#: connected. They belong to requests, urllib3 and botocore, of which not all are installed.
_UNUSABLE: Final = frozenset({
    "InvalidProxiesConfigError", "InvalidProxyURL", "InvalidSchema", "InvalidURL", "LocationParseError",
    "LocationValueError", "MissingSchema", "ProxySchemeUnknown", "ProxySchemeUnsupported", "URLSchemeUnknown",
})  # fmt: skip


def unsent(error: BaseException, carrier: str) -> DeliveryRejected | None:
    """Return what a sender raises if an error shows that nothing was sent, or ``None`` if it does not.

    Args:
        error: the error; the errors that caused it are looked at too.
        carrier: the name of the carrier, for the error text.
    """
    for cause in _causes(error):
        if found := _known(cause, carrier):
            return found
    return None


def unconnected(error: Exception, carrier: str) -> DeliveryRejected:
    """Return what a sender raises for any error that occurred before there was a connection."""
    if found := unsent(error, carrier):
        return found
    if any(isinstance(cause, SSLError) and not isinstance(cause, _BROKEN) for cause in _causes(error)):
        return _unencrypted(carrier)
    if type(error) is OSError and error.errno is None:  # requests found no file of certificates
        return _misconfigured(f"no connection to {carrier} can be made: check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE")
    return unreachable(carrier)


def _known(cause: BaseException, carrier: str) -> DeliveryRejected | None:
    if isinstance(cause, SSLCertVerificationError) or type(cause).__name__ == "CertificateError":
        return untrusted(carrier)
    if isinstance(cause, SSLError) and getattr(cause, "reason", None) in _HANDSHAKE:
        return _unencrypted(carrier)
    if isinstance(cause, gaierror) or type(cause).__name__ == "NameResolutionError":
        return unreachable(carrier, ": its name, or the name of the proxy, does not resolve")
    if type(cause).__name__ in _UNUSABLE or _SOCKS in str(cause):
        return _misconfigured(
            f"no connection to {carrier} can be made ({type(cause).__name__}): check its address and the proxy; "
            "a SOCKS proxy needs the package PySocks, and its user and password"
        )
    if isinstance(cause, OSError) and (found := _TUNNEL.search(str(cause))):
        return _refused(int(found[1]), carrier)
    return None


def _refused(status: int, carrier: str) -> DeliveryRejected:
    """Return the error for a proxy that answered CONNECT with this status."""
    words = f"the proxy does not connect to {carrier}: it answers HTTP {status}"
    if status >= 500 or status in {408, 429}:
        return DeliveryRejected(words, outage=True)
    return _misconfigured(f"{words}; check what the proxy allows, and its user and password")


def _unencrypted(carrier: str) -> SenderMisconfigured:
    return _misconfigured(f"no encrypted connection to {carrier} can be made: check versions of TLS, port and proxy")


def _misconfigured(words: str) -> SenderMisconfigured:
    return SenderMisconfigured(words, outage=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors that caused it, wherever requests, urllib3 and botocore keep them.

    ``__context__`` is left out: it may be an error that the application is handling, from before this call.
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        kept = getattr(one, "kwargs", None)
        waiting += [*one.args, getattr(one, "reason", None), getattr(one, "original_error", None), one.__cause__]
        waiting += kept.values() if isinstance(kept, dict) else ()
