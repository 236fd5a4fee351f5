"""The calls of AWS's API for messages, held against the service's own model."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as Xml

import attrs
import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.exceptions import SenderMisconfigured
from smsmfa.phone import PhoneNumber
from smsmfa.senders.aws.calls import VOICES, Origin, call_of, spoken
from smsmfa.senders.india import India
from smsmfa.senders.voices import voice_of
from smsmfa.texts.languages import texts
from smsmfa.typing import SMS, VOICE, WHATSAPP, Message

NOW = 1_700_000_000
MODEL = botocore.session.get_session().get_service_model("pinpoint-sms-voice-v2")
OPERATIONS = {"send_text_message": "SendTextMessage", "send_voice_message": "SendVoiceMessage"}
POOL = "pool-0123456789abcdef"
ORIGIN = Origin(
    sms="Acme",
    voice="+14155550107",
    options={"ConfigurationSetName": "codes", "ProtectConfigurationId": "protect-1"},
    india=India("1101", {"verification": "1107"}),
)
INDIAN = PhoneNumber("+919876543210", "IN", "mobile")


def a_message(channel=SMS, **changes):
    """Return a message on a channel."""
    given = {
        "to": PhoneNumber("+14155552671", "US", "mobile"),
        "text": "314159 is your code for Acme & Söhne",
        "code": "314159",
        "kind": "verification",
        "challenge_id": "0123456789abcdef0123456789abcdef",
        "expires_at": datetime.fromtimestamp(NOW + 300, UTC),
    }
    return Message(**given | changes, channel=channel)


def called(channel, origin=ORIGIN, **changes):
    """Return the method and the arguments of a message, which fit the service's model."""
    name, call = call_of(a_message(channel, **changes), origin, NOW * 10**9)
    shape = MODEL.operation_model(OPERATIONS[name]).input_shape
    assert "" == ParamValidator().validate(call, shape).generate_report()
    assert [] == list(odd(shape, call))
    return name, call


def odd(shape, value):
    """Yield the texts that do not match their pattern or their enumeration, which botocore does not check."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from odd(shape.members[name], inner)
    elif shape.type_name == "map":
        for key, inner in value.items():
            yield from (*odd(shape.key, key), *odd(shape.value, inner))
    elif shape.type_name == "string":
        pattern, words = shape.metadata.get("pattern"), shape.metadata.get("enum")
        if (pattern and not re.fullmatch(pattern, value)) or (words and value not in words):
            yield shape.name, value


def test_sms():
    """An SMS has its recipient, sender, text, type, life, challenge and sets, and nothing else."""
    expected = {
        "DestinationPhoneNumber": "+14155552671",
        "OriginationIdentity": "Acme",
        "MessageBody": "314159 is your code for Acme & Söhne",
        "MessageType": "TRANSACTIONAL",
        "TimeToLive": 300,
        "Context": {"challenge": "0123456789abcdef0123456789abcdef"},
        "ConfigurationSetName": "codes",
        "ProtectConfigurationId": "protect-1",
    }

    assert ("send_text_message", expected) == called(SMS)


def test_plain_sms():
    """Without options AWS chooses the sender."""
    _, call = called(SMS, Origin())

    assert {"DestinationPhoneNumber", "MessageBody", "MessageType", "TimeToLive", "Context"} == call.keys()


def test_india():
    """An SMS to India has the ids of its sender and its template."""
    _, call = called(SMS, to=INDIAN)

    assert {"IN_ENTITY_ID": "1101", "IN_TEMPLATE_ID": "1107"} == call["DestinationCountryParameters"]


def test_call():
    """A call has the number it comes from, its words as SSML, a voice for them, and no type."""
    name, call = called(VOICE, language="fr", locale="fr-CA")

    assert "send_voice_message" == name
    assert ("+14155550107", "SSML", "CHANTAL") == (
        call["OriginationIdentity"],
        call["MessageBodyTextType"],
        call["VoiceId"],
    )
    assert spoken(a_message().text, "314159") == call["MessageBody"]
    assert "MessageType" not in call


def test_call_in_english():
    """A language without a voice is spoken in English, text and voice."""
    _, call = called(VOICE, language="bn", english="Your code is 3, 1, 4, 1, 5, 9.")

    assert ("JOANNA", spoken("Your code is 314159.", "314159")) == (call["VoiceId"], call["MessageBody"])


def test_every_language():
    """Every built-in text has a voice of its language, which AWS has, or none."""
    shape = MODEL.shape_for("VoiceId")
    voices = {language: voice_of(language, None, VOICES) for language in texts()}

    assert 22 == sum(voice is not None for voice in voices.values())
    assert set(VOICES.values()) <= set(shape.enum)
    assert ("ZHIYU", None) == (voices["zh-Hant"], voices["uk"])


@pytest.mark.parametrize(
    "channel, advice",
    [
        (VOICE, "calls are not set up: give AwsSender a voice_origination"),
        (WHATSAPP, "AwsSender sends SMS and voice; it has no channel 'whatsapp'"),
    ],
)
def test_channel_that_is_not_set_up(channel, advice):
    """Nothing is sent on a channel that is not set up, and the error says how to set it up."""
    with pytest.raises(SenderMisconfigured, match=f"^{advice}"):
        call_of(a_message(channel), Origin(), 0)


@pytest.mark.parametrize("seconds, expected", [(-1, 5), (4, 5), (6, 6), (10**6, 259_200)])
def test_life(seconds, expected):
    """R33: a message lives as long as its code, within what AWS accepts."""
    _, call = called(SMS, expires_at=datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds))

    assert expected == call["TimeToLive"]


def said(ssml):
    """Return the words of SSML, with a stroke for each pause."""
    root = Xml.fromstring(ssml)
    assert "speak" == root.tag
    return (root.text or "") + "".join("|" + (pause.tail or "") for pause in root)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Code: 3, 1, 4. Again: 3, 1, 4.", "Code: 3|1|4|. Again: 3|1|4|."),
        ("Acme & <Söhne>: 314\n@acme.example #314", "Acme & <Söhne>: 3|1|4|"),
        ("Your code is", "Your code is3|1|4|"),
    ],
)
def test_spoken(text, expected):
    """The digits of the code have pauses after them. A text without the code is followed by it."""
    assert expected == said(spoken(text, "314"))


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"])), st.text("0123456789", min_size=6, max_size=10))
def test_spoken_is_xml(text, code):
    """T16: the SSML of any text is well-formed, has only pauses, and says the code."""
    assert "|".join(code) + "|" in said(spoken(text, code))


def test_repr():
    """T12: the repr does not show the sender's numbers."""
    assert "+1415" not in repr(attrs.evolve(ORIGIN, sms="+14155550107"))
