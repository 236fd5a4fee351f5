"""The built-in texts, each of which has to be right in many ways, and the choice of one."""

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
from smsmfa.texts.languages import is_tag, match, negotiate, texts
from smsmfa.texts.messages import Messages
from smsmfa.texts.segments import culprit, segments

#: A code of the most digits, and a name as applications have them.
CODE, NAME = "0123456789", "Acme Online Bank"
#: The word for "code", by which a phone, and a person, knows what the digits are.
WORDS = {
    "en": "code", "af": "kode", "ar": "رمز", "az": "kod", "be": "код", "bg": "код", "bn": "কোড", "bs": "kod",
    "ca": "codi", "cs": "kód", "cy": "cod", "da": "kode", "de": "code", "el": "κωδικός", "es": "código", "et": "kood",
    "eu": "kode", "fa": "کد", "fi": "koodi", "fil": "code", "fr": "code", "gl": "código", "gu": "કોડ", "he": "קוד",
    "hi": "कोड", "hr": "kôd", "hu": "kód", "hy": "կոդ", "id": "kode", "is": "kóði", "it": "codice", "ja": "コード",
    "ka": "კოდი", "kk": "код", "kn": "ಕೋಡ್", "ko": "코드", "lt": "kodas", "lv": "kods", "mk": "код", "ml": "കോഡ",
    "mr": "कोड", "ms": "kod", "nb": "kode", "ne": "कोड", "nl": "code", "pa": "ਕੋਡ", "pl": "kod", "pt-BR": "código",
    "pt-PT": "código", "ro": "codul", "ru": "код", "sk": "kód", "sl": "koda", "sq": "kodi", "sr": "код",
    "sr-Latn": "kod", "sv": "kod", "sw": "msimbo", "ta": "குறியீடு", "te": "కోడ్", "th": "รหัส", "tr": "kod",
    "uk": "код", "ur": "کوڈ", "uz": "kod", "vi": "mã", "zh-Hans": "验证码", "zh-Hant": "驗證碼",
}  # fmt: skip
#: How the word goes where grammar bends it.
BENT = {"is": "kóðinn", "ur": "کوڈ"}
#: What script the letters of a text are in, by the first word of their names; Latin where none is given.
SCRIPTS = {
    "ARABIC": "ar fa ur", "ARMENIAN": "hy", "BENGALI": "bn", "CYRILLIC": "be bg kk mk ru sr uk",
    "DEVANAGARI": "hi mr ne", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "HEBREW": "he", "KANNADA": "kn", "MALAYALAM": "ml", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
    "CJK": "zh-Hans zh-Hant", "HIRAGANA CJK KATAKANA": "ja",
}  # fmt: skip
SCRIPT = {language: names for names, languages in SCRIPTS.items() for language in languages.split()}
EVERY = [(language, name) for language in WORDS for name in ("verification", "enrollment")]


@pytest.fixture(autouse=True, scope="module")
def _read():
    """Let this module see the file read."""
    texts.cache_clear()


@pytest.fixture(autouse=True)
def _forget():
    """Let each test see the choice made, and not what an earlier test left in a cache."""
    match.cache_clear()


@pytest.fixture
def without_babel(monkeypatch):
    """Let Babel not be there."""
    monkeypatch.setitem(sys.modules, "babel.core", None)


def filled(language, name):
    """Return a built-in text with the longest code and a name."""
    return texts()[language][name].replace("{{ code }}", CODE).replace("{{ app_name }}", NAME)


def rendered(language, name, **arguments):
    """Return a built-in text as a configuration of this language alone has it."""
    arguments = {"app_name": "Acme", "digits": 6, "lifetime": timedelta(minutes=5), "origin": None} | arguments
    return Messages(None, languages=[language], **arguments).render(name, "login", "012345", (), language)


def test_languages():
    """There are texts in at least 40 languages, each with its three, and the test knows each one's word for a code."""
    assert 40 <= len(texts())
    assert WORDS.keys() == texts().keys()
    assert {("verification", "enrollment", "voice")} == {tuple(of) for of in texts().values()}


def test_order():
    """The file is in the order of the tags, English first, each a tag that can be passed as a locale."""
    listed = list(texts())

    assert ["en", *sorted(set(listed) - {"en"})] == listed
    assert all(map(is_tag, listed))


def test_english_is_the_described_systems():
    """The English texts are those of the described system."""
    assert "{{ code }} is your verification code for {{ app_name }}" == texts()["en"]["verification"]
    assert texts()["en"]["enrollment"] == (
        "{{ code }} is your verification code for {{ app_name }}. Please enter this code to verify your enrollment."
    )


@pytest.mark.parametrize("language, name", EVERY)
class TestText:
    def test_one_segment(self, language, name):
        """A text is one segment, with the longest code and a name of 16 characters."""
        assert 1 == segments(filled(language, name)).count

    def test_form(self, language, name):
        """A text begins with the code, and shows it and the name of the application once, each apart from letters."""
        source = texts()[language][name]

        assert source.startswith(("{{ code }} ", "{{ code }}: "))
        assert 1 == source.count("{{ code }}") == source.count("{{ app_name }}")

    def test_digits(self, language, name):
        """A text has no digits but those of the code, of no script."""
        assert [CODE] == re.findall(r"\d+", filled(language, name))

    def test_word(self, language, name):
        """A text has the word for a code, near the code: a phone's heuristics look for it."""
        text = rendered(language, name).lower()
        at = max(text.find(WORDS[language]), text.find(BENT.get(language, WORDS[language])))

        assert 6 < at < 50

    def test_last_line(self, language, name):
        """T16: with an origin a text is an origin-bound one-time code, by the grammar of the WICG."""
        text = rendered(language, name, origin="login.example.com")

        assert ("login.example.com", "012345", None) == autofill(text)
        assert text.endswith("\n@login.example.com #012345")

    def test_no_last_line(self, language, name):
        """Without an origin no text is bound to a site."""
        assert autofill(filled(language, name)) is None


