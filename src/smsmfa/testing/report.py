"""Says at the end of a test run, also of a quiet one, how many checks of which suite ran, and what was left out."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["install"]

#: How the reason of a check that was left out begins; the flags follow.
OFF = "left out, because these are off:"


class Report:
    """A pytest plugin, registered by the first check that runs."""

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

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line for each suite."""
        for line in self._lines():
            terminalreporter.write_line(line)

    def _lines(self) -> Iterator[str]:
        for name in sorted({*self._ran, *self._off}):
            off = self._off.get(name, [])
            failed = f", {self._failed[name]} failed" if self._failed[name] else ""
            left = f", {len(off)} left out ({', '.join(sorted(set(', '.join(off).split(', '))))})" if off else ""
            yield f"smsmfa.testing: {name}: {self._ran[name]} checks ran{failed}{left}"


def install(config: pytest.Config, base: type) -> None:
    """Count the checks of a kind of suite too; the plugin is registered once."""
    plugin = config.pluginmanager.get_plugin(__name__)
    if plugin is None:
        plugin = Report()
        config.pluginmanager.register(plugin, __name__)
    plugin.bases.add(base)
