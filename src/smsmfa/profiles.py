"""Policies with a source, each a read-only mapping of arguments: ``FactorConfig(..., **profiles.PSD2)``."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from .config import Limits
from .limiter import Limit

__all__ = ["AUTH0", "NIST_AAL2", "PSD2", "TESTING", "TRIAL"]

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


def _profile(**arguments: Any) -> Mapping[str, Any]:
    return MappingProxyType(arguments)


#: Auth0's own figures (its Guardian user guide and rate limit policy): 10 messages and
#: one back each hour; wrong codes 10 and one back each 6 minutes, whatever the challenge; recovery codes
#: 10 and 10 back an hour; a code of 6 digits for 5 minutes. Its guess risk is that of its figures: high.
AUTH0 = _profile(
    digits=6,
    lifetime=5 * _MINUTE,
    attempts=10,
    recovery_codes=1,
    limits=Limits(
        user=Limit(10, _HOUR),
        guesses=Limit(10, 6 * _MINUTE),
        recovery=Limit(10, 6 * _MINUTE),
    ),
)

#: Auth0 before a carrier is set up: 100 messages, for ever (its page "Configure SMS
#: Notifications for MFA"). Leave the profile out once Twilio is set up.
TRIAL = _profile(limits=Limits(total=Limit(100, None)))

#: NIST SP 800-63B-4: a code of 6 digits or more for at most 10 minutes (3.1.3.2), a number disabled
#: after 100 failures in a row at the most (3.2.2), recovery codes throttled (4.2.1.1), shared numbers
#: not blocked (3.1).
NIST_AAL2 = _profile(
    digits=6,
    lifetime=10 * _MINUTE,
    limits=Limits(consecutive=100),
    max_users_per_number=5,
)

#: RTS (EU) 2018/389: blocked for a time after 5 failed attempts in a row (Art. 4(3)(b)); bind amount and
#: payee with ``details`` (Art. 5).
PSD2 = _profile(
    attempts=5,
    lifetime=5 * _MINUTE,
    limits=Limits(guesses=Limit(5, 10 * _HOUR)),
)

_TESTING = _profile(
    resend_gap=timedelta(0),
    max_users_per_number=0,
    limits=Limits(
        user=Limit(1000, timedelta(seconds=1)),
        number=None,
        guesses=Limit(1000, timedelta(seconds=1)),
        recovery=Limit(1000, timedelta(seconds=1)),
    ),
)

#: For an application's own test suite: no gap, and limits that do not get in the way. It protects nothing,
#: so taking it while neither pytest nor unittest is loaded is a warning.
TESTING: Mapping[str, Any]


def __getattr__(name: str) -> Mapping[str, Any]:
    if name != "TESTING":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "pytest" not in sys.modules and "unittest" not in sys.modules:
        import warnings

        warnings.warn(
            "profiles.TESTING protects nobody: it is for tests; choose another profile", UserWarning, stacklevel=2
        )
    return _TESTING
