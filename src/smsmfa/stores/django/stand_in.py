"""What is different in the tests of a Django project.

In a ``TestCase`` records are in memory, because its transaction would not see what a store commits. Each test has
its own, with a copy of what ``setUpTestData`` wrote. They end with the test's transaction.
"""

import sys
from typing import Any

from asgiref.sync import sync_to_async
from django.core import mail
from django.db import connections

from ..memory import MemoryStore


def in_tests() -> bool:
    """Whether a test runner has set up its environment, and will drop the databases at the end."""
    return "django.test.utils" in sys.modules and hasattr(mail, "outbox")


def stand_in(alias: str) -> MemoryStore | None:
    """Return the store of the running ``TestCase``, or ``None`` if this thread runs none.

    Args:
        alias: the database that it stands in for.
    """
    if "django.test.testcases" not in sys.modules:
        return None
    for connection in _connections():
        # Django marks the transactions of a TestCase: that of the class, and inside it that of the test.
        blocks = [block for block in connection.atomic_blocks if getattr(block, "_from_testcase", False)]
        if blocks:
            return _of(blocks, alias)
    return None


async def async_stand_in(alias: str) -> MemoryStore | None:
    """Like :func:`stand_in`, for a coroutine. The transactions may be those of the thread that waits for its loop."""
    found = stand_in(alias)
    return await sync_to_async(stand_in)(alias) if found is None and in_tests() else found


def _connections() -> list[Any]:
    """Return this thread's connections. In a coroutine, asgiref hides those of the code that runs the loop."""
    handler: Any = connections
    hidden = getattr(getattr(handler._connections, "_storage", None), "__dict__", {})
    return [*handler.all(initialized_only=True), *(one for one in hidden.values() if hasattr(one, "atomic_blocks"))]


def _of(blocks: list[Any], alias: str) -> MemoryStore:
    """Return the store of the last of these transactions, which begins as a copy of the one before it."""
    stores: dict[str, MemoryStore] = vars(blocks[-1]).setdefault("_smsmfa_stores", {})
    if alias not in stores:
        stores[alias] = _copy(_of(blocks[:-1], alias)) if blocks[1:] else MemoryStore()
    return stores[alias]


def _copy(store: MemoryStore) -> MemoryStore:
    copied = MemoryStore()
    copied._shards, copied._untils = [{**one} for one in store._shards], [{**one} for one in store._untils]
    return copied
