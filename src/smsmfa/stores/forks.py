"""Closes SQLite connections before every fork: no connection may cross a fork, not even an idle one.

In the child, SQLite would believe that it holds the locks of the parent. In the parent, SQLite would believe, when its
last connection closes, that nobody has the file open, and delete the log that the child still writes to.
"""

import os
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet


class Connection(Protocol):
    """A connection to close before a fork, once its user has finished."""

    lock: Any

    def drop(self) -> None:
        """Close the connection. Its next user opens it again."""


#: Whoever holds this lock keeps other threads from forking.
no_fork: Any = RLock()
_watched: WeakSet[Any] = WeakSet()
_held: list[Connection] = []


def close_before_forks(connection: Connection) -> None:
    """Close a connection before every fork, as long as it exists. Its lock is free afterwards on both sides."""
    with no_fork:
        _watched.add(connection)


class Turns:
    """A lock for threads that share data but no connection. A fork waits until the lock is free."""

    def __init__(self) -> None:
        self.lock: Any = RLock()
        close_before_forks(self)

    def drop(self) -> None:
        """Do nothing: there is nothing to close."""


def _before_fork() -> None:
    no_fork.acquire()
    _held[:] = _watched
    for connection in _held:
        connection.lock.acquire()
        connection.drop()


def _after_fork() -> None:
    for connection in _held:
        connection.lock.release()
    _held.clear()
    no_fork.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch  # Windows has no forks
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
