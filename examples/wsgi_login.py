"""A login with an SMS second factor, using only the standard library.

Run ``python examples/wsgi_login.py``, open http://127.0.0.1:8000/ and log in as ``alice`` with the password
``correct horse``. The messages that a real carrier would send are printed.
"""

import os
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import make_server

from smsmfa import (
    Challenge,
    ConsoleSender,
    Enroller,
    FactorConfig,
    MemoryStore,
    ProofRequired,
    RateLimited,
    SmsMfaError,
    Verification,
    Verifier,
)
from smsmfa.phone import countries
from smsmfa.typing import Sender, Store

Session = dict[str, str]
Form = dict[str, str]
Page = tuple[int, str, dict[str, str]]  # status, HTML, headers

USERS = {"alice": "correct horse"}  # your own user table holds hashes
MESSAGES = {"manage": "{{ code }} lets you change how you log in to {{ app_name }}. Never tell it to anybody."}
LONGEST_FORM = 10_000  # bytes
WORDS = {
    "already_enrolled": "You already have this number.",
    "code_rejected": "That isn't the code we expect.",
    "code_used": "You have just used this code. You may be logged in already.",
    "code_malformed": "That can't be the code. Check it and enter it again.",
    "proof_required": "Enter a new code first.",
}
LIMITS = {
    "resend": "We have just sent you a message.",
    "guesses": "Too many wrong codes.",
    "recovery": "Too many wrong recovery codes.",
}


