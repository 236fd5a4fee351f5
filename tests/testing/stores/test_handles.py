"""Each check of stores that are opened more than once rejects a store with exactly that mistake."""

import os

import pytest
from testing.stores.good import DictStore, SqliteStore, checked, failed, names, suite

from smsmfa.testing.stores.handles import ForkChecks, HandleChecks


class Remembers(DictStore):
    """A store on shared data that remembers what it saw, and refuses by that without looking again."""

    def __init__(self, data):
        super().__init__()
        self.data, self.memory = data, {}

    def get(self, key):
        self.memory[key] = value = self.data.get(key)
        return value

    def put(self, key, entry):
        self.memory[key] = None if entry is None else entry.value
        self.data.put(key, entry)

    def run(self, keys, change):
        if set(keys) <= self.memory.keys():
            writes, outcome = change({key: value for key in keys if (value := self.memory[key]) is not None})
            if not writes:
                return outcome
        return super().run(keys, change)


class RemembersErrors(Remembers):
    def run(self, keys, change):
        try:
            change({key: value for key in keys if (value := self.memory.get(key)) is not None})
        except KeyError:
            raise
        except Exception:
            return DictStore.run(self, keys, change)
        return DictStore.run(self, keys, change)


def over_shared_data(store):
    """Return a suite over two stores of the same data."""
    data = DictStore()
    return suite(HandleChecks, lambda: store(data), shared=True)


class Sqlite(HandleChecks, ForkChecks):
    """A suite that other processes can import, over a correct store."""

    shared = processes = fork = True
    store = SqliteStore
    rounds = 4
    time_limit = 60.0
    patience = 0.05

    def __init__(self, path):
        self.path = path

    def open_store(self):
        return self.store(self.path)

    def shut_store(self, store):
        store.close()


class Memory(Sqlite):
    """Each process has its own data."""

    @staticmethod
    def store(path):
        store = DictStore()
        store.close = bool
        return store


class Deferred(SqliteStore):
    """Begins a reading transaction that becomes a writing one too late."""

    def _run(self, statement, *arguments):
        return super()._run(statement.replace("BEGIN IMMEDIATE", "BEGIN"), *arguments)


class DeferredSqlite(Sqlite):
    store = Deferred
    patience = 60.0  # nothing makes the other update wait


class Late(SqliteStore):
    """Commits when it is closed."""

    def update(self, keys, change):
        if not self._connection().in_transaction:
            self._run("BEGIN IMMEDIATE")
        writes, outcome = change(self.values(keys))
        for key, entry in checked(writes, keys).items():
            self._write(key.encode(), entry)
        return outcome

    def values(self, keys):
        return {key: value for key in keys if (value := self.read(key)) is not None}

    def close(self):
        if self._connection().in_transaction:
            self._run("COMMIT")
        super().close()


class LateSqlite(Sqlite):
    store = Late


class Broken(SqliteStore):
    """Does not work in another process than the one that made it."""

    def __init__(self, path):
        super().__init__(path)
        self.made_in = os.getpid()

    def _run(self, *arguments):
        assert os.getpid() == getattr(self, "made_in", os.getpid())
        return super()._run(*arguments)


class BrokenSqlite(Sqlite):
    store = Broken


CAUGHT = {
    "test_two_in_turn": Memory,
    "test_memories_of_different_times": Memory,
    "test_refusal_on_stale_memory": Memory,
    "test_error_on_stale_memory": Memory,
    "test_processes_share": Memory,
    "test_process_ends": LateSqlite,
    "test_processes_meet": DeferredSqlite,
    "test_processes_race": Memory,
    "test_fork": BrokenSqlite,
}


@pytest.mark.parametrize("check", CAUGHT)
def test_a_right_store_passes(check, tmp_path):
    """A correct store passes the check."""
    getattr(Sqlite(tmp_path / "store.db"), check)()


@pytest.mark.parametrize("check, broken", CAUGHT.items())
def test_caught(check, broken, tmp_path):
    """A store with this mistake fails the check."""
    assert names(broken) == CAUGHT.keys()
    assert {check} == failed(lambda: broken(tmp_path / "store.db"), [check])


@pytest.mark.parametrize(
    "store, check",
    [
        (Remembers, "test_refusal_on_stale_memory"),
        (Remembers, "test_memories_of_different_times"),
        (RemembersErrors, "test_error_on_stale_memory"),
    ],
)
def test_stale_memory(store, check):
    """A store that decides on what it remembers is rejected, even if it finally sees what another wrote."""
    assert {check} == failed(over_shared_data(store), [check])


def test_tasks_of_other_processes():
    """The tasks of other processes look, count, and send a word from inside the first call of a change."""
    from smsmfa.testing.stores import handles as store_handles

    store, said = DictStore(), []
    assert [] == store_handles._see_and_count(store, said.append, ["a"])
    assert [2] == store_handles._see_and_count(store, said.append, ["a"])
    store_handles._count(store, said.append, ["b"], 2)
    store_handles._race(store, said.append, ["b"], [["c"], ["d"]])
    assert [4, 0] == store_handles._hold(store, said.append, ["b", "e"])
    assert ["turn", "next"] * 2 == said
    assert [b"2", b"5", b"1", b"1", b"1"] == [store.read(key) for key in "abcde"]
