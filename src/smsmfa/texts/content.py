"""What must not be sent in a text, whoever wrote it: links, invisible characters, another's last line."""

import re
from unicodedata import category, combining

_LINK = re.compile(r"://|www\.", re.IGNORECASE)
#: A text of one line that begins so is bound to a host by the grammar, whoever wrote that.
_AUTOFILL = re.compile(r"@[^ ]+ #[^ ]")
#: Control, format (bidirectional ones included), line and paragraph separators, lone surrogates.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NON_JOINER, _JOINER = "\u200c", "\u200d"
#: Arabic script, whose letters a non-joiner parts where the spelling has it so, as in Persian.
_ARABIC = re.compile("[\u0620-\u065f\u066e-\u06d3\u06d5\u06ee-\u06ff\u0750-\u077f\u08a0-\u08ff]")
#: The canonical combining class of the sign that takes the vowel away in the scripts of India.
_VIRAMA = 9


def text_problem(text: str) -> str | None:
    """Say what must not be sent in ``text``, without showing any of it."""
    if not text.isprintable() and not all(map(_is_visible, ("", *text), text, (*text[1:], ""))):
        return "no line break, control or format character is allowed; take it out"
    if _LINK.search(text):
        return "no link is allowed; take out what has :// or www."
    return None


def body_problem(body: str) -> str | None:
    """Say what must not be sent as the whole of what a person reads."""
    if _AUTOFILL.match(body):
        return "it begins like an autofill line, which would bind the code to that host; begin otherwise"
    return text_problem(body)


def digit_runs(text: str, digits: int) -> list[str]:
    """Return the runs of at least ``digits`` decimal digits, of any script."""
    return re.findall(rf"\d{{{digits},}}", text)


def _is_visible(before: str, character: str, after: str) -> bool:
    """Tell whether a character shows, or is a joiner that the spelling of a word needs.

    That is RFC 5892, A.1 and A.2, in short, and a joiner before the virama, as Bengali and Kannada write it. Such
    a one stands inside a word of these scripts: it parts neither digits nor the letters of a link, and turns
    no direction.
    """
    if category(character) not in _INVISIBLE:
        return True
    if character == _NON_JOINER and _ARABIC.match(before) and _ARABIC.match(after):
        return True
    return character in {_NON_JOINER, _JOINER} and _VIRAMA in {
        combining(before or " "),
        combining(after or " ") if character == _JOINER else 0,
    }
