"""Prints at the end of a pytest run, even a quiet one, how many checks each suite ran, failed and skipped.

With pytest-xdist, write ``pytest_plugins = ["smsmfa.testing.report"]`` in ``conftest.py``: the checks run in the
workers, and only the main process prints.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["install", "pytest_configure"]

#: The name of the plugin, and of its counts in what an xdist worker hands to the main process.
PLUGIN = "smsmfa_testing_report"
#: How the reason of a check that was left out begins; the flags follow.
OFF = "left out, because these are off:"


class Report:
    """A pytest plugin that counts checks. The first check registers it."""

    def __init__(self) -> None:
        #: The classes whose subclasses' tests are checks.
        self.bases: set[type] = set()
        self._ran: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._off: dict[str, list[str]] = {}

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Count one check."""
        cls = getattr(item, "cls", None)
        if call.when != "call" or not (isinstance(cls, type) and issubclass(cls, tuple(self.bases))):
            return
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, pytest.skip.Exception):
            self._off.setdefault(cls.__name__, []).append(str(error.msg).removeprefix(OFF).strip())
            return
        self._ran[cls.__name__] += 1
        self._failed[cls.__name__] += error is not None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In an xdist worker, hand the counts to the main process."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[PLUGIN] = [dict(self._ran), dict(self._failed), self._off]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """In the main process, add the counts of an xdist worker that ended. A worker that crashed has none."""
        ran, failed, off = getattr(node, "workeroutput", {}).get(PLUGIN, ({}, {}, {}))
        self._ran.update(ran)
        self._failed.update(failed)
        for name, flags in off.items():
            self._off.setdefault(name, []).extend(flags)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print one line for each suite."""
        for line in self._lines():
            terminalreporter.write_line(line)

    def _lines(self) -> Iterator[str]:
        for name in sorted({*self._ran, *self._off}):
            off = self._off.get(name, [])
            failed = f", {self._failed[name]} failed" if self._failed[name] else ""
            left = f", {len(off)} left out ({', '.join(sorted(set(', '.join(off).split(', '))))})" if off else ""
            yield f"smsmfa.testing: {name}: {self._ran[name]} checks ran{failed}{left}"


def install(config: pytest.Config, *bases: type) -> None:
    """Count the checks of every subclass of ``bases``. The plugin is registered only once."""
    plugin = config.pluginmanager.get_plugin(PLUGIN)
    if plugin is None:
        plugin = Report()
        config.pluginmanager.register(plugin, PLUGIN)
    plugin.bases.update(bases)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin in the main process too."""
    install(config)
