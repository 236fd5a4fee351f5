"""Names and sealed values: the published vectors, every altered bit, keys that rotate, and what gives nothing away."""

import copy
import hmac
import pickle
import sys
import traceback
from base64 import b64encode
from hashlib import sha256
from importlib import import_module
from itertools import permutations

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shown

from smsmfa import ConfigurationError, StoreError
from smsmfa.codes import EXAMPLE_SECRET
from smsmfa.core.opaque import Opaque
from smsmfa.core.records import TOTAL_KEY, number_key, user_key
from smsmfa.stores import sealing
from smsmfa.stores.sealing import MARK, Sealer, Xaes256Gcm
from smsmfa.typing import Entry

KEY = "the key of these tests is 9Qv3 and long enough"
OLDER = "an older key of these tests is Mz61 and long enough"
NAME_KEY = "the name key of these tests is Tt85 and long enough"
#: A byte for the format, 4 for the key, 24 for the nonce, 16 for the tag.
OVERHEAD = 45


def sealer(*keys, name_key=NAME_KEY):
    return Sealer(Opaque(keys or KEY), Opaque(name_key))


@pytest.fixture
def one():
    return sealer()


# --- the cipher

NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"
VECTORS = [
    (b"\1" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
    (b"\3" * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
]


@pytest.mark.parametrize("key, also, encrypted", VECTORS)
def test_vectors(key, also, encrypted):
    """R12: the cipher gives what its specification says, for a key whose doubling carries and for one it does not."""
    cipher = Xaes256Gcm(Opaque(key))

    assert encrypted == cipher.encrypt(NONCE, b"XAES-256-GCM", also).hex()
    assert b"XAES-256-GCM" == cipher.decrypt(NONCE, bytes.fromhex(encrypted), also)


@pytest.mark.parametrize("byte", range(24))
def test_whole_nonce(byte):
    """Every byte of the nonce counts."""
    cipher, other = Xaes256Gcm(Opaque(b"\1" * 32)), bytearray(NONCE)
    other[byte] ^= 1
    encrypted = cipher.encrypt(NONCE, b"value", b"")

    assert encrypted != cipher.encrypt(bytes(other), b"value", b"")
    with pytest.raises(InvalidTag):
        cipher.decrypt(bytes(other), encrypted, b"")


# --- values


def hkdf(key, use):
    """Return what HKDF-SHA-256 gives, by the two lines of RFC 5869."""
    extracted = hmac.digest(bytes(32), key.encode(), "sha256")
    return hmac.digest(extracted, b"smsmfa encrypted store, " + use + b"\1", "sha256")


def test_format(one):
    """R12: a sealed value is a byte for the format, an id of the key, a nonce, and what a key of its own encrypts."""
    sealed = one.seal("name", b"value")
    plain = Xaes256Gcm(Opaque(hkdf(KEY, b"value"))).decrypt(sealed[5:29], sealed[29:], sealed[:5] + b"name")

    assert b"\1" + hkdf(KEY, b"id")[:4] == sealed[:5]
    assert b"value\x80" + bytes(506) == plain


@settings(deadline=None)
@given(key=st.text(max_size=250), value=st.binary(max_size=3000))
def test_round_trip(key, value):
    """Any value comes back as it was, as exactly bytes, under any key."""
    one = sealer()
    name = one.name(key)
    back = one.unseal(name, one.seal(name, value))

    assert (bytes, value) == (type(back), back)


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"\0" * 511, b"\0" * 512, b"\x80", b"\x80\0\0", b"value\x80", bytes(range(256)) * 512]
)
def test_padding_comes_off(one, value):
    """What looks like padding stays, and nothing else does."""
    assert value == one.unseal("name", one.seal("name", value))


@pytest.mark.parametrize("size, blocks", [(0, 1), (57, 1), (511, 1), (512, 2), (1023, 2), (1024, 3)])
def test_length(one, size, blocks):
    """R31: a length tells no more than how many blocks of 512 bytes a value takes, with one byte of its own."""
    assert OVERHEAD + 512 * blocks == len(one.seal("name", b"v" * size))


