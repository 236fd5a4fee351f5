"""The answers that a record keeps."""

import pytest
from support import NUMBER, SECRET, Records, a_config

from smsmfa import AlreadyEnrolled, CodeRejected, CodeUsed, Limit, Limits, PhoneInUse
from smsmfa.core import answers
from smsmfa.core.book import Book
from smsmfa.core.opaque import Opaque
from smsmfa.core.outcomes import Accepted, Enrolled
from smsmfa.core.records import Answer, Issued, Pending, Phone, User, user_key
from smsmfa.core.request import Request, hashes_of

SECOND, TEN_MINUTES = 10**6, 600 * 10**6
KEY = "a random key of one form"
NOW = Records().now
OTHER_SECRET = "another secret of the tests, as long as the first"


def book(user=None, *, now=NOW, config=None):
    """Return the records of alice."""
    return Book(config or a_config(), now, user_key("alice"), user or User(), {}, {})


def request(of="challenge", code="123456", kind="verify", key=KEY, config=None):
    """Return a request as a shell makes it."""
    keys, hidden = (config or a_config()).keys, Opaque(key) if key else None
    return Request(keys, user_key("alice"), Opaque(code), kind, of, hidden, b"seed" if key else b"")


def phone(phone_id="phone", **fields):
    """Return a number of alice."""
    return Phone(phone_id, int(NUMBER[1:]), "US", "mobile", **fields)


def issued(challenge_id="challenge", **fields):
    """Return a live challenge."""
    fields = {"created": NOW, "expires": NOW + 300 * SECOND, "sent": NOW, "phone_id": "phone"} | fields
    key_id = a_config().keys.newest.key_id
    return Issued(id=challenge_id, key_id=key_id, purpose="login", details=(), locale=None, **fields)


class TestFind:
    """The search for the answer that a request repeats."""

    def test_accepted_and_refused(self):
        """Requests that were accepted and requests that were refused are found."""
        records = book()
        accepted = answers.accept(records, request("one"), "sms")
        answers.refuse(records, request("two"), CodeRejected(3))

        assert accepted is answers.find(records, request("one"))
        assert records.user.refused[0] is answers.find(records, request("two"))
        assert answers.find(records, request("three")) is None

    def test_without_a_key(self):
        """A request without a key finds no answer."""
        records = book()
        answers.accept(records, request(key=None))

        assert answers.find(records, request(key=None)) is None
        assert answers.find(records, request()) is None

    @pytest.mark.parametrize(
        "after, found",
        [
            (-60 * SECOND - 1, False),
            (-60 * SECOND, True),
            (0, True),
            (TEN_MINUTES, True),
            (TEN_MINUTES + 1, False),
        ],
    )
    def test_time(self, after, found):
        """T17: an answer is found for ten minutes, also by a host whose clock is up to a minute behind."""
        user = User()
        answers.accept(book(user), request())

        assert found is (answers.find(book(user, now=NOW + after), request()) is not None)


class TestIsLive:
    """The answers that can still be shown."""

    def test_no_codes(self):
        """An answer without recovery codes can be shown."""
        records = book()

        assert answers.is_live(records, request(), answers.accept(records, request()))

    def test_codes(self):
        """An answer with recovery codes can be shown while one of them works."""
        records = book()
        answer = answers.accept(records, request(), codes=3)
        hashes = hashes_of(request().recovery_codes(3))
        records.user.recovery = [b"another", hashes[2]]

        assert answers.is_live(records, request(), answer)
        records.user.recovery = [b"another"]
        assert not answers.is_live(records, request(), answer)


class TestUsedRefusal:
    """The refusal of a form that is sent twice."""

    @pytest.mark.parametrize(
        "after, used", [(-3600 * SECOND, True), (0, True), (TEN_MINUTES, True), (TEN_MINUTES + 1, False)]
    )
    def test_time(self, after, used):
        """A request that was accepted in the last ten minutes is CodeUsed, with any code."""
        user = User()
        answers.accept(book(user), request(key=None))
        refusal = answers.used_refusal(book(user, now=NOW + after), request(code="999999"))

        assert (CodeUsed if used else type(None)) is type(refusal)

    def test_another(self):
        """Another challenge is not CodeUsed."""
        records = book()
        answers.accept(records, request("one"))

        assert answers.used_refusal(records, request("two")) is None

    def test_misses(self):
        """T2: the fifth request with a key and another code ends the repetition."""
        records = book()
        answers.accept(records, request())
        found = []
        for _ in range(6):
            assert isinstance(answers.used_refusal(records, request(code="999999")), CodeUsed)
            found.append(answers.find(records, request()) is not None)

        assert [True] * 4 + [False] * 2 == found
        assert 5 == records.user.accepted[0].misses

    def test_misses_without_a_key(self):
        """Requests without a key repeat nothing and end no repetition."""
        records = book()
        answers.accept(records, request())
        for _ in range(9):
            answers.used_refusal(records, request(key=None))

        assert answers.find(records, request()) is not None


