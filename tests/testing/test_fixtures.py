"""The fixtures are ready to use, work together, and can be replaced by an application's own."""

import os
import subprocess
import sys

import pytest

from smsmfa import CodeExpired
from smsmfa.testing import fixtures
from smsmfa.testing.fixtures import *  # noqa: F403

NUMBER = "+14155552671"


def test_log_in(sms_enroller, sms_verifier, sms_outbox, sms_events):
    """A user enrols and logs in with the codes in one outbox, and the events of both shells are recorded."""
    pending = sms_enroller.start("alice", NUMBER)
    sms_enroller.confirm("alice", pending.id, sms_outbox.last_code)
    challenge = sms_verifier.challenge("alice")

    assert "alice" == sms_verifier.verify("alice", challenge.id, sms_outbox.last_code).user_id
    assert 2 == len(sms_outbox.messages)
    assert ["ok"] * 4 == [event.outcome for event in sms_events]


async def test_log_in_asynchronously(
    sms_async_enroller, sms_async_verifier, sms_async_outbox, sms_verifier, sms_events
):
    """The asynchronous fixtures do the same, on the same records."""
    pending = await sms_async_enroller.start("alice", NUMBER)
    await sms_async_enroller.confirm("alice", pending.id, sms_async_outbox.last_code)
    challenge = await sms_async_verifier.challenge("alice")
    await sms_async_verifier.verify("alice", challenge.id, sms_async_outbox.last_code)

    assert sms_verifier.status("alice").enrolled
    assert ["ok"] * 4 == [event.outcome for event in sms_events]


def test_users(sms_enrolled, sms_verified, sms_verifier, sms_outbox):
    """A user is enrolled, and gives proof, without a message in the outbox."""
    proof = sms_verified(sms_enrolled("alice"))

    assert sms_verifier.status("alice").enrolled
    sms_verifier.check_proof("alice", proof.token)
    assert [] == sms_outbox.messages


def test_clock(sms_enroller, sms_outbox, sms_config, sms_clock):
    """The shells use the clock: after the lifetime, a code has expired."""
    pending = sms_enroller.start("alice", NUMBER)
    sms_clock.move(sms_config.lifetime)

    with pytest.raises(CodeExpired):
        sms_enroller.confirm("alice", pending.id, sms_outbox.last_code)


def test_limits(sms_enroller):
    """No limit and no gap gets in the way of a test."""
    for _ in range(50):
        sms_enroller.resend("alice", sms_enroller.start("alice", NUMBER).id)


def test_all():
    """``import *`` brings every fixture and nothing else, and each name begins with ``sms_``."""
    defined = [name for name, value in vars(fixtures).items() if type(value).__name__ == "FixtureFunctionDefinition"]

    assert sorted(defined) == fixtures.__all__
    assert all(name.startswith("sms_") for name in fixtures.__all__)


OWN_TESTS = """
import pytest
from datetime import timedelta
from smsmfa import FactorConfig

@pytest.fixture
def sms_config():
    return FactorConfig(app_name="Own", secret="a secret of these tests, long enough", regions={"US"}, digits=8)

def test_own_configuration(sms_enroller, sms_outbox):
    sms_enroller.start("alice", "+14155552671")
    assert len(sms_outbox.last_code) == 8
    assert "Own" in sms_outbox.last.text

class TestOthers:
    @pytest.fixture
    def sms_config(self):
        secret = "a secret of these tests, long enough"
        return FactorConfig(app_name="Other", secret=secret, regions={"US"}, lifetime=timedelta(minutes=1))

    def test_other_configuration(self, sms_enroller, sms_outbox):
        sms_enroller.start("alice", "+14155552671")
        assert "Other" in sms_outbox.last.text
"""


@pytest.mark.parametrize(
    "conftest",
    [
        'pytest_plugins = ["smsmfa.testing.fixtures"]',
        'from smsmfa.testing import FakeClock\npytest_plugins = ["smsmfa.testing.fixtures"]',
        "from smsmfa.testing.fixtures import *",
    ],
    ids=["pytest_plugins", "pytest_plugins after import", "import *"],
)
def test_own_tests(conftest, tmp_path):
    """One line adds the fixtures to another project's tests, without a warning; its own configuration applies."""
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_own.py").write_text(OWN_TESTS)

    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60, check=False)

    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert 0 == done.returncode
