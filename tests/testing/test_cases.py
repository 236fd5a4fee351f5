"""A test case of unittest has the fixtures as attributes."""

import unittest

import pytest
from support import NUMBER

from smsmfa import CodeExpired, FactorConfig
from smsmfa.testing.cases import SmsMfaTestCase


class Login(SmsMfaTestCase):
    """A test case of an application."""

    def test_login(self):
        """A user who was enrolled without a message logs in with the code in the outbox."""
        challenge = self.sms_verifier.challenge(self.enrolled("alice", NUMBER))
        proof = self.sms_verifier.verify("alice", challenge.id, self.sms_outbox.last_code)

        assert "alice" == proof.user_id
        assert 1 == len(self.sms_outbox.messages)

    def test_new_for_each_test(self):
        """No user of another test has a number."""
        assert not self.sms_verifier.status("alice").enrolled
        assert [] == self.sms_outbox.messages

    def test_proof(self):
        """A proof is had without a message."""
        proof = self.verified(self.enrolled("alice"))

        self.sms_verifier.check_proof("alice", proof.token)
        assert [] == self.sms_outbox.messages

    def test_clock(self):
        """The clock is moved by the test."""
        challenge = self.sms_verifier.challenge(self.enrolled("alice"))
        self.sms_clock.move(self.sms_config.lifetime)
        with pytest.raises(CodeExpired):
            self.sms_verifier.verify("alice", challenge.id, self.sms_outbox.last_code)


class Own(SmsMfaTestCase):
    """A test case with its own configuration."""

    sms_config = FactorConfig(app_name="Shop", secret="only the tests of the shop know this", regions={"FR"})

    def test_configuration(self):
        """The configuration of the class is used, also for new numbers."""
        self.sms_verifier.challenge(self.enrolled("alice"))

        assert "Shop" in self.sms_outbox.last.text
        assert self.sms_outbox.last.to.e164.startswith("+33")


def test_unittest():
    """The test cases pass under unittest's runner too."""
    loader = unittest.defaultTestLoader
    found = unittest.TestSuite(map(loader.loadTestsFromTestCase, (Login, Own)))
    result = found.run(unittest.TestResult())

    assert (5, True) == (result.testsRun, result.wasSuccessful())
