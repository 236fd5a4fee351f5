"""What each page shows. Every variable of a template is set here, as text in the visitor's language."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from secrets import token_urlsafe
from typing import Any

from ..config import FactorConfig
from ..exceptions import CodeUsed, DeliveryError, Locked, PhoneNumberError, RateLimited, SmsMfaError, StoreError
from ..typing import SMS, VOICE, WHATSAPP
from ..values import Challenge, EnrolledPhone, Status
from .countries import choices, preselected
from .explain import explain
from .paths import with_next
from .requests import Page, Request
from .visit import Visit
from .words import Texts, Translate

#: A number that is longer was not typed by a person.
_LONGEST_NUMBER = 64


def _(message: str) -> str:
    """Mark a text for translation: xgettext, Babel and Django find it by this name."""
    return message


_TITLES = {
    "code": _("Enter your code"),
    "step-up": _("Confirm that it is you"),
    "enrol/code": _("Confirm your phone number"),
}
_SENT = {
    SMS: _("We sent a text message with a code to %(phone)s."),
    VOICE: _("We called %(phone)s to tell you a code."),
    WHATSAPP: _("We sent a WhatsApp message with a code to %(phone)s."),
}
_OTHER_CHANNELS = {
    SMS: _("Send a text message"),
    VOICE: _("Call me instead"),
    WHATSAPP: _("Send it by WhatsApp"),
}


class Screens:
    """Draws the pages.

    Args:
        config: the configuration.
        login: the application's page that asks for the password.
        home: where a visitor goes who wanted to go nowhere else.
        channels: the channels that the sender has.
        translate: returns the texts for a language.
        headers: the headers of every page.
    """

    def __init__(
        self, config: FactorConfig, login: str, home: str, channels: Sequence[str], translate: Translate,
        headers: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._config, self._login, self._home, self._channels = config, login, home, channels
        self._translate, self._headers = translate, headers

    def enrol(self, request: Request, visit: Visit, status: Status, error: SmsMfaError | None, *, onward: str) -> Page:
        """Ask for country and number, with the problem beside its field."""
        texts = self.texts(request)
        countries = choices(self._config.regions, texts.language)
        region = request.form.get("region", preselected(self._config.regions, request.language))
        replace = request.form.get("replace") or request.query.get("replace") or ""
        changes = status.enrolled and (self._config.max_phones == 1 or replace != "")
        about_country = isinstance(error, PhoneNumberError) and error.reason in {"no_region", "region"}
        example = next((one.example for one in countries if one.region == region), "")
        return self._page(
            request, visit, "enrol", error, step="enrol", example=example,
            title=texts(_("Change your phone number") if changes else _("Set up your phone number")),
            countries=countries, region=region, number=request.form.get("number", "")[:_LONGEST_NUMBER],
            field=("region" if about_country else "number") if error is not None else "",
            replace=replace, onward=onward, action=_path(request, "enrol"),
            cancel=_path(request, "account") if visit.is_in else request.root + self._login,
        )  # fmt: skip

    def code(
        self, request: Request, visit: Visit, status: Status, challenge: Challenge | None, error: SmsMfaError | None,
        *, page: str, onward: str, seconds: int,
    ) -> Page:  # fmt: skip
        """Ask for a code, or say why none can be entered now.

        Args:
            request: the request.
            visit: the visitor.
            status: the user's.
            challenge: the challenge to answer, if there is one.
            error: what went wrong.
            page: which of the pages that ask for a code.
            onward: where the visitor goes afterwards.
            seconds: after how many the code can be sent again.
        """
        phones = [one for one in status.phones if not one.disabled]
        new = page == "enrol/code"
        if not new and not phones:
            return self._stop(request, visit, status, "locked", Locked(), page=page, onward=onward)
        if _must_wait(status, challenge, error):
            return self._stop(request, visit, status, "wait", error or RateLimited("guesses"), page=page, onward=onward)
        texts = self.texts(request)
        step = "resend" if request.page.endswith("/resend") else "code"
        # The code may have been accepted though the store failed. Then only the same form gets that answer.
        unknown = request.form.get("challenge", "") if isinstance(error, StoreError) else ""
        return self._page(
            request, visit, "code", error, step=step, title=texts(_TITLES[page]),
            intro="" if unknown and not challenge else _intro(texts, challenge, phones),
            live=challenge is not None or unknown != "", challenge=challenge.id if challenge else unknown,
            digits=str(self._config.digits),
            tries=self._tries(texts, challenge), resend_seconds=str(seconds), resend_wait=_resend_wait(texts, seconds),
            others=[] if new else _others(texts, phones, challenge), channels=self._other_channels(texts, challenge),
            onward=onward, action=_path(request, page), resend_action=_path(request, f"{page}/resend"),
            recovery="" if new else self._recovery(request, status, onward),
            another_number=with_next(_path(request, "enrol"), onward) if new else "", used=isinstance(error, CodeUsed),
            go_on=onward or visit.next, cancel=request.root + (self._home if visit.is_in else self._login),
        )  # fmt: skip

    def recovery(self, request: Request, visit: Visit, error: SmsMfaError | None, *, onward: str) -> Page:
        """Ask for a recovery code."""
        return self._page(
            request, visit, "recovery", error, step="recovery", title=self.texts(request)(_("Use a recovery code")),
            action=_path(request, "recovery"), onward=onward, back=_path(request, "step-up" if visit.is_in else "code"),
            used=isinstance(error, CodeUsed), go_on=onward or visit.next,
        )  # fmt: skip

    def recovery_codes(
        self, request: Request, visit: Visit, codes: Sequence[str], *, onward: str, recovered: bool, renew: bool
    ) -> Page:
        """Show recovery codes. This page only ever answers a form, and the same form within ten minutes shows it again.

        Args:
            request: the request.
            visit: the visitor.
            codes: the codes.
            onward: where the visitor goes afterwards.
            recovered: whether the visitor got in with a recovery code, so the phone may be lost.
            renew: whether the session gets a new id.
        """
        texts = self.texts(request)
        title = _("Save your recovery code") if len(codes) == 1 else _("Save your recovery codes")
        return self._page(
            request, visit, "recovery-codes", title=texts(title), codes=list(codes), as_text="%0A".join(codes),
            go_on=onward, enrol=_path(request, "enrol") if recovered else "", renew=renew,
        )  # fmt: skip

    def account(self, request: Request, visit: Visit, status: Status, error: SmsMfaError | None = None) -> Page:
        """Show the user's numbers and what can be changed."""
        texts = self.texts(request)
        count = status.recovery_codes_left
        left = texts.translations.ngettext(
            "You have %(number)s recovery code.", "You have %(number)s recovery codes.", count
        ) % {"number": count}
        return self._page(
            request, visit, "account", error, step="account", title=texts(_("Codes by text message")),
            phones=[self._phone(texts, request, status, one) for one in status.phones],
            can_add=len(status.phones) < self._config.max_phones,
            enrol=with_next(_path(request, "enrol"), _path(request, "account")),
            recovery_codes=left if status.enrolled and self._config.recovery_codes else "",
            new_codes_action=_path(request, "account/recovery-codes"),
            prefer_action=_path(request, "account/prefer"), home=request.root + self._home,
            turned_off="" if status.enabled else texts(_("Codes by text message are turned off at the moment.")),
        )  # fmt: skip

    def remove(self, request: Request, visit: Visit, phone: EnrolledPhone, *, last: bool) -> Page:
        """Ask whether a number is really to be removed."""
        texts = self.texts(request)
        text = _("Your recovery codes go with your last number. You will set up a number again at your next login.")
        return self._page(
            request, visit, "remove", title=texts(_("Remove %(phone)s?")) % {"phone": phone.masked},
            intro=texts(text if last else _("No more codes will be sent to this number.")), phone=phone.id,
            action=_path(request, "account/remove"), cancel=_path(request, "account"),
        )  # fmt: skip

    def forged(self, request: Request, visit: Visit) -> Page:
        """Say that a form was drawn for another visit, and that nothing was done."""
        texts = self.texts(request)
        return self._page(
            request, visit, "expired", status=403, title=texts(_("This page is out of date")),
            go_on=_path(request, "account" if visit.is_in else "code"),
        )  # fmt: skip

    def unavailable(self, request: Request, visit: Visit | None, error: SmsMfaError) -> Page:
        """Say that nothing can be done at the moment."""
        title = self.texts(request)(_("Something went wrong"))
        return self._page(request, visit, "unavailable", error, step="account", title=title, go_on=request.url)

    # --- parts

    def texts(self, request: Request) -> Texts:
        """Return the texts in the language of a request."""
        return self._translate(request.language)

    def _stop(
        self, request: Request, visit: Visit, status: Status, template: str, error: SmsMfaError,
        *, page: str, onward: str,
    ) -> Page:  # fmt: skip
        title = _("Your phone number is locked") if template == "locked" else _("Please wait")
        return self._page(
            request, visit, template, error, step="resend", title=self.texts(request)(title),
            go_on=with_next(_path(request, page), onward),
            recovery="" if page == "enrol/code" else self._recovery(request, status, onward),
        )  # fmt: skip

    def _page(
        self, request: Request, visit: Visit | None, template: str, error: SmsMfaError | None = None, *,
        step: str = "account", example: str = "", status: int = 200, renew: bool = False, **context: Any,
    ) -> Page:  # fmt: skip
        texts = self.texts(request)
        problem, headers = "", self._headers
        if error is not None:
            problem = explain(error, step=step, texts=texts, digits=self._config.digits, example=example)
            status, headers = error.http_status, {**self._headers, **error.headers}
            log(error)
        # A form whose answer nobody knows keeps its nonce, so that pressing the button again is the same request.
        nonce = request.form.get("nonce") if isinstance(error, StoreError) else None
        common = {
            "_": texts, "app_name": self._config.app_name, "language": texts.language, "direction": texts.direction,
            "problem": problem, "example": example, "csrf_field": "", "token": visit.token if visit else "",
            "nonce": nonce or token_urlsafe(16), "css_url": _file_url(request, "smsmfa.css"),
            "js_url": _file_url(request, "smsmfa.js"),
        }  # fmt: skip
        name = f"smsmfa/{template}.html"
        return Page(status=status, headers=headers, template=name, context=common | context, renew=renew)

    def _recovery(self, request: Request, status: Status, onward: str) -> str:
        """Return the address of the page for a recovery code, if the user has one."""
        return with_next(_path(request, "recovery"), onward) if status.recovery_codes_left else ""

    def _tries(self, texts: Texts, challenge: Challenge | None) -> str:
        """Return how many tries are left, once there was a wrong one."""
        left = challenge.attempts_left if challenge else None
        if left is None or left >= self._config.attempts:
            return ""
        return texts.translations.ngettext("You have %(number)s try left.", "You have %(number)s tries left.", left) % {
            "number": left
        }

    def _other_channels(self, texts: Texts, challenge: Challenge | None) -> list[dict[str, str]]:
        used = challenge.channel if challenge else SMS
        return [{"name": one, "text": texts(_OTHER_CHANNELS[one])} for one in self._channels if one != used]

    def _phone(self, texts: Texts, request: Request, status: Status, phone: EnrolledPhone) -> dict[str, Any]:
        first = phone == status.phones[0]
        note = _("Locked after too many wrong codes") if phone.disabled else _("Codes go here first") if first else ""
        change = with_next(_path(request, "enrol"), _path(request, "account"))
        replace = "" if self._config.max_phones == 1 else f"&replace={phone.id}"
        return {
            "id": phone.id, "masked": phone.masked, "note": texts(note) if note else "",
            "can_prefer": not first and not phone.disabled, "change": change + replace,
            "remove": _path(request, f"account/remove?phone={phone.id}"), "since": _day(phone.enrolled_at),
        }  # fmt: skip


