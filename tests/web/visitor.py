"""A site that mounts the pages without a framework, and visitors with a browser of their own."""

import json
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import attrs
from jinja2 import StrictUndefined
from support import AsyncFactor, Awaited, Coroutines, Factor, a_config

from smsmfa.web import AsyncSecondStep, File, Page, Problem, Redirect, Request, SecondStep
from smsmfa.web import jinja as pages_jinja

TEMPLATES = pages_jinja.environment()
#: A variable that a template needs and nobody sets is an error.
TEMPLATES.undefined = StrictUndefined
#: The largest entry of a session, in bytes, for a visitor who wants to go to a short address.
MOST_BYTES = 1024


@attrs.define
class Form:
    """A form of a page: what is in it, and its buttons as text, name and value."""

    action: str
    method: str
    fields: dict[str, str] = attrs.field(factory=dict)
    buttons: list[list[str]] = attrs.field(factory=list)

    def filled(self, button="", **fields):
        """Return what is sent with a button, by its text, or with the first one."""
        [_, name, value] = next(one for one in self.buttons if button in one[0])
        return {**self.fields, **({name: value} if name else {}), **fields}


class Reader(HTMLParser):
    """Reads what a person sees and can do."""

    def __init__(self, html):
        super().__init__()
        self.html, self.text, self.problem, self.title = html, "", "", ""
        self.forms, self.links, self.codes, self.countries = [], [], [], []
        self._in, self._select = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = {name: value or "" for name, value in attributes}
        if tag not in {"input", "meta", "link"}:
            self._in.append((tag, found))
        if tag == "form":
            self.forms.append(Form(found["action"], found["method"]))
        elif tag in {"input"}:
            self.forms[-1].fields[found["name"]] = found.get("value", "")
        elif tag == "select":
            self.forms[-1].fields[found["name"]] = ""
            self._select = found["name"]
        elif tag == "option":
            self.countries.append(found["value"])
            if "selected" in found:
                self.forms[-1].fields[self._select] = found["value"]
        elif tag == "button" and found.get("type") != "button":
            self.forms[-1].buttons.append(["", found.get("name", ""), found.get("value", "")])
        elif tag == "a":
            self.links.append(["", found["href"]])

    def handle_endtag(self, tag):
        assert tag == self._in.pop()[0]

    def handle_data(self, data):
        tags = [tag for tag, _ in self._in]
        self.text += data
        if "title" in tags:
            self.title += data
        if any(found.get("role") == "alert" for _, found in self._in):
            self.problem += data
        if "code" in tags:
            self.codes.append(data)
        if tags[-1:] == ["button"] and self._in[-1][1].get("type") != "button":
            self.forms[-1].buttons[-1][0] += data
        if "a" in tags:
            self.links[-1][0] += data


def read(page, csrf_field=""):
    """Render a page and read it."""
    return Reader(pages_jinja.render(page.template, page.context, csrf_field, TEMPLATES))


class Site:
    """An application with the pages, a clock that stands still and an outbox. ``twin`` takes the class for asyncio."""

    def __init__(self, config=None, *, twin=False, store=None, clock=None, outbox=None, **arguments):
        self.factor = (AsyncFactor if twin else Factor)(config or a_config(), store=store, clock=clock)
        self.twin, self.arguments, self.clock, self.store = twin, arguments, self.factor.clock, self.factor.store
        self.outbox = outbox or self.factor.outbox
        self.factor.outbox = self.outbox
        self.configure(self.factor.config)

    def configure(self, config):
        """Start the application anew with a configuration."""
        self.config, self.events = config, []
        more = {"clock": self.clock, "on_event": self.events.append, **self.arguments}
        if self.twin:
            pages = AsyncSecondStep(config, Coroutines(self.store), Coroutines(self.outbox), **more)
            self.pages, self.plain = Awaited(pages), pages
        else:
            self.pages = self.plain = SecondStep(config, self.store, self.outbox, **more)

    def enrol(self, user_id="alice", *numbers):
        """Enrol a user without the pages, and return the recovery codes."""
        enrolled = [self.factor.enroller.adopt(user_id, number) for number in numbers or ("+14155552671",)]
        return enrolled[0].recovery_codes

    def status(self, user_id="alice"):
        return self.factor.verifier.status(user_id)


