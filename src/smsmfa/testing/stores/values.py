"""Checks of a store: keys and values come back as they were written, and are kept long enough."""

from collections import deque
from collections.abc import Sequence
from time import monotonic

from ...typing import Entry, Store
from .suite import Suite, check, expect, fresh, look, put

#: Names that databases confuse: they differ in case, spaces, prefixes, separators, patterns, quotes or numbers.
_NAMES = [
    *("k", "K", "kk", "k ", " k", "k  ", "k:", ":k", "k:k", "k/", "/k", "k/k", "k.k", "k-k", "k+k", "k=k", "k&k"),
    *("k%", "k_", "k*", "k?", "k'", 'k"', "k\\", "k\\n", "k{1}", "k[1]", "%s", "$1", "k;", "k--", "k#", "~"),
    *("0", "00", "0.0", "1e0", "None", ""),
]
_LONGEST_KEY = 250
_SIZES = (0, 1, 2, 127, 128, 255, 256, 257, 1023, 4096, 65_535, 65_536)
_LONGEST = 10**11
_HOUR = 3600
_MONTH = 30 * 24 * _HOUR
#: Some servers read more than 30 days as a date, and some overflow.
_TIMES = (60, _HOUR, _MONTH - 1, _MONTH + 1, 12 * _MONTH, 2**31 - 1, 2**31, 2**32, 2**33, _LONGEST, None)


