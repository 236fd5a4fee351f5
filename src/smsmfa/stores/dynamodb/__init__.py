"""Keep records in Amazon DynamoDB, with boto3. Needs the extra ``dynamodb``."""

try:
    import boto3  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.dynamodb needs boto3: pip install "smsmfa[dynamodb]"', name="boto3"
    ) from _error

from .store import CLIENT_CONFIG, AsyncDynamoDbStore, DynamoDbStore

__all__ = ["CLIENT_CONFIG", "AsyncDynamoDbStore", "DynamoDbStore"]
