"""The records of one decision, and the entries that are written."""

from datetime import timedelta

import pytest
from support import NUMBER, START, a_config

from smsmfa import Limit, Limits
from smsmfa.core.book import DAY, Book, Missing
from smsmfa.core.operation import Operation
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
    number_key,
    total_key,
    user_key,
)
from smsmfa.limiter import CLOCK_SKEW, KEEP_MARGIN
from smsmfa.typing import Entry

NOW = START // 1000
HOUR = timedelta(hours=1)
HOUR_US = HOUR // timedelta(microseconds=1)
NUMBER_AS_INT = int(NUMBER[1:])
USER_KEY, NUMBER_KEY = user_key("alice"), number_key(NUMBER_AS_INT)
OTHER = NUMBER_AS_INT + 1
PHONE = Phone("phone", NUMBER_AS_INT, "US", "mobile")


def a_book(values=None, **limits):
    """Return a book of alice that covers her number."""
    values = values or {}
    operation = Operation("challenge", a_config(limits=Limits(**limits)), "alice", NOW)
    user = decode(User, values.get(USER_KEY))
    return Book(operation.config, NOW, USER_KEY, user, {NUMBER_AS_INT: NUMBER_KEY}, values)


def written(book, change):
    """Change a book, and return what it writes."""
    change(book)
    return book.writes()


class TestBook:
    """The records of one decision."""

    def test_blank(self):
        """A record that is not stored is blank."""
        book = a_book()

        assert (User(), Number()) == (book.user, book.number(NUMBER_AS_INT))

    def test_stored(self):
        """A stored record is decoded once, so each call returns the same object for a number."""
        values = {USER_KEY: encode(User(sends=3)), NUMBER_KEY: encode(Number(sends=5))}
        book = a_book(values)

        assert (3, 5) == (book.user.sends, book.number(NUMBER_AS_INT).sends)
        assert book.number(NUMBER_AS_INT) is book.number(NUMBER_AS_INT)

    def test_holder(self):
        """A number's record names its users by a digest, not by their ids."""
        assert (43, False) == (len(a_book().holder), b"alice" in a_book().holder)

    def test_buckets(self):
        """R28: a message is charged to the buckets of the user, the number and the total."""
        limits = {"user": Limit(1, HOUR), "number": Limit(2, HOUR), "total": Limit(3, HOUR)}
        book = a_book({total_key(): encode(Total(sends=9))}, **limits)
        buckets = book.send_buckets(NUMBER_AS_INT, confirmed=True)

        assert [*limits.items()] == [(one.scope, one.limit) for one in buckets]
        assert [book.user, book.number(NUMBER_AS_INT), Total(sends=9)] == [one.record for one in buckets]
        assert buckets[2].record is book.send_buckets(NUMBER_AS_INT, confirmed=True)[2].record

    def test_only_user(self):
        """Without limits for numbers and the total, only the user is charged, and no number's record is read."""
        assert ["user"] == [one.scope for one in a_book(number=None).send_buckets(OTHER, confirmed=True)]

    def test_lanes(self):
        """A message to a confirmed number and one to confirm a number have different buckets and limits."""
        one = a_book(number=Limit(1, HOUR), unverified=Limit(2, HOUR))
        lanes = [one.send_buckets(NUMBER_AS_INT, confirmed=confirmed)[1] for confirmed in (True, False)]

        assert [(1, "sends"), (2, "unverified")] == [(lane.limit.capacity, lane.field) for lane in lanes]

    def test_missing(self):
        """A number that the keys do not cover raises Missing, and the error shows nothing."""
        with pytest.raises(Missing) as caught:
            a_book().number(OTHER)

        assert (OTHER, "Missing()") == (caught.value.number, repr(caught.value))

    def test_repr(self):
        """The repr of a book shows no records."""
        assert "<Book>" == repr(a_book())


