"""The countries that a person can choose from, by name."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import attrs

from ..phone import countries


@attrs.frozen
class Country:
    """One choice of the list.

    Args:
        region: its ISO 3166-1 alpha-2 code.
        text: name and calling code: ``"Germany (+49)"``.
        example: a mobile number as people there write it, or ``""``.
    """

    region: str
    text: str
    example: str


@lru_cache(maxsize=128)
def choices(regions: frozenset[str], language: str) -> tuple[Country, ...]:
    """Return the countries that the configuration accepts, sorted by their names in a language.

    The names are Babel's (the Unicode CLDR). Without Babel, or in a language that it does not know, they are ISO codes.
    """
    names = _names(language)
    found = [(names.get(one.region, one.region), one) for one in countries(regions)]
    found.sort(key=lambda pair: _sorted_as(pair[0]))
    return tuple(
        Country(one.region, f"{name} (+{one.calling_code})", _example(one.region)) for name, one in found
    )  # fmt: skip


def preselected(regions: frozenset[str], language: str | None) -> str:
    """Return the country that is chosen at first: the only one, or that of the browser's language, or ``""``."""
    known = {one.region for one in countries(regions)}
    if len(known) == 1:
        return known.pop()
    tag = (language or "").partition(",")[0].partition(";")[0]
    region = tag.replace("_", "-").rpartition("-")[2].upper()
    return region if region in known else ""


def _names(language: str) -> Any:
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError:
        return {}
    try:
        return Locale.parse(language, sep="-").territories
    except (UnknownLocaleError, ValueError):
        return {}


def _sorted_as(name: str) -> str:
    """Return a name without accents, in lower case: close to how people expect to find it."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(character for character in plain if not unicodedata.combining(character))


def _example(region: str) -> str:
    import phonenumbers

    kind, style = phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberFormat.NATIONAL
    example = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.format_number(example, style) if example else ""
