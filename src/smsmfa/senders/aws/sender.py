"""Send messages with AWS End User Messaging. boto3, the extra ``aws``, is imported when the first message is sent."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from ...core.arguments import checked_clock
from ...exceptions import DeliveryUncertain, SenderMisconfigured, SmsMfaError
from ...typing import Clock, Message, Receipt
from ...values import Finding
from ..base import TIMEOUT, AsyncRunner, Runner
from ..boto import CHECK, CREDENTIALS, TALKATIVE, BotoSender, code_of, fits, require
from ..india import TemplateIds, checked_india
from ..silence import silenced
from .calls import Origin, call_of
from .errors import failure

if TYPE_CHECKING:
    import boto3

#: The patterns of ``TextMessageOriginationIdentity`` and of the names of sets, in the service's model.
_IDENTITY = re.compile(r"[A-Za-z0-9_:/+-]{1,256}")
_NAME = re.compile(r"[A-Za-z0-9_:/-]{1,256}")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class _Aws(BotoSender):
    """What the two senders share."""

    _carrier = _extra = "aws"
    _service = "pinpoint-sms-voice-v2"

    def __init__(
        self,
        *,
        region: str | None = None,
        origination: str | None = None,
        voice_origination: str | None = None,
        configuration_set: str | None = None,
        protect_configuration: str | None = None,
        entity_id: str | None = None,
        template_ids: TemplateIds | None = None,
        session: "boto3.Session | None" = None,
        endpoint_url: str | None = None,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(region, session, endpoint_url, timeout)
        sms = _checked("origination", origination, _IDENTITY, "a phone number, sender id or pool of the account")
        voice = _checked("voice_origination", voice_origination, _IDENTITY, "a phone number or pool of the account")
        names = {
            "ConfigurationSetName": _checked("configuration_set", configuration_set, _NAME, "the name of one"),
            "ProtectConfigurationId": _checked("protect_configuration", protect_configuration, _NAME, "the id of one"),
        }
        self._origin = Origin(
            sms=sms,
            voice=voice or (sms if fits(_NUMBER, sms) else None),
            options={name: value for name, value in names.items() if value is not None},
            india=checked_india(entity_id, template_ids),
        )
        self._clock = checked_clock(clock)

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        import boto3  # noqa: F401  # only loggers that exist can be silenced

        with silenced(*TALKATIVE):
            try:
                name, call = call_of(message, self._origin, self._clock())
                answer = getattr(self._client(), name)(**call)
                message_id = answer.get("MessageId")
            except SenderMisconfigured as error:
                return error
            except Exception as error:
                return failure(error)
        if isinstance(message_id, str) and message_id:
            return Receipt(message_id=message_id, sender="aws")
        return DeliveryUncertain("AWS answered without a message id")

    def _examine(self, regions: Iterable[str]) -> tuple[Finding, ...]:
        """Ask AWS whether the account is in the sandbox."""
        import boto3  # noqa: F401  # only loggers that exist can be silenced

        with silenced(*TALKATIVE):
            try:
                attributes = self._client().describe_account_attributes()["AccountAttributes"]
                tiers = [one["Value"] for one in attributes if one["Name"] == "ACCOUNT_TIER"]
            except Exception as error:
                return (_unread(error),)
        return (_tier(tiers),)


class AwsSender(_Aws, Runner):
    """A :class:`~smsmfa.typing.Sender` for AWS End User Messaging (SMS and voice, v2), safe to share between threads.

    Each message is sent at most once: the retries of boto3 are off, because AWS has no idempotency key for messages.
    AWS is asked to drop a message that is still queued when its code expires. A call says the text, with a pause after
    each digit of the code.

    Args:
        region: an AWS region; ``None`` uses what boto3 finds in the environment or its files.
        origination: the phone number, sender id or pool that SMS come from, by its name, id or ARN; ``None`` lets AWS
            choose.
        voice_origination: the phone number or pool that calls come from; ``None`` uses ``origination`` if it is an
            E.164 number.
        configuration_set: the configuration set of every message, for delivery reports; its name or ARN.
        protect_configuration: the protect configuration of every message, its id or ARN; ``None`` uses that of the
            configuration set or the account.
        entity_id: for numbers in India: the id of your company in the registry there.
        template_ids: for numbers in India: the registered id of each text, by purpose, or by purpose and language, as
            for :class:`~smsmfa.senders.sns.SnsSender`.
        session: a ``boto3.Session`` with its credentials; ``None`` uses boto3's default chain.
        endpoint_url: an address other than AWS's own, for example a VPC endpoint.
        timeout: how long AWS may take to accept a connection (at each of its addresses), and again to answer in full;
            above zero, at most an hour.
        clock: nanoseconds since the epoch, like :func:`time.time_ns`, the default.

    Raises:
        ConfigurationError: an argument is wrong, or boto3 is not installed; the message says how to fix it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once, on its channel.

        Returns:
            A receipt with the message id from AWS.

        Raises:
            DeliveryRejected: certainly not sent: there was no connection, or AWS answered 4xx.
            RecipientRejected: certainly not sent: AWS cannot send to this number, or a protect configuration blocks it.
            RecipientOptedOut: certainly not sent: the recipient has opted out.
            SenderMisconfigured: certainly not sent: check credentials, permissions, region, origination and spending
                limit; or the channel is not set up; or no voice speaks the text; or a text to India has no id.
            RateLimited: certainly not sent: too many requests. AWS names no pause.
            DeliveryUncertain: perhaps sent: there was no complete, readable answer in time, or AWS answered 5xx.
        """
        return self._run(self._deliver, message)

    def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Ask AWS whether messages can be sent. No message is sent. It needs ``sms-voice:DescribeAccountAttributes``.

        Args:
            regions: ignored; one call does not say which countries AWS sends to.

        Returns:
            A list with one finding, about the credentials and the sandbox.
        """
        return self._run(self._examine, regions)


