"""Policies with a source, each a read-only mapping of arguments: ``FactorConfig(..., **profiles.PSD2)``."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from .config import Limits
from .limiter import Limit

__all__ = ["AUTH0", "NIST_AAL2", "PSD2", "TESTING", "TRIAL"]

_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def _profile(**arguments: Any) -> Mapping[str, Any]:
    return MappingProxyType(arguments)


#: Auth0's own figures (its Guardian user guide and rate limit policy): 10 messages and one more each hour; 10 wrong
#: codes and one more each 6 minutes, over all challenges; 10 recovery codes, and 10 more each hour; a code of 6 digits
#: for 5 minutes. These figures have a high guess risk.
AUTH0 = _profile(
    digits=6, lifetime=5 * _MINUTE, attempts=10, recovery_codes=1,
    limits=Limits(user=Limit(10, _HOUR), guesses=Limit(10, 6 * _MINUTE), recovery=Limit(10, 6 * _MINUTE)),
)  # fmt: skip

#: Auth0 before a carrier is set up: 100 messages in all, forever (its page "Configure SMS Notifications for MFA").
#: Leave this profile out once Twilio is set up.
TRIAL = _profile(limits=Limits(total=Limit(100, None)))

#: NIST SP 800-63B-4: a code of 6 or more digits for at most 10 minutes (3.1.3.2), a number disabled after at most 100
#: failures in a row (3.2.2), recovery codes throttled (4.2.1.1), shared numbers not blocked (3.1).
NIST_AAL2 = _profile(digits=6, lifetime=10 * _MINUTE, limits=Limits(consecutive=100), max_users_per_number=5)

#: RTS (EU) 2018/389: blocked for a time after 5 failed attempts in a row (Art. 4(3)(b)). Bind amount and payee with
#: ``details`` (Art. 5).
PSD2 = _profile(attempts=5, lifetime=5 * _MINUTE, limits=Limits(guesses=Limit(5, 10 * _HOUR)))

_MANY = Limit(1000, _SECOND)
_TESTING = _profile(
    resend_gap=0 * _SECOND, max_users_per_number=0,
    limits=Limits(user=_MANY, number=None, unverified=None, refunds=_MANY, guesses=_MANY, recovery=_MANY),
)  # fmt: skip

#: For the test suite of an application: no gap, and limits that do not get in the way. It protects nothing, so using it
#: while neither pytest nor unittest is loaded is a warning.
TESTING: Mapping[str, Any]


def __getattr__(name: str) -> Mapping[str, Any]:
    if name != "TESTING":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "pytest" not in sys.modules and "unittest" not in sys.modules:
        import warnings

        advice = "profiles.TESTING protects nobody: it is for tests; choose another profile"
        warnings.warn(advice, UserWarning, stacklevel=2)
    return _TESTING
