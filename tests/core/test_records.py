"""The stored form of records, reading it back, and bytes that are no record."""

import re
from base64 import b64encode
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shown

from smsmfa.core.records import (
    Answer,
    Issued,
    Number,
    Pending,
    Phone,
    Total,
    User,
    decode,
    encode,
    key_prefix,
    number_key,
    total_key,
    user_key,
)
from smsmfa.exceptions import StoreError
from smsmfa.phone import PhoneNumber

PHONE = Phone("phone id", 14155552671, "US", "mobile", 1_700_000_000_000_000, 1_700_000_000_000_001, 3, True)
ISSUED = Issued("id", 2**32 - 1, "payment", "phone id", (("amount", "10 €"), ("payee", "Bob")), "pt-BR", 1, 2, 3, 4)
ANSWER = Answer(b"about", 5, b"mark", 2**32 - 1, "sms", "phone id", b"seed", 3, 2, "code_rejected")
USER = User(
    phones=[PHONE, Phone("other id", 447400123456, "GB", "mobile")],
    issued=[ISSUED, Issued("id 2", 1, "login", "phone id", (), None, 5, 6, 7)],
    pending=Pending(ISSUED, PHONE, "other id"),
    recovery=[bytes(32), bytes(range(32))],
    stamp=bytes(range(10)),
    sends=1_700_000_000_000_002,
    guesses=1_700_000_000_000_003,
    recoveries=1_700_000_000_000_004,
    refunds=1_700_000_000_000_005,
    accepted=[ANSWER, Answer(b"other", 6)],
    refused=[ANSWER],
)
NUMBER = Number(sends=-3, holders=[b"one user", b"another"], unverified=-4)
RECORDS = [USER, User(), NUMBER, Number(), Total(sends=-100), Total()]
BLANK = [(User, User()), (Number, Number()), (Total, Total())]


@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_round_trip(record):
    """A stored record is read back unchanged."""
    assert record == decode(type(record), encode(record))


@pytest.mark.parametrize("kind, blank", BLANK)
def test_absent(kind, blank):
    """Without a stored value the record is blank: nothing is enrolled, and every bucket is full."""
    assert blank == decode(kind, None)


@pytest.mark.parametrize(
    "record, stored",
    [
        (Total(sends=-5), b"\x92\x01\xfb"),
        (Number(sends=5, holders=[b"u"], unverified=6), b"\x94\x01\x05\x91\xc4\x01u\x06"),
        (User(stamp=b"s"), b"\x9c\x01\x90\x90\xc0\x90\xc4\x01s\x00\x00\x00\x00\x90\x90"),
    ],
)
def test_form(record, stored):
    """The stored form does not change between releases: an array of MessagePack that begins with the version."""
    assert stored == encode(record)
    assert record == decode(type(record), stored)


def test_count_of_changes():
    """A record from before stamps existed keeps the integer that stood in their place."""
    assert 7 == decode(User, b"\x99\x01\x90\x90\xc0\x90\x07\x00\x00\x00").stamp


@pytest.mark.parametrize("kind, blank", BLANK)
def test_older_release(kind, blank):
    """A record of an older release gets the defaults of newer fields."""
    assert blank == decode(kind, b"\x91\x01")


@pytest.mark.parametrize("kind", [User, Number, Total])
@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\x91\x02",
        b"\x91\x00",
        b"\x91\xa11",
        b"\x91\xc0",
        b"\x91\xc3",
        b"\x01",
        b"\xc0",
        b"\x80",
        b"\x92\x01\xa1x",
        b"\x92\x01\xc3",
        b"\x92\x01\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00",
        b"\xc1",
        b"plain text",
        b"\x92\x01\x91\x94\xa1a\x01\xa2\xff\xfe\xa1m",
        b"{}",
        b"\x91" * 5000 + b"\x01",
    ],
)
def test_no_record(kind, stored):
    """R26: bytes that are no record, or have an unknown version, are a StoreError, never a blank record."""
    with pytest.raises(StoreError, match=f"a stored {kind.__name__} record does not decode"):
        decode(kind, stored)


@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_truncated(record):
    """R26: a record without its end is a StoreError."""
    stored = encode(record)

    for length in range(len(stored)):
        with pytest.raises(StoreError):
            decode(type(record), stored[:length])


@pytest.mark.parametrize("kind", [User, Number])
def test_another_kind(kind):
    """R26: a record of another kind is a StoreError, if its form shows the kind."""
    with pytest.raises(StoreError):
        decode(kind, encode(NUMBER if kind is User else USER))


@given(st.binary() | st.binary().map(lambda rest: b"\x99\x01" + rest), st.sampled_from([User, Number, Total]))
def test_any_bytes(stored, kind):
    """R26: any stored bytes are a record or a StoreError."""
    try:
        record = decode(kind, stored)
    except StoreError:
        return
    assert kind is type(record)


@pytest.mark.parametrize(
    "stored", [b"a stored text", msgspec.msgpack.encode([1, "a stored text"]), b"\x99\x01\x90\x90a stored text"]
)
def test_value_is_not_quoted(stored):
    """T12: neither an error nor its cause shows what is stored."""
    with pytest.raises(StoreError) as caught:
        decode(User, stored)

    assert "stored text" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("record", [*RECORDS, PHONE, ISSUED, USER.pending], ids=repr)
def test_repr(record):
    """T12: the repr of a record shows nothing, because a record has whole numbers."""
    assert f"<{type(record).__name__}>" == repr(record) == str(record)


def test_records_are_not_shown():
    """T12: a traceback with locals from the encoding of a record shows no number."""
    with pytest.raises(OverflowError) as caught:
        encode(User(phones=[PHONE], sends=2**64))

    assert "4155552671" not in shown(caught.value)


def test_phone():
    """A stored number becomes a value for the application."""
    assert PhoneNumber("+14155552671", "US", "mobile") == PHONE.phone


@pytest.mark.parametrize("user_id", ["alice", "7", "é", "\ud800", "x" * 100_000, "a b\n\0"])
def test_user_key(user_id):
    """A user's key is the SHA-256 of the id, so it is short and has only plain characters."""
    expected = "u:" + b64encode(sha256(user_id.encode("utf-8", "surrogatepass")).digest()).decode().rstrip("=")

    assert expected == user_key(user_id)


def test_number_key():
    """A number's key is the SHA-256 of its digits."""
    expected = "n:" + b64encode(sha256(b"14155552671").digest()).decode().rstrip("=")

    assert expected == number_key(14155552671)


@pytest.mark.parametrize("namespace", ["acme", "кошелёк", "\ud800"])
def test_key_prefix(namespace):
    """A namespace puts its SHA-256 and a colon before each key. Without one there is no prefix."""
    expected = b64encode(sha256(namespace.encode("utf-8", "surrogatepass")).digest()).decode().rstrip("=") + ":"

    assert (expected, "") == (key_prefix(namespace), key_prefix(""))


def test_keys():
    """Keys fit the store protocol, and no two records share a key."""
    keys = [user_key(name) for name in ("alice", "Alice", "alice ", "14155552671", "total")]
    keys += [number_key(number) for number in (14155552671, 1415555267)] + [total_key()]

    assert len(keys) == len(set(keys))
    assert all(re.fullmatch(r"[!-~]{1,250}", key) for key in keys)