class TestKeep:
    """The answers that are kept, and for how long."""

    def test_most(self):
        """The last 8 accepted and the last 10 refused requests are kept."""
        records = book()
        for n in range(12):
            answers.accept(records, request(f"accepted {n}"))
            answers.refuse(records, request(f"refused {n}"), CodeRejected())

        assert [request(f"accepted {n}").about for n in range(4, 12)] == [one.about for one in records.user.accepted]
        assert [request(f"refused {n}").about for n in range(2, 12)] == [one.about for one in records.user.refused]

    def test_accept(self):
        """An accepted request is kept with or without a key."""
        records = book()
        answer = answers.accept(records, request(), "sms", phone_id="phone", codes=2)

        assert (NOW, "sms", "phone", 2, b"seed") == (
            answer.at,
            answer.method,
            answer.phone_id,
            answer.codes,
            answer.seed,
        )
        without = answers.accept(records, request("another", key=None), "sms", phone_id="phone", codes=2)
        assert Answer(about=without.about, at=NOW, method="sms") == without
        assert [answer, without] == records.user.accepted

    def test_refuse(self):
        """A refused request is kept with its error if it has a key."""
        records, refusal = book(), CodeRejected(2)

        assert refusal is answers.refuse(records, request(key=None), refusal)
        assert [] == records.user.refused
        assert refusal is answers.refuse(records, request(), refusal)
        assert ["code_rejected"] == [answer.refusal for answer in records.user.refused]

    def test_forget_old(self):
        """Answers are dropped after ten minutes."""
        user = User()
        for at in (NOW, NOW + 1):
            answers.accept(book(user, now=at), request(f"at {at}"))
            answers.refuse(book(user, now=at), request(f"at {at}"), CodeRejected())

        def kept(now):
            answers.forget_old(book(user, now=now))
            return len(user.accepted), len(user.refused)

        times = [NOW + TEN_MINUTES, NOW + TEN_MINUTES + 1, NOW + TEN_MINUTES + 2]
        assert [(2, 2), (1, 1), (0, 0)] == list(map(kept, times))


class TestAcceptedAgain:
    """The repeated answer to a login or a recovery."""

    def test_verify(self):
        """A repeated login has the stamp and the number of the first answer."""
        user = User(phones=[phone("one"), phone("two", last_used_at=NOW)], stamp=b"stamp")
        records = book(user)
        answer = answers.accept(records, request(), "sms")

        assert Accepted(b"stamp", answer, repeated=True) == answers.accepted_again(records, request(), answer)
        assert "two" == records.phone.id

    def test_recover(self):
        """A repeated recovery names no number."""
        user = User(phones=[phone(last_used_at=NOW)], recovery=hashes_of(request(kind="recover").recovery_codes(1)))
        records, asked = book(user), request(kind="recover")
        answer = answers.accept(records, asked, "recovery", codes=1)

        assert Accepted(b"", answer, repeated=True) == answers.accepted_again(records, asked, answer)
        assert records.phone is None

    def test_codes_are_gone(self):
        """If the new recovery code was used or replaced, the request is CodeUsed."""
        records, asked = book(), request(kind="recover")
        answer = answers.accept(records, asked, "recovery", codes=1)

        assert isinstance(answers.accepted_again(records, asked, answer), CodeUsed)

    def test_refused(self):
        """A refusal is repeated with the attempts that are left now."""
        records = book(User(phones=[phone()], issued=[issued(attempts=2)]))
        answers.refuse(records, request(), CodeRejected(4))
        refusal = answers.accepted_again(records, request(), records.user.refused[0])

        assert (CodeRejected, 3) == (type(refusal), refusal.attempts_left)
        assert "phone" == records.phone.id

    def test_wrong_recovery_code(self):
        """A wrong recovery code is refused again, with the attempts that are left now."""
        config = a_config(limits=Limits(recovery=Limit(5, None)))
        records, asked = book(User(recoveries=-2), config=config), request(kind="recover")
        answers.refuse(records, asked, CodeRejected(4))
        refusal = answers.accepted_again(records, asked, records.user.refused[0])

        assert (CodeRejected, 3) == (type(refusal), refusal.attempts_left)

    @pytest.mark.parametrize(
        "user",
        [
            User(phones=[phone()]),
            User(phones=[phone()], issued=[issued("another")]),
            User(phones=[phone()], issued=[issued(expires=NOW)]),
            User(phones=[phone()], issued=[issued(attempts=5)]),
            User(phones=[phone(disabled=True)], issued=[issued()]),
        ],
        ids=["used", "replaced", "expired", "exhausted", "disabled"],
    )
    def test_nothing_left(self, user):
        """If the challenge is dead, the repeated refusal has no attempts left."""
        records = book(user)
        answers.refuse(records, request(), CodeRejected(4))
        refusal = answers.accepted_again(records, request(), records.user.refused[0])

        assert (CodeRejected, 0) == (type(refusal), refusal.attempts_left)


