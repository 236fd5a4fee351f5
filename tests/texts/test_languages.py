"""The built-in texts, and the choice of a language."""

import re
import sys
import tomllib
import unicodedata
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicg import autofill

from smsmfa.texts import languages
from smsmfa.texts.content import text_problem
from smsmfa.texts.languages import is_tag, match, negotiate, tag_of, texts
from smsmfa.texts.messages import Messages
from smsmfa.texts.segments import culprit, segments

#: A code of the most digits, and a name as applications have them.
CODE, NAME = "0123456789", "Acme Online Bank"
#: The word for "code", which tells a phone and a person what the digits are.
WORDS = {
    "en": "code", "af": "kode", "ar": "رمز", "az": "kod", "be": "код", "bg": "код", "bn": "কোড", "bs": "kod",
    "ca": "codi", "cs": "kód", "cy": "cod", "da": "kode", "de": "code", "el": "κωδικός", "es": "código", "et": "kood",
    "eu": "kode", "fa": "کد", "fi": "koodi", "fil": "code", "fr": "code", "ga": "cód", "gl": "código", "gu": "કોડ",
    "he": "קוד", "hi": "कोड", "hr": "kôd", "hu": "kód", "hy": "կոդ", "id": "kode", "is": "kóði", "it": "codice",
    "ja": "コード", "ka": "კოდი", "kk": "код", "kn": "ಕೋಡ್", "ko": "인증번호", "lt": "kodas", "lv": "kods", "mk": "код",
    "ml": "കോഡ", "mr": "कोड", "ms": "kod", "mt": "kodiċi", "nb": "kode", "ne": "कोड", "nl": "code", "pa": "ਕੋਡ",
    "pl": "kod", "pt-BR": "código", "pt-PT": "código", "ro": "cod", "ru": "код", "sk": "kód", "sl": "koda",
    "sq": "kodi", "sr": "код", "sr-Latn": "kod", "sv": "kod", "sw": "msimbo", "ta": "குறியீடு", "te": "కోడ్", "th": "รหัส",
    "tr": "kod", "uk": "код", "ur": "کوڈ", "uz": "kod", "vi": "mã", "zh-Hans": "验证码", "zh-Hant": "驗證碼",
}  # fmt: skip
#: Inflected forms of the word.
BENT = {"ga": "chód", "is": "kóðinn", "sr-Latn": "код", "ur": "کوڈ"}
#: The first words of the Unicode names of each language's letters. A language that is missing is in Latin script.
SCRIPTS = {
    "ARABIC": "ar fa ur", "ARMENIAN": "hy", "BENGALI": "bn", "CYRILLIC": "be bg kk mk ru sr uk",
    "DEVANAGARI": "hi mr ne", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "HEBREW": "he", "KANNADA": "kn", "MALAYALAM": "ml", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
    "CJK": "zh-Hans zh-Hant", "HIRAGANA CJK KATAKANA": "ja",
}  # fmt: skip
SCRIPT = {language: names for names, languages in SCRIPTS.items() for language in languages.split()}
#: What the readers of other tags read.
READ_AS = {
    "de-AT": "de", "DE_at": "de", "en-GB": "en", "zh": "zh-Hans", "zh-CN": "zh-Hans", "zh-TW": "zh-Hant",
    "zh-HK": "zh-Hant", "zh-Hant-HK": "zh-Hant", "no": "nb", "no-NO": "nb", "nn": "nb", "iw": "he", "in-ID": "id",
    "tl": "fil", "mo": "ro", "sh": "sr-Latn", "pt": "pt-BR", "es-419": "es", "es-MX": "es", "sr-Latn-ME": "sr-Latn",
    "be-tarask": "be", "de-DE-u-co-phonebk": "de", "x-fr": None, "tlh": None, "ckb": None, "": None, "-": None,
    "a-b-c": None, "1": None,
}  # fmt: skip
EVERY = [(language, name) for language in WORDS for name in ("verification", "enrollment")]


@pytest.fixture(autouse=True, scope="module")
def _read():
    """Read the file again, so that this module's tests cover its reading."""
    texts.cache_clear()


@pytest.fixture(autouse=True)
def _forget():
    """Clear the cache, so that each test makes its own choices."""
    match.cache_clear()


@pytest.fixture
def without_babel(monkeypatch):
    """Hide Babel."""
    monkeypatch.setitem(sys.modules, "babel.core", None)


def filled(language, name):
    """Return a built-in text with the longest code and a name."""
    return texts()[language][name].replace("{{ code }}", CODE).replace("{{ app_name }}", NAME)


def rendered(language, name, **arguments):
    """Return a built-in text as a configuration with only this language renders it."""
    arguments = {"app_name": "Acme", "digits": 6, "lifetime": timedelta(minutes=5), "origin": None} | arguments
    return Messages(None, languages=[language], **arguments).render(name, "login", "012345", (), language)


def test_languages():
    """There are three texts in each of at least 40 languages, and this module knows each language's word for "code"."""
    assert 40 <= len(texts())
    assert WORDS.keys() == texts().keys()
    assert {("verification", "enrollment", "voice")} == {tuple(of) for of in texts().values()}


