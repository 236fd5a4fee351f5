"""The tree of errors: what it looks like, and what each error tells."""

import copy
import json
import pickle
import re
from datetime import timedelta
from http import HTTPStatus

import pytest

from smsmfa import exceptions
from smsmfa.exceptions import (
    AlreadyEnrolled,
    CodeExpired,
    CodeMalformed,
    CodeRejected,
    CodeUsed,
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    FactorDisabled,
    Locked,
    NotEnrolled,
    PhoneInUse,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
    StoreContention,
    StoreError,
)

CLASSES = [value for value in vars(exceptions).values() if isinstance(value, type) and issubclass(value, SmsMfaError)]
EXAMPLES = [
    SmsMfaError("something"),
    ConfigurationError("digits: from 6 to 10"),
    PhoneNumberError("region"),
    AlreadyEnrolled(),
    NotEnrolled(),
    PhoneInUse(),
    ProofRequired(),
    FactorDisabled(),
    RateLimited("user", timedelta(minutes=36)),
    RateLimited("total"),
    CodeRejected(),
    CodeRejected(4),
    CodeExpired(),
    CodeMalformed(),
    CodeUsed(),
    Locked(),
    DeliveryError("something"),
    DeliveryRejected("cannot be reached"),
    RecipientRejected("no such number"),
    RecipientOptedOut("the recipient answered STOP"),
    SenderMisconfigured("the account is suspended"),
    DeliveryUncertain("timeout"),
    StoreError("the connection broke"),
    StoreContention("too many writers"),
]


def drawn():
    """Return each class that the docstring draws, by name, with the name of the one above it."""
    above, parents = [], {}
    for line in exceptions.__doc__.splitlines():
        if match := re.match(r"    ([ │├└─]*)([A-Z][A-Za-z]+)", line):
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            parents[match[2]] = above[depth - 1] if depth else "Exception"
    return parents


def test_tree_is_drawn():
    """The docstring draws every class, where it is."""
    assert {error.__name__: error.__bases__[0].__name__ for error in CLASSES} == drawn()


@pytest.mark.parametrize(
    "error, code, http_status",
    [
        (SmsMfaError, "sms_mfa_error", 500),
        (ConfigurationError, "configuration_error", 500),
        (PhoneNumberError, "phone_number_error", 422),
        (AlreadyEnrolled, "already_enrolled", 409),
        (NotEnrolled, "not_enrolled", 409),
        (PhoneInUse, "phone_in_use", 409),
        (ProofRequired, "proof_required", 403),
        (FactorDisabled, "factor_disabled", 403),
        (RateLimited, "rate_limited", 429),
        (CodeRejected, "code_rejected", 403),
        (CodeExpired, "code_expired", 403),
        (CodeMalformed, "code_malformed", 422),
        (CodeUsed, "code_used", 409),
        (Locked, "locked", 423),
        (DeliveryError, "delivery_error", 502),
        (DeliveryRejected, "delivery_rejected", 502),
        (RecipientRejected, "recipient_rejected", 422),
        (RecipientOptedOut, "recipient_opted_out", 409),
        (SenderMisconfigured, "sender_misconfigured", 500),
        (DeliveryUncertain, "delivery_uncertain", 502),
        (StoreError, "store_error", 503),
        (StoreContention, "store_contention", 503),
    ],
)
def test_code_and_status(error, code, http_status):
    """Programs and dashboards know an error by its code and its status, so neither changes."""
    assert (code, http_status) == (error.code, error.http_status)


def test_codes_differ():
    """Every class has a code of its own."""
    assert len(CLASSES) == len({error.code for error in CLASSES})


def test_configuration_error_is_value_error():
    """A wrong argument can be caught as a ValueError."""
    assert issubclass(ConfigurationError, ValueError)


def test_examples_are_complete():
    """The tests below look at every class."""
    assert set(CLASSES) == set(map(type, EXAMPLES))


@pytest.mark.parametrize("error", EXAMPLES, ids=repr)
def test_message(error):
    """Every error says something to a person, in one line."""
    assert 1 == len(str(error).splitlines())


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("error", EXAMPLES, ids=repr)
def test_duplicate(error, duplicate):
    """An error crosses a process, in a task queue or a test runner, with all that it tells."""
    other = duplicate(error)

    assert type(error) is type(other)
    assert (error.args, vars(error), str(error)) == (other.args, vars(other), str(other))


