"""SMS multi-factor authentication for any Python application.

:class:`Enroller` and :class:`Verifier` do the work, with a :class:`FactorConfig`, a store and a sender. Each has an
``Async`` twin. The protocols that you can implement are in :mod:`smsmfa.typing`. Modules load when they are first used.
"""

# ruff: noqa: I001

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import profiles
    from .codes import CodeGenerator
    from .config import FactorConfig, Limits
    from .enroller import AsyncEnroller, Enroller
    from .events import Event
    from .exceptions import (
        AlreadyEnrolled, CodeExpired, CodeMalformed, CodeRejected, CodeUsed, ConfigurationError, DeliveryError,
        DeliveryRejected, DeliveryUncertain, FactorDisabled, Locked, NotEnrolled, PhoneInUse, PhoneNumberError,
        ProofRequired, RateLimited, RecipientOptedOut, RecipientRejected, SenderMisconfigured, SmsMfaError,
        StoreContention, StoreError,
    )  # fmt: skip
    from .limiter import AsyncRateLimiter, Decision, Limit, RateLimiter
    from .phone import ALL_REGIONS, PhoneNumber
    from .senders.console import AsyncConsoleSender, ConsoleSender
    from .senders.twilio import AsyncTwilioSender, TwilioSender
    from .stores.memory import AsyncMemoryStore, MemoryStore
    from .texts.languages import negotiate
    from .values import Challenge, EnrolledPhone, Enrollment, Status, Verification
    from .verifier import AsyncVerifier, Verifier

    __version__: str

__all__ = [
    "ALL_REGIONS", "AlreadyEnrolled", "AsyncConsoleSender", "AsyncEnroller", "AsyncMemoryStore", "AsyncRateLimiter",
    "AsyncTwilioSender", "AsyncVerifier", "Challenge", "CodeExpired", "CodeGenerator", "CodeMalformed",
    "CodeRejected", "CodeUsed", "ConfigurationError", "ConsoleSender", "Decision", "DeliveryError",
    "DeliveryRejected", "DeliveryUncertain", "EnrolledPhone", "Enroller", "Enrollment", "Event", "FactorConfig",
    "FactorDisabled", "Limit", "Limits", "Locked", "MemoryStore", "NotEnrolled", "PhoneInUse", "PhoneNumber",
    "PhoneNumberError", "ProofRequired", "RateLimited", "RateLimiter", "RecipientOptedOut", "RecipientRejected",
    "SenderMisconfigured", "SmsMfaError", "Status", "StoreContention", "StoreError", "TwilioSender", "Verification",
    "Verifier", "negotiate", "profiles",
]  # fmt: skip

#: The modules of the public names. The errors, which are not listed, are in ``exceptions``.
_HOMES = {
    "codes": ("CodeGenerator",),
    "config": ("FactorConfig", "Limits"),
    "enroller": ("AsyncEnroller", "Enroller"),
    "events": ("Event",),
    "limiter": ("AsyncRateLimiter", "Decision", "Limit", "RateLimiter"),
    "phone": ("ALL_REGIONS", "PhoneNumber"),
    "senders.console": ("AsyncConsoleSender", "ConsoleSender"),
    "senders.twilio": ("AsyncTwilioSender", "TwilioSender"),
    "stores.memory": ("AsyncMemoryStore", "MemoryStore"),
    "texts.languages": ("negotiate",),
    "values": ("Challenge", "EnrolledPhone", "Enrollment", "Status", "Verification"),
    "verifier": ("AsyncVerifier", "Verifier"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("smsmfa")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "profiles":
        return import_module(".profiles", __name__)
    value = getattr(import_module("." + _HOME.get(name, "exceptions"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
