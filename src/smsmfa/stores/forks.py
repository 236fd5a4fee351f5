"""Connections to SQLite files, none of which may cross a fork, not even an idle one.

SQLite in the child would believe that it has the locks of the parent; the parent, closing its last connection, would
believe that nobody has the file open, and delete the log into which the child goes on writing.
"""

import os
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet


class Connection(Protocol):
    """What is closed before a fork, once whoever uses it has done."""

    lock: Any

    def drop(self) -> None:
        """Close it; the next one to use it opens it again."""


#: Nobody forks meanwhile.
no_fork: Any = RLock()
_watched: WeakSet[Any] = WeakSet()
_held: list[Connection] = []


def close_before_forks(connection: Connection) -> None:
    """Close a connection before every fork, as long as it lives. Its lock is let go on both sides."""
    with no_fork:
        _watched.add(connection)


class Turns:
    """What threads take turns by that share no connection; a fork waits for whoever has the lock."""

    def __init__(self) -> None:
        self.lock: Any = RLock()
        close_before_forks(self)

    def drop(self) -> None:
        """Do nothing: nothing is open."""


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
