"""An HTTP session whose requests end in time. Importing this module imports requests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, RawIOBase
from socket import socket
from time import monotonic
from typing import Any

from requests import Response, Session
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from ..exceptions import DeliveryError, DeliveryUncertain
from .threads import MOST_AT_ONCE
from .unsent import unconnected, unsent

#: Bytes of the longest answer that is read. Carriers' answers have about a thousand.
_LONGEST = 64 * 1024


class AnswerTooLongError(Exception):
    """The answer is longer than 64 KiB."""


class NotConnectedError(Exception):
    """There was no connection, so nothing was sent.

    Args:
        reason: why.
    """

    # It is no OSError and no error of urllib3, so requests and urllib3 pass it on as it is.

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


class BoundedSession(Session):
    """A session that keeps no cookies, follows no redirects, and whose timeout covers the whole answer.

    Args:
        timeout: seconds for connecting (to each address of the host), and again for the whole answer.
        direct: whether no proxy may see the requests, whatever the environment names (``HTTP_PROXY`` and others).
    """

    def __init__(self, timeout: float, *, direct: bool = False) -> None:
        super().__init__()
        self._direct = direct
        self._timeouts = timeout, timeout
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(pool_maxsize=2 * MOST_AT_ONCE))

    def ask(self, method: str, url: str, **sent: Any) -> tuple[int, Mapping[str, str], bytes]:
        """Make one request; return the status, the headers and the body of the answer.

        Raises:
            AnswerTooLongError: the body is longer than 64 KiB.
            NotConnectedError: there was no connection to the carrier, or none through the proxy.
            requests.RequestException: there was no whole answer in time, or the request could not be made.
        """
        with self.request(method, url, timeout=self._timeouts, allow_redirects=False, stream=True, **sent) as answer:
            return answer.status_code, answer.headers, _body(answer)

    def merge_environment_settings(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Leave out the proxies of the environment if the session is direct."""
        settings: dict[str, Any] = super().merge_environment_settings(*args, **kwargs)
        return settings | {"proxies": {}} if self._direct else settings


def failure_of(error: Exception, carrier: str) -> DeliveryError:
    """Return what a sender raises for an error of :meth:`BoundedSession.ask`.

    Args:
        error: the error.
        carrier: the name of the carrier, for the error text.
    """
    if isinstance(error, NotConnectedError):
        return unconnected(error.reason, carrier)
    answered = isinstance(error, OSError | AnswerTooLongError)  # requests' errors are OSErrors; others may be a bug
    words = f"{carrier} gave no usable answer ({type(error).__name__})"
    return unsent(error, carrier) or DeliveryUncertain(words, outage=answered)


@contextmanager
def _connecting() -> Iterator[None]:
    """Raise every error of the block as :class:`NotConnectedError`."""
    try:
        yield
    except Exception as error:
        raise NotConnectedError(error) from None


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

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        with _connecting():
            return super().get_connection_with_tls_context(*args, **kwargs)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        with _connecting():
            super().cert_verify(*args, **kwargs)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        return manager if known else _bound(manager)


def _bound(manager: PoolManager) -> PoolManager:
    pools: dict[str, Any] = {}
    pool: Any
    for scheme, pool in manager.pool_classes_by_scheme.items():
        parts = {"response_class": _Answer}
        connection = type("BoundedConnection", (_Connecting, pool.ConnectionCls), parts)
        pools[scheme] = type("BoundedPool", (pool,), {"ConnectionCls": connection})
    manager.pool_classes_by_scheme = pools
    return manager


class _Connecting:
    """The part of a connection that tells errors before there is a connection from those after it."""

    def connect(self) -> None:
        with _connecting():
            super().connect()  # type: ignore[misc]  # of the connection that this is a part of


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
