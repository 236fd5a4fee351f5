"""Codes are sent over https, and over http only to this machine."""

import pytest

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.address import checked_address


@pytest.mark.parametrize(
    "url, host, is_loopback",
    [
        ("https://acme.example", "https://acme.example", False),
        ("https://acme.example:8443/a/b?tenant=7", "https://acme.example:8443", False),
        ("https://127.0.0.1/", "https://127.0.0.1", True),
        ("http://127.9.9.9:80/a", "http://127.9.9.9:80", True),
        ("http://localhost:8000", "http://localhost:8000", True),
        ("http://[::1]:8000/", "http://[::1]:8000", True),
    ],
)
def test_accepted(url, host, is_loopback):
    """An address keeps its path and query, and only its host is shown."""
    address = checked_address(Opaque(url), "url")

    assert (url, host, is_loopback) == (address.url, address.host, is_loopback)
    assert f"Address(host={host!r}, is_loopback={is_loopback})" == repr(address)


@pytest.mark.parametrize(
    "url",
    [
        None, b"https://acme.example", "", "acme.example", "https://", "http://acme.example", "http://127.0.0.1.example",
        "ftp://127.0.0.1/", "https://user@acme.example/", "https://user:secret@acme.example/", "https://acme.example/#a",
        "https://acme.example/ a", "https://acme.example/\n", "https://acmé.example/", "https://[acme/",
        "https://acme.example:0/", "https://acme.example:99999/",
    ],
)  # fmt: skip
def test_refused(url):
    """T12: another address is refused, and the error does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        checked_address(Opaque(url), "url")

    expected = "url: https:// and a host, no user, password or fragment; http:// for loopback only"
    assert expected == str(caught.value)


def test_base():
    """An address that paths are appended to has no query, and no slash at its end."""
    assert "https://acme.example/sms" == checked_address(Opaque("https://acme.example/sms/"), "base", base=True).url
    with pytest.raises(ConfigurationError, match=r"^base: https:// and a host, no user, password, query or fragment;"):
        checked_address(Opaque("https://acme.example/?a=b"), "base", base=True)
