"""Connections that no fork takes along."""

import gc
import os
from threading import Event, RLock, Thread

from smsmfa.stores.forks import Turns, close_before_forks, no_fork
from smsmfa.testing.stores.processes import forked


class Connection:
    """One that says whether it is open."""

    def __init__(self):
        self.lock = RLock()
        self.open = True
        close_before_forks(self)

    def drop(self):
        self.open = False

    def free(self):
        """Say whether its lock can be had by another thread."""
        found = []
        thread = Thread(target=lambda: found.append(self.lock.acquire(timeout=5)))
        thread.start()
        thread.join()
        return found[0]


def test_closed():
    """A fork finds no connection open, on neither side, and lets their locks go on both."""
    connections = [Connection(), Connection()]

    def left():
        return [(one.open, one.free()) for one in connections]

    assert [[[False, True]] * 2] * 2 == [list(map(list, side)) for side in forked(left, left, 20)]


def test_waits():
    """A fork waits for whoever uses a connection."""
    connection, held, found = Connection(), Event(), []

    def use():
        with connection.lock:
            held.set()
            while no_fork.acquire(blocking=False):  # until the fork has begun
                no_fork.release()
            found.append(connection.open)

    user = Thread(target=use)
    user.start()
    held.wait(5)
    forked(lambda: None, lambda: None, 20)
    user.join()
    assert [True] == found


def test_within():
    """Whoever holds the lock of a connection may fork, and holds it afterwards."""
    connection = Connection()
    with connection.lock:
        child = os.fork()
        if not child:
            os._exit(0 if not connection.open and connection.lock._is_owned() else 1)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert connection.lock._is_owned()


def test_turns():
    """A fork has the turn meanwhile, and lets go on both sides."""
    turns, done = Turns(), []

    class Noting:
        def acquire(self):
            done.append("taken")

        def release(self):
            done.append("let go")

    turns.lock = Noting()
    assert [["taken", "let go"]] * 2 == forked(lambda: done, lambda: done, 20)


def test_forgotten():
    """A connection that is gone is in no fork's way."""
    dropped = []

    class Noting(Connection):
        def drop(self):
            dropped.append(self)

    Noting()
    gc.collect()
    forked(lambda: None, lambda: None, 20)
    assert [] == dropped
