"""The form that is posted to Twilio for one message: an SMS, a call, or a WhatsApp message."""

import json
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

import attrs

from ...exceptions import SenderMisconfigured
from ...texts.languages import match
from ...typing import SMS, VOICE, WHATSAPP, Message
from ..base import seconds_left
from ..voices import said, split_at, voices_by_tag

#: The shortest and the longest ``ValidityPeriod`` that Twilio accepts, in seconds.
_VALIDITY = 1, 36_000
#: How many times a call says the code.
_TIMES = 2
#: A second after each digit and between repetitions, so that the listener can write the code down.
_PAUSE = '<Pause length="1"/>'
#: The query parameter of a status callback that names the challenge.
CHALLENGE = "challenge"

#: The languages of ``<Say>``, as Twilio's own ``Say.Language`` lists them (twilio-java 12, Say.java).
_SPOKEN = (
    "en-US", "en-AU", "en-CA", "en-GB", "en-IE", "en-IN", "en-NZ", "en-ZA", "af-ZA", "ar-XA", "ar-AE", "bg-BG", "bn-IN",
    "ca-ES", "cmn-CN", "cmn-TW", "cs-CZ", "cy-GB", "da-DK", "de-DE", "de-AT", "el-GR", "es-ES", "es-MX", "es-US",
    "fi-FI", "fil-PH", "fr-FR", "fr-BE", "fr-CA", "gu-IN", "he-IL", "hi-IN", "hu-HU", "id-ID", "is-IS", "it-IT",
    "ja-JP", "kn-IN", "ko-KR", "lv-LV", "ml-IN", "mr-IN", "ms-MY", "nb-NO", "nl-NL", "nl-BE", "pa-IN", "pl-PL", "pt-PT",
    "pt-BR", "ro-RO", "ru-RU", "sk-SK", "sr-RS", "sv-SE", "ta-IN", "te-IN", "th-TH", "tr-TR", "uk-UA", "vi-VN",
    "yue-HK",
)  # fmt: skip
#: Languages that are spoken only if a voice is named, with Google's voice for each. Source: ``Say.Voice``, as above.
_NAMED = {tag: f"Google.{tag}-Standard-B" for tag in ("eu-ES", "gl-ES", "lt-LT")}
_ALIASES = {
    "es-419": "es-US", "zh": "cmn-CN", "zh-hant": "cmn-TW", "zh-tw": "cmn-TW", "zh-hk": "yue-HK", "zh-mo": "yue-HK",
}  # fmt: skip
#: The language of ``<Say>`` for each tag.
SPOKEN = voices_by_tag({tag: tag for tag in (*_SPOKEN, *_NAMED)}, _ALIASES)


@attrs.frozen(kw_only=True)
class Origin:
    """The sender of messages on each channel, and the form fields that do not depend on the message.

    Args:
        sender: ``From`` or ``MessagingServiceSid`` of an SMS.
        options: more fields of every message, except calls.
        sms_options: more fields of an SMS.
        voice_number: the number that calls come from.
        whatsapp: ``From`` or ``MessagingServiceSid`` of a WhatsApp message; empty if WhatsApp is off.
        content_sid: the approved template for WhatsApp, or one for each language, the first for everybody else. Its
            variable 1 is the code.
        status_callback: the URL to which Twilio reports.
    """

    sender: Mapping[str, str] = attrs.field(repr=False)
    options: Mapping[str, str] = attrs.field(factory=dict)
    sms_options: Mapping[str, str] = attrs.field(factory=dict)
    voice_number: str | None = attrs.field(default=None, repr=False)
    whatsapp: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    content_sid: str | Mapping[str, str] | None = None
    status_callback: str | None = None


