"""The mixins, for views of both kinds."""

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from web.django.site import Visitor


@pytest.mark.parametrize("address, text", [("/settings/email/", "email of alice"), ("/async/settings/", "settings")])
def test_required(site, address, text):
    """The view is only for users who took the second step, whomever the setting names."""
    client = Client()
    client.force_login(site.user())
    with site.settings(required="staff"):
        visitor = Visitor(site, client).get(address)
        assert "/mfa/code" == visitor.at
        assert (address, text) == (visitor.submit("Send a code").enter().at, visitor.text)
        people = AsyncClient()
        people.cookies = client.cookies
        assert text == async_to_sync(people.get)(address).text


def test_exempt(site, visitor):
    """The view is for everybody."""
    site.user()
    assert "public" == visitor.log_in().get("/public/class/").text


def test_fresh(site, visitor):
    """The view is only for users whose code is fresh, and others come back to where it says."""
    site.user()
    visitor.log_in().enter()
    assert "deleted" == visitor.post("/danger/class/").text
    site.later(minutes=3)

    assert "/mfa/step-up" == visitor.post("/danger/class/").at
    assert "/settings/" in visitor.text
