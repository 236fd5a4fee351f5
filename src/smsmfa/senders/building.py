"""Parts for your own sender: an HTTP POST that ends in time, and silence for a package that logs what it sends.

The page "Write a sender" has an example.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs

from ..core.arguments import checked_clock, checked_timeout
from ..core.opaque import Opaque
from ..exceptions import DeliveryError
from ..typing import Clock
from .address import checked_address
from .answer import json_object, retry_after
from .base import TIMEOUT
from .silence import silenced
from .threads import Once

if TYPE_CHECKING:
    from requests import PreparedRequest

    from .session import BoundedSession

__all__ = ["HttpAnswer", "Poster", "silenced"]

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # only the compressed size of an answer would be bounded
    "User-Agent": "smsmfa",
}


@attrs.frozen
class HttpAnswer:
    """A complete answer to a POST.

    Args:
        status: the HTTP status.
        headers: the headers. The case of their names does not matter.
        body: the body, at most 64 KiB.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    @property
    def fields(self) -> dict[str, object] | None:
        """The JSON object in the body, or ``None`` if there is none."""
        return json_object(self.body)

    def pause(self, clock: Clock | None = None) -> timedelta | None:
        """Return the pause that ``Retry-After`` asks for, at most an hour, or ``None``.

        Args:
            clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.
        """
        return retry_after(self.headers, checked_clock(clock)())


class Poster:
    """Makes HTTP POST requests to one address, safe to share between threads.

    Each request is made once: it is not repeated, and no redirect is followed. Proxies and certificates are those of
    the environment (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``); loopback addresses are reached without a proxy. Nothing
    is logged.

    Args:
        url: ``https://...``, or ``http://...`` for a loopback address. The ``repr`` shows its host.
        carrier: the name of the carrier in error texts.
        timeout: how long the carrier may take to accept a connection (at each of its addresses), and again to answer
            in full; above zero, at most an hour. Resolving the name takes as long as the system's resolver takes.

    Raises:
        ConfigurationError: codes may not be sent to the address, or the timeout is wrong.
    """

    def __init__(self, url: str, *, carrier: str = "the gateway", timeout: timedelta = TIMEOUT) -> None:
        hidden = Opaque(url)
        del url  # a traceback with locals must not show it
        self._shown = ""
        self._address = Opaque(checked_address(hidden, "url"))
        self._shown = self._address.reveal().host
        self._carrier = carrier
        self._seconds = checked_timeout(timeout)
        self._session = Once(self._new_session)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    @property
    def host(self) -> str:
        """Scheme, host and port of the address."""
        return self._shown

    def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, *, content_type: str = "application/json"
    ) -> HttpAnswer:
        """Post ``body`` once, and return the answer, whatever its status is.

        Args:
            body: the body.
            headers: more headers, such as ``Authorization``.
            content_type: the type of the body.

        Raises:
            DeliveryRejected: certainly not sent: there was no connection.
            SenderMisconfigured: certainly not sent, and an operator must act: the certificate is not trusted, or the
                proxy refuses.
            DeliveryUncertain: perhaps sent: there was no complete answer in time, or it was longer than 64 KiB.
        """
        hidden = Opaque((body, headers))
        del body, headers  # a traceback with locals shows neither
        outcome = self.attempt(*hidden.reveal(), content_type=content_type)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    def attempt(
        self, body: bytes, headers: Mapping[str, str] | None = None, *, content_type: str = "application/json"
    ) -> HttpAnswer | DeliveryError:
        """Like :meth:`post`, but return the error: the frames of a raised one may hold the request."""
        session = self._session()
        sent: dict[str, Any] = {"headers": {"Content-Type": content_type, **_HEADERS, **(headers or {})}}
        try:
            with silenced("requests", "urllib3"):
                return HttpAnswer(*session.ask("POST", self._address.reveal().url, data=body, auth=_unchanged, **sent))
        except Exception as error:
            from .session import failure_of

            return failure_of(error, self._carrier)

    def _new_session(self) -> "BoundedSession":
        from .session import BoundedSession

        return BoundedSession(self._seconds, direct=self._address.reveal().is_loopback)


def _unchanged(request: "PreparedRequest") -> "PreparedRequest":
    """Add no credentials. Without this, requests would look for a password in ``~/.netrc``."""
    return request
