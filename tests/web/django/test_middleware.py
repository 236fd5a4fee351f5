"""The middleware: when the second step begins, and who sees which page."""

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, get_user_model, login
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from web.django.site import MIDDLEWARE, Visitor

from smsmfa import StoreError
from smsmfa.stores.django import DjangoStore
from smsmfa.web.django.middleware import SecondStepMiddleware, begin, is_exempt
from smsmfa.web.django.views import page

JSON = {"accept": "application/json"}


class TestLogin:
    def test_code(self, site, visitor):
        """Django's own login is the first step: the code is sent, and with it the user gets where the login led."""
        site.user()
        visitor.log_in(address="/accounts/login/?next=/settings/email/")

        assert ("/mfa/code", 1) == (visitor.at, len(site.outbox.messages))
        visitor.enter()
        assert ("/settings/email/", "email of alice") == (visitor.at, visitor.text)

    def test_enrolment(self, site, visitor):
        """A user without a number enrols one, and sees the recovery codes."""
        site.user(number=None)
        visitor.log_in()
        assert ("/mfa/enrol", 0) == (visitor.at, len(site.outbox.messages))

        visitor.submit("Send a code", region="US", number="415 555 2671").enter()
        assert "Save your recovery code" in visitor.text
        assert "Hello alice" == visitor.get("/").text

    def test_admin(self, site, visitor):
        """Nobody gets into the admin with the password alone."""
        site.user(is_staff=True, is_superuser=True)
        visitor.log_in(address="/admin/login/?next=/admin/auth/")

        assert ("/mfa/code", 1) == (visitor.at, len(site.outbox.messages))
        assert "/mfa/code" == visitor.get("/admin/").at
        assert "/admin/auth/" == visitor.enter().at
        assert 200 == visitor.get("/admin/").status

    def test_cookies(self, site, visitor):
        """Cookies that the login sets are kept, and a login that leads to another site leads home."""
        site.user()
        visitor.log_in(address="/sign-in/?to=https://evil.example/")

        assert "dark" == visitor.client.cookies["theme"].value
        assert "/" == visitor.enter().at

    def test_same_host(self, site, visitor):
        """A login may lead to a whole address of the same site."""
        site.user()
        assert "/public/" == visitor.log_in(address="/sign-in/?to=http://testserver/public/").enter().at

    def test_no_redirect(self, site, visitor):
        """The step begins too after a login whose answer is no redirect, but not after one that failed."""
        site.user()
        assert 503 == visitor.log_in(address="/sign-in/?status=503").status
        assert [] == site.outbox.messages
        assert "Hello AnonymousUser" == visitor.get("/").text

        assert "/mfa/code" == visitor.log_in(address="/sign-in/?status=200").at
        assert "/" == visitor.enter().at

    def test_again(self, site, visitor):
        """Who logs in again takes the second step again."""
        site.user()
        visitor.log_in().enter()
        site.later(minutes=1)

        assert "/mfa/code" == visitor.log_in().at
        assert "/mfa/code" == visitor.get("/").at

    def test_somebody_else(self, site, visitor):
        """Who logs in as somebody else starts anew."""
        site.user()
        site.user("bob", "+14155552672")
        visitor.log_in().enter()

        assert "/mfa/code" == visitor.log_in("bob").at
        assert "Hello bob" == visitor.enter().text

    def test_json(self, site):
        """A login of a client that wants JSON sends the code, and answers with 401 as problem+json."""
        site.user()
        response = Client(headers=JSON).post("/sign-in/", {"username": "alice"})

        assert (401, "application/problem+json") == (response.status_code, response["Content-Type"])
        assert "second_step_required" == response.json()["code"]
        assert 1 == len(site.outbox.messages)

    def test_store_failed(self, site, visitor):
        """If the store fails, nobody gets in, and the page says nothing of the connection."""
        site.user()
        failed = StoreError("postgres://admin:hunter2@db.internal")
        with site.settings(store=Failing(failed)):
            visitor.log_in()
            assert 503 == visitor.status
            assert "Something went wrong on our side" in visitor.text
            assert "db.internal" not in visitor.text
            response = Client(headers=JSON).post("/sign-in/", {"username": "alice"})
            assert (503, "store_error") == (response.status_code, response.json()["code"])
            assert "db.internal" not in response.text
        assert "Hello AnonymousUser" == visitor.get("/").text

    def test_atomic_requests(self, site, visitor):
        """A view that logs in within its transaction works: the code is sent after the commit."""
        transaction.non_atomic_requests(using=site.alias)(page)  # the database was added after the view was made
        connections.settings[site.alias]["ATOMIC_REQUESTS"] = True
        with site.settings(store=DjangoStore()):
            site.user("bob", "+14155552672")
            visitor.log_in("bob")
            assert "/mfa/code" == visitor.at
            for _ in range(2):
                visitor.enter("000000")
            assert "left." in visitor.text
            assert "Hello bob" == visitor.enter().text


