"""What the errors of AWS End User Messaging mean."""

import botocore.session
import pytest
import requests
from botocore.exceptions import ClientError, NoCredentialsError

from smsmfa.exceptions import (
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.senders.aws.errors import REASONS, failure

MODEL = botocore.session.get_session().get_service_model("pinpoint-sms-voice-v2")
#: Reasons that the models of the oldest botocore that we accept lack.
RECENT = {"CHANNEL_NOT_ENABLED", "COUNTRY_NOT_ENABLED", "INTERNATIONAL_SENDING_NOT_SUPPORTED"}


def answer(code, reason=None, status=400, **more):
    """Return the error that is raised for an answer of AWS's."""
    told = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, "Reason": reason}
    return failure(ClientError(told | more, "SendTextMessage"))


@pytest.mark.parametrize(
    "code, reason, status, expected, outage",
    [
        ("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT", 400, RecipientOptedOut, False),
        ("ConflictException", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION", 400, RecipientRejected, False),
        ("ConflictException", "DESTINATION_PHONE_NUMBER_NOT_VERIFIED", 400, SenderMisconfigured, False),
        ("ConflictException", "NO_ORIGINATION_IDENTITIES_FOUND", 400, SenderMisconfigured, False),
        ("ConflictException", "SOMETHING_NEW", 400, DeliveryRejected, False),
        ("ConflictException", None, 400, DeliveryRejected, False),
        ("ValidationException", "COUNTRY_NOT_ENABLED", 400, SenderMisconfigured, False),
        ("ValidationException", "OTHER", 400, DeliveryRejected, False),
        ("ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT", 400, SenderMisconfigured, True),
        ("ServiceQuotaExceededException", "DAILY_DESTINATION_CALL_LIMIT", 400, DeliveryRejected, False),
        ("AccessDeniedException", "ACCOUNT_DISABLED", 400, SenderMisconfigured, True),
        ("AccessDeniedException", None, 400, SenderMisconfigured, False),
        ("ResourceNotFoundException", None, 400, SenderMisconfigured, False),
        ("UnrecognizedClientException", None, 400, SenderMisconfigured, True),
        ("Other", None, 401, SenderMisconfigured, True),
        ("Other", None, 403, SenderMisconfigured, False),
        ("ThrottlingException", None, 400, RateLimited, True),
        ("Other", None, 429, RateLimited, True),
        ("InternalServerException", None, 500, DeliveryUncertain, True),
        ("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT", 500, DeliveryUncertain, True),
        ("RequestTimeout", None, 408, DeliveryUncertain, True),
        ("Moved", None, 307, DeliveryUncertain, False),
        ("Odd", None, None, DeliveryUncertain, True),
    ],
)
def test_answer(code, reason, status, expected, outage):
    """R33: what AWS refuses was not sent; after anything else than 4xx it may have been. AWS's own code is kept."""
    error = answer(code, reason, status)

    assert (expected, outage) == (type(error), error.outage)
    assert ("aws", reason or code) == (error.carrier, error.carrier_code)


def test_number():
    """A number that AWS does not accept is the recipient's matter; another field is not."""
    bad = answer("ValidationException", "FIELD_VALIDATION_FAILED", Fields=[{"Name": "DestinationPhoneNumber"}])
    other = answer("ValidationException", "FIELD_VALIDATION_FAILED", Fields=[{"Name": "MessageBody"}])

    assert (RecipientRejected, DeliveryRejected) == (type(bad), type(other))
    assert "AWS: HTTP 400, FIELD_VALIDATION_FAILED: AWS cannot send to this number" == str(bad)


@pytest.mark.parametrize("reason", ["+14155552671", 7, "A" * 65])
def test_odd_reason(reason):
    """T12: only what looks like a reason is shown."""
    assert "AWS: HTTP 400, ConflictException: AWS refuses the message" == str(answer("ConflictException", reason))


def test_code_of_another_kind():
    """T12: an answer without a usable code has none."""
    assert answer("+14155552671").carrier_code is None


def test_reasons():
    """Every reason of the table is one of the service's model."""
    enums = [MODEL.shape_for(name).enum for name in MODEL.shape_names if name.endswith("ExceptionReason")]

    assert set(REASONS) - RECENT <= {reason for enum in enums for reason in enum}


def test_every_error():
    """Each error that the model lists for messages is told apart by its code, without a reason."""
    for operation in ("SendTextMessage", "SendVoiceMessage"):
        found = {
            shape.name: type(answer(shape.name, status=500 if shape.name.startswith("Internal") else 400))
            for shape in MODEL.operation_model(operation).error_shapes
        }
        assert {
            "AccessDeniedException": SenderMisconfigured,
            "ConflictException": DeliveryRejected,
            "InternalServerException": DeliveryUncertain,
            "ResourceNotFoundException": SenderMisconfigured,
            "ServiceQuotaExceededException": DeliveryRejected,
            "ThrottlingException": RateLimited,
            "ValidationException": DeliveryRejected,
        } == found


@pytest.mark.parametrize(
    "problem, expected",
    [
        (ClientError({}, "AssumeRole"), SenderMisconfigured),
        (NoCredentialsError(), SenderMisconfigured),
        (requests.ReadTimeout(), DeliveryUncertain),
    ],
)
def test_no_answer(problem, expected):
    """Errors that are no answer of the service are judged as for every client of boto3."""
    assert expected is type(failure(problem))