def test_never_the_same(one):
    """R12: one value is sealed in a thousand ways: no nonce comes twice, and nothing in two of them is alike."""
    sealed = [one.seal("name", b"value") for _ in range(1000)]

    assert 1000 == len({each[5:29] for each in sealed}) == len({each[5:17] for each in sealed})
    assert 1000 == len({each[17:29] for each in sealed}) == len({each[29:45] for each in sealed})
    assert 1 == len({each[:5] for each in sealed})


def test_every_altered_bit(one):
    """R26: a value of which any bit was altered is an error, and never another value or none."""
    name = one.name("key")
    sealed = one.seal(name, b"value")
    for bit in range(8 * len(sealed)):
        altered = (int.from_bytes(sealed, "big") ^ 1 << bit).to_bytes(len(sealed), "big")
        with pytest.raises(StoreError):
            one.unseal(name, altered)


def test_every_length(one):
    """R26: a value that was cut anywhere, or that something was added to, is an error."""
    sealed = one.seal("name", b"value")
    for size in range(len(sealed)):
        with pytest.raises(StoreError):
            one.unseal("name", sealed[:size])
        with pytest.raises(StoreError):
            one.unseal("name", sealed[size + 1 :])
    with pytest.raises(StoreError, match="altered"):
        one.unseal("name", sealed + b"\0")


def test_other_rows(one):
    """T8: a value is good under its own name, and moved to any other row it is an error."""
    names = [one.name(key) for key in ("u:a", "u:b", "n:a", "U:a", "u:a ", "")] + [MARK]
    for mine, other in permutations(names, 2):
        sealed = one.seal(mine, b"value")
        assert b"value" == one.unseal(mine, sealed)
        with pytest.raises(StoreError, match="moved here from another row"):
            one.unseal(other, sealed)


def test_other_stores():
    """T8: the value of a store with another name key is an error here, though it is encrypted under the same key."""
    one, other = sealer(), sealer(name_key="another name key of these tests, long enough too")

    with pytest.raises(StoreError, match="moved here"):
        other.unseal(other.name("key"), one.seal(one.name("key"), b"value"))


@pytest.mark.parametrize("value", [b"", b"value", b"\1", b"\x94\1\2\3", b"\0" * 8, b"\x94" + b"v" * 600])
def test_in_clear(one, value):
    """R26: a value that was written in clear is an error that says so, and is not taken for a record."""
    with pytest.raises(StoreError, match="is not encrypted"):
        one.unseal("name", value)


def test_halves_of_two(one):
    """T8: parts of two values that were sealed for one name make no third."""
    first, second = one.seal("name", b"1"), one.seal("name", b"2")
    for cut in (6, 17, 29, 300, len(first) - 16):
        with pytest.raises(StoreError, match="altered"):
            one.unseal("name", first[:cut] + second[cut:])


# --- rotation


def test_rotation():
    """R12: the newest key seals, and every key that is listed opens, in whatever place it stands."""
    old, new = sealer(OLDER), sealer(KEY, OLDER)
    sealed = old.seal("name", b"value")

    assert b"value" == new.unseal("name", sealed) == sealer(KEY, NAME_KEY, OLDER).unseal("name", sealed)
    assert b"value" == sealer(KEY).unseal("name", new.seal("name", b"value"))
    with pytest.raises(StoreError, match="list that key again"):
        old.unseal("name", new.seal("name", b"value"))
    with pytest.raises(StoreError, match="list that key again"):
        sealer(KEY).unseal("name", sealed)


def test_names_do_not_rotate():
    """A name depends on the name key alone."""
    assert sealer(OLDER).name("key") == sealer(KEY, OLDER).name("key")
    assert sealer().name("key") != sealer(name_key=KEY).name("key")


def test_renew():
    """A value under an older key is sealed under the newest; one that is there, or absent, is left alone."""
    old, new = sealer(OLDER), sealer(KEY, OLDER)
    writes, _ = new.renew("name", {"name": old.seal("name", b"value")})

    assert {"name"} == set(writes)
    assert b"value" == sealer(KEY).unseal("name", writes["name"].value)
    assert writes["name"].keep_for is None
    assert ({}, None) == new.renew("name", {"name": writes["name"].value}) == new.renew("name", {})
    with pytest.raises(StoreError):
        sealer(KEY).renew("name", {"name": old.seal("name", b"value")})


