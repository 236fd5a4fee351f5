"""What an application passes in is checked before anything else happens."""

import time
import uuid
from datetime import timedelta

import pytest
from support import Clock

from smsmfa import AsyncMemoryStore, ConfigurationError, MemoryStore
from smsmfa.core.arguments import (
    check_methods,
    checked_channel,
    checked_clock,
    checked_details,
    checked_locale,
    checked_purpose,
    checked_timeout,
    checked_user_id,
)


class TestTimeout:
    @pytest.mark.parametrize("timeout, seconds", [(timedelta(hours=1), 3600.0), (timedelta(microseconds=1), 1e-6)])
    def test_in_seconds(self, timeout, seconds):
        """A timeout is a duration of at most an hour."""
        assert seconds == checked_timeout(timeout)

    @pytest.mark.parametrize("timeout", [timedelta(0), timedelta(hours=1, microseconds=1), -timedelta(1), 10, None])
    def test_of_another_kind_is_refused(self, timeout):
        """None, for ever and bare numbers are no timeouts."""
        with pytest.raises(ConfigurationError, match="timeout: a timedelta above zero and of at most one hour"):
            checked_timeout(timeout)


class TestMethods:
    @pytest.mark.parametrize("store, asynchronous", [(MemoryStore(), False), (AsyncMemoryStore(), True)])
    def test_of_the_right_kind_pass(self, store, asynchronous):
        """A store of the kind that is needed is taken."""
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
        """A store of another kind, a class or no store at all is refused, with what to do."""
        with pytest.raises(ConfigurationError, match=advice):
            check_methods(store, "store", ("read", "update"), asynchronous=asynchronous)


class TestUserId:
    @pytest.mark.parametrize(
        "given, text",
        [("alice", "alice"), (7, "7"), ("7", "7"), (-1, "-1"), (0, "0"), (uuid.UUID(int=1), str(uuid.UUID(int=1)))],
    )
    def test_is_taken_as_its_text(self, given, text):
        """A user id of text, a number or a UUID is one and the same user as its text."""
        assert text == checked_user_id(given)

    @pytest.mark.parametrize("given", [None, True, False, "", b"alice", 1.5, ["alice"], object()])
    def test_of_nobody_is_refused(self, given):
        """What an application has for a stranger never becomes a user."""
        with pytest.raises(TypeError, match="is somebody logged in"):
            checked_user_id(given)


class TestPurpose:
    @pytest.mark.parametrize("purpose", ["login", "x", "p" * 64, "Überweisung"])
    def test_is_any_short_text(self, purpose):
        """A purpose is the application's own word."""
        assert purpose == checked_purpose(purpose)

    @pytest.mark.parametrize("purpose", ["", "p" * 65, "enrollment"])
    def test_that_is_empty_long_or_reserved_is_refused(self, purpose):
        """A purpose that stands for nothing, or for an enrolment, is a ValueError."""
        with pytest.raises(ValueError, match="purpose: 1 to 64"):
            checked_purpose(purpose)

    @pytest.mark.parametrize("purpose", [None, 1, b"login"])
    def test_of_another_kind_is_refused(self, purpose):
        """A purpose that is no text is a TypeError."""
        with pytest.raises(TypeError, match="purpose: a str"):
            checked_purpose(purpose)


class TestLocale:
    @pytest.mark.parametrize("locale", [None, "en", "pt-BR", "pt_BR", "zh-Hant-TW"])
    def test_is_a_language_tag(self, locale):
        """A locale is a language tag, or left out."""
        assert locale == checked_locale(locale)

    @pytest.mark.parametrize("locale", ["", "-", "en US", "en,de;q=0.5", "e" * 36, "dé", "en\n@evil.com #1"])
    def test_of_another_form_is_refused(self, locale):
        """A locale never carries anything into the text but a language tag."""
        with pytest.raises(ValueError, match="locale: a language tag"):
            checked_locale(locale)

    @pytest.mark.parametrize("locale", [1, b"en"])
    def test_of_another_kind_is_refused(self, locale):
        """A locale that is no text is a TypeError."""
        with pytest.raises(TypeError, match="locale: a str"):
            checked_locale(locale)


class TestChannel:
    @pytest.mark.parametrize("channel", ["sms", "voice", "whatsapp"])
    def test_is_kept(self, channel):
        """A channel that there is is taken as it is."""
        assert channel == checked_channel(channel)

    @pytest.mark.parametrize("channel", ["", "SMS", "email", "sms "])
    def test_unknown_is_refused(self, channel):
        """A channel that there is not is a ValueError that names those there are."""
        with pytest.raises(ValueError, match="channel: one of sms, voice, whatsapp"):
            checked_channel(channel)

    @pytest.mark.parametrize("channel", [None, 1, b"sms", ["sms"]])
    def test_of_another_kind_is_refused(self, channel):
        """A channel that is no text is a TypeError."""
        with pytest.raises(TypeError, match="channel: a str"):
            checked_channel(channel)


class TestDetails:
    def test_have_one_order(self):
        """Details are the same whatever order they were given in."""
        expected = (("amount", "10 EUR"), ("payee", "Bob"))
        assert expected == checked_details({"payee": "Bob", "amount": "10 EUR"})
        assert expected == checked_details({"amount": "10 EUR", "payee": "Bob"})

    @pytest.mark.parametrize("details", [None, {}])
    def test_may_be_left_out(self, details):
        """No details are the same as empty ones."""
        assert () == checked_details(details)

    @pytest.mark.parametrize("details", [[("a", "b")], "ab", {"a": 1}, {1: "b"}, {"a": None}, 7])
    def test_of_another_kind_are_refused(self, details):
        """Details that are no mapping of text to text are a TypeError."""
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

    def test_up_to_the_bounds_are_taken(self):
        """Details of ten entries, and of the longest key and value, are taken."""
        details = {f"{number:040d}": "x" * 60 for number in range(9)} | {"k": "y" * 90}
        assert tuple(sorted(details.items())) == checked_details(details)
        assert (("k", "v" * 200),) == checked_details({"k": "v" * 200})


@pytest.mark.parametrize("clock", [time.time_ns, Clock(), Clock(-1), lambda: 0])
def test_clock(clock):
    """A function that counts nanoseconds as an integer is a clock, and is returned."""
    assert clock is checked_clock(clock)


@pytest.mark.parametrize(
    "clock",
    [None, 0, 1_700_000_000_000_000_000, "time_ns", time.time, time.localtime, lambda: True, lambda: None, lambda: "0"],
)
def test_no_clock(clock):
    """What is no function, or gives anything but an ``int``, is a ConfigurationError that says what a clock is."""
    with pytest.raises(ConfigurationError, match=r"clock: a function like time\.time_ns"):
        checked_clock(clock)