class Failing:
    """A store whose database is away."""

    def __init__(self, error):
        self.error = error

    def read(self, key):
        raise self.error

    update = read


class TestSessions:
    def test_new_id(self, site, visitor):
        """Getting in makes a new session, and the old one stays halfway: it is not let in."""
        site.user()
        old = visitor.log_in().key
        visitor.enter()
        assert old != visitor.key
        assert "Hello alice" == visitor.get("/").text

        visitor.client.cookies["sessionid"] = old
        assert "/mfa/code" == visitor.get("/").at
        assert 2 == Session.objects.count()

    def test_lost_answer(self, site, visitor):
        """A form whose answer was lost gets in when it is sent again, with the old session."""
        site.user()
        visitor.log_in()
        page, old = visitor.response, visitor.key
        visitor.enter()
        visitor.client.cookies["sessionid"], visitor.response = old, page

        assert "Hello alice" == visitor.enter().text

    def test_ten_minutes(self, site, visitor):
        """A user who did not take the second step within ten minutes is logged out."""
        site.user()
        visitor.log_in()
        site.later(minutes=10)

        assert "/accounts/login/" == visitor.get("/settings/email/").at
        assert "Hello AnonymousUser" == visitor.get("/").text

    def test_password_changed(self, site, visitor):
        """A new password ends the session as Django does it."""
        user = site.user()
        visitor.log_in().enter()
        user.set_password("another")
        user.save()

        assert "Hello AnonymousUser" == visitor.get("/").text

    @pytest.mark.parametrize("engine", ["cache", "cached_db", "file", "signed_cookies"])
    def test_engines(self, site, visitor, engine):
        """Every kind of session works."""
        site.user()
        with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
            old = visitor.log_in().key
            assert "Hello alice" == visitor.enter().text
            assert old != visitor.key
            assert "Hello alice" == visitor.get("/").text

    def test_logout(self, site, visitor):
        """Django's logout forgets the second step."""
        site.user()
        visitor.log_in().enter()
        visitor.post("/accounts/leave/")

        assert "Hello AnonymousUser" == visitor.get("/").text
        assert "smsmfa" not in visitor.client.session


class TestPages:
    def test_strangers(self, site, visitor):
        """Strangers see what the project shows them."""
        assert "Hello AnonymousUser" == visitor.get("/").text

    @pytest.mark.parametrize("address", ["/public/", "/public/class/", "/accounts/login/", "/admin/login/"])
    def test_exempt(self, site, visitor, address):
        """Pages for login and logout, and those that say so, are for everybody."""
        site.user()
        visitor.log_in()

        assert (address, 200) == (visitor.get(address).at, visitor.status)

    def test_logout_halfway(self, site, visitor):
        """A user who is halfway can log out, by Django's view of any name or the admin's."""
        site.user(is_staff=True)
        for address in ("/accounts/leave/", "/admin/logout/"):
            visitor.log_in()
            visitor.post(address)
            assert "Hello AnonymousUser" == visitor.get("/").text

    def test_force_login(self, site):
        """``force_login`` sends nothing and takes no second step. A button of the page sends a code."""
        client = Client()
        client.force_login(site.user())
        visitor = Visitor(site, client)
        visitor.get("/settings/email/")

        assert ("/mfa/code", 0) == (visitor.at, len(site.outbox.messages))
        visitor.submit("Send a code").enter()
        assert ("/settings/email/", "email of alice") == (visitor.at, visitor.text)

    def test_json(self, site):
        """A client that wants JSON gets 401 as problem+json, and comes back where people do."""
        client = Client()
        client.force_login(site.user())
        response = client.get("/settings/email/", headers=JSON)

        assert (401, "second_step_required") == (response.status_code, response.json()["code"])
        assert "/" == Visitor(site, client).get("/mfa/code").submit("Send a code").enter().at

    def test_turned_off(self, site, visitor):
        """Nobody is asked while the factor is turned off, and everybody afterwards."""
        site.user()
        with site.settings(enabled=False):
            assert "Hello alice" == visitor.log_in().text
        assert "/mfa/code" == visitor.get("/").at

    def test_staff(self, site, visitor):
        """With ``required="staff"`` only they are asked."""
        site.user()
        site.user("root", "+14155552672", is_staff=True)
        with site.settings(required="staff"):
            assert "Hello alice" == visitor.log_in().text
            assert "/mfa/code" == visitor.log_in("root").at

    def test_not_required_again(self, site, visitor):
        """A login forgets the second step of before, also where none is required."""
        site.user()
        with site.settings(required="staff"):
            visitor.log_in().get("/member/").submit("Send a code").enter()
            assert "member alice" == visitor.text
            visitor.log_in()
            assert "/mfa/code" == visitor.get("/member/").at