def log(error: SmsMfaError) -> None:
    """Tell operators why a page says that something went wrong, once: what a session remembers was never raised."""
    if error.http_status >= 500 and error.__traceback__ is not None:
        cause = None if isinstance(error, DeliveryError) else error  # a carrier's own error may hold an address
        logging.getLogger("smsmfa").error("%s: %s", type(error).__name__, error, exc_info=cause)


def _must_wait(status: Status, challenge: Challenge | None, error: SmsMfaError | None) -> bool:
    """Tell whether no code can be entered and none can be sent now."""
    if isinstance(error, RateLimited) and error.scope != "resend":
        return error.scope == "guesses" or (challenge is None and error.retry_after is not None)
    return error is None and status.guesses_left == 0


def _intro(texts: Texts, challenge: Challenge | None, phones: Sequence[EnrolledPhone]) -> str:
    if challenge is not None:
        return texts(_SENT[challenge.channel]) % {"phone": challenge.phone.masked}
    if not phones:
        return texts(_("No code is on its way."))
    return texts(_("No code is on its way. We can send one to %(phone)s.")) % {"phone": phones[0].masked}


def _resend_wait(texts: Texts, seconds: int) -> str:
    return texts(_("You can ask for another code %(when)s.")) % {"when": texts.wait(seconds)} if seconds else ""


def _others(texts: Texts, phones: Sequence[EnrolledPhone], challenge: Challenge | None) -> list[dict[str, str]]:
    """Return the user's other numbers that a code can be sent to."""
    here = challenge.phone if challenge else phones[0].phone
    return [
        {"id": one.id, "text": texts(_("Send a code to %(phone)s")) % {"phone": one.masked}}
        for one in phones
        if one.phone != here
    ]


def _day(when: datetime) -> str:
    return when.date().isoformat()


def _path(request: Request, page: str) -> str:
    return f"{request.prefix}/{page}"


def _file_url(request: Request, name: str) -> str:
    return f"{request.prefix}/static/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    return sha256(read_file(name)).hexdigest()[:12]


@cache
def read_file(name: str) -> bytes:
    """Return a style sheet or a script of the pages."""
    return (files(__package__) / "static" / name).read_bytes()
