"""The HTTP client that Twilio's SDK is given. Importing this module imports the SDK and requests."""

import logging
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, RawIOBase
from socket import socket
from ssl import SSLCertVerificationError
from time import monotonic
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

#: Bytes of the longest answer that is read; Twilio's have about a thousand.
_LONGEST = 64 * 1024

#: How many connections stay open for the next messages.
_KEPT = 32


class AnswerTooLongError(Exception):
    """The answer is longer than any that Twilio gives."""


class BoundedHttpClient(HttpClient):  # type: ignore[misc]  # the SDK ships no py.typed
    """Asks once: it retries nothing, follows no redirect, logs nothing and keeps neither request nor answer.

    The SDK's own client has no timeout, and keeps the last request and answer on itself.

    Args:
        timeout: seconds for connecting (to each address of the host), and again for the whole answer.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=timeout)
        self._timeouts = timeout, timeout
        self._session = Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter(pool_maxsize=_KEPT))

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Make one request; the last two arguments are the SDK's and change nothing.

        Raises:
            AnswerTooLongError: more than 64 KiB.
            requests.RequestException: no connection, or no whole answer in time.
        """
        sent: dict[str, Any] = {"params": params, "data": data, "headers": headers, "auth": auth}
        with self._session.request(
            method, uri, timeout=self._timeouts, allow_redirects=False, stream=True, **sent
        ) as answer:
            body = b""
            for part in answer.iter_content(_LONGEST):
                body += part
                if len(body) > _LONGEST:
                    raise AnswerTooLongError
        return Response(answer.status_code, body.decode("utf-8", "replace"), answer.headers)


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