def remote_user(get_response):
    """A middleware that logs in by itself, as RemoteUserMiddleware does it."""

    def middleware(request):
        if not request.user.is_authenticated:
            login(request, get_user_model().objects.get(), "django.contrib.auth.backends.ModelBackend")
        return get_response(request)

    return middleware


def test_middleware_that_logs_in(site):
    """If a middleware logs in, the user gets to the page that was asked for."""
    site.user()
    chain = [*MIDDLEWARE[:3], f"{__name__}.remote_user", *MIDDLEWARE[3:]]
    with override_settings(MIDDLEWARE=chain):
        visitor = Visitor(site, Client()).get("/settings/email/")
        assert ("/mfa/code", 1) == (visitor.at, len(site.outbox.messages))
        assert "/settings/email/" == visitor.enter().at


class TestAsync:
    """Under asyncio everything works in the same way."""

    def test_login(self, site):
        """An asynchronous view can log in, and asynchronous pages are kept."""
        site.user()
        client = AsyncClient()
        response = async_to_sync(client.post)("/async/sign-in/", {"username": "alice"}, headers=JSON)
        assert (401, 1) == (response.status_code, len(site.outbox.messages))
        assert 401 == async_to_sync(client.get)("/async/", headers=JSON).status_code

        people = Client()
        people.cookies = client.cookies
        visitor = Visitor(site, people).get("/mfa/code").enter()
        assert "Hello alice" == visitor.text
        assert "Hello alice" == async_to_sync(client.get)("/async/").text

    def test_no_login(self, site):
        """A request that logs nobody in is left alone."""
        assert "Hello AnonymousUser" == async_to_sync(AsyncClient().get)("/async/").text


class TestSignal:
    """Other packages send Django's signal too."""

    def test_without_session(self, site):
        """A request without a session of Django is left alone."""
        user, request = site.user(), RequestFactory().get("/")
        request.session = {}
        for one in (None, RequestFactory().get("/"), request):
            user_logged_in.send(sender=get_user_model(), request=one, user=user)

        assert {} == request.session

    def test_token(self, site):
        """The login of an API, which gives a token and no session, stays as it is."""
        request = RequestFactory().post("/")
        request.user, request.session = site.user(), SessionStore()
        response = HttpResponse("token")

        assert BACKEND_SESSION_KEY not in request.session
        assert response is begin(request, response)


def test_is_exempt_without_match(site):
    """A request that no URL matched is exempt only if it is for the login."""
    assert not is_exempt(RequestFactory().get("/"), None)
    assert is_exempt(RequestFactory().get("/accounts/login/"), None)


def test_direct(site):
    """The middleware can be called as the tests of a project do it."""
    request = RequestFactory().get("/")
    request.session = SessionStore()

    assert "ok" == SecondStepMiddleware(lambda request: HttpResponse("ok"))(request).text


@pytest.mark.parametrize("app", ["smsmfa.stores.django", "smsmfa.web.django"])
def test_missing_app(site, app):
    """Without its apps the middleware does not start, and says which one is missing."""
    others = [one for one in settings.INSTALLED_APPS if one != app]

    with override_settings(INSTALLED_APPS=others), pytest.raises(ImproperlyConfigured, match=app):
        SecondStepMiddleware(lambda request: None)
