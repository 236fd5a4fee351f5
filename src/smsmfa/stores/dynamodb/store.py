"""A store in a table of Amazon DynamoDB."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from secrets import randbelow
from threading import Lock
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ...exceptions import ConfigurationError, StoreError
from ...typing import Change
from ..queues import Queues, Turn
from ..worker import Worker
from ..writes import DEADLINE, check_write
from .items import EXPIRES, Item, action, gets, parsed
from .refusals import TryAgain, meaning

T = TypeVar("T")

#: How many calls of an asynchronous store run at the same time.
_THREADS = 32
#: Connections for as many threads.
_CONNECTIONS = 50
#: The bounds of the random pauses before another attempt: the first, and the longest (microseconds).
_FIRST_PAUSE, _LONGEST_PAUSE = 5_000, 400_000

#: How to make the client: ``boto3.client("dynamodb", config=CLIENT_CONFIG)``.
CLIENT_CONFIG: Any = Config(
    retries={"total_max_attempts": 1, "mode": "standard"},
    connect_timeout=DEADLINE,
    read_timeout=DEADLINE,
    tcp_keepalive=True,
    max_pool_connections=_CONNECTIONS,
)


class DynamoDbStore:
    """Keeps records in a table of DynamoDB, one item for each key.

    An update is a ``TransactGetItems`` and a ``TransactWriteItems`` with a condition on every key that was read, also
    on absent and unchanged ones. DynamoDB deletes expired items itself.

    Args:
        client: a boto3 client of DynamoDB made with :data:`CLIENT_CONFIG`, or with your own whose retries are off: they
            would write again after a broken connection. Not a client of DAX, which is a cache.
        table: the table's name. All applications use it in one region: the replicas of a global table know nothing of
            each other's transactions.

    Raises:
        ConfigurationError: the client is of another kind, or tries again.
    """

    def __init__(self, client: Any, *, table: str = "smsmfa") -> None:
        if getattr(getattr(client, "meta", None), "service_model", None) is None:
            raise ConfigurationError('client: boto3.client("dynamodb", config=CLIENT_CONFIG)')
        if (client.meta.config.retries or {}).get("total_max_attempts") != 1:
            raise ConfigurationError('client: turn off its retries: boto3.client("dynamodb", config=CLIENT_CONFIG)')
        self._source = client
        self._table = table
        self._process = os.getpid()
        self._queues = Queues(Lock)

    def read(self, key: str) -> bytes | None:
        """Return the value of ``key``, or ``None`` if there is none.

        Raises:
            StoreError: DynamoDB failed.
        """
        attempts = _Attempts()
        while True:
            try:
                item = self._get([key])[key]
            except TryAgain as failure:
                attempts.wait(failure)
            else:
                return None if item is None else item.value

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store its writes, and return its outcome.

        Raises:
            ValueError: ``change`` wrote a key outside ``keys``, or an invalid entry. Nothing is stored.
            StoreContention: others kept changing the same keys for 5 seconds. Nothing is stored.
            StoreError: DynamoDB failed, or did not confirm what it did.
        """
        distinct = list(dict.fromkeys(keys))  # a transaction must not name an item twice
        attempts = _Attempts()
        self._queues = self._queues.at(os.getpid())
        contended = self._queues.contended(key.encode() for key in distinct)
        while True:
            with Turn(self._queues, contended, attempts.until):
                try:
                    return self._attempt(distinct, change)
                except TryAgain as error:
                    failure = error
            contended |= {distinct[place].encode() for place in failure.lost}
            attempts.wait(failure)

    def create_table(self) -> None:
        """Create the table unless it exists, and let DynamoDB delete its expired items.

        Raises:
            ConfigurationError: the table exists, and deletes items by another attribute.
            StoreError: DynamoDB failed.
        """
        try:
            self._create()
            self._expire()
        except (BotoCoreError, ClientError) as error:
            raise StoreError(f"the table {self._table} cannot be created") from error

    def ping(self) -> None:
        """Check that the table can be read.

        Raises:
            StoreError: it cannot.
        """
        self.read("ping")

    def close(self) -> None:
        """Close the client's connections. It opens others when they are needed."""
        self._source.close()

    @property
    def _client(self) -> Any:
        """The client. In a forked process, connections of the parent are closed first."""
        if self._process != os.getpid():
            self._source.close()
            self._process = os.getpid()
        return self._source

    def _attempt(self, keys: list[str], change: Change[T]) -> T:
        items = self._get(keys)
        changed, outcome = change({key: item.value for key, item in items.items() if item is not None})
        writes = dict(changed)
        for key, entry in writes.items():
            check_write(key, entry, items)
        if writes:
            self._put(items, writes)
        return outcome

    def _get(self, keys: list[str]) -> dict[str, Item | None]:
        """Return items that were current together."""
        if not keys:
            return {}
        try:
            return parsed(self._client.transact_get_items(TransactItems=gets(self._table, keys)), keys)
        except Exception as error:
            raise meaning(error, len(keys), reads=True, table=self._table) from error

    def _put(self, items: dict[str, Item | None], writes: dict[str, Any]) -> None:
        """Write if no item has changed since it was read."""
        actions = [action(self._table, key, item, writes) for key, item in items.items()]
        try:
            answer = self._client.transact_write_items(TransactItems=actions, ReturnConsumedCapacity="TOTAL")
            answer["ConsumedCapacity"]  # a piece of an answer would be without it
        except Exception as error:
            raise meaning(error, len(actions), reads=False, table=self._table) from error

    def _create(self) -> None:
        with suppress(self._client.exceptions.ResourceInUseException):  # it exists
            self._client.create_table(
                TableName=self._table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            )
        self._client.get_waiter("table_exists").wait(TableName=self._table, WaiterConfig={"Delay": 1})

    def _expire(self) -> None:
        described = self._client.describe_time_to_live(TableName=self._table)["TimeToLiveDescription"]
        if described["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}:
            if described["AttributeName"] != EXPIRES:
                raise ConfigurationError(f"the table {self._table} deletes items by another attribute than {EXPIRES!r}")
            return
        enabled = {"Enabled": True, "AttributeName": EXPIRES}
        self._client.update_time_to_live(TableName=self._table, TimeToLiveSpecification=enabled)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._table}>"


