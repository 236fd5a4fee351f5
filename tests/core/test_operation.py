"""One operation: which records it touches, what it writes, and how it takes what a store returns."""

from datetime import timedelta

import pytest
from support import NUMBER, START, a_config

from smsmfa import CodeRejected, Limit, Limits, NotEnrolled, StoreError
from smsmfa.core.operation import DAY, Book, Missing, Operation, Outcome
from smsmfa.core.records import TOTAL_KEY, Issued, Number, Pending, Phone, Total, User, encode, number_key, user_key
from smsmfa.limiter import KEEP_MARGIN
from smsmfa.typing import Entry, Message
from smsmfa.values import instant

NOW = START // 1000
HOUR = timedelta(hours=1)
HOUR_US = HOUR // timedelta(microseconds=1)
NUMBER_AS_INT = int(NUMBER[1:])
USER_KEY, NUMBER_KEY = user_key("alice"), number_key(NUMBER_AS_INT)
PHONE = Phone("phone", NUMBER_AS_INT, "US", "mobile")


def operation(kind="", **limits):
    """Return an operation on alice that covers her number."""
    one = Operation("challenge", a_config(limits=Limits(**limits)), "alice", NOW, kind)
    one.include(NUMBER_AS_INT)
    return one


def written(one, decide, values=None):
    """Return what a decision that changes a book writes."""
    writes, _ = one.change(lambda book: decide(book) or Outcome(), values or {})
    return writes


class TestKeys:
    """Which records an operation covers."""

    def test_user(self):
        """An operation covers the record of its user."""
        assert [USER_KEY] == [*Operation("verify", a_config(), "alice", NOW).keys]

    def test_numbers(self):
        """An operation covers the numbers it is about, each once."""
        one = operation()
        one.include(NUMBER_AS_INT)

        assert [USER_KEY, NUMBER_KEY] == [*one.keys]

    @pytest.mark.parametrize(
        "kind, total, expected",
        [("verification", Limit(1, None), True), ("verification", None, False), ("", Limit(1, None), False)],
    )
    def test_total(self, kind, total, expected):
        """An operation covers the total where a message may come of it and the total is limited."""
        assert expected == (TOTAL_KEY in operation(kind, total=total).keys)

    def test_plan(self):
        """An operation covers the numbers that a look at the user's record locates."""
        one = Operation("confirm", a_config(), "alice", NOW)
        one.plan(lambda user: user.phones, None)
        assert [USER_KEY] == [*one.keys]
        one.plan(lambda user: user.phones, encode(User(phones=[PHONE])))

        assert [USER_KEY, NUMBER_KEY] == [*one.keys]


class TestChange:
    """A decision on stored values."""

    @pytest.mark.parametrize("planned", [encode(User(changes=1)), encode(User(changes=2)), None])
    def test_again(self, planned):
        """Whatever was planned, and however often the store runs it, a decision sees what is stored now."""
        one, stored, seen = operation(), encode(User(changes=1)), []
        one.plan(lambda user: user.phones, planned)

        def decide(book):
            seen.append(book.user.changes)
            book.user.changes = 7

        assert 2 * [encode(User(changes=7))] == [written(one, decide, {USER_KEY: stored})[USER_KEY].value for _ in "12"]
        assert [1, 1] == seen

    def test_outcome(self):
        """What the decision returns is what came of it, a refusal too."""
        one, outcome, refusal = operation(), Outcome(), NotEnrolled()

        assert ({}, outcome) == one.change(lambda book: outcome, {})
        assert ({}, refusal) == one.change(lambda book: refusal, {})

    def test_missing_number(self):
        """A decision about a number that is not covered writes nothing, and the operation covers it from then on."""
        one = Operation("challenge", a_config(), "alice", NOW)

        def decide(book):
            book.user.changes = 7
            return book.number(NUMBER_AS_INT)

        writes, outcome = one.change(decide, {})
        assert ({}, Missing) == (writes, type(outcome))
        assert one.result(outcome) is None
        assert [USER_KEY, NUMBER_KEY] == [*one.keys]
        assert isinstance(one.change(decide, {})[1], Number)

    def test_number_is_covered_once(self):
        """A number that is asked for twice is one key."""
        one = operation()
        one.include(NUMBER_AS_INT)
        before = [*one.keys]
        one.include(NUMBER_AS_INT)

        assert before == [*one.keys]

    def test_expected_outcome(self):
        """R26, T7: only what the last change came to is a result, so a store cannot answer without one."""
        one = operation()
        outcome = Outcome()
        stale = one.change(lambda book: outcome, {})[1]
        assert stale is one.result(stale)

        for answer in (stale, None):
            with pytest.raises(StoreError):
                one.result(answer)
        assert outcome is one.result(one.change(lambda book: outcome, {})[1])

    def test_phone_is_kept(self):
        """The operation keeps the number that any of its decisions was about, for the audit trail."""
        one = operation()

        def decide(book):
            book.phone = PHONE
            return Outcome()

        one.change(decide, {})
        one.change(lambda book: Outcome(), {})
        assert one.phone is PHONE

    def test_exception(self):
        """What a decision raises comes out."""
        with pytest.raises(ZeroDivisionError):
            operation().change(lambda book: 1 / 0, {})

    def test_values_are_not_touched(self):
        """The stored values are as they were, whatever a decision does to its records."""
        values = {USER_KEY: encode(User(phones=[PHONE]))}
        before = dict(values)
        written(operation(), lambda book: book.user.phones.clear(), values)

        assert before == values

    def test_undecodable(self):
        """A stored value that is no record is an error."""
        with pytest.raises(StoreError):
            operation().change(lambda book: Outcome(), {USER_KEY: b"garbage"})


