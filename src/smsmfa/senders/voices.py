"""Which voice of a carrier says a text, and in which language."""

import re
from collections.abc import Iterable, Mapping

from ..exceptions import SenderMisconfigured
from ..texts.languages import match
from ..typing import Message

#: The country in a language tag (RFC 5646, 2.2.4).
_COUNTRY = re.compile(r"-([A-Za-z]{2}|[0-9]{3})(-|$)")
#: What may separate the digits of a spoken code in the text.
_APART = r"[\s,.-]*"
#: Names of languages that are out of use, or wider than their voice.
_OLD = {"nb": ("no", "nn"), "he": ("iw",), "fil": ("tl",), "id": ("in",)}


def voices_by_tag(voices: Mapping[str, str], aliases: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return voices by tag in lower case, and by language alone: its first voice serves all its other countries.

    Args:
        voices: voices by tag, such as ``"pt-BR"``.
        aliases: more tags, each with one of ``voices``.
    """
    found: dict[str, str] = {}
    for tag, voice in voices.items():
        language = tag.partition("-")[0]
        for name in (tag.lower(), language, *_OLD.get(language, ())):
            found.setdefault(name, voice)
    return found | {alias: voices[tag] for alias, tag in (aliases or {}).items()}


def voice_of(language: str | None, locale: str | None, voices: Mapping[str, str]) -> str | None:
    """Return the voice for a text, or ``None`` if no voice speaks it.

    Args:
        language: the language of the text, such as ``"fr"``; ``None``: unknown, so that ``locale`` decides, or else
            English.
        locale: the language that the user asked for. It decides the accent, as ``"fr-CA"`` does, if it is the same
            language and the text's own tag names no country.
        voices: the result of :func:`voices_by_tag`. It has English.
    """
    if language is None:
        return _nearest(locale or "", voices) or voices["en"]
    if locale is not None and not _COUNTRY.search(language) and match(locale, (language,)):
        return _nearest(locale, voices)
    return _nearest(language, voices)


def said(message: Message, voices: Mapping[str, str], carrier: str) -> tuple[str, str]:
    """Return the text to say and its voice: English if no voice speaks the language of the text.

    Raises:
        SenderMisconfigured: no voice speaks the text, and there is no English one.
    """
    if voice := voice_of(message.language, message.locale, voices):
        return message.text, voice
    if message.english is None:
        raise SenderMisconfigured(
            f"{carrier} has no voice for {message.language!r}; give messages[{message.purpose!r}] an English text that "
            "shows all details"
        )
    return message.english, voices["en"]


def split_at(text: str, code: str) -> list[str]:
    """Split a text at every code, whose digits may be separated in it."""
    return re.split(rf"(?<!\d){_APART.join(code)}(?!\d)", text)


def _nearest(tag: str, voices: Mapping[str, str]) -> str | None:
    """Return the voice of the longest part of a tag that has one."""
    return next((voices[part] for part in _shorter(tag.replace("_", "-").lower()) if part in voices), None)


def _shorter(tag: str) -> Iterable[str]:
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]
