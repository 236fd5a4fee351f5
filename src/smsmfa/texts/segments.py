"""What an SMS costs: its encoding and its number of segments.

3GPP TS 23.038, 6.2.1 has the GSM 7 bit default alphabet and its extension table. A character of the extension table is
sent as an escape pair and costs two septets. A text with any other character is sent as UCS-2 as a whole.
3GPP TS 23.040, 9.2.3.24.1: the header of a concatenated message takes seven septets, or three 16-bit units, of each
segment. Neither an escape pair nor a surrogate pair may be split.
"""

from collections.abc import Iterable

import attrs

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION


@attrs.frozen
class Segments:
    """The cost of a text.

    Args:
        encoding: ``"GSM-7"`` or ``"UCS-2"``.
        units: septets of GSM-7, or UTF-16 code units of UCS-2.
        count: the number of segments, each of which is paid for; 1 for an empty text.
    """

    encoding: str
    units: int
    count: int


def segments(text: str) -> Segments:
    """Count the segments of a text: one of 160 septets or 70 UTF-16 units, or several of 153 or 67 each."""
    if culprit(text) is None:
        return _packed("GSM-7", [2 if character in _EXTENSION else 1 for character in text], 160, 153)
    return _packed("UCS-2", [2 if character > "\uffff" else 1 for character in text], 70, 67)


def culprit(text: str) -> str | None:
    """Return the first character that forces ``text`` into UCS-2, or ``None`` if it fits GSM-7.

    The usual ones are easy to miss: a curly apostrophe, an en dash, a no-break space, a backtick, and ``ç``, of which
    only the capital is in the alphabet.
    """
    if _GSM.issuperset(text):
        return None
    return next(character for character in text if character not in _GSM)


def _packed(encoding: str, costs: Iterable[int], alone: int, each: int) -> Segments:
    """Fill segments in order. Characters cost one or two units and are not split."""
    units, count, room = 0, 1, each
    for cost in costs:
        units += cost
        if cost > room:
            count, room = count + 1, each
        room -= cost
    return Segments(encoding, units, count if units > alone else 1)
