"""Send messages with Twilio: SMS, and calls and WhatsApp where they are set up.

The SDK is imported when the first message is sent.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from ...core.arguments import checked_timeout
from ...core.opaque import Opaque
from ...environment import opened, twilio_arguments
from ...exceptions import DeliveryError, DeliveryUncertain, SmsMfaError
from ...typing import Clock, Message, Receipt
from ...values import Finding
from ..threads import SendingThreads
from .api import Api
from .arguments import (
    check_credentials,
    checked_callback,
    checked_options,
    checked_sender,
    checked_sms_options,
    checked_voice,
    checked_whatsapp,
    fits,
    require,
)
from .forms import Origin, form_of

__all__ = ["AsyncTwilioSender", "TwilioSender"]

P = ParamSpec("P")
T = TypeVar("T")

_MESSAGE = re.compile(r"[SM]M[0-9a-f]{32}", re.IGNORECASE)


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
        voice_number: str | None = None,
        whatsapp_number: str | None = None,
        whatsapp_content_sid: str | None = None,
        status_callback: str | None = None,
        risk_check: str | None = "enable",
        message_intent: str | None = "otp",
        smart_encoded: bool = True,
        content_retention: str | None = None,
        address_retention: str | None = None,
        provide_feedback: bool = False,
        timeout: timedelta = timedelta(seconds=10),
        clock: Clock = time.time_ns,
    ) -> None:
        account, token = Opaque(account_sid), Opaque(auth_token)
        del account_sid, auth_token  # a traceback with locals shows neither, not even if they are swapped
        check_credentials(account, token)
        sender, self._shown = checked_sender(from_number, messaging_service_sid)
        require(callable(clock), "clock must be a function like time.time_ns")
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
        self._clock = clock
        self._api = Api(account, token, self._seconds)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Read the settings from variables named ``TWILIO_``; the page "Set up Twilio" lists them.

        Args:
            environment: names and values; ``None``: those of the process.
            arguments: what is not read, because it is here.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        opaque, given = opened(environment), Opaque(arguments)
        del environment, arguments  # what a traceback with locals shows of this frame must not be the token
        return cls(**twilio_arguments(opaque, given).reveal())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds a secret and cannot be pickled or copied; make another one")

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once."""
        outcome = self._outcome(message)
        if isinstance(outcome, SmsMfaError):
            raise outcome
        return outcome

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        now = self._clock()
        answer = self._api.post(*form_of(message, self._origin, now))
        if isinstance(answer, DeliveryError):
            return answer
        if not answer.ok:
            return answer.error(now)
        if answer.fields is None:
            return DeliveryUncertain(f"Twilio gave no usable answer (HTTP {answer.status} without a JSON object)")
        if sid := answer.text("sid"):
            return Receipt(message_id=sid, sender="twilio")
        return DeliveryUncertain("Twilio answered without a message SID")

    def _give_feedback(self, message_id: str) -> None:
        if not fits(_MESSAGE, message_id):
            raise ValueError("message_id must be SM or MM and 32 hexadecimal digits, as in the receipt of a message")
        answer = self._api.post(f"/Messages/{message_id}/Feedback", {"Outcome": "confirmed"})
        if isinstance(answer, DeliveryError):
            raise DeliveryError(f"no feedback was given: {answer}")
        if not answer.ok:
            raise DeliveryError(f"no feedback was given: Twilio answers HTTP {answer.status}")

    def _examine(self) -> tuple[Finding, ...]:
        from .check import examine

        return tuple(examine(self._api, self._origin))


class Direct(_Twilio):
    """Waits for Twilio where it is called."""

    def _run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return call(*arguments, **named)


class AsyncDirect(_Twilio):
    """Waits for Twilio in threads of its own."""

    @cached_property
    def _threads(self) -> SendingThreads:
        return SendingThreads("Twilio", self._seconds)

    async def _run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self._threads.run(call, *arguments, **named)


