"""Addresses that codes may be sent to: https, or http on this machine."""

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

import attrs

from ..core.opaque import Opaque
from ..exceptions import ConfigurationError

_URL = re.compile(r"[!-~]+")
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


@attrs.frozen
class Address:
    """An address that codes may be sent to.

    Args:
        url: the whole address. It may hold a secret in its path or query.
        host: scheme, host and port.
        is_loopback: whether it is on this machine, so that no proxy should be asked.
    """

    url: str = attrs.field(repr=False)
    host: str
    is_loopback: bool


def checked_address(given: Opaque[Any], name: str, *, base: bool = False) -> Address:
    """Return an address, if codes may be sent to it.

    Args:
        given: the address: ``https://`` and a host, or ``http://`` and a loopback address.
        name: the name of the argument, for the error text.
        base: whether paths are appended to it: then it may have no query.

    Raises:
        ConfigurationError: it is another kind of address, or has a user, a password or a fragment.
    """
    parts = _parts(given)
    if parts is None or (base and parts.query):
        more = "query or fragment" if base else "or fragment"
        raise ConfigurationError(f"{name}: https:// and a host, no user, password{',' * base} {more}; {_LOCAL}")
    url = given.reveal().rstrip("/") if base else given.reveal()
    is_loopback = _LOOPBACK.fullmatch(parts.hostname or "") is not None
    return Address(url, f"{parts.scheme}://{parts.netloc}", is_loopback)


_LOCAL = "http:// for loopback only"


def _parts(given: Opaque[Any]) -> SplitResult | None:
    if not isinstance(given.reveal(), str) or not _URL.fullmatch(given.reveal()):
        return None
    try:
        parts = urlsplit(given.reveal())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    secure = parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host))
    return parts if secure and host and port != 0 and "@" not in parts.netloc and not parts.fragment else None