def test_one_key_in_two_forms():
    """A key is the same as text and as bytes."""
    assert b"value" == sealer(KEY.encode()).unseal("name", sealer(KEY).seal("name", b"value"))


# --- names


def test_name():
    """A name is HMAC-SHA-256 under a key that HKDF gives (RFC 5869): 43 characters that every store keeps apart."""
    expected = b64encode(hmac.digest(hkdf(NAME_KEY, b"name"), b"u:alice", "sha256")).decode().rstrip("=")

    assert expected == sealer().name("u:alice")
    assert {43} == {len(sealer().name(key)) for key in ("", "u:alice", "k" * 250)}


def test_name_says_nothing():
    """R31: a name has nothing of its key: no prefix that tells users from numbers, no hash that can be tried out."""
    one = sealer()
    for key in (user_key("alice"), number_key(14155552671), TOTAL_KEY, "l:=alice"):
        name = one.name(key)
        assert ":" not in name
        assert name not in {key, key[2:]}
        assert sha256(key.encode()).digest().hex()[:8] not in name


@settings(deadline=None)
@given(st.lists(st.text(max_size=250), unique=True, max_size=50))
def test_names_differ(keys):
    """Keys that differ have names that differ."""
    one = sealer()

    assert len(keys) == len({one.name(key) for key in keys})


# --- changes


def test_sealing(one):
    """A change sees values by their keys, and what it says is sealed by their names, kept as long as it said."""

    def change(values):
        assert {"a": b"1", "b": b"2"} == values
        return {"a": Entry(b"3", 60), "b": None, "c": Entry(b"", None)}, "outcome"

    names, sealed_change = one.sealing(["a", "b", "c"], change)
    stored = {names[0]: one.seal(names[0], b"1"), names[1]: one.seal(names[1], b"2")}
    writes, outcome = sealed_change(stored)

    assert "outcome" == outcome
    assert [one.name(key) for key in "abc"] == names == list(writes)
    assert (b"3", 60) == (one.unseal(names[0], writes[names[0]].value), writes[names[0]].keep_for)
    assert writes[names[1]] is None
    assert (b"", None) == (one.unseal(names[2], writes[names[2]].value), writes[names[2]].keep_for)


def test_sealing_again(one):
    """R12: when a store runs a change again, for it lost a race, the values are sealed under fresh nonces."""
    [name], change = one.sealing(["a"], lambda values: ({"a": Entry(values.get("a", b"") + b"1")}, None))
    first, _ = change({})
    second, _ = change(dict.fromkeys([name], first[name].value))

    assert first[name].value[5:29] != second[name].value[5:29]
    assert b"11" == one.unseal(name, second[name].value)


@pytest.mark.parametrize(
    "bad", [{"z": Entry(b"1")}, {"z": None}, {"a": b"1"}, {"a": Entry("1")}, {"a": Entry(b"", -1)}]
)
def test_bad_writes(one, bad):
    """R25: a write outside the keys, or of what is no entry, is a ValueError; so is one under a name of the store's."""
    for writes in (bad, {one.name("a"): Entry(b"1")}):
        _, change = one.sealing(["a"], lambda _, writes=writes: (writes, None))
        with pytest.raises(ValueError, match=r"outside its keys|no Entry of bytes|keep_for"):
            change({})


def test_mark(one):
    """A store that was not prepared, or with other keys, is refused; one that was is left as it is."""
    writes, _ = one.mark({})
    sealed = {MARK: writes[MARK].value}

    assert writes[MARK].keep_for is None
    assert ({}, None) == one.mark(sealed)
    one.check_mark(sealed[MARK])
    with pytest.raises(StoreError, match="prepare"):
        one.check_mark(None)
    for other, said in ((sealer(name_key=OLDER), "name_key"), (sealer(OLDER), "list that key again")):
        for check in (other.mark, lambda sealed, other=other: other.check_mark(sealed[MARK])):
            with pytest.raises(StoreError, match=said):
                check(sealed)


# --- keys

SHORT = "x" * 31


