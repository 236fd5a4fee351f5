"""Small correct stores for the tests of the kit: in a dictionary, in a file, and on a server that speaks JSON lines."""

import asyncio
import json
import os
import socket
import socketserver
import sqlite3
import threading
import time
from pathlib import Path

from smsmfa import StoreError


def checked(writes, keys):
    """Return the writes, or raise ValueError if one is outside the keys."""
    if not writes.keys() <= set(keys):
        raise ValueError("the change wrote outside its keys")
    return writes


class DictStore:
    """A dictionary under a lock. Broken stores override one of its steps."""

    def __init__(self) -> None:
        self.entries = {}
        self.lock = threading.Lock()

    def read(self, key):
        with self.lock:
            return self.get(key)

    def update(self, keys, change):
        with self.lock:
            return self.run(keys, change)

    def run(self, keys, change):
        writes, outcome = change(self.values(keys))
        self.write(checked(writes, keys))
        return outcome

    def values(self, keys):
        return {key: value for key in keys if (value := self.get(key)) is not None}

    def write(self, writes):
        for key, entry in writes.items():
            self.put(key, entry)

    def get(self, key):
        value, until = self.entries.get(key, (None, None))
        return value if until is None or time.monotonic() <= until else None

    def put(self, key, entry):
        self.entries.pop(key, None)
        if entry is not None:
            self.entries[key] = entry.value, None if entry.keep_for is None else time.monotonic() + entry.keep_for


class TaskStore:
    """It keeps every promise: a dictionary that is reached through the event loop, under a lock for tasks."""

    def __init__(self) -> None:
        self.lock, self.store = asyncio.Lock(), DictStore()

    async def read(self, key):
        async with self.lock:
            return self.store.read(key)

    async def update(self, keys, change):
        async with self.lock:
            return await self.run(keys, change)

    async def run(self, keys, change):
        await asyncio.sleep(0)
        values = self.store.values(keys)
        await asyncio.sleep(0)
        writes, outcome = change(values)
        await self.write(checked(writes, keys))
        return outcome

    async def write(self, writes):
        await asyncio.sleep(0)
        self.store.write(writes)


class SqliteStore:
    """A SQLite file, with one connection for each thread and process, and one writer at a time in each process."""

    _writing = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reset()
        self._run("CREATE TABLE IF NOT EXISTS entries (k BLOB PRIMARY KEY, v BLOB, until REAL) WITHOUT ROWID")

    def _reset(self):
        self._pid, self._local, self._connections = os.getpid(), threading.local(), []

    def _connection(self):
        if self._pid != os.getpid():
            self._inherited = self._local, self._connections  # never closed: that would drop the parent's locks
            self._reset()
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return self._local.connection

    def _run(self, statement, *arguments):
        try:
            return self._connection().execute(statement, arguments).fetchall()
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def close(self):
        for connection in self._connections:
            connection.close()

    def read(self, key):
        rows = self._run(
            "SELECT v FROM entries WHERE k = ? AND (until IS NULL OR until >= ?)", key.encode(), time.time()
        )
        return rows[0][0] if rows else None

    def update(self, keys, change):
        with self._writing:
            return self._update(keys, change)

    def _update(self, keys, change):
        self._run("BEGIN IMMEDIATE")
        try:
            values = {key: value for key in keys if (value := self.read(key)) is not None}
            writes, outcome = change(values)
            for key, entry in checked(writes, keys).items():
                self._write(key.encode(), entry)
            self._run("COMMIT")
        except BaseException:
            if self._connection().in_transaction:
                self._run("ROLLBACK")
            raise
        return outcome

    def _write(self, key, entry):
        if entry is None:
            self._run("DELETE FROM entries WHERE k = ?", key)
        else:
            until = None if entry.keep_for is None else time.time() + entry.keep_for
            self._run("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", key, entry.value, until)


