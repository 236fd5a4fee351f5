"""An error of boto3 says whether to try again: only what has certainly stored nothing."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from smsmfa import StoreContention, StoreError
from smsmfa.stores.dynamodb.refusals import TryAgain, meaning


def refusal(code, status=400, reasons=None):
    """Return an error of DynamoDB."""
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    if reasons is not None:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "TransactWriteItems")


def cancelled(*reasons):
    return refusal("TransactionCanceledException", reasons=reasons)


def of(error, *, reads=False, count=2):
    """Return what an error means: its class, and for another attempt the final error's class and the lost places."""
    found = meaning(error, count, reads=reads, table="smsmfa")
    return (TryAgain, type(found.error), {*found.lost}) if isinstance(found, TryAgain) else type(found)


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize(
    "error, lost",
    [
        (cancelled("None", "ConditionalCheckFailed"), {1}),
        (cancelled("TransactionConflict", "ConditionalCheckFailed"), {0, 1}),
        (cancelled("ThrottlingError", "ConditionalCheckFailed"), {1}),
    ],
)
def test_lost_race(error, lost, reads):
    """A lost race is tried again, and is contention in the end; the keys that others changed are known."""
    assert (TryAgain, StoreContention, lost) == of(error, reads=reads)


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        cancelled("None", "ThrottlingError"),
        cancelled("ProvisionedThroughputExceeded", "None"),
        refusal("ProvisionedThroughputExceededException"),
        refusal("ThrottlingException"),
        refusal("RequestLimitExceeded"),
    ],
)
def test_too_busy(error, reads):
    """What is refused because the table is too busy is tried again, and is an error in the end."""
    assert (TryAgain, StoreError, set()) == of(error, reads=reads)


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        cancelled(),
        cancelled("None", "None"),
        cancelled("ConditionalCheckFailed"),
        cancelled("ConditionalCheckFailed", "ValidationError"),
        refusal("TransactionCanceledException"),
        refusal("TransactionInProgressException"),
        refusal("AccessDeniedException"),
        refusal(""),
        KeyError("Responses"),
        ValueError("zip"),
    ],
)
def test_final(error, reads):
    """What is not certain to have stored nothing, or cannot get better, is an error at once."""
    assert StoreError is of(error, reads=reads)


@pytest.mark.parametrize(
    "error",
    [
        refusal("InternalServerError", 500),
        refusal("ServiceUnavailable", 503),
        EndpointConnectionError(endpoint_url="http://db.example"),
        ReadTimeoutError(endpoint_url="http://db.example"),
    ],
)
def test_doubt(error):
    """A read whose answer is lost is tried again; a write may have been stored, so it is not."""
    assert (TryAgain, StoreError, set()) == of(error, reads=True)
    assert StoreError is of(error, reads=False)


def test_no_table():
    """An absent table is named, with what makes it."""
    found = meaning(refusal("ResourceNotFoundException"), 1, reads=True, table="smsmfa")

    assert "there is no table smsmfa; call create_table()" == str(found)


def test_says_nothing_else():
    """No text of DynamoDB and no address gets into an error's message."""
    for error in (refusal("AccessDeniedException"), EndpointConnectionError(endpoint_url="http://db.example")):
        found = meaning(error, 1, reads=False, table="smsmfa")
        assert "db.example" not in str(found)
        assert str(found) in {"DynamoDB refused: AccessDeniedException",
                              "DynamoDB gave no complete answer: EndpointConnectionError"}  # fmt: skip
