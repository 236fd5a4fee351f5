"""The fixtures of :mod:`smsmfa.testing.fixtures` for ``unittest``."""

from unittest import TestCase

from ..config import FactorConfig
from ..enroller import Enroller
from ..stores.memory import MemoryStore
from ..typing import Store
from ..values import Verification
from ..verifier import Verifier
from .clock import FakeClock
from .fixtures import config_for_tests
from .outbox import RecordingSender
from .users import U, enrolled, verified

__all__ = ["SmsMfaTestCase"]


class SmsMfaTestCase(TestCase):
    """A test case with an enroller and a verifier. Each test has new ones.

    ::

        class LoginTest(SmsMfaTestCase):
            def test_login(self):
                self.enrolled("alice", "+14155552671")
                shop = Shop(self.sms_enroller, self.sms_verifier)
                ...

    A subclass that overrides ``setUp`` calls ``super().setUp()`` first.

    Attributes:
        sms_config: the configuration. A class attribute of this name replaces it.
        sms_clock: the clock, which moves only when the test moves it.
        sms_outbox: the sender, which keeps the messages.
        sms_store: the store.
        sms_enroller: the enroller that uses these.
        sms_verifier: the verifier that uses these.
    """

    sms_config: FactorConfig = config_for_tests()

    def setUp(self) -> None:
        """Make the enroller and the verifier."""
        super().setUp()
        self.sms_clock: FakeClock = FakeClock()
        self.sms_outbox: RecordingSender = RecordingSender()
        self.sms_store: Store = MemoryStore()
        self.sms_enroller: Enroller = Enroller(self.sms_config, self.sms_store, self.sms_outbox, clock=self.sms_clock)
        self.sms_verifier: Verifier = Verifier(self.sms_config, self.sms_store, self.sms_outbox, clock=self.sms_clock)

    def enrolled(self, user_id: U, number: str | None = None) -> U:
        """Like :func:`smsmfa.testing.users.enrolled`."""
        return enrolled(self.sms_enroller, user_id, number)

    def verified(self, user_id: U) -> Verification:
        """Like :func:`smsmfa.testing.users.verified`."""
        return verified(self.sms_verifier, self.sms_outbox, user_id)
