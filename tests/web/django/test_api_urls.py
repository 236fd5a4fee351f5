"""The addresses of the JSON face."""

from django.urls import resolve, reverse

from smsmfa.web.django.api_urls import app_name


def test_names(site):
    """The calls have a namespace, and each address leads to the same view with the call as argument."""
    assert "smsmfa_api" == app_name
    assert "/api/mfa/authenticators/3f" == reverse("smsmfa_api:call", args=["authenticators/3f"])
    assert {"path": "verify"} == resolve("/api/mfa/verify").kwargs
