"""The demo's site: a small application with accounts, mounted with :mod:`smsmfa.web.flask` like anybody's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from hmac import compare_digest
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock
from typing import Any

from flask import Flask, Response, redirect, render_template, request, session
from markupsafe import Markup

from ...exceptions import ConfigurationError, SmsMfaError
from ...stores.sqlite import SqliteStore
from ...web.flask import SecondStep
from . import plot
from .archive import Archive
from .operator import DEFAULTS, HIDDEN, Settings, changed, default_templates, failed_because, new_secret

_LONGEST_FORM = 100_000
_DAY = 86_400


class Site:
    """The demo as a WSGI application. Whenever the settings change, it builds its pages anew.

    Args:
        directory: where it keeps its two files. It is made if it is absent.
        clock: a function like :func:`time.time_ns`.
    """

    def __init__(self, directory: Path, clock: Callable[[], int] | None = None) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.archive: Archive = Archive(directory / "site.sqlite3")
        self.store: SqliteStore = SqliteStore(directory / "factor.sqlite3")
        self._clock, self._lock = clock, Lock()
        if "secret" not in self.archive.settings():
            self.archive.save({"secret": new_secret(), "cookies": new_secret(), **DEFAULTS})
        self.settings: Settings = self._saved()
        self.app: Flask = self._built(self.settings)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        return self.app(environ, start_response)

    def change(self, settings: Settings) -> None:
        """Use other settings from now on.

        Raises:
            ConfigurationError: a setting is wrong. Nothing changes.
        """
        with self._lock:
            self.app = self._built(settings)
            self.archive.save(settings.values)
            self.settings = settings

    def _saved(self) -> Settings:
        saved = {**DEFAULTS, **self.archive.settings()}
        return Settings({name: saved[name] for name in DEFAULTS}, saved["secret"])

    def _built(self, settings: Settings) -> Flask:
        app = Flask(__name__, static_folder="static", template_folder="templates")
        app.secret_key = self.archive.settings()["cookies"]
        app.config.update(
            TRUSTED_HOSTS=["127.0.0.1", "localhost"], MAX_CONTENT_LENGTH=_LONGEST_FORM, SESSION_COOKIE_SAMESITE="Lax",
            SESSION_COOKIE_NAME="smsmfa-demo",
        )  # fmt: skip
        step = SecondStep(
            settings.config(), self.store, settings.sender(self.archive), login="/", home="/",
            on_event=self.archive.note, clock=self._clock,
        )  # fmt: skip
        step.init_app(app)
        Views(self, step, settings).add_to(app)
        return app


class Views:
    """The demo's own pages.

    Args:
        site: the site.
        step: the second step.
        settings: the settings that the pages were built with.
    """

    def __init__(self, site: Site, step: SecondStep, settings: Settings) -> None:
        self._site, self._archive, self._step, self._settings = site, site.archive, step, settings

    def add_to(self, app: Flask) -> None:
        """Add the pages to an application."""
        app.context_processor(self._for_every_page)
        app.before_request(_check_token)
        fresh = self._step.fresh()
        for path, method, view in (
            ("/", "GET", self.home),
            ("/sign-up", "POST", self.sign_up),
            ("/log-in", "POST", self.log_in),
            ("/log-out", "POST", self.log_out),
            ("/secret", "GET", fresh(self.secret)),
            ("/phone", "GET", self.phone),
            ("/settings", "GET", self.show_settings),
            ("/settings", "POST", self.save_settings),
            ("/settings/preview", "POST", self.preview),
            ("/settings/doctor", "POST", self.doctor),
            ("/settings/test", "POST", self.test),
            ("/activity", "GET", self.activity),
        ):
            app.add_url_rule(path, f"{method} {path}", view, methods=[method])

    # --- for everybody

    def home(self) -> str:
        """Show who is logged in, or the forms."""
        return self._home()

    def sign_up(self) -> Any:
        """Make an account, and begin its second step."""
        name, password = _typed("name"), request.form.get("password", "")
        if not name or len(password) < 8:
            return self._home("Choose a name, and a password of at least 8 characters."), 422
        account = self._archive.sign_up(name, password)
        if account is None:
            return self._home("This name is taken. Choose another one."), 409
        return self._step.begin(account)

    def log_in(self) -> Any:
        """Check the password, and begin the second step."""
        account = self._archive.check_password(_typed("name"), request.form.get("password", ""))
        if account is None:
            return self._home("Wrong name or password."), 401
        return self._step.begin(account)

    def log_out(self) -> Any:
        """Forget the session."""
        session.clear()
        return redirect("/", 303)

    def secret(self) -> str:
        """Show a page that takes a fresh code."""
        return render_template("demo/secret.html", title="A page behind a fresh code")

    def phone(self) -> str:
        """Return the drawn phone, for the script."""
        return render_template("demo/_phone.html")

    # --- for the operator

    def show_settings(self) -> str:
        """Show the settings."""
        return _settings_page(self._settings)

    def save_settings(self) -> Any:
        """Use other settings, or say what is wrong with them."""
        settings = self._changed()
        try:
            self._site.change(settings)
        except ConfigurationError as error:
            return _settings_page(settings, problem=str(error)), 422
        return redirect("/settings?saved=1", 303)

    def preview(self) -> Any:
        """Return the texts with their segments, and the risk, for the script."""
        settings = self._changed()
        try:
            risk = settings.risk()
        except ConfigurationError as error:
            risk = str(error)
        return {"previews": settings.previews(), "risk": risk}

    def doctor(self) -> str:
        """Show what the doctor finds."""
        return _settings_page(self._settings, findings=self._settings.findings())

    def test(self) -> Any:
        """Send a test message."""
        try:
            self._settings.sender(self._archive).send(self._settings.test_message(_typed("number")))
        except SmsMfaError as error:
            return _settings_page(self._settings, test_problem=failed_because(error)), 422
        return redirect("/settings?sent=1", 303)

    def activity(self) -> str:
        """Show the events and a plot of the last day."""
        now = time.time() if self._site._clock is None else self._site._clock() / 1e9
        hours = plot.counts(self._archive.events(now - _DAY, 100_000), now)
        return render_template(
            "demo/activity.html", title="Activity", events=self._archive.events(most=100),
            plot=Markup(plot.draw(hours)),  # noqa: S704 - it holds nothing but numbers
            highest=plot.highest(hours), series=plot.SERIES,
            totals={name: sum(hour[name] for hour in hours) for name, _ in plot.SERIES},
        )  # fmt: skip

    # --- parts

    def _home(self, problem: str = "") -> str:
        name = self._archive.name_of(self._step.user_id) if self._step.user_id is not None else ""
        return render_template(
            "demo/home.html", title=f"Hello {name}" if name else "Log in", name=name, problem=problem
        )

    def _changed(self) -> Settings:
        return Settings(changed(self._settings.values, request.form), self._settings.secret)

    def _for_every_page(self) -> dict[str, Any]:
        if "demo_token" not in session:
            session["demo_token"] = token_urlsafe(24)
        return {
            "demo_token": session["demo_token"], "messages": self._archive.messages(),
            "drawn": self._settings.values["provider"] == "phone", "demo_app": self._settings.values["SMSMFA_APP_NAME"],
        }  # fmt: skip


def _check_token() -> Any:
    """Refuse forms of other sites. The pages of the second step have a token of their own."""
    if request.method != "POST" or request.endpoint == "smsmfa.page":
        return None
    if compare_digest(request.form.get("demo_token", "").encode(), session.get("demo_token", "\0").encode()):
        return None
    return Response("This page is out of date. Go back, load it again, and try once more.", 403, mimetype="text/plain")


def _typed(name: str) -> str:
    return request.form.get(name, "").strip()[:100]


def _settings_page(settings: Settings, **more: Any) -> str:
    try:
        risk = settings.risk()
    except ConfigurationError:
        risk = ""
    shown = {name: text for name, text in settings.values.items() if name != HIDDEN}
    return render_template(
        "demo/settings.html", title="Settings", values=shown, has_token=bool(settings.values[HIDDEN]),
        previews=settings.previews(), risk=risk, defaults=default_templates(), saved="saved" in request.args,
        sent="sent" in request.args, **{"problem": "", "test_problem": "", "findings": None, **more},
    )  # fmt: skip
