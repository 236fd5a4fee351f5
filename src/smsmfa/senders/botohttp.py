"""The HTTP session that we give to a client of boto3. Importing this module imports botocore and requests.

boto3's own session restarts its timeout at every byte, so a server that sends byte by byte could take forever.
"""

from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from requests import PreparedRequest

from .session import BoundedSession


def bounded(client: Any, timeout: float) -> Any:
    """Return a client of boto3, whose requests now end in time and follow no redirect.

    Args:
        client: the client. It keeps its CA certificates.
        timeout: seconds for connecting (to each address of the host), and again for the whole answer.
    """
    endpoint = client._endpoint
    endpoint.http_session = _Http(timeout, getattr(endpoint.http_session, "_verify", True))
    return client


class _Http:
    """What botocore's endpoints need of a session."""

    def __init__(self, timeout: float, verify: bool | str) -> None:
        self._session = BoundedSession(timeout)
        self._verify = verify

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Make one request. It raises the errors of :meth:`BoundedSession.ask`."""
        headers = {name: _text(value) for name, value in request.headers.items()}
        headers["Accept-Encoding"] = "identity"  # only the compressed size of an answer would be bounded
        status, answered, body = self._session.ask(
            request.method, request.url, data=request.body, headers=headers, auth=_unchanged, verify=self._verify
        )
        return AWSResponse(request.url, status, answered, _Body(body))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _Body:
    """A body that has been read, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _unchanged(request: PreparedRequest) -> PreparedRequest:
    """Add no credentials. Without this, requests would look for a password in ``~/.netrc``."""
    return request
