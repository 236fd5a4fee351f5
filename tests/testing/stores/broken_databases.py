"""Stores in a file, on a server and for asyncio, correct and broken; see :mod:`testing.stores.broken`."""

import asyncio
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Client, Listener
from threading import Lock, Thread, local
from time import sleep

from testing.stores.broken import Locked
from testing.stores.broken_races import Compared
from testing.stores.good import TaskStore, checked

from smsmfa import StoreContention, StoreError

# --- a database in a file


class Database(Locked):
    """It keeps every promise: a SQLite file, with one transaction for each update that locks before it reads."""

    begin = "BEGIN IMMEDIATE"
    #: Whether the disk is full.
    full = False

    def __init__(self, path):
        self.path = path
        with self.connected() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL)")

    @contextmanager
    def connected(self):
        with self.errors(), closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            yield connection

    @contextmanager
    def errors(self):
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError("the database failed") from error

    def read(self, key):
        with self.connected() as connection:
            return self.see_in(connection, [key]).get(key)

    def update(self, keys, change):
        with self.connected() as connection:
            connection.execute(self.begin)
            writes, outcome = change(self.see_in(connection, keys))  # on an error, closing the connection rolls back
            self.write_in(connection, checked(writes, keys))
            connection.execute("COMMIT")
            return outcome

    def see_in(self, connection, keys):
        query = "SELECT value FROM entries WHERE key = ?"
        return {key: row[0] for key in keys for row in connection.execute(query, [key.encode()])}

    def write_in(self, connection, writes):
        for number, (key, entry) in enumerate(writes.items()):
            if Database.full:
                self.is_full(connection, number)
            if entry is None:
                connection.execute("DELETE FROM entries WHERE key = ?", [key.encode()])
            else:
                connection.execute("REPLACE INTO entries VALUES (?, ?)", [key.encode(), entry.value])

    def is_full(self, connection, number):
        raise sqlite3.OperationalError("database or disk is full")


class DefersItsBegin(Database):
    """Its transaction begins by reading, so if two of them go on to write, one fails at once."""

    begin = "BEGIN"


class ReadsBeforeItBegins(Database):
    """It reads and decides before its transaction begins."""

    def update(self, keys, change):
        with self.connected() as connection:
            writes, outcome = change(self.see_in(connection, keys))
            connection.execute(self.begin)
            self.write_in(connection, checked(writes, keys))
            connection.execute("COMMIT")
            return outcome


class CommitsEachWrite(Database):
    """It commits each write in its own transaction."""

    def write_in(self, connection, writes):
        for key, entry in writes.items():
            if not connection.in_transaction:
                connection.execute(self.begin)
            super().write_in(connection, {key: entry})
            connection.execute("COMMIT")
        if not connection.in_transaction:
            connection.execute(self.begin)


class ReadsTheFileOnce(Database):
    """Each process reads the file once and never looks again."""

    memories = {}

    def __init__(self, path):
        super().__init__(path)
        with self.connected() as connection:
            entries = connection.execute("SELECT key, value FROM entries")
            self.memory = self.memories.setdefault(path, {key.decode(): value for key, value in entries})

    def see_in(self, connection, keys):
        return {key: self.memory[key] for key in keys if key in self.memory}

    def write_in(self, connection, writes):
        super().write_in(connection, writes)
        for key, entry in writes.items():
            self.memory.pop(key, None)
            if entry is not None:
                self.memory[key] = entry.value


class TakesAFullDiskForSuccess(Database):
    """It logs it when the disk is full, and returns the outcome."""

    def update(self, keys, change):
        outcomes = []

        def remember(values):
            writes, outcome = change(values)
            outcomes.append(outcome)
            return writes, outcome

        try:
            return super().update(keys, remember)
        except StoreError as error:
            if not outcomes or not isinstance(error.__cause__, sqlite3.Error):
                raise
            return outcomes[-1]


class CommitsWhatFits(Database):
    """If the disk is full, it raises, and leaves the first of its writes behind."""

    def is_full(self, connection, number):
        if number:
            connection.execute("COMMIT")
            super().is_full(connection, number)


class RidesOnATransaction(Database):
    """It joins the application's transaction if there is one, and is rolled back with it."""

    #: The application's connection in this thread.
    outer = local()

    def update(self, keys, change):
        connection = getattr(self.outer, "connection", None)
        if connection is None:
            return super().update(keys, change)
        writes, outcome = change(self.see_in(connection, keys))
        self.write_in(connection, checked(writes, keys))
        return outcome


# --- a server


