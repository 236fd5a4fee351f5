"""The half of the pages that does not wait: who may see a page, and where a visitor goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote

import attrs

from ..config import FactorConfig
from ..core.arguments import checked_clock
from ..exceptions import (
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
    StoreContention,
    StoreError,
)
from ..typing import CHANNELS, ENROLLMENT, SMS, Clock
from ..values import Challenge, Status, Verification
from . import visit as visits
from .paths import of_referer, same_site, with_next
from .requests import Answer, File, Problem, Redirect, Request
from .screens import Screens, read_file
from .visit import UserId, Visit
from .words import Translate, english

#: Nothing inline, nothing from other sites.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
#: The pages that a visitor may see who has given the password, and those for whoever is in.
_HALFWAY_PAGES = ("enrol", "enrol/code", "enrol/code/resend", "code", "code/resend", "recovery")
_PAGES = (
    *_HALFWAY_PAGES, "step-up", "step-up/resend", "account", "account/prefer", "account/remove",
    "account/recovery-codes",
)  # fmt: skip
#: The pages that only a form can ask for. Whoever types their address is sent to the page with the form.
_ONLY_POSTS = {
    "code/resend": "code", "step-up/resend": "step-up", "enrol/code/resend": "enrol/code",
    "account/prefer": "account", "account/recovery-codes": "account",
}  # fmt: skip
#: What the next page says again of a message that was not sent, by code.
_REFUSALS: dict[str, type[SmsMfaError]] = {
    kind.code: kind
    for kind in (
        DeliveryRejected, RecipientOptedOut, RecipientRejected, SenderMisconfigured, StoreContention, StoreError
    )
}  # fmt: skip
_FILES = {"static/smsmfa.css": "text/css; charset=utf-8", "static/smsmfa.js": "text/javascript; charset=utf-8"}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@attrs.frozen
class Question:
    """A code that a page asks for.

    Args:
        page: the page.
        purpose: what the code is good for.
    """

    page: str
    purpose: str


LOGIN = Question("code", "login")
STEP_UP = Question("step-up", "manage")
NEW_NUMBER = Question("enrol/code", ENROLLMENT)


class StepBase:
    """What :class:`SecondStep` and its twin share."""

    def __init__(
        self, config: FactorConfig, login: str, home: str, channels: Sequence[str], translate: Translate | None,
        content_security_policy: str, clock: Clock | None,
    ) -> None:  # fmt: skip
        for name, address in (("login", login), ("home", home)):
            if not address or same_site(address, "") != address:
                raise ConfigurationError(f'{name}: a path of the same site, for example "/{name}"')
        if SMS not in channels or not set(channels) <= set(CHANNELS):
            raise ConfigurationError(f'channels: those of {", ".join(CHANNELS)} that the sender has, with "sms"')
        self.config: FactorConfig = config
        self.login: str = login
        self.home: str = home
        self._channels = tuple(channels)
        self._clock = checked_clock(clock)
        self._headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": content_security_policy,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        self._screens = Screens(config, login, home, self._channels, translate or english, self._headers)

    # --- for the application's own pages

    def visit(self, request: Request) -> Visit | None:
        """Return what the session remembers of a visitor: ``None`` for a stranger."""
        return visits.read(request.session, self._now())

    def user_id(self, request: Request) -> UserId | None:
        """Return the id of a user who is in, as the application gave it, or ``None``."""
        visit = self.visit(request)
        return visit.user_id if visit is not None and visit.is_in else None

    def required(self, request: Request) -> Answer | None:
        """Return ``None`` for a user who is in, or else the answer to give: a redirect, or 401 for a JSON client.

        After the login, a stranger comes to the page that was asked for, unless :meth:`begin` is given another one.
        """
        visit = self.visit(request)
        if visit is not None and visit.is_in:
            return None
        if request.wants_json:
            return self._unauthorized()
        if visit is not None:
            return self._see(request, "code")
        if request.method in {"GET", "HEAD"}:
            visits.want(request.session, same_site(request.url, ""))
        return self._log_in(request)

    def _stale(self, request: Request, error: ProofRequired, back: str | None) -> Answer:
        """Return the answer for a user whose last code is too old."""
        if request.wants_json:
            return self._problem(error, detail="the last code is too old; confirm with a new one first")
        if back is None:
            here = request.url if request.method in {"GET", "HEAD"} else ""
            back = here or of_referer(request.referer, request.origin, "")
        return self._step_up(request, same_site(back, request.root + self.home))

    # --- who may see a page

    def _early(self, request: Request, visit: Visit | None) -> Answer | None:
        """Return the answer for whoever may not see the page, or ``None``."""
        if request.page in _FILES:
            return _file(request.page)
        if visit is None:
            return self._unauthorized() if request.wants_json else self._log_in(request)
        if not self.config.enabled and not request.page.startswith("account"):
            return self._go(request.root + self.home) if visit.is_in else self._log_in(request)
        if request.page not in _PAGES:
            return self._see(request, "account" if visit.is_in else "code")
        if not visit.is_in and request.page not in _HALFWAY_PAGES:
            return self._see(request, "code")
        if request.method == "POST":
            return None if visit.owns(request.form.get("smsmfa_token", "")) else self._screens.forged(request, visit)
        return self._see(request, _ONLY_POSTS[request.page]) if request.page in _ONLY_POSTS else None

    def _begun(self, request: Request, user_id: UserId, next_page: str | None) -> Visit:
        onward = visits.wanted(request.session) if next_page is None else next_page
        return visits.begun(request.session, user_id, same_site(onward, request.root + self.home), self._now())

    # --- what becomes of a visit

    def _asked(self, request: Request, visit: Visit, challenge: Challenge) -> None:
        """Note that a code was sent."""
        visit.said = None
        if challenge.purpose == ENROLLMENT:
            visit.pending = challenge.id
        visit.save(request.session)

    def _refused(self, request: Request, visit: Visit, error: SmsMfaError) -> None:
        """Note why no code was sent, for the page that says so, unless the user's status tells it anyway."""
        if isinstance(error, RateLimited) and error.scope != "resend":
            seconds = error.retry_after_seconds
            visit.said = (error.code, error.scope, 0 if seconds is None else self._now() + seconds)
        elif isinstance(error, PhoneNumberError):
            visit.said = (error.code, error.reason, 0)
        elif isinstance(error, (DeliveryError, StoreError)):
            visit.said = (error.code, "", 0)
        visit.save(request.session)

    def _enter(self, request: Request, visit: Visit, proof: Verification | None) -> bool:
        """Note that the second step is passed. Return whether the session needs a new id."""
        renew = not visit.is_in
        visit.is_in, visit.said = True, None
        visit.proof = proof.token if proof is not None else None
        visit.save(request.session)
        return renew

    def _said(self, visit: Visit, status: Status) -> SmsMfaError | None:
        """Return the last refusal of a message if it still holds."""
        if visit.said is None:
            return None
        code, scope, until = visit.said
        if code == RateLimited.code:
            left = until - self._now()
            if (until and left <= 0) or (scope == "guesses" and status.guesses_left):
                return None
            return RateLimited(scope, timedelta(seconds=left) if until else None)
        return PhoneNumberError(scope) if code == PhoneNumberError.code else _REFUSALS.get(code, DeliveryError)()

    # --- answers

    def _code_page(self, request: Request, visit: Visit, status: Status, error: SmsMfaError | None) -> Answer:
        """Return the page that asks for a code, or the one that is due instead."""
        question = question_of(request)
        elsewhere = self._elsewhere(request, visit, status, question)
        if elsewhere is not None and (error is None or not (status.enrolled or question is NEW_NUMBER)):
            return elsewhere
        said = self._said(visit, status) if error is None else error
        challenge = next((one for one in status.challenges if one.purpose == question.purpose), None)
        return self._screens.code(
            request, visit, status, challenge, said,
            page=question.page, onward=self._next(request), seconds=self._until(challenge),
        )  # fmt: skip

    def _elsewhere(self, request: Request, visit: Visit, status: Status, question: Question) -> Answer | None:
        """Return the redirect for whoever has no use for this page."""
        if question is LOGIN and visit.is_in:
            return self._go(visit.next)
        if question is not NEW_NUMBER:
            return None if status.enrolled else self._enrol(request)
        if any(one.purpose == ENROLLMENT for one in status.challenges):
            return None
        if not status.enrolled:
            return self._enrol(request)
        return self._see(request, "account" if visit.is_in else "code")

    def _until(self, challenge: Challenge | None) -> int:
        """Return after how many seconds the code can be sent again."""
        left = challenge.resend_at.timestamp() - self._clock() / 1e9 if challenge else 0
        return max(math.ceil(left), 0)

    def _enrol(self, request: Request) -> Answer:
        return self._go(with_next(f"{request.prefix}/enrol", self._next(request)))

    def _step_up(self, request: Request, back: str) -> Answer:
        return self._go(with_next(f"{request.prefix}/step-up", back))

    def _next(self, request: Request) -> str:
        """Return where this form or page goes on to, if it names a page of this site."""
        return same_site(request.form.get("next") or request.query.get("next"), "")

    def _ask(self, request: Request, question: Question) -> Answer:
        """Return the redirect to the page that asks for a code that was sent."""
        return self._go(with_next(f"{request.prefix}/{question.page}", self._next(request)))

    def _back(self, request: Request, visit: Visit) -> str:
        """Return where to go on after a step-up that a page of ours asked for."""
        if request.page != "enrol":
            return f"{request.prefix}/account"
        replace = request.form.get("replace") or request.query.get("replace")
        onward = self._next(request) or f"{request.prefix}/account"
        path = with_next(f"{request.prefix}/enrol", onward)
        return path + (f"&replace={quote(replace, safe='')}" if replace else "")

    def _retry_key(self, request: Request, visit: Visit) -> str | None:
        return visit.retry_key(request.form.get("nonce", ""))

    def _channel(self, request: Request) -> str | None:
        """Return the channel that a form asks for, if the sender has it."""
        channel = request.form.get("channel")
        return channel if channel in self._channels else None

    def _log_in(self, request: Request) -> Answer:
        return self._go(request.root + self.login)

    def _see(self, request: Request, page: str) -> Answer:
        return self._go(f"{request.prefix}/{page}")

    def _go(self, location: str, *, renew: bool = False) -> Answer:
        headers = {name: self._headers[name] for name in ("Cache-Control", "Referrer-Policy")}
        return Redirect(location=location, headers=headers, renew=renew)

    def _problem(self, error: SmsMfaError, **more: str) -> Answer:
        headers = {"Cache-Control": "no-store", **error.headers}
        return Problem(status=error.http_status, headers=headers, body={**error.problem(), **more})

    def _unauthorized(self) -> Answer:
        status = HTTPStatus.UNAUTHORIZED
        body = {
            "type": "about:blank", "title": status.phrase, "status": status.value, "code": "second_step_required",
            "detail": "log in and pass the second step first",
        }  # fmt: skip
        return Problem(status=status.value, headers={"Cache-Control": "no-store"}, body=body)

    def _failed(self, request: Request, error: SmsMfaError) -> Answer:
        """Return the answer to a request that could not be decided. Nobody is let in by it."""
        return (
            self._problem(error)
            if request.wants_json
            else self._screens.unavailable(request, self.visit(request), error)
        )

    def _now(self) -> int:
        """Return seconds since the epoch."""
        return max(self._clock() // 1_000_000_000, 0)


def question_of(request: Request) -> Question:
    """Return which code a page, or its button that sends another one, is about."""
    page = request.page.removesuffix("/resend")
    return next(one for one in (LOGIN, STEP_UP, NEW_NUMBER) if one.page == page)


def _file(name: str) -> File:
    content = read_file(name.removeprefix("static/"))
    return File(body=content, content_type=_FILES[name], headers={"Cache-Control": _FOR_A_YEAR})
