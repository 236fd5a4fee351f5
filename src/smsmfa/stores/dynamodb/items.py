"""One item for each key: how it is read, compared and written in a transaction."""

from collections.abc import Mapping, Sequence
from math import ceil
from secrets import token_hex
from time import time
from typing import Any, NamedTuple

from ...typing import Entry

#: The attribute by which DynamoDB deletes expired items.
EXPIRES = "expires"
#: Items are kept this much longer (seconds), because DynamoDB deletes them by another clock than ours. A client whose
#: clock is off by more cannot sign its requests.
CLOCK_SKEW = 15 * 60


class Item(NamedTuple):
    """An item that was read.

    Args:
        value: the value.
        version: a random string that no other item has, has had or will have.
    """

    value: bytes
    version: str


def primary_key(key: str) -> dict[str, Any]:
    """Return the primary key of an item."""
    return {"key": {"S": key}}


def gets(table: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the actions of ``TransactGetItems``.

    One key is read in a transaction too. ``GetItem`` does not wait for a transaction in progress, so one key could be
    read with its new value, and then another of the same transaction with its old one.
    """
    return [{"Get": {"TableName": table, "Key": primary_key(key)}} for key in keys]


def parsed(answer: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Item | None]:
    """Return the items of an answer to ``TransactGetItems``; an absent item has an empty response.

    Raises:
        LookupError, ValueError: the answer is not complete, as if it was cut.
    """
    return {key: _item(response) for key, response in zip(keys, answer["Responses"], strict=True)}


def _item(response: Mapping[str, Any]) -> Item | None:
    if not response:
        return None
    item = response["Item"]
    return Item(item["value"]["B"], item["version"]["S"])


def action(table: str, key: str, item: Item | None, writes: Mapping[str, Entry | None]) -> dict[str, Any]:
    """Return one key's part of ``TransactWriteItems``: it must not have changed since it was read; then it is written.

    Args:
        table: the table.
        key: the key.
        item: what was read; ``None``: it was absent.
        writes: what the change writes. The key may be missing.
    """
    common = {"TableName": table, **_unchanged(item)}
    if key not in writes:
        return {"ConditionCheck": {"Key": primary_key(key), **common}}
    entry = writes[key]
    if entry is None:
        return {"Delete": {"Key": primary_key(key), **common}}
    return {"Put": {"Item": _new(key, entry), **common}}


def _new(key: str, entry: Entry) -> dict[str, Any]:
    item = {**primary_key(key), "value": {"B": entry.value}, "version": {"S": token_hex(16)}}
    if entry.keep_for is not None:
        item[EXPIRES] = {"N": str(ceil(time() + entry.keep_for) + CLOCK_SKEW)}
    return item


def _unchanged(item: Item | None) -> dict[str, Any]:
    names = {"#version": "version"}
    if item is None:
        return {"ConditionExpression": "attribute_not_exists(#version)", "ExpressionAttributeNames": names}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":version": {"S": item.version}},
    }
