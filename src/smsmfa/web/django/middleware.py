"""Begins the second step after a login, and keeps every page for those who took it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.apps import apps
from django.conf import settings as project
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from ...stores.django.users import user_id
from ..requests import Redirect
from ..visit import ENTRY
from .adapter import next_page, pages, plain, respond
from .gate import must, refusal

_APPS = ("smsmfa.stores.django", "smsmfa.web.django")
#: The attribute of a session object in which a user logged in during this request.
_MARK = "_smsmfa_logged_in"
#: The names of URLs for whoever is not in, as Django's own URLs and its admin use them.
_EXEMPT = ("login", "logout")


class SecondStepMiddleware:
    """Makes Django's login the first of two steps. It comes after ``AuthenticationMiddleware``.

    After a view that called ``login()``, it sends the code and redirects to its page. Whoever is logged in and did not
    take the second step is redirected there from every page, except from those for login and logout, and from those
    with :func:`~smsmfa.web.django.second_step_exempt`. Under asyncio it works in the thread of the request, where
    Django reads sessions and users.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        for app in _APPS:
            if not apps.is_installed(app):
                raise ImproperlyConfigured(f'INSTALLED_APPS: add "{app}", which SecondStepMiddleware needs')
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request, as Django's handler asks for it."""
        if self._is_async:
            return self._answer(request)
        response = self.get_response(request)
        return begin(request, response) if _is_marked(request) else response

    async def _answer(self, request: HttpRequest) -> Any:
        response = await self.get_response(request)
        return await sync_to_async(begin)(request, response) if _is_marked(request) else response

    def process_view(self, request: HttpRequest, view: Any, arguments: Any, named: Any) -> HttpResponse | None:
        """Return ``None`` for whoever may see the page, or where the user goes instead."""
        return refusal(request) if not is_exempt(request, view) and must(request.user) else None


def begin(request: HttpRequest, response: Any) -> Any:
    """Begin the second step of a user who logged in, and return the response to give instead of the view's own.

    Args:
        request: Django's request.
        response: what the view returned. Its cookies are kept.
    """
    if response.status_code >= 500 or SESSION_KEY not in request.session:
        return response  # Django saves no session after an error, and a token for an API is none
    if not must(request.user):
        request.session.pop(ENTRY, None)
        return response
    step, asked = pages(), plain(request)
    answer = step.begin(asked, user_id(request.user), next=next_page(asked, response))
    if asked.wants_json and isinstance(answer, Redirect):
        answer = step._unauthorized()
    instead = respond(request, answer)
    instead.cookies.update(response.cookies)
    return instead


def is_exempt(request: HttpRequest, view: Any) -> bool:
    """Tell whether a page is for users who did not take the second step."""
    kind = getattr(view, "view_class", None)
    if getattr(view, "second_step_exempt", False) or getattr(kind, "second_step_exempt", False):
        return True
    if isinstance(kind, type) and issubclass(kind, LoginView | LogoutView):
        return True
    named = request.resolver_match is not None and request.resolver_match.url_name in _EXEMPT
    return named or request.path == resolve_url(project.LOGIN_URL)


def _is_marked(request: HttpRequest) -> bool:
    return hasattr(request.session, _MARK)


def _mark(*, request: Any, **_: object) -> None:
    """Note that a user logged in. The code is not sent here: the view's transaction may not be committed yet."""
    session = getattr(request, "session", None)
    if isinstance(session, SessionBase):  # other packages send this signal too
        setattr(session, _MARK, True)


user_logged_in.connect(_mark, dispatch_uid="smsmfa")
