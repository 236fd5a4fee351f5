"""Send messages with Twilio: SMS, and calls and WhatsApp if they are set up.

The SDK is imported when the first message is sent.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from ...core.arguments import checked_clock, checked_timeout
from ...core.opaque import Opaque
from ...environment import opened, twilio_arguments
from ...exceptions import DeliveryError, DeliveryUncertain, SmsMfaError
from ...typing import Clock, Message, Receipt
from ...values import Finding
from ..base import TIMEOUT, AsyncRunner, BaseSender, Runner
from .access import checked_client, checked_credentials, checked_place
from .api import Api
from .arguments import (
    checked_callback,
    checked_options,
    checked_sender,
    checked_sms_options,
    checked_voice,
    checked_whatsapp,
    fits,
)
from .forms import Origin, form_of
from .unknown import UnknownCodes

if TYPE_CHECKING:
    from twilio.http import HttpClient

__all__ = ["AsyncTwilioSender", "TwilioSender"]

_MESSAGE = re.compile(r"[SM]M[0-9a-f]{32}", re.IGNORECASE)


class _Twilio(BaseSender):
    """What the two senders share."""

    _carrier = "Twilio"
    _shown = ""  # shown in a traceback with locals if __init__ fails

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        from_number: str | None = None,
        messaging_service_sid: str | None = None,
        voice_number: str | None = None,
        whatsapp_number: str | None = None,
        whatsapp_content_sid: str | Mapping[str, str] | None = None,
        status_callback: str | None = None,
        risk_check: str | None = "enable",
        message_intent: str | None = "otp",
        smart_encoded: bool = True,
        content_retention: str | None = None,
        address_retention: str | None = None,
        provide_feedback: bool = False,
        region: str | None = None,
        edge: str | None = None,
        base_url: str | None = None,
        http_client: "HttpClient | None" = None,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        login, address = [Opaque(one) for one in (account_sid, auth_token, api_key, api_secret)], Opaque(base_url)
        del account_sid, auth_token, api_key, api_secret, base_url  # a traceback with locals shows none, even swapped
        credentials, place = checked_credentials(*login), checked_place(region, edge, address)
        sender, self._shown = checked_sender(from_number, messaging_service_sid)
        self._origin = Origin(
            sender=sender,
            options=checked_options(content_retention, address_retention, provide_feedback),
            sms_options=checked_sms_options(risk_check, message_intent, smart_encoded),
            voice_number=checked_voice(voice_number, sender),
            whatsapp=checked_whatsapp(whatsapp_number, whatsapp_content_sid, sender),
            content_sid=whatsapp_content_sid,
            status_callback=checked_callback(status_callback),
        )
        self._seconds = checked_timeout(timeout)
        self._clock = checked_clock(clock)
        self._api = Api(credentials, self._seconds, place, checked_client(http_client))
        self._unknown = UnknownCodes()

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Read the arguments from variables named ``TWILIO_...``; the page "Set up Twilio" lists them.

        Args:
            environment: the variables; ``None`` means ``os.environ``.
            arguments: arguments that you pass yourself. Their variables are not read.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        opaque, given = opened(environment), Opaque(arguments)
        del environment, arguments  # a traceback with locals must not show the token
        return cls(**twilio_arguments(opaque, given).reveal())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    @property
    def unknown_codes(self) -> Mapping[int, int]:
        """The error codes that this sender got and this version does not know, each with how often it came."""
        return self._unknown.counted()

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        now = self._clock()
        answer = self._api.post(*form_of(message, self._origin, now))
        if isinstance(answer, DeliveryError):
            return answer
        if not answer.ok:
            self._unknown.note(answer.code)
            return answer.error(now)
        if answer.fields is None:
            return DeliveryUncertain(f"Twilio gave no usable answer (HTTP {answer.status} without a JSON object)")
        if sid := answer.text("sid"):
            return Receipt(message_id=sid, sender="twilio")
        return DeliveryUncertain("Twilio answered without a message SID")

    def _give_feedback(self, message_id: str) -> None:
        if not fits(_MESSAGE, message_id):
            raise ValueError("message_id must be SM or MM and 32 hexadecimal digits, as in a message's receipt")
        answer = self._api.post(f"/Messages/{message_id}/Feedback", {"Outcome": "confirmed"})
        if isinstance(answer, DeliveryError):
            raise DeliveryError(f"no feedback was given: {answer}")
        if not answer.ok:
            raise DeliveryError(f"no feedback was given: Twilio answers HTTP {answer.status}")

    def _examine(self, regions: Iterable[str]) -> tuple[Finding, ...]:
        from .check import examine

        return tuple(examine(self._api, self._origin, frozenset(regions)))


class TwilioSender(_Twilio, Runner):
    """A :class:`~smsmfa.typing.Sender` for Twilio, safe to share between threads.

    Each message is sent at most once. There are no retries, because Twilio has no idempotency key and may have accepted
    a message although its answer was an error (the page of Twilio's error 20500). Twilio is asked to drop a message
    that is still queued when its code expires.

    Args:
        account_sid: ``AC`` and 32 hexadecimal digits.
        auth_token: the account's secret. No ``repr``, log line, traceback or pickle shows it. Give this, or a key.
        api_key: ``SK`` and 32 hexadecimal digits: an API key of the account. Or the SID of the parent account, if
            ``account_sid`` is its subaccount.
        api_secret: the secret of the key; the auth token of the parent account.
        from_number: an E.164 number, short code or alphanumeric sender ID of the account.
        messaging_service_sid: ``MG`` and 32 hexadecimal digits. Give this or ``from_number``.
        voice_number: the E.164 number that calls come from; ``None`` uses ``from_number`` if it is an E.164 number.
        whatsapp_number: the E.164 number of the account's WhatsApp sender.
        whatsapp_content_sid: ``HX`` and 32 hexadecimal digits: the approved template, whose variable 1 is the code. Or
            a mapping of language tags to templates, of which the first serves all other languages.
            Without a template WhatsApp accepts a message only within 24 hours of the recipient's last message.
        status_callback: your ``https`` URL to which Twilio reports the fate of each message (``http`` is accepted for
            loopback); see :class:`~smsmfa.senders.twilio.StatusCallback`.
        risk_check: ``"enable"`` or ``"disable"`` Twilio's protection against SMS pumping; ``None`` leaves the account's
            setting.
        message_intent: the purpose that Twilio is told for an SMS; ``None`` tells none.
        smart_encoded: whether Twilio replaces characters that force UCS-2 with ones that look alike.
        content_retention: whether Twilio keeps the text (``"retain"``) or deletes it (``"discard"``); not every account
            may choose.
        address_retention: whether Twilio keeps the recipient's whole number (``"retain"``) or a part
            (``"obfuscate"``).
        provide_feedback: whether you will call :meth:`confirm` for messages whose code came back.
        region: Twilio's region that holds the account's data, such as ``"ie1"``. It needs credentials of that region.
        edge: where requests enter Twilio's network, such as ``"dublin"``; ``None`` leaves it to Twilio. Without a
            ``region`` it is that of ``us1``.
        base_url: an address that replaces all hosts of Twilio's, for a proxy or a server in tests: ``https://...``, or
            ``http://`` for loopback.
        http_client: your own ``twilio.http.HttpClient``, used by all threads, for example for a proxy or a client
            certificate. It must make each request once, follow no redirect, and end within the ``timeout`` that it is
            given; the SDK's own client keeps the last text and code in memory. ``None`` means ours, one per sender.
        timeout: how long Twilio may take to accept a connection (at each of its addresses), and again to answer in
            full; above zero, at most an hour. Resolving the name takes as long as the system's resolver takes.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to fix it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once, on its channel.

        Returns:
            A receipt with Twilio's SID of the message or the call.

        Raises:
            DeliveryRejected: certainly not sent: there was no connection, Twilio answered 4xx (it says that such
                requests were never carried out), or its error code says so.
            RecipientRejected: certainly not sent, because of the recipient: no such number, a landline, or fraud.
            RecipientOptedOut: certainly not sent: the recipient answered STOP.
            SenderMisconfigured: certainly not sent, and no message will be sent until an operator fixes the account
                or sets up the channel.
            RateLimited: certainly not sent. The scope is ``"carrier"``; ``retry_after`` is the pause Twilio asks for.
            DeliveryUncertain: perhaps sent: there was no complete, readable answer in time, or Twilio answered 5xx.
        """
        return self._run(self._deliver, message)

    def confirm(self, message_id: str) -> None:
        """Tell Twilio that the code of a message came back, so that it learns which routes deliver.

        Call it where no user waits, for example from a queue. Its result has no effect on logins.

        Args:
            message_id: the id from the receipt, or from the event of the message.

        Raises:
            DeliveryError: Twilio did not accept the feedback. You may try again.
            ValueError: ``message_id`` is not the id of a message of Twilio's. Calls take no feedback.
        """
        return self._run(self._give_feedback, message_id)

    def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Ask Twilio whether messages can be sent, before a user needs one. No message is sent.

        It finds wrong or test credentials; a trial, suspended or closed account; a number that does not belong to the
        account, cannot send or is not registered; a messaging service that is missing or has no sender; a sender or
        template that does not work on WhatsApp; missing money; and countries that the account may not send to. If
        Twilio cannot be asked, the finding is ``"not checked"``, never ``"ok"``. It makes up to fifty requests, usually
        about six, each with the ``timeout``.

        Args:
            regions: the countries that you send to, as in ``FactorConfig``; without them they are not checked.

        Returns:
            A finding for each thing that was checked.
        """
        return self._run(self._examine, regions)


class AsyncTwilioSender(_Twilio, AsyncRunner):
    """:class:`TwilioSender` for asyncio, with the same arguments. It sends in up to 16 threads.

    It does not use the SDK's asynchronous client, which has no timeout and repeats POST requests.
    """

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`TwilioSender.send`. If no thread is free within ``timeout`` it raises DeliveryRejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)

    async def confirm(self, message_id: str) -> None:
        """Like :meth:`TwilioSender.confirm`."""
        return await self._run(self._give_feedback, message_id)

    async def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Like :meth:`TwilioSender.check`. If no thread is free within ``timeout`` it raises DeliveryRejected."""
        return await self._run(self._examine, regions)
