"""Content that must not be sent, and the joiners that some spellings need."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.texts.content import body_problem, digit_runs, text_problem, value_problem

ZWNJ, ZWJ = "\u200c", "\u200d"
#: Persian, Hindi, Marathi, Bengali, Kannada, Sinhala, Malayalam as it was written before Unicode 5.1.
SPELLED = ["می‌خواهم", "خانه‌ها", "क्‌ष", "क्‍ष", "र्‍य", "র‍্যাব", "ರ‍್ಯ", "ශ්‍රී", "അവന്‍ വന്നു", "അവന്‍"]
#: Characters that turn the direction of a text, or hide in it.
BIDI = [chr(point) for point in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0xAD)]


@pytest.mark.parametrize("word", SPELLED)
def test_joiner_of_a_spelling(word):
    """A joiner is allowed if the spelling of a word needs it."""
    assert {ZWNJ, ZWJ} & set(word)
    assert text_problem(word) is None
    assert body_problem(f"012345 {word}.") is None


@pytest.mark.parametrize(
    "around",
    [
        *("{}", "a{}b", "{}می", "می{}", "می{} خ", "م{}a", "12{}34", "١{}٢", "www{}.x", "क{}", "{}क", "क्{}{}", "م{}{}ن"),
        "👨{}👩",
    ],
)
def test_joiner_elsewhere(around):
    """T16: a joiner between digits, in a link, after another joiner, or next to nothing is refused."""
    for joiner in (ZWNJ, ZWJ):
        assert "no line break" in text_problem(around.replace("{}", joiner))


def test_joiner_before_virama():
    """Before a virama a joiner is allowed, as in Bengali, and a non-joiner is refused."""
    assert text_problem(f"র{ZWJ}্য") is None
    assert "no line break" in text_problem(f"র{ZWNJ}্য")


def test_joiner_in_arabic():
    """Between Arabic letters a non-joiner is allowed, and a joiner is refused because it changes nothing."""
    assert text_problem(f"می{ZWNJ}خ") is None
    assert "no line break" in text_problem(f"می{ZWJ}خ")


@pytest.mark.parametrize("around", ["{}", "می{}خ", "क्{}ष", "र{}्य"])
def test_direction(around):
    """T16: no character that turns the direction of a text, or hides in it, is allowed in any script."""
    assert [] == [
        f"U+{ord(one):04X}" for one in BIDI if "no line break" not in (text_problem(around.format(one)) or "")
    ]


@given(
    st.sampled_from([ZWNJ, ZWJ]),
    st.characters(categories=["Nd", "Po", "Lu", "Ll", "Zs"]),
    st.characters(exclude_categories=["Mn", "Mc"]),
)
def test_joiner_after_what_joins_nothing(joiner, before, after):
    """T16: a joiner after a digit, a letter with case, punctuation or a space is refused."""
    assert text_problem(f"{before}{joiner}{after}") is not None


@pytest.mark.parametrize("link", ["https://x", "WWW.x", "sms://1"])
def test_link(link):
    """A link is refused."""
    assert "no link" in text_problem(f"see {link}")


@pytest.mark.parametrize("text", ["", "a", "a\xa0b", "日本 😀", "a.b/c", "wwww"])
def test_plain_text(text):
    """Visible text is allowed."""
    assert text_problem(text) is None


def test_last_line():
    """T16: a text is refused if it begins like an autofill line, and not if such a line stands elsewhere."""
    assert "autofill" in body_problem("@x #1")
    assert body_problem("x @x #1") is None


def test_digit_runs():
    """Runs of at least as many decimal digits as the code are found in any script."""
    assert ["123456", "1234567", "١٢٣٤٥٦"] == digit_runs("123456 12345 1234567 ١٢٣٤٥٦ ²³¹²³¹", 6)


#: What a value may say: docs/how-to/texts.md says the same in words.
GOOD_VALUES = [
    "100,000", "1 234.56 EUR", "10 EUR", "Amazon.com", "DE89 3704 0044 0532 0130 00", "12345", "1234567",
    "2026-12-01", "10.5/12", "Tel: 12", "e.g./x", "Ann & Bob", "O'Neil", "日本語", "a/b", "C/O Ann", "1-23-4-56-7",
]  # fmt: skip
BAD_VALUES = [
    ("999999", "could be taken for the code"), ("999 999", "could be taken for the code"),
    ("12-34-56", "could be taken for the code"), ("\uff19" * 6, "could be taken for the code"),
    ("\u0967\u0968" * 3, "could be taken for the code"), ("a123456b", "could be taken for the code"),
    ("12\u201334\u201356", "could be taken for the code"),
    ("evil.com/login", "no link"), ("http://x", "no link"), ("WWW.x", "no link"), ("evil\u3002com/x", "no link"),
    ("1 999999", "could be taken for the code"), ("12-999999", "could be taken for the code"),
    ("\u2776\u2777" * 3, "could be taken for the code"), ("mailto:a@b", "no link"), ("tel:+1900", "no link"),
    ("evil.com:8080/login", "no link"), ("evil.com?x=1", "no link"), ("1.2.3.4/login", "no link"),
    ("evil.xn--p1ai/x", "no link"), ("javascript:x", "no link"), ("\u1680", "blank"), ("  ", "blank"),
    ("\u3164", "blank"), ("\u2800", "blank"), ("a\u034fb", "blank"), ("1\ufe0f", "blank"),
    ("a\U000e0041", "line break"), ("a\u115fb", "blank"), ("a\u2028b", "line break"), ("a\u202eb", "line break"),
    ("a\tb", "line break"),
]  # fmt: skip


@pytest.mark.parametrize("value", GOOD_VALUES)
def test_good_value(value):
    """Names, amounts with separators, an IBAN, a date and a bare host pass."""
    assert value_problem(normalize("NFKC", value), 6) is None


@pytest.mark.parametrize("value, problem", BAD_VALUES)
def test_bad_value(value, problem):
    """T33: a value must not look like the code, be a link, or hide characters, in any script."""
    assert problem in value_problem(normalize("NFKC", value), 6)


@given(st.sampled_from(sorted({chr(code) for code in range(0x110000) if chr(code).isdecimal()})), st.integers(6, 10))
def test_as_many_digits_as_a_code(digit, digits):
    """T33: as many digits as the code has are refused in every script, one more or one less is not."""
    for count in (digits - 1, digits, digits + 1):
        assert (count == digits) == (value_problem(digit * count, digits) is not None)
