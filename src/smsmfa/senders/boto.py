"""The clients of boto3: how they are made, how their requests end in time, and what their errors mean."""

import re
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.arguments import checked_timeout
from ..exceptions import ConfigurationError, DeliveryError, DeliveryRejected, RateLimited, SenderMisconfigured
from .base import BaseSender
from .threads import Once

if TYPE_CHECKING:
    import boto3

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
#: Packages that log requests, answers and addresses.
TALKATIVE = "boto3", "botocore", "urllib3"

#: What AWS's error codes mean if the HTTP status does not say it. Sources: the models of the services in botocore,
#: https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html and, for the pauses, the codes that botocore would retry
#: as throttled.
PAUSES = frozenset({
    "BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "Throttled", "ThrottledException", "Throttling",
    "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
#: Codes that say that the credentials are wrong or the account is closed.
CREDENTIALS = frozenset({
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException",
    "InvalidClientTokenId", "InvalidSecurity", "InvalidSignatureException", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "OptInRequired", "RequestExpired", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
#: Codes that an operator must fix.
OPERATORS = CREDENTIALS | {
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "InvalidAction", "NotAuthorized", "NotFound",
    "ResourceNotFoundException", "UnknownOperationException",
}  # fmt: skip
#: Errors of botocore that occur before anything is sent, and that an operator must fix.
_UNSENT = (
    "CredentialRetrievalError", "EndpointProviderError", "InvalidConfigError", "InvalidRegionError",
    "NoCredentialsError", "NoRegionError", "ParamValidationError", "PartialCredentialsError", "ProfileNotFound",
    "SSOError",
)  # fmt: skip
CHECK = "check region, credentials and permissions"


class BotoSender(BaseSender):
    """A sender whose requests are made by a client of boto3."""

    #: The service's name in boto3, and the extra that brings boto3.
    _service: ClassVar[str]
    _extra: ClassVar[str]

    def __init__(
        self, region: str | None, session: "boto3.Session | None", endpoint_url: str | None, timeout: timedelta
    ) -> None:
        if find_spec("boto3") is None:
            name = type(self).__name__.removeprefix("Async")
            raise ConfigurationError(f'{name} needs boto3: pip install "smsmfa[{self._extra}]"')
        require(region is None or fits(_REGION, region), "region: an AWS region such as 'eu-central-1', or None")
        require(session is None or callable(getattr(session, "client", None)), "session: a boto3.Session, or None")
        require(endpoint_url is None or isinstance(endpoint_url, str), "endpoint_url: a URL, or None for AWS's own")
        self._seconds = checked_timeout(timeout)
        self._region, self._endpoint, self._session = region, endpoint_url, session
        self._client = Once(self._new_client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(region={self._region!r})"

    def _new_client(self) -> Any:
        import boto3
        from botocore.config import Config

        from .botohttp import bounded

        session = self._session or boto3.Session()
        config = Config(retries={"total_max_attempts": 1})
        client = session.client(self._service, region_name=self._region, endpoint_url=self._endpoint, config=config)
        return bounded(client, self._seconds)


def require(condition: object, advice: str) -> None:
    """Refuse an argument and say how to fix it."""
    if not condition:
        raise ConfigurationError(advice)


def fits(pattern: re.Pattern[str], value: object) -> bool:
    """Return whether a value is text that matches the pattern."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def code_of(error: Any) -> str:
    """Return the error code in an answer of AWS's, or an empty text if it is none."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if re.fullmatch(r"[A-Za-z]{1,64}", code) else ""


def status_of(error: Any) -> int:
    """Return the HTTP status of an answer of AWS's; 0: unknown."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if type(status) is int else 0


def failure_of(error: Exception, title: str) -> DeliveryError | RateLimited:
    """Return the error to raise for an error of boto3 that is no answer of the service.

    Args:
        error: the error.
        title: the name of the service, for the error text.
    """
    from botocore import exceptions as known

    from .session import failure_of as failed

    name = type(error).__name__
    if isinstance(error, known.ClientError):  # a role could not be assumed, so the service was not called
        return SenderMisconfigured(f"boto3 gets no credentials: {error.operation_name} failed", outage=True)
    if isinstance(error, known.ConnectionError | known.HTTPClientError):  # the service's own requests raise others
        return DeliveryRejected(f"boto3 gets no credentials: no answer from where they come from ({name})", outage=True)
    if isinstance(error, tuple(getattr(known, unsent) for unsent in _UNSENT if hasattr(known, unsent))):
        return SenderMisconfigured(f"boto3 cannot send ({name}); {CHECK}", outage=name != "ParamValidationError")
    return failed(error, title)
