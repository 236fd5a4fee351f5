"""Requests with a code: what a record keeps of an answer, and which requests repeat it."""

import pytest
from support import SECRET, a_config

from smsmfa.codes import read_recovery_code
from smsmfa.core.opaque import Opaque
from smsmfa.core.records import Answer, user_key
from smsmfa.core.request import Request, hashes_of

KEY = "a random key of one form"
OTHER_SECRET = "another secret of the tests, as long as the first"
KEYS = a_config().keys


def request(code="123456", kind="verify", of="challenge", key=KEY, **fields):
    """Return a request as a shell makes it."""
    fields = {"keys": KEYS, "user_key": user_key("alice"), "seed": b"seed" if key else b"", "purpose": "login"} | fields
    return Request(code=Opaque(code), kind=kind, id=of, retry_key=Opaque(key) if key else None, **fields)


class TestAbout:
    """What was asked for, without the code."""

    def test_same(self):
        """It is eight bytes, and the same for every code, key and secret."""
        others = [request("654321"), request(key=None), request(keys=a_config(secret=OTHER_SECRET).keys)]

        assert [request().about] * 3 == [other.about for other in others]
        assert 8 == len(request().about)

    @pytest.mark.parametrize(
        "other",
        [{"kind": "confirm"}, {"of": "another"}, {"purpose": "manage"}, {"details": (("payee", "Ann"),)}],
    )
    def test_other(self, other):
        """R5: another kind, challenge, purpose or detail is another request."""
        assert request(**other).about != request().about


class TestAnswer:
    """What a record keeps."""

    def test_without_a_key(self):
        """Without a key nothing is kept that only a repetition would need."""
        asked = request(key=None)

        expected = Answer(about=asked.about, at=5, method="sms")
        assert expected == asked.answer(5, "sms", phone_id="phone", codes=2, refusal="phone_in_use")

    def test_with_a_key(self):
        """With a key there is a mark, which hides the key and the code, and names its secret."""
        answer = request().answer(5, "sms", phone_id="phone", codes=2, refusal="phone_in_use")

        assert (5, "sms", "phone", b"seed", 2) == (
            answer.at,
            answer.method,
            answer.phone_id,
            answer.seed,
            answer.codes,
        )
        assert ("phone_in_use", 8, KEYS.newest.key_id) == (answer.refusal, len(answer.mark), answer.key_id)

    def test_no_codes(self):
        """R12: without recovery codes to show there is no seed."""
        assert (b"", 0) == (request().answer(5).seed, request().answer(5).codes)


class TestRepeats:
    """Which request repeats another."""

    def test_same(self):
        """The same request repeats it."""
        assert request(seed=b"other").repeats(request().answer(5))

    @pytest.mark.parametrize(
        "other",
        [
            {"code": "123457"},
            {"key": None},
            {"key": KEY + "."},
            {"kind": "confirm"},
            {"of": "another"},
            {"purpose": "manage"},
            {"details": (("payee", "Ann"),)},
            {"user_key": user_key("bob")},
            {"user_key": user_key("alice", "tenant:")},
            {"keys": a_config(secret=OTHER_SECRET).keys},
        ],
    )
    def test_other(self, other):
        """R5: another code, key, kind, challenge, purpose, detail, user, tenant or secret repeats nothing."""
        assert not request(**other).repeats(request().answer(5))

    def test_without_a_mark(self):
        """What was asked without a key cannot be repeated, nor what had its mark taken away."""
        answer = request().answer(5)
        answer.mark = b""

        assert not request().repeats(answer)
        assert not request().repeats(request(key=None).answer(5))

    def test_rotated(self):
        """R12: it is found under an older secret, until that is retired."""
        answer = request().answer(5)

        assert request(keys=a_config(secret=[OTHER_SECRET, SECRET]).keys).repeats(answer)

    def test_equal_hashes(self):
        """The mark covers all of what was asked, not only its short hash."""
        answer, other = request().answer(5), request(of="another")
        answer.about = other.about

        assert not other.repeats(answer)


class TestRecoveryCodes:
    """Recovery codes that an answer shows."""

    def test_without_a_key(self):
        """Without a key they are random."""
        codes = request(key=None).recovery_codes(2).reveal() + request(key=None).recovery_codes(2).reveal()

        assert 4 == len(set(codes))
        assert None not in map(read_recovery_code, codes)

    def test_with_a_key(self):
        """With a key they are derived, each on its own, and an answer gives them again."""
        asked = request()
        codes = asked.recovery_codes(3)
        answer = asked.answer(5, codes=3)

        assert 3 == len(set(codes.reveal()))
        assert codes.reveal() == request(seed=b"other").shown_before(answer).reveal()

    @pytest.mark.parametrize(
        "other",
        [
            {"seed": b"other"},
            {"key": KEY + "."},
            {"user_key": user_key("bob")},
            {"keys": a_config(secret=OTHER_SECRET).keys},
        ],
    )
    def test_other(self, other):
        """R12: another seed, key, user or secret gives others."""
        assert set(request().recovery_codes(2).reveal()).isdisjoint(request(**other).recovery_codes(2).reveal())

    def test_rotated(self):
        """They are derived under the secret that made them."""
        asked = request()
        answer = asked.answer(5, codes=1)
        rotated = request(keys=a_config(secret=[OTHER_SECRET, SECRET]).keys)

        assert asked.recovery_codes(1).reveal() == rotated.shown_before(answer).reveal()
        assert asked.recovery_codes(1).reveal() != rotated.recovery_codes(1).reveal()

    def test_retired(self):
        """R12: under a retired secret nothing is derived."""
        asked = request()
        answer = asked.answer(5, codes=1)
        retired = request(keys=a_config(secret=OTHER_SECRET).keys)

        assert asked.recovery_codes(1).reveal() != retired.shown_before(answer).reveal()
        assert retired.shown_before(answer).reveal() != retired.shown_before(answer).reveal()

    def test_hashes(self):
        """Their hashes are those by which they are checked."""
        codes = request().recovery_codes(2)

        assert [read_recovery_code(code) for code in codes.reveal()] == hashes_of(codes)
