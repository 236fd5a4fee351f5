"""What a session remembers."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.web.visit import ENTRY, HALFWAY, Visit, begun, read, want, wanted

NOW = 1_700_000_000
SOME_UUID = UUID("6f1d7c3e-7d4c-4f0b-8d3b-000000000001")


class Name(str):
    """A subclass of str, as frameworks have them."""

    __slots__ = ()


class Number(int):
    """A subclass of int."""


def stored(visit):
    """Return a session that holds a visit and has been a cookie."""
    session = {}
    visit.save(session)
    return json.loads(json.dumps(session))


@given(st.one_of(st.text(min_size=1), st.integers(), st.uuids()))
def test_user_id(user_id):
    """A user id comes back from a JSON session as the application gave it, with its type."""
    found = read(stored(begun({}, user_id, "/", NOW)), NOW)

    assert (type(user_id), user_id) == (type(found.user_id), found.user_id)


@pytest.mark.parametrize("user_id, kind", [(Name("alice"), str), (Number(7), int)])
def test_subclasses(user_id, kind):
    """A user id of a subclass comes back as the plain kind."""
    found = read(stored(begun({}, user_id, "/", NOW)), NOW).user_id

    assert (kind, user_id) == (type(found), found)


def test_everything():
    """All that a visit has comes back from a JSON session."""
    visit = Visit(("uuid", str(SOME_UUID)), NOW, "token", "/next", True, "proof", "id", ("rate_limited", "user", NOW))

    assert visit == read(stored(visit), NOW)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_strange(value):
    """An entry of another kind is that of a stranger."""
    assert read({ENTRY: value}, NOW) is None


GOOD = {"user": "alice", "since": NOW, "token": "t", "next": "/"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": ""},
        {"user": None},
        {"user": 1.5},
        {"user": True},
        {"user": []},
        {"user": ["uuid"]},
        {"user": ["uuid", "no uuid"]},
        {"user": ["id", str(SOME_UUID)]},
        {"since": "now"},
        {"since": -1},
        {"since": 10**30},
        {"token": 7},
        {"is_in": 1},
        {"is_in": "true"},
        {"proof": 7},
        {"pending": None},
        {"said": ["a", "b"]},
        {"said": ["a", "b", 10**30]},
    ],
)
def test_tampered(wrong):
    """An entry with one wrong value is that of a stranger; without it, it is good."""
    assert read({ENTRY: GOOD}, NOW) is not None
    assert read({ENTRY: GOOD | wrong}, NOW) is None


@pytest.mark.parametrize("missing", GOOD)
def test_incomplete(missing):
    """An entry without a value that it needs is that of a stranger."""
    assert read({ENTRY: {name: value for name, value in GOOD.items() if name != missing}}, NOW) is None


def test_later_version():
    """An entry of a later version, with more in it, is good."""
    assert "alice" == read({ENTRY: GOOD | {"more": 1}}, NOW).user_id


@pytest.mark.parametrize(
    "seconds, is_there", [(0, True), (HALFWAY - 1, True), (HALFWAY, False), (-60, True), (-61, False)]
)
def test_halfway(seconds, is_there):
    """A halfway visit ends after ten minutes, and if the clock was set back by more than two servers may differ."""
    assert is_there is (read(stored(begun({}, "alice", "/", NOW)), NOW + seconds) is not None)


@pytest.mark.parametrize("seconds", [0, HALFWAY, -HALFWAY, 10**9])
def test_in(seconds):
    """Whoever is in stays in as long as the session."""
    visit = begun({}, "alice", "/", NOW)
    visit.is_in = True

    assert read(stored(visit), NOW + seconds).is_in


def test_second_begin():
    """A second begin of the same halfway user keeps the forms of the first good, and starts the time anew."""
    first = begun({}, "alice", "/one", NOW)
    first.pending, first.said = "id", ("delivery_error", "", 0)
    second = begun(stored(first), "alice", "/two", NOW + 5)

    assert Visit("alice", NOW + 5, first.token, "/two", pending="id") == second


@pytest.mark.parametrize("user_id, is_in", [("bob", False), ("alice", True), ("alice", False)])
def test_other_token(user_id, is_in):
    """Forms of another user, of someone who was in, and of an old visit are no good after a new begin."""
    first = begun({}, "alice", "/", NOW)
    first.is_in, first.pending = is_in, "id"
    later = NOW + (HALFWAY if user_id == "alice" and not is_in else 0)
    second = begun(stored(first), user_id, "/", later)

    assert not second.is_in
    assert (False, "") == (second.owns(first.token), second.pending)


@given(st.text())
def test_owns(form_token):
    """Only the token of the visit is good, whatever a form sends."""
    visit = begun({}, "alice", "/", NOW)

    assert (True, False, False) == (visit.owns(visit.token), visit.owns(form_token), visit.owns(visit.token + "\ud800"))


def test_tokens_differ():
    """Two visits have two tokens of at least 128 bits."""
    one, two = begun({}, "alice", "/", NOW), begun({}, "alice", "/", NOW)

    assert one.token != two.token
    assert len(one.token) >= 22


@given(st.text(min_size=1))
def test_retry_key(nonce):
    """A nonce gives one key in one session, and another one in another; it says nothing of the token."""
    one, two = begun({}, "alice", "/", NOW), begun({}, "alice", "/", NOW)

    assert one.retry_key(nonce) == one.retry_key(nonce)
    assert one.retry_key(nonce) != two.retry_key(nonce)
    assert (64, True) == (len(one.retry_key(nonce)), one.retry_key(nonce).isalnum())


def test_nonces():
    """No nonce gives no key, another nonce another key, and of a huge one only the beginning counts."""
    visit = begun({}, "alice", "/", NOW)

    assert visit.retry_key("") is None
    assert visit.retry_key("a") != visit.retry_key("b")
    assert visit.retry_key("a" * 200) == visit.retry_key("a" * 10**6)


def test_wanted():
    """The page that a stranger asked for is found again, and neither in a visit nor in nonsense."""
    session = {}
    want(session, "/notes")

    assert "/notes" == wanted(session)
    assert read(session, NOW) is None
    begun({}, "alice", "/", NOW).save(session)
    assert [None] * 3 == [wanted(one) for one in (session, {}, {"smsmfa": ["next"]})]