class Login:
    """A WSGI application with the pages of the tutorial.

    Args:
        config: the operator's settings.
        store: where the factor keeps its records.
        sender: sends the messages.
    """

    def __init__(self, config: FactorConfig, store: Store, sender: Sender) -> None:
        self.config = config
        self.enroller = Enroller(config, store, sender)
        self.verifier = Verifier(config, store, sender)
        self.sessions = Sessions()
        self.for_all = {"/": (self.get_login, self.post_login)}
        self.for_halfway = self.for_all | {
            "/enrol": (self.get_enrol, self.post_enrol),
            "/enrol/confirm": (self.get_confirm, self.post_confirm),
            "/code": (self.get_code, self.post_code),
            "/resend": (self.get_code, self.post_resend),
            "/recovery": (self.get_recovery, self.post_recovery),
        }
        self.for_users = self.for_halfway | {
            "/": (self.get_home, self.post_login),
            "/logout": (self.get_home, self.post_logout),
            "/recovery-codes": (self.get_home, self.post_recovery_codes),
        }

    # --- HTTP

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        """Answer one request."""
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("session")
        session_id = cookie.value if cookie else ""
        before = self.sessions.get(session_id)
        session = dict(before)
        try:
            status, html, headers = self.page(environ, session)
        except SmsMfaError as error:
            status, html, headers = answer(error)
        headers |= self.keep(session, session_id, before)
        headers |= {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [f"<!doctype html><title>Acme</title>{html}".encode()]

    def keep(self, session: Session, session_id: str, before: Session) -> dict[str, str]:
        """Keep what a request made of its session. If somebody logged in or out, return a cookie with a new id."""
        if all(session.get(entry) == before.get(entry) for entry in ("halfway", "user")):
            if session:
                self.sessions.put(session_id, session)
            return {}
        if "user" in before:  # logged out: the retry keys go too
            self.sessions.drop(session_id)
            self.sessions.drop(before.get("began", ""))
        if not session:
            return {"Set-Cookie": "session=; Max-Age=0; Path=/"}
        # A new id: someone who knows the old one is not logged in. The halfway session stays under the old id, so that
        # a second click, or a repetition after a lost answer, is answered again.
        new_id = secrets.token_urlsafe(32)
        self.sessions.put(new_id, session | {"began": session_id})
        # SameSite blocks forms on other sites. With HTTPS, add "; Secure".
        return {"Set-Cookie": f"session={new_id}; HttpOnly; SameSite=Lax; Path=/"}

    def page(self, environ: dict[str, Any], session: Session) -> Page:
        """Run the requested page if this session may see it."""
        pages = self.for_users if "user" in session else self.for_halfway if "halfway" in session else self.for_all
        if environ["PATH_INFO"] not in pages:
            return see("/")
        if environ["PATH_INFO"] in {"/code", "/resend"} and self.is_proven(session):
            return see("/")  # Back after the login, or a second tab
        get, post = pages[environ["PATH_INFO"]]
        if environ["REQUEST_METHOD"] != "POST":
            return get(session, {})
        length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_FORM)
        return post(session, dict(parse_qsl(environ["wsgi.input"].read(length).decode("utf-8", "replace"))))

    # --- the password

    def get_login(self, session: Session, form: Form) -> Page:
        return ok(a_form("/", "<input name=name> <input name=password type=password>", "Log in"))

    def post_login(self, session: Session, form: Form) -> Page:
        name, password = form.get("name", ""), form.get("password", "")
        if name not in USERS or not compare_digest(USERS[name].encode(), password.encode()):
            return 401, "Wrong name or password. <a href=/>Back</a>", {}
        session.clear()
        session["forms"] = secrets.token_urlsafe(32)
        status = self.verifier.status(name)
        if not status.enabled:  # the operator turned the factor off
            session["user"] = name
            return see("/")
        session["halfway"] = name
        return see("/code" if status.enrolled else "/enrol")

    def log_in(self, session: Session, proof: Verification) -> None:
        session.pop("halfway", None)
        session["user"] = proof.user_id
        session["proof"] = proof.token

    def is_proven(self, session: Session) -> bool:
        """Tell whether this user passed the second step within the last ten minutes."""
        try:
            self.verifier.check_proof(who(session), session.get("proof"))
        except ProofRequired:
            return False
        return True

    # --- the first number, and a new one

    def get_enrol(self, session: Session, form: Form) -> Page:
        options = "".join(
            f"<option value={country.region}>{country.region} +{country.calling_code}"
            for country in countries(self.config.regions)
        )
        fields = f"<select name=region><option value=''>Country{options}</select> <input name=number type=tel>"
        return ok("Which number should we send codes to?" + a_form("/enrol", fields, "Send a code"))

    def post_enrol(self, session: Session, form: Form) -> Page:
        pending = self.enroller.start(
            who(session), form.get("number", ""), region=form.get("region"), proof=session.get("proof")
        )
        session["pending"] = pending.id
        return see("/enrol/confirm")

    def get_confirm(self, session: Session, form: Form) -> Page:
        challenge = self.verifier.status(who(session)).challenge(session.get("pending", ""))
        if challenge is None:  # confirmed, or too old
            return see("/" if "user" in session else "/enrol")
        return ok(self.ask(challenge, "/enrol/confirm") + "<a href=/enrol>Another number</a>")

    def post_confirm(self, session: Session, form: Form) -> Page:
        enrolled = self.enroller.confirm(
            who(session), session.get("pending", ""), form.get("code", ""), retry_key=retry_key(session, form)
        )
        self.log_in(session, enrolled.verification)
        return ok(f"Codes now go to {enrolled.phone.masked}." + to_keep(enrolled.recovery_codes))

    # --- the second step

    def get_code(self, session: Session, form: Form) -> Page:
        challenge = self.verifier.status(who(session)).challenge(session.get("challenge", ""))
        if challenge is None:
            challenge = self.verifier.challenge(who(session), purpose=purpose(session))
        session["challenge"] = challenge.id
        return ok(
            self.ask(challenge, "/code")
            + a_form("/resend", "", "Send it again")
            + "<a href=/recovery>Lost your phone?</a>"
        )

    def post_code(self, session: Session, form: Form) -> Page:
        proof = self.verifier.verify(
            who(session),
            session.get("challenge", ""),
            form.get("code", ""),
            purpose=purpose(session),
            retry_key=retry_key(session, form),
        )
        self.log_in(session, proof)
        return see("/")

    def post_resend(self, session: Session, form: Form) -> Page:
        session["challenge"] = self.verifier.resend(who(session), session.get("challenge", "")).id
        return see("/code")

    def get_recovery(self, session: Session, form: Form) -> Page:
        return ok("Enter your recovery code." + code_form("/recovery"))

    def post_recovery(self, session: Session, form: Form) -> Page:
        proof = self.verifier.recover(who(session), form.get("code", ""), retry_key=retry_key(session, form))
        self.log_in(session, proof)
        return ok("You are in. <a href=/enrol>Enrol your new number</a>" + to_keep(proof.recovery_codes))

    def ask(self, challenge: Challenge, action: str) -> str:
        """Return a form that asks for a code. After a wrong one it says how many attempts are left."""
        left = self.config.attempts if challenge.attempts_left is None else challenge.attempts_left
        text = f"Enter the code that we sent to {challenge.phone.masked}."
        if left < self.config.attempts:
            text += f" Attempts left: {left}."
        return text + code_form(action)

    # --- logged in

    def get_home(self, session: Session, form: Form) -> Page:
        status = self.verifier.status(who(session))
        numbers = ", ".join(phone.masked for phone in status.phones)
        return ok(
            f"Hello {escape(who(session))}. Codes go to {numbers}. Recovery codes left: {status.recovery_codes_left}. "
            "<a href=/enrol>Change the number</a>"
            + a_form("/recovery-codes", "", "New recovery codes")
            + a_form("/logout", "", "Log out")
        )

    def post_recovery_codes(self, session: Session, form: Form) -> Page:
        codes = self.enroller.new_recovery_codes(
            who(session), proof=session.get("proof"), retry_key=retry_key(session, form)
        )
        return ok(to_keep(codes))

    def post_logout(self, session: Session, form: Form) -> Page:
        session.clear()
        return see("/")


