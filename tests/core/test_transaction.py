"""One decision in a store: its keys, its values and its outcome."""

import pytest
from support import NUMBER, START, a_config, shown

from smsmfa import CodeRejected, Limit, Limits, NotEnrolled, StoreError
from smsmfa.core.book import Missing
from smsmfa.core.operation import Operation
from smsmfa.core.outcomes import Outcome
from smsmfa.core.records import Number, Phone, User, encode, number_key, total_key, user_key
from smsmfa.core.transaction import Transaction

NOW = START // 1000
#: A bucket that is full then is not full now, so its record is kept.
LATER = NOW + 3_600_000_000
NUMBER_AS_INT = int(NUMBER[1:])
USER_KEY, NUMBER_KEY = user_key("alice"), number_key(NUMBER_AS_INT)
PHONE = Phone("phone", NUMBER_AS_INT, "US", "mobile")


def done(book):
    """Decide nothing."""
    return Outcome()


def operation(kind="", **limits):
    """Return an operation on alice."""
    return Operation("challenge", a_config(limits=Limits(**limits)), "alice", NOW, kind)


def transaction(decide=done, *, about=None, phones=(PHONE,)):
    """Return a transaction on alice that covers her number."""
    return Transaction(about or operation(), decide, phones)


class TestKeys:
    """The records that a transaction covers."""

    def test_user(self):
        """A transaction covers the record of its user."""
        assert [USER_KEY] == transaction(phones=()).keys

    def test_numbers(self):
        """A transaction covers the numbers that it is given, each once."""
        assert [USER_KEY, NUMBER_KEY] == transaction(phones=[PHONE, PHONE]).keys

    @pytest.mark.parametrize(
        "kind, total, expected",
        [("verification", Limit(1, None), True), ("verification", None, False), ("", Limit(1, None), False)],
    )
    def test_total(self, kind, total, expected):
        """A transaction covers the total if it may send a message and the total is limited."""
        assert expected == (total_key() in transaction(about=operation(kind, total=total)).keys)

    def test_plan(self):
        """A transaction covers the numbers that are located in the user's record."""
        one = transaction(phones=())
        one.plan(lambda user: user.phones, None)
        assert [USER_KEY] == one.keys
        one.plan(lambda user: user.phones, encode(User(phones=[PHONE])))

        assert [USER_KEY, NUMBER_KEY] == one.keys


class TestChange:
    """A decision on stored values."""

    @pytest.mark.parametrize(
        "planned", [encode(User(sends=LATER + 1)), encode(User(sends=LATER + 2)), None], ids=["same", "other", "none"]
    )
    def test_again(self, planned):
        """Each run of a decision sees the values that are stored now."""
        stored, seen = {USER_KEY: encode(User(sends=LATER + 1))}, []

        def decide(book):
            seen.append(book.user.sends)
            book.user.sends = LATER + 7
            return Outcome()

        one = transaction(decide)
        one.plan(lambda user: user.phones, planned)

        assert 2 * [encode(User(sends=LATER + 7))] == [one.change(stored)[0][USER_KEY].value for _ in "12"]
        assert 2 * [LATER + 1] == seen

    @pytest.mark.parametrize("outcome", [Outcome(), NotEnrolled()], ids=["done", "refused"])
    def test_outcome(self, outcome):
        """The outcome of the decision is the outcome of the change, even if it is a refusal."""
        assert ({}, outcome) == transaction(lambda book: outcome).change({})

    def test_missing_number(self):
        """A decision about a number that is not covered writes nothing, and the next run covers the number."""

        def decide(book):
            book.user.sends = LATER + 7
            return book.number(NUMBER_AS_INT)

        one = transaction(decide, phones=())
        writes, outcome = one.change({})
        assert ({}, Missing) == (writes, type(outcome))
        assert one.result(outcome) is None
        assert [USER_KEY, NUMBER_KEY] == one.keys
        assert isinstance(one.change({})[1], Number)

    def test_phone_is_kept(self):
        """The operation keeps the number of its decision for the audit trail."""

        def decide(book):
            book.phone = PHONE
            return Outcome()

        about = operation()
        transaction(decide, about=about).change({})
        transaction(about=about).change({})
        assert about.phone is PHONE

    def test_exception(self):
        """T12: an exception of the decision is raised later, without the frames that hold stored values."""
        one = transaction(lambda book: 1 / 0)
        writes, outcome = one.change({USER_KEY: encode(User(phones=[PHONE]))})
        assert ({}, ZeroDivisionError) == (writes, type(outcome))
        with pytest.raises(ZeroDivisionError) as caught:
            one.result(outcome)

        assert "lambda" in caught.value.__notes__[0]
        assert ["test_exception", "result"] == [frame.name for frame in caught.traceback]

    def test_values_are_not_touched(self):
        """A decision that changes its records leaves the stored values alone."""
        values = {USER_KEY: encode(User(phones=[PHONE]))}
        before = dict(values)
        transaction(lambda book: book.user.phones.clear() or Outcome()).change(values)

        assert before == values

    def test_undecodable(self):
        """T12: a stored value that is no record is an error, raised in a frame without the value."""
        one = transaction()
        one.plan(lambda user: user.phones, b"garbage")
        writes, outcome = one.change({USER_KEY: b"garbage"})
        assert ({}, StoreError) == (writes, type(outcome))
        with pytest.raises(StoreError) as caught:
            one.result(outcome)

        assert "garbage" not in shown(caught.value)


class TestResult:
    """The result of an update."""

    def test_outcome(self):
        """The outcome of the last change is returned once."""
        one = transaction()
        one.change({})
        _, outcome = one.change({})

        assert outcome is one.result(outcome)
        with pytest.raises(StoreError):
            one.result(outcome)

    def test_refusal(self):
        """A refusal is raised."""
        one = transaction(lambda book: CodeRejected(3))
        _, outcome = one.change({})
        with pytest.raises(CodeRejected) as raised:
            one.result(outcome)

        assert outcome is raised.value

    def test_anything_else(self):
        """R26, T7: a store must return the very outcome of its last change."""
        one = transaction()
        _, earlier = one.change({})
        one.change({})

        for lie in earlier, Outcome(), NotEnrolled(), True, None:
            with pytest.raises(StoreError):
                one.result(lie)
