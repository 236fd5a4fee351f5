"""``python -m smsmfa doctor``: find what is wrong with the settings before the first user does."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from inspect import iscoroutinefunction
from threading import Thread
from typing import Any
from uuid import uuid4

import attrs

from .config import FactorConfig
from .environment import TWILIO, opened
from .exceptions import ConfigurationError, SmsMfaError
from .stores.memory import AsyncMemoryStore, MemoryStore
from .texts.segments import culprit, segments
from .typing import Entry
from .values import LEVELS, Finding

#: The variable that says where the store is, ``package.module:name``.
STORE = "SMSMFA_STORE"
#: Seconds that a store has for one record.
_PATIENCE = 10.0


def examine(environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Look at everything that the environment names: the settings, the account at Twilio, the store.

    Args:
        environment: names and values; ``None``: those of the process.
    """
    hidden = opened(environment)
    del environment
    return [*_settings(hidden.reveal()), *_twilio(hidden.reveal()), *_store(hidden.reveal().get(STORE, "").strip())]


def failed(findings: Iterable[Finding]) -> bool:
    """Tell whether something has to be mended."""
    return any(finding.level == "error" for finding in findings)


def as_json(findings: Iterable[Finding]) -> str:
    """Return findings for a program, and the worst of their levels."""
    found = list(findings)
    worst = max((one.level for one in found), key=LEVELS.index, default=LEVELS[0])
    return json.dumps({"worst": worst, "findings": [attrs.asdict(one) for one in found]}, indent=2)


def as_table(findings: Iterable[Finding]) -> str:
    """Return findings for a person: a line each, and below it what to do."""
    found = list(findings)
    wide = max((len(finding.subject) for finding in found), default=0)
    lines = []
    for finding in found:
        lines.append(f"{finding.level:<11}  {finding.subject:<{wide}}  {finding.detail}")
        if finding.advice:
            lines.append(f"{'':<11}  {'':<{wide}}  -> {finding.advice}")
    return "\n".join(lines)


def _settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        config = FactorConfig.from_env(environment)
    except ConfigurationError as error:
        yield Finding("settings", "error", str(error), "set the variable, or mend its value; the rest is not read yet")
        return
    yield Finding("settings", "ok", f"{config.app_name}, codes of {config.digits} digits, {_places(config)}")
    samples = [(purpose, language, text) for purpose, language, way, text in config.texts.samples() if way == "sms"]
    for purpose in dict.fromkeys(purpose for purpose, *_ in samples):
        yield _text(config, purpose, {language: text for name, language, text in samples if name == purpose})


def _places(config: FactorConfig) -> str:
    return "every country" if "*" in config.regions else ", ".join(sorted(config.regions))


def _text(config: FactorConfig, purpose: str, texts: Mapping[str, str]) -> Finding:
    """Count the segments of a text in each language (``""``: in all), with a code that nobody was sent."""
    long = {language: text for language, text in texts.items() if segments(text).count > 1}
    if not long:
        return _short(config, purpose, texts)
    characters = {character: None for text in long.values() if (character := culprit(text)) is not None}
    where = "" if "" in long else f" in {', '.join(long)}"
    because = f", or take out {next(iter(characters))!r}, which forces UCS-2" if len(characters) == 1 else ""
    size = segments(next(iter(long.values())))
    detail = f"{size.count} segments of {size.encoding}{where}, and each is paid for"
    return Finding(f"text {purpose}", "warning", detail, f"shorten the text, app_name or origin{because}")


def _short(config: FactorConfig, purpose: str, texts: Mapping[str, str]) -> Finding:
    """Return what is said of texts that fit into one segment, as far as they are known without a challenge."""
    subject, kind = f"text {purpose}", "enrollment" if purpose == "enrollment" else "verification"
    several = f"in each of {len(texts)} languages" if len(texts) > 1 else f"of {segments(*texts.values()).encoding}"
    try:
        config.texts.render(kind, purpose, "0" * config.digits, (), None)
    except ValueError:
        detail = f"1 segment {several} without the details that only a challenge has"
        return Finding(subject, "not checked", detail, "keep them short")
    return Finding(subject, "ok", f"1 segment {several}")


def _twilio(environment: Mapping[str, str]) -> Iterator[Finding]:
    from .senders.twilio.sender import TwilioSender

    if not any(environment.get(name) for name, _ in TWILIO.values()):
        advice = "set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM_NUMBER or TWILIO_MESSAGING_SERVICE_SID"
        yield Finding("twilio", "not checked", "no variable names an account", advice)
        return
    try:
        sender = TwilioSender.from_env(environment)
    except ConfigurationError as error:
        yield Finding("twilio", "error", str(error), "set the variable TWILIO_ and that name, or mend its value")
        return
    yield from sender.check()


def _store(place: str) -> Iterator[Finding]:
    if not place:
        advice = f"set {STORE} to where your program keeps it, for example acme.factor:store"
        yield Finding("store", "not checked", "no variable names a store", advice)
        return
    try:
        store = _load(place)
    except Exception as error:
        why = str(error) if isinstance(error, SmsMfaError) else type(error).__name__
        advice = f"{STORE} has to be package.module:name, of a store or of a function that makes one"
        yield Finding("store", "error", f"{place} cannot be loaded: {why}", advice)
        return
    yield _answer(store)
    if isinstance(store, MemoryStore | AsyncMemoryStore):
        advice = "use a store that outlives the process, and that all processes share"
        yield Finding("store", "warning", "records in memory end with the process", advice)


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    found = getattr(import_module(module), name)
    store = found if hasattr(found, "update") and not isinstance(found, type) else found()
    if not hasattr(store, "update"):
        raise ConfigurationError("it is no store")
    return store


def _answer(store: Any) -> Finding:
    """Write a record, read it, and delete it."""
    outcome: list[Finding] = []
    worker = Thread(target=lambda: outcome.append(_tried(store)), daemon=True)
    worker.start()
    worker.join(_PATIENCE)
    if outcome:
        return outcome[0]
    return Finding("store", "error", f"no answer within {_PATIENCE:g} seconds", _MEND_STORE)


_MEND_STORE = "see that the server runs, that this machine reaches it, and that its schema was created"


def _tried(store: Any) -> Finding:
    try:
        kept = asyncio.run(_round_async(store)) if iscoroutinefunction(store.update) else _round(store)
    except Exception as error:
        why = str(error) if isinstance(error, SmsMfaError) else type(error).__name__
        return Finding("store", "error", f"{type(store).__name__} does not answer: {why}", _MEND_STORE)
    if kept:
        return Finding("store", "ok", f"{type(store).__name__} wrote, read and deleted a record")
    return Finding("store", "error", f"{type(store).__name__} lost a record at once", "use another store")


def _round(store: Any) -> bool:
    key, put, drop = _steps()
    store.update([key], put)
    seen = store.read(key)
    return bool(store.update([key], drop) == seen == _MARK and store.read(key) is None)


async def _round_async(store: Any) -> bool:
    key, put, drop = _steps()
    await store.update([key], put)
    seen = await store.read(key)
    return bool(await store.update([key], drop) == seen == _MARK and await store.read(key) is None)


_MARK = b"smsmfa doctor"


def _steps() -> tuple[str, Callable[[Any], Any], Callable[[Any], Any]]:
    """Return a key that nothing else has, and what to do with it first and last."""
    key = f"doctor:{uuid4().hex}"
    return key, lambda _: ({key: Entry(_MARK, 60)}, None), lambda values: ({key: None}, values.get(key))
