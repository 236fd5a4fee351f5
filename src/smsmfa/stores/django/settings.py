"""The setting ``SMSMFA`` of a Django project, and what is made from it.

::

    SMSMFA = {
        "app_name": "Acme",
        "secret": os.environ["SMSMFA_SECRET"],
        "regions": ["US", "CA"],
        "sender": "smsmfa.TwilioSender",
    }

Every argument of :class:`~smsmfa.FactorConfig` is a name. ``"sender"`` and ``"store"`` are an object, a function that
makes one, or the dotted path of either; a class that has ``from_env`` is made with it. By default the store is a
:class:`~smsmfa.stores.django.DjangoStore`. For asyncio there are ``"async_sender"`` and ``"async_store"``; by default
they are the class named ``Async...`` beside the other one. ``"on_event"`` and ``"clock"`` are those of the enroller.
``"reset_deleted_users"`` is whether the numbers of a user who is deleted are forgotten; by default they are.

Everything is made once, and again after the setting changed, as in ``override_settings``.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import attrs
from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ...config import FactorConfig
from ...core.opaque import Opaque
from ...enroller import AsyncEnroller, Enroller
from ...exceptions import ConfigurationError
from ...typing import AsyncSender, AsyncStore, Sender, Store
from ...verifier import AsyncVerifier, Verifier
from ..memory import AsyncMemoryStore, MemoryStore

__all__ = [
    "async_enroller", "async_sender", "async_store", "async_verifier", "config", "declare", "enroller", "imported",
    "needed", "sender", "setting", "store", "verifier",
]  # fmt: skip

T = TypeVar("T")

_FACTOR = frozenset(field.name for field in attrs.fields(FactorConfig) if field.init)
_STORES = {
    "store": "smsmfa.stores.django.store.DjangoStore",
    "async_store": "smsmfa.stores.django.store.AsyncDjangoStore",
}
#: What is wanted where a name is missing.
_ADVICE = {
    "app_name": "the name of your application in the message",
    "secret": "make one with python -c 'import secrets; print(secrets.token_urlsafe(32))'",
    "regions": 'ISO codes of the countries you serve, for example ["US", "CA"]',
    "sender": 'what sends the messages, for example "smsmfa.TwilioSender", or "smsmfa.ConsoleSender" to print them',
    "async_sender": "asynchronous views need a sender for asyncio, for example an AsyncHttpSender",
    "async_store": "asynchronous views need a store for asyncio, for example an AsyncRedisStore",
}
#: The names that are allowed, with those of other apps.
_names = {*_FACTOR, *_STORES, "sender", "async_sender", "on_event", "clock", "reset_deleted_users"}


def declare(*names: str) -> None:
    """Allow more names in ``SMSMFA``, for an app that reads them with :func:`setting`."""
    _names.update(names)


def setting(name: str, default: Any = None) -> Any:
    """Return one entry of ``SMSMFA``.

    Raises:
        ConfigurationError: ``SMSMFA`` is not set, is no dictionary, or has a name that nobody knows.
    """
    return _given().reveal().get(name, default)


def needed(name: str) -> Any:
    """Return one entry of ``SMSMFA`` that must be there.

    Raises:
        ConfigurationError: as :func:`setting`, or it is missing.
    """
    value = setting(name)
    if value is None or value == "":
        raise _missing(name)
    return value


def imported(name: str) -> Any:
    """Return one entry of ``SMSMFA``, and if it is a dotted path, what it names.

    Raises:
        ConfigurationError: as :func:`setting`, or the path leads nowhere.
    """
    return _imported(name, setting(name))


@cache
def config() -> FactorConfig:
    """Return the configuration.

    Raises:
        ConfigurationError: a setting is missing or wrong; the error names it.
    """
    given = _given()
    for name in ("app_name", "secret", "regions"):
        needed(name)
    return _named("SMSMFA", lambda: FactorConfig(**{n: v for n, v in given.reveal().items() if n in _FACTOR}))


@cache
def store() -> Store:
    """Return the store.

    Raises:
        ConfigurationError: the setting is wrong; the error names it.
    """
    made: Store = _made("store", setting("store") or _STORES["store"], "update")
    return made


@cache
def async_store() -> AsyncStore:
    """Return the store for asyncio.

    Raises:
        ConfigurationError: the setting is missing or wrong; the error names it.
    """
    if setting("store") and not setting("async_store") and isinstance(store(), MemoryStore):
        return AsyncMemoryStore(store())  # type: ignore[arg-type]  # both have the same records
    made: AsyncStore = _made("async_store", _twin("async_store", setting("store") or _STORES["store"]), "update")
    return made


@cache
def sender() -> Sender:
    """Return the sender.

    Raises:
        ConfigurationError: the setting is missing or wrong; the error names it.
    """
    made: Sender = _made("sender", needed("sender"), "send")
    return made


@cache
def async_sender() -> AsyncSender:
    """Return the sender for asyncio.

    Raises:
        ConfigurationError: the setting is missing or wrong; the error names it.
    """
    made: AsyncSender = _made("async_sender", _twin("async_sender", setting("sender")), "send")
    return made


@cache
def enroller() -> Enroller:
    """Return the enroller. Raises as :func:`config`, :func:`store` and :func:`sender`."""
    return _named("SMSMFA", lambda: Enroller(config(), store(), sender(), **_hooks()))


@cache
def verifier() -> Verifier:
    """Return the verifier. Raises as :func:`enroller`."""
    return _named("SMSMFA", lambda: Verifier(config(), store(), sender(), **_hooks()))


@cache
def async_enroller() -> AsyncEnroller:
    """Return the enroller for asyncio. Raises as :func:`config`, :func:`async_store` and :func:`async_sender`."""
    return _named("SMSMFA", lambda: AsyncEnroller(config(), async_store(), async_sender(), **_hooks()))


@cache
def async_verifier() -> AsyncVerifier:
    """Return the verifier for asyncio. Raises as :func:`async_enroller`."""
    return _named("SMSMFA", lambda: AsyncVerifier(config(), async_store(), async_sender(), **_hooks()))


_CACHED = (
    config, store, async_store, sender, async_sender, enroller, verifier, async_enroller, async_verifier,
)  # fmt: skip


def _forget(*, setting: str, **_: object) -> None:
    if setting == "SMSMFA":
        for made in _CACHED:
            made.cache_clear()


setting_changed.connect(_forget)


def _given() -> Opaque[Mapping[str, Any]]:
    """Return what is set, hidden from tracebacks with locals."""
    given: Opaque[Any] = Opaque(getattr(settings, "SMSMFA", None))
    if given.reveal() is None:
        raise ConfigurationError(
            'SMSMFA is not set; add SMSMFA = {"app_name": ..., "secret": ..., "regions": [...], "sender": ...} to the '
            "settings"
        )
    if not isinstance(given.reveal(), Mapping):
        raise ConfigurationError('SMSMFA: a dictionary, for example {"app_name": "Acme", ...}')
    if unknown := [name for name in given.reveal() if name not in _names]:
        from difflib import get_close_matches

        close = get_close_matches(str(unknown[0]), _names, n=1)
        advice = f'did you mean "{close[0]}"?' if close else f"the names are {', '.join(sorted(_names))}"
        raise ConfigurationError(f'SMSMFA["{unknown[0]}"]: there is no such setting; {advice}')
    return given


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(f'SMSMFA["{name}"] is missing; {_ADVICE[name]}')


def _named(where: str, make: Callable[[], T]) -> T:
    """Return what a function makes. An error of it says which setting is wrong."""
    try:
        return make()
    except ConfigurationError as error:
        said = str(error)
    raise ConfigurationError(said if said.startswith("SMSMFA[") else f"{where}: {said}")


def _imported(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ConfigurationError(f'SMSMFA["{name}"]: "{value}" cannot be imported: {error}') from error


def _made(name: str, value: Any, method: str) -> Any:
    """Return the object that a setting describes."""
    value = _imported(name, value)
    if isinstance(value, type):
        return _named(f'SMSMFA["{name}"]', getattr(value, "from_env", value))
    if hasattr(value, method):
        return value
    if callable(value):
        return _named(f'SMSMFA["{name}"]', value)
    raise ConfigurationError(
        f'SMSMFA["{name}"]: an object with {method}(), a function that makes one, or the dotted path of either'
    )


def _twin(name: str, value: Any) -> Any:
    """Return the setting for asyncio, or the class beside the one that the other setting names."""
    if given := setting(name):
        return given
    cls = _imported(name.removeprefix("async_"), value)
    if isinstance(cls, type):
        twin = getattr(import_module(cls.__module__), f"Async{cls.__name__}", None)
        if twin is not None:
            return twin
    raise _missing(name)


def _hooks() -> dict[str, Any]:
    return {"on_event": imported("on_event"), "clock": imported("clock")}
