"""Phone numbers: parse, normalise, mask, classify."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .core.opaque import Opaque
from .core.typed import compact
from .exceptions import PhoneNumberError

if TYPE_CHECKING:
    import phonenumbers

    AnyNumber: TypeAlias = "str | PhoneNumber | phonenumbers.PhoneNumber"

#: Pass as ``regions`` to accept numbers of every country. Think twice: SMS pumping needs open geography.
ALL_REGIONS = frozenset({"*"})

#: Name this in ``regions`` to accept numbers of no country: satellite phones and global services (+800, +870, +881,
#: +882, ...). ``ALL_REGIONS`` does not include them: write ``ALL_REGIONS | {GLOBAL}``.
GLOBAL = "001"

#: The kinds of number that take SMS, in the words of libphonenumber.
SMS_TYPES = frozenset({"mobile", "fixed_line_or_mobile", "voip"})

#: Every kind of number that libphonenumber tells apart.
NUMBER_TYPES = SMS_TYPES | {
    "fixed_line", "pager", "personal_number", "premium_rate", "shared_cost", "toll_free", "uan", "unknown", "voicemail",
}  # fmt: skip

#: An E.164 number: ASCII digits without a leading zero (ITU-T E.164, 6.2.1).
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
#: What must be left of the input once separators are dropped.
_TYPED = re.compile(r"(?:tel:)?\+?[0-9]{2,}", re.ASCII | re.IGNORECASE)
#: Digits after a tilde are an extension. This is libphonenumber's rule.
_EXTENSION = re.compile(r"[~～][:.．]?[ \xa0\t,-]*\d{1,9}\D*$")
#: No way of writing a phone number is longer, so longer input is not read.
_LONGEST = 64


class _Reading(dict[int, str]):
    """A table for ``str.translate`` that drops separators and turns digits of any script into ASCII."""

    def __missing__(self, character: int) -> str:
        return compact(chr(character))


#: The separators of libphonenumber that :func:`compact` keeps, and full-width digits, which are common.
_READING = _Reading(
    dict.fromkeys(map(ord, " -()[]./~（）［］．／～⁓∼−ー"), "")
    | dict(zip(map(ord, "＋０１２３４５６７８９"), "+0123456789", strict=True))
)

#: Second E.164 forms of a number, by calling code, with the calling code and national number that replace each. A form
#: is replaced only if the result is valid. The page "Configuration" has the sources, and the forms that are left alone.
_ALIASES = {
    39: ((re.compile(r"\+39(0549\d{6})"), 378, r"\1"),),  # San Marino, through Italy
    52: ((re.compile(r"\+521(\d{10})"), 52, r"\1"),),  # Mexico: mobile numbers had a 1 until 2019
    54: ((re.compile(r"\+54(\d{10})"), 54, r"9\1"),),  # Argentina: people leave out the 9 of mobile numbers
    241: (  # Gabon: 8 digits with a 0 until 2019, and 7 when people left out the 0
        (re.compile(r"\+2410?([256]\d{6})"), 241, r"6\1"),
        (re.compile(r"\+2410?([47]\d{6})"), 241, r"7\1"),
        (re.compile(r"\+2410(1\d{6})"), 241, r"1\1"),
        (re.compile(r"\+2410(3\d{6})"), 241, r"\1"),
    ),
    972: ((re.compile(r"\+972(5[69]\d{7})"), 970, r"\1"),),  # Palestinian mobile numbers, through Israel
}


@attrs.frozen(repr=False)
class PhoneNumber:
    """A phone number in E.164, its country and its kind. Make one with :meth:`parse`.

    Args:
        e164: ``+`` and 7 to 15 digits (ITU-T E.164).
        region: ISO 3166-1 alpha-2 code of its country; ``"001"`` for numbers of no country.
        type: ``"mobile"``, ``"fixed_line"``, ``"fixed_line_or_mobile"``, ``"toll_free"``, ... in the
            words of libphonenumber.

    Raises:
        PhoneNumberError: ``e164`` is malformed.
    """

    e164: str
    region: str
    type: str

    def __init__(self, e164: str, region: str, type: str) -> None:  # noqa: A002 - the public name
        if not isinstance(e164, str) or not _E164.fullmatch(e164):
            del self, e164  # a traceback with locals must not show the number, and self has no repr yet
            raise PhoneNumberError("malformed")
        put = object.__setattr__
        put(self, "e164", e164)
        put(self, "region", region)
        put(self, "type", type)

    @classmethod
    def parse(cls, text: str, region: str | None = None) -> "PhoneNumber":
        """Read a number as a person writes it. Different ways to write one number give equal results.

        Args:
            text: ``"(415) 555-2671"``, ``"+44 (0)7400 123456"``, ``"tel:+1-415-555-2671"``, ...
            region: ISO code of the country that the number is dialled from, if ``text`` does not start with ``+``.

        Raises:
            PhoneNumberError: with ``reason`` ``"malformed"``, ``"no_region"``, ``"impossible"`` or ``"invalid"``, or
                with ``"region"`` if there is no such region.
        """
        hidden = Opaque(text)
        del text  # a traceback with locals must not show the number
        return _read(hidden, region)

    @property
    def masked(self) -> str:
        """The number for display to its owner: only the last two digits."""
        return "••••" + self.e164[-2:]

    @property
    def national(self) -> str:
        """The whole number, formatted as in its own country."""
        import phonenumbers

        return phonenumbers.format_number(phonenumbers.parse(self.e164), phonenumbers.PhoneNumberFormat.NATIONAL)

    def to_dict(self) -> dict[str, str]:
        """Return the number for JSON, masked."""
        return {"masked": self.masked, "region": self.region, "type": self.type}

    def __repr__(self) -> str:
        return f"<PhoneNumber {self.masked}>"

    __str__ = __repr__


def read_number(hidden: Opaque[Any], region: str | None) -> PhoneNumber:
    """Read a number that an application gives: text, a :class:`PhoneNumber` or a ``phonenumbers.PhoneNumber``.

    Args:
        hidden: the number, hidden from tracebacks.
        region: see :meth:`PhoneNumber.parse`.

    Raises:
        TypeError: the value is of another type.
        PhoneNumberError: see :meth:`PhoneNumber.parse`.
    """
    if isinstance(hidden.reveal(), PhoneNumber):
        return _read(Opaque(hidden.reveal().e164), region)
    if isinstance(hidden.reveal(), str):
        return _read(hidden, region)
    return _read(_text_of(hidden), region)


def _text_of(hidden: Opaque[Any]) -> Opaque[str]:
    """Return the E.164 form of a ``phonenumbers.PhoneNumber``, or no text if it has an extension."""
    import phonenumbers

    if not isinstance(hidden.reveal(), phonenumbers.PhoneNumber):
        kind = type(hidden.reveal()).__name__
        raise TypeError(f"number: a str, a PhoneNumber or a phonenumbers.PhoneNumber, not {kind}")
    if hidden.reveal().extension:
        return Opaque("")
    return Opaque(phonenumbers.format_number(hidden.reveal(), phonenumbers.PhoneNumberFormat.E164))


@attrs.frozen
class Country:
    """One choice of a form's country list.

    Args:
        region: ISO 3166-1 alpha-2 code.
        calling_code: the digits after the ``+`` of an international number.
    """

    region: str
    calling_code: int


def countries(regions: frozenset[str] = ALL_REGIONS) -> tuple[Country, ...]:
    """Return the countries of ``regions`` for a form, by ISO code. Names come from your own i18n (Babel has them).

    Regions without mobile numbers of their own are left out: see :func:`numbers_of`.
    """
    import phonenumbers

    chosen = supported_regions() if regions >= ALL_REGIONS else regions & supported_regions()
    return tuple(
        Country(region, phonenumbers.country_code_for_region(region))
        for region in sorted(chosen)
        if numbers_of(region) == region
    )


def supported_regions() -> frozenset[str]:
    """Return the ISO codes of all countries from which numbers can be dialled."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@cache
