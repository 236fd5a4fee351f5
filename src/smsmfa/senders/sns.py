"""Send messages with Amazon SNS. boto3, the extra ``sns``, is imported when the first message is sent."""

import re
import threading
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..core.arguments import checked_timeout
from ..exceptions import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from ..typing import Message, Receipt
from .muted import muted
from .threads import SendingThreads

if TYPE_CHECKING:
    import boto3

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_SENDER_ID = re.compile(r"(?=[0-9-]*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?")
_NUMBER = re.compile(r"\+?[0-9]{5,14}", re.ASCII)
#: Packages that write requests, answers and addresses into their logs.
_TALKATIVE = "boto3", "botocore", "urllib3"

#: What the codes of AWS's errors mean where their HTTP status does not say it. From the model of SNS in botocore
#: (sns/2010-03-31/service-2.json), https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html and, for the pauses,
#: botocore's list of what it would retry as throttled.
_PAUSES = frozenset({
    "BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "Throttled", "ThrottledException", "Throttling",
    "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
_OPERATORS = frozenset({
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "ExpiredToken", "ExpiredTokenException",
    "IncompleteSignature", "InvalidAction", "InvalidClientTokenId", "InvalidSecurity", "MissingAuthenticationToken",
    "NotAuthorized", "NotFound", "OptInRequired", "RequestExpired", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
#: How SNS begins to say that it cannot send to a number; the code is that of every wrong parameter.
_BAD_NUMBER = "Invalid parameter: PhoneNumber"
#: Errors of botocore that come before anything is sent, and that somebody has to mend.
_UNSENT = (
    "CredentialRetrievalError", "EndpointProviderError", "InvalidConfigError", "InvalidRegionError",
    "NoCredentialsError", "NoRegionError", "ParamValidationError", "PartialCredentialsError", "ProfileNotFound",
    "SSOError",
)  # fmt: skip


class _Sns:
    """What the two senders share: all but how they wait."""

    def __init__(
        self,
        *,
        region: str | None = None,
        sender_id: str | None = None,
        from_number: str | None = None,
        session: "boto3.Session | None" = None,
        endpoint_url: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        if find_spec("boto3") is None:
            raise ConfigurationError('SnsSender needs boto3: pip install "smsmfa[sns]"')
        _require(region is None or _fits(_REGION, region), "region: of AWS, for example 'eu-central-1', or None")
        _require(
            sender_id is None or _fits(_SENDER_ID, sender_id),
            "sender_id: 1 to 11 letters, digits and inner hyphens, with a letter",
        )
        _require(from_number is None or _fits(_NUMBER, from_number), "from_number: 5 to 14 digits, with a + or without")
        _require(session is None or callable(getattr(session, "client", None)), "session: a boto3.Session, or None")
        _require(endpoint_url is None or isinstance(endpoint_url, str), "endpoint_url: a URL, or None for AWS's own")
        self._seconds = checked_timeout(timeout)
        self._region, self._endpoint, self._session = region, endpoint_url, session
        self._attributes = _attributes(sender_id, from_number)
        self._lock = threading.Lock()
        self._made: Any = None
        self._threads = SendingThreads("sns", self._seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(region={self._region!r})"

    def _client(self) -> Any:
        """Return the one client of this sender, made at the first call."""
        with self._lock:
            if self._made is None:
                import boto3
                from botocore.config import Config

                config = Config(
                    retries={"total_max_attempts": 1},
                    connect_timeout=self._seconds,
                    read_timeout=self._seconds,
                    max_pool_connections=32,
                )
                session = self._session or boto3.Session()
                self._made = session.client("sns", region_name=self._region, endpoint_url=self._endpoint, config=config)
            return self._made

    def _deliver(self, message: Message) -> Receipt:
        """Send ``message`` once; raise where no frame holds the request or the answer."""
        import boto3  # noqa: F401  # its loggers have to exist before they are muted

        with muted(*_TALKATIVE):
            outcome = self._outcome(message)
        if isinstance(outcome, SmsMfaError):
            raise outcome
        return outcome

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        if message.channel != "sms":
            return SenderMisconfigured(f"SNS has no {message.channel}, only SMS")
        try:
            answer = self._client().publish(
                PhoneNumber=message.to.e164, Message=message.text, MessageAttributes=self._attributes
            )
            message_id = answer.get("MessageId")
        except Exception as error:
            return _failure(error)
        if isinstance(message_id, str) and message_id:
            return Receipt(message_id=message_id, sender="sns")
        return DeliveryUncertain("SNS answered without a message id")


class SnsSender(_Sns):
    """A :class:`~smsmfa.typing.Sender` for Amazon SNS, safe to share between threads.

    Messages go out as transactional ones. Nothing is sent twice: the retries of boto3 are off, since SNS has no
    idempotency key for SMS. SNS takes messages that it drops later, for opted-out numbers or when the monthly spend is
    used up, and says so in the delivery log only; nor does it drop a message that has become late.

    Args:
        region: of AWS; ``None``: what boto3 finds in the environment or its files.
        sender_id: what is shown as the sender where the country allows it: 1 to 11 letters, digits and inner hyphens.
        from_number: an origination number or short code of the account; ``None``: AWS chooses.
        session: a ``boto3.Session`` with its credentials; ``None``: boto3's default chain.
        endpoint_url: another address than AWS's own, a VPC endpoint for example.
        timeout: how long SNS may take, once to accept a connection and once between two bytes of its answer; above
            zero, at most an hour.

    Raises:
        ConfigurationError: an argument is wrong, or boto3 is missing; the message says how to mend it.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once.

        Returns:
            A receipt with the message id of SNS.

        Raises:
            DeliveryRejected: certainly not sent: no connection, or an answer of 4xx.
            RecipientRejected: likewise, because SNS cannot send to this number; ``RecipientOptedOut`` where it says so.
            SenderMisconfigured: likewise: credentials, permissions or region; the certificate is not trusted; or the
                channel is not SMS.
            RateLimited: likewise: too many requests. SNS names no pause.
            DeliveryUncertain: perhaps sent: no answer in time, half of one, 5xx, or nothing that can be read.
        """
        return self._deliver(message)


class AsyncSnsSender(_Sns):
    """:class:`SnsSender` for asyncio, with the same arguments, in up to 16 threads of its own."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`SnsSender.send`; a message that finds no free thread within ``timeout`` is rejected.

        Cancelling the call does not stop a message that a thread has begun to send.
        """
        return await self._threads.run(self._deliver, message)


def _require(condition: object, advice: str) -> None:
    if not condition:
        raise ConfigurationError(advice)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _attributes(sender_id: str | None, from_number: str | None) -> dict[str, dict[str, str]]:
    """Return the attributes of every message (https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html)."""
    given = {
        "AWS.SNS.SMS.SMSType": "Transactional",
        "AWS.SNS.SMS.SenderID": sender_id,
        "AWS.MM.SMS.OriginationNumber": from_number,
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in given.items() if value is not None}


def _failure(error: Exception) -> SmsMfaError:
    from botocore import exceptions as known

    name = type(error).__name__
    if isinstance(error, known.ClientError):
        return _refusal(error)
    if isinstance(error, (known.EndpointConnectionError, known.ConnectTimeoutError)):
        return DeliveryRejected("SNS cannot be reached")
    if isinstance(error, known.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SenderMisconfigured("SNS's certificate is not trusted here: check CA certificates, proxy and clock")
    if isinstance(error, tuple(getattr(known, unsent) for unsent in _UNSENT if hasattr(known, unsent))):
        return SenderMisconfigured(f"boto3 cannot send: {name}; check region, credentials and permissions")
    return DeliveryUncertain(f"SNS gave no usable answer ({name})")


def _refusal(error: Any) -> SmsMfaError:
    """Judge an answer that is none of success."""
    told = error.response.get("Error", {})
    code, status = str(told.get("Code", "")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    name = f"SNS: HTTP {status}" + (f", {code}" if re.fullmatch(r"[A-Za-z]{1,64}", code) else "")
    if error.operation_name != "Publish":  # a role that could not be assumed: nothing was asked of SNS
        return SenderMisconfigured(f"boto3 gets no credentials: {error.operation_name} failed")
    if type(status) is not int or not 400 <= status < 500 or status == 408:
        return DeliveryUncertain(name)
    if status == 429 or code in _PAUSES:
        return RateLimited("carrier")
    if code == "OptedOut":
        return RecipientOptedOut(name)
    if str(told.get("Message", "")).startswith(_BAD_NUMBER):
        return RecipientRejected(f"{name}: it cannot send to this number")
    if status in {401, 403, 404} or code in _OPERATORS:
        return SenderMisconfigured(f"{name}; check region, credentials and permissions")
    return DeliveryRejected(name)
