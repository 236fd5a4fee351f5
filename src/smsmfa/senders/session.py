"""An HTTP session whose requests end in time. Importing this module imports requests."""

from collections.abc import Mapping
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

from ..exceptions import DeliveryError, DeliveryUncertain
from .base import unreachable, untrusted
from .threads import MOST_AT_ONCE

#: Bytes of the longest answer that is read. Carriers' answers have about a thousand.
_LONGEST = 64 * 1024


class AnswerTooLongError(Exception):
    """The answer is longer than 64 KiB."""


class BoundedSession(Session):
    """A session that keeps no cookies, follows no redirects, and whose timeout covers the whole answer.

    Args:
        timeout: seconds for connecting (to each address of the host), and again for the whole answer.
        direct: whether no proxy may see the requests, whatever the environment names (``HTTP_PROXY`` and others).
    """

    def __init__(self, timeout: float, *, direct: bool = False) -> None:
        super().__init__()
        self.trust_env = not direct
        self._timeouts = timeout, timeout
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(pool_maxsize=2 * MOST_AT_ONCE))

    def ask(self, method: str, url: str, **sent: Any) -> tuple[int, Mapping[str, str], bytes]:
        """Make one request; return the status, the headers and the body of the answer.

        Raises:
            AnswerTooLongError: the body is longer than 64 KiB.
            requests.RequestException: there was no connection, or no whole answer in time.
        """
        with self.request(method, url, timeout=self._timeouts, allow_redirects=False, stream=True, **sent) as answer:
            return answer.status_code, answer.headers, _body(answer)


def failure_of(error: Exception, carrier: str) -> DeliveryError:
    """Return what a sender raises for an error of :meth:`BoundedSession.ask`.

    Args:
        error: the error.
        carrier: the name of the carrier, for the error text.
    """
    reason = _reason(error)
    if isinstance(getattr(reason, "original_error", reason), (ConnectTimeoutError, NewConnectionError)):
        return unreachable(carrier)
    if isinstance(reason, SSLError) and isinstance(reason.args[0], SSLCertVerificationError):
        return untrusted(carrier)
    return DeliveryUncertain(f"{carrier} gave no usable answer ({type(error).__name__})")


def _reason(error: Exception) -> Any:
    """Return why urllib3 gave up, from inside the error of requests, or ``None``."""
    return getattr(error.args[0], "reason", None) if error.args else None


def _body(answer: Response) -> bytes:
    body = b""
    for part in answer.iter_content(_LONGEST):
        body += part
        if len(body) > _LONGEST:
            raise AnswerTooLongError
    return body


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
    """An answer whose socket timeout covers everything from its first byte to its last.

    A plain socket restarts its timeout at every read, so a server that sends byte by byte could take forever.
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