def form_of(message: Message, origin: Origin, now: int) -> tuple[str, dict[str, str]]:
    """Return the path under the account to which a message is posted, and its form.

    Raises:
        SenderMisconfigured: the message's channel is not set up.
    """
    if message.channel == SMS:
        return "/Messages", _sms(message, origin, now)
    if message.channel == VOICE:
        return "/Calls", _call(message, origin)
    if message.channel == WHATSAPP:
        return "/Messages", _whatsapp(message, origin, now)
    raise SenderMisconfigured(f"TwilioSender sends SMS, voice and WhatsApp; it has no channel {message.channel!r}")


def _sms(message: Message, origin: Origin, now: int) -> dict[str, str]:
    form = {"To": message.to.e164, "Body": message.text, **origin.sender, **origin.sms_options}
    return form | _common(message, origin, now)


def _whatsapp(message: Message, origin: Origin, now: int) -> dict[str, str]:
    if not origin.whatsapp:
        raise SenderMisconfigured(
            "WhatsApp is not set up: give TwilioSender a whatsapp_number; or give it a whatsapp_content_sid, "
            "and its messaging service a WhatsApp sender"
        )
    form = {"To": f"whatsapp:{message.to.e164}", **origin.whatsapp} | _common(message, origin, now)
    if origin.content_sid is None:
        return form | {"Body": message.text}
    if message.details:
        raise SenderMisconfigured(
            "the WhatsApp template shows only the code, so nobody would see the details; use another channel"
        )
    variables = json.dumps({"1": message.code.reveal()})
    return form | {"ContentSid": _template(origin.content_sid, message), "ContentVariables": variables}


def _template(content: str | Mapping[str, str], message: Message) -> str:
    """Return the template for the language that the application asked for, or else for the language of the text."""
    if isinstance(content, str):
        return content
    available = tuple(content)
    wanted = [tag for tag in (message.locale, message.language) if tag is not None]
    return content[next((found for tag in wanted if (found := match(tag, available))), available[0])]


def _common(message: Message, origin: Origin, now: int) -> dict[str, str]:
    period = str(seconds_left(message.expires_at, now, *_VALIDITY))
    return {"ValidityPeriod": period, **origin.options, **_callback(message, origin)}


def _call(message: Message, origin: Origin) -> dict[str, str]:
    if origin.voice_number is None:
        raise SenderMisconfigured("calls are not set up: give TwilioSender a voice_number of the account")
    text, tag = said(message, SPOKEN, "Twilio")
    twiml = spoken(text, message.code.reveal(), tag)
    return {"To": message.to.e164, "From": origin.voice_number, "Twiml": twiml} | _callback(message, origin)


def _callback(message: Message, origin: Origin) -> dict[str, str]:
    if origin.status_callback is None:
        return {}
    parts = urlsplit(origin.status_callback)
    query = "&".join(filter(None, [parts.query, urlencode({CHALLENGE: message.challenge_id})]))
    return {"StatusCallback": urlunsplit(parts._replace(path=parts.path or "/", query=query))}


def spoken(text: str, code: str, tag: str) -> str:
    """Return TwiML that says the text without its autofill line. The code is said twice, digit by digit.

    Args:
        text: the text to say. If it has the code once, whole or with its digits apart, the whole text is said twice.
        code: the code. It is said at the end if the text does not have it.
        tag: the language of ``<Say>``.
    """
    parts = split_at(text.partition("\n@")[0], code)
    digits = "".join(f"{_say(digit, tag)}{_PAUSE}" for digit in code)
    said = [_say(part, tag) for part in (parts if len(parts) > 1 else [*parts, ""])]
    times = 1 if len(said) > _TIMES else _TIMES
    return "<Response>" + _PAUSE.join([digits.join(said)] * times) + "</Response>"


def _say(words: str, tag: str) -> str:
    """Return TwiML that says the words, or nothing if they are punctuation only."""
    if not any(map(str.isalnum, words)):
        return ""
    voice = f' voice="{_NAMED[tag]}"' if tag in _NAMED else ""
    return f'<Say language="{tag}"{voice}>{escape(words.strip(), quote=False)}</Say>'
