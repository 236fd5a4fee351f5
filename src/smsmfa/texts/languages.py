"""The built-in texts, and which language a user gets.

The texts are in ``languages.toml``. With Babel (the extra ``i18n``) a language is found by the data of CLDR: ``zh-TW``
is written in ``zh-Hant``, ``es-MX`` inherits from ``es-419`` and then from ``es``, and Portuguese without a country is
that of Brazil. Without Babel a tag loses its subtags from the right (RFC 4647, 3.4). If nothing matches, any form of
the same language does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType

#: A language tag, without the parts that no text here depends on (RFC 5646, 2.1).
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
#: RFC 9110, 12.5.4.
_RANGE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")
#: How much of a header is read. Browsers send up to about ten languages.
_LONGEST_HEADER, _MOST_RANGES = 1000, 20
#: The modifiers of POSIX locales that name a script.
_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "arabic": "Arab"}
#: RFC 5646, 4.4.1.
_LONGEST_TAG = 35
#: Names that are out of use or wider than the text, and scripts that follow from the country.
_ALIASES = {
    "in": "id", "iw": "he", "mo": "ro", "no": "nb", "nn": "nb", "sh": "sr-Latn", "tl": "fil",
    "zh-hk": "zh-Hant", "zh-mo": "zh-Hant", "zh-tw": "zh-Hant",
}  # fmt: skip


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Return the built-in templates by language: ``"verification"``, ``"enrollment"`` and ``"voice"`` for each.

    English comes first. The mapping is read-only: use ``messages`` for your own texts.
    """
    import tomllib  # takes some milliseconds, which only the first configuration should pay
    from importlib.resources import files

    read = tomllib.loads((files(__package__) / "languages.toml").read_text(encoding="utf-8"))
    return MappingProxyType({language: MappingProxyType(of) for language, of in read.items()})


def negotiate(header: str | None, languages: Iterable[str] | None = None) -> str | None:
    """Return the language that suits an ``Accept-Language`` header best, or ``None`` if none does.

    Pass the result as ``locale``. Malformed parts of a header are skipped, and reading stops after 1,000 characters or
    20 languages.

    Args:
        header: the header, or ``None`` if there was none.
        languages: the languages to choose from, the best first; by default the built-in ones.
    """
    available = tuple(texts() if languages is None else languages)
    for wanted in _wanted(header or ""):
        if (found := match(wanted, available)) is not None:
            return found
    return None


@lru_cache(maxsize=1024)
def match(tag: str, available: tuple[str, ...]) -> str | None:
    """Return the available language that a tag means, or ``None``."""
    tag = tag.replace("_", "-")
    known = {one.lower(): one for one in reversed(available)}
    for candidate in _candidates(tag):
        if candidate.lower() in known:
            return known[candidate.lower()]
    return next((one for one in available if _language(one) == _language(tag)), None)


def is_tag(text: object) -> bool:
    """Tell whether ``text`` is a language tag."""
    return isinstance(text, str) and len(text) <= _LONGEST_TAG and _TAG.fullmatch(text) is not None


def tag_of(locale: str) -> str | None:
    """Return the language tag of a locale in any usual form, or ``None`` if there is none.

    It may be a tag, a POSIX locale such as ``"de_DE.UTF-8"`` or ``"sr_RS@latin"``, or an ``Accept-Language`` header.
    """
    name, _, modifier = locale[:_LONGEST_HEADER].replace("_", "-").partition("@")
    wanted = _wanted(name.partition(".")[0] if "," not in name else name)
    if not wanted or wanted[0].upper() in {"C", "POSIX"}:
        return None
    script = _SCRIPTS.get(modifier.lower())
    return f"{wanted[0].partition('-')[0]}-{script}" if script else wanted[0]


def _wanted(header: str) -> Sequence[str]:
    """Return the languages of a header, the most preferred first."""
    found = []
    for part in header[:_LONGEST_HEADER].split(",")[:_MOST_RANGES]:
        one = _RANGE.fullmatch(part.strip(" \t"))
        if one and len(one[1]) <= _LONGEST_TAG and (quality := float(one[2] or 1)) > 0:
            found.append((quality, one[1]))
    return [tag for _, tag in sorted(found, key=lambda pair: -pair[0])]


def _language(tag: str) -> str:
    first = tag.partition("-")[0].lower()
    return _ALIASES.get(first, first).partition("-")[0]


def _candidates(tag: str) -> Iterator[str]:
    """Return what can stand for a tag, the closest first: itself, what CLDR says if Babel is there, shorter tags."""
    yield tag
    yield from _inherited(tag)
    while tag:
        if alias := _ALIASES.get(tag.lower()):
            yield alias
        yield tag
        tag = tag.rpartition("-")[0]


def _inherited(tag: str) -> Iterator[str]:
    try:
        from babel.core import Locale, UnknownLocaleError, get_global
    except ImportError:
        return
    try:
        name = str(Locale.parse(tag, sep="-"))
    except (UnknownLocaleError, ValueError):
        return
    likely = get_global("likely_subtags").get(name, "").split("_")
    parents = get_global("parent_exceptions")
    while name and name != "root":
        yield name.replace("_", "-")
        name = parents.get(name) or name.rpartition("_")[0]
    if len(likely) == 3:
        yield from (f"{likely[0]}-{likely[1]}", f"{likely[0]}-{likely[2]}")
