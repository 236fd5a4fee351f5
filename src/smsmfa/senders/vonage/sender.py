"""Send SMS with Vonage's SMS API, over HTTP."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import urlencode

from ...core.arguments import checked_clock, checked_timeout
from ...core.opaque import Opaque
from ...environment import opened, vonage_arguments
from ...exceptions import ConfigurationError, DeliveryError, SenderMisconfigured, SmsMfaError
from ...texts.segments import culprit
from ...typing import SMS, Clock, Message, Receipt
from ...values import Finding
from ..address import checked_address
from ..base import TIMEOUT, AsyncRunner, BaseSender, Runner
from ..building import Poster
from .answer import outcome_of

__all__ = ["AsyncVonageSender", "VonageSender"]

#: Where the SMS API is.
HOST: Final = "https://rest.nexmo.com"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = re.compile(r"[A-Za-z0-9]{1,32}")
_SECRET = re.compile(r"[!-~]{8,}")
_FROM = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,6}|(?=[0-9 ]*[A-Za-z])[A-Za-z0-9 ]{1,11}")
#: The longest URL that Vonage accepts for one message, as its SDK checks it.
_LONGEST_URL = 100
#: The shortest and the longest time in milliseconds for which Vonage tries to deliver.
_TTL = 20_000, 604_800_000
_FORM = "application/x-www-form-urlencoded"


class _Vonage(BaseSender):
    """What the two senders share."""

    _carrier = "Vonage"
    _shown = ""  # shown in a traceback with locals if __init__ fails

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        from_number: str,
        status_callback: str | None = None,
        base_url: str = HOST,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        login, address = (Opaque(api_key), Opaque(api_secret)), Opaque(base_url)
        del api_key, api_secret, base_url  # a traceback with locals shows none of them, even if they are swapped
        _require(_fits(_KEY, login[0]), "api_key must be letters and digits, as on Vonage's dashboard")
        _require(_fits(_SECRET, login[1]), "api_secret must be text of 8 or more ASCII characters without white space")
        forms = "+ and 7 to 15 digits, 3 to 6 digits, or a name of 1 to 11 letters, digits and spaces"
        _require(_fits(_FROM, Opaque(from_number)), f"from_number must be {forms}")
        self._login, self._from = login, from_number.removeprefix("+")
        self._callback = _checked_callback(status_callback)
        self._seconds = checked_timeout(timeout)
        self._clock = checked_clock(clock)
        self._address = checked_address(address, "base_url", base=True)
        self._poster = Poster(f"{self._address.url}/sms/json", carrier="Vonage", timeout=timeout)
        self._shown = f"from_number='••••{from_number[-2:]}'"

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Read the arguments from variables named ``VONAGE_...``; the page "Set up Vonage" lists them.

        Args:
            environment: the variables; ``None`` means ``os.environ``.
            arguments: arguments that you pass yourself. Their variables are not read.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        opaque, given = opened(environment), Opaque(arguments)
        del environment, arguments  # a traceback with locals must not show the secret
        return cls(**vonage_arguments(opaque, given).reveal())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        if message.channel != SMS:
            return SenderMisconfigured(f"VonageSender sends SMS; it has no channel {message.channel!r}")
        now = self._clock()
        answer = self._poster.attempt(self._body(message, now), content_type=_FORM)
        return answer if isinstance(answer, DeliveryError) else outcome_of(answer, now)

    def _examine(self) -> tuple[Finding, ...]:
        from .check import examine

        return (examine(self._login, self._address.url, self._seconds, direct=self._address.is_loopback),)

    def _body(self, message: Message, now: int) -> bytes:
        key, secret = self._login
        form = {
            "api_key": key.reveal(),
            "api_secret": secret.reveal(),
            "from": self._from,
            "to": message.to.e164.removeprefix("+"),
            "text": message.text,
            "type": "text" if culprit(message.text) is None else "unicode",
            "ttl": str(_ttl(message.expires_at, now)),
            "client-ref": message.challenge_id,
        }
        return urlencode(form | self._callback).encode()


class VonageSender(_Vonage, Runner):
    """A :class:`~smsmfa.typing.Sender` for Vonage's SMS API, safe to share between threads. It needs no package.

    Each message is sent at most once: there are no retries and no redirects. Vonage is asked to drop a message that is
    still waiting when its code expires, but not before 20 seconds.

    Args:
        api_key: the account's API key.
        api_secret: its secret. No ``repr``, log line, traceback or pickle shows it.
        from_number: an E.164 number, short code or name that messages come from.
        status_callback: your ``https`` URL to which Vonage reports the fate of each message, at most 100 characters;
            ``None`` leaves it to the account's settings. See :class:`~smsmfa.senders.vonage.VonageCallback`.
        base_url: the address of the API: ``https://...``, or ``http://`` for a server in tests.
        timeout: how long Vonage may take to accept a connection (at each of its addresses), and again to answer in
            full; above zero, at most an hour. Resolving the name takes as long as the system's resolver takes.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to fix it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once, as an SMS.

        Returns:
            A receipt with Vonage's id of the message, or of its first segment.

        Raises:
            DeliveryRejected: certainly not sent: there was no connection, or Vonage refused every segment.
            RecipientRejected: certainly not sent, because of the recipient.
            SenderMisconfigured: certainly not sent, and no message will be sent until an operator fixes the account;
                or the channel is not ``"sms"``.
            RateLimited: certainly not sent. The scope is ``"carrier"``.
            DeliveryUncertain: perhaps sent: there was no complete, readable answer in time; Vonage answered 5xx or had
                an internal error; or it accepted a part of the segments.
        """
        return self._run(self._deliver, message)

    def check(self) -> tuple[Finding, ...]:
        """Ask Vonage for the account's balance, before a user needs a message. No message is sent.

        Returns:
            What was found about the credentials and the money. If Vonage cannot be asked it is ``"not checked"``.
        """
        return self._run(self._examine)


class AsyncVonageSender(_Vonage, AsyncRunner):
    """:class:`VonageSender` for asyncio, with the same arguments. It sends in up to 16 threads."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`VonageSender.send`. If no thread is free within ``timeout`` it raises DeliveryRejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)

    async def check(self) -> tuple[Finding, ...]:
        """Like :meth:`VonageSender.check`. If no thread is free within ``timeout`` it raises DeliveryRejected."""
        return await self._run(self._examine)


def _require(condition: bool, advice: str) -> None:
    if not condition:
        raise ConfigurationError(advice)


def _fits(pattern: re.Pattern[str], value: Opaque[Any]) -> bool:
    return isinstance(value.reveal(), str) and pattern.fullmatch(value.reveal()) is not None


def _checked_callback(url: str | None) -> dict[str, str]:
    """Return the form field of the URL for reports, or an empty form."""
    if url is None:
        return {}
    address = checked_address(Opaque(url), "status_callback")
    _require(len(address.url) <= _LONGEST_URL, f"status_callback must have at most {_LONGEST_URL} characters")
    return {"callback": address.url}


def _ttl(expires_at: datetime, now: int) -> int:
    """Return the milliseconds until the code expires, within the range that Vonage accepts."""
    left = ((expires_at - _EPOCH) // timedelta(microseconds=1) * 1000 - now) // 10**6
    shortest, longest = _TTL
    return min(max(left, shortest), longest)
