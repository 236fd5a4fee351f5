"""The app, as Django knows it."""

from pathlib import Path

from django.apps import AppConfig

from ...stores.django.settings import declare


class SecondStepConfig(AppConfig):
    """The app ``smsmfa_web``: pages and templates."""

    name = "smsmfa.web.django"
    label = "smsmfa_web"
    verbose_name: str = "SMS second factor: pages"
    path: str = str(Path(__file__).parents[1])  # the templates of all frameworks are there

    def ready(self) -> None:
        """Register the system checks, and the names in ``SMSMFA`` that the pages read."""
        from . import checks  # noqa: F401

        declare("channels", "content_security_policy", "required")