class TestBlock:
    """An operation as a block that tells a listener how it ended."""

    @staticmethod
    def weighed(listener, channel="sms"):
        """Return an operation that is about to send a text of two segments."""
        one = Operation("challenge", a_config(), "alice", NOW, "verification", purpose="pay", listener=listener)
        message = Message(
            to=PHONE.phone,
            text="a" * 200,
            code="123456",
            kind="verification",
            challenge_id="id",
            expires_at=instant(NOW),
            channel=channel,
        )
        one.weigh(message)
        return one

    def test_done(self):
        """The listener gets one event when the block ends, and what its message cost."""
        events = []
        with self.weighed(events.append):
            assert [] == events

        [event] = events
        assert ("ok", "alice", "pay") == (event.outcome, event.user_id, event.purpose)
        assert ("sms", 2, "GSM-7") == (event.channel, event.segments, event.encoding)

    def test_call(self):
        """A call has no segments."""
        events = []
        with self.weighed(events.append, "voice"):
            pass

        assert ("voice", None) == (events[0].channel, events[0].segments)

    def test_raised(self):
        """What the block raises comes out, and the listener is told."""
        events = []
        with pytest.raises(NotEnrolled), self.weighed(events.append):
            raise NotEnrolled

        assert [("refused", NotEnrolled.code, None)] == [(one.outcome, one.error, one.channel) for one in events]

    def test_no_listener(self):
        """Where nobody listens, a block ends as it would without."""
        with self.weighed(None):
            pass
        with pytest.raises(NotEnrolled), self.weighed(None):
            raise NotEnrolled


class TestResult:
    """What a store returned from an update."""

    def test_outcome(self):
        """The outcome of the last change is returned."""
        one = operation()
        one.change(lambda book: Outcome(), {})
        _, outcome = one.change(lambda book: Outcome(), {})

        assert outcome is one.result(outcome)

    def test_refusal(self):
        """A refusal is raised."""
        one = operation()
        _, outcome = one.change(lambda book: CodeRejected(3), {})
        with pytest.raises(CodeRejected) as raised:
            one.result(outcome)

        assert outcome is raised.value

    def test_anything_else(self):
        """R26: the outcome of an earlier call of the change, an equal one and anything else are the store's error."""
        one = operation()
        _, earlier = one.change(lambda book: Outcome(), {})
        one.change(lambda book: Outcome(), {})

        for lie in earlier, Outcome(), NotEnrolled(), True, None:
            with pytest.raises(StoreError):
                one.result(lie)


class TestBook:
    """The records of one decision."""

    def test_blank(self):
        """What is not stored is blank."""
        book = Book(operation(), {})

        assert (User(), Number()) == (book.user, book.number(NUMBER_AS_INT))

    def test_stored(self):
        """What is stored is decoded, and a number's record is one object however often it is asked for."""
        values = {USER_KEY: encode(User(changes=3)), NUMBER_KEY: encode(Number(sends=5))}
        book = Book(operation(), values)

        assert (3, 5) == (book.user.changes, book.number(NUMBER_AS_INT).sends)
        assert book.number(NUMBER_AS_INT) is book.number(NUMBER_AS_INT)

    def test_holder(self):
        """A number's record names its users by a digest, not by what the application calls them."""
        assert (43, False) == (len(Book(operation(), {}).holder), b"alice" in Book(operation(), {}).holder)

    def test_buckets(self):
        """R28: a message is taken from the buckets of the user, the number and the total."""
        limits = {"user": Limit(1, HOUR), "number": Limit(2, HOUR), "total": Limit(3, HOUR)}
        book = Book(operation(**limits), {TOTAL_KEY: encode(Total(sends=9))})
        buckets = book.send_buckets(NUMBER_AS_INT)

        assert [*limits.items()] == [(scope, limit) for scope, limit, _ in buckets]
        assert [book.user, book.number(NUMBER_AS_INT), Total(sends=9)] == [record for _, _, record in buckets]
        assert buckets[2][2] is book.send_buckets(NUMBER_AS_INT)[2][2]

    def test_only_user(self):
        """Without a limit for numbers and for the total only the user's bucket is left, and no number is asked for."""
        one = Operation("challenge", a_config(limits=Limits(number=None)), "alice", NOW)

        assert ["user"] == [scope for scope, _, _ in Book(one, {}).send_buckets(NUMBER_AS_INT)]