def numbers_of(region: str) -> str:
    """Return the region that mobile numbers of a region belong to: itself, or the main region of its calling code.

    A mobile number in Åland cannot be told from one in Finland, so ``numbers_of("AX")`` is ``"FI"``. The answer comes
    from libphonenumber's data.

    Args:
        region: one of :func:`supported_regions`.
    """
    import phonenumbers

    main = phonenumbers.region_code_for_country_code(phonenumbers.country_code_for_region(region))
    if region == main or any(phonenumbers.region_code_for_number(number) == region for number in _mobiles(region)):
        return region
    return main


def _mobiles(region: str) -> "Iterator[phonenumbers.PhoneNumber]":
    """Return mobile numbers of a region: the examples, then those that start as only the region's numbers do."""
    import phonenumbers

    data: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    kinds = phonenumbers.PhoneNumberType
    for kind, description in ((kinds.MOBILE, data.mobile), (kinds.VOIP, data.voip)):
        if (example := phonenumbers.example_number_for_type(region, kind)) is None:
            continue
        yield example
        if data.leading_digits:
            own = re.compile(f"(?={data.leading_digits})(?:{description.national_number_pattern})")
            rest = phonenumbers.national_significant_number(example)[5:]
            for number in filter(own.fullmatch, (f"{start:05}{rest}" for start in range(100_000))):
                yield phonenumbers.parse(number, region)


