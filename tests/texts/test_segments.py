"""Segments: the alphabet that a text needs, and the number of segments that it costs."""

import random
import string
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.texts.segments import Segments, culprit, segments

#: The alphabet of 3GPP TS 23.038, 6.2.1, by name. The module under test has the characters themselves.
NAMES = """
POUND SIGN, YEN SIGN, CURRENCY SIGN, SECTION SIGN, INVERTED EXCLAMATION MARK, INVERTED QUESTION MARK,
LATIN SMALL LETTER E WITH GRAVE, LATIN SMALL LETTER E WITH ACUTE, LATIN SMALL LETTER U WITH GRAVE,
LATIN SMALL LETTER I WITH GRAVE, LATIN SMALL LETTER O WITH GRAVE, LATIN SMALL LETTER A WITH GRAVE,
LATIN CAPITAL LETTER C WITH CEDILLA, LATIN CAPITAL LETTER E WITH ACUTE,
LATIN CAPITAL LETTER O WITH STROKE, LATIN SMALL LETTER O WITH STROKE,
LATIN CAPITAL LETTER A WITH RING ABOVE, LATIN SMALL LETTER A WITH RING ABOVE,
LATIN CAPITAL LETTER AE, LATIN SMALL LETTER AE, LATIN SMALL LETTER SHARP S,
LATIN CAPITAL LETTER A WITH DIAERESIS, LATIN SMALL LETTER A WITH DIAERESIS,
LATIN CAPITAL LETTER O WITH DIAERESIS, LATIN SMALL LETTER O WITH DIAERESIS,
LATIN CAPITAL LETTER U WITH DIAERESIS, LATIN SMALL LETTER U WITH DIAERESIS,
LATIN CAPITAL LETTER N WITH TILDE, LATIN SMALL LETTER N WITH TILDE,
GREEK CAPITAL LETTER GAMMA, GREEK CAPITAL LETTER DELTA, GREEK CAPITAL LETTER THETA, GREEK CAPITAL LETTER LAMDA,
GREEK CAPITAL LETTER XI, GREEK CAPITAL LETTER PI, GREEK CAPITAL LETTER SIGMA, GREEK CAPITAL LETTER PHI,
GREEK CAPITAL LETTER PSI, GREEK CAPITAL LETTER OMEGA
"""
ONE_SEPTET = set(string.printable) - set("^{}\\[~]|`\t\v\f")
ONE_SEPTET |= {unicodedata.lookup(" ".join(name.split())) for name in NAMES.split(",")}
TWO_SEPTETS = {chr(point) for point in (0x0C, 0x5B, 0x5C, 0x5D, 0x5E, 0x7B, 0x7C, 0x7D, 0x7E, 0x20AC)}
#: A backtick, curly quotes, an en dash, a no-break space, a small c with cedilla, a tab, the escape itself.
TRAPS = ["`", "’", "“", "–", "\xa0", "ç", "\t", "\x1b"]


def reference(text: str) -> Segments:
    """Encode the text for the air, and cut it at every full segment, or one unit earlier inside a pair."""
    units: list[int] = []
    if ONE_SEPTET | TWO_SEPTETS >= set(text):
        encoding, alone, each, opening = "GSM-7", 160, 153, range(27, 28)
        for character in text:
            units += [27, 0] if character in TWO_SEPTETS else [0]
    else:
        encoding, alone, each, opening = "UCS-2", 70, 67, range(0xD800, 0xDC00)
        data = text.encode("utf-16-be", "surrogatepass")
        units += [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    cuts, at = 0, 0
    while len(units) - at > each:
        at += each - (units[at + each - 1] in opening)
        cuts += 1
    return Segments(encoding, len(units), cuts + 1 if len(units) > alone else 1)


basic = st.sampled_from(sorted(ONE_SEPTET))
extension = st.sampled_from(sorted(TWO_SEPTETS))
wide = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]) | st.sampled_from(TRAPS)
astral = st.characters(min_codepoint=0x10000)
#: High surrogates are left out, because before a low surrogate they would form a pair.
lone = st.characters(min_codepoint=0xDC00, max_codepoint=0xDFFF, categories=["Cs"])


