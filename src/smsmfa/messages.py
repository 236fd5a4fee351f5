"""The texts: compiled and checked when the configuration is built.

A template holds ``{{ code }}``, and may hold ``{{ app_name }}``, ``{{ minutes }}``, ``{{ locale }}`` and
``{{ details.<key> }}``. That is the whole language: no expressions, no attributes, and a value that
was put in is never read as a template. A text is one line without links or invisible characters, and
has no digits that a phone's autofill could take for the code. It fits into two segments.

With an ``origin`` it ends with the line ``@host #code``, by which browsers fill the code in on that
site only (WICG, Origin-bound one-time codes delivered via SMS, "Message format").
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias
from unicodedata import category

import attrs

from .exceptions import ConfigurationError
from .segments import culprit, segments

Details: TypeAlias = tuple[tuple[str, str], ...]

#: Auth0's own two texts.
DEFAULTS = {
    "enrollment": (
        "{{ code }} is your verification code for {{ app_name }}. Please enter this code to verify your enrollment."
    ),
    "verification": "{{ code }} is your verification code for {{ app_name }}",
}
#: More segments than this are refused: each is paid for.
MAX_SEGMENTS = 2
#: Characters; what is longer is no name, and leaves no room for the text.
_LONGEST_APP_NAME = 60
#: RFC 1035, 2.3.4, as text.
_LONGEST_HOST = 253

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")
_NAME = re.compile(r"code|app_name|minutes|locale|details\.[a-z][a-z0-9_]*")
_STRAY = re.compile(r"\{\{|\}\}|\{%|%\}")
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
#: A text of one line that begins so is bound to a host by the grammar, whoever wrote that.
_AUTOFILL = re.compile(r"@[^ ]+ #[^ ]")
#: Labels of RFC 1123, 2.1. A name of another script has to be given in its ``xn--`` form.
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"localhost|(?:{_LABEL}\.)+{_LABEL}")
#: Control, format (bidirectional ones included), line and paragraph separators, lone surrogates.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@attrs.frozen
class _Template:
    """Literals, each with the name of the value that follows it (``""``: none); and the values a call has to give."""

    pieces: tuple[tuple[str, str], ...]
    needs: frozenset[str]

    def text(self, values: Mapping[str, str]) -> str:
        return "".join([literal + values[name] if name else literal for literal, name in self.pieces])


class Messages:
    """The texts of one configuration.

    Args:
        templates: by purpose. ``"enrollment"`` is the text that confirms a new number, and
            ``"verification"`` that of every purpose without one of its own.
        app_name: what ``{{ app_name }}`` shows; at most 60 characters.
        digits: the length of a code.
        lifetime: of a code; ``{{ minutes }}`` shows it, rounded up.
        origin: the host of the site where the code is typed in, for the autofill line, or ``None``.

    Raises:
        ConfigurationError: a template, ``app_name`` or ``origin`` breaks a rule of this module.
    """

    __slots__ = ("_last_line", "_templates", "_zeros")

    def __init__(
        self,
        templates: Mapping[str, str] | None,
        *,
        app_name: str,
        digits: int,
        lifetime: timedelta,
        origin: str | None,
    ) -> None:
        self._zeros = "0" * digits
        self._last_line = "" if origin is None else f"\n@{_host(origin)} #"
        constants = {"app_name": _app_name(app_name, digits), "minutes": str(-(-lifetime // timedelta(minutes=1)))}
        self._templates: dict[str, _Template] = {}
        for name, source in (DEFAULTS | _given(templates)).items():
            self._templates[name] = _compile(name, source, constants)
            if problem := self._problem(self._templates[name]):
                raise ConfigurationError(f"messages[{name!r}]: {problem}")

    def check(self, purpose: str, details: Details, locale: str | None) -> None:
        """Refuse what cannot go into the text, before anything is charged. For an enrolment pass ``"enrollment"``.

        Raises:
            ValueError: the text shows a detail that is missing; a value has a link, a line break or an
                invisible character; the text becomes too long. No error shows a value.
        """
        template = self._template(purpose)
        if not details and not template.needs:
            return
        for key, value in details:
            if problem := _text_problem(value):
                raise ValueError(f"details[{key!r}]: {problem}")
        values = _values(details, locale)
        if missing := template.needs - values.keys():
            raise ValueError(_missing(missing, purpose))
        body = template.text(values | {"code": self._zeros})
        if problem := _body_problem(body) or self._size_problem(body):
            raise ValueError(f"the message for purpose {purpose!r}, with these details and this locale: {problem}")

    def render(self, kind: str, purpose: str, code: str, details: Details, locale: str | None) -> str:
        """Return the text to send, for a ``kind`` of ``"enrollment"`` or ``"verification"``.

        :meth:`check` has to have accepted ``details`` and ``locale`` (``None`` shows as nothing).

        Raises:
            ValueError: the text shows a detail that is missing.
        """
        template = self._template(kind if kind == "enrollment" else purpose)
        values = _values(details, locale) if template.needs else {}
        if missing := template.needs - values.keys():
            del code  # what a traceback with locals shows of this frame must not be the code
            raise ValueError(_missing(missing, purpose))
        values["code"] = code
        body = template.text(values)
        return body + self._last_line + code if self._last_line else body

    def _template(self, purpose: str) -> _Template:
        return self._templates.get(purpose, self._templates["verification"])

    def _problem(self, template: _Template) -> str | None:
        """Say what is wrong with the text that ``template`` gives before a call adds details."""
        body = template.text(dict.fromkeys(template.needs, "") | {"locale": "en", "code": self._zeros})
        if problem := _body_problem(body):
            return problem
        filled = template.text(dict.fromkeys(template.needs, "0") | {"code": self._zeros})
        if _digit_runs(filled, len(self._zeros)) != [self._zeros for _, name in template.pieces if name == "code"]:
            return f"digits touch the code, or {len(self._zeros)} in a row could be taken for it; part them"
        if problem := self._size_problem(body):
            character = culprit(body)
            because = "" if character is None else f" ({character!r}, U+{ord(character):04X}, forces UCS-2)"
            return f"{problem}{because}; shorten it, app_name or origin"
        return None

    def _size_problem(self, body: str) -> str | None:
        size = segments(body + self._last_line + self._zeros if self._last_line else body)
        if size.count <= MAX_SEGMENTS:
            return None
        return f"it takes {size.count} segments of {size.encoding}, and {MAX_SEGMENTS} are allowed"

    def __repr__(self) -> str:
        return f"<Messages for {', '.join(self._templates)}>"


def _given(templates: object) -> dict[str, str]:
    if templates is None:
        return {}
    if not isinstance(templates, Mapping):
        raise ConfigurationError("messages: has to be a mapping of purposes to templates")
    for purpose, source in templates.items():
        if not isinstance(purpose, str) or not isinstance(source, str):
            raise ConfigurationError(f"messages[{purpose!r}]: the purpose and the template have to be str")
    return dict(templates)


def _compile(purpose: str, source: str, constants: Mapping[str, str]) -> _Template:
    """Parse a template, and put in once what is the same in every message."""
    tokens = _PLACEHOLDER.split(source)
    names = [token.strip(" ") for token in tokens[1::2]]
    if problem := _syntax_problem(tokens[::2], names):
        raise ConfigurationError(f"messages[{purpose!r}]: {problem}")
    needs = frozenset(names) - constants.keys() - {"code"}
    if purpose == "enrollment" and needs - {"locale"}:
        raise ConfigurationError(f"messages[{purpose!r}]: an enrolment has no details; take them out")
    pieces, literal = [], ""
    for token, name in zip(tokens[::2], [*names, ""], strict=True):
        literal += token + constants.get(name, "")
        if name not in constants:
            pieces.append((literal, name))
            literal = ""
    return _Template(tuple(pieces), needs)


def _syntax_problem(literals: Iterable[str], names: Sequence[str]) -> str | None:
    for name in names:
        if not _NAME.fullmatch(name):
            return f"unknown name {name!r}; there are code, app_name, minutes, locale and details.<key>"
    if any(_STRAY.search(literal) for literal in literals):
        return "a brace too many, or a tag; only {{ name }} is known, on one line"
    if "code" not in names:
        return "it does not show the code; write {{ code }} where it should stand"
    return None


def _text_problem(text: str) -> str | None:
    """Say what must not be sent in ``text``, without showing any of it."""
    if not text.isprintable() and any(category(character) in _INVISIBLE for character in text):
        return "no line break, control or format character is allowed; take it out"
    if _LINK.search(text):
        return "no link is allowed; take out what has :// or www."
    return None


def _body_problem(body: str) -> str | None:
    """Say what must not be sent as the whole of what a person reads."""
    if _AUTOFILL.match(body):
        return "it begins like an autofill line, which would bind the code to that host; begin otherwise"
    return _text_problem(body)


def _digit_runs(text: str, digits: int) -> list[str]:
    """Return the runs of at least ``digits`` decimal digits, of any script."""
    return re.findall(rf"\d{{{digits},}}", text)


def _values(details: Details, locale: str | None) -> dict[str, str]:
    return {"locale": locale or ""} | {f"details.{key}": value for key, value in details}


def _missing(names: Iterable[str], purpose: str) -> str:
    return f"the message for purpose {purpose!r} shows {', '.join(sorted(names))}, which this call does not give"


def _app_name(app_name: object, digits: int) -> str:
    if not isinstance(app_name, str) or not app_name.strip() or len(app_name) > _LONGEST_APP_NAME:
        raise ConfigurationError(f"app_name: a str of 1 to {_LONGEST_APP_NAME} characters")
    if problem := _text_problem(app_name):
        raise ConfigurationError(f"app_name: {problem}")
    if _STRAY.search(app_name) or _digit_runs(app_name, digits):
        raise ConfigurationError(f"app_name: neither braces of a template nor {digits} digits in a row are allowed")
    return app_name


def _host(origin: object) -> str:
    """Return a host in lower case. It has to be ASCII before: the Kelvin sign is a ``k`` in lower case."""
    host = origin.lower() if isinstance(origin, str) and origin.isascii() else ""
    if len(host) <= _LONGEST_HOST and _HOST.fullmatch(host):
        return host
    raise ConfigurationError(
        "origin: the ASCII host of the site alone, like login.example.com: no scheme, port, path or dot at the end"
    )