@pytest.mark.parametrize("error", [AlreadyEnrolled, NotEnrolled, PhoneInUse, ProofRequired, FactorDisabled, Locked])
def test_own_message(error):
    """A given message replaces the general one."""
    assert "in other words" == str(error("in other words"))


@pytest.mark.parametrize(
    "reason, words",
    [
        ("malformed", "not a phone number"),
        ("no_region", "the country is missing"),
        ("impossible", "too short or too long"),
        ("invalid", "no such phone number"),
        ("region", "of this country are not accepted"),
        ("type", "cannot receive an SMS"),
        ("another", "another"),
    ],
)
def test_phone_number_error(reason, words):
    """A number is refused with a reason for programs and words for people."""
    error = PhoneNumberError(reason)

    assert reason == error.reason
    assert words in str(error)


@pytest.mark.parametrize(
    "retry_after, seconds",
    [
        (None, None),
        (timedelta(0), 0),
        (timedelta(microseconds=1), 1),
        (timedelta(seconds=1), 1),
        (timedelta(seconds=1, microseconds=1), 2),
        (timedelta(minutes=36), 2160),
        (timedelta(days=9999, microseconds=999_999), 863_913_601),
    ],
)
def test_retry_after_seconds(retry_after, seconds):
    """The seconds of the header are rounded up, so a client that waits for them is not refused again."""
    assert seconds == RateLimited("user", retry_after).retry_after_seconds


@pytest.mark.parametrize(
    "error, expected",
    [
        (RateLimited("guesses", timedelta(minutes=1)), "the limit on 'guesses' is used up; try again in 60 s"),
        (RateLimited("total"), "the limit on 'total' is used up"),
    ],
)
def test_rate_limited_message(error, expected):
    """A limit says which one it is, and when to come back where that helps."""
    assert expected == str(error)


@pytest.mark.parametrize(
    "error, expected", [(CodeRejected(3), 3), (CodeExpired(), 0), (CodeUsed(), 0), (CodeMalformed(), None)]
)
def test_attempts_left(error, expected):
    """A rejected code says what is left: nothing of a dead challenge, and ``None`` where nothing was charged."""
    assert expected == error.attempts_left


@pytest.mark.parametrize("error", [one for one in EXAMPLES if one.http_status < 500], ids=lambda one: one.code)
def test_problem(error):
    """An answer to what the caller can fix says what is wrong, in the form of RFC 9457."""
    problem = error.problem()

    assert (error.http_status, error.code, str(error)) == (problem["status"], problem["code"], problem["detail"])
    assert ("about:blank", HTTPStatus(error.http_status).phrase) == (problem["type"], problem["title"])
    assert problem == json.loads(json.dumps(problem))


@pytest.mark.parametrize(
    "error",
    [StoreError("could not connect to postgres://root:secret@db"), SenderMisconfigured("token secret"), SmsMfaError()],
    ids=lambda one: one.code,
)
def test_problem_of_ours(error):
    """T12: an answer to an error of ours says nothing of what went wrong inside."""
    assert error.http_status >= 500
    assert "secret" not in json.dumps(error.problem())


@pytest.mark.parametrize(
    "error, expected",
    [
        (RateLimited("user", timedelta(seconds=29, microseconds=1)), {"scope": "user", "retry_after": 30}),
        (RateLimited("total"), {"scope": "total"}),
        (PhoneNumberError("type"), {"reason": "type"}),
        (CodeRejected(3), {"attempts_left": 3}),
        (CodeMalformed(), {}),
        (PhoneInUse(), {}),
    ],
    ids=lambda one: one.code if isinstance(one, SmsMfaError) else "",
)
def test_evidence(error, expected):
    """The attributes of an error are members of its problem, if they are known."""
    problem = error.problem()

    assert expected == {name: problem[name] for name in problem.keys() - SmsMfaError().problem().keys()}


def test_headers():
    """``Retry-After`` is in whole seconds, rounded up, and is left out where waiting does not help."""
    assert {"Retry-After": "30"} == RateLimited("user", timedelta(seconds=29, microseconds=1)).headers
    assert {} == RateLimited("total").headers == CodeRejected().headers
