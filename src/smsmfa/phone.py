"""Phone numbers: parse, normalise, mask, classify."""

import re
from typing import TYPE_CHECKING

import attrs

from .core.opaque import Opaque
from .core.typed import compact
from .exceptions import PhoneNumberError

if TYPE_CHECKING:
    import phonenumbers

#: Pass as ``regions`` to accept numbers of every country. Decide on it: open geography is how SMS pumping starts.
ALL_REGIONS = frozenset({"*"})

#: The kinds of number that take SMS, in the words of libphonenumber.
SMS_TYPES = frozenset({"mobile", "fixed_line_or_mobile", "voip"})

#: Every kind of number that libphonenumber tells apart.
NUMBER_TYPES = SMS_TYPES | {
    "fixed_line", "pager", "personal_number", "premium_rate", "shared_cost", "toll_free", "uan", "unknown", "voicemail",
}  # fmt: skip

#: The longest form of E.164 that the core accepts: ASCII, no leading zero (ITU-T E.164, 6.2.1).
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
#: What may be left of a number once it is compact. No extension, no letters, no control character.
_TYPED = re.compile(r"(?:tel:)?\(?[+＋]?[0-9()./]+", re.ASCII | re.IGNORECASE)
#: No way of writing a phone number is longer, so nothing longer is read.
_LONGEST = 64


def _check_e164(instance: "PhoneNumber", attribute: "attrs.Attribute[str]", value: str) -> None:
    if not isinstance(value, str) or not _E164.fullmatch(value):
        raise PhoneNumberError("malformed")


@attrs.frozen(repr=False)
class PhoneNumber:
    """A phone number in E.164, with what is known of it. Make one with :meth:`parse`.

    Args:
        e164: ``+`` and 7 to 15 digits (ITU-T E.164).
        region: ISO 3166-1 alpha-2 code of its country, ``"001"`` for numbers of no country.
        type: ``"mobile"``, ``"fixed_line"``, ``"fixed_line_or_mobile"``, ``"toll_free"``, ... in the
            words of libphonenumber.
    """

    e164: str = attrs.field(validator=_check_e164)
    region: str
    type: str

    @classmethod
    def parse(cls, text: str, region: str | None = None) -> "PhoneNumber":
        """Read a number as a person writes it, and normalise it so that its aliases are equal.

        Args:
            text: ``"(415) 555-2671"``, ``"+44 (0)7400 123456"``, ``"tel:+1-415-555-2671"``, ...
            region: ISO code of the country the number is dialled from, where ``text`` has no ``+``.

        Raises:
            PhoneNumberError: with ``reason`` ``"malformed"``, ``"impossible"`` or ``"invalid"``; or ``"region"``, where
                there is no such region.
        """
        hidden = Opaque(text)
        del text  # what a traceback with locals shows of this frame must not be the number
        number = _parse(hidden, region)
        if isinstance(number, str):
            raise PhoneNumberError(number)
        return number

    @property
    def masked(self) -> str:
        """The number for display to its owner: only the last two digits."""
        return "••••" + self.e164[-2:]

    @property
    def national(self) -> str:
        """The whole number, formatted as in its own country."""
        import phonenumbers

        return phonenumbers.format_number(phonenumbers.parse(self.e164), phonenumbers.PhoneNumberFormat.NATIONAL)

    def __repr__(self) -> str:
        return f"<PhoneNumber {self.masked}>"

    __str__ = __repr__


@attrs.frozen
class Country:
    """One choice of a form's country list.

    Args:
        region: ISO 3166-1 alpha-2 code.
        calling_code: what an international number starts with, after the ``+``.
    """

    region: str
    calling_code: int


def countries(regions: frozenset[str] = ALL_REGIONS) -> tuple[Country, ...]:
    """Return the countries of ``regions`` for a form, by ISO code. Names come from your own i18n (Babel has them)."""
    import phonenumbers

    chosen = supported_regions() if regions == ALL_REGIONS else regions
    return tuple(Country(region, phonenumbers.country_code_for_region(region)) for region in sorted(chosen))


def supported_regions() -> frozenset[str]:
    """Return the ISO codes of all countries whose numbers can be parsed."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def _parse(hidden: Opaque[str], region: str | None) -> PhoneNumber | str:
    """Return the number, or the reason why it is none."""
    import phonenumbers

    typed = hidden.reveal()
    if not isinstance(typed, str) or len(typed) > _LONGEST or not _TYPED.fullmatch(typed := compact(typed)):
        return "malformed"
    if region is not None and not _known(region):
        return "region"
    try:
        parsed = phonenumbers.parse(typed, region.upper() if region else None)
    except phonenumbers.NumberParseException as error:
        too_short = phonenumbers.NumberParseException.TOO_SHORT_NSN, phonenumbers.NumberParseException.TOO_LONG
        return "impossible" if error.error_type in too_short else "malformed"
    parsed = _fold(parsed)
    if not phonenumbers.is_possible_number(parsed):
        return "impossible"
    if not phonenumbers.is_valid_number(parsed):
        return "invalid"
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not _E164.fullmatch(e164):
        return "malformed"
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(parsed)).lower()
    return PhoneNumber(e164, phonenumbers.region_code_for_number(parsed) or "001", kind)


def _known(region: object) -> bool:
    return isinstance(region, str) and region.isascii() and region.upper() in supported_regions()


def _fold(parsed: "phonenumbers.PhoneNumber") -> "phonenumbers.PhoneNumber":
    """Give one form to a number that two E.164 forms reach.

    Mexico dropped the 1 of ``+52 1`` (mobile) in 2019 and people still write it. Argentina's mobile
    numbers have a 9 after ``+54`` that people leave out, which makes them look like fixed lines.
    """
    import phonenumbers

    national = str(parsed.national_number)
    if parsed.country_code == 52 and len(national) == 11 and national.startswith("1"):
        return phonenumbers.PhoneNumber(country_code=52, national_number=int(national[1:]))
    if parsed.country_code == 54 and len(national) == 10:
        mobile = phonenumbers.PhoneNumber(country_code=54, national_number=int("9" + national))
        if phonenumbers.is_valid_number(mobile):
            return mobile
    return parsed
