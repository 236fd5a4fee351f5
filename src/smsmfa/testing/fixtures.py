"""Pytest fixtures for your application's tests: an outbox, a clock, a ready enroller and verifier.

Add one line to your top-level ``conftest.py``::

    pytest_plugins = ["smsmfa.testing.fixtures"]

In any other ``conftest.py`` use ``from smsmfa.testing.fixtures import *``. To replace a fixture, define one with the
same name in your tests; the other fixtures then use it too. Define ``sms_config`` to test with your own configuration.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from .. import profiles
from ..config import FactorConfig
from ..enroller import AsyncEnroller, Enroller
from ..events import Event
from ..phone import ALL_REGIONS
from ..stores.memory import AsyncMemoryStore, MemoryStore
from ..typing import AsyncSender, AsyncStore, Sender, Store
from ..values import Verification
from ..verifier import AsyncVerifier, Verifier
from .clock import FakeClock
from .outbox import AsyncRecordingSender, RecordingSender
from .users import enrolled, verified

__all__ = [
    "sms_async_enroller",
    "sms_async_outbox",
    "sms_async_store",
    "sms_async_verifier",
    "sms_clock",
    "sms_config",
    "sms_enrolled",
    "sms_enroller",
    "sms_events",
    "sms_outbox",
    "sms_store",
    "sms_verified",
    "sms_verifier",
]


def config_for_tests() -> FactorConfig:
    """Return a configuration whose limits do not get in the way, for numbers of every country."""
    secret = "smsmfa.testing: a secret that everybody knows"
    return FactorConfig(app_name="Test", secret=secret, regions=ALL_REGIONS, **profiles.TESTING)


@pytest.fixture
def sms_config() -> FactorConfig:
    """A configuration with limits that do not get in the way, numbers from every country, and a well-known secret."""
    return config_for_tests()


@pytest.fixture
def sms_clock() -> FakeClock:
    """The clock of the enrollers and verifiers. It moves only when the test moves it."""
    return FakeClock()


@pytest.fixture
def sms_outbox() -> RecordingSender:
    """The messages that ``sms_enroller`` and ``sms_verifier`` send."""
    return RecordingSender()


@pytest.fixture
def sms_async_outbox() -> AsyncRecordingSender:
    """The messages that ``sms_async_enroller`` and ``sms_async_verifier`` send."""
    return AsyncRecordingSender()


@pytest.fixture
def sms_events() -> list[Event]:
    """The events of all enrollers and verifiers, in order."""
    return []


@pytest.fixture
def sms_store() -> MemoryStore:
    """The store of the enrollers and verifiers."""
    return MemoryStore()


@pytest.fixture
def sms_async_store(sms_store: MemoryStore) -> AsyncMemoryStore:
    """The same records as ``sms_store``, for asyncio."""
    return AsyncMemoryStore(sms_store)


@pytest.fixture
def sms_enroller(
    sms_config: FactorConfig, sms_store: Store, sms_outbox: Sender, sms_events: list[Event], sms_clock: FakeClock
) -> Enroller:
    """An enroller that uses the fixtures above."""
    return Enroller(sms_config, sms_store, sms_outbox, on_event=sms_events.append, clock=sms_clock)


@pytest.fixture
def sms_verifier(
    sms_config: FactorConfig, sms_store: Store, sms_outbox: Sender, sms_events: list[Event], sms_clock: FakeClock
) -> Verifier:
    """A verifier that uses the fixtures above."""
    return Verifier(sms_config, sms_store, sms_outbox, on_event=sms_events.append, clock=sms_clock)


@pytest.fixture
def sms_async_enroller(
    sms_config: FactorConfig,
    sms_async_store: AsyncStore,
    sms_async_outbox: AsyncSender,
    sms_events: list[Event],
    sms_clock: FakeClock,
) -> AsyncEnroller:
    """``sms_enroller`` for asyncio."""
    return AsyncEnroller(sms_config, sms_async_store, sms_async_outbox, on_event=sms_events.append, clock=sms_clock)


@pytest.fixture
def sms_async_verifier(
    sms_config: FactorConfig,
    sms_async_store: AsyncStore,
    sms_async_outbox: AsyncSender,
    sms_events: list[Event],
    sms_clock: FakeClock,
) -> AsyncVerifier:
    """``sms_verifier`` for asyncio."""
    return AsyncVerifier(sms_config, sms_async_store, sms_async_outbox, on_event=sms_events.append, clock=sms_clock)


@pytest.fixture
def sms_enrolled(sms_enroller: Enroller) -> Callable[..., Any]:
    """A function that enrols a user: ``sms_enrolled("alice")``, or with a number. See :func:`.users.enrolled`."""
    return partial(enrolled, sms_enroller)


@pytest.fixture
def sms_verified(sms_verifier: Verifier, sms_outbox: RecordingSender) -> Callable[..., Verification]:
    """A function that returns the proof of an enrolled user: ``sms_verified("alice")``. See :func:`.users.verified`."""
    return partial(verified, sms_verifier, sms_outbox)
