"""Auth0's Liquid templates, unchanged. Needs ``smsmfa[liquid]`` (python-liquid), which is imported with the first one.

A template sees ``code``, ``tenant.friendly_name`` and ``tenant.friendlyName`` (the ``app_name``), ``message_type``
(``"sms"`` or ``"voice"``), ``locale`` and ``requestInfo.lang`` (both the ``locale`` of the call), ``pause``, and, as
this library's own templates do, ``app_name``, ``minutes`` and ``details``. White space in the text becomes one space.

It is bounded: no template is included, none sees an attribute of an object or the clock, and its source, loops, ranges,
variables, intermediate results and output have a limit each. What is not defined is false in a condition, and an
error where it should show.
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

#: Characters of a template, and of anything that one makes on its way.
_LONGEST = 2000
#: Iterations of all loops, and numbers of a range.
_MOST = 100
#: What a voice does at ``{{ pause }}``.
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
        """Compile it for one configuration; ``locale`` is what a call without one gets.

        Raises:
            ConfigurationError: it is no Liquid, or beyond a limit; or python-liquid is not installed.
        """
        if not isinstance(self.source, str) or len(self.source) > _LONGEST:
            raise ConfigurationError(f"Liquid takes a str of at most {_LONGEST} characters")
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
        except Exception:  # of the template or its library: nothing of either may surface with the code
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
    """Values that show one by one, and not together."""

    def __str__(self) -> str:
        raise TypeError


@cache
def _environment() -> "Environment":
    """Return Liquid with every limit on."""
    from liquid import Environment
    from liquid.undefined import FalsyStrictUndefined

    class Bounded(Environment):
        context_depth_limit = 10
        local_namespace_limit = _LONGEST
        loop_iteration_limit = _MOST
        output_stream_limit = 4 * _LONGEST  # bytes

    environment = Bounded(undefined=FalsyStrictUndefined)
    environment.tags = {name: tag for name, tag in environment.tags.items() if name in _TAGS}
    environment.filters = {name: _bounded(one) for name, one in environment.filters.items() if name != "date"}
    return environment


def _bounded(one: Callable[..., Any]) -> Callable[..., Any]:
    """Let a filter make nothing long, so that a chain of them does not either."""

    @wraps(one)
    def bounded(*arguments: Any, **named: Any) -> Any:
        result = one(*arguments, **named)
        if isinstance(result, (str, list)) and len(result) > _LONGEST:
            raise OverflowError
        return result

    return bounded


def _reason(error: Exception) -> str:
    """Say what is wrong, in the words of the library only where they show no value."""
    from liquid.exceptions import LiquidSyntaxError, UndefinedError, UnknownFilterError

    shown = isinstance(error, (LiquidSyntaxError, UndefinedError, UnknownFilterError))
    return str(error.args[0]) if shown and error.args else type(error).__name__


def _shows(template: "BoundTemplate") -> frozenset[str]:
    """Return what a template may show of a call. Its text depends on the locale, whether it names it or not."""
    paths = (path for path in template.global_variable_segments() if path[0] == "details")
    return frozenset({"locale", *(f"details.{path[1]}" if len(path) > 1 else "details" for path in paths)})


def _range_problem(template: "BoundTemplate") -> str | None:
    """Refuse long ranges: a filter would go through one before any limit counts."""
    from liquid import RenderContext
    from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral

    for one in _expressions(template.nodes, RenderContext(template)):
        if isinstance(one, RangeLiteral):
            start, stop = one.start, one.stop
            if not isinstance(start, IntegerLiteral) or not isinstance(stop, IntegerLiteral):
                return "Liquid: the ends of a range have to be whole numbers, written out"
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
