"""A store in a database of a Django project: PostgreSQL, MySQL, MariaDB, or SQLite in a file."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import TypeVar

try:
    from django.apps import apps
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.django needs Django: pip install "smsmfa[django]"', name="django"
    ) from _error

from django.core.management import call_command
from django.db import connections, router
from django.views.decorators.debug import sensitive_variables

from ...exceptions import ConfigurationError, StoreContention
from ...typing import Change, Entry
from ..worker import Worker
from ..writes import check_write
from . import connection as link
from .checks import check, check_once
from .connection import Connection, Lost, close_all, connection_to

__all__ = ["AsyncDjangoStore", "DjangoStore"]

T = TypeVar("T")

_THREADS = 8


class DjangoStore:
    """Keeps records in a database of the project, in the table of the app ``smsmfa.stores.django``.

    Each thread has a connection of its own for it, beside the one that models use. So an update is committed when
    it returns, and stays when the request that made it fails, ``ATOMIC_REQUESTS`` or not.

    Threads, processes and forked workers may share a store. It is for plain views and threads; in ``async``
    ones use :class:`AsyncDjangoStore`.

    Args:
        using: the alias of a database in ``DATABASES``; left out, the project's routers are asked where
            to write ``smsmfa.Record``, for each operation. Reads go there too, never to a replica.
    """

    def __init__(self, *, using: str | None = None) -> None:
        if using is not None and not isinstance(using, str):
            raise ConfigurationError("using: the alias of a database, a str, or None: what the routers say")
        self._using = using

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            ConfigurationError: the app is not installed, the database or the table cannot be made safe, or a
                ``TestCase`` is running.
            StoreError: the database failed.
        """
        rows = self._run(lambda database: database.run(database.statements.read(), [key.encode()]))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys`` and store what it says, in one transaction.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            ConfigurationError: as with :meth:`read`.
            StoreContention: others had the same keys for 5 seconds, or kept a SQLite file locked; nothing is changed.
            StoreError: the database failed, or could not confirm the commit.
        """
        names = sorted(key.encode() for key in keys)
        return self._run(lambda database: _update(database, names, keys, change))

    def create_schema(self) -> None:
        """Run the app's migrations on its database, as ``manage.py migrate smsmfa`` does.

        Raises:
            ConfigurationError: as with :meth:`read`.
            StoreError: the table is not there then; a router may forbid it.
        """
        self._run(check)
        alias = self._alias()
        models = connections[alias]
        idle = models.connection is None
        call_command("migrate", "smsmfa", database=alias, interactive=False, verbosity=0)
        if idle:
            models.close()
        self.ping()

    def ping(self) -> None:
        """Look at the database and the table; begin and end an update of nothing.

        Raises:
            ConfigurationError: as with :meth:`read`.
            StoreError: no update can be made now.
        """

        def look(database: Connection) -> None:
            check(database)
            database.begin()
            database.run(database.statements.select(1), [b""])

        self._run(look)

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction; return how many it was.

        Args:
            limit: how many at most. They are locked meanwhile, so call it again rather than with a larger one.

        Raises:
            ValueError: ``limit`` is less than 1.
            ConfigurationError: as with :meth:`read`.
            StoreError: the database failed.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")
        return self._run(lambda database: _purge(database, limit))

    def close(self) -> None:
        """Close this thread's connections for stores; a later operation opens them again."""
        close_all()

    def _alias(self) -> str:
        alias = self._using if self._using is not None else _routed()
        if alias not in connections:
            raise ConfigurationError(f"DATABASES: there is none called {alias}")
        return alias

    def _run(self, work: Callable[[Connection], T]) -> T:
        """Do something on a connection, and do it again if it is lost before its commit."""
        due = time.monotonic() + link.PATIENCE
        while True:
            try:
                with connection_to(self._alias()) as database:
                    check_once(database)
                    return work(database)
            except Lost as lost:
                if time.monotonic() >= due:
                    raise StoreContention(str(lost)) from lost.__cause__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{f' using {self._using}' if self._using else ''}>"


