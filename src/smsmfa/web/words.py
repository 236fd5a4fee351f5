"""Times, languages and translations in the texts of the pages."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias

import attrs

#: The name of the catalogue: ``<directory>/<language>/LC_MESSAGES/smsmfa.mo``.
DOMAIN = "smsmfa"
#: Languages that are written from right to left.
_RIGHT_TO_LEFT = ("ar", "fa", "he", "ps", "ug", "ur", "yi")


class Translations(Protocol):
    """What has ``gettext`` and ``ngettext``: a catalogue, ``django.utils.translation``, ``flask_babel``."""

    def gettext(self, message: str) -> str:
        """Return the translation of a text."""
        ...

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Return the translation of a text that depends on a number."""
        ...


@attrs.frozen
class Texts:
    """The texts of the pages in one language.

    Args:
        language: a language tag, for the attribute ``lang``.
        translations: translates the texts.
    """

    language: str = "en"
    translations: Translations = attrs.field(factory=gettext.NullTranslations, repr=False)

    def __call__(self, message: str) -> str:
        """Translate a text."""
        return self.translations.gettext(message)

    @property
    def direction(self) -> str:
        """``"rtl"`` or ``"ltr"``, for the attribute ``dir``."""
        return "rtl" if self.language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"

    def wait(self, seconds: int) -> str:
        """Return a time to wait, rounded up: ``"in 25 seconds"``, ``"in about 40 minutes"``, ``"in about 3 hours"``."""
        ngettext = self.translations.ngettext  # by this name tools find the texts
        if seconds < 60:
            return ngettext("in %(number)s second", "in %(number)s seconds", seconds) % {"number": seconds}
        minutes = -(-seconds // 60)
        if minutes <= 90:
            return ngettext("in about %(number)s minute", "in about %(number)s minutes", minutes) % {"number": minutes}
        hours = -(-minutes // 60)
        if hours <= 48:
            return ngettext("in about %(number)s hour", "in about %(number)s hours", hours) % {"number": hours}
        days = -(-hours // 24)
        return ngettext("in about %(number)s day", "in about %(number)s days", days) % {"number": days}


#: Returns the texts for a language tag or an ``Accept-Language`` header.
Translate: TypeAlias = Callable[[str | None], Texts]


def catalogues(directory: str | Path) -> Translate:
    """Return a ``translate`` that reads compiled catalogues of the domain ``smsmfa`` in a directory.

    Args:
        directory: as for :func:`gettext.translation`: it holds ``<language>/LC_MESSAGES/smsmfa.mo``.
    """
    from ..texts.languages import negotiate

    root = Path(directory)
    names = sorted(path.parts[-3] for path in root.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    known = {name.replace("_", "-"): name for name in names}

    @lru_cache(maxsize=256)
    def translate(language: str | None) -> Texts:
        found = negotiate(language, {"en": "", **known})
        return Texts(found, gettext.translation(DOMAIN, root, [known[found]])) if found in known else Texts()

    return translate


def english(language: str | None) -> Texts:
    """Return the texts in English, whatever the language is."""
    return Texts()
