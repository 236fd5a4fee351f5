"""The app, as Django knows it."""

from django.apps import apps
from django.template.loader import get_template

from smsmfa.stores.django import settings
from smsmfa.web.django.apps import SecondStepConfig


def test_templates(site):
    """The app brings the templates of all frameworks."""
    assert isinstance(apps.get_app_config("smsmfa_web"), SecondStepConfig)
    assert "web/templates/smsmfa/base.html" in get_template("smsmfa/base.html").origin.name


def test_settings(site):
    """The app's settings are known."""
    with site.settings(required="staff", channels=["sms"], content_security_policy="default-src 'self'"):
        assert "staff" == settings.setting("required")


def test_names(site):
    """The app has a label of its own beside that of the store."""
    assert "smsmfa.web.django" == apps.get_app_config("smsmfa_web").name
