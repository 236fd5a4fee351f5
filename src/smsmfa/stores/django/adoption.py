"""Takes over the phone numbers of django-two-factor-auth and of django-otp's plugins, from a dump or from their tables.

A device of theirs is a row with ``user``, ``name`` (``"default"``, ``"backup"``), ``confirmed`` and ``number``. Their
backup tokens (``otp_static``) stay behind: ours are longer, and only their hashes are stored.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from ...core.opaque import Opaque
from ...enroller import Enroller
from ...exceptions import AlreadyEnrolled, ConfigurationError, PhoneInUse, PhoneNumberError
from ...phone import PhoneNumber
from ..memory import MemoryStore
from . import settings
from .users import user_id

__all__ = ["Device", "adopt", "of_dump", "of_tables"]

#: The models with a number: of django-two-factor-auth since 1.15, before it, and of django-otp-twilio.
_MODELS = ("phonenumber.phonedevice", "two_factor.phonedevice", "otp_twilio.twiliosmsdevice")


class Device(NamedTuple):
    """A phone of a user.

    Args:
        user: the primary key of the user, or the natural key, as a list.
        name: ``"default"`` for the first one.
        number: the phone number, hidden.
    """

    user: object
    name: str
    number: Opaque[str]


def of_dump(path: Path) -> list[Device]:
    """Return the confirmed devices of a JSON file that ``manage.py dumpdata`` wrote.

    Raises:
        OSError: the file cannot be read.
        ConfigurationError: it is not such a file.
    """
    try:
        rows = Opaque(json.loads(path.read_text(encoding="utf-8")))
        return [
            Device(one["user"], one["name"], Opaque(str(one["number"])))
            for row in rows.reveal()
            if row["model"] in _MODELS and (one := row["fields"])["confirmed"]
        ]
    except (ValueError, TypeError, KeyError):
        pass
    raise ConfigurationError("this is not what manage.py dumpdata writes with --format json")


def of_tables() -> list[Device]:
    """Return the confirmed devices in the project's own tables.

    Raises:
        ConfigurationError: no app with such a table is installed.
    """
    models: list[Any] = [model for model in apps.get_models() if model._meta.label_lower in _MODELS]
    if not models:
        raise ConfigurationError(
            "no app with phone numbers is installed, such as two_factor.plugins.phonenumber; give a file that "
            "manage.py dumpdata wrote"
        )
    rows = [model._base_manager.filter(confirmed=True).values_list("user_id", "name", "number") for model in models]
    return [Device(user, name, Opaque(str(number))) for found in rows for user, name, number in found]


def adopt(devices: Iterable[Device], *, dry_run: bool = False) -> Iterator[tuple[str, str]]:
    """Enrol devices, each user's first one first. Users who have a number already are left as they are.

    Args:
        devices: what to enrol.
        dry_run: whether nothing is stored.

    Yields:
        What became of each device: a word for it, and the user's id with the masked number.
    """
    config = settings.config()
    enroller = Enroller(config, MemoryStore(), settings.sender()) if dry_run else settings.enroller()
    taken: defaultdict[object, set[str]] = defaultdict(set)
    for device in sorted(devices, key=lambda device: device.name != "default"):
        user = _user(device.user)
        key = None if user is None else user_id(user)
        outcome = "no such user" if key is None else _adopted(enroller, key, device, taken[key], config.max_phones)
        yield outcome, f"{device.user if key is None else key} {_masked(device.number)}"


def _adopted(enroller: Enroller, user: object, device: Device, taken: set[str], most: int) -> str:
    """Enrol one device, note the id of its number, and return what became of it."""
    if not taken and settings.verifier().status(user).enrolled:
        return "enrolled before"
    if len(taken) == most:
        return "more numbers than max_phones"
    try:
        taken.add(enroller.adopt(user, device.number.reveal()).phone.id)
    except PhoneNumberError as error:
        return f"number refused: {error.reason}"
    except (PhoneInUse, AlreadyEnrolled) as error:
        return str(error)
    return "adopted"


def _user(key: object) -> Any:
    model: Any = get_user_model()
    try:
        if isinstance(key, Sequence) and not isinstance(key, str):
            return model._default_manager.get_by_natural_key(*key)
        return model._base_manager.get(pk=key)
    except (model.DoesNotExist, ValueError, ValidationError, TypeError):
        return None


def _masked(number: Opaque[str]) -> str:
    try:
        return PhoneNumber.parse(number.reveal()).masked
    except PhoneNumberError:
        return "(not a number)"
