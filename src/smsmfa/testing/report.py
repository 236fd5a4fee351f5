"""Prints at the end of a pytest run, even a quiet one, how many checks each suite ran, failed and skipped.

With pytest-xdist, write ``pytest_plugins = ["smsmfa.testing.report"]`` in ``conftest.py``: the checks run in the
workers, and only the main process prints.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import pytest

__all__ = ["install", "pytest_configure", "skip_unset"]

#: The name of the plugin, and of its counts in what an xdist worker hands to the main process.
PLUGIN = "smsmfa_testing_report"
_UNSET = "this suite does not set: "


class Report:
    """A pytest plugin that counts checks. The first check registers it."""

    def __init__(self) -> None:
        #: The base classes of the suites to count.
        self.bases: set[type] = set()
        self._ran: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._skipped: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Count one check."""
        cls = getattr(item, "cls", None)
        if call.when != "call" or not (isinstance(cls, type) and issubclass(cls, tuple(self.bases))):
            return
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, pytest.skip.Exception):
            self._skipped[cls.__name__].append(str(error.msg))
            return
        self._ran[cls.__name__] += 1
        self._failed[cls.__name__] += error is not None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In an xdist worker, hand the counts to the main process."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[PLUGIN] = [dict(self._ran), dict(self._failed), dict(self._skipped)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """In the main process, add the counts of an xdist worker that ended. A worker that crashed has none."""
        ran, failed, skipped = getattr(node, "workeroutput", {}).get(PLUGIN, ({}, {}, {}))
        self._ran.update(ran)
        self._failed.update(failed)
        for name, reasons in skipped.items():
            self._skipped[name] += reasons

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print one line for each suite."""
        for line in self._lines():
            terminalreporter.write_line(line)

    def _lines(self) -> Iterator[str]:
        for name in sorted({*self._ran, *self._skipped}):
            ran, failed, skipped = self._ran[name], self._failed[name], self._skipped[name]
            parts = [f"{ran} check{'' if ran == 1 else 's'} ran"]
            parts += [f"{failed} failed"] * (failed > 0)
            parts += [f"{len(skipped)} skipped ({_reasons(skipped)})"] * (len(skipped) > 0)
            yield f"smsmfa.testing: {name}: {', '.join(parts)}"


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


def skip_unset(*names: str) -> NoReturn:
    """Skip a check because its suite does not set these attributes or hooks."""
    pytest.skip(_UNSET + ", ".join(names))


def _reasons(skipped: Iterable[str]) -> str:
    """Return each reason once, with all the names that are not set in one place."""
    unset = {name for reason in skipped if reason.startswith(_UNSET) for name in reason[len(_UNSET) :].split(", ")}
    others = sorted({reason for reason in skipped if not reason.startswith(_UNSET)})
    return "; ".join([f"not set: {', '.join(sorted(unset))}"] * bool(unset) + others)
