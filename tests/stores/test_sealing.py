"""Names and sealed values: the published vectors, altered values, key rotation, and what must not be shown."""

import copy
import hmac
import pickle
import sys
import traceback
from base64 import b64encode
from hashlib import sha256
from importlib import import_module
from itertools import permutations
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shown

from smsmfa import ConfigurationError, StoreError
from smsmfa.codes import EXAMPLE_SECRET
from smsmfa.core.opaque import Opaque
from smsmfa.core.records import number_key, total_key, user_key
from smsmfa.stores import sealing
from smsmfa.stores.sealing import MARK, Sealer
from smsmfa.typing import Entry

KEY = "the key of these tests is 9Qv3 and long enough"
OLDER = "an older key of these tests is Mz61 and long enough"
NAME_KEY = "the name key of these tests is Tt85 and long enough"
#: 1 byte for the format, 4 for the key, 12 for the nonce, 16 for the tag.
OVERHEAD = 33


def sealer(*keys, name_key=NAME_KEY):
    return Sealer(Opaque(keys or KEY), Opaque(name_key))


@pytest.fixture
def one():
    return sealer()


# --- the cipher


def test_vectors():
    """R12: the cipher returns the results that RFC 8452 publishes, and refuses each of them with one bit changed."""
    lines = Path(__file__).with_name("rfc8452.txt").read_text().splitlines()
    vectors = [line.replace("-", "").split(" ") for line in lines if not line.startswith("#")]
    for fields in vectors:
        key, nonce, also, plain, result = map(bytes.fromhex, fields)
        cipher = AESGCMSIV(key)
        assert result == cipher.encrypt(nonce, plain, also)
        assert plain == cipher.decrypt(nonce, result, also)
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, result[:-1] + bytes([result[-1] ^ 1]), also)

    assert 24 == len(vectors)


def test_repeated_nonce(one, monkeypatch):
    """R12: if a nonce repeats, two sealed values show only whether they are the same value of the same row."""
    monkeypatch.setattr(sealing, "urandom", bytes)
    values = [one.seal("name", b"value"), one.seal("name", b"value"), one.seal("name", b"valuf")]
    other = one.seal("other", b"value")
    xor = bytes(a ^ b for a, b in zip(values[0], values[2], strict=True))

    assert values[0] == values[1]
    assert 17 == len(xor) - len(xor.lstrip(b"\0"))
    assert xor[17:].count(0) < 20
    assert values[0][17:] != other[17:]
    assert [b"value", b"value", b"valuf"] == [one.unseal("name", each) for each in values]


def test_no_cipher(monkeypatch):
    """If OpenSSL has no AES-GCM-SIV the error says which OpenSSL has it, and shows no key."""

    def refuse(_):
        raise UnsupportedAlgorithm("AES-GCM-SIV is not supported by this version of OpenSSL")

    monkeypatch.setattr(sealing, "AESGCMSIV", refuse)
    with pytest.raises(ConfigurationError, match=r"needs OpenSSL 3\.2 or later.*pip install") as raised:
        sealer()
    assert [] == hidden(shown(raised.value))


# --- values


def hkdf(key, use):
    """Return HKDF-SHA-256 of a key, by the two steps of RFC 5869."""
    extracted = hmac.digest(bytes(32), key.encode(), "sha256")
    return hmac.digest(extracted, b"smsmfa encrypted store, " + use + b"\1", "sha256")


def test_format(one):
    """R12: a sealed value is the format, an id of the key, a nonce, and AES-256-GCM-SIV under a key derived for it."""
    sealed = one.seal("name", b"value")
    cipher = AESGCMSIV(hkdf(KEY, b"AES-256-GCM-SIV"))
    plain = cipher.decrypt(sealed[5:17], sealed[17:], sealed[:5] + b"name")

    assert b"\2" + hkdf(KEY, b"id")[:4] == sealed[:5]
    assert b"value\x80" + bytes(506) == plain


@settings(deadline=None)
@given(key=st.text(max_size=250), value=st.binary(max_size=3000))
def test_round_trip(key, value):
    """Every value is read back unchanged, as exact bytes, under every key."""
    one = sealer()
    name = one.name(key)
    back = one.unseal(name, one.seal(name, value))

    assert (bytes, value) == (type(back), back)


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"\0" * 511, b"\0" * 512, b"\x80", b"\x80\0\0", b"value\x80", bytes(range(256)) * 512]
)
def test_padding_comes_off(one, value):
    """Only the padding is removed, even from a value that ends like padding."""
    assert value == one.unseal("name", one.seal("name", value))


@pytest.mark.parametrize("size, blocks", [(0, 1), (57, 1), (511, 1), (512, 2), (1023, 2), (1024, 3)])
def test_length(one, size, blocks):
    """R31: a length shows only how many blocks of 512 bytes the value and one byte of padding fill."""
    assert OVERHEAD + 512 * blocks == len(one.seal("name", b"v" * size))


