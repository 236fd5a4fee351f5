"""The second step as JSON for a Django project: its calls, and what the project's own login needs of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from ...stores.django.users import user_id
from ..api import Api
from ..calls import LONGEST_BODY
from ..visit import UserId
from .adapter import pages, respond
from .decorators import second_step_exempt


def begin_api(user: Any) -> dict[str, Any] | None:
    """Like :meth:`smsmfa.web.api.Api.begin`, for a user of the project who gave the right password."""
    return Api(pages()).begin(user_id(user))


def finish_api(mfa_token: object) -> UserId:
    """Like :meth:`smsmfa.web.api.Api.finish`. The result is the user's primary key."""
    return Api(pages()).finish(mfa_token)


@second_step_exempt
@csrf_exempt  # the token is in no cookie
@sensitive_variables()
def call(request: HttpRequest, path: str) -> HttpResponse:
    """Answer a call.

    Args:
        request: Django's request.
        path: which call, for example ``"verify"``.
    """
    body = request.read(LONGEST_BODY + 1)
    prefix = reverse("smsmfa_api:call", args=["verify"]).removesuffix("/verify")
    return respond(request, Api(pages()).handle(request.method or "GET", path, request.headers, body, prefix=prefix))


for _alias in settings.DATABASES:  # what is refused stays refused: no transaction of the call rolls it back
    call = transaction.non_atomic_requests(using=_alias)(call)
