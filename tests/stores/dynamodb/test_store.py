"""The store on DynamoDB, which moto plays: the test kit, one transaction for each update, and broken answers."""

import time
from contextlib import contextmanager, suppress
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from stores.dynamodb.server import dynamodb
from stores.postgres.pools import Called
from stores.short import short
from support import Factor

from smsmfa import ConfigurationError, StoreContention, StoreError
from smsmfa.stores.dynamodb import CLIENT_CONFIG, AsyncDynamoDbStore, DynamoDbStore
from smsmfa.stores.dynamodb import store as dynamodb_store
from smsmfa.stores.dynamodb.items import CLOCK_SKEW
from smsmfa.testing import AsyncStoreConformance, StoreConformance
from smsmfa.testing.stores.suite import fresh, increment, look, put
from smsmfa.typing import Entry

#: moto can be slow on a busy machine.
PATIENT = CLIENT_CONFIG.merge(Config(read_timeout=60))


@pytest.fixture(scope="module")
def database():
    """A database with the table, and the address of its server."""
    with dynamodb() as (moto, address):
        DynamoDbStore(client(address)).create_table()
        yield moto, address


def client(address, config=PATIENT, **changes):
    """Return a client of the server at an address."""
    own = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"} | changes
    return boto3.client("dynamodb", endpoint_url="http://{}:{}".format(*address), config=config, **own)


class OnMoto:
    """A table for each check, because moto copies it for each transaction.

    moto deletes no items; the disturbance does, with a clock that is as far ahead as DynamoDB's may be.
    """

    shared = processes = fork = True
    server = "127.0.0.1", 1
    rounds, examples, patience, duration = 5, 5, 0.05, 0.2
    time_limit = 60.0

    @pytest.fixture(autouse=True)
    def _server(self, database):
        self.moto, self.server = database
        self.table = f"smsmfa_{uuid4().hex}"
        DynamoDbStore(client(self.server), table=self.table).create_table()
        yield
        client(self.server).delete_table(TableName=self.table)

    def __getstate__(self):
        return {"server": self.server, "table": self.table}

    def make_store(self):
        return self.make_store_at(*self.server)

    def make_store_at(self, host, port):
        return DynamoDbStore(client((host, port)), table=self.table)

    @contextmanager
    def failing(self):
        self.moto.throttled = True
        yield
        self.moto.throttled = False

    def disturb(self):
        db, now = client(self.server), {":now": {"N": str(int(time.time()) + CLOCK_SKEW)}}
        expired = {"FilterExpression": "expires < :now", "ExpressionAttributeValues": now}
        for item in db.scan(TableName=self.table, ConsistentRead=True, **expired)["Items"]:
            self._delete(db, item["key"], now)

    def _delete(self, db, key, now):
        with suppress(db.exceptions.ConditionalCheckFailedException):  # it was written again
            db.delete_item(
                TableName=self.table, Key={"key": key}, ConditionExpression="expires < :now",
                ExpressionAttributeValues=now,
            )  # fmt: skip


class OnALoop(OnMoto):
    fork = False

    async def make_store(self):
        return await self.make_store_at(*self.server)

    async def make_store_at(self, host, port):
        return AsyncDynamoDbStore(client((host, port)), table=self.table)


@short
class TestDynamoDbStore(OnMoto, StoreConformance):
    pass


@short
class TestAsyncDynamoDbStore(OnALoop, AsyncStoreConformance):
    pass


@pytest.mark.thorough
class TestDynamoDbStoreThoroughly(OnMoto, StoreConformance):
    rounds, time_limit = 3, 300.0

    @pytest.fixture(autouse=True)
    def _patience(self, monkeypatch):
        """moto can be slow on a busy machine."""
        monkeypatch.setattr(dynamodb_store, "DEADLINE", 20.0)


@pytest.fixture(params=["threads", "asyncio"])
def store(request, database):
    """A store of either kind; the one for asyncio is called from threads."""
    _, address = database
    if request.param == "threads":
        yield DynamoDbStore(client(address))
        return
    store = Called(lambda: AsyncDynamoDbStore(client(address)))
    yield store
    store.close()
    store.loop.close()


