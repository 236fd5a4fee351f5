"""What all texts of a configuration have in common: the length of the code, the last line, and what fits.

With an ``origin`` an SMS ends with the line ``@host #code``, by which browsers fill the code in on that
site only (WICG, Origin-bound one-time codes delivered via SMS, "Message format"). With an ``android_hash`` its last
word is that hash, by which Android hands the message to that app alone, and it has at most 140 bytes (Google, SMS
Retriever API); the grammar ignores what follows the code. What is spoken has the digits of the code apart, and says
it twice.
"""

import attrs

from .content import body_problem, digit_runs
from .segments import culprit, segments
from .templates import Template

#: More segments than this are refused: each is paid for.
MAX_SEGMENTS = 2
#: Characters of what is no SMS.
_LONGEST = 1000
#: Of an SMS for the Retriever, counted as it goes over the air, a septet as a byte.
_RETRIEVER_BYTES = 140
_ENDS = (".", "!", "?", "。", "।", "۔", "։")


def spoken(code: str) -> str:
    """Return a code as a voice reads it: digit by digit, with a pause after each, ``"1, 2, 3, 4, 5, 6"``."""
    return ", ".join(code)


def as_shown(code: str, channel: str) -> str:
    """Return a code as a template gets it."""
    return spoken(code) if channel == "voice" else code


@attrs.frozen
class Frame:
    """What goes around the text of a template.

    Args:
        digits: the length of a code.
        host: for the autofill line, or ``None``.
        android_hash: for the end of the last line, or ``None``.
    """

    digits: int
    host: str | None
    android_hash: str | None

    @property
    def zeros(self) -> str:
        """A code to try texts with."""
        return "0" * self.digits

    def finished(self, body: str, code: str, channel: str) -> str:
        """Add what is not the template's: the last line of an SMS; what is spoken once is spoken again."""
        if channel == "sms":
            return body + self._last_line(code)
        if channel == "voice" and body.count(spoken(code)) < 2:
            return f"{body} {body}" if body.endswith(_ENDS) else f"{body}. {body}."
        return body

    def probe(self, template: Template, channel: str, locale: str, detail: str = "", digit: str = "0") -> str | None:
        """Return the text of a template for a code of one digit, with every detail the same."""
        return template.text(self._values(template, channel, locale, detail, digit))

    def problem(self, template: Template, channel: str, locale: str, other: str) -> str | None:
        """Say what is wrong with the texts that a template gives before a call adds details, for either locale."""
        body = self.probe(template, channel, locale)
        if body is None:
            return template.problem(self._values(template, channel, locale, "", "0"))
        return (
            body_problem(body)
            or self._code_problem(body, "0", channel)
            or self._code_problem(self.probe(template, channel, other, "0", "9") or "", "9", channel)
            or self._long_problem(body, channel)
        )

    def size_problem(self, body: str, channel: str) -> str | None:
        """Say whether a text that shows a code is too long."""
        if channel != "sms":
            length = len(self.finished(body, self.zeros, channel))
            return None if length <= _LONGEST else f"it takes {length} characters, and {_LONGEST} are allowed"
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
        if channel != "voice" and set(digit_runs(body, self.digits)) != {code}:
            return f"digits touch the code, or {self.digits} in a row could be taken for it; part them"
        return None

    def _long_problem(self, body: str, channel: str) -> str | None:
        if (problem := self.size_problem(body, channel)) is None:
            return None
        character = culprit(body) if channel == "sms" else None
        because = "" if character is None else f" ({character!r}, U+{ord(character):04X}, forces UCS-2)"
        return f"{problem}{because}; shorten it, app_name or origin"
