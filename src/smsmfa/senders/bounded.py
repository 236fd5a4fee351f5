"""An HTTP session whose requests end in time. Importing this module imports requests."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, RawIOBase
from socket import socket
from ssl import SSLCertVerificationError
from time import monotonic
from typing import Any

from requests import Response, Session
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

#: Bytes of the longest answer that is read; those of carriers have about a thousand.
_LONGEST = 64 * 1024

#: A pause in seconds, of at most some thirty years.
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)

#: How many connections stay open for the next messages.
_KEPT = 32


class AnswerTooLongError(Exception):
    """The answer is longer than any that a carrier gives."""


def bounded_session() -> Session:
    """Return a session that keeps no cookies, and in which a request's timeout is one for the whole answer."""
    session = Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_maxsize=_KEPT))
    return session


def body_of(answer: Response) -> bytes:
    """Read the body of an answer that is streamed.

    Raises:
        AnswerTooLongError: more than 64 KiB.
        requests.RequestException: it broke, or was late.
    """
    body = b""
    for part in answer.iter_content(_LONGEST):
        body += part
        if len(body) > _LONGEST:
            raise AnswerTooLongError
    return body


def retry_after(headers: Mapping[str, str], now: int) -> timedelta | None:
    """Return the pause that an answer asks for (RFC 9110, 10.2.3), ``None`` where it names none that can be read.

    Args:
        headers: those of the answer.
        now: nanoseconds since the epoch.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    pause = until.replace(tzinfo=until.tzinfo or UTC) - datetime.fromtimestamp(now // 10**9, UTC)
    return max(pause, timedelta(0))


def never_connected(error: Exception) -> bool:
    """Tell whether ``error`` came before there was a connection that a request could go over."""
    reason = _reason(error)
    return isinstance(getattr(reason, "original_error", reason), (ConnectTimeoutError, NewConnectionError))


def distrusted(error: Exception) -> bool:
    """Tell whether ``error`` is about the server's certificate: nothing is sent before that is found good."""
    reason = _reason(error)
    return isinstance(reason, SSLError) and isinstance(reason.args[0], SSLCertVerificationError)


def _reason(error: Exception) -> Any:
    """Return what urllib3 gave up for, inside the error of requests, or ``None``."""
    return getattr(error.args[0], "reason", None) if error.args else None


class _Adapter(HTTPAdapter):
    """Connections, direct or through a proxy, that read answers as :class:`_Answer`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        return manager if known else _bound(manager)


def _bound(manager: PoolManager) -> PoolManager:
    pools: dict[str, Any] = {}
    pool: Any
    for scheme, pool in manager.pool_classes_by_scheme.items():
        connection = type("BoundedConnection", (pool.ConnectionCls,), {"response_class": _Answer})
        pools[scheme] = type("BoundedPool", (pool,), {"ConnectionCls": connection})
    manager.pool_classes_by_scheme = pools
    return manager


class _Answer(HTTPResponse):
    """An answer that has the socket's timeout once, from its first byte to its last.

    By itself a socket has it again for every read, so that a server that drips may take for ever.
    """

    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(_Reading(sock, self.fp.detach()))


class _Reading(RawIOBase):
    def __init__(self, sock: socket, raw: RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._until = monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("the answer is late")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
