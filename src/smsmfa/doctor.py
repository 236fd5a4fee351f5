"""``python -m smsmfa doctor``: find what is wrong with the settings before a user does."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from inspect import iscoroutine, iscoroutinefunction, signature
from threading import Thread
from typing import Any
from uuid import uuid4

import attrs

from .config import FactorConfig
from .environment import FACTOR, TWILIO, opened
from .exceptions import ConfigurationError, SmsMfaError
from .phone import GLOBAL
from .stores.memory import AsyncMemoryStore, MemoryStore
from .texts.segments import culprit, segments
from .typing import Entry
from .values import LEVELS, Finding

#: The variable that names the store, as ``package.module:name``.
STORE = "SMSMFA_STORE"
#: The variable that names the sender, as ``package.module:name``.
SENDER = "SMSMFA_SENDER"
#: How many seconds the store may take to write, read and delete one record.
_PATIENCE = 10.0


def examine(environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Check everything that the environment names: the settings, the Twilio account, the sender and the store.

    Args:
        environment: names and values; ``None`` means the environment of the process.
    """
    hidden = opened(environment)
    del environment
    shown = hidden.reveal()
    sender = shown.get(SENDER, "").strip()
    findings = [*_settings(shown), *_twilio(shown, own=bool(sender))]
    if sender:
        findings += _sender(sender, _regions(shown))
    return [*findings, *_store(shown.get(STORE, "").strip())]


def failed(findings: Iterable[Finding]) -> bool:
    """Return whether anything must be fixed."""
    return any(finding.level == "error" for finding in findings)


def as_json(findings: Iterable[Finding]) -> str:
    """Return the findings and their worst level as JSON."""
    found = list(findings)
    worst = max((one.level for one in found), key=LEVELS.index, default=LEVELS[0])
    return json.dumps({"worst": worst, "findings": [attrs.asdict(one) for one in found]}, indent=2)


def as_table(findings: Iterable[Finding]) -> str:
    """Return the findings as text: a line each, with advice below it."""
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
        yield Finding(
            "settings", "error", str(error), "set the variable or fix its value; the other settings were not checked"
        )
        return
    yield Finding("settings", "ok", f"{config.app_name}, codes of {config.digits} digits, {_places(config)}")
    samples = [(purpose, language, text) for purpose, language, way, text in config.texts.samples() if way == "sms"]
    for purpose in dict.fromkeys(purpose for purpose, *_ in samples):
        yield _text(config, purpose, {language: text for name, language, text in samples if name == purpose})


def _places(config: FactorConfig) -> str:
    countries = ["every country"] if "*" in config.regions else sorted(config.regions - {GLOBAL})
    return ", ".join([*countries, *(["numbers of no country"] if GLOBAL in config.regions else [])])


def _text(config: FactorConfig, purpose: str, texts: Mapping[str, str]) -> Finding:
    """Count the segments of a text in each language (``""`` means all languages), with a made-up code."""
    long = {language: text for language, text in texts.items() if segments(text).count > 1}
    if not long:
        return _short(config, purpose, texts)
    characters = {character: None for text in long.values() if (character := culprit(text)) is not None}
    where = "" if "" in long else f" in {', '.join(long)}"
    because = f", or remove {next(iter(characters))!r}, which forces UCS-2" if len(characters) == 1 else ""
    size = segments(next(iter(long.values())))
    detail = f"{size.count} segments of {size.encoding}{where}; you pay for each segment"
    return Finding(f"text {purpose}", "warning", detail, f"shorten the text, app_name or origin{because}")


def _short(config: FactorConfig, purpose: str, texts: Mapping[str, str]) -> Finding:
    """Return the finding about texts of one segment. Details are known only once there is a challenge."""
    subject, kind = f"text {purpose}", "enrollment" if purpose == "enrollment" else "verification"
    several = f"in each of {len(texts)} languages" if len(texts) > 1 else f"of {segments(*texts.values()).encoding}"
    try:
        config.texts.render(kind, purpose, "0" * config.digits, (), None)
    except ValueError:
        detail = f"1 segment {several}, not counting the details that a challenge adds"
        return Finding(subject, "not checked", detail, "keep the details short")
    return Finding(subject, "ok", f"1 segment {several}")


