"""The second step as JSON in a Django project."""

import json

import pytest
from django.test import Client
from web.django.site import NUMBER

from smsmfa import ProofRequired
from smsmfa.web.django.api import begin_api, finish_api


class Phone:
    """A client without cookies, with a token."""

    def __init__(self, token):
        self.token = token

    def call(self, path, method="POST", **body):
        client = Client(enforce_csrf_checks=True)
        return client.generic(
            method, f"/api/mfa/{path}", json.dumps(body), headers={"authorization": f"Bearer {self.token}"}
        )


def test_enrolment(site):
    """A user enrols, and the last token names the user by the primary key."""
    user = site.user(number=None)
    phone = Phone(begin_api(user)["mfa_token"])
    sent = phone.call("associate", phone_number=NUMBER).json()
    verified = phone.call("verify", oob_code=sent["oob_code"], binding_code=site.outbox.last_code).json()

    assert 1 == len(verified["recovery_codes"])
    assert user.pk == finish_api(verified["mfa_token"])


def test_login(site):
    """A user who has a number is challenged, and a wrong code gives no token."""
    phone = Phone(begin_api(site.user())["mfa_token"])
    sent = phone.call("challenge").json()
    refused = phone.call("verify", oob_code=sent["oob_code"], binding_code="1")
    verified = phone.call("verify", oob_code=sent["oob_code"], binding_code=site.outbox.last_code).json()

    assert ("invalid_otp_format", "application/problem+json") == (refused.json()["error"], refused["Content-Type"])
    assert finish_api(verified["mfa_token"])


def test_first_token_opens_nothing(site):
    """The token that the password is good for is no login."""
    token = begin_api(site.user())["mfa_token"]

    with pytest.raises(ProofRequired):
        finish_api(token)


def test_turned_off(site):
    """While the factor is off, the password is enough."""
    with site.settings(enabled=False):
        assert None is begin_api(site.user(number=None))


@pytest.mark.parametrize("method, path, status", [("GET", "verify", 405), ("POST", "nowhere", 404)])
def test_refused(site, method, path, status):
    """Other paths and methods are refused as JSON."""
    answer = Phone("").call(path, method)

    assert (status, "application/problem+json") == (answer.status_code, answer["Content-Type"])


def test_long_body(site):
    """No more than ten thousand bytes are read."""
    phone = Phone(begin_api(site.user())["mfa_token"])

    assert 413 == phone.call("verify", oob_code="x" * 10_000, binding_code="1").status_code


def test_document(site):
    """The OpenAPI document names the path under which the calls are mounted."""
    assert [{"url": "/api/mfa"}] == Phone("").call("openapi.json", "GET").json()["servers"]


def test_without_transaction():
    """A refusal is not rolled back with a request's transaction."""
    from smsmfa.web.django.api import call

    assert call._non_atomic_requests
