import pytest
from stores.hammer import Hammer
from smsmfa.stores.sqlite import SqliteStore, AsyncSqliteStore
from smsmfa.testing import StoreConformance, AsyncStoreConformance


class TestSqliteStore(Hammer, StoreConformance):
    shared = processes = fork = True

    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "x.db"

    def make_store(self):
        return SqliteStore(self.path)

    def disturb(self):
        s = SqliteStore(self.path)
        s.purge()
        s.close()


class TestAsyncSqliteStore(Hammer, AsyncStoreConformance):
    shared = processes = True

    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "x.db"

    def make_store(self):
        return AsyncSqliteStore(self.path)

    def disturb(self):
        s = SqliteStore(self.path)
        s.purge()
        s.close()
