"""Renders the pages with Jinja2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment


def environment(own: BaseLoader | None = None) -> Environment:
    """Return an environment for the templates.

    Args:
        own: finds the application's templates. Where it has one of the same name, for example ``smsmfa/base.html``,
            that one is used.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    shipped = PackageLoader("smsmfa.web")
    loader = shipped if own is None else ChoiceLoader([own, shipped])
    return Environment(loader=loader, autoescape=True, trim_blocks=True)


@cache
def default() -> Environment:
    """Return the environment that has only the templates of this package."""
    return environment()


def render(name: str, context: Mapping[str, Any], csrf_field: str = "", using: Environment | None = None) -> str:
    """Return a page as HTML.

    Args:
        name: the template.
        context: its variables.
        csrf_field: the framework's own hidden field, as HTML.
        using: the environment.
    """
    from markupsafe import Markup

    template = (using or default()).get_template(name)
    return template.render({**context, "csrf_field": Markup(csrf_field)})  # noqa: S704 - it is the framework's own
