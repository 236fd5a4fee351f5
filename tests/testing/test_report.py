"""A run says how many checks of each suite ran, failed and were skipped."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from smsmfa.testing import report
from smsmfa.testing.stores.suite import Suite, check

RUN = """
from smsmfa import MemoryStore, RateLimiter
from smsmfa.testing import LimitLaws, StoreConformance

class TestMine(StoreConformance):
    def make_store(self):
        return MemoryStore()

class TestLimiter(LimitLaws):
    examples = 2

    def make_limiter(self, limit, clock):
        return RateLimiter(MemoryStore(), limit, clock=clock)

def test_else():
    pass
"""


def test_in_a_quiet_run(tmp_path):
    """The lines are printed even in a quiet run, without any installation or configuration."""
    file = tmp_path / "test_mine.py"
    file.write_text(RUN)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-k",
        "absent or fork or processes_share or else or reset_fills or reopened",
        "-p",
        "no:cacheprovider",
        str(file),
    ]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)

    assert [
        "smsmfa.testing: TestLimiter: 1 check ran, 1 skipped (shared is False, so limiters do not share their buckets)",
        "smsmfa.testing: TestMine: 2 checks ran, 2 skipped (not set: fork, processes)",
    ] == [line for line in run.stdout.splitlines() if line.startswith("smsmfa.testing")]


def seen(*calls):
    """Return what is printed after these calls of checks."""
    plugin, lines = report.Report(), []
    plugin.bases.add(Suite)
    for cls, when, error in calls:
        info = error and SimpleNamespace(value=error)
        plugin.pytest_runtest_makereport(SimpleNamespace(cls=cls), SimpleNamespace(when=when, excinfo=info))
    plugin.pytest_terminal_summary(SimpleNamespace(write_line=lines.append))
    return lines


class TestOne(Suite):
    @check(1)
    def test_passes(self):
        """Passes."""

    @check(1)
    def test_passes_too(self):
        """Passes, with the plugin already registered."""


class TestTwo(Suite):
    """Another suite."""


def test_installed_once():
    """One plugin counts the checks of all suites of a run."""
    config = SimpleNamespace(pluginmanager=pytest.PytestPluginManager())
    report.install(config, TestOne)
    plugin = config.pluginmanager.get_plugin(report.PLUGIN)
    report.install(config, TestTwo)

    assert plugin is config.pluginmanager.get_plugin(report.PLUGIN)
    assert {TestOne, TestTwo} == plugin.bases


def skipped(skip, *arguments):
    with pytest.raises(pytest.skip.Exception) as caught:
        skip(*arguments)
    return caught.value


def skipped_for(*names):
    return skipped(report.skip_unset, *names)


def test_counts():
    """Each check is counted once as run, failed or skipped; other tests are not counted."""
    unset = skipped_for("server", "fork")
    calls = [
        (TestOne, "setup", None),
        (TestOne, "call", None),
        (TestOne, "call", AssertionError()),
        (TestOne, "teardown", None),
    ]

    assert ["smsmfa.testing: TestOne: 2 checks ran, 1 failed"] == seen(*calls)
    assert [
        "smsmfa.testing: TestOne: 1 check ran, 3 skipped (not set: fork, server; it rained)",
        "smsmfa.testing: TestTwo: 0 checks ran, 1 skipped (not set: processes)",
    ] == seen(
        (TestTwo, "call", skipped_for("processes")),
        (TestOne, "call", unset),
        (TestOne, "call", unset),
        (TestOne, "call", skipped(pytest.skip, "it rained")),
        (TestOne, "call", None),
    )
    assert [] == seen((None, "call", None), (dict, "call", None), (SimpleNamespace(), "call", None))


def test_workers():
    """With pytest-xdist the main process prints the counts of all workers, without those of one that crashed."""
    plugin, lines = report.Report(), []
    for _ in range(2):
        worker, config = report.Report(), SimpleNamespace(workeroutput={})
        worker.bases.add(Suite)
        for error in (None, AssertionError(), skipped_for("fork")):
            info = error and SimpleNamespace(value=error)
            worker.pytest_runtest_makereport(SimpleNamespace(cls=TestOne), SimpleNamespace(when="call", excinfo=info))
        worker.pytest_sessionfinish(SimpleNamespace(config=config))
        plugin.pytest_testnodedown(SimpleNamespace(workeroutput=json.loads(json.dumps(config.workeroutput))))
    plugin.pytest_testnodedown(SimpleNamespace())
    plugin.pytest_sessionfinish(SimpleNamespace(config=SimpleNamespace()))

    plugin.pytest_terminal_summary(SimpleNamespace(write_line=lines.append))

    assert ["smsmfa.testing: TestOne: 4 checks ran, 2 failed, 2 skipped (not set: fork)"] == lines


def test_configure():
    """As a plugin in ``conftest.py`` the module registers the report before any check runs."""
    config = SimpleNamespace(pluginmanager=pytest.PytestPluginManager())
    report.pytest_configure(config)

    assert set() == config.pluginmanager.get_plugin(report.PLUGIN).bases
