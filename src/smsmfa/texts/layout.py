"""The layout that all texts of a configuration share: the length of the code, the last line, and the size.

With an ``origin``, an SMS ends with the line ``@host #code``, so that browsers fill in the code on that site only
(WICG, Origin-bound one-time codes delivered via SMS, "Message format"). With an ``android_hash``, its last word is that
hash, so that Android gives the message to that app alone, and it has at most 140 bytes (Google, SMS Retriever API). The
grammar of the last line ignores what follows the code. A spoken text separates the digits of the code, and says it
twice.
"""

import attrs

from ..typing import SMS, VOICE
from .content import body_problem, digit_runs, number_problem, touches
from .segments import culprit, segments
from .templates import Template

#: A text of more segments is refused, since each is paid for.
MAX_SEGMENTS = 2
#: The longest text of a channel other than SMS (characters).
_LONGEST_TEXT = 1000
#: The longest SMS for the Retriever. A septet counts as a byte.
_RETRIEVER_BYTES = 140
_ENDS = (".", "!", "?", "。", "।", "۔", "։")


def spoken(code: str) -> str:
    """Return a code as a voice reads it, with a pause after each digit: ``"1, 2, 3, 4, 5, 6"``."""
    return ", ".join(code)


def as_shown(code: str, channel: str) -> str:
    """Return a code as a template shows it."""
    return spoken(code) if channel == VOICE else code


@attrs.frozen
class Frame:
    """What surrounds the text of a template.

    Args:
        digits: the length of a code.
        host: the host in the autofill line, or ``None``.
        android_hash: the end of the last line, or ``None``.
    """

    digits: int
    host: str | None
    android_hash: str | None

    @property
    def zeros(self) -> str:
        """A code for trying texts."""
        return "0" * self.digits

    def finished(self, body: str, code: str, channel: str) -> str:
        """Complete a body: with the last line of an SMS, or with a second time for a spoken code."""
        if channel == SMS:
            return body + self._last_line(code)
        if channel == VOICE and body.count(spoken(code)) < 2:
            return f"{body} {body}" if body.endswith(_ENDS) else f"{body}. {body}."
        return body

    def probe(self, template: Template, channel: str, locale: str, detail: str = "", digit: str = "0") -> str | None:
        """Return the text of a template for a code of one repeated digit, with the same value for every detail."""
        return template.text(self._values(template, channel, locale, detail, digit))

    def problem(self, template: Template, channel: str, locale: str, other: str) -> str | None:
        """Return what is wrong with the texts of a template without details, for either locale, or ``None``."""
        body = self.probe(template, channel, locale)
        if body is None:
            return template.problem(self._values(template, channel, locale, "", "0"))
        return (
            body_problem(body)
            or self._code_problem(body, "0", channel)
            or self._code_problem(self.probe(template, channel, other, "0", "9") or "", "9", channel)
            or self._long_problem(body, channel)
        )

    def text_problem(self, body: str, channel: str) -> str | None:
        """Return what is wrong with a body that shows zeros as the code and the details of a call, or ``None``."""
        beside = body.replace(as_shown(self.zeros, channel), "|")
        return body_problem(body) or number_problem(beside, self.digits) or self.size_problem(body, channel)

    def size_problem(self, body: str, channel: str) -> str | None:
        """Return what is wrong with the size of a body that shows a code, or ``None``."""
        if channel != SMS:
            length = len(self.finished(body, self.zeros, channel))
            return None if length <= _LONGEST_TEXT else f"it takes {length} characters, and {_LONGEST_TEXT} are allowed"
        size = segments(body + self._last_line(self.zeros))
        if self.android_hash and (taken := size.units * (2 if size.encoding == "UCS-2" else 1)) > _RETRIEVER_BYTES:
            return f"it takes {taken} bytes of {size.encoding}, and with android_hash {_RETRIEVER_BYTES} are allowed"
        if size.count > MAX_SEGMENTS:
            return f"it takes {size.count} segments of {size.encoding}, and {MAX_SEGMENTS} are allowed"
        return None

    def _last_line(self, code: str) -> str:
        if self.host is None:
            return "" if self.android_hash is None else f"\n{self.android_hash}"
        return f"\n@{self.host} #{code}" + ("" if self.android_hash is None else f" {self.android_hash}")

    def _values(self, template: Template, channel: str, locale: str, detail: str, digit: str) -> dict[str, str]:
        code = as_shown(digit * self.digits, channel)
        return dict.fromkeys(template.shows, detail) | {"locale": locale, "code": code}

    def _code_problem(self, body: str, digit: str, channel: str) -> str | None:
        code = as_shown(digit * self.digits, channel)
        if code not in body:
            return "it does not show the code as it is"
        if channel != VOICE and set(digit_runs(body, self.digits)) != {code}:
            return f"digits touch the code, or {self.digits} in a row could be taken for it; separate them"
        if channel != VOICE and touches(body, code):
            return "letters touch the code, and a phone would take them for a part of it; separate them"
        return None

    def _long_problem(self, body: str, channel: str) -> str | None:
        if (problem := self.size_problem(body, channel)) is None:
            return None
        character = culprit(body) if channel == SMS else None
        because = "" if character is None else f" ({character!r}, U+{ord(character):04X}, forces UCS-2)"
        other = ", or leave out android_hash" if channel == SMS and self.android_hash else ""
        return f"{problem}{because}; shorten it, app_name or origin{other}"
