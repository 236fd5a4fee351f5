"""System checks of the setting ``SMSMFA``. Those that need credentials run with ``check --deploy`` only."""

from typing import Any

from django.conf import settings as project
from django.core import checks
from django.db import connections, router

from ...exceptions import ConfigurationError
from ...senders.console import AsyncConsoleSender, ConsoleSender
from ..memory import MemoryStore
from . import settings
from .models import Record

_PRINTING = (ConsoleSender, AsyncConsoleSender)


@checks.register(checks.Tags.security)
def check_settings(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Refuse a setting that is missing or wrong, also the secret that the documentation shows."""
    if _unset():
        return []
    found: list[checks.CheckMessage] = []
    for name, make in (("E002", settings.config), ("E003", _sender)):
        try:
            make()
        except ConfigurationError as error:
            found.append(checks.Error(str(error), id=f"smsmfa.{name}"))
    return found


@checks.register(checks.Tags.security, deploy=True)
def check_deployment(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Make the store and the sender, and warn of those that are not for production."""
    if _unset():
        hint = "Set SMSMFA, as the page about Django shows. Until then call reset() where your code deletes a user."
        return [
            checks.Warning("SMSMFA is not set: whoever deletes a user keeps the number.", hint=hint, id="smsmfa.W001")
        ]
    try:
        sender, store = settings.sender(), settings.store()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="smsmfa.E004")]
    found: list[checks.CheckMessage] = []
    if isinstance(sender, _PRINTING) and not project.DEBUG:
        hint = 'SMSMFA: set "sender", for example to "smsmfa.TwilioSender".'
        found.append(checks.Warning("The sender prints codes and sends none.", hint=hint, id="smsmfa.W002"))
    if isinstance(store, MemoryStore):
        said = "The store is in memory: each process has its own limits and users, and a restart forgets them."
        found.append(checks.Warning(said, hint='SMSMFA: leave "store" out to use the database.', id="smsmfa.W003"))
    return found


@checks.register(checks.Tags.security)
def check_sqlite(app_configs: Any = None, **_: object) -> list[checks.CheckMessage]:
    """Warn of requests that would lock the store out of its own SQLite file."""
    alias = router.db_for_write(Record)
    if connections[alias].vendor != "sqlite" or not connections[alias].settings_dict["ATOMIC_REQUESTS"]:
        return []
    return [
        checks.Warning(
            f"{alias}: with ATOMIC_REQUESTS, a request that has used this SQLite file locks the store out of it.",
            hint="Give the app smsmfa a file of its own, with an entry in DATABASES and a router.",
            id="smsmfa.W004",
        )
    ]


def _unset() -> bool:
    return getattr(project, "SMSMFA", None) is None


def _sender() -> None:
    settings.needed("sender")
    settings.imported("sender")
