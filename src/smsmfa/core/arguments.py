"""Checks of the arguments that an application passes, before anything else happens."""

import time
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from inspect import iscoroutinefunction
from typing import Any
from uuid import UUID

from ..exceptions import ConfigurationError
from ..typing import CHANNELS, ENROLLMENT, Clock
from .opaque import Opaque

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: How long a proof is good.
PROOF_AGE = timedelta(minutes=10)


def check_methods(value: object, name: str, methods: tuple[str, ...], *, asynchronous: bool) -> None:
    """Check that a store or a sender has its methods, and that they are of the kind that is needed.

    Raises:
        ConfigurationError: a method is missing, or is synchronous and should not be, or the reverse.
    """
    if isinstance(value, type):
        raise ConfigurationError(f"{name}: {value.__name__} is a class; pass {value.__name__}(...)")
    for method in methods:
        function = getattr(value, method, None)
        if not callable(function):
            raise ConfigurationError(f"{name}: it has no method {method}(); see smsmfa.typing")
        if iscoroutinefunction(function) != asynchronous:
            wanted, given = ("async", "sync") if asynchronous else ("sync", "async")
            raise ConfigurationError(f"{name}: {method}() must be {wanted} here, and it is {given}")


def system_clock() -> int:
    """Return :func:`time.time_ns`, which is looked up at each call: who freezes time in tests freezes this too."""
    return time.time_ns()


def checked_clock(clock: Clock | None) -> Clock:
    """Return the clock, or the system's if it is ``None``.

    Raises:
        ConfigurationError: it is not a function, or does not return an integer.
    """
    if clock is None:
        return system_clock
    if not callable(clock) or type(clock()) is not int:
        raise ConfigurationError("clock: a function like time.time_ns: nanoseconds since the epoch, as an int")
    return clock


def checked_timeout(timeout: object) -> float:
    """Return the timeout of a sender, in seconds.

    Raises:
        ConfigurationError: it is not a ``timedelta`` above zero and of at most an hour.
    """
    if isinstance(timeout, timedelta) and timedelta(0) < timeout <= timedelta(hours=1):
        return timeout.total_seconds()
    raise ConfigurationError("timeout: a timedelta above zero and of at most one hour")


def checked_user_id(user_id: object) -> str:
    """Return a user id as text: ``7`` and ``"7"`` are one user.

    Raises:
        TypeError: it is not a ``str``, ``int`` or ``UUID``, or it is empty.
    """
    if type(user_id) is str and user_id:
        return user_id
    if not isinstance(user_id, (str, int, UUID)) or isinstance(user_id, bool) or user_id == "":
        raise TypeError("user_id: a str, int or UUID, not empty; is somebody logged in?")
    return exact(user_id) if isinstance(user_id, str) else str(user_id)


def exact(text: str) -> str:
    """Return a text as a plain ``str``. Frameworks have subclasses, such as safe strings, which no record can hold."""
    return str.__str__(text)


def checked_purpose(purpose: object) -> str:
    """Return the purpose of a challenge.

    Raises:
        TypeError: it is not a ``str``.
        ValueError: it is empty, longer than 64 characters, not printable, or ``"enrollment"``.
    """
    if not isinstance(purpose, str):
        raise TypeError('purpose: a str, for example "login"')
    if 0 < len(purpose) <= 64 and purpose != ENROLLMENT and purpose.isprintable():
        return exact(purpose)
    raise ValueError('purpose: 1 to 64 printable characters, and not "enrollment"')


def checked_locale(locale: object) -> str | None:
    """Return a locale as a language tag, or ``None`` if it means no language.

    Frameworks have many forms: ``"pt_BR.UTF-8"``, ``"sr@latin"``, ``"*"``, ``""``, an ``Accept-Language`` header, a
    ``Locale`` of Babel. None of them may end a login.

    Raises:
        TypeError: it is neither a ``str`` nor such a ``Locale``.
    """
    if locale is None:
        return None
    if not isinstance(locale, str) and not isinstance(getattr(locale, "language", None), str):
        raise TypeError('locale: a str, for example "pt-BR", a Locale of Babel, or None')
    from ..texts.languages import tag_of

    return tag_of(str(locale))


def checked_instant(when: object) -> int:
    """Return an aware datetime as microseconds since the epoch.

    Raises:
        TypeError: it is not a ``datetime``, or has no time zone.
    """
    if isinstance(when, datetime) and when.tzinfo is not None:
        return (when - _EPOCH) // timedelta(microseconds=1)
    raise TypeError("enrolled_at: a datetime with a time zone, or None")


def checked_age(max_age: object) -> int:
    """Return the greatest age of a proof, in microseconds.

    Raises:
        ValueError: it is not a ``timedelta`` from zero to 10 minutes.
    """
    if isinstance(max_age, timedelta) and timedelta(0) <= max_age <= PROOF_AGE:
        return max_age // timedelta(microseconds=1)
    raise ValueError("max_age: a timedelta from zero to 10 minutes")


def checked_retry_key(hidden: Opaque[Any]) -> Opaque[str] | None:
    """Return a retry key, or ``None`` if there is none.

    Raises:
        TypeError: it is not a ``str``.
        ValueError: it does not have 16 to 128 printable characters.
    """
    if hidden.reveal() is None:
        return None
    if not isinstance(hidden.reveal(), str):
        raise TypeError("retry_key: an unguessable str, drawn for one form of one session, or None")
    if not 16 <= len(hidden.reveal()) <= 128 or not hidden.reveal().isprintable():
        raise ValueError("retry_key: 16 to 128 printable characters")
    return Opaque(exact(hidden.reveal()))


def checked_channel(channel: object) -> str:
    """Return the channel of a message.

    Raises:
        TypeError: it is not a ``str``.
        ValueError: there is no such channel.
    """
    if not isinstance(channel, str):
        raise TypeError('channel: a str, for example "sms"')
    if channel not in CHANNELS:
        raise ValueError(f"channel: one of {', '.join(CHANNELS)}")
    return exact(channel)


def checked_details(details: object) -> tuple[tuple[str, str], ...]:
    """Return the details that a challenge is bound to, sorted by key, with values in the normal form NFKC.

    Raises:
        TypeError: it is not a mapping of ``str`` to ``str``.
        ValueError: it has more than 10 entries, a key over 40 or a value over 200 characters, or over 1,000 in all; or
            a key that is not printable.
    """
    if details is None:
        return ()
    if not isinstance(details, Mapping) or not all(isinstance(part, str) for pair in details.items() for part in pair):
        raise TypeError('details: a mapping of str to str, for example {"amount": "10 EUR"}')
    sizes = [(len(key), len(value)) for key, value in details.items()]
    if len(sizes) > 10 or any(key > 40 or value > 200 for key, value in sizes) or sum(map(sum, sizes)) > 1000:
        raise ValueError("details: at most 10 entries, keys up to 40 and values up to 200 characters, 1,000 in all")
    if not all(map(str.isprintable, details)):
        raise ValueError("details: keys of printable characters")
    normal = {exact(key): unicodedata.normalize("NFKC", exact(value)) for key, value in details.items()}
    return tuple(sorted(normal.items()))
