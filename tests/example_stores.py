"""Small stores for the tests of the kit: one in a file for many processes, one on a server that speaks lines."""

import os
import sqlite3
import threading
import time
from pathlib import Path

from smsmfa import StoreError


class SqliteStore:
    """Everything in a SQLite file; a connection for each thread and process, and one writer of a process at a time."""

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
            self._inherited = self._local, self._connections  # closing them here would drop the parent's locks
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
            if not writes.keys() <= set(keys):
                raise ValueError("the change wrote outside its keys")
            for key, entry in writes.items():
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