def _regions(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the regions of the settings, or none if they are wrong."""
    name, read = FACTOR["regions"]
    text = environment.get(name, "").strip()
    regions: frozenset[str] = read(name, text) if text else frozenset()
    return regions


def _twilio(environment: Mapping[str, str], *, own: bool) -> Iterator[Finding]:
    from .senders.twilio.sender import TwilioSender

    if not any(environment.get(name) for name, _ in TWILIO.values()):
        if own:
            return
        advice = (
            f"to use another sender, set {SENDER} to its place; "
            "to use Twilio, set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, and TWILIO_FROM_NUMBER or "
            "TWILIO_MESSAGING_SERVICE_SID"
        )
        yield Finding("twilio", "not checked", "no Twilio account is set", advice)
        return
    try:
        sender = TwilioSender.from_env(environment)
    except ConfigurationError as error:
        yield Finding(
            "twilio",
            "error",
            str(error),
            "set the variable or fix its value; the variable of account_sid is TWILIO_ACCOUNT_SID",
        )
        return
    yield from sender.check(regions=_regions(environment))


def _sender(place: str, regions: frozenset[str]) -> Iterator[Finding]:
    """Let a sender of the application check itself, if it can."""
    try:
        sender = _load(place, "send", "a sender")
        for carrier in getattr(sender, "carriers", (sender,)):
            yield from _carrier(carrier, regions)
    except Exception as error:
        why = str(error) if isinstance(error, SmsMfaError) else type(error).__name__
        advice = f"set {SENDER} to package.module:name; the name must be a sender or a function that returns one"
        yield Finding("sender", "error", f"{place} cannot be checked: {why}", advice)


def _carrier(sender: Any, regions: frozenset[str]) -> Iterator[Finding]:
    check = getattr(sender, "check", None)
    if check is None:
        detail = f"{type(sender).__name__} has no method check(), so it cannot be asked"
        yield Finding("sender", "not checked", detail, "send a message to yourself")
        return
    found = check(regions=regions) if "regions" in signature(check).parameters else check()
    yield from asyncio.run(found) if iscoroutine(found) else found


def _store(place: str) -> Iterator[Finding]:
    if not place:
        advice = f"set {STORE} to the place of your store, for example acme.factor:store"
        yield Finding("store", "not checked", "no store is set", advice)
        return
    try:
        store = _load(place, "update", "a store")
    except Exception as error:
        why = str(error) if isinstance(error, SmsMfaError) else type(error).__name__
        advice = f"set {STORE} to package.module:name; the name must be a store or a function that returns one"
        yield Finding("store", "error", f"{place} cannot be loaded: {why}", advice)
        return
    yield _answer(store)
    if isinstance(store, MemoryStore | AsyncMemoryStore):
        advice = "use a store that keeps records after the process ends and that all processes share"
        yield Finding("store", "warning", "records in memory are lost when the process ends", advice)


def _load(place: str, method: str, what: str) -> Any:
    """Return what stands at a place, or what the function there returns. It must have a method."""
    module, _, name = place.partition(":")
    found = getattr(import_module(module), name)
    made = found if hasattr(found, method) and not isinstance(found, type) else found()
    if not hasattr(made, method):
        raise ConfigurationError(f"it is not {what}")
    return made


def _answer(store: Any) -> Finding:
    """Write a record, read it, and delete it."""
    outcome: list[Finding] = []
    worker = Thread(target=lambda: outcome.append(_tried(store)), daemon=True)
    worker.start()
    worker.join(_PATIENCE)
    if outcome:
        return outcome[0]
    return Finding("store", "error", f"no answer within {_PATIENCE:g} seconds", _FIX_STORE)


_FIX_STORE = "check that the server runs, that this machine can reach it, and that its schema exists"


def _tried(store: Any) -> Finding:
    try:
        kept = asyncio.run(_round_async(store)) if iscoroutinefunction(store.update) else _round(store)
    except Exception as error:
        why = str(error) if isinstance(error, SmsMfaError) else type(error).__name__
        return Finding("store", "error", f"{type(store).__name__} does not answer: {why}", _FIX_STORE)
    if kept:
        return Finding("store", "ok", f"{type(store).__name__} wrote, read and deleted a record")
    return Finding("store", "error", f"{type(store).__name__} did not keep a record", "use another store")


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
    """Return a key that nobody else uses, the change that writes it, and the change that deletes it."""
    key = f"doctor:{uuid4().hex}"
    return key, lambda _: ({key: Entry(_MARK, 60)}, None), lambda values: ({key: None}, values.get(key))
