"""System checks: what would make the second step absent or unusable."""

import pytest
from django.core.checks import run_checks
from django.core.checks.registry import registry
from django.db import connections, transaction
from django.test import override_settings
from django.utils.deprecation import MiddlewareMixin
from web.django import site as urls
from web.django.site import MIDDLEWARE

from smsmfa.web.django import SecondStepMiddleware, checks

OURS = "smsmfa.web.django.SecondStepMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"


class Mine(SecondStepMiddleware):
    pass


def plain(get_response):
    return get_response


class Other(MiddlewareMixin):
    pass


def found():
    """Return the ids of what the checks of the pages find."""
    return [one.id for one in run_checks() if one.id and one.id.startswith("smsmfa.E01")]


def test_good(site):
    """A good project has nothing to mend."""
    assert [] == found()


@pytest.mark.parametrize(
    "middleware, ids",
    [
        ([one for one in MIDDLEWARE if one != OURS], ["smsmfa.E011"]),
        ([MIDDLEWARE[0], OURS, AUTH], ["smsmfa.E012"]),
        ([MIDDLEWARE[0], OURS], ["smsmfa.E012"]),
        ([*MIDDLEWARE[:3], f"{__name__}.plain", f"{__name__}.Other", f"{__name__}.Mine"], []),
    ],
)
def test_middleware(site, middleware, ids):
    """The middleware, or one derived from it, comes after that for the login."""
    with override_settings(MIDDLEWARE=middleware):
        assert ids == found()


def test_registered(site):
    """Django runs every check of the module."""
    assert {one for name, one in vars(checks).items() if name.startswith("check_")} <= set(registry.get_checks())


class NoUrls:
    urlpatterns = []


def test_urls(site):
    """The pages need URLs."""
    with override_settings(ROOT_URLCONF=NoUrls):
        assert ["smsmfa.E013"] == found()


def test_async_views(site):
    """With ATOMIC_REQUESTS, the asynchronous views that Django will refuse are named."""

    def named():
        return [one.msg.split()[0].removeprefix(f"{urls.__name__}.") for one in run_checks() if one.id == "smsmfa.W011"]

    assert [] == named()
    connections[site.alias].settings_dict["ATOMIC_REQUESTS"] = True
    assert ["async_home", "async_sign_in", "AsyncSettings", "Danger", "async_member"] == named()

    transaction.non_atomic_requests(using=site.alias)(urls.async_home)
    try:
        assert "async_home" not in named()
    finally:
        del urls.async_home._non_atomic_requests


def test_templates(site):
    """An engine finds the templates."""
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates"}
    with override_settings(TEMPLATES=[engine]):
        assert ["smsmfa.E014"] == found()


@pytest.mark.parametrize("given, ids", [({"required": "nobody"}, ["smsmfa.E015"]), ({"reqired": "staff"}, [])])
def test_required(site, given, ids):
    """The setting says for whom. What else is wrong with the settings is found by the app of the store."""
    with site.settings(**given):
        assert ids == found()


def test_unset(site):
    """A project without ``SMSMFA`` is told before its first login."""
    with override_settings(SMSMFA=None):
        assert "smsmfa.E016" in found()
