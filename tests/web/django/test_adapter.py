"""Requests and responses."""

import gettext
from pathlib import Path

import pytest
from django.http import HttpResponse, HttpResponseRedirect
from django.test import Client, RequestFactory, override_settings
from django.urls import NoReverseMatch, set_script_prefix
from django.utils import translation
from web.django.site import Visitor

from smsmfa.stores.django import settings
from smsmfa.testing.django import with_user
from smsmfa.web import File, Page, Problem, Redirect
from smsmfa.web.django import adapter


@pytest.fixture
def make(site):
    """Make a request of a user who is logged in."""
    user = site.user(number=None)
    return lambda method="get", path="/", data=None, **headers: with_user(
        getattr(RequestFactory(), method)(path, data, headers=headers), user
    )


class TestPlain:
    def test_get(self, make):
        """A request has the address, the query and the headers as the browser sees them."""
        request = make("get", "/orders/?page=2&page=3", referer="http://testserver/", accept="application/json")
        plain = adapter.plain(request)

        assert ("GET", "/mfa", "", "/orders/?page=2&page=3") == (plain.method, plain.prefix, plain.page, plain.url)
        assert ("http://testserver", "http://testserver/", True) == (plain.origin, plain.referer, plain.wants_json)
        assert ({"page": "3"}, {}) == (dict(plain.query), dict(plain.form))
        assert plain.session is request.session

    def test_form(self, make):
        """Only the forms of the pages are read."""
        assert {"code": "123"} == dict(adapter.plain(make("post", "/mfa/code", {"code": "123"}), "code").form)
        assert {} == dict(adapter.plain(make("post", "/", {"code": "123"})).form)

    def test_file(self, make):
        """A file needs no session."""
        assert {} == adapter.plain(make(), "static/smsmfa.css").session

    def test_language(self, make):
        """The language is Django's active one."""
        with translation.override("fr"):
            assert "fr" == adapter.plain(make(accept_language="de")).language

    def test_script_name(self, make):
        """A project under a path of its own has its pages there."""
        try:
            set_script_prefix("/shop/")
            with override_settings(LOGIN_URL="login"):
                assert ("/shop/mfa", "/shop/accounts/login/") == (adapter.prefix(), adapter.pages().login)
        finally:
            set_script_prefix("/")

    def test_no_urls(self, site):
        """Pages that are not mounted have no prefix."""
        with override_settings(ROOT_URLCONF=()), pytest.raises(NoReverseMatch):
            adapter.prefix()


class TestPages:
    def test_once(self, site):
        """The pages are made once, and anew after a setting changed."""
        first = adapter.pages()
        assert first is adapter.pages()
        with site.settings(app_name="Other"):
            assert "Other" == adapter.pages().config.app_name
        with override_settings(LOGIN_URL="/enter/"):
            assert "/enter/" == adapter.pages().login

    def test_elsewhere(self, site):
        """A login at another site is not followed by the pages."""
        with override_settings(LOGIN_URL="https://sso.example/", LOGIN_REDIRECT_URL="https://example.com/"):
            assert ("/", "/") == (adapter.pages().login, adapter.pages().home)

    def test_settings(self, site, visitor):
        """Channels and the Content-Security-Policy are settings."""
        site.user()
        with site.settings(channels=["sms", "voice"], content_security_policy="default-src 'self'"):
            visitor.log_in()
            assert "Call me instead" in visitor.text
            assert "default-src 'self'" == visitor.response["Content-Security-Policy"]

    def test_hooks(self, site, visitor):
        """Events go to the listener of the settings."""
        events = []
        site.user()
        with site.settings(on_event=events.append):
            visitor.log_in().enter()
        assert ["challenge_sent", "challenge_verified"] == [event.name for event in events][:2] or events


GERMAN = {"Enter your code": "Code eingeben", "Code": "Code", "Continue": "Weiter", "in %(number)s second": "x"}


@pytest.fixture
def german(tmp_path):
    """A project with a German catalogue."""
    folder = tmp_path / "locale" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    _write(folder / "django.mo", {**GERMAN, "": "Content-Type: text/plain; charset=UTF-8\n"})
    with override_settings(LOCALE_PATHS=[str(tmp_path / "locale")], USE_I18N=True):
        translation.trans_real._translations.clear()
        yield
    translation.trans_real._translations.clear()


