"""The arguments of an application are checked first."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from babel import Locale
from support import Clock

from smsmfa import AsyncMemoryStore, ConfigurationError, MemoryStore
from smsmfa.core.arguments import (
    check_methods,
    checked_age,
    checked_channel,
    checked_clock,
    checked_details,
    checked_instant,
    checked_locale,
    checked_purpose,
    checked_retry_key,
    checked_timeout,
    checked_user_id,
)
from smsmfa.core.opaque import Opaque


class TestTimeout:
    @pytest.mark.parametrize("timeout, seconds", [(timedelta(hours=1), 3600.0), (timedelta(microseconds=1), 1e-6)])
    def test_in_seconds(self, timeout, seconds):
        """A timeout is a duration of at most an hour."""
        assert seconds == checked_timeout(timeout)

    @pytest.mark.parametrize("timeout", [timedelta(0), timedelta(hours=1, microseconds=1), -timedelta(1), 10, None])
    def test_of_another_kind_is_refused(self, timeout):
        """None, an endless time and bare numbers are refused as timeouts."""
        with pytest.raises(ConfigurationError, match="timeout: a timedelta above zero and of at most one hour"):
            checked_timeout(timeout)


class TestMethods:
    @pytest.mark.parametrize("store, asynchronous", [(MemoryStore(), False), (AsyncMemoryStore(), True)])
    def test_of_the_right_kind_pass(self, store, asynchronous):
        """A store of the right kind is accepted."""
        assert check_methods(store, "store", ("read", "update"), asynchronous=asynchronous) is None

    @pytest.mark.parametrize(
        "store, asynchronous, advice",
        [
            (MemoryStore(), True, "must be async"),
            (AsyncMemoryStore(), False, "must be sync"),
            (MemoryStore, False, "is a class"),
            (object(), False, "no method read"),
        ],
    )
    def test_of_the_wrong_kind_are_refused(self, store, asynchronous, advice):
        """A store of the wrong kind, a class, or another object is refused with advice."""
        with pytest.raises(ConfigurationError, match=advice):
            check_methods(store, "store", ("read", "update"), asynchronous=asynchronous)


class TestUserId:
    @pytest.mark.parametrize(
        "given, text",
        [("alice", "alice"), (7, "7"), ("7", "7"), (-1, "-1"), (0, "0"), (uuid.UUID(int=1), str(uuid.UUID(int=1)))],
    )
    def test_is_taken_as_its_text(self, given, text):
        """A user id that is a number or a UUID is the same user as its text."""
        assert text == checked_user_id(given)

    @pytest.mark.parametrize("given", [None, True, False, "", b"alice", 1.5, ["alice"], object()])
    def test_of_nobody_is_refused(self, given):
        """A value that stands for an anonymous visitor never becomes a user."""
        with pytest.raises(TypeError, match="is somebody logged in"):
            checked_user_id(given)


class TestPurpose:
    @pytest.mark.parametrize("purpose", ["login", "x", "p" * 64, "Überweisung"])
    def test_is_any_short_text(self, purpose):
        """Any word of the application can be a purpose."""
        assert purpose == checked_purpose(purpose)

    @pytest.mark.parametrize("purpose", ["", "p" * 65, "enrollment"])
    def test_that_is_empty_long_or_reserved_is_refused(self, purpose):
        """An empty purpose, or the one for enrolments, is a ValueError."""
        with pytest.raises(ValueError, match="purpose: 1 to 64"):
            checked_purpose(purpose)

    @pytest.mark.parametrize("purpose", [None, 1, b"login"])
    def test_of_another_kind_is_refused(self, purpose):
        """A purpose that is not text is a TypeError."""
        with pytest.raises(TypeError, match="purpose: a str"):
            checked_purpose(purpose)


class TestLocale:
    @pytest.mark.parametrize("locale", [None, "en", "pt-BR", "zh-Hant-TW"])
    def test_is_a_language_tag(self, locale):
        """A language tag does not change."""
        assert locale == checked_locale(locale)

    @pytest.mark.parametrize(
        "locale, tag",
        [
            ("pt_BR", "pt-BR"),
            ("de_DE.UTF-8", "de-DE"),
            ("sr@latin", "sr-Latn"),
            ("sr_RS.UTF-8@latin", "sr-Latn"),
            ("ca_ES@euro", "ca-ES"),
            ("en,de;q=0.5", "en"),
            ("*;q=0.1, fr-CH, fr;q=0.9", "fr-CH"),
            (Locale.parse("zh_Hant_TW"), "zh-Hant-TW"),
        ],
        ids=str,
    )
    def test_forms_of_frameworks(self, locale, tag):
        """Locales in the forms that frameworks use become language tags."""
        assert tag == checked_locale(locale)

    @pytest.mark.parametrize(
        "locale", ["", "*", "-", "en US", "C", "POSIX", "e" * 36, "dé", "en\n@evil.com #1", "," * 9999]
    )
    def test_none(self, locale):
        """A locale that names no language means the default language, and its text is never shown."""
        assert checked_locale(locale) is None

    @pytest.mark.parametrize("locale", [1, b"en"])
    def test_of_another_kind_is_refused(self, locale):
        """A locale that is not text is a TypeError."""
        with pytest.raises(TypeError, match="locale: a str"):
            checked_locale(locale)


class TestChannel:
    @pytest.mark.parametrize("channel", ["sms", "voice", "whatsapp"])
    def test_is_kept(self, channel):
        """A known channel is accepted unchanged."""
        assert channel == checked_channel(channel)

    @pytest.mark.parametrize("channel", ["", "SMS", "email", "sms "])
    def test_unknown_is_refused(self, channel):
        """An unknown channel is a ValueError that names the known ones."""
        with pytest.raises(ValueError, match="channel: one of sms, voice, whatsapp"):
            checked_channel(channel)

    @pytest.mark.parametrize("channel", [None, 1, b"sms", ["sms"]])
    def test_of_another_kind_is_refused(self, channel):
        """A channel that is not text is a TypeError."""
        with pytest.raises(TypeError, match="channel: a str"):
            checked_channel(channel)


class TestDetails:
    def test_have_one_order(self):
        """The order of details does not matter."""
        expected = (("amount", "10 EUR"), ("payee", "Bob"))
        assert expected == checked_details({"payee": "Bob", "amount": "10 EUR"})
        assert expected == checked_details({"amount": "10 EUR", "payee": "Bob"})

    @pytest.mark.parametrize("details", [None, {}])
    def test_may_be_left_out(self, details):
        """No details and empty details are the same."""
        assert () == checked_details(details)

    @pytest.mark.parametrize("details", [[("a", "b")], "ab", {"a": 1}, {1: "b"}, {"a": None}, 7])
    def test_of_another_kind_are_refused(self, details):
        """Details that are not a mapping of text to text are a TypeError."""
        with pytest.raises(TypeError, match="details: a mapping"):
            checked_details(details)

    @pytest.mark.parametrize(
        "details",
        [
            {str(number): "x" for number in range(11)},
            {"k" * 41: "x"},
            {"k": "x" * 201},
            {str(number): "x" * 150 for number in range(7)},
        ],
    )
    def test_that_are_large_are_refused(self, details):
        """T19: details cannot make a user's record grow without bound."""
        with pytest.raises(ValueError, match="details: at most 10"):
            checked_details(details)

    @pytest.mark.parametrize("key", ["a\nb", "\u200b", "\u2028"])
    def test_with_unprintable_keys_are_refused(self, key):
        """Keys are printable, because error texts show them."""
        with pytest.raises(ValueError, match="details: keys of printable"):
            checked_details({key: "x"})

    def test_up_to_the_bounds_are_taken(self):
        """Ten details, and details with the longest key and value, are accepted."""
        details = {f"{number:040d}": "x" * 60 for number in range(9)} | {"k": "y" * 90}
        assert tuple(sorted(details.items())) == checked_details(details)
        assert (("k", "v" * 200),) == checked_details({"k": "v" * 200})


