"""Send messages with Twilio's Programmable Messaging. Its SDK is imported when the first message is sent."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from ..exceptions import (
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    SenderMisconfigured,
)
from ..opaque import Opaque
from ..typing import Clock, Message, Receipt

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from twilio.rest import Client

_ACCOUNT = re.compile(r"AC[0-9a-f]{32}", re.IGNORECASE)
_SERVICE = re.compile(r"MG[0-9a-f]{32}", re.IGNORECASE)
#: Twilio promises nothing about a token but what HTTP Basic authentication needs.
_TOKEN = re.compile(r"[!-~]{16,}")
#: E.164, a short code, or an alphanumeric sender ID.
_FROM = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,6}|(?=[0-9 ]*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_TEST_FROM = re.compile(r"\+1500555000[0-9]")
_LONGEST_TIMEOUT = timedelta(hours=1)

#: Seconds that Twilio accepts as ``ValidityPeriod``.
_VALIDITY = 1, 36_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: How many messages an :class:`AsyncTwilioSender` hands over at the same time.
_THREADS = 16

#: What the codes of Twilio's answers mean (https://www.twilio.com/docs/api/errors). Twilio gives no word that they stay
#: as they are, so a code that is missing is judged by its HTTP status. Codes from 30000 usually come after the answer.
_CODES: dict[int, tuple[type[DeliveryError], str]] = {
    10001: (SenderMisconfigured, "the account is not active"),
    14107: (DeliveryRejected, "too many messages between these two numbers"),
    20003: (SenderMisconfigured, "wrong account SID or auth token, or the account is suspended"),
    20005: (SenderMisconfigured, "the account is not active"),
    20008: (SenderMisconfigured, "these are test credentials, which send nothing"),
    20404: (SenderMisconfigured, "no such account"),
    20429: (DeliveryRejected, "too many requests at the same time"),
    20500: (DeliveryUncertain, "internal error at Twilio"),
    20503: (DeliveryUncertain, "Twilio is unavailable"),
    20504: (DeliveryUncertain, "timeout at Twilio"),
    21211: (DeliveryRejected, "no such number"),
    21212: (SenderMisconfigured, "the from_number is not valid"),
    21408: (SenderMisconfigured, "the account's geographic permissions exclude this country"),
    21602: (SenderMisconfigured, "no message body"),
    21603: (SenderMisconfigured, "no from_number"),
    21604: (SenderMisconfigured, "no recipient"),
    21606: (SenderMisconfigured, "the from_number cannot send SMS for this account"),
    21607: (SenderMisconfigured, "a trial account has to send from its trial number"),
    21608: (SenderMisconfigured, "a trial account sends to verified numbers only"),
    21609: (SenderMisconfigured, "the status callback is not valid"),
    21610: (DeliveryRejected, "the recipient has opted out"),
    21611: (DeliveryRejected, "the queue of the from_number is full"),
    21612: (DeliveryRejected, "the number cannot be reached from this sender"),
    21614: (DeliveryRejected, "not a mobile number"),
    21617: (SenderMisconfigured, "the message is too long"),
    21618: (SenderMisconfigured, "the content of the message is not accepted"),
    21619: (SenderMisconfigured, "no message body"),
    21624: (SenderMisconfigured, "the validity period is not valid"),
    21635: (DeliveryRejected, "a landline cannot receive SMS"),
    21659: (SenderMisconfigured, "the from_number is not one of the account's numbers"),
    21660: (SenderMisconfigured, "the from_number belongs to another account"),
    21661: (SenderMisconfigured, "the from_number cannot send SMS"),
    21701: (SenderMisconfigured, "the messaging service does not exist"),
    21702: (SenderMisconfigured, "the messaging service is not available"),
    21703: (SenderMisconfigured, "the messaging service has no sender"),
    21704: (SenderMisconfigured, "the messaging service has no sender"),
    21705: (SenderMisconfigured, "the messaging service SID is not valid"),
    21712: (SenderMisconfigured, "the messaging service has no sender"),
    30001: (DeliveryRejected, "the queue is full"),
    30002: (SenderMisconfigured, "the account is suspended"),
    30003: (DeliveryUncertain, "the phone cannot be reached"),
    30004: (DeliveryUncertain, "the message was blocked"),
    30005: (DeliveryRejected, "no such number in use"),
    30006: (DeliveryRejected, "a landline, or a carrier that cannot be reached"),
    30007: (DeliveryUncertain, "the message was filtered"),
    30008: (DeliveryUncertain, "unknown error of the carrier"),
    30017: (DeliveryUncertain, "the carrier is congested"),
    30018: (DeliveryUncertain, "the sender ID is not registered"),
    30022: (DeliveryRejected, "too many messages for this 10DLC sender"),
    30023: (DeliveryRejected, "the daily limit of this 10DLC sender is reached"),
    30027: (DeliveryRejected, "the daily limit at the carrier is reached"),
    30032: (SenderMisconfigured, "the toll-free number is not verified"),
    30033: (SenderMisconfigured, "the 10DLC campaign is suspended"),
    30034: (SenderMisconfigured, "the from_number is not registered for 10DLC"),
    30035: (SenderMisconfigured, "the from_number is still being configured"),
    30036: (DeliveryRejected, "the validity period ended first"),
    30037: (SenderMisconfigured, "outbound messages are disabled"),
    30038: (DeliveryRejected, "codes to numbers of Twilio's are filtered"),
    30040: (SenderMisconfigured, "the sender ID is not registered"),
    30041: (SenderMisconfigured, "the sender ID is not registered"),
    30042: (SenderMisconfigured, "the sender ID is not registered"),
    30410: (DeliveryUncertain, "timeout at the carrier"),
    30450: (DeliveryRejected, "blocked as SMS pumping"),
    30453: (DeliveryRejected, "blocked as fraud"),
    30454: (DeliveryRejected, "the account's limit is reached"),
    30485: (DeliveryRejected, "blocked as fraud"),
    30500: (DeliveryUncertain, "internal error at Twilio"),
    30610: (DeliveryRejected, "quiet hours of the recipient"),
    30640: (DeliveryRejected, "the recipient is known to litigate"),
    63038: (DeliveryRejected, "the account's daily limit is reached"),
    572002: (SenderMisconfigured, "a trial account has to send from its trial number"),
    572005: (SenderMisconfigured, "a trial account sends to verified numbers only"),
}


class _Twilio:
    """What the two senders share: all but how they wait."""

    _shown = ""  # of a sender that is being made, in a traceback with locals

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        from_number: str | None = None,
        messaging_service_sid: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
        clock: Clock = time.time_ns,
    ) -> None:
        account, token = Opaque(account_sid), Opaque(auth_token)
        del account_sid, auth_token  # a traceback with locals shows neither, not even if they are swapped
        _require(_fits(_ACCOUNT, account), "account_sid must be AC and 32 hexadecimal digits, as in Twilio's console")
        _require(_fits(_TOKEN, token), "auth_token must be text of 16 or more ASCII characters without white space")
        sender, shown = _checked_sender(from_number, messaging_service_sid)
        usable = isinstance(timeout, timedelta) and timedelta(0) < timeout <= _LONGEST_TIMEOUT
        _require(usable, "timeout must be a timedelta above zero and of at most one hour")
        _require(callable(clock), "clock must be a function like time.time_ns")
        self._account, self._token = account, token
        self._sender, self._shown = sender, shown
        self._seconds = timeout.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._made: Client | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds a secret and cannot be pickled or copied; make another one")

    def _client(self) -> "Client":
        """Return the one SDK client of this sender, made at the first call."""
        with self._lock:
            if self._made is None:
                from twilio.rest import Client

                from ._twilio_http import BoundedHttpClient

                http = BoundedHttpClient(self._seconds)
                # An empty environment would be taken for none, and os.environ be read instead.
                client = Client(self._account.reveal(), self._token.reveal(), http_client=http, environment={"_": "1"})
                _ = client.messages  # its modules load here, under the lock
                self._made = client
            return self._made

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once; raise outside ``except``: the frames of the SDK's errors hold text and token."""
        outcome = self._outcome(message)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    def _outcome(self, message: Message) -> Receipt | DeliveryError:
        messages = self._client().messages
        validity = _validity(message.expires_at, self._clock())
        try:
            sid = messages.create(to=message.to.e164, body=message.text, validity_period=validity, **self._sender).sid
        except Exception as error:
            return _failure(error)
        if isinstance(sid, str) and sid:
            return Receipt(message_id=sid, sender="twilio")
        return DeliveryUncertain("Twilio answered without a message SID")


