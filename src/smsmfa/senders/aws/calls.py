"""The call of AWS's API for one message: an SMS or a phone call."""

from html import escape
from typing import Any

import attrs

from ...exceptions import SenderMisconfigured
from ...typing import SMS, VOICE, Message
from ..base import seconds_left
from ..india import India
from ..voices import said, split_at, voices_by_tag

#: The shortest and the longest ``TimeToLive``, in seconds (pinpoint-sms-voice-v2, 2022-03-31, ``TimeToLive``).
_LIFE = 5, 259_200
#: The key of ``Context`` that names the challenge. AWS puts it into delivery reports.
CHALLENGE = "challenge"
#: A second after each digit, so that the listener can write the code down.
_PAUSE = '<break time="1s"/>'

#: The voices of ``VoiceId``, by language. Source: the same model, and "Available voices" of Amazon Polly's guide.
VOICES = voices_by_tag({
    "en-US": "JOANNA", "en-AU": "NICOLE", "en-GB": "AMY", "en-IN": "RAVEENA", "ar-XA": "ZEINA", "cy-GB": "GWYNETH",
    "da-DK": "NAJA", "de-DE": "MARLENE", "es-ES": "LUCIA", "es-MX": "MIA", "es-US": "LUPE", "fr-FR": "LEA",
    "fr-CA": "CHANTAL", "is-IS": "DORA", "it-IT": "BIANCA", "ja-JP": "MIZUKI", "ko-KR": "SEOYEON", "nb-NO": "LIV",
    "nl-NL": "LOTTE", "pl-PL": "EWA", "pt-PT": "INES", "pt-BR": "CAMILA", "ro-RO": "CARMEN", "ru-RU": "TATYANA",
    "sv-SE": "ASTRID", "tr-TR": "FILIZ", "zh-CN": "ZHIYU",
}, {"es-419": "es-US"})  # fmt: skip


@attrs.frozen(kw_only=True)
class Origin:
    """The senders of messages, and what does not depend on the message.

    Args:
        sms: ``OriginationIdentity`` of an SMS; ``None``: AWS chooses.
        voice: ``OriginationIdentity`` of a call; ``None``: calls are not set up.
        options: more parameters of every message.
        india: the ids for India.
    """

    sms: str | None = attrs.field(default=None, repr=False)
    voice: str | None = attrs.field(default=None, repr=False)
    options: dict[str, str] = attrs.field(factory=dict)
    india: India | None = None


def call_of(message: Message, origin: Origin, now: int) -> tuple[str, dict[str, Any]]:
    """Return the method of boto3's client that sends a message, and its arguments.

    Raises:
        SenderMisconfigured: the channel is not set up, or the text has no voice or no id.
    """
    if message.channel == SMS:
        name, call = "send_text_message", _text(message, origin)
    elif message.channel == VOICE:
        name, call = "send_voice_message", _voice(message, origin)
    else:
        raise SenderMisconfigured(f"AwsSender sends SMS and voice; it has no channel {message.channel!r}")
    common = {"DestinationPhoneNumber": message.to.e164, "Context": {CHALLENGE: message.challenge_id}}
    return name, call | common | origin.options | {"TimeToLive": seconds_left(message.expires_at, now, *_LIFE)}


def _text(message: Message, origin: Origin) -> dict[str, Any]:
    call: dict[str, Any] = {"MessageBody": message.text, "MessageType": "TRANSACTIONAL"}
    if origin.sms is not None:
        call["OriginationIdentity"] = origin.sms
    if origin.india and (ids := origin.india.ids(message)):
        call["DestinationCountryParameters"] = dict(zip(("IN_ENTITY_ID", "IN_TEMPLATE_ID"), ids, strict=True))
    return call


def _voice(message: Message, origin: Origin) -> dict[str, Any]:
    if origin.voice is None:
        raise SenderMisconfigured("calls are not set up: give AwsSender a voice_origination of the account")
    text, voice = said(message, VOICES, "AWS")
    return {
        "OriginationIdentity": origin.voice,
        "MessageBody": spoken(text, message.code.reveal()),
        "MessageBodyTextType": "SSML",
        "VoiceId": voice,
    }


def spoken(text: str, code: str) -> str:
    """Return SSML that says the text without its autofill line, with a pause after each digit of the code.

    The code is said at the end if the text does not have it.
    """
    digits = "".join(f"{digit}{_PAUSE}" for digit in code)
    parts = [escape(part, quote=False) for part in split_at(text.partition("\n@")[0], code)]
    return f"<speak>{digits.join(parts if len(parts) > 1 else [*parts, ''])}</speak>"
