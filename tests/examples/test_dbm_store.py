"""The example store over dbm keeps the store protocol, and survives a crash at any step."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smsmfa import StoreError
from smsmfa.typing import Entry

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples" / "dbm_store.py"
PAGE = (ROOT / "docs" / "how-to" / "custom-store.md").read_text(encoding="utf-8")
#: Makes the run quick. The machine does not crash in this test, so the disk need not write at once.
IN_HASTE = """
import os
from smsmfa.testing import StoreConformance

os.fsync = bool
StoreConformance.rounds = 2
StoreConformance.examples = 5
StoreConformance.patience = 0.02
"""

spec = importlib.util.spec_from_file_location("dbm_store", FILE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


@pytest.fixture
def path(tmp_path):
    """The directory of a store that holds one value under two keys."""
    put(example.DbmStore(tmp_path / "factor"), b"old")
    return tmp_path / "factor"


def put(store, value, keep_for=None):
    """Store a value under two keys."""
    store.update(["a", "b"], lambda _: ({"a": Entry(value, keep_for), "b": Entry(value, keep_for)}, None))


def held(path):
    """Return what is stored under the two keys."""
    store = example.DbmStore(path)
    return store.read("a"), store.read("b")


def left(path):
    """Return the names in the directory."""
    return sorted(entry.name for entry in path.iterdir())


def die_at(step, path):
    """Update in a child that dies before its n-th step in the file system; return whether it reached that step."""
    if not (child := os.fork()):
        steps = iter(range(10_000))
        events = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
        sys.addaudithook(lambda event, _: event in events and next(steps) == step and os._exit(1))
        try:
            put(example.DbmStore(path), b"new")
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


# From 3.12 Python warns if the process has threads, as a worker of pytest-xdist has. The child only updates and exits.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_crash(path):
    """R25: whichever step a process dies at, the next process finds all of the update or nothing, and can go on."""
    seen, step = [], 0
    while die_at(step, path):
        seen.append(held(path))
        put(example.DbmStore(path), b"old")
        step += 1

    assert {(b"old", b"old"), (b"new", b"new")} == set(seen)
    assert step > 20
    assert 2 == len(left(path))


@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename"])
def test_file_system_fails(path, monkeypatch, call):
    """R26: if the file system fails before the commit, the store raises StoreError and nothing changes."""

    def fail(*arguments, **named):
        raise OSError(28, "no space left")

    store = example.DbmStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StoreError) as caught:
            put(store, b"new")
    assert OSError is type(caught.value.__cause__)
    assert (b"old", b"old") == held(path)


def test_unflushed_commit(path, monkeypatch):
    """R26: a commit that cannot be confirmed raises StoreError."""
    fsync, flushed = os.fsync, []

    def fail_at_last(file):
        flushed.append(file)
        if (path / "2").exists():
            raise OSError(5, "input/output error")
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_at_last)
        with pytest.raises(StoreError):
            put(example.DbmStore(path), b"new")
    assert 5 == len(flushed)
    assert (b"new", b"new") == held(path)


def test_expiry(path, monkeypatch):
    """An entry is kept for its whole lifetime, then it is absent, and the next update removes it from the disk."""
    now = 1_700_000_000.5
    store = example.DbmStore(path)
    monkeypatch.setattr(time, "time", lambda: now)
    put(store, b"short", 60)

    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert (b"short", b"short") == held(path)

    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert (None, None) == held(path)
    store.update(["c"], lambda _: ({"c": Entry(b"")}, None))
    assert not any(b"short" in file.read_bytes() for file in path.rglob("*.dat"))


def test_private(path):
    """Only the owner may read the files."""
    assert 0o700 == path.stat().st_mode & 0o777
    assert {0o600} == {file.stat().st_mode & 0o777 for file in (path / "1").iterdir()}


def reported(text):
    """Return what a run of pytest says about its checks, without the time they took."""
    return re.findall(r"^smsmfa.testing: .*|^\d+ passed.*(?= in )", text, re.MULTILINE)


def test_page(tmp_path):
    """A reader who follows the guide in an empty directory gets the run that the guide shows."""
    [suite] = re.findall(r"```python\n([^`]*class TestDbmStore[^`]*)```", PAGE)
    shutil.copy(FILE, tmp_path)
    (tmp_path / "test_dbm_store.py").write_text(suite)
    (tmp_path / "conftest.py").write_text(IN_HASTE)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert reported(PAGE) == reported(run.stdout), run.stdout[-5000:]
    assert 0 == run.returncode
    assert 2 == len(reported(PAGE))
