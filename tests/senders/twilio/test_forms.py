"""The form of one message: the fields of an SMS, of a call and of a WhatsApp message."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree as Xml

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.exceptions import SenderMisconfigured
from smsmfa.phone import PhoneNumber
from smsmfa.senders.twilio.forms import SPOKEN, Origin, form_of, spoken
from smsmfa.senders.voices import voice_of
from smsmfa.texts.languages import texts
from smsmfa.typing import CHANNELS, SMS, VOICE, WHATSAPP, Message

NOW = 1_700_000_000
NUMBER = "+14155552671"
TEXT = "314159 is your code for Acme & Söhne"
CONTENT = "HX" + "0123456789abcdef" * 2
ORIGIN = Origin(
    sender={"From": "+14155550106"},
    options={"ProvideFeedback": "true"},
    sms_options={"RiskCheck": "enable"},
    voice_number="+14155550107",
    whatsapp={"From": "whatsapp:+14155550108"},
)


def a_message(channel=SMS, **changes):
    """Return a message on a channel."""
    given = {
        "to": PhoneNumber(NUMBER, "US", "mobile"),
        "text": TEXT,
        "code": "314159",
        "kind": "verification",
        "challenge_id": "0123456789abcdef0123456789abcdef",
        "expires_at": datetime.fromtimestamp(NOW + 300, UTC),
    }
    return Message(**given | changes, channel=channel)


def posted(channel, origin=ORIGIN, **changes):
    """Return the path and the form of a message."""
    return form_of(a_message(channel, **changes), origin, NOW * 10**9)


def parts(twiml):
    """Return the steps of a call: each element's name, and its words or its length."""
    response = Xml.fromstring(twiml)
    assert "Response" == response.tag
    return [(part.tag, part.text or part.get("length")) for part in response]


def test_sms():
    """An SMS has the recipient, the sender, the text, the validity period and the options, and nothing else."""
    form = {"To": NUMBER, "From": "+14155550106", "Body": TEXT, "ValidityPeriod": "300"}

    assert ("/Messages", form | {"ProvideFeedback": "true", "RiskCheck": "enable"}) == posted(SMS)


def test_whatsapp_text():
    """Both addresses of a WhatsApp message name the channel, and it has no options of an SMS."""
    form = {"To": f"whatsapp:{NUMBER}", "From": "whatsapp:+14155550108", "Body": TEXT, "ValidityPeriod": "300"}

    assert ("/Messages", form | {"ProvideFeedback": "true"}) == posted(WHATSAPP)


def test_whatsapp_template_shows_no_details():
    """T32: a template that shows only the code is not sent for a payment whose details nobody would see."""
    origin = attrs.evolve(ORIGIN, content_sid=CONTENT)
    message = a_message(WHATSAPP, details=(("payee", "Ann"),))

    with pytest.raises(SenderMisconfigured, match="shows only the code"):
        form_of(message, origin, 0)


def test_whatsapp_template():
    """A WhatsApp message with a content template has no text: the template's variable 1 is the code."""
    path, form = posted(WHATSAPP, attrs.evolve(ORIGIN, content_sid=CONTENT, whatsapp={"MessagingServiceSid": "MG"}))

    assert ("/Messages", CONTENT, "MG") == (path, form["ContentSid"], form["MessagingServiceSid"])
    assert {"1": "314159"} == json.loads(form["ContentVariables"])
    assert not {"Body", "From"} & form.keys()


@pytest.mark.parametrize(
    "language, locale, expected",
    [("de", "de-AT", "2"), ("fr", "pt-AO", "3"), ("fr", None, "1"), (None, None, "1"), ("de", "tlh", "2")],
)
def test_whatsapp_template_of_a_language(language, locale, expected):
    """The template is that of the user's language, or of the text's language, or the first."""
    contents = {"fr": CONTENT[:-1] + "1", "de": CONTENT[:-1] + "2", "pt-PT": CONTENT[:-1] + "3"}
    _, form = posted(WHATSAPP, attrs.evolve(ORIGIN, content_sid=contents), language=language, locale=locale)

    assert CONTENT[:-1] + expected == form["ContentSid"]


def test_call():
    """A call has the recipient, the number it comes from and the words, and no options of a message."""
    path, form = posted(VOICE)

    assert "/Calls" == path
    assert {"To": NUMBER, "From": "+14155550107", "Twiml": spoken(TEXT, "314159", "en-US")} == form


@pytest.mark.parametrize(
    "channel, advice",
    [
        (VOICE, "calls are not set up: give TwilioSender a voice_number"),
        (WHATSAPP, "WhatsApp is not set up: give TwilioSender a whatsapp_number"),
        ("pigeon", "TwilioSender sends SMS, voice and WhatsApp; it has no channel 'pigeon'"),
    ],
)
def test_channel_that_is_not_set_up(channel, advice):
    """Nothing is sent on a channel that is not set up, and the error says how to set it up."""
    with pytest.raises(SenderMisconfigured, match=f"^{advice}"):
        posted(channel, Origin(sender={"From": "Acme"}))


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://acme.example/twilio", "https://acme.example/twilio?challenge=0123456789abcdef0123456789abcdef"),
        ("https://acme.example", "https://acme.example/?challenge=0123456789abcdef0123456789abcdef"),
        (
            "https://acme.example/twilio?tenant=7",
            "https://acme.example/twilio?tenant=7&challenge=0123456789abcdef0123456789abcdef",
        ),
    ],
)
def test_status_callback(channel, url, expected):
    """On every channel the URL of reports names the challenge."""
    _, form = posted(channel, attrs.evolve(ORIGIN, status_callback=url))

    assert expected == form["StatusCallback"]


