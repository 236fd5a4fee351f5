"""The check of call sequences rejects a store that differs from a dictionary after a few steps."""

import pytest
from hypothesis import Phase, settings
from testing.stores.good import DictStore, broken_suite, failed, suite

from smsmfa.testing.stores import model
from smsmfa.testing.stores.model import ModelChecks


class ForgetsAfterAnError(DictStore):
    def run(self, keys, change):
        try:
            return super().run(keys, change)
        except ValueError:
            self.entries.clear()
            raise


class FoldsCase(DictStore):
    def get(self, key):
        return super().get(key.lower())

    def put(self, key, entry):
        super().put(key.lower(), entry)


def test_a_right_store_passes():
    """A correct store passes, also when it is opened twice."""
    assert set() == failed(suite(ModelChecks, DictStore), ["test_model"])
    data = DictStore()
    assert set() == failed(suite(ModelChecks, lambda: data, shared=True), ["test_model"])


@pytest.fixture
def unshrunk(monkeypatch):
    """Make Hypothesis report the first failure that it finds."""
    monkeypatch.setattr(model, "settings", lambda **given: settings(**given | {"phases": [Phase.generate]}))


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize("store", [ForgetsAfterAnError, FoldsCase])
def test_caught(store):
    """A broken store is always rejected: the sequences are the same in each run."""
    assert {"test_model"} == failed(broken_suite(ModelChecks, store), ["test_model"])


@pytest.mark.usefixtures("unshrunk")
def test_two_that_share_nothing():
    """Two stores that should share their data but do not are rejected."""
    assert {"test_model"} == failed(broken_suite(ModelChecks, DictStore, shared=True), ["test_model"])
