"""The pages, as one view.

It is synchronous, because sessions, users and ``DjangoStore`` are. Django gives it a thread of its own under asyncio.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from .adapter import is_file, pages, plain, respond
from .decorators import second_step_exempt
from .gate import current, to_login


@second_step_exempt
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("code", "number", "smsmfa_token")
def page(request: HttpRequest, page: str) -> HttpResponse:
    """Answer a request to one of the pages.

    Args:
        request: Django's request.
        page: which page, for example ``"account"``.
    """
    asked = plain(request, page)
    if not is_file(page) and (not request.user.is_authenticated or current(request, asked) is None):
        return to_login(request, comes_back=page == "account")
    return respond(request, pages().handle(asked))


page.login_required = False  # type: ignore[attr-defined]  # for LoginRequiredMiddleware: the page asks itself
for _alias in settings.DATABASES:  # what is refused stays refused: no transaction of the page rolls it back
    page = transaction.non_atomic_requests(using=_alias)(page)