def test_order():
    """English comes first, then the other languages by tag, and every tag can be passed as a locale."""
    listed = list(texts())

    assert ["en", *sorted(set(listed) - {"en"})] == listed
    assert all(map(is_tag, listed))


def test_english_is_the_described_systems():
    """The English texts are the texts of the described system."""
    assert "{{ code }} is your verification code for {{ app_name }}" == texts()["en"]["verification"]
    assert texts()["en"]["enrollment"] == (
        "{{ code }} is your verification code for {{ app_name }}. Please enter this code to verify your enrollment."
    )


def culprits(right, cases=EVERY):
    """Return the cases of which something is not true: languages, or languages each with the name of a text."""
    return [case for case in cases if not right(*([case] if isinstance(case, str) else case))]


class TestText:
    """Each test goes through the messages of every language, and names those that are wrong."""

    def test_one_segment(self):
        """Every text fits into one segment, with the longest code and an application name of 16 characters."""
        assert [] == culprits(lambda language, name: 1 == segments(filled(language, name)).count)

    def test_form(self):
        """Every text begins with the code, and shows the code and the application name once."""

        def right(language, name):
            source = texts()[language][name]
            once = 1 == source.count("{{ code }}") == source.count("{{ app_name }}")
            return once and source.startswith(("{{ code }} ", "{{ code }}: "))

        assert [] == culprits(right)

    def test_digits(self):
        """No text has digits of any script other than the code."""
        assert [] == culprits(lambda language, name: [CODE] == re.findall(r"\d+", filled(language, name)))

    def test_word(self):
        """Every text has the word for "code" near the code, because phones look for it."""

        def right(language, name):
            text = rendered(language, name).lower()
            return 6 < max(text.find(WORDS[language]), text.find(BENT.get(language, WORDS[language]))) < 50

        assert [] == culprits(right)

    def test_last_line(self):
        """T16: with an origin every text follows the WICG grammar of origin-bound one-time codes."""

        def right(language, name):
            text = rendered(language, name, origin="login.example.com")
            bound = ("login.example.com", "012345", None) == autofill(text)
            return bound and text.endswith("\n@login.example.com #012345")

        assert [] == culprits(right)

    def test_no_last_line(self):
        """Without an origin no text is bound to a site."""
        assert [] == culprits(lambda language, name: autofill(filled(language, name)) is None)

    def test_android(self):
        """Every GSM-7 text leaves room for an origin and an Android hash, and follows the grammar with both."""

        def right(language, name):
            text = rendered(language, name, origin="a.example", android_hash="FA+9qCX9VS/")
            bound = ("a.example", "012345", None) == autofill(text)
            return bound and text.endswith("FA+9qCX9VS/") and len(text) <= 140

        gsm = [case for case in EVERY if culprit("".join(texts()[case[0]].values())) is None]
        assert len(gsm) > 30
        assert [] == culprits(right, gsm)


class TestLanguage:
    """Each test goes through every language, and names those that are wrong."""

    def test_clean(self):
        """Every text is in normal form NFC, and has no link, no double space and nothing invisible."""

        def right(language):
            return all(
                unicodedata.normalize("NFC", source) == source == source.strip()
                and "  " not in source
                and text_problem(source) is None
                for source in texts()[language].values()
            )

        assert [] == culprits(right, WORDS)

    def test_voice(self):
        """Every spoken text says the code twice and the application name once, and has the word for "code"."""

        def right(language):
            source = texts()[language]["voice"]
            shown = (source.count("{{ code }}"), source.count("{{ app_name }}"))
            word = WORDS[language] in source.lower() or BENT.get(language, WORDS[language]) in source.lower()
            return (2, 1) == shown and word

        assert [] == culprits(right, WORDS)

    def test_script(self):
        """The letters of every text belong to the script of its language."""

        def right(language):
            shown = [source for name, source in texts()[language].items() if (language, name) != ("sr-Latn", "voice")]
            written = " ".join(re.sub(r"\{\{.*?\}\}", "", source) for source in shown)
            names = {unicodedata.name(letter).split(" ")[0] for letter in written if letter.isalpha()}
            extra = {"KATAKANA-HIRAGANA"} if language == "ja" else set()
            return names <= set(SCRIPT.get(language, "LATIN").split()) | extra

        assert [] == culprits(right, WORDS)

    def test_distinct(self):
        """No two languages share a text, except close relatives."""
        kin = {"bs", "hr", "sr-Latn"}, {"pt-BR", "pt-PT"}, {"sr", "sr-Latn"}

        def right(language):
            others = [other for other in WORDS if other != language and not any({language, other} <= k for k in kin)]
            return not any(set(texts()[language].values()) & set(texts()[other].values()) for other in others)

        assert [] == culprits(right, WORDS)


def test_read_only():
    """The built-in texts cannot be changed, because all configurations of a process share them."""
    with pytest.raises(TypeError):
        texts()["de"] = {}
    with pytest.raises(TypeError):
        texts()["de"]["voice"] = ""