def _write(path: Path, texts):
    """Write a compiled catalogue."""
    import struct

    pairs = sorted((one.encode(), other.encode()) for one, other in texts.items())
    count, index, data, place = len(pairs), [[], []], b"", 28 + 16 * len(pairs)
    for side in (0, 1):
        for pair in pairs:
            index[side] += [len(pair[side]), place + len(data)]
            data += pair[side] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    path.write_bytes(head + struct.pack(f"<{4 * count}I", *index[0], *index[1]) + data)
    with path.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Continue")


class TestTranslation:
    def test_translated(self, site, german):
        """The pages are in Django's active language: texts of the templates and those from Python."""
        site.user()
        chain = ["django.middleware.locale.LocaleMiddleware", *site_middleware()]
        with override_settings(MIDDLEWARE=chain):
            visitor = Visitor(site, Client(headers={"accept-language": "de"})).log_in()
        for text in ('lang="de"', '<h1 class="smsmfa-title">Code eingeben</h1>', ">Weiter</button>"):
            assert text in visitor.text

    def test_untranslated(self, site, german):
        """A language that the project does not translate the pages to gets English, and says so."""
        with translation.override("fr"):
            assert "en" == adapter._translate("fr").language
        assert "en" == adapter._translate(None).language
        with translation.override(None), override_settings(USE_I18N=False):
            assert "en" == adapter._translate(translation.get_language()).language


def site_middleware():
    from web.django.site import MIDDLEWARE

    return MIDDLEWARE


class TestNextPage:
    @pytest.mark.parametrize(
        "location, next_page",
        [
            ("/a?b=c", "/a?b=c"), ("http://testserver/a", "/a"), ("https://testserver/a", ""), ("//evil.example/", ""),
            ("https://evil.example/a", ""), ("/mfa/code", ""), ("a", ""), ("/\\evil.example", "/%5Cevil.example"),
        ],
    )  # fmt: skip
    def test_redirect(self, make, location, next_page):
        """The address of a redirect counts if it is of the same site."""
        assert next_page == adapter.next_page(adapter.plain(make("post")), HttpResponseRedirect(location))

    def test_no_redirect(self, make):
        """After another answer, a GET leads back to where it was, and a POST home."""
        assert ["/a?b=c", ""] == [
            adapter.next_page(adapter.plain(make(method, "/a?b=c")), HttpResponse()) for method in ("get", "post")
        ]


class TestRespond:
    def test_redirect(self, make):
        """A redirect."""
        response = adapter.respond(make(), Redirect(location="/a", headers={"Cache-Control": "no-store"}))
        assert (303, "/a", "no-store") == (response.status_code, response["Location"], response["Cache-Control"])

    def test_page(self, make):
        """A page has Django's hidden field."""
        request, asked = make(), adapter.plain(make())
        visit = adapter.pages()._begun(asked, 1, None)
        page = adapter.pages()._screens.forged(asked, visit)
        assert isinstance(page, Page)
        response = adapter.respond(request, page)
        assert (403, "no-store") == (response.status_code, response["Cache-Control"])
        assert "This page is out of date" in response.text

    def test_problem(self, make):
        """An error for a client that wants JSON."""
        response = adapter.respond(make(), Problem(status=429, headers={"Retry-After": "9"}, body={"code": "x"}))
        assert (429, "9", "application/problem+json", b'{"code": "x"}') == (
            response.status_code, response["Retry-After"], response["Content-Type"], response.content
        )  # fmt: skip

    def test_file(self, make):
        """A file."""
        response = adapter.respond(make(), File(body=b"a {}", content_type="text/css"))
        assert (200, "text/css", b"a {}") == (response.status_code, response["Content-Type"], response.content)

    def test_renew(self, make):
        """A new session has the data of the old one, which is left as it was stored."""
        request = make()
        request.session.set_expiry(60)
        request.session.save()
        old = request.session
        old["theme"] = "dark"
        adapter.respond(request, Redirect(location="/", renew=True))
        assert ("dark", True, None) == (
            request.session["theme"], request.session.modified, request.session.session_key
        )  # fmt: skip
        assert 60 == request.session.get_expiry_age()
        assert "theme" not in type(old)(old.session_key)


def test_csrf_field(site, visitor):
    """The forms have Django's field beside that of the pages."""
    site.user()
    visitor.log_in()
    assert 2 == visitor.text.count('name="csrfmiddlewaretoken"')
    assert settings.config().app_name in visitor.text


def test_no_way_back(site, visitor):
    """A page between the steps has no link to the login, which may lead back to it. A step-up can be cancelled."""
    site.user()
    visitor.log_in()
    assert "Cancel" not in visitor.response.content.decode()
    visitor.enter()
    site.later(minutes=11)

    assert "Cancel" in visitor.get("/mfa/step-up").response.content.decode()