class Server:
    """Compares and sets for its clients, on a loopback port."""

    def __init__(self):
        self.store = Compared()
        self.listener = Listener(("127.0.0.1", 0), backlog=128)
        self.address = self.listener.address
        Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                Thread(target=self.serve, args=[self.listener.accept()], daemon=True).start()

    def serve(self, connection):
        with connection, suppress(EOFError, OSError):
            while True:
                name, *arguments = connection.recv()
                with self.store.lock:
                    answer = getattr(self.store, name)(*arguments)
                connection.send(answer)


class Remote:
    """It keeps every promise: a server compares and sets, and a broken connection raises StoreError."""

    def __init__(self, address):
        self.address = address

    def read(self, key):
        return self.ask("see", [key]).get(key)

    def update(self, keys, change):
        while True:
            seen = self.ask("see", list(keys))
            writes, outcome = change(dict(seen))
            if self.ask("replace", list(keys), seen, dict(checked(writes, keys))):
                return outcome

    def ask(self, *question):
        try:
            return self.call(question)
        except (OSError, EOFError) as error:
            raise StoreError("the server does not answer") from error

    def call(self, question):
        with Client(self.address) as connection:
            connection.send(question)
            return connection.recv()


class RetriesTheCommit(Remote):
    """It repeats any request whose connection broke, even a commit, as redis-py does by default."""

    def call(self, question):
        try:
            return super().call(question)
        except (OSError, EOFError):
            return super().call(question)


class RetriesWhatWasClosed(Remote):
    """It repeats any request whose connection was closed, and not one whose connection was reset."""

    def call(self, question):
        try:
            return super().call(question)
        except EOFError:
            return super().call(question)


class RetriesWhatWasReset(Remote):
    """It repeats any request whose connection was reset, and not one whose connection was closed."""

    def call(self, question):
        try:
            return super().call(question)
        except ConnectionResetError:
            return super().call(question)


class BelievesInCommits(Remote):
    """It takes a commit for done if its answer is lost."""

    def ask(self, name, *arguments):
        try:
            return super().ask(name, *arguments)
        except StoreError:
            if name == "replace":
                return True
            raise


class FailsOpen(Remote):
    """If the server does not answer, it behaves as if nothing were stored.

    Read in: Sentry and django-mfa (limits).
    """

    def ask(self, name, *arguments):
        try:
            return super().ask(name, *arguments)
        except StoreError:
            return {} if name == "see" else True


class RaisesWhatTheDriverRaises(Remote):
    """It does not turn the errors of a broken connection into StoreError."""

    def ask(self, *question):
        return self.call(question)


class CallsBrokenCommitsContention(Remote):
    """It reports a commit whose answer is lost as contention, which means that nothing was stored."""

    def ask(self, name, *arguments):
        try:
            return super().ask(name, *arguments)
        except StoreError as error:
            raise StoreContention("try again") from error


class SharesItsConnection(Remote):
    """It goes on using its connection after a fork, so parent and child read each other's answers."""

    def __init__(self, address):
        super().__init__(address)
        self.lock, self.connection, self.made_in = Lock(), Client(address), os.getpid()

    def call(self, question):
        with self.lock:
            self.connection.send(question)
            # Give the other process time to come between. Different times, or both would always ask the same question.
            sleep(0.002 if os.getpid() == self.made_in else 0.003)
            return self.connection.recv()


# --- asyncio


class WaitsBetween(TaskStore):
    """It waits between reading and writing, and nothing keeps other tasks out."""

    async def update(self, keys, change):
        return await self.run(keys, change)


class WaitsBetweenWrites(TaskStore):
    """It waits between two writes, so a task that is cancelled there leaves half of them."""

    async def write(self, writes):
        for key, entry in writes.items():
            self.store.put(key, entry)
            await asyncio.sleep(0)


class KeepsTheLockWhenCancelled(TaskStore):
    """A task that is cancelled leaves the lock locked."""

    async def update(self, keys, change):
        await self.lock.acquire()
        outcome = await self.run(keys, change)
        self.lock.release()
        return outcome


class SwallowsCancellation(TaskStore):
    """A task that is cancelled goes on and returns None."""

    async def update(self, keys, change):
        with suppress(asyncio.CancelledError):
            return await super().update(keys, change)


class HoldsUpTheLoop(TaskStore):
    """Its lock is a thread's lock, and a task that waits for it never lets another task release it."""

    def __init__(self):
        super().__init__()
        self.lock = Lock()

    async def update(self, keys, change):
        with self.lock:
            return await self.run(keys, change)