class TestWrites:
    """A book writes the records that changed, with the time to keep each."""

    def test_nothing(self):
        """A record that did not change is not written, and a blank record is not stored."""
        values = {USER_KEY: encode(User(phones=[PHONE])), NUMBER_KEY: encode(Number(holders=[b"x"]))}

        assert {} == written(a_book(values), lambda book: book.number(NUMBER_AS_INT))
        assert {} == written(a_book(), lambda book: book.number(NUMBER_AS_INT))

    def test_user_with_number(self):
        """The record of a user with a number is kept forever."""

        def decide(book):
            book.user.phones = [PHONE]

        assert {USER_KEY: Entry(encode(User(phones=[PHONE])), None)} == written(a_book(), decide)

    @pytest.mark.parametrize("name", ["sends", "guesses", "recoveries", "refunds"])
    def test_user_with_bucket(self, name):
        """T19: the record of a user without a number is kept while a bucket is not full, with a margin for clocks."""
        capacity_and_refill = Limit(5, HOUR)
        one = a_book(
            user=capacity_and_refill,
            guesses=capacity_and_refill,
            recovery=capacity_and_refill,
            refunds=capacity_and_refill,
        )
        entry = written(one, lambda book: setattr(book.user, name, NOW + HOUR_US))[USER_KEY]

        assert 3600 + KEEP_MARGIN <= entry.keep_for <= 3601 + KEEP_MARGIN

    def test_user_with_endless_bucket(self):
        """A bucket that never refills is kept forever."""
        one = a_book(guesses=Limit(5, None))

        assert written(one, lambda book: setattr(book.user, "guesses", -1))[USER_KEY].keep_for is None

    def test_user_with_pending(self):
        """A pending number is kept as long as its message can be sent again."""
        issued = Issued(
            id="id", key_id=1, purpose="enrollment", phone_id="phone", details=(), locale=None,
            created=NOW, expires=NOW + 300_000_000, sent=NOW,
        )  # fmt: skip
        entry = written(a_book(), lambda book: setattr(book.user, "pending", Pending(issued, PHONE)))[USER_KEY]

        assert 300 + DAY // 10**6 <= entry.keep_for <= 301 + DAY // 10**6 + KEEP_MARGIN

    def test_user_with_answer(self):
        """An answer is kept as long as it can be repeated."""
        entry = written(a_book(), lambda book: setattr(book.user, "accepted", [Answer(b"about", NOW)]))[USER_KEY]

        assert (600 + KEEP_MARGIN, int) == (entry.keep_for, type(entry.keep_for))

    def test_forgotten(self):
        """T19: a record that has only full buckets is deleted when they are full by the clock of every host."""
        for full_at, expected in (NOW - CLOCK_SKEW, True), (NOW - CLOCK_SKEW + 1, False):
            values = {
                USER_KEY: encode(User(sends=full_at)),
                NUMBER_KEY: encode(Number(sends=full_at)),
                total_key(): encode(Total(sends=full_at)),
            }
            one = a_book(values, total=Limit(1, HOUR))
            writes = written(one, lambda book: book.send_buckets(NUMBER_AS_INT, confirmed=True))

            assert (dict.fromkeys(values) if expected else {}) == writes

    def test_number(self):
        """The record of a number is kept until its bucket is full, and forever while users have the number."""

        def charge(book):
            book.number(NUMBER_AS_INT).sends = NOW + HOUR_US

        def hold(book):
            book.number(NUMBER_AS_INT).holders = [book.holder]

        assert 3600 + KEEP_MARGIN <= written(a_book(), charge)[NUMBER_KEY].keep_for <= 3601 + KEEP_MARGIN
        assert written(a_book(), hold)[NUMBER_KEY].keep_for is None

    def test_number_without_limit(self):
        """Without a limit for numbers, the record of a number that no user has is deleted."""
        values = {NUMBER_KEY: encode(Number(sends=NOW + HOUR_US))}

        assert {NUMBER_KEY: None} == written(a_book(values, number=None), lambda book: book.number(NUMBER_AS_INT))

    def test_total(self):
        """The total is written if a message was charged to it, and kept until it is full."""

        def charge(book):
            for one in book.send_buckets(NUMBER_AS_INT, confirmed=True):
                one.record.sends = -1

        one = a_book(total=Limit(2, None), user=Limit(2, None), number=None)
        assert {USER_KEY: Entry(encode(User(sends=-1))), total_key(): Entry(encode(Total(sends=-1)))} == written(
            one, charge
        )
