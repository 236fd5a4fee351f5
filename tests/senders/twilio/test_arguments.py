"""The arguments of a Twilio sender are checked, and become form fields."""

import pytest

from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.twilio.arguments import (
    checked_callback,
    checked_options,
    checked_sender,
    checked_sms_options,
    checked_voice,
    checked_whatsapp,
)

ACCOUNT = "AC" + "0123456789abcdef" * 2
SERVICE = "MG" + "0123456789abcdef" * 2
CONTENT = "HX" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
NUMBER = {"From": "+14155550106"}
POOL = {"MessagingServiceSid": SERVICE}
#: The shortest and the longest of each form.
FORMS = [
    "+1234567",
    "+123456789012345",
    "123",
    "123456",
    "A",
    "0123456789A",
    "My Company",
    "A-B",
    "A+B",
    "A_B",
    "A&B",
    "-A",
    "+A",
]


@pytest.mark.parametrize(
    "check, arguments, advice",
    [
        (checked_sender, (None, None), "give from_number or messaging_service_sid, and not both"),
        (checked_sender, ("Acme", SERVICE), "give from_number or messaging_service_sid, and not both"),
        (checked_sender, (None, "MG1"), "messaging_service_sid must be MG and 32 hexadecimal digits"),
        (checked_sender, ("Acmé", None), "from_number must be + and 7 to 15 digits"),
        *(
            (checked_sender, (number, None), "from_number must be")
            for number in (
                "",
                "4155550106",
                "+1 415 555 0106",
                "+14155550106\n",
                "+0123456789",
                "12",
                "1234567",
                "12 34",
            )
        ),
        *(
            (checked_sender, (number, None), "from_number must be")
            for number in ("Acme Payments", "+-_&", "A.B", "A/B", "+١٤١٥٥٥٥٠١٠٦", 7)
        ),
        (checked_sender, (SERVICE, None), "from_number must be"),
        (checked_sender, (None, ACCOUNT), "messaging_service_sid must be"),
        (checked_sender, ("+15005550006", None), "from_number is one of Twilio's test numbers"),
        (checked_voice, ("Acme", NUMBER), "voice_number must be + and 7 to 15 digits"),
        (checked_voice, (7, NUMBER), "voice_number must be + and 7 to 15 digits"),
        (checked_whatsapp, ("whatsapp:+14155550106", None, NUMBER), "whatsapp_number must be + and 7 to 15 digits"),
        (checked_whatsapp, (None, "HX1", POOL), "whatsapp_content_sid must be HX and 32 hexadecimal digits"),
        (checked_whatsapp, (None, {}, POOL), "whatsapp_content_sid must be HX and 32 hexadecimal digits, or a mapping"),
        (checked_whatsapp, (None, {"en": CONTENT, "d": CONTENT}, POOL), "whatsapp_content_sid must be HX"),
        (checked_whatsapp, (None, {"en": CONTENT, "de": "HX1"}, POOL), "whatsapp_content_sid must be HX"),
        (checked_whatsapp, (None, CONTENT, NUMBER), "whatsapp_content_sid needs a whatsapp_number or"),
        (checked_callback, ("",), "status_callback must be an https URL"),
        (checked_callback, (7,), "status_callback must be an https URL"),
        (checked_callback, ("/twilio",), "status_callback must be an https URL"),
        (checked_callback, ("https:///twilio",), "status_callback must be an https URL"),
        (checked_callback, ("http://acme.example/twilio",), "status_callback must be an https URL"),
        (checked_callback, ("ftp://127.0.0.1/twilio",), "status_callback must be an https URL"),
        (checked_callback, ("https://acme_corp.example/",), "status_callback must be an https URL"),
        (checked_callback, ("https://acme.example/#top",), "status_callback must be an https URL"),
        (checked_callback, ("https://[acme/",), "status_callback must be an https URL"),
        (checked_options, ("obfuscate", None, False), 'content_retention must be "retain", "discard" or None'),
        (checked_options, (None, ["discard"], False), 'address_retention must be "retain", "obfuscate" or None'),
        (checked_options, (None, None, 1), "provide_feedback must be True or False"),
        (checked_sms_options, (True, None, True), 'risk_check must be "enable", "disable" or None'),
        (checked_sms_options, (None, "OTP", True), "message_intent must be a word in lower case"),
        (checked_sms_options, (None, None, "true"), "smart_encoded must be True or False"),
    ],
)
def test_refused(check, arguments, advice):
    """A wrong argument is refused, and the error says how to fix it."""
    with pytest.raises(ConfigurationError) as caught:
        check(*arguments)

    assert str(caught.value).startswith(advice)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "number, service, expected",
    [
        ("+14155550106", None, ({"From": "+14155550106"}, "from_number='••••06'")),
        ("12345", None, ({"From": "12345"}, "from_number='••••45'")),
        ("Acme 24", None, ({"From": "Acme 24"}, "from_number='••••24'")),
        (None, SERVICE, (POOL, "messaging_service_sid='MG…cdef'")),
        *((name, None, ({"From": name}, f"from_number='••••{name[-2:]}'")) for name in FORMS),
    ],
)
def test_sender(number, service, expected):
    """The sender is a number, a short code, a name or a messaging service, and is shown in part."""
    assert expected == checked_sender(number, service)


@pytest.mark.parametrize(
    "number, sender, expected",
    [
        (None, NUMBER, "+14155550106"),
        (None, {"From": "Acme"}, None),
        (None, {"From": "12345"}, None),
        (None, POOL, None),
        ("+14155550107", NUMBER, "+14155550107"),
        ("+14155550107", POOL, "+14155550107"),
    ],
)
def test_voice(number, sender, expected):
    """Calls come from the given number, or from the number that messages come from."""
    assert expected == checked_voice(number, sender)


@pytest.mark.parametrize(
    "number, content, sender, expected",
    [
        (None, None, NUMBER, {}),
        (None, None, POOL, {}),
        ("+14155550108", None, POOL, {"From": "whatsapp:+14155550108"}),
        ("+14155550108", CONTENT, NUMBER, {"From": "whatsapp:+14155550108"}),
        ("+14155550108", {"en": CONTENT, "pt-BR": CONTENT}, NUMBER, {"From": "whatsapp:+14155550108"}),
        (None, CONTENT, POOL, POOL),
    ],
)
def test_whatsapp(number, content, sender, expected):
    """WhatsApp needs its own number, or a template and a messaging service."""
    assert expected == checked_whatsapp(number, content, sender)


@pytest.mark.parametrize(
    "url", [None, "https://acme.example/twilio?tenant=7", "https://acme.example:8443/", "http://127.0.0.1:8000/"]
)
def test_callback(url):
    """Reports go to an https URL, or to loopback in tests."""
    assert url == checked_callback(url)


def test_options():
    """Options that are not set are not posted."""
    assert {} == checked_options(None, None, False)
    assert {"ContentRetention": "retain", "AddressRetention": "retain"} == checked_options("retain", "retain", False)
    assert {
        "ContentRetention": "discard",
        "AddressRetention": "obfuscate",
        "ProvideFeedback": "true",
    } == checked_options("discard", "obfuscate", True)
    assert {} == checked_sms_options(None, None, False)
    assert {"RiskCheck": "disable", "MessageIntent": "otp", "SmartEncoded": "true"} == checked_sms_options(
        "disable", "otp", True
    )
