"""The items of DynamoDB: what is read, compared and written."""

import pytest

from smsmfa.stores.dynamodb import items
from smsmfa.stores.dynamodb.items import CLOCK_SKEW, Item, action, gets, parsed
from smsmfa.typing import Entry

NOW = 1_700_000_000.25
READ = Item(b"old", "v1")
SAME = {
    "ConditionExpression": "#version = :version",
    "ExpressionAttributeNames": {"#version": "version"},
    "ExpressionAttributeValues": {":version": {"S": "v1"}},
}
ABSENT = {
    "ConditionExpression": "attribute_not_exists(#version)",
    "ExpressionAttributeNames": {"#version": "version"},
}


@pytest.fixture(autouse=True)
def fixed(monkeypatch):
    """A clock that stands still, and versions that are known."""
    monkeypatch.setattr(items, "time", lambda: NOW)
    monkeypatch.setattr(items, "token_hex", lambda length: f"{length} random bytes")


def test_gets():
    """Each key is one action of a transaction."""
    assert [{"Get": {"TableName": "t", "Key": {"key": {"S": key}}}} for key in "ab"] == gets("t", ["a", "b"])


def test_parsed():
    """An answer has a response for each key, an empty one for an absent item."""
    found = {"Item": {"key": {"S": "a"}, "value": {"B": b""}, "version": {"S": "v"}}}

    assert {"a": Item(b"", "v"), "b": None} == parsed({"Responses": [found, {}]}, ["a", "b"])


@pytest.mark.parametrize(
    "answer",
    [{}, {"Responses": []}, {"Responses": [{}, {}]}, {"Responses": [{"Item": {}}]},
     {"Responses": [{"Item": {"value": {"B": b""}}}]}],
)  # fmt: skip
def test_cut(answer):
    """A piece of an answer is an error, and no absent item."""
    with pytest.raises((LookupError, ValueError)):
        parsed(answer, ["a"])


@pytest.mark.parametrize("item, condition", [(READ, SAME), (None, ABSENT)])
def test_action(item, condition):
    """Every key has a condition, whether it is written, deleted or left alone."""
    common = {"TableName": "t", **condition}
    put = {"key": {"S": "a"}, "value": {"B": b"new"}, "version": {"S": "16 random bytes"}}

    assert {"ConditionCheck": {"Key": {"key": {"S": "a"}}, **common}} == action("t", "a", item, {})
    assert {"Delete": {"Key": {"key": {"S": "a"}}, **common}} == action("t", "a", item, {"a": None})
    assert {"Put": {"Item": put, **common}} == action("t", "a", item, {"a": Entry(b"new")})


@pytest.mark.parametrize("keep_for, expires", [(0, 1_700_000_001), (60, 1_700_000_061), (10**11, 101_700_000_001)])
def test_expiry(keep_for, expires):
    """An item is kept for its time, rounded up, and for as long as clocks may differ."""
    put = action("t", "a", None, {"a": Entry(b"", keep_for)})["Put"]

    assert {"N": str(expires + CLOCK_SKEW)} == put["Item"]["expires"]
