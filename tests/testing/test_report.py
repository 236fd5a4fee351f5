"""A run says how many checks of each suite ran, and what was left out."""

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
    """The lines stand at the end of a quiet run too, without anything being installed or configured."""
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
        "smsmfa.testing: TestLimiter: 1 checks ran, 1 left out (limiters do not share their buckets: shared is False)",
        "smsmfa.testing: TestMine: 1 checks ran, 2 left out (fork, processes)",
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
        """Passes, when the plugin is there already."""


class TestTwo(Suite):
    """Another."""


def test_installed_once():
    """One plugin counts for all suites of a run."""
    config = SimpleNamespace(pluginmanager=pytest.PytestPluginManager())
    report.install(config, TestOne)
    plugin = config.pluginmanager.get_plugin(report.PLUGIN)
    report.install(config, TestTwo)

    assert plugin is config.pluginmanager.get_plugin(report.PLUGIN)
    assert {TestOne, TestTwo} == plugin.bases


def skipped(reason):
    with pytest.raises(pytest.skip.Exception) as caught:
        pytest.skip(reason)
    return caught.value


def test_counts():
    """Checks are counted once each, those that failed and those that were left out apart, other tests not at all."""
    off = skipped(f"{report.OFF} server, fork")
    calls = [
        (TestOne, "setup", None),
        (TestOne, "call", None),
        (TestOne, "call", AssertionError()),
        (TestOne, "teardown", None),
    ]

    assert ["smsmfa.testing: TestOne: 2 checks ran, 1 failed"] == seen(*calls)
    assert [
        "smsmfa.testing: TestOne: 1 checks ran, 2 left out (fork, server)",
        "smsmfa.testing: TestTwo: 0 checks ran, 1 left out (processes)",
    ] == seen(
        (TestTwo, "call", skipped(f"{report.OFF} processes")),
        (TestOne, "call", off),
        (TestOne, "call", off),
        (TestOne, "call", None),
    )
    assert [] == seen((None, "call", None), (dict, "call", None), (SimpleNamespace(), "call", None))


def test_workers():
    """With pytest-xdist the main process prints the counts of all workers, without those of one that crashed."""
    plugin, lines = report.Report(), []
    for _ in range(2):
        worker, config = report.Report(), SimpleNamespace(workeroutput={})
        worker.bases.add(Suite)
        for error in (None, AssertionError(), skipped(f"{report.OFF} fork")):
            info = error and SimpleNamespace(value=error)
            worker.pytest_runtest_makereport(SimpleNamespace(cls=TestOne), SimpleNamespace(when="call", excinfo=info))
        worker.pytest_sessionfinish(SimpleNamespace(config=config))
        plugin.pytest_testnodedown(SimpleNamespace(workeroutput=json.loads(json.dumps(config.workeroutput))))
    plugin.pytest_testnodedown(SimpleNamespace())
    plugin.pytest_sessionfinish(SimpleNamespace(config=SimpleNamespace()))

    plugin.pytest_terminal_summary(SimpleNamespace(write_line=lines.append))

    assert ["smsmfa.testing: TestOne: 4 checks ran, 2 failed, 2 left out (fork)"] == lines


def test_configure():
    """As a plugin in ``conftest.py`` the module registers the report before any check runs."""
    config = SimpleNamespace(pluginmanager=pytest.PytestPluginManager())
    report.pytest_configure(config)

    assert set() == config.pluginmanager.get_plugin(report.PLUGIN).bases
