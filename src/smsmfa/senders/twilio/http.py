"""The HTTP client that Twilio's SDK is given. Importing this module imports the SDK and requests."""

import logging
from typing import Any

from twilio.http import HttpClient
from twilio.http.response import Response

from ..bounded import AnswerTooLongError, body_of, bounded_session, distrusted, never_connected

__all__ = ["AnswerTooLongError", "BoundedHttpClient", "distrusted", "never_connected"]


class BoundedHttpClient(HttpClient):  # type: ignore[misc]  # the SDK ships no py.typed
    """Asks once: it retries nothing, follows no redirect, logs nothing and keeps neither request nor answer.

    The SDK's own client has no timeout, and keeps the last request and answer on itself.

    Args:
        timeout: seconds for connecting (to each address of the host), and again for the whole answer.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=timeout)
        self._timeouts = timeout, timeout
        self._session = bounded_session()

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
            body = body_of(answer)
        return Response(answer.status_code, body.decode("utf-8", "replace"), answer.headers)
