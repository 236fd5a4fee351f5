"""Proof tokens: only a token for this user, made under a listed secret, is read."""

import string
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import SECRET

from smsmfa.codes import KeyRing
from smsmfa.core.proofs import Proof, give, read

BASE64URL = string.ascii_letters + string.digits + "-_"
KEYS = KeyRing(SECRET, 6)
OTHER_KEYS = KeyRing("another secret of the tests, long enough too", 6)
PROOF = Proof(at=1_700_000_000_000_000, stamp=b"ten bytes!", manages=True)
TOKEN = give(KEYS.newest, "u:alice", PROOF)


@pytest.mark.parametrize("at", [0, 1, PROOF.at, 2**62])
@pytest.mark.parametrize("stamp", [bytes(10), bytes(range(10)), b"\xff" * 10], ids=["low", "mixed", "high"])
@pytest.mark.parametrize("manages", [True, False])
def test_round_trip(at, stamp, manages):
    """A token keeps its time, its stamp, and whether it may change an enrolment."""
    proof = Proof(at, stamp, manages)

    assert proof == read(KEYS, "u:alice", give(KEYS.newest, "u:alice", proof))


def test_form():
    """A token has 52 characters of base64url, so it fits into a cookie, a URL and a JWT."""
    assert 52 == len(TOKEN)
    assert set(TOKEN) <= set(BASE64URL)


def test_repeatable():
    """The same proof and secret give the same token in any process."""
    assert TOKEN == give(KeyRing(SECRET.encode(), 8).newest, "u:alice", PROOF)


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_altered(place):
    """T10: a token with any character changed is refused."""
    altered = [TOKEN[:place] + character + TOKEN[place + 1 :] for character in BASE64URL + "=+/ .!\0é"]

    assert [TOKEN] == [token for token in altered if read(KEYS, "u:alice", token) is not None]


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_truncated(length):
    """T10: a token without its end or its beginning is refused, also if something fills the gap."""
    rest = len(TOKEN) - length
    pieces = [TOKEN[:length], TOKEN[rest:]]
    pieces += [TOKEN[:length] + filler * rest for filler in "A=!"] + [filler * rest + TOKEN[rest:] for filler in "A=!"]

    assert [None] * len(pieces) == [read(KEYS, "u:alice", piece) for piece in pieces]


@pytest.mark.parametrize("rest", ["A", "AAAA", "=", "==", "\n", " ", TOKEN])
def test_extended(rest):
    """T10: a token with anything before or after it is refused."""
    assert read(KEYS, "u:alice", TOKEN + rest) is None
    assert read(KEYS, "u:alice", rest + TOKEN) is None


@pytest.mark.parametrize("user_key", ["u:bob", "u:Alice", "u:alic", "u:alice ", "", "alice"])
def test_another_user(user_key):
    """T8: a token of one user is refused for another."""
    assert read(KEYS, user_key, TOKEN) is None


def test_forged():
    """T10: a token that was made without the secret is refused."""
    forged = give(OTHER_KEYS.newest, "u:alice", PROOF)
    payload, mac = TOKEN[:28], forged[28:]

    assert read(KEYS, "u:alice", forged) is None
    assert read(KEYS, "u:alice", payload + mac) is None


def test_spliced():
    """T10: the content of one token with the signature of another is refused."""
    later = give(KEYS.newest, "u:alice", Proof(PROOF.at + 600_000_000, PROOF.stamp, True))

    assert read(KEYS, "u:alice", later[:28] + TOKEN[28:]) is None


def test_another_configuration():
    """Configurations with different secrets refuse each other's tokens."""
    assert read(OTHER_KEYS, "u:alice", TOKEN) is None
    assert read(KEYS, "u:alice", give(OTHER_KEYS.newest, "u:alice", PROOF)) is None


def test_rotation():
    """A token is read while its secret is listed, at any place, and refused after the secret was retired."""
    newer = "the newest secret of the tests, long enough."

    assert PROOF == read(KeyRing([newer, SECRET], 6), "u:alice", TOKEN)
    assert read(KeyRing([newer], 6), "u:alice", TOKEN) is None


@pytest.mark.parametrize("token", [None, "", 52, TOKEN.encode(), [TOKEN], True, "A" * 52, "=" * 52, "é" * 52, "!" * 52])
def test_no_token(token):
    """T14: an object that is no token is refused without an exception."""
    assert read(KEYS, "u:alice", token) is None


@given(st.text(st.sampled_from(BASE64URL + "=!\n é"), min_size=51, max_size=53) | st.text())
def test_any_text(token):
    """Any text that is no token is refused without an exception."""
    assert read(KEYS, "u:alice", token) is None


def test_huge():
    """T26: a megabyte is refused as a token."""
    assert read(KEYS, "u:alice", TOKEN * 25_000) is None


def test_hides_user_and_secret():
    """T12: a token shows neither its user nor the secret."""
    assert TOKEN[:30] == give(KEYS.newest, "u:bob", PROOF)[:30]
    assert TOKEN[31:] != give(KEYS.newest, "u:bob", PROOF)[31:]
    assert not [part for part in (SECRET.encode(), b"alice") if part in urlsafe_b64decode(TOKEN)]