def test_spoken():
    """A call says the text twice, and the code digit by digit with a pause after each digit."""
    digits = [step for digit in "314159" for step in (("Say", digit), ("Pause", "1"))]
    once = [*digits, ("Say", "is your code for Acme & Söhne")]

    assert [*once, ("Pause", "1"), *once] == parts(spoken(TEXT, "314159", "en-US"))


def test_spoken_around():
    """Words before the code are said before it, and a text that has the code twice is said once."""
    digits = [step for digit in "314159" for step in (("Say", digit), ("Pause", "1"))]
    expected = [("Say", "Acme:"), *digits, ("Say", ". Again:"), *digits]

    assert expected == parts(spoken("Acme: 314159. Again: 314159.", "314159", "en-US"))


@pytest.mark.parametrize("shown", ["314159", "3, 1, 4, 1, 5, 9", "3.1.4.1.5.9", "3 1 4 - 1 5 9"])
def test_spoken_apart(shown):
    """A code whose digits are separated in the text is found too."""
    assert spoken("Your code is 314159.", "314159", "en-US") == spoken(f"Your code is {shown}.", "314159", "en-US")


def test_spoken_within_a_number():
    """The same digits within a longer number are not the code."""
    steps = parts(spoken("Call 31415926: 314159", "314159", "en-US"))

    assert ("Say", "Call 31415926:") == steps[0]


@pytest.mark.parametrize(
    "text, said",
    [
        ("Your code:", ["Your code:"]),
        ("Your code is 314159.", ["Your code is"]),
        ("Your code is 314159\n@acme.example #314159", ["Your code is"]),
        ("314159", []),
    ],
)
def test_spoken_ends(text, said):
    """A lone full stop and the autofill line are not said. A text without the code is followed by it."""
    steps = parts(spoken(text, "314159", "en-US"))
    words = [words for tag, words in steps if tag == "Say"]

    assert [*said, *"314159"] * 2 == words


#: What Twilio speaks with ``language`` alone: ``Say.Language`` of twilio-java 12, commit 179bd9c6, read 2026-12-01.
SAY = (
    "af-ZA am-ET ar-AE ar-XA arb bg-BG bn-IN ca-ES cmn-CN cmn-TW cs-CZ cy-GB da-DK de-AT de-DE el-GR en-AU en-CA en-GB "
    "en-GB-WLS en-IE en-IN en-NZ en-US en-ZA es-ES es-MX es-US fi-FI fil-PH fr-CA fr-FR fr-BE gu-IN he-IL hi-IN hu-HU "
    "id-ID is-IS it-IT ja-JP kn-IN ko-KR lv-LV ml-IN mr-IN ms-MY nb-NO nl-BE nl-NL pa-IN pl-PL pt-BR pt-PT ro-RO ru-RU "
    "sk-SK sr-RS sv-SE ta-IN te-IN th-TH tr-TR uk-UA vi-VN yue-HK zh-CN zh-HK zh-TW"
)
#: Languages of the built-in texts that are spoken in English.
UNSPOKEN = "az be bs et fa ga hr hy ka kk mk mt ne sl sq sw ur uz"


def test_every_language():
    """Every built-in text is spoken by a voice of its language, or in English if Twilio has none."""
    tags = {language: voice_of(language, None, SPOKEN) for language in texts()}

    assert UNSPOKEN.split() == sorted(language for language, tag in tags.items() if tag is None)
    assert {"eu-ES", "gl-ES", "lt-LT"} == {tag for tag in tags.values() if tag} - set(SAY.split())


def languages_of(form):
    """Return the languages and voices of a call."""
    return {(say.get("language"), say.get("voice")) for say in Xml.fromstring(form["Twiml"]).iter("Say")}


def test_call_in_a_language():
    """A text is spoken in its language, in the user's accent, also by voices that must be named."""
    assert {("fr-CA", None)} == languages_of(posted(VOICE, language="fr", locale="fr-CA")[1])
    assert {("lt-LT", "Google.lt-LT-Standard-B")} == languages_of(posted(VOICE, language="lt")[1])


def test_call_in_english():
    """A language that no voice speaks is spoken in English, text and voice."""
    _, form = posted(VOICE, language="sw", locale="sw", english="Your code is 3, 1, 4, 1, 5, 9.")

    assert spoken("Your code is 314159.", "314159", "en-US") == form["Twiml"]


def test_call_without_english():
    """T32: no voice reads a text in a language that it does not speak. Without an English text there is no call."""
    with pytest.raises(SenderMisconfigured, match=r"no voice for 'sw'; give messages\['payment'\] an English text"):
        posted(VOICE, language="sw", purpose="payment")


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"])), st.text("0123456789", min_size=6, max_size=10))
def test_spoken_is_xml(text, code):
    """T16: the TwiML of any text is well-formed, has only Say and Pause, and says the code twice."""
    steps = parts(spoken(text, code, "en-US"))

    assert {"Say", "Pause"} == {tag for tag, _ in steps}
    assert 2 * code.count("0") <= sum(words == "0" for _, words in steps)
    assert [code, code] == _runs(steps, code)


def _runs(steps, code):
    """Return each run of digits with pauses that is as long as the code."""
    run, found = "", []
    for (tag, words), (after, _) in zip(steps, [*steps[1:], ("", "")], strict=True):
        if tag == "Say":
            run = run + words if after == "Pause" and len(words) == 1 and words.isdigit() else ""
            if len(run) == len(code):
                found.append(run)
                run = ""
    return found


def test_repr():
    """T12: the repr does not show the sender's numbers."""
    assert "+1415" not in repr(ORIGIN)
