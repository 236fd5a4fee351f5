"""Fakes, fixtures and Hypothesis strategies for your own tests, and suites that check a store, a sender or a limiter.

It needs pytest and Hypothesis: ``pip install "smsmfa[testing]"``.
"""

from importlib.util import find_spec

if not all(map(find_spec, ("hypothesis", "pytest"))):
    raise ModuleNotFoundError('smsmfa.testing needs pytest and Hypothesis; run: pip install "smsmfa[testing]"')

from .carrier import Answer, Carrier
from .clock import FakeClock
from .faults import AsyncFaultyStore, FaultyStore
from .ids import deterministic
from .limits.exact import ExactLimiter
from .limits.laws import AsyncLimitLaws, LimitLaws
from .outbox import AsyncRecordingSender, AsyncScriptedSender, RecordingSender, ScriptedSender
from .senders.conformance import AsyncSenderConformance, SenderConformance
from .stores.conformance import AsyncStoreConformance, StoreConformance

__all__ = [
    "Answer",
    "AsyncFaultyStore",
    "AsyncLimitLaws",
    "AsyncRecordingSender",
    "AsyncScriptedSender",
    "AsyncSenderConformance",
    "AsyncStoreConformance",
    "Carrier",
    "ExactLimiter",
    "FakeClock",
    "FaultyStore",
    "LimitLaws",
    "RecordingSender",
    "ScriptedSender",
    "SenderConformance",
    "StoreConformance",
    "deterministic",
]
