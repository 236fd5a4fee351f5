"""Send messages with Amazon SNS. boto3, the extra ``sns``, is imported when the first message is sent."""

import re
from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..core.arguments import checked_timeout
from ..exceptions import (
    ConfigurationError,
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
from .base import TIMEOUT, AsyncRunner, BaseSender, Runner, unreachable, untrusted
from .silence import silenced
from .threads import MOST_AT_ONCE, Once
from .unsent import unsent

if TYPE_CHECKING:
    import boto3

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_SENDER_ID = re.compile(r"(?=[0-9-]*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?")
_NUMBER = re.compile(r"\+?[0-9]{5,14}", re.ASCII)
#: Packages that log requests, answers and addresses.
_TALKATIVE = "boto3", "botocore", "urllib3"

#: What AWS's error codes mean if the HTTP status does not say it. Sources: the model of SNS in botocore
#: (sns/2010-03-31/service-2.json), https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html and, for the pauses,
#: the codes that botocore would retry as throttled.
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
#: Those that say that the credentials are wrong or the account is closed.
_CREDENTIALS = frozenset({
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidSecurity",
    "MissingAuthenticationToken", "OptInRequired", "RequestExpired", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
#: How SNS's message begins if it cannot send to a number. The code is the same for every wrong parameter.
_BAD_NUMBER = "Invalid parameter: PhoneNumber"
#: Errors of botocore that occur before anything is sent, and that an operator must fix.
_UNSENT = (
    "CredentialRetrievalError", "EndpointProviderError", "InvalidConfigError", "InvalidRegionError",
    "NoCredentialsError", "NoRegionError", "ParamValidationError", "PartialCredentialsError", "ProfileNotFound",
    "SSOError",
)  # fmt: skip
_CHECK = "check region, credentials and permissions"


class _Sns(BaseSender):
    """What the two senders share."""

    _carrier = "sns"

    def __init__(
        self,
        *,
        region: str | None = None,
        sender_id: str | None = None,
        from_number: str | None = None,
        session: "boto3.Session | None" = None,
        endpoint_url: str | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        if find_spec("boto3") is None:
            raise ConfigurationError('SnsSender needs boto3: pip install "smsmfa[sns]"')
        _require(region is None or _fits(_REGION, region), "region: an AWS region such as 'eu-central-1', or None")
        _require(
            sender_id is None or _fits(_SENDER_ID, sender_id),
            "sender_id: 1 to 11 letters, digits and inner hyphens, at least one letter",
        )
        _require(from_number is None or _fits(_NUMBER, from_number), "from_number: 5 to 14 digits, with or without +")
        _require(session is None or callable(getattr(session, "client", None)), "session: a boto3.Session, or None")
        _require(endpoint_url is None or isinstance(endpoint_url, str), "endpoint_url: a URL, or None for AWS's own")
        self._seconds = checked_timeout(timeout)
        self._region, self._endpoint, self._session = region, endpoint_url, session
        self._attributes = _attributes(sender_id, from_number)
        self._client = Once(self._new_client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(region={self._region!r})"

    def _new_client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=self._seconds,
            read_timeout=self._seconds,
            max_pool_connections=2 * MOST_AT_ONCE,
        )
        session = self._session or boto3.Session()
        return session.client("sns", region_name=self._region, endpoint_url=self._endpoint, config=config)

    def _outcome(self, message: Message) -> Receipt | SmsMfaError:
        if message.channel != SMS:
            return SenderMisconfigured(f"SnsSender sends SMS only; it has no channel {message.channel!r}")
        import boto3  # noqa: F401  # only loggers that exist can be silenced

        with silenced(*_TALKATIVE):
            return self._published(message)

    def _published(self, message: Message) -> Receipt | SmsMfaError:
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

    def _examine(self, regions: Iterable[str]) -> tuple[Finding, ...]:
        """Ask SNS whether the account is in the sandbox."""
        import boto3  # noqa: F401  # only loggers that exist can be silenced

        with silenced(*_TALKATIVE):
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
        session: a ``boto3.Session`` with its credentials; ``None`` uses boto3's default chain.
        endpoint_url: an address other than AWS's own, for example a VPC endpoint.
        timeout: how long SNS may take to accept a connection, and again between two bytes of its answer; above zero,
            at most an hour.

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
                not trusted; or the channel is not SMS.
            RateLimited: certainly not sent: too many requests. SNS names no pause.
            DeliveryUncertain: perhaps sent: there was no complete, readable answer in time, or SNS answered 5xx.
        """
        return self._run(self._deliver, message)

    def check(self, *, regions: Iterable[str] = ()) -> tuple[Finding, ...]:
        """Ask SNS whether messages can be sent. No message is sent. It needs ``sns:GetSMSSandboxAccountStatus``.

        Args:
            regions: ignored; SNS does not say which countries it sends to.

        Returns:
            One finding: the credentials, and whether the account is in the sandbox.
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
        code = _code_of(error)
        if code in _CREDENTIALS:
            return Finding("sns", "error", "SNS does not accept the credentials", _CHECK)
        advice = "allow sns:GetSMSSandboxAccountStatus, or look at the account in the console of AWS"
        return Finding("sns", "not checked", "SNS did not say whether the account is in the sandbox", advice)
    failure = _failure(error)
    level = "error" if isinstance(failure, SenderMisconfigured) else "not checked"
    return Finding("sns", level, str(failure), "check the network, the region and the credentials; run the check again")


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
    """Return the error to raise for an error of boto3."""
    from botocore import exceptions as known

    name = type(error).__name__
    if isinstance(error, known.ClientError):
        return _refusal(error)
    if isinstance(error, known.ProxyConnectionError) and "socks" in str(error.kwargs.get("proxy_url")):
        return SenderMisconfigured("boto3 uses no SOCKS proxy: give it an HTTP proxy", outage=True)
    if not_sent := unsent(error, "SNS"):
        return not_sent
    if isinstance(error, (known.EndpointConnectionError, known.ConnectTimeoutError, known.ProxyConnectionError)):
        return unreachable("SNS")
    if isinstance(error, known.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return untrusted("SNS")
    if isinstance(error, tuple(getattr(known, unsent) for unsent in _UNSENT if hasattr(known, unsent))):
        return SenderMisconfigured(f"boto3 cannot send ({name}); {_CHECK}", outage=name != "ParamValidationError")
    return DeliveryUncertain(f"SNS gave no usable answer ({name})", outage=isinstance(error, known.BotoCoreError))


def _refusal(error: Any) -> SmsMfaError:
    """Return the error to raise for an answer other than success."""
    refusal = _judged(error)
    code = _code_of(error)
    if isinstance(refusal, DeliveryError | RateLimited) and re.fullmatch(r"[A-Za-z]{1,64}", code):
        refusal.carrier_code = code
    return refusal


def _code_of(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _judged(error: Any) -> SmsMfaError:
    told = error.response.get("Error", {})
    code, status = _code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    name = f"SNS: HTTP {status}" + (f", {code}" if re.fullmatch(r"[A-Za-z]{1,64}", code) else "")
    if error.operation_name != "Publish":  # a role could not be assumed, so SNS was not called
        return SenderMisconfigured(f"boto3 gets no credentials: {error.operation_name} failed", outage=True)
    if type(status) is not int or not 400 <= status < 500 or status == 408:
        return DeliveryUncertain(name, outage=status not in range(300, 400))
    if status == 429 or code in _PAUSES:
        return RateLimited("carrier")
    if code == "OptedOut":
        return RecipientOptedOut(name)
    if str(told.get("Message", "")).startswith(_BAD_NUMBER):
        return RecipientRejected(f"{name}: it cannot send to this number")
    if status in {401, 403, 404} or code in _OPERATORS:
        return SenderMisconfigured(f"{name}; {_CHECK}", outage=status == 401 or code in _CREDENTIALS)
    return DeliveryRejected(name)
