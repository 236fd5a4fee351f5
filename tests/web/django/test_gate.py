"""Who may pass."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client, RequestFactory
from web.django.site import Visitor

from smsmfa import ConfigurationError
from smsmfa.stores.django.users import user_id
from smsmfa.testing.django import with_user
from smsmfa.testing.users import logged_in
from smsmfa.web.django import gate
from smsmfa.web.django.adapter import plain


def halfway(request, user):
    """Give a request a user who took no second step."""
    with_user(request, user).session.pop("smsmfa")
    return request


def is_root(user):
    return user.username == "root"


class TestRequired:
    @pytest.mark.parametrize(
        "given, names",
        [
            (None, "alice root"), ("everybody", "alice root"), ("staff", "root"), (is_root, "root"),
            (f"{__name__}.is_root", "root"),
        ],
    )  # fmt: skip
    def test_required(self, site, given, names):
        """The setting says who must take the second step: everybody, the staff, or whomever a function names."""
        users = User(username="alice"), User(username="root", is_staff=True)
        with site.settings(**{} if given is None else {"required": given}):
            assert names == " ".join(user.username for user in users if gate.must(user))
            assert not gate.must(AnonymousUser())

    @pytest.mark.parametrize("given", ["nobody", "no.such.module", 1, ["staff"]])
    def test_wrong(self, site, given):
        """A setting that says nothing is refused."""
        with site.settings(required=given), pytest.raises(ConfigurationError, match=r'SMSMFA\["required"\]'):
            gate.required()

    def test_turned_off(self, site):
        """Nobody must while the factor is turned off."""
        with site.settings(enabled=False):
            assert not gate.must(User(username="alice"))


class TestRefusal:
    """With requests of ``RequestFactory``, as the tests of a project make them."""

    def test_stages(self, site):
        """A user is refused until the second step is taken."""
        request = halfway(RequestFactory().get("/orders/?page=2"), site.user())
        assert "/mfa/code" == gate.refusal(request)["Location"]
        assert "/orders/?page=2" == request.session["smsmfa"]["next"]

        logged_in(request.session, user_id(request.user))
        assert gate.refusal(request) is None

    def test_stranger(self, site):
        """A stranger is sent to the login."""
        request = RequestFactory().post("/orders/")
        request.user, request.session = AnonymousUser(), SessionStore()
        assert "/accounts/login/?next=/orders/" == gate.refusal(request)["Location"]
        assert "/accounts/login/" == gate.to_login(request, comes_back=False)["Location"]

    def test_json(self, site):
        """A stranger who wants JSON gets 401."""
        request = RequestFactory().get("/", headers={"accept": "application/json"})
        request.user, request.session = AnonymousUser(), SessionStore()
        assert 401 == gate.refusal(request).status_code

    def test_turned_off(self, site):
        """Nobody is refused while the factor is turned off."""
        request = halfway(RequestFactory().get("/"), site.user())
        with site.settings(enabled=False):
            assert gate.refusal(request) is None
            assert gate.stale(request, gate.timedelta(minutes=1), None) is None

    def test_expired(self, site):
        """After ten minutes the user is logged out and sent to the login."""
        request = halfway(RequestFactory().get("/"), site.user())
        assert "/mfa/code" == gate.refusal(request)["Location"]
        site.later(minutes=10)
        assert "/accounts/login/?next=/" == gate.refusal(request)["Location"]
        assert (False, {}) == (request.user.is_authenticated, dict(request.session.items()))


class TestCurrent:
    def test_other_user(self, site):
        """The visit of somebody else is not used."""
        request = with_user(RequestFactory().get("/"), site.user())
        request.user = bob = site.user("bob", None)
        visit = gate.current(request, plain(request))

        assert (bob.pk, False) == (visit.user_id, visit.is_in)

    @pytest.mark.parametrize(
        "method, page, accept, next_page",
        [
            ("get", "", "", "/a"), ("get", "account", "", "/a"), ("get", "code", "", "/"), ("post", "", "", "/"),
            ("get", "", "application/json", "/"),
        ],
    )  # fmt: skip
    def test_next(self, site, method, page, accept, next_page):
        """After a second step that no login began, the user gets to the page that was asked for, if it is one."""
        request = halfway(getattr(RequestFactory(), method)("/a", headers={"accept": accept}), site.user())
        assert next_page == gate.current(request, plain(request, page)).next


def test_stale(site):
    """A user without a fresh code is sent to the step-up, and one who is halfway to the code."""
    request = halfway(RequestFactory().get("/danger/"), site.user())
    age = gate.timedelta(minutes=1)
    assert "/mfa/code" == gate.stale(request, age, None)["Location"]
    logged_in(request.session, user_id(request.user))
    assert "/mfa/step-up?next=/danger/" == gate.stale(request, age, None)["Location"]
    assert "/mfa/step-up?next=/back/" == gate.stale(request, age, "/back/")["Location"]

    visitor = Visitor(site, Client())
    visitor.log_in().enter()
    request.session = visitor.client.session
    assert gate.stale(request, age, None) is None
