"""The values for the application: they can be read, compared and stored, and hide secrets."""

import copy
import inspect
import json
import pickle
from datetime import UTC, datetime, timedelta

import attrs
import msgspec
import pytest

from smsmfa import values
from smsmfa.core.opaque import Opaque
from smsmfa.phone import PhoneNumber
from smsmfa.values import LEVELS, Challenge, EnrolledPhone, Enrollment, Finding, Status, Value, Verification, instant

AT = datetime(2030, 1, 1, tzinfo=UTC)
NUMBER = PhoneNumber("+14155552671", "US", "mobile")
CODES = ("0123-4567-89AB-CDEF-GHJK-MNPQ", "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ")
TOKEN = "a token that opens doors"


def a_challenge(**changes):
    arguments = {"id": "c1", "user_id": "alice", "phone": NUMBER, "purpose": "login", "sent": True}
    return Challenge(**arguments | {"expires_at": AT, "resend_at": AT} | changes)


def a_verification(**changes):
    arguments = {"user_id": "alice", "method": "sms", "at": AT, "purpose": "login"}
    return Verification(**arguments | {"_recovery_codes": Opaque(CODES), "_token": Opaque(TOKEN).reveal} | changes)


def an_enrolled_phone(**changes):
    arguments = {"id": "p1", "phone": NUMBER, "enrolled_at": AT, "last_used_at": None, "disabled": False}
    return EnrolledPhone(**arguments | changes)


def an_enrollment(**changes):
    arguments = {"user_id": "alice", "phone": an_enrolled_phone(), "_recovery_codes": Opaque(CODES)}
    return Enrollment(**arguments | {"verification": a_verification()} | changes)


def a_status(**changes):
    arguments = {"enabled": True, "enrolled": True, "phones": (an_enrolled_phone(),), "challenges": (a_challenge(),)}
    counts = {"sends_left": 9, "guesses_left": 20, "locked": False, "recovery_codes_left": 1}
    return Status(**arguments | counts | changes)


MAKERS = [a_challenge, a_verification, an_enrolled_phone, an_enrollment, a_status]


@pytest.mark.parametrize(
    "microseconds, expected",
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1, datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        (1_700_000_000_123_456, datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)),
        (253_402_300_799_999_999, datetime.max.replace(tzinfo=UTC)),
        (253_402_300_800_000_000, datetime.max.replace(tzinfo=UTC)),
        (2**63, datetime.max.replace(tzinfo=UTC)),
        (10**30, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_instant(microseconds, expected):
    """An instant is an aware datetime, exact to the microsecond, and the last one of the calendar when past it."""
    assert expected == instant(microseconds)
    assert timedelta(0) == instant(microseconds).utcoffset()


@pytest.mark.parametrize("make", MAKERS)
def test_value(make):
    """Equal values are equal and hash alike, and none can be changed."""
    value = make()

    assert 1 == len({value, make()})
    with pytest.raises(AttributeError):
        value.user_id = "mallory"


def test_keyword_only():
    """Values are made by name, so that a new field breaks nobody."""
    for make in MAKERS:
        parameters = inspect.signature(type(make())).parameters.values()
        assert {inspect.Parameter.KEYWORD_ONLY} == {parameter.kind for parameter in parameters}


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_is_shown(make):
    """R31, T10, T12: however a value becomes text or plain data, it shows no code, no token and no whole number."""
    value = make()
    texts = [repr(value), str(value), f"{value}", repr(msgspec.structs.asdict(value)), json.dumps(value.to_dict())]

    for secret in (*CODES, TOKEN, NUMBER.e164, "4155552671"):
        assert [] == [text for text in texts if secret in text]


@pytest.mark.parametrize("make", [a_verification, an_enrollment])
def test_secrets_survive_no_conversion(make):
    """T10, T12: a value that holds a secret can be neither pickled, copied nor encoded."""
    value = make()

    with pytest.raises(TypeError):
        msgspec.json.encode(value)
    for convert in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            convert(value)


@pytest.mark.parametrize("make", [a_challenge, an_enrolled_phone, a_status])
def test_session(make):
    """A value without a secret can be put into a session."""
    value = make()

    assert value == pickle.loads(pickle.dumps(value))
    assert value == copy.deepcopy(value)


def test_shown_once():
    """Only the attributes return the recovery codes and the token."""
    assert (CODES, TOKEN) == (a_verification().recovery_codes, a_verification().token)
    assert CODES == an_enrollment().recovery_codes


@pytest.mark.parametrize(
    "method, amr",
    [("sms", ("sms", "otp")), ("voice", ("tel", "otp")), ("whatsapp", ("otp",)), ("recovery", ("otp",))],
)
def test_amr(method, amr):
    """The methods go by their names of RFC 8176."""
    assert amr == a_verification(method=method).amr


def test_enrolled_phone():
    """An enrolled number gives the number, whole and masked."""
    phone = an_enrolled_phone()

    assert ("+14155552671", "••••71") == (phone.e164, phone.masked)


def test_certain_by_default():
    """A challenge is certain unless it says otherwise."""
    assert a_challenge().uncertain is False


def test_all_values():
    """The tests above look at every value."""
    classes = {value for value in vars(values).values() if isinstance(value, type) and issubclass(value, Value)}

    assert classes - {Value} == {type(make()) for make in MAKERS}


def test_equal_but_for_secrets():
    """Two answers to the same request are equal, though their hidden parts are other objects."""
    assert a_verification() == a_verification(repeated=True, _recovery_codes=Opaque(()))
    assert a_verification() != a_verification(method="voice")
    assert a_challenge() != an_enrolled_phone()
    assert a_challenge() != "c1"


def test_to_dict():
    """R31: a value becomes plain data for JSON with masked numbers and times in ISO 8601."""
    phone = {"id": "p1", "phone": "••••71", "enrolled_at": "2030-01-01T00:00:00+00:00", "last_used_at": None}

    assert phone | {"disabled": False} == an_enrolled_phone().to_dict()
    assert [phone | {"disabled": False}] == a_status().to_dict()["phones"]
    assert {"amr": ["sms", "otp"], "repeated": False, "purpose": "login"}.items() <= a_verification().to_dict().items()


@pytest.mark.parametrize("make", [a_verification, an_enrollment])
def test_to_dict_with_recovery_codes(make):
    """Recovery codes are in the plain data only if they are asked for. The token never is."""
    assert "recovery_codes" not in make().to_dict()
    assert list(CODES) == make().to_dict(secrets=True)["recovery_codes"]
    assert TOKEN not in json.dumps(make().to_dict(secrets=True))


def test_live_challenge():
    """A status finds a live challenge by its id."""
    assert a_challenge() == a_status().challenge("c1")
    assert a_status().challenge("c2") is None


def test_finding_is_frozen():
    """A finding cannot be changed, and equals another that says the same."""
    finding = Finding("account", "ok", "active")

    assert Finding("account", "ok", "active", "") == finding
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        finding.level = "error"


def test_levels_of_a_finding():
    """There are four levels and no other."""
    assert ["ok", "not checked", "warning", "error"] == [Finding("x", level, "").level for level in LEVELS]
    with pytest.raises(ValueError, match="level"):
        Finding("x", "fine", "")
