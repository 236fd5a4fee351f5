"""The countries that the demo offers."""

from typing import NamedTuple


class Country(NamedTuple):
    """One choice of the list.

    Args:
        region: its ISO 3166-1 alpha-2 code.
        name: its English name.
        example: a mobile number as people there write it, or ``""``.
    """

    region: str
    name: str
    example: str = ""


#: A short list. Every other country can be typed in.
COUNTRIES = (
    Country("US", "United States", "(415) 555-2671"),
    Country("CA", "Canada", "(506) 234-5678"),
    Country("GB", "United Kingdom", "07400 123456"),
    Country("DE", "Germany", "01512 3456789"),
    Country("FR", "France", "06 12 34 56 78"),
    Country("BR", "Brazil", "(11) 96123-4567"),
    Country("IN", "India", "081234 56789"),
    Country("JP", "Japan", "090-1234-5678"),
)
