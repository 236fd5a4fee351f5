"""The profiles: each one works, none can be changed, and ``TESTING`` warns outside tests."""

import subprocess
import sys
import unittest
from datetime import timedelta

import pytest
from support import a_config

from smsmfa import Limit, Limits, profiles

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("name", profiles.__all__)
def test_profile(name):
    """Every profile is a read-only mapping of arguments that builds a configuration."""
    profile = getattr(profiles, name)
    config = a_config(**profile)

    assert dict(profile) == {argument: getattr(config, argument) for argument in profile}
    with pytest.raises(TypeError):
        profile["attempts"] = 10**6
    with pytest.raises(AttributeError):
        profile.update(attempts=10**6)


@pytest.mark.parametrize("name", profiles.__all__)
def test_two_readers(name):
    """Reading a profile twice gives the same object."""
    assert getattr(profiles, name) is getattr(profiles, name)


def test_profile_leaves_the_rest_open():
    """Arguments that a profile leaves open can be given beside it."""
    config = a_config(max_phones=3, **profiles.PSD2)

    assert (3, 5) == (config.max_phones, config.attempts)


def test_auth0():
    """AUTH0 has the described system's figures: messages 10 and one an hour, wrong codes 10 and one each 6 minutes."""
    config = a_config(**profiles.AUTH0)

    assert (6, 5 * MINUTE, 1) == (config.digits, config.lifetime, config.recovery_codes)
    assert Limit(10, HOUR) == config.limits.user
    assert Limit(10, 6 * MINUTE) == config.limits.guesses == config.limits.recovery
    assert 10 == config.attempts


def test_trial():
    """TRIAL allows 100 messages in total, forever, and keeps the other defaults."""
    assert {"limits": Limits(total=Limit(100, None))} == profiles.TRIAL


def test_nist():
    """R1, R2, R6, R16: NIST_AAL2 has 6 digits, 10 minutes and 100 failures in a row, and users may share numbers."""
    config = a_config(**profiles.NIST_AAL2)

    assert config.digits >= 6
    assert config.lifetime <= 10 * MINUTE
    assert config.limits.consecutive <= 100
    assert config.max_users_per_number != 1


def test_psd2():
    """R9: PSD2 blocks for an hour or more after 5 wrong codes on any challenges, and a code lives 5 minutes."""
    config = a_config(**profiles.PSD2)

    assert (5, 5) == (config.attempts, config.limits.guesses.capacity)
    assert config.limits.guesses.refill >= HOUR
    assert config.lifetime <= 5 * MINUTE


def test_testing_is_fast():
    """TESTING has no gap, and limits that a test suite does not reach."""
    config = a_config(**profiles.TESTING)

    assert (timedelta(0), 0) == (config.resend_gap, config.max_users_per_number)
    assert config.limits.user.capacity >= 1000 <= config.limits.guesses.capacity
    assert config.limits.number is config.limits.unverified is None
    assert config.limits.refunds.capacity >= 1000


@pytest.mark.parametrize("other", [pytest, unittest])
def test_testing_under_a_runner(other, monkeypatch):
    """TESTING does not warn under pytest alone or under unittest alone."""
    monkeypatch.delitem(sys.modules, other.__name__)

    assert profiles.TESTING["resend_gap"] == timedelta(0)


def test_testing_without_a_runner(monkeypatch):
    """TESTING warns if no test runner is loaded."""
    for module in (pytest, unittest):
        monkeypatch.delitem(sys.modules, module.__name__)

    with pytest.warns(UserWarning, match="protects nobody") as caught:
        assert profiles.TESTING["resend_gap"] == timedelta(0)
    assert __file__ == caught[0].filename


@pytest.mark.parametrize(
    "statement",
    ["profiles.TESTING", "from smsmfa.profiles import TESTING", "FactorConfig(**arguments, **profiles.TESTING)"],
)
def test_testing_in_an_application(statement):
    """In a new process TESTING warns, and the other profiles and importing them do not."""
    program = f"""
import warnings
with warnings.catch_warnings(record=True, action="always") as caught:
    from smsmfa import FactorConfig, profiles
    arguments = dict(app_name="Acme", secret="a secret of the tests, long enough to be one", regions={{"US"}})
    FactorConfig(**arguments, **profiles.AUTH0)
    print(len(caught))
    {statement}
    print({{warning.category.__name__ for warning in caught}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "0\n{'UserWarning'}\n" == done.stdout


def test_unknown_profile():
    """An unknown profile is an AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'PSD3'"):
        profiles.PSD3  # noqa: B018


def test_all():
    """The profiles are exactly the documented ones."""
    assert ["AUTH0", "NIST_AAL2", "PSD2", "TESTING", "TRIAL"] == profiles.__all__
