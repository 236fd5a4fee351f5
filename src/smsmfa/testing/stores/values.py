"""Checks of a store: keys and values come back as they were written."""

from ...typing import Entry
from ..collisions import known_collisions
from .suite import MOST_KEYS, Suite, deterministic_check, expect, expect_values, fresh, increment, look, put

#: Names that databases confuse: they differ in case, spaces, prefixes, separators, patterns, quotes or numbers.
_NAMES = [
    *("k", "K", "kk", "k ", " k", "k  ", "k:", ":k", "k:k", "k/", "/k", "k/k", "k.k", "k-k", "k+k", "k=k", "k&k"),
    *("k%", "k_", "k*", "k?", "k'", 'k"', "k\\", "k\\n", "k{1}", "k[1]", "%s", "$1", "k;", "k--", "k#", "~"),
    *("0", "00", "0.0", "1e0", "None", ""),
]
_LONGEST_KEY = 250
_SIZES = (0, 1, 2, 127, 128, 255, 256, 257, 1023, 4096, 65_535, 65_536, 65_537, 136_000)
_HOUR = 3600


class ValueChecks(Suite):
    """Keys and values."""

    @deterministic_check(3)
    def test_absent(self) -> None:
        """read() returns None for an absent key, and the mapping that a change sees does not contain it."""
        store, keys = self.opened(), fresh("a", "b")
        expect_values(store, keys, {})
        expect(None, store.update(keys, lambda values: ({}, values.get(keys[0]))), "values.get() of an absent key")
        expect(False, store.update(keys, lambda values: ({}, keys[0] in values)), "whether an absent key is in values")
        expect(0, store.update(keys, lambda values: ({}, len(values))), "the length of values if all keys are absent")

    @deterministic_check(3)
    def test_written_is_read(self) -> None:
        """read() and update() see a value as soon as it is written, and a later write replaces it."""
        store, [key] = self.opened(), fresh("k")
        for value in (b"first", b"second", b"first", b"a third and longer one", b"4"):
            put(store, {key: value})
            expect_values(store, [key], {key: value})

    @deterministic_check(9)
    def test_exact_bytes(self) -> None:
        """read() and update() return values as exactly bytes: not str, bytearray, memoryview or a subclass."""
        store, [key] = self.opened(), fresh("k")
        for value in (b"", b"text", b"1", b"\xff\x00"):
            put(store, {key: value})
            expect(bytes, type(store.read(key)), f"the type that read() returns for {value!r}")
            expect(bytes, type(look(store, [key])[key]), f"the type that a change sees for {value!r}")

    @deterministic_check(9)
    def test_every_byte(self) -> None:
        """Every byte of a value survives in every position, including zero bytes and white space at either end."""
        store, [key] = self.opened(), fresh("k")
        for value in (bytes(range(256)), bytes(reversed(range(256))), b"\0", b"\0v\0", b" v \n", b"\r\n", b"\xc3\xa9"):
            put(store, {key: value})
            expect_values(store, [key], {key: value})

    @deterministic_check(9)
    def test_empty_value(self) -> None:
        """An empty value is a value: it is not None, it is not absent, and it can replace another value."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, {keys[0]: b""})
        expect_values(store, keys, {keys[0]: b""})
        put(store, dict.fromkeys(keys, b"full"))
        put(store, {keys[1]: b""})
        expect_values(store, keys, {keys[0]: b"full", keys[1]: b""})

    @deterministic_check(9)
    def test_sizes(self) -> None:
        """A value of any size up to 136 kB comes back whole, and can shrink and grow."""
        store, [key] = self.opened(), fresh("k")
        for size in (*_SIZES, *reversed(_SIZES)):
            value = (b"%d," % size * size)[:size]
            put(store, {key: value})
            expect_values(store, [key], {key: value})

    @deterministic_check(9)
    def test_keys_that_look_alike(self) -> None:
        """Keys are compared as bytes: case, spaces, prefixes and punctuation matter, and no key is a pattern."""
        store, keys = self.opened(), fresh(*_NAMES)
        values = {key: b"%d" % number for number, key in enumerate(keys)}
        for key, value in values.items():
            put(store, {key: value})
        expect_values(store, keys, values)
        put(store, values)
        expect_values(store, keys, values)
        store.update(keys[:1], lambda _: ({keys[0]: None}, None))
        expect_values(store, keys, {key: value for key, value in values.items() if key != keys[0]})

    @deterministic_check(9)
    def test_keys_of_any_printable(self) -> None:
        """A key can contain every printable ASCII character, also at either end."""
        store, [space] = self.opened(), fresh("")
        keys = [f"{char}{space}{char}" for char in map(chr, range(0x20, 0x7F))]
        put(store, {key: key.encode() for key in keys})
        expect_values(store, keys, {key: key.encode() for key in keys})

    @deterministic_check(9)
    def test_long_keys(self) -> None:
        """A key can be 250 characters long, and its last character matters."""
        store, [space] = self.opened(), fresh("")
        keys = [space.ljust(size - 1, "x") + end for size in (64, 128, 191, 192, _LONGEST_KEY) for end in "aAb "]
        put(store, {key: key.encode() for key in keys})
        expect_values(store, keys, {key: key.encode() for key in keys})

    @deterministic_check(9)
    def test_hashes_are_long(self) -> None:
        """Two keys with the same hash of 32 bits have two values: do not use such a hash as the key."""
        store = self.opened()
        for one, other in known_collisions():
            for key in (one, other):
                put(store, {key: key.encode()})
            expect_values(store, [one, other], {one: one.encode(), other: other.encode()})
            store.update([one, other], lambda values: (dict.fromkeys(values), None))

    @deterministic_check(1)
    def test_sixteen_keys(self) -> None:
        """One update can read and write 16 keys. The factor never needs more."""
        store, keys = self.opened(), fresh(*map(str, range(MOST_KEYS)))
        expect(0, store.update(keys, increment(*keys)), "the count that an update of 16 keys sees")
        expect_values(store, keys, dict.fromkeys(keys, b"1"))
        store.update(keys, lambda values: (dict.fromkeys(values), None))
        expect_values(store, keys, {})

    @deterministic_check(1)
    def test_several_keys(self) -> None:
        """One update can write some keys, delete others and leave the rest, in any order and number."""
        store, keys = self.opened(), fresh(*map(str, range(10)))
        put(store, dict.fromkeys(keys[:6], b"old"))
        writes = {keys[8]: Entry(b"new"), keys[0]: None, keys[7]: None, keys[1]: Entry(b"new"), keys[2]: None}
        store.update(keys[::-1], lambda _: (writes, None))
        old, new = dict.fromkeys(keys[3:6], b"old"), {keys[1]: b"new", keys[8]: b"new"}
        expect_values(store, keys, old | new)

    @deterministic_check(10)
    def test_only_the_keys_asked_for(self) -> None:
        """A change sees only the keys of its update, whether they are a list or a tuple."""
        store, keys = self.opened(), fresh("a", "b", "c")
        put(store, dict.fromkeys(keys, b"1"))
        expect(dict.fromkeys(keys[:2], b"1"), look(store, keys[:2]), "what a change of two keys sees")
        expect({keys[2]: b"1"}, look(store, (keys[2],)), "what a change sees if the keys are a tuple")

    @deterministic_check(3)
    def test_deleted(self) -> None:
        """Writing None deletes a key for read() and update(). The key can then be written again."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, dict.fromkeys(keys, b"1"))
        store.update(keys, lambda _: ({keys[0]: None}, None))
        expect_values(store, keys, {keys[1]: b"1"})
        put(store, {keys[0]: b"2"})
        expect_values(store, keys, {keys[0]: b"2", keys[1]: b"1"})

    @deterministic_check(3)
    def test_deletion_of_nothing(self) -> None:
        """Deleting an absent key is not an error and leaves it absent, alone or beside a write."""
        store, keys = self.opened(), fresh("a", "b")
        store.update(keys, lambda _: ({keys[0]: None, keys[1]: None}, None))
        expect_values(store, keys, {})
        store.update(keys, lambda _: ({keys[0]: None, keys[1]: Entry(b"1")}, None))
        expect_values(store, keys, {keys[1]: b"1"})

    @deterministic_check(11)
    def test_empty_mapping(self) -> None:
        """A change that returns an empty mapping changes no value and no lifetime, and creates no entry."""
        store, keys = self.opened(), fresh("a", "b", "c")
        put(store, {keys[0]: b"1"}, _HOUR)
        put(store, {keys[1]: b"2"})
        for _ in range(3):
            expect("seen", store.update(keys, lambda _: ({}, "seen")), "the outcome of a change that writes nothing")
            expect_values(store, keys, {keys[0]: b"1", keys[1]: b"2"})