@pytest.mark.parametrize("language", [one for one in WORDS if culprit("".join(texts()[one].values())) is None])
@pytest.mark.parametrize("name", ["verification", "enrollment"])
def test_android(language, name):
    """A text of the GSM alphabet has room for an origin and the hash; the grammar takes no notice of that."""
    text = rendered(language, name, origin="a.example", android_hash="FA+9qCX9VS/")

    assert ("a.example", "012345", None) == autofill(text)
    assert "FA+9qCX9VS/" == text[-11:]
    assert len(text) <= 140


@pytest.mark.parametrize("language", WORDS)
class TestLanguage:
    def test_clean(self, language):
        """The texts are in the normal form NFC, with no link, no space too many and nothing invisible."""
        for source in texts()[language].values():
            assert unicodedata.normalize("NFC", source) == source
            assert " ".join(source.split(" ")) == source.strip()
            assert text_problem(source) is None

    def test_voice(self, language):
        """What is spoken shows the code twice, what it is for once, and has the word for a code."""
        source = texts()[language]["voice"]

        assert (2, 1) == (source.count("{{ code }}"), source.count("{{ app_name }}"))
        assert WORDS[language] in source.lower() or BENT[language] in source.lower()

    def test_script(self, language):
        """The letters are of the script of the language, so that no line is in another's place."""
        written = " ".join(re.sub(r"\{\{.*?\}\}", "", source) for source in texts()[language].values())
        names = {unicodedata.name(letter).split(" ")[0] for letter in written if letter.isalpha()}

        assert names <= set(SCRIPT.get(language, "LATIN").split()) | (
            {"KATAKANA-HIRAGANA"} if language == "ja" else set()
        )

    def test_distinct(self, language):
        """No text is that of another language, but for close kin."""
        kin = {"bs", "hr", "sr-Latn"}, {"pt-BR", "pt-PT"}
        for other in texts().keys() - {language}:
            if not any({language, other} <= family for family in kin):
                assert not set(texts()[language].values()) & set(texts()[other].values())


def test_read_only():
    """What is built in cannot be changed by accident, for all configurations of the process."""
    with pytest.raises(TypeError):
        texts()["de"] = {}
    with pytest.raises(TypeError):
        texts()["de"]["voice"] = ""


def test_file_is_shipped():
    """The texts are one file of the package, with a comment on its sources and on how to contribute."""
    file = Path(languages.__file__).with_name("languages.toml").read_text(encoding="utf-8")

    assert tomllib.loads(file) == texts()
    assert "# Sources." in file
    assert "# To contribute" in file


@pytest.mark.parametrize(
    "tag, expected",
    [
        *[(language, language) for language in WORDS],
        ("de-AT", "de"), ("DE_at", "de"), ("en-GB", "en"), ("zh", "zh-Hans"), ("zh-CN", "zh-Hans"),
        ("zh-TW", "zh-Hant"), ("zh-HK", "zh-Hant"), ("zh-Hant-HK", "zh-Hant"),
        ("no", "nb"), ("no-NO", "nb"), ("nn", "nb"), ("iw", "he"),
        ("in-ID", "id"), ("tl", "fil"), ("mo", "ro"), ("sh", "sr-Latn"), ("pt", "pt-BR"), ("es-419", "es"),
        ("es-MX", "es"), ("sr-Latn-ME", "sr-Latn"), ("be-tarask", "be"), ("de-DE-u-co-phonebk", "de"), ("x-fr", None),
        ("tlh", None), ("ckb", None), ("", None), ("-", None), ("a-b-c", None), ("1", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("babel", [True, False])
def test_match(tag, expected, babel, request):
    """A tag finds the text that its reader reads, with Babel or without."""
    if not babel:
        request.getfixturevalue("without_babel")

    assert expected == match(tag, tuple(texts()))


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
    """With Babel a language inherits as CLDR has it; without, the nearest tag of the same language stands in."""
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
        ("fr" + "-abcdefgh" * 8, None),
        ("," * 19 + "de", "de"),
        ("," * 20 + "de", None),
        (" " * 998 + "de", "de"),
        (" " * 1000 + "de", None),
        ("a," * 10**6, None),
    ],
)
def test_negotiate(header, expected):
    """The most wanted language that there is wins; what is malformed is skipped, what is long is cut off."""
    assert expected == negotiate(header)


def test_negotiate_among():
    """The languages to choose from can be the application's own, and the first of a kind is the best."""
    assert "fr-CA" == negotiate("fr", ["en", "fr-CA", "fr-BE"])
    assert "en" == negotiate("fr, en;q=0.1", {"en": 1}.keys())
    assert negotiate("fr", []) is None


@given(st.text() | st.from_regex(r"([a-zA-Z-]{1,9}(;q=[0-9.]{0,4})?,? ?){0,9}"))
def test_any_header(header):
    """Whatever a header says, it means one of the languages or none."""
    assert negotiate(header) in {None, *texts()}


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh-Hant", "sr-Latn-RS", "es-419", "de-1996"])
def test_tag(tag):
    """A language tag is one."""
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "e", "en_US", "en-", "-en", "en us", "sms:voice", "é", "en" + "-a" * 17, None, 1, b"en"]
)
def test_no_tag(tag):
    """Anything else is none."""
    assert not is_tag(tag)
