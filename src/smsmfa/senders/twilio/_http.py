"""The HTTP client that we give to Twilio's SDK. Importing this module imports the SDK and requests."""

import logging

from twilio.http import HttpClient
from twilio.http.response import Response

from ..session import BoundedSession


class BoundedHttpClient(HttpClient):  # type: ignore[misc]  # the SDK ships no py.typed
    """Makes each request once: no retries, no redirects, no log lines, and nothing of request or answer is kept.

    The SDK's own client has no timeout, and keeps the last request and answer as attributes.

    Args:
        timeout: seconds for connecting (to each address of the host), and again for the whole answer.
        direct: whether no proxy may see the requests.
    """

    def __init__(self, timeout: float, *, direct: bool = False) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=timeout)
        self._session = BoundedSession(timeout, direct=direct)

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
        """Make one request. The SDK passes ``timeout`` and ``allow_redirects``; they are ignored.

        Raises:
            AnswerTooLongError: the body is longer than 64 KiB.
            requests.RequestException: there was no connection, or no whole answer in time.
        """
        status, answered, body = self._session.ask(method, uri, params=params, data=data, headers=headers, auth=auth)
        return Response(status, body.decode("utf-8", "replace"), answered)
