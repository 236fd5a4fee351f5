"""The language of the templates, which are compiled once.

A template contains ``{{ code }}``, and can contain ``{{ app_name }}``, ``{{ minutes }}``, ``{{ locale }}`` and
``{{ details.<key> }}``. That is the whole language. It has no expressions and no attributes, and a value is never read
as a template.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from ..exceptions import ConfigurationError

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")
_NAME = re.compile(r"code|app_name|minutes|locale|details\.[a-z][a-z0-9_]*")
_STRAY = re.compile(r"\{\{|\}\}|\{%|%\}")


class Template(Protocol):
    """A compiled template, in this language or in Liquid."""

    @property
    def shows(self) -> frozenset[str]:
        """The values of a call that it can show: ``"locale"``, ``"details.payee"``."""

    def text(self, values: Mapping[str, str]) -> str | None:
        """Return the text, or ``None`` if these values do not make one. ``values`` has a code. It raises nothing."""

    def problem(self, values: Mapping[str, str]) -> str:
        """Return why :meth:`text` returned ``None``. The answer shows no value."""


@attrs.frozen
class Plain:
    """Literal texts, each with the name of the value that follows it (``""``: none)."""

    pieces: tuple[tuple[str, str], ...]
    shows: frozenset[str]

    def text(self, values: Mapping[str, str]) -> str | None:
        """See :class:`Template`."""
        if self.shows and not self.shows <= values.keys():
            return None
        return "".join([literal + values[name] if name else literal for literal, name in self.pieces])

    def problem(self, values: Mapping[str, str]) -> str:
        """See :class:`Template`."""
        return f"shows {', '.join(sorted(self.shows - values.keys()))}, which this call does not give"


def compiled(source: str, constants: Mapping[str, str]) -> Plain:
    """Parse a template, and fill in the constants.

    Raises:
        ConfigurationError: the syntax is wrong, or the code is not shown.
    """
    tokens = _PLACEHOLDER.split(source)
    names = [token.strip(" ") for token in tokens[1::2]]
    if problem := _syntax_problem(tokens[::2], names):
        raise ConfigurationError(problem)
    pieces, literal = [], ""
    for token, name in zip(tokens[::2], [*names, ""], strict=True):
        literal += token + constants.get(name, "")
        if name not in constants:
            pieces.append((literal, name))
            literal = ""
    return Plain(tuple(pieces), frozenset(names) - constants.keys() - {"code"})


def has_syntax(text: str) -> bool:
    """Tell whether a text contains template syntax."""
    return _STRAY.search(text) is not None


def _syntax_problem(literals: Iterable[str], names: Sequence[str]) -> str | None:
    for name in names:
        if not _NAME.fullmatch(name):
            return f"unknown name {name!r}; there are code, app_name, minutes, locale and details.<key>"
    if any(map(has_syntax, literals)):
        return "a brace too many, or a tag; only {{ name }} is known (for Liquid: smsmfa.texts.liquid.Liquid)"
    if "code" not in names:
        return "it does not show the code; write {{ code }} where it should stand"
    return None
