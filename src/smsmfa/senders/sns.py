"""Send messages with Amazon SNS. boto3, the extra ``sns``, is imported when the first message is sent."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..exceptions import (
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from ..typing import SMS, Message, Receipt
from ..values import Finding
from .base import TIMEOUT, AsyncRunner, Runner
from .boto import (
    CHECK,
    CREDENTIALS,
    OPERATORS,
    PAUSES,
    TALKATIVE,
    BotoSender,
    code_of,
    failure_of,
    fits,
    require,
    status_of,
)
from .india import TemplateIds, checked_india
from .silence import silenced

if TYPE_CHECKING:
    import boto3

_SENDER_ID = re.compile(r"(?=[0-9-]*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?")
_NUMBER = re.compile(r"\+?[0-9]{5,14}", re.ASCII)
#: How SNS's message begins if it cannot send to a number. The code is the same for every wrong parameter.
_BAD_NUMBER = "Invalid parameter: PhoneNumber"


class _Sns(BotoSender):
    """What the two senders share."""

    _carrier = _service = _extra = "sns"

    def __init__(
        self,
        *,
        region: str | None = None,
        sender_id: str | None = None,
        from_number: str | None = None,
        entity_id: str | None = None,
        template_ids: TemplateIds | None = None,
        session: "boto3.Session | None" = None,
        endpoint_url: str | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        super().__init__(region, session, endpoint_url, timeout)
        require(
            sender_id is None or fits(_SENDER_ID, sender_id),
            "sender_id: 1 to 11 letters, digits and inner hyphens, at least one letter",
        )
        require(from_number is None or fits(_NUMBER, from_number), "from_number: 5 to 14 digits, with or without +")
        self._attributes = {
            "AWS.SNS.SMS.SMSType": "Transactional",
            "AWS.SNS.SMS.SenderID": sender_id,
            "AWS.MM.SMS.OriginationNumber": from_number,
        }
        self._india = checked_india(entity_id, template_ids)

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        if message.channel != SMS:
            return SenderMisconfigured(f"SnsSender sends SMS only; it has no channel {message.channel!r}")
        import boto3  # noqa: F401  # only loggers that exist can be silenced

        with silenced(*TALKATIVE):
            return self._published(message)

    def _published(self, message: Message) -> Receipt | SmsMfaError:
        try:
            attributes = self._attributes_of(message)
            answer = self._client().publish(
                PhoneNumber=message.to.e164, Message=message.text, MessageAttributes=attributes
            )
            message_id = answer.get("MessageId")
        except SenderMisconfigured as error:
            return error
        except Exception as error:
            return _failure(error)
        if isinstance(message_id, str) and message_id:
            return Receipt(message_id=message_id, sender="sns")
        return DeliveryUncertain("SNS answered without a message id")

    def _attributes_of(self, message: Message) -> dict[str, dict[str, str]]:
        """Return the attributes of a message (https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html)."""
        entity, template = (self._india and self._india.ids(message)) or (None, None)
        given = self._attributes | {"AWS.MM.SMS.EntityId": entity, "AWS.MM.SMS.TemplateId": template}
        return {
            name: {"DataType": "String", "StringValue": value} for name, value in given.items() if value is not None
        }

    def _examine(self, regions: Iterable[str]) -> tuple[Finding, ...]:
        """Ask SNS whether the account is in the sandbox."""
        import boto3  # noqa: F401  # only loggers that exist can be silenced

        with silenced(*TALKATIVE):
            try:
                answer = self._client().get_sms_sandbox_account_status()
                return (_sandbox(answer.get("IsInSandbox")),)
            except Exception as error:
                return (_unread(error),)


class SnsSender(_Sns, Runner):
    """A :class:`~smsmfa.typing.Sender` for Amazon SNS, safe to share between threads.

    Messages are sent as transactional. Each message is sent at most once: the retries of boto3 are off, because SNS
    has no idempotency key for SMS. SNS accepts messages that it drops later, for opted-out numbers or when the monthly
    spending limit is reached, and says so only in its delivery log. It does not drop messages that are late.

    Args:
        region: an AWS region; ``None`` uses what boto3 finds in the environment or its files.
        sender_id: the sender that is shown if the country allows it: 1 to 11 letters, digits and inner hyphens.
        from_number: an origination number or short code of the account; ``None`` lets AWS choose.
        entity_id: for numbers in India: the id of your company in the registry there.
        template_ids: for numbers in India: the registered id of each text, by purpose, or by purpose and language. As
            with the texts, ``"enrollment"`` confirms a new number and ``"verification"`` serves every purpose without
            an id: ``{"enrollment": "1107...", "verification": {"en": "1107...", "hi": "1107..."}}``.
        session: a ``boto3.Session`` with its credentials; ``None`` uses boto3's default chain.
        endpoint_url: an address other than AWS's own, for example a VPC endpoint.
        timeout: how long SNS may take to accept a connection (at each of its addresses), and again to answer in full;
            above zero, at most an hour.

    Raises:
        ConfigurationError: an argument is wrong, or boto3 is not installed; the message says how to fix it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt with the message id from SNS.

        Raises:
            DeliveryRejected: certainly not sent: there was no connection, or SNS answered 4xx.
            RecipientRejected: certainly not sent: SNS cannot send to this number.
            RecipientOptedOut: certainly not sent: SNS says that the recipient has opted out.
            SenderMisconfigured: certainly not sent: check credentials, permissions and region; or the certificate is
                not trusted; or the channel is not SMS; or a text to India has no id.
            RateLimited: certainly not sent: too many requests. SNS names no pause.
            DeliveryUncertain: perhaps sent: there was no complete, readable answer in time, or SNS answered 5xx.
        """
        return self._run(self._deliver, message)

    def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Ask SNS whether messages can be sent. No message is sent. It needs ``sns:GetSMSSandboxAccountStatus``.

        Args:
            regions: ignored; SNS does not say which countries it sends to.

        Returns:
            A list with one finding, about the credentials and the sandbox.
        """
        return self._run(self._examine, regions)


