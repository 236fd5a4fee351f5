"""The app, as Django knows it."""

from django.apps import AppConfig


class SmsMfaConfig(AppConfig):
    """The app ``smsmfa``: one table, and one page of the admin site."""

    name = "smsmfa.stores.django"
    label = "smsmfa"
    verbose_name: str = "SMS second factor"

    def ready(self) -> None:
        """Register the system checks, and forget the numbers of users who are deleted."""
        from . import checks, settings_checks  # noqa: F401
        from .users import watch

        watch()
