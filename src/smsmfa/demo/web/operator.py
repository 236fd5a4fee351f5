"""The operator's settings of the demo. They have the names of the environment variables that an application reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

import attrs

from ...config import FactorConfig, Limits
from ...exceptions import ConfigurationError, SmsMfaError
from ...limiter import Limit
from ...phone import PhoneNumber
from ...texts.languages import texts
from ...texts.segments import segments
from ...typing import NOTICE, Message, Sender
from ...values import Finding

#: What is set before anybody changes it. The limits and templates are the described system's, and the library's own.
DEFAULTS = {
    "SMSMFA_ENABLED": "true",
    "SMSMFA_APP_NAME": "Acme",
    "SMSMFA_REGIONS": "US,CA,GB,DE,FR,ES,BR,IN,JP",
    "SMSMFA_MAX_PHONES": "2",
    "provider": "phone",
    "source": "from",
    "TWILIO_ACCOUNT_SID": "",
    "TWILIO_AUTH_TOKEN": "",
    "TWILIO_FROM_NUMBER": "",
    "TWILIO_MESSAGING_SERVICE_SID": "",
    "enrollment": "",
    "verification": "",
    "sends": "10",
    "sends_minutes": "60",
    "guesses": "20",
    "guesses_minutes": "600",
}
#: The one that is never shown again.
HIDDEN = "TWILIO_AUTH_TOKEN"
_SOURCES = {"from": "TWILIO_MESSAGING_SERVICE_SID", "copilot": "TWILIO_FROM_NUMBER"}
_YEAR = timedelta(days=365)


@attrs.frozen
class Settings:
    """Settings as they were typed in.

    Args:
        values: names and texts, as in :data:`DEFAULTS`.
        secret: the secret of the configuration.
    """

    values: Mapping[str, str] = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)

    def config(self) -> FactorConfig:
        """Return the configuration.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        given = self.values
        limits = Limits(user=self._limit("sends"), guesses=self._limit("guesses"))
        messages = {purpose: given[purpose].strip() for purpose in ("enrollment", "verification")}
        messages = {purpose: text for purpose, text in messages.items() if text}
        return FactorConfig.from_env(given, secret=self.secret, limits=limits, messages=messages or None)

    def sender(self, drawn_phone: Sender) -> Sender:
        """Return the sender that was chosen.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        if self.values["provider"] != "twilio":
            return drawn_phone
        from ...senders.twilio import TwilioSender

        return TwilioSender.from_env(self._twilio())

    def risk(self) -> str:
        """Return the chance that somebody who has the password guesses a code within a year, in words."""
        return f"1 in {round(1 / self.config().guess_risk(_YEAR)):,}"

    def previews(self) -> dict[str, dict[str, Any]]:
        """Return for each template the text as it arrives, with its encoding and segments, or what is wrong with it."""
        shown: dict[str, dict[str, Any]] = {}
        for purpose in ("enrollment", "verification"):
            try:
                text = self.config().texts.render(purpose, purpose, "123456", (), "en")
            except (ConfigurationError, ValueError) as error:
                shown[purpose] = {"problem": str(error), "text": "", "size": ""}
                continue
            size = segments(text)
            count = "1 segment" if size.count == 1 else f"{size.count} segments"
            shown[purpose] = {"problem": "", "text": text, "size": f"{count}, {size.units} units of {size.encoding}"}
        return shown

    def findings(self) -> list[Finding]:
        """Return what the doctor finds. With Twilio it asks the account, and sends nothing."""
        from ...doctor import examine

        environment = {"SMSMFA_SECRET": self.secret, **self.values}
        environment.update(self._twilio() if self.values["provider"] == "twilio" else dict.fromkeys(_TWILIO, ""))
        return examine(environment)

    def test_message(self, number: str) -> Message:
        """Return a message that shows the text of a login, with a code that opens nothing.

        Raises:
            PhoneNumberError: the number is wrong.
        """
        text = self.config().texts.render("verification", "login", "000000", (), "en")
        until = datetime.now(UTC) + timedelta(minutes=5)
        to = PhoneNumber.parse(number, "US")
        return Message(to=to, text=text, code="000000", kind=NOTICE, challenge_id="test", expires_at=until)

    def _limit(self, name: str) -> Limit:
        capacity, minutes = self.values[name], self.values[f"{name}_minutes"]
        if not (capacity.isdecimal() and minutes.isdecimal()) or not 0 < int(capacity) <= 1000 or int(minutes) < 1:
            raise ConfigurationError(f"{name}: whole numbers, at least 1")
        return Limit(int(capacity), timedelta(minutes=min(int(minutes), 10**6)))

    def _twilio(self) -> dict[str, str]:
        unused = _SOURCES.get(self.values["source"], "")
        return {name: text for name, text in self.values.items() if name in _TWILIO and name != unused}


_TWILIO = tuple(name for name in DEFAULTS if name.startswith("TWILIO_"))


def changed(before: Mapping[str, str], form: Mapping[str, str]) -> dict[str, str]:
    """Return the settings after a form. An auth token that is left empty stays as it was."""
    after = {name: form.get(name, "").strip() for name in DEFAULTS}
    after["SMSMFA_ENABLED"] = "true" if form.get("SMSMFA_ENABLED") else "false"
    after["SMSMFA_REGIONS"] = after["SMSMFA_REGIONS"].upper()
    after[HIDDEN] = after[HIDDEN] or before[HIDDEN]
    return after


def default_templates() -> Mapping[str, str]:
    """Return the built-in templates in English."""
    return texts()["en"]


def new_secret() -> str:
    """Return a secret for a new installation."""
    return token_urlsafe(32)


def failed_because(error: SmsMfaError) -> str:
    """Return what the operator is told about a test message that was not sent."""
    return f"{type(error).__name__}: {error}"