class AsyncAwsSender(_Aws, AsyncRunner):
    """:class:`AwsSender` for asyncio, with the same arguments. It sends in up to 16 threads."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`AwsSender.send`. If no thread is free within ``timeout`` it raises DeliveryRejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._run(self._deliver, message)

    async def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Like :meth:`AwsSender.check`. If no thread is free within ``timeout`` it raises DeliveryRejected."""
        return await self._run(self._examine, regions)


def _checked(name: str, value: str | None, pattern: re.Pattern[str], what: str) -> str | None:
    require(value is None or fits(pattern, value), f"{name}: {what}, or its ARN, or None")
    return value


def _tier(tiers: list[str]) -> Finding:
    if tiers == ["PRODUCTION"]:
        return Finding("aws", "ok", "the credentials work, and the account is not in the sandbox")
    if tiers == ["SANDBOX"]:
        advice = "ask AWS to move the account out of the sandbox before you go live"
        return Finding("aws", "warning", "the account is in the sandbox: it sends to verified numbers only", advice)
    return Finding("aws", "not checked", "AWS did not say whether the account is in the sandbox", "run the check again")


def _unread(error: Exception) -> Finding:
    """Return the finding about a check that failed."""
    if getattr(error, "operation_name", "") == "DescribeAccountAttributes":
        if code_of(error) in CREDENTIALS:
            return Finding("aws", "error", "AWS does not accept the credentials", CHECK)
        advice = "allow sms-voice:DescribeAccountAttributes, or look at the account in the console of AWS"
        return Finding("aws", "not checked", "AWS did not say whether the account is in the sandbox", advice)
    failed = failure(error)
    level = "error" if isinstance(failed, SenderMisconfigured) else "not checked"
    return Finding("aws", level, str(failed), "check the network, the region and the credentials; run the check again")