class Server(socketserver.ThreadingTCPServer):
    """A server for a dictionary. It compares what a client saw, and writes if that is unchanged, all in JSON lines."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.values, self.lock = {}, threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, keys, seen=None, writes=()):
        with self.lock:
            present = {key: self.values[key] for key in keys if key in self.values}
            if seen != present:
                return {"done": False, "present": present}
            for key, value in writes.items():
                self.values.pop(key, None)
                if value is not None:
                    self.values[key] = value
            return {"done": True}


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(json.dumps(self.server.answer(**json.loads(line))).encode() + b"\n")


def asked(keys, change, present):
    """Run a change on the server's values; return its outcome, and what to ask the server, or ``None``."""
    writes, outcome = change({key: value.encode("latin-1") for key, value in present.items()})
    values = {key: entry and entry.value.decode("latin-1") for key, entry in checked(writes, keys).items()}
    return outcome, {"keys": list(keys), "seen": present, "writes": values} if values else None


class RemoteStore:
    """A client of :class:`Server`."""

    tries = 1

    def __init__(self, host, port) -> None:
        self._address, self._idle = (host, port), []

    def read(self, key):
        value = self._ask(keys=[key])["present"].get(key)
        return None if value is None else value.encode("latin-1")

    def update(self, keys, change):
        answer = self._ask(keys=list(keys))
        while not answer["done"]:
            outcome, request = asked(keys, change, answer["present"])
            answer = self._ask(**request) if request else {"done": True}
        return outcome

    def close(self):
        while self._idle:
            self._idle.pop().close()

    def _ask(self, **request):
        for left in reversed(range(self.tries)):
            connection = self._idle.pop() if self._idle else None
            try:
                connection = connection or socket.create_connection(self._address)
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as file:
                    answer = json.loads(file.readline())
            except (OSError, ValueError) as error:
                if connection is not None:
                    connection.close()
                if not left:
                    raise StoreError("no answer") from error
            else:
                self._idle.append(connection)
                return answer
        raise AssertionError("tries must be at least 1")


class AsyncRemoteStore:
    """:class:`RemoteStore` for asyncio, with a connection for each call."""

    def __init__(self, host, port) -> None:
        self._address = host, port

    async def read(self, key):
        value = (await self._ask(keys=[key]))["present"].get(key)
        return None if value is None else value.encode("latin-1")

    async def update(self, keys, change):
        answer = await self._ask(keys=list(keys))
        while not answer["done"]:
            outcome, request = asked(keys, change, answer["present"])
            answer = await self._ask(**request) if request else {"done": True}
        return outcome

    async def _ask(self, **request):
        try:
            reader, writer = await asyncio.open_connection(*self._address, limit=2**20)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                return json.loads(await reader.readline())
            finally:
                writer.close()
        except (OSError, ValueError) as error:
            raise StoreError("no answer") from error


def suite(checks, make, **attributes):
    """Return a suite with only these checks, over the stores that ``make`` returns."""

    def shut(self, store):
        getattr(store, "close", bool)()

    hooks = {"open_store": lambda self: make(), "shut_store": shut}
    # A correct store fails no check on a slow machine, however short the patience is.
    quick = {"time_limit": 60.0, "patience": 0.01, "rounds": 4, "examples": 10}
    return type("Suite", (checks,), hooks | quick | attributes)


def broken_suite(checks, make, **attributes):
    """Return a suite over broken stores: an interruption may take a second, and a store that hangs costs two."""
    return suite(checks, make, **{"time_limit": 2.0, "patience": 1.0, "rounds": 20, "examples": 25} | attributes)


def names(suite):
    """Return the names of a suite's checks."""
    return {name for name in dir(suite) if name.startswith("test_")}


def failed(suite, checks):
    """Run these checks and return those that failed. Several checks must be all the checks of the suite."""
    if len(checks) > 1:
        assert names(suite) == set(checks)
    return {name for name in checks if _fails(getattr(suite(), name))}


def _fails(check):
    try:
        check()
    except BaseException as error:
        return any("Broken promise" in note for note in error.__notes__)
    return False
