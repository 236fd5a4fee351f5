"""A store over the standard library's ``dbm``, for the threads and processes of one machine.

``dbm`` has no transactions and no locks, and may lose everything in a crash. So an update never changes the database in
use. It writes a new one beside it, flushes it to the disk, and gives it the next number with one rename. The highest
number is the current database. A crash leaves the old database or the new one, never half an update. A file lock lets
one caller in at a time.

An update takes longer the more is stored: use this for some hundreds of users. The module uses ``dbm.dumb``, which is
part of every Python and does not limit the size of values. ``shelve`` would add pickle, and anyone who can write a
pickle can run code in the process that reads it.
"""

import fcntl
import math
import os
import shutil
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dbm import dumb
from pathlib import Path
from typing import Any, TypeVar

from smsmfa import StoreError
from smsmfa.typing import Change, Entry

T = TypeVar("T")

UNTIL = struct.Struct(">q")  # precedes each value: the last second in which it is kept
FOREVER = 2**63 - 1


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise the file system's errors, and ``dumb.error`` is one, as the StoreError that the library expects."""
    try:
        yield
    except OSError as error:
        raise StoreError("the files of the store cannot be used") from error


class DbmStore:
    """Keeps records in its own directory, on a local disk of Linux, macOS or another Unix.

    Nothing stays open between two calls, so a store may be made before a fork and used in both processes.

    Args:
        path: the directory. It is created if it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, key: str) -> bytes | None:
        """Return the value stored under ``key``, or ``None``."""
        with self._locked():
            return self._load([key]).get(key)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys`` and store its writes, while nobody else can."""
        with self._locked():
            writes, outcome = change(self._load(keys))  # if it raises, nothing is written
            if not writes.keys() <= set(keys):
                raise ValueError("the change wrote outside its keys")
            if writes:
                self._commit(writes)
            return outcome

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock. It belongs to this opening of the file, so it also keeps threads apart."""
        with ExitStack() as stack:
            with store_errors():
                file = stack.enter_context((self._path / "lock").open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX)
            # Closing the file is not enough: a child that was forked meanwhile has it open too.
            stack.callback(fcntl.flock, file, fcntl.LOCK_UN)
            yield

    @store_errors()
    def _load(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of those keys that exist and have not expired."""
        with self._open(self._numbers()[-1]) as records:
            found = {key: records[key] for key in keys if key in records}
        return {key: record[UNTIL.size :] for key, record in found.items() if is_kept(record)}

    @store_errors()
    def _commit(self, writes: Mapping[str, Entry | None]) -> None:
        """Replace the last database with a new one."""
        numbers = self._numbers()
        new = self._path / "new"
        shutil.rmtree(new, ignore_errors=True)  # left behind by a crash
        new.mkdir(mode=0o700)
        with self._open(numbers[-1]) as old, dumb.open(new / "records", "n", 0o600) as records:
            for key, record in old.items():
                if key.decode() not in writes and is_kept(record):
                    records[key] = record
            for key, entry in writes.items():
                if entry is not None:
                    records[key] = UNTIL.pack(until(entry)) + entry.value
        for path in (*new.iterdir(), new):
            flush(path)
        new.rename(self._path / str(numbers[-1] + 1))  # the commit
        flush(self._path)
        for number in numbers:
            shutil.rmtree(self._path / str(number), ignore_errors=True)

    def _open(self, number: int) -> AbstractContextManager[Any]:
        return dumb.open(self._path / str(number) / "records", "r") if number else nullcontext({})

    def _numbers(self) -> list[int]:
        """Return the numbers of the databases, the current one last; 0 means that there is none."""
        return sorted([0, *(int(path.name) for path in self._path.iterdir() if path.name.isdigit())])


def until(entry: Entry) -> int:
    """Return the second until which an entry is kept, by this machine's clock."""
    return FOREVER if entry.keep_for is None else math.ceil(time.time()) + entry.keep_for


def is_kept(record: bytes) -> bool:
    last: int = UNTIL.unpack_from(record)[0]
    return time.time() <= last


def flush(path: Path) -> None:
    """Make the system write a file or a directory to the disk now."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
