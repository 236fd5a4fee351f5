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
    """The subject of a request, without the code."""

    def test_same(self):
        """The subject has eight bytes, and does not depend on code, key or secret."""
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
    """The answer that a record keeps."""

    def test_without_a_key(self):
        """Without a key the answer has neither a mark nor a seed."""
        asked = request(key=None)

        expected = Answer(about=asked.about, at=5, method="sms")
        assert expected == asked.answer(5, "sms", phone_id="phone", codes=2, refusal="phone_in_use")

    def test_with_a_key(self):
        """With a key the answer has a mark, which hides key and code and names its secret."""
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
        """R12: an answer without recovery codes has no seed."""
        assert (b"", 0) == (request().answer(5).seed, request().answer(5).codes)


class TestRepeats:
    """Requests that repeat another."""

    def test_same(self):
        """The same request repeats the answer."""
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
        """A request without a key, or without its mark, cannot be repeated."""
        answer = request().answer(5)
        answer.mark = b""

        assert not request().repeats(answer)
        assert not request().repeats(request(key=None).answer(5))

    def test_rotated(self):
        """R12: an answer under an older secret is repeated until the secret is retired."""
        answer = request().answer(5)

        assert request(keys=a_config(secret=[OTHER_SECRET, SECRET]).keys).repeats(answer)

    def test_equal_hashes(self):
        """The mark covers the whole request, not only its short hash."""
        answer, other = request().answer(5), request(of="another")
        answer.about = other.about

        assert not other.repeats(answer)


class TestRecoveryCodes:
    """The recovery codes of an answer."""

    def test_without_a_key(self):
        """Without a key, recovery codes are random."""
        codes = request(key=None).recovery_codes(2).reveal() + request(key=None).recovery_codes(2).reveal()

        assert 4 == len(set(codes))
        assert None not in map(read_recovery_code, codes)

    def test_with_a_key(self):
        """With a key, each recovery code is derived, and the kept answer gives the same codes."""
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
        """R12: another seed, key, user or secret gives other recovery codes."""
        assert set(request().recovery_codes(2).reveal()).isdisjoint(request(**other).recovery_codes(2).reveal())

    def test_rotated(self):
        """Repeated recovery codes are derived under the secret of the first answer."""
        asked = request()
        answer = asked.answer(5, codes=1)
        rotated = request(keys=a_config(secret=[OTHER_SECRET, SECRET]).keys)

        assert asked.recovery_codes(1).reveal() == rotated.shown_before(answer).reveal()
        assert asked.recovery_codes(1).reveal() != rotated.recovery_codes(1).reveal()

    def test_retired(self):
        """R12: under a retired secret no recovery code is derived."""
        asked = request()
        answer = asked.answer(5, codes=1)
        retired = request(keys=a_config(secret=OTHER_SECRET).keys)

        assert asked.recovery_codes(1).reveal() != retired.shown_before(answer).reveal()
        assert retired.shown_before(answer).reveal() != retired.shown_before(answer).reveal()

    def test_hashes(self):
        """The hashes of derived recovery codes are the hashes that check them."""
        codes = request().recovery_codes(2)

        assert [read_recovery_code(code) for code in codes.reveal()] == hashes_of(codes)