def test_never_the_same(one):
    """R12: a value that is sealed a thousand times gets a thousand nonces and a thousand ciphertexts."""
    sealed = [one.seal("name", b"value") for _ in range(1000)]

    assert 1000 == len({each[5:17] for each in sealed}) == len({each[17:33] for each in sealed})
    assert 1000 == len({each[-16:] for each in sealed})
    assert 1 == len({each[:5] for each in sealed})


def test_every_altered_bit(one):
    """R26: a value with any bit altered raises; it is never read as another value or as absent."""
    name = one.name("key")
    sealed = one.seal(name, b"value")
    for bit in range(8 * len(sealed)):
        altered = (int.from_bytes(sealed, "big") ^ 1 << bit).to_bytes(len(sealed), "big")
        with pytest.raises(StoreError):
            one.unseal(name, altered)


def test_every_length(one):
    """R26: a value that was cut or extended raises."""
    sealed = one.seal("name", b"value")
    for size in range(len(sealed)):
        with pytest.raises(StoreError):
            one.unseal("name", sealed[:size])
        with pytest.raises(StoreError):
            one.unseal("name", sealed[size + 1 :])
    with pytest.raises(StoreError, match="altered"):
        one.unseal("name", sealed + b"\0")


def test_other_rows(one):
    """T8: a value can be read under its own name only; moved to any other row it raises."""
    names = [one.name(key) for key in ("u:a", "u:b", "n:a", "U:a", "u:a ", "")] + [MARK]
    for mine, other in permutations(names, 2):
        sealed = one.seal(mine, b"value")
        assert b"value" == one.unseal(mine, sealed)
        with pytest.raises(StoreError, match="moved here from another row"):
            one.unseal(other, sealed)


def test_other_stores():
    """T8: a value from a store with another name key raises, even if both encrypt under the same key."""
    one, other = sealer(), sealer(name_key="another name key of these tests, long enough too")

    with pytest.raises(StoreError, match="moved here"):
        other.unseal(other.name("key"), one.seal(one.name("key"), b"value"))


@pytest.mark.parametrize(
    "value", [b"", b"value", b"\2", b"\x94\1\2\3", b"\0" * 8, b"\x94" + b"v" * 600, b"\1" + b"v" * 556]
)
def test_in_clear(one, value):
    """R26: a value that was written in clear, or in the old format, raises an error that says so."""
    with pytest.raises(StoreError, match="not in the encrypted format: it was written in clear, or by another version"):
        one.unseal("name", value)


def test_halves_of_two(one):
    """T8: parts of two values that were sealed for one name cannot be combined."""
    first, second = one.seal("name", b"1"), one.seal("name", b"2")
    for cut in (6, 11, 17, 300, len(first) - 16):
        with pytest.raises(StoreError, match="altered"):
            one.unseal("name", first[:cut] + second[cut:])


# --- rotation


def test_rotation():
    """R12: the first key seals, and every listed key opens, in any position."""
    old, new = sealer(OLDER), sealer(KEY, OLDER)
    sealed = old.seal("name", b"value")

    assert b"value" == new.unseal("name", sealed) == sealer(KEY, NAME_KEY, OLDER).unseal("name", sealed)
    assert b"value" == sealer(KEY).unseal("name", new.seal("name", b"value"))
    with pytest.raises(StoreError, match="list that key again"):
        old.unseal("name", new.seal("name", b"value"))
    with pytest.raises(StoreError, match="list that key again"):
        sealer(KEY).unseal("name", sealed)


def test_names_do_not_rotate():
    """A name depends only on the name key."""
    assert sealer(OLDER).name("key") == sealer(KEY, OLDER).name("key")
    assert sealer().name("key") != sealer(name_key=KEY).name("key")


def test_renew():
    """A value under an older key is sealed under the newest; a newer or absent value is left alone."""
    old, new = sealer(OLDER), sealer(KEY, OLDER)
    writes, _ = new.renew("name", {"name": old.seal("name", b"value")})

    assert {"name"} == set(writes)
    assert b"value" == sealer(KEY).unseal("name", writes["name"].value)
    assert writes["name"].keep_for is None
    assert ({}, None) == new.renew("name", {"name": writes["name"].value}) == new.renew("name", {})
    with pytest.raises(StoreError):
        sealer(KEY).renew("name", {"name": old.seal("name", b"value")})


def test_one_key_in_two_forms():
    """A key may be given as text or as bytes."""
    assert b"value" == sealer(KEY.encode()).unseal("name", sealer(KEY).seal("name", b"value"))


# --- names


def test_name():
    """A name is HMAC-SHA-256 under a key derived by HKDF (RFC 5869), as 43 characters of Base64."""
    expected = b64encode(hmac.digest(hkdf(NAME_KEY, b"name"), b"u:alice", "sha256")).decode().rstrip("=")

    assert expected == sealer().name("u:alice")
    assert {43} == {len(sealer().name(key)) for key in ("", "u:alice", "k" * 250)}


def test_name_says_nothing():
    """R31: a name shows nothing of its key: neither a prefix that tells users from numbers nor a plain hash."""
    one = sealer()
    for key in (user_key("alice"), number_key(14155552671), total_key(), "l:=alice"):
        name = one.name(key)
        assert ":" not in name
        assert name not in {key, key[2:]}
        assert sha256(key.encode()).digest().hex()[:8] not in name


