"""Who may pass: whoever took the second step, or need not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from ...exceptions import ConfigurationError
from ...stores.django import settings
from ...stores.django.users import user_id
from ..requests import Request, wants_json
from ..visit import ENTRY, Visit
from .adapter import pages, plain, respond

Required = Callable[[Any], bool]

_REQUIRED: dict[str, Required] = {"everybody": lambda _: True, "staff": lambda user: bool(user.is_staff)}


def required() -> Required:
    """Return the function that tells whether a user must take the second step everywhere.

    Raises:
        ConfigurationError: the setting is wrong.
    """
    given = settings.setting("required", "everybody")
    if isinstance(given, str):
        try:
            given = _REQUIRED.get(given) or import_string(given)
        except ImportError as error:
            raise ConfigurationError(
                f'SMSMFA["required"]: "everybody", "staff", or a dotted path; "{given}" cannot be imported: {error}'
            ) from error
    if not callable(given):
        raise ConfigurationError(
            'SMSMFA["required"]: "everybody", "staff", or a function that takes a user, or its dotted path'
        )
    found: Required = given
    return found


def must(user: Any) -> bool:
    """Tell whether a user must take the second step everywhere. Nobody must while the factor is turned off."""
    return bool(user.is_authenticated and settings.config().enabled and required()(user))


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Return ``None`` for a user who took the second step, or the response to give: where to take it, or 401.

    Nothing is sent.
    """
    if not request.user.is_authenticated:
        return to_login(request)
    if not settings.config().enabled:
        return None
    asked = plain(request)
    if current(request, asked) is None:
        return to_login(request)
    answer = pages().required(asked)
    return None if answer is None else respond(request, answer)


def stale(request: HttpRequest, max_age: timedelta, back: str | None) -> HttpResponse | None:
    """Return ``None`` for a user whose last code is fresh, or the response to give.

    Args:
        request: Django's request.
        max_age: how old the last code may be.
        back: where to go afterwards.
    """
    response = refusal(request)
    if response is not None:
        return response
    answer = pages().fresh(plain(request), max_age, back=back) if settings.config().enabled else None
    return None if answer is None else respond(request, answer)


def current(request: HttpRequest, asked: Request) -> Visit | None:
    """Return the visit of the user who is logged in. If none began, one begins, and nothing is sent.

    Whoever must take the second step and did not within ten minutes is logged out: the result is ``None``.
    """
    step, user = pages(), user_id(request.user)
    visit = step.visit(asked)
    if visit is not None and visit.user_id == user:
        return visit
    if visit is None and ENTRY in request.session and must(request.user):
        logout(request)
        return None
    returns = asked.method == "GET" and asked.page in {"", "account"} and not asked.wants_json
    visit = step._begun(asked, user, asked.url if returns else None)
    visit.save(asked.session)
    return visit


def to_login(request: HttpRequest, *, comes_back: bool = True) -> HttpResponse:
    """Return the response to a stranger: Django's redirect to the login, or 401 for a client that wants JSON.

    Args:
        request: Django's request.
        comes_back: whether the login leads back to this page.
    """
    if wants_json(request.headers.get("Accept", "")):
        return respond(request, pages()._unauthorized())
    return redirect_to_login(request.get_full_path(), None, REDIRECT_FIELD_NAME if comes_back else None)
