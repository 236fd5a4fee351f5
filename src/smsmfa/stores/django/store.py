"""A store in a database of a Django project: PostgreSQL, MySQL, MariaDB, or SQLite in a file."""

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

from ...exceptions import ConfigurationError
from ...typing import Change, Entry
from ..memory import MemoryStore
from ..worker import Worker
from ..writes import DEADLINE, check_write
from .checks import check, check_once
from .connection import Connection, close_all, run
from .stand_in import async_stand_in, stand_in

__all__ = ["AsyncDjangoStore", "DjangoStore"]

T = TypeVar("T")

_THREADS = 8


class DjangoStore:
    """Keeps records in a database of the project, in the table of the app ``smsmfa.stores.django``.

    Each thread has its own connection for the store, beside the one that models use. So every update is committed
    before the call returns. If the request fails later, the update stays, with or without ``ATOMIC_REQUESTS``.

    Threads, processes and forked workers may share a store. In ``async`` views use :class:`AsyncDjangoStore`.

    In a Django ``TestCase``, which could not roll back what the store commits, it keeps records in memory instead. Each
    test starts with what ``setUpTestData`` wrote.

    Args:
        using: the alias of a database in ``DATABASES``. If it is ``None``, the store asks the project's routers at each
            operation where to write ``smsmfa.Record``. It reads there too, never from a replica.
    """

    def __init__(self, *, using: str | None = None) -> None:
        if using is not None and not isinstance(using, str):
            raise ConfigurationError("using: pass the alias of a database as a str, or None to ask the routers")
        self._using = using

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            ConfigurationError: the app is not installed, or the store cannot use the database or the table.
            StoreError: the database failed.
        """
        if (memory := stand_in(self._alias())) is not None:
            return memory.read(key)
        rows = self._run(lambda connection: connection.execute(connection.sql.read(), [key.encode()]))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it returns, and return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or something other than an entry; nothing is changed.
            ConfigurationError: as :meth:`read`.
            StoreContention: others held the same keys, or a SQLite file, for 5 seconds; nothing is changed.
            StoreError: the database failed, or did not confirm the commit.
        """
        if (memory := stand_in(self._alias())) is not None:
            return memory.update(keys, change)
        names = sorted(key.encode() for key in keys)
        return self._run(lambda connection: _update(connection, names, keys, change))

    def create_schema(self) -> None:
        """Run the app's migrations on its database, as ``manage.py migrate smsmfa`` does.

        Raises:
            ConfigurationError: as :meth:`read`.
            StoreError: the table is missing afterwards, for example because a router forbids it.
        """
        alias = self._alias()
        if stand_in(alias) is not None:
            return
        self._run(check)
        models = connections[alias]
        idle = models.connection is None
        call_command("migrate", "smsmfa", database=alias, interactive=False, verbosity=0)
        if idle:
            models.close()
        self.ping()

    def ping(self) -> None:
        """Check the database and the table, then lock a key and roll back.

        Raises:
            ConfigurationError: as :meth:`read`.
            StoreError: updates are not possible now.
        """

        def work(connection: Connection) -> None:
            check(connection)
            connection.begin()
            connection.execute(connection.sql.select(1), [b""])

        if stand_in(self._alias()) is None:
            self._run(work)

    def purge(self, limit: int = 1000) -> int:
        """Delete expired entries, the oldest first, in one transaction, and return their number.

        Args:
            limit: how many entries to delete at most. They stay locked until the end, so call this again rather than
                with a larger limit.

        Raises:
            ValueError: ``limit`` is less than 1.
            ConfigurationError: as :meth:`read`.
            StoreError: the database failed.
        """
        if limit < 1:
            raise ValueError("limit: at least 1")
        if stand_in(self._alias()) is not None:
            return 0
        return self._run(lambda connection: _purge(connection, limit))

    def close(self) -> None:
        """Close this thread's connections for stores. A later operation opens them again."""
        close_all()

    def _alias(self) -> str:
        alias = self._using if self._using is not None else _routed()
        if alias not in connections:
            raise ConfigurationError(f"DATABASES has no {alias}: add it, or name another database")
        return alias

    def _run(self, work: Callable[[Connection], T]) -> T:
        """Check the database at its first use, and run an operation on it."""

        def checked(connection: Connection) -> T:
            check_once(connection)
            return work(connection)

        return run(self._alias, checked)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{f' using {self._using}' if self._using else ''}>"


