"""The Django project of the benchmarks, with our app on PostgreSQL and a peer's app on a SQLite file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import connections

_folder = TemporaryDirectory()


class Gateway:
    """The peer's gateway, which keeps the last token."""

    token = ""

    def send_sms(self, device: Any, token: str) -> None:
        Gateway.token = token


def set_up() -> None:
    """Set Django up once."""
    if settings.configured:
        return
    file = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(_folder.name, "django.db"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL"},
    }
    settings.configure(
        DATABASES={"default": file},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_otp",
            "django_otp.plugins.otp_static",
            "django_otp.plugins.otp_totp",
            "smsmfa.stores.django",
            "two_factor",
            "two_factor.plugins.phonenumber",
        ],
        TWO_FACTOR_SMS_GATEWAY="django_project.Gateway",
        USE_TZ=True,
    )
    django.setup()


def postgresql(url: str) -> str:
    """Add a PostgreSQL database with persistent connections to the project, and return its alias."""
    set_up()
    parts = urlsplit(url)
    login = {"USER": parts.username, "PASSWORD": parts.password, "HOST": parts.hostname, "PORT": parts.port}
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "CONN_MAX_AGE": None}
    given = {name: value or "" for name, value in login.items()}
    filled = connections.configure_settings({"default": {}, "postgresql": database | given})
    connections.settings["postgresql"] = filled["postgresql"]
    return "postgresql"