class TwilioSender(Direct):
    """A :class:`~smsmfa.typing.Sender` for Twilio, safe to share between threads.

    Nothing is sent twice: there is no retry of any kind, since Twilio has no idempotency key and may have taken a
    message whose answer failed (the page of Twilio's error 20500). It asks Twilio to drop what is still queued
    when the code expires.

    Args:
        account_sid: ``AC`` and 32 hexadecimal digits.
        auth_token: the account's secret; no ``repr``, log line, traceback or pickle shows it.
        from_number: an E.164 number, short code or alphanumeric sender ID of the account.
        messaging_service_sid: ``MG`` and 32 hexadecimal digits; give this or ``from_number``.
        voice_number: the E.164 number that calls come from; ``None``: ``from_number``, if it is one.
        whatsapp_number: the E.164 number of the account's WhatsApp sender.
        whatsapp_content_sid: ``HX`` and 32 hexadecimal digits: the approved template, whose variable 1 is the code.
            Without it WhatsApp takes a message only within 24 hours of the recipient's last one.
        status_callback: an ``https`` URL of yours (``http`` on loopback, for a stand-in of Twilio's) to which Twilio
            reports the fate of each message; see :class:`~smsmfa.senders.twilio.StatusCallback`.
        risk_check: ``"enable"`` or ``"disable"`` Twilio's protection against SMS pumping for an SMS; ``None``: what the
            account is set to.
        message_intent: what Twilio is told that an SMS is for; ``None``: nothing.
        smart_encoded: whether Twilio replaces characters that force UCS-2 by ones that look alike.
        content_retention: ``"discard"`` lets Twilio forget the text, ``"retain"`` keep it; not every account may.
        address_retention: ``"obfuscate"`` lets Twilio keep a part of the recipient's number, ``"retain"`` all of it.
        provide_feedback: whether :meth:`confirm` will be called for messages whose code came back.
        timeout: how long Twilio may take, once to accept a connection (for each of its addresses) and once to answer
            in full; above zero, at most an hour. Looking up the name takes what the system's resolver takes.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is wrong; the message says how to mend it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once, on its channel.

        Returns:
            A receipt with Twilio's SID of the message or the call.

        Raises:
            DeliveryRejected: certainly not sent. There was no connection, or an answer of 4xx (never carried out,
                says Twilio), or an error code that says so.
            RecipientRejected: certainly not sent, because of who it is to: no such number, a landline, fraud.
            RecipientOptedOut: certainly not sent: the recipient answered STOP.
            SenderMisconfigured: certainly not sent, and nothing will be before somebody mends the account, or sets up
                the channel.
            RateLimited: certainly not sent; the scope is ``"carrier"``, and ``retry_after`` what Twilio asks for.
            DeliveryUncertain: perhaps sent: no answer in time, half of one, 5xx, or nothing that can be read.
        """
        return self._run(self._deliver, message)

    def confirm(self, message_id: str) -> None:
        """Tell Twilio that the code of a message came back, so that it learns which routes deliver.

        Call it where no user waits, from a queue for example. Whether it succeeds changes nothing about a login.

        Args:
            message_id: of the receipt, or of the event that the message was sent with.

        Raises:
            DeliveryError: Twilio did not take it; trying again does no harm.
            ValueError: ``message_id`` is none of Twilio's; calls have none.
        """
        return self._run(self._give_feedback, message_id)

    def check(self) -> tuple[Finding, ...]:
        """Ask Twilio, before a user does, whether messages can go out; send none.

        It finds wrong credentials and those for tests, a trial, suspended or closed account, a number that is not the
        account's or cannot send, and a messaging service that is missing or has no sender. What could not be asked is
        ``"not checked"``, and never ``"ok"``. It makes up to six requests, each of which has the ``timeout``.

        Returns:
            A finding for each thing that was looked at.
        """
        return self._run(self._examine)


class AsyncTwilioSender(AsyncDirect):
    """:class:`TwilioSender` for asyncio, with the same arguments, in up to 16 threads of its own.

    The threads keep the loop free: the SDK's own asynchronous client has no timeout and repeats POST requests.
    """

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`TwilioSender.send`; a message that finds no free thread within ``timeout`` is rejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)

    async def confirm(self, message_id: str) -> None:
        """Like :meth:`TwilioSender.confirm`."""
        return await self._run(self._give_feedback, message_id)

    async def check(self) -> tuple[Finding, ...]:
        """Like :meth:`TwilioSender.check`; where no thread is free within ``timeout`` it raises DeliveryRejected."""
        return await self._run(self._examine)
