"""What no text may contain: links, invisible characters, and the autofill line of another site."""

import re
from unicodedata import category, combining, digit

#: A scheme, or a host with a port, path or query, which phones make a link. A bare host is also a name: Amazon.com.
_LINK = re.compile(
    r"://|www\.|\b(?:mailto|tel|sms|smsto|javascript|data|file|ftp|geo|intent|market|whatsapp|facetime):(?=\S)"
    r"|\w(?:[.\u3002](?:[^\W\d_]{2,}|xn--[a-z0-9-]+)|(?:\.\d{1,3}){3})(?::\d+)?[/?#\u2044](?=\S)",
    re.IGNORECASE,
)
#: Digits, and single spaces and hyphens between them.
_RUN = re.compile(r"\d+")
_NUMBER = re.compile(r"\d(?:[ \-\u2010-\u2015\u2212]?\d)*")
#: Characters that show nothing although Python calls them printable (Unicode 15.1, Default_Ignorable_Code_Point), and
#: the blank Braille pattern.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U0001d159\U000e0000-\U000e0fff]"
)
#: A text that begins like this is bound to a host by the grammar of autofill lines.
_AUTOFILL = re.compile(r"@[^ ]+ #[^ ]")
#: Control and format characters (including bidirectional ones), lone surrogates, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NON_JOINER, _JOINER = "\u200c", "\u200d"
#: Arabic script, in which a non-joiner separates letters in the spelling of some languages, such as Persian.
_ARABIC = re.compile("[\u0620-\u065f\u066e-\u06d3\u06d5\u06ee-\u06ff\u0750-\u077f\u08a0-\u08ff]")
#: The canonical combining class of the sign that removes a vowel in the scripts of India.
_VIRAMA = 9


def text_problem(text: str) -> str | None:
    """Return what is wrong with a text, or ``None``. The answer does not quote it."""
    if not text.isprintable() and not all(map(_is_visible, ("", *text), text, (*text[1:], ""))):
        return "no line break, control or format character is allowed; take it out"
    if _LINK.search(text):
        return "no link is allowed; take out the scheme, www. or the path after a host"
    return None


def value_problem(value: str, digits: int) -> str | None:
    """Return what is wrong with a value that a call puts into a text, or ``None``. The answer does not quote it.

    Args:
        value: the value, in the normal form NFKC.
        digits: the length of a code, which a number in the value must not have.
    """
    if problem := text_problem(value):
        return problem
    if _BLANK.search(value) or not value.strip():
        return "no invisible or blank character is allowed; take it out"
    return number_problem(value, digits)


def number_problem(text: str, digits: int) -> str | None:
    """Return what is wrong with the numbers beside a code, or ``None``: one must not look like the code."""
    plain = "".join(str(digit(character, character)) for character in text)  # also of digits in circles
    counts = {sum(map(str.isdecimal, number)) for number in (*_NUMBER.findall(plain), *_RUN.findall(plain))}
    if digits in counts:
        return f"{digits} digits could be taken for the code; write them otherwise, for example 100,000"
    return None


def touches(text: str, part: str) -> bool:
    """Tell whether letters or digits touch a part of a text, so that a phone would take them for a piece of it.

    Letters of scripts without capitals, which are written without spaces, do not count.
    """
    pieces = text.split(part)
    edges = [piece[-1:] for piece in pieces[:-1]] + [piece[:1] for piece in pieces[1:]]
    return any(category(edge) in {"Lu", "Ll", "Lt", "Nd"} for edge in edges if edge)


def body_problem(body: str) -> str | None:
    """Return what is wrong with the whole text that a person reads, or ``None``."""
    if _AUTOFILL.match(body):
        return "it begins like an autofill line, which would bind the code to another host; begin differently"
    return text_problem(body)


def digit_runs(text: str, digits: int) -> list[str]:
    """Return the runs of at least ``digits`` decimal digits, in any script."""
    return re.findall(rf"\d{{{digits},}}", text)


def _is_visible(before: str, character: str, after: str) -> bool:
    """Tell whether a character shows, or is a joiner that the spelling of a word needs.

    These are the rules of RFC 5892, A.1 and A.2, simplified, and a joiner before the virama, as in Bengali and Kannada.
    Such a joiner stands inside a word: it separates neither digits nor the letters of a link, and changes no direction.
    """
    if category(character) not in _INVISIBLE:
        return True
    if character == _NON_JOINER and _ARABIC.match(before) and _ARABIC.match(after):
        return True
    return character in {_NON_JOINER, _JOINER} and _VIRAMA in {
        combining(before or " "),
        combining(after or " ") if character == _JOINER else 0,
    }