@settings(deadline=None)
@given(st.lists(st.text(max_size=250), unique=True, max_size=50))
def test_names_differ(keys):
    """Different keys have different names."""
    one = sealer()

    assert len(keys) == len({one.name(key) for key in keys})


# --- changes


def test_sealing(one):
    """A change sees plain values under their keys; its writes are sealed under their names and keep their expiry."""

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
    """R12: if a store runs a change again after a lost race, the values are sealed with fresh nonces."""
    [name], change = one.sealing(["a"], lambda values: ({"a": Entry(values.get("a", b"") + b"1")}, None))
    first, _ = change({})
    second, _ = change(dict.fromkeys([name], first[name].value))

    assert first[name].value[5:17] != second[name].value[5:17]
    assert b"11" == one.unseal(name, second[name].value)


@pytest.mark.parametrize(
    "bad", [{"z": Entry(b"1")}, {"z": None}, {"a": b"1"}, {"a": Entry("1")}, {"a": Entry(b"", -1)}]
)
def test_bad_writes(one, bad):
    """R25: a write outside the keys, or of anything but an Entry, is a ValueError; so is a write under a name."""
    for writes in (bad, {one.name("a"): Entry(b"1")}):
        _, change = one.sealing(["a"], lambda _, writes=writes: (writes, None))
        with pytest.raises(ValueError, match=r"outside its keys|not an Entry of exactly bytes|keep_for"):
            change({})


def test_mark(one):
    """A store that was not prepared, or was prepared with other keys, is refused; a prepared store stays as it is."""
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
    """A key that is too short, public or of another type is refused, and so is an empty list."""
    with pytest.raises(ConfigurationError, match=r"^keys: one str or bytes of at least 32 bytes, or several"):
        Sealer(Opaque(keys), Opaque(NAME_KEY))


@pytest.mark.parametrize("key", [SHORT, "", None, 7, [NAME_KEY], EXAMPLE_SECRET])
def test_no_name_key(key):
    """The name key must be a single key of at least 32 bytes."""
    with pytest.raises(ConfigurationError, match=r"^name_key: one str or bytes of at least 32 bytes, and not"):
        sealer(name_key=key)


@pytest.mark.parametrize("keys", [[KEY, KEY], [KEY, OLDER, KEY.encode()]])
def test_twice(keys):
    """A key that is listed twice is refused."""
    with pytest.raises(ConfigurationError, match="listed twice"):
        sealer(*keys)


def test_keys_of_any_kind():
    """Keys may be text in any script, bytes, or an iterator."""
    for keys in (b"\xff" * 32, "ключ" * 8, "\ud800" * 32, [KEY], iter([KEY, OLDER])):
        one = Sealer(Opaque(keys), Opaque(NAME_KEY))
        assert b"value" == one.unseal("name", one.seal("name", b"value"))


def test_one_key_for_all():
    """R12: the derived keys differ by use, even if the same key is given for values and names."""
    same = sealer(KEY, name_key=KEY)

    assert 3 == len({hkdf(KEY, use) for use in (b"id", b"AES-256-GCM-SIV", b"name")})
    assert b"value" == same.unseal("name", same.seal("name", b"value"))


def hidden(text):
    """Return which keys a text shows."""
    return [key for key in (KEY, OLDER, NAME_KEY, SHORT) if key in text]


def test_nothing_is_shown(one):
    """T12: no repr shows a key, and a Sealer cannot be pickled or copied."""
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
    """T12: if construction is refused, no frame shows a key among its locals."""
    keys, name_key = Opaque(keys), Opaque(name_key)
    with pytest.raises(ConfigurationError) as raised:
        Sealer(keys, name_key)
    report = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())

    assert "in __init__" in report
    assert [] == hidden(report)


def test_failures_show_nothing(one):
    """T12: if a value cannot be read, no frame shows a key or a derived key among its locals."""
    keys = {sealing._derived(Opaque(KEY.encode()), use) for use in (b"AES-256-GCM-SIV", b"name")}
    sealed = one._header + b"n" * 12 + b"x" * 16
    with pytest.raises(StoreError) as raised:
        one.unseal("name", sealed)
    report = shown(raised.value)

    assert "unseal" in report
    assert [] == hidden(report)
    assert [] == [key for key in keys if repr(key)[2:-1] in report or key.hex() in report]


@pytest.mark.parametrize("absent", ["the package", "the cipher"])
def test_no_package(monkeypatch, absent):
    """If cryptography is missing or too old, the import error says what to install."""
    if absent == "the package":
        monkeypatch.setitem(sys.modules, "cryptography", None)
    else:
        monkeypatch.delattr("cryptography.hazmat.primitives.ciphers.aead.AESGCMSIV")
    for name in ("encrypted", "sealing"):
        monkeypatch.delitem(sys.modules, f"smsmfa.stores.{name}", raising=False)
    with pytest.raises(ModuleNotFoundError) as missing:
        import_module("smsmfa.stores.encrypted")

    assert 'smsmfa.stores.encrypted needs cryptography: pip install "smsmfa[encryption]"' == str(missing.value)
