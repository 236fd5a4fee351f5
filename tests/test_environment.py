"""Settings are read from environment variables, and their secrets are never shown."""

import os
from datetime import timedelta

import attrs
import pytest
from support import shown
from twilio.rest import Client

from smsmfa import AsyncTwilioSender, ConfigurationError, FactorConfig, TwilioSender
from smsmfa.core.opaque import Opaque
from smsmfa.environment import FACTOR, TWILIO, VONAGE, opened, vonage_arguments
from smsmfa.phone import ALL_REGIONS

SECRET = "a secret of the tests, long enough to be one"
OTHER_SECRET = "another secret of the tests, long enough too"
ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
LEAST = {"SMSMFA_APP_NAME": "Acme", "SMSMFA_SECRET": SECRET, "SMSMFA_REGIONS": "US, CA"}
TWILIO_LEAST = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_FROM_NUMBER": "+14155550106"}


def test_least():
    """Three variables make a configuration with the defaults."""
    config = FactorConfig.from_env(LEAST)

    assert ("Acme", frozenset({"US", "CA"}), 6) == (config.app_name, config.regions, config.digits)
    assert config.keys.newest.key_id == FactorConfig(app_name="Acme", secret=SECRET, regions={"US"}).keys.newest.key_id


def test_all():
    """Every variable sets its argument."""
    config = FactorConfig.from_env(
        LEAST
        | {
            "SMSMFA_PREVIOUS_SECRET": OTHER_SECRET,
            "SMSMFA_REGIONS": "*",
            "SMSMFA_DIGITS": " 8 ",
            "SMSMFA_LIFETIME": "240",
            "SMSMFA_RESEND_GAP": "60",
            "SMSMFA_ATTEMPTS": "3",
            "SMSMFA_RECOVERY_CODES": "10",
            "SMSMFA_ENABLED": "False",
            "SMSMFA_NUMBER_TYPES": "mobile",
            "SMSMFA_MAX_PHONES": "2",
            "SMSMFA_MAX_USERS_PER_NUMBER": "0",
            "SMSMFA_ORIGIN": "acme.example",
            "SMSMFA_LANGUAGES": "en, sv",
            "SMSMFA_ANDROID_HASH": "FA+9qCX9VSu",
            "SMSMFA_NAMESPACE": "acme-eu",
        }
    )

    expected = {
        "app_name": "Acme",
        "regions": ALL_REGIONS,
        "digits": 8,
        "lifetime": timedelta(minutes=4),
        "resend_gap": timedelta(minutes=1),
        "attempts": 3,
        "recovery_codes": 10,
        "enabled": False,
        "number_types": frozenset({"mobile"}),
        "max_phones": 2,
        "max_users_per_number": 0,
        "origin": "acme.example",
        "languages": ("en", "sv"),
        "android_hash": "FA+9qCX9VSu",
        "namespace": "acme-eu",
    }
    assert expected == {name: getattr(config, name) for name in FACTOR}
    assert (SECRET, OTHER_SECRET) == tuple(config.secret.reveal())


def test_every_argument():
    """Every argument has a variable, except secret, limits and messages."""
    arguments = {field.name for field in attrs.fields(FactorConfig) if field.init}

    assert {"secret", "limits", "messages"} == arguments - FACTOR.keys()
    assert FACTOR.keys() <= arguments


def test_process(monkeypatch):
    """Without an argument the environment of the process is read."""
    for name, value in (LEAST | TWILIO_LEAST).items():
        monkeypatch.setenv(name, value)

    assert "Acme" == FactorConfig.from_env().app_name
    assert "TwilioSender(from_number='••••06')" == repr(TwilioSender.from_env())
    assert opened(None).reveal() is os.environ
    with pytest.raises(ConfigurationError, match="SMSMFA_APP_NAME is not set"):
        FactorConfig.from_env({})


def test_given():
    """An argument of the call takes precedence over its variable."""
    config = FactorConfig.from_env({}, app_name="Acme", regions={"US"}, secret=SECRET, digits=8)
    sender = AsyncTwilioSender.from_env({"TWILIO_AUTH_TOKEN": TOKEN}, account_sid=ACCOUNT, from_number="Acme")

    assert (8, "AsyncTwilioSender(from_number='••••me')") == (config.digits, repr(sender))
    assert "TwilioSender(from_number='••••me')" == repr(
        TwilioSender.from_env(TWILIO_LEAST | {"TWILIO_FROM_NUMBER": "x" * 12}, from_number="Acme")
    )


