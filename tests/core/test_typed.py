"""Text that a person typed, made comparable."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.core.typed import compact

CHARACTERS = [chr(point) for point in range(sys.maxunicode + 1)]


@pytest.mark.parametrize(
    "typed, expected",
    [
        ("", ""),
        ("123456", "123456"),
        ("aBc123", "aBc123"),
        ("123 456", "123456"),
        (" 12\t34\n56\r\n", "123456"),
        ("12\xa034\u202f56\u3000", "123456"),  # no-break, narrow no-break, ideographic space
        ("123-456", "123456"),
        ("12\u201034\u201156", "123456"),  # hyphen, non-breaking hyphen
        ("12–34—56", "123456"),
        ("\u200e123456\u200f", "123456"),  # marks of direction
        ("\ufeff123\u200b456\xad", "123456"),  # byte order mark, zero-width space, soft hyphen
        ("١٢٣٤٥٦", "123456"),
        ("۱۲۳۴۵۶", "123456"),
        ("१२३४५६", "123456"),
        ("１２３４５６", "123456"),
        ("𝟎𝟏𝟐", "012"),
        ("1２٣ ४", "1234"),
        ("²³¼Ⅷ一", "²³¼Ⅷ一"),
        ("+1_2.3", "+1_2.3"),
        ("1\x002", "1\x002"),
        ("\ud800", "\ud800"),
        ("é", "é"),
    ],
)
def test_compact(typed, expected):
    """White space, format characters and hyphens are dropped, digits become ASCII, and the rest stays."""
    assert expected == compact(typed)


def test_digits_of_every_script():
    """T14: each decimal digit of Unicode, and no other character, is read as the ASCII digit of its value."""
    digits = {character for character in CHARACTERS if unicodedata.category(character) == "Nd"}

    assert {digit: str(int(digit)) for digit in digits} == {digit: compact(digit) for digit in digits}
    assert digits == {character for character in CHARACTERS if compact(character) in set("0123456789")}


@given(st.text())
def test_twice_is_once(text):
    """A compact text does not change."""
    assert compact(text) == compact(compact(text))


@given(st.text(), st.text())
def test_parts_are_read_alone(one, other):
    """A character is read the same next to any other."""
    assert compact(one) + compact(other) == compact(one + other)