class AsyncDjangoStore:
    """:class:`DjangoStore` for asyncio, with the same arguments.

    It works in at most eight threads of its own, with a connection each, so the loop never waits. An update whose
    task is cancelled before its turn is not made; one that has begun is made, all of it or nothing.
    """

    def __init__(self, *, using: str | None = None) -> None:
        self._store = DjangoStore(using=using)
        self._worker = Worker(timedelta(seconds=link.PATIENCE), _THREADS)

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`DjangoStore.read`."""
        return await self._worker.call(self._store.read, key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`DjangoStore.update`."""
        return await self._worker.call(self._store.update, keys, change)

    async def create_schema(self) -> None:
        """Like :meth:`DjangoStore.create_schema`."""
        await self._worker.call(self._store.create_schema)

    async def ping(self) -> None:
        """Like :meth:`DjangoStore.ping`."""
        await self._worker.call(self._store.ping)

    async def purge(self, limit: int = 1000) -> int:
        """Like :meth:`DjangoStore.purge`."""
        return await self._worker.call(self._store.purge, limit)

    async def close(self) -> None:
        """End the threads, and with them their connections."""
        self._worker.end()

    def __repr__(self) -> str:
        return f"<Async{repr(self._store)[1:]}"


def _routed() -> str:
    try:
        return str(router.db_for_write(apps.get_model("smsmfa", "Record")))
    except LookupError as error:
        raise ConfigurationError('INSTALLED_APPS: add "smsmfa.stores.django", and migrate') from error


@sensitive_variables()  # pages and mails about an error show nothing of what is in here, or is called from here
def _update(database: Connection, names: Sequence[bytes], keys: Sequence[str], change: Change[T]) -> T:
    database.begin()
    values, claimed = _locked(database, names)
    writes, outcome = change(values)
    entries = dict(writes.items())
    for key, entry in entries.items():
        check_write(key, entry, keys)
    if any(entry is not None or key in values for key, entry in entries.items()):
        stale = [key for key, entry in entries.items() if entry is None and key in values]
        _write(database, entries, [*claimed, *stale])
        database.commit()
    else:
        database.roll_back()
    return outcome


def _locked(database: Connection, names: Sequence[bytes]) -> tuple[dict[str, bytes], list[str]]:
    """Lock rows, making those that are absent; return the values that are there, and the keys of the rows made."""
    if not names:
        return {}, []
    statements = database.statements
    rows = database.run(statements.select(len(names)), names)
    if len(rows) < len(names) and statements.keep:
        # Whoever held a lock and waited for one of a smaller key, which was absent when it looked, could wait for ever.
        database.roll_back()
        database.begin()
        database.run(statements.claim(len(names)), names)
        rows = database.run(statements.select(len(names)), names)
    values = {bytes(key).decode(): bytes(value) for key, value in rows if value is not None}
    return values, [bytes(key).decode() for key, value in rows if value is None]


def _write(database: Connection, entries: Mapping[str, Entry | None], there: Iterable[str]) -> None:
    """Write and delete. A row that is there without a value has to be one of them."""
    statements = database.statements
    kept = {key: entry for key, entry in sorted(entries.items(), key=itemgetter(0)) if entry is not None}
    gone = sorted(key.encode() for key in there if key not in kept)
    if kept:
        row = [part for key, entry in kept.items() for part in (key.encode(), entry.value, entry.keep_for)]
        database.run(statements.write(len(kept)), row)
    if gone:
        database.run(statements.delete(len(gone)), gone)


def _purge(database: Connection, limit: int) -> int:
    statements = database.statements
    database.begin()
    names = sorted(bytes(key) for (key,) in database.run(statements.expired(), [limit]))
    expired = [bytes(key) for (key,) in database.run(statements.still_expired(len(names)), names)] if names else []
    if expired:
        database.run(statements.delete(len(expired)), expired)
        database.commit()
    return len(expired)
