"""Each check of the sender suite rejects the senders that break its promise."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from testing.senders import broken as broken
from testing.senders.broken import GoodSender, async_suite, suite

from smsmfa.testing import Answer
from smsmfa.testing.senders.checks import SenderChecks

#: The checks that reject each sender. All other checks pass, except for the senders in ``HANGING``.
CAUGHT = {
    "SwallowsErrors": "broken_connection drip garbage kept_connection misconfigured redirect refused_connection"
    " rejected server_error silence",
    "ReturnsNothing": "accepted many_at_once",
    "CallsServerErrorsRefusals": "server_error",
    "CallsTimeoutsRefusals": "broken_connection drip garbage kept_connection server_error silence",
    "CallsRefusalsUncertain": "misconfigured rejected",
    "CallsEveryRefusalTheSame": "misconfigured",
    "BelievesTheStatus": "drip garbage silence",
    "FollowsRedirects": "redirect",
    "SendsToNobody": "many_at_once recipient",
    "RetriesPosts": "kept_connection nothing_is_sent_twice redirect",
    "RetriesTimeouts": "nothing_is_sent_twice",
    "RetriesKeptConnections": "kept_connection",
    "NeverTimesOut": "drip silence",
    "TimesOutEachRead": "drip",
    "MixesMessages": "many_at_once",
    "QuotesTheMessage": "errors_show_nothing repr_shows_nothing",
    "QuotesTheCarrier": "errors_show_nothing",
    "LeavesTheAnswerInItsLocals": "errors_show_nothing",
    "KeepsTheCause": "errors_show_nothing",
    "LogsTheForm": "log_shows_nothing",
    "ShowsItsToken": "errors_show_nothing repr_shows_nothing",
    "AsyncBlocksTheLoop": "loop_is_free",
    "AsyncRetriesPosts": "kept_connection nothing_is_sent_twice redirect",
}
#: Senders that only the time limit stops.
HANGING = {"NeverTimesOut", "TimesOutEachRead", "AsyncBlocksTheLoop"}


#: Senders that make their mistake within the timeout, which must be long enough for that on a slow machine.
NEEDS_TIME = {"BelievesTheStatus", "RetriesTimeouts", "TimesOutEachRead"}


def suite_of(name):
    checks = (async_suite if name.startswith("Async") else suite)(getattr(broken, name))()
    if name in HANGING:
        checks.time_limit = 0.5
    if name in NEEDS_TIME:
        checks.timeout = timedelta(seconds=2)
    return checks


class TestGoodSender(suite(GoodSender)):
    """A correct sender passes every check."""


@pytest.mark.parametrize("name, check", [(name, check) for name, checks in CAUGHT.items() for check in checks.split()])
def test_rejects(name, check):
    """A sender that breaks the promise fails the check."""
    with pytest.raises(AssertionError):
        getattr(suite_of(name), f"test_{check}")()


def test_every_sender_is_caught():
    """Each broken sender is caught by a check, and each check catches a broken sender."""
    senders = {
        name for name, value in vars(broken).items() if isinstance(value, type) and issubclass(value, GoodSender)
    }
    checks = {name.removeprefix("test_") for name in vars(SenderChecks) if name.startswith("test_")}

    assert senders - {"GoodSender", "AsyncGoodSender"} == CAUGHT.keys()
    assert checks | {"loop_is_free"} == set(" ".join(CAUGHT.values()).split())


@pytest.mark.parametrize(
    "name, value, check, reason",
    [
        ("rejected", None, "rejected", "this suite does not set: rejected"),
        ("misconfigured", None, "misconfigured", "this suite does not set: misconfigured"),
        ("bounds_whole_answer", False, "drip", "this suite does not set: bounds_whole_answer"),
        ("accepted", Answer(204), "garbage", "the answer in `accepted` has no body"),
        ("accepted", Answer(204), "drip", "the answer in `accepted` has no body"),
    ],
)
def test_left_out(name, value, check, reason):
    """A check of something that the suite does not set is skipped, with the reason."""
    checks = suite(GoodSender)()
    setattr(checks, name, value)

    with pytest.raises(pytest.skip.Exception, match=reason):
        getattr(checks, f"test_{check}")()
    if name != "accepted":
        checks.test_errors_show_nothing()


class Bodiless(GoodSender):
    def _exchange(self, connection, message):
        connection.request("POST", "/messages", self._form(message))
        with connection.getresponse() as response:
            return response.status, None


class TestAnswersWithoutBody(suite(Bodiless)):
    """If the carrier's answers have no body, a sender need not read one."""

    accepted = Answer(204)


def test_proxy(monkeypatch):
    """A proxy in the environment is bypassed."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    suite(broken.FollowsRedirects)().test_accepted()


OWN_TESTS = """
from smsmfa.testing import SenderConformance
from testing.senders.broken import LogsTheForm, suite

class TestOwn(suite(LogsTheForm)):
    rejected = None
"""


def test_counts(tmp_path):
    """The summary of a run says how many checks ran, failed and were skipped."""
    (tmp_path / "test_own.py").write_text(OWN_TESTS)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {Path(__file__).parents[2]}\n")

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "rejected or log or accepted"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60, check=False)

    expected = "smsmfa.testing: TestOwn: 2 checks ran, 1 failed, 1 skipped (not set: rejected)"
    assert expected in done.stdout.splitlines()
