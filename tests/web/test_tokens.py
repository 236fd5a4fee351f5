"""The ``mfa_token`` of the JSON face."""

from base64 import urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import SECRET, a_config

from smsmfa.web import tokens
from smsmfa.web.tokens import MfaToken

NOW = 1_700_000_000
OTHER_SECRET = "another secret of the tests, long enough too"
USERS = st.one_of(st.integers(), st.text(min_size=1), st.uuids())
CONFIG = a_config()


class Text(str):
    """What frameworks make of a ``str``."""

    __slots__ = ()


@given(user=USERS, at=st.integers(0, 2**40), proof=st.none() | st.text())
def test_round_trip(user, at, proof):
    """A token gives back who, when and the proof, and the user id as the application gave it."""
    token = tokens.read(CONFIG, tokens.give(CONFIG, MfaToken.of(user, at, proof)))

    assert (user, type(user), at, proof) == (token.user_id, type(token.user_id), token.at, token.proof)


def test_subclass():
    """A subclass of ``str`` that a framework has becomes a plain text."""
    assert str is type(MfaToken.of(Text("alice"), NOW).user_id)


def test_same_text():
    """The same content is the same text, so that an answer can be repeated."""
    assert tokens.give(CONFIG, MfaToken.of(7, NOW)) == tokens.give(a_config(), MfaToken.of(7, NOW))


@given(text=st.text() | st.binary().map(lambda data: urlsafe_b64encode(data).decode().rstrip("=")))
def test_forged(text):
    """What we did not give is no token."""
    assert tokens.read(CONFIG, text) is None


@given(data=st.data())
def test_changed(data):
    """A token in which one character differs is no token."""
    text = tokens.give(CONFIG, MfaToken.of("alice", NOW, "proof"))
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(max_codepoint=0x1FF).filter(lambda one: one != text[place]))

    assert tokens.read(CONFIG, text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize("more", ["=", "==", "\n", " ", "!", "é"])
def test_other_spelling(more):
    """Another text that decodes to the same bytes is no token."""
    text = tokens.give(CONFIG, MfaToken.of(7, NOW))

    assert tokens.read(CONFIG, text + more) is None
    assert tokens.read(CONFIG, more + text) is None


def test_long():
    """A text that is far too long is not decoded."""
    text = tokens.give(CONFIG, MfaToken.of("a" * 4000, NOW))

    assert tokens.read(CONFIG, text) is None


def test_other_secret():
    """A token is good while its secret is listed, and not after."""
    text = tokens.give(CONFIG, MfaToken.of(7, NOW))

    assert 7 == tokens.read(a_config(secret=[OTHER_SECRET, SECRET]), text).user_id
    assert tokens.read(a_config(secret=OTHER_SECRET), text) is None


def test_other_namespace():
    """A token of one tenant is none of another."""
    text = tokens.give(CONFIG, MfaToken.of(7, NOW))

    assert tokens.read(a_config(namespace="other"), text) is None


@pytest.mark.parametrize("after, expired", [(0, False), (599, False), (600, True)])
def test_expiry(after, expired):
    """A token is good for ten minutes."""
    assert expired == MfaToken.of(7, NOW).is_expired(NOW + after)


def test_repr():
    """The proof in a token is not shown."""
    token = MfaToken.of(UUID(int=1), NOW, "the proof")

    assert "<MfaToken>" == repr(token)