@pytest.mark.parametrize("clock", [time.time_ns, Clock(), Clock(-1), lambda: 0])
def test_clock(clock):
    """A function that counts nanoseconds as an integer is a clock, and is returned."""
    assert clock is checked_clock(clock)


@pytest.mark.parametrize(
    "clock",
    [0, 1_700_000_000_000_000_000, "time_ns", time.time, time.localtime, lambda: True, lambda: None, lambda: "0"],
)
def test_no_clock(clock):
    """A clock that is no function that returns an ``int`` is a ConfigurationError that says what a clock is."""
    with pytest.raises(ConfigurationError, match=r"clock: a function like time\.time_ns"):
        checked_clock(clock)


def test_default_clock(monkeypatch):
    """Without a clock, ``time.time_ns`` is looked up at each call, so that tests can freeze it."""
    clock = checked_clock(None)
    monkeypatch.setattr(time, "time_ns", lambda: 7)

    assert 7 == clock()


class TestRetryKey:
    @pytest.mark.parametrize("key", ["k" * 16, "k" * 128, "ключ" * 4])
    def test_is_kept(self, key):
        """A key of 16 to 128 characters is kept hidden."""
        assert key == checked_retry_key(Opaque(key)).reveal()
        assert checked_retry_key(Opaque(None)) is None

    @pytest.mark.parametrize("key", ["", "k" * 15, "k" * 129, "k" * 16 + "\n", "\ud800" * 16])
    def test_wrong_length(self, key):
        """A key that is too short, too long or not printable is refused, and not shown."""
        with pytest.raises(ValueError, match="retry_key: 16 to 128 printable characters"):
            checked_retry_key(Opaque(key))

    @pytest.mark.parametrize("key", [7, b"k" * 16])
    def test_of_another_kind(self, key):
        """A key that is not text is a TypeError."""
        with pytest.raises(TypeError, match="retry_key: an unguessable str"):
            checked_retry_key(Opaque(key))


class TestTimes:
    @pytest.mark.parametrize("age, expected", [(timedelta(0), 0), (timedelta(minutes=10), 600_000_000)])
    def test_age(self, age, expected):
        """The age of a proof is at most 10 minutes."""
        assert expected == checked_age(age)

    @pytest.mark.parametrize("age", [timedelta(microseconds=-1), timedelta(minutes=10, microseconds=1), 60, None])
    def test_wrong_age(self, age):
        """A greater or negative age is refused."""
        with pytest.raises(ValueError, match="max_age: a timedelta"):
            checked_age(age)

    def test_instant(self):
        """An instant is exact to the microsecond."""
        assert 1_000_001 == checked_instant(datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC))

    @pytest.mark.parametrize("when", [datetime(2030, 1, 1), "2030-01-01", None])  # noqa: DTZ001
    def test_no_instant(self, when):
        """A time without a zone, or an object that is no time, is a TypeError."""
        with pytest.raises(TypeError, match="enrolled_at: a datetime with a time zone"):
            checked_instant(when)
