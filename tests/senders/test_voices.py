"""The voice for a text: its language, the user's accent, or English."""

import attrs
import pytest

from smsmfa.exceptions import SenderMisconfigured
from smsmfa.senders.twilio.forms import SPOKEN
from smsmfa.senders.voices import said, split_at, voice_of, voices_by_tag
from smsmfa.testing import SenderConformance

MESSAGE = attrs.evolve(SenderConformance.message, channel="voice")


def test_voices_by_tag():
    """A language without a country is spoken by its first voice, also under its old names."""
    voices = {"en-US": "Al", "he-IL": "Bo", "en-GB": "Cy"}

    expected = {"en-us": "Al", "en": "Al", "he-il": "Bo", "he": "Bo", "iw": "Bo", "en-gb": "Cy"}
    assert expected == voices_by_tag(voices)
    assert expected | {"cy": "Cy"} == voices_by_tag(voices, {"cy": "en-GB"})


@pytest.mark.parametrize(
    "language, locale, expected",
    [
        (None, None, "en-US"),
        (None, "tlh", "en-US"),
        (None, 'x" voice="y', "en-US"),
        (None, "fr_ca", "fr-CA"),
        (None, "", "en-US"),
        ("en", None, "en-US"),
        ("en", "en-GB", "en-GB"),
        ("en", "en-JM", "en-US"),
        ("en", "fr-CA", "en-US"),
        ("fr", None, "fr-FR"),
        ("fr", "fr-CA", "fr-CA"),
        ("fr", "fr_ca", "fr-CA"),
        ("es", "es-MX", "es-MX"),
        ("es", "es-419", "es-US"),
        ("es", "ca", "es-ES"),
        ("pt", None, "pt-PT"),
        ("pt-BR", "pt-PT", "pt-BR"),
        ("pt-PT", "pt-AO", "pt-PT"),
        ("zh-Hans", "zh", "cmn-CN"),
        ("zh-Hant", None, "cmn-TW"),
        ("zh-Hant", "zh-TW", "cmn-TW"),
        ("zh-Hant", "zh-Hant-TW", "cmn-TW"),
        ("zh-Hant", "zh-HK", "yue-HK"),
        ("nb", "no", "nb-NO"),
        ("sr-Latn", "sr-Latn-ME", "sr-RS"),
        ("de", "de-DE-u-co-phonebk", "de-DE"),
        ("lt", "lt-LT", "lt-LT"),
        ("sw", "sw-KE", None),
        ("tlh", None, None),
    ],
)
def test_voice_of(language, locale, expected):
    """A call speaks the language of the text, as it is spoken where the user is, or no language."""
    assert expected == voice_of(language, locale, SPOKEN)


def test_said():
    """A text is said by a voice of its language."""
    assert (MESSAGE.text, "fr-CA") == said(attrs.evolve(MESSAGE, language="fr", locale="fr-CA"), SPOKEN, "A carrier")


def test_said_in_english():
    """Without a voice for the language, text and voice are English."""
    message = attrs.evolve(MESSAGE, language="sw", locale="sw", english="Your code is 1, 2.")

    assert ("Your code is 1, 2.", "en-US") == said(message, SPOKEN, "A carrier")


def test_not_said():
    """T32: without a voice and without an English text, nothing is said, and the error names the missing text."""
    words = r"A carrier has no voice for 'sw'; give messages\['payment'\] an English text that shows all details"

    with pytest.raises(SenderMisconfigured, match=words):
        said(attrs.evolve(MESSAGE, language="sw", purpose="payment"), SPOKEN, "A carrier")


@pytest.mark.parametrize(
    "text, parts",
    [
        ("Code 3, 1, 4. Again: 314!", ["Code ", ". Again: ", "!"]),
        ("Call 3145 or 13, 1, 4", ["Call 3145 or 13, 1, 4"]),
        ("3.1-4", ["", ""]),
    ],
)
def test_split_at(text, parts):
    """The code is found with its digits apart, but not within a longer number."""
    assert parts == split_at(text, "314")