KEY = {"TWILIO_API_KEY": "SK" + "0" * 32, "TWILIO_API_SECRET": "the-secret-of-a-key"}


@pytest.mark.parametrize(
    "variables, given, user",
    [
        (TWILIO_LEAST | KEY, {}, "SK"),
        (KEY, {}, "SK"),
        (TWILIO_LEAST | KEY, {"auth_token": TOKEN}, "AC"),
        (TWILIO_LEAST, {"api_key": KEY["TWILIO_API_KEY"], "api_secret": KEY["TWILIO_API_SECRET"]}, "SK"),
        (TWILIO_LEAST | {"TWILIO_API_SECRET": "x" * 16}, {"api_key": KEY["TWILIO_API_KEY"]}, "SK"),
        (TWILIO_LEAST, {}, "AC"),
    ],
)
def test_key(variables, given, user):
    """T12: a key takes precedence over the token, which then verifies callbacks only; an argument over either."""
    sender = TwilioSender.from_env(variables | {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_FROM_NUMBER": "Acme"}, **given)

    assert user == sender._api.credentials.user.reveal()[:2]


def test_region_and_edge(monkeypatch):
    """The variables have the names of Twilio's SDK, and only from_env reads them."""
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    sdk = Client(ACCOUNT, TOKEN)
    ours = TwilioSender.from_env(TWILIO_LEAST | {"TWILIO_REGION": "ie1", "TWILIO_EDGE": "dublin"})._api._client()
    plain = TwilioSender(account_sid=ACCOUNT, auth_token=TOKEN, from_number="Acme")._api._client()

    assert ("ie1", "dublin") == (sdk.region, sdk.edge) == (ours.region, ours.edge)
    assert (None, None) == (plain.region, plain.edge)


@pytest.mark.parametrize(
    "word, expected", [("true", True), ("TRUE", True), ("1", True), ("0", False), ("false", False)]
)
def test_flag(word, expected):
    """A flag is true or false, as a word or as a digit."""
    assert expected == FactorConfig.from_env(LEAST | {"SMSMFA_ENABLED": word}).enabled


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"SMSMFA_APP_NAME": ""}, "SMSMFA_APP_NAME is not set"),
        ({"SMSMFA_REGIONS": "  "}, "SMSMFA_REGIONS is not set"),
        ({"SMSMFA_REGIONS": "US,"}, "regions: ISO codes of the countries you serve"),
        ({"SMSMFA_SECRET": ""}, "SMSMFA_SECRET is not set; make one with python -c"),
        ({"SMSMFA_SECRET": SECRET[:31]}, "secret: one str or bytes of at least 32 bytes"),
        ({"SMSMFA_PREVIOUS_SECRET": SECRET}, "secret: the same secret is listed twice"),
        ({"SMSMFA_DIGITS": "six"}, "SMSMFA_DIGITS must be a whole number"),
        ({"SMSMFA_DIGITS": "-6"}, "SMSMFA_DIGITS must be a whole number"),
        ({"SMSMFA_DIGITS": "٦"}, "SMSMFA_DIGITS must be a whole number"),
        ({"SMSMFA_DIGITS": "5"}, "digits: from 6 to 10"),
        ({"SMSMFA_LIFETIME": "9" * 5000}, "SMSMFA_LIFETIME must be a whole number"),
        ({"SMSMFA_ENABLED": "maybe"}, "SMSMFA_ENABLED must be true or false"),
    ],
)
def test_wrong(changes, words):
    """T12: a missing or wrong variable is refused by name, and neither the error nor the traceback shows a secret."""
    with pytest.raises(ConfigurationError) as caught:
        FactorConfig.from_env(LEAST | changes)

    assert str(caught.value).startswith(words)
    assert SECRET[:20] not in shown(caught.value)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"TWILIO_ACCOUNT_SID": ""}, "TWILIO_ACCOUNT_SID is not set"),
        ({"TWILIO_AUTH_TOKEN": ""}, "TWILIO_AUTH_TOKEN is not set"),
        ({"TWILIO_API_KEY": "SK" + "0" * 32}, "api_secret must be text of 16 or more ASCII"),
        ({"TWILIO_API_SECRET": TOKEN}, "api_key must be SK and 32 hexadecimal digits"),
        ({"TWILIO_REGION": "ie1.example.com/"}, "region must be lower-case letters and digits"),
        ({"TWILIO_FROM_NUMBER": ""}, "give from_number or messaging_service_sid, and not both"),
        ({"TWILIO_ACCOUNT_SID": "AC1"}, "account_sid must be AC and 32 hexadecimal digits"),
        ({"TWILIO_TIMEOUT": "soon"}, "TWILIO_TIMEOUT must be a whole number"),
        ({"TWILIO_STATUS_CALLBACK": "http://acme.example"}, "status_callback must be an https URL"),
    ],
)
@pytest.mark.parametrize("kind", [TwilioSender, AsyncTwilioSender])
def test_wrong_account(kind, changes, words):
    """T12: a missing or wrong variable of Twilio is refused by name, and nothing shows the token."""
    with pytest.raises(ConfigurationError) as caught:
        kind.from_env(TWILIO_LEAST | changes)

    assert str(caught.value).startswith(words)
    assert TOKEN not in shown(caught.value)