class AsyncSnsSender(_Sns, AsyncRunner):
    """:class:`SnsSender` for asyncio, with the same arguments. It sends in up to 16 threads."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`SnsSender.send`. If no thread is free within ``timeout`` it raises DeliveryRejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)

    async def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Like :meth:`SnsSender.check`. If no thread is free within ``timeout`` it raises DeliveryRejected."""
        return await self._run(self._examine, regions)


def _sandbox(is_in_it: object) -> Finding:
    if is_in_it is True:
        advice = "ask AWS to move the account out of the SMS sandbox before you go live"
        return Finding("sns", "warning", "the account is in the sandbox: it sends to verified numbers only", advice)
    if is_in_it is False:
        return Finding("sns", "ok", "the credentials work, and the account is not in the sandbox")
    return Finding("sns", "not checked", "SNS did not say whether the account is in the sandbox", "run the check again")


def _unread(error: Exception) -> Finding:
    """Return the finding about a check that failed."""
    if getattr(error, "operation_name", "") == "GetSMSSandboxAccountStatus":
        code = code_of(error)
        if code in CREDENTIALS:
            return Finding("sns", "error", "SNS does not accept the credentials", CHECK)
        advice = "allow sns:GetSMSSandboxAccountStatus, or look at the account in the console of AWS"
        return Finding("sns", "not checked", "SNS did not say whether the account is in the sandbox", advice)
    failure = _failure(error)
    level = "error" if isinstance(failure, SenderMisconfigured) else "not checked"
    return Finding("sns", level, str(failure), "check the network, the region and the credentials; run the check again")


def _failure(error: Exception) -> SmsMfaError:
    """Return the error to raise for an error of boto3."""
    if getattr(error, "operation_name", "") != "Publish":
        return failure_of(error, "SNS")
    refusal = _judged(error)
    refusal.carrier_code = code_of(error) or None
    return refusal


def _judged(error: Any) -> DeliveryError | RateLimited:
    """Return the error to raise for an answer other than success."""
    code, status = code_of(error), status_of(error)
    name = f"SNS: HTTP {status}" + (f", {code}" if code else "")
    if not 400 <= status < 500 or status == 408:
        return DeliveryUncertain(name, outage=status not in range(300, 400))
    if status == 429 or code in PAUSES:
        return RateLimited("carrier")
    if code == "OptedOut":
        return RecipientOptedOut(name)
    if str(error.response["Error"].get("Message", "")).startswith(_BAD_NUMBER):
        return RecipientRejected(f"{name}: it cannot send to this number")
    if status in {401, 403, 404} or code in OPERATORS:
        return SenderMisconfigured(f"{name}; {CHECK}", outage=status == 401 or code in CREDENTIALS)
    return DeliveryRejected(name)
