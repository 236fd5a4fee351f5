"""The second step of a Flask login. It needs the extra ``flask``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request, session
from markupsafe import Markup

from ..config import FactorConfig
from ..core.arguments import PROOF_AGE, checked_age
from ..events import Listener
from ..exceptions import ConfigurationError
from ..typing import Clock, Sender, Store
from .api import Api
from .base import CONTENT_SECURITY_POLICY
from .calls import LONGEST_BODY
from .paths import SAFE
from .requests import Answer, File, Page, Problem, Redirect, Request, wants_json
from .shapes import METHODS, PATHS
from .step import SecondStep as Pages
from .visit import UserId
from .words import Translate

View = Callable[..., Any]


class SecondStep:
    """The second step in a Flask application, with Flask's session.

    Args:
        config: the configuration.
        store: keeps the records.
        sender: sends the messages.
        login, home, channels, translate, content_security_policy, on_event, clock: as for
            :class:`smsmfa.web.SecondStep`.
        api: whether the JSON face is mounted beside the pages: see :class:`smsmfa.web.api.Api`.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    def __init__(
        self, config: FactorConfig, store: Store, sender: Sender, *, login: str = "/login", home: str = "/",
        channels: Sequence[str] = ("sms",), translate: Translate | None = None,
        content_security_policy: str = CONTENT_SECURITY_POLICY, api: bool = False, on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.pages: Pages = Pages(
            config, store, sender, login=login, home=home, channels=channels, translate=translate,
            content_security_policy=content_security_policy, on_event=on_event, clock=clock,
        )  # fmt: skip
        self._api, self._has_api = Api(self.pages), api
        self._prefix = "/mfa"

    def init_app(self, app: Flask, prefix: str = "/mfa") -> None:
        """Mount the pages in an application. Templates of the application replace ours of the same name.

        Args:
            app: the application.
            prefix: the path of the pages.

        Raises:
            ConfigurationError: the prefix is no path.
        """
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ConfigurationError('prefix: a path such as "/mfa"')
        self._prefix = prefix
        blueprint = Blueprint("smsmfa", __name__, template_folder="templates", url_prefix=prefix)
        blueprint.add_url_rule("/<path:page>", "page", self._handle, methods=["GET", "POST"])
        for path in PATHS if self._has_api else ():
            rule, name = "/" + path.replace("{id}", "<id>"), f"api {path}".replace(".", " ")
            blueprint.add_url_rule(rule, name, self._call, methods=METHODS, provide_automatic_options=False)
        app.register_blueprint(blueprint)
        if self._has_api and "csrf" in app.extensions:
            app.extensions["csrf"].exempt(self._call)  # it reads no cookie

    @property
    def user_id(self) -> UserId | None:
        """The id of the user who is in, as :meth:`begin` got it, or ``None``."""
        return self.pages.user_id(self._request())

    def begin(self, user_id: UserId, *, next: str | None = None) -> Response:  # noqa: A002
        """Begin the second step of a user who gave the right password. It sends the code.

        Args:
            user_id: the user.
            next: a path of the same site to go to afterwards; any other address becomes ``home``. ``None``: the page
                that the visitor asked for before the login, or ``home``.

        Returns:
            A redirect for the view to return.

        Raises:
            TypeError: ``user_id`` cannot be a user id.
        """
        return self._response(self.pages.begin(self._request(), user_id, next=next))

    def required(self, view: View) -> View:
        """Let only users in who passed the second step. A client that wants JSON gets 401, others are redirected."""
        return self._guarded(view, self.pages.required)

    def fresh(self, max_age: timedelta = PROOF_AGE, *, back: str | None = None) -> Callable[[View], View]:
        """Let only users in whose last code is fresh; ask others for a new one.

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
        return lambda view: self._guarded(view, lambda request: self.pages.fresh(request, max_age, back=back))

    def begin_api(self, user_id: UserId) -> dict[str, Any] | None:
        """Like :meth:`smsmfa.web.api.Api.begin`."""
        return self._api.begin(user_id)

    def finish_api(self, mfa_token: object) -> UserId:
        """Like :meth:`smsmfa.web.api.Api.finish`."""
        return self._api.finish(mfa_token)

    def _guarded(self, view: View, check: Callable[[Request], Answer | None]) -> View:
        @wraps(view)
        def guarded(*arguments: Any, **named: Any) -> Any:
            answer = check(self._request())
            return current_app.ensure_sync(view)(*arguments, **named) if answer is None else self._response(answer)

        return guarded

    def _handle(self, page: str) -> Response:
        return self._response(self.pages.handle(self._request(page)))

    def _call(self, **path: str) -> Response:
        """Answer a call of the JSON face."""
        answer = self._api.handle(
            request.method, request.path.removeprefix(f"{self._prefix}/"), dict(request.headers),
            request.stream.read(LONGEST_BODY + 1), prefix=quote(request.script_root) + self._prefix,
        )  # fmt: skip
        return self._response(answer)

    def _request(self, page: str = "") -> Request:
        root = quote(request.script_root)
        query = f"?{quote(request.query_string, safe=SAFE)}" if request.query_string else ""
        return Request(
            method=request.method, session=session, root=root, prefix=root + self._prefix, page=page,
            url=f"{root}{quote(request.path)}{query}", origin=request.host_url.rstrip("/"),
            form=request.form.to_dict() if page else {}, query=request.args.to_dict(),
            referer=request.headers.get("Referer", ""), language=request.headers.get("Accept-Language"),
            wants_json=wants_json(request.headers.get("Accept", "")),
        )  # fmt: skip

    def _response(self, answer: Answer) -> Response:
        if answer.renew and hasattr(session, "sid"):  # Flask-Session; a signed cookie has no id
            session.sid, session.modified = token_urlsafe(32), True  # what is stored under the old id stays
        response = _body(answer)
        response.headers.update(answer.headers)
        return response


def _body(answer: Answer) -> Response:
    if isinstance(answer, Redirect):
        return make_response("", answer.status, {"Location": answer.location})
    if isinstance(answer, Page):
        context = {**answer.context, "csrf_field": _csrf_field()}
        return make_response(render_template(answer.template, **context), answer.status)
    if isinstance(answer, File):
        return Response(answer.body, answer.status, content_type=answer.content_type)
    assert isinstance(answer, Problem)  # noqa: S101
    return Response(json.dumps(dict(answer.body)), answer.status, content_type="application/problem+json")


def _csrf_field() -> Markup:
    """Return the hidden field of Flask-WTF's ``CSRFProtect``, if the application uses that."""
    if "WTF_CSRF_FIELD_NAME" not in current_app.config:
        return Markup()
    from flask_wtf.csrf import generate_csrf

    name = current_app.config["WTF_CSRF_FIELD_NAME"]
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, generate_csrf())