class AsyncDynamoDbStore:
    """:class:`DynamoDbStore` for asyncio. boto3 has no coroutines, so calls run in up to 32 threads.

    Args:
        client: as for :class:`DynamoDbStore`.
        table: as for :class:`DynamoDbStore`.
    """

    def __init__(self, client: Any, *, table: str = "smsmfa") -> None:
        self._store = DynamoDbStore(client, table=table)
        self._worker = Worker(timedelta(seconds=DEADLINE), _THREADS)

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`DynamoDbStore.read`."""
        return await self._worker.call(self._store.read, key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`DynamoDbStore.update`. If the task is cancelled, the update goes on in its thread."""
        outcome: T = await self._worker.call(self._store.update, keys, change)
        return outcome

    async def create_table(self) -> None:
        """Like :meth:`DynamoDbStore.create_table`."""
        await self._worker.call(self._store.create_table)

    async def ping(self) -> None:
        """Like :meth:`DynamoDbStore.ping`."""
        await self._worker.call(self._store.ping)

    async def close(self) -> None:
        """Like :meth:`DynamoDbStore.close`."""
        self._worker.end()
        self._store.close()

    def __repr__(self) -> str:
        return repr(self._store).replace("DynamoDbStore", type(self).__name__)


class _Attempts:
    """The attempts of one call."""

    def __init__(self) -> None:
        #: When the call gives up.
        self.until: float = time.monotonic() + DEADLINE
        self._longest = _FIRST_PAUSE

    def wait(self, failure: TryAgain) -> None:
        """Wait for a random time before the next attempt, or raise the error if there is no time for one."""
        pause = randbelow(self._longest) / 1e6
        if time.monotonic() + pause > self.until:
            raise failure.error from failure.__cause__
        time.sleep(pause)
        self._longest = min(2 * self._longest, _LONGEST_PAUSE)
