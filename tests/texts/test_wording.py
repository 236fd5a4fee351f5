"""The operator's settings for texts, and wrong ones."""

import pytest

from smsmfa.exceptions import ConfigurationError
from smsmfa.texts.languages import texts
from smsmfa.texts.liquid import Liquid
from smsmfa.texts.wording import (
    checked_android_hash,
    checked_app_name,
    checked_host,
    checked_languages,
    checked_templates,
)

LIQUID = Liquid("{{code}}")


@pytest.mark.parametrize(
    "given, expected",
    [
        (None, {}),
        ({}, {}),
        ({"login": "x"}, {"login": {"": {"sms": "x"}}}),
        ({"login": LIQUID}, {"login": {"": {"sms": LIQUID}}}),
        ({"login": {"en": "x", "pt-BR": LIQUID}}, {"login": {"en": {"sms": "x"}, "pt-BR": {"sms": LIQUID}}}),
        ({"a": {"en": {"sms": "x", "voice": LIQUID}}}, {"a": {"en": {"sms": "x", "voice": LIQUID}}}),
    ],
)
def test_templates(given, expected):
    """A template is for all users, for a language, or for a channel of a language."""
    assert expected == checked_templates(given)


@pytest.mark.parametrize(
    "given, hint",
    [
        ("x", "messages: a mapping"),
        ([("login", "x")], "messages: a mapping"),
        ({1: "x"}, r"messages\[1\]: the purpose must be a str"),
        ({"enrolment": "x"}, r"messages\['enrolment'\]: .*did you mean 'enrollment'"),
        ({"login": None}, r"messages\['login'\]: a template, or a mapping of languages"),
        ({"login": {}}, r"messages\['login'\]: a template, or a mapping of languages"),
        ({"login": b"x"}, r"messages\['login'\]: a template"),
        ({"login": {"en_US": "x"}}, r"messages\['login'\]\['en_US'\]: the key must be a language tag"),
        ({"login": {"en": None}}, r"messages\['login'\]\['en'\]: a template, or a mapping of channels"),
        ({"login": {"en": {}}}, r"messages\['login'\]\['en'\]: a template, or a mapping of channels"),
        ({"login": {"en": {"voice": "x"}}}, r"messages\['login'\]\['en'\]: a template, or a mapping of channels"),
        ({"login": {"en": {"sms": "x", "fax": "x"}}}, "with 'sms'"),
        ({"login": {"en": {"sms": "x", "voice": None}}}, "each template must be a str or a Liquid"),
    ],
)
def test_wrong_templates(given, hint):
    """Anything else raises, and the error says where and what is expected."""
    with pytest.raises(ConfigurationError, match=hint):
        checked_templates(given)


def test_languages():
    """The languages are all languages, or some in the given order without duplicates."""
    assert tuple(texts()) == checked_languages(None)
    assert ("fr", "en") == checked_languages(["fr", "en", "fr"])


@pytest.mark.parametrize(
    "languages", ["en", b"en", [], ["EN"], ["en", "tlh"], ["pt"], 1, iter(["en"]), [None], [["en"]]]
)
def test_wrong_languages(languages):
    """A language without a text, or anything but a collection, raises, and the error lists the languages."""
    with pytest.raises(ConfigurationError, match=r"^languages: some of en, af, .*, the one for everybody else first"):
        checked_languages(languages)


@pytest.mark.parametrize("name", ["Acme", "x" * 60, "نام‌ها"])
def test_app_name(name):
    """An application name may be in any script, including joiners of its spelling."""
    assert name == checked_app_name(name, 6)


@pytest.mark.parametrize("name", ["", " ", None, "x" * 61, "a\nb", "a\u200db", "{{", "123456"])
def test_wrong_app_name(name):
    """An application name that is empty, long, invisible, a template or a code raises."""
    with pytest.raises(ConfigurationError, match=r"^app_name: "):
        checked_app_name(name, 6)


@pytest.mark.parametrize("origin, host", [(None, None), ("Login.Example.com", "login.example.com")])
def test_host(origin, host):
    """A host is optional, and is written in lower case."""
    assert host == checked_host(origin)


@pytest.mark.parametrize("origin", ["", "com", "https://example.com", "bücher.example", 443, "a." * 125 + "comm"])
def test_wrong_host(origin):
    """T25: anything but an ASCII host raises."""
    with pytest.raises(ConfigurationError, match=r"^origin: the ASCII host"):
        checked_host(origin)


@pytest.mark.parametrize("android_hash", [None, "FA+9qCX9VSu", "01234567890", "///////////"])
def test_android_hash(android_hash):
    """A hash is optional, and has 11 characters of Base64."""
    assert android_hash == checked_android_hash(android_hash)


@pytest.mark.parametrize(
    "android_hash", ["", "FA+9qCX9VS", "FA+9qCX9VSu=", "FA-9qCX9VSu", "FA+9qCX9VSu\n", b"FA+9qCX9VSu", 1]
)
def test_wrong_android_hash(android_hash):
    """Anything else raises, and the error says where to find the hash."""
    with pytest.raises(ConfigurationError, match=r"^android_hash: the 11 .* without '=', .* Play App Signing$"):
        checked_android_hash(android_hash)