class TwilioSender(_Twilio):
    """A :class:`~smsmfa.typing.Sender` for Twilio, safe to share between threads.

    Nothing is sent twice: there is no retry of any kind, since Twilio has no idempotency key and may have taken a
    message whose answer failed (the page of Twilio's error 20500). It asks Twilio to drop what is still queued
    when the code expires.

    Args:
        account_sid: ``AC`` and 32 hexadecimal digits.
        auth_token: the account's secret; no ``repr``, log line, traceback or pickle shows it.
        from_number: an E.164 number, short code or alphanumeric sender ID of the account.
        messaging_service_sid: ``MG`` and 32 hexadecimal digits; give this or ``from_number``.
        timeout: how long Twilio may take, once to accept a connection (for each of its addresses) and once to answer
            in full; above zero, at most an hour. Looking up the name takes what the system's resolver takes.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to mend it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt with Twilio's message SID.

        Raises:
            DeliveryRejected: certainly not sent. There was no connection, or an answer of 4xx (never carried out,
                says Twilio), or an error code that says so.
            SenderMisconfigured: certainly not sent, and nothing will be before somebody mends the account.
            DeliveryUncertain: perhaps sent: no answer in time, half of one, 5xx, or nothing that can be read.
        """
        return self._deliver(message)


class AsyncTwilioSender(_Twilio):
    """:class:`TwilioSender` for asyncio, with the same arguments, in up to 16 threads of its own.

    The threads keep the loop free: the SDK's own asynchronous client has no timeout and repeats POST requests.
    """

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`TwilioSender.send`; a message that finds no free thread within ``timeout`` is rejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        import asyncio

        sending = self._threads.submit(self._deliver, message)
        waiting = asyncio.wrap_future(sending)
        try:
            await asyncio.wait([waiting], timeout=self._seconds)
            if sending.cancel():
                raise DeliveryRejected("Twilio: too many messages wait to be sent")
            return await waiting
        finally:
            waiting.cancel()

    @cached_property
    def _threads(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(_THREADS, thread_name_prefix="smsmfa-twilio")


def _require(condition: bool, advice: str) -> None:
    if not condition:
        raise ConfigurationError(advice)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    text = value.reveal() if isinstance(value, Opaque) else value
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _checked_sender(number: object, service: object) -> tuple[dict[str, str], str]:
    """Return who sends, first as the SDK takes it and then for a ``repr``."""
    _require((number is None) != (service is None), "give either from_number or messaging_service_sid")
    if number is None:
        _require(_fits(_SERVICE, service), "messaging_service_sid must be MG and 32 hexadecimal digits")
        return {"messaging_service_sid": str(service)}, f"messaging_service_sid='MG…{str(service)[-4:]}'"
    forms = "+ and 7 to 15 digits, a short code of 3 to 6 digits, or 1 to 11 letters, digits and spaces with a letter"
    _require(_fits(_FROM, number), f"from_number must be {forms}")
    _require(
        not _fits(_TEST_FROM, number), "from_number is a test number of Twilio's, which sends nothing; use your own"
    )
    return {"from_": str(number)}, f"from_number='••••{str(number)[-2:]}'"


def _validity(expires_at: datetime, now: int) -> int:
    """Return the rest of the code's life in whole seconds, rounded up, as far as Twilio takes it."""
    left = (expires_at - _EPOCH) // timedelta(microseconds=1) * 1000 - now
    shortest, longest = _VALIDITY
    return min(max(-(-left // 10**9), shortest), longest)


def _failure(error: Exception) -> DeliveryError:
    from twilio.base.exceptions import TwilioException

    from ._twilio_http import distrusted, never_connected

    if isinstance(error, TwilioException):
        return _refusal(getattr(error, "status", None), getattr(error, "code", None))
    if never_connected(error):
        return DeliveryRejected("Twilio cannot be reached")
    if distrusted(error):
        return SenderMisconfigured("Twilio's certificate is not trusted here: check CA certificates, proxy and clock")
    return DeliveryUncertain(f"Twilio gave no usable answer ({type(error).__name__})")


def _refusal(status: object, code: object) -> DeliveryError:
    """Judge an answer. Where the SDK finds no code of Twilio's in it, it repeats the HTTP status as the code."""
    if type(code) is int and code in _CODES:
        kind, meaning = _CODES[code]
        return kind(f"Twilio {code}: {meaning}")
    if type(status) is not int:  # an RFC 9457 body says what it likes, and may repeat the number
        return DeliveryUncertain("Twilio gave no usable answer")
    name = f"Twilio {code}" if type(code) is int and code != status else "Twilio"
    if status in {401, 403, 404}:
        return SenderMisconfigured(f"{name}: HTTP {status}; check the account SID and the auth token")
    if 400 <= status < 500 and status != 408:
        return DeliveryRejected(f"{name}: HTTP {status}")
    return DeliveryUncertain(f"{name}: HTTP {status}")
