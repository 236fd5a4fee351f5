"""The texts of a configuration, compiled and checked when it is built: one for each purpose, language and channel.

A template is written in the language of :mod:`smsmfa.texts.templates` or in Liquid (:mod:`smsmfa.texts.liquid`). A text
is one line without links or invisible characters, and has no digits that a phone's autofill could take for the code. An
SMS fits into two segments. What surrounds a text is in :mod:`smsmfa.texts.layout`.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache

import attrs

from ..core.records import Details
from ..exceptions import ConfigurationError
from ..typing import CHANNELS, ENROLLMENT, SMS, VERIFICATION, VOICE, WHATSAPP
from .content import text_problem, value_problem
from .languages import match, texts
from .layout import Frame, as_shown
from .liquid import Liquid
from .templates import Template, compiled
from .wording import (
    Source,
    Wording,
    checked_android_hash,
    checked_app_name,
    checked_host,
    checked_languages,
    checked_templates,
)


@attrs.frozen
class _Choice:
    """The templates of a purpose by language and channel. The first language serves everybody else; ``""`` is any."""

    templates: Mapping[str, Mapping[str, Template]]
    languages: tuple[str, ...]
    #: Whether no text shows a value of the call.
    plain: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        plain = not any(template.shows for channels in self.templates.values() for template in channels.values())
        object.__setattr__(self, "plain", plain)

    def language(self, locale: str | None) -> str:
        return self.languages[0] if locale is None else match(locale, self.languages) or self.languages[0]


class Messages:
    """The texts of one configuration.

    Args:
        templates: templates by purpose. ``"enrollment"`` confirms a new number, and ``"verification"`` serves every
            purpose without a template. Each is one template, or a mapping of languages to templates, or a mapping of
            languages to mappings of channels to templates.
        app_name: shown by ``{{ app_name }}``; at most 60 characters.
        digits: the length of a code.
        lifetime: how long a code is good. ``{{ minutes }}`` shows it, rounded up.
        origin: the host of the site where the code is typed in, for the autofill line, or ``None``.
        languages: languages of the built-in texts, the first for everybody else; ``None``: all whose texts fit.
        android_hash: the 11 characters by which Android knows the app that may read the message, or ``None``.

    Raises:
        ConfigurationError: an argument breaks a rule of this module.
    """

    __slots__ = ("_choices", "_english", "_frame", "languages")

    def __init__(
        self,
        templates: Mapping[str, Wording] | None,
        *,
        app_name: str,
        digits: int,
        lifetime: timedelta,
        origin: str | None,
        languages: Collection[str] | None = None,
        android_hash: str | None = None,
    ) -> None:
        name = checked_app_name(app_name, digits)
        self._frame = Frame(digits, checked_host(origin), checked_android_hash(android_hash))
        self.languages: tuple[str, ...] = checked_languages(languages)
        given = checked_templates(templates)
        minutes = str(-(-lifetime // timedelta(minutes=1)))
        self._choices: dict[str, _Choice] = {
            purpose: _built_in(purpose, self.languages, name, minutes, self._frame, lenient=languages is None)
            for purpose in (ENROLLMENT, VERIFICATION)
            if purpose not in given
        }
        constants = {"app_name": name, "minutes": minutes}
        self._english = compiled(texts()["en"]["voice"], constants)
        for purpose, by_language in given.items():
            self._choices[purpose] = self._own(purpose, by_language, constants)

    def check(self, purpose: str, details: Details, locale: str | None, *, channel: str = SMS) -> None:
        """Check that a text can show these details, before anything is charged.

        Every channel is checked, ``channel`` first, since the next message of the challenge may use another.

        Raises:
            ValueError: the text shows a detail that is missing, or does not show one; a value has a link, a line
                break, an invisible character or as many digits as a code; or the text becomes too long. The error
                shows no value.
        """
        if not details and self._choice(purpose).plain:
            return
        templates = self._templates(purpose, locale)
        for key, value in details:
            problem = text_problem(value) if key.startswith("_") else value_problem(value, self._frame.digits)
            if problem:
                raise ValueError(f"details[{key!r}]: {problem}")
        for one in dict.fromkeys((channel, *CHANNELS)):
            values = _values(details, locale) | {"code": as_shown(self._frame.zeros, one)}
            if (body := templates[one].text(values)) is None:
                raise ValueError(f"the message for purpose {purpose!r} {templates[one].problem(values)}")
            if problem := self._frame.text_problem(body, one):
                raise ValueError(f"the message for purpose {purpose!r}, with these details and this locale: {problem}")
            if one == channel and (hidden := _hidden(details, templates[one], values)):
                raise ValueError(_NOT_SHOWN.format(purpose=purpose, keys=", ".join(hidden)))

    def render(
        self, kind: str, purpose: str, code: str, details: Details, locale: str | None, *, channel: str = SMS
    ) -> str:
        """Return the text to send. :meth:`check` must have accepted ``details`` and ``locale``.

        Raises:
            ValueError: the text shows a detail that is missing.
        """
        purpose = kind if kind == ENROLLMENT else purpose
        template = self._templates(purpose, locale)[channel]
        values = _values(details, locale) if template.shows else {}
        values["code"] = as_shown(code, channel)
        if (body := template.text(values)) is None:
            values["code"] = self._frame.zeros
            del code  # a traceback with locals must not show it
            raise ValueError(f"the message for purpose {purpose!r} {template.problem(values)}")
        if details and (hidden := _hidden(details, template, values)):
            del code, body, values
            raise ValueError(_NOT_SHOWN.format(purpose=purpose, keys=", ".join(hidden)))
        return self._frame.finished(body, code, channel)

    def language(self, purpose: str, locale: str | None) -> str | None:
        """Return the language of the text for a locale, or ``None`` if one template serves all languages."""
        return self._choice(purpose).language(locale) or None

    def english(self, purpose: str, code: str, details: Details, locale: str | None) -> str | None:
        """Return a spoken text in English that can replace the text for a locale, for voices without its language.

        It is the purpose's own English text, or else the built-in one. ``None``: the text for the locale is English or
        in an unknown language, or the English text does not show all details.
        """
        choice = self._choice(purpose)
        language = choice.language(locale)
        if not language or match(language, ("en",)):
            return None
        own = match("en", choice.languages)
        template = choice.templates[own][VOICE] if own else self._english
        values = _values(details, own) | {"code": as_shown(code, VOICE)}
        if _hidden(details, template, values) or (body := template.text(values)) is None:
            return None
        return self._frame.finished(body, code, VOICE)

    def samples(self) -> Iterator[tuple[str, str, str, str]]:
        """Return purpose, language, channel and text of every template, without details and with zeros as the code."""
        for purpose, choice in self._choices.items():
            for language, templates in choice.templates.items():
                for channel, template in templates.items():
                    body = self._frame.probe(template, channel, language or self.languages[0])
                    yield purpose, language, channel, self._frame.finished(body or "", self._frame.zeros, channel)

    def _choice(self, purpose: str) -> _Choice:
        return self._choices.get(purpose, self._choices[VERIFICATION])

    def _templates(self, purpose: str, locale: str | None) -> Mapping[str, Template]:
        choice = self._choice(purpose)
        return choice.templates[choice.language(locale)]

    def _own(
        self, purpose: str, by_language: Mapping[str, Mapping[str, Source]], constants: Mapping[str, str]
    ) -> _Choice:
        """Compile and check the templates that the operator gave for a purpose."""
        found = {}
        for language, sources in by_language.items():
            where = f"messages[{purpose!r}]" + (f"[{language!r}]" if language else "")
            found[language] = {
                channel: self._checked(sources.get(channel, sources[SMS]), constants, channel, language, purpose, at)
                for channel in CHANNELS
                for at in [where + (f"[{channel!r}]" if channel in sources and len(sources) > 1 else "")]
            }
        return _Choice(found, tuple(found))

    def _checked(
        self, source: Source, constants: Mapping[str, str], channel: str, language: str, purpose: str, where: str
    ) -> Template:
        try:
            if isinstance(source, Liquid):
                locale = language or self.languages[0]
                template = source.compiled(constants, locale=locale, voice=channel == VOICE)
                probes = [(one, one) for one in ((language,) if language else self.languages)]
            else:
                template, probes = compiled(source, constants), [("en", "0")]
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        if purpose == ENROLLMENT and template.shows - {"locale"}:
            raise ConfigurationError(f"{where}: an enrolment has no details; take them out of the template")
        for one, other in probes:
            if problem := self._frame.problem(template, channel, one, other):
                raise ConfigurationError(f"{where}: {problem}")
        return template

    def __repr__(self) -> str:
        return f"<Messages for {', '.join(self._choices)}>"


_NOT_SHOWN = (
    "the message for purpose {purpose!r} does not show {keys} of the details, so nobody sees what they confirm; "
    "show it in a template, or begin its name with _ to bind it unseen"
)


def shown_details(details: Details) -> Details:
    """Return the details that a text shows. Those whose names begin with ``_`` are bound and never shown."""
    return tuple((key, value) for key, value in details if not key.startswith("_"))


def _values(details: Details, locale: str | None) -> dict[str, str]:
    """Return the values that a template can show."""
    return {"locale": locale or ""} | {f"details.{key}": value for key, value in shown_details(details)}


def _hidden(details: Details, template: Template, values: Mapping[str, str]) -> list[str]:
    """Return the names of the details that should be seen and are not (RTS (EU) 2018/389, Art. 5(1)(a)).

    A detail is seen if the text changes with it.
    """
    return [
        key
        for key, _ in shown_details(details)
        if template.text({**values, f"details.{key}": "zq"}) == template.text({**values, f"details.{key}": "qz"})
    ]


@lru_cache(maxsize=64)
def _built_in(
    purpose: str, languages: tuple[str, ...], app_name: str, minutes: str, frame: Frame, *, lenient: bool
) -> _Choice:
    """Compile and check the built-in texts. If ``lenient``, leave out texts that are too long, but not the first."""
    constants = {"app_name": app_name, "minutes": minutes}
    found: dict[str, Mapping[str, Template]] = {}
    for language in languages:
        source = texts()[language]
        sms, voice = compiled(source[purpose], constants), compiled(source["voice"], constants)
        problem = frame.problem(sms, SMS, language, language)
        if problem is None:
            found[language] = {SMS: sms, VOICE: voice, WHATSAPP: sms}
        elif not (lenient and found):
            raise ConfigurationError(f"languages: the text in {language!r} for {purpose!r}: {problem}")
    return _Choice(found, tuple(found))