class AsyncDjangoStore:
    """:class:`DjangoStore` for asyncio, with the same arguments.

    It works in at most eight threads, each with its own connection, so the event loop never waits. If a task is
    cancelled before its update has begun, nothing is changed. An update that has begun is finished.
    """

    def __init__(self, *, using: str | None = None) -> None:
        self._store = DjangoStore(using=using)
        self._worker = Worker(timedelta(seconds=DEADLINE), _THREADS)

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`DjangoStore.read`."""
        if (memory := await self._memory()) is not None:
            return memory.read(key)
        return await self._worker.call(self._store.read, key)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`DjangoStore.update`."""
        if (memory := await self._memory()) is not None:
            return memory.update(keys, change)
        return await self._worker.call(self._store.update, keys, change)

    async def create_schema(self) -> None:
        """Like :meth:`DjangoStore.create_schema`."""
        if await self._memory() is None:
            await self._worker.call(self._store.create_schema)

    async def ping(self) -> None:
        """Like :meth:`DjangoStore.ping`."""
        if await self._memory() is None:
            await self._worker.call(self._store.ping)

    async def purge(self, limit: int = 1000) -> int:
        """Like :meth:`DjangoStore.purge`."""
        if await self._memory() is not None:
            return 0
        return await self._worker.call(self._store.purge, limit)

    async def close(self) -> None:
        """End the threads and their connections. A later operation starts new ones."""
        self._worker.end()

    async def _memory(self) -> MemoryStore | None:
        return await async_stand_in(self._store._alias())

    def __repr__(self) -> str:
        return f"<Async{repr(self._store)[1:]}"


def _routed() -> str:
    try:
        return str(router.db_for_write(apps.get_model("smsmfa", "Record")))
    except LookupError as error:
        raise ConfigurationError('INSTALLED_APPS: add "smsmfa.stores.django", and run migrate') from error


@sensitive_variables()  # error pages and mails show no variables of this function and of those that it calls
def _update(connection: Connection, names: Sequence[bytes], keys: Sequence[str], change: Change[T]) -> T:
    connection.begin()
    values, claimed = _locked(connection, names)
    writes, outcome = change(values)
    entries = dict(writes.items())
    for key, entry in entries.items():
        check_write(key, entry, keys)
    if any(entry is not None or key in values for key, entry in entries.items()):
        stale = [key for key, entry in entries.items() if entry is None and key in values]
        _write(connection, entries, [*claimed, *stale])
        connection.commit()
    else:
        connection.rollback()
    return outcome


def _locked(connection: Connection, names: Sequence[bytes]) -> tuple[dict[str, bytes], list[str]]:
    """Lock rows, and create those that are absent. Return the values, and the keys of the created rows."""
    if not names:
        return {}, []
    sql = connection.sql
    rows = connection.execute(sql.select(len(names)), names)
    if len(rows) < len(names) and sql.keep:
        # Release the locks first: keeping them while it waits for an absent row with a smaller key could deadlock.
        connection.rollback()
        connection.begin()
        connection.execute(sql.claim(len(names)), names)
        rows = connection.execute(sql.select(len(names)), names)
    values = {bytes(key).decode(): bytes(value) for key, value in rows if value is not None}
    return values, [bytes(key).decode() for key, value in rows if value is None]


def _write(connection: Connection, entries: Mapping[str, Entry | None], existing: Iterable[str]) -> None:
    """Write entries, and delete the existing rows without one. ``existing`` includes every row without a value."""
    sql = connection.sql
    kept = {key: entry for key, entry in sorted(entries.items(), key=itemgetter(0)) if entry is not None}
    deleted = sorted(key.encode() for key in existing if key not in kept)
    if kept:
        row = [part for key, entry in kept.items() for part in (key.encode(), entry.value, entry.keep_for)]
        connection.execute(sql.write(len(kept)), row)
    if deleted:
        connection.execute(sql.delete(len(deleted)), deleted)


def _purge(connection: Connection, limit: int) -> int:
    sql = connection.sql
    connection.begin()
    names = sorted(bytes(key) for (key,) in connection.execute(sql.expired(), [limit]))
    expired = [bytes(key) for (key,) in connection.execute(sql.still_expired(len(names)), names)] if names else []
    if expired:
        connection.execute(sql.delete(len(expired)), expired)
        connection.commit()
    return len(expired)
