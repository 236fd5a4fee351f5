"""Say for single views who may see them. Views may be functions of both kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse

from ...core.arguments import PROOF_AGE, checked_age
from .gate import refusal, stale

View = TypeVar("View", bound=Callable[..., Any])
Check = Callable[[HttpRequest], HttpResponse | None]


def second_step_exempt(view: View) -> View:
    """Let users who did not take the second step see a page."""
    view.second_step_exempt = True  # type: ignore[attr-defined]
    return view


def second_step_required(view: View) -> View:
    """Show a page only to users who took the second step, whomever ``SMSMFA["required"]`` names.

    Strangers are sent to the login, others to the second step. Clients that want JSON get 401.
    """
    return guarded(view, refusal)


def fresh_second_step(max_age: timedelta = PROOF_AGE, *, back: str | None = None) -> Callable[[View], View]:
    """Show a page only to users whose last code is fresh. Others are asked for a new one.

    Args:
        max_age: how old the last code may be, at most 10 minutes.
        back: where to go afterwards. By default the page itself, or for a form the page that it was on.

    Raises:
        ValueError: ``max_age`` is out of range.
    """
    checked_age(max_age)
    return lambda view: guarded(view, lambda request: stale(request, max_age, back))


def guarded(view: View, check: Check, *, is_async: bool | None = None) -> View:
    """Return a view that first asks a check.

    Args:
        view: the view.
        check: returns the response to give instead, or ``None``.
        is_async: whether the view returns a coroutine; ``None``: find out.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        response = check(request)
        return view(request, *arguments, **named) if response is None else response

    @wraps(view)
    async def async_wrapper(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        response = await sync_to_async(check)(request)
        return await view(request, *arguments, **named) if response is None else response

    waits = iscoroutinefunction(view) if is_async is None else is_async
    return async_wrapper if waits else wrapper  # type: ignore[return-value]