def texts(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts of runs of one character, which reach across the ends of segments."""
    runs = st.builds(str.__mul__, characters, st.integers(1, 160))
    return st.lists(runs, max_size=6).map("".join)


@given(texts(basic | extension) | texts(basic | extension | wide | astral | lone))
def test_segments_agree_with_wire(text):
    """The count equals the number of pieces on the air, without splitting pairs."""
    assert reference(text) == segments(text)


def drawn(count: int) -> Iterator[str]:
    """Yield the same texts in each run, in both alphabets, of many lengths, often near the end of a segment."""
    source = random.Random(23040)
    basic, extension = sorted(ONE_SEPTET), sorted(TWO_SEPTETS)
    wide = [*"яжЩ你好שلاไทย한글ñ’–ç`\xa0", *TRAPS]
    mixtures = [(basic, 1, extension, 0), (basic, 9, extension, 1), (basic, 1, extension, 1)]
    mixtures += [(basic, 9, wide, 1), (wide, 9, list("😀🇩👩\U0001d7d8"), 1), (wide, 1, list("😀🇩👩"), 1)]
    ends = [length + by for length in (67, 70, 134, 153, 160) for by in range(-3, 4)]
    for number in range(count):
        often, weight, seldom, other = mixtures[number % len(mixtures)]
        length = source.choice(ends) if number % 2 else source.randrange(0, 800 if number % 50 == 0 else 160)
        kinds = source.choices((often, seldom), (weight, other), k=length)
        yield "".join([source.choice(kind) for kind in kinds])


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.thorough)])
def test_many_texts(count):
    """The count of drawn texts equals the number of pieces on the air."""
    seen = set()
    for text in drawn(count):
        counted = segments(text)
        if reference(text) != counted:
            pytest.fail(f"{text!r} was counted as {counted}")
        seen.add((counted.encoding, counted.count))

    assert seen >= {("GSM-7", count) for count in range(1, 6)} | {("UCS-2", count) for count in range(1, 12)}


def test_alphabet_is_that_of_the_specification():
    """Exactly 127 characters take one septet, and exactly the 10 of the extension take two."""
    every = [chr(point) for point in range(0x10000)]  # GSM-7 has nothing beyond the basic plane
    gsm = {character: segments(character).units for character in every if culprit(character) is None}

    assert dict.fromkeys(ONE_SEPTET, 1) | dict.fromkeys(TWO_SEPTETS, 2) == gsm
    assert (127, 10) == (len(ONE_SEPTET), len(TWO_SEPTETS))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", Segments("GSM-7", 0, 1)),
        ("a" * 160, Segments("GSM-7", 160, 1)),
        ("a" * 161, Segments("GSM-7", 161, 2)),
        ("a" * 306, Segments("GSM-7", 306, 2)),
        ("a" * 307, Segments("GSM-7", 307, 3)),
        ("€" * 80, Segments("GSM-7", 160, 1)),
        ("€" * 81, Segments("GSM-7", 162, 2)),
        ("a" * 152 + "€" + "a" * 152, Segments("GSM-7", 306, 3)),
        ("a" * 151 + "€" + "a" * 153, Segments("GSM-7", 306, 2)),
        ("я" * 70, Segments("UCS-2", 70, 1)),
        ("я" * 71, Segments("UCS-2", 71, 2)),
        ("я" * 134, Segments("UCS-2", 134, 2)),
        ("я" * 135, Segments("UCS-2", 135, 3)),
        ("😀" * 35, Segments("UCS-2", 70, 1)),
        ("😀" * 36, Segments("UCS-2", 72, 2)),
        ("😀" * 67, Segments("UCS-2", 134, 3)),
        ("a" * 66 + "😀" + "a" * 66, Segments("UCS-2", 134, 3)),
        ("\uffff" * 70, Segments("UCS-2", 70, 1)),
        ("\U00010000" * 36, Segments("UCS-2", 72, 2)),
        ("\ud83d", Segments("UCS-2", 1, 1)),
        ("\ude00", Segments("UCS-2", 1, 1)),
    ],
)
def test_segments_at_limits(text, expected):
    """Each limit is exact to the unit, and a pair that would be split moves to the next segment."""
    assert expected == segments(text)


@pytest.mark.parametrize("trap", TRAPS)
def test_one_character_forces_ucs2(trap):
    """One character outside the alphabet makes the whole text UCS-2, and ``culprit`` names it."""
    assert "UCS-2" == segments(f"123456 is your code{trap}").encoding
    assert trap == culprit(f"123456 is your code{trap} я")


@given(texts(basic | extension))
def test_no_culprit_in_gsm(text):
    """A GSM-7 text has no culprit."""
    assert culprit(text) is None
