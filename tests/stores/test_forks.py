"""Connections are closed before a fork."""

import gc
import os
import warnings
from threading import Event, RLock, Thread

from smsmfa.stores.forks import Turns, close_before_forks, no_fork
from smsmfa.testing.stores.processes import forked


class Connection:
    """A connection that records whether it is open."""

    def __init__(self):
        self.lock = RLock()
        self.open = True
        close_before_forks(self)

    def drop(self):
        self.open = False

    def free(self):
        """Return whether another thread can acquire the lock."""
        found = []
        thread = Thread(target=lambda: found.append(self.lock.acquire(timeout=60)))
        thread.start()
        thread.join()
        return found[0]


def fork():
    """Fork without the warning of Python 3.12 and later about threads: the child does little before it exits."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return os.fork()


def test_closed():
    """After a fork every connection is closed and every lock is free, on both sides."""
    connections = [Connection(), Connection()]

    def left():
        return [(one.open, one.free()) for one in connections]

    assert [[[False, True]] * 2] * 2 == [list(map(list, side)) for side in forked(left, left, 20)]


def test_waits():
    """A fork waits for the users of connections."""
    connection, held, found = Connection(), Event(), []

    def use():
        with connection.lock:
            held.set()
            while no_fork.acquire(blocking=False):  # until the fork has begun
                no_fork.release()
            found.append(connection.open)

    user = Thread(target=use)
    user.start()
    held.wait(60)
    forked(lambda: None, lambda: None, 20)
    user.join()
    assert [True] == found


def test_within():
    """A thread that holds the lock of a connection may fork, and still holds the lock afterwards."""
    connection = Connection()
    with connection.lock:
        child = fork()
        if not child:
            os._exit(0 if not connection.open and connection.lock._is_owned() else 1)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert connection.lock._is_owned()


def test_turns():
    """A fork holds the turn, and releases it on both sides."""
    turns, done = Turns(), []

    class Noting:
        def acquire(self):
            done.append("acquired")

        def release(self):
            done.append("released")

    turns.lock = Noting()
    assert [["acquired", "released"]] * 2 == forked(lambda: done, lambda: done, 20)


def test_forgotten():
    """A connection that no longer exists is not closed."""
    dropped = []

    class Noting(Connection):
        def drop(self):
            dropped.append(self)

    Noting()
    gc.collect()
    forked(lambda: None, lambda: None, 20)
    assert [] == dropped