@pytest.mark.parametrize(
    "keys",
    [SHORT, SHORT.encode(), "", b"", [], (), [KEY, SHORT], [KEY, ""], [KEY, None], None, 7, [7], EXAMPLE_SECRET,
     [KEY, EXAMPLE_SECRET.encode()], bytearray(KEY, "ascii"), iter([KEY, 1.5])],
)  # fmt: skip
def test_no_keys(keys):
    """A key that is too short or public, or of another kind, or no key at all, is refused."""
    with pytest.raises(ConfigurationError, match=r"^keys: one str or bytes of at least 32 bytes, or several"):
        Sealer(Opaque(keys), Opaque(NAME_KEY))


@pytest.mark.parametrize("key", [SHORT, "", None, 7, [NAME_KEY], EXAMPLE_SECRET])
def test_no_name_key(key):
    """A name key is one, and long enough."""
    with pytest.raises(ConfigurationError, match=r"^name_key: one str or bytes of at least 32 bytes, and none"):
        sealer(name_key=key)


@pytest.mark.parametrize("keys", [[KEY, KEY], [KEY, OLDER, KEY.encode()]])
def test_twice(keys):
    """A key that is listed twice is refused."""
    with pytest.raises(ConfigurationError, match="listed twice"):
        sealer(*keys)


def test_keys_of_any_kind():
    """Keys may be text of any script, bytes, or what can be gone through once."""
    for keys in (b"\xff" * 32, "ключ" * 8, "\ud800" * 32, [KEY], iter([KEY, OLDER])):
        one = Sealer(Opaque(keys), Opaque(NAME_KEY))
        assert b"value" == one.unseal("name", one.seal("name", b"value"))


def test_one_key_for_all():
    """R12: what encrypts, what names a key and what makes names are different, though the keys given be the same."""
    same = sealer(KEY, name_key=KEY)

    assert 3 == len({hkdf(KEY, use) for use in (b"id", b"value", b"name")})
    assert b"value" == same.unseal("name", same.seal("name", b"value"))


def hidden(text):
    """Return which keys a text shows."""
    return [key for key in (KEY, OLDER, NAME_KEY, SHORT) if key in text]


def test_nothing_is_shown(one):
    """T12: neither a repr nor a pickle or a copy shows a key."""
    assert "<Sealer>" == repr(one)
    assert [] == hidden(repr(one._ciphers) + repr(vars(one)))
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as raised:
            refused(one)
        assert [] == hidden(shown(raised.value))


@pytest.mark.parametrize(
    "keys, name_key",
    [([KEY, SHORT], NAME_KEY), ([KEY, KEY], NAME_KEY), (KEY, SHORT), ([KEY, OLDER, 7], NAME_KEY), (SHORT, NAME_KEY)],
)
def test_refusals_show_nothing(keys, name_key):
    """T12: no frame of a refused construction has a key among its locals."""
    keys, name_key = Opaque(keys), Opaque(name_key)
    with pytest.raises(ConfigurationError) as raised:
        Sealer(keys, name_key)
    report = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())

    assert "in __init__" in report
    assert [] == hidden(report)


def test_failures_show_nothing(one):
    """T12: no frame of a value that cannot be read has a key among its locals, the derived ones included."""
    keys = {sealing._derived(Opaque(KEY.encode()), use) for use in (b"value", b"name")}
    keys |= {one._ciphers[one._header]._derived(NONCE[:12])}
    sealed = one._header + NONCE + b"x" * 16
    with pytest.raises(StoreError) as raised:
        one.unseal("name", sealed)
    report = shown(raised.value)

    assert "decrypt" in report
    assert [] == hidden(report)
    assert [] == [key for key in keys if repr(key)[2:-1] in report or key.hex() in report]


def test_no_package(monkeypatch):
    """Without the package the import says what to install."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for name in ("encrypted", "sealing"):
        monkeypatch.delitem(sys.modules, f"smsmfa.stores.{name}", raising=False)
    with pytest.raises(ModuleNotFoundError) as missing:
        import_module("smsmfa.stores.encrypted")

    assert 'smsmfa.stores.encrypted needs cryptography: pip install "smsmfa[encryption]"' == str(missing.value)
