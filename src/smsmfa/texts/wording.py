"""Checks of the settings that concern texts."""

import re
from collections.abc import Collection, Mapping
from typing import TypeAlias

from ..exceptions import ConfigurationError
from ..typing import CHANNELS, SMS
from .content import digit_runs, text_problem
from .languages import is_tag, texts
from .liquid import Liquid
from .templates import has_syntax

Source: TypeAlias = str | Liquid
#: One template, or one for each language, or one for each language and channel.
Wording: TypeAlias = Source | Mapping[str, Source | Mapping[str, Source]]
#: A longer name leaves no room for the text (characters).
_LONGEST_APP_NAME = 60
#: RFC 1035, 2.3.4, written out.
_LONGEST_HOST = 253
#: Labels of RFC 1123, 2.1. A name in another script must be given in its ``xn--`` form.
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"localhost|(?:{_LABEL}\.)+{_LABEL}")
_HASH = re.compile(r"[A-Za-z0-9+/]{11}")


def checked_templates(templates: object) -> dict[str, dict[str, Mapping[str, Source]]]:
    """Return the templates by purpose, language (``""``: all) and channel.

    Raises:
        ConfigurationError: they do not have the form of :data:`Wording`, by purpose.
    """
    if templates is None:
        return {}
    if not isinstance(templates, Mapping):
        raise ConfigurationError("messages: a mapping of purposes to templates")
    return {purpose: _by_language(purpose, wording) for purpose, wording in templates.items()}


def _by_language(purpose: object, wording: object) -> dict[str, Mapping[str, Source]]:
    where = f"messages[{purpose!r}]"
    if not isinstance(purpose, str):
        raise ConfigurationError(f"{where}: the purpose must be a str")
    if purpose == "enrolment":
        raise ConfigurationError(f"{where}: there is no such purpose; did you mean 'enrollment'?")
    if isinstance(wording, str | Liquid):
        return {"": {SMS: wording}}
    if not isinstance(wording, Mapping) or not wording:
        raise ConfigurationError(f"{where}: a template, or a mapping of languages to templates")
    found: dict[str, Mapping[str, Source]] = {}
    for language, sources in wording.items():
        if not is_tag(language):
            raise ConfigurationError(f"{where}[{language!r}]: the key must be a language tag, for example 'pt-BR'")
        found[language] = _by_channel(f"{where}[{language!r}]", sources)
    return found


def _by_channel(where: str, sources: object) -> Mapping[str, Source]:
    if isinstance(sources, str | Liquid):
        return {SMS: sources}
    if not isinstance(sources, Mapping) or SMS not in sources or not sources.keys() <= set(CHANNELS):
        raise ConfigurationError(
            f"{where}: a template, or a mapping of channels ({', '.join(CHANNELS)}) to templates, with 'sms'"
        )
    if not all(isinstance(source, str | Liquid) for source in sources.values()):
        raise ConfigurationError(f"{where}: each template must be a str or a Liquid")
    return sources


def checked_languages(languages: object) -> tuple[str, ...]:
    """Return the languages of the built-in texts, in order.

    Raises:
        ConfigurationError: one of them has no built-in text, or there are none.
    """
    if languages is None:
        return tuple(texts())
    if isinstance(languages, Collection) and not isinstance(languages, str):
        listed = list(languages)
        if listed and all(isinstance(one, str) and one in texts() for one in listed):
            return tuple(dict.fromkeys(listed))
    raise ConfigurationError(f"languages: some of {', '.join(texts())}, the one for everybody else first")


def checked_app_name(app_name: object, digits: int) -> str:
    """Return the name of the application.

    Raises:
        ConfigurationError: it cannot stand in a text.
    """
    if not isinstance(app_name, str) or not app_name.strip() or len(app_name) > _LONGEST_APP_NAME:
        raise ConfigurationError(f"app_name: a str of 1 to {_LONGEST_APP_NAME} characters")
    if problem := text_problem(app_name):
        raise ConfigurationError(f"app_name: {problem}")
    if has_syntax(app_name) or digit_runs(app_name, digits):
        raise ConfigurationError(f"app_name: without braces of a template, and without {digits} digits in a row")
    return app_name


def checked_host(origin: object) -> str | None:
    """Return a host in lower case. It must be ASCII, since the Kelvin sign becomes a ``k`` in lower case.

    Raises:
        ConfigurationError: it is not a host.
    """
    if origin is None:
        return None
    host = origin.lower() if isinstance(origin, str) and origin.isascii() else ""
    if len(host) <= _LONGEST_HOST and _HOST.fullmatch(host):
        return host
    raise ConfigurationError(
        "origin: the ASCII host of the site alone, like login.example.com: no scheme, port, path or dot at the end"
    )


def checked_android_hash(android_hash: object) -> str | None:
    """Return the hash of an Android app.

    Raises:
        ConfigurationError: it does not have the form of such a hash.
    """
    if android_hash is None:
        return None
    if isinstance(android_hash, str) and _HASH.fullmatch(android_hash):
        return android_hash
    raise ConfigurationError(
        "android_hash: the 11 characters of Base64, without '=', that Google's AppSignatureHelper prints in the app; "
        "they differ between the debug key, your release key and the key of Play App Signing"
    )
