"""Turns Django's requests into those of the pages, and their answers into Django's responses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as project
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import translation
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables

from ...enroller import Enroller
from ...stores.django import settings
from ..base import CONTENT_SECURITY_POLICY
from ..paths import of_referer, same_site
from ..requests import Answer, File, Page, Problem, Redirect, Request, wants_json
from ..step import SecondStep
from ..words import Texts


def pages() -> SecondStep:
    """Return the pages of the project, whose ``login`` and ``home`` are Django's settings for them.

    Raises:
        ConfigurationError: ``SMSMFA`` is missing or wrong.
    """
    home = same_site(resolve_url(project.LOGIN_REDIRECT_URL), "/")
    return _pages(same_site(resolve_url(project.LOGIN_URL), "/"), home, settings.enroller())


@lru_cache(maxsize=64)
def _pages(login: str, home: str, enroller: Enroller) -> SecondStep:
    """Return the pages for two addresses, which may depend on the language. Other settings make another enroller."""
    return SecondStep(
        settings.config(), settings.store(), settings.sender(), login=login, home=home, translate=_translate,
        channels=settings.setting("channels", ("sms",)),
        content_security_policy=settings.setting("content_security_policy", CONTENT_SECURITY_POLICY),
        **settings._hooks(),
    )  # fmt: skip


def _translate(language: str | None) -> Texts:
    """Return the texts in Django's active language, or in English if the project does not translate them to it."""
    title = "Enter your code"
    known = language is not None and translation.gettext(title) != title
    return Texts(language if known and language else "en", translation)


def plain(request: HttpRequest, page: str = "") -> Request:
    """Return a request as the pages see it.

    Args:
        request: Django's request.
        page: which of our pages is asked for; ``""`` for a page of the project.
    """
    session: Any = {} if is_file(page) else request.session  # so that caches may keep files for everybody
    return Request(
        method=request.method or "GET", session=session, page=page, prefix=prefix(), url=request.get_full_path(),
        origin=f"{request.scheme}://{request.get_host()}", form=request.POST.dict() if page else {},
        query=request.GET.dict(), referer=request.headers.get("Referer", ""), language=translation.get_language(),
        wants_json=wants_json(request.headers.get("Accept", "")),
    )  # fmt: skip


def is_file(page: str) -> bool:
    """Tell whether a page is a style sheet or a script."""
    return page.startswith("static/")


def prefix() -> str:
    """Return the path under which the project mounted our pages.

    Raises:
        NoReverseMatch: it did not.
    """
    return reverse("smsmfa:page", args=["account"]).removesuffix("/account")


def next_page(request: Request, response: Any) -> str:
    """Return where the view that logged in wanted to go: the address of its redirect, if that is of the same site."""
    location = response.get("Location", "") if 300 <= response.status_code < 400 else ""
    if urlsplit(location).netloc:
        return of_referer(location, request.origin, "")
    if location == f"{request.prefix}/code":  # a middleware logged in, and ours kept the page
        location = ""
    return same_site(location, request.url if request.method == "GET" else "")


@sensitive_variables()  # recovery codes: error pages show no variables of this function and of those that it calls
def respond(request: HttpRequest, answer: Answer) -> HttpResponse:
    """Return an answer of the pages as Django's response."""
    if answer.renew:
        _renew(request)
    response = _body(request, answer)
    for name, value in answer.headers.items():
        response[name] = value
    return response


def _body(request: HttpRequest, answer: Answer) -> HttpResponse:
    if isinstance(answer, Redirect):
        redirect = HttpResponseRedirect(answer.location)
        redirect.status_code = answer.status
        return redirect
    if isinstance(answer, Page):
        field = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request))
        context = {**answer.context, "csrf_field": field}
        if context.get("cancel") == pages().login:  # which may lead back here, since Django knows the user already
            context["cancel"] = ""
        return render(request, answer.template, context, status=answer.status)
    if isinstance(answer, File):
        return HttpResponse(answer.body, content_type=answer.content_type)
    assert isinstance(answer, Problem)  # noqa: S101
    return JsonResponse(dict(answer.body), status=answer.status, content_type="application/problem+json")


def _renew(request: HttpRequest) -> None:
    """Give the request a new session with the same data, which Django saves under a new key.

    The old session stays as it is stored, so it is halfway: Django's own ``cycle_key`` would delete it, and with it
    the answer to a form that was posted twice.
    """
    old: Any = request.session
    request.session = type(old)()
    request.session.update(dict(old.items()))
