"""The package's own names: loaded when they are used, and the same objects as at home."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import smsmfa
from smsmfa import exceptions

#: The bold names of the contract, but for those it places in ``smsmfa.typing``.
CONTRACT = [
    "FactorConfig",
    "Limits",
    "ALL_REGIONS",
    "profiles",
    "CodeGenerator",
    "Limit",
    "RateLimiter",
    "AsyncRateLimiter",
    "Decision",
    "PhoneNumber",
    "Event",
    "Enroller",
    "AsyncEnroller",
    "Verifier",
    "AsyncVerifier",
    "Challenge",
    "Enrollment",
    "EnrolledPhone",
    "Verification",
    "MemoryStore",
    "AsyncMemoryStore",
    "ConsoleSender",
    "AsyncConsoleSender",
    "TwilioSender",
    "AsyncTwilioSender",
    "SmsMfaError",
    "ConfigurationError",
    "PhoneNumberError",
    "AlreadyEnrolled",
    "NotEnrolled",
    "PhoneInUse",
    "ProofRequired",
    "FactorDisabled",
    "RateLimited",
    "CodeRejected",
    "CodeExpired",
    "CodeMalformed",
    "Locked",
    "DeliveryError",
    "DeliveryRejected",
    "RecipientRejected",
    "RecipientOptedOut",
    "SenderMisconfigured",
    "DeliveryUncertain",
    "StoreError",
    "StoreContention",
]


@pytest.mark.parametrize("name", CONTRACT)
def test_contract(name):
    """Every name of the contract can be imported from the package."""
    assert name in smsmfa.__all__
    assert getattr(smsmfa, name) is not None


@pytest.mark.parametrize("name", sorted(set(smsmfa.__all__) - {"profiles", "ALL_REGIONS"}))
def test_home(name):
    """A name is the class of that name that its module defines."""
    value = getattr(smsmfa, name)

    assert name == value.__name__
    assert value is getattr(sys.modules[value.__module__], name)
    assert value.__module__.startswith("smsmfa.")


def test_profiles():
    """``profiles`` is the module."""
    assert sys.modules["smsmfa.profiles"] is smsmfa.profiles


def test_all_errors():
    """Every error can be imported from the package."""
    values = vars(exceptions).items()
    errors = {name for name, value in values if isinstance(value, type) and issubclass(value, exceptions.SmsMfaError)}

    assert errors <= set(smsmfa.__all__)


def test_star():
    """``import *`` gives every public name."""
    namespace = {}
    exec("from smsmfa import *", namespace)

    assert set(smsmfa.__all__) <= set(namespace)


def test_dir():
    """``dir`` lists the public names and the version, loaded or not."""
    assert sorted([*smsmfa.__all__, "__version__"]) == dir(smsmfa)


def test_version():
    """The version is the version of the installed distribution."""
    assert version("smsmfa") == smsmfa.__version__


@pytest.mark.parametrize("name", ["no_such_name", "ConsoleSenders", "__path", "_HOUR", "annotations"])
def test_unknown(name):
    """A name that is not public is an AttributeError with the name."""
    with pytest.raises(AttributeError, match=f"module 'smsmfa' has no attribute '{name}'"):
        getattr(smsmfa, name)


def test_first_use():
    """In a fresh process a name is loaded by its first use, and found without loading by the next."""
    program = """
import sys, smsmfa
print("smsmfa.limiter" in sys.modules, "Limit" in vars(smsmfa))
smsmfa.Limit
print("smsmfa.limiter" in sys.modules, "Limit" in vars(smsmfa))
from smsmfa import profiles
print(profiles is smsmfa.profiles, profiles.__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "False False\nTrue True\nTrue smsmfa.profiles\n" == done.stdout