class TestWrites:
    """What changed comes out as writes, with the time for which it says anything."""

    def test_nothing(self):
        """What is as it was is not written, and what is blank is not stored."""
        values = {USER_KEY: encode(User(phones=[PHONE])), NUMBER_KEY: encode(Number(holders=[b"x"]))}

        assert {} == written(operation(), lambda book: book.number(NUMBER_AS_INT), values)
        assert {} == written(operation(), lambda book: book.number(NUMBER_AS_INT))

    def test_user_with_number(self):
        """The record of a user who has a number is kept for ever."""

        def decide(book):
            book.user.phones = [PHONE]

        assert {USER_KEY: Entry(encode(User(phones=[PHONE])), None)} == written(operation(), decide)

    @pytest.mark.parametrize("name", ["sends", "guesses", "recoveries"])
    def test_user_with_bucket(self, name):
        """T19: the record of a user without a number is kept while a bucket is not full, with a margin for clocks."""
        capacity_and_refill = Limit(5, HOUR)
        one = operation(user=capacity_and_refill, guesses=capacity_and_refill, recovery=capacity_and_refill)
        entry = written(one, lambda book: setattr(book.user, name, NOW + HOUR_US))[USER_KEY]

        assert 3600 + KEEP_MARGIN <= entry.keep_for <= 3601 + KEEP_MARGIN

    def test_user_with_endless_bucket(self):
        """A bucket that never refills is kept for ever."""
        one = operation(guesses=Limit(5, None))

        assert written(one, lambda book: setattr(book.user, "guesses", -1))[USER_KEY].keep_for is None

    def test_user_with_pending(self):
        """A number that waits is kept for as long as its message can be asked for again."""
        issued = Issued("id", 1, "enrollment", "phone", (), None, NOW, NOW + 300_000_000, NOW)
        entry = written(operation(), lambda book: setattr(book.user, "pending", Pending(issued, PHONE)))[USER_KEY]

        assert 300 + DAY // 10**6 <= entry.keep_for <= 301 + DAY // 10**6 + KEEP_MARGIN

    def test_user_with_changes(self):
        """The count of changes is kept for as long as a proof could name it."""
        entry = written(operation(), lambda book: setattr(book.user, "changes", 1))[USER_KEY]

        assert entry.keep_for >= 600

    def test_forgotten(self):
        """T19: a record that holds nothing but full buckets is deleted: absent is the same as full."""
        values = {
            USER_KEY: encode(User(sends=NOW - 1)),
            NUMBER_KEY: encode(Number(sends=NOW - 1)),
            TOTAL_KEY: encode(Total(sends=NOW - 1)),
        }
        one = operation("verification", total=Limit(1, HOUR))

        assert dict.fromkeys(values) == written(one, lambda book: book.send_buckets(NUMBER_AS_INT) and None, values)

    def test_number(self):
        """The record of a number is kept while its bucket is not full, and for ever while users hold it."""

        def charge(book):
            book.number(NUMBER_AS_INT).sends = NOW + HOUR_US

        def hold(book):
            book.number(NUMBER_AS_INT).holders = [book.holder]

        assert 3600 + KEEP_MARGIN <= written(operation(), charge)[NUMBER_KEY].keep_for <= 3601 + KEEP_MARGIN
        assert written(operation(), hold)[NUMBER_KEY].keep_for is None

    def test_number_without_limit(self):
        """Without a limit for numbers the record of one that nobody holds is deleted."""
        values = {NUMBER_KEY: encode(Number(sends=NOW + HOUR_US))}

        assert {NUMBER_KEY: None} == written(
            operation(number=None), lambda book: book.number(NUMBER_AS_INT) and None, values
        )

    def test_total(self):
        """The total is written where a message was taken from it, and kept while it is not full."""

        def charge(book):
            for _, _, record in book.send_buckets(NUMBER_AS_INT):
                record.sends = -1

        one = operation("verification", total=Limit(2, None), user=Limit(2, None), number=None)
        assert {USER_KEY: Entry(encode(User(sends=-1))), TOTAL_KEY: Entry(encode(Total(sends=-1)))} == written(
            one, charge
        )


def test_repr():
    """T12: the reprs of what comes of a decision, and of a missing number, show nothing."""
    assert ("<Outcome>", "Missing()") == (repr(Outcome()), repr(Missing(NUMBER_AS_INT)))
