"""The decorators, for classes. They go before ``View`` in the bases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from ...core.arguments import PROOF_AGE
from .decorators import guarded
from .gate import refusal, stale

if TYPE_CHECKING:
    from django.views import View
else:
    View = object


class SecondStepExemptMixin:
    """Like :func:`~smsmfa.web.django.second_step_exempt`."""

    second_step_exempt = True


class SecondStepRequiredMixin(View):
    """Like :func:`~smsmfa.web.django.second_step_required`."""

    def dispatch(self, request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        """Show the page, or say where to go instead."""
        view: Any = super().dispatch
        return guarded(view, refusal, is_async=self.view_is_async)(request, *arguments, **named)


class FreshSecondStepMixin(View):
    """Like :func:`~smsmfa.web.django.fresh_second_step`, with its arguments as attributes."""

    second_step_max_age: timedelta = PROOF_AGE
    second_step_back: str | None = None

    def dispatch(self, request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        """Show the page, or ask for a new code."""
        view: Any = super().dispatch
        check = lambda request: stale(request, self.second_step_max_age, self.second_step_back)  # noqa: E731
        return guarded(view, check, is_async=self.view_is_async)(request, *arguments, **named)