class Visitor:
    """A browser with one session, which is JSON like that of a signed cookie.

    ``page`` is what it shows, ``at`` the address; ``answers`` are all answers so far.
    """

    def __init__(self, site, *, language="en", prefix="/mfa", root="", session=None):
        self.site, self.language, self.prefix, self.root = site, language, prefix, root
        self.session = {} if session is None else session
        self.at, self.page, self.answers, self.ids = "", None, [], 1

    # --- the application's own pages

    def log_in(self, user_id="alice", to=None, **more):
        """Give the right password."""
        return self._follow(self.ask("/login", "POST", page="", call=lambda r: self._begin(r, user_id, to), **more))

    def _begin(self, request, user_id, to):
        return self.site.pages.begin(request, user_id, next=to)

    def visit(self, path, **more):
        """Ask for a page of the application that needs the second step; ``None`` is the page itself."""
        return self.ask(path, page="", call=self.site.plain.required, **more)

    def sensitive(self, path="/danger", method="GET", *arguments, **more):
        """Ask for a page of the application that needs a fresh code."""
        named = {name: more.pop(name) for name in ("back",) if name in more}
        return self.ask(path, method, page="", call=lambda r: self.site.pages.fresh(r, *arguments, **named), **more)

    @property
    def user_id(self):
        return self.site.plain.user_id(Request(method="GET", session=self.session))

    @property
    def entry(self):
        return self.session.get("smsmfa")

    # --- our pages

    def get(self, path):
        """Type an address of a page, or follow a link."""
        return self._follow(self.ask(self._whole(path)), self._whole(path))

    def post(self, path, form, *, lose=False):
        """Send a form; ``lose`` loses the answer with its cookie."""
        answer = self.ask(self._whole(path), "POST", form, keep=not lose)
        return answer if lose else self._follow(answer, self._whole(path))

    def submit(self, button="", *, form=None, lose=False, **fields):
        """Fill in the form that has this button, and press it."""
        form = form or self.form(button)
        return self.post(form.action, form.filled(button, **fields), lose=lose)

    def form(self, button=""):
        """Return the first form with a button of this text."""
        return next(one for one in self.page.forms if any(button in text for text, _, _ in one.buttons))

    def click(self, text):
        """Follow the link of this text."""
        return self.get(next(href for words, href in self.page.links if text in words))

    def has(self, text):
        """Tell whether there is a button or a link of this text."""
        buttons = [one for form in self.page.forms for one in form.buttons]
        return any(text in words for words, *_ in [*buttons, *self.page.links])

    def enter(self, code=None, *, form=None, **more):
        """Enter a code, by default that of the last message."""
        form = form or next(one for one in self.page.forms if "code" in one.fields)
        return self.submit(form=form, code=self.site.outbox.code if code is None else code, **more)

    # --- how it is done

    def _whole(self, path):
        return path if path.startswith("/") else f"{self.root}{self.prefix}/{path}"

    def ask(self, path, method="GET", form=None, *, page=None, call=None, keep=True, **more):
        """Send one request, and return its answer."""
        session, parts = json.loads(json.dumps(self.session)), urlsplit(path)
        prefix = self.root + self.prefix
        if page is None:
            assert parts.path.startswith(prefix + "/")
            page = parts.path.removeprefix(prefix + "/")
        given = {"origin": "https://example.com", "language": self.language, **more}
        request = Request(
            method=method, session=session, root=self.root, prefix=prefix, page=page, url=path, form=form or {},
            query=dict(parse_qsl(parts.query)), **given,
        )  # fmt: skip
        answer = (call or self.site.pages.handle)(request)
        self.check(answer, session)
        if keep:
            self.session = json.loads(json.dumps(session))
            self.ids += bool(answer and answer.renew)
            self.answers.append(answer)
        return answer

    def _follow(self, answer, path="/login"):
        self.at = path
        for _ in range(6):
            if not isinstance(answer, Redirect):
                break
            assert 303 == answer.status
            self.at, self.page = answer.location, None
            if not urlsplit(answer.location).path.startswith(f"{self.root}{self.prefix}/"):
                return self
            answer = self.ask(answer.location)
        assert isinstance(answer, Page), "the redirects go round in a circle"
        self.page = read(answer)
        return self

    def check(self, answer, session):
        """Check what holds for every answer."""
        stored = json.dumps(session.get("smsmfa"))
        secret = [message.code.reveal() for message in self.site.outbox.messages[-3:]]
        assert not any(f'"{code}"' in stored for code in secret)
        assert "+1415" not in stored
        if answer is None:
            return
        assert isinstance(answer, Page | Redirect | Problem | File)
        if isinstance(answer, File):
            return
        assert "no-store" == answer.headers["Cache-Control"]
        if isinstance(answer, Page):
            read(answer).html.encode()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert ("same-origin", "nosniff") == (
                answer.headers["Referrer-Policy"], answer.headers["X-Content-Type-Options"]
            )  # fmt: skip
        if isinstance(answer, Redirect):
            assert answer.location.startswith("/")
            assert not answer.location.startswith(("//", "/\\"))

    @property
    def status(self):
        """The HTTP status of the last answer."""
        return self.answers[-1].status
