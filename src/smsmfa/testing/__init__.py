"""The kit for your own tests: fakes, fixtures and strategies, and the suites that prove a store, a sender or a limiter.

It needs pytest and hypothesis: ``pip install "smsmfa[testing]"``.
"""

from importlib.util import find_spec

if not all(map(find_spec, ("hypothesis", "pytest"))):
    raise ModuleNotFoundError('smsmfa.testing needs pytest and hypothesis: pip install "smsmfa[testing]"')

from .clock import FakeClock
from .faults import AsyncFaultyStore, FaultyStore
from .ids import deterministic
from .outbox import AsyncRecordingSender, AsyncScriptedSender, RecordingSender, ScriptedSender
from .store import AsyncStoreConformance, StoreConformance

__all__ = [
    "AsyncFaultyStore",
    "AsyncRecordingSender",
    "AsyncScriptedSender",
    "AsyncStoreConformance",
    "FakeClock",
    "FaultyStore",
    "RecordingSender",
    "ScriptedSender",
    "StoreConformance",
    "deterministic",
]