def test_file_is_shipped():
    """The package contains the file of texts, with its sources and instructions for contributors."""
    file = Path(languages.__file__).with_name("languages.toml").read_text(encoding="utf-8")

    assert tomllib.loads(file) == texts()
    assert "# Sources." in file
    assert "# To contribute" in file


@pytest.mark.parametrize("babel", [True, False], ids=["with Babel", "without"])
def test_match(babel, request):
    """A tag finds the text that its reader understands, with Babel or without."""
    if not babel:
        request.getfixturevalue("without_babel")
    available = tuple(texts())

    found = {tag: match(tag, available) for tag in [*WORDS, *READ_AS]}

    assert {language: language for language in WORDS} | READ_AS == found


@pytest.mark.parametrize(
    "tag, available, expected, plain",
    [
        ("pt-AO", ("pt-BR", "pt-PT"), "pt-PT", "pt-BR"),
        ("sr-ME", ("sr", "sr-Latn"), "sr-Latn", "sr"),
        ("zh-SG", ("zh-Hant", "zh-Hans"), "zh-Hans", "zh-Hant"),
        ("es-MX", ("en", "es", "es-419"), "es-419", "es"),
        ("en-AU", ("en-US", "en-001"), "en-001", "en-US"),
        ("pt", ("pt-PT", "pt-BR"), "pt-BR", "pt-PT"),
        ("en", ("en-GB", "en-AU"), "en-GB", "en-GB"),
        ("zh-TW", ("zh-Hant", "zh-TW"), "zh-TW", "zh-TW"),
        ("nb-NO", ("en", "no"), "no", "no"),
        ("FR-ca", ("fr", "fr-CA"), "fr-CA", "fr-CA"),
        ("fr", ("fr", "FR"), "fr", "fr"),
        ("fr", (), None, None),
        ("en-GB", ("fr",), None, None),
    ],
)
@pytest.mark.parametrize("babel", [True, False])
def test_inheritance(tag, available, expected, plain, babel, request):
    """With Babel a tag inherits as CLDR says. Without it, the nearest tag of the same language is used."""
    if not babel:
        request.getfixturevalue("without_babel")

    assert (expected if babel else plain) == match(tag, available)


@pytest.mark.parametrize(
    "header, expected",
    [
        (None, None),
        ("", None),
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("tlh, fr;q=0.5, de;q=0.7", "de"),
        ("fr;q=0.5,de;q=0.5", "fr"),
        (" fr ; q=0.5 ,\tde ;q=1.000", "de"),
        ("*", None),
        ("*;q=0.9, it;q=0.1", "it"),
        ("fr;q=0, it;q=0.001", "it"),
        ("fr;q=0.000", None),
        ("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", "zh-Hant"),
        ("fr;q=2, it;q=0.1", "it"),
        ("fr;q=1.5", None),
        ("fr;q=, de;q=x, it;q=0.1;x=1, es", "es"),
        ("fr_FR", None),
        ("français", None),
        ("../../etc/passwd", None),
        ("en\x00, de", "de"),
        ("en\n, de", "de"),
        pytest.param("fr" + "-abcdefgh" * 8, None, id="a long tag"),
        pytest.param("," * 19 + "de", "de", id="20 parts"),
        pytest.param("," * 20 + "de", None, id="21 parts"),
        pytest.param(" " * 998 + "de", "de", id="1000 characters"),
        pytest.param(" " * 1000 + "de", None, id="1002 characters"),
        pytest.param("a," * 10**6, None, id="two million characters"),
    ],
)
def test_negotiate(header, expected):
    """The most wanted available language wins. Malformed parts are skipped, and a long header is cut off."""
    assert expected == negotiate(header)


def test_negotiate_among():
    """An application can give its own languages, and the first of equal matches wins."""
    assert "fr-CA" == negotiate("fr", ["en", "fr-CA", "fr-BE"])
    assert "en" == negotiate("fr, en;q=0.1", {"en": 1}.keys())
    assert negotiate("fr", []) is None


@given(st.text() | st.from_regex(r"([a-zA-Z-]{1,9}(;q=[0-9.]{0,4})?,? ?){0,9}"))
def test_any_header(header):
    """Any header gives one of the languages or None."""
    assert negotiate(header) in {None, *texts()}


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh-Hant", "sr-Latn-RS", "es-419", "de-1996"])
def test_tag(tag):
    """A language tag is recognised."""
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "e", "en_US", "en-", "-en", "en us", "sms:voice", "é", "en" + "-a" * 17, None, 1, b"en"]
)
def test_no_tag(tag):
    """Anything else is not a language tag."""
    assert not is_tag(tag)


@pytest.mark.parametrize(
    "locale, expected",
    [
        ("de_DE.UTF-8", "de-DE"),
        ("sr_RS@latin", "sr-Latn"),
        ("ca_ES.UTF-8@valencia", "ca-ES"),
        ("de-CH, fr;q=0.5", "de-CH"),
        ("C", None),
        ("POSIX", None),
        ("C.UTF-8", None),
        ("*", None),
        ("", None),
    ],
)
def test_tag_of(locale, expected):
    """A locale in any usual form becomes a tag, or none."""
    assert expected == tag_of(locale)
