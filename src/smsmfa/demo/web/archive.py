"""What the demo remembers beside the factor: accounts, settings, the messages on the phone, and the events."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.security import check_password_hash, generate_password_hash

from ...events import Event
from ...typing import Message, Receipt

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, at REAL NOT NULL, phone TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, event TEXT NOT NULL);
"""
#: How many messages the drawn phone shows.
_SHOWN = 6


class Arrived(NamedTuple):
    """A message on the drawn phone."""

    phone: str
    text: str


class Logged(NamedTuple):
    """An event with its time in seconds since the epoch."""

    at: float
    event: dict[str, object]


class Archive:
    """A file of SQLite.

    Args:
        path: the file. It is made if it is absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._open()) as db:
            db.executescript(_SCHEMA)

    # --- accounts

    def sign_up(self, name: str, password: str) -> int | None:
        """Make an account and return its id, or ``None`` if the name is taken."""
        hashed = generate_password_hash(password)
        try:
            made: int = self._run("INSERT INTO accounts (name, password) VALUES (?, ?) RETURNING id", name, hashed)[0][
                0
            ]
        except sqlite3.IntegrityError:
            return None
        return made

    def check_password(self, name: str, password: str) -> int | None:
        """Return the id of the account, or ``None`` if name or password are wrong."""
        found: list[tuple[int, str]] = self._run("SELECT id, password FROM accounts WHERE name = ?", name)
        account, hashed = found[0] if found else (None, _NOBODY)
        return account if check_password_hash(hashed, password) else None

    def name_of(self, account: object) -> str:
        """Return the name of an account, or ``""`` if there is none."""
        found = self._run("SELECT name FROM accounts WHERE id = ?", account)
        return str(found[0][0]) if found else ""

    # --- settings

    def settings(self) -> dict[str, str]:
        """Return the settings that were saved."""
        return dict(self._run("SELECT name, value FROM settings"))

    def save(self, settings: Mapping[str, str]) -> None:
        """Save settings, and leave the others as they are."""
        with closing(self._open()) as db, db:
            db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", settings.items())

    # --- the drawn phone

    def send(self, message: Message) -> Receipt:
        """Show a message on the drawn phone. With this method the archive is a :class:`~smsmfa.typing.Sender`."""
        self._run(
            "INSERT INTO messages (at, phone, text) VALUES (?, ?, ?)", time.time(), message.to.masked, message.text
        )
        return Receipt(sender="demo")

    def messages(self) -> list[Arrived]:
        """Return the last messages, the newest last."""
        found = self._run("SELECT phone, text FROM messages ORDER BY id DESC LIMIT ?", _SHOWN)
        return [Arrived(*row) for row in reversed(found)]

    # --- events

    def note(self, event: Event) -> None:
        """Keep an event."""
        self._run("INSERT INTO events (at, event) VALUES (?, ?)", event.at.timestamp(), json.dumps(event.to_dict()))

    def events(self, since: float = 0.0, most: int = 1000) -> list[Logged]:
        """Return events, the newest first.

        Args:
            since: the oldest to return, in seconds since the epoch.
            most: how many.
        """
        found = self._run("SELECT at, event FROM events WHERE at >= ? ORDER BY id DESC LIMIT ?", since, most)
        return [Logged(at, json.loads(event)) for at, event in found]

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self._open()) as db, db:
            return db.execute(statement, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10)


#: Checked for names without an account, so that the answer takes as long.
_NOBODY = generate_password_hash("nobody")
