"""The senders. Each module, and the client it needs, is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .apprise import AppriseSender, AsyncAppriseSender
    from .aws import AsyncAwsSender, AwsSender
    from .console import AsyncConsoleSender, ConsoleSender
    from .failover import AsyncFailoverSender, FailoverSender
    from .http import AsyncHttpSender, HttpSender
    from .sns import AsyncSnsSender, SnsSender
    from .twilio import AsyncTwilioSender, TwilioSender
    from .vonage import AsyncVonageSender, VonageSender

__all__ = [
    "AppriseSender",
    "AsyncAppriseSender",
    "AsyncAwsSender",
    "AsyncConsoleSender",
    "AsyncFailoverSender",
    "AsyncHttpSender",
    "AsyncSnsSender",
    "AsyncTwilioSender",
    "AsyncVonageSender",
    "AwsSender",
    "ConsoleSender",
    "FailoverSender",
    "HttpSender",
    "SnsSender",
    "TwilioSender",
    "VonageSender",
]

_HOMES = {
    "AppriseSender": "apprise",
    "AsyncAppriseSender": "apprise",
    "AsyncAwsSender": "aws",
    "AsyncConsoleSender": "console",
    "AsyncFailoverSender": "failover",
    "AsyncHttpSender": "http",
    "AsyncSnsSender": "sns",
    "AsyncTwilioSender": "twilio",
    "AsyncVonageSender": "vonage",
    "AwsSender": "aws",
    "ConsoleSender": "console",
    "FailoverSender": "failover",
    "HttpSender": "http",
    "SnsSender": "sns",
    "TwilioSender": "twilio",
    "VonageSender": "vonage",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("." + _HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
