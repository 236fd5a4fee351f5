"""The operator's settings of the demo."""

import pytest
from support import NUMBER, SECRET, Outbox

from smsmfa import ConfigurationError, DeliveryRejected, TwilioSender
from smsmfa.demo.web.operator import DEFAULTS, Settings, changed, default_templates, failed_because, new_secret

TWILIO = {
    "provider": "twilio",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "a-token-that-nobody-sees",
    "TWILIO_FROM_NUMBER": "+14155550000",
    "TWILIO_MESSAGING_SERVICE_SID": "MG" + "1" * 32,
}


def settings(**values):
    return Settings(DEFAULTS | values, SECRET)


def test_defaults():
    """At first the factor is on, with the limits of the library and its texts."""
    config = settings().config()

    assert (True, 10, 20) == (config.enabled, config.limits.user.capacity, config.limits.guesses.capacity)
    assert "1 in 1,117" == settings().risk()


@pytest.mark.parametrize("name", ["sends", "guesses", "sends_minutes", "guesses_minutes"])
@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.5", "10000000000"])
def test_limits(name, value):
    """A limit that is no whole number of at least one is refused, and a wait of ages is cut."""
    if name.endswith("minutes") and value == "10000000000":
        assert settings(**{name: value}).config()
        return
    with pytest.raises(ConfigurationError, match="at least 1"):
        settings(**{name: value}).config()


def test_messages():
    """A template of one's own is used, and an empty one is the library's."""
    previews = settings(verification="{{ code }} – {{ app_name }}").previews()

    assert ("123456 – Acme", "1 segment, 13 units of UCS-2") == (
        previews["verification"]["text"],
        previews["verification"]["size"],
    )
    assert "1 segment, 92 units of GSM-7" == previews["enrollment"]["size"]


def test_long():
    """A text of several segments says so."""
    previews = settings(enrollment="{{ code }} " + "long " * 40).previews()

    assert "2 segments, 206 units of GSM-7" == previews["enrollment"]["size"]


def test_wrong_template():
    """A template that cannot be used says what is wrong with it."""
    preview = settings(verification="no code").previews()["verification"]

    assert "code" in preview["problem"]
    assert ("", "") == (preview["text"], preview["size"])


def test_drawn_phone():
    """At first messages go to the drawn phone."""
    phone = Outbox()

    assert phone is settings().sender(phone)


@pytest.mark.parametrize("source, kept", [("from", "TWILIO_FROM_NUMBER"), ("copilot", "TWILIO_MESSAGING_SERVICE_SID")])
def test_twilio(source, kept):
    """With Twilio either the From number or the Messaging Service is used, as chosen."""
    chosen = settings(**TWILIO, source=source)

    assert isinstance(chosen.sender(Outbox()), TwilioSender)
    assert {kept} == chosen._twilio().keys() - {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"}


def test_findings():
    """The doctor looks at the settings, and says that no Twilio account is set while the phone is used."""
    found = {finding.subject: finding.level for finding in settings(**TWILIO | {"provider": "phone"}).findings()}

    assert ("ok", "not checked") == (found["settings"], found["twilio"])


def test_findings_of_twilio():
    """With Twilio the doctor says what is wrong with the account, without its token."""
    findings = settings(**TWILIO | {"TWILIO_ACCOUNT_SID": "wrong"}).findings()

    assert "error" in {finding.level for finding in findings}
    assert "nobody-sees" not in repr(findings)


def test_test_message():
    """A test message has the text of a login with a code that opens nothing."""
    message = settings().test_message(NUMBER)

    assert ("000000 is your verification code for Acme", NUMBER) == (message.text, message.to.e164)


def test_changed():
    """A form changes the settings; an empty token keeps the old one, and an absent check box is off."""
    before = DEFAULTS | TWILIO
    after = changed(before, {"SMSMFA_APP_NAME": " Widgets ", "SMSMFA_REGIONS": "us, ca", "TWILIO_AUTH_TOKEN": ""})

    assert ("Widgets", "US, CA", "false") == (
        after["SMSMFA_APP_NAME"],
        after["SMSMFA_REGIONS"],
        after["SMSMFA_ENABLED"],
    )
    assert TWILIO["TWILIO_AUTH_TOKEN"] == after["TWILIO_AUTH_TOKEN"]
    assert "new" == changed(before, {"TWILIO_AUTH_TOKEN": "new"})["TWILIO_AUTH_TOKEN"]
    assert "true" == changed(before, {"SMSMFA_ENABLED": "true"})["SMSMFA_ENABLED"]
    assert DEFAULTS.keys() == after.keys()


def test_hidden():
    """No repr shows a token or the secret."""
    assert "Settings()" == repr(settings(**TWILIO))


def test_words():
    """The built-in templates are shown, secrets are long, and a failure is named."""
    assert "{{ code }}" in default_templates()["verification"]
    assert 43 == len(new_secret())
    assert "DeliveryRejected: no such number" == failed_because(DeliveryRejected("no such number"))
