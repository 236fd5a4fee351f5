"""The app, as Django knows it."""

from django.apps import AppConfig


class SmsMfaConfig(AppConfig):
    """The app ``smsmfa``: one table, and a page of the admin site."""

    name = "smsmfa.stores.django"
    label = "smsmfa"
    verbose_name: str = "SMS second factor"