def _read(hidden: Opaque[str], region: str | None) -> PhoneNumber:
    number = _parse(hidden, region)
    if isinstance(number, str):
        raise PhoneNumberError(number)
    return number


def _parse(hidden: Opaque[str], region: str | None) -> PhoneNumber | str:
    """Return the number, or the reason why it is refused."""
    text = _plain(hidden)
    if not _TYPED.fullmatch(text.reveal()):
        return "malformed"
    if region is not None and region != "" and not _known(region):
        return "region"
    if not region and "+" not in text.reveal():
        return "no_region"
    return _checked(text, region.upper() if region else None)


def _plain(hidden: Opaque[str]) -> Opaque[str]:
    """Drop separators, and read digits of any script as ASCII. Return no text if it cannot be a number."""
    if not isinstance(hidden.reveal(), str) or len(hidden.reveal()) > _LONGEST or _EXTENSION.search(hidden.reveal()):
        return Opaque("")
    return Opaque(hidden.reveal().translate(_READING))


def _checked(text: Opaque[str], region: str | None) -> PhoneNumber | str:
    import phonenumbers

    try:
        parsed = Opaque(phonenumbers.parse(text.reveal(), region))
    except phonenumbers.NumberParseException as error:
        length = phonenumbers.NumberParseException.TOO_SHORT_NSN, phonenumbers.NumberParseException.TOO_LONG
        return "impossible" if error.error_type in length else "malformed"
    better = _folded(parsed)
    number = "" if better is None else _classified(better)
    return number if isinstance(number, PhoneNumber) else _classified(parsed)


def _classified(parsed: "Opaque[phonenumbers.PhoneNumber]") -> PhoneNumber | str:
    import phonenumbers

    home = phonenumbers.region_code_for_number(parsed.reveal())
    if home is None or not phonenumbers.is_valid_number_for_region(parsed.reveal(), home):
        return "invalid" if phonenumbers.is_possible_number(parsed.reveal()) else "impossible"
    e164 = Opaque(phonenumbers.format_number(parsed.reveal(), phonenumbers.PhoneNumberFormat.E164))
    if not _E164.fullmatch(e164.reveal()):
        return "malformed"
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(parsed.reveal())).lower()
    return PhoneNumber(e164.reveal(), home, kind)


def _known(region: object) -> bool:
    return isinstance(region, str) and region.isascii() and region.upper() in supported_regions()


def _folded(parsed: "Opaque[phonenumbers.PhoneNumber]") -> "Opaque[phonenumbers.PhoneNumber] | None":
    """Return the other form of a number that two E.164 forms reach, or None."""
    import phonenumbers

    for form, code, better in _ALIASES.get(parsed.reveal().country_code or 0, ()):
        e164 = Opaque(phonenumbers.format_number(parsed.reveal(), phonenumbers.PhoneNumberFormat.E164))
        if form.fullmatch(e164.reveal()):
            national = Opaque(form.sub(better, e164.reveal()))
            zero = national.reveal().startswith("0")  # of San Marino
            return Opaque(phonenumbers.PhoneNumber(code, int(national.reveal()), italian_leading_zero=zero))
    return None
