"""Ask Twilio something, once, and say what came of it. The SDK is imported at the first question."""

import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs

from ...core.opaque import Opaque
from ...exceptions import DeliveryError, DeliveryRejected, DeliveryUncertain, SenderMisconfigured, SmsMfaError
from .errors import error_of, judge

if TYPE_CHECKING:
    from twilio.rest import Client

#: Whatever ``Retry-After`` says, nobody waits longer than this for it.
LONGEST_PAUSE = timedelta(hours=1)


@attrs.frozen
class Answer:
    """What Twilio answered.

    Args:
        status: the HTTP status.
        fields: the JSON object in the body, or ``None`` where there is none.
        headers: its headers.
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
        """Twilio's error code, in the old form of its errors and in that of RFC 9457."""
        code = (self.fields or {}).get("code")
        return code if type(code) is int and code != self.status else None

    def text(self, name: str) -> str | None:
        """Return a field, if there is one that is text and not empty."""
        value = (self.fields or {}).get(name)
        return value if isinstance(value, str) and value else None

    def error(self, now: int) -> SmsMfaError:
        """Return the error that it stands for, ``now`` being nanoseconds since the epoch."""
        name = "Twilio" if self.code is None else f"Twilio {self.code}"
        from ..bounded import retry_after

        pause = retry_after(self.headers, now)
        return error_of(judge(self.status, self.code), name, None if pause is None else min(pause, LONGEST_PAUSE))


class Api:
    """One account at Twilio, safe to share between threads.

    Args:
        account: its SID.
        token: its secret.
        seconds: how long Twilio may take, once to accept a connection and once to answer.
    """

    def __init__(self, account: Opaque[str], token: Opaque[str], seconds: float) -> None:
        self._account, self._token = account, token
        self._seconds = seconds
        self._lock = threading.Lock()
        self._made: Client | None = None

    def client(self) -> "Client":
        """Return the one SDK client of this account, made at the first call."""
        with self._lock:
            if self._made is None:
                from twilio.rest import Client

                from .http import BoundedHttpClient

                http = BoundedHttpClient(self._seconds)
                # An empty environment would be taken for none, and os.environ be read instead.
                client = Client(self._account.reveal(), self._token.reveal(), http_client=http, environment={"_": "1"})
                _ = client.api, client.messaging  # their modules load here, under the lock
                self._made = client
            return self._made

    def get(self, path: str, *, domain: str = "api", **params: str) -> Answer | DeliveryError:
        """Read ``path`` of the account, or of another domain."""
        return self._ask("GET", self._path(path) if domain == "api" else path, domain, params=params)

    def post(self, path: str, form: Mapping[str, str]) -> Answer | DeliveryError:
        """Post ``form`` to ``path`` of the account; an error says whether that certainly did not happen."""
        return self._ask("POST", self._path(path), "api", data=dict(form))

    def _path(self, path: str) -> str:
        return f"2010-04-01/Accounts/{self._account.reveal()}{path}.json"

    def _ask(self, method: str, path: str, domain: str, **sent: dict[str, str]) -> Answer | DeliveryError:
        """Ask once. Nothing is raised: the frames of the SDK's and of requests' errors hold text and token."""
        asked = getattr(self.client(), domain)
        try:
            response = asked.request(method, path, **sent)
        except Exception as error:
            return _failure(error)
        return Answer(response.status_code, _object(response.text), response.headers or {})


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _failure(error: Exception) -> DeliveryError:
    from ..bounded import distrusted, never_connected

    if never_connected(error):
        return DeliveryRejected("Twilio cannot be reached")
    if distrusted(error):
        return SenderMisconfigured("Twilio's certificate is not trusted here: check CA certificates, proxy and clock")
    return DeliveryUncertain(f"Twilio gave no usable answer ({type(error).__name__})")
