"""What a person is told about each error, on each page."""

import re
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa import exceptions
from smsmfa.exceptions import CodeExpired, CodeMalformed, CodeRejected, CodeUsed, PhoneNumberError, RateLimited
from smsmfa.web import explain
from smsmfa.web.explain import STEPS
from smsmfa.web.words import Texts

REASONS = ["malformed", "no_region", "impossible", "invalid", "region", "type", "another"]
SCOPES = ["user", "number", "total", "resend", "guesses", "recovery", "carrier", "another"]
WAITS = [None, timedelta(0), timedelta(seconds=25), timedelta(seconds=36000), timedelta(days=400)]
CLASSES = [
    one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, exceptions.SmsMfaError)
]
ERRORS = [
    *(PhoneNumberError(reason) for reason in REASONS),
    *(RateLimited(scope, wait) for scope, wait in product(SCOPES, WAITS)),
    *(kind(left) for kind in (CodeRejected, CodeExpired, CodeUsed) for left in (None, 0, 1)),
    CodeMalformed(),
    *(one() for one in CLASSES if one not in {PhoneNumberError, RateLimited, CodeRejected, CodeExpired, CodeUsed}),
]


def test_every_class():
    """These tests know every class of error."""
    assert set(CLASSES) == {type(error) for error in ERRORS}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}{error.args}")
def test_sentence(error, step):
    """Each error on each page is said in whole sentences, without a number or a name that nobody can use."""
    text = explain(error, step=step)

    assert re.fullmatch(r"[A-Z].*\.", text)
    assert "%" not in text
    assert [] == [number for number in re.findall(r"(\d+) second", text) if int(number) >= 60]
    assert [] == [word for word in ("_", "None", "MFA", "SMS") if word in text]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}{error.args}")
def test_recovery_code(error):
    """A recovery code is named where one was asked for, and where nothing else helps: a locked phone at login."""
    recovery = isinstance(error, RateLimited) and error.scope == "recovery"
    named = {step: "recovery code" in explain(error, step=step) for step in STEPS}

    assert named["enrol"] is named["account"] is recovery
    assert named["code"] is named["resend"] is (recovery or isinstance(error, exceptions.Locked))
    assert named["recovery"] is (recovery or isinstance(error, CodeRejected))


@pytest.mark.parametrize(
    "error, step, expected",
    [
        (CodeRejected(3), "code", "This is not the code that we sent. Check the message and enter it again."),
        (CodeRejected(0), "code", "This code can no longer be used. Ask for a new one."),
        (CodeRejected(None), "code", "This code can no longer be used. Ask for a new one."),
        (CodeRejected(3), "recovery", "This is not one of your recovery codes. Check it and enter it again."),
        (CodeExpired(0), "code", "This code has expired. Ask for a new one."),
        (CodeUsed(), "code", "This code was used just now. You may be in already."),
        (CodeUsed(), "recovery", "This recovery code was used just now. You may be in already."),
        (CodeMalformed(), "recovery", "This is not a recovery code. Enter it as it was shown to you."),
        (RateLimited("resend", timedelta(seconds=25)), "resend",
         "We have just sent you a code. You can ask for another one in 25 seconds."),
        (RateLimited("resend", timedelta(0)), "resend",
         "We have just sent you a code. You can ask for another one in 1 second."),
        (RateLimited("user", timedelta(seconds=36000)), "resend",
         "You have asked for too many codes. You can ask for another one in about 10 hours."),
        (RateLimited("number", timedelta(minutes=40)), "enrol",
         "Too many codes were sent to this number. You can ask for another one in about 40 minutes."),
        (RateLimited("guesses", timedelta(hours=3)), "code",
         "There were too many wrong codes. You can enter a code again in about 3 hours."),
        (RateLimited("total", timedelta(seconds=61)), "code",
         "We cannot send text messages at the moment. Try again in about 2 minutes."),
        (RateLimited("carrier"), "code", "We cannot send text messages at the moment. Try again later."),
        (exceptions.SenderMisconfigured("x"), "code", "We cannot send text messages at the moment. Try again later."),
        (exceptions.DeliveryRejected("x"), "code", "The message could not be sent. Try again."),
        (exceptions.RecipientRejected("x"), "enrol", "We could not send a message to this phone number."),
        (exceptions.StoreContention("x"), "code", "Something went wrong on our side. Try again in a few minutes."),
        (exceptions.Locked(), "code", "This phone number is locked after too many wrong codes. Use a recovery code."),
        (exceptions.Locked(), "account", "This phone number is locked after too many wrong codes. Set it up again."),
    ],
)  # fmt: skip
def test_words(error, step, expected):
    """The sentence says whose fault it is, and what to do."""
    assert expected == explain(error, step=step)


def test_digits():
    """A malformed code is explained with the length of the codes, and an example of it."""
    assert "Enter the 6 digits of the code, for example 123456." == explain(CodeMalformed(), step="code")
    assert "Enter the 8 digits of the code, for example 12345678." == explain(CodeMalformed(), step="code", digits=8)


def test_example():
    """A malformed number is explained with an example of the chosen country."""
    text = "Enter a phone number, for example %s."

    assert text % "0151 23456789" == explain(PhoneNumberError("malformed"), step="enrol", example="0151 23456789")
    assert text % "(415) 555-2671" == explain(PhoneNumberError("malformed"), step="enrol")


def test_unknown_step():
    """A page that there is not is refused, with those that there are."""
    with pytest.raises(ValueError, match="step: one of enrol, code, resend, recovery, account"):
        explain(CodeRejected(), step="login")


@given(st.sampled_from(ERRORS), st.sampled_from(STEPS))
def test_translated(error, step):
    """Every sentence goes through the translations whole: none is put together from parts but numbers and times."""

    class Loud:
        def gettext(self, message):
            return f"«{message}»"

        def ngettext(self, singular, plural, n):
            return f"«{singular if n == 1 else plural}»"

    text = explain(error, step=step, texts=Texts("xx", Loud()))

    assert ("«", "»") == (text[0], text[-1])
