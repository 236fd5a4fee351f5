"""Hypothesis strategies: valid and hostile phone numbers, codes and user ids, and configurations."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import cache
from hashlib import shake_256
from typing import Any

import phonenumbers
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..config import FactorConfig, Limits
from ..exceptions import PhoneNumberError
from ..limiter import Limit
from ..phone import ALL_REGIONS, NUMBER_TYPES, SMS_TYPES, PhoneNumber, supported_regions

#: Zeros of scripts whose digits count as ASCII digits: Latin, full width, Arabic-Indic, Devanagari, mathematical bold.
_ZEROS = "0０٠०𝟎"
#: Characters that people and their clipboards put between digits.
_SEPARATORS = ("", " ", "-", ".", "/", "\u00a0", "\u2011", "\u200b", "\t", "\u202c")
#: Text that the library never ignores: a number or a code that contains it is invalid.
_JUNK = (
    "\0",
    "²",
    "Ⅷ",
    "½",
    "①",
    "a",
    "ext5",
    "x7",
    ";ext=5",
    ";phone-context=+1",
    "#",
    "*",
    ",",
    "'",
    "%00",
    "\ud800",
)
#: Texts that are not a number in any country.
_NO_NUMBERS = (
    "+", "++14155552671", "1+4155552671", "0", "911", "+1911", "+0123456789", "+999123456789", "+10000000000",
    "+4155552671" + "0" * 20, "9" * 17, "1" * 10_000, "1-800-FLOWERS", "()", "tel:", "tel:+",
)  # fmt: skip
_NO_TEXTS: tuple[object, ...] = (
    None, True, False, 0, 7, 123456, 14155552671, 1.5, float("nan"), b"", b"123456", b"+14155552671",
    [], ["123456"], {},
)  # fmt: skip
_NO_USERS: tuple[object, ...] = (
    None,
    True,
    False,
    "",
    0.0,
    float("nan"),
    b"",
    b"alice",
    (),
    ("alice",),
    [],
    {},
    object,
)
_PURPOSES = ("login", "manage", "payment", "x" * 64, "кошелёк")
_TEMPLATES = ("{{ code }} is your code", "{{app_name}}: {{ code }} ({{ minutes }} min)", "كود: {{ code }}")


def phone_numbers(regions: Collection[str] = ALL_REGIONS) -> SearchStrategy[str]:
    """Phone numbers in E.164 that can receive SMS, each in its normal form.

    Args:
        regions: the ISO codes of the countries to draw from; all countries by default.

    Raises:
        ValueError: if no number is known for one of ``regions``.
    """
    return st.builds(_vary, st.sampled_from(_examples(frozenset(regions))), st.integers(0, 999))


def phone_aliases(regions: Collection[str] = ALL_REGIONS) -> SearchStrategy[tuple[str, str]]:
    """Numbers as people write them, each with its E.164 form: ``("+1 (415) 555-2671", "+14155552671")``.

    They contain separators, invisible characters, digits of other scripts, ``tel:``, the ``1`` that Mexico dropped and
    the ``9`` that Argentina uses. All of them are accepted, and all forms of one number must count as one number.

    Args:
        regions: see :func:`phone_numbers`.
    """
    return _aliases(phone_numbers(regions))


def hostile_phone_numbers() -> SearchStrategy[object]:
    """Values that are not phone numbers in any region: ``PhoneNumber.parse`` refuses each as a ``PhoneNumberError``.

    They include control characters and lone surrogates, extensions, characters that only look like digits, numbers that
    are too short, too long or in no country, and objects that are not text. An enroller refuses objects that are not
    text with a ``TypeError``.
    """
    junk = st.builds(_insert, phone_numbers({"US", "GB", "IN"}), st.sampled_from(_JUNK), st.integers(0, 13))
    return st.one_of(st.sampled_from(_NO_NUMBERS), st.sampled_from(_NO_TEXTS), _without_digits(), junk)


def codes(digits: int = 6) -> SearchStrategy[str]:
    """One-time codes, as they are sent.

    Args:
        digits: the length of a code, 6 to 10.
    """
    return st.integers(0, 10**digits - 1).map(lambda number: str(number).zfill(digits))


def hostile_codes(digits: int = 6) -> SearchStrategy[object]:
    """Values that cannot be a code: :class:`~smsmfa.CodeMalformed` must refuse each, and no attempt is charged.

    Args:
        digits: the length of a real code.
    """
    other_lengths = st.text("0123456789", max_size=300).filter(lambda text: len(text) != digits)
    junk = st.builds(_insert, codes(digits), st.sampled_from(_JUNK), st.integers(0, digits))
    return st.one_of(other_lengths, st.sampled_from(_NO_TEXTS), _without_digits(), junk, st.just("0" * 10_000))


def user_ids() -> SearchStrategy[Any]:
    """User ids of every accepted type: ``str``, ``int`` and ``UUID``."""
    return st.one_of(st.text(min_size=1), st.integers(), st.uuids())


def hostile_user_ids() -> SearchStrategy[Any]:
    """Values that are not user ids, above all ``None``: each must be refused with a ``TypeError``."""
    return st.one_of(st.sampled_from(_NO_USERS), st.floats(), st.binary(), st.builds(object))


def configs(**fixed: Any) -> SearchStrategy[FactorConfig]:
    """Valid configurations of all kinds, enabled unless ``enabled`` says otherwise.

    Args:
        fixed: arguments of :class:`~smsmfa.FactorConfig` that all of them share, for example ``regions={"US"}``.
    """
    return _configs(fixed)


@st.composite
def _aliases(draw: st.DrawFn, numbers: SearchStrategy[str]) -> tuple[str, str]:
    number = draw(numbers)
    zero = ord(draw(st.sampled_from(_ZEROS)))
    digits = [chr(zero + int(digit)) for digit in draw(st.sampled_from(_forms(number)))]
    separated = [digit + draw(st.sampled_from(_SEPARATORS)) for digit in digits]
    start = draw(st.sampled_from(("+", "＋", "tel:+", " +", "\u200e+")))
    return start + "".join(separated), number


@st.composite
def _configs(draw: st.DrawFn, fixed: Mapping[str, Any]) -> FactorConfig:
    shortest = max(timedelta(seconds=1), fixed.get("resend_gap", timedelta(0)))
    lifetime = fixed.get("lifetime") or draw(st.timedeltas(shortest, timedelta(minutes=10)))
    arguments = {
        "app_name": st.sampled_from(("Acme", "Müller & Söhne", "銀行")),
        "secret": st.lists(_secrets(), min_size=1, max_size=3, unique=True),
        "regions": st.just(ALL_REGIONS) | st.sets(st.sampled_from(("US", "CA", "GB", "DE", "IN")), min_size=1),
        "digits": st.integers(6, 10),
        "resend_gap": st.timedeltas(timedelta(0), lifetime),
        "attempts": st.integers(1, 10),
        "limits": _limits(),
        "recovery_codes": st.integers(0, 20),
        "number_types": st.sampled_from((SMS_TYPES, NUMBER_TYPES)),
        "max_phones": st.integers(1, 10),
        "max_users_per_number": st.integers(0, 100),
        "messages": st.none() | st.dictionaries(st.sampled_from(_PURPOSES), st.sampled_from(_TEMPLATES)),
        "origin": st.sampled_from((None, "login.example.com")),
        "languages": st.none() | st.lists(st.sampled_from(("en", "de", "ru", "zh-Hant")), min_size=1, unique=True),
    }
    drawn = {name: draw(strategy) for name, strategy in arguments.items() if name not in fixed}
    return FactorConfig(**{"lifetime": lifetime, **drawn, **fixed})


def _secrets() -> SearchStrategy[bytes]:
    """Return secrets of any valid length that do not repeat themselves: the library refuses those that do."""
    return st.builds(
        lambda seed, size: shake_256(seed).digest(size), st.binary(min_size=1, max_size=8), st.integers(32, 64)
    )


def _limits() -> SearchStrategy[Limits]:
    """Return the limits of a configuration: buckets of any size that refill in any time, or never."""
    bucket = st.builds(
        Limit, st.integers(1, 1000), st.none() | st.timedeltas(timedelta.resolution, timedelta(days=365))
    )
    return st.builds(
        Limits,
        user=bucket,
        number=st.none() | bucket,
        unverified=st.none() | bucket,
        refunds=bucket,
        total=st.none() | bucket,
        guesses=bucket,
        recovery=bucket,
        consecutive=st.integers(1, 100),
    )


def _without_digits() -> SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Nd"]))


@cache
def _examples(regions: frozenset[str]) -> tuple[str, ...]:
    """Return a number for each region, the simplest first: Hypothesis shrinks to it."""
    if regions == ALL_REGIONS:
        found = map(_example, sorted(supported_regions(), key=lambda region: (region != "US", region)))
        return tuple(number for number in found if number)
    numbers = {region: _example(region) for region in sorted(regions)}
    if missing := [region for region, number in numbers.items() if not number]:
        raise ValueError(f"regions: no mobile number is known for {', '.join(missing)}")
    return tuple(filter(None, numbers.values()))


def _example(region: str) -> str | None:
    """Return libphonenumber's example, or None if a larger country owns the number (Åland's are Finnish)."""
    kind = phonenumbers.PhoneNumberType.MOBILE
    example = phonenumbers.example_number_for_type(region, kind) if region in supported_regions() else None
    if example is None:
        return None
    number = _parsed(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
    return number.e164 if number and number.region == region else None


@cache
def _parsed(number: str) -> PhoneNumber | None:
    """Return a number that is valid and can receive SMS, or None."""
    try:
        parsed = PhoneNumber.parse(number)
    except PhoneNumberError:
        return None
    return parsed if parsed.type in SMS_TYPES else None


def _vary(example: str, end: int) -> str:
    """Return another number of the same region, or ``example`` if that number is not valid."""
    number = f"{example[:-3]}{end:03}"
    other, known = _parsed(number), _parsed(example)
    return other.e164 if other and known and other.region == known.region else example


def _forms(number: str) -> list[str]:
    """Return the digits of all E.164 forms that reach a number."""
    if number.startswith("+52"):
        return [number[1:], "521" + number[3:]]
    if number.startswith("+549"):
        return [number[1:], "54" + number[4:]]
    return [number[1:]]


def _insert(text: str, junk: str, place: int) -> str:
    return text[:place] + junk + text[place:]
