"""The pages, as one view."""

import pytest
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from web.django.site import MIDDLEWARE, Forms, Visitor

from smsmfa.web.django.views import page


def test_stranger(site, visitor):
    """A stranger is sent to the login, and comes back to the account page only."""
    assert "/accounts/login/" == visitor.get("/mfa/code").at
    assert {} == visitor.response.request.get("QUERY_STRING") or "" == visitor.response.request["QUERY_STRING"]
    visitor.get("/mfa/account")
    assert ("/accounts/login/", "next=/mfa/account") == (visitor.at, visitor.response.request["QUERY_STRING"])


def test_stranger_json(site):
    """A stranger who wants JSON gets 401."""
    assert 401 == Client().get("/mfa/account", headers={"accept": "application/json"}).status_code


def test_deleted_user(site, visitor):
    """The session of a user who is gone lets nobody in."""
    site.user()
    visitor.log_in().enter()
    get_user_model().objects.all().delete()

    assert "/accounts/login/" == visitor.get("/mfa/account").at


def test_expired(site, visitor):
    """A form that is sent after ten minutes leads to the login."""
    site.user()
    visitor.log_in()
    site.later(minutes=10)

    assert "/accounts/login/" == visitor.enter().at


def test_account_without_visit(site):
    """A user who was logged in before there was a second step takes it, and gets to the page that was asked for."""
    client = Client()
    client.force_login(site.user())
    visitor = Visitor(site, client).get("/mfa/account")

    assert ("/mfa/code", 0) == (visitor.at, len(site.outbox.messages))
    assert "/mfa/account" == visitor.submit("Send a code").enter().at


def test_files(site, visitor):
    """Everybody gets the style sheet, and nobody's session is read for it."""
    response = visitor.client.get("/mfa/static/smsmfa.css")

    assert ("text/css; charset=utf-8", False) == (response["Content-Type"], response.has_header("Vary"))
    assert "immutable" in response["Cache-Control"]


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [one for one in MIDDLEWARE if "Csrf" not in one]])
def test_forged(site, middleware):
    """Forms are protected, with Django's middleware and without it."""
    site.user()
    with override_settings(MIDDLEWARE=middleware):
        client = Client(enforce_csrf_checks=True)
        visitor = Visitor(site, client)
        client.get("/accounts/login/")
        visitor.log_in()
        assert "/mfa/code" == visitor.at
        [(_, fields, _), *_] = Forms(visitor.text).found
        del fields["csrfmiddlewaretoken"]
        response = client.post("/mfa/code", {**fields, "code": site.outbox.last_code})
        assert (403, True) == (response.status_code, "CSRF verification failed" in response.text)
        assert "Hello alice" == visitor.enter().text


def test_methods(site, visitor):
    """The pages answer GET, HEAD and POST."""
    site.user()
    visitor.log_in()

    assert 405 == Client().put("/mfa/code").status_code
    assert 200 == visitor.client.head("/mfa/code").status_code


def test_no_transaction():
    """No database's transaction is around the view, for what it refuses must stay refused."""
    assert {*project.DATABASES} <= page._non_atomic_requests


def test_login_required(site, visitor):
    """Django's LoginRequiredMiddleware leaves the pages alone, among them the style sheet."""
    site.user()
    with override_settings(MIDDLEWARE=[*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]):
        assert 200 == visitor.client.get("/mfa/static/smsmfa.css").status_code
        assert "Hello alice" == visitor.log_in().enter().text
