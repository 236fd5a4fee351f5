"""What an error of boto3 says about an attempt: whether it may have stored something, and whether to try again."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from ...exceptions import StoreError
from ..queues import contended
from ..retries import Undone

_LOST_RACE = {"ConditionalCheckFailed", "TransactionConflict"}
#: The reasons of a cancelled transaction, then the codes of a whole request.
_TOO_BUSY = {
    "ProvisionedThroughputExceeded", "ThrottlingError",
    "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
}  # fmt: skip


class TryAgain(Undone):
    """Nothing was stored, and another attempt may succeed.

    Args:
        error: what to raise when there is no time for one.
        lost: the places of the keys that others changed.
    """

    def __init__(self, error: StoreError, lost: frozenset[int] = frozenset()) -> None:
        super().__init__(error)
        self.lost = lost


def meaning(error: Exception, count: int, *, reads: bool, table: str) -> TryAgain | StoreError:
    """Return what to raise for an error of boto3, or of its parsers, which have no common class.

    Whatever may have stored something is a ``StoreError``, also ``TransactionInProgressException``: it says that this
    very request is being carried out.

    Args:
        error: the error.
        count: how many keys the transaction has.
        reads: whether it only reads.
        table: the table's name, for the message.
    """
    if not isinstance(error, ClientError):
        failed = StoreError(f"DynamoDB gave no complete answer: {type(error).__name__}")
        again = reads and isinstance(error, BotoCoreError | BotoConnectionError | HTTPClientError)
        return TryAgain(failed) if again else failed
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code == "ResourceNotFoundException":
        return StoreError(f"there is no table {table}; call create_table()")
    failed = StoreError(f"DynamoDB refused: {code}")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
        return TryAgain(failed) if reads else failed
    reasons = _reasons(error.response, code, count)
    if not {*reasons} - {"None"} or not {*reasons} <= _LOST_RACE | _TOO_BUSY | {"None"}:
        return failed
    lost = frozenset(place for place, reason in enumerate(reasons) if reason in _LOST_RACE)
    return TryAgain(contended() if lost else failed, lost)


def _reasons(response: Any, code: str, count: int) -> list[str]:
    """Return why a request was refused. A cancelled transaction has a reason for each key, or its answer was cut."""
    if code != "TransactionCanceledException":
        return [code]
    reasons = [str(reason.get("Code")) for reason in response.get("CancellationReasons", ())]
    return reasons if len(reasons) == count else []