def test_whole_account():
    """Every variable of Twilio sets its argument."""
    pool = "MG" + "0" * 32
    sender = TwilioSender.from_env(
        {
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_API_KEY": KEY["TWILIO_API_KEY"],
            "TWILIO_API_SECRET": KEY["TWILIO_API_SECRET"],
            "TWILIO_REGION": "ie1",
            "TWILIO_EDGE": "dublin",
            "TWILIO_MESSAGING_SERVICE_SID": pool,
            "TWILIO_VOICE_NUMBER": "+14155550107",
            "TWILIO_WHATSAPP_NUMBER": "+14155550108",
            "TWILIO_WHATSAPP_CONTENT_SID": "HX" + "0" * 32,
            "TWILIO_STATUS_CALLBACK": "https://acme.example/twilio",
            "TWILIO_PROVIDE_FEEDBACK": "true",
            "TWILIO_TIMEOUT": "5",
        }
    )
    origin = sender._origin

    assert ({"MessagingServiceSid": pool}, "+14155550107") == (origin.sender, origin.voice_number)
    assert ({"From": "whatsapp:+14155550108"}, "HX" + "0" * 32) == (origin.whatsapp, origin.content_sid)
    assert ("https://acme.example/twilio", {"ProvideFeedback": "true"}) == (origin.status_callback, origin.options)
    assert 5.0 == sender._seconds
    assert KEY["TWILIO_API_SECRET"] == sender._api.credentials.secret.reveal()
    assert ("ie1", "dublin") == (sender._api._place.region, sender._api._place.edge)
    assert 14 == len(TWILIO)


VONAGE_LEAST = {"VONAGE_API_KEY": "abcd1234", "VONAGE_API_SECRET": TOKEN, "VONAGE_FROM_NUMBER": "+14155550106"}


def test_vonage():
    """Every variable of Vonage sets its argument, and an argument takes precedence."""
    whole = VONAGE_LEAST | {"VONAGE_STATUS_CALLBACK": "https://acme.example/v", "VONAGE_TIMEOUT": "5"}
    read = vonage_arguments(Opaque(whole), Opaque({"from_number": "Acme"})).reveal()

    assert VONAGE.keys() == read.keys()
    assert ("abcd1234", TOKEN, "Acme", timedelta(seconds=5)) == (
        read["api_key"],
        read["api_secret"],
        read["from_number"],
        read["timeout"],
    )


@pytest.mark.parametrize("name", VONAGE_LEAST)
def test_missing_of_vonage(name):
    """T12: a missing variable of Vonage is refused by name."""
    with pytest.raises(ConfigurationError, match=f"^{name} is not set$") as caught:
        vonage_arguments(Opaque(VONAGE_LEAST | {name: ""}), Opaque({}))

    assert TOKEN not in shown(caught.value)