class Sessions:
    """Keeps sessions in memory: for ten minutes until the login is complete, then for an hour."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[float, Session]] = {}

    def get(self, session_id: str) -> Session:
        ends, session = self.kept.get(session_id, (0.0, {}))
        return session if time.monotonic() < ends else {}

    def put(self, session_id: str, session: Session) -> None:
        now = time.monotonic()
        for old_id, (ends, _) in list(self.kept.items()):
            if ends <= now:
                self.drop(old_id)
        self.kept[session_id] = (now + (3600 if "user" in session else 600), session)

    def drop(self, session_id: str) -> None:
        self.kept.pop(session_id, None)


def who(session: Session) -> str:
    """Return the user of this session, logged in or halfway."""
    return session.get("user") or session.get("halfway", "")


def purpose(session: Session) -> str:
    """Return the purpose of a code: to change settings once logged in, and to log in before that."""
    return "manage" if "user" in session else "login"


def retry_key(session: Session, form: Form) -> str:
    """Return a key that only this form of this session has. A form that is sent twice is answered twice alike."""
    return sha256(f"{session['forms']} {form.get('form')}".encode()).hexdigest()


def answer(error: SmsMfaError) -> Page:
    """Turn an error into a page."""
    text = WORDS.get(error.code) or error.problem()["detail"]  # which tells nothing of what went wrong inside
    if isinstance(error, RateLimited):
        text = LIMITS.get(error.scope, "Too many messages.")
        if error.retry_after_seconds is not None:  # None: only the operator can help
            text += f" Try again in {in_words(error.retry_after_seconds)}."
    links = "<a href=''>Back</a> <a href=/code>Get a code</a> <a href=/recovery>Use a recovery code</a>"
    if error.code == "code_used":
        links = "<a href=/>Go on</a>"
    return error.http_status, f"{escape(text)} {links}", dict(error.headers)


def in_words(seconds: int) -> str:
    """Return a time to wait, rounded up."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds > 2 * size:
            return f"about {-(-seconds // size)} {unit}"
    return f"{seconds} seconds"


def ok(html: str) -> Page:
    return 200, html, {}


def see(path: str) -> Page:
    return 303, "", {"Location": path}


def a_form(action: str, fields: str, button: str) -> str:
    hidden = f"<input type=hidden name=form value={secrets.token_urlsafe(16)}>"
    return f"<form method=post action={action}>{hidden}{fields} <button>{button}</button></form>"


def code_form(action: str) -> str:
    return a_form(action, "<input name=code inputmode=numeric autocomplete=one-time-code autofocus>", "Go on")


def to_keep(codes: tuple[str, ...]) -> str:
    shown = "".join(f"<p>Write this down, it is shown once: <code>{code}</code>" for code in codes)
    return f"{shown}<p><a href=/>Go on</a>"


def main() -> None:
    """Serve the application."""
    config = FactorConfig(
        app_name="Acme",
        # A new secret for each run is enough here: the store is lost with the process too.
        secret=os.environ.get("SMSMFA_SECRET") or secrets.token_urlsafe(32),
        regions={"US", "CA", "GB"},
        messages=MESSAGES,
    )
    with make_server("127.0.0.1", 8000, Login(config, MemoryStore(), ConsoleSender())) as server:
        print("Log in at http://127.0.0.1:8000/ as alice, with the password: correct horse")
        server.serve_forever()


if __name__ == "__main__":
    main()
