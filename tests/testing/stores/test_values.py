"""Each check of keys and values rejects a store with exactly that mistake."""

import re
import zlib

import pytest
from testing.stores.good import DictStore, failed, suite

from smsmfa.testing.stores.values import ValueChecks
from smsmfa.typing import Entry


class ShowsWhatIsAbsent(DictStore):
    def values(self, keys):
        return {key: self.get(key) for key in keys}


class ReadsTheFirstWrite(DictStore):
    def put(self, key, entry):
        if entry is None or key not in self.entries:
            super().put(key, entry)


class ReturnsMemory(DictStore):
    def get(self, key):
        value = super().get(key)
        return value if value is None else bytearray(value)


class ReturnsText(DictStore):
    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value.decode(errors="replace").encode(), entry.keep_for))


class TakesEmptyForAbsent(DictStore):
    def get(self, key):
        return super().get(key) or None


class CutsValues(DictStore):
    def put(self, key, entry):
        super().put(key, entry and Entry(entry.value[:65_535], entry.keep_for))


class TrimsKeys(DictStore):
    def get(self, key):
        return super().get(key.rstrip())

    def put(self, key, entry):
        super().put(key.rstrip(), entry)


class NamesFiles(DictStore):
    """Uses each key as a file name, which cannot hold special characters."""

    def get(self, key):
        return super().get(re.sub(r"\W", "_", key))

    def put(self, key, entry):
        super().put(re.sub(r"\W", "_", key), entry)


class CutsKeys(DictStore):
    def get(self, key):
        return super().get(key[:249])

    def put(self, key, entry):
        super().put(key[:249], entry)


class DropsWhatFollowsADeletion(DictStore):
    def write(self, writes):
        for key, entry in writes.items():
            self.put(key, entry)
            if entry is None:
                return


class ShowsEverything(DictStore):
    def values(self, keys):
        return {key: self.get(key) for key in self.entries}


class NeverDeletes(DictStore):
    def put(self, key, entry):
        if entry is not None:
            super().put(key, entry)


class DeletesOnlyWhatIsThere(DictStore):
    def put(self, key, entry):
        if entry is None:
            del self.entries[key]
        else:
            super().put(key, entry)


class TakesNoWritesForADeletion(DictStore):
    def run(self, keys, change):
        writes, outcome = change(self.values(keys))
        self.write(writes or dict.fromkeys(keys))
        return outcome


class TakesTenKeys(DictStore):
    def update(self, keys, change):
        assert len(keys) <= 10
        return super().update(keys, change)


class ChecksumsOfKeys(DictStore):
    def get(self, key):
        return super().get(zlib.crc32(key.encode()))

    def put(self, key, entry):
        super().put(zlib.crc32(key.encode()), entry)


CAUGHT = {
    "test_sixteen_keys": TakesTenKeys,
    "test_hashes_are_long": ChecksumsOfKeys,
    "test_absent": ShowsWhatIsAbsent,
    "test_written_is_read": ReadsTheFirstWrite,
    "test_exact_bytes": ReturnsMemory,
    "test_every_byte": ReturnsText,
    "test_empty_value": TakesEmptyForAbsent,
    "test_sizes": CutsValues,
    "test_keys_that_look_alike": TrimsKeys,
    "test_keys_of_any_printable": NamesFiles,
    "test_long_keys": CutsKeys,
    "test_several_keys": DropsWhatFollowsADeletion,
    "test_only_the_keys_asked_for": ShowsEverything,
    "test_deleted": NeverDeletes,
    "test_deletion_of_nothing": DeletesOnlyWhatIsThere,
    "test_empty_mapping": TakesNoWritesForADeletion,
}


def test_a_right_store_passes():
    """A correct store passes every check, and every check has a store here that fails it."""
    assert set() == failed(suite(ValueChecks, DictStore), CAUGHT)


def test_sixteen_keys_are_enough():
    """No check writes or looks at more than 16 keys in one update."""

    class TakesSixteenKeys(DictStore):
        def update(self, keys, change):
            assert len(keys) <= 16
            return super().update(keys, change)

    assert set() == failed(suite(ValueChecks, TakesSixteenKeys), CAUGHT)


@pytest.mark.parametrize("check, store", CAUGHT.items())
def test_caught(check, store):
    """A store with this mistake fails the check."""
    assert {check} == failed(suite(ValueChecks, store), [check])
