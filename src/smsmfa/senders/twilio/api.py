"""Requests to Twilio's API: each is made once, and errors are returned. The SDK is imported at the first request."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ...exceptions import DeliveryError, SmsMfaError
from ..answer import json_object, retry_after
from ..silence import silenced
from ..threads import Once
from .access import Credentials, Place
from .errors import error_of, judge

if TYPE_CHECKING:
    from twilio.http import HttpClient
    from twilio.rest import Client

#: The parts of the API that are asked, each at a host of its own.
_DOMAINS = "api", "messaging", "accounts", "content", "voice"


@attrs.frozen
class Answer:
    """What Twilio answered.

    Args:
        status: the HTTP status.
        fields: the JSON object in the body, or ``None`` if there is none.
        headers: the headers.
    """

    status: int
    fields: Mapping[str, Any] | None = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether Twilio did what it was asked."""
        return 200 <= self.status < 300

    @property
    def code(self) -> int | None:
        """Twilio's error code, from its old error format or from RFC 9457."""
        code = (self.fields or {}).get("code")
        return code if type(code) is int and code != self.status else None

    def text(self, name: str) -> str | None:
        """Return a field if it is text and not empty, or ``None``."""
        value = (self.fields or {}).get(name)
        return value if isinstance(value, str) and value else None

    def error(self, now: int) -> SmsMfaError:
        """Return the error that the answer stands for; ``now`` is nanoseconds since the epoch."""
        name = "Twilio" if self.code is None else f"Twilio {self.code}"
        pause = retry_after(self.headers, now)
        return error_of(judge(self.status, self.code), name, pause, self.code)


class Api:
    """One account at Twilio, safe to share between threads.

    Args:
        credentials: the account, and what requests are authenticated by.
        seconds: how long Twilio may take to accept a connection, and again to answer.
        place: where requests go.
        http: the HTTP client that makes them; ``None`` for our own.
    """

    def __init__(
        self, credentials: Credentials, seconds: float, place: Place | None = None, http: "HttpClient | None" = None
    ) -> None:
        self.credentials = credentials
        self._seconds = seconds
        self._place = place or Place()
        self._http = http
        self._client: Once[Client] = Once(self._new_client)

    def get(self, path: str, *, domain: str = "api", **params: str) -> Answer | DeliveryError:
        """Read ``path`` of the account, or of another domain."""
        if domain != "api" and self.credentials.are_of_a_parent:
            return DeliveryError("with the credentials of the parent account only its own settings could be read")
        return self._ask("GET", self._path(path) if domain == "api" else path, domain, params=params)

    def post(self, path: str, form: Mapping[str, str]) -> Answer | DeliveryError:
        """Post ``form`` to ``path`` of the account. The error says whether the form certainly did not arrive."""
        return self._ask("POST", self._path(path), "api", data=dict(form))

    def _new_client(self) -> "Client":
        from twilio.rest import Client

        from ._http import BoundedHttpClient

        place, user, secret = self._place, self.credentials.user, self.credentials.secret
        http = self._http or BoundedHttpClient(self._seconds, direct=place.direct)
        named = {"region": place.region, "edge": place.edge}
        # The SDK takes an empty environment for a missing one, and would read os.environ.
        client = Client(user.reveal(), secret.reveal(), http_client=http, environment={"_": "1"}, **named)
        for domain in _DOMAINS:
            host = getattr(client, domain)  # its modules are loaded here, while Once holds its lock
            host.base_url = place.base_url or host.base_url
        return client

    def _path(self, path: str) -> str:
        return f"2010-04-01/Accounts/{self.credentials.account.reveal()}{path}.json"

    def _ask(self, method: str, path: str, domain: str, **sent: dict[str, str]) -> Answer | DeliveryError:
        """Ask once. Errors are returned, because the frames of a raised one would hold the text and the token."""
        asked = getattr(self._client(), domain)
        try:
            with silenced("twilio"):
                response = asked.request(method, path, timeout=self._seconds, **sent)
        except Exception as error:
            from ..session import failure_of

            return failure_of(error, "Twilio")
        return Answer(response.status_code, json_object(response.text), response.headers or {})