class TestSetUp:
    def test_create_again(self, store):
        """A table that exists stays as it is."""
        [key] = fresh("k")
        put(store, {key: b"1"})
        store.create_table()
        store.ping()

        assert b"1" == store.read(key)

    def test_expiry(self, database):
        """DynamoDB deletes expired items of a table that was made here."""
        described = client(database[1]).describe_time_to_live(TableName="smsmfa")["TimeToLiveDescription"]

        assert {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"} == described

    def test_other_expiry(self, database):
        """A table that deletes items by another attribute is refused."""
        db = client(database[1])
        db.create_table(
            TableName="others", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        )  # fmt: skip
        enabled = {"Enabled": True, "AttributeName": "other"}
        db.update_time_to_live(TableName="others", TimeToLiveSpecification=enabled)

        with pytest.raises(ConfigurationError, match="the table others deletes items by another attribute"):
            DynamoDbStore(db, table="others").create_table()

    def test_no_table(self, database):
        """An absent table is named."""
        with pytest.raises(StoreError, match="there is no table absent; call create_table"):
            DynamoDbStore(client(database[1]), table="absent").ping()

    def test_cannot_create(self):
        """If the table cannot be made, the driver's error is the cause."""
        with pytest.raises(StoreError, match="the table smsmfa cannot be created") as caught:
            DynamoDbStore(client(("127.0.0.1", 1))).create_table()
        assert "EndpointConnectionError" == type(caught.value.__cause__).__name__

    @pytest.mark.parametrize("kind", [DynamoDbStore, AsyncDynamoDbStore])
    def test_client(self, database, kind):
        """A client that tries again, or that is none, is refused."""
        with pytest.raises(ConfigurationError, match="turn off its retries"):
            kind(client(database[1], Config()))
        with pytest.raises(ConfigurationError, match=r"client: boto3\.client"):
            kind("dynamodb")
        kind(client(database[1], Config(retries={"max_attempts": 0})))

    def test_repr(self, database):
        """A store shows its class and its table."""
        assert "<DynamoDbStore smsmfa>" == repr(DynamoDbStore(client(database[1])))
        assert "<AsyncDynamoDbStore t>" == repr(AsyncDynamoDbStore(client(database[1]), table="t"))


class TestTransactions:
    def test_requests(self, store, database):
        """An update that writes takes two requests, one that refuses and a read take one."""
        moto, _ = database
        keys = fresh("a", "b")
        moto.asked.clear()
        store.update(keys, increment(*keys))
        assert ["TransactGetItems", "TransactWriteItems"] == moto.asked
        moto.asked.clear()
        look(store, keys)
        store.read(keys[0])
        assert ["TransactGetItems"] * 2 == moto.asked

    def test_no_keys(self, store, database):
        """An update without keys asks nothing."""
        database[0].asked.clear()
        assert "done" == store.update([], lambda values: ({}, "done"))
        assert [] == database[0].asked

    def test_repeated_key(self, store):
        """A key that is named twice is one."""
        [key] = fresh("k")
        store.update([key, key], increment(key))

        assert b"1" == store.read(key)

    def test_throttled(self, store, database, monkeypatch):
        """A table that stays too busy is an error in the end."""
        monkeypatch.setattr(dynamodb_store, "DEADLINE", 0.05)
        moto, [key] = database[0], fresh("k")
        moto.throttled = True
        try:
            with pytest.raises(StoreError, match="DynamoDB refused: ProvisionedThroughputExceeded") as caught:
                store.update([key], increment(key))
        finally:
            moto.throttled = False
        assert not isinstance(caught.value, StoreContention)
        assert store.read(key) is None

    def test_contention(self, database, monkeypatch):
        """An update that loses every race is contention in the end."""
        monkeypatch.setattr(dynamodb_store, "DEADLINE", 0.2)
        one, other, [key] = DynamoDbStore(client(database[1])), DynamoDbStore(client(database[1])), fresh("k")

        def change(values):
            put(other, {key: b"other"})
            return {key: Entry(b"mine")}, None

        with pytest.raises(StoreContention):
            one.update([key], change)
        assert b"other" == one.read(key)

    def test_unavailable(self, monkeypatch):
        """A read that finds no server tries again, then fails."""
        monkeypatch.setattr(dynamodb_store, "DEADLINE", 0.05)
        with pytest.raises(StoreError, match="no complete answer: EndpointConnectionError"):
            DynamoDbStore(client(("127.0.0.1", 1))).read("k")

    def test_piece_of_an_answer(self, database, monkeypatch):
        """A write whose answer does not say what it used is in doubt."""
        store = DynamoDbStore(client(database[1]))
        monkeypatch.setattr(store._source, "transact_write_items", lambda **_: {})
        [key] = fresh("k")
        with pytest.raises(StoreError, match="no complete answer: KeyError"):
            store.update([key], increment(key))

    def test_fork(self, database, monkeypatch):
        """In a forked process the connections of the parent are closed first, once."""
        store, closed = DynamoDbStore(client(database[1])), []
        monkeypatch.setattr(store._source, "close", lambda: closed.append(1))
        store.ping()
        store._process -= 1
        store.ping()
        store.ping()

        assert [1] == closed


def test_login(database):
    """A user enrols and logs in."""
    factor = Factor(store=DynamoDbStore(client(database[1])))
    factor.enrol()

    assert "alice" == factor.log_in().user_id
