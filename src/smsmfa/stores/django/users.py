"""The users of a project: their ids, how an operator names one, and what happens when one is deleted."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import post_delete

from . import settings

__all__ = ["find", "user_id", "watch"]


def user_id(user: Any) -> str | int | UUID:
    """Return the id under which a user's numbers are kept: the primary key, as text if it is of a type of your own."""
    key = user.pk
    return key if isinstance(key, str | int | UUID) else str(key)


def find(name: str) -> Any:
    """Return the user with this name, which is the ``USERNAME_FIELD`` of the user model, or with this primary key.

    Raises:
        LookupError: there is none.
    """
    model: Any = get_user_model()
    users = model._base_manager
    try:
        return users.get(**{model.USERNAME_FIELD: name})
    except (model.DoesNotExist, ValueError, ValidationError):
        pass
    try:
        return users.get(pk=name)
    except (model.DoesNotExist, ValueError, ValidationError):
        raise LookupError(f"there is no user with the {model.USERNAME_FIELD} or the primary key {name}") from None


def watch() -> None:
    """From now on, forget the numbers of a user who is deleted."""
    if not apps.is_installed("django.contrib.auth"):
        return
    model = get_user_model()._meta.concrete_model
    for one in apps.get_models():  # a deletion through a proxy tells only of the proxy
        if one._meta.concrete_model is model:
            post_delete.connect(_deleted, sender=one, dispatch_uid="smsmfa")


def _deleted(*, instance: Any, using: str, **_: object) -> None:
    if getattr(project, "SMSMFA", None) is None:
        return
    user = user_id(instance)  # the instance loses its key

    def forget() -> None:
        if settings.setting("reset_deleted_users", True):
            settings.enroller().reset(user)

    # Not before the commit: the deletion may be undone. Django logs an error, because the user is deleted already.
    transaction.on_commit(forget, using=using, robust=True)
