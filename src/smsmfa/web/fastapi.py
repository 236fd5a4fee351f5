"""The second step of a FastAPI or Starlette login. It needs the extra ``fastapi``, and Starlette's sessions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, NoMatchFound, Route, Router

from ..config import FactorConfig
from ..core.arguments import PROOF_AGE, checked_age
from ..events import Listener
from ..exceptions import ConfigurationError, SmsMfaError
from ..typing import AsyncSender, AsyncStore, Clock
from .api import AsyncApi
from .base import CONTENT_SECURITY_POLICY
from .calls import LONGEST_BODY
from .jinja import environment, render
from .openapi import components, paths
from .paths import SAFE
from .requests import Answer, File, Page, Problem, Redirect, Request, wants_json
from .shapes import METHODS, PATHS
from .step import AsyncSecondStep
from .visit import UserId
from .words import Translate

if TYPE_CHECKING:
    from fastapi import APIRouter
    from jinja2 import BaseLoader

#: The longest form that is read, in bytes. Ours have about 500.
LONGEST_FORM = 10_000
#: The name of the route of our pages, for ``request.url_for("smsmfa", page="account")``.
_ROUTE = "smsmfa"
_NO_SESSION = (
    "the application has no sessions: app.add_middleware(SessionMiddleware, secret_key=...), "
    "from starlette.middleware.sessions"
)
_NOT_MOUNTED = 'the pages are not mounted: app.include_router(step.router, prefix="/mfa")'


class NotAllowed(HTTPException):
    """Ends a request of a user who may not go on.

    ``response`` is the whole answer. Applications give it after :meth:`SecondStep.init_app`; without that they give its
    status, its headers and one sentence.
    """

    def __init__(self, answer: Answer, response: Response) -> None:
        location = {"Location": answer.location} if isinstance(answer, Redirect) else {}
        super().__init__(answer.status, headers={**answer.headers, **location})
        self.response = response


class SecondStep:
    """The second step in a FastAPI or Starlette application, with Starlette's sessions.

    Args:
        config: the configuration.
        store: keeps the records.
        sender: sends the messages.
        login, home, channels, translate, content_security_policy, on_event, clock: as for
            :class:`smsmfa.web.SecondStep`.
        templates: a folder, or a loader of Jinja2. Its templates replace ours of the same name, for example
            ``smsmfa/base.html``.
        api: whether the JSON face is mounted beside the pages: see :class:`smsmfa.web.api.Api`.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    def __init__(
        self, config: FactorConfig, store: AsyncStore, sender: AsyncSender, *, login: str = "/login", home: str = "/",
        channels: Sequence[str] = ("sms",), translate: Translate | None = None,
        content_security_policy: str = CONTENT_SECURITY_POLICY,
        templates: str | PathLike[str] | BaseLoader | None = None, api: bool = False,
        on_event: Listener | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        from jinja2 import FileSystemLoader

        if isinstance(templates, str | PathLike) and not Path(templates).is_dir():
            raise ConfigurationError(
                "templates: there is no such folder; a relative path starts where the process runs"
            )
        self.pages: AsyncSecondStep = AsyncSecondStep(
            config, store, sender, login=login, home=home, channels=channels, translate=translate,
            content_security_policy=content_security_policy, on_event=on_event, clock=clock,
        )  # fmt: skip
        own = FileSystemLoader(templates) if isinstance(templates, str | PathLike) else templates
        self._templates = environment(own)
        self._api, self._has_api = AsyncApi(self.pages), api

    # --- where the pages are

    @cached_property
    def router(self) -> APIRouter:
        """The pages for FastAPI: ``app.include_router(step.router, prefix="/mfa")``."""
        from fastapi import APIRouter

        return APIRouter(routes=self._routes())

    @cached_property
    def app(self) -> Router:
        """The pages for Starlette: ``app.mount("/mfa", step.app)``."""
        return Router(self._routes())

    def init_app(self, app: Starlette) -> None:
        """Make an application answer the library's errors as problem+json, and ours from :meth:`required` in full.

        A ``ConfigurationError`` is left to the application: the operator must see it. With ``api`` it adds the JSON
        face to FastAPI's own document.
        """
        app.add_exception_handler(NotAllowed, _give)
        app.add_exception_handler(SmsMfaError, _tell)
        if self._has_api and hasattr(app, "openapi"):
            app.openapi = _documented(app, app.openapi)

    # --- for the application's own pages

    async def begin(self, request: HttpRequest, user_id: UserId, *, next: str | None = None) -> Response:  # noqa: A002
        """Begin the second step of a user who gave the right password. It sends the code.

        Args:
            request: the request that brought the password.
            user_id: the user.
            next: a path of the same site to go to afterwards; any other address becomes ``home``. ``None``: the page
                that the visitor asked for before the login, or ``home``.

        Returns:
            A redirect for the view to return.

        Raises:
            TypeError: ``user_id`` cannot be a user id.
            ConfigurationError: the application has no sessions, or the pages are not mounted.
        """
        return self._response(request, await self.pages.begin(self._request(request), user_id, next=next))

    def user_id(self, request: HttpRequest) -> UserId | None:
        """Return the id of a user who is in, as :meth:`begin` got it, or ``None``."""
        return self.pages.user_id(self._request(request))

    async def required(self, request: HttpRequest) -> UserId:
        """Let only users in who passed the second step: ``user_id: Annotated[str, Depends(step.required)]``.

        A client that wants JSON gets 401, others are redirected.

        Returns:
            The user id, as :meth:`begin` got it.

        Raises:
            NotAllowed: the user is not in.
            ConfigurationError: as for :meth:`begin`.
        """
        return self._allowed(request, self.pages.required(self._request(request)))

    def fresh(
        self, max_age: timedelta = PROOF_AGE, *, back: str | None = None
    ) -> Callable[[HttpRequest], Awaitable[UserId]]:
        """Return a dependency that lets only users in whose last code is fresh, and asks others for a new one.

        Args:
            max_age: how old the last code may be, at most 10 minutes.
            back: where to go afterwards. By default the page itself, or for a form the page that it was on.

        Raises:
            TypeError: the parentheses are missing.
            ValueError: ``max_age`` is out of range.
        """
        if callable(max_age):
            raise TypeError("fresh: call it, with or without an age: step.fresh()")
        checked_age(max_age)

        async def fresh(request: HttpRequest) -> UserId:
            return self._allowed(request, await self.pages.fresh(self._request(request), max_age, back=back))

        return fresh

    # --- for the application's own JSON

    async def begin_api(self, user_id: UserId) -> dict[str, Any] | None:
        """Like :meth:`smsmfa.web.api.Api.begin`."""
        return await self._api.begin(user_id)

    async def finish_api(self, mfa_token: object) -> UserId:
        """Like :meth:`smsmfa.web.api.Api.finish`."""
        return await self._api.finish(mfa_token)

    # --- requests and answers

    def _allowed(self, request: HttpRequest, answer: Answer | None) -> UserId:
        if answer is not None:
            raise NotAllowed(answer, self._response(request, answer))
        user_id = self.user_id(request)
        assert user_id is not None  # noqa: S101 - whoever is not in got an answer
        return user_id

    def _routes(self) -> list[BaseRoute]:
        pages = Route("/{page:path}", self._handle, methods=["GET", "POST"], name=_ROUTE, include_in_schema=False)
        return [*map(self._call, PATHS if self._has_api else ()), pages]

    def _call(self, path: str) -> Route:
        """Return the route of a path of the JSON face."""

        async def call(request: HttpRequest) -> Response:
            answer = await self._api.handle(
                request.method, path.format(**request.path_params), request.headers,
                await _body(request, LONGEST_BODY), prefix=_prefix(request),
            )  # fmt: skip
            return self._response(request, answer)

        return Route(f"/{path}", call, methods=METHODS, include_in_schema=False)

    async def _handle(self, request: HttpRequest) -> Response:
        form = await _form(request) if request.method == "POST" else {}
        answer = await self.pages.handle(self._request(request, request.path_params["page"], form))
        return self._response(request, answer)

    def _request(self, request: HttpRequest, page: str = "", form: dict[str, str] | None = None) -> Request:
        if "session" not in request.scope:
            raise ConfigurationError(_NO_SESSION)
        query = f"?{quote(text, safe=SAFE)}" if (text := request.scope["query_string"]) else ""
        return Request(
            method=request.method, session=request.session, root=_root(request), prefix=_prefix(request), page=page,
            url=_path(request) + query, origin=f"{request.base_url.scheme}://{request.base_url.netloc}",
            form=form or {}, query=dict(request.query_params), referer=request.headers.get("Referer", ""),
            language=request.headers.get("Accept-Language"), wants_json=wants_json(request.headers.get("Accept", "")),
        )  # fmt: skip

    def _response(self, request: HttpRequest, answer: Answer) -> Response:
        if answer.renew and "session_handler" in request.scope:
            request.scope["session_handler"].regenerate_id()  # starsessions; a signed cookie has no id
        headers = dict(answer.headers)
        if isinstance(answer, Redirect):
            return Response(status_code=answer.status, headers={**headers, "Location": answer.location})
        if isinstance(answer, Page):
            frame = {"request": request, "url_for": request.url_for}  # as Jinja2Templates gives them
            html = render(answer.template, {**frame, **answer.context}, using=self._templates)
            return Response(html, answer.status, headers, "text/html")
        if isinstance(answer, File):
            return Response(answer.body, answer.status, headers, answer.content_type)
        assert isinstance(answer, Problem)  # noqa: S101
        return _problem(answer)


def _prefix(request: HttpRequest) -> str:
    """Return the path under which the pages are mounted, as the browser sees it."""
    try:
        return quote(request.url_for(_ROUTE, page="").path.rstrip("/"), safe=SAFE)
    except NoMatchFound:
        raise ConfigurationError(_NOT_MOUNTED) from None


def _root(request: HttpRequest) -> str:
    """Return the path under which the application is mounted, as the browser sees it."""
    return quote(request.base_url.path.rstrip("/"), safe=SAFE)


def _path(request: HttpRequest) -> str:
    """Return the path of a request as the browser sees it. Some servers leave the path out that they are mounted at."""
    root, path = _root(request), quote(request.scope["path"])
    return path if path == root or path.startswith(f"{root}/") else root + path


async def _body(request: HttpRequest, longest: int) -> bytes:
    """Return the body of a request, or if it is longer than that (bytes) at least one byte more."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            break
    return body


async def _form(request: HttpRequest) -> dict[str, str]:
    """Return the fields of a form, or nothing for a body of another type.

    Raises:
        HTTPException: it is too large.
    """
    body = await _body(request, LONGEST_FORM)
    if len(body) > LONGEST_FORM:
        raise HTTPException(413)
    if not request.headers.get("Content-Type", "").lower().startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))


def _problem(answer: Problem) -> Response:
    body = json.dumps(dict(answer.body))
    return Response(body, answer.status, dict(answer.headers), "application/problem+json")


def _documented(app: Starlette, own: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a function that adds the JSON face to an application's OpenAPI document."""

    def openapi() -> dict[str, Any]:
        described = own()
        prefix = str(app.url_path_for(_ROUTE, page="")).rstrip("/")
        described.setdefault("paths", {}).update(paths(prefix))
        for kind, entries in components().items():
            described.setdefault("components", {}).setdefault(kind, {}).update(entries)
        return described

    return openapi


async def _give(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)  # noqa: S101 - it is registered for this class
    return error.response


async def _tell(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, SmsMfaError)  # noqa: S101
    if isinstance(error, ConfigurationError):
        raise error
    headers = {"Cache-Control": "no-store", **error.headers}
    return _problem(Problem(status=error.http_status, headers=headers, body=error.problem()))