class TestEnrolledAgain:
    """The repeated answer to a confirmation."""

    def test_enrolled(self):
        """The answer has the same number, and the recovery codes if the first answer had them."""
        asked = request(kind="confirm")
        user = User(phones=[phone("one", enrolled_at=NOW), phone("two", enrolled_at=NOW)], stamp=b"stamp")
        user.recovery = hashes_of(asked.recovery_codes(2))
        records = book(user)
        answer = answers.accept(records, asked, "sms", phone_id="two", codes=2)
        again = answers.enrolled_again(records, asked, answer)

        assert Enrolled(b"stamp", answer, repeated=True, phone=user.phones[1], shows_codes=True) == again
        assert user.phones[1] is records.phone

    def test_shows_no_codes(self):
        """The answer for a second number has no recovery codes."""
        asked = request(kind="confirm")
        records = book(User(phones=[phone("two")], stamp=b"stamp"))
        answer = answers.accept(records, asked, "sms", phone_id="two")

        assert not answers.enrolled_again(records, asked, answer).shows_codes

    def test_number_is_gone(self):
        """If the number was removed, the request is CodeUsed."""
        asked = request(kind="confirm")
        records = book(User(phones=[phone("two")]))
        answer = answers.accept(records, asked, "sms", phone_id="one")

        assert isinstance(answers.enrolled_again(records, asked, answer), CodeUsed)

    def test_codes_are_gone(self):
        """If the recovery codes were replaced, the request is CodeUsed."""
        asked = request(kind="confirm")
        records = book(User(phones=[phone()]))
        answer = answers.accept(records, asked, "sms", phone_id="phone", codes=1)

        assert isinstance(answers.enrolled_again(records, asked, answer), CodeUsed)

    @pytest.mark.parametrize("error", [PhoneInUse, AlreadyEnrolled])
    def test_right_code_was_refused(self, error):
        """A right code that was refused is refused again."""
        asked, records = request(kind="confirm"), book()
        answers.refuse(records, asked, error())

        assert error is type(answers.enrolled_again(records, asked, records.user.refused[0]))

    @pytest.mark.parametrize("pending_id, left", [("challenge", 4), ("another", 0)])
    def test_wrong_code(self, pending_id, left):
        """A wrong code is refused again, with the attempts left of the pending number's challenge."""
        asked = request(kind="confirm")
        records = book(User(pending=Pending(issued(pending_id, attempts=1), phone("new"))))
        answers.refuse(records, asked, CodeRejected(4))
        refusal = answers.enrolled_again(records, asked, records.user.refused[0])

        assert (CodeRejected, left) == (type(refusal), refusal.attempts_left)


def test_retired_secret():
    """R12: retiring the secret ends every repetition, and adding a newer secret ends none."""
    user = User()
    answers.accept(book(user), request())

    def found(secret):
        return answers.find(book(user), request(config=a_config(secret=secret)))

    assert [True, False] == [found(secret) is not None for secret in ([OTHER_SECRET, SECRET], OTHER_SECRET)]