class ValueChecks(Suite):
    """Keys, values, and how long they are kept."""

    @check(3)
    def test_absent(self) -> None:
        """read() returns None for an absent key, and the mapping that a change sees does not contain it."""
        store, keys = self.opened(), fresh("a", "b")
        self._expect(store, keys, {})
        expect(None, store.update(keys, lambda values: ({}, values.get(keys[0]))), "values.get() of an absent key")
        expect(False, store.update(keys, lambda values: ({}, keys[0] in values)), "whether an absent key is in values")
        expect(0, store.update(keys, lambda values: ({}, len(values))), "the length of values if all keys are absent")

    @check(3)
    def test_written_is_read(self) -> None:
        """read() and update() see a value as soon as it is written, and a later write replaces it."""
        store, [key] = self.opened(), fresh("k")
        for value in (b"first", b"second", b"first", b"a third and longer one", b"4"):
            put(store, {key: value})
            self._expect(store, [key], {key: value})

    @check(9)
    def test_exact_bytes(self) -> None:
        """read() and update() return values as exactly bytes: not str, bytearray, memoryview or a subclass."""
        store, [key] = self.opened(), fresh("k")
        for value in (b"", b"text", b"1", b"\xff\x00"):
            put(store, {key: value})
            expect(bytes, type(store.read(key)), f"the type that read() returns for {value!r}")
            expect(bytes, type(look(store, [key])[key]), f"the type that a change sees for {value!r}")

    @check(9)
    def test_every_byte(self) -> None:
        """Every byte of a value survives in every position, including zero bytes and white space at either end."""
        store, [key] = self.opened(), fresh("k")
        for value in (bytes(range(256)), bytes(reversed(range(256))), b"\0", b"\0v\0", b" v \n", b"\r\n", b"\xc3\xa9"):
            put(store, {key: value})
            self._expect(store, [key], {key: value})

    @check(9)
    def test_empty_value(self) -> None:
        """An empty value is a value: it is not None, it is not absent, and it can replace another value."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, {keys[0]: b""})
        self._expect(store, keys, {keys[0]: b""})
        put(store, dict.fromkeys(keys, b"full"))
        put(store, {keys[1]: b""})
        self._expect(store, keys, {keys[0]: b"full", keys[1]: b""})

    @check(9)
    def test_sizes(self) -> None:
        """A value of any size up to 64 KiB comes back whole, and can shrink and grow."""
        store, [key] = self.opened(), fresh("k")
        for size in (*_SIZES, *reversed(_SIZES)):
            value = (b"%d," % size * size)[:size]
            put(store, {key: value})
            self._expect(store, [key], {key: value})

    @check(9)
    def test_keys_that_look_alike(self) -> None:
        """Keys are compared as bytes: case, spaces, prefixes and punctuation matter, and no key is a pattern."""
        store, keys = self.opened(), fresh(*_NAMES)
        values = {key: b"%d" % number for number, key in enumerate(keys)}
        for key, value in values.items():
            put(store, {key: value})
        self._expect(store, keys, values)
        put(store, values)
        self._expect(store, keys, values)
        store.update(keys[:1], lambda _: ({keys[0]: None}, None))
        self._expect(store, keys, {key: value for key, value in values.items() if key != keys[0]})

    @check(9)
    def test_keys_of_any_printable(self) -> None:
        """A key can contain every printable ASCII character, also at either end."""
        store, [space] = self.opened(), fresh("")
        keys = [f"{char}{space}{char}" for char in map(chr, range(0x20, 0x7F))]
        put(store, {key: key.encode() for key in keys})
        self._expect(store, keys, {key: key.encode() for key in keys})

    @check(9)
    def test_long_keys(self) -> None:
        """A key can be 250 characters long, and its last character matters."""
        store, [space] = self.opened(), fresh("")
        keys = [space.ljust(size - 1, "x") + end for size in (64, 128, 191, 192, _LONGEST_KEY) for end in "aAb "]
        put(store, {key: key.encode() for key in keys})
        self._expect(store, keys, {key: key.encode() for key in keys})

    @check(1)
    def test_several_keys(self) -> None:
        """One update can write some keys, delete others and leave the rest, in any order and number."""
        store, keys = self.opened(), fresh(*map(str, range(10)))
        put(store, dict.fromkeys(keys[:6], b"old"))
        writes = {keys[8]: Entry(b"new"), keys[0]: None, keys[7]: None, keys[1]: Entry(b"new"), keys[2]: None}
        store.update(keys[::-1], lambda _: (writes, None))
        old, new = dict.fromkeys(keys[3:6], b"old"), {keys[1]: b"new", keys[8]: b"new"}
        self._expect(store, keys, old | new)

    @check(10)
    def test_only_the_keys_asked_for(self) -> None:
        """A change sees only the keys of its update, whether they are a list or a tuple."""
        store, keys = self.opened(), fresh("a", "b", "c")
        put(store, dict.fromkeys(keys, b"1"))
        expect(dict.fromkeys(keys[:2], b"1"), look(store, keys[:2]), "what a change of two keys sees")
        expect({keys[2]: b"1"}, look(store, (keys[2],)), "what a change sees if the keys are a tuple")

    @check(3)
    def test_deleted(self) -> None:
        """Writing None deletes a key for read() and update(). The key can then be written again."""
        store, keys = self.opened(), fresh("a", "b")
        put(store, dict.fromkeys(keys, b"1"))
        store.update(keys, lambda _: ({keys[0]: None}, None))
        self._expect(store, keys, {keys[1]: b"1"})
        put(store, {keys[0]: b"2"})
        self._expect(store, keys, {keys[0]: b"2", keys[1]: b"1"})

    @check(3)
    def test_deletion_of_nothing(self) -> None:
        """Deleting an absent key is not an error and leaves it absent, alone or beside a write."""
        store, keys = self.opened(), fresh("a", "b")
        store.update(keys, lambda _: ({keys[0]: None, keys[1]: None}, None))
        self._expect(store, keys, {})
        store.update(keys, lambda _: ({keys[0]: None, keys[1]: Entry(b"1")}, None))
        self._expect(store, keys, {keys[1]: b"1"})

    @check(11)
    def test_never_early(self) -> None:
        """An entry exists right after it was written, whether it is kept for an hour, 10^11 seconds or forever."""
        store = self.opened()
        for keep_for in _TIMES:
            [key] = fresh("k")
            put(store, {key: b"1"}, keep_for)
            self._expect(store, [key], {key: b"1"})

    @check(11)
    def test_whole_seconds(self) -> None:
        """An entry kept for one second is there for a whole second, whenever in a clock second it was written."""
        store, recent = self.opened(), deque[tuple[float, list[str]]](maxlen=2)
        now, end = 0.0, monotonic() + 1.3
        while now < end:  # each entry is checked again after any pause of the machine
            now = monotonic()
            if not recent or now > recent[-1][0] + 0.05:
                recent.append((now, fresh("1", "5")))
                for key in recent[-1][1]:
                    put(store, {key: b"1"}, int(key[-1]))
            for since, keys in recent:
                there = [store.read(key) for key in keys]
                expected = [b"1", b"1"] if monotonic() < since + 1 else there
                expect(expected, there, "entries written less than a second ago, kept for 1 and for 5 seconds")

    @check(11)
    def test_keep_for_nothing(self) -> None:
        """An entry with keep_for=0 may be gone or still be there, and its key stays usable."""
        store, [key] = self.opened(), fresh("k")
        put(store, {key: b"1"}, 0)
        if store.read(key) not in (None, b"1") or look(store, [key]) not in ({}, {key: b"1"}):
            raise AssertionError("an entry with keep_for=0 has another value than the one written")
        put(store, {key: b"2"}, _HOUR)
        self._expect(store, [key], {key: b"2"})

    @check(11)
    def test_last_write_says_how_long(self) -> None:
        """A write replaces the value of an entry and also its lifetime."""
        store = self.opened()
        for keep_for in (None, _HOUR):
            [key] = fresh("k")
            put(store, {key: b"1"}, 0)
            put(store, {key: b"2"}, keep_for)
            self._expect(store, [key], {key: b"2"})

    @check(11)
    def test_other_entries_keep_their_time(self) -> None:
        """An update gives each key its own lifetime, and changes no key that it only sees."""
        store, keys = self.opened(), fresh("a", "b", "c", "d")
        put(store, dict.fromkeys(keys[:2], b"1"))
        writes = {keys[2]: Entry(b"1", 0), keys[3]: Entry(b"1", _HOUR), keys[1]: Entry(b"1", None)}
        store.update(keys, lambda _: (writes, None))
        self._expect(store, [keys[0], keys[1], keys[3]], dict.fromkeys((keys[0], keys[1], keys[3]), b"1"))

    @check(11)
    def test_empty_mapping(self) -> None:
        """A change that returns an empty mapping changes no value and no lifetime, and creates no entry."""
        store, keys = self.opened(), fresh("a", "b", "c")
        put(store, {keys[0]: b"1"}, _HOUR)
        put(store, {keys[1]: b"2"})
        for _ in range(3):
            expect("seen", store.update(keys, lambda _: ({}, "seen")), "the outcome of a change that writes nothing")
            self._expect(store, keys, {keys[0]: b"1", keys[1]: b"2"})

    def _expect(self, store: Store, keys: Sequence[str], values: dict[str, bytes]) -> None:
        read = {key: store.read(key) for key in keys}
        expect({key: values.get(key) for key in keys}, read, "what read() returns")
        expect(values, look(store, keys), "what a change sees")
