"""Auth0's Liquid templates, unchanged. They need python-liquid (the extra ``liquid``), which loads with the first one.

A template sees ``code``, ``tenant.friendly_name`` and ``tenant.friendlyName`` (the ``app_name``), ``message_type``
(``"sms"`` or ``"voice"``), ``locale`` and ``requestInfo.lang`` (both the ``locale`` of the call), ``pause``, and, like
the other templates of this library, ``app_name``, ``minutes`` and ``details``. White space in the text becomes one
space.

A template cannot include another, see attributes of objects or read the clock. Its source, loops, ranges, variables,
intermediate results and output are limited. An undefined name is false in a condition, and an error where it would
show.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

import attrs

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from liquid import BoundTemplate, Environment, Node, RenderContext
    from liquid.expression import Expression

    from .templates import Template

#: The longest template, and the longest intermediate result (characters).
_LONGEST_SOURCE = 2000
#: The most iterations of all loops, and numbers in a range.
_MOST = 100
#: The pause of a voice at ``{{ pause }}``.
_PAUSE = "..."
_TAGS = frozenset({
    "#", "assign", "break", "capture", "case", "comment", "content", "continue", "echo", "for", "if", "illegal",
    "liquid", "output", "unless",
})  # fmt: skip
_SPACE = re.compile(r"[ \t\r\n]+")


@attrs.frozen
class Liquid:
    """A template in Liquid, for ``messages``: ``{"verification": Liquid("{{code}} ...")}``.

    Args:
        source: the template; at most 2,000 characters.
    """

    source: str

    def compiled(self, constants: Mapping[str, str], *, locale: str, voice: bool) -> "Template":
        """Compile it for one configuration. A call without a locale gets ``locale``.

        Raises:
            ConfigurationError: the syntax is wrong, a limit is exceeded, or python-liquid is not installed.
        """
        if not isinstance(self.source, str) or len(self.source) > _LONGEST_SOURCE:
            raise ConfigurationError(f"Liquid takes a str of at most {_LONGEST_SOURCE} characters")
        try:
            environment = _environment()
        except ImportError:
            raise ConfigurationError("Liquid needs python-liquid: pip install 'smsmfa[liquid]'") from None
        try:
            template = environment.from_string(self.source)
        except Exception as error:
            raise ConfigurationError(f"Liquid: {_reason(error)}") from None
        if problem := _range_problem(template):
            raise ConfigurationError(problem)
        return _Compiled(template, {"locale": locale, **constants}, voice, _shows(template))


@attrs.frozen
class _Compiled:
    """See :class:`~smsmfa.texts.templates.Template`."""

    _template: "BoundTemplate" = attrs.field(repr=False)
    _constants: Mapping[str, str]
    _voice: bool
    shows: frozenset[str]

    def text(self, values: Mapping[str, str]) -> str | None:
        """See :class:`~smsmfa.texts.templates.Template`."""
        try:
            return _SPACE.sub(" ", self._template.render(self._namespace(values))).strip(" ")
        except Exception:  # an error of the template or its library must not surface with the code
            return None

    def problem(self, values: Mapping[str, str]) -> str:
        """See :class:`~smsmfa.texts.templates.Template`."""
        try:
            self._template.render(self._namespace(values))
        except Exception as error:
            return f"cannot be rendered: {_reason(error)}"
        return "cannot be rendered with every code"

    def _namespace(self, values: Mapping[str, str]) -> dict[str, object]:
        locale = values.get("locale") or self._constants["locale"]
        name = self._constants["app_name"]
        return {
            **self._constants,
            "code": values["code"],
            "locale": locale,
            "requestInfo": _Group(lang=locale),
            "tenant": _Group(friendly_name=name, friendlyName=name),
            "message_type": "voice" if self._voice else "sms",
            "pause": _PAUSE if self._voice else "",
            "details": _Group({key[8:]: value for key, value in values.items() if key.startswith("details.")}),
        }


class _Group(dict[str, str]):
    """Values that can be shown one by one, but not together."""

    def __str__(self) -> str:
        raise TypeError


@cache
def _environment() -> "Environment":
    """Return a Liquid environment with every limit."""
    from liquid import Environment
    from liquid.undefined import FalsyStrictUndefined

    class Bounded(Environment):
        context_depth_limit = 10
        local_namespace_limit = _LONGEST_SOURCE
        loop_iteration_limit = _MOST
        output_stream_limit = 4 * _LONGEST_SOURCE  # bytes

    environment = Bounded(undefined=FalsyStrictUndefined)
    environment.tags = {name: tag for name, tag in environment.tags.items() if name in _TAGS}
    environment.filters = {name: _bounded(one) for name, one in environment.filters.items() if name != "date"}
    return environment


def _bounded(one: Callable[..., Any]) -> Callable[..., Any]:
    """Limit the result of a filter, so that a chain of filters is limited too."""

    @wraps(one)
    def bounded(*arguments: Any, **named: Any) -> Any:
        result = one(*arguments, **named)
        if isinstance(result, (str, list)) and len(result) > _LONGEST_SOURCE:
            raise OverflowError
        return result

    return bounded


def _reason(error: Exception) -> str:
    """Return what is wrong, in the words of the library if they show no value."""
    from liquid.exceptions import LiquidSyntaxError, UndefinedError, UnknownFilterError

    shown = isinstance(error, (LiquidSyntaxError, UndefinedError, UnknownFilterError))
    return str(error.args[0]) if shown and error.args else type(error).__name__


def _shows(template: "BoundTemplate") -> frozenset[str]:
    """Return the values of a call that a template can show. The locale always counts."""
    paths = (path for path in template.global_variable_segments() if path[0] == "details")
    return frozenset({"locale", *(f"details.{path[1]}" if len(path) > 1 else "details" for path in paths)})


def _range_problem(template: "BoundTemplate") -> str | None:
    """Return what is wrong with a range, or ``None``. A filter would run through a long one before any limit counts."""
    from liquid import RenderContext
    from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral

    for one in _expressions(template.nodes, RenderContext(template)):
        if isinstance(one, RangeLiteral):
            start, stop = one.start, one.stop
            if not isinstance(start, IntegerLiteral) or not isinstance(stop, IntegerLiteral):
                return "Liquid: the ends of a range must be whole numbers, written out"
            if stop.value - start.value >= _MOST:
                return f"Liquid: a range has at most {_MOST} numbers"
    return None


def _expressions(nodes: "Iterable[Node]", context: "RenderContext") -> "Iterable[Expression]":
    for node in nodes:
        for one in node.expressions():
            yield from _within(one)
        yield from _expressions(node.children(context, include_partials=False), context)


def _within(one: "Expression") -> "Iterable[Expression]":
    yield one
    for inner in one.children():
        yield from _within(inner)
