"""The templates: Jinja2 and Django's engine give the same pages."""

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings as project
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils.safestring import mark_safe
from support import a_config, wrong
from web.django.site import Visitor as Browser
from web.visitor import TEMPLATES
from web.visitor import Site as Core
from web.visitor import Visitor as Person

import smsmfa.web
from smsmfa import Limit, Limits, MemoryStore
from smsmfa.testing import FaultyStore
from smsmfa.web import Page, jinja

FOLDER = Path(smsmfa.web.__file__).parent / "templates" / "smsmfa"
PAGES = {path.name for path in FOLDER.glob("*.html") if path.name[0] != "_"} - {"base.html"}
FIELD = '<input type="hidden" name="csrf" value="1">'
HOUR = timedelta(hours=1)


class Tokens(HTMLParser):
    """A page as a list of tags and texts, without the whitespace that nobody sees."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, attributes))

    def handle_endtag(self, tag):
        self.found.append(f"/{tag}")

    def handle_data(self, data):
        if words := data.split():
            self.found.append(" ".join(words))


# --- what people do


def enrolment(site, person):
    person.log_in().submit(number="12")
    person.submit(region="US", number="(415) 555-2671").enter("1").enter(wrong(site.outbox.code)).enter()


def login(site, person):
    site.enrol()
    person.log_in().enter("1").click("recovery code").submit(code="x")
    person.get("code").submit("Send the code again")
    person.get("code").submit(code=site.outbox.code, smsmfa_token="of another visit")
    person.get("code").enter().get("recovery")


def account(site, person):
    site.enrol("alice", "+14155552671", "+14155552672")
    person.log_in().enter().get("account").click("Remove")
    person.get("account").click("Change")
    person.get("account").submit("Get new recovery codes")


def locked(site, person):
    site.enrol()
    person.log_in()
    for _ in range(2):
        person.enter(wrong(site.outbox.code))


def wait(site, person):
    site.enrol()
    Person(site).log_in()
    site.clock.move(minutes=30)
    person.log_in()


def away(site, person):
    site.enrol()
    person.log_in()
    site.store.fail("read")
    person.get("code")


#: What people do, with the limits under which they do it.
FLOWS = {
    enrolment: Limits(), login: Limits(), account: Limits(), locked: Limits(consecutive=2),
    wait: Limits(user=Limit(1, HOUR)), away: Limits(),
}  # fmt: skip


def answers(flow):
    """Return the pages that a flow shows."""
    site = Core(
        a_config(max_phones=2, limits=FLOWS[flow], app_name="Ac<m>e"),
        store=FaultyStore(MemoryStore()),
        channels=["sms", "voice"],
    )
    person = Person(site)
    flow(site, person)
    return [answer for answer in person.answers if isinstance(answer, Page)]


@pytest.fixture
def strict(site):
    """Django's engine, which shows variables that nobody sets."""
    [engine] = project.TEMPLATES
    options = {**engine["OPTIONS"], "string_if_invalid": "NOBODY SETS %s"}
    with override_settings(TEMPLATES=[{**engine, "OPTIONS": options}]):
        yield


@pytest.mark.parametrize("flow", FLOWS)
def test_same(strict, flow):
    """Both engines give the same page, except for whitespace, and every variable is set."""
    for answer in answers(flow):
        of_django = render_to_string(answer.template, {**answer.context, "csrf_field": mark_safe(FIELD)})
        of_jinja = jinja.render(answer.template, answer.context, FIELD, TEMPLATES)
        assert "NOBODY SETS" not in of_django
        assert Tokens(of_jinja).found == Tokens(of_django).found


def test_every_page():
    """The flows show every page, so each was compared."""
    assert PAGES == {Path(answer.template).name for flow in FLOWS for answer in answers(flow)}


def test_own(site, tmp_path, visitor):
    """A template of the project replaces ours of the same name, and has the project's variables."""
    folder = tmp_path / "templates" / "smsmfa"
    folder.mkdir()
    (folder / "base.html").write_text("<title>Ours</title>{{ request.path }} {% block content %}{% endblock %}")
    site.user()
    visitor.log_in()

    assert "<title>Ours</title>/mfa/code" in visitor.text
    assert "We sent a text message" in visitor.text
    assert "Hello alice" == visitor.enter().text


def test_app(site, tmp_path):
    """The variables of the project's context processors do not replace ours."""

    [engine] = project.TEMPLATES
    options = {"context_processors": [f"{__name__}.processor", *engine["OPTIONS"]["context_processors"]]}
    site.user()
    with override_settings(TEMPLATES=[{**engine, "OPTIONS": options}]):
        assert "Acme</title>" in Browser(site).log_in().text


def processor(request):
    return {"app_name": "Wrong", "title": "Wrong"}
