"""The decorators, on functions of both kinds."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from web.django.site import Visitor

from smsmfa.stores.django.users import user_id
from smsmfa.testing.users import logged_in
from smsmfa.web.django import fresh_second_step, second_step_exempt, second_step_required

JSON = {"accept": "application/json"}


@pytest.fixture
def client(site):
    """A browser of a user who is logged in, and who need not take the second step."""
    client = Client()
    client.force_login(site.user())
    with site.settings(required="staff"):
        yield client


class TestRequired:
    @pytest.mark.parametrize("address", ["/member/", "/async/member/"])
    def test_required(self, site, client, address):
        """The view is only for users who took the second step, whomever the setting names."""
        visitor = Visitor(site, client)
        assert "Hello alice" == visitor.get("/").text
        assert "/mfa/code" == visitor.get(address).at
        assert (address, "member alice") == (visitor.submit("Send a code").enter().at, visitor.text)

    def test_asgi(self, site, client):
        """The same under asyncio."""
        people = AsyncClient()
        people.cookies = client.cookies
        assert 303 == async_to_sync(people.get)("/async/member/").status_code

    @pytest.mark.parametrize("address", ["/member/", "/async/member/"])
    def test_stranger(self, site, address):
        """A stranger is sent to the login, and comes back; one who wants JSON gets 401."""
        visitor = Visitor(site).get(address)
        assert ("/accounts/login/", f"next={address}") == (visitor.at, visitor.response.request["QUERY_STRING"])
        assert 401 == Client().get(address, headers=JSON).status_code

    def test_expired(self, site, client):
        """A user who need not take the second step stays logged in if nothing comes of it."""
        visitor = Visitor(site, client).get("/member/")
        site.later(minutes=10)
        assert "Hello alice" == visitor.get("/").text
        assert "/mfa/code" == visitor.get("/member/").at

    def test_name(self):
        """The view keeps its name."""
        assert "view" == second_step_required(second_step_exempt(view)).__name__


class TestFresh:
    def test_step_up(self, site, visitor):
        """A code that is too old is asked for again, and leads back."""
        site.user()
        visitor.log_in(address="/sign-in/?to=/danger/").enter()
        assert "danger" == visitor.text
        site.later(minutes=6)

        assert "/mfa/step-up" == visitor.get("/danger/").at
        assert ("/danger/", "danger") == (visitor.submit("Send a code").enter().at, visitor.text)
        assert "Hello alice" == visitor.get("/").text

    def test_json(self, site, visitor):
        """A client that wants JSON gets an error as problem+json."""
        site.user()
        visitor.log_in().enter()
        site.later(minutes=6)
        response = visitor.client.get("/danger/", headers=JSON)

        assert (403, "application/problem+json") == (response.status_code, response["Content-Type"])

    def test_logged_in(self, site):
        """A user whom a test has logged in has no fresh code."""
        client = Client()
        client.force_login(user := site.user())
        session = client.session
        logged_in(session, user_id(user))
        session.save()
        visitor = Visitor(site, client)

        assert "Hello alice" == visitor.get("/").text
        assert "/mfa/step-up" == visitor.get("/danger/").at

    def test_stranger(self, site, visitor):
        """A stranger is sent to the login."""
        assert "/accounts/login/" == visitor.get("/danger/").at

    def test_turned_off(self, site, visitor):
        """Nothing is asked while the factor is turned off."""
        with site.settings(enabled=False):
            site.user(number=None)
            visitor.log_in()
            assert ["danger", "member alice"] == [visitor.get("/danger/").text, visitor.get("/member/").text]

    def test_max_age(self):
        """A code cannot be older than ten minutes."""
        with pytest.raises(ValueError, match="max_age"):
            fresh_second_step(timedelta(minutes=11))


def view(request):
    raise NotImplementedError


def test_exempt():
    """The decorator marks the view and returns it."""

    def mine(request):
        raise NotImplementedError

    assert mine is second_step_exempt(mine)
    assert mine.second_step_exempt
