"""System checks: what would make the second step absent or unusable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings as project
from django.core import checks
from django.db import connections
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch, URLResolver, get_resolver
from django.utils.module_loading import import_string

from ...exceptions import ConfigurationError
from .adapter import prefix
from .gate import required
from .middleware import SecondStepMiddleware

_OURS = "smsmfa.web.django.SecondStepMiddleware"
_BEFORE = "django.contrib.auth.middleware.AuthenticationMiddleware"


@checks.register(checks.Tags.security)
def check_middleware(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Ask for the middleware, in its place."""
    kinds = [import_string(one) for one in project.MIDDLEWARE]
    ours = _position(kinds, SecondStepMiddleware)
    if ours is None:
        said = "Nobody is asked for a second step, for its middleware is missing."
        return [checks.Error(said, hint=f'MIDDLEWARE: add "{_OURS}" after "{_BEFORE}".', id="smsmfa.E011")]
    before = _position(kinds, import_string(_BEFORE))
    if before is None or before > ours:
        said = "SecondStepMiddleware comes before the middleware that says who is logged in."
        return [checks.Error(said, hint=f'MIDDLEWARE: put "{_OURS}" after "{_BEFORE}".', id="smsmfa.E012")]
    return []


@checks.register(checks.Tags.security)
def check_settings(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Ask for ``SMSMFA``, without which no login works."""
    if getattr(project, "SMSMFA", None) is None:
        hint = "Set SMSMFA, as the page about Django shows."
        return [checks.Error("SMSMFA is not set, so nobody can log in.", hint=hint, id="smsmfa.E016")]
    return []


@checks.register(checks.Tags.urls)
def check_urls(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Ask for the pages' URLs."""
    try:
        prefix()
    except NoReverseMatch:
        hint = 'urlpatterns: add path("mfa/", include("smsmfa.web.django.urls")).'
        return [checks.Error("The pages of the second step have no URLs.", hint=hint, id="smsmfa.E013")]
    return []


@checks.register(checks.Tags.urls)
def check_async_views(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Name the asynchronous views that Django refuses when they are asked for, because of ``ATOMIC_REQUESTS``."""
    atomic = {alias for alias in connections if connections[alias].settings_dict["ATOMIC_REQUESTS"]}
    found = [] if not atomic else [view for view in _views(get_resolver().url_patterns) if iscoroutinefunction(view)]
    return [
        checks.Warning(
            f"{_name(view)} is asynchronous, so with ATOMIC_REQUESTS Django refuses it.",
            hint="Decorate it with @transaction.non_atomic_requests, and call atomic() in synchronous parts.",
            id="smsmfa.W011",
        )
        for view in found
        if atomic - getattr(view, "_non_atomic_requests", set())
    ]


@checks.register(checks.Tags.templates)
def check_templates(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Ask for an engine that finds the templates."""
    try:
        get_template("smsmfa/base.html")
    except TemplateDoesNotExist:
        hint = 'TEMPLATES: set "APP_DIRS": True for django.template.backends.django.DjangoTemplates.'
        return [checks.Error("The templates of the second step are not found.", hint=hint, id="smsmfa.E014")]
    return []


@checks.register(checks.Tags.security)
def check_required(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Ask for a good ``SMSMFA["required"]``."""
    try:
        required()
    except ConfigurationError as error:
        if str(error).startswith('SMSMFA["required"]'):  # the store's app tells the rest
            return [checks.Error(str(error), id="smsmfa.E015")]
    return []


def _views(patterns: list[Any]) -> Iterator[Any]:
    """Yield the views of URL patterns, and of those that they include."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _views(one.url_patterns)
        else:
            yield one.callback


def _name(view: Any) -> str:
    one = getattr(view, "view_class", view)
    return f"{one.__module__}.{one.__qualname__}"


def _position(kinds: list[Any], wanted: type) -> int | None:
    """Return where a middleware is, or one derived from it."""
    return next((at for at, kind in enumerate(kinds) if isinstance(kind, type) and issubclass(kind, wanted)), None)
