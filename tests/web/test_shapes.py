"""The bodies and answers of the JSON face, and the names of its errors."""

import msgspec
import pytest
from test_docs import subclasses

from smsmfa import exceptions
from smsmfa.exceptions import CodeMalformed, CodeRejected, DeliveryError, Locked, RateLimited, RecipientOptedOut
from smsmfa.web import shapes
from smsmfa.web.shapes import CALLS, PATHS

BY_NAME = {call.name: call for call in CALLS}
#: The names of section 3 that an SMS factor has a use for.
NAMES = [
    ("associate", exceptions.PhoneNumberError("invalid"), "invalid_phone_number"),
    ("associate", exceptions.AlreadyEnrolled(), "already_enrolled"),
    ("associate", exceptions.PhoneInUse(), "enrollment_conflict"),
    ("associate", exceptions.ProofRequired(), "insufficient_scope"),
    ("associate", exceptions.FactorDisabled(), "feature_disabled"),
    ("associate", RateLimited("resend"), "too_many_sms"),
    ("associate", RateLimited("total"), "too_many_sms_per_tenant"),
    ("challenge", exceptions.NotEnrolled(), "not_enrolled"),
    ("challenge", CodeRejected(), "transaction_not_found"),
    ("challenge", RecipientOptedOut(), "error_sending_sms"),
    ("challenge", DeliveryError(), "error_sending_sms"),
    ("verify", CodeRejected(4), "invalid_otp"),
    ("verify", CodeRejected(0), "transaction_not_found"),
    ("verify", CodeMalformed(), "invalid_otp_format"),
    ("verify", exceptions.CodeExpired(), "transaction_expired"),
    ("verify", exceptions.CodeUsed(), "code_used"),
    ("verify", Locked(), "locked"),
    ("verify", RateLimited("guesses"), "too_many_failures"),
    ("recover", CodeRejected(), "invalid_recovery_code"),
    ("recover", CodeMalformed(), "invalid_recovery_code_format"),
    ("recover", RateLimited("recovery"), "too_many_failures"),
    ("list_authenticators", exceptions.StoreError(), "store_error"),
]


@pytest.mark.parametrize("call, error, name", NAMES)
def test_names(call, error, name):
    """Each error has the described system's name, or ours where that system tells less."""
    assert name == BY_NAME[call].error_name(error)


@pytest.mark.parametrize("call", CALLS, ids=BY_NAME)
def test_every_error(call):
    """Each call has a name for every error that there is."""
    assert all(map(call.name_of, subclasses(exceptions.SmsMfaError)))


def test_all_errors():
    """A call knows by which status it answers which errors, each once."""
    assert {
        400: ["invalid_request"],
        401: ["invalid_token", "expired_token"],
        403: ["invalid_recovery_code", "feature_disabled"],
        409: ["code_used", "not_enrolled"],
        413: ["invalid_request"],
        422: ["invalid_recovery_code_format"],
        429: ["too_many_failures"],
        500: ["sms_mfa_error"],
        503: ["store_error"],
    } == BY_NAME["recover"].all_errors()


def test_all_errors_without_a_body():
    """A call without a body and without limits has fewer."""
    assert [401, 500, 503] == [*BY_NAME["list_authenticators"].all_errors()]


@pytest.mark.parametrize("text, shown", [
    (shapes.MfaVerify(oob_code="x", binding_code="123456"), "<MfaVerify>"),
    (shapes.MfaRecoveryCodes(["ABCD"]), "<MfaRecoveryCodes>"),
])  # fmt: skip
def test_hidden(text, shown):
    """What holds a code does not show it."""
    assert shown == repr(text)


def test_described_bodies():
    """The bodies of the described system are read as they are."""
    asked = b'{"authenticator_types": ["oob"], "oob_channels": ["sms"], "phone_number": "+14155552671", "client_id": 7}'

    assert "+14155552671" == msgspec.json.decode(asked, type=shapes.MfaAssociate).phone_number


def test_paths():
    """The paths are listed once each."""
    assert len(PATHS) == len({*PATHS})
